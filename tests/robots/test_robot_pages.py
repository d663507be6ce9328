"""The robots' pages where words matter: what a backtest begins with, and how a bot stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from fondaco.core import records
from fondaco.identity import services as identity
from fondaco.identity.models import Account, Member
from fondaco.office.robots import selectors, services, told_backtests, views
from fondaco.robots.hub import selectors as hub
from fondaco.robots.hub.judging import Reason
from fondaco.robots.models import (
    Decision,
    Operation,
    Robot,
    RobotKind,
    RobotMode,
    RobotRun,
    Signal,
)
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.validation import read_rule
from tests.robots.test_backtest_page import PATH, browser
from tests.robots.test_robots_door import Door, door
from tests.robots.test_rules import SEED
from tests.robots.test_signal_robots_door import begin_operation

__all__ = ["browser", "door"]

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


# ---- a signal robot by hand

NEW = "/robots/new/signals/"
FORM = {"id": "n1", "mode": "paper", "cash": "70", "symbols": "BTC", "buy_on": "BUY"}
FORM |= {"sell_on": "SELL", "operation_amount": "20", "day_stop_loss": "5", "orders_day_max": "3"}


def config() -> dict[str, object]:
    """Return what is told to the robot n1, all that isn't none."""
    told = Robot.objects.get(pk="n1").config
    return {name: value for name, value in told.items() if str(value) != "0"}


def test_both_kinds_are_offered(door: Door) -> None:
    """By the list, and each page of a new one leads to the other."""
    for path in ("/robots/", "/robots/new/", NEW):
        text = door.page(path)[1]
        assert f'href="{reverse("robot-new")}"' in text
        assert f'href="{reverse("robot-new-signals")}"' in text


def test_a_form_opens_a_signal_robot(door: Door) -> None:
    """On paper nothing moves; all that was said is in its config, and on its page."""
    assert door.page(NEW, **FORM)[0] == 302
    names = ("buy_on", "sell_on", "operation_amount")
    wanted: dict[str, object] = {name: FORM[name] for name in names}
    wanted |= {"day_stop_loss": "5", "orders_day_max": 3, "symbols": ["BTC"]}
    assert config() == wanted
    status, text = door.page("/robots/n1/")
    assert status == 200
    for said in ("USDT on paper", "a day may lose 5 USDT", "a day may have 3 orders", "Go live"):
        assert said in text
    assert door.bot == {}


def test_what_a_signal_robot_has_on_paper_is_its_exchange_s(door: Door) -> None:
    """Before it has begun its allotment; what it won is told since its start, at the last price."""
    door.page(NEW, **FORM)
    shown = door.browser.get("/robots/n1/").context
    assert shown["money"] == [("USDT on paper", "70")]
    assert shown["paper_profit"] == "0.00"
    run = RobotRun.objects.get(robot="n1")
    run.terms = {"USDT": "60", "BTC": "0.5"}
    robot, core = Robot.objects.get(pk="n1"), door.core
    buyer = Account.objects.get(kind=records.AccountKind.SPOT).pk
    for account, side in ((buyer, 1), (Robot.objects.get(pk="robot-1").account_id, 2)):
        core.submit(
            records.pack(
                records.Command.NEW_ORDER, account=account, instrument=1, side=side, order_type=1,
                time_in_force=1, price_ticks=40_00, quantity_lots=1, self_trade=1,
            )
        )  # fmt: skip
    told = selectors.signal_money(core, robot, run)
    assert told["paper_profit"] == "-10.00", "10 more of cash, half a coin of 40 less"


@pytest.mark.parametrize(
    ("more", "field", "text"),
    [
        ({"id": "no spaces"}, "id", "Write 1 to 24 letters"),
        ({"id": "robot-1"}, "id", "exists; choose another id"),
        ({"symbols": []}, "symbols", "Choose one at least"),
        ({"symbols": "XRP"}, "symbols", "There is no order book of XRP in USDT; there are BTC."),
        ({"buy_on": "SELL"}, "buy_on", "Select a valid choice"),
        ({"operation_amount": "many"}, "operation_amount", "Must be a plain amount"),
        ({"orders_day_max": "0.5"}, "orders_day_max", "Must be a whole number up to 1000000"),
        ({"month_sell_cap": "-1"}, "month_sell_cap", "Must be a plain amount"),
        ({"cash": "5000", "mode": "live"}, "cash", "less than that free"),
        ({"cash": ""}, "cash", "This field is required"),
    ],
)
def test_what_is_wrong_with_a_new_one_stands_at_its_field(
    door: Door, more: dict[str, Any], field: str, text: str
) -> None:
    """The page comes back with what was typed; nothing was opened."""
    answer = door.browser.post(NEW, {**FORM, **more})
    assert answer.status_code == 400
    assert text in str(answer.context["form"].errors[field])
    assert text in answer.content.decode().replace("&#x27;", "'")
    assert not Robot.objects.filter(pk="n1").exists()


