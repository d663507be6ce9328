"""A tiny exchange for the journal's tests: it counts, sums, chains a hash, and can be poisoned.

It keeps the doors of fondaco.core.exchange.Exchange and nothing of its business: a DEPOSIT adds
its amount to an account, everything else only counts. Each command gives one event, ADVANCE
and ROLL none.
"""

from __future__ import annotations

import json
import struct
from hashlib import blake2b

from fondaco.core.records import HEAD_BYTES, Command, Event, pack

POISON = 666  # a DEPOSIT of this amount fails an assertion
_HEAD = struct.Struct("<5q")


class TinyExchange:
    """The smallest core that a journal can serve."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.seq = 0
        self.time_us = 0
        self.balances: dict[str, int] = {}
        self.chain = bytes(16)
        self.next_deadline_us = 0
        self.halted_seq = 0
        self.fee = 0  # changed, it stands for a release that makes other events
        self._day = 0
        self._boundaries: list[int] = []

    def stamp(self, batch: bytearray, first_seq: int, time_us: int) -> int:
        """Write seq and time into each record."""
        offset = 0
        count = 0
        kinds = set(map(int, Command))
        while offset < len(batch):
            if offset + HEAD_BYTES > len(batch):
                raise ValueError(f"a record at {offset} is cut short")
            (word,) = struct.unpack_from("<q", batch, offset)
            length = word >> 32
            if word & 0xFFFF not in kinds or length < HEAD_BYTES or length % 8:
                raise ValueError(f"no command begins at {offset}")
            if offset + length > len(batch):
                raise ValueError(f"a record at {offset} is cut short")
            struct.pack_into("<2q", batch, offset + 8, first_seq + count, time_us)
            offset += length
            count += 1
        return count

    def apply(self, batch: bytes) -> bytes:
        """Count each command and chain its bytes."""
        out = []
        self._boundaries = []
        size = 0
        offset = 0
        while offset < len(batch):
            word, seq, time_us, account, _ = _HEAD.unpack_from(batch, offset)
            kind, length = word & 0xFFFF, word >> 32
            record = batch[offset : offset + length]
            offset += length
            self.seq, self.time_us = seq, time_us
            event = b""
            if kind == Command.DEPOSIT:
                (amount,) = struct.unpack_from("<q", record, HEAD_BYTES + 8)
                if amount == POISON:
                    self.halted_seq = seq
                    raise AssertionError("poisoned")
                key = str(account)
                self.balances[key] = self.balances.get(key, 0) + amount
                event = pack(
                    Event.BALANCE, seq=seq, time_us=time_us, free=self.balances[key] - self.fee
                )
            elif kind == Command.TOMBSTONE:
                (skipped,) = struct.unpack_from("<q", record, HEAD_BYTES)
                event = pack(Event.SKIPPED, seq=seq, time_us=time_us, skipped_seq=skipped)
            elif kind == Command.ADVANCE:
                self.next_deadline_us = 0
            elif kind == Command.ROLL:
                (self._day,) = struct.unpack_from("<q", record, HEAD_BYTES)
            else:
                event = pack(Event.REFUSED, seq=seq, time_us=time_us, command=kind)
            self.chain = blake2b(self.chain + record, digest_size=16).digest()
            out.append(event)
            size += len(event)
            self._boundaries.append(size)
        return b"".join(out)

    def boundaries(self) -> list[int]:
        """Return the end offsets of the last apply."""
        return self._boundaries

    def query(self, record: bytes) -> bytes:
        """Answer nothing."""
        return b""

    def day(self) -> int:
        """Return the day of the last ROLL."""
        return self._day

    def deadline(self) -> int:
        """Return what the test set."""
        return self.next_deadline_us

    def dump(self) -> bytes:
        """Return the state."""
        state = [self.seq, self.time_us, self.balances, self.chain.hex(), self.next_deadline_us]
        state.append(self._day)
        return json.dumps(state).encode()

    def load(self, dump: bytes) -> None:
        """Take a state."""
        self.seq, self.time_us, self.balances, chain, *times = json.loads(dump)
        self.next_deadline_us, self._day = times
        self.chain = bytes.fromhex(chain)

    def state_hash(self) -> bytes:
        """Return the hash of the state."""
        return hash_of(self.dump())


def hash_of(dump: bytes) -> bytes:
    """Return the hash of a dumped state."""
    return blake2b(dump, digest_size=16).digest()


def deposit(amount: int, *, account: int = 16, entry: int = 0) -> bytes:
    """Return one command."""
    return pack(Command.DEPOSIT, account=account, asset=1, amount=amount, entry=entry)
