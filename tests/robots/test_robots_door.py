"""What programs and pages may ask of rule bots and clients, and what is refused by name.

The compiled core answers; there are no processes: a bot here is its row, its run and its account.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.test import Client

import fondaco.office.urls  # noqa: F401 - its views bind the real core, not a stand-in
from fondaco.core import records
from fondaco.house import file
from fondaco.house.errors import HouseFileError
from fondaco.identity import services as identity
from fondaco.identity.models import Account, Member
from fondaco.projections.models import Asset, Instrument
from fondaco.robots import services as robots
from fondaco.robots.bots import services as bots
from fondaco.robots.bots.services import begin_run
from fondaco.robots.models import (
    Robot,
    RobotKind,
    RobotMode,
    RobotRun,
    RobotTransfer,
    RuleDecision,
)
from fondaco.robots.rules.state import Code, Decision, Look
from tests.robots.real_core import RealCore
from tests.robots.test_robots import HOUSE

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
NAMELESS = '{"$do": {"$notify": "x"}}'
OF_CASH = (
    '{"$when": {"$comparison": {"itemA": {"$cash": "free"}, "itemB": 5, "type": "gt"}},'
    ' "$do": {"$notify": "x"}}'
)
BUYS = '{"$do": {"$order": {"kind": "MARKET", "intent": "BUY", "ticker": "BTC", "spend": 20}}}'
UNITS = 10**8


class Door:
    """Asks as ann, who has 1,000 USDT and 1 BTC less what robot-1 was given."""

    def __init__(self, core: RealCore) -> None:
        self.core = core
        self.browser = Client()
        self.browser.force_login(Member.objects.get(username="ann"))

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        text = body if isinstance(body, str) else json.dumps(body)
        answer = self.browser.generic(method, path, text, content_type="application/json")
        return answer.status_code, json.loads(answer.content or b"null")

    def open(self, rule: str = BUYS, **more: Any) -> tuple[int, Any]:
        words = {"id": "n1", "rule": rule, "allotment": {}, **more}
        return self.ask("POST", "/api/v1/robots/", words)

    def change(self, **words: Any) -> tuple[int, Any]:
        return self.ask("PATCH", "/api/v1/robots/n1/", words)

    def page(self, path: str, **form: str) -> tuple[int, str]:
        answer = self.browser.post(path, form) if form else self.browser.get(path)
        return answer.status_code, answer.content.decode()

    def has(self, account: int) -> dict[int, int]:
        return {asset: free for asset, free, _ in robots.balances(self.core, account)}

    @property
    def spot(self) -> dict[int, int]:
        return self.has(Account.objects.get(kind=records.AccountKind.SPOT).pk)

    @property
    def bot(self) -> dict[int, int]:
        return self.has(Robot.objects.get(pk="n1").account_id)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Door:
    core = RealCore()
    monkeypatch.setattr("fondaco.office.writer.core", lambda: core)
    settings.CASH = "USDT"
    house = file.loads(HOUSE)
    identity.apply_house(house, core)
    robots.apply_house(house, core)
    Member.objects.update(membership_until=dt.date(2099, 12, 31))
    Asset.objects.create(number=1, code="BTC", decimals=8)
    Asset.objects.create(number=2, code="USDT", decimals=8)
    Instrument.objects.create(
        number=1, symbol="BTCUSDT", base=1, quote=2, market=1, tick_size="0.01",
        lot_size="0.00001", base_per_lot=1000, quote_per_lot_tick=10, status=1,
    )  # fmt: skip
    return Door(core)


# ---- rules that name no market


@pytest.mark.parametrize("rule", [NAMELESS, OF_CASH])
def test_a_rule_without_a_market_is_refused_on_paper_and_taken_live(door: Door, rule: str) -> None:
    """Paper imitates one market; live there is nothing to imitate. A refused one leaves nothing."""
    status, said = door.open(rule, mode="paper")
    assert (status, list(said)) == (400, ["mode"])
    assert "this names none" in said["mode"][0]
    form = {"id": "n1", "rule": rule, "mode": "paper", "cash": "10"}
    status, text = door.page("/robots/new/", **form)
    assert (status, "this names none" in text) == (400, True)
    assert not Robot.objects.filter(pk="n1").exists()
    assert door.open(rule)[0] == 201
    assert door.page("/robots/n1/")[0] == 200
    assert door.change(mode="paper")[0] == 400
    assert RobotRun.objects.get(robot="n1").mode == RobotMode.LIVE


def test_a_bot_on_paper_keeps_its_rule_if_the_new_one_has_no_market(door: Door) -> None:
    """Refused by PATCH and by its page; live, in the same breath, it is taken."""
    assert door.open(mode="paper", allotment={"USDT": "40", "BTC": "0.1"})[0] == 201
    assert door.change(rule=json.loads(NAMELESS))[0] == 400
    status, text = door.page("/robots/n1/rule/", rule=NAMELESS)
    assert (status, "this names none" in text) == (400, True)
    assert Robot.objects.get(pk="n1").rule == BUYS
    assert door.change(rule=json.loads(NAMELESS), mode="live")[0] == 200
    assert door.bot == {2: 40 * UNITS}


def test_another_rule_and_its_run_come_together_or_not_at_all(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An office that dies between the two leaves the rule that was there, at its own step."""
    assert door.open()[0] == 201

    def dies(*_given: object, **_named: object) -> None:
        raise SystemExit

    before = RobotRun.objects.get()
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(bots, "begin_run", dies)
        door.change(rule=OF_CASH)
    assert (Robot.objects.get(pk="n1").rule, RobotRun.objects.get()) == (BUYS, before)
    assert door.change(rule=OF_CASH)[0] == 200
    assert Robot.objects.get(pk="n1").rule == OF_CASH


