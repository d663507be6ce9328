"""A sequencer that echoes: each command gives one 16-byte event (its seq, its first word).

A list takes two numbers, as in the house: nothing comes of the first.

Its commits are kept in memory, as the event log keeps them on disk. `on_commit` may raise, to
stand for a disk that fails.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from fondaco.core.records import Command, numbers_of, pack


class FakeCommitted(NamedTuple):
    first_seq: int
    events: bytes
    boundaries: list[int]
    start: int = 0


class FakeOld(NamedTuple):
    first_seq: int
    last_seq: int
    payload: bytes


class FakeSequencer:
    def __init__(self) -> None:
        self.seq = 0
        self.commits: list[FakeOld] = []
        self.sizes: list[int] = []
        self.on_commit: Callable[[], None] = lambda: None
        self.keeps = True
        self.before = b""  # events of a ROLL that comes before each commit

    def now_us(self) -> int:
        return 0

    def commit(self, commands: Sequence[bytes]) -> FakeCommitted:
        self.on_commit()
        first = self.seq + 1
        start = end = len(self.before)
        events, ends = self.before, []
        for command in commands:
            ends += [end] * (numbers_of(command) - 1)
            self.seq += numbers_of(command)
            events += struct.pack("<qq", self.seq, struct.unpack_from("<q", command, 24)[0])
            end = len(events)
            ends.append(end)
        if self.keeps:
            self.commits.append(FakeOld(first, self.seq, events))
        self.sizes.append(len(commands))
        return FakeCommitted(first, events, ends, start)

    def query(self, record: bytes) -> bytes:
        return struct.pack("<q", self.seq) + record[:8]

    def read_from(self, seq: int) -> Iterator[FakeOld]:
        for old in list(self.commits):
            if old.last_seq >= seq:
                yield old


def deposit(account: int) -> bytes:
    """A whole command whose account is given back in its event."""
    return pack(Command.DEPOSIT, account=account, asset=1, amount=1, entry=account)


def event(reply: bytes) -> tuple[int, int]:
    """The seq and the account of a fake event."""
    seq, account = struct.unpack("<qq", reply)
    return seq, account
