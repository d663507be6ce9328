"""Which waiting orders a price meets, oldest first: an index of orders by their two bounds.

Promises: a price that no order wants costs a look at no more than 63 places, however many orders
wait; one that some want costs as much again for each order that is taken. An order lies under
the few blocks of prices that make up its range (blocks of 1, 2, 4 … ticks, at most two of a size);
a price lies in one block of each size, and there the oldest orders stand first.

It knows numbers only. Orders are added in the order of their numbers. Plain Python: the compiled
core uses it as it is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

__all__ = ["Bounds"]

SIZES_MAX: Final = 63  # blocks of 2**0 to 2**62 ticks: no price is above 2**62


class Bounds:
    """Orders by their bounds: number -> slot."""

    def __init__(self) -> None:
        """Make an empty index."""
        self.slots: OrderedDict[int, int] = OrderedDict()  # of all orders, oldest first
        self._ranges: dict[int, tuple[int, int]] = {}
        # For each size of block: number of the block -> numbers of its orders, oldest first.
        self._blocks: list[dict[int, OrderedDict[int, None]]] = [{} for _ in range(SIZES_MAX)]
        self._sizes: list[int] = []  # those with any block

    def add(self, number: int, slot: int, lower: int, upper: int) -> None:
        """Add an order that is younger than all before it."""
        self.slots[number] = slot
        self._ranges[number] = (lower, upper)
        for size, block in _blocks_of(lower, upper):
            at_size = self._blocks[size]
            if not at_size:
                self._sizes.append(size)
            at_size.setdefault(block, OrderedDict())[number] = None

    def remove(self, number: int) -> None:
        """Take an order out."""
        del self.slots[number]
        for size, block in _blocks_of(*self._ranges.pop(number)):
            at_size = self._blocks[size]
            orders = at_size[block]
            del orders[number]
            if not orders:
                del at_size[block]
                if not at_size:
                    self._sizes.remove(size)

    def oldest(self, price: int) -> int:
        """Return the number of the oldest order that the price meets, or 0."""
        found = 0
        for size in self._sizes:
            orders = self._blocks[size].get(price >> size)
            if orders:
                first = next(iter(orders))
                if found == 0 or first < found:
                    found = first
        return found

    def sizes(self) -> int:
        """Return at how many places a price is looked for."""
        return len(self._sizes)

    def places(self) -> int:
        """Return how many entries there are, of all orders together."""
        return sum(len(orders) for at_size in self._blocks for orders in at_size.values())


def _blocks_of(lower: int, upper: int) -> Iterator[tuple[int, int]]:
    """Yield the fewest blocks, as size and number, that make up the range, both ends in it."""
    first, end, size = lower, upper + 1, 0
    while first < end:
        if first & 1:
            yield size, first
            first += 1
        if end & 1:
            end -= 1
            yield size, end
        first >>= 1
        end >>= 1
        size += 1
