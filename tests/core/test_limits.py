"""Robots' accounts: limits that count open orders, fences, the kill switch, average cost."""

from __future__ import annotations

import pytest

from fondaco.core.bodies import RobotTerms
from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    AccountBody,
    AccountKind,
    Command,
    Event,
    Flag,
    OrderType,
    Query,
    Side,
    Stopped,
    pack,
    pack_body,
    split,
    unpack,
)
from tests.core.field import BTC, PEOPLE, SECOND_US, USD, Field, kind_of

ROBOT = 40
BUY, SELL = Side.BUY, Side.SELL


def house(*, opening: int = 0, fee_ppm: int = 0, **terms: int) -> Field:
    """Return a house with a robot of 100,000 USD and these terms; one lot is ten units of BTC."""
    field = Field(taker_fee_ppm=fee_ppm, maker_fee_ppm=fee_ppm)
    coins = [(BTC, opening)] if opening else []
    body = AccountBody(
        member=9,
        kind=AccountKind.ROBOT,
        opening=[(USD, 100_000), *coins],
        robot=RobotTerms(cash=USD, **terms),
    )
    field.send(pack_body(Command.OPEN_ACCOUNT, body, account=ROBOT))
    return field


def robot_order(side: Side, lots: int, price: int, fence: int = 0, **words: int) -> bytes:
    """Return a ROBOT_ORDER: LIMIT GTC unless words say otherwise."""
    given = {"order_type": 1, "time_in_force": 1, **words}
    return pack(
        Command.ROBOT_ORDER, account=ROBOT, instrument=1, side=side, quantity_lots=lots,
        price_ticks=price, fence=fence, **given,
    )  # fmt: skip


def told(events: list[bytes], kind: Event) -> list[dict[str, int]]:
    """Return the words of the events of a kind."""
    return [unpack(event) for event in events if kind_of(event) == kind]


def lock(owner: int, *, force: int = 0, ttl_s: int = 60) -> bytes:
    """Return a LOCK_ROBOT."""
    words = {"owner_0": owner, "owner_1": 7, "ttl_us": ttl_s * SECOND_US, "force": force}
    return pack(Command.LOCK_ROBOT, account=ROBOT, **words)


def test_profit_is_by_average_cost_with_all_fees() -> None:
    """Two purchases make one average; a sale realises what it brings less its part and the fee."""
    field = house(fee_ppm=10_000)
    field.play("ann sells 10 at 100 -> new")
    field.send(robot_order(BUY, 10, 100))  # 1000 for 100 units less 1 of fee
    field.play("ann sells 10 at 200 -> new")
    field.send(robot_order(BUY, 10, 200))  # 2000 for 99 more: 198 units cost 3000
    field.play("bob buys 10 at 300 -> new")
    events = field.send(robot_order(SELL, 9, 300))
    day, month = told(events, Event.SUMMARY)
    cost = 3000 * 90 // 198
    wanted = {"bought_lots": 20, "bought_quote": 3000, "sold_lots": 9, "sold_quote": 2700}
    wanted |= {"profit": 2700 - 27 - cost, "position": 108, "cost": 3000 - cost}
    assert {name: day[name] for name in wanted} == wanted
    assert {**month, "period": 1} == day
    (robot,) = told(events, Event.ROBOT)
    assert (robot["day_profit"], robot["month_sold"]) == (wanted["profit"], 2700)
    assert robot["orders_day"] == 3


def test_coin_that_comes_by_a_transfer_enters_at_the_last_trade() -> None:
    """Before any trade it costs nothing; what leaves takes its part of the cost along."""
    field = house(opening=50)
    field.play(
        """
        ann sells 1 at 70 -> new
        bob buys 1 at 70 -> new, 1 at 70
        """
    )
    words = {"asset": BTC, "entry": 1}
    events = field.send(
        pack(Command.TRANSFER, account=PEOPLE["ann"], to_account=ROBOT, amount=100, **words)
    )
    assert [(s["position"], s["cost"]) for s in told(events, Event.SUMMARY)] == [(150, 700)] * 2
    words = {"asset": BTC, "entry": 2, "to_account": PEOPLE["ann"]}
    events = field.send(pack(Command.TRANSFER, account=ROBOT, amount=30, **words))
    assert told(events, Event.SUMMARY)[0]["cost"] == 560


def lose(field: Field, amount: int) -> list[bytes]:
    """Let the robot buy a lot at 1,000 and sell it for so much less."""
    field.send(field.order("ann", SELL, 1, 1000), robot_order(BUY, 1, 1000))
    return field.send(field.order("bob", BUY, 1, 1000 - amount), robot_order(SELL, 1, 1))


