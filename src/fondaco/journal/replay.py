"""Replay: the journal's batches through the core again, many records to a call, digests checked.

Each record carries the digest of the events of the batch before it, so a core that makes other
events than the one that journaled them is found at the batch where it happens. A batch that is
followed by a TOMBSTONE is applied without the commands that the tombstone names.

Promises: the state after it is the state that was live, or an exception that names the seq.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Final

from fondaco.core.exchange import events_digest
from fondaco.core.records import HEAD_BYTES, Command, numbers_of
from fondaco.journal.faults import Poisoned, ReplayDiffers
from fondaco.journal.framing import FLAG_TOMBSTONE, Batch
from fondaco.journal.sequencer import Core

__all__ = ["Replay", "skipped_seqs", "without"]

# Enough to make the cost of a call vanish; the events of a group are held in memory.
GROUP_BYTES: Final = 1 << 20
_TWO_WORDS: Final = struct.Struct("<2q")
_WORD: Final = struct.Struct("<q")

Keep = Callable[[bytes, int, int], None]


class Replay:
    """Feeds batches to a core; finish() after the last one."""

    def __init__(
        self,
        exchange: Core,
        *,
        events_digest: int | None,
        path: str,
        keep: Keep | None = None,
    ) -> None:
        """Take a core at the state before the first batch.

        events_digest is that of the last batch which the state holds, None if unknown. keep is
        called with (events, first_seq, last_seq) of every batch; path is named in errors.
        """
        self.exchange = exchange
        self.events_digest = events_digest
        self.commands = 0
        self.last_seq = exchange.seq
        self._path = path
        self._keep = keep
        self._group: list[Batch] = []
        self._counts: list[int] = []  # numbers of each batch of the group
        self._size = 0

    def feed(self, batch: Batch) -> None:
        """Take the next batch; it is applied when a group is full and no tombstone follows."""
        if batch.flags & FLAG_TOMBSTONE and self._group:
            skipped = skipped_seqs(batch.payload)
            last = self._group[-1]
            kept, count = without(last.payload, skipped)
            self._group[-1] = last._replace(payload=kept)
            self._counts[-1] = count
        elif self._size >= GROUP_BYTES:
            self.flush()
        self._group.append(batch)
        self._counts.append(batch.last_seq - batch.first_seq + 1)
        self._size += len(batch.payload)

    def run(self, batches: Iterable[Batch]) -> None:
        """Feed them all and flush."""
        for batch in batches:
            self.feed(batch)
        self.flush()

    def flush(self) -> None:
        """Apply what waits."""
        group, counts = self._group, self._counts
        if not group:
            return
        self._group, self._counts = [], []
        self._size = 0
        exchange = self.exchange
        payload = b"".join([batch.payload for batch in group])
        first_seq, last_seq = group[0].first_seq, group[-1].last_seq
        try:
            events = exchange.apply(payload) if payload else b""
        except Exception as error:
            seq = exchange.halted_seq or first_seq
            raise Poisoned(seq, f"{type(error).__name__}: {error}") from error
        boundaries = exchange.boundaries() if payload else []
        keep = self._keep
        digest = self.events_digest
        done = 0
        start = 0
        for batch, count in zip(group, counts, strict=True):
            if digest is not None and batch.events_digest != digest:
                self._differs(batch, digest)
            done += count
            end = boundaries[done - 1] if done else 0
            found = events[start:end]
            start = end
            digest = events_digest(found)
            if keep is not None:
                keep(found, batch.first_seq, batch.last_seq)
        self.events_digest = digest
        self.last_seq = last_seq
        self.commands += done

    def _differs(self, batch: Batch, digest: int) -> None:
        raise ReplayDiffers(
            self._path,
            0,
            batch.first_seq - 1,
            f"the replay makes events {digest:016x}, the journal says "
            f"{batch.events_digest:016x}: start once with the release that wrote it, stop it "
            "cleanly (that writes a snapshot), then start this one",
        )


def skipped_seqs(tombstones: bytes) -> set[int]:
    """Return the seqs that a batch's TOMBSTONE records pass over."""
    found = set()
    offset = 0
    while offset < len(tombstones):
        (word,) = _WORD.unpack_from(tombstones, offset)
        if word & 0xFFFF == Command.TOMBSTONE:
            (seq,) = _WORD.unpack_from(tombstones, offset + HEAD_BYTES)
            found.add(seq)
        offset += word >> 32
    return found


def without(commands: bytes, skipped: set[int]) -> tuple[bytes, int]:
    """Return the run without the commands whose seq is skipped, and how many numbers are left."""
    kept = []
    numbers = 0
    offset = 0
    while offset < len(commands):
        word, seq = _TWO_WORDS.unpack_from(commands, offset)
        length = word >> 32
        if seq not in skipped:
            kept.append(commands[offset : offset + length])
            numbers += numbers_of(kept[-1])
        offset += length
    return b"".join(kept), numbers
