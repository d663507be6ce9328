"""Taking reports in: a batch of them in one transaction, and a strategy's past from a file.

Promises: take() returns after the commit that holds the reports, on disk; whatever it had written
before counts as stored, so that sending again changes nothing. A token that was revoked or rotated
before the transaction began stores nothing. It neither opens nor ends connections. Where the
reports go from there is said in arrivals.py.

How a revoked token is known at once: every rotation and revocation, and whoever may no longer sign
in, is an entry of the security log, and its head has a number. A batch reads the number first; as
long as it stands still, what was looked up before is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.utils import CursorWrapper

from fondaco.strategies import arrivals, tables
from fondaco.strategies.arrivals import Arrived
from fondaco.strategies.history import Past
from fondaco.strategies.partitions import Months
from fondaco.strategies.periods import Row, sum_up

__all__ = ["Incoming", "Reports", "store_history"]

PIECE: Final = 500  # reports of the past in a transaction
TOKENS_MAX: Final = 100_000  # that are remembered; more than that are looked up again


class Incoming(NamedTuple):
    """A report as it came: whose token, its time or none, its values in units, its symbol."""

    digest: str
    created_us: int
    is_stamped: bool  # the time is ours, so that a second report at it is another report
    values: tuple[int, int, int, int, int, int]
    symbol: str


class Reports:
    """The way into the tables, of one thread."""

    def __init__(self) -> None:
        self._strategies: dict[str, int] = {}  # digest -> strategy, 0 = none
        self._log_number = -1
        self._months = Months()

    def take(self, batch: Sequence[Incoming]) -> list[int]:
        """Write a batch down; return whose each is, 0 without a live token.

        Raises DatabaseError, having written nothing.
        """
        try:
            with transaction.atomic(), connections[DEFAULT_DB_ALIAS].cursor() as cursor:
                known = self._owners(cursor, {each.digest for each in batch})
                owners = [known[each.digest] for each in batch]
                kept = [
                    Arrived(owner, *each[1:])
                    for owner, each in zip(owners, batch, strict=True)
                    if owner
                ]
                if kept:
                    arrivals.keep(cursor, kept)
        except BaseException:
            self._log_number = -1
            raise
        return owners

    def put_in_place(self) -> None:
        """Put what has arrived where it is read; raises DatabaseError, and it stays as it is."""
        arrivals.put_in_place(self._months)

    def store(self, batch: Sequence[Incoming]) -> list[int]:
        """Take a batch and put it in place, for who doesn't wait for more."""
        owners = self.take(batch)
        self.put_in_place()
        return owners

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
    arrivals.put_in_place(months)  # what came before stands
    new = 0
    for start in range(0, len(reports), PIECE):
        piece = reports[start : start + PIECE]
        rows: list[Row] = [(strategy, each.created_us, *each.values) for each in piece]
        symbols = {(strategy, each.created_us): each.symbol for each in piece}
        with transaction.atomic(), connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            months.make(cursor, [row[1] for row in rows])
            rows = tables.insert_reports(cursor, rows)
            if rows:
                sum_up(cursor, rows, symbols)
        new += len(rows)
    return new
