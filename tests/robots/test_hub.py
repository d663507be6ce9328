"""The hub through what may go wrong: bad clients, lost answers, crashes, many workers, bursts."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client as Visitor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fondaco.core import records
from fondaco.core.records import Command, Event
from fondaco.house import file
from fondaco.identity.models import Member, SecurityEntry
from fondaco.identity.security_log import verify
from fondaco.identity.services import create_member
from fondaco.link.answers import Unanswered
from fondaco.robots.hub import roster, services, worker
from fondaco.robots.hub.roster import SHARES
from fondaco.robots.hub.shares import Shares
from fondaco.robots.hub.words import command, place_of
from fondaco.robots.models import HookAlert, HubCursor, Operation, Robot, Signal
from tests.robots.hub_field import START_US, HubField
from tests.robots.real_core import RealCore

pytestmark = pytest.mark.django_db
Status = Operation.Status
CONFIG = 'config = { buy_on = 2, sell_on = 1, symbols = ["BTC"], operation_amount = 100'


def crowd(count: int, more: str = "") -> str:
    return "".join(
        f'[[members.robots]]\nid = "r{number}"\n{CONFIG}{more} }}\n'
        'allotment = { USDT = "1000" }\n'
        for number in range(count)
    )


@pytest.fixture
def field(monkeypatch: pytest.MonkeyPatch) -> HubField:
    """Six robots with a stop, and a market at 20000."""
    made = HubField(monkeypatch, crowd(6, ", operation_stop_loss = 10"))
    made.trade(20000)
    made.quote(19990, 20010)
    return made


def test_s0_11_one_bad_client_never_stops_the_others(field: HubField) -> None:
    """S0-11: a row that can't be read is told and inactive; a member without money has a reason."""
    Robot.objects.filter(pk="r2").update(config={"buy_on": 7}, changed_us=services.wall_us())
    poor = Robot.objects.get(pk="r4")
    everything = records.pack(
        Command.TRANSFER,
        account=poor.account_id,
        to_account=field.ann,
        asset=2,
        amount=1000 * 10**8,
        entry=9,
    )
    field.core.submit(everything)
    signal = field.signal(2)
    field.turn()
    found = field.reasons(signal)
    assert (found.pop("r2"), found.pop("r4")) == ("INACTIVE", "CASH_TOO_LOW")
    assert found == dict.fromkeys(("r0", "r1", "r3", "r5"), "TRIGGERED")
    assert [status for _, status, _ in field.operations()] == [Status.AWAITING_SELL] * 4


@pytest.mark.parametrize("kind", [Command.ROBOT_ORDER, Command.LOCK_ROBOT, Command.UNLOCK_ROBOT])
def test_a_lost_answer_is_found_by_history_and_not_sent_again(
    field: HubField, kind: Command
) -> None:
    """The first answer of a kind is lost after it was done: no client buys twice."""
    field.core.lose = kind
    field.signal(2)
    field.turn(6)
    field.hub.shares.release()
    field.start()
    field.turn(6)
    for number in range(6):
        assert field.buys(f"r{number}") <= 1
    bought = [status for _, status, _ in field.operations()]
    assert bought == [Status.AWAITING_SELL] * 6


