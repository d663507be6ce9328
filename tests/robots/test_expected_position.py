"""A hook's guard: an alert that expects a position counts only if the robots have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from django.test import Client as Visitor

from fondaco.identity.models import Member
from fondaco.robots.hub import services
from fondaco.robots.hub.messages import Incoming
from fondaco.robots.hub.operations import Operations
from fondaco.robots.hub.refusals import BUY_WAIT_S
from fondaco.robots.models import HookAlert, Operation, Robot
from tests.robots.hub_field import HubField

pytestmark = pytest.mark.django_db
CONFIG: Final = "buy_on = 1, sell_on = 1, operation_amount = 100"
ROBOTS: Final = "".join(
    f'[[members.robots]]\nid = "{name}"\nactive = {active}\nallotment = {{ USDT = "1000" }}\n'
    f'config = {{ {CONFIG}, symbols = ["{symbol}"] }}\n'
    for name, symbol, active in (
        ("mine", "BTC", "true"),
        ("of-another-symbol", "ETH", "true"),
        ("resting", "BTC", "false"),
    )
)
EVE: Final = (
    '[[members]]\nusername = "eve"\nemail = "eve@example.com"\nbalances = { USDT = "1000" }\n'
    '[[members.robots]]\nid = "eve-s"\nallotment = { USDT = "1000" }\n'
    f'config = {{ {CONFIG}, symbols = ["BTC"] }}\n'
)
LONG, FLAT = "it expects long, and mine is flat in BTC", "it expects flat, and mine is long in BTC"
MUST: Final = 'expected_position "short" must be flat or long'
# What the robot has, what the alert expects, and why it is refused.
CASES: Final = [
    ("flat", "flat", ""),
    ("flat", "none", ""),
    ("flat", "long", LONG),
    ("flat", "Long", LONG),
    ("flat", "short", MUST),
    ("flat", "", ""),
    ("long", "long", ""),
    ("long", "flat", FLAT),
    ("long", "none", FLAT),
    ("long", "", ""),
    ("buying", "flat", ""),
    ("buying", "long", LONG),
]


class Guarded:
    """Bob's robots and two hooks of his, one that checks positions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.field = HubField(monkeypatch, ROBOTS + EVE)
        self.field.trade(20000)
        self.field.quote(19990, 20010)
        bob = Member.objects.get(username="bob")
        self.hook, self.token = services.add_hook(bob, name="checks", checks_position=True)
        self.careless, _ = services.add_hook(bob, name="doesn't")
        self._key = 0

    def stand(self, position: str) -> None:
        """Have every active robot be flat, have bought, or wait for somebody to buy from."""
        if position == "buying":
            self.field.core.submit(self.field.cancel_all())
        if position != "flat":
            self.field.signal(1)
            self.field.turn()
        kinds = {"flat": set(), "long": {2}, "buying": {1}}[position]
        found = Operation.objects.filter(robot="mine").values_list("status", flat=True)
        names = {Operation.Status.AWAITING_BUY: 1, Operation.Status.AWAITING_SELL: 2}
        assert {names[Operation.Status(each)] for each in found} == kinds

    def post(self, action: str, expected: str, hook: Any = None) -> HookAlert:
        self._key += 1
        body = f'{{"action": "{action}", "key": "k{self._key}"'
        if expected:
            body += f', "prev_market_position": "{expected}"'
        return services.take_alert(hook or self.hook, body + "}")

    def settled(self, row: HookAlert) -> tuple[str, str]:
        self.field.turn()
        row.refresh_from_db()
        return row.state, row.reason


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> Guarded:
    return Guarded(monkeypatch)


@pytest.mark.parametrize(("position", "expected", "reason"), CASES)
def test_an_alert_counts_if_the_robots_stand_as_it_expects(
    guarded: Guarded, position: str, expected: str, reason: str
) -> None:
    """Otherwise it is refused and says which robot stands how; nothing is bought or sold."""
    guarded.stand(position)
    before = guarded.field.operations()
    row = guarded.post("buy" if expected != "long" else "sell", expected)
    state = "refused" if reason else "taken"
    assert guarded.settled(row) == (state, reason)
    assert bool(row.signal) == (not reason)
    if reason:
        assert guarded.field.operations() == before


