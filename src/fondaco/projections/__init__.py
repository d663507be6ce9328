"""Projections: the events of the exchange as SQL tables, deletable and rebuilt at will."""
