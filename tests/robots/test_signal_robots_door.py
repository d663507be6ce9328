"""What members may ask of signal robots of their own, and what is refused by name.

The compiled core answers; there are no processes: a robot is its row, its runs and its account.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from fondaco.core import records
from fondaco.house import file
from fondaco.house.errors import HouseFileError
from fondaco.identity import services as identity
from fondaco.identity.models import Member, SecurityEntry
from fondaco.identity.security_log import Action
from fondaco.robots import services as robots
from fondaco.robots.models import Operation, Robot, RobotMode, RobotRun, RobotTransfer
from tests.robots.real_core import RealCore
from tests.robots.test_robots import HOUSE
from tests.robots.test_robots_door import Door, door

__all__ = ["door"]

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
PATH: Final = "/api/v1/robots/n1/"
UNITS: Final = 10**8
CONFIG: Final[dict[str, Any]] = {
    "buy_on": "BUY",
    "sell_on": 1,
    "symbols": ["BTC"],
    "operation_amount": "20",
    "operation_stop_loss": 5,
    "day_stop_loss": "50",
    "month_stop_loss": "60",
    "month_sell_cap": "900.5",
    "orders_day_max": 7,
    "order_notional_max": "30",
}
KEPT: Final = {**CONFIG, "sell_on": "SELL", "operation_stop_loss": "5"}


def open_one(door: Door, **more: Any) -> tuple[int, Any]:
    words = {"id": "n1", "kind": "signal", "config": CONFIG, "allotment": {"USDT": "100"}}
    return door.ask("POST", "/api/v1/robots/", {**words, **more})


def begin_operation(*, is_paper: bool = False) -> Operation:
    """Make an operation that is under way."""
    account = Robot.objects.get(pk="n1").account_id
    return Operation.objects.create(
        pk=f"1-{account}", account=account, robot="n1", symbol="BTC", instrument=1,
        status=Operation.Status.AWAITING_SELL, available=1, started_us=1, is_paper=is_paper,
    )  # fmt: skip


def noted(action: Action) -> list[SecurityEntry]:
    """Return what the security log says of the robot n1."""
    rows = SecurityEntry.objects.filter(action=action, details__contains='"n1"')
    return list(rows.order_by("number"))


def modes() -> list[str]:
    return [run.mode for run in RobotRun.objects.filter(robot="n1").order_by("number")]


# ---- opening


def test_a_signal_robot_is_opened_with_all_that_a_config_says(door: Door) -> None:
    """Live its allotment moves, its limits are the core's, and it is there for older programs."""
    spot = door.spot
    status, said = open_one(door)
    assert (status, said["config"], said["mode"]) == (201, KEPT, "live")
    assert (said["kind"], said["active"], said["allotment"]) == ("signal", True, {"USDT": "100"})
    assert (said["operations"], said["decisions"]) == ([], [])
    assert (door.bot, door.spot[2]) == ({2: 100 * UNITS}, spot[2] - 100 * UNITS)
    assert door.core.terms(said["account"]) == records.RobotTerms(
        cash=2, day_loss_max=50 * UNITS, month_loss_max=60 * UNITS, month_sell_cap=9005 * 10**7,
        orders_day_max=7, order_notional_max=30 * UNITS,
    )  # fmt: skip
    assert door.ask("GET", PATH) == (200, said)
    listed = door.ask("GET", "/api/v1/robots/")[1]
    assert {each["id"]: each["kind"] for each in listed}["n1"] == "signal"
    assert door.ask("GET", "/api/v1/robots/clients/n1/")[1]["config"]["buy_on"] == "BUY"
    [opened] = noted(Action.ROBOT_OPENED)
    assert opened.actor == Member.objects.get()


