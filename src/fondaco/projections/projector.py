"""The projector: follows the events of the writer and keeps the tables up with them.

Promises: run() goes on from the cursor, applies what has arrived in one transaction, then tells
the writer how far it is; a lost connection, to the writer or to PostgreSQL, is made again. It ends
when `stop` is set, and raises what can't be mended by waiting (events of another house, a second
projector, a full disk).
Gathering for a moment costs no reader anything: what the tables don't have yet is answered from
memory at the edge.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from django.db import InterfaceError, OperationalError, connections

from fondaco.link.blocking import BlockingClient, ConnectionLost, Overloaded, Subscription
from fondaco.projections.router import ALIAS
from fondaco.projections.services import EventsMissing, Writer

__all__ = ["Stop", "run"]

LINGER_S: Final = 0.05  # gathered before a transaction: an order's states in it become one row
BATCH_BYTES_MAX: Final = 8 << 20  # events of one transaction, about 20,000 orders
POLL_S: Final = 0.25  # how soon `stop` is seen
CONNECT_S: Final = 1.0

logger = logging.getLogger(__name__)


class Stop(Protocol):
    """threading.Event, or what ends like one."""

    def is_set(self) -> bool: ...


def run(
    client: BlockingClient,
    stop: Stop,
    *,
    linger_s: float = LINGER_S,
    on_imported: Callable[[], None] = lambda: None,
) -> None:
    """Project until `stop` is set. The tables must have been prepared (services.prepare).

    `on_imported` hears, perhaps more than once, that the imported files are in the tables: who
    reads a day of trades into memory does it after that.
    """
    while not stop.is_set():
        try:
            _follow(client, stop, linger_s, on_imported)
        except (ConnectionLost, Overloaded) as error:
            logger.info("projector: %s", error)
        except (OperationalError, InterfaceError) as error:
            # A server may come back; a full disk under SQLite does not by waiting.
            if connections[ALIAS].vendor == "sqlite":
                raise
            logger.warning("projector: the database can't be reached: %s", error)
            connections[ALIAS].close()
            time.sleep(POLL_S)


def _follow(
    client: BlockingClient, stop: Stop, linger_s: float, on_imported: Callable[[], None]
) -> None:
    """Follow one subscription from the tables' own cursor."""
    writer = Writer()
    writer.apply_imports()
    with client.subscribe(writer.seq + 1, timeout_s=CONNECT_S) as subscription:
        _check(writer, subscription)
        subscription.send_cursor(writer.seq)
        is_told = False
        while not stop.is_set():
            if not is_told and (writer.has_imports() or writer.seq >= subscription.writer_seq):
                on_imported()
                is_told = True
            if _apply_arrived(writer, subscription, linger_s):
                subscription.send_cursor(writer.seq)


def _check(writer: Writer, subscription: Subscription) -> None:
    if writer.seq > subscription.writer_seq:
        raise EventsMissing(
            f"the projections are at seq {writer.seq} and the journal ends at "
            f"{subscription.writer_seq}: they belong to another house; delete the projections' "
            "database, it is rebuilt from the events"
        )


def _apply_arrived(writer: Writer, subscription: Subscription, linger_s: float) -> bool:
    """Apply what arrives within the linger, if anything does; return whether something did."""
    commit = subscription.next(POLL_S)
    if commit is None:
        return False
    runs = []
    size = 0
    last_seq = 0
    deadline = time.monotonic() + linger_s
    while commit is not None:
        runs.append(commit.events)
        size += len(commit.events)
        last_seq = commit.last_seq
        if size >= BATCH_BYTES_MAX:
            break
        commit = subscription.next(max(deadline - time.monotonic(), 0))
    writer.apply_events(b"".join(runs), last_seq)
    return True
