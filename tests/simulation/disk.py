"""A disk made of memory that forgets, tears, flips and fails as real ones do, by a seed.

It implements the journal's Disk port. A write reaches the page cache at once and the platter only
by fdatasync; a name reaches its directory's platter only by fsync_directory. At a power cut each
sector written since the last sync survives, or not, or survives half, or with a flipped bit, and
each unsynced name survives or not; what was synced survives whole.

Promises: the same seed gives the same faults at the same calls; every fault that really fired is
counted by name in `fired`. Not modelled: rot of synced bytes (tests flip those by flip_durable),
and a drive that spoils a sector while the same bytes are written over it.
"""

from __future__ import annotations

import errno
import os
import posixpath
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Final

__all__ = ["FAULTS", "Plan", "PowerCut", "SimulatedDisk"]

SECTOR: Final = 512

# What may go wrong, by the name under which it is counted.
FAULTS: Final = (
    "crash_before_write",
    "crash_in_write",
    "crash_before_sync",
    "crash_after_sync",
    "crash_elsewhere",
    "short_write",
    "enospc",
    "eio_write",
    "eio_sync",
    "eio_read",
    "lost_bytes",
    "torn_tail",
    "flipped_tail",
    "lost_name",
)


class PowerCut(BaseException):
    """The machine is gone at this call. Not an Exception: nothing in the house may catch it."""


@dataclass
class Plan:
    """What is to go wrong next: at how many calls from now, and what."""

    calls: int
    fault: str


@dataclass
class _File:
    cache: bytearray = field(default_factory=bytearray)
    platter: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: truncated to


