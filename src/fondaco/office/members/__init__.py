"""The pages about people: joining, profile, invites, security, keys and tokens."""
