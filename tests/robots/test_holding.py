"""Work that one process does at a time: another takes it up, and who lost it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connections

from fondaco.robots.holding import Held, while_held
from fondaco.robots.models import Lease

DEADLINE_S = 60.0
TTL_US = 4_000_000
pytestmark = pytest.mark.django_db(transaction=True)


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)


class Worker:
    """A process, as a thread: it notes when it works."""

    def __init__(self, name: str) -> None:
        self.works = False
        self.begun = 0
        self.stop = threading.Event()
        self._name = name
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self.stop.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while_held("work", self.stop, self._work, ttl_us=TTL_US)
        finally:
            connections.close_all()

    def _work(self, held: Held) -> None:
        self.works = True
        self.begun += 1
        while not held.wait(5.0):
            pass
        self.works = False


def test_one_works_and_another_takes_it_up() -> None:
    """Of three workers one works; when it ends the next begins, and nobody twice at once."""
    workers = [Worker(name) for name in "abc"]
    for _ in range(3):
        until(lambda: sum(worker.works for worker in workers) == 1)
        working = next(worker for worker in workers if worker.works)
        working.end()
        assert not working.works
    assert [worker.begun for worker in workers] == [1, 1, 1]


def test_who_lost_the_lease_is_told() -> None:
    """Another's taking ends the work of a holder who stood still for too long."""
    worker = Worker("a")
    until(lambda: worker.works)
    Lease.objects.update(owner="another", until_us=2**62)
    until(lambda: not worker.works)
    worker.end()
    assert worker.begun == 1
    assert Lease.objects.get(pk="work").owner == "another"
