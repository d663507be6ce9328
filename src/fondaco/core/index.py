"""Number -> slot: an open table that keeps eight neighbouring numbers together.

Promises: find, put and remove in a few steps at any size. Keys are above 0, values too; 0 is "not
there". The home of a key is the hash of key >> 3 with its low three bits kept, so that orders that
were made together lie in one or two cache lines (identity hashing is faster on one young book and
degenerates when old orders stay alive among new ones). At most half of the cells are taken; a key
that is taken out leaves no mark, those behind it move up.
"""

import cython

if not cython.compiled:
    from fondaco.core.constants import GOLDEN, MASK_64, ROW_CELL
    from fondaco.core.rows import cell_at, row_bytes
    from fondaco.core.slab import Slab

CELLS_FIRST = 64


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
        self.limit = capacity // 2
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

    @cython.overflowcheck(False)  # places in an array, by its mask
    def find(self, key: int) -> int:
        """Return the value of a key, or 0."""
        at = self.home(key)
        while True:
            cell = cell_at(self.cells, at)
            if cell.key == key:
                return cell.value
            if cell.key == 0:
                return 0
            at = (at + 1) & self.mask

    @cython.overflowcheck(False)
    def put(self, key: int, value: int) -> int:
        """Set the value of a key."""
        at = self.home(key)
        while True:
            cell = cell_at(self.cells, at)
            if cell.key == key:
                cell.value = value
                return 0
            if cell.key == 0:
                break
            at = (at + 1) & self.mask
        if self.count >= self.limit:
            self.widen()
            return self.put(key, value)
        self.count += 1
        cell.key = key
        cell.value = value
        return 0

    @cython.overflowcheck(False)
    def remove(self, key: int) -> int:
        """Take a key out; return its value, or 0."""
        hole = self.home(key)
        while True:
            cell = cell_at(self.cells, hole)
            if cell.key == key:
                break
            if cell.key == 0:
                return 0
            hole = (hole + 1) & self.mask
        value = cell.value
        at = hole
        while True:  # move those behind it that may stand in its place
            at = (at + 1) & self.mask
            behind = cell_at(self.cells, at)
            if behind.key == 0:
                break
            if (at - self.home(behind.key)) & self.mask >= (at - hole) & self.mask:
                cell = cell_at(self.cells, hole)
                cell.key = behind.key
                cell.value = behind.value
                hole = at
        cell = cell_at(self.cells, hole)
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
