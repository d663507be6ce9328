"""The agency market as tables: pools, venue orders, what becomes of them, and who gets what."""

from __future__ import annotations

from tests.core.outside_field import OutsideField


def test_small_orders_of_one_coin_become_one_venue_order() -> None:
    """4 + 3 + 4 of one coin are one outside order of 11; another coin is never mixed in."""
    OutsideField().play("""
        ann buys 4 ABAN as one     -> new, pool 4
        bob buys 9 DOGE as other   -> new, pool 9
        bob buys 3 ABAN as two     -> new, pool 7
        bob waits                  -> POOL, POOL
        cat buys 4 ABAN as three   -> new, venue 1 of 11, pool 0
        ann has                    -> 1000 BTC, 999960 USD + 40 held
        ann waits                  -> VENUE 1
        bob waits                  -> VENUE 1, POOL
        sent 1                     -> venue 1 SENT
        report 1 110 110 final -> ann 4 at 10, bob 3 at 10, cat 4 at 10, venue 1 CONFIRMED
        ann has                    -> 1000 BTC, 999960 USD, 40 ABAN
        bob has                    -> 1000 BTC, 999880 USD + 90 held, 30 ABAN
        rounding has               -> nothing
    """)


def test_an_order_of_the_minimum_goes_at_once_and_takes_the_pool_along() -> None:
    """Exactly the minimum is enough."""
    OutsideField().play("""
        ann buys 10 ABAN as one    -> new, venue 1 of 10, pool 0
        bob buys 1 ABAN as two     -> new, pool 1
        cat buys 12 ABAN as three  -> new, venue 2 of 13, pool 0
        bob sells 1 ABAN           -> INSUFFICIENT_BALANCE
    """)


def test_a_fill_is_shared_by_largest_remainder_and_the_rest_is_given_back() -> None:
    """5 of 11 lots: 4/11, 3/11, 4/11 of 5 are 2, 1, 2; the money likewise, to the last unit."""
    OutsideField(aban={"slippage_ppm": 100_000}).play(
        """
        ann buys 4 ABAN as one     -> new, pool 4
        bob buys 3 ABAN as two     -> new, pool 7
        cat buys 4 ABAN as three   -> new, venue 1 of 11, pool 0
        ann has                    -> 1000 BTC, 999956 USD + 44 held
        sent 1                     -> venue 1 SENT
        report 1 50 51 final       -> ann 2 at 10, bob 1 at 10, cat 2 at 10, \
expired, expired, expired, venue 1 CONFIRMED
        ann has                    -> 1000 BTC, 999979 USD, 20 ABAN
        bob has                    -> 1000 BTC, 999990 USD, 10 ABAN
        cat has                    -> 1000 BTC, 999980 USD, 20 ABAN
    """.replace("\\\n", "")
    )


def test_partial_reports_are_shared_as_they_come() -> None:
    """Reports are totals: the same again, or less, says nothing new."""
    OutsideField().play("""
        ann buys 6 ABAN as one     -> new, pool 6
        bob buys 6 ABAN as two     -> new, venue 1 of 12, pool 0
        report 1 50 50             -> VENUE_ORDER_STATE
        sent 1                     -> venue 1 SENT
        report 1 30 30             -> ann 2 at 10, bob 1 at 10, venue 1 SENT
        report 1 30 30             -> STALE_REPORT
        report 1 20 20             -> STALE_REPORT
        report 1 60 57             -> ann 1 at 9, bob 2 at 9, venue 1 SENT
        report 1 60 57 final       -> expired, expired, venue 1 CONFIRMED
        report 1 60 57 final       -> VENUE_ORDER_CLOSED
        ann has                    -> 1000 BTC, 999971 USD, 30 ABAN
        bob has                    -> 1000 BTC, 999972 USD, 30 ABAN
    """)


def test_a_failure_gives_everything_back() -> None:
    """A final report of nothing refunds every order exactly."""
    OutsideField().play("""
        ann buys 7 ABAN as one     -> new, pool 7
        bob buys 7 ABAN as two     -> new, venue 1 of 14, pool 0
        sent 1                     -> venue 1 SENT
        report 1 0 0 final         -> expired, expired, venue 1 CONFIRMED
        ann has                    -> 1000 BTC, 1000000 USD
        bob has                    -> 1000 BTC, 1000000 USD
    """)


def test_a_venue_order_is_sent_once_and_an_unknown_one_resolved_by_query_alone() -> None:
    """Only one may send; once its answer is lost, only what a query says counts."""
    OutsideField().play("""
        ann buys 10 ABAN as one    -> new, venue 1 of 10, pool 0
        lost 1                     -> VENUE_ORDER_STATE
        sent 1                     -> venue 1 SENT
        sent 1                     -> VENUE_ORDER_STATE
        lost 1                     -> venue 1 UNKNOWN
        lost 1                     -> VENUE_ORDER_STATE
        sent 1                     -> VENUE_ORDER_STATE
        report 1 100 100 final     -> VENUE_ORDER_STATE
        report 1 100 100 final asked -> ann 10 at 10, venue 1 CONFIRMED
        sent 1                     -> VENUE_ORDER_CLOSED
        sent 2                     -> UNKNOWN_VENUE_ORDER
    """)


