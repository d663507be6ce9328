"""The house's own signals, against recordings that were computed by others."""

from __future__ import annotations

import csv
import gzip
import json
import lzma
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import talib
import talib.abstract

from fondaco.robots.rules.indicators import FUNCTIONS
from fondaco.robots.rules.plan import Figure
from fondaco.robots.signals import technical_ratings
from fondaco.robots.signals.candles import BadBar, Bars, Candle, Gap, SignalError, TooFewBars
from fondaco.robots.signals.crossing_averages import CLOSES_MIN, Average, analyse
from fondaco.robots.signals.figures import figure_at_last
from fondaco.robots.signals.labels import Signal
from fondaco.robots.signals.technical_ratings import RuleSet, Stream, rate

DAY_MS = 86_400_000
# Candles, the expected ratings, their number, and in how many the two rule sets differ.
RECORDINGS = {
    "bitcoin": ("candles/skender_bitcoin_daily.csv", "ratings_bitcoin_daily", 1246, 83),
    "spy": ("indicators/skender/default.csv", "ratings_spy_default", 502, 22),
}


def candles(path: Path) -> Iterator[Candle]:
    """Yield the daily bars of a recording."""
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            day = datetime.fromisoformat(row["date"]).replace(tzinfo=UTC)
            figures = [Decimal(row[name]) for name in ("open", "high", "low", "close", "volume")]
            yield Candle(int(day.timestamp() * 1000), *figures)


