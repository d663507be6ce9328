"""The event log: what came of each batch, by seq, for streams, projections and rebuilds.

Same framing as the journal, kept beside it in events/. It is derived: synced lazily, never
ahead of the journal, and cut at the first record that isn't whole, because recovery can make it
again by replaying the journal. A record stands for each batch, even if it made no events, so
seqs are without gaps.

Promises: read_from() gives only whole records in order, and finds a seq by a sparse index.
Not promised: durability. Whoever needs an event after a power cut gets it from the replay.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from fondaco.journal.disk import Disk, OsDisk, read_all, settle_directory, write_all
from fondaco.journal.faults import ForeignJournal, Halted, JournalDamaged, halted_by
from fondaco.journal.framing import (
    HEAD_BYTES,
    RECORD_BYTES_MAX,
    Batch,
    frame,
    padded,
    read_head,
    read_record,
)
from fondaco.journal.log import Position
from fondaco.journal.segments import (
    EVENTS,
    SEGMENT_HEAD_BYTES,
    create_segment,
    list_segments,
    parse_head,
    read_segment,
    segment_name,
)

__all__ = ["REBUILD", "EventLog"]

SEGMENT_BYTES: Final = 64 << 20
INDEX_STEP_BYTES: Final = 64 << 10  # one entry each; a read passes over half of it on average
READ_BYTES: Final = 1 << 20
_GENESIS: Final = bytes(16)
REBUILD: Final = "stop the house and remove events/: the next start makes it again"


class EventLog:
    """Events by seq. recover() first, then append()."""

    def __init__(
        self, directory: str, disk: Disk | None = None, *, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        """Name the directory; nothing is read or written yet."""
        self.directory = directory
        self.house = b""
        self.torn_bytes_cut = 0
        self.dirty = False  # something was appended since the last sync
        self._disk: Disk = OsDisk() if disk is None else disk
        self._segment_bytes = segment_bytes
        self._handle = -1
        self._path = ""
        self._offset = 0
        self._seq = 0
        self._digest = _GENESIS
        self._segments: list[int] = []
        # first seq of a segment -> the (first seqs, offsets) of some of its records
        self._index: dict[int, tuple[list[int], list[int]]] = {}
        self._failure: OSError | None = None

    # ---- recovery

    def recover(self, house: bytes, settled_seq: int = 0) -> int:
        """Find the end, cut what isn't whole, and return the last seq (0: empty).

        settled_seq is known to be durable, by a snapshot. What is after it may stand in the page
        cache only, and after a failed sync the kernel may hold it clean but unwritten: so it is
        written again, the same bytes to the same place, for the next sync to find.
        """
        self.house = house
        try:
            self._recover()
            if self._seq > settled_seq:
                self._settle(settled_seq)
            return self._seq
        except OSError as error:
            raise self._halt(error, f"reading the events in {self.directory}") from error

    def _recover(self) -> None:
        disk = self._disk
        settle_directory(disk, self.directory)
        self._segments = list_segments(disk, self.directory)
        while self._segments and not self._take_last(self._segments[-1]):
            disk.remove(self._path)
            disk.fsync_directory(self.directory)
            self._segments.pop()

    def _settle(self, settled_seq: int) -> None:
        seqs, offsets = self._index[self._segments[-1]]
        at = bisect_right(seqs, settled_seq) - 1
        start = offsets[at] if at > 0 else 0
        unsure = read_all(self._disk, self._handle, self._offset - start, start)
        write_all(self._disk, self._handle, unsure, start)
        self.dirty = True

    def _take_last(self, first_seq: int) -> bool:
        """Open the last segment and find its last whole record; False if its head isn't whole."""
        disk = self._disk
        self._path = os.path.join(self.directory, segment_name(first_seq))
        handle = disk.open(self._path)
        buffer = read_segment(disk, handle)
        try:
            head = parse_head(buffer, self._path, kind=EVENTS, first_seq=first_seq)
        except JournalDamaged:
            disk.close(handle)
            return False
        if head.house != self.house:
            disk.close(handle)
            raise ForeignJournal(
                self._path, 16, first_seq, "another house wrote this: put back this house's own"
            )
        self._seq = first_seq - 1
        self._digest = head.previous
        offset = SEGMENT_HEAD_BYTES
        entries = _Entries()
        while (batch := read_record(buffer, offset, self._digest, self._seq + 1)) is not None:
            entries.note(batch.first_seq, offset)
            self._seq = batch.last_seq
            self._digest = batch.digest
            offset += HEAD_BYTES + padded(len(batch.payload))
        self._index[first_seq] = entries.lists
        self._handle = handle
        self._offset = offset
        if offset < len(buffer):
            self.torn_bytes_cut += len(buffer) - offset
            disk.truncate(handle, offset)
        return True

    def restart_at(self, first_seq: int) -> None:
        """Forget everything and begin at first_seq; recovery replays from there."""
        disk = self._disk
        if self._handle >= 0:
            disk.close(self._handle)
            self._handle = -1
        for segment in self._segments:
            disk.remove(os.path.join(self.directory, segment_name(segment)))
        self._segments = []
        self._index = {}
        self._seq = first_seq - 1
        self._digest = _GENESIS

    # ---- appending

    def append(self, events: bytes, first_seq: int, last_seq: int) -> None:
        """Append the events of one batch; not synced."""
        if self._failure is not None:
            raise halted_by(self._failure, f"writing {self._path}")
        assert first_seq == self._seq + 1, f"events of seq {first_seq} don't follow {self._seq}"
        record, digest = frame(
            events,
            first_seq=first_seq,
            last_seq=last_seq,
            time_us=0,
            events_digest=0,
            previous=self._digest,
            house=self.house,
        )
        try:
            full = self._offset + len(record) > self._segment_bytes
            if self._handle < 0 or (full and self._offset > SEGMENT_HEAD_BYTES):
                self._roll(first_seq)
            write_all(self._disk, self._handle, record, self._offset)
        except OSError as error:
            raise self._halt(error, f"writing {self._path}") from error
        _note(self._index[self._segments[-1]], first_seq, self._offset)
        self._offset += len(record)
        self._seq = last_seq
        self._digest = digest
        self.dirty = True

    def _roll(self, first_seq: int) -> None:
        disk = self._disk
        if self._handle >= 0:
            disk.fdatasync(self._handle)
            disk.close(self._handle)
        self._handle, self._path = create_segment(
            disk,
            self.directory,
            kind=EVENTS,
            first_seq=first_seq,
            house=self.house,
            previous=self._digest,
        )
        self._segments.append(first_seq)
        self._index[first_seq] = ([], [])
        self._offset = SEGMENT_HEAD_BYTES

    def sync(self) -> None:
        """Make what was appended durable."""
        if self._failure is not None:
            raise halted_by(self._failure, f"writing {self._path}")
        if not self.dirty:
            return
        try:
            self._disk.fdatasync(self._handle)
        except OSError as error:
            raise self._halt(error, f"syncing {self._path}") from error
        self.dirty = False

    def sync_path(self) -> str | None:
        """Return the file whose sync makes all so far durable; a thread may do that."""
        return self._path if self._handle >= 0 else None

    # ---- reading

    def last(self) -> Position:
        """Return where the log ends."""
        return Position(self._seq, self._digest)

    def first_seq(self) -> int:
        """Return the oldest seq that can be read; 0 if there is none."""
        return self._segments[0] if self._segments else 0

    def read_from(self, seq: int) -> Iterator[Batch]:
        """Yield the batches of events that hold seq and later, as of now, in order."""
        last_seq = self._seq
        if seq > last_seq or not self._segments:
            return
        start = bisect_right(self._segments, seq) - 1
        if start < 0:
            raise LookupError(f"the events begin at seq {self._segments[0]}; asked for {seq}")
        for first_seq in self._segments[start:]:
            for batch in self._read_segment(first_seq, seq):
                if batch.last_seq >= seq:
                    yield batch
                if batch.last_seq >= last_seq:
                    return

    def _read_segment(self, first_seq: int, seq: int) -> Iterator[Batch]:
        path = os.path.join(self.directory, segment_name(first_seq))
        handle = self._disk.open(path)
        try:
            seqs, offsets = self._entries(first_seq, handle)
            at = bisect_right(seqs, seq) - 1
            yield from self._records(handle, path, offsets[max(at, 0)] if offsets else 0)
        except OSError as error:
            raise halted_by(error, f"reading {path}") from error
        finally:
            self._disk.close(handle)

    def _records(self, handle: int, path: str, offset: int) -> Iterator[Batch]:
        """Yield the records from an offset on, reading in pieces."""
        previous: bytes | None = None
        seq = 0
        wanted = READ_BYTES
        offset = max(offset, SEGMENT_HEAD_BYTES)
        while True:
            buffer = read_all(self._disk, handle, wanted, offset)
            at = 0
            while (head := read_head(buffer, at, self.house)) is not None:
                end = at + HEAD_BYTES + padded(head.length)
                if end > len(buffer):
                    break
                expected = head.first_seq if previous is None else seq + 1
                batch = read_record(buffer, at, previous or head.previous, expected)
                if batch is None:
                    raise JournalDamaged(path, offset + at, head.first_seq, REBUILD)
                previous, seq, at = batch.digest, batch.last_seq, end
                yield batch
            if head is None and len(buffer) - at >= HEAD_BYTES:
                raise JournalDamaged(path, offset + at, seq + 1, REBUILD)
            if len(buffer) < wanted:
                return  # the end of the file
            needed = HEAD_BYTES + padded(head.length) if head is not None else 0
            assert needed <= RECORD_BYTES_MAX
            wanted = max(READ_BYTES, needed)
            offset += at

    def _entries(self, first_seq: int, handle: int) -> tuple[list[int], list[int]]:
        found = self._index.get(first_seq)
        if found is None:
            buffer = read_all(self._disk, handle, self._disk.size(handle), 0)
            entries = _Entries()
            offset = SEGMENT_HEAD_BYTES
            while (head := read_head(buffer, offset, self.house)) is not None:
                entries.note(head.first_seq, offset)
                offset += HEAD_BYTES + padded(head.length)
            found = self._index[first_seq] = entries.lists
        return found

    # ---- stopping

    def close(self) -> None:
        """Sync and let go."""
        if self._handle < 0:
            return
        try:
            if self._failure is None:
                self.sync()
        finally:
            self._disk.close(self._handle)
            self._handle = -1

    def _halt(self, error: OSError, doing: str) -> Halted:
        self._failure = error
        return halted_by(error, doing)


class _Entries:
    """An index in the making."""

    def __init__(self) -> None:
        self.lists: tuple[list[int], list[int]] = ([], [])

    def note(self, seq: int, offset: int) -> None:
        _note(self.lists, seq, offset)


def _note(lists: tuple[list[int], list[int]], seq: int, offset: int) -> None:
    """Add an entry if the last one is far enough away."""
    seqs, offsets = lists
    if not offsets or offset - offsets[-1] >= INDEX_STEP_BYTES:
        seqs.append(seq)
        offsets.append(offset)
