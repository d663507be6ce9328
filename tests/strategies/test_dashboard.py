"""The dashboard's figures: equal to an independent recomputation from the reports alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fondaco.identity.models import Member
from fondaco.strategies import selectors, services, words
from fondaco.strategies.models import BrokerageAccount, Strategy
from fondaco.strategies.reports import Reports
from fondaco.strategies.selectors import DAY_US, HOUR_US
from tests.strategies.reporting import MINUTE_US, NOON_US, report

pytestmark = pytest.mark.django_db

NOW_US = NOON_US + 17 * MINUTE_US
Flow = list[tuple[int, int, int]]  # account, time, wallet; in the order in which they come


def slow_truth(flow: Flow, hours: int) -> tuple[int, int, list[tuple[int, int]]]:
    """Return equity, reference and curve, each from all reports anew."""
    kept: dict[tuple[int, int], int] = {}
    for who, at, wallet in flow:
        kept.setdefault((who, at), wallet)

    def held(account: int, until: int) -> int | None:
        times = [at for who, at in kept if who == account and at <= until]
        return kept[account, max(times)] if times else None

    who_all = {who for who, _ in kept}
    end = NOW_US + 10 * MINUTE_US
    equity = sum(held(who, end) or 0 for who in who_all)
    reference = 0
    for who in who_all:
        before = held(who, NOW_US - DAY_US)
        first = min(at for account, at in kept if account == who)
        reference += kept[who, first] if before is None else before
    last = NOW_US // HOUR_US * HOUR_US
    curve = []
    for start in range(last - (hours - 1) * HOUR_US, last + HOUR_US, HOUR_US):
        values = [held(who, start + HOUR_US - 1) for who in who_all]
        if any(value is not None for value in values):
            curve.append((start, sum(value or 0 for value in values)))
    return equity, reference, curve


FLOWS = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=2),
        st.integers(min_value=0, max_value=120).map(lambda each: NOW_US - each * 37 * MINUTE_US),
        st.integers(min_value=-(10**10), max_value=10**12),
    ),
    max_size=40,
)


@given(FLOWS)
@hypothesis_settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_s1_7_figures_equal_a_recomputation(member: Member, flow: Flow) -> None:
    """S1-7: equity, the reference of 24 hours and the carried-forward curve, in any order."""
    Strategy.objects.all().update(archived_at="2026-01-01T00:00:00Z")
    tokens = []
    for place in range(3):
        account = services.add_account(member, f"a{BrokerageAccount.objects.count()}")
        name = f"s{Strategy.objects.count()}-{place}"
        tokens.append(services.add_strategy(account, name=name)[1])
    Reports().store([report(tokens[who], at, wallet) for who, at, wallet in flow])
    for hours in (5, 48):
        equity, reference, curve = slow_truth(flow, hours)
        found = selectors.dashboard(member, now_us=NOW_US, hours=hours)
        assert (found.equity, found.reference) == (equity, reference)
        assert [(point.start_us, point.value) for point in found.hourly] == curve


def test_s1_7_a_curve_that_adds_up_strategies_is_caught(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: each strategy counts, not each account."""
    account = services.add_account(member, "main")
    tokens = [services.add_strategy(account, name=name)[1] for name in "ab"]
    flow = [(0, NOW_US - HOUR_US, 100), (0, NOW_US - 2 * HOUR_US, 70)]
    Reports().store(
        [report(token, at, wallet) for token, (_, at, wallet) in zip(tokens, flow, strict=True)]
    )
    equity, _, curve = slow_truth(flow, 4)
    right = selectors.dashboard(member, now_us=NOW_US, hours=4)
    assert (right.equity, [tuple(point) for point in right.hourly]) == (equity, curve)
    hourly = selectors._hourly
    monkeypatch.setattr(
        selectors, "_hourly", lambda of, *more: hourly({each: each for each in of}, *more)
    )
    wrong = selectors.dashboard(member, now_us=NOW_US, hours=4)
    assert [tuple(point) for point in wrong.hourly] != curve


def test_s1_7_two_strategies_on_one_account_count_once(member: Member) -> None:
    """S1-7: the newest wallet of an account is its wallet, whichever strategy told it."""
    main, other = services.add_account(member, "main"), services.add_account(member, "other")
    tokens = [
        services.add_strategy(account, name=name)[1]
        for account, name in ((main, "a"), (main, "b"), (other, "c"))
    ]
    unit = 10**8
    Reports().store(
        [
            report(tokens[0], NOW_US - DAY_US - HOUR_US, 1000 * unit),
            report(tokens[1], NOW_US - 2 * HOUR_US, 1100 * unit),
            report(tokens[0], NOW_US - 3 * HOUR_US, 900 * unit),
            report(tokens[2], NOW_US - HOUR_US, 500 * unit),
        ]
    )
    told = words.dashboard_words(selectors.dashboard(member, now_us=NOW_US, hours=4))
    assert (told["equity"], told["pnl_24h"], told["pnl_24h_percent"]) == ("1600", "100", "6.6667")
    assert [point["equity"] for point in told["hourly"]] == ["900", "1100", "1600", "1600"]
    assert told["hourly"][-1]["time"] == "2026-01-01T12:00:00Z"
    services.archive_account(other, archived=True)
    assert selectors.dashboard(member, now_us=NOW_US).equity == 1100 * unit


def test_a_dashboard_without_reports_says_nothing(member: Member) -> None:
    """No account, no report: zero, no per cent, no curve."""
    services.add_strategy(services.add_account(member, "main"), name="s")
    told: dict[str, Any] = words.dashboard_words(selectors.dashboard(member, now_us=NOW_US))
    assert (told["equity"], told["pnl_24h_percent"], told["hourly"]) == ("0", None, [])
    assert told["strategies"][0]["last"] is None


def test_a_dashboard_reads_no_reports_but_the_two_ends(
    member: Member, django_assert_max_num_queries: Any
) -> None:
    """However long the history, the same few queries, and none that goes through reports."""
    token = services.add_strategy(services.add_account(member, "main"), name="s")[1]
    Reports().store([report(token, NOW_US - each * MINUTE_US, each) for each in range(3000)])
    with django_assert_max_num_queries(8) as asked:
        selectors.dashboard(member, now_us=NOW_US)
    for query in asked.captured_queries:
        if "strategies_report" in query["sql"]:
            assert "max(b.created_us)" in query["sql"]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "EXPLAIN QUERY PLAN SELECT max(created_us) FROM strategies_report "
                "WHERE strategy_id = 1 AND created_us <= 5"
            )
            assert "SEARCH" in cursor.fetchone()[3]


@pytest.mark.parametrize(
    "part, whole, text",
    [(1, 3, "33.3333"), (-5, 1000, "-0.5"), (0, 7, "0"), (20, 10, "200"), (1, 0, None)],
)
def test_per_cent_is_text(part: int, whole: int, text: str | None) -> None:
    """Four decimals at most, no needless zeros, none of nothing."""
    assert words.percent_text(part, whole) == text
    assert text is None or Decimal(text) == round(Decimal(part) * 100 / whole, 4)
