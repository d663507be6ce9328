"""The armed stops of one instrument: which of them a price reaches, and which runs next.

Promises: the next stop above or below a price is at hand, never looked for; reached stops wait in
the order of their numbers, which is that of their arming. An armed order has a level below zero
(minus its row here), a reached one 0; both stand in no book. Knows prices and orders, no money.
"""

import cython

if not cython.compiled:
    from fondaco.core.constants import BUY, ROW_LEVEL, STOP_LOSS_LIMIT
    from fondaco.core.ladder import Ladder
    from fondaco.core.rows import Order, level_at, order_at, row_bytes
    from fondaco.core.slab import Slab


class Triggers:
    """Stop prices in two ladders, and the queue of those that were reached."""

    def __init__(self, orders: Slab) -> None:
        """Make it empty, over these order rows."""
        self.orders = orders
        self.levels = Slab(ROW_LEVEL, row_bytes(ROW_LEVEL))
        self.rises = Ladder()  # reached by a price at or above them: the nearest is the lowest
        self.falls = Ladder()  # reached by a price at or below them: the nearest is the highest
        self.queue = Ladder()  # minus the number of a reached order -> its slot
        self.armed = 0  # orders that were not reached
        self.waiting = 0  # orders that were

    def is_rise(self, side: int, order_type: int) -> int:
        """Return 1 for an order that a rise triggers: a buy to stop a loss, a sale for profit."""
        buys = 1 if side == BUY else 0
        stops_a_loss = 1 if order_type <= STOP_LOSS_LIMIT else 0
        return 1 if buys == stops_a_loss else 0

    def is_reached(self, side: int, order_type: int, stop: int, price: int) -> int:
        """Return 1 if this price triggers such an order."""
        if self.is_rise(side, order_type):
            return 1 if price >= stop else 0
        return 1 if price <= stop else 0

    def add(self, slot: int) -> int:
        """Arm the order in this slot."""
        order = order_at(self.orders, slot)
        self.armed += 1
        if self.is_rise(order.side, order.order_type):
            return self.add_on(self.rises, slot, -order.stop_or_quote, 1)
        return self.add_on(self.falls, slot, order.stop_or_quote, 0)

    def add_on(self, ladder: Ladder, slot: int, key: int, rises: int) -> int:
        """Put an order on one of the two ladders."""
        order = order_at(self.orders, slot)
        at = ladder.locate(key)
        if at == 0:
            at = self.levels.take()
            fresh = level_at(self.levels, at)
            fresh.price_ticks = order.stop_or_quote
            fresh.side = rises
            ladder.insert(key, at)
        level = level_at(self.levels, at)
        order.level = -at
        order.next = 0
        order.previous = level.last
        if level.last:
            order_at(self.orders, level.last).next = slot
        else:
            level.first = slot
        level.last = slot
        return 0

    def remove(self, slot: int) -> int:
        """Take an order out, reached or not."""
        order = order_at(self.orders, slot)
        if order.level == 0:
            self.waiting -= 1
            return self.queue.remove(-order.order_id)
        self.armed -= 1
        return self.unlink(order)

    def unlink(self, order: Order) -> int:
        """Take an order off its ladder."""
        at = -order.level
        level = level_at(self.levels, at)
        if order.previous:
            order_at(self.orders, order.previous).next = order.next
        else:
            level.first = order.next
        if order.next:
            order_at(self.orders, order.next).previous = order.previous
        else:
            level.last = order.previous
        order.level = 0
        return self.drop(at) if level.first == 0 else 0

    def drop(self, at: int) -> int:
        """Remove an empty level."""
        level = level_at(self.levels, at)
        if level.side:
            self.rises.remove(-level.price_ticks)
        else:
            self.falls.remove(level.price_ticks)
        return self.levels.give(at)

    def reach(self, low: int, high: int) -> int:
        """Let all stops wait that trades at prices from `low` to `high` have reached."""
        while self.rises.best_level and -self.rises.best_key <= high:
            self.reach_level(self.rises.best_level)
        while self.falls.best_level and self.falls.best_key >= low:
            self.reach_level(self.falls.best_level)
        return 0

    def reach_level(self, at: int) -> int:
        """Let the stops of one price wait."""
        slot = level_at(self.levels, at).first
        while slot:
            order = order_at(self.orders, slot)
            following = order.next
            order.level = 0
            self.armed -= 1
            self.wait(slot)
            slot = following
        return self.drop(at)

    def wait(self, slot: int) -> int:
        """Let an order wait for its turn."""
        number = order_at(self.orders, slot).order_id
        self.queue.locate(-number)
        self.waiting += 1
        return self.queue.insert(-number, slot)

    def take(self) -> int:
        """Return the slot of the oldest order that waits, and let it wait no more."""
        slot = self.queue.best_level
        self.waiting -= 1
        self.queue.remove(self.queue.best_key)
        return slot

    def slots(self) -> list[int]:
        """Return the slots of all orders here, by number."""
        found = []
        at = self.queue.first()
        while at:
            found.append((order_at(self.orders, at).order_id, at))
            at = self.queue.next()
        self.list_ladder(self.rises, found)
        self.list_ladder(self.falls, found)
        found.sort()
        return [slot for _, slot in found]

    def list_ladder(self, ladder: Ladder, found: list[tuple[int, int]]) -> None:
        """List the orders of one ladder."""
        at = ladder.first()
        while at:
            slot = level_at(self.levels, at).first
            while slot:
                found.append((order_at(self.orders, slot).order_id, slot))
                slot = order_at(self.orders, slot).next
            at = ladder.next()
