"""Snapshots: the core's state at a seq, so that a start needs only the tail of the journal.

    snapshots/00000000000000250000.snapshot

A snapshot names the journal record that it stands after (seq and digest), so that it can't be
loaded beside another house's journal, and carries the state's hash. It is written under another
name, synced and renamed: a name that ends in .snapshot is whole or was damaged later.

Promises: newest() gives only what is whole; a damaged snapshot is passed over and named, for
the journal can make up for it. Not promised: that there is one.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Final, NamedTuple

from fondaco.journal.disk import Disk, OsDisk, read_all, settle_directory, write_all
from fondaco.journal.faults import ForeignJournal, JournalDamaged

__all__ = ["SNAPSHOTS_KEPT", "Snapshot", "Snapshots"]

SNAPSHOTS_KEPT: Final = 3
_SUFFIX: Final = ".snapshot"
_UNFINISHED: Final = ".unfinished"
_MAGIC: Final = b"FONDACOS"
_VERSION: Final = 1
_HEAD: Final = struct.Struct("<8sII16sQQQ16s16s32sQ")
_CHECK_BYTES: Final = 16
_WRITE_BYTES: Final = 8 << 20


class Snapshot(NamedTuple):
    """A state and where in the journal it belongs."""

    house: bytes
    seq: int
    time_us: int
    events_digest: int  # of the last batch's events
    digest: bytes  # of the journal record that ends with seq
    state_hash: bytes
    release: str  # that wrote it
    dump: bytes


class Snapshots:
    """The directory of snapshots."""

    def __init__(
        self, directory: str, disk: Disk | None = None, *, kept: int = SNAPSHOTS_KEPT
    ) -> None:
        """Name the directory; nothing is read or written yet."""
        self.directory = directory
        self.passed_over: list[str] = []  # damaged ones that newest() met
        self._disk: Disk = OsDisk() if disk is None else disk
        self._kept = kept

    def path(self, seq: int) -> str:
        """Return the name of the snapshot at seq."""
        return os.path.join(self.directory, f"{seq:020d}{_SUFFIX}")

    def prepare(self) -> None:
        """Make the directory, and remove what was never finished."""
        disk = self._disk
        settle_directory(disk, self.directory)
        for name in disk.list(self.directory):
            if name.endswith(_UNFINISHED):
                disk.remove(os.path.join(self.directory, name))

    def seqs(self) -> list[int]:
        """Return the seqs of the snapshots, newest first."""
        try:
            names = self._disk.list(self.directory)
        except FileNotFoundError:
            return []
        stems = [name[: -len(_SUFFIX)] for name in names if name.endswith(_SUFFIX)]
        return sorted((int(stem) for stem in stems if stem.isdigit()), reverse=True)

    def whole(self, house: bytes) -> Iterator[Snapshot]:
        """Yield the whole ones of this house, newest first; damaged ones are noted."""
        for seq in self.seqs():
            found = self.read(seq)
            if found is None:
                self.passed_over.append(self.path(seq))
                continue
            if found.house != house:
                raise ForeignJournal(
                    self.path(seq), 16, seq, "another house wrote this: put back this house's own"
                )
            yield found

    def read(self, seq: int) -> Snapshot | None:
        """Return the snapshot at seq, or None if it isn't whole."""
        disk = self._disk
        handle = disk.open(self.path(seq))
        try:
            buffer = read_all(disk, handle, disk.size(handle), 0)
        finally:
            disk.close(handle)
        start = _HEAD.size + _CHECK_BYTES
        if len(buffer) < start:
            return None
        magic, version, _, house, found_seq, time_us, events_digest, digest, state_hash, text, n = (
            _HEAD.unpack_from(buffer)
        )
        check = blake2b(buffer[: _HEAD.size], digest_size=_CHECK_BYTES)
        check.update(memoryview(buffer)[start:])
        if magic != _MAGIC or check.digest() != buffer[_HEAD.size : start]:
            return None
        if version != _VERSION or found_seq != seq or n != len(buffer) - start:
            return None
        release = text.rstrip(b"\x00").decode()
        return Snapshot(
            house, seq, time_us, events_digest, digest, state_hash, release, buffer[start:]
        )

    def save(self, snapshot: Snapshot) -> str:
        """Write, sync, rename, sync; prune the oldest. Returns the path."""
        disk = self._disk
        path = self.path(snapshot.seq)
        unfinished = path + _UNFINISHED
        self._discard(unfinished)
        head = _HEAD.pack(
            _MAGIC, _VERSION, 0, snapshot.house, snapshot.seq, snapshot.time_us,
            snapshot.events_digest, snapshot.digest, snapshot.state_hash,
            snapshot.release.encode()[:32], len(snapshot.dump),
        )  # fmt: skip
        check = blake2b(head, digest_size=_CHECK_BYTES)
        check.update(snapshot.dump)
        handle = disk.open(unfinished, create=True)
        try:
            write_all(disk, handle, head + check.digest(), 0)
            offset = _HEAD.size + _CHECK_BYTES
            for start in range(0, len(snapshot.dump), _WRITE_BYTES):
                write_all(disk, handle, snapshot.dump[start : start + _WRITE_BYTES], offset + start)
            disk.fdatasync(handle)
        finally:
            disk.close(handle)
        disk.rename(unfinished, path)
        disk.fsync_directory(self.directory)
        for seq in self.seqs()[self._kept :]:
            disk.remove(self.path(seq))
        return path

    def remove_after(self, seq: int) -> list[int]:
        """Remove the snapshots newer than seq, for repair; return which."""
        removed = [found for found in self.seqs() if found > seq]
        for found in removed:
            self._disk.remove(self.path(found))
        if removed:
            self._disk.fsync_directory(self.directory)
        return removed

    def _discard(self, path: str) -> None:
        if os.path.basename(path) in self._disk.list(self.directory):
            self._disk.remove(path)


def check_hash(snapshot: Snapshot, path: str, state_hash: Callable[[], bytes]) -> None:
    """Raise JournalDamaged if a loaded snapshot doesn't hash to what it says."""
    if state_hash() != snapshot.state_hash:
        raise JournalDamaged(
            path,
            0,
            snapshot.seq,
            f"release {snapshot.release} wrote a state that this one reads differently: "
            "start with that release",
        )
