"""What a series of equity comes to: returns, risk, drawdowns, a table of months.

Promises: pure; money stays whole units, only what is a ratio is a float. Every figure that is not
defined (too few days, nothing lost, nothing had) is None and never a made-up number. No rate of
interest is taken off, and a year has DAYS_A_YEAR days, as what reports here trades on all of them.

A *day* is one of the house's time zone (day_ends). Its *return* is what the equity became by its
end over what it was at the end of the day before, less what was brought in or taken out (flow)
that day: (value - flow) / before - 1. The last day counts as far as it has come.

Definitions are those of Sharpe (1994, The Sharpe Ratio), Sortino and van der Meer (1991, Downside
Risk) and the common ones of the GIPS 2020 glossary; tests hold them against `quantstats`, which
says the same of the same series (its exposure apart, which counts days that moved).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

__all__ = [
    "DAYS_A_YEAR",
    "Close",
    "Drawdown",
    "Month",
    "Move",
    "Statistics",
    "carried",
    "day_ends",
    "day_of",
    "drawdown",
    "growth",
    "months",
    "returns",
    "statistics",
]

DAYS_A_YEAR: Final = 365
GROWTH_DAYS_MIN: Final = 30  # a yearly rate of less is a guess and not told
SECOND_US: Final = 1_000_000


class Close(NamedTuple):
    """What a series was worth at the end of a day; `flow` is what was brought in less taken out."""

    day: dt.date
    value: int
    flow: int = 0


class Move(NamedTuple):
    """The return of one day."""

    day: dt.date
    share: float


class Month(NamedTuple):
    """The return of one month, or of a year (month 0), of those of its days that are known."""

    year: int
    month: int
    share: float


class Drawdown(NamedTuple):
    """How far below its highest point a series was. `now` and `deepest` are 0 or less.

    `longest` is the greatest number of points in a row that were below the highest one before.
    """

    deepest: float
    now: float
    longest: int
    shares: list[float]  # of each point


class Statistics(NamedTuple):
    """All of one series over one span."""

    first: int
    last: int
    flow: int
    days: int
    total: float | None  # return of the whole span
    yearly: float | None  # compound annual growth rate
    volatility: float | None  # of a year
    sharpe: float | None
    sortino: float | None
    profit_factor: float | None
    best: Move | None
    worst: Move | None
    gaining: float | None  # share of the days that gained
    exposure: float | None  # share of the points with a position open

    @property
    def profit(self) -> int:
        return self.last - self.first - self.flow


# ---- time


def day_of(time_us: int, zone: ZoneInfo) -> dt.date:
    """Return the day of the zone on which a moment falls."""
    return dt.datetime.fromtimestamp(time_us // SECOND_US, zone).date()


def day_start(day: dt.date, zone: ZoneInfo) -> int:
    """Return the moment at which a day of the zone begins, whatever its clocks do on it."""
    return int(dt.datetime.combine(day, dt.time(), zone).timestamp()) * SECOND_US


def day_ends(start_us: int, end_us: int, zone: ZoneInfo) -> list[tuple[dt.date, int]]:
    """Return the days that [start, end) touches with their ends, the last one's cut at the end."""
    found = []
    day = day_of(start_us, zone)
    while True:
        after = day + dt.timedelta(days=1)
        stop_us = day_start(after, zone)
        found.append((day, min(stop_us, end_us)))
        if stop_us >= end_us:
            return found
        day = after


# ---- series


def carried(points: Iterable[tuple[int, int]], times: Sequence[int]) -> list[int | None]:
    """Return the value at each time: the last point at or before it; None before the first.

    Points and times are in order.
    """
    found: list[int | None] = []
    value: int | None = None
    coming = iter(points)
    point = next(coming, None)
    for time_us in times:
        while point is not None and point[0] <= time_us:
            value = point[1]
            point = next(coming, None)
        found.append(value)
    return found


def returns(first: int, closes: Sequence[Close]) -> list[Move]:
    """Return each day's return; a day that began with nothing, or less, has none."""
    before = [first, *(close.value for close in closes)]
    return [
        Move(close.day, (close.value - close.flow - had) / had)
        for had, close in zip(before, closes, strict=False)
        if had > 0
    ]


