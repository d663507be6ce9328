"""The house's own ratings of a tape, as signals for a backtest.

Promises: a rating is of closed candles of the tape alone, made GRACE_US after the close as the
house does; a flat candle stands where nothing was traded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from fondaco.projections.bars import INTERVALS
from fondaco.robots.backtest.figures import FiguresMissing
from fondaco.robots.backtest.signal_file import Signal
from fondaco.robots.backtest.tape import Bar, TapeFault, Tick
from fondaco.robots.hub.messages import KINDS, RATED

__all__ = ["GRACE_US", "Rater"]

GRACE_US: Final = 1_500_000


class Rater:
    """The house's own rating of one book, by one kind, at each closed candle of the tape."""

    def __init__(self, kind: str, interval: str, symbol: str) -> None:
        """Begin without a candle; raises TapeFault for an unknown word, FiguresMissing."""
        if kind not in KINDS:
            raise TapeFault(f"--ratings is {kind!r}; it is one of {', '.join(KINDS)}")
        if interval not in RATED:
            raise TapeFault(f"--interval is {interval!r}; it is one of {', '.join(RATED)}")
        try:
            from fondaco.robots.signals.candles import Bars
            from fondaco.robots.signals.figures import KEPT_BARS
            from fondaco.robots.signals.own import CLOSES_MIN
        except ImportError as error:
            raise FiguresMissing(
                "ratings need TA-Lib: install it with `pip install fondaco[ta]`"
            ) from error
        self._kind = kind
        self._symbol = symbol
        self._length_us = INTERVALS[interval].next_start(0)
        self._bars = Bars(interval_ms=self._length_us // 1000, kept_max=KEPT_BARS)
        self._closes: deque[Decimal] = deque(maxlen=CLOSES_MIN)
        self._bar = Bar(-1, *(Decimal(0),) * 5)

    def take(self, tick: Tick) -> Iterator[Signal]:
        """Take a tick; yield what the candles say that it has closed. Raises TapeFault."""
        open_us = tick.time_us - tick.time_us % self._length_us
        price, bar = tick.price, self._bar
        while 0 <= bar.open_us < open_us:
            yield from self._close(bar)
            bar = Bar(bar.open_us + self._length_us, *(bar.close,) * 4, Decimal(0))
        if bar.open_us < 0 or not bar.volume:
            self._bar = Bar(open_us, price, price, price, price, tick.quantity)
        else:
            high, low = max(bar.high, price), min(bar.low, price)
            self._bar = Bar(open_us, bar.open, high, low, price, bar.volume + tick.quantity)

    def _close(self, bar: Bar) -> Iterator[Signal]:
        from fondaco.robots.signals.candles import Candle, SignalError
        from fondaco.robots.signals.own import judge

        self._closes.appendleft(bar.close)
        try:
            self._bars.add(Candle(bar.open_us // 1000, *bar[1:]))
            found = judge(self._kind, self._bars, tuple(self._closes))
        except SignalError as error:
            raise TapeFault(f"a candle of the tape can't be rated: {error}") from error
        if found is not None:
            yield Signal(bar.open_us + self._length_us + GRACE_US, self._symbol, found.strength)
