"""A mirror of one dealer or agency market: its quote, or its reference price and its pools.

Promises: loaded once from the core's answers and kept by its events; those that come while the
answers are on their way count if they are newer; a message told as older than the price never is
the price. Who has a part in a venue order that is under way is known here, too. Prices are ticks,
quantities lots.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fondaco.core.records import Event, VenueStatus, Verdict, split

__all__ = ["OUTSIDE_KINDS", "Outside", "Pool", "Quote"]

QUOTE: Final = int(Event.QUOTE)
REFERENCE: Final = int(Event.REFERENCE)
POOL: Final = int(Event.POOL)
VENUE_ORDER: Final = int(Event.VENUE_ORDER)
VENUE_PART: Final = int(Event.VENUE_PART)
OUTSIDE_KINDS: Final = frozenset({QUOTE, REFERENCE, POOL, VENUE_ORDER, VENUE_PART})
BODY: Final = 6  # the first word after the head and the instrument


class Quote(NamedTuple):
    """The newest message of a dealer market, as the event QUOTE tells it."""

    price_ticks: int
    availability_lots: int
    message_us: int
    verdict: int
    bought_lots: int
    sold_lots: int
    position_lots: int
    buys_wait: int
    sells_wait: int


class Pool(NamedTuple):
    """What waits on one side of an agency market, as the event POOL tells it."""

    side: int
    orders: int
    quantity_lots: int
    notional: int
    min_notional: int
    deadline_us: int


class Outside:
    """One market's mirror. `changed` until its stream has told."""

    __slots__ = (
        "_early",
        "changed",
        "loaded_seq",
        "parts",
        "pools",
        "quote",
        "reference_ticks",
    )

    def __init__(self) -> None:
        self.loaded_seq = -1  # nothing is loaded yet
        self._early: list[list[int]] = []
        self.changed = False
        self.quote: Quote | None = None
        self.reference_ticks = 0
        self.pools: dict[int, Pool] = {}  # by side; none is empty
        self.parts: dict[int, dict[int, int]] = {}  # venue order -> order -> account

    def load(self, seq: int, records: bytes) -> None:
        """Take the core's answers, none older than seq: QUOTES, or POOLS and VENUE_ORDERS."""
        for record in split(records):
            words = memoryview(record).cast("q").tolist()
            self._set(words[0] & 0xFFFF, words)
        self.loaded_seq = seq
        self.changed = True
        for words in self._early:
            self.take(words[0] & 0xFFFF, words)
        self._early.clear()

    def take(self, kind: int, words: list[int]) -> None:
        """Take one event of OUTSIDE_KINDS."""
        if self.loaded_seq < 0:
            self._early.append(words)
        elif words[1] > self.loaded_seq:
            self._set(kind, words)
            self.changed = True

    def _set(self, kind: int, words: list[int]) -> None:
        if kind == QUOTE:
            if words[BODY + 3] == Verdict.CURRENT:
                self.quote = Quote._make(words[BODY:])
        elif kind == REFERENCE:
            self.reference_ticks = words[BODY]
        elif kind == POOL:
            pool = Pool._make(words[BODY:])
            if pool.orders:
                self.pools[pool.side] = pool
            else:
                self.pools.pop(pool.side, None)
        elif kind == VENUE_PART:
            self.parts.setdefault(words[BODY], {})[words[BODY + 1]] = words[3]
        elif kind == VENUE_ORDER and words[BODY + 1] == VenueStatus.CONFIRMED:
            self.parts.pop(words[BODY], None)
