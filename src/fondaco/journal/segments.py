"""The files of a log: a directory of segments, each a head and then records one after another.

A segment is named after the seq of its first record. Its head (4,096 bytes, most of them zero,
so that records start on a block of their own) carries the kind of log, the format version, the
house's number and the digest of the record before it: the chain runs through.

    0   8   magic     8   4  version    12  4  kind of log
    16  16  house     32  8  first_seq  40  16 previous digest
    56  16  BLAKE2b-128 of bytes 0 to 56

This module reads and creates; FileLog and EventLog decide what damage means.
"""

from __future__ import annotations

import os
import struct
from hashlib import blake2b
from typing import Final, NamedTuple

from fondaco.journal.disk import Disk, read_all, write_all
from fondaco.journal.faults import VERIFY, ForeignJournal, JournalDamaged, WrongVersion

__all__ = [
    "EVENTS",
    "FORMAT_VERSION",
    "JOURNAL",
    "SEGMENT_HEAD_BYTES",
    "Segment",
    "create_segment",
    "list_segments",
    "read_segment",
    "segment_name",
]

FORMAT_VERSION: Final = 1
JOURNAL: Final = 1
EVENTS: Final = 2
SEGMENT_HEAD_BYTES: Final = 4096
SUFFIX: Final = ".segment"

_MAGIC: Final = b"FONDACO\x00"
_HEAD: Final = struct.Struct("<8sII16sQ16s")
_DIGITS: Final = 20


class Segment(NamedTuple):
    """A segment by its head."""

    path: str
    first_seq: int
    house: bytes
    previous: bytes  # digest of the record before its first


def segment_name(first_seq: int) -> str:
    """Return the file name."""
    return f"{first_seq:0{_DIGITS}d}{SUFFIX}"


def list_segments(disk: Disk, directory: str, *, besides: tuple[str, ...] = ()) -> list[int]:
    """Return the first seqs of the segments, ascending; a file of another name is refused."""
    found = []
    for name in disk.list(directory):
        stem = name[: -len(SUFFIX)]
        if name.endswith(SUFFIX) and len(stem) == _DIGITS and stem.isascii() and stem.isdigit():
            found.append(int(stem))
        elif name not in besides:
            raise ForeignJournal(
                os.path.join(directory, name), 0, 0, "Fondaco wrote no such file: move it elsewhere"
            )
    return sorted(found)


def create_segment(
    disk: Disk, directory: str, *, kind: int, first_seq: int, house: bytes, previous: bytes
) -> tuple[int, str]:
    """Write a segment's head, sync file and directory, and return the open handle and the path."""
    path = os.path.join(directory, segment_name(first_seq))
    handle = disk.open(path, create=True)
    head = _HEAD.pack(_MAGIC, FORMAT_VERSION, kind, house, first_seq, previous)
    head += blake2b(head, digest_size=16).digest()
    write_all(disk, handle, head + bytes(SEGMENT_HEAD_BYTES - len(head)), 0)
    disk.fdatasync(handle)
    disk.fsync_directory(directory)
    return handle, path


def read_segment(disk: Disk, handle: int) -> bytes:
    """Return the whole content of an open segment."""
    return read_all(disk, handle, disk.size(handle), 0)


def parse_head(buffer: bytes, path: str, *, kind: int, first_seq: int) -> Segment:
    """Return the segment that the buffer's head describes; anything else is named and refused."""
    if len(buffer) < SEGMENT_HEAD_BYTES:
        raise JournalDamaged(path, len(buffer), first_seq, f"the segment ends early; {VERIFY}")
    magic, version, found_kind, house, found_seq, previous = _HEAD.unpack_from(buffer)
    check = buffer[_HEAD.size : _HEAD.size + 16]
    whole = blake2b(buffer[: _HEAD.size], digest_size=16).digest() == check
    if not whole:
        if magic != _MAGIC:
            raise ForeignJournal(
                path, 0, first_seq, f"no segment begins like this (damaged or not ours); {VERIFY}"
            )
        raise JournalDamaged(path, 0, first_seq, f"the segment's head is damaged; {VERIFY}")
    if version != FORMAT_VERSION:
        advice = f"format version {version}, this program reads {FORMAT_VERSION}"
        raise WrongVersion(path, 8, first_seq, f"{advice}: start the release that wrote it")
    if found_kind != kind or found_seq != first_seq:
        raise ForeignJournal(
            path, 12, first_seq, "the file was renamed or is of another log: put back what was here"
        )
    return Segment(path, first_seq, house, previous)