def test_every_word_of_a_config_is_changed_by_its_page(door: Door) -> None:
    """An empty amount is none; a wrong one stands at its field and changes nothing."""
    door.page(NEW, **FORM)
    form = {"do": "settings", "symbols": "BTC", "buy_on": "STRONG_BUY", "sell_on": "STRONG_SELL"}
    form |= {"operation_stop_loss": "7", "order_notional_max": "50", "month_stop_loss": "9"}
    assert door.page("/robots/n1/", **form)[0] == 302
    wanted = {name: form[name] for name in form if name not in {"do", "symbols"}}
    assert config() == {**wanted, "symbols": ["BTC"]}
    answer = door.browser.post("/robots/n1/", {**form, "order_notional_max": "x"})
    assert answer.status_code == 400
    assert "Must be a plain amount" in str(
        answer.context["settings_form"].errors["order_notional_max"]
    )
    assert config()["order_notional_max"] == "50"


def test_live_and_back_are_asked_back_with_the_allotment(door: Door) -> None:
    """What each means is said; who can't pay stays on paper and sees why at the field."""
    door.page(NEW, **FORM)
    text = door.page("/robots/n1/?sure=live")[1]
    assert "From now on it trades with money" in text
    assert "Your own account has 400 free." in text
    answer = door.browser.post("/robots/n1/", {"do": "live", "USDT": "5000", "BTC": "0"})
    assert answer.status_code == 400
    assert "less than that free" in str(answer.context["allotment"].errors["USDT"])
    assert door.bot == {}
    assert door.page("/robots/n1/", do="live", USDT="30", BTC="")[0] == 302
    assert door.bot == {2: 30 * 10**8}
    assert door.page("/robots/n1/", do="allot", USDT="45.5")[0] == 302
    assert door.bot == {2: 455 * 10**7}
    begin_operation()
    status, text = door.page("/robots/n1/", do="paper", USDT="100")
    assert (status, "Its operation of BTC is open; wait until" in text) == (400, True)
    Operation.objects.all().delete()
    assert "It trades with no money from now on" in door.page("/robots/n1/?sure=paper")[1]
    assert door.page("/robots/n1/", do="paper", USDT="100")[0] == 302
    assert RobotRun.objects.get(robot="n1", is_over=False).terms == {"USDT": "100"}
    assert door.bot == {2: 455 * 10**7}


def test_one_that_is_ended_by_its_page_is_gone(door: Door) -> None:
    """Asked back first; then its page is 404, and its money is the member's."""
    spot = door.spot
    door.page(NEW, **{**FORM, "mode": "live"})
    assert "its name is never used again" in door.page("/robots/n1/?sure=end")[1]
    assert door.page("/robots/n1/", do="end")[0] == 302
    assert (door.page("/robots/n1/")[0], door.spot) == (404, spot)


def test_staff_see_who_is_on_paper(door: Door, settings: Any) -> None:
    """A signal robot on paper has no profit in money there, and says why."""
    door.page(NEW, **FORM)
    identity.set_roles(Member.objects.get(), ["admin"])
    settings.STAFF_MFA = False
    rows = door.browser.get("/staff/robots/").context["rows"]
    modes = {row["id"]: (row["mode_text"], row["day_profit"]) for row in rows}
    assert modes == {
        "n1": ("on paper", ""),
        "robot-1": ("live", "0.00"),
        "robot-2": ("live", "0.00"),
    }


