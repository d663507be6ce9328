"""The exchange: stamped commands in, events out.

Promises: apply() is total: each command gives its events or one REFUSED (ADVANCE and ROLL may
give none), decided before the first change. The same commands give the same events and the same
state, to the byte, on both builds. It has no clock, no chance and no files: time comes in with the
commands. An assertion that fails inside stops it for good, and says at which seq.

The order of work for one command: the head (known, well formed), the key, the instrument, then
the command itself; at its end the changed levels, then the touched balances.
"""

import struct

import cython

from fondaco.core.records import Command

if cython.compiled:
    from cython.cimports.cpython.bytearray import PyByteArray_AS_STRING
else:
    from fondaco.core.accounts import Accounts
    from fondaco.core.buffer import Words
    from fondaco.core.constants import (
        ADVANCE,
        ADVANCE_HEAD,
        AHEAD_1,
        AHEAD_2,
        AHEAD_3,
        BOOK_MARKET,
        CANCEL_ALL,
        CANCEL_ALL_HEAD,
        CANCEL_LIST,
        CANCEL_LIST_HEAD,
        CANCEL_ORDER,
        CANCEL_ORDER_HEAD,
        DEFINE_INSTRUMENT,
        HEAD_WORDS,
        KINDS_MAX,
        MASK_63,
        MASK_64,
        MIX_0,
        NEW_LIST,
        NEW_LIST_HEAD,
        NEW_ORDER,
        NEW_ORDER_HEAD,
        NEW_ORDER_WORDS,
        PRIME_4,
        RECORD_VERSION,
        RECORD_WORDS_MAX,
        REDUCE_ORDER,
        REDUCE_ORDER_HEAD,
        ROBOT_LIST,
        ROBOT_LIST_HEAD,
        ROBOT_ORDER,
        ROBOT_ORDER_HEAD,
        SCOPE_TRADE,
        UNKNOWN_COMMAND,
        UNKNOWN_INSTRUMENT,
    )
    from fondaco.core.events import Events
    from fondaco.core.instrument import Instrument
    from fondaco.core.layouts import (
        cancel_order_at,
        new_list_at,
        new_order_at,
        reduce_order_at,
        robot_list_at,
        robot_order_at,
    )
    from fondaco.core.ledger import Ledger
    from fondaco.core.list_orders import ListOrders
    from fondaco.core.open_orders import OpenOrders
    from fondaco.core.orders import Orders
    from fondaco.core.stops import Stops
    from fondaco.core.waiting import Waiting