def expected(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def misses(shared_data: Path, name: str, rule_set: RuleSet) -> list[str]:
    """Return every expected value or label of a recording that isn't ours."""
    bars_name, ratings_name, count, _ = RECORDINGS[name]
    bars = Bars(candles(shared_data / bars_name), interval_ms=None, kept_max=2_000)
    ratings = rate(bars.columns(), rule_set)
    rows = expected(shared_data / "indicators" / f"{ratings_name}.csv.gz")
    assert len(rows) == len(bars) == count
    found = []
    for place, row in enumerate(rows):
        ours = {"all": ratings.whole, "ma": ratings.averages, "osc": ratings.oscillators}
        for group, column in ours.items():
            theirs = float(row[f"{rule_set.value}_{group}"])
            value = float(column[place])
            # Their file has 9 digits.
            if not (math.isnan(theirs) and math.isnan(value)) and abs(theirs - value) > 1e-9:
                found.append(f"{row['bar']} {group}: {theirs}, ours {value}")
        label = row[f"{rule_set.value}_label"]
        if label == "-":
            with pytest.raises(TooFewBars):
                ratings.at(place)
        elif ratings.at(place).signal != label:
            found.append(f"{row['bar']}: {label}, ours {ratings.at(place).signal}")
    return found


@pytest.mark.parametrize("rule_set", RuleSet)
@pytest.mark.parametrize("name", RECORDINGS)
def test_ratings_equal_every_expected_value(
    shared_data: Path, name: str, rule_set: RuleSet
) -> None:
    """All values and labels of 1,246 + 502 bars, by both rule sets."""
    assert misses(shared_data, name, rule_set) == []


def test_the_rule_sets_differ_where_they_should(shared_data: Path) -> None:
    """v1 and v3 give other labels on exactly as many bars as was recorded."""
    for bars_name, _, _, differing in RECORDINGS.values():
        bars = Bars(candles(shared_data / bars_name), interval_ms=None, kept_max=2_000).columns()
        both = [rate(bars, rule_set) for rule_set in RuleSet]
        labels = [
            {one.at(place).signal for one in both}
            for place in range(len(bars.close))
            if not math.isnan(both[0].whole[place])
        ]
        assert sum(len(pair) == 2 for pair in labels) == differing


@pytest.mark.parametrize(
    "plant",
    ["_mean_of_3", "_wilder"],
)
def test_a_planted_indicator_is_noticed(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch, plant: str
) -> None:
    """With TA-Lib's rolling mean, or its way to seed Wilder's, the recordings no longer agree."""
    planted: dict[str, Any] = {
        "_mean_of_3": lambda column: talib.SMA(column, 3),
        "_wilder": lambda column, period: talib.EMA(column, 2 * period - 1),
    }
    monkeypatch.setattr(technical_ratings, plant, planted[plant])
    assert misses(shared_data, "bitcoin", RuleSet.V3)


@pytest.mark.parametrize("rule_set", RuleSet)
def test_bar_by_bar_is_exactly_the_whole_series(shared_data: Path, rule_set: RuleSet) -> None:
    """A stream gives at each bar, to the bit, what the series gives there."""
    past = list(candles(shared_data / RECORDINGS["spy"][0]))
    whole = rate(Bars(past, interval_ms=None, kept_max=2_000).columns(), rule_set)
    stream = Stream(interval_ms=None, rule_set=rule_set)
    rated = 0
    for place, candle in enumerate(past):
        try:
            rating = stream.add(candle)
        except TooFewBars:
            assert math.isnan(whole.whole[place])
            continue
        assert rating == whole.at(place)
        rated += 1
    assert rated > 480


def test_a_full_stream_is_the_series_of_what_it_keeps(shared_data: Path) -> None:
    """Past its length, a stream is exactly the batch over its newest bars."""
    past = list(candles(shared_data / RECORDINGS["spy"][0]))
    kept = 120
    stream = Stream(past[:kept], interval_ms=None, kept_bars=kept)
    for place in range(kept, len(past)):
        rating = stream.add(past[place])
        window = past[place - kept + 1 : place + 1]
        assert len(stream.bars) == kept
        assert rating == rate(Bars(window, interval_ms=None, kept_max=kept).columns()).at(-1)


def flat(open_ms: int, **changed: str) -> Candle:
    figures = {"open": "10", "high": "10", "low": "10", "close": "10", "volume": "0"} | changed
    return Candle(open_ms, **{name: Decimal(text) for name, text in figures.items()})


@pytest.mark.parametrize(
    ("candle", "error", "says"),
    [
        (flat(3 * DAY_MS), Gap, f"opens at {2 * DAY_MS} ms"),
        (flat(DAY_MS), Gap, "each once"),
        (flat(0), Gap, "oldest first"),
        (flat(2 * DAY_MS, close="NaN"), BadBar, "has close NaN"),
        (flat(2 * DAY_MS, low="0"), BadBar, "has low 0"),
        (flat(2 * DAY_MS, high="1e19"), BadBar, "has high 1E"),
        (flat(2 * DAY_MS, high="9"), BadBar, "outside of low 10 and high 9"),
        (flat(2 * DAY_MS, volume="-1"), BadBar, "has volume -1"),
        (flat(2 * DAY_MS, volume="Infinity"), BadBar, "has volume Infinity"),
    ],
)
def test_a_bad_bar_is_named_and_changes_nothing(
    candle: Candle, error: type[SignalError], says: str
) -> None:
    """Gaps, doubles and impossible bars are refused by name, and the next good bar goes on."""
    bars = Bars([flat(0), flat(DAY_MS)], interval_ms=DAY_MS, kept_max=10)
    with pytest.raises(error, match=says):
        bars.add(candle)
    bars.add(flat(2 * DAY_MS))
    assert len(bars) == 3


def test_a_market_that_stands_still_has_no_opinion_of_its_range() -> None:
    """Flat bars without volume: votes that would divide by nothing are absent, none is made up."""
    stream = Stream((flat(day * DAY_MS) for day in range(300)), interval_ms=DAY_MS)
    averages, oscillators = technical_ratings.votes(stream.bars.columns())
    assert math.isnan(averages["VWMA20"][-1])
    assert math.isnan(oscillators["Stochastic"][-1])
    assert math.isnan(oscillators["ADX"][-1])
    assert stream.add(flat(300 * DAY_MS)).signal in {"NEUTRAL", "SELL"}


def test_trade_that_has_ended_leaves_no_vote_of_its_noise() -> None:
    """20 bars without volume after a market with it: the volume's average is absent to the end."""
    traded = [
        flat(day * DAY_MS, close=f"{9.7 + day % 7 / 10:.1f}", low="9", high="11", volume=f"{day}.1")
        for day in range(100)
    ]
    quiet = [flat(day * DAY_MS) for day in range(100, 160)]
    bars = Bars([*traded, *quiet], interval_ms=DAY_MS, kept_max=200).columns()
    votes = technical_ratings.votes(bars)[0]["VWMA20"]
    assert not np.isnan(votes[19:119]).any()
    assert np.isnan(votes[119:]).all()


# -- robot ---------------------------------------------------------------------------------------


def recorded_closes(shared_data: Path) -> list[Decimal]:
    with lzma.open(shared_data / "signals" / "robot_klines_1m.json.xz") as lines:
        return [Decimal(kline[4]) for kline in json.load(lines)][::-1]


@pytest.mark.parametrize("length", [1, 40, 300])
def test_every_figure_is_ta_libs(shared_data: Path, length: int) -> None:
    """All 200 functions, all outputs: what TA-Lib's own abstract door gives at the newest bar."""
    past = list(candles(shared_data / RECORDINGS["spy"][0]))[:length]
    bars = Bars(past, interval_ms=None, kept_max=2_000).columns()
    inputs = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
    library: Any = talib.abstract
    compared = 0
    for name, function in FUNCTIONS.items():
        theirs: Any = library.Function(name)(inputs)
        for place, output in enumerate(function.outputs):
            column = theirs if len(function.outputs) == 1 else theirs[place]
            figure = Figure(name, "AAA", "1d", tuple(function.parameters.items()), output)
            ours = figure_at_last(figure, bars)
            assert ours == column[-1] or (math.isnan(ours) and math.isnan(column[-1])), name
            compared += not math.isnan(ours)
    assert compared > (100 if length < 300 else 190)


def test_parameters_that_ta_lib_refuses_are_not_a_number() -> None:
    """A period of one for RSI, or no bar at all, gives NaN: to a rule, unknown."""
    bars = Bars([flat(day * DAY_MS) for day in range(30)], interval_ms=DAY_MS, kept_max=40)
    figure = Figure("RSI", "AAA", "1d", (("timeperiod", 1),), "real")
    assert math.isnan(figure_at_last(figure, bars.columns()))
    none = Bars(interval_ms=DAY_MS, kept_max=40)
    assert math.isnan(figure_at_last(figure, none.columns()))


def test_robot_equals_all_twelve_values_and_labels(shared_data: Path) -> None:
    """The recorded message of the original is made again, to the last digit."""
    text = (shared_data / "signals" / "robot_expected_1m.json").read_text(encoding="utf-8")
    message = json.loads(text, parse_float=Decimal)["analysisData"]
    found = analyse(recorded_closes(shared_data))
    for name, ours in (
        ("simpleMovingAverages", found.simple),
        ("exponentialMovingAverages", found.exponential),
    ):
        theirs = [(row["period"], row["value"], row["indicator"]) for row in message[name]]
        assert [(one.period, one.value, one.signal) for one in ours] == theirs
        assert len(ours) == 6


def test_robot_asks_for_enough_closes() -> None:
    """One close too few, or one that isn't a price, is a named error."""
    closes = [Decimal(10)] * CLOSES_MIN
    assert analyse(closes).simple[0] == Average(5, Decimal("10.00000"), Signal.NEUTRAL)
    with pytest.raises(TooFewBars, match=f"found {CLOSES_MIN - 1} closes"):
        analyse(closes[1:])
    with pytest.raises(SignalError, match="close 3 is NaN"):
        analyse([*closes[:3], Decimal("NaN"), *closes[3:]])