def test_an_order_can_be_cancelled_while_it_waits_and_not_after() -> None:
    """In the pool it can; as part of a venue order it can't."""
    OutsideField().play("""
        ann buys 4 ABAN as one     -> new, pool 4
        ann buys 5 ABAN as two     -> new, pool 9
        ann cancels one            -> canceled, pool 5
        ann has                    -> 1000 BTC, 999950 USD + 50 held
        bob buys 5 ABAN as three   -> new, venue 1 of 10, pool 0
        ann cancels two            -> ORDER_SENT
        bob cancels three          -> ORDER_SENT
    """)


def test_a_pool_that_waits_too_long_is_given_back_or_sent_by_rule() -> None:
    """The oldest order's hour counts; then refund, or flush if the venue says so."""
    OutsideField().play("""
        ann buys 4 ABAN as one     -> new, pool 4
        wait 1800 ->
        bob buys 3 ABAN as two     -> new, pool 7
        wait 1799 ->
        advance                    -> not yet
        wait 1 ->
        advance                    -> expired, expired, pool 0
        ann has                    -> 1000 BTC, 1000000 USD
        advance                    -> not yet
    """)
    OutsideField(aban={"pool_flush": True}).play("""
        ann buys 4 ABAN as one     -> new, pool 4
        bob buys 3 ABAN as two     -> new, pool 7
        wait 1800 ->
        ann cancels one            -> canceled, pool 3
        cat buys 1 ABAN as three   -> new, pool 4
        wait 1800 ->
        advance                    -> venue 1 of 4, pool 0
    """)


def test_amounts_finer_than_a_lot_go_to_the_rounding_account() -> None:
    """Of 47 units 4 lots of 10 are shared; 7 units and their part of the money are the house's."""
    OutsideField().play(
        """
        ann buys 6 ABAN as one     -> new, pool 6
        bob buys 6 ABAN as two     -> new, venue 1 of 12, pool 0
        sent 1                     -> venue 1 SENT
        report 1 7 7               -> venue 1 SENT
        report 1 47 47 final       -> ann 2 at 10, bob 2 at 10, 7 ABAN from world to rounding, \
7 USD from rounding to world, expired, expired, venue 1 CONFIRMED
        rounding has               -> -7 USD, 7 ABAN
        ann has                    -> 1000 BTC, 999980 USD, 20 ABAN
    """.replace("\\\n", "")
    )


def test_a_report_that_cannot_be_is_refused() -> None:
    """More than was ordered, or dearer than the limit: nothing moves."""
    OutsideField(aban={"slippage_ppm": 50_000}).play("""
        ann buys 20 ABAN as one    -> new, venue 1 of 20, pool 0
        sent 1                     -> venue 1 SENT
        report 1 201 201 final     -> EXCESSIVE_REPORT
        report 1 200 201 final     -> EXCESSIVE_REPORT
        report 1 0 1               -> EXCESSIVE_REPORT
        report 1 -1 0              -> STALE_REPORT
        report 1 200 200 final     -> ann 20 at 10, venue 1 CONFIRMED
    """)


def test_sales_are_pooled_and_shared_like_purchases() -> None:
    """Coins are held; the proceeds are shared to the last unit."""
    OutsideField(coins=100).play("""
        ann sells 4 ABAN as one    -> new, pool 4
        bob sells 3 ABAN as two    -> new, pool 7
        cat sells 3 ABAN as three  -> new, venue 1 of 10, pool 0
        ann has -> 1000 BTC, 1000000 USD, 60 ABAN + 40 held, 100 DOGE
        sent 1                     -> venue 1 SENT
        report 1 100 101 final -> ann 4 at 10, bob 3 at 10, cat 3 at 10, venue 1 CONFIRMED
        ann has -> 1000 BTC, 1000041 USD, 60 ABAN, 100 DOGE
        bob has -> 1000 BTC, 1000030 USD, 70 ABAN, 100 DOGE
    """)


def test_a_new_reference_price_values_the_pools_anew() -> None:
    """A pool that is worth the minimum at a new price goes; new orders hold at it."""
    OutsideField().play("""
        ann buys 6 ABAN as one     -> new, pool 6
        reference 16               -> pool 6
        bob buys 1 ABAN as two     -> new, venue 1 of 7, pool 0
        bob has                    -> 1000 BTC, 999984 USD + 16 held
        cat buys 6 ABAN as three   -> new, pool 6
        reference 17               -> venue 2 of 6, pool 0
    """)
