"""A house in memory, its clients and its misfortunes, by a seed."""
