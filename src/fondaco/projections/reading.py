"""Reading the projections from any thread: fixed SQL, plain rows.

Promises: a statement that fails because the connection was lost is asked once more on a new one;
`together()` gives several statements one moment of the tables. Connections are one a thread,
Django's own, and stay open.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import InterfaceError, OperationalError, connections, transaction

from fondaco.projections.router import ALIAS

__all__ = ["fetch", "together"]


def fetch(sql: str, parameters: Sequence[int | str | None] = ()) -> list[tuple[Any, ...]]:
    """Return all rows of a SELECT."""
    connection = connections[ALIAS]
    try:
        return _fetch(sql, parameters)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
        return _fetch(sql, parameters)


def _fetch(sql: str, parameters: Sequence[int | str | None]) -> list[tuple[Any, ...]]:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Read several statements as of one moment.

    SQLite fixes the moment at the first statement by itself; PostgreSQL is asked to.
    """
    connection = connections[ALIAS]
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
    with transaction.atomic(using=ALIAS):
        if connection.vendor == "postgresql":
            _execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def _execute(sql: str) -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(sql)