def test_staff_find_a_robot_among_many(
    door: Door, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pages and by a search of robots and members; each has its reason and its kill switch."""
    identity.set_roles(Member.objects.get(), ["admin"])
    settings.STAFF_MFA = False
    monkeypatch.setattr(views, "PAGE_ROBOTS", 2)
    signal_robot(door)
    decide(1, 1_000_000)

    def shown(place: str) -> tuple[list[str], str]:
        answer = door.browser.get(f"/staff/robots/{place}")
        return [row["id"] for row in answer.context["rows"]], answer.content.decode()

    first, page = shown("")
    assert first == ["n1", "robot-1"]
    assert "1 to 2 of 3 robots" in page
    assert "did not buy: it is switched off <time" in page
    assert (page.count('name="kill" value='), page.count('rel="next"')) == (2, 1)
    place = reverse("staff-robots")
    assert f'href="{place}?page=2"' in page
    assert shown("?page=2")[0] == shown("?page=99")[0] == ["robot-2"]
    assert shown("?page=x")[0] == first
    assert shown("?q=ROBOT-")[0] == ["robot-1", "robot-2"]
    found, page = shown("?q=An&page=2")
    assert found == ["robot-2"]
    assert f'href="{place}?q=An&amp;page=1"' in page
    found, page = shown("?q=nobody%00")
    assert found == []
    assert "No robot and no member is called so" in page
    answer = door.browser.post("/staff/robots/?q=An&page=2", {"kill": "robot-2"})
    assert answer.headers["Location"] == f"{place}?q=An&page=2"
    assert "killed: only reduces" in shown("?q=An&page=2")[1]
    assert "killed: only reduces" not in shown("")[1]


# ---- what a stop sold, among the reasons


def signal_robot(door: Door) -> int:
    """Open a signal robot; return its account."""
    door.page(NEW, **FORM)
    account: int = Robot.objects.get(pk="n1").account_id
    return account


def decide(number: int, time_us: int) -> None:
    """Have the robot decide nothing at a signal."""
    signal = Signal.objects.create(
        symbol="BTC", strength=1, timestamp_us=number, source="test", received_us=time_us
    )
    Decision.objects.create(
        signal=signal.pk, account=Robot.objects.get(pk="n1").account_id, time_us=time_us, side=1,
        reason=Reason.INACTIVE, had=0, needed=0, price_ticks=0,
    )  # fmt: skip


def stop_sells(at_s: int, note: str = "STOP_LOSS") -> None:
    """Have an operation of the robot be ended, by its stop."""
    account = Robot.objects.get(pk="n1").account_id
    Operation.objects.create(
        pk=f"{at_s}-{account}", account=account, robot="n1", symbol="BTC", instrument=1,
        status=Operation.Status.CLOSED, available=1, started_us=1, note=note, sold_lots=5_000,
        stop_ticks=1_890_250, proceeds=94_012_000_000, closed_us=at_s * 1_000_000,
    )  # fmt: skip


@pytest.mark.parametrize("limit", range(2, 10))
def test_what_stops_sold_stands_among_the_decisions(door: Door, limit: int) -> None:
    """Each once and in its place, however long a page is, and each page ends with a decision."""
    account = signal_robot(door)
    for number in range(1, 6):
        decide(number, number * 10_000_000)
    for at_s in (15, 25, 45, 50):
        stop_sells(at_s)
    stop_sells(35, "SIGNAL")
    found: list[tuple[str, int]] = []
    before = 0
    while rows := hub.decisions(account, cash="USDT", limit=limit, before=before):
        assert len(rows) <= limit
        found += [(row["reason"], int(row["time"][17:19])) for row in rows]
        before = rows[-1]["id"]
    stop, decided = "STOP_LOSS", "INACTIVE"
    assert found == [
        *((stop, 50), (decided, 50), (stop, 45), (decided, 40), (decided, 30), (stop, 25)),
        *((decided, 20), (stop, 15), (decided, 10)),
    ]


def test_a_stop_s_sale_is_told_as_a_reason_is(door: Door) -> None:
    """As the newest reason, on the robot's page and by the API, with the same words."""
    signal_robot(door)
    decide(1, 10_000_000)
    stop_sells(20)
    said = "stop-loss at 18902.5: sold 0.05 BTC for 940.12, exempt from the sell cap"
    (told, first) = door.ask("GET", "/api/v1/robots/clients/n1/decisions/")[1]
    assert told == {
        "id": None, "signal_id": None, "time": "1970-01-01T00:00:20Z", "operation": "SELL",
        "on_paper": False, "reason": "STOP_LOSS", "symbol": "BTC", "text": said,
        "numbers": {"stop": "18902.50", "coin": "0.05000", "proceeds": "940.12000000"},
    }  # fmt: skip
    assert first["reason"] == "INACTIVE"
    assert door.ask("GET", "/api/v1/robots/n1/")[1]["decisions"][0] == told
    assert door.ask("GET", "/api/v1/robots/overview/")[1]["robots"][0]["reason"] == said
    for path in ("/robots/", "/robots/n1/"):
        assert said in door.page(path)[1]
