"""Old reports go, what sums them up stays: a rule of the house, off unless its file says so.

Promises: a report is dropped only when its hour and its day are kept, which were written in its own
transaction; figures of any moment that is not older than the rule allows are what they were before.
A turn is short: SQLite loses some thousand rows in transactions of ROWS each, so that ingest never
waits for long; PostgreSQL loses whole months, and tries again later rather than wait for a lock.
Hours go by a rule of their own; days are kept for ever.
"""

from __future__ import annotations

import time
from typing import Final

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.utils import CursorWrapper

from fondaco.strategies.models import DAY_S, HOUR_S
from fondaco.strategies.partitions import drop_before

__all__ = ["drop_old", "turn"]

DAY_US: Final = DAY_S * 1_000_000
ROWS: Final = 1_000  # of a transaction, some milliseconds
TRANSACTIONS: Final = 5  # of a turn
REST_S: Final = 600.0  # until it looks again when nothing was left
_rest_until = [0.0]


def drop_old() -> None:
    """Do a turn, unless there was nothing to do a short while ago."""
    if time.monotonic() >= _rest_until[0] and not turn(time.time_ns() // 1000):
        _rest_until[0] = time.monotonic() + REST_S


def turn(now_us: int) -> int:
    """Drop some of what is too old; return how many rows or months went, 0 when none are left."""
    kept = settings.REPORTS_KEPT
    dropped = 0
    if kept.days:
        dropped += _drop_reports(_cutoff(now_us, kept.days))
    if kept.hours_days and dropped < ROWS:
        dropped += _drop_hours(_cutoff(now_us, kept.hours_days))
    return dropped


def _cutoff(now_us: int, days: int) -> int:
    """Return the midnight of UTC so many days ago."""
    return now_us // DAY_US * DAY_US - days * DAY_US


def _drop_reports(before_us: int) -> int:
    if connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
        return drop_before(before_us)
    dropped = 0
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT id FROM strategies_strategy s WHERE EXISTS (SELECT 1 FROM strategies_report r "
            "WHERE r.strategy_id = s.id AND r.created_us < %s) ORDER BY id LIMIT %s",
            [before_us, TRANSACTIONS],
        )
        for (strategy,) in cursor.fetchall():
            dropped += _drop_some(cursor, strategy, before_us)
    return dropped


def _drop_some(cursor: CursorWrapper, strategy: int, before_us: int) -> int:
    """Drop a strategy's oldest reports."""
    cursor.execute(
        "SELECT created_us FROM strategies_report WHERE strategy_id = %s AND created_us < %s "
        "ORDER BY created_us LIMIT 1 OFFSET %s",
        [strategy, before_us, ROWS],
    )
    row = cursor.fetchone()
    with transaction.atomic():
        cursor.execute(
            "DELETE FROM strategies_report WHERE strategy_id = %s AND created_us < %s",
            [strategy, before_us if row is None else row[0]],
        )
    return int(cursor.rowcount)


def _drop_hours(before_us: int) -> int:
    with transaction.atomic(), connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(
            "DELETE FROM strategies_period WHERE id IN (SELECT p.id FROM strategies_strategy s "
            "JOIN strategies_period p ON p.strategy_id = s.id AND p.length_s = %s "
            "AND p.start_us < %s LIMIT %s)",
            [HOUR_S, before_us, ROWS],
        )
        return int(cursor.rowcount)
