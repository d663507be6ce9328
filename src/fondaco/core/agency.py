"""The agency market: orders wait in pools, a pool becomes one outside order, its fill is shared.

Promises: an order holds its quantity at the reference price and the venue's slippage; it waits in
the pool of its instrument and side until the pool is worth the venue's minimum or its time is
over, and then is part of exactly one venue order. That is PENDING until a worker says that it will
send it (only one is let), SENT until the venue's answer or UNKNOWN when that is lost, and from
there only a query's answer counts. What the venue reports is shared in whole lots, pro rata, by
largest remainder; less than a lot goes to the rounding account with its part of the money; what
did not fill is given back to the last unit. Plain Python; messages are carried by others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fondaco.core.buffer import Words
from fondaco.core.instrument import Instrument
from fondaco.core.money import share
from fondaco.core.records import (
    ACCOUNT_ROUNDING,
    ACCOUNT_WORLD,
    ASSET_TOTAL_MAX,
    Cause,
    Event,
    OrderType,
    Reason,
    Side,
    VenueStatus,
    Wait,
    unpack,
)

if TYPE_CHECKING:
    from fondaco.core.outside import Outside

__all__ = ["AGENCY", "Agency"]

AGENCY: Final = 3  # InstrumentBody.market
PPM: Final = 1_000_000
POOL_ORDERS_MAX: Final = 10_000  # parts of one venue order: its fill is one command
ADVANCE_ORDERS_MAX: Final = 10_000  # given back or sent in one ADVANCE, whole pools: then the next
VENUE_WORDS: Final = 14  # of a venue order in a dump, before its parts


class Pool:
    """Orders of one instrument and side that wait for each other: number -> slot, by age."""

    def __init__(self) -> None:
        """Begin empty."""
        self.slots: dict[int, int] = {}
        self.lots = 0


class VenueOrder:
    """One outside order."""

    def __init__(self, number: int, instrument: int, side: int) -> None:
        """Begin without parts."""
        self.number = number
        self.instrument = instrument
        self.side = side
        self.status = int(VenueStatus.PENDING)
        self.limit_ticks = 0
        self.lots = 0
        self.notional = 0
        self.filled_base = 0  # as reported
        self.filled_quote = 0
        self.shared_base = 0  # of it, what the parts have got
        self.shared_quote = 0
        self.attempts = 0
        self.parts = 0
        self.created_us = 0
        self.slots: dict[int, int] = {}  # of the parts that are still open, by number


class Agency:
    """All pools and all venue orders that are not done."""

    def __init__(self, outside: Outside) -> None:
        """Share the tables of all orders."""
        self.outside = outside
        self.waiting = outside.waiting
        self.references: dict[int, int] = {}  # instrument -> ticks
        self.pools: dict[tuple[int, int], Pool] = {}  # (instrument, side); none is empty
        self.venue_orders: dict[int, VenueOrder] = {}
        self.parts: dict[int, VenueOrder] = {}  # open order -> the venue order it is part of
        self.last_number = 0
        self.next_due_us = 0
        self.due_is_stale = False

    # -- orders ----------------------------------------------------------------------------------

    def new_order(self, instrument: Instrument, record: bytes) -> int:
        """NEW_ORDER of type POOLED."""
        words = unpack(record)
        reason = self.waiting.check(instrument, record, int(OrderType.POOLED))
        if reason:
            return reason
        reference = self.references.get(instrument.number, 0)
        if reference == 0:
            return Reason.NO_REFERENCE
        limit = limit_of(reference, words["side"], instrument.body.slippage_ppm)
        reason = self.waiting.check_terms(instrument, limit, reference)
        if reason:
            return reason
        key = (instrument.number, words["side"])
        pool = self.pools.get(key) or Pool()
        lots = pool.lots + words["quantity_lots"]
        if not self._countable(instrument, lots, max(limit, reference)):
            return Reason.NOTIONAL_TOO_LARGE
        if len(pool.slots) == POOL_ORDERS_MAX:
            return Reason.CAPACITY
        pool.slots[words["seq"]] = self.waiting.take_in(instrument, limit)
        pool.lots = lots
        self.pools[key] = pool
        self._changed(instrument, key)
        return 0

    def _countable(self, instrument: Instrument, lots: int, price: int) -> bool:
        """Whether so many lots, in one venue order, are within the core's bounds."""
        body = instrument.body
        return (
            lots * price * body.quote_per_lot_tick <= ASSET_TOTAL_MAX
            and lots * body.base_per_lot <= ASSET_TOTAL_MAX
        )

    def _changed(self, instrument: Instrument, key: tuple[int, int]) -> None:
        """Send a pool that has reached its minimum; tell what it is now."""
        self.due_is_stale = True
        pool = self.pools.get(key)
        minimum = instrument.body.pool_min_notional
        if pool is not None and self._notional(instrument, pool.lots) >= minimum:
            self._send(instrument, key)
        self._tell_pool(instrument, key)

    def _notional(self, instrument: Instrument, lots: int) -> int:
        """Return what lots are worth at the reference price, in quote units."""
        price = self.references[instrument.number]
        return min(lots * price * int(instrument.body.quote_per_lot_tick), ASSET_TOTAL_MAX)

    def forget(self, instrument: Instrument, number: int, side: int) -> int:
        """Let an order that is to be cancelled leave its pool; the reason if it can't."""
        if number in self.parts:
            self.outside.events.detail(self.parts[number].number, 0, 0)
            return Reason.ORDER_SENT
        pool = self.pools[(instrument.number, side)]
        pool.lots -= self.waiting.open_lots(pool.slots.pop(number))
        if not pool.slots:
            del self.pools[(instrument.number, side)]
        self.due_is_stale = True
        return 0

    def tell_pool_after(self, instrument: Instrument, side: int) -> None:
        """Tell a pool that a cancelled order has left."""
        self._tell_pool(instrument, (instrument.number, side))

    # -- the reference price and the definition -------------------------------------------------

    def set_reference(self, record: bytes) -> int:
        """SET_REFERENCE."""
        words = unpack(record)
        instrument = self.outside.instrument(words["instrument"], AGENCY)
        if instrument is None:
            return Reason.UNKNOWN_INSTRUMENT
        if not 1 <= words["price_ticks"] <= ASSET_TOTAL_MAX // instrument.body.quote_per_lot_tick:
            return Reason.INVALID_PRICE
        self._refer(instrument, words["price_ticks"])
        return 0

    def define(self, instrument: Instrument, reference_before: int) -> None:
        """Follow a definition: its reference price if that has changed, its minimum, its time."""
        body = instrument.body
        if body.reference_ticks and body.reference_ticks != reference_before:
            self._refer(instrument, body.reference_ticks)
        elif self.references.get(instrument.number):
            self._look_at_pools(instrument)

    def _refer(self, instrument: Instrument, ticks: int) -> None:
        self.references[instrument.number] = ticks
        self.outside.tell(Event.REFERENCE, instrument=instrument.number, price_ticks=ticks)
        self._look_at_pools(instrument)

    def _look_at_pools(self, instrument: Instrument) -> None:
        for side in Side:
            key = (instrument.number, int(side))
            if key in self.pools:
                self._changed(instrument, key)

    # -- time ------------------------------------------------------------------------------------

    def deadline(self) -> int:
        """Return when the first pool's time is over, in microseconds; 0 = never."""
        if self.due_is_stale:
            dues = [due for key in self.pools if (due := self._due_us(key))]
            self.next_due_us = min(dues, default=0)
            self.due_is_stale = False
        return self.next_due_us

    def _due_us(self, key: tuple[int, int]) -> int:
        timeout_us = self.outside.known(key[0]).body.pool_timeout_us
        if timeout_us == 0:
            return 0
        oldest = next(iter(self.pools[key].slots.values()))
        return self.waiting.terms(oldest)[6] + int(timeout_us)

    def advance(self) -> None:
        """ADVANCE: end the waiting of pools whose time is over, by number and side."""
        now_us = self.outside.events.time_us
        handled = 0
        for key in sorted(self.pools):
            due_us = self._due_us(key)
            if due_us == 0 or due_us > now_us or handled >= ADVANCE_ORDERS_MAX:
                continue
            instrument = self.outside.known(key[0])
            handled += len(self.pools[key].slots)
            if instrument.body.pool_flush:
                self._send(instrument, key)
            else:
                for slot in self.pools.pop(key).slots.values():
                    self.waiting.expire(instrument, slot)
            self._tell_pool(instrument, key)
            self.due_is_stale = True

    # -- venue orders ----------------------------------------------------------------------------

    def _send(self, instrument: Instrument, key: tuple[int, int]) -> None:
        """Make one venue order of a whole pool."""
        pool = self.pools.pop(key)
        self.last_number += 1
        order = VenueOrder(self.last_number, instrument.number, key[1])
        parts = [self.waiting.terms(slot) for slot in pool.slots.values()]
        prices = [terms[3] for terms in parts]
        order.limit_ticks = min(prices) if order.side == Side.BUY else max(prices)
        order.lots = pool.lots
        order.notional = self._notional(instrument, pool.lots)
        order.created_us = self.outside.events.time_us
        order.slots = pool.slots
        order.parts = len(parts)
        self.venue_orders[order.number] = order
        self._tell_venue_order(order)
        for number, account, _, _, _, open_lots, _ in parts:
            self.parts[number] = order
            self._tell_part(order, account, number, open_lots)
        self.due_is_stale = True

    def _named(self, number: int) -> tuple[VenueOrder | None, int]:
        """Return the venue order of a number, or the reason why there is none."""
        order = self.venue_orders.get(number)
        if order is not None:
            return order, 0
        done = 1 <= number <= self.last_number
        return None, Reason.VENUE_ORDER_CLOSED if done else Reason.UNKNOWN_VENUE_ORDER

    def _refuse_state(self, order: VenueOrder) -> int:
        self.outside.events.detail(order.status, 0, 0)
        return Reason.VENUE_ORDER_STATE

    def sent(self, record: bytes) -> int:
        """VENUE_SENT: whoever gets this accepted may send, and nobody else ever."""
        order, reason = self._named(unpack(record)["venue_order"])
        if order is None:
            return reason
        if order.status != VenueStatus.PENDING:
            return self._refuse_state(order)
        order.status = VenueStatus.SENT
        order.attempts += 1
        self._tell_venue_order(order)
        return 0

    def unknown(self, record: bytes) -> int:
        """VENUE_UNKNOWN."""
        order, reason = self._named(unpack(record)["venue_order"])
        if order is None:
            return reason
        if order.status != VenueStatus.SENT:
            return self._refuse_state(order)
        order.status = VenueStatus.UNKNOWN
        self._tell_venue_order(order)
        return 0

    def report(self, record: bytes) -> int:
        """VENUE_REPORT."""
        words = unpack(record)
        order, reason = self._named(words["venue_order"])
        if order is None:
            return reason
        answered = order.status == VenueStatus.SENT or (
            order.status == VenueStatus.UNKNOWN and words["by_query"] == 1
        )
        if not answered:
            return self._refuse_state(order)
        instrument = self.outside.known(order.instrument)
        base, quote = words["filled_base"], words["filled_quote"]
        reason = self._check_report(instrument, order, base, quote, final=words["is_final"] == 1)
        if reason:
            return reason
        order.filled_base, order.filled_quote = base, quote
        self._share(instrument, order)
        order.status = VenueStatus.SENT
        if words["is_final"] == 1:
            self._close(instrument, order)
        self._tell_venue_order(order)
        return 0

    def _check_report(
        self, instrument: Instrument, order: VenueOrder, base: int, quote: int, *, final: bool
    ) -> int:
        """Return 0 if a report can be what the venue did, or the reason."""
        body = instrument.body
        unit = order.limit_ticks * body.quote_per_lot_tick  # a lot at the limit
        before = (order.filled_base, order.filled_quote)
        less = base < before[0] or quote < before[1] or min(base, quote) < 0
        if less or ((base, quote) == before and not final):
            self.outside.events.detail(*before, 0)
            return Reason.STALE_REPORT
        more_base, more_quote = base - order.shared_base, quote - order.shared_quote
        excessive = base > order.lots * body.base_per_lot or quote > ASSET_TOTAL_MAX
        if order.side == Side.BUY:
            # At most a unit past the limit: the worker rounds a finer amount against us.
            excessive |= more_quote * body.base_per_lot >= more_base * unit + body.base_per_lot
        if excessive:
            return Reason.EXCESSIVE_REPORT
        asset, comes = (
            (body.base, more_base) if order.side == Side.BUY else (body.quote, more_quote)
        )
        return 0 if self.waiting.ledger.fits(asset, comes) else Reason.TOTAL_TOO_LARGE

    def _share(self, instrument: Instrument, order: VenueOrder) -> None:
        """Share what came since the last report among the parts, in whole lots."""
        body = instrument.body
        more_base = order.filled_base - order.shared_base
        more_quote = order.filled_quote - order.shared_quote
        lots = more_base // body.base_per_lot
        if lots == 0:
            return
        dust = more_base - lots * body.base_per_lot
        quote = more_quote - more_quote * dust // more_base
        if order.side == Side.BUY:
            quote = min(quote, lots * order.limit_ticks * body.quote_per_lot_tick)
        numbers = list(order.slots)
        open_lots = [self.waiting.open_lots(slot) for slot in order.slots.values()]
        shares = share(lots, open_lots)
        amounts = share(quote, shares)
        price = max(1, quote // (lots * body.quote_per_lot_tick))
        for number, open_before, part, amount in zip(
            numbers, open_lots, shares, amounts, strict=True
        ):
            if part:
                slot = order.slots[number]
                if part == open_before:
                    del order.slots[number], self.parts[number]
                self.waiting.fill(instrument, slot, price, part, amount, ACCOUNT_WORLD)
        order.shared_base += lots * body.base_per_lot
        order.shared_quote += quote

    def _close(self, instrument: Instrument, order: VenueOrder) -> None:
        """End a venue order: dust to the rounding account, what did not fill back to its owners."""
        body = instrument.body
        gives = (ACCOUNT_WORLD, ACCOUNT_ROUNDING)
        takes = (ACCOUNT_ROUNDING, ACCOUNT_WORLD)
        if order.side == Side.SELL:
            gives, takes = takes, gives
        for (debit, credit), asset, amount in (
            (gives, body.base, order.filled_base - order.shared_base),
            (takes, body.quote, order.filled_quote - order.shared_quote),
        ):
            if amount:
                self.waiting.ledger.post(debit, credit, asset, amount, int(Cause.TRADE), 0)
        for number, slot in order.slots.items():
            del self.parts[number]
            self.waiting.expire(instrument, slot)
        del self.venue_orders[order.number]
        order.slots = {}
        order.status = VenueStatus.CONFIRMED

    # -- telling ---------------------------------------------------------------------------------

    def _tell_pool(self, instrument: Instrument, key: tuple[int, int]) -> None:
        pool = self.pools.get(key)
        self.outside.tell(
            Event.POOL,
            instrument=instrument.number,
            side=key[1],
            orders=len(pool.slots) if pool else 0,
            quantity_lots=pool.lots if pool else 0,
            notional=self._notional(instrument, pool.lots) if pool else 0,
            min_notional=instrument.body.pool_min_notional,
            deadline_us=self._due_us(key) if pool else 0,
        )

    def _tell_venue_order(self, order: VenueOrder) -> None:
        self.outside.tell(
            Event.VENUE_ORDER,
            instrument=order.instrument,
            venue_order=order.number,
            status=order.status,
            side=order.side,
            limit_ticks=order.limit_ticks,
            quantity_lots=order.lots,
            notional=order.notional,
            filled_base=order.filled_base,
            filled_quote=order.filled_quote,
            attempts=order.attempts,
            parts=order.parts,
            created_us=order.created_us,
        )

    def _tell_part(self, order: VenueOrder, account: int, number: int, lots: int) -> None:
        self.outside.tell(
            Event.VENUE_PART,
            account=account,
            instrument=order.instrument,
            venue_order=order.number,
            order_id=number,
            quantity_lots=lots,
        )

    # -- questions -------------------------------------------------------------------------------

    def answer_pools(self, instrument: Instrument) -> None:
        """Write the reference price of an instrument, and its pools."""
        ticks = self.references.get(instrument.number, 0)
        self.outside.tell(Event.REFERENCE, instrument=instrument.number, price_ticks=ticks)
        for side in Side:
            if (instrument.number, int(side)) in self.pools:
                self._tell_pool(instrument, (instrument.number, int(side)))

    def answer_venue_orders(self, instrument: Instrument) -> None:
        """Write the venue orders of an instrument that are not done, with their open parts."""
        for order in self.venue_orders.values():
            if order.instrument == instrument.number:
                self._tell_venue_order(order)
                for number, slot in order.slots.items():
                    terms = self.waiting.terms(slot)
                    self._tell_part(order, terms[1], number, terms[5])

    def wait_of(self, number: int) -> tuple[Wait, int]:
        """Return why an order waits, and the venue order that it is part of."""
        order = self.parts.get(number)
        return (Wait.POOL, 0) if order is None else (Wait.VENUE, order.number)

    # -- dump ------------------------------------------------------------------------------------

    def dump(self, words: Words, instrument: Instrument) -> None:
        """Write the reference price, the orders that wait and the venue orders of an instrument."""
        number = instrument.number
        words.add(self.references.get(number, 0))
        orders = {
            order: slot for (of, _), pool in self.pools.items() if of == number
            for order, slot in pool.slots.items()
        }  # fmt: skip
        mine = [order for order in self.venue_orders.values() if order.instrument == number]
        for venue_order in mine:
            orders |= venue_order.slots
        words.add(len(orders))
        for order in sorted(orders):
            venue = self.parts.get(order)
            words.add(venue.number if venue else 0)
            self.waiting.dump(words, orders[order])
        words.add(len(mine))
        for venue_order in mine:
            for word in _venue_words(venue_order):
                words.add(word)

    def forget_all(self) -> None:
        """Forget everything, before a load."""
        for table in (self.references, self.pools, self.venue_orders, self.parts):
            table.clear()

    def load(self, words: Words, at: int, instrument: Instrument) -> int:
        """Read what dump() wrote; return the place after it."""
        if words.get(at):
            self.references[instrument.number] = words.get(at)
        count = words.get(at + 1)
        at += 2
        found: dict[int, dict[int, int]] = {}  # venue order -> its parts
        for _ in range(count):
            venue = words.get(at)
            slot = self.waiting.load(words, at + 1, instrument)
            order, _, side, _, _, open_lots, _ = self.waiting.terms(slot)
            if venue:
                found.setdefault(venue, {})[order] = slot
            else:
                pool = self.pools.setdefault((instrument.number, side), Pool())
                pool.slots[order] = slot
                pool.lots += open_lots
            at += 1 + self.waiting.dump_words()
        count = words.get(at)
        at += 1
        for _ in range(count):
            read = [words.get(at + place) for place in range(VENUE_WORDS)]
            venue_order = _venue_of(read)
            venue_order.slots = found.get(venue_order.number, {})
            self.parts |= dict.fromkeys(venue_order.slots, venue_order)
            self.venue_orders[venue_order.number] = venue_order
            at += VENUE_WORDS
        self.due_is_stale = True
        return at


def limit_of(reference: int, side: int, slippage_ppm: int) -> int:
    """Return the worst price that a venue may trade at: never past the slippage, at least 1."""
    if side == Side.BUY:
        return reference * (PPM + slippage_ppm) // PPM
    return max(1, -(-reference * (PPM - slippage_ppm) // PPM))


def _venue_words(order: VenueOrder) -> tuple[int, ...]:
    return (
        order.number, order.instrument, order.side, order.status, order.limit_ticks, order.lots,
        order.notional, order.filled_base, order.filled_quote, order.shared_base,
        order.shared_quote, order.attempts, order.parts, order.created_us,
    )  # fmt: skip


def _venue_of(words: list[int]) -> VenueOrder:
    order = VenueOrder(words[0], words[1], words[2])
    order.status, order.limit_ticks, order.lots, order.notional = words[3:7]
    order.filled_base, order.filled_quote, order.shared_base, order.shared_quote = words[7:11]
    order.attempts, order.parts, order.created_us = words[11:]
    return order
