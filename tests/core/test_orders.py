"""Orders in the field's language: what rests, matches, expires, is cancelled, is refused."""

from __future__ import annotations

import pytest

from fondaco.core.records import (
    AccountBody,
    Command,
    Event,
    InstrumentStatus,
    OrderStatus,
    Side,
    pack,
    pack_body,
    unpack,
)
from tests.core.field import PEOPLE, Field, halted, instrument, kind_of, still

TABLES = {
    "a limit order rests, and holds what it may need": """
        ann buys 10 at 100             -> new
        ann has                        -> 1000 BTC, 999000 USD + 1000 held
        bob sells 5 at 101             -> new
        bob has                        -> 950 BTC + 50 held, 1000000 USD
        book                           -> bids 10 at 100; asks 5 at 101
    """,
    "first in, first out within a price, best price first": """
        ann sells 3 at 101             -> new
        bob sells 4 at 100             -> new
        ann sells 5 at 100             -> new
        cat buys 10 at 101             -> new, 4 at 100, 5 at 100, 1 at 101
        book                           -> bids none; asks 2 at 101
    """,
    "a better price goes back to the buyer at once": """
        bob sells 10 at 90             -> new
        ann buys 10 at 100             -> new, 10 at 90
        ann has                        -> 1100 BTC, 999100 USD
        bob has                        -> 900 BTC, 1000900 USD
    """,
    "the rest of a partly filled order holds for itself alone": """
        bob sells 4 at 90              -> new
        ann buys 10 at 100             -> new, 4 at 90
        ann has                        -> 1040 BTC, 999040 USD + 600 held
        bob sells 1 at 100             -> new, 1 at 100
        ann has                        -> 1050 BTC, 999040 USD + 500 held
    """,
    "IOC takes what is there and drops the rest": """
        bob sells 4 at 90              -> new
        ann buys 10 at 95 IOC          -> new, 4 at 90, expired
        ann buys 10 at 95 IOC          -> new, expired
        book                           -> bids none; asks none
        ann has                        -> 1040 BTC, 999640 USD
    """,
    "FOK takes all or nothing": """
        bob sells 4 at 90              -> new
        bob sells 4 at 92              -> new
        ann buys 9 at 95 FOK           -> new, expired
        ann buys 8 at 91 FOK           -> new, expired
        ann buys 8 at 92 FOK           -> new, 4 at 90, 4 at 92
        book                           -> bids none; asks none
    """,
    "LIMIT_MAKER never takes": """
        bob sells 4 at 90              -> new
        ann buys 4 at 90 LIMIT_MAKER   -> WOULD_MATCH
        ann buys 4 at 89 LIMIT_MAKER   -> new
        book                           -> bids 4 at 89; asks 4 at 90
    """,
    "MARKET walks the book, and what it cannot fill expires": """
        bob sells 4 at 90              -> new
        bob sells 4 at 92              -> new
        ann buys 6                     -> new, 4 at 90, 2 at 92
        ann buys 6                     -> new, 2 at 92, expired
        ann buys 6                     -> NO_LIQUIDITY
        ann has                        -> 1080 BTC, 999272 USD
    """,
    "MARKET by quote quantity spends at most that": """
        bob sells 4 at 90              -> new
        bob sells 4 at 92              -> new
        ann buys for 600               -> new, 4 at 90, 2 at 92
        ann buys for 91                -> NOTIONAL_TOO_SMALL
        ann buys for 1000              -> new, 2 at 92, expired
        cat buys 3 at 50               -> new
        bob sells for 120              -> new, 2 at 50
        book                           -> bids 1 at 50; asks none
    """,
    "a MARKET order that cannot be paid whole moves nothing": """
        bob sells 4 at 90              -> new
        bob sells 4 at 900000          -> new
        ann buys 6                     -> INSUFFICIENT_BALANCE
        ann sells 101                  -> NO_LIQUIDITY
        cat buys 1 at 50               -> new
        ann sells 101                  -> INSUFFICIENT_BALANCE
        ann has                        -> 1000 BTC, 1000000 USD
    """,
    "an order needs its whole hold free": """
        ann buys 10000 at 100          -> new
        ann buys 1 at 1                -> INSUFFICIENT_BALANCE
        ann cancels all                -> canceled
        ann buys 1 at 1                -> new
        bob sells 101 at 100           -> INSUFFICIENT_BALANCE
    """,
    "cancel by order id and by client order id": """
        ann buys 1 at 10 id one as a   -> new
        ann buys 2 at 10 id two as b   -> new
        bob cancels a                  -> UNKNOWN_ORDER
        ann cancels a                  -> canceled
        ann cancels a                  -> UNKNOWN_ORDER
        ann cancels id two             -> canceled
        ann cancels id two             -> UNKNOWN_ORDER
        ann cancels id never           -> UNKNOWN_ORDER
        ann has                        -> 1000 BTC, 1000000 USD
        book                           -> bids none; asks none
    """,
    "cancel all goes through an account's orders, oldest first": """
        ann buys 1 at 10               -> new
        ann sells 1 at 20              -> new
        bob buys 1 at 10               -> new
        ann cancels all                -> canceled, canceled
        ann cancels all                -> UNKNOWN_ORDER
        book                           -> bids 1 at 10; asks none
    """,
    "a reduction keeps the place in the queue": """
        ann sells 5 at 100 as a        -> new
        bob sells 5 at 100             -> new
        ann reduces a to 2             -> reduced
        ann has                        -> 980 BTC + 20 held, 1000000 USD
        ann reduces a to 2             -> NOT_REDUCED
        ann reduces a to 0             -> INVALID_QUANTITY
        cat buys 3 at 100              -> new, 2 at 100, 1 at 100
        ann has                        -> 980 BTC, 1000200 USD
    """,
    "a trade with oneself is allowed unless prevention is asked for": """
        ann sells 5 at 100             -> new
        ann buys 2 at 100              -> new, 2 at 100
        ann has                        -> 970 BTC + 30 held, 1000000 USD
    """,
    "EXPIRE_TAKER ends the incoming order at its member's own": """
        bob sells 1 at 99                    -> new
        ann sells 5 at 100                   -> new
        ann2 buys 4 at 100 EXPIRE_TAKER      -> new, 1 at 99, ann2 prevented
        book                                 -> bids none; asks 5 at 100
    """,
    "EXPIRE_MAKER removes the resting one and goes on": """
        ann sells 5 at 100                   -> new
        bob sells 5 at 100                   -> new
        ann2 buys 4 at 100 EXPIRE_MAKER      -> new, ann prevented, 4 at 100
        ann has                              -> 1000 BTC, 1000000 USD
        book                                 -> bids none; asks 1 at 100
    """,
    "EXPIRE_BOTH ends both": """
        ann sells 5 at 100                   -> new
        ann2 buys 4 at 100 EXPIRE_BOTH       -> new, ann prevented, ann2 prevented
        book                                 -> bids none; asks none
        ann has                              -> 1000 BTC, 1000000 USD
    """,
    "DECREMENT takes the smaller off the larger": """
        ann sells 5 at 100                   -> new
        ann2 buys 2 at 100 DECREMENT         -> new, ann cut to 3, ann2 prevented
        ann has                              -> 970 BTC + 30 held, 1000000 USD
        bob sells 1 at 100                   -> new
        ann2 buys 7 at 100 DECREMENT         -> new, ann prevented, ann2 cut to 4, 1 at 100
        book                                 -> bids 3 at 100; asks none
        ann2 has                             -> 1010 BTC, 999600 USD + 300 held
    """,
    "FOK counts only what it may trade with": """
        ann sells 5 at 100                   -> new
        bob sells 5 at 100                   -> new
        ann2 buys 6 at 100 FOK EXPIRE_MAKER  -> new, expired
        ann2 buys 5 at 100 FOK DECREMENT     -> new, expired
        ann2 buys 5 at 100 FOK EXPIRE_MAKER  -> new, ann prevented, 5 at 100
    """,
}


