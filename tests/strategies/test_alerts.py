"""Alerts of late reports: once for each silence, once when it ends, by an injected clock."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

import fondaco.office.urls  # noqa: F401 - its views bind the real core, not a stand-in
from fondaco.identity.models import Member
from fondaco.office.brokerage import alerts
from fondaco.office.notices.kinds import TABLE, Kind
from fondaco.office.notices.models import Delivery, Happening
from fondaco.strategies import services
from fondaco.strategies.models import BrokerageAccount, Strategy
from fondaco.strategies.reports import Reports
from fondaco.strategies.services import StrategyRefused
from tests.strategies.reporting import NOON_US, report

pytestmark = pytest.mark.django_db(databases=["default", "projections"])

NOON = dt.datetime.fromtimestamp(NOON_US // 10**6, dt.UTC)
LONG_AGO = NOON - dt.timedelta(days=9)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def watched(member: Member, account: BrokerageAccount) -> tuple[Strategy, str]:
    """A strategy of a member who reads mail, expected each minute, that reported at noon."""
    member.email_confirmed_at = NOON
    member.save()
    row, token = services.add_strategy(account, name="momentum", report_every_s=60)
    Reports().store([report(token, NOON_US, 1)])
    return row, token


def look(after: dt.timedelta, up_since: dt.datetime = LONG_AGO) -> int:
    return alerts.watch_reports(clock=lambda: NOON + after, up_since=up_since)


def told() -> list[tuple[str, str]]:
    return list(Happening.objects.order_by("pk").values_list("kind", "reference"))


def test_a_silence_is_told_once_and_so_is_its_end(watched: tuple[Strategy, str]) -> None:
    """Late after twice the interval, told once; back with the next report, told once; again."""
    row, token = watched
    assert look(2 * MINUTE) == 0
    assert [look(2 * MINUTE + dt.timedelta(seconds=1)) for _ in range(3)] == [1, 0, 0]
    assert told() == [("strategy.late", f"{row.pk}-{NOON_US}")]
    body = json.loads(Happening.objects.get().body)
    assert body["text"] == (
        "Your strategy momentum has not reported since 2026-01-01T12:00:00Z; it is expected every "
        "60 seconds."
    )
    assert body["data"]["strategy_id"] == row.pk
    assert Delivery.objects.get().endpoint is None, "by mail, as members choose at first"
    Reports().store([report(token, NOON_US + 10 * 60 * 10**6, 1)])
    assert [look(11 * MINUTE) for _ in range(2)] == [1, 0]
    assert look(13 * MINUTE) == 1
    assert [kind for kind, _ in told()] == ["strategy.late", "strategy.back", "strategy.late"]
    assert {kind.value for kind in Kind} >= {kind for kind, _ in told()}
    assert TABLE[Kind.STRATEGY_LATE].mailed


def test_two_that_look_at_once_tell_once(
    watched: tuple[Strategy, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: without the condition on the row both would tell."""
    row, _ = watched
    seen = Strategy.objects.select_related("member", "standing").get(pk=row.pk)
    assert alerts._change(seen, Kind.STRATEGY_LATE, since_us=NOON_US) == 1
    assert alerts._change(seen, Kind.STRATEGY_LATE, since_us=NOON_US) == 0
    assert len(told()) == 1


def test_what_is_not_late(watched: tuple[Strategy, str], account: BrokerageAccount) -> None:
    """Never reported, put away, not minded, or silent because the house was down."""
    row, _ = watched
    services.add_strategy(account, name="never", report_every_s=60)
    unminded, other = services.add_strategy(account, name="unminded")
    Reports().store([report(other, NOON_US, 1)])
    hour = 60 * MINUTE
    assert look(hour, up_since=NOON + hour - MINUTE) == 0
    services.archive_strategy(row, archived=True)
    assert look(hour) == 0
    services.archive_strategy(row, archived=False)
    assert look(hour) == 1
    row.refresh_from_db()
    services.edit_strategy(row, account=account, name="m", symbol="", report_every_s=0)
    assert look(hour) == 0
    assert told() == [("strategy.late", f"{row.pk}-{NOON_US}")]
    assert not unminded.is_late(NOON_US + 10**12)


def test_a_member_says_how_often(member: Member, account: BrokerageAccount) -> None:
    """By the page's choice or any number by the route; a page shows what is late."""
    member.membership_until = dt.date(2099, 12, 31)
    member.save()
    client = Client()
    client.force_login(member)
    fields = {"name": "s", "account": account.pk, "symbol": "", "report_every_s": "300"}
    client.post("/dashboard/strategies/new", fields)
    row = Strategy.objects.get()
    assert row.report_every_s == 300

    def patch(**words: Any) -> Any:
        path = f"/api/v1/strategies/{row.pk}/"
        return client.patch(path, json.dumps(words), content_type="application/json")

    assert patch(report_every_s=3).json() == {
        "report_every_s": ["Give 10 to 2,592,000 seconds, or 0 for no alert."]
    }
    assert patch(report_every_s=45).json()["report_every_s"] == 45
    page = client.get(f"/dashboard/strategies/{row.pk}/edit").content.decode()
    assert '<option value="45" selected>every 45 seconds</option>' in page
    ago = timezone.now() - dt.timedelta(seconds=100)
    token = services.make_token(row)
    Reports().store([report(token, int(ago.timestamp() * 10**6), 1)])
    for path in ("/dashboard/", "/dashboard/strategies", f"/dashboard/strategies/{row.pk}"):
        badge = client.get(path).content.decode().partition("data-late-after")[2][:90]
        assert badge.startswith('="45"'), path
        assert "hidden" not in badge, path
    assert client.get(f"/api/v1/strategies/{row.pk}/").json()["is_late"] is True
    Reports().store([report(token, int(timezone.now().timestamp() * 10**6), 1)])
    assert "hidden>late" in client.get("/dashboard/").content.decode()
    with pytest.raises(StrategyRefused):
        services.add_strategy(account, name="x", report_every_s=10**9)