def test_one_that_was_there_before_can_be_looked_at_and_set_live(door: Door) -> None:
    """A row that no check has seen breaks no page."""
    member = Member.objects.get()
    account = identity.account_row(member, "robot n1", records.AccountKind.ROBOT)
    row = Robot.objects.create(
        pk="n1", member=member, account=account, kind=RobotKind.RULE, rule=NAMELESS
    )
    begin_run(row, mode=RobotMode.PAPER, terms={"cash": "7", "coins": "0"})
    status, text = door.page("/robots/n1/")
    assert (status, "USDT on paper" in text) == (200, True)
    assert door.change(mode="live")[0] == 200
    assert door.bot == {2: 7 * UNITS}


def test_going_live_brings_what_paper_began_with_also_again(door: Door) -> None:
    """What was given back before is given anew; it was live with nothing, and said so to nobody."""
    assert door.open(allotment={"USDT": "100"})[0] == 201
    assert door.change(allotment={"USDT": "0"})[0] == 200
    assert door.bot.get(2, 0) == 0
    assert door.change(mode="paper", allotment={"USDT": "100"})[0] == 200
    assert door.change(mode="live")[0] == 200
    assert door.bot == {2: 100 * UNITS}


def test_a_rule_of_another_market_has_none_of_its_coin(door: Door) -> None:
    """The coins of paper are the old rule's; live no coin moves that was not given."""
    Asset.objects.create(number=3, code="ETH", decimals=8)
    Instrument.objects.create(
        number=2, symbol="ETHUSDT", base=3, quote=2, market=1, tick_size="0.01",
        lot_size="0.0001", base_per_lot=10_000, quote_per_lot_tick=100, status=1,
    )  # fmt: skip
    of_eth = BUYS.replace("BTC", "ETH")
    assert door.open(of_eth, mode="paper", allotment={"USDT": "7", "ETH": "0.5"})[0] == 201
    assert door.change(rule=json.loads(BUYS))[0] == 200
    assert RobotRun.objects.get(robot="n1", is_over=False).terms == {"cash": "7", "coins": "0"}
    assert door.change(mode="live")[0] == 200
    assert door.bot == {2: 7 * UNITS}


# ---- another allotment


