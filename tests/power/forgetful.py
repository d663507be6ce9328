"""A file system that forgets what was not synced: run as a process, mounted by FUSE.

    python -m tests.power.forgetful MOUNTPOINT

Files live in memory twice: as programs see them, and as a platter would hold them. A write
reaches the platter by fsync or fdatasync of its file; a name (create, rename, unlink, mkdir) by
fsync of its directory. Writing `cut SEED` to the file .power is a power cut: from then on
everything fails with EIO until `on` is written; then what the platter holds is all there is, and
of the unsynced writes and names the seed decides what survives: nothing, all, the first ones and
a torn one, or sectors here and there. Reading .power gives the counts of what really happened.

Nothing of it is cached by the kernel: reads go to this process (direct_io, no attribute cache).
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
import time
from collections import Counter
from random import Random
from typing import Any, Final

import mfusepy

CONTROL: Final = "/.power"
SECTOR: Final = 512
_DIRECTORY: Final = stat.S_IFDIR | 0o700
_FILE: Final = stat.S_IFREG | 0o600


class Node:
    """A file or a directory."""

    def __init__(self, mode: int) -> None:
        self.mode = mode
        self.cache = bytearray()
        self.platter = bytearray()
        self.pending: list[tuple[int, bytes | None]] = []  # writes; None = truncated to


def put(target: bytearray, offset: int, payload: bytes | None) -> None:
    """Carry out one write or truncation."""
    if payload is None:
        if offset <= len(target):
            del target[offset:]
        else:
            target.extend(bytes(offset - len(target)))
        return
    if offset > len(target):
        target.extend(bytes(offset - len(target)))
    target[offset : offset + len(payload)] = payload


class Forgetful(mfusepy.Operations):  # type: ignore[misc]
    """The file system."""

    use_ns = True

    def __init__(self) -> None:
        self.names: dict[str, Node] = {"/": Node(_DIRECTORY)}
        self.durable: dict[str, Node] = dict(self.names)
        # Unsynced changes of names, each all or nothing: path -> node, None = gone.
        self.steps: list[dict[str, Node | None]] = []
        self.dead = False
        self.counts: Counter[str] = Counter()

    # ---- the world's side

    def cut(self, random: Random) -> None:
        """Turn the machine off: decide what survives."""
        self.counts["cuts"] += 1
        self.dead = True
        kept = random.choice((0, len(self.steps), random.randint(0, len(self.steps))))
        for step in self.steps[:kept]:
            self._settle_names(step)
        self.counts["names_lost"] += len(self.steps) - kept
        self.steps.clear()
        for node in set(self.names.values()) | set(self.durable.values()):
            self._survive(node, random)
        self.names = dict(self.durable)

    def _survive(self, node: Node, random: Random) -> None:
        """Let an unsynced write survive, or not, or in part."""
        if node.pending:
            mode = random.choice(("nothing", "all", "torn", "sectors", "sectors"))
            self.counts[f"cut_{mode}"] += 1
            if mode == "all":
                for offset, payload in node.pending:
                    put(node.platter, offset, payload)
            elif mode == "torn":
                whole = random.randrange(len(node.pending))
                for offset, payload in node.pending[:whole]:
                    put(node.platter, offset, payload)
                offset, payload = node.pending[whole]
                if payload is not None:
                    put(node.platter, offset, payload[: random.randrange(len(payload) + 1)])
            elif mode == "sectors":
                for offset, payload in node.pending:
                    self._survive_sectors(node, offset, payload, random)
            self.counts["writes_unsynced"] += len(node.pending)
            node.pending.clear()
        node.cache = bytearray(node.platter)

    @staticmethod
    def _survive_sectors(node: Node, offset: int, payload: bytes | None, random: Random) -> None:
        if payload is None:
            if random.random() < 0.5:
                put(node.platter, offset, None)
            return
        start = 0
        while start < len(payload):
            end = min(len(payload), start + SECTOR - (offset + start) % SECTOR)
            if random.random() < 0.5:
                put(node.platter, offset + start, payload[start:end])
            start = end

    def _settle_names(self, step: dict[str, Node | None]) -> None:
        for path, node in step.items():
            if node is None:
                self.durable.pop(path, None)
            else:
                self.durable[path] = node

    def _control(self, text: str) -> None:
        word, _, seed = text.partition(" ")
        if word == "cut":
            self.cut(Random(int(seed)))
        elif word == "on":
            self.dead = False
        elif word == "clear":
            self.names = {"/": Node(_DIRECTORY)}
            self.durable = dict(self.names)
            self.steps.clear()

    # ---- the file system's side

    def _node(self, path: str) -> Node:
        if self.dead:
            raise mfusepy.FuseOSError(errno.EIO)
        node = self.names.get(path)
        if node is None:
            raise mfusepy.FuseOSError(errno.ENOENT)
        return node

    def _step(self, step: dict[str, Node | None]) -> None:
        if self.dead:
            raise mfusepy.FuseOSError(errno.EIO)
        for path, node in step.items():
            if node is None:
                del self.names[path]
            else:
                self.names[path] = node
        self.steps.append(step)

    def getattr(self, path: str, fi: Any = None) -> dict[str, int]:
        """Give size and mode."""
        now = time.time_ns()
        times = {"st_atime": now, "st_mtime": now, "st_ctime": now}
        owner = {"st_uid": os.getuid(), "st_gid": os.getgid(), "st_nlink": 1}
        if path == CONTROL:
            return {"st_mode": _FILE, "st_size": 4096, **times, **owner}
        node = self._node(path)
        return {"st_mode": node.mode, "st_size": len(node.cache), **times, **owner}

    def readdir(self, path: str, fh: int) -> list[str]:
        """List a directory."""
        self._node(path)
        prefix = path.rstrip("/") + "/"
        inside = [name[len(prefix) :] for name in self.names if name.startswith(prefix)]
        return [".", "..", *(name for name in inside if name and "/" not in name)]

    def open(self, path: str, fi: Any) -> int:
        """Open, past the kernel's cache."""
        fi.direct_io = 1
        if path != CONTROL:
            self._node(path)
        return 0

    def create(self, path: str, mode: int, fi: Any) -> int:
        """Make a file."""
        fi.direct_io = 1
        self._step({path: Node(_FILE)})
        return 0

    def read(self, path: str, size: int, offset: int, fi: Any) -> bytes:
        """Read from the cache."""
        if path == CONTROL:
            counts = {"pid": os.getpid(), **self.counts}
            return json.dumps(counts).encode()[offset : offset + size]
        return bytes(self._node(path).cache[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fi: Any) -> int:
        """Write to the cache."""
        if path == CONTROL:
            self._control(data.decode())
            return len(data)
        node = self._node(path)
        put(node.cache, offset, data)
        node.pending.append((offset, bytes(data)))
        self.counts["writes"] += 1
        return len(data)

    def truncate(self, path: str, length: int, fi: Any = None) -> int:
        """Cut or extend."""
        if path == CONTROL:
            return 0
        node = self._node(path)
        put(node.cache, length, None)
        node.pending.append((length, None))
        return 0

    def fsync(self, path: str, datasync: int, fi: Any) -> int:
        """Bring a file to the platter."""
        node = self._node(path)
        for offset, payload in node.pending:
            put(node.platter, offset, payload)
        node.pending.clear()
        self.counts["syncs"] += 1
        return 0

    def fsyncdir(self, path: str, datasync: int, fi: Any) -> int:
        """Bring the names in a directory to the platter."""
        self._node(path)
        left = []
        for step in self.steps:
            if any(name.rpartition("/")[0] == path.rstrip("/") for name in step):
                self._settle_names(step)
            else:
                left.append(step)
        self.steps = left
        self.counts["directory_syncs"] += 1
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        """Make a directory."""
        self._step({path: Node(_DIRECTORY)})
        return 0

    def unlink(self, path: str) -> int:
        """Remove a name."""
        self._node(path)
        self._step({path: None})
        return 0

    def rename(self, old: str, new: str) -> int:
        """Give a file another name, as one step: both or neither survives."""
        node = self._node(old)
        self._step({new: node, old: None})
        return 0


def main() -> None:
    """Mount and serve until unmounted."""
    mfusepy.FUSE(
        Forgetful(),
        sys.argv[1],
        raw_fi=True,
        foreground=True,
        nothreads=True,
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
    )


if __name__ == "__main__":
    main()
