"""The exchange itself behind the calls of the writer's client, for tests of what asks it.

Promises: the compiled core's answers, one command a batch, and the events of all so far; `lose`
names a kind of command whose next answer is lost after it was done. Time stands until it is moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fondaco.core import records
from fondaco.core.exchange import Exchange
from fondaco.link.answers import Answer, LinkError, Unanswered

__all__ = ["RealCore"]


class RealCore:
    def __init__(self, time_us: int = 1_000_000) -> None:
        self.exchange = Exchange()
        self.commands: list[int] = []
        self.lose = 0
        self.time_us = time_us
        self.told = b""  # every event so far

    def submit(self, record: bytes) -> bytes:
        kind = int.from_bytes(record[:2], "little")
        self.commands.append(kind)
        batch = bytearray(record)
        self.exchange.stamp(batch, self.exchange.seq + 1, self.time_us)
        events = bytes(self.exchange.apply(bytes(batch)))
        self.told += events
        if kind == self.lose:
            self.lose = 0
            raise Unanswered("the answer was lost")
        return events

    def submit_many(self, records: Sequence[bytes]) -> list[bytes | LinkError]:
        found: list[bytes | LinkError] = []
        for record in records:
            try:
                found.append(self.submit(record))
            except LinkError as error:
                found.append(error)
        return found

    def query(self, record: bytes) -> Answer:
        return Answer(self.exchange.seq, bytes(self.exchange.query(record)))

    def status(self) -> dict[str, Any]:
        return {"seq": self.exchange.seq, "time_us": self.time_us}

    def terms(self, account: int) -> records.RobotTerms | None:
        return self.exchange.limits.terms_of(account)

    def reasons(self, events: bytes) -> list[str]:
        """Return the names of the refusals among events."""
        return [
            records.Reason(records.unpack(record)["reason"]).name
            for record in records.split(events)
            if int.from_bytes(record[:2], "little") == records.Event.REFUSED
        ]
