"""The dealer market as tables: bounded orders, a feed's messages, the house's inventory."""

from __future__ import annotations

from tests.core.outside_field import OutsideField


def test_a_buy_fills_over_many_messages_up_to_the_availability_of_each() -> None:
    """100 wanted at up to 20, 50 there: 50 fill and 50 wait; the next message completes."""
    OutsideField().play("""
        ann buys 100 CIB between 0 and 20 as one -> new
        ann has                    -> 1000 BTC, 998000 USD + 2000 held
        ann waits                  -> NO_QUOTE
        quote 20 x 50 of 1         -> ann 50 at 20, current AVAILABILITY
        ann has                    -> 1000 BTC, 998000 USD + 1000 held, 50 CIB
        ann waits                  -> AVAILABILITY
        quote 21 x 50 of 2         -> current
        ann waits                  -> OUT_OF_BOUNDS
        quote 19 x 70 of 3         -> ann 50 at 19, current
        ann has                    -> 1000 BTC, 998050 USD, 100 CIB
        ann waits                  -> for nothing
        inventory has              -> 1950 USD, -100 CIB
    """)


def test_the_surplus_of_a_buy_is_given_back_with_each_fill() -> None:
    """A buy holds total x upper; what a better price saves is free at once."""
    OutsideField().play("""
        ann buys 10 CIB between 5 and 30 as one -> new
        ann has                    -> 1000 BTC, 999700 USD + 300 held
        quote 12 x 4 of 1          -> ann 4 at 12, current AVAILABILITY
        ann has                    -> 1000 BTC, 999772 USD + 180 held, 4 CIB
        ann cancels one            -> canceled
        ann has                    -> 1000 BTC, 999952 USD, 4 CIB
    """)


def test_an_order_meets_only_messages_after_it() -> None:
    """A message that came before the order does not fill it, whatever it has left."""
    OutsideField().play("""
        quote 20 x 50 of 1         -> current
        ann buys 10 CIB between 0 and 25 as one -> new
        ann waits                  -> NO_QUOTE
        quote 20 x 50 of 1         -> DUPLICATE_QUOTE
        ann waits                  -> NO_QUOTE
        quote 20 x 50 of 2         -> ann 10 at 20, current
    """)


def test_a_duplicate_fills_nothing_and_an_older_message_never_rewinds() -> None:
    """An equal message is refused; an older one is told as older; of one time all differ."""
    OutsideField().play("""
        ann buys 100 CIB between 0 and 30 as one -> new
        quote 20 x 5 of 10         -> ann 5 at 20, current AVAILABILITY
        quote 20 x 5 of 10         -> DUPLICATE_QUOTE
        quote 20 x 6 of 10         -> ann 6 at 20, current AVAILABILITY
        quote 21 x 5 of 10         -> ann 5 at 21, current AVAILABILITY
        quote 20 x 5 of 10         -> DUPLICATE_QUOTE
        quote 19 x 50 of 9         -> older
        quote 20 x 5 of 11         -> ann 5 at 20, current AVAILABILITY
        quote 20 x 5 of 10         -> older
        quote 20 x 5 of 11         -> DUPLICATE_QUOTE
        ann has                    -> 1000 BTC, 997205 USD + 2370 held, 21 CIB
    """)


def test_availability_counts_for_buys_and_for_sells_each_oldest_first() -> None:
    """One message fills its availability of buys and as much of sells, the oldest before others."""
    OutsideField(shares=100).play("""
        ann buys 30 CIB between 0 and 20 as one -> new
        bob buys 40 CIB between 0 and 25 as two -> new
        cat sells 60 CIB between 10 and 99 as three -> new
        cat has                    -> 1000 BTC, 1000000 USD, 40 CIB + 60 held
        quote 15 x 50 of 1 -> ann 30 at 15, bob 20 at 15, cat 50 at 15, current AVAILABILITY
        inventory has              -> nothing
        quote 22 x 50 of 2         -> bob 20 at 22, cat 10 at 22, current
        cat has                    -> 1000 BTC, 1000970 USD, 40 CIB
        inventory has              -> 220 USD, -10 CIB
    """)


def test_orders_wait_where_the_inventory_limit_stops_them() -> None:
    """The house's position goes to its limit either way and no further; the reason is told."""
    OutsideField(cib={"inventory_lots_max": 15}, shares=100).play("""
        ann buys 20 CIB between 0 and 20 as one -> new
        quote 20 x 50 of 1         -> ann 15 at 20, current INVENTORY_LIMIT
        ann waits                  -> INVENTORY_LIMIT
        quote 20 x 50 of 2         -> current INVENTORY_LIMIT
        bob sells 40 CIB between 10 and 20 as two -> new
        quote 18 x 50 of 3         -> bob 30 at 18, current INVENTORY_LIMIT
        bob waits                  -> INVENTORY_LIMIT
        ann waits                  -> INVENTORY_LIMIT
        quote 18 x 50 of 4         -> ann 5 at 18, bob 5 at 18, current INVENTORY_LIMIT
    """)


def test_what_cannot_be_an_order_or_a_message_is_refused_by_name() -> None:
    """Bounds the wrong way, nothing, no funds, no shares, another market's order, a bad message."""
    OutsideField(shares=10).play("""
        ann buys 10 CIB between 30 and 20 -> INVALID_STOP_PRICE
        ann buys 10 CIB between 0 and 0   -> INVALID_PRICE
        ann buys 0 CIB between 1 and 2    -> INVALID_QUANTITY
        ann buys 100001 CIB between 1 and 10 -> INSUFFICIENT_BALANCE
        ann sells 11 CIB between 1 and 10 -> INSUFFICIENT_BALANCE
        ann buys 10 CIB                   -> NOT_SUPPORTED
        ann buys 10 ABAN between 1 and 2  -> NOT_SUPPORTED
        quote 0 x 5 of 1                  -> INVALID_PRICE
        quote 5 x 0 of 1                  -> INVALID_QUANTITY
        quote 5 x 5 of 90000              -> INVALID_TIME
        ann buys 1 CIB between 1 and 2 id a as one -> new
        ann buys 1 CIB between 1 and 2 id a -> DUPLICATE_ORDER
        ann buys 1 CIB between 0 and 2 id a -> CLIENT_ORDER_ID_OPEN
        bob cancels one                   -> UNKNOWN_ORDER
        ann cancels one                   -> canceled
        ann cancels one                   -> UNKNOWN_ORDER
        ann has                           -> 1000 BTC, 1000000 USD, 10 CIB
    """)


def test_fees_are_taken_from_what_is_received_or_beside_the_price_in_quote() -> None:
    """With fees in quote a buy holds its fee too; the surplus of both is given back."""
    fees = {"taker_fee_ppm": 100_000, "fee_in_quote": True}
    OutsideField(cib=fees, shares=10).play("""
        ann buys 10 CIB between 0 and 20 as one -> new
        ann has                    -> 1000 BTC, 999780 USD + 220 held, 10 CIB
        bob sells 5 CIB between 0 and 20 as two -> new
        quote 15 x 10 of 1         -> ann 10 at 15, bob 5 at 15, current
        ann has                    -> 1000 BTC, 999835 USD, 20 CIB
        bob has                    -> 1000 BTC, 1000068 USD, 5 CIB
        fees has                   -> 22 USD
    """)
