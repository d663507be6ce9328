"""The short way of charts' alerts: those that come together are stored by one commit.

Promises: take() gives an alert's number after the commit that holds it; None is for the office to
answer: an address that is unknown, ended or for another network, a body that is empty or too long,
a database that failed. Alerts are stored in the order in which they came, by one thread of their
own, so that hundreds wait for a few commits and hold up no page.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from django.db import DatabaseError, close_old_connections

from fondaco.robots.hub import services
from fondaco.robots.hub.services import Came

__all__ = ["Intake"]

PATH: Final = re.compile(r"/api/v1/hooks/in/([A-Za-z0-9_-]{40,64})/?\Z")
TOGETHER_MAX: Final = 200  # alerts of one commit


class Intake:
    """The door of one edge, used on its event loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="alerts")
        self._waiting: deque[tuple[Came, asyncio.Future[int | None]]] = deque()
        self._storing: asyncio.Task[None] | None = None

    async def take(self, method: str, path: str, address: str, body: bytes) -> int | None:
        """Store what is an alert, and return its number; None for what isn't, or isn't taken."""
        match = PATH.match(path) if method == "POST" else None
        text = None if match is None else services.alert_text(body)
        if match is None or text is None:
            return None
        digest = hashlib.sha256(match[1].encode()).hexdigest()
        came = Came(digest, address, text, services.wall_us())
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[int | None] = loop.create_future()
        self._waiting.append((came, stored))
        if self._storing is None or self._storing.done():
            self._storing = loop.create_task(self._store(), name="alerts")
        return await stored

    async def _store(self) -> None:
        """Store until nothing waits; what comes during one commit is in the next."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                count = min(len(self._waiting), TOGETHER_MAX)
                batch = [self._waiting.popleft() for _ in range(count)]
                numbers: list[int | None] = [None] * count
                try:
                    came = [each for each, _ in batch]
                    numbers = await loop.run_in_executor(self._thread, store, came)
                finally:
                    for (_, stored), number in zip(batch, numbers, strict=True):
                        answer(stored, number)
        finally:  # nobody waits for ever, whatever went wrong
            while self._waiting:
                answer(self._waiting.popleft()[1], None)

    def close(self) -> None:
        """End the thread; what is being stored is stored."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def answer(stored: asyncio.Future[int | None], number: int | None) -> None:
    if not stored.done():  # else whoever waited was ended
        stored.set_result(number)


def store(came: list[Came]) -> list[int | None]:
    """Store alerts, all or none; where none are, the office tries each and says what is wrong."""
    try:
        close_old_connections()
        return services.take_alerts(came)
    except DatabaseError:
        return [None] * len(came)
