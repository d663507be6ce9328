"""Statistics of equity: each figure equals an independent, slow recomputation."""

from __future__ import annotations

import csv
import datetime as dt
import math
import statistics as school
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.strategies import statistics
from fondaco.strategies.statistics import Close, Move
from tests.conftest import SHARED_DATA
from tests.strategies.reporting import NOON_US

DAY = dt.timedelta(days=1)
FIRST = dt.date(2025, 11, 20)
HOUR_US = 3_600_000_000


def closes_of(values: list[int], flows: list[int] | None = None) -> list[Close]:
    flows = flows or [0] * len(values)
    return [
        Close(FIRST + place * DAY, value, flow)
        for place, (value, flow) in enumerate(zip(values, flows, strict=True))
    ]


def slow_returns(first: int, closes: list[Close]) -> list[Fraction]:
    """Each day's return, as an exact fraction."""
    found = []
    for place, close in enumerate(closes):
        had = closes[place - 1].value if place else first
        if had > 0:
            found.append(Fraction(close.value - close.flow, had) - 1)
    return found


def slow_drawdowns(values: list[int]) -> list[float]:
    """For each value the fall from the highest one up to it, found anew each time."""
    return [
        float(Fraction(value, max(values[: place + 1])) - 1) for place, value in enumerate(values)
    ]


def near(found: float | None, wanted: float) -> bool:
    return found is not None and math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-12)


def check(first: int, closes: list[Close]) -> None:
    """Compare all figures of a series with the slow ones."""
    found = statistics.statistics(first, closes)
    shares = slow_returns(first, closes)
    assert found.days == len(shares)
    assert found.profit == closes[-1].value - first - sum(close.flow for close in closes)
    assert found.total is not None
    assert near(1 + found.total, float(math.prod(1 + share for share in shares)))
    assert found.best is not None
    assert near(found.best.share, float(max(shares)))
    assert found.worst is not None
    assert near(found.worst.share, float(min(shares)))
    assert near(found.gaining, sum(share > 0 for share in shares) / len(shares))
    losses = [share for share in shares if share < 0]
    if losses:
        gains = sum(share for share in shares if share > 0)
        assert near(found.profit_factor, float(gains / -sum(losses)))
    else:
        assert found.profit_factor is None
    if len(shares) > 1:
        deviation = school.stdev([float(share) for share in shares])
        mean = float(sum(shares) / len(shares))
        assert near(found.volatility, deviation * math.sqrt(365))
        if deviation > 1e-6:
            assert math.isclose(
                found.sharpe or 0.0, mean / deviation * math.sqrt(365), rel_tol=1e-6, abs_tol=1e-9
            )
        if losses:
            downside = math.sqrt(sum(share**2 for share in losses) / len(shares))
            assert math.isclose(
                found.sortino or 0.0, mean / downside * math.sqrt(365), rel_tol=1e-6, abs_tol=1e-9
            )


AMOUNTS = st.integers(min_value=10**10, max_value=10**14)  # 100 to a million


@given(AMOUNTS, st.lists(AMOUNTS, min_size=1, max_size=60), st.data())
def test_figures_equal_a_recomputation(first: int, values: list[int], data: st.DataObject) -> None:
    """Generated series, with and without money brought in."""
    check(first, closes_of(values))
    flows = [data.draw(st.integers(min_value=0, max_value=value)) for value in values]
    check(first, closes_of(values, flows))


@given(st.lists(AMOUNTS, min_size=1, max_size=60))
def test_drawdowns_equal_a_recomputation(values: list[int]) -> None:
    """The deepest, the one of now, and the longest row of points below the top."""
    found = statistics.drawdown(statistics.growth(values, [0] * len(values)))
    wanted = slow_drawdowns(values)
    assert all(
        math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
        for one, other in zip(found.shares, wanted, strict=True)
    )
    assert math.isclose(found.deepest, min(wanted), rel_tol=1e-9, abs_tol=1e-12)
    assert math.isclose(found.now, wanted[-1], rel_tol=1e-9, abs_tol=1e-12)
    below = "".join("x" if share < 0 else " " for share in wanted)
    assert found.longest == max(map(len, below.split()), default=0)


