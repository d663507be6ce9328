"""The writer's door: one thread, one loop; what waits at a turn becomes one commit.

Promises: a REPLY leaves only after commit() has returned, so after the sync that covers it; to a
subscriber the EVENTS of a commit are written before the REPLYs of it; questions are answered after
the commands that came before them. The queue is bounded, and so is what is kept for a peer: a full
queue gives OVERLOADED (not executed; to a client in order, from there on), a slow subscriber is
dropped and comes again. A peer that
goes, at any moment, costs nobody else an answer. When the sequencer halts nothing more is said:
what was in its hands stays unanswered, what had not been given to it is HALTED. The sync runs
inside the turn: nothing could be answered meanwhile anyhow.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, cast

import msgspec

from fondaco.core.records import HEAD_BYTES as RECORD_HEAD_BYTES
from fondaco.core.records import VERSION as RECORD_VERSION
from fondaco.core.records import Command, numbers_of
from fondaco.link.address import bound
from fondaco.link.feed import CommitSource, Feed
from fondaco.link.frames import (
    HEAD,
    PLACE,
    SEQ,
    VERSION,
    FaultCode,
    Frame,
    FrameFault,
    FrameReader,
    Hello,
    Subscribe,
    encode,
    encode_fault,
)

__all__ = ["Limits", "Sequencing", "WriterServer"]

_COMMAND: Final = int(Frame.COMMAND)
_REPLY: Final = int(Frame.REPLY)
_WORD: Final = struct.Struct("<q")
# What may come through this door; ADVANCE and TOMBSTONE are the sequencer's and repair's own.
_ACCEPTED: Final = frozenset(
    kind | RECORD_VERSION << 16
    for kind in Command
    if kind not in {Command.ADVANCE, Command.TOMBSTONE}
)
_LOW: Final = 0xFFFFFFFF


class Committed(Protocol):
    """What one commit gave."""

    @property
    def first_seq(self) -> int: ...

    @property
    def events(self) -> bytes: ...

    @property
    def boundaries(self) -> Sequence[int]: ...

    @property
    def start(self) -> int: ...


class Sequencing(Protocol):
    """The part of journal.Sequencer that stands behind this door."""

    @property
    def seq(self) -> int: ...

    def now_us(self) -> int: ...

    def commit(self, commands: Sequence[bytes]) -> Committed: ...

    def query(self, record: bytes) -> bytes: ...


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Every bound of the door."""

    queue: int = 8_192  # commands that wait: about 40 ms of work
    batch: int = 4_096  # commands of one commit: the journal's own bound
    lag: int = 200_000  # seqs that the projections may be behind; 0 = any
    peer_bytes: int = 64 << 20  # unread by one peer, then it is dropped
    frame_bytes: int = 1 << 17  # of one frame that comes in
    peers: int = 256


