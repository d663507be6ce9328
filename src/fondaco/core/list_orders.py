"""Lists' commands: two orders that come in together, hold once and end each other.

Promises: both legs come in or neither does, and nothing moves before it is decided. The list holds
the larger of what its legs owe, on the stop leg's row. What becomes of a leg is orders.py's and
stops.py's: they call part() before a leg acts.
"""

import cython

if not cython.compiled:
    from fondaco.core.buffer import Words
    from fondaco.core.constants import (
        BUY,
        CANCEL_LIST,
        CAPACITY,
        CAUSE_ORDER,
        CLIENT_ORDER_ID_OPEN,
        DUPLICATE_ORDER,
        INVALID_LIST,
        LIMIT_MAKER,
        LIST_EXECUTING,
        LIST_MARK,
        LIST_PRICES,
        NEW_ORDER_WORDS,
        STOP_LOSS,
        STOP_LOSS_LIMIT,
        TAKE_PROFIT,
        TAKE_PROFIT_LIMIT,
        TOO_MANY_ORDERS,
        UNKNOWN_ORDER,
    )
    from fondaco.core.instrument import Instrument
    from fondaco.core.layouts import CancelOrder, NewList, NewOrder, new_order_at
    from fondaco.core.orders import Orders
    from fondaco.core.rows import order_at, seat_at


