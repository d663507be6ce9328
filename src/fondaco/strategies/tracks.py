"""Track records: what a strategy, or a market beside it, came to over a span of time.

Promises: read from periods alone (and candles), a fixed number of statements each, looked up by
index at the ends of hours or days, so that a record costs by the length of its span and not by how
much was reported in it. Values are carried forward through silence, but no day after the last
report counts: silence is no calm. A robot's account is told by the ledger and known to the end, and
what was brought into it is no profit. Days are those of the house's time zone; where a zone's
midnight is within an hour of UTC, the day ends with the last hour that was over. A span that begins
before the first report begins with it.

Drawdown and exposure are of the points that are drawn: hours up to HOURS_SPAN_US, days beyond. All
other figures are of days (strategies.statistics).
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from django.db import DEFAULT_DB_ALIAS, connections

from fondaco.projections import candles
from fondaco.projections.selectors import InstrumentRow
from fondaco.strategies import statistics
from fondaco.strategies.arrivals import put_in_place
from fondaco.strategies.models import DAY_S, HOUR_S, Flow, Period, Strategy
from fondaco.strategies.statistics import Close, Drawdown, Month, Statistics
from fondaco.strategies.tables import encoded, rows_as_sql

__all__ = [
    "BASES",
    "PRESETS",
    "Point",
    "Span",
    "SpanUnfit",
    "Track",
    "market_track",
    "span_of",
    "strategy_track",
]

HOUR_US: Final = HOUR_S * 1_000_000
DAY_US: Final = DAY_S * 1_000_000
HOURS_SPAN_US: Final = 46 * DAY_US
SPAN_DAYS_MAX: Final = 20 * 366
PRESETS: Final = {"1d": 1, "7d": 7, "30d": 30, "90d": 90, "1y": 365, "all": 0}  # days back
BASES: Final = ("wallet", "margin")  # what counts as equity


class SpanUnfit(ValueError):
    """A span that can't be; `field` names which word of it."""

    def __init__(self, text: str, *, field: str) -> None:
        super().__init__(text)
        self.field = field


class Span(NamedTuple):
    """From a moment to another, and the words that asked for it. Start 0: from the first report."""

    start_us: int
    end_us: int
    preset: str  # of PRESETS, "" for days of one's own
    first_day: str
    last_day: str


class Point(NamedTuple):
    """One moment of a track: what was known at it. A market has its price as its wallet."""

    time_us: int
    wallet: int
    margin: int
    is_open: bool  # a position was


class Track(NamedTuple):
    """A record over a span; without points there is nothing to tell. figures are of `basis`."""

    basis: str
    is_hourly: bool
    points: list[Point]
    flows: list[int]  # money brought in before each point since the one before
    figures: Statistics
    under: Drawdown
    months: list[Month]

    @property
    def values(self) -> list[int]:
        return [point.margin if self.basis == "margin" else point.wallet for point in self.points]

    @property
    def growth(self) -> list[float]:
        return statistics.growth(self.values, self.flows)

    @property
    def longest_s(self) -> int:
        """For how long at most it was below its highest point."""
        return self.under.longest * (HOUR_S if self.is_hourly else DAY_S)


# ---- spans


def span_of(
    *, span: str = "", first_day: str = "", last_day: str = "", now_us: int, zone: ZoneInfo
) -> Span:
    """Return the span of a preset, or of days as YYYY-MM-DD, both counted; 30 days for nothing.

    A preset ends now and begins with a midnight, `1d` with the full hour 24 hours ago. Raises
    SpanUnfit.
    """
    today = statistics.day_of(now_us, zone)
    if not first_day and not last_day:
        preset = span or "30d"
        if preset not in PRESETS:
            raise SpanUnfit(f"give one of {', '.join(PRESETS)}", field="span")
        days = PRESETS[preset]
        if days == 1:
            start = now_us // HOUR_US * HOUR_US - DAY_US
        else:
            begin = today - dt.timedelta(days=days - 1)
            start = statistics.day_start(begin, zone) if days else 0
        return Span(start, now_us + 1, preset, "", "")
    if span:
        raise SpanUnfit("give either a span or days, not both", field="span")
    first = _day(first_day, "from") if first_day else None
    last = _day(last_day, "to") if last_day else today
    if first is not None and not 0 <= (last - first).days <= SPAN_DAYS_MAX:
        raise SpanUnfit(
            f"the first day must be before the last, at most {SPAN_DAYS_MAX} days", field="from"
        )
    start = 0 if first is None else statistics.day_start(first, zone)
    end = statistics.day_start(last + dt.timedelta(days=1), zone)
    return Span(start, min(end, now_us + 1), "", first_day, last_day)


def _day(text: str, field: str) -> dt.date:
    try:
        found = dt.date.fromisoformat(text)
    except ValueError as error:
        raise SpanUnfit(f"{text[:20]} is no day; write one like 2026-01-31", field=field) from error
    if not 2000 <= found.year <= 2200:
        raise SpanUnfit("a year must be from 2000 to 2200", field=field)
    return found


# ---- tracks


