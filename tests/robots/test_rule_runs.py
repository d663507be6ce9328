"""Runs of rule bots that end, that come late, or that leave nobody: no order is lost to anyone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from fondaco.core.records import Command, Side, TimeInForce, unpack
from fondaco.link.answers import LinkError, Overloaded, Unanswered
from fondaco.robots.bots import roster, services
from fondaco.robots.models import Robot, RobotRun, RuleOrder
from fondaco.robots.rules.validation import RuleError, read_rule
from tests.robots import rule_lives
from tests.robots.rule_lives import HOUSE, House, Killed, Life, live

pytestmark = pytest.mark.django_db

RESTS = """{"$do": {"$order": {"kind": "LIMIT", "intent": "BUY", "ticker": "BTC", "bid": 20.00,
    "shares": 5}}}"""
GOES_ON = """{"$do": {"$order": {"kind": "LIMIT", "intent": "BUY", "ticker": "BTC", "bid": 20.30,
    "shares": 5}}, "$then": {"$do": {"$order": {"kind": "LIMIT", "intent": "SELL",
    "ticker": "BTC", "ask": 29, "shares": 1}}}}"""
PAIR = """{"$do": {"$order": {"kind": "OCO", "intent": "BUY", "ticker": "BTC", "bid": 20.30,
    "stop": 25, "shares": 5}}, "$then": {"$do": {"$notify": "in"}}}"""


def quiet(house: House) -> Callable[[], None]:
    return partial(house.move, 2045, 9)


def sells(house: House) -> None:
    """Sell to all that bids above 20.29."""
    house.order(house.bob, Side.SELL, 2030, 200, TimeInForce.IOC)


def line_of(name: str) -> dict[str, Any]:
    row = RuleOrder.objects.get(client_order_id=name)
    line: dict[str, Any] = json.loads(row.line)
    assert row.is_open is (line["status"] in {"SENT", "NEW", "PARTIALLY_FILLED"})
    return line


def refuse_cancels(patch: pytest.MonkeyPatch, house: House, error: LinkError) -> None:
    """Let the next cancel of a robot fail: Overloaded is not done, Unanswered is."""
    submit = house.submit
    errors = [error]

    def busy(record: bytes) -> bytes:
        words = unpack(record)
        cancels = words["kind"] in {Command.CANCEL_ALL, Command.CANCEL_ORDER}
        if errors and cancels and words["account"] not in {house.bob, house.cat}:
            if isinstance(errors[0], Unanswered):
                submit(record)
            raise errors.pop()
        return submit(record)

    patch.setattr(house, "submit", busy)


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_orders_of_a_run_that_ended_while_no_worker_was_there_are_cancelled(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are no more before the next run has its first; what the core says of them is kept."""
    house = House({"bot": ("live", RESTS)})
    live(monkeypatch, house, quiet(house))
    assert house.open_orders("bot") == ["bot-1"]
    services.begin_run(Robot.objects.get(pk="bot"), mode=mode, terms={"cash": "10000"})
    live(monkeypatch, house, quiet(house))
    assert house.open_orders("bot") == (["bot-r2-1"] if mode == "live" else [])
    line = line_of("bot-1")
    assert (line["status"], line["reason"]) == ("CANCELED", "its run is over")


