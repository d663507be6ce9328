"""Keeps the figures of a rule up to date during a backtest: closed candles made of its ticks.

Promises: a candle closes at the first tick at or past its end, an interval without a trade is a
flat candle of volume 0, and a figure is computed over closed candles only: no look ahead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Protocol

from fondaco.robots.rules.plan import Figure

if TYPE_CHECKING:
    from fondaco.robots.signals.candles import Bars

__all__ = ["Closed", "Figures", "FiguresMissing", "length_us"]

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


def length_us(interval: str) -> int:
    """Return how long a candle of an interval lasts; raises FiguresMissing."""
    try:
        from fondaco.robots.signals.figures import INTERVALS_MS
    except ImportError as error:
        raise FiguresMissing(MISSING) from error
    return INTERVALS_MS[interval] * 1000


class _Series:
    """The candles of one interval, and the figures over them."""

    def __init__(self, interval_us: int, figures: list[Figure], bars: Bars) -> None:
        self.interval_us = interval_us
        self.figures = figures
        self.bars = bars
        self.open_us = -1
        self.open = self.high = self.low = self.close = Decimal(0)
        self.volume = Decimal(0)

    def begin(self, open_us: int, price: Decimal, volume: Decimal) -> None:
        self.open_us = open_us
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
            from fondaco.robots.signals.candles import Bars
            from fondaco.robots.signals.figures import INTERVALS_MS, KEPT_BARS, figure_at_last
        except ImportError as error:
            raise FiguresMissing(MISSING) from error
        for figure in new:
            interval = figure.interval
            if interval not in self._series:
                length_ms = INTERVALS_MS[interval]
                bars = Bars(interval_ms=length_ms, kept_max=KEPT_BARS)
                self._series[interval] = _Series(length_ms * 1000, [], bars)
            series = self._series[interval]
            series.figures.append(figure)
            self.values[figure] = (
                figure_at_last(figure, series.bars.columns()) if len(series.bars) else math.nan
            )
        return {figure: self.values[figure] for figure in new}

    def intervals(self) -> frozenset[str]:
        """Return the intervals whose candles are kept."""
        return frozenset(self._series)

    def begin(self, interval: str, candles: Iterable[Closed]) -> None:
        """Take the candles of an interval so far, oldest first; the last may still be open."""
        from fondaco.robots.signals.candles import Bars
        from fondaco.robots.signals.figures import INTERVALS_MS, KEPT_BARS

        length_ms = INTERVALS_MS[interval]
        bars = Bars(interval_ms=length_ms, kept_max=KEPT_BARS)
        series = self._series[interval] = _Series(length_ms * 1000, [], bars)
        for candle in candles:
            if series.open_us >= 0:
                _close_until(series, candle.open_us)
            series.begin(candle.open_us, candle.open, candle.volume)
            series.high, series.low, series.close = candle.high, candle.low, candle.close

    def take(self, time_us: int, price: Decimal, quantity: Decimal) -> Iterator[Figure]:
        """Take a tick; yield each figure that a candle closed by it has changed."""
        for _, series in sorted(self._series.items()):
            open_us = time_us - time_us % series.interval_us
            if series.open_us < 0:
                series.begin(open_us, price, quantity)
                continue
            if open_us > series.open_us:
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


def _close_until(series: _Series, open_us: int) -> None:
    """Close the candle at hand, and flat ones for the intervals without a trade."""
    from fondaco.robots.signals.candles import Candle

    missing = (open_us - series.open_us) // series.interval_us
    if missing > series.bars.kept_max:
        # Flat candles fill all that is kept: the bars before, and most of the gap, are gone.
        length_ms, kept = series.bars.interval_ms, series.bars.kept_max
        series.bars = type(series.bars)(interval_ms=length_ms, kept_max=kept)
        series.begin(open_us - kept * series.interval_us, series.close, Decimal(0))
    while series.open_us < open_us:
        open_ms = series.open_us // 1000
        prices = (series.open, series.high, series.low, series.close)
        series.bars.add(Candle(open_ms, *prices, series.volume))
        series.begin(series.open_us + series.interval_us, series.close, Decimal(0))