def test_a_hook_that_does_not_check_takes_it(guarded: Guarded) -> None:
    """The guard is a hook's own choice."""
    assert guarded.settled(guarded.post("sell", "long", guarded.careless)) == ("taken", "")


def test_only_the_member_s_active_robots_of_the_symbol_are_asked(guarded: Guarded) -> None:
    """Robots that rest, of another symbol or of another member, stand as they will."""
    guarded.stand("long")
    Robot.objects.filter(pk="mine").update(is_active=False, changed_us=services.wall_us())
    Robot.objects.filter(pk="resting").update(is_active=True, changed_us=services.wall_us())
    row = guarded.post("buy", "flat")
    assert guarded.settled(row) == ("taken", "")  # eve's is long, and so is mine that rests
    assert guarded.field.reasons(row.signal)["resting"] == "TRIGGERED"


def test_robots_on_paper_are_asked_only_where_there_is_no_other(guarded: Guarded) -> None:
    """A robot that tries a rule on paper holds up no exit of one with money."""
    guarded.stand("long")
    Robot.objects.filter(pk="resting").update(is_active=True, changed_us=services.wall_us())
    guarded.field.on_paper("resting", USDT="1000")
    assert guarded.settled(guarded.post("sell", "long")) == ("taken", "")
    Robot.objects.filter(pk="mine").update(is_active=False, changed_us=services.wall_us())
    said = "it expects long, and resting is flat in BTC"
    assert guarded.settled(guarded.post("sell", "long")) == ("refused", said)


def test_replayed_by_hand_it_is_asked_again(guarded: Guarded) -> None:
    """Refused while flat; once the robot has bought, the same alert sells."""
    row = guarded.post("sell", "long")
    assert guarded.settled(row) == ("refused", LONG)
    guarded.stand("long")
    again = services.replay_alert(row)
    assert guarded.settled(again) == ("taken", "")
    assert guarded.field.reasons(again.signal)["mine"] == "TRIGGERED"


def test_alerts_that_come_together_are_asked_one_after_another(guarded: Guarded) -> None:
    """Buy and sell wait together: the second is read when the first has been judged, and counts."""
    rows = [guarded.post("buy", "flat"), guarded.post("sell", "long"), guarded.post("buy", "flat")]
    guarded.field.turn(6)
    for row in rows:
        row.refresh_from_db()
    assert [(row.state, row.reason) for row in rows] == [("taken", "")] * 3
    told = [guarded.field.reasons(row.signal)["mine"] for row in rows]
    assert told == ["TRIGGERED"] * 3
    statuses = [each[1] for each in guarded.field.operations() if each[0] == "mine"]
    assert statuses == [Operation.Status.CLOSED, Operation.Status.AWAITING_SELL]


def test_an_alert_is_answered_before_anybody_reads_it(guarded: Guarded) -> None:
    """No worker runs and 300 wait: 202 with the alert's number, and the row waits as they do."""
    for _ in range(300):
        guarded.post("buy", "flat")
    answer = Visitor().post(
        f"/api/v1/hooks/in/{guarded.token}/",
        {"action": "buy", "key": "last", "expected_position": "flat"},
        content_type="application/json",
    )
    assert answer.status_code == 202
    assert HookAlert.objects.get(pk=answer.json()["alert"]).state == "waiting"
    assert HookAlert.objects.filter(state="waiting").count() == 301


