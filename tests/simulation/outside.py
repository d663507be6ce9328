"""The outside of a simulated house: a venue with a truth of its own, its worker, and a reader.

The worker's steps are the real ones (robots.venues.carrying), in two processes that are forgotten
at each crash, together or one alone. Its venue fills, rejects, fills in part, answers twice, in any
order or not at all, and gets what was sent late or never; it keeps each id
that reached it. OutsideReader holds what the events tell against that truth:

I14 an outside order reaches the venue once, and only after it was SENT; UNKNOWN ends by query
I15 an order is part of one venue order, of its own instrument and side
I18 a message fills once, within its availability of each side and the bounds of each order
and what a venue order filled is exactly what its parts and the rounding account got.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import Any, Final, Protocol

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
from fondaco.robots.venues import carrying
from fondaco.robots.venues.carrying import Carried, Effect, Tell, Wait, perform
from fondaco.robots.venues.port import Order, Outcome, Refused, Unanswered

__all__ = ["Breach", "OutsideReader", "Venue", "Worker", "require"]

Words = dict[str, int]
FATES: Final = (
    *("fill", "fill", "reject", "partial", "slow", "timeout", "lost", "late", "duplicate"),
)
DUST: Final = 3  # units that a fill is short of whole lots, now and then


class Breach(AssertionError):
    """An invariant doesn't hold."""


def require(held: bool, invariant: str, *facts: object) -> None:
    """Raise Breach with the facts unless the invariant held."""
    if not held:
        raise Breach(f"{invariant}: {' '.join(map(str, facts))}")


