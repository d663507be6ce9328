"""A queue of reports between an algorithm and its house.

Promises: what put() has returned for is kept until the house has stored it, through outages,
overload and, with a file, the death of this program; nothing is told to be stored that isn't. put()
waits while the queue is full. Reports leave in order, one at a time; a second sending after a crash
stores nothing twice, as each has a time of its own. The token is never in the file.

One thread sends. A queue is of one strategy; of two programs on one file both would send.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from fondaco_client.clients import Client
from fondaco_client.errors import (
    Conflict,
    FondacoError,
    Forbidden,
    NotFound,
    ReportsUndelivered,
    Unauthorised,
    Unfit,
)
from fondaco_client.reports import Report, report_call

__all__ = ["AsyncReportQueue", "ReportQueue"]

WAITING_MAX: Final = 10_000  # about a week of minutes
BATCH: Final = 100  # sent before what was stored is crossed out, in one commit
PAUSE_S: Final = 5.0  # after the client's own tries are over
CLOSE_S: Final = 30.0
DEAD: Final = (NotFound, Unauthorised, Forbidden, Conflict)  # the token; another one may be good

TABLES: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT, created_at TEXT NOT NULL UNIQUE, words BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS refused (number INTEGER PRIMARY KEY, words BLOB, reason TEXT);
"""


class ReportQueue:
    """Reports that wait for their house: `with ReportQueue(client, "reports.db") as queue: …`.

    path: the file that keeps them; without one they live as long as this program. waiting_max:
    put() waits beyond it. token: of the strategy, the client's by default.
    """

    def __init__(
        self,
        client: Client,
        path: str | Path | None = None,
        *,
        token: str | None = None,
        waiting_max: int = WAITING_MAX,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._client = client
        self._token = token or client.house.strategy_token
        self._waiting_max = waiting_max
        self._pause_s = pause_s
        report_call({}, self._token)  # raises without a token
        self._kept = sqlite3.connect(path or ":memory:", check_same_thread=False)
        self._kept.executescript(TABLES)
        self._changed = threading.Condition()
        self._ends = False
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="fondaco-reports", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """As close()."""
        self.close()

    # ---- for the algorithm

    @property
    def waiting(self) -> int:
        """How many reports the house hasn't stored yet."""
        with self._changed:
            return self._count("waiting")

    @property
    def refused(self) -> list[tuple[dict[str, str], str]]:
        """Reports that the house can't take, with its reason; they stand aside."""
        with self._changed:
            rows = self._kept.execute("SELECT words, reason FROM refused ORDER BY number")
            return [(msgspec.json.decode(words), reason) for words, reason in rows]

    def put(self, *reports: Report, timeout_s: float | None = None) -> None:
        """Keep reports, all or none; they are safe when this returns.

        Raises TimeoutError if the queue stays full, ValueError if one of the same time waits,
        ReportsUndelivered if the queue can't go on.
        """
        rows = []
        for report in reports:
            words = report.words()
            rows.append((words["created_at"], msgspec.json.encode(words)))
        if len(rows) > self._waiting_max:
            raise ValueError(f"{len(rows)} reports at once; the queue holds {self._waiting_max}")
        with self._changed:
            room = self._wait(
                lambda: self._count("waiting") + len(rows) <= self._waiting_max, timeout_s
            )
            if not room:
                raise TimeoutError(f"the queue is full: {self._waiting_max} reports wait")
            try:
                with self._kept:
                    self._kept.executemany(
                        "INSERT INTO waiting (created_at, words) VALUES (?, ?)", rows
                    )
            except sqlite3.IntegrityError as error:
                raise ValueError("two reports of one time: give each its own created_at") from error
            self._changed.notify_all()

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until the house has stored all that waits. Raises ReportsUndelivered."""
        with self._changed:
            if not self._wait(lambda: not self._count("waiting"), timeout_s):
                count = self._count("waiting")
                raise ReportsUndelivered(f"{count} reports still wait", count=count)

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Flush, and end. Raises ReportsUndelivered for what is left: a file keeps it."""
        try:
            self.flush(timeout_s)
        finally:
            with self._changed:
                self._ends = True
                self._changed.notify_all()
            self._thread.join(timeout_s)
            if not self._thread.is_alive():
                self._kept.close()

    def _wait(self, is_so: Callable[[], bool], timeout_s: float | None) -> bool:
        """Wait under the lock until it is so; raises what keeps the queue from going on."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not is_so():
            if self._fault is not None or self._ends:
                count = self._count("waiting")
                why = self._fault or "it is closed"
                raise ReportsUndelivered(
                    f"the queue can't go on, {count} reports wait: {why}", count=count
                ) from self._fault
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return False
            self._changed.wait(left)
        if self._ends:
            raise ReportsUndelivered("the queue is closed", count=0)
        return True

    def _count(self, table: str) -> int:
        [[count]] = self._kept.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 - ours
        return int(count)

    # ---- the thread

    def _run(self) -> None:
        try:
            while (batch := self._next()) is not None:
                self._send(batch)
        except BaseException as error:
            with self._changed:
                self._fault = error
                self._changed.notify_all()
            if not isinstance(error, DEAD):
                raise

    def _next(self) -> list[tuple[int, bytes]] | None:
        """Return the oldest that wait; None at the end."""
        with self._changed:
            while not self._ends:
                rows = self._kept.execute(
                    "SELECT number, words FROM waiting ORDER BY number LIMIT ?", (BATCH,)
                ).fetchall()
                if rows:
                    return rows
                self._changed.wait()
            return None

    def _send(self, batch: list[tuple[int, bytes]]) -> None:
        """Send a batch until something is in the way, and cross out what was stored."""
        done: list[tuple[int]] = []
        aside: list[tuple[int, bytes, str]] = []
        fault: FondacoError | None = None
        for number, encoded in batch:
            if self._ends:
                break
            words: dict[str, str] = msgspec.json.decode(encoded)
            try:
                self._client.ask(report_call(words, self._token))
            except Unfit as refusal:
                aside.append((number, encoded, refusal.text))
            except FondacoError as error:
                fault = error
                break
            done.append((number,))
        with self._changed:
            with self._kept:
                self._kept.executemany("INSERT OR REPLACE INTO refused VALUES (?, ?, ?)", aside)
                self._kept.executemany("DELETE FROM waiting WHERE number = ?", done)
            self._changed.notify_all()
            if isinstance(fault, DEAD):
                raise fault
            if fault is not None and not self._ends:
                self._changed.wait(self._pause_s)


class AsyncReportQueue:
    """A ReportQueue for asyncio: its thread sends, the loop never waits. Takes a Client, too."""

    def __init__(self, client: Client, path: str | Path | None = None, **more: Any) -> None:  # noqa: ANN401 - as ReportQueue's
        self._queue = ReportQueue(client, path, **more)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """As close()."""
        await self.close()

    @property
    def waiting(self) -> int:
        """As ReportQueue's."""
        return self._queue.waiting

    @property
    def refused(self) -> list[tuple[dict[str, str], str]]:
        """As ReportQueue's."""
        return self._queue.refused

    async def put(self, *reports: Report, timeout_s: float | None = None) -> None:
        """As ReportQueue.put."""
        await asyncio.to_thread(self._queue.put, *reports, timeout_s=timeout_s)

    async def flush(self, timeout_s: float | None = None) -> None:
        """As ReportQueue.flush."""
        await asyncio.to_thread(self._queue.flush, timeout_s)

    async def close(self, timeout_s: float = CLOSE_S) -> None:
        """As ReportQueue.close."""
        await asyncio.to_thread(self._queue.close, timeout_s)
