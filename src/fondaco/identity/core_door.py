"""What identity asks of the core, through whichever client.

Promises: a refusal becomes CommandRefused with its named reason; answers come back as records by
kind. It keeps no connection: the caller owns the client.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from fondaco.core import records

__all__ = ["Asked", "CommandRefused", "Core", "definitions", "submit"]


class Answer(Protocol):
    @property
    def seq(self) -> int: ...

    @property
    def records(self) -> bytes: ...


class Asked(Protocol):
    """What answers questions: a client of the house's core, or whoever stands for it."""

    def query(self, record: bytes) -> Answer: ...


class Core(Asked, Protocol):
    """The part of link.blocking.BlockingClient that is used here."""

    def submit(self, record: bytes) -> bytes: ...


class CommandRefused(Exception):
    """The core refused a command; `reason` is its one name."""

    def __init__(self, command: int, reason: records.Reason, detail: tuple[int, int, int]) -> None:
        name = records.Command(command).name
        super().__init__(f"{name} was refused: {reason.name} {detail}")
        self.reason = reason
        self.detail = detail


def submit(core: Core, command: bytes) -> list[bytes]:
    """Return the events of one command; raises CommandRefused."""
    events = records.split(core.submit(command))
    for event in events:
        if kind_of(event) == records.Event.REFUSED:
            words = records.unpack(event)
            detail = (words["detail_0"], words["detail_1"], words["detail_2"])
            raise CommandRefused(words["command"], records.Reason(words["reason"]), detail)
    return events


def definitions(core: Core) -> Iterator[tuple[int, bytes]]:
    """Yield (kind, record) of everything that the core has defined."""
    answer = core.query(records.pack(records.Query.DEFINITIONS))
    for record in records.split(bytes(answer.records)):
        yield kind_of(record), record


def kind_of(record: bytes) -> int:
    """Return the kind of one record."""
    return int.from_bytes(record[:2], "little")
