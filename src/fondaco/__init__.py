"""Fondaco: a trading house that people run themselves."""
