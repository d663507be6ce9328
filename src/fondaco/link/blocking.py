"""The writer as seen from ordinary threads: the projector, Django, the command line.

Promises: submit(), submit_many() and query() may be called from any thread, one at a time on one
connection; a lost connection is made again at the next call. A Subscription has a connection of
its own and yields whole commits in order; it ends with ConnectionLost and whoever holds it
subscribes again from its own cursor. Errors are those of link.answers.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import msgspec

from fondaco.link.address import nameable
from fondaco.link.answers import (
    Answer,
    Halted,
    Invalid,
    LinkError,
    Overloaded,
    Unanswered,
    error_of,
)
from fondaco.link.frames import (
    PAYLOAD_BYTES_MAX,
    SEQ,
    VERSION,
    Frame,
    FrameFault,
    FrameReader,
    Hello,
    Subscribe,
    encode,
)

__all__ = [
    "Answer",
    "BlockingClient",
    "Commit",
    "ConnectionLost",
    "Halted",
    "Invalid",
    "LinkError",
    "Overloaded",
    "Pipeline",
    "Subscription",
    "Unanswered",
]

ANSWER_TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 5.0
RETRY_S: Final = 0.05
READ_BYTES: Final = 1 << 18


class ConnectionLost(LinkError):
    """The subscription has ended; subscribe again from where you are."""


class Commit(NamedTuple):
    """The events of one commit; `last_seq` is the last command's."""

    last_seq: int
    events: bytes


