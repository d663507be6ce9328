"""A process that races its threads for one lease and prints what came of it.

Run as a program, with Django's settings in the environment; `careless` plants the bug that a
taker doesn't look whether somebody holds the lease.
"""

from __future__ import annotations

import sys
import threading

THREADS = 8
ROUNDS = 12
TTL_US = 1_000


def race(*, careless: bool) -> list[list[tuple[int, int]]]:
    """Return for each round the (thread, fence) of those who got the lease."""
    import django

    django.setup()
    from django.db import connections
    from django.db.models import Q

    from fondaco.office.services import prepare_databases
    from fondaco.robots import lease

    prepare_databases()
    if careless:
        lease._is_free = lambda now_us: Q()
    won: list[list[tuple[int, int]]] = [[] for _ in range(ROUNDS)]
    begin = threading.Barrier(THREADS, timeout=60)

    def run(number: int) -> None:
        for place in range(ROUNDS):
            begin.wait()
            now_us = 1 + place * TTL_US
            fence = lease.take("feed", f"owner {number}", ttl_us=TTL_US, now_us=now_us)
            if fence is not None:
                won[place].append((number, fence))
        connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


if __name__ == "__main__":
    print(race(careless="careless" in sys.argv))
