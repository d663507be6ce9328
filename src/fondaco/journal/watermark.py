"""The watermark: up to which seq the journal was durable, in a small file beside the segments.

It is what tells a torn tail (written, never acknowledged: cut) from a damaged last record
(acknowledged: halt). Two slots in two blocks: between two syncs only one of them is written, so
that a power cut can tear that one and never the other. The slot with the higher generation wins.

    0   8  magic    8   4  version   12  4  0         16  16 house
    32  8  generation   40  8  seq   48  8  segment   56  8  offset where that record ends
    64  16 digest of that record     80  16 BLAKE2b-128 of bytes 0 to 80

Promises: what it says is durable was durable before it was written. Not promised: that it is
the newest; records after it are proved by the records that follow them.
"""

from __future__ import annotations

import os
import struct
from hashlib import blake2b
from typing import Final, NamedTuple

from fondaco.journal.disk import Disk, read_all, write_all
from fondaco.journal.faults import VERIFY, JournalDamaged, WrongVersion

__all__ = ["WATERMARK", "Mark", "Watermark"]

WATERMARK: Final = "watermark"
VERSION: Final = 1
_MAGIC: Final = b"FONDACOW"
_SLOT: Final = struct.Struct("<8sII16sQQQQ16s")
_SLOT_STEP: Final = 4096
_FILE_BYTES: Final = 2 * _SLOT_STEP


class Mark(NamedTuple):
    """What was durable: the last seq, where its record ends, and its digest."""

    seq: int
    segment: int  # first seq of the segment that holds the record; 0 before the first
    offset: int
    digest: bytes


class Watermark:
    """The file, open. Errors of the disk are OSError, the log's to answer."""

    def __init__(
        self, disk: Disk, handle: int, house: bytes, *, generation: int, mark: Mark
    ) -> None:
        """Take an open file; use create() or open()."""
        self.house = house
        self.mark = mark  # as last written
        self.synced_seq = mark.seq
        self._disk = disk
        self._handle = handle
        self._generation = generation

    @classmethod
    def create(cls, disk: Disk, directory: str, house: bytes, mark: Mark) -> Watermark:
        """Make the file, durable with its name."""
        handle = disk.open(os.path.join(directory, WATERMARK), create=True)
        write_all(disk, handle, bytes(_FILE_BYTES), 0)
        watermark = cls(disk, handle, house, generation=1, mark=mark)
        watermark.write(mark)
        watermark.sync()
        watermark.write(mark)
        watermark.sync()
        disk.fsync_directory(directory)
        return watermark

    @classmethod
    def open(cls, disk: Disk, directory: str) -> Watermark:
        """Read the newer whole slot; JournalDamaged if there is none."""
        path = os.path.join(directory, WATERMARK)
        handle = disk.open(path)
        buffer = read_all(disk, handle, _FILE_BYTES, 0)
        found = [_parse(buffer, at, path) for at in (0, _SLOT_STEP)]
        whole = [slot for slot in found if slot is not None]
        if not whole:
            disk.close(handle)
            raise JournalDamaged(path, 0, 0, f"the watermark is damaged; {VERIFY}")
        generation, house, mark = max(whole)
        return cls(disk, handle, house, generation=generation, mark=mark)

    def settle(self) -> None:
        """After open(): make the slot that was read durable, and turn to the other one.

        It may stand in the page cache only. It is written again as it is, so that a cut in the
        middle leaves it as it was: it may be the only whole one.
        """
        self.write(self.mark)
        self.sync()

    def write(self, mark: Mark) -> None:
        """Write the mark without a sync; it must be durable already."""
        slot = _SLOT.pack(
            _MAGIC, VERSION, 0, self.house, self._generation,
            mark.seq, mark.segment, mark.offset, mark.digest,
        )  # fmt: skip
        slot += blake2b(slot, digest_size=16).digest()
        write_all(self._disk, self._handle, slot, self._generation % 2 * _SLOT_STEP)
        self.mark = mark

    def sync(self) -> None:
        """Make the written mark durable, and turn to the other slot."""
        self._disk.fdatasync(self._handle)
        self._generation += 1
        self.synced_seq = self.mark.seq

    def close(self) -> None:
        """Give the handle back."""
        self._disk.close(self._handle)


def _parse(buffer: bytes, at: int, path: str) -> tuple[int, bytes, Mark] | None:
    if len(buffer) < at + _SLOT.size + 16:
        return None
    bare = buffer[at : at + _SLOT.size]
    if blake2b(bare, digest_size=16).digest() != buffer[at + _SLOT.size : at + _SLOT.size + 16]:
        return None
    magic, version, _, house, generation, seq, segment, offset, digest = _SLOT.unpack(bare)
    if magic != _MAGIC:
        return None
    if version != VERSION:
        advice = f"format version {version}, this program reads {VERSION}"
        raise WrongVersion(path, at + 8, 0, f"{advice}: start the release that wrote it")
    return generation, house, Mark(seq, segment, offset, digest)