class Venue:
    """An outside exchange: what reached it, by id. It survives all that befalls the house."""

    request_timeout_s = 10.0

    def __init__(self, random: Random) -> None:
        """Begin without orders."""
        self.random = random
        self.orders: dict[int, tuple[int, int]] = {}  # id -> base and quote in the end
        self.closed: set[int] = set()  # those that the house has confirmed
        self.late: list[tuple[float, Order]] = []  # on their way, by when they arrive
        self.now_s: Callable[[], float] = lambda: 0.0
        self.may_send: Callable[[int], bool] = lambda _number: True

    def place(self, order: Order) -> list[Outcome]:
        """Take an order and let its fate befall it."""
        self.settle()
        number = int(order.client_id)
        require(self.may_send(number), "I14 sent only after SENT is durable", number)
        fate = self.random.choice(FATES)
        if fate == "late":
            within_s = self.request_timeout_s + carrying.GRACE_S
            self.late.append((self.now_s() + self.random.random() * within_s, order))
        elif fate != "lost":
            self.arrive(order, fate)
        if fate in {"late", "lost", "timeout"}:
            raise Unanswered(fate)
        if fate == "reject":
            raise Refused(fate)
        final = self.outcome(number)
        if fate == "duplicate":
            return [final, final]
        if fate == "slow":
            early = Outcome(
                base=Fraction(final.base // 2),
                quote=Fraction(final.quote * (final.base // 2) // max(final.base, Fraction(1))),
                is_final=False,
            )
            answers = [early, final]
            self.random.shuffle(answers)
            return answers
        return [final]

    def query(self, order: Order) -> Outcome | None:
        """Tell of an order, or now and then of nothing."""
        self.settle()
        if self.random.random() < 0.1:
            raise Unanswered("the line is down")
        number = int(order.client_id)
        return self.outcome(number) if number in self.orders else None

    def outcome(self, number: int) -> Outcome:
        """Return what an order did."""
        base, quote = self.orders[number]
        return Outcome(base=Fraction(base), quote=Fraction(quote), is_final=True)

    def settle(self) -> None:
        """Let arrive what is due."""
        for due_s, order in [each for each in self.late if each[0] <= self.now_s()]:
            self.late.remove((due_s, order))
            self.arrive(order, "fill")

    def arrive(self, order: Order, fate: str) -> None:
        """Carry an order out."""
        number = int(order.client_id)
        require(number not in self.orders, "I14 an order is sent once", number)
        require(number not in self.closed, "I14 what was given back is never done", number)
        base = int(order.quantity)
        if fate == "reject":
            base = 0
        elif fate == "partial":
            base = self.random.randrange(base)
        elif self.random.random() < 0.1:
            base -= min(base, DUST)
        worth = int(base * order.limit)
        better = self.random.randrange(worth // 20 + 1)
        self.orders[number] = (base, worth - better if order.is_buy else worth + better)


Steps = Generator[Effect, Any, None]


@dataclass
class _Carrier:
    """One order in one process: its steps, and what it is about to do."""

    steps: Steps
    effect: Effect | None
    wake_s: float = 0.0


class Worker:
    """Two processes that carry orders by the worker's own steps; a crash forgets all they know."""

    def __init__(
        self,
        random: Random,
        venue: Venue,
        reader: OutsideReader,
        now_s: Callable[[], float],
        carry: Callable[..., Steps] = carrying.carry,
    ) -> None:
        """Begin with nothing known."""
        self.random = random
        self.venue = venue
        self.reader = reader
        self.carry = carry
        self.venue.now_s = self.now_s = now_s
        self.venue.may_send = self.may_send
        self.processes: list[dict[int, _Carrier]] = [{}, {}]
        self.telling: tuple[dict[int, _Carrier], int] | None = None

    def may_send(self, number: int) -> bool:
        """Whether VENUE_SENT of an order is durable."""
        return self.reader.venue_orders[number]["status"] != VenueStatus.PENDING

    def forget(self) -> None:
        """Be other processes."""
        self.processes = [{}, {}]
        self.telling = None

    def wish(self, orders: list[Words]) -> bytes | None:
        """Do what one process does next; return the command, if it is one."""
        self.telling = None
        if not orders:
            return None
        order = self.random.choice(orders)
        number = order["venue_order"]
        if self.random.random() < 0.04:  # somebody says that they will send, and never does
            return pack(Command.VENUE_SENT, venue_order=number)
        place = self.random.randrange(len(self.processes))
        if self.random.random() < 0.03:
            self.processes[place] = {}  # this process alone dies
        process = self.processes[place]
        if number not in process:
            steps = self.carry(
                self._carried(order),
                request_timeout_s=self.venue.request_timeout_s,
                now_s=self.now_s,
                note=lambda _text: None,
            )
            process[number] = _Carrier(steps, next(steps))
        return self._go_on(process, number)

    def told(self, event: bytes) -> bool:
        """Hear the core's answer to a wish; return whether an order is to be sent now."""
        if self.telling is None:
            return False
        process, number = self.telling
        self._step(process, number, event)
        return number in process and isinstance(process[number].effect, carrying.Place)

    def send(self) -> None:
        """Send at once what told() said is to be sent."""
        assert self.telling is not None
        self._go_on(*self.telling)

    def _go_on(self, process: dict[int, _Carrier], number: int) -> bytes | None:
        carrier = process[number]
        effect = carrier.effect
        if isinstance(effect, Tell):
            self.telling = (process, number)
            return effect.record
        if isinstance(effect, Wait):
            if self.now_s() >= carrier.wake_s:
                self._step(process, number, None)
        elif effect is not None:
            try:
                answer: object = perform(self.venue, effect, self.now_s)
            except (Refused, Unanswered) as error:
                answer = error
            self._step(process, number, answer)
            if number in process and isinstance(process[number].effect, carrying.Place):
                return self._go_on(process, number)  # only a wrong worker sends here
        return None

    def _step(self, process: dict[int, _Carrier], number: int, answer: object) -> None:
        carrier = process[number]
        try:
            if isinstance(answer, Refused | Unanswered):
                carrier.effect = carrier.steps.throw(answer)
            else:
                carrier.effect = carrier.steps.send(answer)
        except StopIteration:
            del process[number]
            return
        if isinstance(carrier.effect, Wait):
            carrier.wake_s = self.now_s() + carrier.effect.seconds

    def _carried(self, words: Words) -> Carried:
        """Return an order as carry() takes it; amounts are in units."""
        body = self.reader.instruments[words["instrument"]]
        quantity = Fraction(words["quantity_lots"] * body.base_per_lot)
        return Carried(
            number=words["venue_order"],
            status=words["status"],
            base_unit=Fraction(1),
            quote_unit=Fraction(1),
            filled_base=words["filled_base"],
            filled_quote=words["filled_quote"],
            order=Order(
                client_id=str(words["venue_order"]),
                base="base",
                quote="quote",
                is_buy=words["side"] == Side.BUY,
                quantity=quantity,
                limit=Fraction(words["limit_ticks"] * body.quote_per_lot_tick, body.base_per_lot),
                reference=Fraction(words["notional"]) / quantity,
            ),
        )


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
            self.venue.closed.add(words["venue_order"])
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