class SimulatedDisk:
    """Files in memory, with a page cache that a power cut empties."""

    def __init__(self, random: Random) -> None:
        """Begin empty; `random` decides what survives."""
        self.fired: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.plan: Plan | None = None
        self.reads_fail = False  # whether a planned eio_read may fire: only on purpose
        self._random = random
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._directories: set[str] = set()
        self._durable_directories: set[str] = set()
        self._handles: dict[int, tuple[str, _File]] = {}
        self._next_handle = 3
        self._dead = False

    # ---- the port

    def open(self, path: str, *, create: bool = False) -> int:
        """Open a file; create = it must be new."""
        self._call("open")
        known = self._names.get(path)
        if create:
            if known is not None:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
            if posixpath.dirname(path) not in self._directories:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            known = self._names[path] = _File()
        if known is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        handle = self._next_handle
        self._next_handle += 1
        self._handles[handle] = (path, known)
        return handle

    def close(self, handle: int) -> None:
        """Give the handle back."""
        if self._dead:
            return
        self._handles.pop(handle)

    def size(self, handle: int) -> int:
        """Return the length in the cache."""
        self._call("size")
        return len(self._file(handle).cache)

    def pwrite(self, handle: int, payload: bytes | bytearray | memoryview, offset: int) -> int:
        """Write to the cache; perhaps short, perhaps not at all."""
        fault = self._call("pwrite")
        file = self._file(handle)
        taken = bytes(payload)
        if fault == "short_write" and len(taken) > 1:
            taken = taken[: self._random.randrange(1, len(taken))]
            self.fired[fault] += 1
        elif fault in {"enospc", "eio_write"}:
            self.fired[fault] += 1
            self._write(file, taken[: self._random.randrange(len(taken))], offset)
            number = errno.ENOSPC if fault == "enospc" else errno.EIO
            raise OSError(number, os.strerror(number))
        elif fault == "crash_before_write":
            self._cut(fault)
        elif fault == "crash_in_write":
            self._write(file, taken, offset)
            self._cut(fault)
        self._write(file, taken, offset)
        return len(taken)

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        """Read from the cache."""
        fault = self._call("pread")
        if fault == "eio_read":
            self.fired[fault] += 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return bytes(self._file(handle).cache[offset : offset + length])

    def fdatasync(self, handle: int) -> None:
        """Bring the cache to the platter. After EIO the kernel calls the pages clean: lost."""
        fault = self._call("fdatasync")
        file = self._file(handle)
        if fault == "eio_sync":
            self.fired[fault] += 1
            self._settle(file, torn=True)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if fault == "crash_before_sync":
            self._cut(fault)
        self._settle(file, torn=False)
        if fault == "crash_after_sync":
            self._cut(fault)

    def fsync_directory(self, path: str) -> None:
        """Bring the names of one directory to the platter."""
        self._call("fsync_directory")
        if path not in self._directories:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        for name in [name for name in self._durable_names if posixpath.dirname(name) == path]:
            del self._durable_names[name]
        for name, file in self._names.items():
            if posixpath.dirname(name) == path:
                self._durable_names[name] = file
        for directory in self._directories:
            if posixpath.dirname(directory) == path:
                self._durable_directories.add(directory)

    def truncate(self, handle: int, length: int) -> None:
        """Cut or extend with zeros, in the cache."""
        fault = self._call("truncate")
        if fault == "enospc":
            self.fired[fault] += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        file = self._file(handle)
        _set_length(file.cache, length)
        file.pending.append((length, None))

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        self._call("rename")
        if old not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), old)
        self._names[new] = self._names.pop(old)

    def list(self, path: str) -> list[str]:
        """Return the names in a directory."""
        self._call("list")
        if path not in self._directories:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        every = [*self._names, *self._directories]
        return sorted(posixpath.basename(name) for name in every if posixpath.dirname(name) == path)

    def remove(self, path: str) -> None:
        """Remove a name."""
        self._call("remove")
        if self._names.pop(path, None) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def make_directory(self, path: str) -> bool:
        """Make one directory; the parent of the data directory always is."""
        self._call("make_directory")
        if path in self._directories:
            return False
        self._directories.add(path)
        return True

    # ---- the world's side

    def make_root(self, path: str) -> None:
        """Make a directory that is durable from the beginning."""
        self._directories.add(path)
        self._durable_directories.add(path)

    def power_cut(self) -> None:
        """Forget what was not synced, as the random source decides; handles are gone."""
        mode = self._random.choice(("lost", "kept", "torn", "random", "random"))
        self._cut_names(keep=mode == "kept")
        for file in {id(file): file for file in self._names.values()}.values():
            self._survive(file, mode)
        self._handles.clear()
        self.plan = None
        self._dead = False

    def kill(self) -> None:
        """End the process only: the page cache survives."""
        self._handles.clear()
        self.plan = None
        self._dead = False

    def die(self) -> None:
        """Mark the machine as gone: closing handles on the way out does nothing."""
        self._dead = True

    def flip_durable(self, path: str, offset: int, bit: int) -> None:
        """Flip one bit of a file, cache and platter both."""
        file = self._names[path]
        file.cache[offset] ^= 1 << bit
        if offset < len(file.platter):
            file.platter[offset] ^= 1 << bit

    def durable_bytes(self, path: str) -> bytes:
        """Return what of a file would survive the worst power cut now."""
        return bytes(self._names[path].platter)

    def content(self, path: str) -> bytes:
        """Return a file as any process sees it now."""
        return bytes(self._names[path].cache)

    def restore(self, path: str, content: bytes) -> None:
        """Put a file's content in place, durably: the operator's hand."""
        file = self._names.setdefault(path, _File())
        self._durable_names[path] = file
        file.cache[:] = file.platter[:] = content
        file.pending.clear()

    def forget(self, directory: str) -> None:
        """Remove the files of a directory, durably: what an operator may do with derived ones."""
        for names in (self._names, self._durable_names):
            for name in [name for name in names if posixpath.dirname(name) == directory]:
                del names[name]

    def paths(self) -> tuple[str, ...]:
        """Return the names of all files."""
        return tuple(sorted(self._names))

    # ---- inside

    def _file(self, handle: int) -> _File:
        if handle not in self._handles:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._handles[handle][1]

    def _call(self, name: str) -> str:
        """Count the call and return the fault that is planned for it, or ""."""
        if self._dead:
            raise PowerCut
        self.calls[name] += 1
        plan = self.plan
        if plan is None:
            return ""
        plan.calls -= 1
        if plan.calls > 0 or not _fits(plan.fault, name, reads_fail=self.reads_fail):
            return ""
        self.plan = None
        if plan.fault == "crash_elsewhere":
            self._cut(plan.fault)
        return plan.fault

    def _cut(self, fault: str) -> None:
        self.fired[fault] += 1
        self._dead = True
        raise PowerCut

    @staticmethod
    def _write(file: _File, payload: bytes, offset: int) -> None:
        _put(file.cache, payload, offset)
        file.pending.append((offset, payload))

    def _settle(self, file: _File, *, torn: bool) -> None:
        if torn:
            before = bytes(file.cache)
            self._survive(file, "torn")
            file.cache[:] = before  # readers still see the cache; the platter has lost a part
        else:
            _replay(file.platter, file.pending)
        file.pending.clear()

    def _survive(self, file: _File, mode: str) -> None:
        """Make the platter and the cache what is left of a file after a cut."""
        if file.pending and mode == "lost":
            self.fired["lost_bytes"] += 1
        elif file.pending and mode == "kept":
            _replay(file.platter, file.pending)
        elif file.pending and mode == "torn":
            whole = self._random.randrange(len(file.pending))
            _replay(file.platter, file.pending[:whole])
            offset, payload = file.pending[whole]
            if payload:
                kept = payload[: self._random.randrange(len(payload))]
                _replay(file.platter, [(offset, kept)])
                self.fired["torn_tail"] += 1
        elif file.pending:
            for offset, payload in file.pending:
                if payload is None:
                    if self._random.random() < 0.5:
                        _replay(file.platter, [(offset, None)])
                else:
                    self._survive_sectors(file.platter, payload, offset)
        file.pending.clear()
        file.cache[:] = file.platter

    def _survive_sectors(self, platter: bytearray, payload: bytes, offset: int) -> None:
        """Let each sector of a write survive, be lost, or survive with a flipped bit."""
        start = 0
        while start < len(payload):
            end = min(len(payload), start + SECTOR - (offset + start) % SECTOR)
            fate = self._random.random()
            if platter[offset + start : offset + end] == payload[start:end]:
                pass  # the same bytes again: old, new or half of each, it is the same sector
            elif fate < 0.45:
                _put(platter, payload[start:end], offset + start)
            elif fate < 0.6:
                flipped = bytearray(payload[start:end])
                flipped[self._random.randrange(end - start)] ^= 1 << self._random.randrange(8)
                _put(platter, bytes(flipped), offset + start)
                self.fired["flipped_tail"] += 1
            else:
                self.fired["lost_bytes"] += 1
            start = end

    def _cut_names(self, *, keep: bool) -> None:
        if keep:
            self._durable_names = dict(self._names)
            self._durable_directories = set(self._directories)
            return
        changed = sorted(
            name
            for name in {*self._names, *self._durable_names}
            if self._names.get(name) is not self._durable_names.get(name)
        )
        # Names go to the platter in the order of a directory's journal: a prefix survives.
        survives = self._random.random() < 0.5
        if changed and not survives:
            self.fired["lost_name"] += 1
        if survives:
            self._durable_names = dict(self._names)
            self._durable_directories = set(self._directories)
        self._names = {
            name: file
            for name, file in self._durable_names.items()
            if posixpath.dirname(name) in self._durable_directories
        }
        self._durable_names = dict(self._names)
        self._directories = set(self._durable_directories)


_CALLS: Final = {
    "crash_before_write": {"pwrite"},
    "crash_in_write": {"pwrite"},
    "crash_before_sync": {"fdatasync"},
    "crash_after_sync": {"fdatasync"},
    "short_write": {"pwrite"},
    "enospc": {"pwrite", "truncate"},
    "eio_write": {"pwrite"},
    "eio_sync": {"fdatasync"},
}


def _fits(fault: str, name: str, *, reads_fail: bool) -> bool:
    if fault == "eio_read":
        return reads_fail and name == "pread"
    return name in _CALLS.get(fault, {name})


def _set_length(content: bytearray, length: int) -> None:
    if length < len(content):
        del content[length:]
    else:
        content.extend(bytes(length - len(content)))


def _put(content: bytearray, payload: bytes, offset: int) -> None:
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(payload)] = payload


def _replay(content: bytearray, pending: list[tuple[int, bytes | None]]) -> None:
    for offset, payload in pending:
        if payload is None:
            _set_length(content, offset)
        else:
            _put(content, payload, offset)
