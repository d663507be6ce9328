"""Books alone, driven by packed records: no accounts, no money, no refusals with reasons.

For benchmarks of the book, for order-flow tapes and for the book's own tests. Promises: the same
book as the exchange's; a command that makes no sense (an unknown id, a bad number) changes nothing
and counts as ignored. A command is six words:

    kind (ADD 1, CANCEL 2, REDUCE 3, TAKE 4), instrument, order id, side, price in ticks, lots

ADD matches and rests the remainder (its id must be above all before it); TAKE matches and drops it
(its id names nothing); REDUCE sets the open lots of an order. A fill is four words: taker id,
maker id, price in ticks, lots.
"""

import struct

import cython

if not cython.compiled:
    from fondaco.core.book import Book
    from fondaco.core.buffer import Words
    from fondaco.core.constants import (
        AHEAD_1,
        AHEAD_2,
        AHEAD_3,
        BARE_ADD,
        BARE_CANCEL,
        BARE_FILL_WORDS,
        BARE_REDUCE,
        BARE_TAKE,
        BARE_WORDS,
        BUY,
        ROW_LEVEL,
        ROW_ORDER,
        SELL,
        STP_NONE,
    )
    from fondaco.core.order_index import OrderIndex
    from fondaco.core.rows import fetch_level, fetch_order, order_at, row_bytes, step_at
    from fondaco.core.slab import Slab

PRICE_MAX = 1 << 40
LOTS_MAX = 1 << 32  # times SLOTS_MAX orders it still fits 64 bits


class BareBook:
    """Books of the instruments 0 to `instruments` - 1."""

    input: list[int]

    def __init__(self, instruments: int = 1) -> None:
        """Make empty books."""
        self.orders = Slab(ROW_ORDER, row_bytes(ROW_ORDER))
        self.index = OrderIndex()
        self.levels = Slab(ROW_LEVEL, row_bytes(ROW_LEVEL))
        self.books = [Book(self.orders, self.levels, 1) for _ in range(instruments)]
        self.fills = Words()
        self.ignored = 0
        self.last_id = 0

    def reserve(self, orders: int) -> None:
        """Have memory at hand for this many orders a day, as Exchange.reserve has it."""
        self.orders.reserve(orders // 4)
        self.index.reserve(2 * orders)

    @cython.overflowcheck(False)  # places in the batch, bounded by its length, and a count
    def step(self, batch: bytes) -> bytes:
        """Carry out a run of commands; return the run of their fills."""
        total = len(batch) >> 3
        if len(batch) % (8 * BARE_WORDS):
            raise ValueError(f"{len(batch)} bytes are not a whole number of commands")
        if cython.compiled:
            self.input = cython.cast("int64_t *", cython.cast("char *", batch))
        else:
            self.input = list(struct.unpack(f"<{total}q", batch))
        self.fills.used = 0
        at = 0
        while at < total:
            if at < total - AHEAD_3 * BARE_WORDS:
                self.look_ahead(at)
            number = self.input[at + 1]
            if 0 <= number < len(self.books):
                book = self.books[number]
                if self.carry_out(book, at) == 0:
                    self.ignored += 1
            else:
                self.ignored += 1
            at += BARE_WORDS
        return self.fills.take_bytes()

    @cython.overflowcheck(False)  # places in the batch; the caller sees that they are
    def look_ahead(self, at: int) -> int:
        """Have fetched into the cache what later commands will ask for; changes nothing.

        First where an order's number is found, then its row, then its level and neighbours. It
        doesn't ask what the commands are: nobody can foretell that, and a guess that fails costs
        more than a row fetched for nothing.
        """
        self.index.foresee(self.input[at + AHEAD_3 * BARE_WORDS + 2])
        fetch_order(self.orders, self.index.guess(self.input[at + AHEAD_2 * BARE_WORDS + 2]))
        slot = self.index.guess(self.input[at + AHEAD_1 * BARE_WORDS + 2])
        order = order_at(self.orders, slot)
        fetch_order(self.orders, order.next)
        fetch_order(self.orders, order.previous)
        fetch_level(self.levels, order.level)
        return 0

    def carry_out(self, book: Book, at: int) -> int:
        """Carry out one command; return 0 if it makes no sense."""
        kind = self.input[at]
        order_id = self.input[at + 2]
        if kind == BARE_ADD or kind == BARE_TAKE:
            return self.add(book, at, kind)
        if order_id < 1:
            return 0
        slot = self.index.find(order_id)
        if slot == 0:
            return 0
        order = order_at(self.orders, slot)
        if order.seat != self.input[at + 1]:
            return 0
        if kind == BARE_CANCEL:
            book.remove(slot)
            self.index.remove(order_id)
            self.orders.give(slot)
            return 1
        lots = self.input[at + 5]
        if kind != BARE_REDUCE or lots < 1 or lots >= order.open_lots:
            return 0
        book.reduce(slot, order.open_lots - lots)
        return 1

    def add(self, book: Book, at: int, kind: int) -> int:
        """Match an incoming order and rest what is left of it."""
        order_id = self.input[at + 2]
        side = self.input[at + 3]
        price = self.input[at + 4]
        lots = self.input[at + 5]
        if price < 1 or price > PRICE_MAX or lots < 1 or lots > LOTS_MAX:
            return 0
        if (side != BUY and side != SELL) or order_id < 0:
            return 0
        if kind == BARE_ADD and order_id <= self.last_id:
            return 0
        if book.crosses(side, price):
            lots = book.match(side, price, lots, 0, STP_NONE)
            self.tell(book, order_id)
        if lots == 0 or kind == BARE_TAKE:
            return 1
        self.last_id = order_id
        slot = self.orders.take_raw()
        order = order_at(self.orders, slot)
        order.order_id = order_id
        order.seat = self.input[at + 1]
        order.price_ticks = price
        order.open_lots = lots
        order.quantity_lots = lots
        self.index.put(order_id, slot)
        book.rest(slot, side)
        return 1

    def tell(self, book: Book, taker: int) -> int:
        """Write the fills of a match; forget the makers that are done."""
        for place in range(1, book.steps.used):
            step = step_at(book.steps, place)
            maker = order_at(self.orders, step.maker)
            fill = self.fills.extend(BARE_FILL_WORDS)
            self.fills.items[fill] = taker
            self.fills.items[fill + 1] = maker.order_id
            self.fills.items[fill + 2] = step.price_ticks
            self.fills.items[fill + 3] = step.lots
            if maker.open_lots == 0:
                self.index.remove(maker.order_id)
                self.orders.give(step.maker)
        return 0

    def open_orders(self) -> int:
        """Return the number of open orders."""
        return self.index.count

    def best(self, number: int, side: int) -> int:
        """Return the best price of a side of a book in ticks, or 0."""
        book = self.books[number]
        return book.best_against(SELL if side == BUY else BUY)
