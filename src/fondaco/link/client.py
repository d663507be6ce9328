"""The writer as seen from an asyncio process: commands, questions, events.

Promises: what is asked in one turn of the loop leaves in one write; an answer resolves its future
after every EVENTS frame that the writer wrote before it has been handed over, so an answer is a
barrier. A lost connection is made again by itself, with back-off, and the subscription goes on
where it was: events are delivered in order, without gap or repeat, whole commits only. What was
sent and not answered raises Unanswered; what could not be sent raises Overloaded. It never sends
anything twice, and the number of unanswered requests is bounded.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, cast

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
    HEAD,
    PAYLOAD_BYTES_MAX,
    PLACE,
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
    "Halted",
    "Invalid",
    "LinkError",
    "Overloaded",
    "Sink",
    "Unanswered",
    "WriterClient",
]

OnEvents = Callable[[int, bytes], None]
OnCursor = Callable[[int], None]
OnConnection = Callable[[bool], None]

UNANSWERED_MAX: Final = 16_384  # twice the writer's queue: it refuses first
ANSWER_TIMEOUT_S: Final = 10  # a commit takes milliseconds; a disk that stalls this long is ill
SWEEP_S: Final = 1.0
BACKOFF_S: Final = (0.02, 0.05, 0.1, 0.2, 0.5)  # the last one repeats
_COMMAND: Final = int(Frame.COMMAND)
_REPLY: Final = int(Frame.REPLY)
_EVENTS: Final = int(Frame.EVENTS)
_REPLIES: Final = int(Frame.REPLIES)
_ANSWER: Final = int(Frame.ANSWER)


class Sink(Protocol):
    """Who waits for an answer: a future, or what does as one. Its methods must not raise."""

    def done(self) -> bool: ...

    def set_result(self, result: Any, /) -> None: ...  # noqa: ANN401 - events, or an Answer

    def set_exception(self, exception: LinkError, /) -> None: ...


class WriterClient:
    """One connection to the writer. Use it from the thread of its loop only."""

    def __init__(self, *, on_connection: OnConnection | None = None) -> None:
        """Prepare; `on_connection` hears True and False as the connection comes and goes."""
        self.seq = 0  # of the newest answer or event seen
        self.writer_seq = 0  # that the writer named in its newest greeting
        self.connections = 0  # made so far; more than one: reconnected
        self._on_connection = on_connection
        self._on_events: OnEvents | None = None
        self._on_cursor: OnCursor | None = None
        self._next_seq = 0
        self._commit = b""  # the newest EVENTS: replies are places in it
        self._pending: dict[int, Sink] = {}
        self._correlation = 0
        self._sent = 0  # the last correlation that was written
        self._out: list[bytes] = []
        self._flushing = False
        self._transport: asyncio.WriteTransport | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._marks: deque[int] = deque(maxlen=ANSWER_TIMEOUT_S)
        self._greeted = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether the writer has greeted, and commands would leave now."""
        return self._transport is not None

    async def connect(self, address: str | Path, *, role: str) -> None:
        """Connect to the Unix socket at `address`, waiting for the writer, and stay connected.

        Raises Invalid if the writer speaks another version.
        """
        assert self._keeper is None, "connect() is called once"
        self._loop = asyncio.get_running_loop()
        self._keeper = self._loop.create_task(
            self._stay_connected(str(address), role), name="writer link"
        )
        greeted = self._loop.create_task(self._greeted.wait())
        try:
            await asyncio.wait({self._keeper, greeted}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            greeted.cancel()
        if self._keeper.done():
            self._keeper.result()

    async def close(self) -> None:
        """Let go; what is unanswered raises Unanswered."""
        if self._keeper is None:
            return
        self._keeper.cancel()
        await asyncio.wait({self._keeper})
        transport = self._transport
        self._on_lost("the connection to the writer was closed")
        if transport is not None:
            transport.abort()

    # ---- asking

    def submit(self, record: bytes) -> asyncio.Future[bytes]:
        """Send one command; the future gives its events, after the sync that covers it."""
        return self._ask(Frame.COMMAND, record)

    def send(self, record: bytes, sink: Sink) -> None:
        """Send one command as submit() does, for somebody who is told within the loop's turn."""
        self._put(_COMMAND, record, sink)

    def query(self, record: bytes) -> asyncio.Future[Answer]:
        """Send one question about now; the future gives an Answer."""
        return self._ask(Frame.QUERY, record)

    async def status(self) -> dict[str, Any]:
        """Return the writer's counters."""
        answer: Answer = await self._ask(Frame.STATUS, b"")
        counters: dict[str, Any] = msgspec.msgpack.decode(answer.records)
        return counters

    async def advance_clock(self, by_us: int) -> int:
        """Move a test clock forward and return the seq after it; Invalid on a system clock."""
        answer: Answer = await self._ask(Frame.CLOCK, SEQ.pack(by_us))
        return answer.seq

    def subscribe(
        self, from_seq: int, on_events: OnEvents, on_cursor: OnCursor | None = None
    ) -> None:
        """Have on_events(last_seq, events) called for every commit that ends at from_seq or later.

        -1 begins with the next commit. The callbacks run inside the loop's turn and must not raise.
        """
        assert self._on_events is None, "one subscription a client: open another client"
        self._on_events = on_events
        self._on_cursor = on_cursor
        self._next_seq = from_seq
        if self._transport is not None:
            self._subscribe(self._transport)

    def _ask(self, frame: int, payload: bytes) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._put(frame, payload, future)
        return future

    def _put(self, frame: int, payload: bytes, sink: Sink) -> None:
        if self._transport is None:
            sink.set_exception(
                Overloaded("there is no connection to the writer; nothing was executed")
            )
            return
        pending = self._pending
        if len(pending) >= UNANSWERED_MAX:
            sink.set_exception(
                Overloaded(f"{UNANSWERED_MAX} requests are unanswered; nothing was executed")
            )
            return
        self._correlation = correlation = self._correlation + 1
        pending[correlation] = sink
        out = self._out
        out.append(HEAD.pack(len(payload), frame, 0, correlation))
        out.append(payload)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        out = self._out
        if out and self._transport is not None:
            self._transport.write(b"".join(out))
            self._sent = self._correlation
        out.clear()

    # ---- the connection

    async def _stay_connected(self, address: str, role: str) -> None:
        attempt = 0
        while True:
            lost = self._loop.create_future()
            protocol = _Protocol(self, role, lost)
            try:
                with nameable(address) as name:
                    await self._loop.create_unix_connection(
                        functools.partial(_itself, protocol), name
                    )
            except OSError:
                pass  # it is starting, or starting again
            else:
                try:
                    await self._sweep_until(lost)
                finally:
                    protocol.abort()
                if protocol.refusal is not None:
                    raise protocol.refusal
                attempt = 0 if protocol.greeted else attempt
            await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
            attempt += 1

    async def _sweep_until(self, lost: asyncio.Future[None]) -> None:
        """Fail, once a second, what has waited too long; return when the connection is lost."""
        self._marks.clear()
        while True:
            await asyncio.wait({lost}, timeout=SWEEP_S)
            if lost.done():
                return
            if len(self._marks) == self._marks.maxlen:
                late = [each for each in self._pending if each <= self._marks[0]]
                for each in late:
                    _fail(self._pending.pop(each), Unanswered("the writer did not answer in time"))
            self._marks.append(self._correlation)

    def _subscribe(self, transport: asyncio.WriteTransport) -> None:
        body = msgspec.msgpack.encode(Subscribe(from_seq=self._next_seq, by_place=True))
        transport.write(encode(Frame.SUBSCRIBE, 0, body))

    def _on_greeted(self, transport: asyncio.WriteTransport, hello: Hello) -> None:
        self._transport = transport
        self.writer_seq = hello.seq
        self.connections += 1
        if self._on_events is not None:
            self._subscribe(transport)
        self._greeted.set()
        if self._on_connection is not None:
            self._on_connection(True)

    def _on_lost(self, why: str) -> None:
        """Forget the connection: the outcome of what was sent is unknown."""
        was_connected = self._transport is not None
        self._transport = None
        self._greeted.clear()
        self._out.clear()
        pending, self._pending = self._pending, {}
        for correlation, future in pending.items():
            if correlation <= self._sent:
                _fail(future, Unanswered(f"{why}; the outcome is unknown"))
            else:
                _fail(future, Overloaded(f"{why}; nothing was executed"))
        if was_connected and self._on_connection is not None:
            self._on_connection(False)

    def _on_frames(self, frames: list[tuple[int, int, bytes]]) -> None:
        pending = self._pending
        for frame, correlation, payload in frames:
            if frame == _EVENTS:
                self._commit = payload
                self._deliver(correlation, payload)
            elif frame == _REPLIES:
                commit = self._commit
                for asked, start, end in PLACE.iter_unpack(payload):
                    future = pending.pop(asked, None)
                    if future is not None and not future.done():
                        future.set_result(commit[start:end])
            elif frame == _REPLY:
                future = pending.pop(correlation, None)
                if future is not None and not future.done():
                    future.set_result(payload)
            elif frame == _ANSWER:
                (self.seq,) = SEQ.unpack_from(payload)
                future = pending.pop(correlation, None)
                if future is not None and not future.done():
                    future.set_result(Answer(self.seq, payload[8:]))
            elif frame == Frame.FAULT:
                future = pending.pop(correlation, None)
                if future is not None:
                    _fail(future, error_of(payload))
            elif frame == Frame.CURSOR and self._on_cursor is not None:
                self._on_cursor(SEQ.unpack(payload)[0])

    def _deliver(self, last_seq: int, events: bytes) -> None:
        if last_seq < self._next_seq or self._on_events is None:
            return  # sent before a reconnect was noticed
        self.seq = last_seq
        self._next_seq = last_seq + 1
        self._on_events(last_seq, events)


def _itself(protocol: _Protocol) -> _Protocol:
    return protocol


def _fail(future: Sink, error: LinkError) -> None:
    if not future.done():
        future.set_exception(error)


class _Protocol(asyncio.Protocol):
    """One connection: greets, cuts frames, tells the client."""

    def __init__(self, client: WriterClient, role: str, lost: asyncio.Future[None]) -> None:
        self._client = client
        self._role = role
        self._lost = lost
        self._reader = FrameReader(PAYLOAD_BYTES_MAX)
        self._transport: asyncio.WriteTransport | None = None
        self.greeted = False
        self.refusal: LinkError | None = None

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is none by descent
        hello = Hello(version=VERSION, role=self._role)
        self._transport.write(encode(Frame.HELLO, 0, msgspec.msgpack.encode(hello)))

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._reader.feed(data)
            if not self.greeted:
                frames = self._greet(frames)
        except FrameFault:
            self.abort()
            return
        self._client._on_frames(frames)  # noqa: SLF001 - one thing in two classes

    def _greet(self, frames: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
        """Take the writer's HELLO from the front; a FAULT in its place is its refusal."""
        if not frames:
            return frames
        frame, _, payload = frames[0]
        if frame == Frame.FAULT:
            self.refusal = error_of(payload)
            return []
        if frame != Frame.HELLO:
            raise FrameFault("the first frame is not HELLO")
        assert self._transport is not None
        self.greeted = True
        hello = msgspec.msgpack.decode(payload, type=Hello)
        self._client._on_greeted(self._transport, hello)  # noqa: SLF001 - as above
        return frames[1:]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        if self.greeted:
            self._client._on_lost("the connection to the writer was lost")  # noqa: SLF001
        if not self._lost.done():
            self._lost.set_result(None)
