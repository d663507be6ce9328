"""The port between the journal and a disk: the few calls that durability needs, and no more.

OsDisk is the real one. Simulated disks (tests/simulation, tests/journal) implement the same
Protocol and may write short, tear, flip, fill up or fail. Every call either does what it says
or raises OSError; only pwrite may do less than asked, and says how much it did.

Promises: no call here retries, buffers or maps memory. Paths are absolute or relative to the
process; handles are small ints that the disk itself gave out.

The calls map one to one on pread, pwrite, fsync, fdatasync, ftruncate, fstat, rename, unlink,
mkdir, open and close; nothing else is needed of a file system.
"""

from __future__ import annotations

import os
from typing import Final, Protocol

__all__ = ["Disk", "OsDisk", "ReadingDisk", "read_all", "settle_directory", "write_all"]

_FILE_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700


class Disk(Protocol):
    """What the journal asks of a disk. Errors are OSError with the errno of the cause."""

    def open(self, path: str, *, create: bool = False) -> int:
        """Open for reading and writing and return a handle; create = make it, it must be new."""

    def close(self, handle: int) -> None:
        """Give the handle back; nothing is synced by it."""

    def size(self, handle: int) -> int:
        """Return the length of the file in bytes."""

    def pwrite(self, handle: int, payload: bytes | bytearray | memoryview, offset: int) -> int:
        """Write at the offset and return how many bytes were taken, perhaps fewer than given."""

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        """Return the bytes at the offset; fewer than asked for only at the end of the file."""

    def fdatasync(self, handle: int) -> None:
        """Return when the written bytes, and the size, would survive a power cut."""

    def fsync_directory(self, path: str) -> None:
        """Return when the names in the directory would survive a power cut."""

    def truncate(self, handle: int, length: int) -> None:
        """Set the length of the file."""

    def rename(self, old: str, new: str) -> None:
        """Give the file a new name; an older file of that name is gone, all at once."""

    def list(self, path: str) -> list[str]:
        """Return the names in the directory, sorted; an absent directory is FileNotFoundError."""

    def remove(self, path: str) -> None:
        """Remove the file's name."""

    def make_directory(self, path: str) -> bool:
        """Make the directory if it is absent; True if it was."""


class OsDisk:
    """The operating system's files."""

    def open(self, path: str, *, create: bool = False) -> int:
        """Open a file; one that must be new is refused when the name is taken."""
        flags = os.O_RDWR | os.O_CLOEXEC
        if create:
            flags |= os.O_CREAT | os.O_EXCL
        return os.open(path, flags, _FILE_MODE)

    def close(self, handle: int) -> None:
        """Close the descriptor."""
        os.close(handle)

    def size(self, handle: int) -> int:
        """Return st_size."""
        return os.fstat(handle).st_size

    def pwrite(self, handle: int, payload: bytes | bytearray | memoryview, offset: int) -> int:
        """Write once."""
        return os.pwrite(handle, payload, offset)

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        """Read once."""
        return os.pread(handle, length, offset)

    def fdatasync(self, handle: int) -> None:
        """Sync data and size."""
        os.fdatasync(handle)

    def fsync_directory(self, path: str) -> None:
        """Sync the names in a directory."""
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def truncate(self, handle: int, length: int) -> None:
        """Cut or extend with zeros."""
        os.ftruncate(handle, length)

    def rename(self, old: str, new: str) -> None:
        """Rename, replacing."""
        os.rename(old, new)

    def list(self, path: str) -> list[str]:
        """Return the sorted names."""
        return sorted(os.listdir(path))

    def remove(self, path: str) -> None:
        """Unlink."""
        os.unlink(path)

    def make_directory(self, path: str) -> bool:
        """Make one directory, not its parents."""
        try:
            os.mkdir(path, _DIRECTORY_MODE)
        except FileExistsError:
            return False
        return True


class ReadingDisk(OsDisk):
    """The operating system's files, for reading only: a read-only mount will do."""

    def open(self, path: str, *, create: bool = False) -> int:
        """Open a file that is there; nothing can be written to it."""
        assert not create, f"{path} was to be made by somebody who only reads"
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def settle_directory(disk: Disk, path: str) -> None:
    """Make a directory if absent, and make its own name and the names in it durable.

    Also if it was there: a process that was killed may have made a file, or the directory, whose
    name nobody synced. It is seen until the power goes, with all that was written since.
    """
    disk.make_directory(path)
    disk.fsync_directory(path)
    disk.fsync_directory(os.path.dirname(os.path.abspath(path)))


def write_all(disk: Disk, handle: int, payload: bytes | bytearray, offset: int) -> None:
    """Write every byte, going on after a short write; a write that takes nothing is an error."""
    done = disk.pwrite(handle, payload, offset)
    if done == len(payload):
        return
    rest = memoryview(payload)
    while done < len(payload):
        taken = disk.pwrite(handle, rest[done:], offset + done)
        if taken <= 0:
            raise OSError(5, f"the disk took {done} of {len(payload)} bytes and no more")
        done += taken


def read_all(disk: Disk, handle: int, length: int, offset: int) -> bytes:
    """Return the bytes asked for, or fewer only if the file ends before."""
    found = disk.pread(handle, length, offset)
    while len(found) < length:
        more = disk.pread(handle, length - len(found), offset + len(found))
        if not more:
            break
        found += more
    return found
