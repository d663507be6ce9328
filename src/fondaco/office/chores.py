"""What the office does by itself, beside the projector: payments that are due.

Promises: each chore may be called at any time, by several processes at once, and goes on where it
stopped; one that fails is told on stderr and tried again at the next turn. It ends at `stop`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections

from fondaco.office.billing.deliveries import deliver_due

__all__ = ["run", "turn"]

TURN_S: Final = 1.0
EXPECTED: Final = (DatabaseError, OSError)


def run(stop: threading.Event) -> None:
    """Do what is due, every TURN_S, until told to stop."""
    try:
        while not stop.wait(TURN_S):
            close_old_connections()
            turn()
    finally:
        connections.close_all()


def turn() -> None:
    """Do what is due once."""
    for chore in chores():
        try:
            chore()
        except EXPECTED as error:
            print(f"fondaco: {chore.__name__}: {error}", file=sys.stderr)  # noqa: T201


def chores() -> list[Callable[[], object]]:
    """Return what there is to do in this house."""
    return [deliver_due] if settings.PAYMENTS.provider == "sandbox" else []
