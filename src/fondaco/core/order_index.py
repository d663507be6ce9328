"""Order number -> slot: a table that keeps eight neighbouring numbers in one cache line.

Promises: find, put and remove in a step or two at any size, and a removal moves nothing while
another of its eight is there. Orders are numbered in sequence, so the eight of a group are mostly
alive together; old orders alone among gone ones cost a line each, no more. At most half of the
groups are taken; a group that is taken out leaves no mark, those behind it move up.
"""

import cython

if not cython.compiled:
    from fondaco.core.constants import GOLDEN, MASK_64, ROW_GROUP
    from fondaco.core.rows import Group, fetch_group, group_at, row_bytes
    from fondaco.core.slab import Slab

GROUPS_FIRST = 64


class OrderIndex:
    """Numbers and their slots, both above 0; slot 0 is "not there"."""

    def __init__(self) -> None:
        """Make an empty table."""
        self.groups = Slab(ROW_GROUP, row_bytes(ROW_GROUP))
        self.count = 0
        self.taken = 0  # groups
        self.setup(GROUPS_FIRST)

    def setup(self, capacity: int) -> int:
        """Make `capacity` empty groups; a power of two."""
        self.groups.reset(capacity)
        self.taken = 0
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
        group = group_at(self.groups, self.place_of((number >> 3) + 1))
        return group.slots[number & 7]

    @cython.overflowcheck(False)
    def foresee(self, number: int) -> int:
        """Have the group of a number fetched into the cache; no more. Any number may be asked."""
        fetch_group(self.groups, self.home((number >> 3) + 1))
        return 0

    @cython.overflowcheck(False)
    def guess(self, number: int) -> int:
        """Return the slot of a number if its group is at home, or any slot: a look, no branch."""
        return group_at(self.groups, self.home((number >> 3) + 1)).slots[number & 7]

    def put(self, number: int, slot: int) -> int:
        """Set the slot of a number."""
        name = (number >> 3) + 1
        group = group_at(self.groups, self.place_of(name))
        if group.name == 0:
            if self.taken >= self.limit:
                with cython.gil:
                    self.widen()
                return self.put(number, slot)
            self.taken += 1
            group.name = name
        if group.slots[number & 7] == 0:
            group.count += 1
            self.count += 1
        group.slots[number & 7] = slot
        return 0

    def remove(self, number: int) -> int:
        """Take a number out; return its slot, or 0."""
        at = self.place_of((number >> 3) + 1)
        group = group_at(self.groups, at)
        slot = group.slots[number & 7]
        if slot:
            group.slots[number & 7] = 0
            group.count -= 1
            self.count -= 1
            if group.count == 0:
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
        group_at(self.groups, hole).name = 0
        self.taken -= 1
        return 0

    def move(self, source: Group, target: Group) -> int:
        """Write one group over another; the source is left with no number."""
        target.name = source.name
        target.count = source.count
        source.count = 0
        for place in range(8):
            target.slots[place] = source.slots[place]
            source.slots[place] = 0
        return 0

    def widen(self) -> int:
        """Double the table."""
        old = self.groups
        capacity = self.mask + 1
        self.groups = Slab(ROW_GROUP, row_bytes(ROW_GROUP))
        self.setup(2 * capacity)
        for at in range(capacity):
            group = group_at(old, at)
            if group.name:
                self.move(group, group_at(self.groups, self.place_of(group.name)))
                self.taken += 1
        return 0

    def clear(self) -> int:
        """Forget all numbers."""
        self.count = 0
        return self.setup(self.mask + 1)
