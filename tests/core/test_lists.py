"""Lists in the field's language: two orders come in, hold once, and one ends the other."""

from __future__ import annotations

import pytest

from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    AccountBody,
    AccountKind,
    Command,
    Event,
    Execution,
    Flag,
    InstrumentStatus,
    OrderType,
    Query,
    RobotTerms,
    Side,
    numbers_of,
    pack,
    pack_body,
    split,
    unpack,
)
from tests.core.field import (
    PEOPLE,
    USD,
    Field,
    halted,
    instrument,
    kind_of,
    list_id_words,
    still,
)

DAY_US = 86_400_000_000
TABLES = {
    "a list holds once, the larger of its legs": """
        ann oco-sells 10 at 110 stop 90       -> new, new, list
        ann has                               -> 900 BTC + 100 held, 1000000 USD
        bob oco-buys 10 at 90 stop 110        -> new, new, list
        bob has                               -> 1000 BTC, 998845 USD + 1155 held
        cat oco-buys 10 at 80 stop 105 limit 120 -> new, new, list
        cat has                               -> 1000 BTC, 998800 USD + 1200 held
        book                                  -> bids 10 at 90 10 at 80; asks 10 at 110
    """,
    "the maker's first fill, however small, ends the stop": """
        ann oco-sells 10 at 110 stop 90       -> new, new, list
        bob buys 3 at 110                     -> new, expired, 3 at 110
        ann has                               -> 900 BTC + 70 held, 1000330 USD
        cat buys 1 at 90                      -> new
        bob sells 1 at 90                     -> new, 1 at 90
        book                                  -> bids none; asks 7 at 110
        bob buys 7 at 110                     -> new, 7 at 110, list done
        ann has                               -> 900 BTC, 1001100 USD
    """,
    "a buy gives back what only the stop would have needed": """
        bob oco-buys 10 at 90 stop 110        -> new, new, list
        cat sells 4 at 90                     -> new, expired, 4 at 90
        bob has                               -> 1040 BTC, 999100 USD + 540 held
        cat sells 6 at 90                     -> new, 6 at 90, list done
        bob has                               -> 1100 BTC, 999100 USD
    """,
    "a stop that fires ends the maker, and runs": """
        ann oco-sells 10 at 110 stop 95       -> new, new, list
        cat buys 1 at 95                      -> new
        cat buys 20 at 94                     -> new
        bob sells 1 at 95 -> new, 1 at 95, ann triggered, expired, 10 at 94, list done
        ann has                               -> 900 BTC, 1000940 USD
        book                                  -> bids 10 at 94; asks none
    """,
    "a stop limit that fires rests alone, and its list lasts as long": """
        ann oco-sells 10 at 110 stop 95 limit 96 as a -> new, new, list
        cat buys 1 at 95                      -> new
        bob sells 1 at 95                     -> new, 1 at 95, ann triggered, expired
        book                                  -> bids none; asks 10 at 96
        ann has                               -> 900 BTC + 100 held, 1000000 USD
        ann reduces a.stop to 4               -> reduced
        ann cancels a.stop                    -> canceled, list done
        ann has                               -> 1000 BTC, 1000000 USD
    """,
    "a triggered leg that is refused expires and gives back": """
        ann oco-sells 10 at 110 stop 95       -> new, new, list
        cat buys 1 at 95                      -> new
        bob sells 1 at 95 -> new, 1 at 95, ann triggered, expired, expired, list done
        ann has                               -> 1000 BTC, 1000000 USD
        book                                  -> bids none; asks none
    """,
    "take profit and stop loss: whichever is reached first": """
        ann oco-sells 5 take 110 stop 90      -> new, new, list
        cat buys 9 at 80                      -> new
        cat sells 1 at 110                    -> new
        bob buys 1 at 110 -> new, 1 at 110, ann triggered, expired, 5 at 80, list done
        ann oco-buys 5 take 70 limit 75 stop 120 -> new, new, list
        cat buys 1 at 120                     -> new
        bob sells 1 at 120 -> new, 1 at 120, ann triggered, expired, expired, list done
        ann has                               -> 950 BTC, 1000400 USD
    """,
    "a sweep that reaches both legs fires one": """
        cat sells 1 at 105                    -> new
        bob buys 1 at 105                     -> new, 1 at 105
        ann oco-sells 5 take 110 stop 100     -> new, new, list
        cat sells 1 at 99                     -> new
        cat sells 1 at 111                    -> new
        cat buys 9 at 80                      -> new
        bob buys 2 at 111 -> new, 1 at 99, 1 at 111, ann triggered, expired, 5 at 80, list done
        ann has                               -> 950 BTC, 1000400 USD
    """,
    "a maker that trades in the sweep that reaches its stop is the one that acts": """
        cat sells 1 at 105                    -> new
        bob buys 1 at 105                     -> new, 1 at 105
        ann oco-buys 5 at 100 stop 106        -> new, new, list
        bob sells 2 at 100                    -> new, expired, 2 at 100
        cat sells 1 at 106                    -> new
        bob buys 1 at 106                     -> new, 1 at 106
        ann has                               -> 1020 BTC, 999500 USD + 300 held
    """,
    "a cancel of either leg, or of the list, ends both": """
        ann oco-sells 10 at 110 stop 90 as a  -> new, new, list
        ann cancels a                         -> canceled, canceled, list done
        ann oco-sells 10 at 110 stop 90 as b  -> new, new, list
        ann cancels b.stop                    -> canceled, canceled, list done
        ann oco-sells 10 at 110 stop 90 as c id here -> new, new, list
        bob cancels list c                    -> UNKNOWN_ORDER
        ann cancels list c                    -> canceled, canceled, list done
        ann cancels list c                    -> UNKNOWN_ORDER
        ann oco-sells 10 at 111 stop 90 id here -> new, new, list
        ann cancels list-id there             -> UNKNOWN_ORDER
        ann cancels list-id here              -> canceled, canceled, list done
        ann oco-sells 10 at 112 stop 90       -> new, new, list
        ann cancels all                       -> canceled, canceled, list done
        ann has                               -> 1000 BTC, 1000000 USD
        book                                  -> bids none; asks none
    """,
    "a leg is not reduced while the other lives": """
        ann oco-sells 10 at 110 stop 90 as a  -> new, new, list
        ann reduces a to 4                    -> ORDER_IN_LIST
        ann reduces a.stop to 4               -> ORDER_IN_LIST
        bob buys 1 at 110                     -> new, expired, 1 at 110
        ann reduces a to 4                    -> reduced
        ann has                               -> 950 BTC + 40 held, 1000110 USD
    """,
    "self-trade prevention ends a list as a whole": """
        ann oco-sells 10 at 110 stop 90       -> new, new, list
        ann2 buys 4 at 110 DECREMENT -> new, expired, ann cut to 6, ann2 prevented
        ann has                               -> 940 BTC + 60 held, 1000000 USD
        cat oco-sells 5 at 108 stop 90        -> new, new, list
        cat buys 9 at 108 EXPIRE_MAKER        -> new, expired, cat prevented, list done
        cat has                               -> 1000 BTC, 999028 USD + 972 held
    """,
    "what doesn't make a list is refused, and nothing moves": """
        ann oco-sells 10 at 90 stop 90        -> LIST_PRICES
        ann oco-sells 10 at 89 stop 90        -> LIST_PRICES
        ann oco-buys 10 at 110 stop 90        -> LIST_PRICES
        ann oco-sells 101 at 110 stop 90      -> INSUFFICIENT_BALANCE
        ann oco-sells 10 at 110               -> INVALID_LIST
        ann oco-sells 10 stop 90              -> INVALID_LIST
        ann oco-sells 0 at 110 stop 90        -> INVALID_QUANTITY
        cat buys 5 at 111                     -> new
        ann oco-sells 10 at 110 stop 90       -> WOULD_MATCH
        bob sells 5 at 111                    -> new, 5 at 111
        ann oco-sells 10 at 120 stop 111      -> WOULD_TRIGGER
        ann has                               -> 1000 BTC, 1000000 USD
    """,
    "a list's client id is its own, in a name space of its own": """
        ann sells 1 at 120 id one             -> new
        ann oco-sells 10 at 110 stop 90 id one -> new, new, list
        ann oco-sells 10 at 110 stop 90 id one -> DUPLICATE_ORDER
        ann oco-sells 9 at 110 stop 90 id one -> CLIENT_ORDER_ID_OPEN
        bob oco-sells 10 at 111 stop 90 id one -> new, new, list
        ann oco-sells 5 at 110 stop 90 ids legs -> new, new, list
        ann oco-sells 5 at 110 stop 90 ids legs -> DUPLICATE_ORDER
        ann sells 5 at 110 id legs-p          -> CLIENT_ORDER_ID_OPEN
        ann cancels list-id one               -> canceled, canceled, list done
        ann oco-sells 10 at 110 stop 90 id one -> DUPLICATE_ORDER
        ann oco-sells 9 at 110 stop 90 id one -> new, new, list
    """,
}


