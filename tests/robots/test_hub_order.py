"""The hub over time: workers that follow a killed one, signals that wait, come late, or twice."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from fondaco.identity.models import Member
from fondaco.link.answers import Unanswered
from fondaco.robots.hub import services, worker
from fondaco.robots.hub.messages import Incoming
from fondaco.robots.hub.roster import share_of
from fondaco.robots.hub.steps import BUY_WAIT_US
from fondaco.robots.models import Decision, Lease, Operation, Robot
from tests.robots.hub_field import HubField

pytestmark = pytest.mark.django_db
Status = Operation.Status
CONFIG = (
    '[[members.robots]]\nid = "r{number}"\nallotment = {{ USDT = "1000" }}\n'
    'config = {{ buy_on = 2, sell_on = 1, symbols = ["BTC"], operation_amount = 100 }}\n'
)
NAMES = [f"r{number}" for number in range(4)]


@pytest.fixture
def field(monkeypatch: pytest.MonkeyPatch) -> HubField:
    """Four robots, and a market at 20000."""
    made = HubField(monkeypatch, "".join(CONFIG.format(number=number) for number in range(4)))
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
