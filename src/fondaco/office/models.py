"""The office keeps no rows of its own yet: members are identity's, history is projections'."""
