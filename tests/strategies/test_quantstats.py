"""Statistics against `quantstats`: the same of the same series, wherever it defines a figure."""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fondaco.strategies import statistics
from fondaco.strategies.statistics import Close
from tests.conftest import ORACLE, SHARED_DATA

pytestmark = pytest.mark.needs("quantstats")

SCRIPT = Path(__file__).with_name("quantstats_oracle.py")
FIRST = dt.date(2024, 11, 3)


def generated(seed: int, days: int) -> list[int]:
    """A walk of equity, with days on which nothing moves."""
    chance = random.Random(seed)
    value = 10**12
    found = [value]
    for _ in range(days):
        step = chance.choice((0.0, chance.gauss(0.001, 0.03)))
        value = max(int(value * (1 + step)), 10**6)
        found.append(value)
    return found


def recorded() -> list[list[int]]:
    """Bitcoin by the day, whole and in parts."""
    path = SHARED_DATA / "candles/skender_bitcoin_daily.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as lines:
        values = [round(float(row[4]) * 10**8) for row in list(csv.reader(lines))[1:]]
    return [values, values[:100], values[200:650]]


def ask(series: list[list[int]]) -> list[dict[str, Any]]:
    asked = [
        {
            "first": values[0],
            "values": values[1:],
            "days": [(FIRST + dt.timedelta(days=each)).isoformat() for each in range(len(values))],
        }
        for values in series
    ]
    done = subprocess.run(
        [ORACLE, SCRIPT],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def same(ours: float | None, theirs: float | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)


def differences(values: list[int], told: dict[str, Any]) -> list[str]:
    """Return the figures that differ."""
    closes = [
        Close(FIRST + dt.timedelta(days=place + 1), value) for place, value in enumerate(values[1:])
    ]
    ours = statistics.statistics(values[0], closes)
    names = ("total", "yearly", "volatility", "sharpe", "sortino", "profit_factor")
    pairs = {name: (getattr(ours, name), told[name]) for name in names}
    assert ours.best is not None
    assert ours.worst is not None
    pairs |= {
        "best": (ours.best.share, told["best"]),
        "worst": (ours.worst.share, told["worst"]),
    }
    under = statistics.drawdown(statistics.growth(values, [0] * len(values)))
    pairs |= {"deepest": (under.deepest, told["deepest"])}
    pairs |= {"longest": (float(under.longest), told["longest"])}
    pairs |= {
        f"under {place}": pair
        for place, pair in enumerate(zip(under.shares, told["under"], strict=True))
    }
    months = {
        (row.year, row.month or 13): row.share
        for row in statistics.months(statistics.returns(values[0], closes))
    }
    for year, row in told["months"].items():
        for month, share in enumerate(row, 1):
            pairs[f"{year}-{month}"] = (months.get((int(year), month), 0.0), share)
    return [
        f"{name}: {ours}, not {theirs}"
        for name, (ours, theirs) in pairs.items()
        if not same(ours, theirs)
    ]


def test_figures_are_those_of_quantstats() -> None:
    """Generated walks of 31 to 1,000 days and recorded prices: no figure differs."""
    series = [generated(seed, 31 + 97 * seed) for seed in range(10)] + recorded()
    for values, told in zip(series, ask(series), strict=True):
        assert differences(values, told) == []


def test_a_figure_that_differs_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: a deviation of the whole, not of a sample."""
    values = generated(3, 200)
    [told] = ask([values])
    assert differences(values, told) == []

    def whole(shares: list[float]) -> float:
        mean = sum(shares) / len(shares)
        return math.sqrt(sum((share - mean) ** 2 for share in shares) / len(shares))

    monkeypatch.setattr(statistics, "_deviation", whole)
    names = [each.partition(":")[0] for each in differences(values, told)]
    assert names == ["volatility", "sharpe"]
