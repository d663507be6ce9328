"""The dealer market: a feed quotes, members' bounded orders fill at the quote's price.

Promises: an order meets only messages that come after it, while lower <= price <= upper, oldest
first; one message fills at most its availability, of buys and of sells each. It fills once: one
that is equal to one of the newest is refused, one that is older by its own time is told as older
and changes nothing. The other side of each trade is the house's inventory, which may go below
zero, to the instrument's limit either way; what the limit stops waits. Plain Python.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from fondaco.core.bounds import Bounds
from fondaco.core.buffer import Words
from fondaco.core.instrument import Instrument
from fondaco.core.records import (
    ACCOUNT_INVENTORY,
    ASSET_TOTAL_MAX,
    HEAD_WORDS,
    LAYOUTS,
    VERSION,
    Event,
    InstrumentStatus,
    OrderType,
    Reason,
    Side,
    Verdict,
    Wait,
    unpack,
)

if TYPE_CHECKING:
    from fondaco.core.outside import Outside

__all__ = ["DEALER", "Dealer"]

DEALER: Final = 2  # InstrumentBody.market
DAY_US: Final = 86_400_000_000
SAME_TIME_MAX: Final = 256  # different messages of one time of one stock
# seq and time of the head; instrument, price, availability and the message's own time
_QUOTE: Final = struct.Struct("<8x2q16x4q")
_QUOTE_BYTES: Final = (HEAD_WORDS + len(LAYOUTS[Event.QUOTE])) * 8
_QUOTE_HEAD: Final = int(Event.QUOTE) | VERSION << 16 | _QUOTE_BYTES << 32


class Desk:
    """The dealer's side of one instrument: its newest quote, its position, who waits."""

    def __init__(self) -> None:
        """Begin without a quote."""
        self.price_ticks = 0  # 0: no message yet
        self.availability_lots = 0
        self.message_us = 0
        self.same_time: list[tuple[int, int]] = []  # price, availability of messages of that time
        self.quote_seq = 0  # of the newest message: an order of a higher number met none
        self.position_lots = 0
        self.bought_lots = 0  # at the newest message
        self.sold_lots = 0
        self.waits = {Side.BUY: 0, Side.SELL: 0}
        self.sides = {Side.BUY: Bounds(), Side.SELL: Bounds()}


