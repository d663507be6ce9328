"""The figures that rules name: each of TA-Lib's, over candles that are the house's own bars."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest
import talib.abstract as talib

from fondaco.projections.bars import DAY_US, INTERVALS, Bar, fill_flat, fold_bars, fold_trades
from fondaco.robots.backtest.beginning import candles_before
from fondaco.robots.backtest.figures import Figures
from fondaco.robots.rules.indicators import FUNCTIONS
from fondaco.robots.rules.model import schema
from fondaco.robots.rules.plan import Figure
from fondaco.robots.signals.candles import Columns
from fondaco.robots.signals.figures import figure_at_last

START_US = 1_000_000_000_000_000  # a Sunday in September 2001
Trade = tuple[int, int, int, int, int, bool]


def walk(count: int, step_us: int) -> Iterator[Trade]:
    """Yield trades (time, id, ticks, lots, quote, buys) with gaps of up to twice the step."""
    chance, ticks, time_us = Random(1), 5_000, START_US
    for number in range(1, count + 1):
        time_us += chance.randrange(2 * step_us)
        ticks = max(1_000, ticks + chance.randint(-40, 40))
        yield time_us, number, ticks, chance.randint(1, 9), 0, True


def test_an_interval_is_any_of_the_house_s() -> None:
    """What a rule may ask for is what the house's bars are kept and served by."""
    named = schema()["$defs"]["Indicator"]["properties"]["interval"]["enum"]
    assert set(named) == set(INTERVALS)


@pytest.mark.parametrize("name", INTERVALS)
def test_candles_of_any_interval_are_the_house_s_bars(name: str) -> None:
    """They begin where bars do: weeks on Monday, months on their first; gaps are flat bars."""
    interval = INTERVALS[name]
    length_us = interval.next_start(interval.start_of(START_US)) - interval.start_of(START_US)
    trades = list(walk(300, length_us * 2 // 3))
    figures = Figures([Figure("OBV", "AAA", name, (), "real")])
    for time_us, _, ticks, lots, _, _ in trades:
        list(figures.take(time_us, Decimal(ticks), Decimal(lots)))
    first_us, last_us = (interval.start_of(trades[place][0]) for place in (0, -1))
    bars = fill_flat(
        fold_trades(trades, interval), interval, first_us=first_us, last_us=last_us, before_ticks=0
    )
    [series] = figures._series.values()
    expected = np.array(
        [
            (bar.open_ticks, bar.high_ticks, bar.low_ticks, bar.close_ticks, bar.volume_lots)
            for bar in bars[:-1]
        ],
        dtype=float,
    ).T
    columns = series.bars.columns()
    found = [columns.open, columns.high, columns.low, columns.close, columns.volume]
    assert np.array_equal(found, expected)
    assert series.open_us == bars[-1].start_us


@pytest.mark.parametrize("name", ["3d", "1w", "1M"])
def test_the_past_is_folded_into_the_same_candles(name: str) -> None:
    """A bot that comes late begins with the bars of its interval as the house would fold them."""
    trades = list(walk(200, DAY_US * 3 // 4))
    whole = fold_trades(trades, INTERVALS["1m"])

    class Known:
        newest_us = whole[-1].start_us

        def bars(self, unit: str, begin_us: int, end_us: int) -> list[Bar]:
            found = fold_bars(whole, INTERVALS[unit])
            return [bar for bar in found if begin_us <= bar.start_us < end_us]

        def minutes(self, begin_us: int) -> list[Bar]:
            return [bar for bar in whole if bar.start_us >= begin_us]

        def close_before(self, _time_us: int) -> int:
            return 0

    found = candles_before(Known(), INTERVALS[name], tick=Decimal("0.01"), lot=Decimal(1))
    assert [
        (bar.open_us, int(bar.open * 100), int(bar.close * 100), int(bar.volume)) for bar in found
    ] == [
        (bar.start_us, bar.open_ticks, bar.close_ticks, bar.volume_lots)
        for bar in fold_trades(trades, INTERVALS[name])
    ]


def test_every_function_is_ta_libs_own_at_the_newest_bar() -> None:
    """Each output of each of them, with its parameters as they stand, on 1,500 bars."""
    chance = np.random.default_rng(1)
    close = 100 + np.cumsum(chance.normal(0, 0.5, 1_500))
    opened = close + chance.normal(0, 0.3, 1_500)
    bars = Columns(
        opened,
        np.maximum(opened, close) + 0.2,
        np.minimum(opened, close) - 0.2,
        close,
        chance.uniform(1, 9, 1_500),
    )
    given = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
    known = 0
    library: Any = talib  # its functions are made at run time
    for name, function in FUNCTIONS.items():
        whole = library.Function(name)(given)
        for place, output in enumerate(function.outputs):
            right = float((whole if len(function.outputs) == 1 else whole[place])[-1])
            asked = Figure(name, "AAA", "1h", tuple(function.parameters.items()), output)
            found = figure_at_last(asked, bars)
            assert found == right or (math.isnan(found) and math.isnan(right)), (name, output)
            known += not math.isnan(found)
    assert known > 0.95 * sum(len(function.outputs) for function in FUNCTIONS.values())
