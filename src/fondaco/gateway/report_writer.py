"""The one thread of an edge that writes reports: it takes all that waits and commits it at once.

Promises: an answer goes out after the commit that holds the report; what could not be committed is
answered with the error and may be sent again. The queue is bounded. stop() lets it finish what
waits. A batch forms by itself: while one is being written, the next one gathers. Who has just been
answered asks again soon, so a batch waits for as many as asked before, but for no longer than half
of what the last one took to be stored: a sync costs as much for one report as for all.

Between batches it puts in place what has arrived (strategies.arrivals), PLACE_S after the first of
it at the latest, and before its first batch what an edge before it left. While that fails no report
is taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from fondaco.strategies.reports import Incoming

__all__ = ["ReportWriter", "ReportsWaiting", "Storage"]

WAITING_MAX: Final = 20_000  # some 10 MB, and a second or two of writing
BATCH_MAX: Final = 1_000
LINGER_S_MAX: Final = 0.002
PLACE_S: Final = 0.1  # a dashboard is live within a second of a report, by looks 0.4 s apart
RETRY_S: Final = 1.0
UNPLACED_MAX: Final = 4_000  # reports: some 20 ms of putting in place
END_S: Final = 5.0


class Storage(Protocol):
    """The part of strategies.reports.Reports that is used here."""

    def take(self, batch: Sequence[Incoming]) -> list[int]: ...

    def put_in_place(self) -> None: ...


class ReportsWaiting(Exception):
    """Too many reports wait, or none are taken any more; nothing was stored."""

    def __init__(self) -> None:
        super().__init__("too many reports wait")


class Answer(Protocol):
    """Who waits for the commit: a future, or a report on its short way."""

    def done(self) -> bool: ...

    def set_result(self, strategy: int, /) -> None: ...

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
        self._unplaced = 1  # reports since all were in place; an edge before may have left some
        self._place_at = 0.0  # by the monotonic clock: when they have waited long enough
        self._is_stuck = True  # until they could be put in place
        self.failure = ""  # why nothing is written any more, for a reason of ours
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
        self._thread.start()

    def submit(self, report: Incoming) -> asyncio.Future[int]:
        """Queue a report; the future gives whose it is, after its commit. Raises ReportsWaiting."""
        answer: asyncio.Future[int] = self._loop.create_future()
        self.put(report, answer)
        return answer

    def put(self, report: Incoming, answer: Answer) -> None:
        """Queue a report; the answer is resolved in the loop. Raises ReportsWaiting."""
        with self._lock:
            if len(self._gathered) >= WAITING_MAX or self._ending or self.failure:
                raise ReportsWaiting
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
                self._something.wait(self._rest_s())
                if 0 < len(self._gathered) < self._wanted and not self._ending:
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
                ends = self._ending and not batch
                if self._unplaced >= UNPLACED_MAX or self._rest_s() == 0 or ends:
                    with contextlib.suppress(DatabaseError):  # it is tried again
                        self._put_in_place(storage)
                if ends:
                    return
        except BaseException as error:
            with self._lock:
                self.failure = repr(error)
                left, self._gathered = self._gathered, []
            self._loop.call_soon_threadsafe(_answer, left, ReportsWaiting())
            raise
        finally:
            connections.close_all()

    def _rest_s(self) -> float | None:
        """Return for how long nothing has to be put in place; None: until something comes."""
        return max(0.0, self._place_at - time.monotonic()) if self._unplaced else None

    def _write(self, storage: Storage, batch: list[Waiting]) -> None:
        found: list[int] | DatabaseError
        try:
            if self._is_stuck:
                self._put_in_place(storage)
            found = storage.take([each.report for each in batch])
        except DatabaseError as error:
            found = error
            connections[DEFAULT_DB_ALIAS].close()  # the next batch begins anew
        except BaseException as error:
            self.failure = repr(error)
            self._loop.call_soon_threadsafe(_answer, batch, ReportsWaiting())
            raise
        else:
            if not self._unplaced:
                self._place_at = time.monotonic() + PLACE_S
            self._unplaced += len(batch)
        self._loop.call_soon_threadsafe(_answer, batch, found)

    def _put_in_place(self, storage: Storage) -> None:
        """Put in place what has arrived; raises DatabaseError, to be tried again after a while."""
        try:
            storage.put_in_place()
        except DatabaseError:
            self._is_stuck = True
            self._place_at = time.monotonic() + RETRY_S
            connections[DEFAULT_DB_ALIAS].close()
            raise
        self._unplaced = 0
        self._is_stuck = False


def _answer(batch: list[Waiting], found: list[int] | Exception) -> None:
    """Give each of a batch its answer; who has gone is stepped over."""
    for place, each in enumerate(batch):
        if each.answer.done():
            continue
        if isinstance(found, Exception):
            each.answer.set_exception(found)
        else:
            each.answer.set_result(found[place])
