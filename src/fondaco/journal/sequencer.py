"""The sequencer: the one place where commands get their order, their time and their durability.

commit() stamps all it is given, appends one record to the log, which syncs once, then applies,
then notes the events. Whoever gets the returned events may tell anyone: they are durable.

Promises: a command whose events were returned survives a power cut; seqs have no gaps and times
never go back; with a calendar no command of a day comes before the ROLL that tells the core that
day; after any error of a disk, or of the core, nothing is ever committed again.
Not promised: thread safety. One thread calls commit(), tick() and snapshot().
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NamedTuple, Protocol

from fondaco.core.exchange import events_digest
from fondaco.core.records import Command, numbers_of, pack
from fondaco.journal.calendar import Calendar
from fondaco.journal.clock import Clock
from fondaco.journal.disk import Disk, OsDisk
from fondaco.journal.events import EventLog
from fondaco.journal.faults import Halted, Poisoned, halted_by
from fondaco.journal.log import Log
from fondaco.journal.snapshots import Snapshot, Snapshots

__all__ = ["COMMANDS_PER_BATCH_MAX", "SNAPSHOT_EVERY", "Committed", "Core", "Counters", "Sequencer"]

# One batch is one sync; past some hundred the sync is paid for and only latency grows.
COMMANDS_PER_BATCH_MAX: Final = 4096
# Replay runs at some 100,000s of commands a second: a start replays at most about a second.
SNAPSHOT_EVERY: Final = 250_000
REST_US: Final = 5_000  # without an append for this long, the watermark is synced alone
_TICK_S: Final = 0.005
_NEVER_US: Final = 1 << 63


def release() -> str:
    """Return the installed release of Fondaco; snapshots name the one that wrote them."""
    try:
        return version("fondaco")
    except PackageNotFoundError:
        return "unreleased"


class Core(Protocol):
    """What the journal asks of an exchange."""

    @property
    def seq(self) -> int: ...

    @property
    def time_us(self) -> int: ...

    @property
    def halted_seq(self) -> int: ...

    def apply(self, batch: bytes) -> bytes: ...

    def boundaries(self) -> list[int]: ...

    def stamp(self, batch: bytearray, first_seq: int, time_us: int) -> int: ...

    def query(self, record: bytes) -> bytes: ...

    def deadline(self) -> int: ...

    def day(self) -> int: ...

    def dump(self) -> bytes: ...

    def load(self, dump: bytes) -> None: ...

    def state_hash(self) -> bytes: ...


class Committed(NamedTuple):
    """What one commit gave; boundaries are the end offsets of each number's events.

    A list takes two numbers; the first has no events. Those of the first number begin at `start`:
    before it are those of a ROLL that came first.
    """

    first_seq: int
    events: bytes
    boundaries: list[int]
    start: int = 0


class Counters:
    """For metrics: what was done since the start."""

    __slots__ = ("bytes", "commands", "commits", "snapshots", "sync_s")

    def __init__(self) -> None:
        """Begin at nothing."""
        self.commits = 0
        self.commands = 0
        self.bytes = 0  # of commands
        self.sync_s = 0.0  # writing and syncing the log
        self.snapshots = 0


class Sequencer:
    """Order and durability around one core."""

    def __init__(
        self,
        exchange: Core,
        log: Log,
        events: EventLog,
        clock: Clock,
        *,
        calendar: Calendar | None = None,
        snapshots: Snapshots | None = None,
        snapshot_every: int = SNAPSHOT_EVERY,
        hash_of: Callable[[bytes], bytes] | None = None,
        events_digest: int = 0,
        snapshot_seq: int = 0,
        disk: Disk | None = None,
        background: bool = True,
    ) -> None:
        """Stand before a recovered core, log and event log (recovery.open_sequencer does that).

        calendar = whose days are told to the core; None tells none.
        events_digest is that of the last applied batch. background = snapshots are hashed and
        written by a thread; a simulation sets it to False.
        """
        self.exchange = exchange
        self.log = log
        self.events = events
        self.clock = clock
        self.counters = Counters()
        self.house = events.house
        self.snapshot_seq = snapshot_seq  # of the newest durable snapshot
        self._snapshots = snapshots
        self._snapshot_every = snapshot_every
        self._hash_of = hash_of
        self._events_digest = events_digest
        self._disk: Disk = OsDisk() if disk is None else disk
        self._background = background
        self._failure: Halted | None = None
        self._time_us = exchange.time_us
        self._seq = log.last().seq
        self._appended_us = clock.steady_us()
        self._rested = True
        self._thread: threading.Thread | None = None
        self._thread_error: OSError | None = None
        self._thread_seq = snapshot_seq
        self._release = release()
        self._advance = pack(Command.ADVANCE)
        self._calendar = calendar
        self._day_ends_us = 0 if calendar else _NEVER_US  # as far as it has been looked up

    @property
    def seq(self) -> int:
        """The last committed seq."""
        return self._seq

    @property
    def time_us(self) -> int:
        """The last stamp."""
        return self._time_us

    @property
    def halted(self) -> Halted | None:
        """Why nothing is committed any more; None while all is well."""
        return self._failure

    # ---- the one way in

    def commit(self, commands: Sequence[bytes]) -> Committed:
        """Order, sync and apply the commands, and return what came of them.

        At most COMMANDS_PER_BATCH_MAX. ValueError: the framing of one is off, nothing happened.
        Halted: this process commits nothing any more; what was given may or may not be durable.
        """
        if self._failure is not None:
            raise self._failure
        if not 0 < len(commands) <= COMMANDS_PER_BATCH_MAX:
            raise ValueError(
                f"a batch holds 1 to {COMMANDS_PER_BATCH_MAX} commands; got {len(commands)}"
            )
        time_us = self.now_us()
        if time_us >= self._day_ends_us:
            roll = self._roll(time_us)
            if roll is not None:
                first_seq, events, ends, _ = self._commit([roll, *commands], time_us)
                return Committed(first_seq + 1, events, ends[1:], ends[0])
        return self._commit(commands, time_us)

    def now_us(self) -> int:
        """Return the next stamp."""
        return max(self.clock.now_us(), self._time_us)

    def _roll(self, time_us: int) -> bytes | None:
        """Return the ROLL that is due at that moment, None if the core knows its day already.

        Days never go back, whatever a clock or a changed time zone says.
        """
        if self._calendar is None:
            return None
        today = self._calendar.day_of(time_us)
        if today.day > self.exchange.day():
            return pack(Command.ROLL, day=today.day, month=today.month)
        self._day_ends_us = today.ends_us
        return None

    def _commit(self, commands: Sequence[bytes], time_us: int) -> Committed:
        batch = bytearray().join(commands)
        first_seq = self._seq + 1
        count = self.exchange.stamp(batch, first_seq, time_us)
        if count != len(commands) and count != sum(map(numbers_of, commands)):
            raise ValueError(f"{len(commands)} commands were given, {count} records found in them")
        last_seq = self._seq + count
        stamped = bytes(batch)
        begun_ns = time.perf_counter_ns()
        try:
            self.log.append(
                stamped,
                first_seq=first_seq,
                last_seq=last_seq,
                time_us=time_us,
                events_digest=self._events_digest,
                flags=0,
            )
            counters = self.counters
            counters.sync_s += (time.perf_counter_ns() - begun_ns) / 1e9
            self._seq = last_seq
            self._time_us = time_us
            self._rested = False
            self._appended_us = self.clock.steady_us()
            events = self._apply(stamped, first_seq)
            self._events_digest = events_digest(events)
            self.events.append(events, first_seq, last_seq)
        except Halted as halt:
            self._failure = halt
            raise
        counters.commits += 1
        counters.commands += len(commands)
        counters.bytes += len(stamped)
        boundaries = self.exchange.boundaries()
        if self._snapshots is not None and last_seq - self._thread_seq >= self._snapshot_every:
            self.snapshot()
        return Committed(first_seq, events, boundaries)

    def _apply(self, batch: bytes, first_seq: int) -> bytes:
        try:
            return self.exchange.apply(batch)
        except Exception as error:
            seq = self.exchange.halted_seq or first_seq
            raise Poisoned(seq, f"{type(error).__name__}: {error}") from error

    def query(self, record: bytes) -> bytes:
        """Ask the core about now."""
        if self._failure is not None:
            raise self._failure
        return self.exchange.query(record)

    # ---- what time brings

    def tick(self) -> Committed | None:
        """Do what is due; call it at least every wait_s(). Returns what it committed, if anything.

        What is due: ADVANCE when the clock has passed the core's deadline; ROLL when a day has
        begun, one also after several; the watermark after 5 ms of rest; the end of a snapshot's
        thread.
        """
        if self._failure is not None:
            raise self._failure
        committed = None
        deadline = self.exchange.deadline()
        if deadline and self.clock.now_us() >= deadline:
            committed = self.commit([self._advance])
        elif self.now_us() >= self._day_ends_us:
            time_us = self.now_us()
            roll = self._roll(time_us)
            committed = None if roll is None else self._commit([roll], time_us)
        if not self._rested and self.clock.steady_us() - self._appended_us >= REST_US:
            self._rest()
        if self._thread is not None and not self._thread.is_alive():
            self._join()
        return committed

    def wait_s(self) -> float:
        """Return how long tick() may wait, in seconds; at most one."""
        if not self._rested or self._thread is not None:
            return _TICK_S
        due = min(self.exchange.deadline() or _NEVER_US, self._day_ends_us)
        return min(1.0, max(0.001, (due - self.clock.now_us()) / 1e6))

    def _rest(self) -> None:
        try:
            self.log.rest()
        except Halted as halt:
            self._failure = halt
            raise
        self._rested = True

    # ---- snapshots

    def snapshot(self, *, wait: bool = False) -> None:
        """Copy the state now; hash and write it beside what follows. wait = until it is durable.

        A snapshot that is still being written is waited for only if wait is set.
        """
        if self._snapshots is None:
            return
        if self._thread is not None:
            if self._thread.is_alive() and not wait:
                return
            self._join()
        if self._seq == self.snapshot_seq:
            return
        snapshot = Snapshot(
            self.house,
            self._seq,
            self._time_us,
            self._events_digest,
            self.log.last().digest,
            b"",
            self._release,
            self.exchange.dump(),
        )
        self._thread_seq = self._seq
        events_path = self.events.sync_path()
        if not self._background:
            self._write(snapshot, events_path)
            self._joined()
            return
        self._thread = threading.Thread(
            target=self._write, args=(snapshot, events_path), name="snapshot", daemon=True
        )
        self._thread.start()
        if wait:
            self._join()

    def _write(self, snapshot: Snapshot, events_path: str | None) -> None:
        """Write a snapshot, events first: a start needs none of those that it already covers."""
        assert self._snapshots is not None
        try:
            if events_path is not None:
                handle = self._disk.open(events_path)
                try:
                    self._disk.fdatasync(handle)
                finally:
                    self._disk.close(handle)
            hash_of = self._hash_of
            state_hash = hash_of(snapshot.dump) if hash_of else bytes(16)
            self._snapshots.save(snapshot._replace(state_hash=state_hash))
        except OSError as error:
            self._thread_error = error

    def _join(self) -> None:
        assert self._thread is not None
        self._thread.join()
        self._thread = None
        self._joined()

    def _joined(self) -> None:
        if self._thread_error is not None:
            self._failure = halted_by(self._thread_error, "writing a snapshot")
            raise self._failure from self._thread_error
        self.snapshot_seq = self._thread_seq
        self.counters.snapshots += 1

    # ---- stopping

    def close(self, *, snapshot: bool = True) -> None:
        """Stop cleanly: a snapshot, then everything durable. A halted one only lets go."""
        try:
            if self._thread is not None:
                self._thread.join()
                self._thread = None
            if self._failure is None and snapshot:
                self.snapshot(wait=True)
        finally:
            self.events.close()
            self.log.close()