def test_a_loss_limit_stops_buying_until_the_day_is_over() -> None:
    """At the limit open buys expire in the same command; sales go on; ROLL lets it buy again."""
    field = house(day_loss_max=100, month_loss_max=150)
    field.send(pack(Command.ROLL, day=1, month=1))
    field.send(robot_order(BUY, 1, 5))
    lose(field, 99)
    assert field.refusals(robot_order(BUY, 1, 6)) == []
    field.send(field.order("ann", SELL, 2, 1000), robot_order(BUY, 2, 1000))
    events = field.send(field.order("bob", BUY, 1, 999), robot_order(SELL, 1, 1))
    assert [order["execution"] for order in told(events, Event.ORDER)] == [1, 1, 6, 6]
    assert told(events, Event.ROBOT)[-1]["stopped"] == Stopped.DAY
    assert field.refusals(robot_order(BUY, 1, 5)) == [("DAY_STOP", 100, 100, 0)]
    assert field.refusals(robot_order(SELL, 1, 2000)) == []
    field.send(pack(Command.ROLL, day=2, month=1))
    lose(field, 50)
    assert field.refusals(robot_order(BUY, 1, 5)) == [("MONTH_STOP", 150, 150, 0)]
    field.send(pack(Command.ROLL, day=3, month=2))
    assert field.refusals(robot_order(BUY, 1, 5)) == []


def test_no_stop_meets_the_bids_of_a_robot_that_has_lost_too_much() -> None:
    """Its sale reaches the limit and a stop; the stop runs in that command, after the bids went."""
    field = house(day_loss_max=100)
    field.send(field.order("ann", SELL, 1, 1000), robot_order(BUY, 1, 1000))
    stop = {"order_type": OrderType.STOP_LOSS, "time_in_force": 0, "stop_price_ticks": 900}
    field.send(field.order("cat", SELL, 2, 0, **stop))
    field.send(robot_order(BUY, 2, 890), field.order("bob", BUY, 1, 900))
    events = field.send(robot_order(SELL, 1, 900))
    orders = [(o["account"], o["execution"]) for o in told(events, Event.ORDER)]
    cat = PEOPLE["cat"]
    assert orders == [(ROBOT, 1), (ROBOT, 6), (cat, 9), (cat, 6)]
    assert [fill["account"] for fill in told(events, Event.FILL)] == [PEOPLE["bob"], ROBOT]
    assert told(events, Event.ROBOT)[0]["stopped"] == Stopped.DAY


def test_a_sale_is_never_cut_by_a_loss_limit() -> None:
    """A sweep that passes the limit with its first fill goes on: sales are the way out."""
    field = house(day_loss_max=100)
    field.send(field.order("ann", SELL, 3, 1000), robot_order(BUY, 3, 1000))
    field.send(*(field.order("bob", BUY, 1, price) for price in (900, 800, 700)))
    events = field.send(robot_order(SELL, 3, 1))
    assert [fill["last_price_ticks"] for fill in told(events, Event.FILL)][::2] == [900, 800, 700]
    assert told(events, Event.ROBOT)[0]["day_profit"] == -600


def test_the_sell_cap_counts_what_open_sales_may_bring() -> None:
    """Sold + open + this <= cap; a sale that meets better prices counts at them; exits may."""
    field = house(opening=500, month_sell_cap=1000)
    field.send(robot_order(SELL, 4, 100), robot_order(SELL, 3, 100))
    assert field.refusals(robot_order(SELL, 4, 100)) == [("SELL_CAP", 0, 1100, 1000)]
    field.play("bob buys 4 at 100 -> new, 4 at 100")
    field.play("bob buys 2 at 90 -> new")
    assert field.refusals(robot_order(SELL, 4, 50)) == []  # 2 at 90 now, 2 at 50 later
    assert field.refusals(robot_order(SELL, 1, 21)) == [("SELL_CAP", 580, 421, 1000)]
    assert field.refusals(robot_order(SELL, 1, 20)) == []
    exit_order = robot_order(SELL, 20, 100, flags=Flag.EXIT)
    assert field.refusals(exit_order) == []


def test_an_exit_is_kept_with_a_waiting_stop() -> None:
    """A stop-loss that was flagged as an exit runs although the cap is reached; another doesn't."""
    for flags, filled in ((Flag.EXIT, 2), (0, 0)):
        field = house(opening=500, month_sell_cap=1000)
        field.play("ann sells 1 at 500 -> new")
        field.play("bob buys 1 at 500 -> new, 1 at 500")
        stop = {"order_type": OrderType.STOP_LOSS, "time_in_force": 0, "stop_price_ticks": 300}
        field.send(robot_order(SELL, 2, 0, **stop, flags=flags))
        dump = field.exchange.dump()
        field.exchange = Exchange()
        field.exchange.load(dump)
        terms = RobotTerms(cash=USD, month_sell_cap=1)
        body = AccountBody(member=9, kind=AccountKind.ROBOT, robot=terms)
        field.send(pack_body(Command.CONFIGURE_ACCOUNT, body, account=ROBOT))
        field.send(field.order("bob", BUY, 3, 300), field.order("ann", SELL, 1, 300))
        fills = [fill for fill in told(field.last_events, Event.FILL) if fill["account"] == ROBOT]
        assert sum(fill["last_lots"] for fill in fills) == filled


