"""The clock, injected: the core knows time only from the stamps that the sequencer takes here.

now_us() is the time of day that stamps are made of; steady_us() only grows and measures rest
and lag. TestClock stands still until it is advanced, so that no test has to sleep.
"""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock", "TestClock"]


class Clock(Protocol):
    """Where time comes from."""

    def now_us(self) -> int:
        """Return microseconds since the Unix epoch, UTC; it may jump, the stamps never do."""

    def steady_us(self) -> int:
        """Return microseconds of a clock that never goes back; only differences mean something."""


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Return the time of day."""
        return time.time_ns() // 1000

    def steady_us(self) -> int:
        """Return the monotonic clock."""
        return time.monotonic_ns() // 1000


class TestClock:
    """Stands still until told; a house with clock = "test" and the tests use it."""

    __test__ = False  # a clock, not a test case

    def __init__(self, start_us: int) -> None:
        """Begin at start_us."""
        self._now_us = start_us

    def now_us(self) -> int:
        """Return the time that was last set."""
        return self._now_us

    def steady_us(self) -> int:
        """Return the machine's monotonic clock: rest is real even where the day stands still."""
        return time.monotonic_ns() // 1000

    def advance(self, by_us: int) -> None:
        """Move forward."""
        if by_us < 0:
            msg = f"a clock never goes back: asked to advance by {by_us} microseconds"
            raise ValueError(msg)
        self._now_us += by_us

    def catch_up(self, to_us: int) -> None:
        """Move to a house's last stamp, if that is later: its day goes on where it stood."""
        self._now_us = max(self._now_us, to_us)
