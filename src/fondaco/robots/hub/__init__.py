"""The hub: signals come in, every client is judged by each, and triggered ones get an operation."""
