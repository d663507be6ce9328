"""Stops in the field's language: what arms, waits, fires, expires, is refused; what they hold."""

from __future__ import annotations

import pytest

from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    AccountBody,
    Command,
    Event,
    Execution,
    Query,
    Side,
    pack,
    pack_body,
    unpack,
)
from tests.core.field import PEOPLE, SECOND_US, Field, halted, instrument, kind_of

TABLES = {
    "a stop waits outside the book and holds what it may need": """
        ann sells 10 stop 90                  -> new
        ann buys 10 stop 110                  -> new
        bob buys 10 at 105 stop 110           -> new
        ann has                               -> 900 BTC + 100 held, 998845 USD + 1155 held
        bob has                               -> 1000 BTC, 998950 USD + 1050 held
        book                                  -> bids none; asks none
    """,
    "a stop loss sells when the price falls to it, after the order that moved it": """
        ann sells 5 stop 95                   -> new
        cat buys 4 at 96                      -> new
        cat buys 20 at 90                     -> new
        bob sells 2 at 96                     -> new, 2 at 96
        bob sells 8 at 90                     -> new, 2 at 96, 6 at 90, ann triggered, 5 at 90
        ann has                               -> 950 BTC, 1000450 USD
        book                                  -> bids 9 at 90; asks none
    """,
    "a stop loss buys when the price rises to it": """
        ann buys 5 stop 110                   -> new
        cat sells 5 at 110                    -> new
        cat sells 9 at 111                    -> new
        bob buys 5 at 110                     -> new, 5 at 110, ann triggered, 5 at 111
        ann has                               -> 1050 BTC, 999445 USD
    """,
    "take profit is the other way round": """
        ann sells 5 stop 110 TAKE_PROFIT      -> new
        cat buys 9 at 80                      -> new
        cat sells 1 at 110                    -> new
        bob buys 1 at 110                     -> new, 1 at 110, ann triggered, 5 at 80
        bob buys 5 stop 70 TAKE_PROFIT        -> new
        cat buys 2 at 70                      -> new
        ann sells 5 at 70                     -> new, 4 at 80, 1 at 70, bob triggered, expired
    """,
    "a stop limit rests at its price when nobody meets it, behind those who are there": """
        ann sells 5 at 100 stop 95            -> new
        cat buys 1 at 95                      -> new
        bob sells 1 at 95                     -> new, 1 at 95, ann triggered
        book                                  -> bids none; asks 5 at 100
        bob sells 3 at 100                    -> new
        cat buys 6 at 100                     -> new, 5 at 100, 1 at 100
        ann has                               -> 950 BTC, 1000500 USD
    """,
    "the queue is by arming": """
        ann sells 1 stop 95                   -> new
        cat sells 1 stop 96                   -> new
        bob buys 1 at 95                      -> new
        bob buys 9 at 90                      -> new
        ann2 sells 1 at 95  -> new, 1 at 95, ann triggered, 1 at 90, cat triggered, 1 at 90
    """,
    "a stop that another one reaches runs after it": """
        cat sells 1 stop 91                   -> new
        ann sells 1 stop 95                   -> new
        bob buys 1 at 95                      -> new
        bob buys 9 at 90                      -> new
        ann2 sells 1 at 95  -> new, 1 at 95, ann triggered, 1 at 90, cat triggered, 1 at 90
    """,
    "the first trade of a sweep triggers, too": """
        cat sells 1 at 105                    -> new
        bob buys 1 at 105                     -> new, 1 at 105
        ann sells 1 at 100 stop 100           -> new
        cat sells 1 at 100                    -> new
        cat sells 1 at 107                    -> new
        bob buys 2 at 107                     -> new, 1 at 100, 1 at 107, ann triggered
        book                                  -> bids none; asks 1 at 100
    """,
    "a stop that the last price has reached is refused": """
        cat sells 1 at 100                    -> new
        bob buys 1 at 100                     -> new, 1 at 100
        ann sells 1 stop 100                  -> WOULD_TRIGGER
        ann sells 1 at 99 stop 101            -> WOULD_TRIGGER
        ann buys 1 stop 100                   -> WOULD_TRIGGER
        ann buys 1 stop 100 TAKE_PROFIT       -> WOULD_TRIGGER
        ann sells 1 stop 99 TAKE_PROFIT       -> WOULD_TRIGGER
        ann sells 1 stop 99                   -> new
        ann buys 1 stop 101                   -> new
    """,
    "a triggered order that nobody stands against expires and gives back": """
        ann sells 5 stop 95                   -> new
        cat buys 1 at 95                      -> new
        bob sells 1 at 95                     -> new, 1 at 95, ann triggered, expired
        ann has                               -> 1000 BTC, 1000000 USD
    """,
    "a triggered order that cannot be paid whole moves nothing": """
        ann buys 9000 stop 100                -> new
        cat sells 1 at 100                    -> new
        cat sells 9 at 900000                 -> new
        bob buys 1 at 100                     -> new, 1 at 100, ann triggered, expired
        ann has                               -> 1000 BTC, 1000000 USD
    """,
    "a stop is cancelled and reduced like any other order": """
        ann buys 10 stop 110 as a             -> new
        ann sells 10 at 80 stop 90 as b       -> new
        ann reduces a to 4                    -> reduced
        ann reduces a to 4                    -> NOT_REDUCED
        ann reduces b to 1                    -> reduced
        ann has                               -> 990 BTC + 10 held, 999538 USD + 462 held
        ann cancels a                         -> canceled
        ann cancels a                         -> UNKNOWN_ORDER
        ann cancels all                       -> canceled
        ann has                               -> 1000 BTC, 1000000 USD
    """,
    "IOC and FOK stops do as they say once they are triggered": """
        ann sells 5 at 90 IOC stop 95         -> new
        ann sells 5 at 90 FOK stop 95         -> new
        cat buys 1 at 95                      -> new
        cat buys 4 at 90                      -> new
        bob sells 1 at 95 -> new, 1 at 95, ann triggered, 4 at 90, expired, ann triggered, expired
        ann has                               -> 960 BTC, 1000360 USD
    """,
    "prevention holds for stops": """
        ann2 buys 1 at 90                     -> new
        ann sells 5 stop 95 EXPIRE_TAKER      -> new
        cat buys 1 at 95                      -> new
        bob sells 1 at 95                     -> new, 1 at 95, ann triggered, ann prevented
        ann has                               -> 1000 BTC, 1000000 USD
    """,
}