def strategy_track(strategy: Strategy, span: Span, *, zone: ZoneInfo, basis: str) -> Track:
    """Return what a strategy reported over a span."""
    put_in_place()
    begin = Period.objects.filter(strategy=strategy, length_s=DAY_S).order_by("start_us").first()
    if begin is None or span.end_us <= begin.first_us:
        return _empty(basis)
    start = max(span.start_us, begin.first_us)
    days, times, is_hourly = _times(start, span.end_us, zone)
    rows = _closes(strategy.pk, sorted({start, *times, *(end for _, end in days)}))
    first = Point(start, begin.wallet_first, begin.margin_first, begin.positions != 0)
    known = {row[0]: Point(row[0], row[2], row[3], row[4] != 0) for row in rows}
    points = [known.get(start, first), *(known.get(time, first) for time in times)]
    closes = [(day, known.get(end, first)) for day, end in days]
    if strategy.account.robot:
        return _track(
            basis, points, closes, _flows(strategy, begin.first_us, start), is_hourly=is_hourly
        )
    last_us = rows[-1][1] if rows else begin.first_us
    last_day = statistics.day_of(max(last_us, start), zone)
    told = [each for each in closes if each[0] <= last_day]
    return _track(basis, points, told, [], is_hourly=is_hourly)


def _flows(strategy: Strategy, first_us: int, start_us: int) -> list[tuple[int, int]]:
    """Return what was brought in since a moment, but what it began with: (time, amount)."""
    rows = Flow.objects.filter(strategy=strategy, time_us__gt=first_us, time_us__gte=start_us)
    return list(rows.order_by("time_us").values_list("time_us", "amount"))


def _between(flows: Sequence[tuple[int, int]], ends: Sequence[int]) -> list[int]:
    """Return what was brought in before each end since the one before."""
    found = [0] * len(ends)
    for time_us, amount in flows:
        place = bisect_right(ends, time_us)
        if place < len(ends):
            found[place] += amount
    return found


def market_track(instrument: InstrumentRow, span: Span, *, zone: ZoneInfo, start_us: int) -> Track:
    """Return what the price of an instrument did over a span, from a moment on."""
    is_dealt = instrument.market == candles.DEALER
    begin = candles.first_trade_us(instrument.number, of_quotes=is_dealt)
    if begin is None or span.end_us <= begin:
        return _empty("wallet")
    start = max(span.start_us, start_us, begin + candles.MINUTE_US)
    if start >= span.end_us:
        return _empty("wallet")
    days, times, is_hourly = _times(start, span.end_us, zone)
    asked = sorted({start, *times, *(end for _, end in days)})
    found = candles.closes(instrument.number, asked, of_quotes=is_dealt)
    known = {time: Point(time, found[time], found[time], False) for time in asked}
    closes = [(day, known[end]) for day, end in days]
    points = [known[start], *(known[time] for time in times)]
    return _track("wallet", points, closes, [], is_hourly=is_hourly)


def _times(
    start: int, end: int, zone: ZoneInfo
) -> tuple[list[tuple[dt.date, int]], list[int], bool]:
    """Return a span's days with their ends, the times of its points, and whether by the hour."""
    days = statistics.day_ends(start, end, zone)
    if end - start > HOURS_SPAN_US:
        return days, [time for _, time in days], False
    hours = range((start // HOUR_US + 1) * HOUR_US, end, HOUR_US)
    return days, [*hours, end], True


def _track(
    basis: str,
    points: list[Point],
    closes: Sequence[tuple[dt.date, Point]],
    brought: Sequence[tuple[int, int]],
    *,
    is_hourly: bool,
) -> Track:
    def value(point: Point) -> int:
        return point.margin if basis == "margin" else point.wallet

    of_days = _between(brought, [point.time_us for _, point in closes])
    ends = [
        Close(day, value(point), flow) for (day, point), flow in zip(closes, of_days, strict=True)
    ]
    figures = statistics.statistics(
        value(points[0]), ends, open_points=[point.is_open for point in points[1:]]
    )
    flows = _between(brought, [point.time_us for point in points])
    values = [value(point) for point in points]
    return Track(
        basis=basis,
        is_hourly=is_hourly,
        points=points,
        flows=flows,
        figures=figures,
        under=statistics.drawdown(statistics.growth(values, flows)),
        months=statistics.months(statistics.returns(values[0], ends)),
    )


def _empty(basis: str) -> Track:
    nothing = statistics.statistics(0, [])
    return Track(basis, False, [], [], nothing, statistics.drawdown([]), [])


def _closes(strategy: int, times: Sequence[int]) -> list[tuple[int, int, int, int, int]]:
    """Return (asked time, report's time, wallet, margin, positions) of the last hour before each.

    Where hours are no longer kept, of the last day before.
    """
    newest = (
        "(SELECT b.id FROM strategies_period b WHERE b.strategy_id = %s AND b.length_s = %s "
        "AND b.start_us < asked.time_us AND b.last_us < asked.time_us "
        "ORDER BY b.start_us DESC LIMIT 1)"
    )
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        asked = rows_as_sql(cursor, ("time_us",))
        cursor.execute(
            "SELECT asked.time_us, p.last_us, p.wallet_balance, p.margin_balance, p.positions "  # noqa: S608 - names of ours
            f"FROM ({asked}) AS asked JOIN strategies_period p "
            f"ON p.id = COALESCE({newest}, {newest}) ORDER BY asked.time_us",
            [encoded([[time] for time in times]), strategy, HOUR_S, strategy, DAY_S],
        )
        return list(cursor.fetchall())
