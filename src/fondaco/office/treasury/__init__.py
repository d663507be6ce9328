"""Money in and out of the house, and between a member's own accounts: by commands alone."""