@pytest.mark.parametrize("name", TABLES)
def test_what_lists_do(name: str) -> None:
    """Each line of a table gives exactly what stands behind its arrow."""
    Field().play(TABLES[name])


def oco(field: Field, name: str = "ann", **words: int) -> list[dict[str, int]]:
    """Send a list; return its events."""
    given = {
        "side": Side.SELL, "quantity_lots": 5, "stop_type": OrderType.STOP_LOSS,
        "stop_trigger_ticks": 90, "profit_type": OrderType.LIMIT_MAKER, "profit_price_ticks": 110,
    }  # fmt: skip
    record = pack(Command.NEW_LIST, account=PEOPLE[name], instrument=1, **(given | words))
    return [unpack(event) for event in field.send(record)]


def test_a_list_takes_two_numbers_and_its_events_name_it() -> None:
    """The stop leg has the number before the list's; ORDER, LIST and all that follows name both."""
    field = Field()
    before = field.exchange.seq
    stop, profit, told, *_ = oco(field)
    assert (stop["order_id"], profit["order_id"]) == (before + 1, before + 2)
    assert field.exchange.seq == before + 2
    assert {stop["list_id"], profit["list_id"], told["list_id"]} == {before + 2}
    assert (told["stop_order_id"], told["profit_order_id"]) == (before + 1, before + 2)
    assert {event["seq"] for event in (stop, profit, told)} == {before + 2}
    assert [stop["working_us"], profit["working_us"]] == [0, field.time_us]
    assert (profit["stop_price_ticks"], profit["quote_quantity"]) == (0, 0)
    field.act(["cat", "sells", "9", "at", "111"])
    fills = field.send(field.order("bob", Side.BUY, 5, 110))
    ours = [unpack(e) for e in fills if kind_of(e) == Event.FILL and unpack(e)["is_maker"]]
    assert [(fill["order_id"], fill["list_id"]) for fill in ours] == [(before + 2, before + 2)]
    (expired,) = [unpack(e) for e in fills if kind_of(e) == Event.ORDER][1:2]
    assert (expired["order_id"], expired["execution"]) == (before + 1, Execution.EXPIRED)
    assert expired["list_id"] == before + 2