def test_one_on_paper_moves_nothing(door: Door) -> None:
    """Its allotment is a figure, 10,000 of the house's cash where nothing is said."""
    spot = door.spot
    status, said = open_one(door, mode="paper", allotment={"USDT": "5000", "BTC": "0.5"})
    assert (status, said["mode"], said["run"]) == (201, "paper", 1)
    assert said["allotment"] == {"USDT": "5000", "BTC": "0.5"}
    assert (door.bot, door.spot) == ({}, spot)
    assert door.ask("DELETE", PATH)[0] == 204
    assert door.spot == spot
    assert open_one(door, id="n2", mode="paper", allotment={})[1]["allotment"] == {"USDT": "10000"}
    assert RobotRun.objects.get(robot="n2").terms == {"USDT": "10000"}
    assert not RobotTransfer.objects.filter(robot__in=["n1", "n2"]).exists()


@pytest.mark.parametrize(
    ("more", "field", "text"),
    [
        ({"config": {"buy_on": "SELL"}}, "config", "buy_on must be BUY or 1, STRONG_BUY or 2."),
        ({"config": {"colour": 1}}, "config", "colour is unknown; known are buy_on, sell_on"),
        ({"config": {"day_stop_loss": "many"}}, "config", "day_stop_loss must be a plain amount"),
        ({"config": {"orders_day_max": 0.5}}, "config", "orders_day_max must be a whole number"),
        ({"config": {"operation_amount": "1e-9"}}, "config", "has more than 8 decimals"),
        (
            {"config": {"symbols": ["BTC", "XRP"]}},
            "config",
            "symbols has XRP, and there is no order book of it in USDT; there are BTC.",
        ),
        ({"config": []}, "config", "dictionary"),
        ({"config": None}, "config", "null"),
        ({"allotment": {"USDT": "5000"}}, "allotment", "has less than that free"),
        ({"allotment": {"EUR": "1"}}, "allotment", "no EUR"),
        ({"allotment": {"USDT": "0.000000001"}}, "allotment", "8 decimals"),
        ({"id": "robot-1"}, "id", "exists; choose another"),
        ({"id": "overview"}, "id", "24 letters"),
        ({"mode": "dream"}, "mode", "not a valid choice"),
        ({"kind": "what"}, "kind", "Must be rule or signal."),
        ({"kind": ["signal"]}, "kind", "Must be rule or signal."),
        ({"rule": {}}, "rule", "unknown; known are id, kind, allotment, active, mode, config"),
        ({"limits": {}}, "limits", "unknown"),
    ],
)
def test_what_cannot_be_opened_leaves_nothing(
    door: Door, more: dict[str, Any], field: str, text: str
) -> None:
    """Named with what would be right, live as on paper; the id can be used after it."""
    spot = door.spot
    for mode in ("live", "paper"):
        if mode == "paper" and "less than that free" in text:
            continue  # on paper it is a figure
        status, said = open_one(door, **{"mode": mode, "kind": "signal", **more})
        assert (status, list(said)) == (400, [field])
        assert text in said[field][0]
    assert not Robot.objects.filter(pk="n1").exists()
    assert door.spot == spot
    assert open_one(door)[0] == 201


def test_a_name_that_is_said_twice_is_refused(door: Door) -> None:
    """In the config, too, by POST and PATCH."""
    body = '{"id": "n1", "kind": "signal", "config": {"buy_on": 1, "buy_on": 2}}'
    assert door.ask("POST", "/api/v1/robots/", body)[1].keys() == {"buy_on"}
    assert open_one(door)[0] == 201
    twice = '{"config": {"day_stop_loss": 1, "day_stop_loss": 2}}'
    assert door.ask("PATCH", PATH, twice)[1].keys() == {"day_stop_loss"}
    for name in ("rule", "limits", "kind", "colour"):
        status, said = door.change(**{name: {}})
        assert (status, list(said)) == (400, [name])
        assert "known are allotment, active, mode, config" in said[name][0]


# ---- changing


