"""The outside of a simulated house: a venue with a truth of its own, its worker, and a reader.

The worker carries messages only, by the doors of decision 0101, and is forgotten at each crash.
Its venue fills, rejects, fills in part, answers late, or never gets what was sent; it keeps each
id that reached it. OutsideReader holds what the events tell against that truth:

I14 an outside order reaches the venue once, and only after it was SENT; UNKNOWN ends by query
I15 an order is part of one venue order, of its own instrument and side
I18 a message fills once, within its availability of each side and the bounds of each order
and what a venue order filled is exactly what its parts and the rounding account got.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol

from fondaco.core.records import (
    Cause,
    Command,
    Event,
    InstrumentBody,
    Query,
    Side,
    VenueStatus,
    Verdict,
    pack,
    split,
    unpack,
)

__all__ = ["Breach", "OutsideReader", "Venue", "Worker", "require"]

Words = dict[str, int]
FATES: Final = ("fill", "fill", "reject", "partial", "slow", "timeout", "lost")
DUST: Final = 3  # units that a fill is short of whole lots, now and then


class Breach(AssertionError):
    """An invariant doesn't hold."""


def require(held: bool, invariant: str, *facts: object) -> None:
    """Raise Breach with the facts unless the invariant held."""
    if not held:
        raise Breach(f"{invariant}: {' '.join(map(str, facts))}")