@pytest.mark.parametrize("first", ["buy", "sell"])
def test_what_another_worker_has_yet_to_try_is_waited_for(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """An operation is stored with the mark and driven after: what comes between waits for it."""
    before, after = ("flat", "long") if first == "buy" else ("long", "flat")
    guarded.stand(before)
    drive = Operations.drive
    told: list[str] = []

    def late(self: Operations, steps: Any, held: Any) -> None:
        if not told:  # the other worker reads the next alert in this moment
            services.settle_alerts("USDT")
            told.append(HookAlert.objects.get(pk=second.pk).state)
        drive(self, steps, held)

    guarded.post(first, before)
    second = guarded.post("sell" if first == "buy" else "buy", after)
    monkeypatch.setattr(Operations, "drive", late)
    guarded.field.turn(4)
    assert told == ["waiting"]
    assert guarded.settled(second) == ("taken", "")


def test_what_nobody_drives_is_not_waited_for_for_ever(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operation that stays untried holds an alert up as long as a purchase may take."""
    Operation.objects.create(
        id="0-0", account=0, robot="mine", symbol="BTC", instrument=1, available=1,
        status=Operation.Status.AWAITING_BUY, started_us=0,
    )  # fmt: skip
    row = guarded.post("sell", "long")
    assert guarded.settled(row) == ("waiting", "")
    later_us = row.received_us + BUY_WAIT_S * 1_000_000
    monkeypatch.setattr(services, "wall_us", lambda: later_us)
    assert guarded.settled(row) == ("refused", LONG)


def test_alerts_that_must_wait_hold_up_no_other_hook(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of a hook wait than a turn reads: another's are read, in order, and its own stay."""
    monkeypatch.setattr(services, "ALERTS_A_TURN", 4)
    monkeypatch.setattr(services, "ALERTS_TOGETHER", 2)
    services.take_signal(Incoming(symbol="BTC", strength=1, timestamp_us=1), source="before")
    held = [guarded.post("buy", "flat").pk for _ in range(9)]
    others = [guarded.post("buy", "", guarded.careless).pk for _ in range(5)]
    assert [services.settle_alerts("USDT") for _ in range(3)] == [4, 1, 0]
    waiting = HookAlert.objects.filter(state="waiting").order_by("pk")
    assert list(waiting.values_list("pk", flat=True)) == held
    signals = list(HookAlert.objects.filter(pk__in=others).values_list("signal", flat=True))
    assert signals == sorted(signals)
    assert 0 not in signals


def _expects_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(services, "_unexpected", lambda _hook, _alert: "")


def _asks_the_other_way(patch: pytest.MonkeyPatch) -> None:
    ask = services._unexpected
    patch.setattr(services, "_unexpected", lambda hook, alert: "" if ask(hook, alert) else FLAT)


def _counts_what_is_being_bought(patch: pytest.MonkeyPatch) -> None:
    class Status:
        AWAITING_BUY = AWAITING_SELL = Operation.Status.AWAITING_BUY

    class Planted:
        objects = Operation.objects

    Planted.Status = Status  # type: ignore[attr-defined]
    patch.setattr(services, "Operation", Planted)


@pytest.mark.parametrize(
    ("plant", "position", "expected"),
    [
        (_expects_nothing, "flat", "long"),
        (_asks_the_other_way, "flat", "flat"),
        (_counts_what_is_being_bought, "long", "long"),
    ],
)
def test_a_guard_that_asks_wrongly_is_caught(
    plant: Callable[[pytest.MonkeyPatch], None],
    position: str,
    expected: str,
    guarded: Guarded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Planted: each fails one of the cases above."""
    guarded.stand(position)
    row = guarded.post("sell", expected)
    plant(monkeypatch)
    reason = next(why for has, said, why in CASES if (has, said) == (position, expected))
    assert guarded.settled(row) != ("refused" if reason else "taken", reason)


def test_a_guard_that_asks_too_early_is_caught(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: what came before isn't waited for. The sale after the purchase is lost."""
    monkeypatch.setattr(services, "_has_unjudged", lambda _row: False)
    guarded.post("buy", "flat")
    assert guarded.settled(guarded.post("sell", "long")) == ("refused", LONG)
