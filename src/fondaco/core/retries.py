"""Client order ids of accepted orders, and the ids of money commands.

Promises: (account, client order id) of an accepted order is found while the order is open and for
24 hours after its acceptance, by the time of commands; the ids of money commands are found for
ever. A client order id is kept as a 128-bit fingerprint with its account beside it, so that no
account can make one that meets another's. Entries stand in a ring in order of acceptance: each
acceptance drops a few that have run out, so there is no moment at which many are dropped, and at
most RETRIES_MAX are kept. Knows orders only by the number that the ring's owner asks about.
"""

import cython

if not cython.compiled:
    from fondaco.core.buffer import Words
    from fondaco.core.constants import (
        DAY_US,
        MASK_62,
        MASK_64,
        MIX_0,
        MIX_1,
        PRIME_0,
        PRIME_1,
        PRIME_2,
        PRIME_3,
        RETRIES_MAX,
        ROW_ENTRY,
        ROW_RETRY,
        SWEEP,
    )
    from fondaco.core.index import Index
    from fondaco.core.order_index import OrderIndex
    from fondaco.core.prints import Prints
    from fondaco.core.rows import Retry, entry_at, retry_at, row_bytes
    from fondaco.core.slab import Slab

RING_FIRST = 64
REUSES_MAX = 32  # orders of one client order id that are remembered: a look-up walks past them