class Venue:
    """An outside exchange: what reached it, by id. It survives all that befalls the house."""

    def __init__(self, random: Random) -> None:
        """Begin without orders."""
        self.random = random
        self.orders: dict[int, tuple[int, int]] = {}  # id -> base and quote in the end

    def send(self, order: Words, body: InstrumentBody) -> str:
        """Take an order; return its fate."""
        fate = self.random.choice(FATES)
        if fate == "lost":
            return fate
        number = order["venue_order"]
        require(number not in self.orders, "I14 an order is sent once", number)
        base = order["quantity_lots"] * body.base_per_lot
        if fate == "reject":
            base = 0
        elif fate == "partial":
            base = self.random.randrange(base)
        elif self.random.random() < 0.1:
            base -= min(base, DUST)
        worth = base * order["limit_ticks"] * body.quote_per_lot_tick // body.base_per_lot
        better = self.random.randrange(worth // 20 + 1)
        quote = worth - better if order["side"] == Side.BUY else worth + better
        self.orders[number] = (base, quote)
        return fate


class Worker:
    """Carries messages between the house and the venue; a crash forgets all that it knows."""

    def __init__(self, random: Random, venue: Venue) -> None:
        """Begin with nothing known."""
        self.random = random
        self.venue = venue
        self.answers: dict[int, list[Words]] = {}  # venue order -> reports yet to be made
        self.seen: set[int] = set()  # those that this process sent

    def forget(self) -> None:
        """Be another process."""
        self.answers = {}
        self.seen = set()

    def wish(self, orders: list[Words]) -> bytes | None:
        """Return the next command, of those venue orders that are not done."""
        if not orders:
            return None
        order = self.random.choice(orders)
        number = order["venue_order"]
        if self.random.random() < 0.08:  # another worker with an old view wants to send, too
            return pack(Command.VENUE_SENT, venue_order=number)
        if order["status"] == VenueStatus.PENDING:
            return pack(Command.VENUE_SENT, venue_order=number)
        if order["status"] == VenueStatus.UNKNOWN:
            base, quote = self.venue.orders.get(number, (0, 0))
            found = {"filled_base": base, "filled_quote": quote, "is_final": 1, "by_query": 1}
            return pack(Command.VENUE_REPORT, venue_order=number, **found)
        waiting = self.answers.get(number)
        if waiting:
            report = waiting.pop(0) if self.random.random() < 0.7 else waiting[-1]
            return pack(Command.VENUE_REPORT, venue_order=number, **report)
        return pack(Command.VENUE_UNKNOWN, venue_order=number)

    def sent(self, order: Words, body: InstrumentBody) -> None:
        """VENUE_SENT was accepted and is durable: send, and note what comes back."""
        number = order["venue_order"]
        fate = self.venue.send(order, body)
        if fate in {"timeout", "lost"}:
            return
        base, quote = self.venue.orders[number]
        final = {"filled_base": base, "filled_quote": quote, "is_final": 1, "by_query": 0}
        self.answers[number] = [final]
        if fate == "slow" and base > 1:
            part = base // 2
            early = {"filled_base": part, "filled_quote": quote * part // base, "is_final": 0}
            self.answers[number] = [{**early, "by_query": 0}, final]


@dataclass
class _Sum:
    """What the events say that a venue order gave."""

    base: int = 0
    quote: int = 0


@dataclass
class OutsideReader:
    """What the events tell of the outside, held against the invariants."""

    instruments: dict[int, InstrumentBody]
    parts: dict[int, int] = field(default_factory=dict)  # order -> venue order
    venue_orders: dict[int, Words] = field(default_factory=dict)
    sums: dict[int, _Sum] = field(default_factory=dict)
    messages: set[tuple[int, int, int, int]] = field(default_factory=set)
    newest_us: dict[int, int] = field(default_factory=dict)
    filled: dict[tuple[int, int], int] = field(default_factory=dict)  # by the command at hand
    rounded: list[Words] = field(default_factory=list)
    venue: Venue | None = None

    def open_orders(self) -> list[Words]:
        """Return the venue orders that are not done."""
        done = VenueStatus.CONFIRMED
        return [words for words in self.venue_orders.values() if words["status"] != done]

    def take(self, kind: int, words: Words) -> None:
        """Read one event of these markets."""
        if kind == Event.VENUE_PART:
            self._part(words)
        elif kind == Event.VENUE_ORDER:
            self._venue_order(words)
        elif kind == Event.QUOTE:
            self._quote(words)
        elif words["cause"] == Cause.TRADE:
            self.rounded.append(words)  # a POSTING of a venue order's dust

    def fill(self, words: Words) -> None:
        """Read a fill of an order that stands in no book."""
        number = words["instrument"]
        body = self.instruments[number]
        if body.market == 2:
            low, high = words["stop_price_ticks"], words["price_ticks"]
            price = words["last_price_ticks"]
            require(low <= price <= high, "I18 a fill is within the bounds", words)
            key = (number, words["side"])
            self.filled[key] = self.filled.get(key, 0) + words["last_lots"]
            return
        venue_order = self.parts.get(words["order_id"])
        require(venue_order is not None, "I15 a fill is of a part", words)
        assert venue_order is not None
        given = self.sums.setdefault(venue_order, _Sum())
        given.base += words["last_lots"] * body.base_per_lot
        given.quote += words["last_quote"]

    def _part(self, words: Words) -> None:
        order, number = words["order_id"], words["venue_order"]
        require(order not in self.parts, "I15 an order is in one venue order", words)
        whole = self.venue_orders[number]
        require(whole["instrument"] == words["instrument"], "I15 of its own coin", words, whole)
        self.parts[order] = number

    def _venue_order(self, words: Words) -> None:
        number, status = words["venue_order"], words["status"]
        before = self.venue_orders.get(number)
        if before is not None:
            allowed = {
                VenueStatus.PENDING: {VenueStatus.SENT},
                VenueStatus.SENT: {VenueStatus.SENT, VenueStatus.UNKNOWN, VenueStatus.CONFIRMED},
                VenueStatus.UNKNOWN: {VenueStatus.SENT, VenueStatus.CONFIRMED},
            }[VenueStatus(before["status"])]
            require(status in allowed, "I14 one way from PENDING", before, words)
            again = status == before["status"] == VenueStatus.SENT
            more = words["filled_base"] > before["filled_base"]
            require(more or not again, "I14 sent once", words)
        require(words["attempts"] <= 1, "I14 sent once", words)
        self.venue_orders[number] = words
        if status == VenueStatus.CONFIRMED:
            self._confirmed(words)

    def _confirmed(self, words: Words) -> None:
        given = self.sums.pop(words["venue_order"], _Sum())
        base = self.instruments[words["instrument"]].base
        for posting in self.rounded:
            amount = posting["amount"]
            if posting["asset"] == base:
                given.base += amount
            else:
                given.quote += amount
        self.rounded = []
        told = (words["filled_base"], words["filled_quote"])
        require((given.base, given.quote) == told, "the parts are the whole", given, words)
        if self.venue is not None:
            truth = self.venue.orders.get(words["venue_order"], (0, 0))
            require(truth == told, "I14 what the venue did is what was shared", truth, words)

    def _quote(self, words: Words) -> None:
        number = words["instrument"]
        bought = self.filled.pop((number, int(Side.BUY)), 0)
        sold = self.filled.pop((number, int(Side.SELL)), 0)
        told = (words["bought_lots"], words["sold_lots"])
        require((bought, sold) == told, "I18 a message tells its fills", bought, sold, words)
        require(max(told) <= words["availability_lots"], "I18 within its availability", words)
        message = (number, words["message_us"], words["price_ticks"], words["availability_lots"])
        if words["verdict"] == Verdict.OLDER:
            require(words["message_us"] < self.newest_us[number], "older is older", words)
            require(told == (0, 0), "I18 an older message fills nothing", words)
            return
        require(message not in self.messages, "I18 a message counts once", words)
        require(words["message_us"] >= self.newest_us.get(number, 0), "never back", words)
        self.messages.add(message)
        self.newest_us[number] = words["message_us"]


class Answering(Protocol):
    """What is asked of a core."""

    def query(self, record: bytes) -> bytes:
        """Answer a question."""


def venue_orders_of(core: Answering) -> list[Words]:
    """Return the venue orders that are not done, as the core says."""
    records = split(core.query(pack(Query.VENUE_ORDERS)))
    return [unpack(record) for record in records if unpack(record)["kind"] == Event.VENUE_ORDER]


__all__ += ["venue_orders_of"]
