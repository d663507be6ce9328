"""One record of a log: how a batch lies on disk, and how it is known to be whole.

    0   16  digest       BLAKE2b-128 over all that follows, padding excepted
    16  4   magic        RECORD_MAGIC
    20  4   flags        FLAG_*
    24  8   length       of the payload in bytes
    32  8   first_seq
    40  8   last_seq
    48  8   time_us      the stamp that the batch's commands carry
    56  8   digest of the previous batch's events (journal), 0 (event log)
    64  16  previous     digest of the record before: the chain
    80  8   head check   BLAKE2b-64 of bytes 16 to 80, keyed with the house's number
    88      payload, then zeros to a multiple of 8

The digest is checksum and proof chain at once. The head check makes a head readable by itself:
a record is written only after the one before it is durable, so a whole head PROVES that all
before it was acknowledged, even if its own payload is torn. It is keyed, so that nobody can
plant one inside a payload.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final, NamedTuple

__all__ = [
    "FLAG_TOMBSTONE",
    "HEAD_BYTES",
    "RECORD_BYTES_MAX",
    "Batch",
    "Head",
    "find_head",
    "frame",
    "padded",
    "read_head",
]

RECORD_MAGIC: Final = 0x52446F46  # "FoDR"
_MAGIC_BYTES: Final = RECORD_MAGIC.to_bytes(4, "little")
FLAG_TOMBSTONE: Final = 1  # the batch holds a TOMBSTONE: recovery looks for these first

HEAD: Final = struct.Struct("<16sIIQQQQQ16s8s")
HEAD_BYTES: Final = HEAD.size
_TAIL_OF_HEAD: Final = struct.Struct("<IIQQQQQ16s")
DIGEST_BYTES: Final = 16
_CHECK_AT: Final = 80
_MAGIC_AT: Final = 16
# A batch is at most 4,096 commands of at most 64 KiB; its events may be some times longer.
RECORD_BYTES_MAX: Final = 1 << 30


class Batch(NamedTuple):
    """One record, read and found whole."""

    first_seq: int
    last_seq: int
    time_us: int
    events_digest: int  # of the events of the batch before
    payload: bytes
    flags: int
    digest: bytes  # of this record


class Head(NamedTuple):
    """The head of a record, its digest not yet checked."""

    digest: bytes
    magic: int
    flags: int
    length: int
    first_seq: int
    last_seq: int
    time_us: int
    events_digest: int
    previous: bytes
    check: bytes


def padded(length: int) -> int:
    """Return the bytes that a payload of this length takes, padding included."""
    return (length + 7) & ~7


def frame(
    payload: bytes,
    *,
    first_seq: int,
    last_seq: int,
    time_us: int,
    events_digest: int,
    previous: bytes,
    house: bytes,
    flags: int = 0,
) -> tuple[bytes, bytes]:
    """Return the record and its digest."""
    head = _TAIL_OF_HEAD.pack(
        RECORD_MAGIC, flags, len(payload), first_seq, last_seq, time_us, events_digest, previous
    )
    check = blake2b(head, digest_size=8, key=house).digest()
    running = blake2b(head + check, digest_size=DIGEST_BYTES)
    running.update(payload)
    digest = running.digest()
    return b"".join((digest, head, check, payload, bytes(-len(payload) & 7))), digest


def read_head(buffer: bytes, offset: int, house: bytes) -> Head | None:
    """Return the head at the offset if it is whole, or None."""
    if offset < 0 or offset + HEAD_BYTES > len(buffer):
        return None
    head = Head._make(HEAD.unpack_from(buffer, offset))
    if head.magic != RECORD_MAGIC:
        return None
    bare = buffer[offset + _MAGIC_AT : offset + _CHECK_AT]
    if blake2b(bare, digest_size=8, key=house).digest() != head.check:
        return None
    return head


def find_head(buffer: bytes, start: int, house: bytes) -> tuple[int, Head] | None:
    """Return the first whole head at or after start, and where; or None."""
    at = buffer.find(_MAGIC_BYTES, start + _MAGIC_AT)
    while at >= 0:
        head = read_head(buffer, at - _MAGIC_AT, house)
        if head is not None:
            return at - _MAGIC_AT, head
        at = buffer.find(_MAGIC_BYTES, at + 1)
    return None


def read_record(buffer: bytes, offset: int, previous: bytes, expected_seq: int) -> Batch | None:
    """Return the batch at the offset if it is whole and follows `previous`, or None."""
    if offset + HEAD_BYTES > len(buffer):
        return None
    digest, magic, flags, length, first_seq, last_seq, time_us, events_digest, before, _ = (
        HEAD.unpack_from(buffer, offset)
    )
    start = offset + HEAD_BYTES
    end = start + length
    if magic != RECORD_MAGIC or before != previous or end > len(buffer):
        return None
    if first_seq != expected_seq or last_seq < first_seq:
        return None
    body = buffer[offset + DIGEST_BYTES : end]
    if blake2b(body, digest_size=DIGEST_BYTES).digest() != digest:
        return None
    payload = buffer[start:end]
    return Batch(first_seq, last_seq, time_us, events_digest, payload, flags, digest)
