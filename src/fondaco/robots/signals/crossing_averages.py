"""The signal `robot`: how simple and "exponential" averages of six periods cross each other.

It is the analysis that made the first robots' signals, kept to the digit so that its messages can
be made and checked. Closes are read newest first; the set "before" is the same figures over the
list without its newest ten. Its exponential average is one step only: it weighs the close just
older than the period against the simple average, with the double next to 0.3 as the weight.

Promises: exact decimal arithmetic, rounded away from zero to 5 places as the original did; the
twelve values and labels of a list depend on nothing but the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_UP, Context, Decimal
from typing import Final

import msgspec

from fondaco.robots.signals.candles import SignalError, TooFewBars
from fondaco.robots.signals.labels import Signal

__all__ = ["CLOSES_MIN", "PERIODS", "Average", "CrossingAverages", "analyse"]

PERIODS: Final = (5, 10, 20, 50, 100, 200)
BEFORE: Final = 10  # closes between the two sets
CLOSES_MIN: Final = PERIODS[-1] + 1 + BEFORE
# The double next to 0.3, exactly: the original's last digit comes from it.
_WEIGHT: Final = Decimal(0.3)  # noqa: RUF032 - not the decimal number: the double
_PLACES: Final = Decimal("0.00001")
_EXACT: Final = Context(prec=100)  # 18 digits of a price, 54 of the weight, 3 of the sum


class Average(msgspec.Struct, frozen=True):
    """One average: its period, its value and what it says."""

    period: int
    value: Decimal
    signal: Signal


class CrossingAverages(msgspec.Struct, frozen=True):
    """What a list of closes says, period by period."""

    simple: tuple[Average, ...]
    exponential: tuple[Average, ...]


def analyse(closes: Sequence[Decimal]) -> CrossingAverages:
    """Judge a list of closes, newest first.

    Raises:
        TooFewBars: the longest average before needs CLOSES_MIN closes.
        SignalError: a close is not a price.
    """
    if len(closes) < CLOSES_MIN:
        raise TooFewBars(f"found {len(closes)} closes; the averages before need {CLOSES_MIN}")
    for place, close in enumerate(closes[:CLOSES_MIN]):
        if not close.is_finite() or close <= 0:
            raise SignalError(f"close {place} is {close}; a price is above 0: fetch it again")
    older = closes[BEFORE:]
    now, before = _averages(closes), _averages(older)
    return CrossingAverages(
        *(
            tuple(
                Average(
                    period,
                    values[period],
                    label(_score(period, values, closes, earlier, older)),
                )
                for period in PERIODS
            )
            for values, earlier in zip(now, before, strict=True)
        )
    )


def label(score: int) -> Signal:
    """Return the word for a score."""
    if score >= 4:
        return Signal.STRONG_BUY
    if score >= 1:
        return Signal.BUY
    if score <= -4:
        return Signal.STRONG_SELL
    return Signal.SELL if score <= -1 else Signal.NEUTRAL


def _averages(closes: Sequence[Decimal]) -> tuple[dict[int, Decimal], dict[int, Decimal]]:
    simple: dict[int, Decimal] = {}
    exponential: dict[int, Decimal] = {}
    total, added = Decimal(0), 0
    for period in PERIODS:
        for close in closes[added:period]:
            total = _EXACT.add(total, close)
        added = period
        mean = _EXACT.divide(total, Decimal(period))
        step = _EXACT.multiply(_WEIGHT, _EXACT.subtract(closes[period], mean))
        simple[period] = mean.quantize(_PLACES, ROUND_UP, _EXACT)
        exponential[period] = _EXACT.add(mean, step).quantize(_PLACES, ROUND_UP, _EXACT)
    return simple, exponential


def _score(
    period: int,
    now: dict[int, Decimal],
    closes: Sequence[Decimal],
    before: dict[int, Decimal],
    older: Sequence[Decimal],
) -> int:
    """Return the sum of what one average crossed since the ten closes before."""
    score = _crossed(older[period - 1], before[period], closes[period - 1], now[period])
    for other in PERIODS:
        if other != period:
            weight = 2 if period < other else -2
            score += weight * _crossed(before[period], before[other], now[period], now[other])
    return score


def _crossed(was: Decimal, line_was: Decimal, now: Decimal, line: Decimal) -> int:
    """Return 1 for a crossing from below to above, -1 for the other way, else 0."""
    if was < line_was and now > line:
        return 1
    return -1 if was > line_was and now < line else 0
