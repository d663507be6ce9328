"""Hours and days of reports, and the newest one: kept so that no page goes through reports.

Promises: fold() is pure; its periods, merged in any order and batches (tables.merge_periods), are
those of all reports at once. The transaction is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from django.db.backends.utils import CursorWrapper

from fondaco.strategies import tables
from fondaco.strategies.models import LENGTHS_S

__all__ = ["Key", "Row", "fold", "sum_up"]

SECOND_US: Final = 1_000_000
Row = tuple[int, ...]
Key = tuple[int, int]


def sum_up(cursor: CursorWrapper, rows: Sequence[Row], symbols: Mapping[Key, str]) -> None:
    """Put new reports into the periods and standings that sum them up."""
    tables.merge_periods(cursor, fold(rows))
    newest = {row[0]: row for row in sorted(rows, key=lambda row: row[1])}
    tables.move_standings(
        cursor, [(*row, symbols[row[0], row[1]]) for row in sorted(newest.values())]
    )


def fold(rows: Iterable[Row]) -> list[Row]:
    """Return the periods of these reports alone, in the column order of tables.PERIODS."""
    found: dict[tuple[int, int, int], list[Row]] = {}
    for row in sorted(rows):
        for length_s in LENGTHS_S:
            length_us = length_s * SECOND_US
            key = (row[0], length_s, row[1] - row[1] % length_us)
            found.setdefault(key, []).append(row)
    return [_period(key, found[key]) for key in sorted(found)]


def _period(key: tuple[int, int, int], rows: Sequence[Row]) -> Row:
    """Return one period of its reports, which are in the order of their times."""
    first, last = rows[0], rows[-1]
    margins = [row[3] for row in rows]
    wallets = [row[4] for row in rows]
    return (
        *key,
        *(first[1], last[1]),
        *(first[4], min(wallets), max(wallets)),
        *(first[3], min(margins), max(margins)),
        *last[2:],
    )
