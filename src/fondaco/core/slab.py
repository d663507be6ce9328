"""An array of rows of one kind, with a list of the free ones.

Promises: a slot stays the same row for as long as it is taken; a taken row is all zeros; slot 0 is
never given. Slots are given last-in-first-out, so the same commands give the same slots. Growing
moves the rows: no pointer to a row may be kept across take().
"""

from typing import Any

import cython

if cython.compiled:
    from cython.cimports.libc.string import memset
else:
    from fondaco.core.constants import ROW_ORDER, ROW_PAGE, SLOTS_MAX

    fondaco_grow: Any = None  # slab.pxd has both
    fondaco_release: Any = None

ROWS_FIRST = 64


class Slab:
    """Rows of one kind; see rows.py for the kinds."""

    rows: list[Any]
    memory: Any

    def __init__(self, kind: int, row_bytes: int) -> None:
        """Make an empty slab for rows of this kind and size."""
        self.kind = kind
        self.row_bytes = row_bytes
        self.huge = 1 if kind == ROW_ORDER or kind == ROW_PAGE else 0
        self.capacity = 0
        self.used = 1
        self.free_slot = 0
        self.live = 0
        if not cython.compiled:
            from fondaco.core.rows import ROW_CLASSES

            self.row_class = ROW_CLASSES[kind]
            self.rows = []
            self.links: dict[int, int] = {}
        self.grow(ROWS_FIRST)
        if cython.compiled:
            memset(self.memory, 0, row_bytes)  # slot 0 may be looked at: it is no row's

    def __dealloc__(self) -> None:
        """Free the rows."""
        if cython.compiled:
            fondaco_release(self.memory, self.capacity * self.row_bytes)

    def grow(self, capacity: int) -> int:
        """Make room for `capacity` rows."""
        if capacity > SLOTS_MAX:
            return self.refuse()
        if cython.compiled:
            held = self.capacity * self.row_bytes
            memory = fondaco_grow(self.memory, held, capacity * self.row_bytes, self.huge)
            if memory == cython.NULL:
                return self.refuse()
            self.memory = memory
        else:
            self.rows.extend(self.row_class() for _ in range(capacity - len(self.rows)))
        self.capacity = capacity
        return 0

    def reserve(self, rows: int) -> int:
        """Have room for this many rows, and their memory at hand: a first touch is dear."""
        before = self.capacity
        if rows > before:
            self.grow(rows)
            if cython.compiled:
                memset(self.memory + before * self.row_bytes, 0, (rows - before) * self.row_bytes)
        return 0

    def refuse(self) -> int:
        """Halt: there is no memory, or a table passed its stated bound."""
        with cython.gil:
            msg = f"a table of the core cannot grow past {self.capacity} rows (kind {self.kind})"
            raise MemoryError(msg)

    def take(self) -> int:
        """Return the slot of a fresh row of zeros."""
        slot = self.take_raw()
        if cython.compiled:
            memset(self.memory + slot * self.row_bytes, 0, self.row_bytes)
        return slot

    def take_raw(self) -> int:
        """Return the slot of a row whose content is undefined: the taker sets every field."""
        slot = self.free_slot
        if slot == 0:
            slot = self.used
            if slot == self.capacity:
                self.grow(2 * slot)
            self.used = slot + 1
        elif cython.compiled:
            self.free_slot = cython.cast("int64_t *", self.memory + slot * self.row_bytes)[0]
        else:
            self.free_slot = self.links.pop(slot)
        if not cython.compiled:
            self.rows[slot] = self.row_class()
        self.live += 1
        return slot

    def give(self, slot: int) -> int:
        """Take a row back."""
        if cython.compiled:
            cython.cast("int64_t *", self.memory + slot * self.row_bytes)[0] = self.free_slot
        else:
            self.links[slot] = self.free_slot
        self.free_slot = slot
        self.live -= 1
        return 0

    def clear(self) -> int:
        """Take all rows back and forget their order; the memory stays."""
        self.used = 1
        self.free_slot = 0
        self.live = 0
        if not cython.compiled:
            self.links.clear()
        return 0

    def reset(self, rows: int) -> int:
        """Make exactly `rows` rows of zeros, all taken, slots 0 to rows - 1."""
        if rows > self.capacity:
            self.grow(rows)
        if cython.compiled:
            memset(self.memory, 0, rows * self.row_bytes)
        else:
            self.rows[:rows] = [self.row_class() for _ in range(rows)]
            self.links.clear()
        self.used = rows
        self.free_slot = 0
        self.live = rows
        return 0
