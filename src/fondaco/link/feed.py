"""One subscriber's way from an old seq to now: old commits from the event log, then live.

Promises: commits in order, each once, none left out; at most a chunk is read in one turn of the
loop and only AHEAD_BYTES are written ahead of the reader, so a subscriber that catches up delays
commits by no more than one chunk. Once it has reached the newest commit it is live, and the
server hands it each further one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final, Protocol

from fondaco.link.frames import FROM_NOW, FaultCode, Frame, encode

__all__ = ["CommitSource", "Feed"]


class OldCommit(Protocol):
    """One commit as the event log keeps it."""

    @property
    def first_seq(self) -> int: ...

    @property
    def last_seq(self) -> int: ...

    @property
    def payload(self) -> bytes: ...


class CommitSource(Protocol):
    """Old events by seq: the event log."""

    def read_from(self, seq: int) -> Iterator[OldCommit]: ...


class Sink(Protocol):
    """The peer."""

    out: list[bytes]

    def unread_bytes(self) -> int: ...

    def flush(self) -> None: ...

    def fault(self, correlation: int, code: FaultCode, text: str) -> None: ...

    def close(self) -> None: ...


class Ahead(Protocol):
    """The server."""

    source: CommitSource

    @property
    def sequencer(self) -> Newest: ...


class Newest(Protocol):
    @property
    def seq(self) -> int: ...


class Feed:
    """The state of one subscription."""

    CHUNK_BYTES: Final = 1 << 18  # about 1 ms of reading
    AHEAD_BYTES: Final = 1 << 20

    def __init__(self, sink: Sink, server: Ahead, from_seq: int) -> None:
        self.next_seq = server.sequencer.seq + 1 if from_seq == FROM_NOW else max(from_seq, 1)
        self.is_live = False
        self._sink = sink
        self._server = server
        self._old: Iterator[OldCommit] | None = None
        self._scheduled = False
        self._closed = False
        self._loop = asyncio.get_running_loop()

    def pump(self) -> None:
        """Write the next chunk of old commits; become live when there are no more."""
        self._scheduled = False
        if self.is_live or self._closed or self._sink.unread_bytes() > self.AHEAD_BYTES:
            return  # resume_writing pumps again
        newest = self._server.sequencer.seq
        if self.next_seq > newest + 1:
            text = f"seq {self.next_seq} is not here yet; the newest is {newest}"
            self._sink.fault(0, FaultCode.INVALID, text)
            self._sink.close()
            return
        written = 0
        while written < self.CHUNK_BYTES and self.next_seq <= newest:
            commit = self._next()
            if commit.first_seq > self.next_seq:
                text = f"the events from seq {self.next_seq} to {commit.first_seq - 1} are gone"
                self._sink.fault(0, FaultCode.INVALID, text)
                self._sink.close()
                return
            self.next_seq = commit.last_seq + 1
            self._sink.out.append(encode(Frame.EVENTS, commit.last_seq, commit.payload))
            written += len(commit.payload)
        self._sink.flush()
        if self.next_seq > newest:
            self.is_live = True
            self._old = None
        elif not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.pump)

    def close(self) -> None:
        """Read no more."""
        self._closed = True
        self._old = None

    def _next(self) -> OldCommit:
        """Return the next old commit, reading on where the log had ended if it has grown."""
        for _ in range(2):
            if self._old is None:
                self._old = iter(self._server.source.read_from(self.next_seq))
            commit = next(self._old, None)
            if commit is not None and commit.last_seq >= self.next_seq:
                return commit
            self._old = None
        raise AssertionError(f"the event log lacks seq {self.next_seq}")
