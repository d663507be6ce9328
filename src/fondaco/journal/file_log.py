"""The journal in files: preallocated segments, one record a batch, one fdatasync a batch.

    journal/00000000000000000001.segment ...   journal/watermark

Promises: append() returns only when the batch would survive a power cut. After any error of the
disk nothing is ever appended again: a failed fsync is not retried, because the kernel may have
dropped the pages and would report success. recover() gives every acknowledged batch or raises
JournalDamaged; it cuts only what was never acknowledged.

Not promised: that two processes may open it (lock.py sees to that), or that a record damaged
AND cut off from every later sync is told from a torn one (see docs/decisions/0201).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from fondaco.journal.disk import Disk, OsDisk, read_all, settle_directory, write_all
from fondaco.journal.faults import Halted, JournalDamaged, halted_by
from fondaco.journal.framing import RECORD_BYTES_MAX, Batch, frame
from fondaco.journal.log import Position
from fondaco.journal.scan import Scan, open_watermark
from fondaco.journal.segments import (
    JOURNAL,
    SEGMENT_HEAD_BYTES,
    create_segment,
    list_segments,
    segment_name,
)
from fondaco.journal.watermark import WATERMARK, Mark, Watermark

__all__ = ["FileLog"]

SEGMENT_BYTES: Final = 64 << 20  # read whole when recovering, so not much larger
PREALLOCATE_BYTES: Final = 1 << 20  # zeros ahead: a sync then changes no metadata
_GENESIS: Final = bytes(16)


class FileLog:
    """The house's journal. recover() first, then append()."""

    def __init__(
        self,
        directory: str,
        disk: Disk | None = None,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        preallocate_bytes: int = PREALLOCATE_BYTES,
    ) -> None:
        """Name the directory; nothing is read or written yet."""
        self.directory = directory
        self.house = b""  # 16 bytes, chosen once for a house, in every file of it
        self.torn_bytes_cut = 0  # by recover(): what was never acknowledged
        self.bytes_appended = 0
        self._disk: Disk = OsDisk() if disk is None else disk
        self._segment_bytes = segment_bytes
        self._preallocate_bytes = preallocate_bytes
        self._watermark: Watermark | None = None
        self._handle = -1
        self.path = ""  # of the segment in use
        self.offset = 0  # where the next record goes
        self._segment_seq = 0
        self._allocated = 0
        self._seq = 0
        self._digest = _GENESIS
        self._failure: OSError | None = None

    # ---- recovery

    def open(self) -> None:
        """Check the whole log and make it ready for append()."""
        for _ in self.recover():
            pass

    def recover(self, from_seq: int = 1) -> Iterator[Batch]:
        """Yield the batches from from_seq on; when exhausted, the log is ready for append().

        Raises JournalDamaged, or Halted on an error of the disk.
        """
        try:
            yield from self._recover(from_seq)
        except OSError as error:
            raise self._halt(error, f"reading the journal in {self.directory}") from error

    def prepare(self) -> None:
        """Make or open the watermark, learn the house's number, and settle what was written.

        A process that was killed leaves records in the page cache only, and after a failed sync
        the kernel may hold them clean but unwritten. So, before anything is answered from them,
        the bytes that the watermark doesn't cover are written again, the same to the same place,
        and synced. That changes no byte, whatever they turn out to be.
        """
        if self._watermark is not None:
            return
        disk = self._disk
        try:
            settle_directory(disk, self.directory)
            segments = list_segments(disk, self.directory, besides=(WATERMARK,))
            watermark = self._open_watermark(segments)
            watermark.settle()
            if segments:
                self._settle(segments[-1], watermark.mark)
        except OSError as error:
            raise self._halt(error, f"reading the journal in {self.directory}") from error
        self._watermark = watermark
        self.house = watermark.house

    def _settle(self, last_segment: int, mark: Mark) -> None:
        disk = self._disk
        handle = disk.open(os.path.join(self.directory, segment_name(last_segment)))
        try:
            start = mark.offset if mark.segment == last_segment else 0
            unsure = read_all(disk, handle, max(0, disk.size(handle) - start), start)
            unsure = unsure.rstrip(b"\x00")
            if unsure:
                write_all(disk, handle, unsure, start)
            disk.fdatasync(handle)
        finally:
            disk.close(handle)

    def _recover(self, from_seq: int) -> Iterator[Batch]:
        self.prepare()
        assert self._watermark is not None
        disk = self._disk
        scan = Scan(disk, self.directory, kind=JOURNAL, mark=self._watermark.mark, house=self.house)
        yield from scan.batches(from_seq)
        if scan.unborn is not None:
            self._remove_unborn(scan)
        if not scan.segments:
            self._begin_segment(first_seq=1)
            return
        self._seq = scan.last_seq
        self._digest = scan.digest
        self._segment_seq = scan.segments[-1]
        self.path = scan.tail_path
        self._handle = disk.open(self.path)
        self.offset = scan.tail_offset
        self._allocated = scan.tail_bytes
        if scan.torn:
            self.torn_bytes_cut = self._allocated - self.offset
            disk.truncate(self._handle, self.offset)
            self._allocated = self.offset
            disk.fdatasync(self._handle)
        for _ in range(2):  # both slots: one of them may have been damaged or torn
            self._write_mark()
            self._watermark.sync()

    def first_seq(self) -> int:
        """Return the oldest seq that the log holds, or 1 for a new one."""
        segments = list_segments(self._disk, self.directory, besides=(WATERMARK,))
        return segments[0] if segments else 1

    def check_from(self, seq: int, bytes_max: int) -> int:
        """Return how far back of seq recover() may begin so that it reads about bytes_max."""
        segments = list_segments(self._disk, self.directory, besides=(WATERMARK,))
        older = [first_seq for first_seq in segments if first_seq <= seq]
        return min(seq, older[-(bytes_max // self._segment_bytes) - 1 :][0]) if older else seq

    def _open_watermark(self, segments: list[int]) -> Watermark:
        disk = self._disk
        path = os.path.join(self.directory, WATERMARK)
        try:
            found = open_watermark(disk, self.directory, segments)
        except JournalDamaged:
            if segments:
                raise
            # Its creation was cut short: there was no segment, so nothing was acknowledged.
            disk.remove(path)
            found = None
        if found is None:
            mark = Mark(0, 0, 0, _GENESIS)
            return Watermark.create(disk, self.directory, os.urandom(16), mark)
        return found

    def _remove_unborn(self, scan: Scan) -> None:
        """Remove a segment whose creation was cut short; it can only be the next one."""
        assert scan.unborn is not None
        if os.path.basename(scan.unborn) != segment_name(scan.last_seq + 1):
            raise JournalDamaged(scan.unborn, 0, scan.last_seq + 1, "records before it are missing")
        self._disk.remove(scan.unborn)
        self._disk.fsync_directory(self.directory)

    # ---- appending

    def append(
        self,
        batch: bytes,
        *,
        first_seq: int,
        last_seq: int,
        time_us: int,
        events_digest: int,
        flags: int = 0,
    ) -> None:
        """Append one record; when it returns the batch would survive a power cut."""
        self._assert_usable()
        assert first_seq == self._seq + 1, f"seq {first_seq} doesn't follow {self._seq}"
        assert last_seq >= first_seq
        assert len(batch) <= RECORD_BYTES_MAX
        record, digest = frame(
            batch,
            first_seq=first_seq,
            last_seq=last_seq,
            time_us=time_us,
            events_digest=events_digest,
            previous=self._digest,
            house=self.house,
            flags=flags,
        )
        disk = self._disk
        try:
            end = self.offset + len(record)
            if end > self._segment_bytes and self.offset > SEGMENT_HEAD_BYTES:
                self._roll(first_seq)
                end = self.offset + len(record)
            if end > self._allocated:
                self._preallocate(end)
            write_all(disk, self._handle, record, self.offset)
            disk.fdatasync(self._handle)
            self.offset = end
            self._seq = last_seq
            self._digest = digest
            self._write_mark()
        except OSError as error:
            raise self._halt(error, f"writing {self.path}") from error
        self.bytes_appended += len(record)

    def _preallocate(self, end: int) -> None:
        """Write zeros ahead, so that most syncs need to write no metadata."""
        target = min(end + self._preallocate_bytes, max(self._segment_bytes, end))
        write_all(self._disk, self._handle, bytes(target - self._allocated), self._allocated)
        self._allocated = target

    def _roll(self, first_seq: int) -> None:
        assert self._watermark is not None
        self._watermark.sync()
        self._disk.close(self._handle)
        self._begin_segment(first_seq)

    def _begin_segment(self, first_seq: int) -> None:
        self._handle, self.path = create_segment(
            self._disk,
            self.directory,
            kind=JOURNAL,
            first_seq=first_seq,
            house=self.house,
            previous=self._digest,
        )
        self._segment_seq = first_seq
        self.offset = SEGMENT_HEAD_BYTES
        self._allocated = SEGMENT_HEAD_BYTES

    def _write_mark(self) -> None:
        """Note what is durable. Not synced here: the next records prove it, or rest() syncs it."""
        assert self._watermark is not None
        self._watermark.write(Mark(self._seq, self._segment_seq, self.offset, self._digest))

    def rest(self) -> None:
        """Make the watermark itself durable; called after 5 ms without an append."""
        self._assert_usable()
        assert self._watermark is not None
        if self._watermark.synced_seq == self._seq:
            return
        try:
            self._watermark.sync()
        except OSError as error:
            raise self._halt(error, "syncing the journal's watermark") from error

    @property
    def rested(self) -> bool:
        """True if the durable watermark covers the last record."""
        return self._watermark is not None and self._watermark.synced_seq == self._seq

    # ---- reading

    def last(self) -> Position:
        """Return the last durable seq and its record's digest."""
        return Position(self._seq, self._digest)

    def read_from(self, seq: int) -> Iterator[Batch]:
        """Yield the durable batches that hold seq and later, as of now."""
        last_seq = self._seq
        if seq > last_seq:
            return
        scan = Scan(self._disk, self.directory, kind=JOURNAL, mark=None, house=self.house)
        try:
            for batch in scan.batches(seq):
                yield batch
                if batch.last_seq >= last_seq:
                    return
        except OSError as error:
            raise halted_by(error, f"reading the journal in {self.directory}") from error

    def truncate_before(self, seq: int) -> None:
        """Remove the segments that hold only batches before seq; the one in use stays."""
        self._assert_usable()
        segments = list_segments(self._disk, self.directory, besides=(WATERMARK,))
        try:
            for first, following in pairwise(segments):
                if following > seq:
                    break
                self._disk.remove(os.path.join(self.directory, segment_name(first)))
            self._disk.fsync_directory(self.directory)
        except OSError as error:
            raise self._halt(error, f"removing old segments in {self.directory}") from error

    # ---- stopping

    def close(self) -> None:
        """Sync the watermark and let go. A log that failed only lets go."""
        try:
            if self._failure is None and self._handle >= 0:
                self.rest()
        finally:
            if self._handle >= 0:
                self._disk.close(self._handle)
                self._handle = -1
            if self._watermark is not None:
                self._watermark.close()
                self._watermark = None

    def _assert_usable(self) -> None:
        if self._failure is not None:
            raise halted_by(self._failure, f"writing {self.path}")
        assert self._handle >= 0, "the journal is not open: recover() it first"

    def _halt(self, error: OSError, doing: str) -> Halted:
        self._failure = error
        return halted_by(error, doing)
