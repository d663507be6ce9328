"""Dropping what is old: figures stay what they were, and ingest goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fondaco.house.file import HouseFileError, loads
from fondaco.identity.models import Member
from fondaco.office.environment import ReportsKept
from fondaco.strategies import retention, selectors, services, tables, tracks, words
from fondaco.strategies.models import DAY_S, HOUR_S, BrokerageAccount, Period, Report
from fondaco.strategies.reports import Reports
from tests.strategies.reporting import MINUTE_US, NOON_US, report

pytestmark = pytest.mark.django_db

DAY_US = 1440 * MINUTE_US
UTC = ZoneInfo("UTC")
LATER_US = NOON_US + 2 * DAY_US


def filled(account: BrokerageAccount) -> list[Any]:
    """Make one strategy that reports to this day, and one that fell silent long ago."""
    found = []
    storage = Reports()
    quiet = services.add_account(account.member, "quiet")
    for name, trades_on, silent_days in (("busy", account, 0), ("silent", quiet, 70)):
        row, token = services.add_strategy(trades_on, name=name)
        batch = [
            report(token, NOON_US - step * 97 * MINUTE_US, 10**10 + step * 10**6, 10**10 - step)
            for step in range(silent_days * 15, 2000)
        ]
        storage.store(batch)
        found.append(row)
    return found


def everything(member: Member, rows: list[Any], *, spans: tuple[str, ...]) -> list[Any]:
    """Return all that pages tell."""
    found: list[Any] = [
        words.dashboard_words(selectors.dashboard(member, now_us=LATER_US)),
        [words.curve_words(selectors.curve(row, now_us=LATER_US)) for row in rows],
    ]
    for row in rows:
        for span in spans:
            asked = tracks.span_of(span=span, now_us=LATER_US, zone=UTC)
            found += [
                tracks.strategy_track(row, asked, zone=UTC, basis=basis) for basis in tracks.BASES
            ]
    return found


def drop(now_us: int, *, turns: int = 1000) -> int:
    dropped = 0
    for _ in range(turns):
        made = retention.turn(now_us)
        dropped += made
        if not made:
            return dropped
    raise AssertionError("it never ends")


def test_figures_are_the_same_before_and_after(
    member: Member, account: BrokerageAccount, settings: Any
) -> None:
    """Reports past the rule are gone, each turn a bounded number; every figure and curve stays."""
    rows = filled(account)
    before = everything(member, rows, spans=tuple(tracks.PRESETS))
    count = Report.objects.count()
    settings.REPORTS_KEPT = ReportsKept(32, 0)
    first = retention.turn(LATER_US)
    assert 0 < first <= retention.ROWS * retention.TRANSACTIONS
    assert first + drop(LATER_US) == count - Report.objects.count()
    oldest = Report.objects.order_by("created_us").values_list("created_us", flat=True)[0]
    cutoff = LATER_US // DAY_US * DAY_US - 32 * DAY_US
    assert cutoff <= oldest < cutoff + DAY_US
    assert not Report.objects.filter(strategy=rows[1]).exists()
    assert everything(member, rows, spans=tuple(tracks.PRESETS)) == before


def test_days_stay_when_hours_go(member: Member, account: BrokerageAccount, settings: Any) -> None:
    """Hours past their rule are gone; the dashboard and every record by days are the same."""
    rows = filled(account)
    before = everything(member, rows, spans=("1d", "7d", "30d", "90d", "1y", "all"))
    days = list(Period.objects.filter(length_s=DAY_S).order_by("pk").values())
    settings.REPORTS_KEPT = ReportsKept(32, 62)
    drop(LATER_US)
    cutoff = LATER_US // DAY_US * DAY_US - 62 * DAY_US
    assert not Period.objects.filter(length_s=HOUR_S, start_us__lt=cutoff).exists()
    assert list(Period.objects.filter(length_s=DAY_S).order_by("pk").values()) == days
    assert everything(member, rows, spans=("1d", "7d", "30d", "90d", "1y", "all")) == before


def test_a_roll_up_that_forgets_the_silent_is_caught(
    member: Member,
    account: BrokerageAccount,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Planted bug: what fell silent before the rule counts no more; the comparison sees it."""
    rows = filled(account)
    before = everything(member, rows, spans=("30d",))
    settings.REPORTS_KEPT = ReportsKept(32, 0)
    drop(LATER_US)
    forgetful: Callable[..., list[tuple[int, int, int]]] = lambda *_: []
    monkeypatch.setattr(tables, "_kept_wallets_at", forgetful)
    assert everything(member, rows, spans=("30d",)) != before


def test_nothing_goes_without_a_rule(
    account: BrokerageAccount, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default everything is kept; with nothing left to do the chore rests."""
    filled(account)
    count = Report.objects.count()
    assert ReportsKept(0, 0) == settings.REPORTS_KEPT
    monkeypatch.setattr(retention, "_rest_until", [0.0])
    retention.drop_old()
    settings.REPORTS_KEPT = ReportsKept(32, 0)
    retention.drop_old()
    assert Report.objects.count() == count


@pytest.mark.parametrize("line", ["reports_days = 31", "report_hours_days = 61"])
def test_a_rule_that_would_empty_pages_is_refused(line: str) -> None:
    """Fewer days than pages show are refused by name."""
    with pytest.raises(HouseFileError, match="at least"):
        loads(f'[house]\nname = "Small"\n{line}\n')
