"""Fingerprint of a client order id -> position of its newest entry in the ring of retries.

Promises: find, put and remove in a step or two at any size, of eight bytes a cell: a part of the
fingerprint and a part of the position. So two fingerprints may look alike here: the ring, which has
them whole, tells them apart. At most half of the cells are taken; one that is taken out leaves no
mark, those behind it move up.
"""

import cython

if not cython.compiled:
    from fondaco.core.constants import MASK_31, ROW_PRINT
    from fondaco.core.rows import Print, fetch_print, print_at, row_bytes
    from fondaco.core.slab import Slab

PRINTS_FIRST = 64


class Prints:
    """Fingerprints and positions, both above 0; the positions kept lie within 2**31."""

    def __init__(self) -> None:
        """Make an empty table."""
        self.cells = Slab(ROW_PRINT, row_bytes(ROW_PRINT))
        self.count = 0
        self.setup(PRINTS_FIRST)

    def setup(self, capacity: int) -> int:
        """Make `capacity` empty cells; a power of two."""
        self.cells.reset(capacity)
        self.mask = capacity - 1
        self.limit = capacity // 2
        self.shift = 31
        while capacity > 1:
            capacity >>= 1
            self.shift -= 1
        return 0

    @cython.overflowcheck(False)  # places in an array, by its mask
    def cell_of(self, tag: int) -> Print:
        """Return the cell of a tag, or the free one where it would stand."""
        at = tag >> self.shift
        while True:
            cell = print_at(self.cells, at)
            if cell.tag == tag or cell.tag == 0:
                return cell
            at = (at + 1) & self.mask

    def find(self, print_0: int, last: int) -> int:
        """Return the newest position of those that look like this one, or 0; none is past last."""
        cell = self.cell_of(print_0 & MASK_31 | 1)
        if cell.tag == 0:
            return 0
        return last - (last - cell.position & MASK_31)

    @cython.overflowcheck(False)  # a place in an array
    def foresee(self, print_0: int) -> int:
        """Have the cell of a fingerprint fetched into the cache; no more."""
        fetch_print(self.cells, (print_0 & MASK_31) >> self.shift)
        return 0

    def put(self, print_0: int, position: int) -> int:
        """Set the newest position; return the one that it follows, or 0."""
        tag = print_0 & MASK_31 | 1
        cell = self.cell_of(tag)
        before = 0
        if cell.tag:
            before = position - (position - cell.position & MASK_31)
        elif self.count >= self.limit:
            self.widen(2 * (self.mask + 1))
            return self.put(print_0, position)
        else:
            self.count += 1
            cell.tag = tag
        cell.position = position & MASK_31
        return before

    def turn_back(self, print_0: int, position: int) -> int:
        """Set the newest position to an older one; there must be one."""
        self.cell_of(print_0 & MASK_31 | 1).position = position & MASK_31
        return 0

    @cython.overflowcheck(False)
    def remove(self, print_0: int) -> int:
        """Take a fingerprint out, if it is there: move those behind it that may stand there."""
        tag = print_0 & MASK_31 | 1
        hole = tag >> self.shift
        while print_at(self.cells, hole).tag != tag:
            if print_at(self.cells, hole).tag == 0:
                return 0
            hole = (hole + 1) & self.mask
        at = hole
        while True:
            at = (at + 1) & self.mask
            behind = print_at(self.cells, at)
            if behind.tag == 0:
                break
            if (at - (behind.tag >> self.shift)) & self.mask >= (at - hole) & self.mask:
                cell = print_at(self.cells, hole)
                cell.tag = behind.tag
                cell.position = behind.position
                hole = at
        cell = print_at(self.cells, hole)
        cell.tag = 0
        cell.position = 0
        self.count -= 1
        return 0

    def widen(self, capacity: int) -> int:
        """Make the table larger; `capacity` is a power of two."""
        old = self.cells
        cells = self.mask + 1
        self.cells = Slab(ROW_PRINT, row_bytes(ROW_PRINT))
        self.setup(capacity)
        for at in range(cells):
            source = print_at(old, at)
            if source.tag:
                target = self.cell_of(source.tag)
                target.tag = source.tag
                target.position = source.position
        return 0

    def reserve(self, count: int) -> int:
        """Have memory at hand for this many fingerprints."""
        capacity = self.mask + 1
        while capacity // 2 < count:
            capacity *= 2
        if capacity > self.mask + 1:
            self.widen(capacity)
        return 0

    def clear(self) -> int:
        """Forget all fingerprints."""
        self.count = 0
        return self.setup(self.mask + 1)
