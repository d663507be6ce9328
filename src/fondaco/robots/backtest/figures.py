"""Keeps the figures of a rule up to date during a backtest: closed candles made of its ticks.

Promises: a candle closes at the first tick at or past its end, an interval without a trade is a
flat candle of volume 0, and a figure is computed over closed candles only: no look ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from fondaco.robots.rules.plan import Figure

if TYPE_CHECKING:
    from fondaco.robots.signals.candles import Bars

__all__ = ["Figures", "FiguresMissing"]


class FiguresMissing(Exception):
    """The rule names an indicator, and TA-Lib isn't installed."""


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
    """All figures of one rule."""

    def __init__(self, figures: Iterable[Figure]) -> None:
        """Take the figures that the rule reads; raises FiguresMissing."""
        self.values: dict[Figure, float] = {}
        self._series: list[_Series] = []
        by_interval: dict[str, list[Figure]] = {}
        for figure in figures:
            by_interval.setdefault(figure.interval, []).append(figure)
        if not by_interval:
            return
        try:
            from fondaco.robots.signals.candles import Bars, Candle
            from fondaco.robots.signals.figures import INTERVALS_MS, KEPT_BARS, figure_at_last
        except ImportError as error:
            raise FiguresMissing(
                "the rule names an indicator: install TA-Lib with `pip install fondaco[ta]`"
            ) from error
        self._candle = Candle
        self._figure_at_last = figure_at_last
        for interval, group in sorted(by_interval.items()):
            length_ms = INTERVALS_MS[interval]
            bars = Bars(interval_ms=length_ms, kept_max=KEPT_BARS)
            self._series.append(_Series(length_ms * 1000, group, bars))

    def take(self, time_us: int, price: Decimal, quantity: Decimal) -> Iterator[Figure]:
        """Take a tick; yield each figure that a candle closed by it has changed."""
        for series in self._series:
            open_us = time_us - time_us % series.interval_us
            if series.open_us < 0:
                series.begin(open_us, price, quantity)
                continue
            if open_us > series.open_us:
                yield from self._close_until(series, open_us)
                series.begin(open_us, price, quantity)
                continue
            series.high = max(series.high, price)
            series.low = min(series.low, price)
            series.close = price
            series.volume += quantity

    def _close_until(self, series: _Series, open_us: int) -> Iterator[Figure]:
        missing = (open_us - series.open_us) // series.interval_us
        if missing > series.bars.kept_max:
            # Flat candles fill all that is kept: the bars before, and most of the gap, are gone.
            length_ms, kept = series.bars.interval_ms, series.bars.kept_max
            series.bars = type(series.bars)(interval_ms=length_ms, kept_max=kept)
            begun_us = open_us - kept * series.interval_us
            series.begin(begun_us, series.close, Decimal(0))
        while series.open_us < open_us:
            series.bars.add(
                self._candle(
                    series.open_us // 1000,
                    series.open,
                    series.high,
                    series.low,
                    series.close,
                    series.volume,
                )
            )
            series.begin(series.open_us + series.interval_us, series.close, Decimal(0))
        columns = series.bars.columns()
        for figure in series.figures:
            self.values[figure] = self._figure_at_last(figure, columns)
            yield figure