class Dealer:
    """All desks."""

    def __init__(self, outside: Outside) -> None:
        """Share the tables of all orders."""
        self.outside = outside
        self.waiting = outside.waiting
        self.desks: dict[int, Desk] = {}  # by instrument

    def desk(self, number: int) -> Desk:
        """Return the desk of an instrument."""
        desk = self.desks.get(number)
        if desk is None:
            desk = self.desks[number] = Desk()
        return desk

    # -- orders ----------------------------------------------------------------------------------

    def new_order(self, instrument: Instrument, record: bytes) -> int:
        """NEW_ORDER of type BOUNDED: it holds its upper bound and waits for the next message."""
        words = unpack(record)
        reason = self.waiting.check(instrument, record, int(OrderType.BOUNDED))
        if reason:
            return reason
        upper = words["price_ticks"]
        reason = self.waiting.check_terms(instrument, upper, upper)
        if reason:
            return reason
        slot = self.waiting.take_in(instrument, upper)
        side = self.desk(instrument.number).sides[Side(words["side"])]
        side.add(words["seq"], slot, words["stop_price_ticks"], upper)
        return 0

    def forget(self, instrument: Instrument, number: int, side: int) -> None:
        """Let an order that is being cancelled no longer wait."""
        self.desk(instrument.number).sides[Side(side)].remove(number)

    # -- messages --------------------------------------------------------------------------------

    def quote(self, record: bytes) -> int:
        """QUOTE."""
        seq, time_us, number, price, lots, message_us = _QUOTE.unpack(record)
        instrument = self.outside.instrument(number, DEALER)
        if instrument is None:
            return Reason.UNKNOWN_INSTRUMENT
        body = instrument.body
        if not 1 <= price <= ASSET_TOTAL_MAX // body.quote_per_lot_tick:
            return Reason.INVALID_PRICE
        if not 1 <= lots <= ASSET_TOTAL_MAX // body.base_per_lot:
            return Reason.INVALID_QUANTITY
        if not 0 <= message_us <= time_us + DAY_US:
            return Reason.INVALID_TIME
        desk = self.desk(number)
        if message_us < desk.message_us:
            self._tell(number, desk, [price, lots, message_us, Verdict.OLDER])
            return 0
        reason = self._take(desk, (price, lots), message_us, seq)
        if reason:
            return reason
        if self.is_open(instrument):
            desk.bought_lots = self._fill(instrument, desk, Side.BUY)
            desk.sold_lots = self._fill(instrument, desk, Side.SELL)
        self._tell(number, desk, [price, lots, message_us, Verdict.CURRENT])
        return 0

    def is_open(self, instrument: Instrument) -> bool:
        """Whether messages fill orders now."""
        is_trading = instrument.body.status == InstrumentStatus.TRADING
        return is_trading and self.waiting.orders.checks.maintenance == 0

    def _take(self, desk: Desk, message: tuple[int, int], message_us: int, seq: int) -> int:
        """Let a message that isn't older be the newest, unless it is one of the newest."""
        if message_us > desk.message_us or desk.price_ticks == 0:
            desk.same_time = []
        elif message in desk.same_time:
            return Reason.DUPLICATE_QUOTE
        elif len(desk.same_time) == SAME_TIME_MAX:
            return Reason.CAPACITY
        desk.same_time.append(message)
        desk.price_ticks, desk.availability_lots = message
        desk.message_us = message_us
        desk.quote_seq = seq
        desk.bought_lots = desk.sold_lots = 0
        desk.waits = {Side.BUY: 0, Side.SELL: 0}
        return 0

    def _fill(self, instrument: Instrument, desk: Desk, side: Side) -> int:
        """Fill the orders of one side, oldest first; return the lots."""
        price, left = desk.price_ticks, desk.availability_lots
        orders = desk.sides[side]
        room = self._room(instrument, desk, side)
        filled = 0
        number = orders.oldest(price)
        while number and left and room:
            slot = orders.slots[number]
            open_lots = self.waiting.open_lots(slot)
            lots = min(open_lots, left, room)
            if lots == open_lots:
                orders.remove(number)
            quote = price * instrument.body.quote_per_lot_tick * lots
            self.waiting.fill(instrument, slot, price, lots, quote, ACCOUNT_INVENTORY)
            filled, left, room = filled + lots, left - lots, room - lots
            number = orders.oldest(price)
        desk.position_lots += filled if side == Side.SELL else -filled
        if number:
            desk.waits[side] = Wait.AVAILABILITY if left == 0 else Wait.INVENTORY_LIMIT
        return filled

    def _room(self, instrument: Instrument, desk: Desk, side: Side) -> int:
        """Return how many lots the inventory may still give (to buys) or take (from sells)."""
        body = instrument.body
        if side == Side.BUY:
            asset, unit = body.base, body.base_per_lot
            position = desk.position_lots
        else:
            asset, unit = body.quote, desk.price_ticks * body.quote_per_lot_tick
            position = -desk.position_lots
        room = self.outside.inventory_room(asset) // unit
        if body.inventory_lots_max:
            room = min(room, max(0, body.inventory_lots_max + position))
        return room

    def _tell(self, number: int, desk: Desk, message: list[int]) -> None:
        """QUOTE, the event; `message` is price, availability, time and verdict."""
        of_message = [desk.bought_lots, desk.sold_lots]
        waits = [desk.waits[Side.BUY], desk.waits[Side.SELL]]
        if message[-1] != Verdict.CURRENT:
            of_message = waits = [0, 0]
        words = [number, *message, *of_message, desk.position_lots, *waits]
        self.outside.events.put(_QUOTE_HEAD, 0, words)

    # -- questions -------------------------------------------------------------------------------

    def answer_quote(self, instrument: Instrument) -> None:
        """Write the newest quote, if there is one."""
        desk = self.desks.get(instrument.number)
        if desk is not None and desk.price_ticks:
            message = [desk.price_ticks, desk.availability_lots, desk.message_us]
            self._tell(instrument.number, desk, [*message, Verdict.CURRENT])

    def wait_of(self, instrument: Instrument, terms: list[int]) -> Wait:
        """Return why an order waits."""
        number, _, side, upper, lower, _, _ = terms
        desk = self.desk(instrument.number)
        if not self.is_open(instrument):
            return Wait.CLOSED
        if number > desk.quote_seq:
            return Wait.NO_QUOTE
        if not lower <= desk.price_ticks <= upper:
            return Wait.OUT_OF_BOUNDS
        return Wait(desk.waits[Side(side)] or Wait.CLOSED)

    # -- dump ------------------------------------------------------------------------------------

    def dump(self, words: Words, instrument: Instrument) -> None:
        """Write one desk."""
        desk = self.desk(instrument.number)
        for word in (
            desk.price_ticks,
            desk.availability_lots,
            desk.message_us,
            desk.quote_seq,
            desk.position_lots,
            desk.bought_lots,
            desk.sold_lots,
            desk.waits[Side.BUY],
            desk.waits[Side.SELL],
            len(desk.same_time),
        ):
            words.add(word)
        for price, availability in desk.same_time:
            words.add(price)
            words.add(availability)
        orders = sorted([*desk.sides[Side.BUY].slots.items(), *desk.sides[Side.SELL].slots.items()])
        words.add(len(orders))
        for _, slot in orders:
            self.waiting.dump(words, slot)

    def load(self, words: Words, at: int, instrument: Instrument) -> int:
        """Read what dump() wrote; return the place after it."""
        desk = self.desks[instrument.number] = Desk()
        found = [words.get(at + place) for place in range(10)]
        desk.price_ticks, desk.availability_lots, desk.message_us, desk.quote_seq = found[:4]
        desk.position_lots, desk.bought_lots, desk.sold_lots = found[4:7]
        desk.waits = {Side.BUY: found[7], Side.SELL: found[8]}
        at += 10
        for _ in range(found[9]):
            desk.same_time.append((words.get(at), words.get(at + 1)))
            at += 2
        count = words.get(at)
        at += 1
        for _ in range(count):
            slot = self.waiting.load(words, at, instrument)
            number, _, side, upper, lower, _, _ = self.waiting.terms(slot)
            desk.sides[Side(side)].add(number, slot, lower, upper)
            at += self.waiting.dump_words()
        return at
