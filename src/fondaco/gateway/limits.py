"""How much may be asked: request weight a minute, orders in ten seconds and a day.

Promises: windows are those of the clock (a minute begins at its first second), so that a client
can count along; a limit of 0 is none; what is refused names the seconds until it is worth asking
again. Weight counts by key, or by account for a signed-in person, or by address without either;
orders by key or account; requests by address. It remembers at most HOLDERS_MAX holders a window.
"""

from __future__ import annotations

import time
from typing import Final

from fondaco.gateway.faults import Fault, too_many_orders, too_many_requests

__all__ = ["Limits", "Windows"]

HOLDERS_MAX: Final = 100_000
MINUTE_S: Final = 60
ORDERS_S: Final = 10
DAY_S: Final = 86_400
WEIGHT_PER_MINUTE: Final = 6000  # of an address that shows no key

Holder = int | str


class Windows:
    """Counts by holder in the current window of so many seconds."""

    __slots__ = ("_counts", "_seconds", "_window")

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._window = -1
        self._counts: dict[Holder, int] = {}

    def add(self, holder: Holder, amount: int, now_s: int) -> int:
        """Count and return the sum of this window."""
        window = now_s // self._seconds
        counts = self._counts
        if window != self._window:
            self._window = window
            counts.clear()
        elif len(counts) >= HOLDERS_MAX and holder not in counts:
            counts.clear()  # a flood of addresses: begin again rather than grow
        count = counts.get(holder, 0) + amount
        counts[holder] = count
        return count

    def count(self, holder: Holder, now_s: int) -> int:
        """Return the sum of this window."""
        if now_s // self._seconds != self._window:
            return 0
        return self._counts.get(holder, 0)

    def left_s(self, now_s: int) -> int:
        """Return the seconds until the next window."""
        return self._seconds - now_s % self._seconds


class Limits:
    """All windows of one edge."""

    def __init__(self, *, enforced: bool, address_limit_1m: int) -> None:
        self.enforced = enforced
        self._address_limit_1m = address_limit_1m
        self.weight = Windows(MINUTE_S)
        self.orders_10s = Windows(ORDERS_S)
        self.orders_1d = Windows(DAY_S)
        self._requests = Windows(MINUTE_S)

    @staticmethod
    def now_s() -> int:
        """Return the second of the clock by which windows turn."""
        return int(time.time())

    def take_request(self, address: str, now_s: int) -> None:
        """Count one request of an address. Raises Fault, 429."""
        limit = self._address_limit_1m
        if not (self.enforced and limit):
            return
        if self._requests.add(address, 1, now_s) > limit:
            raise too_many_requests(limit, "requests per minute", self._requests.left_s(now_s))

    def take_weight(self, holder: Holder, weight: int, limit: int, now_s: int) -> int:
        """Count a request's weight and return the sum. Raises Fault, 429."""
        used = self.weight.add(holder, weight, now_s)
        if self.enforced and limit and used > limit:
            raise too_many_requests(limit, "request weight per minute", self.weight.left_s(now_s))
        return used

    def take_order(self, holder: Holder, limit_10s: int, limit_1d: int, now_s: int) -> None:
        """Count one new order. Raises Fault, 429; a refused one isn't counted."""
        if self.enforced:
            if limit_10s and self.orders_10s.count(holder, now_s) >= limit_10s:
                raise too_many_orders(limit_10s, "10 SECOND", self.orders_10s.left_s(now_s))
            if limit_1d and self.orders_1d.count(holder, now_s) >= limit_1d:
                raise too_many_orders(limit_1d, "1 DAY", self.orders_1d.left_s(now_s))
        self.orders_10s.add(holder, 1, now_s)
        self.orders_1d.add(holder, 1, now_s)

    def order_counts(self, holder: Holder, now_s: int) -> tuple[int, int]:
        """Return the new orders of the running ten seconds and day."""
        return self.orders_10s.count(holder, now_s), self.orders_1d.count(holder, now_s)


def refused_by(fault: Fault) -> bool:
    """Whether a refusal is one of these limits."""
    return fault.status == 429
