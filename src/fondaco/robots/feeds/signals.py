"""A topic's signals on their way into the table: the same body as POST /api/v1/signals/ takes.

Promises: landed() gives a message back when its signal is committed, known already, or set aside
with the reason; only then may it be acknowledged. Signals of a topic are for every client: give the
topic an access list at the broker. It knows no broker.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import msgspec
from django.db import DatabaseError, connections

from fondaco.robots.feeds.intake import IN_FLIGHT_MAX, Notes, NotTaken, Waiting
from fondaco.robots.feeds.messages import Fault
from fondaco.robots.hub.messages import Unfit, read_signal
from fondaco.robots.hub.services import take_signal
from fondaco.robots.services import Aside

__all__ = ["SignalFlight"]

RETRY_S: Final = 0.2


class SignalFlight:
    """One connection's signals; each is stored before the next."""

    def __init__(self, notes: Notes, topic: str) -> None:
        self._notes = notes
        self._source = f"topic {topic}"
        self._done: list[int] = []

    @property
    def room(self) -> int:
        """How many more messages may come in."""
        return IN_FLIGHT_MAX

    def fileno(self) -> int:
        """Return what to poll for answers: there is none."""
        return -1

    def launch(self, messages: Sequence[tuple[int, bytes]], stop: Waiting) -> None:
        """Store (token, payload) of each. Raises NotTaken."""
        state = self._notes.state
        state.received += len(messages)
        aside = []
        for token, payload in messages:
            try:
                incoming = read_signal(msgspec.json.decode(payload))
            except (Unfit, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
                field = f"{fault.field} " if isinstance(fault, Unfit) and fault.field else ""
                aside.append(Aside(Fault.BODY, f"{field}{fault}", payload))
            else:
                while True:
                    try:
                        _, is_new = take_signal(incoming, source=self._source)
                        break
                    except DatabaseError as error:
                        print(f"fondaco: {self._source}: {error}", file=sys.stderr)  # noqa: T201
                        connections.close_all()
                        if stop.wait(RETRY_S):
                            raise NotTaken from error
                state.current += is_new
                state.duplicate += not is_new
                state.message_us = max(state.message_us, incoming.timestamp_us)
            self._done.append(token)
        if aside:
            self._notes.keep(aside, stop)

    def landed(self, _stop: Waiting, _timeout_s: float = 0.0) -> list[int]:
        """Return the tokens of those that are done, oldest first."""
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """Forget what was not given back: the broker sends it again, and it is known."""
        self._done.clear()