@pytest.mark.parametrize("error", [Overloaded("busy"), Unanswered("lost")], ids=str)
@pytest.mark.parametrize("ends", ["another run", "its end"])
def test_a_cancel_that_fails_is_made_again(
    ends: str, error: LinkError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends beside its worker is let go only when the house has answered."""
    house = House({"bot": ("live", RESTS)})
    robot = Robot.objects.get(pk="bot")

    def end() -> None:
        if ends == "another run":
            services.begin_run(robot)
        else:
            Robot.objects.filter(pk="bot").update(closed_at=timezone.now())

    live(monkeypatch, house, quiet(house))
    refuse_cancels(monkeypatch, house, error)
    with contextlib.suppress(LinkError):  # it ends the connection
        live(monkeypatch, house, end, quiet(house))
    assert line_of("bot-1")["status"] == "NEW"
    live(monkeypatch, house, quiet(house))
    assert house.open_orders("bot") == (["bot-r2-1"] if ends == "another run" else [])
    assert line_of("bot-1")["status"] == "CANCELED"


def killed(life: Life, _commands: list[bytes]) -> list[bytes | LinkError]:
    life.held.lost.set()
    raise Killed


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "never told"])
def test_what_a_run_got_before_it_ended_is_kept(
    is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filled while no worker was there, it is filled; what the house never had is canceled."""
    house = House({"bot": ("live", GOES_ON)})
    with monkeypatch.context() as patch:
        if not is_told:
            patch.setattr(Life, "submit_many", killed)
        live(patch, house, quiet(house))
    assert house.open_orders("bot") == (["bot-1"] if is_told else [])
    sells(house)
    services.begin_run(Robot.objects.get(pk="bot"), mode="paper", terms={})
    live(monkeypatch, house, quiet(house))
    line = line_of("bot-1")
    told = ("FILLED", "5") if is_told else ("CANCELED", "0")
    assert (line["status"], line["filled"]) == told
    assert house.open_orders("bot") == []


def unreadable(patch: pytest.MonkeyPatch, *texts: str) -> None:
    """Let these rules be ones that this worker can't run."""

    def found(text: str) -> Any:
        if text in texts:
            raise RuleError("$", "install what it names")
        return read_rule(text)

    patch.setattr(roster, "read_rule", found)


@pytest.mark.parametrize("dies", ["told", "kept"])
@pytest.mark.parametrize(("rule", "stands"), [(GOES_ON, "ORDERED"), (PAIR, "DONE")])
def test_a_run_that_comes_late_hears_what_it_missed(
    rule: str, stands: str, dies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its order filled while a worker could not read it: it goes on, and tells nothing twice."""
    house = House({"bot": ("live", rule), "other": ("live", RESTS)})

    def is_told() -> bool:
        return dies == "told" and "bot-1" in house.open_orders("bot")

    live(monkeypatch, house, quiet(house), ends=is_told)
    assert "bot-1" in house.open_orders("bot")
    with monkeypatch.context() as patch:
        unreadable(patch, rule)
        live(patch, house, quiet(house), partial(sells, house), quiet(house))
    run = RobotRun.objects.get(robot_id="bot")
    assert run.fault == "$: install what it names"
    assert line_of("bot-1")["status"] == ("SENT" if dies == "told" else "NEW")
    live(monkeypatch, house, quiet(house))
    run.refresh_from_db()
    assert (run.fault, run.outbox) == ("", "[]")
    assert json.loads(run.state)["phase"] == stands
    assert (line_of("bot-1")["status"], line_of("bot-1")["filled"]) == ("FILLED", "5")
    assert house.open_orders("bot") == (["bot-2"] if rule == GOES_ON else [])
    if rule == PAIR:
        assert line_of("bot-2")["reason"] == "ended by bot-1"
    house.move(2045, 9)
    life = live(monkeypatch, house)  # it was seen by the checkpoint since, and is late no more
    assert life.from_seq > 0
    assert json.loads(RobotRun.objects.get(robot_id="bot").state) == json.loads(run.state)


def test_paper_that_comes_late_obeys_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thrown while a worker could not read it, the kill switch has cancelled what it has open."""
    house = House({"bot": ("paper", RESTS), "other": ("live", GOES_ON)})
    live(monkeypatch, house, quiet(house))
    assert line_of("bot-1")["status"] == "NEW"
    with monkeypatch.context() as patch:
        unreadable(patch, RESTS)
        live(patch, house, quiet(house), partial(house.switch, 1), quiet(house))
    live(monkeypatch, house, quiet(house))
    assert line_of("bot-1")["status"] == "CANCELED"


def test_with_no_bots_a_start_reads_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happened since the last bot ended is nobody's; the next one begins with now."""
    house = House({"bot": ("live", RESTS)})
    assert live(monkeypatch, house, quiet(house)).from_seq == -1
    assert live(monkeypatch, house, quiet(house)).from_seq > 0
    ends = partial(Robot.objects.filter(pk="bot").update, closed_at=timezone.now())
    live(monkeypatch, house, ends, quiet(house))
    assert live(monkeypatch, house, quiet(house)).from_seq == -1
    Robot.objects.filter(pk="bot").update(closed_at=None)
    services.begin_run(Robot.objects.get(pk="bot"))
    live(monkeypatch, house, quiet(house))
    assert house.open_orders("bot") == ["bot-r2-1"]


def test_one_that_is_off_from_the_beginning_asks_for_no_checkpoints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing of it is to be kept, so the only checkpoint is the one at the worker's end."""
    house = House({"bot": ("live", RESTS)})
    Robot.objects.update(is_active=False)
    kept: list[int] = []
    keep = services.keep_checkpoint

    def counted(**named: Any) -> None:
        kept.append(named["seq"])
        keep(**named)

    monkeypatch.setattr(services, "keep_checkpoint", counted)
    live(monkeypatch, house, quiet(house), quiet(house), checkpoint_s=1e9)
    assert len(kept) <= 2


OTHER = """
[[instruments]]
symbol = "ETHUSD"
base = "ETH"
quote = "USD"
market = "book"
tick_size = "0.01"
lot_size = "0.1"
"""
BY_ANOTHER = """{"$when": {"$comparison": {"itemA": {"$ticker": "ETH"}, "itemB": 11, "type": "gt"}},
    "$do": {"$order": {"kind": "MARKET", "intent": "BUY", "ticker": "BTC", "shares": 1}}}"""


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_a_market_that_is_traded_and_not_read_is_seen(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """A rule reads ETH and buys BTC: its order finds a price, live and on paper."""
    rich = HOUSE.replace('BTC = "1000000"', 'BTC = "1000000", ETH = "1000"')
    monkeypatch.setattr(rule_lives, "HOUSE", rich + OTHER)
    house = House({"bot": (mode, BY_ANOTHER)})

    def rises() -> None:
        house.time_us += 1_000_000
        for account, side, force in (
            (house.bob, Side.SELL, TimeInForce.GTC),
            (house.cat, Side.BUY, TimeInForce.IOC),
        ):
            house.order(account, side, 1150, 5, force, instrument=2)

    live(monkeypatch, house, quiet(house), rises, quiet(house))
    line = line_of("bot-1")
    assert (line["status"], line["reason"]) == ("FILLED", "")
