"""Leases: which of several worker processes does a piece of work now.

Promises: of any number who take a lease at once, one gets it, on SQLite as on PostgreSQL; its
fence is larger than every one given before; it lasts until its time is over or it is released,
and only who took it last renews or releases it. Times are given by the caller, in microseconds.

A lease is a hint, for clocks differ and processes stand still: what must not happen twice is
refused by the core (VENUE_SENT, DUPLICATE_QUOTE) or by the other side (a broker's client id).
Owners' names read /proc, as Linux has it.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.db import transaction
from django.db.models import F, Q

from fondaco.robots.models import Lease

__all__ = ["free_if_gone", "is_gone", "is_newest", "new_owner", "release", "renew", "take"]


def new_owner() -> str:
    """Return a name for this process that no other has, now or before, and that names it."""
    return f"{_system()} {os.getpid()} {_started(os.getpid())} {secrets.token_hex(4)}"


def free_if_gone(name: str) -> bool:
    """Give back a lease whose owner was a process of this system that is no more.

    So a killed worker's successor need not wait; who is on another system is waited for.
    """
    held = Lease.objects.filter(pk=name).first()
    if held is None or not is_gone(held.owner):
        return False
    release(name, held.owner, fence=held.fence)
    return True


def is_gone(owner: str) -> bool:
    """Tell whether an owner of new_owner()'s was a process of this system that is no more."""
    parts = owner.split()
    if len(parts) != 4 or parts[0] != _system() or not parts[1].isdecimal():
        return False
    return _started(int(parts[1])) != parts[2]


def _system() -> str:
    """Return a name for the running system, or for the container: whose process numbers count."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}:{Path('/proc/self/ns/pid').stat().st_ino}"


def _started(pid: int) -> str:
    """Return when a process began, in the system's ticks, or "-" if there is none."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "-"
    fields = status.rpartition(")")[2].split()  # the name before may hold anything
    return "-" if fields[0] == "Z" else fields[19]


def take(name: str, owner: str, *, ttl_us: int, now_us: int) -> int | None:
    """Return the fence if the lease was free and is the owner's now, None if somebody holds it."""
    with transaction.atomic():
        Lease.objects.bulk_create([Lease(name=name)], ignore_conflicts=True)
        # One statement: a second taker waits for the first one's commit, then looks again.
        free = Lease.objects.filter(_is_free(now_us), pk=name)
        if not free.update(owner=owner, fence=F("fence") + 1, until_us=now_us + ttl_us):
            return None
        return Lease.objects.get(pk=name).fence


def renew(name: str, owner: str, *, fence: int, ttl_us: int, now_us: int) -> bool:
    """Hold a lease for longer; False if its time was over or another has it."""
    held = Lease.objects.filter(pk=name, owner=owner, fence=fence, until_us__gt=now_us)
    return bool(held.update(until_us=now_us + ttl_us))


def is_newest(name: str, *, fence: int) -> bool:
    """Say whether nobody took a lease after this fence; none can until the transaction ends."""
    return Lease.objects.select_for_update().filter(pk=name, fence=fence).exists()


def release(name: str, owner: str, *, fence: int) -> None:
    """Give a lease back, if it is still the owner's."""
    Lease.objects.filter(pk=name, owner=owner, fence=fence).update(until_us=0)


def _is_free(now_us: int) -> Q:
    return Q(until_us__lte=now_us)