def test_count_and_notional_are_limited() -> None:
    """Only accepted orders count; a sale of an exit is never held up by them."""
    field = house(opening=100, orders_day_max=2, order_notional_max=500)
    assert field.refusals(robot_order(BUY, 6, 100)) == [("NOTIONAL_TOO_LARGE", 600, 500, 0)]
    assert field.refusals(robot_order(BUY, 5, 100), robot_order(BUY, 1, 100)) == []
    assert field.refusals(robot_order(BUY, 1, 100)) == [("TOO_MANY_ORDERS_TODAY", 2, 0, 0)]
    assert field.refusals(robot_order(SELL, 10, 200, flags=Flag.EXIT)) == []
    assert field.refusals(robot_order(BUY, 1, 100, flags=Flag.EXIT)) == [("INVALID_FLAGS", 0, 0, 0)]


def test_the_kill_switch_cancels_all_and_then_only_reduces() -> None:
    """Stops go, too; a purchase is refused until it is off again."""
    field = house(opening=100)
    stop = {"order_type": OrderType.STOP_LOSS, "time_in_force": 0, "stop_price_ticks": 300}
    field.send(robot_order(BUY, 1, 5), robot_order(SELL, 1, 500), robot_order(SELL, 1, 0, **stop))
    events = field.send(pack(Command.KILL_ROBOT, account=ROBOT, on=1))
    assert len(told(events, Event.CANCEL)) == 3
    assert told(events, Event.ROBOT)[0]["killed"] == 1
    assert field.query(Query.OPEN_ORDERS, account=ROBOT) == []
    assert field.refusals(robot_order(BUY, 1, 5)) == [("REDUCE_ONLY", 0, 0, 0)]
    assert field.refusals(robot_order(SELL, 1, 500)) == []
    field.send(pack(Command.KILL_ROBOT, account=ROBOT, on=0))
    assert field.refusals(robot_order(BUY, 1, 5)) == []


def test_a_late_holder_can_neither_act_nor_unlock() -> None:
    """After the lock's time another gets a higher fence, and the first one's is refused."""
    field = house()
    assert told(field.send(lock(1)), Event.ROBOT)[0]["fence"] == 1
    until = field.time_us + 60 * SECOND_US
    assert field.refusals(lock(2)) == [("LOCK_HELD", until, 0, 0)]
    assert told(field.send(lock(1)), Event.ROBOT)[0]["fence"] == 1
    field.time_us = until
    assert told(field.send(lock(2)), Event.ROBOT)[0]["fence"] == 2
    assert field.refusals(robot_order(BUY, 1, 5, fence=1)) == [("STALE_FENCE", 2, 0, 0)]
    late = pack(Command.UNLOCK_ROBOT, account=ROBOT, fence=1)
    assert field.refusals(late) == [("STALE_FENCE", 2, 0, 0)]
    assert field.refusals(robot_order(BUY, 1, 5, fence=2)) == []
    assert told(field.send(lock(3, force=1)), Event.ROBOT)[0]["fence"] == 3
    by_staff = field.send(pack(Command.UNLOCK_ROBOT, account=ROBOT, fence=0))
    assert told(by_staff, Event.ROBOT)[0]["locked_until_us"] == 0
    assert field.refusals(robot_order(BUY, 1, 5, fence=3)) == [("STALE_FENCE", 4, 0, 0)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (AccountBody(member=1, robot=RobotTerms(cash=USD)), "INVALID_DEFINITION"),
        (AccountBody(member=1, kind=4, robot=RobotTerms(cash=9)), "UNKNOWN_ASSET"),
        (
            AccountBody(member=1, kind=4, robot=RobotTerms(cash=USD, day_loss_max=-1)),
            "INVALID_DEFINITION",
        ),
    ],
)
def test_terms_are_checked_before_an_account_opens(body: AccountBody, reason: str) -> None:
    """Only a robot's account has terms; its cash exists; no limit is below zero."""
    field = Field()
    assert field.refusals(pack_body(Command.OPEN_ACCOUNT, body, account=50)) == [(reason, 0, 0, 0)]
    assert field.query(Query.ROBOTS) == []


def test_robots_are_answered_and_go_through_a_dump() -> None:
    """ROBOTS tells all that the events told; a loaded dump answers the same."""
    field = house(opening=100, day_loss_max=5_000)
    field.send(pack(Command.ROLL, day=3, month=1), lock(1))
    lose(field, 10)
    field.send(robot_order(SELL, 1, 900, fence=1, flags=Flag.EXIT))
    answer = field.exchange.query(pack(Query.ROBOTS, account=ROBOT))
    kinds = [kind_of(record) for record in split(answer)]
    assert kinds == [Event.ROBOT, Event.SUMMARY, Event.SUMMARY]
    other = Exchange()
    other.load(field.exchange.dump())
    assert other.query(pack(Query.ROBOTS)) == answer
    assert other.state_hash() == field.exchange.state_hash()
    refused = unpack(field.exchange.query(pack(Query.ROBOTS, account=PEOPLE["ann"])))
    assert refused["reason"] == 50
