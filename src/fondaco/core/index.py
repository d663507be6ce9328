# cython: language_level=3, annotation_typing=False, infer_types=True, overflowcheck=True
"""Number -> slot: a Robin Hood table that keeps eight neighbouring numbers together.

Promises: find, put and remove in a few steps at any size. Keys are above 0, values too; 0 is "not
there". The home of a key is the hash of key >> 3 with its low three bits kept, so that orders that
were made together lie in one or two cache lines (identity hashing is faster on one young book and
degenerates when old orders stay alive among new ones).
"""

from __future__ import annotations

import cython

from fondaco.core.slab import Slab

if not cython.compiled:
    from fondaco.core.constants import ROW_CELL
    from fondaco.core.rows import cell_at, row_bytes

CELLS_FIRST = 64
GOLDEN = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: Fibonacci hashing
MASK_64 = 0xFFFFFFFFFFFFFFFF


class Index:
    """Keys and their values."""

    def __init__(self) -> None:
        """Make an empty table."""
        self.cells = Slab(ROW_CELL, row_bytes(ROW_CELL))
        self.count = 0
        self.setup(CELLS_FIRST)

    def setup(self, capacity: int) -> int:
        """Make `capacity` empty cells; a power of two."""
        self.cells.reset(capacity)
        self.mask = capacity - 1
        self.limit = capacity * 5 // 8
        self.shift = 67
        while capacity > 1:
            capacity >>= 1
            self.shift -= 1
        return 0

    @cython.overflowcheck(False)  # the product wraps: that is the hash
    def home(self, key: int) -> int:
        """Return the cell where a key belongs."""
        group = ((key >> 3) * GOLDEN & MASK_64) >> self.shift
        return (group << 3) | (key & 7)

    def find(self, key: int) -> int:
        """Return the value of a key, or 0."""
        at = self.home(key)
        distance = 0
        while True:
            cell = cell_at(self.cells, at)
            if cell.key == key:
                return cell.value
            if cell.key == 0 or (at - self.home(cell.key)) & self.mask < distance:
                return 0
            at = (at + 1) & self.mask
            distance += 1

    def put(self, key: int, value: int) -> int:
        """Set the value of a key."""
        at = self.home(key)
        distance = 0
        while True:
            cell = cell_at(self.cells, at)
            if cell.key == key:
                cell.value = value
                return 0
            if cell.key == 0 or (at - self.home(cell.key)) & self.mask < distance:
                break
            at = (at + 1) & self.mask
            distance += 1
        if self.count >= self.limit:
            with cython.gil:
                self.widen()
            return self.put(key, value)
        self.count += 1
        while True:
            cell = cell_at(self.cells, at)
            held_key = cell.key
            held_value = cell.value
            if held_key == 0:
                cell.key = key
                cell.value = value
                return 0
            held_distance = (at - self.home(held_key)) & self.mask
            if held_distance < distance:
                cell.key = key
                cell.value = value
                key = held_key
                value = held_value
                distance = held_distance
            at = (at + 1) & self.mask
            distance += 1

    def remove(self, key: int) -> int:
        """Take a key out; return its value, or 0."""
        at = self.home(key)
        distance = 0
        while True:
            cell = cell_at(self.cells, at)
            if cell.key == key:
                break
            if cell.key == 0 or (at - self.home(cell.key)) & self.mask < distance:
                return 0
            at = (at + 1) & self.mask
            distance += 1
        value = cell.value
        while True:  # draw those behind it one cell nearer to their homes
            following = (at + 1) & self.mask
            behind = cell_at(self.cells, following)
            if behind.key == 0 or self.home(behind.key) == following:
                break
            cell = cell_at(self.cells, at)
            cell.key = behind.key
            cell.value = behind.value
            at = following
        cell = cell_at(self.cells, at)
        cell.key = 0
        cell.value = 0
        self.count -= 1
        return value

    def widen(self) -> int:
        """Double the table."""
        old = self.cells
        capacity = self.mask + 1
        self.cells = Slab(ROW_CELL, row_bytes(ROW_CELL))
        self.count = 0
        self.setup(2 * capacity)
        for at in range(capacity):
            cell = cell_at(old, at)
            if cell.key:
                self.put(cell.key, cell.value)
        return 0

    def clear(self) -> int:
        """Forget all keys."""
        self.count = 0
        return self.setup(self.mask + 1)