def test_a_config_changes_word_by_word_and_in_the_core(door: Door) -> None:
    """What isn't named stays; limits are changed by one command; a wrong word changes none."""
    open_one(door)
    changed = door.core.commands.count(records.Command.CONFIGURE_ACCOUNT)
    words = {"buy_on": 2, "month_sell_cap": 0, "order_notional_max": "12.5"}
    status, said = door.change(config=words, active=False)
    wanted = {**KEPT, "buy_on": "STRONG_BUY", "month_sell_cap": "0", "order_notional_max": "12.5"}
    assert (status, said["config"], said["active"]) == (200, wanted, False)
    assert door.core.commands.count(records.Command.CONFIGURE_ACCOUNT) == changed + 1
    terms = door.core.terms(said["account"])
    assert terms is not None
    assert (terms.month_sell_cap, terms.order_notional_max) == (0, 125 * 10**7)
    wrong = {"day_stop_loss": 1, "symbols": ["XRP"]}
    status, said = door.change(config=wrong, active=True, allotment={"USDT": "1"}, mode="paper")
    assert (status, list(said)) == (400, ["config"])
    status, said = door.ask("GET", PATH)
    assert (said["config"], said["active"], said["mode"]) == (wanted, False, "live")
    assert door.bot == {2: 100 * UNITS}


def test_a_symbol_whose_book_is_gone_keeps_nothing_from_being_changed(door: Door) -> None:
    """Only one that is new must have a book."""
    open_one(door)
    row = Robot.objects.get(pk="n1")
    row.config["symbols"] = ["OLD"]
    row.save()
    assert door.change(config={"day_stop_loss": 3})[0] == 200
    assert door.change(config={"symbols": ["OLD", "BTC"]})[0] == 200
    assert door.change(config={"symbols": ["OLD", "XRP"]})[0] == 400


def test_another_allotment_moves_the_difference_and_on_paper_begins_anew(door: Door) -> None:
    """Live by the core, either way; on paper another run begins with it, and nothing moves."""
    open_one(door)
    spot = door.spot
    assert door.change(allotment={"USDT": "30"})[1]["allotment"] == {"USDT": "30"}
    assert (door.bot, door.spot[2]) == ({2: 30 * UNITS}, spot[2] + 70 * UNITS)
    status, said = door.change(allotment={"USDT": "9000"})
    assert (status, said) == (400, {"allotment": ["The spot account has less than that free."]})
    open_one(door, id="n2", mode="paper", allotment={"USDT": "40", "BTC": "0.1"})
    said = door.ask("PATCH", "/api/v1/robots/n2/", {"allotment": {"USDT": "55"}})[1]
    assert (said["run"], said["allotment"]) == (2, {"USDT": "55", "BTC": "0.1"})
    assert not RobotTransfer.objects.filter(robot="n2").exists()


# ---- modes


