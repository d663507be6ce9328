"""The doors for programs: the Binance Spot-compatible API, streams, health and metrics."""

import fondaco_build

fondaco_build.enter_edge()
