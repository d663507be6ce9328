"""Bars: which one a moment belongs to, how trades become bars and bars become longer ones.

Promises: pure functions over ints. Folding trades to minutes and minutes to any interval gives
what folding the trades to that interval gives. Bars hold their first and last trade id, so that
merging two parts of one bar does not depend on which came first. Intervals are Binance's names;
weeks begin on Monday, three-day bars on every third day since the epoch, months and days in UTC.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

__all__ = [
    "DAY_US",
    "HOUR_US",
    "INTERVALS",
    "MINUTE_US",
    "Bar",
    "Interval",
    "fill_flat",
    "fold_bars",
    "fold_trades",
    "merge",
]

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
VOLUME_MAX: Final = (1 << 63) - 1  # a sum past it stays there: turnover may exceed the total
EPOCH: Final = dt.date(1970, 1, 1)
MONDAY_OFFSET: Final = 3  # day 0 of the epoch was a Thursday


class Bar(msgspec.Struct, frozen=True):
    """One bar. `start_us` is its first microsecond; volumes in lots and in quote units."""

    start_us: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_lots: int
    volume_quote: int
    taker_buy_lots: int
    taker_buy_quote: int
    trades: int
    first_trade_id: int
    last_trade_id: int


class Interval(msgspec.Struct, frozen=True):
    """A length of bars: `count` of a unit, and the stored unit that it is folded from."""

    name: str
    unit: str  # m, h, d, w or M
    count: int

    @property
    def stored(self) -> str:
        """The table to fold from: 1m, 1h or 1d."""
        return {"m": "1m", "h": "1h"}.get(self.unit, "1d")

    def start_of(self, time_us: int) -> int:
        """Return the start of the bar that holds this moment."""
        if self.unit in "mh":
            length = self.count * (MINUTE_US if self.unit == "m" else HOUR_US)
            return time_us // length * length
        day = time_us // DAY_US
        if self.unit == "d":
            return day // self.count * self.count * DAY_US
        if self.unit == "w":
            return ((day + MONDAY_OFFSET) // 7 * 7 - MONDAY_OFFSET) * DAY_US
        date = EPOCH + dt.timedelta(days=day)
        return (date.replace(day=1) - EPOCH).days * DAY_US

    def next_start(self, start_us: int) -> int:
        """Return the start of the bar after the one that begins at `start_us`."""
        if self.unit == "M":
            return self.start_of(start_us + 31 * DAY_US)
        unit_us = {"m": MINUTE_US, "h": HOUR_US, "d": DAY_US, "w": 7 * DAY_US}[self.unit]
        return start_us + self.count * unit_us

    def back(self, start_us: int, bars: int) -> int:
        """Return the start of the bar that lies `bars` before the one at `start_us`."""
        if self.unit != "M":
            return start_us - bars * (self.next_start(start_us) - start_us)
        date = EPOCH + dt.timedelta(days=start_us // DAY_US)
        months = max(date.year * 12 + date.month - 1 - bars, 12)
        first = dt.date(months // 12, months % 12 + 1, 1)
        return (first - EPOCH).days * DAY_US


_NAMES: Final = "1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M"
INTERVALS: Final[dict[str, Interval]] = {
    name: Interval(name, name[-1], int(name[:-1])) for name in _NAMES.split()
}


def merge(first: Bar, second: Bar) -> Bar:
    """Return one bar of two parts that share no trade, with the start of the first."""
    early, late = first, second
    if second.first_trade_id < first.first_trade_id:
        early = second
    if first.last_trade_id > second.last_trade_id:
        late = first
    return Bar(
        first.start_us,
        early.open_ticks,
        max(first.high_ticks, second.high_ticks),
        min(first.low_ticks, second.low_ticks),
        late.close_ticks,
        min(first.volume_lots + second.volume_lots, VOLUME_MAX),
        min(first.volume_quote + second.volume_quote, VOLUME_MAX),
        min(first.taker_buy_lots + second.taker_buy_lots, VOLUME_MAX),
        min(first.taker_buy_quote + second.taker_buy_quote, VOLUME_MAX),
        first.trades + second.trades,
        early.first_trade_id,
        late.last_trade_id,
    )


def fold_bars(bars: Iterable[Bar], interval: Interval) -> list[Bar]:
    """Return the bars of an interval made of shorter ones, oldest first."""
    found: dict[int, Bar] = {}
    for bar in bars:
        start = interval.start_of(bar.start_us)
        known = found.get(start)
        if known is None:
            found[start] = msgspec.structs.replace(bar, start_us=start)
        else:
            found[start] = merge(known, bar)
    return [found[start] for start in sorted(found)]


def fold_trades(
    trades: Iterable[tuple[int, int, int, int, int, bool]], interval: Interval
) -> list[Bar]:
    """Return bars of (time_us, trade_id, price_ticks, lots, quote, taker buys), in id order."""
    singles = (
        Bar(
            time_us,
            price,
            price,
            price,
            price,
            lots,
            quote,
            lots if buys else 0,
            quote if buys else 0,
            1,
            trade_id,
            trade_id,
        )
        for time_us, trade_id, price, lots, quote, buys in trades
    )
    return fold_bars(singles, interval)


def fill_flat(
    bars: Sequence[Bar], interval: Interval, *, first_us: int, last_us: int, before_ticks: int
) -> list[Bar]:
    """Return a bar for every interval from the one at first_us to the one at last_us.

    Intervals without trades are flat at the last close, or at before_ticks; while that is 0 and
    no trade came yet they are left out.
    """
    by_start = {bar.start_us: bar for bar in bars}
    filled = []
    close = before_ticks
    trade_id = 0
    start = first_us
    while start <= last_us:
        bar = by_start.get(start)
        if bar is not None:
            filled.append(bar)
            close, trade_id = bar.close_ticks, bar.last_trade_id
        elif close:
            flat = Bar(start, close, close, close, close, 0, 0, 0, 0, 0, trade_id, trade_id)
            filled.append(flat)
        start = interval.next_start(start)
    return filled
