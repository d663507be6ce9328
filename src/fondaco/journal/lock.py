"""The lock on a data directory: one process writes a house, or none does.

flock on DATA/lock: the kernel lets go of it when the process ends, however it ends. A child that
inherited the descriptor holds it too; the file names the process that locked it, so that others
can tell a running house from one whose last children are about to go.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from types import TracebackType
from typing import Final, Self

from fondaco.journal.faults import DataInUse

__all__ = ["DataLock", "lock_data"]

LOCK: Final = "lock"
PID_BYTES_MAX: Final = 32


class DataLock:
    """A held lock; release() or leave the `with` to let go."""

    def __init__(self, descriptor: int) -> None:
        """Take over an open, locked descriptor."""
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Return the locked descriptor: a child that inherits it holds the lock too."""
        return self._descriptor

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def lock_data(data_dir: str | os.PathLike[str]) -> DataLock:
    """Lock the directory, making it if absent; DataInUse if another process holds it."""
    directory = os.fspath(data_dir)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(os.path.join(directory, LOCK), flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, PID_BYTES_MAX, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        named = f" (process {holder})" if holder.isdecimal() else ""
        raise DataInUse(
            f"the data directory {directory} is in use by a running house{named}; "
            "stop that one first",
            is_orphaned=not _is_alive(holder),
        ) from None
    with contextlib.suppress(OSError):  # on a full disk the lock holds, nameless
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return DataLock(descriptor)


def _is_alive(pid: str) -> bool:
    """Return whether a process lives; one that has ended and isn't buried yet does not."""
    if not pid.isdecimal():
        return False
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            state = file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in {"Z", "X"}


def is_locked(data_dir: str | os.PathLike[str]) -> bool:
    """Return True if a running house holds the directory; writes nothing."""
    try:
        descriptor = os.open(os.path.join(os.fspath(data_dir), LOCK), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