class Exchange:
    """The whole state of a house's markets and money."""

    input: list[int]
    instruments: list[Instrument | None]

    def __init__(self) -> None:
        """Make a house with nothing in it but its own four accounts."""
        self.events = Events()
        self.ledger = Ledger(self.events)
        self.accounts = Accounts(self.ledger)
        self.orders = Orders(self.events, self.ledger, self.accounts)
        self.robots = self.orders.robots
        self.stops = Stops(self.orders)
        self.list_orders = ListOrders(self.orders)
        self.open_orders = OpenOrders(self.orders)
        self.waiting = Waiting(self.open_orders)
        from fondaco.core.limits import Limits  # they stand on what is compiled here
        from fondaco.core.outside import Outside
        from fondaco.core.register import Register

        self.instruments = [None]
        self.outside = Outside(self.waiting, self.instruments)
        self.limits = Limits(self.outside, self.instruments)
        self.robots.limits = self.limits
        self.register = Register(self.ledger, self.accounts, self.open_orders, self.limits)
        self.starts = Words()  # of the records of the batch at hand, in words
        self.ends = Words()
        self.known = Words()
        self.known.extend(KINDS_MAX)
        for kind in range(KINDS_MAX):
            self.known.items[kind] = kind in set(Command)
        self.seq = 0
        self.time_us = 0
        self.halted_seq = 0

    def reserve(self, orders: int) -> None:
        """Have memory at hand for this many orders a day, so that none is found while they trade.

        Changes nothing but that. About 110 bytes an order; tables still grow past it.
        """
        self.orders.reserve(orders)

    # -- commands --------------------------------------------------------------------------------

    def apply(self, batch: bytes) -> bytes:
        """Carry out a run of stamped commands; return the run of their events.

        Raises:
            ValueError: the framing, seq or time of a record is off; nothing was done.
            AssertionError: the house halted at a command before, or at this one.
        """
        if self.halted_seq:
            raise AssertionError(f"the exchange halted at seq {self.halted_seq}")
        total = len(batch) >> 3
        if len(batch) & 7:
            raise ValueError(f"a batch of {len(batch)} bytes is not a whole number of words")
        if cython.compiled:
            self.input = cython.cast("int64_t *", cython.cast("char *", batch))
        else:
            self.input = list(struct.unpack(f"<{total}q", batch))
        self.check_batch(total)
        self.events.words.used = 0
        self.ends.used = 0
        try:
            self.carry_out_all(batch)
        except BaseException:
            self.halted_seq = self.events.seq
            raise
        return self.events.words.take_bytes()

    def boundaries(self) -> list[int]:
        """Return where the events of each number of the last batch end, in bytes.

        A list takes two numbers; at the first of them nothing happens.
        """
        return [self.ends.items[place] for place in range(self.ends.used)]

    @cython.overflowcheck(False)  # places in the batch, bounded by its length
    def check_batch(self, total: int) -> int:
        """See that a batch is whole records, whose seqs and times go on from the last."""
        self.starts.used = 0
        self.starts.extend(total // HEAD_WORDS)  # as many as there can be
        count = 0
        self.whole = 0
        self.paired = 0
        at = 0
        seq = self.seq
        time_us = self.time_us
        while at < total:
            if total - at < HEAD_WORDS:
                raise ValueError(f"a record of fewer than {HEAD_WORDS} words at byte {at * 8}")
            length = self.input[at] >> 35
            if length < HEAD_WORDS or length > total - at or self.input[at] >> 32 & 7:
                raise ValueError(f"a record of a wrong length at byte {at * 8}")
            if self.input[at + 1] <= seq or self.input[at + 2] < time_us:
                raise ValueError(
                    f"seq {self.input[at + 1]} at {self.input[at + 2]} us at byte {at * 8} does"
                    f" not follow seq {seq} at {time_us} us"
                )
            if self.is_list(at):
                self.paired = 1
                if self.input[at + 1] == seq + 1:
                    raise ValueError(
                        f"no number is left for the stop leg of the list at byte {at * 8}"
                    )
            seq = self.input[at + 1]
            time_us = self.input[at + 2]
            self.starts.items[count] = at
            count += 1
            if total - at >= NEW_ORDER_WORDS:
                self.whole += 1
            at += length
        self.starts.used = count
        return 0

    def is_list(self, at: int) -> int:
        """Return 1 if the record at this place is a list's, which takes two numbers."""
        kind = self.input[at] & 0xFFFF
        return 1 if kind == NEW_LIST or kind == ROBOT_LIST else 0

    @cython.overflowcheck(False)  # places in the batch, bounded by its length
    def carry_out_all(self, batch: bytes) -> int:
        """Carry out the commands of a batch, and look ahead of each if it isn't the only one."""
        count = self.starts.used
        self.ends.extend(2 * count)  # a list has two
        self.ends.used = 0
        ended = 0
        place = -AHEAD_3 if count > 1 else 0
        while place < count:
            if self.whole > 1:
                self.look_ahead(place)
            if place >= 0:
                if self.paired and self.is_list(self.starts.items[place]):
                    self.ends.items[ended] = self.events.words.used * 8
                    ended += 1
                self.carry_out(batch, self.starts.items[place])
                self.ends.items[ended] = self.events.words.used * 8
                ended += 1
            place += 1
        self.ends.used = ended
        return 0

    @cython.overflowcheck(False)  # places in the batch, bounded by its length
    def look_ahead(self, place: int) -> int:
        """Have fetched into the cache what later commands of the batch will ask for; no more.

        First where an order's number or client order id is found, then its row, then its
        neighbours. A cancel names its order in the word that holds a new order's side.
        """
        if place + AHEAD_3 < self.whole:
            at = self.starts.items[place + AHEAD_3]
            if self.input[at] == NEW_ORDER_HEAD:
                self.orders.foresee_client_id(new_order_at(self.input, at))
            else:
                self.orders.foresee(cancel_order_at(self.input, at).order_id)
        if 0 <= place + AHEAD_2 < self.whole:
            at = self.starts.items[place + AHEAD_2]
            self.orders.foresee_row(cancel_order_at(self.input, at).order_id)
        if 0 <= place + AHEAD_1 < self.whole:
            at = self.starts.items[place + AHEAD_1]
            self.orders.foresee_neighbours(cancel_order_at(self.input, at).order_id)
        return 0

    def carry_out(self, batch: bytes, at: int) -> int:
        """Carry out one command, then tell the levels and balances that it changed."""
        command = new_order_at(self.input, at)
        self.seq = command.seq
        self.time_us = command.time_us
        self.events.seq = command.seq
        self.events.time_us = command.time_us
        self.events.account = command.account
        self.events.key = command.key
        kind = command.word & 0xFFFF
        if kind < ADVANCE:
            return self.trade(kind, command.word, batch, at)
        if kind == ADVANCE:
            if command.word != ADVANCE_HEAD:
                return self.events.refuse(kind, UNKNOWN_COMMAND)
            self.outside.advance()
            if self.stops.left:
                self.run_stops()
            return self.finish(0)
        self.register.carry_out(batch[at * 8 : (at + (command.word >> 35)) * 8])
        if kind == DEFINE_INSTRUMENT:
            for instrument in self.instruments:
                if instrument is not None:
                    self.orders.tell_levels(instrument)
        return self.finish(0)

    def finish(self, first: int) -> int:
        """End a command: tell the robots that it changed, then the balances.

        `first` is the instrument of the order that the command was about, 0 if none.
        """
        if self.robots.changed:
            self.limits.enforce(first)
            for instrument in [*self.instruments[first : first + 1], *self.instruments]:
                if instrument is not None:
                    self.orders.tell_levels(instrument)
            self.limits.tell()
        return self.ledger.settle_touches()

    def trade(self, kind: int, word: int, batch: bytes, at: int) -> int:
        """Carry out a command about orders."""
        command = new_order_at(self.input, at)
        known = (
            word == NEW_ORDER_HEAD
            or word == CANCEL_ORDER_HEAD
            or word == REDUCE_ORDER_HEAD
            or word == CANCEL_ALL_HEAD
            or word == ROBOT_ORDER_HEAD
            or word == NEW_LIST_HEAD
            or word == CANCEL_LIST_HEAD
            or word == ROBOT_LIST_HEAD
        )
        if not known:
            return self.events.refuse(kind, UNKNOWN_COMMAND)
        if command.key:
            reason = self.accounts.allows(command.key, command.account, SCOPE_TRADE)
            if reason:
                return self.events.refuse(kind, reason)
        number = command.instrument
        if kind == CANCEL_ALL and number == 0:
            return self.cancel_everywhere(command.account)
        if number < 1 or number >= len(self.instruments):
            return self.events.refuse(kind, UNKNOWN_INSTRUMENT)
        instrument = self.instruments[number]
        if instrument is None:
            return self.events.refuse(kind, UNKNOWN_INSTRUMENT)
        if instrument.market != BOOK_MARKET:
            self.outside.trade(instrument, batch[at * 8 : (at + (word >> 35)) * 8])
            return self.ledger.settle_touches()
        if kind == NEW_ORDER:
            if self.orders.new_order(instrument, command) == 0 and instrument.triggers.waiting:
                self.stops.fired = 0
                self.stops.run(instrument)
        elif kind == CANCEL_ORDER:
            self.orders.cancel_order(instrument, cancel_order_at(self.input, at))
        elif kind == REDUCE_ORDER:
            self.orders.reduce_order(instrument, reduce_order_at(self.input, at))
        elif kind == ROBOT_ORDER:
            self.robot_order(instrument, at)
        elif kind == NEW_LIST:
            self.new_list(instrument, at)
        elif kind == ROBOT_LIST:
            self.robot_list(instrument, at)
        elif kind == CANCEL_LIST:
            self.list_orders.cancel_list(instrument, cancel_order_at(self.input, at))
        elif self.orders.cancel_all(instrument, command.account) == 0:
            return self.orders.refuse_cancel_all()
        if self.robots.changed:
            return self.finish(number)
        self.orders.tell_levels(instrument)
        return self.ledger.settle_touches()

    def robot_order(self, instrument: Instrument, at: int) -> int:
        """ROBOT_ORDER: a NEW_ORDER of who holds the robot's lock."""
        command = robot_order_at(self.input, at)
        reason: int = self.limits.check_sender(
            command.account, command.side, command.fence, command.flags
        )
        if reason:
            return self.events.refuse(ROBOT_ORDER, reason)
        self.robots.exit = command.flags
        refused = self.orders.new_order(instrument, new_order_at(self.input, at))
        self.robots.exit = 0
        if refused == 0 and instrument.triggers.waiting:
            self.stops.fired = 0
            self.stops.run(instrument)
        return 0

    def robot_list(self, instrument: Instrument, at: int) -> int:
        """ROBOT_LIST: a NEW_LIST of who holds the robot's lock."""
        command = robot_list_at(self.input, at)
        reason: int = self.limits.check_sender(
            command.account, command.side, command.fence, command.flags
        )
        if reason:
            return self.events.refuse(ROBOT_LIST, reason)
        self.robots.exit = command.flags
        self.new_list(instrument, at)
        self.robots.exit = 0
        return 0

    def new_list(self, instrument: Instrument, at: int) -> int:
        """NEW_LIST, and the stops that wait for an order to come in."""
        if self.list_orders.new_list(instrument, new_list_at(self.input, at)) == 0:
            if instrument.triggers.waiting:
                self.stops.fired = 0
                self.stops.run(instrument)
        return 0

    def run_stops(self) -> int:
        """ADVANCE: let stops run that were reached by an earlier command, by instrument."""
        self.stops.fired = 0
        self.stops.left = 0
        for instrument in self.instruments:
            if instrument is not None and self.stops.is_due(instrument):
                self.stops.run(instrument)
                self.orders.tell_levels(instrument)
            elif instrument is not None and instrument.triggers.waiting:
                self.stops.left = 1
        return 0

    def cancel_everywhere(self, account: int) -> int:
        """CANCEL_ALL of all instruments, by number."""
        count = 0
        for instrument in self.instruments:
            if instrument is None:
                continue
            if instrument.market == BOOK_MARKET:
                count += self.orders.cancel_all(instrument, account)
            else:
                count += self.outside.cancel_all(instrument, account)
        if count == 0:
            return self.orders.refuse_cancel_all()
        for instrument in self.instruments:
            if instrument is not None:
                self.orders.tell_levels(instrument)
        return self.ledger.settle_touches()

    def stamp(self, batch: bytearray, first_seq: int, time_us: int) -> int:
        """Write seq and time into each record of a batch, in place; return how many seqs it took.

        A list takes two: its own, and the one before it for its stop leg.

        Raises:
            ValueError: a record's framing is off; the text names its byte.
        """
        total = len(batch) >> 3
        if len(batch) & 7:
            raise ValueError(f"a batch of {len(batch)} bytes is not a whole number of words")
        if cython.compiled:
            self.input = cython.cast("int64_t *", PyByteArray_AS_STRING(batch))
        else:
            self.input = list(struct.unpack(f"<{total}q", batch))
        at = 0
        count = 0
        while at < total:
            length = self.check_frame(at, total)
            if self.is_list(at):
                count += 1
            self.input[at + 1] = first_seq + count
            self.input[at + 2] = time_us
            at += length
            count += 1
        if not cython.compiled:
            batch[:] = struct.pack(f"<{total}q", *self.input)
        return count

    def check_frame(self, at: int, total: int) -> int:
        """Return the length in words of the record at `at`, if its head is a command's."""
        if total - at < HEAD_WORDS:
            raise ValueError(f"a record of fewer than {HEAD_WORDS} words at byte {at * 8}")
        word = self.input[at]
        kind = word & 0xFFFF
        if kind >= KINDS_MAX or self.known.items[kind] == 0:
            raise ValueError(f"no command has the kind {kind} at byte {at * 8}")
        if word >> 16 & 0xFFFF != RECORD_VERSION:
            raise ValueError(f"a record of version {word >> 16 & 0xFFFF} at byte {at * 8}")
        length = word >> 35
        if word >> 32 & 7 or length < HEAD_WORDS or length > total - at:
            raise ValueError(f"a record of {word >> 32} bytes at byte {at * 8}")
        if length > RECORD_WORDS_MAX:
            raise ValueError(f"a record of {length * 8} bytes at byte {at * 8}; 65536 is the most")
        return length

    # -- state -------------------------------------------------------------------------------------

    def deadline(self) -> int:
        """Return when the next ADVANCE is due, in microseconds; 0 = nothing waits."""
        if self.stops.left and self.find_due():
            return self.time_us
        return self.outside.deadline()

    def find_due(self) -> int:
        """Return 1 if a stop waits that may run; forget that some may if there is none at all."""
        self.stops.left = 0
        for instrument in self.instruments:
            if instrument is not None and instrument.triggers.waiting:
                self.stops.left = 1
                if self.stops.is_due(instrument):
                    return 1
        return 0

    def day(self) -> int:
        """Return the house's day, as the last ROLL told it: days since 1970-01-01; 0 = none yet."""
        day: int = self.limits.day
        return day

    def query(self, record: bytes) -> bytes:
        """Answer a question about now with event records; REFUSED if it isn't one."""
        from fondaco.core import answers

        return answers.answer(self, record)

    def dump(self) -> bytes:
        """Return a copy of the whole state, in logical order."""
        from fondaco.core import snapshot

        return snapshot.dump(self)

    def load(self, dump: bytes) -> None:
        """Replace the whole state by what dump() gave.

        Raises:
            ValueError: it isn't a dump of this version.
        """
        from fondaco.core import snapshot

        snapshot.load(self, dump)

    def state_hash(self) -> bytes:
        """Return 16 bytes that are equal exactly when the logical states are."""
        from fondaco.core import snapshot

        return snapshot.hash_of(self.dump())


class Digest:
    """A running digest of words, for comparing a replay with the record of the first run."""

    input: list[int]

    @cython.overflowcheck(False)  # the products wrap: that is the hash
    def of(self, events: bytes) -> int:
        """Return a 63-bit digest of a run of events."""
        total = len(events) >> 3
        if cython.compiled:
            self.input = cython.cast("int64_t *", cython.cast("char *", events))
        else:
            self.input = list(struct.unpack(f"<{total}q", events))
        one = PRIME_4
        two = one ^ MASK_64
        at = 0
        while at + 1 < total:
            one = (one ^ (self.input[at] & MASK_64)) * MIX_0 & MASK_64
            two = (two ^ (self.input[at + 1] & MASK_64)) * MIX_0 & MASK_64
            one = one ^ (one >> 32)
            two = two ^ (two >> 29)
            at += 2
        if at < total:
            one = (one ^ (self.input[at] & MASK_64)) * MIX_0 & MASK_64
        one = (one ^ (two >> 32) ^ (total & MASK_64)) * MIX_0 & MASK_64
        one = (one ^ (one >> 29) ^ two) * MIX_0 & MASK_64
        return (one ^ (one >> 32)) & MASK_63


def events_digest(events: bytes) -> int:
    """Return a 63-bit digest of a run of events: what the next journal record carries."""
    return Digest().of(events)
