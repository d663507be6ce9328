"""One child process of a house: start it, relay what it says, know how it ended.

Promises: a child gets the descriptors it is meant to have and no others; each line of its output
is passed on whole, and the last one is remembered, because it is the sentence that says why it
ended. Back-off grows with deaths in a row and is forgotten after STEADY_S of life.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from fondaco.cli.guard import PARENT

__all__ = ["Child"]

BACKOFF_S: Final = (0.0, 0.1, 0.3, 1.0, 2.0, 5.0)
STEADY_S: Final = 10.0
FAILURES_MAX: Final = 5  # by its own exit within FAILURES_WITHIN_S: starting again won't mend it
FAILURES_WITHIN_S: Final = 60.0
LINE_BYTES_MAX: Final = 1 << 16


class Child:
    """A role that is kept running."""

    def __init__(self, name: str, arguments: Sequence[str], *, is_vital: bool = True) -> None:
        """Name the role and the arguments after `python -m fondaco`."""
        self.name = name
        self.arguments = list(arguments)
        self.is_vital = is_vital
        self.popen: subprocess.Popen[bytes] | None = None
        self.output = -1  # the descriptor its output is read from; -1: none
        self.last_line = ""
        self.starts = 0
        self.due_s = 0.0  # when it is to be started, of time.monotonic()
        self._started_s = 0.0
        self._deaths = 0
        self._failures: deque[float] = deque(maxlen=FAILURES_MAX)
        self._partial = b""

    @property
    def is_running(self) -> bool:
        return self.popen is not None

    def start(self, environment: Mapping[str, str], watch: int, descriptors: Sequence[int]) -> None:
        """Start it; `watch` is the read end of the parent's pipe."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        try:
            self.popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "fondaco", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                env={**environment, PARENT: f"{os.getpid()}:{watch}"},
                pass_fds=(watch, *descriptors),
            )
        finally:
            os.close(write_end)
        self.output = read_end
        self.starts += 1
        self.last_line = ""
        self._partial = b""
        self._started_s = time.monotonic()

    def relay(self, say: Callable[[str], None]) -> bool:
        """Pass on the whole lines that have come; return False at the end of its output."""
        while True:
            try:
                piece = os.read(self.output, LINE_BYTES_MAX)
            except BlockingIOError:
                return True
            if not piece:
                if self._partial:
                    self._say(self._partial, say)
                    self._partial = b""
                return False
            *lines, self._partial = (self._partial + piece).split(b"\n")
            if len(self._partial) > LINE_BYTES_MAX:
                lines.append(self._partial)
                self._partial = b""
            for line in lines:
                self._say(line, say)

    def _say(self, line: bytes, say: Callable[[str], None]) -> None:
        text = line.decode(errors="replace").rstrip()
        if text:
            self.last_line = text
        say(text)

    def ended(self) -> int | None:
        """Return the status it ended with (negative: the signal), None while it runs."""
        assert self.popen is not None
        return self.popen.poll()

    def bury(self, status: int) -> bool:
        """Note its end and when it is due again; return False if it fails again and again."""
        now = time.monotonic()
        if now - self._started_s > STEADY_S:
            self._deaths = 0
        self.popen = None
        self.due_s = now + BACKOFF_S[min(self._deaths, len(BACKOFF_S) - 1)]
        self._deaths += 1
        if status < 0:
            return True  # somebody killed it: that is no fault of its own
        self._failures.append(now)
        return len(self._failures) < FAILURES_MAX or now - self._failures[0] > FAILURES_WITHIN_S

    def signal(self, number: int) -> None:
        if self.popen is not None:
            self.popen.send_signal(number)

    def close(self) -> None:
        """Let go of its output."""
        if self.output >= 0:
            os.close(self.output)
            self.output = -1