def test_another_allotment_moves_the_difference_by_the_core(door: Door) -> None:
    """More comes from the spot account, less goes back there; what isn't named stays."""
    assert door.open(allotment={"USDT": "100", "BTC": "0.5"})[0] == 201
    spot = door.spot
    assert door.change(allotment={"USDT": "300"})[0] == 200
    assert door.bot == {1: UNITS // 2, 2: 300 * UNITS}
    status, said = door.change(allotment={"USDT": "20.5", "BTC": 0})
    assert (status, said["allotment"]) == (200, {"USDT": "20.5"})
    assert door.bot.get(1, 0) == 0
    assert door.bot[2] == 2050 * UNITS // 100
    assert door.spot[2] == spot[2] + 7950 * UNITS // 100
    moved = door.core.commands.count(records.Command.TRANSFER)
    assert door.change(allotment={"USDT": "20.5"})[0] == 200
    assert door.core.commands.count(records.Command.TRANSFER) == moved
    assert RobotRun.objects.filter(robot="n1").count() == 1


def test_an_allotment_that_the_giver_lacks_moves_nothing(door: Door) -> None:
    """Neither asset moves, and the answer says whose account is short."""
    assert door.open(allotment={"USDT": "100", "BTC": "0.5"})[0] == 201
    before = door.bot
    status, said = door.change(allotment={"BTC": "0.1", "USDT": "9999"})
    assert (status, said) == (400, {"allotment": ["The spot account has less than that free."]})
    assert door.bot == before
    out = records.pack(
        records.Command.WITHDRAW, account=Robot.objects.get(pk="n1").account_id, asset=2,
        amount=60 * UNITS, entry=1 << 40,
    )  # fmt: skip
    door.core.submit(out)
    left = door.bot
    status, said = door.change(allotment={"BTC": "0.1", "USDT": "50"})
    assert (status, said) == (400, {"allotment": ["The robot has less than that free."]})
    assert door.bot == left
    assert not RobotTransfer.objects.filter(seq=0).exists()


def test_another_allotment_on_paper_is_another_run(door: Door) -> None:
    """It begins anew with that; what isn't named is as before, and no money moves."""
    assert door.open(mode="paper", allotment={"USDT": "40", "BTC": "0.1"})[0] == 201
    status, said = door.change(allotment={"USDT": "55"})
    assert (status, said["run"]) == (200, 2)
    assert said["allotment"] == {"USDT": "55", "BTC": "0.1"}
    assert RobotRun.objects.get(robot="n1", number=2).terms == {"cash": "55", "coins": "0.1"}
    assert door.bot == {}


# ---- names


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        ({"id": "n2", "rule": {}, "limit": 5}, "limit", "unknown"),
        ({"id": "n2", "rule": {}, "state": "DONE"}, "state", "unknown"),
        ('{"id": "n2", "id": "n3", "rule": {}}', "id", "twice"),
        ('{"id": "n2", "rule": {}, "allotment": {"USDT": 1, "USDT": 2}}', "USDT", "twice"),
        ('{"id": "n2", "rule": ' + BUYS.replace("{", '{"$do": 1, ', 1) + "}", "$do", "twice"),
        (
            {"id": "n2", "rule": BUYS.replace("{", '{"$do": {"$notify": "x"}, ', 1)},
            "rule",
            "'$do' stands twice",
        ),
    ],
)
def test_what_a_body_says_too_much_is_named(
    door: Door, body: object, field: str, text: str
) -> None:
    """By POST and PATCH: an unknown field, and a name that is there twice, at any depth."""
    status, said = door.ask("POST", "/api/v1/robots/", body)
    assert (status, list(said)) == (400, [field])
    assert text in said[field][0]
    assert not Robot.objects.filter(pk="n2").exists()
    assert door.open()[0] == 201
    status, said = door.ask("PATCH", "/api/v1/robots/n1/", body)
    assert status == 400
    assert Robot.objects.get(pk="n1").rule == BUYS
    assert door.ask("POST", "/api/v1/robots/n1/kill/", {"off": True})[1].keys() == {"off"}


