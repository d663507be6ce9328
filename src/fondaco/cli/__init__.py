"""The command line: what an operator types. Wiring only; every room is reached through its door."""