class BlockingClient:
    """One connection for commands and questions, made at the first of them."""

    def __init__(self, address: str | Path, *, role: str) -> None:
        """Prepare; `address` is the Unix socket of the writer."""
        self.address = str(address)
        self.role = role
        self._lock = threading.Lock()
        self._socket: _Framed | None = None
        self._correlation = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def wait_until_connected(self, timeout_s: float) -> Hello:
        """Return the writer's greeting; Overloaded if there is none in that time."""
        with self._lock:
            self._drop()
            self._socket = _connected(self.address, self.role, timeout_s)
            return self._socket.hello

    def submit(self, record: bytes) -> bytes:
        """Send one command and return its events, after the sync that covers it."""
        return self._ask(Frame.COMMAND, record)

    def submit_many(self, records: Sequence[bytes]) -> list[bytes | LinkError]:
        """Send commands in one piece and return, in their order, the events of each or its error.

        Some may be done and others not: what has Overloaded was not executed, of what has
        Unanswered nobody knows. Raises Overloaded if there is no writer; then none was sent.
        """
        with self._lock:
            framed = self._ready()
            first = self._correlation + 1
            self._correlation += len(records)
            frames = [
                encode(Frame.COMMAND, first + place, record) for place, record in enumerate(records)
            ]
            found: dict[int, bytes | LinkError] = {}
            try:
                framed.send(b"".join(frames))
                deadline = time.monotonic() + ANSWER_TIMEOUT_S
                while len(found) < len(records):  # a refusal overtakes what is being carried out
                    kind, place, payload = self._received(framed, deadline)
                    if place >= first and kind in {Frame.REPLY, Frame.FAULT}:
                        found[place] = error_of(payload) if kind == Frame.FAULT else payload
            except (OSError, FrameFault) as error:
                self._drop()
                lost = Unanswered(
                    f"the connection to the writer was lost ({error}); the outcome is unknown"
                )
                return [found.get(first + place, lost) for place in range(len(records))]
        return [found[first + place] for place in range(len(records))]

    def query(self, record: bytes) -> Answer:
        """Ask about now."""
        return _answer(self._ask(Frame.QUERY, record))

    def status(self) -> dict[str, Any]:
        """Return the writer's counters."""
        found: dict[str, Any] = msgspec.msgpack.decode(
            _answer(self._ask(Frame.STATUS, b"")).records
        )
        return found

    def advance_clock(self, by_us: int) -> int:
        """Move a test clock forward; return the seq after it."""
        return _answer(self._ask(Frame.CLOCK, SEQ.pack(by_us))).seq

    def subscribe(self, from_seq: int, *, timeout_s: float = CONNECT_TIMEOUT_S) -> Subscription:
        """Return the commits that end at from_seq or later (-1: from the next one on)."""
        return Subscription(_connected(self.address, self.role, timeout_s), from_seq)

    def close(self) -> None:
        """Let go of the connection; a later call makes a new one."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ready(self) -> _Framed:
        """Return a connection that was not closed, made now if need be. Raises Overloaded."""
        if self._socket is not None and self._socket.is_dead():
            self._drop()
        if self._socket is None:
            self._socket = _connected(self.address, self.role, CONNECT_TIMEOUT_S)
        return self._socket

    def _ask(self, frame: Frame, payload: bytes) -> bytes:
        with self._lock:
            framed = self._ready()
            self._correlation += 1
            try:
                framed.send(encode(frame, self._correlation, payload))
                answer = self._await(framed, self._correlation)
            except (OSError, FrameFault) as error:
                self._drop()
                raise Unanswered(
                    f"the connection to the writer was lost ({error}); the outcome is unknown"
                ) from error
        kind, found = answer
        if kind == Frame.FAULT:
            raise error_of(found)
        return found

    def _await(self, framed: _Framed, correlation: int) -> tuple[int, bytes]:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while True:
            kind, found, payload = self._received(framed, deadline)
            if found == correlation and kind in {Frame.REPLY, Frame.ANSWER, Frame.FAULT}:
                return kind, payload

    def _received(self, framed: _Framed, deadline: float) -> tuple[int, int, bytes]:
        received = framed.receive(deadline - time.monotonic())
        if received is None:
            raise TimeoutError(f"no answer within {ANSWER_TIMEOUT_S:.0f} s")
        return received


class Pipeline:
    """One connection on which commands leave before the answers to earlier ones have come.

    None overtakes an earlier one: after one that is Overloaded, so are all. For one thread. After
    that, or an error, it is of no more use: make another.
    """

    def __init__(self, address: str | Path, *, role: str) -> None:
        """Connect; raises Overloaded if there is no writer."""
        self._framed = _connected(str(address), role, CONNECT_TIMEOUT_S, in_order=True)
        self._correlation = 0

    def fileno(self) -> int:
        """Return what to poll for answers."""
        return self._framed.fileno()

    def send(self, records: Sequence[bytes]) -> int:
        """Send commands in one piece; return the number of the first. Raises Unanswered."""
        first = self._correlation + 1
        self._correlation += len(records)
        frames = [
            encode(Frame.COMMAND, first + place, record) for place, record in enumerate(records)
        ]
        try:
            self._framed.send(b"".join(frames))
        except OSError as error:
            raise self._lost(error) from error
        return first

    def receive(self, timeout_s: float) -> list[tuple[int, bytes | LinkError]]:
        """Return the answers that have come, by the commands' numbers. Raises Unanswered."""
        found: list[tuple[int, bytes | LinkError]] = []
        try:
            for kind, number, payload in self._framed.receive_all(timeout_s):
                if kind == Frame.REPLY:
                    found.append((number, payload))
                elif kind == Frame.FAULT:
                    found.append((number, error_of(payload)))
        except (OSError, FrameFault) as error:
            raise self._lost(error) from error
        return found

    def close(self) -> None:
        """Let go of the connection."""
        self._framed.close()

    def _lost(self, error: Exception) -> Unanswered:
        self.close()
        return Unanswered(
            f"the connection to the writer was lost ({error}); the outcome is unknown"
        )


