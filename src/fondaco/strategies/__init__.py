"""Strategies that run elsewhere: who may report, what was reported, how it stands."""