def test_a_client_s_body_says_nothing_that_it_cannot_change(door: Door) -> None:
    """PATCH names what is read-only; PUT takes a whole document back, and nothing beside it."""
    path = "/api/v1/robots/clients/robot-1/"
    for method, body, field, text in (
        ("PATCH", {"cash": 5}, "cash", "can't be changed here; active, config can"),
        ("PATCH", {"locked": True, "active": False}, "locked", "can't be changed"),
        ("PATCH", '{"active": true, "active": false}', "active", "twice"),
        ("PATCH", '{"config": {"buy_on": 1, "buy_on": 2}}', "buy_on", "twice"),
        ("PATCH", {"what": 1}, "what", "unknown"),
        ("PUT", {"what": 1}, "what", "unknown"),
    ):
        status, said = door.ask(method, path, body)
        assert (status, list(said)) == (400, [field]), body
        assert text in said[field][0]
    assert Robot.objects.get(pk="robot-1").is_active
    whole = door.ask("GET", path)[1]
    assert door.ask("PUT", path, {**whole, "active": False})[0] == 200
    assert not Robot.objects.get(pk="robot-1").is_active
    assert Decimal(str(whole["cash"])) == 600


# ---- limits


LIMITS: dict[str, Any] = {
    "day_stop_loss": "1",
    "month_stop_loss": "2.5",
    "month_sell_cap": "3",
    "orders_day_max": 2,
    "order_notional_max": "20",
}


