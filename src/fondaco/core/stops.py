"""Stops that were reached: each runs as an order of its kind, after the one that reached it.

Promises: reached stops run one after another in the order of their arming, at most TRIGGERS_MAX in
a command; the rest is due at once by the next ADVANCE, or runs after the next order that the
instrument takes in. Before each, the open buys expire of a robot that has reached a loss limit: no
stop can meet them. While a market is closed they wait. A stop runs once: it leaves the queue first,
then says TRIGGERED, gives back what it held and goes on like a new order of its account. If it is
refused (the account is frozen, nobody stands against it, it can't be paid) it expires.
"""

import cython

if not cython.compiled:
    from fondaco.core.constants import (
        BUY,
        CAUSE_ORDER,
        EXECUTION_EXPIRED,
        EXECUTION_TRADE_PREVENTION,
        EXECUTION_TRIGGERED,
        FOK,
        GTC,
        STATUS_EXPIRED,
        STATUS_EXPIRED_IN_MATCH,
        TRADING,
        TRIGGERS_MAX,
    )
    from fondaco.core.instrument import Instrument
    from fondaco.core.orders import Orders
    from fondaco.core.rows import Order, account_at, order_at, seat_at


class Stops:
    """The turn of the reached stops of all instruments."""

    def __init__(self, orders: Orders) -> None:
        """Share the tables of all orders."""
        self.orders = orders
        self.events = self.orders.events
        self.ledger = self.orders.ledger
        self.accounts = self.orders.accounts
        self.fired = 0  # in this command
        self.left = 0  # 1: perhaps some wait

    def is_due(self, instrument: Instrument) -> int:
        """Return 1 if a stop of the instrument waits and may run now."""
        if instrument.triggers.waiting == 0 or instrument.status != TRADING:
            return 0
        return 0 if self.orders.checks.maintenance else 1

    def run(self, instrument: Instrument) -> int:
        """Run the stops that wait, as many as this command still may."""
        while instrument.triggers.waiting and self.fired < TRIGGERS_MAX:
            if self.orders.robots.changed:
                self.orders.robots.enforce(instrument.number)
                if instrument.triggers.waiting == 0:
                    return 0
            self.fired += 1
            self.fire(instrument, instrument.triggers.take())
        if instrument.triggers.waiting:
            self.left = 1
        return 0

    def fire(self, instrument: Instrument, slot: int) -> int:
        """Run one stop."""
        order = order_at(self.orders.orders, slot)
        self.events.working.put(order.order_id, self.events.time_us)
        account = seat_at(self.accounts.seats, order.seat).account
        self.events.order(order, account, instrument.number, EXECUTION_TRIGGERED, 0)
        self.orders.part(instrument, order)
        self.orders.release_all(order)
        robot = seat_at(self.accounts.seats, order.seat).robot
        if self.is_refused(instrument, order) or (
            robot and self.orders.robots.is_over(instrument, order)
        ):
            return self.end(instrument, slot, EXECUTION_EXPIRED, STATUS_EXPIRED)
        if instrument.book.crosses(order.side, order.price_ticks):
            if order.time_in_force == FOK and not self.orders.fillable(instrument, order):
                return self.end(instrument, slot, EXECUTION_EXPIRED, STATUS_EXPIRED)
            instrument.book.match(
                order.side, order.price_ticks, order.open_lots, order.member, order.self_trade
            )
            self.orders.settle(instrument, slot)
            self.orders.reach(instrument)
            if instrument.book.prevented:
                return self.end(
                    instrument, slot, EXECUTION_TRADE_PREVENTION, STATUS_EXPIRED_IN_MATCH
                )
        if order_at(self.orders.orders, slot).open_lots == 0:
            return self.orders.close(slot)
        if order_at(self.orders.orders, slot).time_in_force == GTC:
            return self.rest(instrument, slot)
        return self.end(instrument, slot, EXECUTION_EXPIRED, STATUS_EXPIRED)

    def is_refused(self, instrument: Instrument, order: Order) -> int:
        """Return 1 if a stop may not go on as a new order; what it held is free again."""
        seat = seat_at(self.accounts.seats, order.seat)
        if account_at(self.accounts.accounts, seat.account_row).frozen:
            return 1
        if order.price_ticks:
            return 0  # it held what it needs
        if instrument.book.best_against(order.side) == 0:
            return 1
        if order.side != BUY:
            return 0
        instrument.book.survey(
            BUY, 0, order.open_lots, instrument.worth_max, order.member, order.self_trade
        )
        if instrument.book.survey_limited:
            return 1
        cost = instrument.book.survey_worth * instrument.quote_per_lot_tick
        needed = cost + instrument.fee(cost, instrument.hold_ppm)
        return 1 if self.ledger.free(seat.quote_balance) < needed else 0

    def rest(self, instrument: Instrument, slot: int) -> int:
        """Hold what is still open and put it into the book."""
        order = order_at(self.orders.orders, slot)
        seat = seat_at(self.accounts.seats, order.seat)
        order.held = instrument.obligation(order.side, order.price_ticks, order.open_lots)
        balance = seat.quote_balance if order.side == BUY else seat.base_balance
        self.ledger.hold(balance, order.held, CAUSE_ORDER)
        return instrument.book.rest(slot, order.side)

    def end(self, instrument: Instrument, slot: int, execution: int, status: int) -> int:
        """End a triggered stop with lots unfilled; it holds nothing any more."""
        order = order_at(self.orders.orders, slot)
        account = seat_at(self.accounts.seats, order.seat).account
        self.events.order(order, account, instrument.number, execution, status)
        return self.orders.close(slot)
