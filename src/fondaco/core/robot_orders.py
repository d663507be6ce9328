"""The orders and trades of robots' accounts on their way to limits.py, which is plain Python.

Promises: an order that its account's limits refuse changes nothing; what an order may bring or cost
is at least what it will. Whoever calls has seen the account's flag: others never come here.
"""

from typing import Any

import cython

if not cython.compiled:
    from fondaco.core.accounts import Accounts
    from fondaco.core.checks import Checks
    from fondaco.core.constants import STP_NONE
    from fondaco.core.instrument import Instrument
    from fondaco.core.layouts import NewOrder
    from fondaco.core.rows import Order, Seat, seat_at


class RobotOrders:
    """What the compiled core asks and tells of robots."""

    def __init__(self, accounts: Accounts, checks: Checks) -> None:
        """Share the tables of the orders; `limits` is set when they stand."""
        self.accounts = accounts
        self.checks = checks
        self.limits: Any = None
        self.changed = 0  # 1: this command changed a robot
        self.exit = 0  # 1: the order or list at hand is an exit
        self.met = 0  # what the order at hand meets in the book, in quote units
        self.rest = 0  # what the rest of it is worth at its price

    def admit(self, instrument: Instrument, command: NewOrder) -> int:
        """Return 0 if an order that may come in keeps to its account's limits, or the reason."""
        lots = self.checks.lots
        price = command.price_ticks
        if command.stop_price_ticks:
            price = price or command.stop_price_ticks
            self.met = 0
            self.rest = price * instrument.quote_per_lot_tick * lots
        else:
            self_trade = command.self_trade or STP_NONE
            self.weigh(instrument, command.side, price, lots, self.checks.member, self_trade)
        reason: int = self.limits.admit(
            command.account,
            instrument,
            command.seq,
            command.side,
            self.met,
            self.rest,
            self.exit,
            1,
        )
        return reason

    def admit_list(
        self, instrument: Instrument, account: int, list_id: int, side: int, worth: int
    ) -> int:
        """Return 0 if a list that may come in keeps to its account's limits, or the reason.

        `worth` is its larger leg's: only one of the two will trade.
        """
        reason: int = self.limits.admit(account, instrument, list_id, side, 0, worth, self.exit, 2)
        return reason

    def enforce(self, first: int) -> int:
        """Let the open buys expire of robots that this command brought to a loss limit."""
        self.limits.enforce(first)
        return 0

    def is_over(self, instrument: Instrument, order: Order) -> int:
        """Return 1 if a stop that was reached may not go on because of its account's limits."""
        self.weigh(
            instrument,
            order.side,
            order.price_ticks,
            order.open_lots,
            order.member,
            order.self_trade,
        )
        over: int = self.limits.is_over(
            seat_at(self.accounts.seats, order.seat).account,
            instrument,
            order.order_id,
            order.side,
            self.met,
            self.rest,
        )
        return over

    def weigh(
        self,
        instrument: Instrument,
        side: int,
        price: int,
        lots: int,
        member: int,
        self_trade: int,
    ) -> int:
        """Find what an order is worth: what it meets, and the rest at its own price, if any."""
        instrument.book.survey(side, price, lots, instrument.worth_max, member, self_trade)
        self.met = instrument.book.survey_worth * instrument.quote_per_lot_tick
        self.rest = (lots - instrument.book.survey_lots) * price * instrument.quote_per_lot_tick
        return 0

    def tell(
        self,
        instrument: Instrument,
        buyer: Seat,
        seller: Seat,
        base: int,
        quote: int,
        buyer_fee: int,
        seller_fee: int,
    ) -> int:
        """Tell the limits of a trade that has a robot on one side, or on both."""
        if buyer.robot:
            self.limits.bought(buyer.account, instrument, base, quote, buyer_fee)
        if seller.robot:
            self.limits.sold(seller.account, instrument, base, quote, seller_fee)
        return 0
