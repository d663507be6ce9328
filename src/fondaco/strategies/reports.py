"""Taking reports in: a batch of them in one transaction, with all that sums them up.

Promises: store() returns after the commit that holds the reports, on disk; whatever it had written
before counts as stored, so that sending again changes nothing: the first report of a strategy and
time stands. A token that was revoked or rotated before the transaction began stores nothing. It
neither opens nor ends connections, and keeps no report.

How a revoked token is known at once: every rotation and revocation, and whoever may no longer sign
in, is an entry of the security log, and its head has a number. A batch reads the number first; as
long as it stands still, what was looked up before is true.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.utils import CursorWrapper

from fondaco.strategies import tables
from fondaco.strategies.history import Past
from fondaco.strategies.models import LENGTHS_S
from fondaco.strategies.partitions import Months

__all__ = ["Incoming", "Reports", "Stored", "store_history"]

SECOND_US: Final = 1_000_000
PIECE: Final = 500  # reports of the past in a transaction
TOKENS_MAX: Final = 100_000  # that are remembered; more than that are looked up again
Row = tuple[int, ...]
Key = tuple[int, int]


class Incoming(NamedTuple):
    """A report as it came: whose token, its time or none, its values in units, its symbol."""

    digest: str
    created_us: int
    is_stamped: bool  # the time is ours, so that a second report at it is another report
    values: tuple[int, int, int, int, int, int]
    symbol: str


class Stored(NamedTuple):
    """What became of a report: `strategy` 0 = no live token."""

    strategy: int
    created_us: int


class _Repeated(Exception):
    """A report of the batch is there already."""


class Reports:
    """The way into the tables, of one thread."""

    def __init__(self) -> None:
        self._strategies: dict[str, int] = {}  # digest -> strategy, 0 = none
        self._log_number = -1
        self._months = Months()

    def store(self, batch: Sequence[Incoming]) -> list[Stored]:
        """Store a batch; raises DatabaseError, having stored nothing."""
        try:
            try:
                stored, times_us = self._transact(batch, are_new=True)
            except _Repeated:
                stored, times_us = self._transact(batch, are_new=False)
        except BaseException:
            self._log_number = -1
            self._months.forget()
            raise
        self._months.keep(times_us)
        return stored

    def _transact(
        self, batch: Sequence[Incoming], *, are_new: bool
    ) -> tuple[list[Stored], list[int]]:
        """Store a batch in one transaction; return what to answer and the reports' times.

        `are_new`: no report is there yet, as is usual, so that none has to be looked for. Raises
        _Repeated if that isn't so.
        """
        with transaction.atomic(), connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            strategies = self._owners(cursor, {each.digest for each in batch})
            stored, rows, symbols = _placed(cursor, batch, strategies, are_new=are_new)
            times_us = [row[1] for row in rows]
            self._months.make(cursor, times_us)
            if not are_new:
                rows = tables.insert_reports(cursor, rows)
            elif rows and not tables.insert_new_reports(cursor, rows):
                raise _Repeated
            if rows:
                _sum_up(cursor, rows, symbols)
        return stored, times_us

    def _owners(self, cursor: CursorWrapper, digests: set[str]) -> dict[str, int]:
        """Return digest -> strategy of the live tokens, as of this transaction."""
        number = tables.log_number(cursor)
        if number != self._log_number or len(self._strategies) > TOKENS_MAX:
            self._strategies.clear()
            self._log_number = number
        known = self._strategies
        missing = sorted(digest for digest in digests if digest not in known)
        if missing:
            found = tables.live_tokens(cursor, missing)
            for digest in missing:
                known[digest] = found.get(digest, 0)
        return known


def store_history(strategy: int, reports: Sequence[Past]) -> int:
    """Store a strategy's past, of which each time is there once; return how much of it is new.

    In pieces of PIECE, so that ingest goes on; what an earlier try stored is stepped over. Raises
    DatabaseError: then some pieces may be stored, and the same again stores the rest.
    """
    months = Months()
    new = 0
    for start in range(0, len(reports), PIECE):
        piece = reports[start : start + PIECE]
        rows: list[Row] = [(strategy, each.created_us, *each.values) for each in piece]
        symbols = {(strategy, each.created_us): each.symbol for each in piece}
        with transaction.atomic(), connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            months.make(cursor, [row[1] for row in rows])
            rows = tables.insert_reports(cursor, rows)
            if rows:
                _sum_up(cursor, rows, symbols)
        new += len(rows)
    return new


def _sum_up(cursor: CursorWrapper, rows: Sequence[Row], symbols: dict[Key, str]) -> None:
    """Put new reports into the periods and standings that sum them up."""
    tables.merge_periods(cursor, fold(rows))
    newest = {row[0]: row for row in sorted(rows, key=lambda row: row[1])}
    tables.move_standings(
        cursor, [(*row, symbols[row[0], row[1]]) for row in sorted(newest.values())]
    )


def _placed(
    cursor: CursorWrapper, batch: Sequence[Incoming], strategies: dict[str, int], *, are_new: bool
) -> tuple[list[Stored], list[Row], dict[Key, str]]:
    """Return what to answer, the rows to insert (each key once) and their symbols.

    A report without a time of its own that would fall on another one's is moved behind it.
    """
    taken: set[Key] = set()
    if not are_new:
        stamped = {
            (strategies[each.digest], each.created_us)
            for each in batch
            if each.is_stamped and strategies[each.digest]
        }
        taken = tables.existing(cursor, sorted(stamped))
    stored: list[Stored] = []
    rows: dict[Key, Row] = {}
    symbols: dict[Key, str] = {}
    for each in batch:
        strategy = strategies[each.digest]
        created_us = each.created_us
        if strategy and each.is_stamped:
            if (strategy, created_us) in taken:
                created_us = tables.newest_near(cursor, strategy, created_us) + 1
            while (strategy, created_us) in rows:
                created_us += 1
        stored.append(Stored(strategy, created_us))
        if strategy and (strategy, created_us) not in rows:
            rows[strategy, created_us] = (strategy, created_us, *each.values)
            symbols[strategy, created_us] = each.symbol
    return stored, list(rows.values()), symbols


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
