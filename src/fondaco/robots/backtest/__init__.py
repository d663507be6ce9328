"""Backtests: a robot on a market of the past, through an exchange of its own in virtual time."""