@given(st.lists(AMOUNTS, min_size=2, max_size=200), st.integers(min_value=0, max_value=400))
def test_months_multiply_to_the_whole(values: list[int], skipped: int) -> None:
    """Months of a year make the year, years make the total."""
    closes = [Close(close.day + skipped * DAY, *close[1:]) for close in closes_of(values[1:])]
    moves = statistics.returns(values[0], closes)
    table = statistics.months(moves)
    years = sorted({close.day.year for close in closes})
    for year in years:
        parts = [row.share for row in table if row.year == year and row.month]
        [whole] = [row.share for row in table if row.year == year and not row.month]
        assert math.isclose(math.prod(1 + part for part in parts), 1 + whole, rel_tol=1e-9)
    whole = math.prod(1 + row.share for row in table if not row.month)
    assert math.isclose(whole, values[-1] / values[0], rel_tol=1e-9)
    assert [(row.year, row.month or 13) for row in table] == sorted(
        (row.year, row.month or 13) for row in table
    )


@given(
    st.dictionaries(st.integers(0, 50), st.integers(-9, 9)),
    st.lists(st.integers(-5, 55), max_size=20),
)
def test_silence_is_carried_forward(points: dict[int, int], times: list[int]) -> None:
    """At each time the last point at or before it, None before the first."""
    times = sorted(times)
    wanted = [
        points[max(at for at in points if at <= time)] if any(at <= time for at in points) else None
        for time in times
    ]
    assert statistics.carried(sorted(points.items()), times) == wanted


def test_recorded_prices_give_the_same_figures() -> None:
    """Some 1,200 days of bitcoin as the equity of a strategy."""
    path = SHARED_DATA / "candles/skender_bitcoin_daily.csv"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.reader(lines))[1:]
    values = [int(Fraction(row[4]) * 10**8) for row in rows]
    check(values[0], closes_of(values[1:]))
    found = statistics.drawdown(statistics.growth(values, [0] * len(values)))
    assert math.isclose(found.deepest, min(slow_drawdowns(values)), rel_tol=1e-12)


@pytest.mark.parametrize("name, hours", [("UTC", 24), ("Europe/Rome", 25), ("Asia/Kolkata", 24)])
def test_days_are_those_of_the_houses_zone(name: str, hours: int) -> None:
    """A day ends at midnight of the zone; on the one that puts clocks back it has 25 hours."""
    zone = ZoneInfo(name)
    start = int(dt.datetime(2025, 10, 25, 15, tzinfo=dt.UTC).timestamp()) * 1_000_000
    found = statistics.day_ends(start, start + 4 * 24 * HOUR_US, zone)
    ends = dict(found)
    assert ends[dt.date(2025, 10, 26)] - ends[dt.date(2025, 10, 25)] == hours * HOUR_US
    assert found[-1][1] == start + 4 * 24 * HOUR_US
    for day, end in found[:-1]:
        midnight = dt.datetime.fromtimestamp(end // 1_000_000, zone)
        assert (midnight.date(), midnight.time()) == (day + DAY, dt.time())
    assert [day for day, _ in found] == sorted({day for day, _ in found})
    assert statistics.day_ends(start, start + 1, zone) == [(found[0][0], start + 1)]


def test_what_is_not_defined_is_none() -> None:
    """No days, one day, nothing lost, equal returns, nothing to begin with, too few days."""
    none = statistics.statistics(5, [])
    assert none[4:] == (None,) * 10
    assert (none.days, none.profit) == (0, 0)
    one = statistics.statistics(100, closes_of([110]))
    assert (one.sharpe, one.sortino, one.volatility, one.profit_factor) == (None,) * 4
    assert one.best == Move(FIRST, 0.1)
    steady = statistics.statistics(2**40, closes_of([2 ** (40 - day) for day in range(1, 20)]))
    assert (steady.sharpe, steady.volatility) == (None, 0.0)
    assert statistics.statistics(0, closes_of([10, 0, 5])).days == 1
    assert statistics.statistics(100, closes_of([101] * 29)).yearly is None
    year = statistics.statistics(100, closes_of([100] * 364 + [110]))
    assert near(year.yearly, 0.1)
    assert statistics.statistics(100, closes_of([0] * 40)).yearly is None
    half = statistics.statistics(1, closes_of([1]), open_points=[True, False])
    assert half.exposure == 0.5


def test_money_brought_in_is_no_return() -> None:
    """The planted bug is in the second line: without the flow a deposit is a profit."""
    honest = statistics.statistics(100, closes_of([150, 165], [50, 0]))
    assert honest.total == pytest.approx(0.1)
    assert honest.profit == 15
    assert statistics.statistics(100, closes_of([150, 165])).total == pytest.approx(0.65)
    assert statistics.growth([100, 150, 165], [0, 50, 0]) == pytest.approx([1, 1, 1.1])
    assert statistics.day_of(NOON_US, ZoneInfo("Asia/Tokyo")) == dt.date(2026, 1, 1)
