"""The doors for programs: the Binance Spot-compatible API, streams, health and metrics."""
