"""Seeded flows with a dealer's market and two agency markets in the house of flows.py.

A feed repeats messages, sends old ones and several of one time; a venue's worker says what it
did in any order, twice, and wrongly; orders reach, miss and cross every bound.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random
from typing import Final

import msgspec

from fondaco.core.records import (
    Command,
    InstrumentBody,
    InstrumentStatus,
    OrderType,
    Side,
    pack,
    pack_body,
)
from tests.property.flows import EDGES, INSTRUMENTS, START_US, Flow, OpenOrder, name

__all__ = ["OUTSIDE", "OutsideFlow"]

Words = dict[str, int]
MINUTE_US: Final = 60_000_000
FIRST: Final = INSTRUMENTS[0]
DEALER: Final = 4
AGENCIES: Final = (5, 6)

OUTSIDE: Final = (
    InstrumentBody(
        number=DEALER,
        symbol="STOCK",
        base=1,
        quote=2,
        market=2,
        tick_size=FIRST.tick_size,
        lot_size=FIRST.lot_size,
        base_per_lot=FIRST.base_per_lot,
        quote_per_lot_tick=FIRST.quote_per_lot_tick,
        taker_fee_ppm=2_000,
        fee_in_quote=True,
        max_open_orders=40,
        stock_id="stock-1",
        inventory_lots_max=150,
    ),
    InstrumentBody(
        number=5,
        symbol="COIN1",
        base=1,
        quote=2,
        market=3,
        tick_size=FIRST.tick_size,
        lot_size=FIRST.lot_size,
        base_per_lot=FIRST.base_per_lot,
        quote_per_lot_tick=FIRST.quote_per_lot_tick,
        taker_fee_ppm=1_000,
        max_open_orders=40,
        venue="outside",
        reference_ticks=100,
        slippage_ppm=20_000,
        pool_min_notional=30_000,
        pool_timeout_us=5 * MINUTE_US,
    ),
    InstrumentBody(
        number=6,
        symbol="COIN2",
        base=3,
        quote=2,
        market=3,
        tick_size="0.00000007",
        lot_size="1",
        base_per_lot=1,
        quote_per_lot_tick=7,
        taker_fee_ppm=33_333,
        fee_in_quote=True,
        max_open_orders=40,
        venue="outside",
        pool_min_notional=20_000,
        pool_timeout_us=MINUTE_US,
        pool_flush=True,
    ),
)


class OutsideFlow(Flow):
    """A flow in which what comes from outside is about half."""

    def __init__(
        self,
        random: Random,
        orders: Callable[[], list[OpenOrder]],
        venue_orders: Callable[[], list[Words]],
        *,
        money: int = 10_000_000,
    ) -> None:
        """Ask `venue_orders` for those that are not done."""
        super().__init__(random, orders, money=money)
        self.venue_orders = venue_orders
        self.sent_quotes: list[bytes] = []
        self.message_us = START_US
        self.bodies |= {body.number: body for body in OUTSIDE}
        self.choices |= {
            self.bounded: 30,
            self.pooled: 34,
            self.quote: 22,
            self.repeat_quote: 5,
            self.reference: 1.5,
            self.venue: 30,
            self.spoiled_outside: 3,
        }
        self._makers = list(self.choices)
        self._weights = list(self.choices.values())

    def opening(self) -> list[bytes]:
        """Return the house with its outside markets."""
        definitions = [pack_body(Command.DEFINE_INSTRUMENT, body) for body in OUTSIDE]
        return [*super().opening(), *definitions]

    def next(self) -> bytes:
        """Return another command."""
        record = super().next()
        if record[0] == Command.NEW_ORDER and record not in self.sent_orders[-1:]:
            self.sent_orders.append(record)
        return record

    def without_venue(self) -> OutsideFlow:
        """Say nothing of venue orders: a worker does."""
        del self.choices[self.venue], self.choices[self.spoiled_outside]
        self._makers = list(self.choices)
        self._weights = list(self.choices.values())
        return self

    def waiting(self, number: int, kind: OrderType) -> Words:
        """Return what an order of one of these markets has."""
        random = self.random
        client = 0 if random.random() < 0.6 else random.randrange(1, 60)
        words = {
            **self.who(),
            "instrument": number,
            "side": random.choice((Side.BUY, Side.BUY, Side.SELL)),
            "order_type": kind,
            "time_in_force": random.choice((0, 1)),
            "self_trade": random.choice((0, 0, 1)),
            "quantity_lots": random.choice((1, 2, 3, 5, 8, 13, 20, random.randrange(1, 40))),
            **name(client),
        }
        if random.random() < 0.02:
            wrong = random.choice(("quantity_lots", "order_type", "time_in_force", "self_trade"))
            words[wrong] = random.choice(EDGES)
        return words

    def bounded(self) -> bytes:
        """Return an order of the dealer's market, its bounds wide, narrow or upside down."""
        lower = self.random.choice((0, 90, 96, 99, 100, 102))
        upper = self.random.choice((98, 100, 101, 103, 110, 1 << 40))
        if self.random.random() < 0.9:
            lower, upper = min(lower, upper), max(lower, upper) % (1 << 20) or 200
        words = self.waiting(DEALER, OrderType.BOUNDED)
        return pack(Command.NEW_ORDER, **words, stop_price_ticks=lower, price_ticks=upper)

    def pooled(self) -> bytes:
        """Return an order of an agency market."""
        words = self.waiting(self.random.choice(AGENCIES), OrderType.POOLED)
        price = 100 if self.random.random() < 0.01 else 0
        return pack(Command.NEW_ORDER, **words, price_ticks=price)

    def quote(self) -> bytes:
        """Return a message: mostly the newest, sometimes of the same time, or of an older one."""
        random = self.random
        self.message_us += random.choice((0, 1, 1_000_000, 5_000_000))
        shown_us = self.message_us
        if random.random() < 0.1:
            shown_us -= random.randrange(1, MINUTE_US)
        if random.random() < 0.01:
            shown_us = random.choice(EDGES)
        words = {
            "instrument": DEALER if random.random() < 0.98 else random.randrange(8),
            "price_ticks": 100 + random.randrange(-6, 7),
            "availability_lots": random.choice((1, 3, 10, 50)),
            "message_us": shown_us,
        }
        if random.random() < 0.02:
            words[random.choice(("price_ticks", "availability_lots"))] = random.choice(EDGES)
        record = pack(Command.QUOTE, **words)
        self.sent_quotes.append(record)
        return record

    def repeat_quote(self) -> bytes:
        """Return a message again."""
        return self.random.choice(self.sent_quotes[-5:]) if self.sent_quotes else self.quote()

    def reference(self) -> bytes:
        """Return another reference price."""
        price = self.random.choice((90, 100, 100, 100, 105, 0, 1 << 62))
        number = self.random.choice((*AGENCIES, *AGENCIES, 1, 4, 9))
        return pack(Command.SET_REFERENCE, instrument=number, price_ticks=price)

    def venue(self) -> bytes:
        """Return what a venue's worker says of an order, mostly what is next to be said."""
        random = self.random
        found = self.venue_orders()
        if not found or random.random() < 0.05:
            kind = random.choice((Command.VENUE_SENT, Command.VENUE_UNKNOWN, Command.VENUE_REPORT))
            return pack(kind, venue_order=random.randrange(-1, 12))
        words = random.choice(found)
        named = {"venue_order": words["venue_order"]}
        likely = {1: (90, 3, 7), 2: (4, 20, 76), 3: (4, 4, 92)}[words["status"]]
        (kind,) = random.choices(
            (Command.VENUE_SENT, Command.VENUE_UNKNOWN, Command.VENUE_REPORT), likely
        )
        if kind != Command.VENUE_REPORT:
            return pack(kind, **named)
        return pack(kind, **named, **self.report(words))

    def report(self, words: Words) -> Words:
        """Return a report: more than before, often all, now and then dust or an impossible one."""
        random = self.random
        body = self.bodies[words["instrument"]]
        fate = random.random()
        whole = words["quantity_lots"] * body.base_per_lot
        left = whole - words["filled_base"]
        base = random.choice((left, left, left, 0, random.randrange(left + 1) if left else 0))
        unit = words["limit_ticks"] * body.quote_per_lot_tick
        quote = base * unit // body.base_per_lot
        if words["side"] == Side.SELL:
            quote += random.randrange(3)
        elif fate < 0.5:
            quote = quote * random.randrange(90, 101) // 100
        if fate > 0.93:
            base += random.choice((1, -1, whole))
        elif fate > 0.9:
            quote += random.choice((1, 2, -5, 1 << 62))
        return {
            "filled_base": min(words["filled_base"] + base, 1 << 62),
            "filled_quote": min(words["filled_quote"] + quote, 1 << 62),
            "is_final": int(random.random() < 0.75),
            "by_query": int(random.random() < (0.85 if words["status"] == 3 else 0.2)),
        }

    def redefine(self) -> bytes:
        """Return a definition with other terms of these markets, or one of the books'."""
        random = self.random
        if random.random() < 0.5:
            return super().redefine()
        body = self.bodies[random.choice((DEALER, *AGENCIES))]
        changes: dict[str, object] = {"taker_fee_ppm": random.choice((0, 999, 33_333))}
        if body.market == 2:
            changes["inventory_lots_max"] = random.choice((0, 30, 150))
        else:
            changes["reference_ticks"] = random.choice((0, 95, 100, 100))
            changes["pool_min_notional"] = random.choice((0, 20_000, 30_000, 60_000))
            changes["pool_timeout_us"] = random.choice((0, MINUTE_US, 9 * MINUTE_US))
            changes["pool_flush"] = random.random() < 0.5
            changes["slippage_ppm"] = random.choice((0, 20_000, 50_000))
        fate = random.random()
        if fate < 0.1:
            wrong: dict[str, object] = {
                "stock_id": random.choice(("stock-1", "stock-2", "a\n")),
                "venue": "x" * 65,
                "reference_ticks": -1,
                "slippage_ppm": 1_000_000,
                "pool_timeout_us": 1 << 60,
                "inventory_lots_max": -1,
                "number": random.choice((1, 7)),
            }
            key = random.choice(list(wrong))
            return pack_body(
                Command.DEFINE_INSTRUMENT, msgspec.structs.replace(body, **{key: wrong[key]})
            )
        changes["status"] = InstrumentStatus.HALT if fate > 0.95 else InstrumentStatus.TRADING
        self.bodies[body.number] = changed = msgspec.structs.replace(body, **changes)
        return pack_body(Command.DEFINE_INSTRUMENT, changed)

    def spoiled_outside(self) -> bytes:
        """Return a command of these markets with a word replaced by an edge."""
        makers = (self.bounded, self.pooled, self.quote, self.venue, self.reference)
        record = bytearray(self.random.choice(makers)())
        place = self.random.randrange(3, len(record) // 8)
        struct.pack_into("<q", record, 8 * place, self.random.choice(EDGES))
        return bytes(record)
