"""Our own clients of a house: what trades, watches and decides through the ordinary door."""