def test_boundaries_have_an_end_for_each_number() -> None:
    """A list among others has two ends, the first where the command before it ended."""
    field = Field()
    other = field.order("bob", Side.BUY, 1, 50)
    given = pack(Command.NEW_LIST, account=99, instrument=1)
    assert [numbers_of(other), numbers_of(given)] == [1, 2]
    batch = bytearray(other + given + other)
    first = field.exchange.seq + 1
    assert field.exchange.stamp(batch, first, field.time_us) == 4
    events = field.exchange.apply(bytes(batch))
    ends = field.exchange.boundaries()
    assert len(ends) == 4
    assert ends[0] == ends[1] < ends[2] < ends[3] == len(events)
    seqs = [unpack(event)["seq"] for event in split(events)]
    assert sorted(set(seqs)) == [first, first + 2, first + 3]


def test_a_list_without_a_number_for_its_stop_is_no_batch() -> None:
    """A record whose seq follows the one before it at once is refused as a batch, untouched."""
    exchange = Exchange()
    record = bytearray(pack(Command.NEW_LIST, account=16, instrument=1, seq=1, time_us=1))
    with pytest.raises(ValueError, match="no number is left"):
        exchange.apply(bytes(record))
    assert (exchange.seq, exchange.halted_seq) == (0, 0)


