"""Monthly statements and the tax export: read from history, equal to the journal to the unit."""
