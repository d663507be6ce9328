"""Candles as robots read them: checked one by one, so that no figure is made of a hole.

Promises: a series that was let in is whole: times rise by exactly one interval (or only rise, where
a market has sessions), every figure is finite, and low <= open, close <= high. What isn't so is a
named error that says which bar, what was found and what to do. Prices are exact (Decimal) here;
`Columns` is where they become the floats that indicators are made of, and nothing goes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

__all__ = ["BadBar", "Bars", "Candle", "Column", "Columns", "Gap", "SignalError", "TooFewBars"]

Column = npt.NDArray[np.float64]
PRICE_MAX: Final = Decimal(10) ** 18  # far above any price; below, a float keeps 15 digits


class SignalError(ValueError):
    """Candles that no figure can be made of: which bar, what was found, what to do."""


class BadBar(SignalError):
    """One bar is not a candle: not finite, not positive, or its high and low don't hold it."""


class Gap(SignalError):
    """A bar does not follow the one before: one is missing, doubled or out of order."""


class TooFewBars(SignalError):
    """The series is shorter than what the figure reads."""


class Candle(msgspec.Struct, frozen=True, gc=False):
    """One bar; time of opening in milliseconds since 1970, prices in quote, volume in base."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    def check(self) -> None:
        """Raise BadBar if this can't be a bar of a market."""
        for name in ("open", "high", "low", "close"):
            price = getattr(self, name)
            if not price.is_finite() or not 0 < price <= PRICE_MAX:
                raise BadBar(
                    f"the bar at {self.open_ms} ms has {name} {price}; a price is above 0 and at"
                    f" most 10^18: leave the bar out and fetch it again"
                )
        if not self.volume.is_finite() or self.volume < 0:
            raise BadBar(
                f"the bar at {self.open_ms} ms has volume {self.volume}; it is 0 or more:"
                f" fetch the bar again"
            )
        inside = self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high
        if not inside:
            raise BadBar(
                f"the bar at {self.open_ms} ms has open {self.open} and close {self.close} outside"
                f" of low {self.low} and high {self.high}: fetch the bar again"
            )


class Columns(msgspec.Struct, frozen=True):
    """A series as the arrays that indicators read, oldest first."""

    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column


class Bars:
    """A checked series of candles, oldest first, that keeps at most `kept_max` of them."""

    def __init__(
        self, candles: Iterable[Candle] = (), *, interval_ms: int | None, kept_max: int
    ) -> None:
        """Take the bars there are; `interval_ms` None means a market with sessions.

        Raises:
            BadBar, Gap: a bar that add() would refuse.
        """
        if kept_max < 1 or (interval_ms is not None and interval_ms < 1):
            raise ValueError(f"kept_max {kept_max} and interval_ms {interval_ms} are at least 1")
        self.interval_ms = interval_ms
        self.kept_max = kept_max
        self.last: Candle | None = None
        self._figures = np.empty((5, 2 * kept_max))
        self._from = 0
        self._to = 0
        for candle in candles:
            self.add(candle)

    def __len__(self) -> int:
        """Return how many bars are kept."""
        return self._to - self._from

    def add(self, candle: Candle) -> None:
        """Take the next closed bar; one that is refused changes nothing.

        Raises:
            BadBar: it can't be a bar of a market.
            Gap: it does not follow the last one.
        """
        candle.check()
        if self.last is not None:
            self._follow(self.last.open_ms, candle.open_ms)
        if self._to == self._figures.shape[1]:
            kept = self._figures[:, self._from + 1 : self._to].copy()
            self._from, self._to = 0, kept.shape[1]
            self._figures[:, : self._to] = kept
        self._figures[:, self._to] = [
            float(figure)
            for figure in (candle.open, candle.high, candle.low, candle.close, candle.volume)
        ]
        self._to += 1
        self._from = max(self._from, self._to - self.kept_max)
        self.last = candle

    def _follow(self, before_ms: int, now_ms: int) -> None:
        if now_ms <= before_ms:
            raise Gap(
                f"the bar at {now_ms} ms comes after the one at {before_ms} ms;"
                f" bars come oldest first, each once"
            )
        if self.interval_ms is not None and now_ms != before_ms + self.interval_ms:
            raise Gap(
                f"the bar at {now_ms} ms follows the one at {before_ms} ms, but the next of"
                f" {self.interval_ms} ms opens at {before_ms + self.interval_ms} ms:"
                f" fill what is missing (a minute without a trade is a flat bar of volume 0)"
            )

    def columns(self) -> Columns:
        """Return the kept bars as arrays; good until the next add()."""
        rows = self._figures[:, self._from : self._to]
        return Columns(*(np.ascontiguousarray(row) for row in rows))