class WriterServer:
    """Accepts peers, gathers commands, commits once a turn, answers and publishes."""

    def __init__(
        self,
        sequencer: Sequencing,
        source: CommitSource,
        *,
        limits: Limits | None = None,
        on_commit: Callable[[int], None] | None = None,
        advance_clock: Callable[[int], None] | None = None,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Stand before `sequencer`; `on_commit(n)` hears of each commit of n commands."""
        self.sequencer = sequencer
        self.source = source
        self.limits = limits or Limits()
        self.peers: set[Peer] = set()
        self.cursor = sequencer.seq  # the projections', as far as anybody has said
        self.has_cursor = False  # somebody has said
        self.counters = dict.fromkeys(
            ("commits", "commands", "queries", "overloaded", "dropped", "commit_ns", "batch_max"), 0
        )
        self._on_commit = on_commit
        self._advance_clock = advance_clock
        self._on_failure = on_failure
        self._records: list[bytes] = []
        self._askers: list[tuple[Peer, int]] = []
        self._questions: list[tuple[Peer, int, int, bytes]] = []
        self._scheduled = False
        self._failed = False
        self._server: asyncio.AbstractServer | None = None
        self._loop = asyncio.get_running_loop()
        self._started = time.monotonic()

    async def listen(self, address: str | Path) -> None:
        """Begin to accept at a Unix socket that only this user may open."""
        self._server = await self._loop.create_unix_server(
            lambda: Peer(self), sock=bound(str(address))
        )

    async def close(self) -> None:
        """Accept nobody more, commit what waits, let go of all."""
        if self._server is not None:
            self._server.close()
        while (self._records or self._questions) and not self._failed:
            self._turn()
        for peer in list(self.peers):
            peer.close()
        await asyncio.sleep(0)

    # ---- what comes in

    def ask_command(self, peer: Peer, correlation: int, record: bytes) -> None:
        if len(self._records) >= self.limits.queue or peer.is_refused:
            full = f"{self.limits.queue} commands wait"
            why = "one before it was refused" if peer.is_refused else full
            peer.is_refused = peer.in_order
            self._overloaded(peer, correlation, why)
            return
        if self.limits.lag and self.sequencer.seq - self.cursor > self.limits.lag:
            peer.is_refused = peer.in_order
            behind = self.sequencer.seq - self.cursor
            self._overloaded(peer, correlation, f"the projections are {behind} commands behind")
            return
        if len(record) < RECORD_HEAD_BYTES:
            peer.fault(correlation, FaultCode.INVALID, "a record has at least five words")
            return
        (word,) = _WORD.unpack_from(record)
        if word & _LOW not in _ACCEPTED or word >> 32 != len(record) or word >> 32 & 7:
            peer.fault(correlation, FaultCode.INVALID, "kind, version or length is not a command's")
            return
        self._records.append(record)
        self._askers.append((peer, correlation))
        self._schedule()

    def ask(self, peer: Peer, frame: int, correlation: int, payload: bytes) -> None:
        """Take a question; it is answered after the commands that are waiting now."""
        if len(self._questions) >= self.limits.queue:
            self._overloaded(peer, correlation, f"{self.limits.queue} questions wait")
            return
        self._questions.append((peer, frame, correlation, payload))
        self._schedule()

    def _overloaded(self, peer: Peer, correlation: int, why: str) -> None:
        self.counters["overloaded"] += 1
        peer.fault(correlation, FaultCode.OVERLOADED, f"{why}; the command was not executed")

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    # ---- one turn

    def _turn(self) -> None:
        self._scheduled = False
        if self._failed:
            return
        try:
            if self._records:
                self._commit()
            if self._questions and not self._records:
                self._answer()
        except BaseException as error:
            self._fail(error)
            raise
        if self._records or self._questions:
            self._schedule()

    def _commit(self) -> None:
        batch = self.limits.batch
        records, self._records = self._records[:batch], self._records[batch:]
        askers, self._askers = self._askers[:batch], self._askers[batch:]
        begun = time.perf_counter_ns()
        committed = self.sequencer.commit(records)
        counters = self.counters
        counters["commit_ns"] += time.perf_counter_ns() - begun
        counters["commits"] += 1
        counters["commands"] += len(records)
        counters["batch_max"] = max(counters["batch_max"], len(records))
        events = committed.events
        boundaries = committed.boundaries
        self.publish(committed.first_seq + len(boundaries) - 1, events)
        if len(boundaries) != len(records):
            boundaries = ends_of(records, boundaries)
        pack = HEAD.pack
        place = PLACE.pack
        start = committed.start
        for (peer, correlation), end in zip(askers, boundaries, strict=True):
            if peer.by_place:
                peer.places.append(place(correlation, start, end))
            else:
                peer.out.append(pack(end - start, _REPLY, 0, correlation))
                peer.out.append(events[start:end])
            start = end
        for peer in {peer for peer, _ in askers}:
            if peer.places:
                peer.out.append(encode(Frame.REPLIES, 0, b"".join(peer.places)))
                peer.places.clear()
            peer.flush()
        if self._on_commit is not None:
            self._on_commit(len(records))

    def publish(self, last_seq: int, events: bytes) -> None:
        """Hand a commit to every subscriber that is up to date; also the sequencer's own ones."""
        frame = b""
        for peer in self.peers:
            feed = peer.feed
            if feed is not None and feed.is_live:
                frame = frame or encode(Frame.EVENTS, last_seq, events)
                feed.next_seq = last_seq + 1
                peer.out.append(frame)
                peer.flush_soon()

    def _answer(self) -> None:
        questions, self._questions = self._questions, []
        self.counters["queries"] += len(questions)
        for peer, frame, correlation, payload in questions:
            if frame == Frame.QUERY:
                found = self.sequencer.query(payload)
            elif frame == Frame.STATUS:
                found = msgspec.msgpack.encode(self.status())
            elif self._advance_clock is None:
                peer.fault(correlation, FaultCode.INVALID, 'this house has no clock = "test"')
                continue
            else:
                (by_us,) = SEQ.unpack(payload)
                self._advance_clock(by_us)
                found = b""
            seq = self.sequencer.seq
            peer.out.append(encode(Frame.ANSWER, correlation, SEQ.pack(seq) + found))
            peer.flush_soon()

    def status(self) -> dict[str, Any]:
        """Return the counters, for metrics and health."""
        seq = self.sequencer.seq
        return {
            **self.counters,
            "seq": seq,
            "cursor": self.cursor,
            "lag": seq - self.cursor,
            "queue": len(self._records),
            "peers": len(self.peers),
            "subscribers": sum(peer.feed is not None for peer in self.peers),
            "roles": sorted(peer.role for peer in self.peers),
            "time_us": self.sequencer.now_us(),
            "uptime_s": time.monotonic() - self._started,
        }

    def set_cursor(self, seq: int) -> None:
        """Take the projections' position and tell every subscriber."""
        self.cursor, self.has_cursor = seq, True
        for peer in self.peers:
            if peer.feed is not None:
                peer.tell_cursor()

    def _fail(self, error: BaseException) -> None:
        """Stop for ever: say HALTED to what was not begun, nothing to what was."""
        self._failed = True
        text = "the house has stopped; the command was not executed"
        for peer, correlation in self._askers:
            peer.fault(correlation, FaultCode.HALTED, text)
        self._records.clear()
        self._askers.clear()
        for peer in list(self.peers):
            peer.flush()
        if self._on_failure is not None:
            self._on_failure(error)


class Peer(asyncio.Protocol):
    """One connection: frames in, and a list of frames that leave together."""

    def __init__(self, server: WriterServer) -> None:
        self.server = server
        self.role = ""
        self.feed: Feed | None = None
        self.out: list[bytes] = []
        self.places: list[bytes] = []  # of the replies of the commit that is being told
        self.in_order = False
        self.is_refused = False  # a command of a client that is in order, and so all after it
        self._wants_places = False
        self._reader = FrameReader(server.limits.frame_bytes)
        self._transport: asyncio.Transport | None = None
        self._flushing = False
        self._greeted = False
        self._loop = asyncio.get_running_loop()

    # ---- of the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by descent
        self._transport.set_write_buffer_limits(high=Feed.AHEAD_BYTES, low=Feed.AHEAD_BYTES // 4)
        if len(self.server.peers) >= self.server.limits.peers:
            self.fault(0, FaultCode.OVERLOADED, f"{self.server.limits.peers} peers are connected")
            self.close()
            return
        self.server.peers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self.server.peers.discard(self)
        self._transport = None
        self.out.clear()
        if self.feed is not None:
            self.feed.close()
            self.feed = None

    def data_received(self, data: bytes) -> None:
        try:
            for frame, correlation, payload in self._reader.feed(data):
                if frame == _COMMAND and self._greeted:
                    self.server.ask_command(self, correlation, payload)
                else:
                    self._take(frame, correlation, payload)
        except (FrameFault, msgspec.DecodeError, struct.error) as error:
            self.fault(0, FaultCode.INVALID, f"this is no frame of version {VERSION}: {error}")
            self.close()

    def resume_writing(self) -> None:
        if self.feed is not None:
            self.feed.pump()

    # ---- frames

    def _take(self, frame: int, correlation: int, payload: bytes) -> None:
        if not self._greeted:
            self._greet(frame, payload)
        elif frame in {Frame.QUERY, Frame.STATUS} or (frame == Frame.CLOCK and len(payload) == 8):
            self.server.ask(self, frame, correlation, payload)
        elif frame == Frame.SUBSCRIBE and self.feed is None:
            wanted = msgspec.msgpack.decode(payload, type=Subscribe)
            self.feed = Feed(self, self.server, wanted.from_seq)
            self._wants_places = wanted.by_place
            self.feed.pump()
            if self.server.has_cursor:  # said before: it may not be said again for hours
                self.tell_cursor()
        elif frame == Frame.CURSOR:
            self.server.set_cursor(SEQ.unpack(payload)[0])
        else:
            raise FrameFault(f"type {frame} is not expected here")

    def _greet(self, frame: int, payload: bytes) -> None:
        if frame != Frame.HELLO:
            raise FrameFault("the first frame must be HELLO")
        hello = msgspec.msgpack.decode(payload, type=Hello)
        if hello.version != VERSION:
            raise FrameFault(f"version {hello.version} is not spoken here")
        self._greeted = True
        self.role = hello.role[:32]
        self.in_order = hello.in_order
        answer = Hello(version=VERSION, role="writer", seq=self.server.sequencer.seq)
        self.out.append(encode(Frame.HELLO, 0, msgspec.msgpack.encode(answer)))
        self.flush_soon()

    def tell_cursor(self) -> None:
        self.out.append(encode(Frame.CURSOR, 0, SEQ.pack(self.server.cursor)))
        self.flush_soon()

    def fault(self, correlation: int, code: FaultCode, text: str) -> None:
        self.out.append(encode_fault(correlation, code, text))
        self.flush_soon()

    # ---- what goes out

    @property
    def by_place(self) -> bool:
        """Whether replies are told as places in the EVENTS that this peer has just been given."""
        return self._wants_places and self.feed is not None and self.feed.is_live

    def unread_bytes(self) -> int:
        """Return how much has been written and not taken by the peer."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def flush_soon(self) -> None:
        """Write at the end of this turn, with what else comes until then."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what has gathered, in one piece; a peer that doesn't read is dropped."""
        self._flushing = False
        out = self.out
        if not out:
            return
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.write(b"".join(out) if len(out) > 1 else out[0])
            if transport.get_write_buffer_size() > self.server.limits.peer_bytes:
                self.server.counters["dropped"] += 1
                transport.abort()
        out.clear()

    def close(self) -> None:
        """Write what has gathered and let go."""
        self.flush()
        if self._transport is not None:
            self._transport.close()


def ends_of(records: Sequence[bytes], boundaries: Sequence[int]) -> list[int]:
    """Return where the events of each command end, of those of each number: lists take two."""
    found = []
    place = -1
    for record in records:
        place += numbers_of(record)
        found.append(boundaries[place])
    return found