def test_places_are_for_two() -> None:
    """A list needs room for both its orders among the account's open ones."""
    field = Field(max_open_orders=2)
    field.act(["ann", "sells", "1", "at", "120", "as", "a"])
    assert oco(field)[0]["detail_0"] == 2
    field.act(["ann", "cancels", "a"])
    assert oco(field)[0]["execution"] == Execution.NEW


def test_a_list_that_waits_its_turn_may_still_trade() -> None:
    """A reached stop of a halted market hasn't acted: its maker's fill ends it unfired."""
    field = Field()
    field.play("""
        cat oco-buys 5 at 90 stop 110         -> new, new, list
        ann sells 1 at 110                    -> new
    """)
    for _ in range(16):
        field.act(["bob", "buys", "1", "stop", "110"])
    oco(field, "ann2", side=Side.BUY, stop_trigger_ticks=110, profit_price_ticks=95)
    field.act(["bob", "buys", "1", "at", "110"])
    left = [unpack(r) for r in field.query(Query.OPEN_ORDERS, account=PEOPLE["ann2"])]
    assert [order["working_us"] == 0 for order in left] == [True, False]
    assert field.exchange.deadline() == field.time_us
    told = field.told(field.order("cat", Side.SELL, 5, 95))
    assert told.startswith("new, expired, 5 at 95, list done")
    assert field.query(Query.OPEN_ORDERS, account=PEOPLE["ann2"]) == []


def test_new_fees_hold_a_list_anew_as_one() -> None:
    """The larger leg is held at the new terms; a list that can't pay expires whole."""
    field = Field(usd=1_300, fee_in_quote=True)
    field.play("""
        bob oco-buys 10 at 90 stop 100        -> new, new, list
        bob has                               -> 1000 BTC, 250 USD + 1050 held
    """)
    body = instrument(fee_in_quote=True, stop_band_ppm=200_000, taker_fee_ppm=10_000)
    field.send(pack_body(Command.DEFINE_INSTRUMENT, body))
    assert field.funds("bob") == "1000 BTC, 88 USD + 1212 held"
    field.act(["ann", "buys", "1", "at", "89"])
    body = instrument(fee_in_quote=True, stop_band_ppm=900_000, taker_fee_ppm=10_000)
    events = field.send(pack_body(Command.DEFINE_INSTRUMENT, body))
    told = [unpack(event) for event in events[1:]]
    lines = [(e["kind"], e.get("status")) for e in told if e["kind"] in {Event.ORDER, Event.LIST}]
    assert lines == [(Event.ORDER, 5), (Event.ORDER, 5), (Event.LIST, 2)]
    assert field.funds("bob") == "1000 BTC, 1300 USD"
    assert field.book() == "bids 1 at 89; asks none"


def test_questions_about_lists() -> None:
    """LISTS answers with an account's open lists: of a market, by number, by client id, of none."""
    field = Field()
    oco(field)
    field.play("ann oco-sells 2 at 111 stop 80 as b id bee -> new, new, list")
    ann = {"account": PEOPLE["ann"]}
    numbers = [unpack(r)["list_id"] for r in field.query(Query.LISTS, **ann)]
    assert numbers == [field.orders["b"] - 2, field.orders["b"]]
    by_number = field.query(Query.LISTS, **ann, list_id=numbers[0])
    assert [unpack(r)["list_id"] for r in by_number] == numbers[:1]
    named = field.query(Query.LISTS, **ann, **list_id_words("list", "bee"))
    assert [unpack(r)["list_id"] for r in named] == numbers[1:]
    (refused,) = field.query(Query.LISTS, **ann, **list_id_words("list", "cee"))
    assert kind_of(refused) == Event.REFUSED
    (refused,) = field.query(Query.LISTS, account=PEOPLE["bob"], list_id=numbers[0])
    assert kind_of(refused) == Event.REFUSED


