"""The hub over time: workers that follow a killed one, signals that wait, come late, or twice."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from fondaco.core import records
from fondaco.core.records import Command, Event
from fondaco.identity.models import Member
from fondaco.link.answers import Unanswered
from fondaco.robots.hub import services, steps, worker
from fondaco.robots.hub.messages import Incoming
from fondaco.robots.hub.operations import Operations
from fondaco.robots.hub.roster import share_of
from fondaco.robots.hub.steps import BUY_WAIT_US, Step
from fondaco.robots.models import Decision, Lease, Operation, Robot
from tests.robots.hub_field import HubField

pytestmark = pytest.mark.django_db
Status = Operation.Status
CONFIG = (
    '[[members.robots]]\nid = "r{number}"\nallotment = {{ USDT = "1000" }}\n'
    'config = {{ buy_on = 2, sell_on = 1, symbols = ["BTC"], operation_amount = 100{more} }}\n'
)
NAMES = [f"r{number}" for number in range(4)]


@pytest.fixture
def field(monkeypatch: pytest.MonkeyPatch) -> HubField:
    """Four robots, and a market at 20000."""
    return make_field(monkeypatch)


def make_field(monkeypatch: pytest.MonkeyPatch, more: str = "") -> HubField:
    lines = [CONFIG.format(number=number, more=more) for number in range(4)]
    made = HubField(monkeypatch, "".join(lines))
    made.trade(20000)
    made.quote(19990, 20010)
    return made


def killed(field: HubField) -> None:
    """Have a new worker follow one that gave nothing back."""
    Lease.objects.update(until_us=0)
    field.start()


def test_a_lock_that_a_killed_worker_left_is_nobody_s(
    field: HubField, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It died between the locks and the decisions: the next acts at once, for every client."""

    def die(*_: Any, **__: Any) -> None:
        raise Unanswered("the worker is gone")

    monkeypatch.setattr(field.hub, "_store", die)
    monkeypatch.setattr(field.hub._locks, "release", lambda _: None)
    signal = field.signal(2)
    with pytest.raises(Unanswered):
        field.turn()
    killed(field)
    field.turn()
    assert field.reasons(signal) == dict.fromkeys(NAMES, "TRIGGERED")
    assert [field.buys(name) for name in NAMES] == [1] * 4


def test_what_is_being_sold_is_not_sold_again(field: HubField) -> None:
    """While nobody buys from it a second SELL is told of the operation; one sale comes of both."""
    field.signal(2)
    field.turn()
    field.core.submit(field.cancel_all())
    first, second = field.signal(-1), field.signal(-1)
    field.turn()
    assert set(field.reasons(first).values()) == {"TRIGGERED"}
    assert set(field.reasons(second).values()) == {"OPERATION_OPEN"}
    assert {row.sell_signal for row in Operation.objects.all()} == {first}
    field.quote(19990, 20010)
    field.hub._operations._due = [(0.0, pk) for pk in field.hub._operations._steps]
    field.turn()
    assert {row[1:] for row in field.operations()} == {(Status.CLOSED, "SIGNAL")}


