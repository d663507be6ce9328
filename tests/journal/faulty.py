"""The machine's own disk, with one planned fault: for what happens once, at a known call."""

from __future__ import annotations

import errno
import os

from fondaco.journal.disk import OsDisk


class FaultyDisk(OsDisk):
    """Fails at the n-th call of one kind, from then on or once; counts its calls."""

    def __init__(self, kind: str = "", *, at: int = 1, number: int = errno.EIO) -> None:
        """Plan a fault: kind is a method's name, or "short" for a short write."""
        self.kind = kind
        self.at = at
        self.number = number
        self.fired = 0
        self.calls: dict[str, int] = {}

    def _count(self, kind: str) -> bool:
        self.calls[kind] = self.calls.get(kind, 0) + 1
        return self.kind == kind and self.calls[kind] >= self.at

    def pwrite(self, handle: int, payload: bytes | bytearray | memoryview, offset: int) -> int:
        """Write, short if so planned; a failing write leaves half of it behind."""
        if self._count("short") and len(payload) > 1:
            self.fired += 1
            return super().pwrite(handle, memoryview(payload)[: len(payload) // 2], offset)
        if self._count("pwrite"):
            self.fired += 1
            super().pwrite(handle, memoryview(payload)[: len(payload) // 2], offset)
            raise OSError(self.number, os.strerror(self.number))
        return super().pwrite(handle, payload, offset)

    def fdatasync(self, handle: int) -> None:
        """Sync, or fail."""
        if self._count("fdatasync"):
            self.fired += 1
            raise OSError(self.number, os.strerror(self.number))
        super().fdatasync(handle)
