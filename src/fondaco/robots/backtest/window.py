"""Volume and change of the last 24 hours, tick by tick.

Promises: exact; a tick leaves the window 24 hours after it came. The change is against the oldest
price in the window, in percent, rounded to 4 places.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Final

from fondaco.robots.backtest.tape import Tick

__all__ = ["DayWindow"]

DAY_US: Final = 86_400_000_000
_PLACES: Final = Decimal("0.0001")


class DayWindow:
    """The ticks of the last 24 hours."""

    def __init__(self) -> None:
        """Begin empty."""
        self._ticks: deque[Tick] = deque()
        self._volume = Decimal(0)

    def take(self, tick: Tick) -> tuple[Decimal, Decimal]:
        """Take a tick; return volume in base and change in percent."""
        self._ticks.append(tick)
        self._volume += tick.quantity
        while self._ticks[0].time_us <= tick.time_us - DAY_US:
            self._volume -= self._ticks.popleft().quantity
        before = self._ticks[0].price
        return self._volume, ((tick.price - before) * 100 / before).quantize(_PLACES)
