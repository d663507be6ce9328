"""Robots on paper: the house's live market, money that isn't there."""