def test_all_five_limits_are_the_core_s_and_told(door: Door) -> None:
    """By POST, in GET and on the page; PATCH changes those that it names, by one command."""
    status, said = door.open(limits=LIMITS, allotment={"USDT": "100"})
    assert (status, said["limits"]) == (201, {**LIMITS, "orders_day_max": "2"})
    account = Robot.objects.get(pk="n1").account_id
    assert door.core.terms(account) == records.RobotTerms(
        cash=2, day_loss_max=UNITS, month_loss_max=250 * UNITS // 100, month_sell_cap=3 * UNITS,
        orders_day_max=2, order_notional_max=20 * UNITS,
    )  # fmt: skip
    text = door.page("/robots/n1/")[1]
    assert "an order may be worth 20 USDT" in text
    assert "a day may have 2 orders" in text
    changed = door.core.commands.count(records.Command.CONFIGURE_ACCOUNT)
    status, said = door.change(limits={"orders_day_max": 0, "order_notional_max": "0.5"})
    assert (status, said["limits"]["order_notional_max"]) == (200, "0.5")
    assert said["limits"].keys() == LIMITS.keys() - {"orders_day_max"}
    assert door.core.commands.count(records.Command.CONFIGURE_ACCOUNT) == changed + 1
    form = {"do": "limits", "day_stop_loss": "7", "orders_day_max": "4"}
    assert door.page("/robots/n1/", **form)[0] == 302
    assert door.core.terms(account) == records.RobotTerms(
        cash=2, day_loss_max=7 * UNITS, orders_day_max=4
    )
    wrong = {"do": "limits", "orders_day_max": "0.5"}
    door.page("/robots/n1/", **wrong)
    assert "Orders of a day must be a whole number" in door.page("/robots/n1/")[1]
    assert door.ask("GET", "/api/v1/robots/n1/")[1]["limits"] == {
        "day_stop_loss": "7", "orders_day_max": "4",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"day": 1}, "day is unknown; known are day_stop_loss, month_stop_loss"),
        ({"symbols": ["BTC"]}, "symbols is unknown"),
        ({"orders_day_max": "1.5"}, "orders_day_max must be a whole number"),
        ({"orders_day_max": -1}, "orders_day_max must be a whole number"),
        ({"orders_day_max": True}, "orders_day_max must be a whole number"),
        ({"order_notional_max": "0.000000001"}, "has more than 8 decimals"),
        ({"month_sell_cap": "many"}, "must be a plain amount"),
        ([], "dictionary"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_and_nothing_moves(
    door: Door, limits: Any, text: str
) -> None:
    """Named with what would be right, by POST and PATCH."""
    status, said = door.open(limits=limits)
    assert (status, list(said)) == (400, ["limits"])
    assert text.lower() in said["limits"][0].lower()
    assert not Robot.objects.filter(pk="n1").exists()
    assert door.open(limits={"day_stop_loss": 1})[0] == 201
    assert door.change(limits=limits)[0] == 400
    assert door.ask("GET", "/api/v1/robots/n1/")[1]["limits"] == {"day_stop_loss": "1"}


def test_the_page_sets_a_bot_to_work_within_limits(door: Door) -> None:
    """The builder's fields are the limits; what is wrong with one stands on the page."""
    form = {"id": "n1", "rule": BUYS, "mode": "live", "cash": "10", "orders_day_max": "x"}
    status, text = door.page("/robots/new/", **form)
    assert (status, "Orders of a day must be a whole number" in text) == (400, True)
    assert door.page("/robots/new/", **{**form, "orders_day_max": "3"})[0] == 302
    terms = door.core.terms(Robot.objects.get(pk="n1").account_id)
    assert terms == records.RobotTerms(cash=2, orders_day_max=3)


def test_the_house_file_takes_them_and_names_another(door: Door) -> None:
    """Of a rule bot the limits alone; of a signal robot the two new ones, too."""
    text = HOUSE.replace("operation_stop_loss = 50.25", "orders_day_max = 7")
    assert "orders_day_max = 7" in text
    robots_of = file.loads(text).members[0].robots
    assert robots_of[0].config["orders_day_max"] == 7
    rule = "kind = 'rule'\nrule = '{}'\nconfig = { %s = 1 }\nactive = false"
    file.loads(HOUSE.replace("active = false", rule % "order_notional_max"))
    with pytest.raises(HouseFileError, match="buy_on is unknown; known are day_stop_loss"):
        file.loads(HOUSE.replace("active = false", rule % "buy_on"))
    path = "/api/v1/robots/clients/robot-1/"
    assert door.ask("PATCH", path, {"config": {"order_notional_max": 30}})[0] == 200
    terms = door.core.terms(Robot.objects.get(pk="robot-1").account_id)
    assert terms is not None
    assert terms.order_notional_max == 30 * UNITS
    assert door.ask("PUT", path, door.ask("GET", path)[1])[0] == 200
    kept = door.core.terms(Robot.objects.get(pk="robot-1").account_id)
    assert kept is not None
    assert kept.order_notional_max == 30 * UNITS


# ---- the newest look


def test_the_newest_look_of_a_rule_that_waits_is_told_until_more_is(door: Door) -> None:
    """In GET, on the page and in the list, with its time; what was decided since says more."""
    waits = (
        '{"$when": {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": 5, "type": "gt"}},'
        ' "$do": {"$notify": "x"}}'
    )
    assert door.open(waits)[0] == 201
    run = RobotRun.objects.get(robot="n1")
    assert door.ask("GET", "/api/v1/robots/n1/")[1]["newest"] is None
    for number, (seen, time_us) in enumerate((("3", 10**15), ("4", 10**15 + 10**7)), 1):
        one = Decision(
            time_us, 0, Code.CONDITION_FALSE, (Look("$", Decimal(seen), Decimal(5), truth=False),)
        )
        text = msgspec.json.encode(one).decode()
        if number == 1:
            RuleDecision.objects.create(
                run=run, number=1, seq=1, time_us=time_us, code=str(one.code), text=text
            )
        else:
            bots.keep_newest({run.pk: text}, confirm=lambda: None)
    said = door.ask("GET", "/api/v1/robots/n1/")[1]
    assert said["newest"]["reason"] == "step 1 waits: BTC last 4 is not above 5"
    assert (said["newest"]["time"], len(said["decisions"])) == (10**12 + 10**4, 1)
    assert "BTC last 4 is not above 5" in door.page("/robots/n1/")[1]
    assert "BTC last 4 is not above 5" in door.page("/robots/")[1]
    RuleDecision.objects.create(
        run=run, number=2, seq=2, time_us=10**15 + 10**8, code="NOTICE", text="x"
    )
    assert door.ask("GET", "/api/v1/robots/n1/")[1]["newest"] is None