def test_a_restart_keeps_lists() -> None:
    """A loaded dump has the same lists, hash and answers, and ends the sibling as before."""
    field = Field()
    oco(field)
    field.play("""
        bob oco-buys 10 take 70 stop 120 id two -> new, new, list
        cat oco-sells 4 at 115 stop 95 limit 96       -> new, new, list
        bob buys 1 at 95                              -> new
        cat sells 1 at 95                             -> new, 1 at 95, cat triggered, expired
    """)
    dump = field.exchange.dump()
    field.exchange = Exchange()
    field.exchange.load(dump)
    assert field.exchange.dump() == dump
    field.play("""
        bob oco-buys 10 take 70 stop 120 id two -> DUPLICATE_ORDER
        bob buys 5 at 110  -> new, 4 at 96, list done, expired, 1 at 110
        ann cancels all                               -> canceled, list done
        bob cancels list-id two                       -> canceled, canceled, list done
        ann has                                       -> 990 BTC, 1000110 USD
    """)
    assert all(not field.query(Query.LISTS, account=number) for number in PEOPLE.values())


def test_an_id_of_a_list_is_free_after_a_day_but_not_while_it_is_open() -> None:
    """Equal lists are duplicates for 24 hours; the id of an open one stays taken."""
    field = Field()
    field.play("ann oco-sells 5 at 110 stop 90 id one -> new, new, list")
    field.time_us += DAY_US + 1
    field.play("""
        bob sells 1 at 200 id x                   -> new
        ann oco-sells 5 at 110 stop 90 id one     -> DUPLICATE_ORDER
        ann cancels list-id one                   -> canceled, canceled, list done
        ann oco-sells 5 at 110 stop 90 id one     -> new, new, list
    """)


def test_a_refused_list_leaves_no_trace() -> None:
    """The state after a refusal is the state before it, to the byte."""
    field = Field()
    oco(field)
    before = still(field)
    for words in (
        {"profit_price_ticks": 90},
        {"quantity_lots": 10_000},
        {"stop_type": OrderType.LIMIT},
        {"stop_client_id_0": 7, "profit_client_id_0": 7},
        {"side": 3},
    ):
        (refused,) = oco(field, **words)
        assert refused["command"] == Command.NEW_LIST
        assert still(field) == before


def test_a_closed_market_takes_no_list_and_a_house_in_maintenance_none_either() -> None:
    """Refused are lists where orders would be; cancels go on."""
    field = Field()
    field.play("ann oco-sells 5 at 110 stop 90 as a   -> new, new, list")
    halted(field)
    field.play("""
        ann oco-sells 5 at 110 stop 90        -> MARKET_CLOSED
        ann cancels list a                    -> canceled, canceled, list done
    """)
    body = instrument(status=InstrumentStatus.TRADING)
    field.send(pack_body(Command.DEFINE_INSTRUMENT, body))
    field.send(pack(Command.CONFIGURE_HOUSE, maintenance=1))
    field.play("ann oco-sells 5 at 110 stop 90        -> MAINTENANCE")


def test_a_robot_s_limits_see_a_list_as_its_larger_leg_and_two_orders() -> None:
    """The sell cap counts one leg, the day's count both; a list past either is refused."""
    field = Field()
    terms = RobotTerms(cash=USD, month_sell_cap=1_100, orders_day_max=4)
    body = AccountBody(member=9, kind=AccountKind.ROBOT, opening=[(1, 1000)], robot=terms)
    field.send(pack_body(Command.OPEN_ACCOUNT, body, account=40))
    whose = {"account": 40, "instrument": 1, "side": Side.SELL}
    legs = {
        "stop_type": OrderType.STOP_LOSS, "stop_trigger_ticks": 90,
        "profit_type": OrderType.LIMIT_MAKER, "profit_price_ticks": 110,
    }  # fmt: skip
    half = pack(Command.NEW_LIST, **whose, **legs, quantity_lots=5)
    whole = pack(Command.NEW_LIST, **whose, **legs, quantity_lots=6)
    assert field.refusals(half) == []
    assert field.refusals(whole) == [("SELL_CAP", 0, 1_210, 1_100)]
    assert field.refusals(half) == []
    small = pack(Command.NEW_LIST, **whose, **legs, quantity_lots=1)
    assert field.refusals(small) == [("TOO_MANY_ORDERS_TODAY", 4, 0, 0)]
    told = [unpack(event) for event in field.send(pack(Command.KILL_ROBOT, account=40, on=1))]
    assert [event["status"] for event in told if event["kind"] == Event.LIST] == [2, 2]
    assert field.query(Query.OPEN_ORDERS, account=40) == []


