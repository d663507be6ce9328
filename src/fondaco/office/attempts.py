"""How often one may try to sign in.

Promises: past NAME_MAX tries of one name, or ADDRESS_MAX tries of any, from one address within a
window the next is refused before its password is looked at; a success forgets the name's tries.
Counted in the memory of one process, of at most HOLDERS_MAX names and addresses; a house that
declares `rate_limits = false` counts nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Attempts"]

WINDOW_S: Final = 300
NAME_MAX: Final = 10  # more than a person mistypes
ADDRESS_MAX: Final = 100  # a class or an office behind one address
HOLDERS_MAX: Final = 20_000


class Attempts:
    """The tries of the current window; used by several threads."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._window = -1
        self._counts: dict[str | tuple[str, str], int] = {}
        self._turn = threading.Lock()

    def take(self, address: str, name: str) -> int:
        """Count a try; return 0, or the seconds after which it is worth trying again."""
        now_s = int(self._now_s())
        with self._turn:
            if now_s // WINDOW_S != self._window or len(self._counts) >= HOLDERS_MAX:
                self._window = now_s // WINDOW_S
                self._counts.clear()
            holders = ((address, name.casefold()), NAME_MAX), (address, ADDRESS_MAX)
            if any(self._counts.get(holder, 0) >= most for holder, most in holders):
                return WINDOW_S - now_s % WINDOW_S
            for holder, _ in holders:
                self._counts[holder] = self._counts.get(holder, 0) + 1
        return 0

    def succeeded(self, address: str, name: str) -> None:
        """Forget the tries of a name that has signed in, and its share of the address's."""
        with self._turn:
            tries = self._counts.pop((address, name.casefold()), 0)
            if address in self._counts:
                self._counts[address] = max(0, self._counts[address] - tries)
