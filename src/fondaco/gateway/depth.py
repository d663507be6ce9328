"""A mirror of one instrument's open quantities by price, kept by the core's LEVEL events.

Promises: its sequence is the book's own (`book_seq`), so a REST snapshot and the difference stream
fit together; a gap in the sequence is noticed and makes the mirror unloaded until it is loaded
anew. Prices are ticks, quantities lots. It holds no orders and knows no accounts.
"""

from __future__ import annotations

import heapq
from typing import Final

from fondaco.core.records import Event, Query, Side, split, unpack

__all__ = ["Depth", "Differences"]

BUY: Final = int(Side.BUY)
HEAP_SLACK: Final = 64  # prices of levels that are gone, before the heap is made anew


class Differences:
    """The levels that changed since they were last taken, for one speed of the depth stream."""

    __slots__ = ("asks", "bids", "taken_seq")

    def __init__(self, taken_seq: int) -> None:
        self.taken_seq = taken_seq  # the stream's next U is one more
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}


class Depth:
    __slots__ = ("_ask_heap", "_bid_heap", "asks", "bids", "book_seq", "differences", "loaded")

    def __init__(self) -> None:
        self.loaded = False
        self.book_seq = 0
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self._bid_heap: list[int] = []  # negative prices: the best is the least
        self._ask_heap: list[int] = []
        self.differences: list[Differences] = []

    def load(self, records: bytes) -> None:
        """Take the answer to a DEPTH query of all levels."""
        self.bids.clear()
        self.asks.clear()
        for record in split(records):
            words = unpack(record)
            if words["kind"] == Query.BOOK_ANSWER:
                self.book_seq = words["book_seq"]
            elif words["kind"] == Event.LEVEL:
                side = self.bids if words["side"] == BUY else self.asks
                side[words["price_ticks"]] = words["quantity_lots"]
        self._bid_heap = [-price for price in self.bids]
        self._ask_heap = list(self.asks)
        heapq.heapify(self._bid_heap)
        heapq.heapify(self._ask_heap)
        for differences in self.differences:
            differences.bids.clear()
            differences.asks.clear()
            differences.taken_seq = self.book_seq
        self.loaded = True

    def apply(self, side: int, price: int, lots: int, book_seq: int) -> None:
        """Take one LEVEL event; older ones than what was loaded change nothing."""
        if book_seq <= self.book_seq or not self.loaded:
            return
        if book_seq != self.book_seq + 1:
            self.loaded = False
            return
        self.book_seq = book_seq
        if side == BUY:
            levels, heap, key = self.bids, self._bid_heap, -price
        else:
            levels, heap, key = self.asks, self._ask_heap, price
        if lots:
            if price not in levels:
                heapq.heappush(heap, key)
            levels[price] = lots
        else:
            levels.pop(price, None)
            if len(heap) > 2 * len(levels) + HEAP_SLACK:
                heap[:] = [-each for each in levels] if side == BUY else list(levels)
                heapq.heapify(heap)
        for differences in self.differences:
            (differences.bids if side == BUY else differences.asks)[price] = lots

    def best_bid(self) -> tuple[int, int]:
        """Return (price, quantity) of the best bid, (0, 0) if there is none."""
        heap, levels = self._bid_heap, self.bids
        while heap:
            lots = levels.get(-heap[0])
            if lots is not None:
                return -heap[0], lots
            heapq.heappop(heap)
        return 0, 0

    def best_ask(self) -> tuple[int, int]:
        """Return (price, quantity) of the best ask, (0, 0) if there is none."""
        heap, levels = self._ask_heap, self.asks
        while heap:
            lots = levels.get(heap[0])
            if lots is not None:
                return heap[0], lots
            heapq.heappop(heap)
        return 0, 0

    def top(self, limit: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return the best `limit` bids and asks as (price, quantity), best first."""
        bids = heapq.nlargest(limit, self.bids.items())
        asks = heapq.nsmallest(limit, self.asks.items())
        return bids, asks