@pytest.mark.parametrize("name", TABLES)
def test_table(name: str) -> None:
    """Each table of the field's language comes true, with all sums zero after each line."""
    Field().play(TABLES[name])


FEES = {
    "fees come out of what is received, rounded down, into the fees account": (
        {"maker_fee_ppm": 1_000, "taker_fee_ppm": 15_000},
        """
        bob sells 50 at 101            -> new
        ann buys 50 at 101             -> new, 50 at 101
        ann has                        -> 1493 BTC, 994950 USD
        bob has                        -> 500 BTC, 1005045 USD
        fees has                       -> 7 BTC, 5 USD
        """,
    ),
    "a fee in quote is held by a buy too, and what is over comes back": (
        {"maker_fee_ppm": 1_000, "taker_fee_ppm": 15_000, "fee_in_quote": True},
        """
        ann buys 50 at 101             -> new
        ann has                        -> 1000 BTC, 994875 USD + 5125 held
        bob sells 10 at 101            -> new, 10 at 101
        ann has                        -> 1100 BTC, 994889 USD + 4100 held
        bob has                        -> 900 BTC, 1000995 USD
        fees has                       -> 16 USD
        ann cancels all                -> canceled
        ann has                        -> 1100 BTC, 998989 USD
        """,
    ),
}


