"""Where the writer listens, also when the path is longer than a Unix socket's name may be."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["bound", "nameable", "writer_socket"]

NAME_BYTES_MAX: Final = 107  # sockaddr_un.sun_path with its final zero is 108


def writer_socket(data_dir: Path | str) -> Path:
    """Return the address of the writer of the house in `data_dir`."""
    return Path(data_dir).absolute() / "run" / "writer.sock"


@contextlib.contextmanager
def nameable(address: str) -> Iterator[str]:
    """Give a name for the same socket that fits, for as long as the `with` lasts."""
    if len(os.fsencode(address)) <= NAME_BYTES_MAX:
        yield address
        return
    path = Path(address)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def bound(address: str) -> socket.socket:
    """Return a socket bound to `address`, for this user only.

    What lies there is removed: whoever binds holds the lock of the data directory.
    """
    path = Path(address)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with nameable(address) as name:
            made.bind(name)
    except OSError:
        made.close()
        raise
    finally:
        os.umask(before)
    return made
