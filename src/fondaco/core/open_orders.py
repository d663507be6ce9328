"""The open orders as a whole: questions about them, new fees, dump and load.

Promises: an order in a dump stands where it stands in its book, and nothing of it depends on slots.
"""

import cython

if not cython.compiled:
    from fondaco.core.buffer import Words
    from fondaco.core.constants import (
        BUY,
        CAUSE_ORDER,
        EXECUTION_EXPIRED,
        EXECUTION_NEW,
        STATUS_EXPIRED,
        STOP_LOSS,
        TAKE_PROFIT_LIMIT,
    )
    from fondaco.core.instrument import Instrument
    from fondaco.core.ladder import Ladder
    from fondaco.core.orders import Orders
    from fondaco.core.rows import Order, level_at, order_at, seat_at

ORDER_WORDS = 14  # of one order in a dump


class OpenOrders:
    """The open orders of a house, seen from outside their life."""

    def __init__(self, orders: Orders) -> None:
        """Look at these orders."""
        self.orders = orders
        self.events = self.orders.events
        self.ledger = self.orders.ledger
        self.accounts = self.orders.accounts

    # -- answers ---------------------------------------------------------------------------------

    def answer_order(self, slot: int) -> int:
        """Write the state of an open order as an ORDER."""
        order = order_at(self.orders.orders, slot)
        seat = seat_at(self.accounts.seats, order.seat)
        return self.events.order(order, seat.account, seat.instrument, EXECUTION_NEW, 0)

    def is_open(self, order_id: int) -> int:
        """Return 1 if an order of this number is open."""
        return 1 if self.orders.index.find(order_id) else 0

    def expire_buys(self, instrument: Instrument, account: int) -> int:
        """Let an account's open buys in a book expire, oldest first."""
        at = self.accounts.seat(account, instrument.number)
        slot = seat_at(self.accounts.seats, at).first if at else 0
        while slot:
            order = order_at(self.orders.orders, slot)
            following = order.seat_next
            if order.side == BUY:
                self.events.order(
                    order, account, instrument.number, EXECUTION_EXPIRED, STATUS_EXPIRED
                )
                self.orders.take_out(instrument, slot)
            slot = following
        return 0

    def answer_open(self, instrument: int, account: int) -> int:
        """Write an account's open orders on an instrument, oldest first."""
        at = self.accounts.seat(account, instrument)
        slot = seat_at(self.accounts.seats, at).first if at else 0
        while slot:
            self.answer_order(slot)
            slot = order_at(self.orders.orders, slot).seat_next
        return 0

    def answer_depth(self, instrument: Instrument, limit: int) -> int:
        """Write the levels of a book, best first, bids then asks, at most `limit` a side."""
        self.answer_side(instrument, instrument.book.bids, limit)
        return self.answer_side(instrument, instrument.book.asks, limit)

    def answer_side(self, instrument: Instrument, ladder: Ladder, limit: int) -> int:
        """Write the levels of one side."""
        at = ladder.first()
        while at and limit > 0:
            level = level_at(instrument.book.levels, at)
            self.events.level(
                instrument.number,
                level.side,
                level.price_ticks,
                level.open_lots,
                instrument.book.book_seq,
            )
            limit -= 1
            at = ladder.next()
        return 0

    # -- a change of fees ------------------------------------------------------------------------

    def hold_anew(self, instrument: Instrument) -> int:
        """Hold what open buys need at new fees; those that can't pay expire.

        First those of the book, best first, then the stops, oldest first; a list in its stop leg's
        place, and as a whole.
        """
        slots = Words()
        buys = Words()
        self.list_side(instrument, instrument.book.bids, slots)
        for slot in instrument.triggers.slots():
            if order_at(self.orders.orders, slot).side == BUY:
                slots.add(slot)
        for place in range(slots.used):
            if not self.follows(slots.items[place]):
                buys.add(slots.items[place])
        for place in range(buys.used):
            slot = buys.items[place]
            order = order_at(self.orders.orders, slot)
            seat = seat_at(self.accounts.seats, order.seat)
            held = instrument.owed(order)
            other = self.orders.lists.sibling(order.order_id)
            if other:
                held = max(held, instrument.owed(order_at(self.orders.orders, other)))
            if held <= order.held:
                self.ledger.release(seat.quote_balance, order.held - held, CAUSE_ORDER)
                order.held = held
            elif self.ledger.free(seat.quote_balance) >= held - order.held:
                self.ledger.hold(seat.quote_balance, held - order.held, CAUSE_ORDER)
                order.held = held
            else:
                self.events.order(
                    order, seat.account, instrument.number, EXECUTION_EXPIRED, STATUS_EXPIRED
                )
                self.orders.part(instrument, order)
                self.orders.take_out(instrument, slot)
        return 0

    def follows(self, slot: int) -> int:
        """Return 1 for the profit leg of a list whose stop leg, which holds for both, is open."""
        order = order_at(self.orders.orders, slot)
        if order.order_id != self.orders.lists.list_of(order.order_id):
            return 0
        return 1 if self.orders.lists.sibling(order.order_id) else 0

    def list_side(self, instrument: Instrument, ladder: Ladder, slots: Words) -> int:
        """List the slots of one side's orders, best first, first in first out."""
        at = ladder.first()
        while at:
            slot = level_at(instrument.book.levels, at).first
            while slot:
                slots.add(slot)
                slot = order_at(self.orders.orders, slot).next
            at = ladder.next()
        return 0

    # -- dump ------------------------------------------------------------------------------------

    def dump(self, words: Words, instrument: Instrument) -> int:
        """Write the open orders of an instrument: bids, then asks, best first; then its stops."""
        slots = Words()
        self.list_side(instrument, instrument.book.bids, slots)
        self.list_side(instrument, instrument.book.asks, slots)
        words.add(slots.used)
        for place in range(slots.used):
            order = order_at(self.orders.orders, slots.items[place])
            self.dump_order(words, slots.items[place])
            if self.is_stop(order):
                words.add(self.events.working.find(order.order_id))
        waiting = instrument.triggers.slots()
        words.add(len(waiting))
        for slot in waiting:
            self.dump_order(words, slot)
            words.add(1 if order_at(self.orders.orders, slot).level == 0 else 0)
        return 0

    def is_stop(self, order: Order) -> int:
        """Return 1 for an order that has a stop price; one word more says how far it is."""
        return 1 if STOP_LOSS <= order.order_type <= TAKE_PROFIT_LIMIT else 0

    def dump_order(self, words: Words, slot: int) -> int:
        """Write one order."""
        order = order_at(self.orders.orders, slot)
        at = words.extend(ORDER_WORDS)
        items = words.items
        items[at] = order.order_id
        items[at + 1] = seat_at(self.accounts.seats, order.seat).account
        items[at + 2] = (
            order.side | order.order_type << 8 | order.time_in_force << 16 | order.self_trade << 24
        )
        items[at + 3] = order.price_ticks
        items[at + 4] = order.open_lots
        items[at + 5] = order.quantity_lots
        items[at + 6] = order.held
        items[at + 7] = order.filled_quote
        items[at + 8] = order.created_us
        items[at + 9] = order.stop_or_quote
        items[at + 10] = order.client_order_id_0
        items[at + 11] = order.client_order_id_1
        items[at + 12] = order.client_order_id_2
        items[at + 13] = order.client_order_id_3
        return 0

    def load(self, words: Words, at: int, instrument: Instrument) -> int:
        """Read what dump() wrote into an empty book; return the place after it."""
        count = words.items[at]
        at += 1
        numbered = []
        for _ in range(count):
            slot = self.load_order(words, at, instrument)
            numbered.append((words.items[at], slot))
            at += ORDER_WORDS
            if self.is_stop(order_at(self.orders.orders, slot)):
                self.events.working.put(
                    order_at(self.orders.orders, slot).order_id, words.items[at]
                )
                at += 1
        count = words.items[at]
        at += 1
        for _ in range(count):
            slot = self.read_order(words, at, instrument)
            numbered.append((words.items[at], slot))
            if words.items[at + ORDER_WORDS]:
                instrument.triggers.wait(slot)
            else:
                instrument.triggers.add(slot)
            at += ORDER_WORDS + 1
        numbered.sort()
        for _, slot in numbered:
            self.accounts.enlist(self.orders.orders, order_at(self.orders.orders, slot).seat, slot)
        instrument.book.settle_touches()
        return at

    def load_order(self, words: Words, at: int, instrument: Instrument) -> int:
        """Read one order into the book; return its slot."""
        slot = self.read_order(words, at, instrument)
        instrument.book.rest(slot, order_at(self.orders.orders, slot).side)
        return slot

    def read_order(self, words: Words, at: int, instrument: Instrument) -> int:
        """Read one order, into no book and no list; return its slot."""
        items = words.items
        account = items[at + 1]
        seat = self.accounts.seat(account, instrument.number)
        if seat == 0:
            seat = self.accounts.take_seat(
                account, instrument.number, instrument.base, instrument.quote
            )
        slot = self.orders.orders.take()
        order = order_at(self.orders.orders, slot)
        order.order_id = items[at]
        order.seat = seat
        order.member = seat_at(self.accounts.seats, seat).member
        order.side = items[at + 2] & 255
        order.order_type = items[at + 2] >> 8 & 255
        order.time_in_force = items[at + 2] >> 16 & 255
        order.self_trade = items[at + 2] >> 24 & 255
        order.price_ticks = items[at + 3]
        order.open_lots = items[at + 4]
        order.quantity_lots = items[at + 5]
        order.held = items[at + 6]
        order.filled_quote = items[at + 7]
        order.created_us = items[at + 8]
        order.stop_or_quote = items[at + 9]
        order.client_order_id_0 = items[at + 10]
        order.client_order_id_1 = items[at + 11]
        order.client_order_id_2 = items[at + 12]
        order.client_order_id_3 = items[at + 13]
        self.orders.index.put(order.order_id, slot)
        return slot

    def forget(self) -> int:
        """Forget all orders, before a load."""
        self.orders.orders.clear()
        self.orders.levels.clear()
        self.events.working.clear()
        self.orders.lists.forget()
        return self.orders.index.clear()
