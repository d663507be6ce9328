"""The robots' pages where words matter: what a backtest begins with, and how a bot stands."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from fondaco.identity.models import Account, Member
from fondaco.office.robots import selectors, services, told_backtests
from fondaco.robots.models import Robot, RobotKind, RobotMode, RobotRun
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.validation import read_rule
from tests.robots.test_backtest_page import PATH, browser
from tests.robots.test_rules import SEED

__all__ = ["browser"]

pytestmark = pytest.mark.django_db(databases=["default", "projections"])


def test_a_backtest_begins_with_an_example_that_runs(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a market of this house; whoever has a bot begins with the newest one's rule."""
    monkeypatch.setattr(services, "markets", lambda: {"AAA": object()})
    shown = browser.get(PATH).context["form"]["rule"].value()
    assert plan_rule(read_rule(shown)).tickers == ("AAA",)
    member = Member.objects.get()
    for number, rule in ((101, "{}"), (102, SEED)):
        account = Account.objects.create(number=number, member=member, name=f"{number}")
        Robot.objects.create(
            pk=f"bot-{number}", member=member, account=account, kind=RobotKind.RULE, rule=rule
        )
    assert json.loads(browser.get(PATH).context["form"]["rule"].value()) == json.loads(SEED)


@pytest.mark.parametrize(
    ("state", "fault", "text"),
    [
        ("", "", "is starting"),
        ("", "on paper a rule trades one market", "can't start"),
        ('{"phase": "WAITING"}', "", "waits"),
        ('{"phase": "DONE"}', "", "is done"),
    ],
)
def test_a_bot_that_has_not_begun_says_so(state: str, fault: str, text: str) -> None:
    """Until a worker has taken it up it waits for nothing."""
    run = RobotRun(state=state, fault=fault, mode=RobotMode.PAPER)
    assert selectors._phase(run) == text


def test_where_a_rule_stood_is_said_in_words() -> None:
    """Done, or in which step, as people count."""
    assert told_backtests.end_words({"state": "DONE", "step": 1}) == "was done"
    assert (
        told_backtests.end_words({"state": "ORDERED", "step": 0})
        == "waited for its orders in step 1"
    )