def growth(values: Sequence[int], flows: Sequence[int]) -> list[float]:
    """Return what 1 became at each value, what was brought in left aside; the first is 1.

    flows[i] came between values[i - 1] and values[i]; without flows it is values[i] / values[0].
    """
    if not any(flows):
        base = values[0] if values else 0
        if base > 0:
            return [value / base for value in values]
    found = [1.0] if values else []
    for (had, value), flow in zip(pairwise(values), flows[1:], strict=True):
        found.append(found[-1] * ((value - flow) / had if had > 0 else 1.0))
    return found


def drawdown(index: Sequence[float]) -> Drawdown:
    """Return the drawdowns of an index, as growth() gives it."""
    top = -math.inf
    shares = []
    longest = under = 0
    for value in index:
        top = max(top, value)
        share = value / top - 1 if top > 0 else 0.0
        shares.append(share)
        under = under + 1 if share < 0 else 0
        longest = max(longest, under)
    return Drawdown(min(shares, default=0.0), shares[-1] if shares else 0.0, longest, shares)


def months(moves: Iterable[Move]) -> list[Month]:
    """Return the months of these days and, after each year's last, the year (month 0)."""
    found: dict[tuple[int, int], float] = {}
    for move in moves:
        for month in (move.day.month, 0):
            key = (move.day.year, month)
            found[key] = found.get(key, 1.0) * (1 + move.share)
    ordered = sorted(found, key=lambda key: (key[0], key[1] or 13))
    return [Month(*key, found[key] - 1) for key in ordered]


# ---- figures


def statistics(
    first: int, closes: Sequence[Close], *, open_points: Sequence[bool] = ()
) -> Statistics:
    """Return the figures of a span that began with `first` and had these closes.

    `open_points` says of points of the span, evenly apart, whether a position was open.
    """
    moves = returns(first, closes)
    shares = [move.share for move in moves]
    index = growth([first, *(each.value for each in closes)], [0, *(each.flow for each in closes)])
    total = index[-1] - 1 if shares else None
    return Statistics(
        first=first,
        last=closes[-1].value if closes else first,
        flow=sum(close.flow for close in closes),
        days=len(shares),
        total=total,
        yearly=_yearly(total, len(shares)),
        volatility=_yearly_root(_deviation(shares)),
        sharpe=_yearly_root(_ratio(_mean(shares), _deviation(shares))),
        sortino=_yearly_root(_ratio(_mean(shares), _downside(shares))),
        profit_factor=_profit_factor(shares),
        best=max(moves, key=lambda move: move.share, default=None),
        worst=min(moves, key=lambda move: move.share, default=None),
        gaining=sum(share > 0 for share in shares) / len(shares) if shares else None,
        exposure=sum(open_points) / len(open_points) if open_points else None,
    )


def _mean(shares: Sequence[float]) -> float | None:
    return math.fsum(shares) / len(shares) if shares else None


def _deviation(shares: Sequence[float]) -> float | None:
    """Return the standard deviation of a sample (n - 1), None of fewer than two."""
    mean = _mean(shares)
    if mean is None or len(shares) < 2:
        return None
    found = math.sqrt(math.fsum((share - mean) ** 2 for share in shares) / (len(shares) - 1))
    return found if found > abs(mean) * 1e-12 else 0.0  # equal ones deviate by what floats lose


def _downside(shares: Sequence[float]) -> float | None:
    """Return the root of the mean square of losses, gains counting as 0 (Sortino, target 0)."""
    if len(shares) < 2:
        return None
    return math.sqrt(math.fsum(share**2 for share in shares if share < 0) / len(shares))


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _yearly_root(figure: float | None) -> float | None:
    return None if figure is None else figure * math.sqrt(DAYS_A_YEAR)


def _yearly(total: float | None, days: int) -> float | None:
    if total is None or days < GROWTH_DAYS_MIN or total <= -1:
        return None
    power = math.log1p(total) * DAYS_A_YEAR / days
    return math.expm1(power) if power < 700 else None


def _profit_factor(shares: Sequence[float]) -> float | None:
    """Return the sum of what days gained over the sum of what days lost."""
    lost = -math.fsum(share for share in shares if share < 0)
    return math.fsum(share for share in shares if share > 0) / lost if lost > 0 else None
