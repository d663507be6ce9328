"""The one thread of an edge that writes reports: it takes all that waits and commits it at once.

Promises: an answer goes out after the commit that holds the report; what could not be committed is
answered with the error and may be sent again. The queue is bounded. stop() lets it finish what
waits. A batch forms by itself: while one is being written, the next one gathers. Who has just been
answered asks again soon, so a batch waits for as many as asked before, but for no longer than half
of what the last one took to be stored: a sync costs as much for one report as for all.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from fondaco.strategies.reports import Incoming, Stored

__all__ = ["ReportWriter", "ReportsWaiting"]

WAITING_MAX: Final = 20_000  # some 10 MB, and a second or two of writing
BATCH_MAX: Final = 1_000
LINGER_S_MAX: Final = 0.002
END_S: Final = 5.0


class Storage(Protocol):
    """The part of strategies.reports.Reports that is used here."""

    def store(self, batch: Sequence[Incoming]) -> list[Stored]: ...


class ReportsWaiting(Exception):
    """Too many reports wait, or none are taken any more; nothing was stored."""

    def __init__(self) -> None:
        super().__init__("too many reports wait")


class Answer(Protocol):
    """Who waits for the commit: a future, or a report on its short way."""

    def done(self) -> bool: ...

    def set_result(self, stored: Stored, /) -> None: ...

    def set_exception(self, error: Exception, /) -> None: ...


class Waiting(NamedTuple):
    report: Incoming
    answer: Answer


class ReportWriter:
    """Belongs to the loop that it is made in; only its own thread touches the storage."""

    def __init__(self, storage: Callable[[], Storage]) -> None:
        self._storage = storage
        self._loop = asyncio.get_running_loop()
        self._gathered: list[Waiting] = []
        self._lock = threading.Lock()
        self._something = threading.Event()
        self._ending = False
        self._wanted = 1  # reports before a batch begins without lingering
        self.failure = ""  # why nothing is written any more, for a reason of ours
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
        self._thread.start()

    def submit(self, report: Incoming) -> asyncio.Future[Stored]:
        """Queue a report; the future is done after its commit. Raises ReportsWaiting."""
        answer: asyncio.Future[Stored] = self._loop.create_future()
        self.put(report, answer)
        return answer

    def put(self, report: Incoming, answer: Answer) -> None:
        """Queue a report; the answer is resolved in the loop. Raises ReportsWaiting."""
        if len(self._gathered) >= WAITING_MAX or self._ending or self.failure:
            raise ReportsWaiting
        with self._lock:
            self._gathered.append(Waiting(report, answer))
            count = len(self._gathered)
        if (count == 1 or count >= self._wanted) and not self._something.is_set():
            self._something.set()

    async def stop(self) -> None:
        """Write what waits and end the thread."""
        self._ending = True
        self._something.set()
        await asyncio.to_thread(self._thread.join, END_S)

    # ---- the thread

    def _run(self) -> None:
        storage = self._storage()
        linger_s = 0.0
        try:
            while True:
                self._something.wait()
                if len(self._gathered) < self._wanted and not self._ending:
                    self._something.clear()
                    self._something.wait(linger_s)
                with self._lock:
                    batch, self._gathered = self._gathered[:BATCH_MAX], self._gathered[BATCH_MAX:]
                    if not self._gathered and not self._ending:
                        self._something.clear()
                if batch:
                    begun = time.monotonic()
                    self._write(storage, batch)
                    linger_s = min((time.monotonic() - begun) / 2, LINGER_S_MAX)
                    self._wanted = min((len(batch) + len(self._gathered)) * 7 // 8, BATCH_MAX)
                elif self._ending:
                    return
        finally:
            connections.close_all()

    def _write(self, storage: Storage, batch: list[Waiting]) -> None:
        found: list[Stored] | DatabaseError
        try:
            found = storage.store([each.report for each in batch])
        except DatabaseError as error:
            found = error
            connections[DEFAULT_DB_ALIAS].close()  # the next batch begins anew
        except BaseException as error:
            self.failure = repr(error)
            self._loop.call_soon_threadsafe(_answer, batch, ReportsWaiting())
            raise
        self._loop.call_soon_threadsafe(_answer, batch, found)


def _answer(batch: list[Waiting], found: list[Stored] | Exception) -> None:
    """Give each of a batch its answer; who has gone is stepped over."""
    for place, each in enumerate(batch):
        if each.answer.done():
            continue
        if isinstance(found, Exception):
            each.answer.set_exception(found)
        else:
            each.answer.set_result(found[place])
