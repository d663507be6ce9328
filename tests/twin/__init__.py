"""The naive twin: a slow exchange written from the design, the oracle of the compiled core."""