def test_a_robot_s_list_comes_in_under_the_newest_fence_alone() -> None:
    """ROBOT_LIST is NEW_LIST with a fence: a late holder's is refused, and so is a stranger's."""
    field = Field()
    body = AccountBody(
        member=9, kind=AccountKind.ROBOT, opening=[(1, 1000)], robot=RobotTerms(cash=USD)
    )
    field.send(pack_body(Command.OPEN_ACCOUNT, body, account=40))
    lock = {"owner_0": 1, "owner_1": 7, "ttl_us": 60_000_000}
    field.send(pack(Command.LOCK_ROBOT, account=40, **lock))
    assert field.refusals(robot_list(5, fence=0)) == [("STALE_FENCE", 1, 0, 0)]
    assert field.refusals(robot_list(5, fence=2)) == [("STALE_FENCE", 1, 0, 0)]
    assert field.refusals(robot_list(5, fence=1, flags=2)) == [("INVALID_FLAGS", 0, 0, 0)]
    bought = robot_list(5, fence=1, flags=Flag.EXIT, side=Side.BUY)
    assert field.refusals(bought) == [("INVALID_FLAGS", 0, 0, 0)]
    stranger = robot_list(5, account=PEOPLE["ann"])
    assert [reason for reason, *_ in field.refusals(stranger)] == ["NOT_ROBOT"]
    before = field.exchange.seq
    stop, profit, told, *_ = [unpack(event) for event in field.send(robot_list(5, fence=1))]
    assert (stop["order_id"], profit["order_id"]) == (before + 1, before + 2)
    assert (told["kind"], told["status"]) == (Event.LIST, 1)
    assert field.exchange.seq == before + 2
    assert len(field.exchange.boundaries()) == 2
    robot = unpack(field.exchange.query(pack(Query.ROBOTS, account=40)))
    assert robot["orders_day"] == 2


def test_a_robot_s_list_of_exits_is_held_up_by_no_cap_notional_or_count() -> None:
    """Neither leg counts against the sell cap, and a stop that fires past the cap still runs."""
    field = Field()
    terms = RobotTerms(cash=USD, month_sell_cap=500, order_notional_max=200, orders_day_max=1)
    body = AccountBody(member=9, kind=AccountKind.ROBOT, opening=[(1, 1000)], robot=terms)
    field.send(pack_body(Command.OPEN_ACCOUNT, body, account=40))
    assert field.refusals(robot_list(10)) == [("TOO_MANY_ORDERS_TODAY", 1, 0, 0)]
    assert field.refusals(robot_list(10, flags=Flag.EXIT)) == []
    words = {"instrument": 1, "side": Side.SELL, "order_type": 1, "time_in_force": 1}
    sale = pack(Command.NEW_ORDER, account=40, price_ticks=100, quantity_lots=2, **words)
    assert field.refusals(sale) == [("TOO_MANY_ORDERS_TODAY", 1, 0, 0)]
    wide = RobotTerms(cash=USD, month_sell_cap=500, orders_day_max=9)
    body = AccountBody(member=9, kind=AccountKind.ROBOT, robot=wide)
    field.send(pack_body(Command.CONFIGURE_ACCOUNT, body, account=40))
    assert field.refusals(sale) == []
    field.act(["bob", "buys", "20", "at", "90"])
    fills = field.send(field.order("cat", Side.SELL, 1, 90))
    ours = [unpack(e) for e in fills if kind_of(e) == Event.FILL and unpack(e)["account"] == 40]
    assert [fill["last_lots"] for fill in ours] == [10]
    assert field.query(Query.LISTS, account=40) == []


def robot_list(lots: int, **words: int) -> bytes:
    """Return a ROBOT_LIST: sells at 110, or below a trade at 90."""
    given = {
        "account": 40, "instrument": 1, "side": Side.SELL, "quantity_lots": lots,
        "stop_type": OrderType.STOP_LOSS, "stop_trigger_ticks": 90,
        "profit_type": OrderType.LIMIT_MAKER, "profit_price_ticks": 110,
    }  # fmt: skip
    return pack(Command.ROBOT_LIST, **(given | words))
