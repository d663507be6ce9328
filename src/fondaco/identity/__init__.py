"""Identity: members, their accounts, their API keys and who is signed in."""
