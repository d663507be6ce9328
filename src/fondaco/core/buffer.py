"""A growing run of 64-bit words: the event buffer, the dump, the ladder's index.

Promises: `items` is a C array in the compiled core and a list here; extend() gives the place of
fresh words, whose content is undefined. Growing moves the words: keep places, not pointers. The
compiled words lie inside a bytes object from the start, so that many go out without a copy.
"""

import struct
from typing import Any

import cython

if cython.compiled:
    from cython.cimports.cpython.bytes import PyBytes_FromStringAndSize
    from cython.cimports.libc.string import memcpy, memmove
else:
    fondaco_free_words: Any = None  # buffer.pxd has them
    fondaco_grow_words: Any = None
    fondaco_take_words: Any = None

WORDS_FIRST = 512
COPIED_MAX = 4096  # words: a copy of no more is cheaper than fresh memory for the next


class Words:
    """Words in a row."""

    items: list[int]

    def __init__(self) -> None:
        """Make an empty run."""
        self.used = 0
        self.capacity = 0
        self.likely = 0  # how many the next run may need
        if not cython.compiled:
            self.items = []
        self.grow(WORDS_FIRST)

    def __dealloc__(self) -> None:
        """Free the words."""
        if cython.compiled:
            fondaco_free_words(self.items)

    def grow(self, capacity: int) -> int:
        """Make room for `capacity` words."""
        if cython.compiled:
            with cython.gil:
                self.items = fondaco_grow_words(self.items, capacity * 8)
            if self.items == cython.NULL:
                return self.refuse(capacity)
        else:
            self.items.extend([0] * (capacity - len(self.items)))
        self.capacity = capacity
        return 0

    def refuse(self, capacity: int) -> int:
        """Halt: there is no memory, and the old words are gone."""
        self.capacity = 0
        with cython.gil:
            msg = f"no memory for {capacity} words"
            raise MemoryError(msg)

    @cython.overflowcheck(False)  # places in memory
    def extend(self, count: int) -> int:
        """Add `count` words and return the place of the first."""
        at = self.used
        self.used = at + count
        if self.used > self.capacity:
            self.make_room()
        return at

    def make_room(self) -> int:
        """Make room for the words that were added."""
        return self.grow(max(2 * self.used, self.likely))

    def add(self, word: int) -> int:
        """Add one word."""
        at = self.extend(1)
        self.items[at] = word
        return 0

    def get(self, at: int) -> int:
        """Return the word at place `at`, from Python."""
        if at < 0 or at >= self.used:
            raise IndexError(f"no word {at} of {self.used}")
        return self.items[at]

    def insert(self, at: int, word: int) -> int:
        """Put a word before place `at`."""
        self.extend(1)
        if cython.compiled:
            source = cython.address(self.items[at])
            memmove(cython.address(self.items[at + 1]), source, (self.used - 1 - at) * 8)
        else:
            self.items[at + 1 : self.used] = self.items[at : self.used - 1]
        self.items[at] = word
        return 0

    def delete(self, at: int) -> int:
        """Take the word at place `at` out."""
        if cython.compiled:
            source = cython.address(self.items[at + 1])
            memmove(cython.address(self.items[at]), source, (self.used - 1 - at) * 8)
        else:
            self.items[at : self.used - 1] = self.items[at + 1 : self.used]
        self.used -= 1
        return 0

    def to_bytes(self) -> bytes:
        """Return the words as little-endian bytes."""
        data: bytes
        if cython.compiled:
            data = PyBytes_FromStringAndSize(cython.cast("char *", self.items), self.used * 8)
        else:
            data = struct.pack(f"<{self.used}q", *self.items[: self.used])
        return data

    def take_bytes(self) -> bytes:
        """Return the words as little-endian bytes and begin an empty run."""
        data: bytes
        if not cython.compiled or self.used <= COPIED_MAX:
            data = self.to_bytes()
        else:
            data = fondaco_take_words(self.items, self.used * 8)
            self.items = cython.NULL
            self.capacity = 0
            self.likely = self.used + (self.used >> 3)
        self.used = 0
        return data

    def from_bytes(self, data: bytes) -> int:
        """Replace the words by those of `data`, a whole number of words."""
        count = len(data) >> 3
        self.used = 0
        self.extend(count)
        if cython.compiled:
            memcpy(self.items, cython.cast("const char *", data), count * 8)
        else:
            self.items[:count] = struct.unpack(f"<{count}q", data)
        return 0
