"""The months of the reports' table on PostgreSQL; on SQLite there is nothing to do.

Promises: before a report is written the month of its time has its partition, whoever makes it
first; a month that is dropped takes its reports with it and nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.utils import CursorWrapper

__all__ = ["Months", "drop_before", "month_of"]

LOCK_WAIT_MS: Final = 200  # a drop gives up rather than let reports queue behind it
LOCK: Final = 4_020_410  # an advisory lock: two edges don't make one month at once
SECOND_US: Final = 1_000_000
Month = tuple[int, int]


def month_of(time_us: int) -> Month:
    """Return the year and month of UTC that a time lies in."""
    moment = dt.datetime.fromtimestamp(time_us // SECOND_US, dt.UTC)
    return moment.year, moment.month


def start_us(month: Month) -> int:
    return int(dt.datetime(*month, 1, tzinfo=dt.UTC).timestamp()) * SECOND_US


def after(month: Month) -> Month:
    year, number = month
    return (year + 1, 1) if number == 12 else (year, number + 1)


def drop_before(time_us: int) -> int:
    """Drop the months that were over at a moment; return how many. Raises DatabaseError.

    An edge that has such a month in mind and gets a report of it fails once and makes it anew.
    """
    year, number = month_of(time_us)
    last = f"strategies_report_{year:04}_{number:02}"
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = 'strategies_report'::regclass AND c.relname < %s "
            "ORDER BY c.relname",
            [last],
        )
        names = [name for (name,) in cursor.fetchall()]
        for name in names:
            with transaction.atomic():
                cursor.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
                cursor.execute(f"DROP TABLE IF EXISTS {name}")
    return len(names)


class Months:
    """The partitions that are known to be there."""

    def __init__(self) -> None:
        self._known: set[Month] = set()
        self._is_needed = False

    def make(self, cursor: CursorWrapper, times_us: Iterable[int]) -> None:
        """Make the partitions of these times that are missing.

        What this transaction makes is remembered by keep() only, once it is committed.
        """
        self._is_needed = cursor.db.vendor == "postgresql"
        if not self._is_needed:
            return
        for month in sorted({month_of(each) for each in times_us} - self._known):
            name = f"strategies_report_{month[0]:04}_{month[1]:02}"
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            cursor.execute("SELECT to_regclass(%s) IS NULL", [name])
            if cursor.fetchone() == (True,):
                cursor.execute(
                    f"CREATE TABLE {name} PARTITION OF strategies_report "
                    f"FOR VALUES FROM ({start_us(month)}) TO ({start_us(after(month))})"
                )

    def keep(self, times_us: Iterable[int]) -> None:
        """Remember that these months are there."""
        if self._is_needed:
            self._known.update({month_of(each) for each in times_us})

    def forget(self) -> None:
        """Look again for all."""
        self._known.clear()