def test_paper_to_live_moves_the_allotment_and_begins_a_live_run(door: Door) -> None:
    """The one that is asked for, or what paper began with; the change is in the security log."""
    spot = door.spot
    open_one(door, mode="paper", allotment={"USDT": "40"})
    changed_us = Robot.objects.get(pk="n1").changed_us
    status, said = door.change(mode="live", allotment={"USDT": "70", "BTC": "0.1"})
    assert (status, said["mode"], said["run"]) == (200, "live", 2)
    assert door.bot == {1: UNITS // 10, 2: 70 * UNITS}
    assert door.spot[2] == spot[2] - 70 * UNITS
    assert Robot.objects.get(pk="n1").changed_us > changed_us, "workers look at rows that changed"
    [changed] = noted(Action.ROBOT_CHANGED)
    assert "run live" in changed.details
    open_one(door, id="n2", mode="paper", allotment={"USDT": "40"})
    assert door.ask("PATCH", "/api/v1/robots/n2/", {"mode": "live"})[1]["allotment"] == {
        "USDT": "40"
    }
    assert RobotRun.objects.get(robot="n2", is_over=False).terms == {}


def test_who_cannot_pay_stays_on_paper(door: Door) -> None:
    """Refused at the allotment; nothing has moved, and no run begun."""
    open_one(door, mode="paper", allotment={"USDT": "40"})
    spot = door.spot
    status, said = door.change(mode="live", allotment={"BTC": "0.1", "USDT": "5000"})
    assert (status, list(said)) == (400, ["allotment"])
    assert (door.bot, door.spot, modes()) == ({}, spot, ["paper"])


def test_an_open_operation_keeps_a_robot_from_paper(door: Door) -> None:
    """409 with what to do; one of paper does not, and neither does one that is closed."""
    open_one(door)
    operation = begin_operation()
    status, said = door.change(mode="paper", config={"day_stop_loss": 1})
    assert (status, list(said)) == (409, ["error"])
    assert "Its operation of BTC is open; wait until a SELL signal or its stop" in said["error"]
    assert Robot.objects.get(pk="n1").config == KEPT
    assert modes() == []
    operation.status = Operation.Status.CLOSED
    operation.save()
    assert door.change(mode="paper")[1]["allotment"] == {"USDT": "10000"}
    assert door.bot == {2: 100 * UNITS}, "what it has stays its own"
    operation.delete()
    begin_operation(is_paper=True)
    assert door.change(mode="live")[0] == 200
    assert door.change(mode="paper")[0] == 200
    assert modes() == ["paper", "live", "paper"]
    assert door.bot == {2: 100 * UNITS}, "its allotment is there already"


def test_the_same_mode_again_begins_nothing(door: Door) -> None:
    """Live without a run is live; an asked mode that it has changes nothing."""
    open_one(door)
    assert door.change(mode="live")[0] == 200
    assert modes() == []
    open_one(door, id="n2", mode="paper")
    assert door.ask("PATCH", "/api/v1/robots/n2/", {"mode": "paper"})[1]["run"] == 1


# ---- ending, and whose it is


def test_one_that_ends_gives_everything_back(door: Door) -> None:
    """By DELETE; its id is known to nobody after it."""
    spot = door.spot
    open_one(door)
    assert door.ask("DELETE", PATH)[0] == 204
    assert door.spot == spot
    assert door.ask("GET", PATH)[0] == 404
    assert door.page("/robots/n1/")[0] == 404


def test_another_member_s_robot_is_unknown(door: Door) -> None:
    """By every method, page and API, as one that isn't there."""
    open_one(door)
    bob = identity.create_member(username="bob", email="bob@example.com", password="")
    identity.open_account(door.core, member=bob)
    door.browser.force_login(bob)
    assert door.ask("GET", "/api/v1/robots/")[1] == []
    for method in ("GET", "PATCH", "DELETE"):
        assert door.ask(method, PATH, {"active": False})[0] == 404
    assert door.page("/robots/n1/", do="end")[0] == 404
    assert Robot.objects.get(pk="n1").is_active


# ---- the house file


def test_the_house_file_puts_robots_on_paper() -> None:
    """Of both kinds: no money moves, and a second start changes nothing; live is the default."""
    rule = '{"$do": {"$order": {"kind": "MARKET", "intent": "BUY", "ticker": "BTC", "spend": 2}}}'
    text = HOUSE.replace('id = "robot-1"\n', 'id = "robot-1"\nmode = "paper"\n').replace(
        "active = false", f"active = false\nmode = 'paper'\nkind = 'rule'\nrule = '{rule}'"
    )
    core, house = RealCore(), file.loads(text)
    identity.apply_house(house, core)
    for _ in range(2):
        robots.apply_house(house, core)
    found = {run.robot_id: (run.mode, run.terms) for run in RobotRun.objects.all()}
    assert found == {
        "robot-1": (RobotMode.PAPER, {"USDT": "600", "BTC": "0.25"}),
        "robot-2": (RobotMode.PAPER, {"cash": "10000", "coins": "0"}),
    }
    assert not RobotTransfer.objects.exists()
    with pytest.raises(HouseFileError, match="mode"):
        file.loads(text.replace('"paper"', '"dream"'))
    plain = file.loads(HOUSE).members[0].robots[0]
    assert plain.mode == "live"
