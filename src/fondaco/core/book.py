"""The book of one instrument: rest, match, cancel, reduce, in price-time priority.

Promises: never crossed after a command; first in, first out within a level; a reduction keeps its
place. Knows neither money nor balances nor accounts, only the member number that self-trade
prevention compares. match() writes what it did as steps; the caller settles them and gives the
slots of finished makers back. Worth is price in ticks times lots, summed.
"""

import cython

if not cython.compiled:
    from fondaco.core.buffer import Words
    from fondaco.core.constants import (
        BUY,
        HINTS,
        KEY_NONE,
        ROW_STEP,
        SELL,
        STEP_DECREMENT,
        STEP_EXPIRE,
        STEP_FILL,
        STP_DECREMENT,
        STP_EXPIRE_BOTH,
        STP_EXPIRE_MAKER,
        STP_EXPIRE_TAKER,
        STP_NONE,
        TOUCH_WORDS,
    )
    from fondaco.core.ladder import Ladder
    from fondaco.core.rows import Level, Order, level_at, order_at, row_bytes, step_at
    from fondaco.core.slab import Slab


class Book:
    """Resting orders of one instrument; the rows of orders and levels are shared by all books."""

    def __init__(self, orders: Slab, levels: Slab, quiet: int) -> None:
        """Make an empty book over these rows; quiet = it keeps no list of changes."""
        self.quiet = quiet
        self.orders = orders
        self.levels = levels
        self.steps = Slab(ROW_STEP, row_bytes(ROW_STEP))
        self.bids = Ladder()
        self.asks = Ladder()
        self.touches = Words()  # levels that this command changed
        self.book_seq = 0
        self.prevented = 0  # match(): self-trade prevention ended the incoming order
        self.survey_lots = 0
        self.survey_worth = 0  # of what the lots would cost
        self.survey_prevented = 0  # lots that self-trade prevention would take unfilled
        self.survey_limited = 0  # the worth limit ended it
        self.survey_price = 0  # of the last order that it counted
        self.survey_left = 0  # of the worth
        self.survey_blocked = 0  # self-trade prevention ended it

    def crosses(self, side: int, limit_ticks: int) -> int:
        """Return 1 if an order of this side and limit would meet the other side; 0 = any price."""
        if side == BUY:
            if self.asks.best_level == 0:
                return 0
            return limit_ticks == 0 or -self.asks.best_key <= limit_ticks
        if self.bids.best_level == 0:
            return 0
        return limit_ticks == 0 or self.bids.best_key >= limit_ticks

    def best_against(self, side: int) -> int:
        """Return the best price of the other side in ticks, or 0."""
        if side == BUY:
            return 0 if self.asks.best_level == 0 else -self.asks.best_key
        return 0 if self.bids.best_level == 0 else self.bids.best_key

    # -- resting -----------------------------------------------------------------------------

    def rest(self, slot: int, side: int) -> int:
        """Put the order in this slot at the end of its level."""
        price = order_at(self.orders, slot).price_ticks
        if side == BUY:
            return self.rest_on(self.bids, slot, price, side)
        return self.rest_on(self.asks, slot, -price, side)

    def rest_on(self, ladder: Ladder, slot: int, key: int, side: int) -> int:
        """Put an order on this side."""
        order = order_at(self.orders, slot)
        price = order.price_ticks
        at = ladder.hints[price & (HINTS - 1)]
        level = level_at(self.levels, at)
        if level.price_ticks != price:
            at = self.find_level(ladder, key, price, side)
            level = level_at(self.levels, at)
        level.open_lots += order.open_lots
        order.level = at
        order.next = 0
        order.previous = level.last
        if level.last:
            order_at(self.orders, level.last).next = slot
        else:
            level.first = slot
        level.last = slot
        return self.touch(at)

    def find_level(self, ladder: Ladder, key: int, price: int, side: int) -> int:
        """Return the level of a price, made if there is none; remember it."""
        at = ladder.locate(key)
        if at == 0:
            at = self.levels.take()
            fresh = level_at(self.levels, at)
            fresh.price_ticks = price
            fresh.side = side
            ladder.insert(key, at)
            if self.touches.used:
                self.touch_again(at)
        ladder.hints[price & (HINTS - 1)] = at
        return at

    def remove(self, slot: int) -> int:
        """Take the order in this slot out of its level; its row stays as it is."""
        order = order_at(self.orders, slot)
        at = order.level
        level = level_at(self.levels, at)
        level.open_lots -= order.open_lots
        self.unlink(level, order)
        self.touch(at)
        if level.first == 0:
            self.drop(at)
        return 0

    def unlink(self, level: Level, order: Order) -> int:
        """Take an order out of its level's queue."""
        if order.previous:
            order_at(self.orders, order.previous).next = order.next
        else:
            level.first = order.next
        if order.next:
            order_at(self.orders, order.next).previous = order.previous
        else:
            level.last = order.previous
        order.level = 0
        return 0

    def drop(self, at: int) -> int:
        """Remove an empty level."""
        level = level_at(self.levels, at)
        if level.side == BUY:
            self.bids.remove(level.price_ticks)
            self.forget_hint(self.bids, level.price_ticks, at)
        else:
            self.asks.remove(-level.price_ticks)
            self.forget_hint(self.asks, level.price_ticks, at)
        if level.touch:
            self.touches.items[(level.touch - 1) * TOUCH_WORDS + 3] = 0
        return self.levels.give(at)

    def forget_hint(self, ladder: Ladder, price: int, at: int) -> int:
        """Let no hint lead to a level that is gone: its row may soon be another book's."""
        if ladder.hints[price & (HINTS - 1)] == at:
            ladder.hints[price & (HINTS - 1)] = 0
        return 0

    def reduce(self, slot: int, lots: int) -> int:
        """Take `lots` off an order that keeps its place; fewer than it has."""
        order = order_at(self.orders, slot)
        level = level_at(self.levels, order.level)
        order.open_lots -= lots
        order.quantity_lots -= lots
        level.open_lots -= lots
        return self.touch(order.level)

    # -- matching ----------------------------------------------------------------------------

    def match(self, side: int, limit_ticks: int, lots: int, member: int, self_trade: int) -> int:
        """Match an incoming order; return its lots left. limit 0 = any price."""
        self.steps.clear()
        self.prevented = 0
        if side == BUY:
            bound = KEY_NONE if limit_ticks == 0 else -limit_ticks
            return self.match_side(self.asks, bound, lots, member, self_trade)
        bound = KEY_NONE if limit_ticks == 0 else limit_ticks
        return self.match_side(self.bids, bound, lots, member, self_trade)

    def match_side(
        self, ladder: Ladder, bound: int, lots: int, member: int, self_trade: int
    ) -> int:
        """Match against the levels of one side, best first, down to the key `bound`."""
        while lots > 0 and ladder.best_level and ladder.best_key >= bound:
            at = ladder.best_level
            before = level_at(self.levels, at).open_lots
            if self_trade == STP_NONE or member == 0:
                lots = self.match_level(level_at(self.levels, at), lots)
            else:
                lots = self.match_level_apart(level_at(self.levels, at), lots, member, self_trade)
            if level_at(self.levels, at).open_lots != before:
                self.touch(at)
            if level_at(self.levels, at).first == 0:
                self.drop(at)
            if self.prevented:
                break
        return lots

    def match_level(self, level: Level, lots: int) -> int:
        """Fill from the orders of one level, first in first out; return the lots left."""
        price = level.price_ticks
        slot = level.first
        before = lots
        while slot:
            maker = order_at(self.orders, slot)
            following = maker.next
            if maker.open_lots > lots:
                maker.open_lots -= lots
                self.step(STEP_FILL, slot, price, lots)
                lots = 0
                break
            lots -= maker.open_lots
            self.step(STEP_FILL, slot, price, maker.open_lots)
            maker.open_lots = 0
            maker.level = 0
            slot = following
            if lots == 0:
                break
        level.open_lots -= before - lots
        level.first = slot
        if slot:
            order_at(self.orders, slot).previous = 0
        else:
            level.last = 0
        return lots

    def match_level_apart(self, level: Level, lots: int, member: int, self_trade: int) -> int:
        """Fill from one level, keeping orders of one member apart; return the lots left."""
        slot = level.first
        while slot and lots > 0:
            maker = order_at(self.orders, slot)
            following = maker.next
            traded = min(maker.open_lots, lots)
            if maker.member == member:
                if self_trade == STP_EXPIRE_TAKER:
                    self.prevented = 1
                    break
                if self_trade == STP_DECREMENT and maker.open_lots > lots:
                    maker.open_lots -= lots
                    maker.quantity_lots -= lots
                    level.open_lots -= lots
                    self.step(STEP_DECREMENT, slot, level.price_ticks, lots)
                    self.prevented = 1  # the taker, the smaller, expires with its lots unfilled
                    break
                level.open_lots -= maker.open_lots
                self.unlink(level, maker)
                taken = traded if self_trade == STP_DECREMENT else 0
                self.step(STEP_EXPIRE, slot, level.price_ticks, taken)
                if self_trade == STP_EXPIRE_BOTH or taken == lots:
                    self.prevented = 1
                    break
                lots -= taken
            else:
                maker.open_lots -= traded
                level.open_lots -= traded
                lots -= traded
                if maker.open_lots == 0:
                    self.unlink(level, maker)
                self.step(STEP_FILL, slot, level.price_ticks, traded)
            slot = following
        return lots

    def step(self, kind: int, maker: int, price: int, lots: int) -> int:
        """Write down what became of one maker."""
        row = step_at(self.steps, self.steps.take_raw())
        row.kind = kind
        row.maker = maker
        row.price_ticks = price
        row.lots = lots
        return 0

    # -- looking ahead -----------------------------------------------------------------------

    def survey(
        self, side: int, limit_ticks: int, lots: int, worth: int, member: int, self_trade: int
    ) -> int:
        """See what match() would give, and change nothing.

        At most `lots`, at most `worth` (ticks x lots). Sets survey_lots (with those that
        self-trade prevention would take unfilled), survey_worth (of the fills alone),
        survey_prevented, survey_limited, survey_blocked, survey_price and survey_left.
        """
        self.survey_lots = 0
        self.survey_worth = 0
        self.survey_prevented = 0
        self.survey_limited = 0
        self.survey_blocked = 0
        self.survey_price = 0
        if side == BUY:
            bound = KEY_NONE if limit_ticks == 0 else -limit_ticks
            return self.survey_side(self.asks, bound, lots, worth, member, self_trade)
        bound = KEY_NONE if limit_ticks == 0 else limit_ticks
        return self.survey_side(self.bids, bound, lots, worth, member, self_trade)

    def survey_side(
        self, ladder: Ladder, bound: int, lots: int, worth: int, member: int, self_trade: int
    ) -> int:
        """Walk one side, best first."""
        at = ladder.first()
        while at and lots > 0 and not self.survey_limited and not self.survey_blocked:
            level = level_at(self.levels, at)
            key = -level.price_ticks if level.side == SELL else level.price_ticks
            if key < bound:
                break
            before_lots = self.survey_lots
            before_worth = self.survey_worth
            blocked_worth = 0
            if self_trade == STP_NONE or member == 0:
                self.survey_take(level.price_ticks, level.open_lots, lots, worth)
            else:
                blocked_worth = self.survey_level(level, lots, worth, member, self_trade)
            lots -= self.survey_lots - before_lots
            worth -= self.survey_worth - before_worth + blocked_worth
            at = ladder.next()
        self.survey_left = worth
        return 0

    def survey_level(
        self, level: Level, lots: int, worth: int, member: int, self_trade: int
    ) -> int:
        """Walk the orders of one level; return the worth of what prevention would take."""
        slot = level.first
        price = level.price_ticks
        taken_worth = 0
        while slot and lots > 0 and not self.survey_limited:
            maker = order_at(self.orders, slot)
            if maker.member != member:
                taken = self.survey_take(price, maker.open_lots, lots, worth)
                lots -= taken
                worth -= taken * price
            elif self_trade == STP_DECREMENT:
                worth_before = self.survey_worth
                taken = self.survey_take(price, maker.open_lots, lots, worth)
                self.survey_worth = worth_before
                self.survey_prevented += taken
                taken_worth += taken * price
                lots -= taken
                worth -= taken * price
            elif self_trade != STP_EXPIRE_MAKER:
                self.survey_blocked = 1
                break
            slot = maker.next
        return taken_worth

    def survey_take(self, price: int, open_lots: int, lots: int, worth: int) -> int:
        """Count what is taken of `open_lots` at a price; return it."""
        self.survey_price = price
        taken = min(open_lots, lots)
        affordable = worth // price
        if taken > affordable:
            taken = affordable
            self.survey_limited = 1
        self.survey_lots += taken
        self.survey_worth += taken * price
        return taken

    # -- changed levels ----------------------------------------------------------------------

    @cython.overflowcheck(False)  # places in the list of changes
    def touch(self, at: int) -> int:
        """Note that this command changes a level, and its lots now."""
        if self.quiet:
            return 0
        level = level_at(self.levels, at)
        if level.touch == 0:
            place = self.touches.extend(TOUCH_WORDS)
            level.touch = place // TOUCH_WORDS + 1
            self.touches.items[place] = level.side
            self.touches.items[place + 1] = level.price_ticks
            self.touches.items[place + 3] = at
        self.touches.items[(level.touch - 1) * TOUCH_WORDS + 2] = level.open_lots
        return 0

    @cython.overflowcheck(False)  # places in the list of changes
    def touch_again(self, at: int) -> int:
        """Let a new level be told in the place of one of its price that this command emptied."""
        level = level_at(self.levels, at)
        place = 0
        while place < self.touches.used:
            items = self.touches.items
            if items[place + 1] == level.price_ticks and items[place] == level.side:
                level.touch = place // TOUCH_WORDS + 1
                items[place + 3] = at
                return 0
            place += TOUCH_WORDS
        return 0

    @cython.overflowcheck(False)
    def settle_touches(self) -> int:
        """Forget the changed levels; the caller has told them."""
        place = 0
        while place < self.touches.used:
            at = self.touches.items[place + 3]
            if at:
                level_at(self.levels, at).touch = 0
            place += TOUCH_WORDS
        self.touches.used = 0
        return 0
