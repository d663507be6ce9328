"""The port between the sequencer and a log: four verbs, whatever keeps the bytes.

FileLog keeps them in files; a grown house keeps the same bytes in PostgreSQL, one row a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from fondaco.journal.framing import Batch

__all__ = ["Log", "Position"]


class Position(NamedTuple):
    """Where a log ends: the last seq, and the digest of the record that holds it."""

    seq: int
    digest: bytes


class Log(Protocol):
    """What the sequencer asks of a log."""

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
        """Return when the batch would survive a power cut; Halted, for ever, if it may not."""

    def read_from(self, seq: int) -> Iterator[Batch]:
        """Yield the batches that hold seq and later, up to the last durable one."""

    def last(self) -> Position:
        """Return where the log ends."""

    def truncate_before(self, seq: int) -> None:
        """Forget batches older than seq, as far as that is convenient; never a newer one."""

    def rest(self) -> None:
        """Do what is left to do when nothing has been appended for a while."""

    def close(self) -> None:
        """Leave everything durable and let go."""
