"""Generated flows through the compiled core and its naive twin: every event equal."""
