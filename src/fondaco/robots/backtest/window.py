"""Volume and change of the last 24 hours, by minutes.

Promises: exact. The window is the current minute and the 1,439 before it; the change is that of the
last price against the price that opened the oldest minute in it, in percent, rounded to 4 places;
where nobody traded in it both are 0. So a window that was kept up trade by trade, or told the time,
equals one that was filled with stored minutes.
"""

from __future__ import annotations

from collections import deque
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from fondaco.robots.backtest.tape import Tick

__all__ = ["DAY_US", "MINUTE_US", "DayWindow"]

MINUTE_US: Final = 60_000_000
DAY_US: Final = 86_400_000_000
ZERO: Final = Decimal(0)
_PLACES: Final = Decimal("0.0001")


class _Minute(msgspec.Struct):
    """One minute that had a trade."""

    start_us: int
    open: Decimal
    close: Decimal
    volume: Decimal


class DayWindow:
    """The minutes of the last 24 hours; the newest is kept when it is older, but doesn't count."""

    def __init__(self) -> None:
        """Begin empty."""
        self._minutes: deque[_Minute] = deque()
        self._volume = ZERO
        self._is_quiet = True  # no minute counts

    def take(self, tick: Tick) -> tuple[Decimal, Decimal]:
        """Take a tick; return volume in base and change in percent."""
        start_us = tick.time_us - tick.time_us % MINUTE_US
        return self.take_minute(start_us, tick.price, tick.price, tick.quantity)

    def take_minute(
        self, start_us: int, opened: Decimal, closed: Decimal, volume: Decimal
    ) -> tuple[Decimal, Decimal]:
        """Take trades of a minute that is not older than the newest; returns as take() does."""
        minutes = self._minutes
        if self._is_quiet:
            minutes.clear()
        if minutes and minutes[-1].start_us == start_us:
            minutes[-1].volume += volume
            minutes[-1].close = closed
        else:
            minutes.append(_Minute(start_us, opened, closed, volume))
        self._volume += volume
        self._is_quiet = False
        self.advance(start_us)
        return self.figures()

    def advance(self, time_us: int) -> bool:
        """Let fall out what is too old at a time; return whether anything did."""
        too_old_us = time_us - time_us % MINUTE_US - DAY_US
        minutes = self._minutes
        if self._is_quiet or minutes[0].start_us > too_old_us:
            return False
        while len(minutes) > 1 and minutes[0].start_us <= too_old_us:
            self._volume -= minutes.popleft().volume
        if minutes[0].start_us <= too_old_us:
            self._volume, self._is_quiet = ZERO, True
        return True

    def next_us(self) -> int | None:
        """Return when the oldest minute falls out; None: nothing is in it."""
        return None if self._is_quiet else self._minutes[0].start_us + DAY_US

    def figures(self) -> tuple[Decimal, Decimal]:
        """Return volume in base and change in percent, after the first trade."""
        if self._is_quiet:
            return ZERO, ZERO
        before, last = self._minutes[0].open, self._minutes[-1].close
        change = ((last - before) * 100 / before).quantize(_PLACES, ROUND_HALF_EVEN)
        return self._volume, change

    def minutes(self) -> list[tuple[int, Decimal, Decimal, Decimal]]:
        """Return start, open, close and volume of each minute, oldest first."""
        return [(one.start_us, one.open, one.close, one.volume) for one in self._minutes]
