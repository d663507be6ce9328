"""Order number -> slot: pages of 128 neighbouring numbers, and a small table that finds a page.

Promises: find, put and remove in a step or two at any size. Orders are numbered in sequence, so
the numbers of a page are mostly alive together, and the table of pages is so small that it stays
in the cache: a look-up costs one line of memory. A page that no open order needs is given back; an
old order alone among gone ones costs its page, 512 bytes. At most half of the table's places
are taken; a page that is taken out leaves no mark, those behind it move up.
"""

import cython

if not cython.compiled:
    from fondaco.core.constants import GOLDEN, MASK_64, PAGE_BITS, PAGE_MASK, ROW_GROUP, ROW_PAGE
    from fondaco.core.rows import Group, fetch_page, group_at, page_at, row_bytes
    from fondaco.core.slab import Slab

GROUPS_FIRST = 64


class OrderIndex:
    """Numbers and their slots, both above 0; slot 0 is "not there"."""

    def __init__(self) -> None:
        """Make an empty table."""
        self.groups = Slab(ROW_GROUP, row_bytes(ROW_GROUP))
        self.pages = Slab(ROW_PAGE, row_bytes(ROW_PAGE))  # page 0 has no slots
        self.count = 0
        self.setup(GROUPS_FIRST)

    def setup(self, capacity: int) -> int:
        """Make `capacity` empty groups; a power of two."""
        self.groups.reset(capacity)
        self.mask = capacity - 1
        self.limit = capacity // 2
        self.shift = 64
        while capacity > 1:
            capacity >>= 1
            self.shift -= 1
        return 0

    @cython.overflowcheck(False)  # the product wraps: that is the hash
    def home(self, name: int) -> int:
        """Return the place where the group of this name belongs."""
        return (name * GOLDEN & MASK_64) >> self.shift

    @cython.overflowcheck(False)  # places in an array, by its mask
    def place_of(self, name: int) -> int:
        """Return the place of a group, or the free one where it would stand."""
        at = self.home(name)
        while True:
            group = group_at(self.groups, at)
            if group.name == name or group.name == 0:
                return at
            at = (at + 1) & self.mask

    def find(self, number: int) -> int:
        """Return the slot of a number, or 0."""
        group = group_at(self.groups, self.place_of((number >> PAGE_BITS) + 1))
        return page_at(self.pages, group.page).slots[number & PAGE_MASK]

    @cython.overflowcheck(False)
    def foresee(self, number: int) -> int:
        """Have the line of a number fetched into the cache; no more. Any number may be asked."""
        group = group_at(self.groups, self.home((number >> PAGE_BITS) + 1))
        fetch_page(self.pages, group.page, number & PAGE_MASK)
        return 0

    @cython.overflowcheck(False)
    def guess(self, number: int) -> int:
        """Return the slot of a number if its group is at home, or any slot: a look, no branch."""
        group = group_at(self.groups, self.home((number >> PAGE_BITS) + 1))
        return page_at(self.pages, group.page).slots[number & PAGE_MASK]

    def put(self, number: int, slot: int) -> int:
        """Set the slot of a number that is not there."""
        name = (number >> PAGE_BITS) + 1
        group = group_at(self.groups, self.place_of(name))
        if group.name == 0:
            if self.pages.live >= self.limit:
                self.widen()
                return self.put(number, slot)
            group.name = name
            group.page = self.pages.take()
        group.count += 1
        self.count += 1
        page_at(self.pages, group.page).slots[number & PAGE_MASK] = slot
        return 0

    def remove(self, number: int) -> int:
        """Take a number out; return its slot, or 0."""
        at = self.place_of((number >> PAGE_BITS) + 1)
        group = group_at(self.groups, at)
        page = page_at(self.pages, group.page)
        slot = page.slots[number & PAGE_MASK]
        if slot:
            page.slots[number & PAGE_MASK] = 0
            group.count -= 1
            self.count -= 1
            if group.count == 0:
                self.pages.give(group.page)
                self.close_up(at)
        return slot

    @cython.overflowcheck(False)
    def close_up(self, hole: int) -> int:
        """Free an empty group's place: move those behind it that may stand there."""
        at = hole
        while True:
            at = (at + 1) & self.mask
            behind = group_at(self.groups, at)
            if behind.name == 0:
                break
            if (at - self.home(behind.name)) & self.mask >= (at - hole) & self.mask:
                self.move(behind, group_at(self.groups, hole))
                hole = at
        group = group_at(self.groups, hole)
        group.name = 0
        group.page = 0
        return 0

    def move(self, source: Group, target: Group) -> int:
        """Write one group over another."""
        target.name = source.name
        target.page = source.page
        target.count = source.count
        return 0

    def widen(self) -> int:
        """Double the table; the pages stay where they are."""
        old = self.groups
        capacity = self.mask + 1
        self.groups = Slab(ROW_GROUP, row_bytes(ROW_GROUP))
        self.setup(2 * capacity)
        for at in range(capacity):
            group = group_at(old, at)
            if group.name:
                self.move(group, group_at(self.groups, self.place_of(group.name)))
        return 0

    def reserve(self, numbers: int) -> int:
        """Have memory at hand for this many numbers in a row."""
        return self.pages.reserve(numbers >> PAGE_BITS)

    def clear(self) -> int:
        """Forget all numbers."""
        self.count = 0
        self.pages.clear()
        return self.setup(self.mask + 1)
