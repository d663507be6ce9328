"""What was before a bot came: the minutes and candles that it begins with.

Promises: they are those of the newest trade's moment, so a market that is begun with them goes on
as one that was watched from its first trade: the same volume, change and figures, to the byte. It
doesn't matter where the past is read from (the projections, or the house's files), as long as it
has the same bars. Pure functions: no clock, network or database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, Protocol

from fondaco.projections.bars import DAY_US, INTERVALS, MINUTE_US, Bar, Interval
from fondaco.robots.backtest.tape import Bar as Candle

__all__ = ["Past", "candles_before", "minutes_before"]

BARS_KEPT: Final = 1500  # as signals.figures keeps


class Past(Protocol):
    """The bars of one market as of a moment."""

    @property
    def newest_us(self) -> int:
        """The beginning of the newest minute with a trade; -1 without one."""

    def bars(self, unit: str, begin_us: int, end_us: int) -> Sequence[Bar]:
        """Return the 1m, 1h or 1d bars that begin in [begin_us, end_us), oldest first."""

    def minutes(self, begin_us: int) -> Sequence[Bar]:
        """Return the minutes from one on, the newest with what it has so far."""

    def close_before(self, time_us: int) -> int:
        """Return the last price in ticks before a time, 0 if there was no trade."""


def minutes_before(past: Past) -> list[tuple[int, int, int, int]]:
    """Return (start, open, close, lots) of the last 24 hours' minutes, in ticks."""
    if past.newest_us < 0:
        return []
    return [
        (bar.start_us, bar.open_ticks, bar.close_ticks, bar.volume_lots)
        for bar in past.minutes(past.newest_us - DAY_US + MINUTE_US)
    ]


def candles_before(past: Past, interval: Interval, *, tick: Decimal, lot: Decimal) -> list[Candle]:
    """Return the candles of an interval so far, oldest first; the last may still be open."""
    newest_us = past.newest_us
    if newest_us < 0:
        return []
    begin_us = interval.back(interval.start_of(newest_us), BARS_KEPT)
    whole_us = INTERVALS[interval.stored].start_of(newest_us)
    parts = [*past.bars(interval.stored, begin_us, whole_us), *past.minutes(whole_us)]
    found = _fold(parts, interval, tick=tick, lot=lot)
    if found[0].open_us > begin_us:
        close = past.close_before(begin_us) * tick
        if close:  # what was before went on flat: it counts as long as it is kept
            found.insert(0, Candle(begin_us, close, close, close, close, lot * 0))
    return found


def _fold(parts: Iterable[Bar], interval: Interval, *, tick: Decimal, lot: Decimal) -> list[Candle]:
    found: list[Candle] = []
    for part in parts:
        open_us = interval.start_of(part.start_us)
        prices = [
            ticks * tick
            for ticks in (part.open_ticks, part.high_ticks, part.low_ticks, part.close_ticks)
        ]
        volume: Decimal = part.volume_lots * lot
        if found and found[-1].open_us == open_us:
            last = found[-1]
            found[-1] = Candle(
                open_us,
                last.open,
                max(last.high, prices[1]),
                min(last.low, prices[2]),
                prices[3],
                last.volume + volume,
            )
        else:
            found.append(Candle._make((open_us, *prices, volume)))
    return found