class ListOrders:
    """The commands about lists of a book's orders."""

    def __init__(self, orders: Orders) -> None:
        """Share the tables of all orders."""
        self.orders = orders
        self.lists = self.orders.lists
        self.checks = self.orders.checks
        self.events = self.orders.events
        self.retries = self.orders.retries
        self.leg = Words()  # the leg at hand, as a NEW_ORDER
        self.leg.extend(NEW_ORDER_WORDS)
        self.stop_digest = 0
        self.profit_digest = 0
        self.held = 0  # what the list at hand must hold
        self.worth = 0  # of its larger leg, in quote units

    # -- new -------------------------------------------------------------------------------------

    def new_list(self, instrument: Instrument, command: NewList) -> int:
        """NEW_LIST."""
        reason = self.check(instrument, command)
        if reason == 0 and self.checks.robot:
            reason = self.orders.robots.admit_list(
                instrument, command.account, command.seq, command.side, self.worth
            )
        if reason:
            return self.events.refuse(command.word & 0xFFFF, reason)
        self.remember(command)
        self.lists.add(command)
        self.write_stop(command)
        stop = self.accept(instrument)
        self.write_profit(command)
        profit = self.accept(instrument)
        self.lists.tell(command.seq, LIST_EXECUTING)
        self.stand(instrument, stop, self.held)
        return self.stand(instrument, profit, 0)

    def check(self, instrument: Instrument, command: NewList) -> int:
        """Return 0 if the list may come in, or the reason; UNKNOWN_INSTRUMENT is the caller's."""
        reason = self.checks.check_account(instrument.number, command.account)
        if reason == 0:
            reason = self.check_shapes(command)
        if reason == 0:
            reason = self.check_list_id(command)
        if reason == 0:
            self.write_stop(command)
            reason = self.checks.check(instrument, self.words())
        if reason == 0:
            self.write_profit(command)
            reason = self.checks.check(instrument, self.words())
        if reason == 0:
            reason = self.check_pair(instrument, command)
        return reason

    def check_shapes(self, command: NewList) -> int:
        """See that the words make two orders, of the types of their places."""
        stop = command.stop_type
        profit = command.profit_type
        if stop != STOP_LOSS and stop != STOP_LOSS_LIMIT:
            return INVALID_LIST
        if profit != LIMIT_MAKER and profit != TAKE_PROFIT and profit != TAKE_PROFIT_LIMIT:
            return INVALID_LIST
        self.write_stop(command)
        reason = self.checks.check_shape(self.words())
        if reason:
            return reason
        self.write_profit(command)
        return self.checks.check_shape(self.words())

    def check_list_id(self, command: NewList) -> int:
        """See that the list's client id is not in use: open, or of an equal list of today."""
        if not self.has_id(command):
            return 0
        digest = self.digest_of(command)
        entry = self.find_entry(command)
        if entry:
            number = self.retries.seq(entry)
            if self.lists.is_open(number):
                self.events.detail(number, 0, 0)
                if self.retries.digest(entry) == digest:
                    return DUPLICATE_ORDER
                return CLIENT_ORDER_ID_OPEN
            equal = self.retries.find_equal(entry, digest, command.time_us)
            if equal:
                self.events.detail(self.retries.seq(equal), 0, 0)
                return DUPLICATE_ORDER
        return 0 if self.retries.room(command.time_us) else CAPACITY

    def check_pair(self, instrument: Instrument, command: NewList) -> int:
        """See what concerns both legs: their ids, their prices, and room for both."""
        if self.are_named_alike(command):
            self.events.detail(command.seq - 1, 0, 0)
            return CLIENT_ORDER_ID_OPEN
        stop = command.stop_trigger_ticks
        profit = command.profit_trigger_ticks or command.profit_price_ticks
        if (command.side == BUY and profit >= stop) or (command.side != BUY and profit <= stop):
            self.events.detail(profit, stop, 0)
            return LIST_PRICES
        most = instrument.max_open_orders
        if most and self.open_orders() + 2 > most:
            self.events.detail(most, 0, 0)
            return TOO_MANY_ORDERS
        self.weigh(instrument, command)
        return 0

    def open_orders(self) -> int:
        """Return how many open orders the account at hand has on the instrument."""
        if self.checks.seat == 0:
            return 0
        return seat_at(self.orders.accounts.seats, self.checks.seat).open_orders

    def weigh(self, instrument: Instrument, command: NewList) -> int:
        """Find what the list must hold and what its larger leg is worth."""
        side = command.side
        lots = command.quantity_lots
        stop = instrument.stop_obligation(
            side, command.stop_price_ticks, command.stop_trigger_ticks, lots
        )
        profit = instrument.stop_obligation(
            side, command.profit_price_ticks, command.profit_trigger_ticks, lots
        )
        self.held = max(stop, profit)
        price = max(
            command.stop_price_ticks or command.stop_trigger_ticks,
            command.profit_price_ticks or command.profit_trigger_ticks,
        )
        self.worth = price * instrument.quote_per_lot_tick * lots
        return 0

    def accept(self, instrument: Instrument) -> int:
        """Take the leg at hand in; return its slot."""
        leg = self.words()
        self.checks.check_account(instrument.number, leg.account)
        self.checks.check_client_id(leg)
        self.checks.lots = leg.quantity_lots
        self.checks.ran_out = 0
        if leg.order_type == LIMIT_MAKER:
            leg.quote_quantity = self.lists.list_of(leg.seq)  # where its row keeps its list
        return self.orders.accept(instrument, leg)

    def stand(self, instrument: Instrument, slot: int, held: int) -> int:
        """Let a leg hold so much and stand where it waits."""
        order = order_at(self.orders.orders, slot)
        seat = seat_at(self.orders.accounts.seats, order.seat)
        order.held = held
        balance = seat.quote_balance if order.side == BUY else seat.base_balance
        self.orders.ledger.hold(balance, held, CAUSE_ORDER)
        self.orders.index.put(order.order_id, slot)
        self.orders.accounts.enlist(self.orders.orders, order.seat, slot)
        if order.order_type == LIMIT_MAKER:
            return instrument.book.rest(slot, order.side)
        return instrument.triggers.add(slot)

    # -- ids -------------------------------------------------------------------------------------

    def has_id(self, command: NewList) -> int:
        """Return 1 if the list has a client id."""
        words = (
            command.list_client_id_0
            | command.list_client_id_1
            | command.list_client_id_2
            | command.list_client_id_3
        )
        return 1 if words else 0

    def find_entry(self, command: NewList) -> int:
        """Return the newest entry of the list's client id in the retries, or 0."""
        return self.retries.find(
            command.account,
            command.list_client_id_0,
            command.list_client_id_1,
            command.list_client_id_2,
            command.list_client_id_3 | LIST_MARK,
        )

    def digest_of(self, command: NewList) -> int:
        """Return a digest of the parameters of both legs."""
        self.write_stop(command)
        self.stop_digest = self.checks.digest_of(self.words())
        self.write_profit(command)
        self.profit_digest = self.checks.digest_of(self.words())
        return self.retries.digest_order(self.stop_digest, self.profit_digest, 0, 0)

    def remember(self, command: NewList) -> int:
        """Remember the client id of an accepted list."""
        if not self.has_id(command):
            return 0
        digest = self.digest_of(command)
        entry = self.find_entry(command)
        return self.retries.add(command.account, command.seq, digest, command.time_us, entry)

    def are_named_alike(self, command: NewList) -> int:
        """Return 1 if both legs have the same client order id."""
        words = (
            command.stop_client_id_0
            | command.stop_client_id_1
            | command.stop_client_id_2
            | command.stop_client_id_3
        )
        if words == 0:
            return 0
        return (
            command.stop_client_id_0 == command.profit_client_id_0
            and command.stop_client_id_1 == command.profit_client_id_1
            and command.stop_client_id_2 == command.profit_client_id_2
            and command.stop_client_id_3 == command.profit_client_id_3
        )

    # -- the legs as orders ----------------------------------------------------------------------

    def words(self) -> NewOrder:
        """Return the leg at hand."""
        return new_order_at(self.leg.items, 0)

    def write_leg(self, command: NewList) -> NewOrder:
        """Write what both legs have."""
        leg = new_order_at(self.leg.items, 0)
        leg.seq = command.seq
        leg.time_us = command.time_us
        leg.account = command.account
        leg.instrument = command.instrument
        leg.side = command.side
        leg.self_trade = command.self_trade
        leg.quantity_lots = command.quantity_lots
        leg.quote_quantity = 0
        return leg

    def write_stop(self, command: NewList) -> int:
        """Write the stop leg as the order that it is."""
        leg = self.write_leg(command)
        leg.seq = command.seq - 1
        leg.order_type = command.stop_type
        leg.time_in_force = command.stop_time_in_force
        leg.price_ticks = command.stop_price_ticks
        leg.stop_price_ticks = command.stop_trigger_ticks
        leg.client_order_id_0 = command.stop_client_id_0
        leg.client_order_id_1 = command.stop_client_id_1
        leg.client_order_id_2 = command.stop_client_id_2
        leg.client_order_id_3 = command.stop_client_id_3
        return 0

    def write_profit(self, command: NewList) -> int:
        """Write the profit leg as the order that it is."""
        leg = self.write_leg(command)
        leg.order_type = command.profit_type
        leg.time_in_force = command.profit_time_in_force
        leg.price_ticks = command.profit_price_ticks
        leg.stop_price_ticks = command.profit_trigger_ticks
        leg.client_order_id_0 = command.profit_client_id_0
        leg.client_order_id_1 = command.profit_client_id_1
        leg.client_order_id_2 = command.profit_client_id_2
        leg.client_order_id_3 = command.profit_client_id_3
        return 0

    # -- cancel ----------------------------------------------------------------------------------

    def cancel_list(self, instrument: Instrument, command: CancelOrder) -> int:
        """CANCEL_LIST, by its number or its client id; if both are given they must agree."""
        number = self.find(
            command.account,
            instrument.number,
            command.order_id,
            command.client_order_id_0,
            command.client_order_id_1,
            command.client_order_id_2,
            command.client_order_id_3,
        )
        if number == 0:
            self.events.detail(command.order_id, 0, 0)
            return self.events.refuse(CANCEL_LIST, UNKNOWN_ORDER)
        slot = self.orders.index.find(number - 1) or self.orders.index.find(number)
        return self.orders.cancel_leg(instrument, slot, command)

    def find(
        self,
        account: int,
        instrument: int,
        list_id: int,
        word_0: int,
        word_1: int,
        word_2: int,
        word_3: int,
    ) -> int:
        """Return the number of an account's open list on an instrument, by number or id, or 0."""
        number = list_id
        if word_0 | word_1 | word_2 | word_3:
            entry = self.retries.find(account, word_0, word_1, word_2, word_3 | LIST_MARK)
            number = self.retries.seq(entry) if entry else 0
            if list_id and list_id != number:
                return 0
        return number if self.lists.is_of(number, account, instrument) else 0
