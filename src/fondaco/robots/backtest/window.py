"""Volume and change of the last 24 hours, by minutes.

Promises: exact. The window is the current minute and the 1,439 before it; the change is against the
price that opened its oldest minute, in percent, rounded to 4 places. So a window that was kept up
trade by trade equals one that was filled with stored minutes.
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
_PLACES: Final = Decimal("0.0001")


class _Minute(msgspec.Struct):
    """One minute that had a trade."""

    start_us: int
    open: Decimal
    close: Decimal
    volume: Decimal


class DayWindow:
    """The minutes of the last 24 hours."""

    def __init__(self) -> None:
        """Begin empty."""
        self._minutes: deque[_Minute] = deque()
        self._volume = Decimal(0)

    def take(self, tick: Tick) -> tuple[Decimal, Decimal]:
        """Take a tick; return volume in base and change in percent."""
        start_us = tick.time_us - tick.time_us % MINUTE_US
        return self.take_minute(start_us, tick.price, tick.price, tick.quantity)

    def take_minute(
        self, start_us: int, opened: Decimal, closed: Decimal, volume: Decimal
    ) -> tuple[Decimal, Decimal]:
        """Take trades of a minute that is not older than the newest; returns as take() does."""
        minutes = self._minutes
        if minutes and minutes[-1].start_us == start_us:
            minutes[-1].volume += volume
            minutes[-1].close = closed
        else:
            minutes.append(_Minute(start_us, opened, closed, volume))
        self._volume += volume
        while minutes[0].start_us <= start_us - DAY_US:
            self._volume -= minutes.popleft().volume
        before = minutes[0].open
        return self._volume, ((closed - before) * 100 / before).quantize(_PLACES, ROUND_HALF_EVEN)

    def minutes(self) -> list[tuple[int, Decimal, Decimal, Decimal]]:
        """Return start, open, close and volume of each minute, oldest first."""
        return [(one.start_us, one.open, one.close, one.volume) for one in self._minutes]