@pytest.mark.parametrize("name", TABLES)
def test_table(name: str) -> None:
    """Each table's actions give the events and answers beside them."""
    Field().play(TABLES[name])


UNPRICED = {"order_type": 6, "time_in_force": 0, "price_ticks": 0}
SHAPES: list[tuple[dict[str, int], str]] = [
    ({"order_type": 4, "time_in_force": 1, "price_ticks": 0}, "INVALID_TIME_IN_FORCE"),
    ({"order_type": 4, "time_in_force": 0}, "INVALID_PRICE"),
    ({"order_type": 5, "time_in_force": 0}, "INVALID_TIME_IN_FORCE"),
    ({"order_type": 7, "price_ticks": 0}, "INVALID_PRICE"),
    ({"order_type": 7, "stop_price_ticks": 0}, "INVALID_STOP_PRICE"),
    ({**UNPRICED, "stop_price_ticks": -1}, "INVALID_STOP_PRICE"),
    ({"order_type": 5, "quantity_lots": 0}, "INVALID_QUANTITY"),
    ({"order_type": 5, "quote_quantity": 9}, "INVALID_QUOTE_QUANTITY"),
    ({"order_type": 1, "stop_price_ticks": 9}, "INVALID_STOP_PRICE"),
    ({"order_type": 5, "stop_price_ticks": 1 << 62, "price_ticks": 1 << 62}, "NOTIONAL_TOO_LARGE"),
    ({"order_type": 5, "stop_price_ticks": (1 << 62) + 1}, "PRICE_OUT_OF_RANGE"),
    ({**UNPRICED, "stop_price_ticks": (1 << 62) // 3}, "INSUFFICIENT_BALANCE"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "reason"), SHAPES)
def test_words_that_make_no_stop_have_a_named_reason(words: dict[str, int], reason: str) -> None:
    """Each wrong word has its own reason; nothing overflows on the way to it."""
    sound = {"quantity_lots": 3, "price_ticks": 100, "stop_price_ticks": 100, "time_in_force": 1}
    record = pack(
        Command.NEW_ORDER, account=PEOPLE["ann"], instrument=1, side=Side.BUY, **{**sound, **words}
    )
    assert [name for name, *_ in Field().refusals(record)] == [reason]


def test_what_a_market_stop_holds_with_its_band_and_fee() -> None:
    """Quantity x stop price x (1 + band), and the fee on that where fees are in quote."""
    field = Field(fee_in_quote=True, taker_fee_ppm=100_000, stop_band_ppm=200_000)
    field.play("ann buys 10 stop 100 -> new")
    assert field.funds("ann") == "1000 BTC, 998680 USD + 1320 held"  # 1000 + 20 %, + 10 % of it
    changed = {"fee_in_quote": True, "taker_fee_ppm": 0, "stop_band_ppm": 0}
    field.send(pack_body(Command.DEFINE_INSTRUMENT, instrument(**changed)))
    assert field.funds("ann") == "1000 BTC, 999000 USD + 1000 held"
    changed |= {"stop_band_ppm": 999_999, "maker_fee_ppm": 999_999}
    field.play("ann buys 4000 stop 200 -> new")  # 800,000: nobody can hold nearly four times it
    field.send(pack_body(Command.DEFINE_INSTRUMENT, instrument(**changed)))
    assert field.funds("ann") == "1000 BTC, 996003 USD + 3997 held"


def test_a_command_runs_so_many_stops_and_advance_the_rest() -> None:
    """Sixteen run after the aggressor; the rest is due at once, and ADVANCE runs it, by arming."""
    field = Field(max_open_orders=0)
    field.play("cat buys 1 at 95 -> new\ncat buys 100 at 90 -> new")
    for _ in range(40):
        field.play("ann sells 1 stop 95 -> new")
    armed = field.exchange.seq - 39
    assert field.exchange.deadline() == 0
    found = field.act(["bob", "sells", "1", "at", "95"])
    assert found == ", ".join(["new", "1 at 95", *["ann triggered", "1 at 90"] * 16])
    assert field.exchange.deadline() == field.time_us
    assert field.act(["advance"]) == ", ".join(["ann triggered", "1 at 90"] * 16)
    field.time_us += SECOND_US
    loaded = Exchange()
    loaded.load(field.exchange.dump())
    assert loaded.deadline() == field.exchange.deadline() > 0
    field.exchange = loaded
    field.act(["advance"])
    fired = [unpack(e) for e in field.last_events if kind_of(e) == Event.ORDER]
    assert [words["order_id"] for words in fired] == list(range(armed + 32, armed + 40))
    assert {words["execution"] for words in fired} == {Execution.TRIGGERED}
    assert {words["working_us"] for words in fired} == {field.time_us}
    assert field.exchange.deadline() == 0
    assert field.act(["advance"]) == ""


def test_what_waits_in_a_closed_market_runs_when_it_opens() -> None:
    """Reached stops of a halted instrument, or in maintenance, wait and are not due."""
    field = Field(max_open_orders=0)
    field.play("cat buys 1 at 95 -> new\ncat buys 100 at 90 -> new")
    for _ in range(20):
        field.play("ann sells 1 stop 95 -> new")
    field.act(["bob", "sells", "1", "at", "95"])
    halted(field)
    assert (field.exchange.deadline(), field.act(["advance"])) == (0, "")
    field.send(pack_body(Command.DEFINE_INSTRUMENT, instrument()))
    field.send(pack(Command.CONFIGURE_HOUSE, maintenance=1))
    assert (field.exchange.deadline(), field.act(["advance"])) == (0, "")
    field.send(pack(Command.CONFIGURE_HOUSE, maintenance=0))
    assert field.exchange.deadline() > 0
    assert field.act(["advance"]) == ", ".join(["ann triggered", "1 at 90"] * 4)


def test_a_frozen_account_s_stop_expires() -> None:
    """An account that may not trade sells nothing: its stop is refused and gives back."""
    field = Field()
    field.play("ann sells 1 stop 95 -> new\ncat buys 9 at 95 -> new")
    frozen = AccountBody(member=1, frozen=True)
    field.send(pack_body(Command.CONFIGURE_ACCOUNT, frozen, account=PEOPLE["ann"]))
    field.play("bob sells 1 at 95 -> new, 1 at 95, ann triggered, expired")
    assert field.funds("ann") == "1000 BTC, 1000000 USD"


def test_an_order_says_since_when_it_works() -> None:
    """working_us is the time of creation, 0 while a stop waits, then the time of its trigger."""
    field = Field()
    field.play("ann sells 1 at 99 stop 95 -> new\ncat buys 1 at 95 -> new")

    def told(name: str) -> list[int]:
        answer = field.query(Query.OPEN_ORDERS, account=PEOPLE[name])
        return [unpack(record)["working_us"] for record in answer]

    assert (told("ann"), told("cat")) == ([0], [field.time_us])
    field.time_us += SECOND_US
    field.play("bob sells 1 at 95 -> new, 1 at 95, ann triggered")
    assert told("ann") == [field.time_us]
    field.time_us += SECOND_US
    loaded = Exchange()
    loaded.load(field.exchange.dump())
    field.exchange = loaded
    assert told("ann") == [field.time_us - SECOND_US]
    field.play("ann cancels all -> canceled")
    assert unpack(field.last_events[0])["working_us"] == field.time_us - SECOND_US
