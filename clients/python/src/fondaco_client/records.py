"""Track records: what strategies, and markets beside them, came to over a span.

Promises: money is Decimal in USD; shares are floats, of which 0.1 is ten per cent, and None where
they are not defined. The house says each formula once, in its own docs; nothing is reckoned here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from msgspec import field

from fondaco_client.calls import Call, get, reading
from fondaco_client.shapes import Shape

__all__ = [
    "DayReturn",
    "MonthReturn",
    "Record",
    "RecordPoint",
    "RecordStatistics",
    "Records",
    "Span",
    "records_call",
]

Span = Literal["1d", "7d", "30d", "90d", "1y", "all"]


class DayReturn(Shape, frozen=True):
    day: dt.date
    share: float = field(name="return")


class MonthReturn(Shape, frozen=True):
    """What a month came to; without a month, a whole year."""

    year: int
    month: int | None
    share: float | None = field(name="return")


class RecordStatistics(Shape, frozen=True):
    """Figures of days, 365 of them a year; drawdown and exposure are of the points of the curve."""

    days: int
    total_return: float | None = field(name="return")
    yearly_growth: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    profit_factor: float | None
    best_day: DayReturn | None
    worst_day: DayReturn | None
    gaining_days: float | None
    exposure: float | None
    drawdown_deepest: float | None
    drawdown_now: float | None
    drawdown_longest_s: int


class RecordPoint(Shape, frozen=True):
    """A moment of the curve; `growth` is since the first one. A market has no money."""

    time: dt.datetime
    growth: float
    drawdown: float
    wallet: Decimal | None = None
    margin: Decimal | None = None


class Record(Shape, frozen=True):
    """One strategy or market. `source` says who vouches: itself, the ledger, or the market."""

    key: str
    name: str
    source: str
    step: Literal["hour", "day"]
    statistics: RecordStatistics
    months: tuple[MonthReturn, ...]
    series: tuple[RecordPoint, ...]
    first: Decimal | None = None
    last: Decimal | None = None
    brought_in: Decimal | None = None
    profit: Decimal | None = None


class Records(Shape, frozen=True):
    """Records over one span, as of one moment; `start` None = each from its first report on."""

    start: dt.datetime | None = field(name="from")
    end: dt.datetime = field(name="to")
    equity: Literal["wallet", "margin"]
    records: tuple[Record, ...]


def records_call(
    strategies: Iterable[int],
    markets: Iterable[str],
    *,
    span: Span | None,
    first_day: dt.date | None,
    last_day: dt.date | None,
    equity: Literal["wallet", "margin"],
) -> Call[Records]:
    """Return the asking for records. Raises ValueError for nothing to tell of."""
    keys = [f"strategy:{each}" for each in strategies] + [f"market:{each}" for each in markets]
    if not keys:
        raise ValueError("name at least one strategy by its id, or a market by its symbol")
    query = {"of": keys, "span": span, "from": first_day, "to": last_day, "equity": equity}
    return get("/api/v1/track-records/", reading(Records), query=query)
