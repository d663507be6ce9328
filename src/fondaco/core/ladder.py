"""One side of a book: its price levels, sorted, in blocks of 64 behind a sorted index.

Promises: a level is found by two binary searches, never by a scan; the best is at hand; adding or
removing one moves at most a block and, when a block is born or dies, the index. Keys grow towards
the best: the price for bids, its negative for asks. Knows keys and slots of levels, nothing else.
"""

import cython

if not cython.compiled:
    from fondaco.core.buffer import Words
    from fondaco.core.constants import BLOCK_KEYS, HINTS, KEY_NONE, ROW_BLOCK
    from fondaco.core.rows import block_at, row_bytes
    from fondaco.core.slab import Slab


class Ladder:
    """Levels of one side. best_key is KEY_NONE and best_level 0 when it is empty."""

    hints: list[int]

    def __init__(self) -> None:
        """Make an empty side."""
        self.blocks = Slab(ROW_BLOCK, row_bytes(ROW_BLOCK))
        self.tops = Words()  # the largest key of each block
        self.slots = Words()  # the slot of each block
        if not cython.compiled:
            self.hints = [0] * HINTS  # by the low bits of the price: the level used last, or 0
        self.count = 0  # levels
        self.best_key = KEY_NONE
        self.best_level = 0
        self.at_block = 0
        self.at = 0

    @cython.overflowcheck(False)  # places in an array, bounded by its length
    def locate(self, key: int) -> int:
        """Return the level of a key, or 0; either way at_block and at are where it belongs.

        The halving is written so that it compiles without branches: which way it goes cannot be
        foretold.
        """
        blocks = self.tops.used
        if blocks == 0:
            self.at_block = 0
            self.at = 0
            return 0
        tops = self.tops.items
        low = 0
        while blocks > 1:
            half = blocks >> 1
            low += half if tops[low + half - 1] < key else 0
            blocks -= half
        block = block_at(self.blocks, self.slots.items[low])
        self.at_block = low
        low = 0
        count = block.count
        while count > 1:
            half = count >> 1
            low += half if block.keys[low + half - 1] < key else 0
            count -= half
        low += 1 if block.keys[low] < key else 0
        self.at = low
        if low < block.count and block.keys[low] == key:
            return block.levels[low]
        return 0

    @cython.overflowcheck(False)  # places in an array, bounded by its length
    def insert(self, key: int, level: int) -> int:
        """Add a level where the last locate() of its key ended."""
        if self.tops.used == 0:
            self.tops.add(key)
            self.slots.add(self.blocks.take())
        block = block_at(self.blocks, self.slots.items[self.at_block])
        if block.count == BLOCK_KEYS:
            self.split()
            block = block_at(self.blocks, self.slots.items[self.at_block])
        at = self.at
        for place in range(block.count, at, -1):
            block.keys[place] = block.keys[place - 1]
            block.levels[place] = block.levels[place - 1]
        block.keys[at] = key
        block.levels[at] = level
        block.count += 1
        self.tops.items[self.at_block] = block.keys[block.count - 1]
        self.count += 1
        if key > self.best_key:
            self.best_key = key
            self.best_level = level
        return 0

    def split(self) -> int:
        """Cut the full block at at_block in two and set at_block and at to match."""
        fresh = self.blocks.take()
        upper = block_at(self.blocks, fresh)
        lower = block_at(self.blocks, self.slots.items[self.at_block])
        half = BLOCK_KEYS // 2
        for place in range(half):
            upper.keys[place] = lower.keys[half + place]
            upper.levels[place] = lower.levels[half + place]
        upper.count = half
        lower.count = half
        self.tops.insert(self.at_block + 1, upper.keys[half - 1])
        self.slots.insert(self.at_block + 1, fresh)
        self.tops.items[self.at_block] = lower.keys[half - 1]
        if self.at > half:
            self.at -= half
            self.at_block += 1
        return 0

    @cython.overflowcheck(False)  # places in an array, bounded by its length
    def remove(self, key: int) -> int:
        """Take a level out; the key must be there."""
        if key == self.best_key:
            self.at_block = self.tops.used - 1
            self.at = block_at(self.blocks, self.slots.items[self.at_block]).count - 1
        elif self.locate(key) == 0:
            return self.breach(key)
        slot = self.slots.items[self.at_block]
        block = block_at(self.blocks, slot)
        block.count -= 1
        self.count -= 1
        for place in range(self.at, block.count):
            block.keys[place] = block.keys[place + 1]
            block.levels[place] = block.levels[place + 1]
        if block.count == 0:
            self.tops.delete(self.at_block)
            self.slots.delete(self.at_block)
            self.blocks.give(slot)
        else:
            self.tops.items[self.at_block] = block.keys[block.count - 1]
        if key == self.best_key:
            self.find_best()
        return 0

    def find_best(self) -> int:
        """Set the best after a change at the end."""
        blocks = self.tops.used
        if blocks == 0:
            self.best_key = KEY_NONE
            self.best_level = 0
            return 0
        block = block_at(self.blocks, self.slots.items[blocks - 1])
        self.best_key = block.keys[block.count - 1]
        self.best_level = block.levels[block.count - 1]
        return 0

    def first(self) -> int:
        """Begin a walk from the best: return its level, or 0. No change may come between."""
        self.at_block = self.tops.used
        self.at = 0
        return self.next()

    def next(self) -> int:
        """Return the next level of the walk, away from the best, or 0."""
        if self.at == 0:
            if self.at_block == 0:
                return 0
            self.at_block -= 1
            self.at = block_at(self.blocks, self.slots.items[self.at_block]).count
        self.at -= 1
        return block_at(self.blocks, self.slots.items[self.at_block]).levels[self.at]

    def breach(self, key: int) -> int:
        """Halt: the book and its ladder disagree."""
        with cython.gil:
            msg = f"no level with key {key} in the ladder"
            raise AssertionError(msg)
