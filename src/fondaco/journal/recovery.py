"""Starting is recovering: the newest snapshot, then the tail of the journal, always the same path.

    DATA/journal  DATA/events  DATA/snapshots

Promises: every acknowledged command is in the state that comes out, or an exception says which
file is damaged and what to do; a damaged journal is left as it was found. The event log is
extended by what the replay makes, or made anew.

Older segments than the snapshot needs are checked too, up to CHECKED_BYTES_MAX, so that damage
is found while a copy may still exist; `fondaco verify` checks everything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from fondaco.core import snapshot as core_snapshot
from fondaco.core.exchange import Exchange
from fondaco.journal.calendar import Calendar
from fondaco.journal.clock import Clock, TestClock
from fondaco.journal.disk import Disk, OsDisk, settle_directory
from fondaco.journal.events import EventLog
from fondaco.journal.faults import (
    VERIFY,
    ForeignJournal,
    JournalDamaged,
    WrongVersion,
    halted_by,
)
from fondaco.journal.file_log import FileLog
from fondaco.journal.framing import Batch
from fondaco.journal.replay import Replay
from fondaco.journal.segments import segment_name
from fondaco.journal.sequencer import SNAPSHOT_EVERY, Core, Sequencer
from fondaco.journal.snapshots import Snapshot, Snapshots, check_hash

__all__ = ["Rooms", "new_exchange", "open_sequencer"]

# About a second of reading; a start must stay quick when a house is years old.
CHECKED_BYTES_MAX: Final = 512 << 20

Progress = Callable[[int], None]


class Rooms:
    """The three directories of a data directory that the journal owns."""

    def __init__(self, data_dir: str | os.PathLike[str], disk: Disk | None = None) -> None:
        """Name them; nothing is read or written."""
        self.data_dir = os.fspath(data_dir)
        self.disk: Disk = OsDisk() if disk is None else disk
        self.journal = os.path.join(self.data_dir, "journal")
        self.events = os.path.join(self.data_dir, "events")
        self.snapshots = os.path.join(self.data_dir, "snapshots")


def new_exchange(orders_at_hand: int = 0) -> Core:
    """Return an empty core that has memory at hand for this many orders a day."""
    exchange = Exchange()
    exchange.reserve(orders_at_hand)
    return exchange


def open_sequencer(
    data_dir: str | os.PathLike[str],
    clock: Clock,
    *,
    calendar: Calendar | None = None,
    exchange_factory: Callable[[], Core] | None = None,
    hash_of: Callable[[bytes], bytes] | None = None,
    disk: Disk | None = None,
    segment_bytes: int | None = None,
    preallocate_bytes: int | None = None,
    snapshot_every: int = SNAPSHOT_EVERY,
    background: bool = True,
    orders_at_hand: int = 0,
    on_progress: Progress | None = None,
) -> Sequencer:
    """Recover the house in data_dir, or begin one, and return its sequencer, ready.

    calendar = by whose days the sequencer commits ROLLs, None for no ROLLs.
    orders_at_hand = for how many orders a day the core has its memory before it begins.
    The caller holds the lock on data_dir (lock.lock_data). Raises JournalDamaged, Poisoned or
    Halted. on_progress hears the seq that has been replayed, now and then.
    """
    rooms = Rooms(data_dir, disk)
    opening = _Opening(
        rooms,
        exchange_factory or partial(new_exchange, orders_at_hand),
        hash_of or (core_snapshot.hash_of if exchange_factory is None else None),
        _sizes(segment_bytes, preallocate_bytes),
        on_progress,
    )
    try:
        opening.run()
    except OSError as error:
        raise halted_by(error, f"opening {rooms.data_dir}") from error
    sequencer = Sequencer(
        opening.exchange,
        opening.log,
        opening.events,
        clock,
        calendar=calendar,
        snapshots=opening.snapshots,
        snapshot_every=snapshot_every,
        hash_of=opening.hash_of,
        events_digest=opening.events_digest,
        snapshot_seq=opening.snapshot_seq,
        disk=disk,
        background=background,
    )
    if isinstance(clock, TestClock):
        clock.catch_up(sequencer.time_us)
    if sequencer.seq - opening.snapshot_seq >= snapshot_every:
        sequencer.snapshot()
    return sequencer


def _sizes(segment_bytes: int | None, preallocate_bytes: int | None) -> dict[str, int]:
    sizes = {"segment_bytes": segment_bytes, "preallocate_bytes": preallocate_bytes}
    return {name: size for name, size in sizes.items() if size is not None}


class _Opening:
    """One recovery, step by step."""

    def __init__(
        self,
        rooms: Rooms,
        exchange_factory: Callable[[], Core],
        hash_of: Callable[[bytes], bytes] | None,
        sizes: dict[str, int],
        on_progress: Progress | None,
    ) -> None:
        self.rooms = rooms
        self.factory = exchange_factory
        self.hash_of = hash_of
        self.exchange = exchange_factory()
        self.events_digest = 0
        self.snapshot_seq = 0
        self._events_seq = 0  # of the event log as it was found
        self._events_from = 0  # where the event log is to begin anew; 0 = it goes on
        self.log = FileLog(rooms.journal, rooms.disk, **sizes)
        segment = {name: size for name, size in sizes.items() if name == "segment_bytes"}
        self.events = EventLog(rooms.events, rooms.disk, **segment)
        self.snapshots = Snapshots(rooms.snapshots, rooms.disk)
        self._on_progress = on_progress

    def run(self) -> None:
        disk = self.rooms.disk
        settle_directory(disk, self.rooms.data_dir)
        self._refuse_orphans()
        self.log.prepare()
        self.snapshots.prepare()
        newest = next(self.snapshots.whole(self.log.house), None)
        events_seq = self.events.recover(self.log.house, newest.seq if newest else 0)
        snapshot = self._choose(newest, events_seq)
        from_seq = 1
        if snapshot is not None:
            self._load(snapshot)
            from_seq = snapshot.seq + 1
        self._events_seq = events_seq
        self._events_from = from_seq if events_seq < from_seq - 1 or events_seq == 0 else 0
        self._replay(snapshot, from_seq)
        self._compare_ends(snapshot, events_seq)
        self._restart_events()

    def _refuse_orphans(self) -> None:
        """Refuse to begin a new journal where events or snapshots tell of an older one."""
        disk = self.rooms.disk
        names = _names(disk, self.rooms.journal)
        if any(name.endswith(".segment") for name in names):
            return
        snapshots = Snapshots(self.rooms.snapshots, disk).seqs()
        kept = [name for name in _names(disk, self.rooms.events) if name.endswith(".segment")]
        if snapshots or kept:
            seq = max(snapshots, default=0)
            raise JournalDamaged(
                self.rooms.journal,
                0,
                seq + 1,
                "the journal is gone but its snapshots or events are here: restore it from a "
                "copy, or empty the data directory to begin a new house",
            )

    def _choose(self, newest: Snapshot | None, events_seq: int) -> Snapshot | None:
        """Return the newest snapshot that lets the event log be whole; None = from the start."""
        if newest is not None and newest.seq <= events_seq:
            return newest
        first = self.log.first_seq()
        for snapshot in self.snapshots.whole(self.log.house) if newest is not None else ():
            if snapshot.seq <= events_seq:
                return snapshot
        if first > 1:
            if newest is None or newest.seq + 1 < first:
                raise JournalDamaged(
                    os.path.join(self.rooms.journal, segment_name(first)),
                    0,
                    1,
                    f"no snapshot is whole and the journal begins at seq {first}; {VERIFY}",
                )
            return newest
        return None

    def _load(self, snapshot: Snapshot) -> None:
        path = self.snapshots.path(snapshot.seq)
        try:
            self.exchange.load(snapshot.dump)
        except ValueError as error:  # its checks have passed: another release's core wrote it
            advice = f"{error}: start the release that wrote it"
            raise WrongVersion(path, 0, snapshot.seq, advice) from error
        if any(snapshot.state_hash):
            check_hash(snapshot, path, self.exchange.state_hash)
        self.events_digest = snapshot.events_digest
        self.snapshot_seq = snapshot.seq

    def _replay(self, snapshot: Snapshot | None, from_seq: int) -> None:
        replay = Replay(
            self.exchange,
            events_digest=self.events_digest,
            path=self.rooms.journal,
            keep=self._keep,
        )
        try:
            replay.run(self._batches(snapshot, from_seq))
        except BaseException:
            self.log.close()
            raise
        assert replay.events_digest is not None
        self.events_digest = replay.events_digest

    def _restart_events(self) -> None:
        """Begin the event log where the snapshot stands: what was before can't be made again."""
        if self._events_from:
            self.events.restart_at(self._events_from)
            self._events_from = 0

    def _keep(self, events: bytes, first_seq: int, last_seq: int) -> None:
        if first_seq > self._events_seq:
            self._restart_events()
            self.events.append(events, first_seq, last_seq)
        if self._on_progress is not None:
            self._on_progress(last_seq)

    def _batches(self, snapshot: Snapshot | None, from_seq: int) -> Iterator[Batch]:
        """Yield the tail; check that the snapshot stands where the journal says it does."""
        start = self.log.check_from(max(from_seq - 1, self.log.first_seq()), CHECKED_BYTES_MAX)
        for batch in self.log.recover(start):
            if snapshot is not None and batch.last_seq == snapshot.seq:
                self._judge_snapshot(snapshot, batch)
            if batch.first_seq >= from_seq:
                yield batch

    def _judge_snapshot(self, snapshot: Snapshot, batch: Batch) -> None:
        if batch.digest != snapshot.digest:
            raise ForeignJournal(
                self.snapshots.path(snapshot.seq),
                0,
                snapshot.seq,
                "it doesn't belong to this journal: put back what was here, or remove it",
            )

    def _compare_ends(self, snapshot: Snapshot | None, events_seq: int) -> None:
        """Events and snapshots are never ahead of the journal; if they are, it was cut."""
        last_seq = self.log.last().seq
        ahead = max(events_seq, snapshot.seq if snapshot else 0, *self.snapshots.seqs(), 0)
        if ahead > last_seq:
            self.log.close()
            raise JournalDamaged(
                self.log.path,
                self.log.offset,
                last_seq + 1,
                f"the journal ends before seq {ahead} of its events or snapshots; {VERIFY}",
            )


def _names(disk: Disk, directory: str) -> list[str]:
    try:
        return disk.list(directory)
    except FileNotFoundError:
        return []
