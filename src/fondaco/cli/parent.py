"""The parent of a house: starts writer, worker, edge and feeds, keeps them, ends them in order.

Promises: the data directory is locked and the port bound before anything starts; both pass to the
children, so that a house whose parent was killed keeps them until its last child is gone. A dead
child is started again with back-off; one that says that it can't go on (status 2, 3 or 4), or
fails again and again, ends the house with its status and its sentence. SIGTERM or SIGINT ends all
within STOP_S_MAX with status 0: those who ask first, the writer last; a second signal at once.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Final

from fondaco.cli.children import Child

__all__ = ["Parent"]

FINAL: Final = frozenset({2, 3, 4})  # statuses that starting again can't mend
# Those who end together, and the seconds they have before they are killed: together under ten.
STOP_ORDER: Final = (
    (("traders", "stocks", "edge"), 4.0),
    (("feeds", "worker"), 2.0),
    (("writer",), 2.5),
)
STOP_S_MAX: Final = 10.0
POLL_S: Final = 0.5
GONE_S: Final = 0.05


class Parent:
    """The running house."""

    def __init__(
        self,
        children: Sequence[Child],
        environment: Mapping[str, str],
        *,
        lock: int,
        listeners: Mapping[str, socket.socket],
    ) -> None:
        """Take the children in the order of their start; all inherit the lock, a role its port."""
        self._children = list(children)
        self._environment = dict(environment)
        self._lock = lock
        self._listeners = listeners
        self._signals = 0
        self._selector = selectors.DefaultSelector()
        self._watch = -1  # the pipe: the children hold the end that is read, we the other
        self._held = -1
        self._last_said = ""

    def run(self, on_turn: Callable[[], None] | None = None) -> int:
        """Keep the house until a signal or a final fault; return the exit status."""
        give_back = own_process_group()
        self._watch, self._held = os.pipe()
        with contextlib.ExitStack() as stack:
            stack.callback(give_back)
            stack.callback(os.close, self._watch)
            stack.callback(os.close, self._held)
            stack.callback(self._selector.close)
            stack.enter_context(self._wakeups())
            try:
                status, sentence = self._keep(on_turn)
            finally:
                self._stop()
            if sentence and sentence != self._last_said:
                self._say(sentence)
            return status

    # ---- while it runs

    def _keep(self, on_turn: Callable[[], None] | None) -> tuple[int, str]:
        while not self._signals:
            now = time.monotonic()
            for child in self._children:
                if not child.is_running and child.due_s <= now:
                    self._start(child)
            self._turn(POLL_S)
            fate = self._reap()
            if fate is not None:
                return fate
            if on_turn is not None:
                on_turn()
        return 0, ""

    def _start(self, child: Child) -> None:
        descriptors = [self._lock]
        if child.name in self._listeners:
            descriptors.append(self._listeners[child.name].fileno())
        child.start(self._environment, self._watch, descriptors)
        self._selector.register(child.output, selectors.EVENT_READ, child)

    def _turn(self, wait_s: float) -> None:
        """Relay what the children say; return at the latest when one is due or has ended."""
        due = [child.due_s for child in self._children if not child.is_running]
        wait_s = min([wait_s, *(max(each - time.monotonic(), 0) for each in due)])
        for key, _ in self._selector.select(wait_s):
            if isinstance(key.data, Child):
                self._relay(key.data)
            else:
                os.read(key.fd, 4096)  # the wake-up of a signal

    def _relay(self, child: Child) -> None:
        if not child.relay(self._say):
            self._selector.unregister(child.output)
            child.close()

    def _reap(self) -> tuple[int, str] | None:
        """Note who has ended; return the status and sentence if that ends the house."""
        for child in self._children:
            status = child.ended() if child.is_running else None
            if status is None:
                continue
            if child.output >= 0:
                self._relay(child)
                if child.output >= 0:  # somebody else still holds the other end
                    self._selector.unregister(child.output)
                    child.close()
            may_return = child.bury(status)
            if self._signals or not child.is_vital:
                continue
            if status in FINAL:
                return status, child.last_line or f"fondaco: the {child.name} ended ({status})"
            if not may_return:
                said = child.last_line or f"fondaco: its last status was {status}"
                return 1, said
            how = f"was killed by signal {-status}" if status < 0 else f"ended with {status}"
            self._say(f"fondaco: the {child.name} {how}; starting it again")
        return None

    def _say(self, line: str) -> None:
        self._last_said = line.rstrip() or self._last_said
        say(line)

    # ---- stopping

    def _stop(self) -> None:
        """End the children in order; kill whoever is late, or all at a second signal."""
        heard = self._signals
        for names, patience_s in STOP_ORDER:
            group = [child for child in self._children if child.name in names]
            for child in group:
                child.signal(signal.SIGTERM)
            self._await(group, patience_s, heard)
            for child in group:
                child.signal(signal.SIGKILL)
            self._await(group, STOP_S_MAX, heard=-1)

    def _await(self, group: Sequence[Child], patience_s: float, heard: int) -> None:
        deadline = time.monotonic() + patience_s
        while any(child.is_running for child in group) and time.monotonic() < deadline:
            if heard >= 0 and self._signals > max(heard, 1):
                return  # asked again: at once
            for key, _ in self._selector.select(GONE_S):
                if isinstance(key.data, Child):
                    self._relay(key.data)
                else:
                    os.read(key.fd, 4096)
            for child in group:
                status = child.ended() if child.is_running else None
                if status is not None:
                    child.bury(status)

    @contextlib.contextmanager
    def _wakeups(self) -> Iterator[None]:
        """Have signals end select(), and count those that ask to stop."""
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._heard)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(read_end, selectors.EVENT_READ)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            os.close(read_end)
            os.close(write_end)

    def _heard(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's
        self._signals += 1


def own_process_group() -> Callable[[], None]:
    """Lead a process group; in a terminal's foreground stay there, so that Ctrl-C reaches us.

    Returns what gives the foreground back.
    """
    before = os.getpgrp()
    if before == os.getpid():
        return lambda: None
    was_foreground = False
    with contextlib.suppress(OSError, ValueError):
        was_foreground = os.tcgetpgrp(sys.stdin.fileno()) == before
    os.setpgid(0, 0)
    if not was_foreground:
        return lambda: None
    to_foreground(os.getpid())
    return lambda: to_foreground(before)


def to_foreground(group: int) -> None:
    """Make a process group the terminal's foreground one; who is in the background may."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with contextlib.suppress(OSError, ValueError):
        os.tcsetpgrp(sys.stdin.fileno(), group)
    signal.signal(signal.SIGTTOU, before)


def say(line: str) -> None:
    """Write one line to stderr; nobody there to read it is no fault."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
