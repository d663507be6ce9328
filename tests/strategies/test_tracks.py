"""Track records: each point and figure equals a recomputation from the reports themselves."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fondaco.identity.models import Member
from fondaco.strategies import services, statistics, tracks
from fondaco.strategies.models import HOUR_S, Period, Strategy
from fondaco.strategies.reports import Reports
from fondaco.strategies.statistics import Close
from fondaco.strategies.tracks import SpanUnfit, span_of, strategy_track
from tests.strategies.reporting import MINUTE_US, NOON_US, report

pytestmark = pytest.mark.django_db

UTC = ZoneInfo("UTC")
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
NOW_US = NOON_US + 17 * MINUTE_US
Rows = dict[int, tuple[int, int]]  # time -> wallet, margin


def made(member: Member, rows: Rows) -> Strategy:
    number = Strategy.objects.count()
    row, token = services.add_strategy(
        services.add_account(member, f"a{number}"), name=f"s{number}"
    )
    Reports().store([report(token, at, *values) for at, values in sorted(rows.items())])
    return row


def slow_track(
    rows: Rows, span: tracks.Span, zone: ZoneInfo, place: int
) -> tuple[list[tuple[int, int]], int, list[Close]]:
    """Return points, the first value and the days' closes, each from all reports anew."""
    start = max(span.start_us, min(rows))

    def at(time_us: int) -> int:
        before = [time for time in rows if time < time_us]
        return rows[max(before)][place] if before else rows[min(rows)][place]

    first = at(start)
    last_report = max((time for time in rows if time < span.end_us), default=min(rows))
    closes = []
    day = dt.datetime.fromtimestamp(start // 10**6, zone).date()
    while True:
        midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone)
        end = min(int(midnight.timestamp()) * 10**6, span.end_us)
        if day <= dt.datetime.fromtimestamp(max(last_report, start) // 10**6, zone).date():
            closes.append(Close(day, at(end)))
        if end == span.end_us:
            break
        day += dt.timedelta(days=1)
    points = [(start, first)]
    hour = start
    while span.end_us - start <= tracks.HOURS_SPAN_US and hour < span.end_us:
        hour = min(hour // HOUR_US * HOUR_US + HOUR_US, span.end_us)
        points.append((hour, at(hour)))
    return points, first, closes


AMOUNTS = st.integers(min_value=1, max_value=10**12)
FLOWS = st.dictionaries(
    st.integers(min_value=0, max_value=3000).map(lambda each: NOW_US - each * 23 * MINUTE_US),
    st.tuples(
        st.integers(min_value=1, max_value=10**12), st.integers(min_value=1, max_value=10**12)
    ),
    min_size=1,
    max_size=30,
)
ZONES = st.sampled_from(("UTC", "Europe/Rome", "America/New_York", "Asia/Tokyo"))
SPANS = st.sampled_from(("1d", "7d", "30d", "90d", "all"))


@given(FLOWS, ZONES, SPANS, st.sampled_from(tracks.BASES))
@hypothesis_settings(
    max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_a_track_equals_a_recomputation(
    member: Member, rows: Rows, name: str, preset: str, basis: str
) -> None:
    """Points with carry-forward, days of any zone and all figures, whatever came when."""
    zone = ZoneInfo(name)
    span = span_of(span=preset, now_us=NOW_US, zone=zone)
    found = strategy_track(made(member, rows), span, zone=zone, basis=basis)
    points, first, closes = slow_track(rows, span, zone, tracks.BASES.index(basis))
    if found.is_hourly:
        times = [point.time_us for point in found.points]
        assert list(zip(times, found.values, strict=True)) == points
    wanted = statistics.statistics(first, closes)
    assert found.figures[:-1] == wanted[:-1]
    assert found.months == statistics.months(statistics.returns(first, closes))
    assert found.figures.profit == closes[-1].value - first


def test_a_record_that_counts_silence_as_calm_is_caught(member: Member) -> None:
    """The planted bug: days after the last report would halve the volatility."""
    rows = {NOON_US - (40 - day) * DAY_US: (100 + day % 2, 1) for day in range(20)}
    row = made(member, rows)
    span = span_of(span="all", now_us=NOW_US, zone=UTC)
    found = strategy_track(row, span, zone=UTC, basis="wallet")
    assert found.figures.days == 20
    _, first, closes = slow_track(rows, span, UTC, 0)
    silent = [Close(closes[-1].day + dt.timedelta(days=each), 101) for each in range(1, 20)]
    calm = statistics.statistics(first, [*closes, *silent])
    assert found.figures.volatility == statistics.statistics(first, closes).volatility
    assert calm.volatility is not None
    assert found.figures.volatility is not None
    assert calm.volatility < found.figures.volatility * 0.9


def test_days_stand_in_where_hours_are_no_longer_kept(member: Member) -> None:
    """Without its hours a year of days gives the same figures in UTC."""
    rows = {NOON_US - each * DAY_US: (1000 + each * 37 % 101, 5) for each in range(300)}
    row = made(member, rows)
    span = span_of(span="all", now_us=NOW_US, zone=UTC)
    whole = strategy_track(row, span, zone=UTC, basis="wallet")
    Period.objects.filter(length_s=HOUR_S, start_us__lt=NOON_US - 9 * DAY_US).delete()
    assert strategy_track(row, span, zone=UTC, basis="wallet") == whole


def test_a_record_costs_few_statements(member: Member, django_assert_max_num_queries: Any) -> None:
    """However long the span, and by an index; one of them looks for what has just arrived."""
    row = made(member, {NOON_US - each * DAY_US: (each + 1, 5) for each in range(400)})
    for preset in tracks.PRESETS:
        span = span_of(span=preset, now_us=NOW_US, zone=UTC)
        with django_assert_max_num_queries(3):
            strategy_track(row, span, zone=UTC, basis="wallet")


def test_spans_are_days_of_the_zone() -> None:
    """Presets begin at midnight, days of one's own end with their last moment, never after now."""
    rome = ZoneInfo("Europe/Rome")
    week = span_of(span="7d", now_us=NOW_US, zone=rome)
    assert week.start_us == NOON_US - 13 * HOUR_US - 6 * DAY_US
    assert week.end_us == NOW_US + 1
    own = span_of(first_day="2025-12-01", last_day="2025-12-02", now_us=NOW_US, zone=rome)
    assert own.end_us - own.start_us == 2 * DAY_US
    assert span_of(last_day="2025-12-02", now_us=NOW_US, zone=rome).start_us == 0
    assert span_of(first_day="2025-12-02", now_us=NOW_US, zone=rome).end_us == NOW_US + 1
    assert span_of(now_us=NOW_US, zone=rome).preset == "30d"


@pytest.mark.parametrize(
    "asked, field",
    [
        ({"span": "2w"}, "span"),
        ({"span": "7d", "first_day": "2025-01-01"}, "span"),
        ({"first_day": "1. Mai"}, "from"),
        ({"last_day": "2025-02-30"}, "to"),
        ({"first_day": "2025-02-02", "last_day": "2025-02-01"}, "from"),
        ({"first_day": "0001-01-01"}, "from"),
        ({"first_day": "2001-01-01", "last_day": "2199-01-01"}, "from"),
    ],
)
def test_a_span_that_cannot_be_names_its_word(asked: dict[str, str], field: str) -> None:
    """Each refusal says which word doesn't fit."""
    with pytest.raises(SpanUnfit) as refused:
        span_of(**asked, now_us=NOW_US, zone=UTC)
    assert refused.value.field == field


def test_a_strategy_without_reports_has_no_record(member: Member) -> None:
    """Nothing reported, or nothing in the span: no points, no figures."""
    empty, _ = services.add_strategy(services.add_account(member, "a"), name="s")
    span = span_of(span="7d", now_us=NOW_US, zone=UTC)
    assert strategy_track(empty, span, zone=UTC, basis="wallet").points == []
    late = made(member, {NOON_US: (1, 1)})
    before = span_of(last_day="2025-12-30", now_us=NOW_US, zone=UTC)
    assert strategy_track(late, before, zone=UTC, basis="wallet").figures.total is None
    one = strategy_track(late, span, zone=UTC, basis="margin")
    assert (one.figures.first, one.figures.last, one.figures.total) == (1, 1, 0.0)
    assert math.isclose(one.growth[-1], 1.0)
