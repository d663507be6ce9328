"""Which shares of the clients this worker has: leases, as many as are fairly its own.

Promises: a share is one worker's at a time; who can't renew counts it as lost before another can
have it. A worker that is alone has all; each further one gets its part within the leases' time,
and the shares of one that was killed are taken up at once by another of the same system.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Final

from django.db import DatabaseError, connections

from fondaco.robots import lease
from fondaco.robots.hub.roster import SHARES
from fondaco.robots.models import Lease

__all__ = ["TTL_US", "Shares"]

TTL_US: Final = 10_000_000
TURN_US: Final = TTL_US // 4
PREFIX: Final = "hub "
PRESENT: Final = "hub worker "


def _now_us() -> int:
    return time.time_ns() // 1000


class Shares:
    def __init__(self, owner: str = "") -> None:
        self.owner = owner or lease.new_owner()
        self.fences: dict[int, int] = {}
        self._good_until_us = 0  # when what we have may be another's
        self._turn_at_us = 0

    @property
    def held(self) -> set[int]:
        """The shares that are surely ours now."""
        return set(self.fences) if _now_us() < self._good_until_us else set()

    def turn(self) -> tuple[set[int], set[int]]:
        """Renew, take and give up, when it is time; return what came and what went."""
        now_us = _now_us()
        if now_us < self._turn_at_us:
            return set(), set()
        before = dict(self.fences)
        try:
            self._renew(now_us)
            self._balance(now_us)
        except DatabaseError as error:
            print(f"fondaco: the hub's leases: {error}", file=sys.stderr)  # noqa: T201
            connections.close_all()
            if _now_us() >= self._good_until_us:
                self.fences.clear()
        self._turn_at_us = now_us + (TURN_US if self.fences else TURN_US // 10)
        # By their fences: a share that was another's meanwhile has gone, and come again.
        came = {share for share, fence in self.fences.items() if before.get(share) != fence}
        return came, {share for share, fence in before.items() if self.fences.get(share) != fence}

    def lost(self, shares: Iterable[int]) -> list[int]:
        """Ask, inside the transaction that writes for shares, which are not ours any more."""
        named = {f"{PREFIX}{share}": share for share in shares}
        held = Lease.objects.select_for_update().filter(
            pk__in=named, owner=self.owner, until_us__gt=_now_us()
        )
        fences = dict(held.order_by("pk").values_list("pk", "fence"))
        return [
            share
            for name, share in named.items()
            if name not in fences or fences[name] != self.fences.get(share)
        ]

    def release(self) -> None:
        """Give everything back, at the end."""
        for share, fence in self.fences.items():
            lease.release(f"{PREFIX}{share}", self.owner, fence=fence)
        Lease.objects.filter(pk=f"{PRESENT}{self.owner}").delete()
        self.fences.clear()

    def _renew(self, now_us: int) -> None:
        name = f"{PRESENT}{self.owner}"
        Lease.objects.update_or_create(
            pk=name, defaults={"owner": self.owner, "until_us": now_us + TTL_US}
        )
        for share, fence in list(self.fences.items()):
            if not lease.renew(
                f"{PREFIX}{share}", self.owner, fence=fence, ttl_us=TTL_US, now_us=now_us
            ):
                del self.fences[share]
        self._good_until_us = now_us + TTL_US - TURN_US

    def _balance(self, now_us: int) -> None:
        present = Lease.objects.filter(pk__startswith=PRESENT)
        for name in present.exclude(owner=self.owner).values_list("pk", flat=True):
            lease.free_if_gone(name)
        present.filter(until_us__lt=now_us - 10 * TTL_US).delete()
        workers = max(present.filter(until_us__gt=now_us).count(), 1)
        most = -(-SHARES // workers)
        for share in sorted(self.fences, reverse=True)[: max(len(self.fences) - most, 0)]:
            lease.release(f"{PREFIX}{share}", self.owner, fence=self.fences.pop(share))
        for share in range(SHARES):
            if len(self.fences) >= most:
                return
            if share not in self.fences:
                self._take(share, now_us)

    def _take(self, share: int, now_us: int) -> None:
        name = f"{PREFIX}{share}"
        fence = lease.take(name, self.owner, ttl_us=TTL_US, now_us=now_us)
        if fence is None and lease.free_if_gone(name):
            fence = lease.take(name, self.owner, ttl_us=TTL_US, now_us=now_us)
        if fence is not None:
            self.fences[share] = fence
