"""Outside exchanges: what the house asks of one, the kinds that there are, and who carries it."""