class Retries:
    """The ring of client order ids. Positions count up from 1 and are never used again."""

    def __init__(self, open_orders: OrderIndex, open_lists: Index) -> None:
        """Make an empty ring; the two find an open order, and an open list, by its number."""
        self.open_orders = open_orders
        self.open_lists = open_lists
        self.ring = Slab(ROW_RETRY, row_bytes(ROW_RETRY))
        self.prints = Prints()  # print_0 -> position of the newest entry that looks like it
        self.entries = Slab(ROW_ENTRY, row_bytes(ROW_ENTRY))
        self.entry_index = Index()
        self.head = 1  # position of the oldest
        self.tail = 1  # position of the next
        self.live = 0  # entries between them that are not dropped
        self.print_0 = 0  # of the client order id that was asked about last
        self.print_1 = 0
        self.ring.reset(RING_FIRST)
        self.mask = RING_FIRST - 1

    @cython.overflowcheck(False)  # the products wrap: that is the hash
    def mix(self, state: int) -> int:
        """Return `state` with its bits mixed, as SplitMix64 does it."""
        state = (state ^ (state >> 30)) * MIX_0 & MASK_64
        state = (state ^ (state >> 27)) * MIX_1 & MASK_64
        return state ^ (state >> 31)

    @cython.overflowcheck(False)
    def weigh(self, word_0: int, word_1: int, word_2: int, word_3: int) -> int:
        """Return the weighted sum of four words, for mix()."""
        return (
            (word_0 & MASK_64) * PRIME_0
            + (word_1 & MASK_64) * PRIME_1
            + (word_2 & MASK_64) * PRIME_2
            + (word_3 & MASK_64) * PRIME_3
        ) & MASK_64

    def print_of(self, word_0: int, word_1: int, word_2: int, word_3: int) -> int:
        """Return the half of the fingerprint by which a client order id is found."""
        return (self.mix(self.weigh(word_0, word_1, word_2, word_3)) & MASK_62) + 1

    def find(self, account: int, word_0: int, word_1: int, word_2: int, word_3: int) -> int:
        """Return the position of a client order id's entry, or 0; remember its fingerprint."""
        self.print_0 = self.print_of(word_0, word_1, word_2, word_3)
        self.print_1 = self.mix(self.weigh(word_1, word_2, word_3, word_0)) & MASK_62
        position = self.prints.find(self.print_0, self.tail)
        while position:
            row = retry_at(self.ring, position & self.mask)
            if row.account == account and self.same(row, self.print_0, self.print_1):
                return position
            position = row.chain
        return 0

    def same(self, row: Retry, print_0: int, print_1: int) -> int:
        """Return 1 if an entry has this fingerprint."""
        return row.print_0 == print_0 and row.print_1 == print_1

    def digest_order(self, kinds: int, price: int, lots: int, quote: int) -> int:
        """Return a digest of an order's parameters."""
        return self.mix(self.weigh(kinds, price, lots, quote)) & MASK_62

    def seq(self, position: int) -> int:
        """Return the seq of an entry: the order's number."""
        return retry_at(self.ring, position & self.mask).seq

    def digest(self, position: int) -> int:
        """Return the digest of the parameters of an entry."""
        return retry_at(self.ring, position & self.mask).digest

    def current(self, position: int, time_us: int) -> int:
        """Return 1 if less than 24 hours have passed since an entry was accepted."""
        return time_us - retry_at(self.ring, position & self.mask).accepted_us < DAY_US

    def room(self, time_us: int) -> int:
        """Return 1 if another entry fits, perhaps in place of the oldest, which has run out."""
        if self.live < RETRIES_MAX:
            return 1
        return not self.current(self.head, time_us)

    def find_equal(self, position: int, digest: int, time_us: int) -> int:
        """Return the entry of the same id, from this one on, of an equal order of today, or 0."""
        row = retry_at(self.ring, position & self.mask)
        account = row.account
        print_0 = row.print_0
        print_1 = row.print_1
        while position:
            row = retry_at(self.ring, position & self.mask)
            if row.account == account and self.same(row, print_0, print_1):
                if row.digest == digest and time_us - row.accepted_us < DAY_US:
                    return position
            position = row.chain
        return 0

    def add(self, account: int, seq: int, digest: int, time_us: int, newest: int) -> int:
        """Add the client order id that find() was asked about last; `newest` is what it gave."""
        if newest:
            self.limit_reuses(newest)
        self.append(account, self.print_0, self.print_1, seq, digest, time_us)
        row = retry_at(self.ring, self.head & self.mask)
        if row.account and time_us - row.accepted_us < DAY_US:
            return 0  # the oldest still counts
        return self.sweep(time_us)

    def limit_reuses(self, position: int) -> int:
        """Drop the oldest entry of an id that has REUSES_MAX of them."""
        row = retry_at(self.ring, position & self.mask)
        account = row.account
        print_0 = row.print_0
        print_1 = row.print_1
        count = 0
        oldest = 0
        while position:
            row = retry_at(self.ring, position & self.mask)
            if row.account == account and self.same(row, print_0, print_1):
                count += 1
                oldest = position
            position = row.chain
        if count >= REUSES_MAX:
            self.unchain(oldest)
        return 0

    def append(
        self, account: int, print_0: int, print_1: int, seq: int, digest: int, time_us: int
    ) -> int:
        """Add an entry at the end of the ring."""
        if self.tail - self.head > self.mask:
            self.widen()
        row = retry_at(self.ring, self.tail & self.mask)
        row.account = account
        row.print_0 = print_0
        row.print_1 = print_1
        row.seq = seq
        row.digest = digest
        row.accepted_us = time_us
        row.chain = self.prints.put(print_0, self.tail)
        self.tail += 1
        self.live += 1
        return 0

    def unchain(self, position: int) -> int:
        """Drop an entry; its place in the ring stays until the sweep comes by."""
        row = retry_at(self.ring, position & self.mask)
        at = self.prints.find(row.print_0, self.tail)
        if at == position:
            if row.chain:
                self.prints.turn_back(row.print_0, row.chain)
            else:
                self.prints.remove(row.print_0)
        else:
            while retry_at(self.ring, at & self.mask).chain != position:
                at = retry_at(self.ring, at & self.mask).chain
            retry_at(self.ring, at & self.mask).chain = row.chain
        row.account = 0
        row.chain = 0
        self.live -= 1
        return 0

    def sweep(self, time_us: int) -> int:
        """Look at the oldest entries that have run out: drop them, or move those of open orders.

        What happens to an entry depends only on the entries, not on the dropped places between
        them, so that a loaded snapshot goes on like the original.
        """
        count = SWEEP
        while self.head < self.tail:
            row = retry_at(self.ring, self.head & self.mask)
            if row.account == 0:
                self.head += 1
                continue
            if count == 0 or time_us - row.accepted_us < DAY_US:
                break
            count -= 1
            account = row.account
            print_0 = row.print_0
            print_1 = row.print_1
            seq = row.seq
            digest = row.digest
            accepted_us = row.accepted_us
            self.unchain(self.head)
            self.head += 1
            if self.open_orders.find(seq) or self.open_lists.find(seq):
                self.append(account, print_0, print_1, seq, digest, accepted_us)
        return 0

    def widen(self) -> int:
        """Double the ring; half of the entries move to the new half."""
        old_mask = self.mask
        if self.ring.capacity < 2 * (old_mask + 1):
            self.ring.grow(2 * (old_mask + 1))
        self.mask = 2 * old_mask + 1
        for position in range(self.head, self.tail):
            if position & self.mask != position & old_mask:
                source = retry_at(self.ring, position & old_mask)
                target = retry_at(self.ring, position & self.mask)
                target.account = source.account
                target.print_0 = source.print_0
                target.print_1 = source.print_1
                target.seq = source.seq
                target.digest = source.digest
                target.accepted_us = source.accepted_us
                target.chain = source.chain
        return 0

    def reserve(self, count: int) -> int:
        """Have memory at hand for this many client order ids."""
        self.ring.reserve(count)
        while self.mask + 1 < count:
            self.widen()
        return self.prints.reserve(count)

    # -- ids of money commands -----------------------------------------------------------------

    def fold(self, words: list[int]) -> int:
        """Return a digest of the words of a money command."""
        state = 0
        for word in words:
            state = self.mix(self.weigh(state, word, 0, 1))
        return state & MASK_62

    def entry_seq(self, entry: int) -> int:
        """Return the seq of the money command that used this id, or 0."""
        slot = self.entry_index.find(entry)
        return entry_at(self.entries, slot).seq if slot else 0

    def entry_digest(self, entry: int) -> int:
        """Return the digest of the money command that used this id; it must be known."""
        return entry_at(self.entries, self.entry_index.find(entry)).digest

    def enter(self, entry: int, seq: int, digest: int) -> int:
        """Remember the id of a money command, for ever."""
        slot = self.entries.take()
        row = entry_at(self.entries, slot)
        row.entry = entry
        row.seq = seq
        row.digest = digest
        self.entry_index.put(entry, slot)
        return 0

    # -- dump ------------------------------------------------------------------------------------

    def dump(self, words: Words) -> None:
        """Write both tables, oldest first."""
        words.add(self.live)
        for position in range(self.head, self.tail):
            row = retry_at(self.ring, position & self.mask)
            if row.account:
                at = words.extend(6)
                words.items[at] = row.account
                words.items[at + 1] = row.print_0
                words.items[at + 2] = row.print_1
                words.items[at + 3] = row.seq
                words.items[at + 4] = row.digest
                words.items[at + 5] = row.accepted_us
        words.add(self.entries.live)
        for slot in range(1, self.entries.used):
            entry = entry_at(self.entries, slot)
            at = words.extend(3)
            words.items[at] = entry.entry
            words.items[at + 1] = entry.seq
            words.items[at + 2] = entry.digest

    def load(self, words: Words, at: int) -> int:
        """Read what dump() wrote; return the place after it."""
        self.prints.clear()
        self.head = 1
        self.tail = 1
        self.live = 0
        self.entries.clear()
        self.entry_index.clear()
        items = words.items
        count = items[at]
        at += 1
        for _ in range(count):
            self.append(
                items[at], items[at + 1], items[at + 2], items[at + 3], items[at + 4], items[at + 5]
            )
            at += 6
        count = items[at]
        at += 1
        for _ in range(count):
            self.enter(items[at], items[at + 1], items[at + 2])
            at += 3
        return at
