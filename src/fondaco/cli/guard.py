"""A child ends when its parent does, however the parent ends.

Two ways at once: the kernel sends SIGTERM when the parent dies, and a pipe whose other end only
the parent holds comes to its end; whoever hasn't left GRACE_S after that is ended. Both are set
up before anything else is imported. Linux only, as the rest of the house.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from typing import Final

__all__ = ["PARENT", "guard_child", "is_guarded"]

PARENT: Final = "FONDACO_PARENT"  # "<pid of the parent>:<descriptor of the pipe>"
GRACE_S: Final = 1.2  # of the 2 s that a child may outlive its parent
_ENDING: Final = 1
_PR_SET_PDEATHSIG: Final = 1


_guarded: list[int] = []  # the parent's pid, once watched


def is_guarded() -> bool:
    """Return whether a parent started this process and holds what it needs (locks, sockets)."""
    return bool(_guarded)


def guard_child() -> None:
    """Watch the parent that the environment names, if it names one."""
    named = os.environ.pop(PARENT, "")
    if not named:
        return
    pid, descriptor = (int(part) for part in named.split(":"))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != pid:
        os._exit(_ENDING)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it ends us in order
    threading.Thread(target=_watch, args=(descriptor,), name="parent", daemon=True).start()
    _guarded.append(pid)


def _watch(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    time.sleep(GRACE_S)
    os._exit(_ENDING)
