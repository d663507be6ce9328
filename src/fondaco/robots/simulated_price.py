"""A plausible price: a seeded random walk with clustered volatility that stays near its anchor.

Promises: the same seed and steps give the same prices. The walk can run for years: it reverts to
the anchor over days, staying within about five per cent of it most of the time. The price of a
cross (ETH in BTC) is that of its two parts, so that no round trip is a gift. It is made for
demonstrations; no statistic of a real market is claimed.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from random import Random
from typing import Final, Protocol

__all__ = [
    "ANCHORS",
    "CrossPrice",
    "FairPrice",
    "Price",
    "TwinPrice",
    "anchor_of",
    "parts_of",
    "twin_of",
    "worth_of",
]

# Where a walk begins and comes back to; others start from the instrument's last trade or at 100.
ANCHORS: Final = {
    "BTCUSDT": 64_000.0,
    "ETHUSDT": 3_100.0,
    "SOLUSDT": 145.0,
    "BNBUSDT": 580.0,
    "ETHBTC": 0.0484,
}
_SIGMA: Final = 3.5e-5  # of the logarithm, in one second of calm: with bursts about 55 % a year
_REVERSION_S: Final = 10 * 86_400.0  # how long the anchor takes to pull the price back
_CALM_S: Final = 1_200.0  # how long a burst of volatility lasts
_BURST_S: Final = 2_400.0  # mean time between bursts
_HEAT: Final = 0.5  # how far the logarithm of volatility wanders by itself
_BURST: Final = 1.0  # a burst multiplies volatility by e


# What one unit of a quote asset is worth, so that orders are of like size everywhere.
_WORTH: Final = {"BTC": 64_000.0, "ETH": 3_100.0, "BNB": 580.0}


class Price(Protocol):
    """What simulated traders think an instrument is worth."""

    @property
    def value(self) -> float: ...

    def step(self, seconds: float) -> float:
        """Move on by some seconds and return the price."""


def anchor_of(symbol: str) -> float:
    """Return the price around which an instrument's walk stays when nothing better is known."""
    return ANCHORS.get(symbol, 100.0)


def worth_of(asset: str) -> float:
    """Return about how many dollars one unit of a quote asset is worth; 1 if unknown."""
    return _WORTH.get(asset, 1.0)


def parts_of(base: str, quote: str, symbols: Collection[str]) -> tuple[str, str] | None:
    """Return the symbols whose ratio is the price of base in quote, None if it isn't a cross."""
    for money in ("USDT", "USD", "USDC", "EUR"):
        if quote != money and base + money in symbols and quote + money in symbols:
            return base + money, quote + money
    return None


def twin_of(base: str, quote: str, symbols: Collection[str]) -> str | None:
    """Return the symbol that a market in dollars is priced like, None without one."""
    twin = f"{base}USDT"
    return twin if quote == "USD" and twin in symbols else None


class FairPrice:
    """What the simulated traders think an instrument is worth, second by second."""

    def __init__(self, chance: Random, *, anchor: float, price: float) -> None:
        """Start at a price; the walk comes back to the anchor."""
        self._chance = chance
        self._home = math.log(anchor)
        self._log = math.log(price)
        self._heat = 0.0  # logarithm of volatility against calm

    @property
    def value(self) -> float:
        return math.exp(self._log)

    def step(self, seconds: float) -> float:
        """Move on by some seconds and return the price."""
        chance = self._chance
        kept = math.exp(-seconds / _CALM_S)
        self._heat = kept * self._heat + _HEAT * math.sqrt(1 - kept * kept) * chance.gauss(0, 1)
        if chance.random() < 1 - math.exp(-seconds / _BURST_S):
            self._heat += _BURST
        spread = _SIGMA * math.exp(min(self._heat, 2.5)) * math.sqrt(seconds)
        self._log += (self._home - self._log) * min(1.0, seconds / _REVERSION_S)
        self._log += spread * chance.gauss(0, 1)
        return self.value


class CrossPrice:
    """The price of a cross: it moves with its parts and needs no steps of its own."""

    def __init__(self, base: Price, quote: Price) -> None:
        """Take the prices of base and of quote in the same money."""
        self._base = base
        self._quote = quote

    @property
    def value(self) -> float:
        return self._base.value / self._quote.value

    def step(self, seconds: float) -> float:  # noqa: ARG002 - the parts step
        """Return the price."""
        return self.value


class TwinPrice:
    """The price of another market: it moves with it and needs no steps of its own."""

    def __init__(self, twin: Price) -> None:
        self._twin = twin

    @property
    def value(self) -> float:
        return self._twin.value

    def step(self, seconds: float) -> float:  # noqa: ARG002 - the twin steps
        """Return the price."""
        return self.value