@pytest.mark.parametrize("name", FEES)
def test_fees(name: str) -> None:
    """Fees are floor(received x rate), and the house's sums stay zero."""
    changes, table = FEES[name]
    Field(**changes).play(table)


FILTERS = [
    ({"price_ticks_min": 5}, {"price": 4}, ("PRICE_OUT_OF_RANGE", 5, 1 << 62, 0)),
    ({"price_ticks_max": 90}, {"price": 91}, ("PRICE_OUT_OF_RANGE", 1, 90, 0)),
    ({"quantity_lots_min": 3}, {"lots": 2}, ("QUANTITY_OUT_OF_RANGE", 3, (1 << 62) // 10, 0)),
    ({"quantity_lots_max": 9}, {"lots": 10}, ("QUANTITY_OUT_OF_RANGE", 1, 9, 0)),
    ({"min_notional": 501}, {"lots": 10, "price": 50}, ("NOTIONAL_TOO_SMALL", 500, 501, 0)),
    ({"max_notional": 499}, {"lots": 10, "price": 50}, ("NOTIONAL_TOO_LARGE", 500, 499, 0)),
    ({"status": InstrumentStatus.HALT}, {}, ("MARKET_CLOSED", 2, 0, 0)),
    ({"market": 2}, {}, ("NOT_SUPPORTED", 0, 0, 0)),
]


@pytest.mark.parametrize("changes, terms, wanted", FILTERS)
def test_filters(
    changes: dict[str, object], terms: dict[str, int], wanted: tuple[str, int, int, int]
) -> None:
    """Each filter refuses by its name, with its limits, and nothing moves."""
    field = Field(**changes)  # type: ignore[arg-type]
    before = still(field)
    given = {"lots": 10, "price": 50, **terms}
    assert field.refusals(field.order("ann", Side.BUY, **given)) == [wanted]
    assert still(field) == before


WORDS = [
    ({"side": 0}, "INVALID_SIDE"),
    ({"side": 3}, "INVALID_SIDE"),
    ({"order_type": 0}, "INVALID_TYPE"),
    ({"order_type": 8}, "INVALID_TYPE"),
    ({"order_type": 8}, "INVALID_TYPE"),
    ({"time_in_force": 0}, "INVALID_TIME_IN_FORCE"),
    ({"time_in_force": 4}, "INVALID_TIME_IN_FORCE"),
    ({"order_type": 3, "time_in_force": 2}, "INVALID_TIME_IN_FORCE"),
    ({"self_trade": 6}, "INVALID_SELF_TRADE"),
    ({"self_trade": -1}, "INVALID_SELF_TRADE"),
    ({"price_ticks": 0}, "INVALID_PRICE"),
    ({"price_ticks": -5}, "INVALID_PRICE"),
    ({"quantity_lots": 0}, "INVALID_QUANTITY"),
    ({"quantity_lots": -1}, "INVALID_QUANTITY"),
    ({"quote_quantity": 5}, "INVALID_QUOTE_QUANTITY"),
    ({"stop_price_ticks": 5}, "INVALID_STOP_PRICE"),
    ({"order_type": 2, "time_in_force": 0}, "INVALID_PRICE"),
    ({"instrument": 2}, "UNKNOWN_INSTRUMENT"),
    ({"instrument": 0}, "UNKNOWN_INSTRUMENT"),
    ({"instrument": -1}, "UNKNOWN_INSTRUMENT"),
    ({"instrument": 1 << 62}, "UNKNOWN_INSTRUMENT"),
    ({"account": 99}, "UNKNOWN_ACCOUNT"),
    ({"account": 0}, "UNKNOWN_ACCOUNT"),
    ({"account": -(1 << 63)}, "UNKNOWN_ACCOUNT"),
    ({"account": (1 << 63) - 1}, "UNKNOWN_ACCOUNT"),
    ({"key": 5}, "UNKNOWN_KEY"),
]


@pytest.mark.parametrize("changes, reason", WORDS)
def test_words_that_make_no_order_have_a_named_reason(changes: dict[str, int], reason: str) -> None:
    """Each bad word of NEW_ORDER is refused by its own name."""
    words = {
        "account": PEOPLE["ann"], "instrument": 1, "side": 1, "order_type": 1,
        "time_in_force": 1, "price_ticks": 10, "quantity_lots": 1,
    }  # fmt: skip
    field = Field()
    found = field.refusals(pack(Command.NEW_ORDER, **{**words, **changes}))
    assert [name for name, *_ in found] == [reason]


def test_too_many_open_orders() -> None:
    """The limit counts an account's open orders on the instrument, resting ones only."""
    field = Field(max_open_orders=2)
    field.play("""
        ann buys 1 at 10               -> new
        ann buys 1 at 10 as b          -> new
        ann buys 1 at 10               -> TOO_MANY_ORDERS
        ann buys 1 at 10 IOC           -> new, expired
        bob buys 1 at 10               -> new
        ann cancels b                  -> canceled
        ann buys 1 at 10               -> new
    """)


def test_a_halted_market_lets_orders_out_but_not_in() -> None:
    """HALT refuses new orders; cancels go on."""
    field = Field()
    field.play("ann buys 1 at 10 as a -> new")
    halted(field)
    field.play("""
        ann buys 1 at 10               -> MARKET_CLOSED
        ann cancels a                  -> canceled
    """)


def test_a_frozen_account_may_cancel_but_not_order() -> None:
    """FROZEN stops orders, not cancels."""
    field = Field()
    field.play("ann buys 1 at 10 as a -> new")
    body = AccountBody(member=1, frozen=True)
    field.send(pack_body(Command.CONFIGURE_ACCOUNT, body, account=PEOPLE["ann"]))
    field.play("""
        ann buys 1 at 10               -> FROZEN
        ann cancels a                  -> canceled
    """)


def test_new_fees_are_held_anew_and_who_cannot_pay_them_expires() -> None:
    """A higher fee in quote takes a larger hold from open buys, or ends them."""
    field = Field(fee_in_quote=True, usd=1_000)
    field.play("""
        ann buys 9 at 100              -> new
        bob buys 10 at 100             -> new
    """)
    body = instrument(fee_in_quote=True, taker_fee_ppm=100_000)
    field.send(pack_body(Command.DEFINE_INSTRUMENT, body))
    field.play("""
        ann has                        -> 1000 BTC, 10 USD + 990 held
        bob has                        -> 1000 BTC, 1000 USD
        book                           -> bids 9 at 100; asks none
    """)


def test_events_of_a_match_come_in_their_order() -> None:
    """ORDER, then TRADE, maker's FILL, taker's FILL, then levels, then balances once each."""
    field = Field()
    field.send(field.order("bob", Side.SELL, 4, 100), field.order("cat", Side.SELL, 4, 100))
    events = field.send(field.order("ann", Side.BUY, 6, 100))
    kinds = [Event(kind_of(event)).name for event in events]
    match = ["TRADE", "FILL", "FILL"]
    assert kinds == ["ORDER", *match, *match, "LEVEL", *["BALANCE"] * 6]
    fills = [unpack(event) for event in events if kind_of(event) == Event.FILL]
    assert [fill["is_maker"] for fill in fills] == [1, 0, 1, 0]
    assert [OrderStatus(fill["status"]).name for fill in fills] == [
        "FILLED", "PARTIALLY_FILLED", "PARTIALLY_FILLED", "FILLED",
    ]  # fmt: skip
    level = unpack(events[7])
    assert (level["quantity_lots"], level["book_seq"]) == (2, 3)


def test_boundaries_part_the_events_of_a_batch() -> None:
    """boundaries() says where each command's events end."""
    field = Field()
    one, two = (field.order("ann", Side.BUY, lots, 10) for lots in (1, 2))
    events = field.send(one, pack(Command.ADVANCE), two)
    ends = field.exchange.boundaries()
    assert ends[-1] == sum(len(event) for event in events)
    assert ends[0] == ends[1]
    assert len(ends) == 3