def test_a_piece_is_known_though_a_slower_worker_wrote_after_it(
    field: HubField, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half was judged as the worker died, and another then wrote of an older signal: none twice."""
    older = field.signal(2)
    field.turn()
    monkeypatch.setattr(worker, "TRIGGERED_MAX", 1)
    store, left = field.hub._store, [2]

    def store_twice(*args: Any, **words: Any) -> None:
        if not left[0]:
            raise Unanswered("the worker is gone")
        left[0] -= 1
        store(*args, **words)

    monkeypatch.setattr(field.hub, "_store", store_twice)
    signal = field.signal(-1)
    with pytest.raises(Unanswered):
        field.turn()
    assert len(field.reasons(signal)) == 2
    row = Decision.objects.filter(signal=older).first()
    assert row is not None
    row.pk, row.account = None, 1_000_000
    row.save()
    killed(field)
    field.turn(6)
    assert field.reasons(signal) == dict.fromkeys(NAMES, "TRIGGERED")
    assert {row[1:] for row in field.operations()} == {(Status.CLOSED, "SIGNAL")}


def test_what_waited_too_long_sets_nobody_going(
    field: HubField, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no worker ran two signals came; the older one is too late for all, and says how old."""
    now_us = services.wall_us()
    times = iter([now_us, now_us + 10_000_000])
    monkeypatch.setattr(services, "wall_us", lambda: next(times))
    late, young = field.signal(2), field.signal(2)
    monkeypatch.setattr(services, "wall_us", lambda: now_us + 121_000_000)
    field.turn()
    assert field.reasons(late) == dict.fromkeys(NAMES, "TOO_LATE")
    assert field.reasons(young) == dict.fromkeys(NAMES, "TRIGGERED")
    assert set(Decision.objects.filter(signal=late).values_list("had", "needed")) == {(121, 120)}


def test_an_alert_is_as_old_as_it_came(field: HubField, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that no worker read for an hour is an hour old as a signal; by hand it is new."""
    hook, _ = services.add_hook(Member.objects.get(username="bob"), name="chart")
    row = services.take_alert(hook, '{"action": "strong_buy", "key": "k"}')
    now_us = row.received_us + 3_600_000_000
    monkeypatch.setattr(services, "wall_us", lambda: now_us)
    field.turn()
    row.refresh_from_db()
    assert set(field.reasons(row.signal).values()) == {"TOO_LATE"}
    again = services.take_alert(hook, '{"action": "strong_buy", "key": "k2"}', is_replay=True)
    field.turn()
    again.refresh_from_db()
    assert set(field.reasons(again.signal).values()) == {"TRIGGERED"}


def test_an_alert_s_own_time_is_looked_at_as_it_comes(field: HubField) -> None:
    """Old by it, TOO_LATE and nobody acts; ahead of us, refused; by hand both count."""
    hook, _ = services.add_hook(Member.objects.get(username="bob"), name="chart")
    now = dt.datetime.now(dt.UTC)
    rows = {}
    for age_s in (3_600, -3_600, 30, -30):
        said = (now - dt.timedelta(seconds=age_s)).isoformat()
        body = f'{{"action": "strong_buy", "key": "{age_s}", "time": "{said}"}}'
        rows[age_s] = services.take_alert(hook, body)
    field.turn()
    for row in rows.values():
        row.refresh_from_db()
    states = [row.state for row in rows.values()]
    assert states == ["refused", "refused", "taken", "taken"]
    assert re.fullmatch(r"TOO_LATE: 36\d\d s old when it came, at most 120 s", rows[3_600].reason)
    assert re.fullmatch(
        r"time is 3[56]\d\d s ahead of the house's clock, at most 60 s", rows[-3_600].reason
    )
    assert not rows[3_600].signal
    again = [services.replay_alert(rows[3_600]), services.replay_alert(rows[-3_600])]
    field.turn()
    for row in again:
        row.refresh_from_db()
        assert row.state == "taken"
        assert "TOO_LATE" not in field.reasons(row.signal).values()


def test_a_buying_that_was_never_sent_is_not_sent_late(
    field: HubField, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute without a worker between decision and order: the operation fails, and says why."""

    def die(*_: Any) -> None:
        raise Unanswered("the worker is gone")

    monkeypatch.setattr(field.hub._operations, "drive", die)
    field.signal(2)
    with pytest.raises(Unanswered):
        field.turn()
    field.core.time_us += BUY_WAIT_US
    killed(field)
    field.turn(6)
    assert {row[1:] for row in field.operations()} == {(Status.FAILED, "TOO_LATE")}
    assert [field.buys(name) for name in NAMES] == [0] * 4


def test_an_alert_of_a_bar_is_as_old_as_its_close(field: HubField) -> None:
    """Its hour began 61 minutes ago: taken. Two hours ago: too late. Without an interval: too."""
    hook, _ = services.add_hook(Member.objects.get(username="bob"), name="chart")
    now = dt.datetime.now(dt.UTC)
    rows = []
    for minutes, more in (
        *((61, ', "interval": "60"'), (30, ', "interval": "60"'), (120, ', "interval": "60"')),
        *((61, ""), (-2, ', "interval": "60"')),
    ):
        said = (now - dt.timedelta(minutes=minutes)).isoformat()
        body = f'{{"action": "buy", "time": "{said}"{more}}}'
        rows.append(services.take_alert(hook, body))
    field.turn()
    for row in rows:
        row.refresh_from_db()
    assert [row.state for row in rows] == ["taken", "taken", "refused", "refused", "refused"]
    assert re.fullmatch(
        r"TOO_LATE: 36\d\d s since its bar closed when it came, at most 120 s", rows[2].reason
    )
    assert re.fullmatch(r"TOO_LATE: 36\d\d s old when it came, at most 120 s", rows[3].reason)
    assert re.fullmatch(r"time is \d+ s ahead of the house's clock, at most 60 s", rows[4].reason)


def die_at_an_order(field: HubField, monkeypatch: pytest.MonkeyPatch, *, sent: bool) -> None:
    """Kill the worker at its first orders: before they go out, or before their answers come."""
    submit_many = field.core.submit_many

    def submit(commands: Any) -> Any:
        orders = int.from_bytes(commands[0][:2], "little") == Command.ROBOT_ORDER
        answers = submit_many(commands) if sent or not orders else []
        if orders:
            raise SystemExit("killed")
        return answers

    with monkeypatch.context() as dying:
        dying.setattr(field.core, "submit_many", submit)
        dying.setattr(field.hub._locks, "release", lambda _: None)
        with pytest.raises(SystemExit):
            field.turn()
    killed(field)


def check_the_records(field: HubField) -> None:
    """One operation of each client, and it says to the unit what its orders gave."""
    fills = field.history.events(Event.FILL)
    rows = list(Operation.objects.all())
    assert len(rows) == len(NAMES)
    for op in rows:
        ours = [each for each in fills if each["account"] == op.account]
        bought, sold = ([one for one in ours if one["side"] == side] for side in (1, 2))
        assert len({one["order_id"] for one in sold}) == 1, "sold twice"
        assert op.bought_lots == sum(one["last_lots"] for one in bought)
        assert op.spent == sum(one["last_quote"] for one in bought)
        assert op.proceeds == sum(one["last_quote"] - one["fee"] for one in sold)
        assert op.sold_lots == sum(one["last_lots"] for one in sold)


@pytest.mark.parametrize("more", ["", ", operation_stop_loss = 10"])
def test_a_sell_while_a_buying_is_unsure_ends_what_it_bought(
    monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    """Killed with its buying sent and not answered: a SELL sells it once, and it says for what."""
    field = make_field(monkeypatch, more)
    field.signal(2)
    die_at_an_order(field, monkeypatch, sent=True)
    signal = field.signal(-1)
    field.turn(6)
    assert field.reasons(signal) == dict.fromkeys(NAMES, "TRIGGERED")
    assert {row[1:] for row in field.operations()} == {(Status.CLOSED, "SIGNAL")}
    assert set(Operation.objects.values_list("sell_signal", flat=True)) == {signal}
    check_the_records(field)


def test_an_unsure_buying_that_is_given_up_is_caught(
    field: HubField, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the SELL takes it for one that has bought nothing."""
    field.signal(2)
    die_at_an_order(field, monkeypatch, sent=True)
    find = Operations.of

    def of(self: Operations, account: int, symbol: str) -> Step | None:
        step = find(self, account, symbol)
        if step is not None:
            step.is_unsure = False
        return step

    monkeypatch.setattr(Operations, "of", of)
    field.signal(-1)
    field.turn(6)
    with pytest.raises(AssertionError):
        check_the_records(field)


def give_coin(field: HubField) -> None:
    for row in Robot.objects.all():
        gift = {"account": field.ann, "to_account": row.account_id, "asset": 1, "amount": 10**8}
        given = records.pack(Command.TRANSFER, **gift, entry=1_000 + row.account_id)
        assert not field.core.reasons(field.core.submit(given))
    field.turn(1)


def test_a_sell_after_a_buying_that_was_never_sent_sells_other_coin(
    field: HubField, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before its buying went out: it buys no more; the client's other coin is sold once."""
    give_coin(field)
    field.signal(2)
    die_at_an_order(field, monkeypatch, sent=False)
    field.signal(-1)
    field.turn(6)
    assert {row[1:] for row in field.operations()} == {(Status.CLOSED, "SIGNAL")}
    assert [field.buys(name) for name in NAMES] == [0] * 4
    check_the_records(field)


@pytest.mark.parametrize("with_coin", [False, True])
def test_a_stop_that_is_reached_as_a_signal_sells_is_counted(
    monkeypatch: pytest.MonkeyPatch, with_coin: bool
) -> None:
    """The hub hears of it only at the refusal of its cancel: what it sold is in the record."""
    field = make_field(monkeypatch, ", operation_stop_loss = 10")
    field.signal(2)
    field.turn()
    if with_coin:
        give_coin(field)
    signal = field.signal(-1)
    lock = field.hub._lock

    def lock_late(triggered: Any) -> Any:
        held = lock(triggered)
        field.quote(17000, 17010)
        field.order(field.bob, 2, 17000 * 100, 1)
        return held

    monkeypatch.setattr(field.hub, "_lock", lock_late)
    field.turn(1)
    monkeypatch.setattr(field.hub, "_lock", lock)
    assert field.reasons(signal) == dict.fromkeys(NAMES, "TRIGGERED")
    field.turn(6)
    field.hub._operations._due = [(0.0, pk) for pk in field.hub._operations._steps]
    field.turn(6)
    note = "SIGNAL" if with_coin else "STOP_LOSS"
    assert {row[1:] for row in field.operations()} == {(Status.CLOSED, note)}
    for op in Operation.objects.all():
        sold = [
            each
            for each in field.history.events(Event.FILL)
            if (each["account"], each["side"]) == (op.account, 2)
        ]
        assert op.proceeds == sum(each["last_quote"] - each["fee"] for each in sold)
        assert len({each["order_id"] for each in sold}) == 1 + with_coin


def test_signals_are_judged_as_they_came_whatever_their_own_time(field: HubField) -> None:
    """A SELL that names an earlier moment than the BUY before it is judged after it, and sells."""
    numbers = [
        services.take_signal(
            Incoming(symbol="BTC", strength=strength, timestamp_us=moment), source="test"
        )[0].pk
        for strength, moment in ((2, 9_000_000), (-1, 1_000_000))
    ]
    assert numbers == sorted(numbers)
    field.turn()
    for number in numbers:
        assert field.reasons(number) == dict.fromkeys(NAMES, "TRIGGERED")
    order = Decision.objects.order_by("pk").values_list("signal", flat=True)
    assert list(order) == sorted(order)
    assert {row[1:] for row in field.operations()} == {(Status.CLOSED, "SIGNAL")}


def test_a_worker_far_behind_judges_its_clients_in_the_same_order(field: HubField) -> None:
    """Two workers share the clients; one stands still for three signals: no client skips one."""
    quick = {
        share_of(account)
        for account in Robot.objects.filter(pk__in=("r0", "r1")).values_list(
            "account_id", flat=True
        )
    }
    field.turn()
    everything = field.hub.shares.fences
    field.hub.shares.fences = {share: everything[share] for share in quick}
    numbers = [field.signal(strength) for strength in (2, -1, 2)]
    field.turn()
    assert [set(field.reasons(number)) for number in numbers] == [{"r0", "r1"}] * 3
    field.hub.shares.fences = everything
    field.turn()
    for number in numbers:
        assert field.reasons(number) == dict.fromkeys(NAMES, "TRIGGERED")
    for name in NAMES:
        account = Robot.objects.get(pk=name).account_id
        rows = Decision.objects.filter(account=account).order_by("pk")
        assert list(rows.values_list("signal", flat=True)) == numbers


def test_steps_name_the_states_as_the_rows_do() -> None:
    """The steps know no database; their states are the rows'."""
    assert {each.name: each.value for each in steps.Status} == {
        each.name: each.value for each in Operation.Status
    }
