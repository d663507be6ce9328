"""Keeps the figures of a rule up to date during a backtest: closed candles made of its ticks.

Promises: candles begin where the house's own bars do (a week on Monday, a month on its first). One
closes at the first tick at or past its end, an interval without a trade is a flat candle of volume
0, and a figure is computed over closed candles only: no look ahead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Protocol

from fondaco.projections.bars import INTERVALS, Interval
from fondaco.robots.rules.plan import Figure

if TYPE_CHECKING:
    from fondaco.robots.signals.candles import Bars

__all__ = ["Closed", "Figures", "FiguresMissing"]

MISSING: Final = "the rule names an indicator: install TA-Lib with `pip install fondaco[ta]`"


class Closed(Protocol):
    """A candle, as of tape.Bar."""

    @property
    def open_us(self) -> int: ...
    @property
    def open(self) -> Decimal: ...
    @property
    def high(self) -> Decimal: ...
    @property
    def low(self) -> Decimal: ...
    @property
    def close(self) -> Decimal: ...
    @property
    def volume(self) -> Decimal: ...


class FiguresMissing(Exception):
    """The rule names an indicator, and TA-Lib isn't installed."""


class _Series:
    """The candles of one interval, and the figures over them."""

    def __init__(self, interval: Interval, bars: Bars) -> None:
        self.interval = interval
        self.figures: list[Figure] = []
        self.bars = bars
        self.open_us = self.end_us = -1
        self.open = self.high = self.low = self.close = Decimal(0)
        self.volume = Decimal(0)

    def begin(self, open_us: int, price: Decimal, volume: Decimal) -> None:
        self.open_us = open_us
        self.end_us = self.interval.next_start(open_us)
        self.open = self.high = self.low = self.close = price
        self.volume = volume


class Figures:
    """The figures of one market, over candles of its own trades."""

    def __init__(self, figures: Iterable[Figure]) -> None:
        """Take the figures to keep; raises FiguresMissing."""
        self.values: dict[Figure, float] = {}
        self._series: dict[str, _Series] = {}
        self.add(figures)

    def add(self, figures: Iterable[Figure]) -> dict[Figure, float]:
        """Keep more figures; return what those are now. Raises FiguresMissing."""
        new = [figure for figure in figures if figure not in self.values]
        if not new:
            return {}
        try:
            from fondaco.robots.signals.figures import figure_at_last
        except ImportError as error:
            raise FiguresMissing(MISSING) from error
        for figure in new:
            interval = figure.interval
            if interval not in self._series:
                self._series[interval] = _Series(INTERVALS[interval], _bars())
            series = self._series[interval]
            series.figures.append(figure)
            self.values[figure] = (
                figure_at_last(figure, series.bars.columns()) if len(series.bars) else math.nan
            )
        return {figure: self.values[figure] for figure in new}

    def drop(self, figures: Iterable[Figure]) -> None:
        """Keep these no more, nor the candles of an interval that no figure is left of."""
        for figure in figures:
            if self.values.pop(figure, None) is None:
                continue
            series = self._series[figure.interval]
            series.figures.remove(figure)
            if not series.figures:
                del self._series[figure.interval]

    def intervals(self) -> frozenset[str]:
        """Return the intervals whose candles are kept."""
        return frozenset(self._series)

    def begin(self, interval: str, candles: Iterable[Closed]) -> None:
        """Take the candles of an interval so far, oldest first; the last may still be open."""
        series = self._series[interval] = _Series(INTERVALS[interval], _bars())
        for candle in candles:
            if series.end_us >= 0:
                _close_until(series, candle.open_us)
            series.begin(candle.open_us, candle.open, candle.volume)
            series.high, series.low, series.close = candle.high, candle.low, candle.close

    def take(self, time_us: int, price: Decimal, quantity: Decimal) -> Iterator[Figure]:
        """Take a tick; yield each figure that a candle closed by it has changed."""
        for _, series in sorted(self._series.items()):
            if series.end_us < 0:
                series.begin(series.interval.start_of(time_us), price, quantity)
                continue
            if time_us >= series.end_us:
                open_us = series.interval.start_of(time_us)
                _close_until(series, open_us)
                yield from self._figure(series)
                series.begin(open_us, price, quantity)
                continue
            series.high = max(series.high, price)
            series.low = min(series.low, price)
            series.close = price
            series.volume += quantity

    def _figure(self, series: _Series) -> Iterator[Figure]:
        from fondaco.robots.signals.figures import figure_at_last

        columns = series.bars.columns()
        for figure in series.figures:
            self.values[figure] = figure_at_last(figure, columns)
            yield figure


def _bars() -> Bars:
    """Return no bars yet; whether they follow each other is seen to here, where months are, too."""
    from fondaco.robots.signals.candles import Bars
    from fondaco.robots.signals.figures import KEPT_BARS

    return Bars(interval_ms=None, kept_max=KEPT_BARS)


def _close_until(series: _Series, open_us: int) -> None:
    """Close the candle at hand, and flat ones for the intervals without a trade."""
    from fondaco.robots.signals.candles import Candle

    kept_us = series.interval.back(open_us, series.bars.kept_max)
    if series.open_us < kept_us:
        # Flat candles fill all that is kept: the bars before, and most of the gap, are gone.
        series.bars = _bars()
        series.begin(kept_us, series.close, Decimal(0))
    while series.open_us < open_us:
        prices = (series.open, series.high, series.low, series.close)
        series.bars.add(Candle(series.open_us // 1000, *prices, series.volume))
        series.begin(series.end_us, series.close, Decimal(0))