class Subscription:
    """Commits in order. next() waits at most so long; iterate to wait for ever."""

    def __init__(self, framed: _Framed, from_seq: int) -> None:
        """Ask for the commits; `writer_seq` is where the writer was when it greeted."""
        self._framed = framed
        self._cursor_sent = -1
        self.writer_seq = framed.hello.seq
        self.cursor = -1  # the newest that another projector told
        body = msgspec.msgpack.encode(Subscribe(from_seq=from_seq))
        try:
            framed.send(encode(Frame.SUBSCRIBE, 0, body))
        except OSError as error:
            framed.close()
            raise ConnectionLost(f"the connection to the writer was lost ({error})") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Commit]:
        while True:
            commit = self.next(timeout_s=3600.0)
            if commit is not None:
                yield commit

    def next(self, timeout_s: float) -> Commit | None:
        """Return the next commit, or None if none came in that time. Raises ConnectionLost."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                received = self._framed.receive(deadline - time.monotonic())
            except (OSError, FrameFault) as error:
                self.close()
                raise ConnectionLost(
                    f"the connection to the writer was lost ({error}); subscribe again"
                ) from error
            if received is None:
                return None
            kind, correlation, payload = received
            if kind == Frame.EVENTS:
                return Commit(correlation, payload)
            if kind == Frame.CURSOR:
                (self.cursor,) = SEQ.unpack(payload)
            elif kind == Frame.FAULT:
                self.close()
                raise error_of(payload)

    def waiting(self, limit: int, timeout_s: float) -> list[Commit]:
        """Return what has come, at most `limit` commits, waiting so long for the first."""
        found = []
        commit = self.next(timeout_s)
        while commit is not None:
            found.append(commit)
            commit = self.next(0) if len(found) < limit else None
        return found

    def send_cursor(self, seq: int) -> None:
        """Tell the writer, and through it every subscriber, how far the projections are."""
        if seq == self._cursor_sent:
            return
        try:
            self._framed.send(encode(Frame.CURSOR, 0, SEQ.pack(seq)))
        except OSError as error:
            self.close()
            raise ConnectionLost(f"the connection to the writer was lost ({error})") from error
        self._cursor_sent = seq

    def close(self) -> None:
        """Let go of the connection."""
        self._framed.close()


def _answer(payload: bytes) -> Answer:
    (seq,) = SEQ.unpack_from(payload)
    return Answer(seq, payload[SEQ.size :])


class _Framed:
    """A greeted socket that sends and receives whole frames."""

    def __init__(self, made: socket.socket, role: str, timeout_s: float, *, in_order: bool) -> None:
        self._socket = made
        self._reader = FrameReader(PAYLOAD_BYTES_MAX)
        self._ready: deque[tuple[int, int, bytes]] = deque()
        hello = Hello(version=VERSION, role=role, in_order=in_order)
        self.send(encode(Frame.HELLO, 0, msgspec.msgpack.encode(hello)))
        received = self.receive(timeout_s)
        if received is None:
            raise TimeoutError("the writer did not greet")
        kind, _, payload = received
        if kind == Frame.FAULT:
            raise error_of(payload)
        if kind != Frame.HELLO:
            raise FrameFault("the first frame is not HELLO")
        self.hello = msgspec.msgpack.decode(payload, type=Hello)

    def send(self, frame: bytes) -> None:
        self._socket.settimeout(ANSWER_TIMEOUT_S)
        self._socket.sendall(frame)

    def receive(self, timeout_s: float) -> tuple[int, int, bytes] | None:
        """Return the next frame, or None after so long. Raises OSError, FrameFault."""
        deadline = time.monotonic() + timeout_s
        while not self._ready:
            self._socket.settimeout(max(deadline - time.monotonic(), 0))
            try:
                piece = self._socket.recv(READ_BYTES)
            except (TimeoutError, BlockingIOError):
                return None
            if not piece:
                raise ConnectionResetError("closed by the writer")
            self._ready.extend(self._reader.feed(piece))
        return self._ready.popleft()

    def receive_all(self, timeout_s: float) -> list[tuple[int, int, bytes]]:
        """Return the frames that have come, waiting so long for the first."""
        first = self.receive(timeout_s)
        if first is None:
            return []
        found = [first, *self._ready]
        self._ready.clear()
        return found

    def fileno(self) -> int:
        return self._socket.fileno()

    def is_dead(self) -> bool:
        """Whether the writer has let go since the last answer (nothing is due to be read)."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if not poll.poll(0):
            return False
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            try:
                return not self._socket.recv(1, socket.MSG_PEEK)
            except ConnectionError:
                return True
        return False

    def close(self) -> None:
        self._socket.close()


def _connected(address: str, role: str, timeout_s: float, *, in_order: bool = False) -> _Framed:
    """Return a greeted connection, trying again until so long has passed. Raises Overloaded."""
    deadline = time.monotonic() + timeout_s
    while True:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(CONNECT_TIMEOUT_S)
            with nameable(address) as name:
                made.connect(name)
            left_s = max(deadline - time.monotonic(), RETRY_S)
            return _Framed(made, role, left_s, in_order=in_order)
        except (OSError, FrameFault) as error:
            made.close()
            if time.monotonic() >= deadline:
                raise Overloaded(
                    f"there is no writer at {address} ({error}); nothing was executed"
                ) from error
        except LinkError:
            made.close()
            raise
        time.sleep(RETRY_S)