def test_a_crash_before_the_orders_is_gone_on_with(
    field: HubField, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operations stand before their orders: the next worker sends them, once."""

    def die(*_: object) -> None:
        raise Unanswered("the worker is gone")

    monkeypatch.setattr(field.hub._operations, "drive", die)
    signal = field.signal(2)
    with pytest.raises(Unanswered):
        field.turn()
    assert {status for _, status, _ in field.operations()} == {Status.AWAITING_BUY}
    field.start()  # a new process: the shares of the old one are given up by their time
    field.hub.shares.fences = {}
    release_all()
    field.turn(6)
    assert field.reasons(signal) == {f"r{number}": "TRIGGERED" for number in range(6)}
    assert {status for _, status, _ in field.operations()} == {Status.AWAITING_SELL}
    assert [field.buys(f"r{number}") for number in range(6)] == [1] * 6


@pytest.mark.parametrize("bound, buys", [("TRIGGERED_MAX", 1), ("DECISIONS_MAX", 0)])
def test_a_crash_between_two_pieces_judges_nobody_twice(
    field: HubField, monkeypatch: pytest.MonkeyPatch, bound: str, buys: int
) -> None:
    """Of six clients four were judged in two pieces: the others are, and no one again."""
    monkeypatch.setattr(worker, bound, 2)
    Robot.objects.update(is_active=buys > 0, changed_us=services.wall_us())
    store, left = field.hub._store, [2]

    def store_twice(*args: Any, **words: Any) -> None:
        if not left[0]:
            raise Unanswered("the worker is gone")
        left[0] -= 1
        store(*args, **words)

    monkeypatch.setattr(field.hub, "_store", store_twice)
    signal = field.signal(2)
    with pytest.raises(Unanswered):
        field.turn()
    assert len(field.reasons(signal)) == 4
    release_all()
    field.start()
    field.turn(6)
    assert len(field.reasons(signal)) == 6
    assert [field.buys(f"r{number}") for number in range(6)] == [buys] * 6


def test_a_stop_that_was_met_while_nobody_worked_closes_its_operation(field: HubField) -> None:
    """The core sells by itself; the next worker learns of it from history."""
    field.signal(2)
    field.turn()
    field.stop()
    field.quote(17000, 17010)
    field.order(field.bob, 2, 17000 * 100, 1)
    field.start()
    field.turn(6)
    assert field.operations() == [(f"r{number}", Status.CLOSED, "STOP_LOSS") for number in range(6)]
    check_the_proceeds(field)


def check_the_proceeds(field: HubField) -> None:
    """What an operation says it was sold for is what its fills brought, fees taken off."""
    fills = [each for each in field.history.events(Event.FILL) if each["side"] == 2]
    for op in Operation.objects.all():
        ours = [each for each in fills if each["account"] == op.account]
        assert op.proceeds == sum(each["last_quote"] - each["fee"] for each in ours)
        assert op.sold_lots == sum(each["last_lots"] for each in ours)


@pytest.mark.parametrize("heard", [True, False])
def test_a_stop_that_sold_in_part_is_counted_whole(field: HubField, heard: bool) -> None:
    """Some of the coin found a buyer at the stop, the rest later; heard of, or learned after."""
    field.signal(2)
    field.turn()
    if not heard:
        field.stop()
    field.core.submit(field.cancel_all())
    field.order(field.ann, 1, 17000 * 100, 702)
    field.order(field.bob, 2, 17000 * 100, 2)
    if not heard:
        field.start()
    field.turn(2)
    assert Operation.objects.filter(sold_lots__gt=0).exists()
    field.quote(16990, 17010)
    for _ in range(3):
        field.hub._operations._due = [(0.0, pk) for pk in field.hub._operations._steps]
        field.turn(2)
    assert {row[1:] for row in field.operations()} == {(Status.CLOSED, "STOP_LOSS")}
    check_the_proceeds(field)


def test_a_stop_that_found_nobody_is_sold_later(field: HubField) -> None:
    """A stop that was reached and expired for want of buyers is tried again until it is sold."""
    field.signal(2)
    field.turn()
    field.core.submit(records.pack(Command.CANCEL_ALL, account=field.ann, instrument=0))
    field.order(field.ann, 1, 17000 * 100, 1)
    field.order(field.bob, 2, 17000 * 100, 1)
    field.turn(2)
    assert {status for _, status, _ in field.operations()} == {Status.AWAITING_SELL}
    field.quote(16990, 17010)
    field.hub._operations._due = [(0.0, pk) for pk in field.hub._operations._steps]
    field.turn(3)
    assert {row[1:] for row in field.operations()} == {(Status.CLOSED, "STOP_LOSS")}


@pytest.mark.django_db(databases=["default", "projections"])
def test_staff_stop_every_robot_of_the_house_in_one_piece(
    field: HubField, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """It asks back; then nobody buys any more, and one whose answer was lost is told of."""
    settings.STAFF_MFA = False
    monkeypatch.setattr("fondaco.office.writer.core", lambda: field.core)
    monkeypatch.setattr("fondaco.office.robots.services.KILLED_AT_ONCE", 4)
    coins = {1: ("BTC", 8), 2: ("USDT", 8)}  # on PostgreSQL no projections are by
    monkeypatch.setattr("fondaco.office.robots.selectors.asset_codes", lambda: coins)
    monkeypatch.setattr("fondaco.robots.hub.selectors.asset_codes", lambda: coins)
    monkeypatch.setattr("fondaco.robots.hub.selectors.instruments", list)
    staff = Visitor(headers={"host": "127.0.0.1"})
    words: dict[str, Any] = {"username": "mo", "email": "mo@example.com", "password": ""}
    staff.force_login(create_member(**words, roles=("member", "admin")))
    path = "/staff/robots/"
    assert 'value="*"' not in staff.get(path).content.decode()
    assert 'name="kill" value="*"' in staff.get(path, {"sure": "all"}).content.decode()
    before = len(field.core.commands)
    field.core.lose = Command.KILL_ROBOT
    page = staff.post(path, {"kill": "*"}, follow=True).content.decode()
    assert "1 of 6 are as they were; r0: the answer was lost" in page
    assert field.core.commands[before:] == [Command.KILL_ROBOT] * 6
    assert page.count("killed: only reduces") == 6
    field.signal(2)
    field.turn()
    assert [field.buys(f"r{number}") for number in range(6)] == [0] * 6
    staff.post(path, {"unkill": "r3"})
    field.signal(2)
    field.turn()
    assert [field.buys(f"r{number}") for number in range(6)] == [0, 0, 0, 1, 0, 0]
    log = SecurityEntry.objects.filter(action__startswith="robot", actor__username="mo")
    assert list(log.order_by("number").values_list("action", "subject__username")) == [
        *[("robot killed", "bob")] * 6, ("robot let be again", "bob"),
    ]  # fmt: skip
    said = log.order_by("number").values_list("details", flat=True)
    assert (said[0], said[1]) == ('{"outcome":"not answered","robot":"r0"}', '{"robot":"r1"}')
    assert verify().entries >= 7


def test_workers_share_the_clients_and_take_over(field: HubField) -> None:
    """Alone a worker has all shares; of two each has half; what one gives up the other has."""
    first, second = Shares("one"), Shares("two")
    first.turn()
    assert len(first.held) == SHARES
    second._turn_at_us = first._turn_at_us = 0
    second.turn()
    assert second.held == set()
    first._turn_at_us = second._turn_at_us = 0
    first.turn()
    second.turn()
    assert (len(first.held), len(second.held)) == (SHARES // 2, SHARES // 2)
    assert not first.held & second.held
    first.release()
    second._turn_at_us = 0
    second.turn()
    assert len(second.held) == SHARES


def test_a_worker_that_lost_its_share_stores_nothing(field: HubField) -> None:
    """Another took the leases while it stood still: its decisions are not written."""
    field.turn()
    release_all()
    other = Shares("other")
    other.turn()
    signal = field.signal(2)
    field.turn(1)
    assert field.reasons(signal) == {}
    assert not HubCursor.objects.filter(signal=signal).exists()


def test_a_burst_of_alerts_is_exact_operations_each_explained(field: HubField) -> None:
    """50 alerts, 30 of them duplicates: ten operations a client, every alert and verdict told."""
    bob = Member.objects.get(username="bob")
    hook, token = services.add_hook(bob, name="chart")
    Robot.objects.update(
        config={**Robot.objects.get(pk="r0").config, "buy_on": "BUY", "operation_stop_loss": "0"},
        changed_us=services.wall_us(),
    )
    for place in range(50):
        key = place % 20
        body = {"action": "buy" if key % 2 == 0 else "sell", "key": f"k{key}"}
        answer = Visitor().post(f"/api/v1/hooks/in/{token}/", body, content_type="application/json")
        assert answer.status_code == 202
    field.turn(30)
    states = [row.state for row in HookAlert.objects.filter(hook=hook).order_by("pk")]
    assert states == ["taken"] * 20 + ["duplicate"] * 30
    assert all(row.signal for row in HookAlert.objects.all())
    for number in range(6):
        mine = [row for row in field.operations() if row[0] == f"r{number}"]
        assert mine == [(f"r{number}", Status.CLOSED, "SIGNAL")] * 10
    signals = sorted({row.signal for row in HookAlert.objects.all()})
    assert {reason for each in signals for reason in field.reasons(each).values()} == {"TRIGGERED"}


def recomputed(field: HubField, account: int) -> dict[tuple[int, int], tuple[int, ...]]:
    """Return (period, number) -> bought, sold, profit from the trades alone, by average cost."""
    found: dict[tuple[int, int], list[int]] = {}
    coins = cost = 0
    for each in field.history.events(Event.TRADE):
        day = each["time_us"] // 86_400_000_000
        base = each["quantity_lots"] * 1000
        if each["buyer_account"] == account:
            coins += base - each["buyer_fee"]
            cost += each["quote_amount"]
            change = (each["quantity_lots"], each["quote_amount"], 0, 0, 0)
        elif each["seller_account"] == account:
            part = cost * base // coins if coins else 0
            coins, cost = coins - base, cost - part
            profit = each["quote_amount"] - each["seller_fee"] - part
            change = (0, 0, each["quantity_lots"], each["quote_amount"], profit)
        else:
            continue
        sums = found.setdefault((1, day), [0] * 5)
        found[1, day] = [one + other for one, other in zip(sums, change, strict=True)]
    return {key: tuple(sums) for key, sums in found.items()}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("signal"), st.sampled_from((2, -1))),
        st.tuples(st.just("quote"), st.integers(15_000, 25_000)),
        st.tuples(st.just("day"), st.integers(1, 2)),
    ),
    min_size=4,
    max_size=14,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_s0_10_summaries_equal_the_trades_to_the_last_unit(
    field: HubField, steps: list[tuple[str, int]]
) -> None:
    """S0-10: what the core sums up for a robot's day is what its trades of that day give."""
    day = field.core.time_us // 86_400_000_000
    for what, value in steps:
        if what == "quote":
            field.quote(value, value + 10)
        elif what == "day":
            field.core.time_us += value * 86_400_000_000
            day = field.core.time_us // 86_400_000_000
            field.core.submit(records.pack(Command.ROLL, day=day, month=day // 31))
        else:
            field.signal(value)
            field.turn(2)
    assert differing(field, day) == []


def test_a_trade_that_was_left_out_is_caught(field: HubField) -> None:
    """Planted: without one trade among the events the recomputation differs, and says for whom."""
    field.signal(2)
    field.turn()
    day = START_US // 86_400_000_000
    assert differing(field, day) == []
    kept = [
        record
        for record in records.split(field.core.told)
        if int.from_bytes(record[:2], "little") != Event.TRADE
    ]
    field.core.told = b"".join(kept)
    assert differing(field, day) == [f"r{number}" for number in range(6)]


def differing(field: HubField, day: int) -> list[str]:
    """Return the robots whose summary of a day isn't what their trades give."""
    names = ("bought_lots", "bought_quote", "sold_lots", "sold_quote", "profit")
    found = []
    for robot in Robot.objects.order_by("pk"):
        truth = recomputed(field, robot.account_id).get((1, day), (0,) * 5)
        told = [row for row in field.summaries(robot.account_id) if row["period"] == 1]
        sums = tuple(told[0][name] for name in names) if told else (0,) * 5
        if sums != truth:
            found.append(robot.pk)
    return found


def release_all() -> None:
    """Have every lease be free, as after its time."""
    from fondaco.robots.models import Lease

    Lease.objects.update(until_us=0)


def test_places_of_words_are_those_of_the_records() -> None:
    """What the roster reads without unpacking lies where the records say."""
    trade = records.pack(Event.TRADE, account=5, instrument=7, price_ticks=9)
    words = memoryview(trade).cast("q")
    assert words[roster._INSTRUMENT_AT] == 7
    assert words[roster._PRICE_AT] == 9
    assert words[roster._ACCOUNT_AT] == 5
    for kind, names in records.LAYOUTS.items():
        told = {name: number for number, name in enumerate(names, 1)}
        record = records.pack(kind, account=5, **told)
        if kind < Event.ORDER:
            assert command(Command(kind), 5, told) == record
        words = memoryview(record).cast("q")
        assert {name: words[place_of(kind, name)] for name in names} == told
    for event in (Event.FILL, Event.CANCEL):
        named = records.LAYOUTS[Event.ORDER]
        assert records.LAYOUTS[event][: len(named)] == named
    assert max(Event.ORDER, Event.FILL) < Event.CANCEL < min(Event.TRADE, Event.BALANCE)


@pytest.mark.parametrize(
    "now, day_ends, month_ends",
    [
        ("2026-03-28T12:00:00+01:00", "2026-03-29T00:00:00+01:00", "2026-04-01T00:00:00+02:00"),
        ("2026-03-29T12:00:00+02:00", "2026-03-30T00:00:00+02:00", "2026-04-01T00:00:00+02:00"),
        ("2026-12-31T23:59:59+01:00", "2027-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"),
        ("2026-10-31T22:30:00+00:00", "2026-11-01T00:00:00+01:00", "2026-11-01T00:00:00+01:00"),
    ],
)
def test_s0_6_days_and_months_end_where_the_house_is(
    now: str, day_ends: str, month_ends: str
) -> None:
    """S0-6: a stop locks until midnight of the house's time zone, also where clocks change."""
    house = file.loads('[house]\nname = "R"\ntime_zone = "Europe/Rome"\n')
    core: Any = RealCore()
    found = roster.Roster(house, core)
    moment = at_us(now)
    assert found.day_ends_us(moment) == at_us(day_ends)
    assert found.month_ends_us(moment) == at_us(month_ends)


def at_us(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).timestamp()) * 1_000_000


def test_a_signal_without_clients_is_done_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A house without robots follows no events, and its signals are no burden for later ones."""
    field = HubField(monkeypatch, "")
    signal = field.signal(2)
    field.hub.turn(None)
    assert set(HubCursor.objects.values_list("signal", flat=True)) == {signal}


def test_what_came_long_ago_is_let_go_of_piece_by_piece(
    field: HubField, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decisions first, then their signal; what is younger stays."""
    old, young = field.signal(0), field.signal(0)
    field.turn(4)
    Signal.objects.filter(pk=old).update(received_us=1)
    monkeypatch.setattr(services, "FORGOTTEN_MAX", 4)
    now_us = services.wall_us()
    assert [services.forget_old(now_us) for _ in range(4)] == [4, 2, 1, 0]
    assert (field.reasons(old), len(field.reasons(young))) == ({}, 6)
    assert list(Signal.objects.values_list("pk", flat=True)) == [young]


def test_numbers_that_pass_64_bits_are_told_as_their_end(field: HubField) -> None:
    """A cap, a coin and a price that multiply past a word still give a verdict and a row."""
    row = Robot.objects.get(pk="r0")
    row.config = {**row.config, "month_sell_cap": "1"}
    row.changed_us = services.wall_us()
    row.save()
    field.turn(1)
    signal = field.signal(-1)
    field.hub._roster.refresh()
    client = field.hub._roster.clients[row.account_id]
    client.coins[1] = 1 << 61
    field.hub._roster.markets["BTC"].price_ticks = 1 << 61
    field.turn()
    assert field.reasons(signal)["r0"] == "SELL_CAP"


def test_time_is_the_house_s(field: HubField) -> None:
    """Decisions carry the time of the test clock."""
    signal = field.signal(0)
    field.core.time_us = START_US + 77
    field.turn()
    from fondaco.robots.models import Decision

    assert set(Decision.objects.filter(signal=signal).values_list("time_us", flat=True)) == {
        START_US + 77
    }
