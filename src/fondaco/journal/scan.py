"""Reading a log from disk and judging it; nothing here writes.

Scan yields the batches from a seq on, each checked against the chain, and knows at the end
where the log ends and what kind of end it is. Three rules tell a torn tail from damage:

1. what the watermark covers was acknowledged: if it can't be read, that is damage;
2. a whole head after something unreadable proves that it was acknowledged: damage;
3. a later segment that doesn't go on from the last whole record proves the same: damage.

Only an end that none of them speaks against is a torn tail: a record that was being written
when the power went, never acknowledged. Recovery cuts it; verify reports it. A cut whose sync
failed may come back after a power cut, when a later segment is there already: that segment's
first seq and chained digest prove that nothing acknowledged ever stood in its place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from fondaco.journal.disk import Disk
from fondaco.journal.faults import VERIFY, ForeignJournal, JournalDamaged
from fondaco.journal.framing import HEAD_BYTES, Batch, find_head, padded, read_record
from fondaco.journal.segments import (
    SEGMENT_HEAD_BYTES,
    Segment,
    list_segments,
    parse_head,
    read_segment,
    segment_name,
)
from fondaco.journal.watermark import WATERMARK, Mark, Watermark

__all__ = ["Scan"]

_NO_MARK: Final = Mark(0, 0, 0, bytes(16))


class Scan:
    """One pass over the segments of a log. Read the fields after the last batch."""

    def __init__(
        self, disk: Disk, directory: str, *, kind: int, mark: Mark | None, house: bytes | None
    ) -> None:
        """Prepare; mark and house are what the caller knows already, if anything."""
        self.disk = disk
        self.directory = directory
        self.kind = kind
        self.mark = mark or _NO_MARK
        self.house = house
        self.segments = list_segments(disk, directory, besides=(WATERMARK,))
        self.unborn: str | None = None  # a last segment whose head was never finished
        self.last_seq = 0
        self.digest = bytes(16)  # of the last whole record
        self.tail_path = ""
        self.tail_offset = 0  # where the last whole record ends
        self.tail_bytes = 0  # length of the last segment's file
        self.torn = False  # something that was never acknowledged stands after it
        self.records = 0
        if self.segments:
            self._judge_last_head()

    def _path(self, first_seq: int) -> str:
        return os.path.join(self.directory, segment_name(first_seq))

    def read(self, first_seq: int) -> bytes:
        """Return the content of a segment."""
        path = self._path(first_seq)
        handle = self.disk.open(path)
        try:
            return read_segment(self.disk, handle)
        finally:
            self.disk.close(handle)

    def _judge_last_head(self) -> None:
        first_seq = self.segments[-1]
        buffer = self.read(first_seq)
        path = self._path(first_seq)
        try:
            found = parse_head(buffer, path, kind=self.kind, first_seq=first_seq)
        except JournalDamaged:
            # Without a number of the house no head can be recognised, so nothing is judged unborn.
            known = self.house is not None or len(buffer) <= SEGMENT_HEAD_BYTES
            evidence = self.house and find_head(buffer, 0, self.house)
            if not known or evidence or self.mark.seq >= first_seq:
                raise
            self.unborn = path
            self.segments.pop()
            return
        self.house = self.house or found.house

    def start_of(self, from_seq: int) -> int:
        """Return the index of the segment that holds from_seq; JournalDamaged if none can."""
        at = -1
        for index, first_seq in enumerate(self.segments):
            if first_seq <= from_seq:
                at = index
        if at < 0:
            first = self.segments[0] if self.segments else 0
            path = self._path(first) if self.segments else self.directory
            raise JournalDamaged(
                path, 0, from_seq, f"the log begins at seq {first}, later than needed; {VERIFY}"
            )
        return at

    def batches(self, from_seq: int) -> Iterator[Batch]:
        """Yield the batches that hold from_seq and later, all segments from there on checked."""
        if not self.segments:
            self._judge_absence()
            return
        start = self.start_of(from_seq)
        digest: bytes | None = None
        last = self.segments[-1]
        for first_seq in self.segments[start:]:
            buffer = self.read(first_seq)
            path = self._path(first_seq)
            head = parse_head(buffer, path, kind=self.kind, first_seq=first_seq)
            self._judge_link(head, digest)
            self.last_seq = first_seq - 1
            self.digest = head.previous
            yield from self._records(buffer, path, from_seq, is_last=first_seq == last)
            digest = self.digest
        self._judge_mark(self.tail_path, self.tail_offset)

    def _records(
        self, buffer: bytes, path: str, from_seq: int, *, is_last: bool
    ) -> Iterator[Batch]:
        offset = SEGMENT_HEAD_BYTES
        digest = self.digest
        last_seq = self.last_seq
        marked = self.mark.seq
        while (batch := read_record(buffer, offset, digest, last_seq + 1)) is not None:
            digest = batch.digest
            last_seq = batch.last_seq
            if last_seq == marked and digest != self.mark.digest:
                raise ForeignJournal(
                    path, offset, batch.first_seq, f"not the record that was synced; {VERIFY}"
                )
            offset += HEAD_BYTES + padded(len(batch.payload))
            self.records += 1
            if last_seq >= from_seq:
                yield batch
        self.digest = digest
        self.last_seq = last_seq
        self.tail_path = path
        self.tail_offset = offset
        self.tail_bytes = len(buffer)
        self._judge_end(buffer, path, offset, is_last=is_last)

    def _judge_end(self, buffer: bytes, path: str, offset: int, *, is_last: bool) -> None:
        """Decide what stands after the last whole record of a segment."""
        seq = self.last_seq + 1
        rest = buffer[offset:]
        clean = rest.count(0) == len(rest)
        self.torn = is_last and not clean
        if not is_last:
            following = self.segments[self.segments.index(self._seq_of(path)) + 1]
            if following != seq:
                why = "records are missing" if clean else "an acknowledged record is damaged"
                raise JournalDamaged(path, offset, seq, f"{why}; {VERIFY}")
            return
        if clean:
            return
        assert self.house is not None
        evidence = find_head(rest, 1, self.house)
        if evidence or self.mark.seq >= seq:
            raise JournalDamaged(path, offset, seq, f"an acknowledged record is damaged; {VERIFY}")

    def _seq_of(self, path: str) -> int:
        return int(os.path.basename(path).partition(".")[0])

    def _judge_link(self, head: Segment, digest: bytes | None) -> None:
        if self.house is not None and head.house != self.house:
            raise ForeignJournal(
                head.path, 16, head.first_seq, "another house wrote this: put back this house's own"
            )
        if digest is not None and head.previous != digest:
            raise JournalDamaged(
                head.path, 40, head.first_seq, f"doesn't continue the segment before; {VERIFY}"
            )

    def _judge_absence(self) -> None:
        if self.mark.seq > 0:
            raise JournalDamaged(
                self.directory, 0, 1, f"the segments up to seq {self.mark.seq} are gone; {VERIFY}"
            )

    def _judge_mark(self, path: str, offset: int) -> None:
        if self.mark.seq > self.last_seq:
            raise JournalDamaged(
                path,
                offset,
                self.last_seq + 1,
                f"acknowledged records up to seq {self.mark.seq} are gone; {VERIFY}",
            )


def open_watermark(disk: Disk, directory: str, segments: list[int]) -> Watermark | None:
    """Return the watermark; None if neither it nor a segment is there (a new house)."""
    path = os.path.join(directory, WATERMARK)
    if WATERMARK not in disk.list(directory):
        if segments:
            raise JournalDamaged(path, 0, 0, f"the watermark is missing; {VERIFY}")
        return None
    return Watermark.open(disk, directory)
