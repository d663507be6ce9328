"""Work that one of many worker processes does at a time, and another takes up when that one ends.

Promises: while_held() does the work whenever this process holds the lease of that name, and tells
it to end when the lease is lost, before another can have it: the lease is renewed by a thread of
its own, and whoever can't renew counts it as lost when its time is over. Who stood still and
comes back late writes nothing where confirm() is asked in its transaction. A database that is away
for a moment ends nothing. It ends at `stop`, and raises what the work raises.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from django.db import DatabaseError, connections

from fondaco.robots import lease

__all__ = ["TTL_US", "Held", "LeaseLost", "while_held"]

TTL_US: Final = 10_000_000  # a killed worker's work is taken up after this
TURNS: Final = 4  # renewals in that time


class LeaseLost(Exception):
    """Another took the lease: what this one had in mind is not to be written."""


class Held:
    """Says when the work must end: the process is to stop, or the lease is lost."""

    def __init__(self, stop: threading.Event, name: str, fence: int) -> None:
        self._stop = stop
        self._name = name
        self._fence = fence
        self.lost = threading.Event()

    def confirm(self) -> None:
        """Within a transaction: make sure that it is written by the holder, or LeaseLost."""
        if not lease.is_newest(self._name, fence=self._fence):
            self.lost.set()
            raise LeaseLost(self._name)

    def is_set(self) -> bool:
        return self._stop.is_set() or self.lost.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait so long or until the work must end; return whether it must."""
        deadline = time.monotonic() + timeout_s
        while not self.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._stop.wait(min(left, 0.2))
        return True


def while_held(
    name: str,
    stop: threading.Event,
    work: Callable[[Held], None],
    *,
    ttl_us: int = TTL_US,
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> None:
    """Do `work` each time this process gets the lease, until `stop`."""
    owner = lease.new_owner()
    turn_s = ttl_us / TURNS / 1_000_000
    while not stop.is_set():
        try:
            fence = lease.take(name, owner, ttl_us=ttl_us, now_us=now_us())
            if fence is None and lease.free_if_gone(name):
                continue
        except DatabaseError as error:
            fence = None
            print(f"fondaco: lease {name}: {error}", file=sys.stderr)  # noqa: T201
            connections.close_all()
        if fence is None:
            stop.wait(turn_s)
            continue
        held = Held(stop, name, fence)
        done = threading.Event()

        def keep(fence: int = fence, held: Held = held, done: threading.Event = done) -> None:
            _keep(name, owner, fence, ttl_us, now_us, held, done)

        keeper = threading.Thread(target=keep, name=f"lease {name}", daemon=True)
        keeper.start()
        try:
            work(held)
        finally:
            done.set()
            keeper.join()
            _release(name, owner, fence)


def _keep(
    name: str,
    owner: str,
    fence: int,
    ttl_us: int,
    now_us: Callable[[], int],
    held: Held,
    done: threading.Event,
) -> None:
    """Renew until done; set `held.lost` when the lease is another's or its time may be over."""
    turn_s = ttl_us / TURNS / 1_000_000
    good_until = time.monotonic() + turn_s * (TURNS - 1)
    try:
        while not done.wait(turn_s):
            begun = time.monotonic()
            try:
                ours = lease.renew(name, owner, fence=fence, ttl_us=ttl_us, now_us=now_us())
            except DatabaseError:
                connections.close_all()
                ours = time.monotonic() < good_until
            else:
                good_until = begun + turn_s * (TURNS - 1)
            if not ours:
                held.lost.set()
                return
    finally:
        connections.close_all()


def _release(name: str, owner: str, fence: int) -> None:
    try:
        lease.release(name, owner, fence=fence)
    except DatabaseError as error:  # then it runs out by itself
        print(f"fondaco: lease {name}: {error}", file=sys.stderr)  # noqa: T201
        connections.close_all()
