"""Reports that are on disk and not in their place yet: a batch is one row, as it came.

Promises: what keep() wrote and its transaction committed is put in place once, by whoever comes
first: the edge that took it, within a tenth of a second (gateway.report_writer), an edge that
starts after a crash, or whoever is about to read (selectors), so that no page misses what was
acknowledged. The first report of a strategy and time stands; one without a time of its own that
would fall on another is moved behind it. Reports, periods, standings and the end of the batches are
one transaction.

Why: rows of a hundred strategies lie on a hundred pages, and a commit writes each page that it
touches. A batch is a few pages; put in place together, the reports of many batches share theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.utils import CursorWrapper

from fondaco.strategies import tables
from fondaco.strategies.partitions import Months
from fondaco.strategies.periods import Key, Row, sum_up

__all__ = ["Arrived", "keep", "put_in_place"]

BATCHES: Final = 2_000  # of a transaction that puts them in place


class Arrived(NamedTuple):
    """A report of a live token."""

    strategy: int
    created_us: int
    is_stamped: bool  # the time is ours, so that a second report at it is another report
    values: tuple[int, int, int, int, int, int]
    symbol: str


_read = msgspec.msgpack.Decoder(list[Arrived]).decode
_write = msgspec.msgpack.Encoder().encode


class _Repeated(Exception):
    """A report is there already."""


def keep(cursor: CursorWrapper, batch: Sequence[Arrived]) -> None:
    """Write a batch down."""
    tables.insert_arrival(cursor, _write(batch))


def put_in_place(months: Months | None = None) -> int:
    """Put all that has arrived in place; return how many reports were new.

    `months` are those that the caller knows to be there. Raises DatabaseError: then some may be in
    place, and the rest stays as it is.
    """
    months = months or Months()
    new = 0
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        while tables.has_arrivals(cursor):
            try:
                try:
                    rows = _place(cursor, months, are_new=True)
                except _Repeated:
                    rows = _place(cursor, months, are_new=False)
            except BaseException:
                months.forget()
                raise
            months.keep([row[1] for row in rows])
            new += len(rows)
    return new


def _place(cursor: CursorWrapper, months: Months, *, are_new: bool) -> list[Row]:
    """Put batches in place in one transaction; return the rows that are new.

    `are_new`: no report is there yet, as is usual, so that none has to be looked for. Raises
    _Repeated if that isn't so.
    """
    with transaction.atomic():
        batch = [each for text in tables.take_arrivals(cursor, BATCHES) for each in _read(text)]
        rows, symbols = _rows(cursor, batch, are_new=are_new)
        months.make(cursor, [row[1] for row in rows])
        if not are_new:
            rows = tables.insert_reports(cursor, rows)
        elif rows and not tables.insert_new_reports(cursor, rows):
            raise _Repeated
        if rows:
            sum_up(cursor, rows, symbols)
    return rows


def _rows(
    cursor: CursorWrapper, batch: Sequence[Arrived], *, are_new: bool
) -> tuple[list[Row], dict[Key, str]]:
    """Return the rows to insert, each key once, and their symbols."""
    taken: set[Key] = set()
    if not are_new:
        stamped = {each[:2] for each in batch if each.is_stamped}
        taken = tables.existing(cursor, sorted(stamped))
    rows: dict[Key, Row] = {}
    symbols: dict[Key, str] = {}
    for strategy, created_us, is_stamped, values, symbol in batch:
        key = (strategy, created_us)
        if is_stamped and (key in taken or key in rows):
            at = tables.newest_near(cursor, *key) + 1 if key in taken else created_us
            while (strategy, at) in rows:
                at += 1
            key = (strategy, at)
        if key not in rows:
            rows[key] = (*key, *values)
            symbols[key] = symbol
    return list(rows.values()), symbols
