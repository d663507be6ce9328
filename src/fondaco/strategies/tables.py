"""The SQL of reports, the same for SQLite and PostgreSQL but for how rows come in.

Promises: each function is one statement for many rows, so that a busy edge gives its interpreter
away once a statement and not once a row. The transaction is its caller's.

PostgreSQL reads rows from one JSON parameter; SQLite reads those that are written from a parameter
for each value, which takes it a third of the time.
"""

from __future__ import annotations

import functools
import itertools
import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec
from django.db.backends.utils import CursorWrapper

from fondaco.strategies.models import DAY_S, HOUR_S, VALUES

__all__ = [
    "existing",
    "first_wallets",
    "has_arrivals",
    "hours_from",
    "insert_arrival",
    "insert_new_reports",
    "insert_reports",
    "live_tokens",
    "log_number",
    "merge_periods",
    "move_standings",
    "newest_near",
    "take_arrivals",
    "wallets_at",
]

NEAR_US: Final = 1_000_000
ARRIVALS_LOCK: Final = 4_020_411  # an advisory lock: who reads waits for who puts in place
REPORTS: Final = ("strategy_id", "created_us", *VALUES)
PERIODS: Final = (
    *("strategy_id", "length_s", "start_us", "first_us", "last_us"),
    *("wallet_first", "wallet_min", "wallet_max"),
    *("margin_first", "margin_min", "margin_max"),
    *VALUES,
)
STANDINGS: Final = (*REPORTS, "symbol")
ROWS_MAX: Final = 1024  # of one statement on SQLite: 17 columns of them are below its 32,766 values
Row = tuple[int, ...]


def _insert(
    cursor: CursorWrapper, table: str, columns: tuple[str, ...], rows: Sequence[Sequence[object]],
    *, otherwise: str, texts: int = 0,
) -> int:  # fmt: skip
    """Insert rows, or do what is said of those that are there; return how many were touched."""
    if cursor.db.vendor == "postgresql":
        source = rows_as_sql(cursor, columns, texts=texts)
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) {source} ON CONFLICT {otherwise}",
            [encoded(rows)],
        )
        return int(cursor.rowcount)
    touched = 0
    for start in range(0, len(rows), ROWS_MAX):
        piece = rows[start : start + ROWS_MAX]
        size = 1 << (len(piece) - 1).bit_length()
        values = list(itertools.chain(*piece, *[piece[-1]] * (size - len(piece))))
        sql = _insert_sql(table, columns, size, otherwise)
        with cursor.db.wrap_database_errors:  # without Django's translation of placeholders
            sqlite3.Cursor.execute(cursor.cursor, sql, values)
        touched += cursor.rowcount
    return touched


@functools.lru_cache(maxsize=64)
def _insert_sql(table: str, columns: tuple[str, ...], size: int, otherwise: str) -> str:
    """Return the statement for so many rows.

    Sizes are few (powers of two, the last row repeated, which changes nothing), so that SQLite
    finds most statements prepared.
    """
    row = f"({', '.join('?' * len(columns))})"
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * size)} "  # noqa: S608 - names of ours
        f"ON CONFLICT {otherwise}"
    )


def rows_as_sql(cursor: CursorWrapper, columns: Sequence[str], *, texts: int = 0) -> str:
    """Return a SELECT of one row for each element of one JSON parameter; the last are text."""
    numbers = len(columns) - texts
    if cursor.db.vendor == "postgresql":
        parts = [f"(value->>{place})::bigint" for place in range(numbers)]
        source = "json_array_elements(%s::json)"
    else:
        parts = [f"value->>{place}" for place in range(numbers)]
        source = "json_each(%s)"
    parts += [f"value->>{place}" for place in range(numbers, len(columns))]
    named = (f"{part} AS {name}" for part, name in zip(parts, columns, strict=True))
    # "WHERE true": without it SQLite takes the ON of ON CONFLICT for a join's.
    return f"SELECT {', '.join(named)} FROM {source} WHERE true"  # noqa: S608 - names of ours


def encoded(rows: Sequence[Sequence[object]]) -> str:
    return msgspec.json.encode(rows).decode()


def log_number(cursor: CursorWrapper) -> int:
    """Return the number of the security log's last entry."""
    cursor.execute("SELECT number FROM identity_securityhead WHERE id = 1")
    found = cursor.fetchone()
    return 0 if found is None else int(found[0])


def live_tokens(cursor: CursorWrapper, digests: Sequence[str]) -> dict[str, int]:
    """Return digest -> strategy, of those that may report."""
    rows = rows_as_sql(cursor, ("digest",), texts=1)
    cursor.execute(
        "SELECT s.token_digest, s.id FROM strategies_strategy s "  # noqa: S608 - names of ours
        "JOIN strategies_brokerageaccount a ON a.id = s.account_id "
        "JOIN identity_member m ON m.id = s.member_id "
        "WHERE s.archived_at IS NULL AND a.archived_at IS NULL AND m.is_active "
        f"AND s.token_digest IN (SELECT digest FROM ({rows}) AS asked)",
        [encoded([[digest] for digest in digests])],
    )
    return dict(cursor.fetchall())


def insert_arrival(cursor: CursorWrapper, batch: bytes) -> None:
    """Keep a batch of reports as it came."""
    cursor.execute("INSERT INTO strategies_arrival (batch) VALUES (%s)", [batch])


def has_arrivals(cursor: CursorWrapper) -> bool:
    """Return whether a batch is not in place yet."""
    cursor.execute("SELECT 1 FROM strategies_arrival LIMIT 1")
    return cursor.fetchone() is not None


def take_arrivals(cursor: CursorWrapper, count: int) -> list[bytes]:
    """Delete the oldest batches and return them, oldest first, when nobody else does."""
    if cursor.db.vendor == "postgresql":
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ARRIVALS_LOCK])
    cursor.execute(
        "DELETE FROM strategies_arrival WHERE id IN "
        "(SELECT id FROM strategies_arrival ORDER BY id LIMIT %s) RETURNING id, batch",
        [count],
    )
    return [bytes(batch) for _, batch in sorted(cursor.fetchall())]


def existing(cursor: CursorWrapper, keys: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return which of these reports are there."""
    rows = rows_as_sql(cursor, ("strategy_id", "created_us"))
    cursor.execute(
        f"SELECT strategy_id, created_us FROM ({rows}) AS asked WHERE EXISTS ("  # noqa: S608 - names of ours
        "SELECT 1 FROM strategies_report r WHERE r.strategy_id = asked.strategy_id "
        "AND r.created_us = asked.created_us)",
        [encoded(keys)],
    )
    return set(cursor.fetchall())


def newest_near(cursor: CursorWrapper, strategy: int, created_us: int) -> int:
    """Return the newest time of a report in the second that begins at this one."""
    cursor.execute(
        "SELECT max(created_us) FROM strategies_report "
        "WHERE strategy_id = %s AND created_us >= %s AND created_us < %s",
        [strategy, created_us, created_us + NEAR_US],
    )
    return int(cursor.fetchone()[0])


def insert_new_reports(cursor: CursorWrapper, rows: Sequence[Row]) -> bool:
    """Insert reports; return whether none of them was there."""
    touched = _insert(cursor, "strategies_report", REPORTS, sorted(rows), otherwise="DO NOTHING")
    return touched == len(rows)


def insert_reports(cursor: CursorWrapper, rows: Sequence[Row]) -> list[Row]:
    """Insert reports that are not there yet; return those."""
    if not rows:
        return []
    if cursor.db.vendor == "postgresql":
        source = rows_as_sql(cursor, REPORTS)
        cursor.execute(
            f"INSERT INTO strategies_report ({', '.join(REPORTS)}) {source} "
            "ON CONFLICT DO NOTHING RETURNING strategy_id, created_us",
            [encoded(sorted(rows))],
        )
        made = set(cursor.fetchall())
        return [row for row in rows if (row[0], row[1]) in made]
    # SQLite has one writer: what is there now is there when the insert runs.
    there = existing(cursor, [(row[0], row[1]) for row in rows])
    insert_new_reports(cursor, rows)
    return [row for row in rows if (row[0], row[1]) not in there]


def wallets_at(
    cursor: CursorWrapper, strategies: Sequence[int], time_us: int
) -> list[tuple[int, int, int]]:
    """Return (strategy, time, wallet) of the last report of each strategy at a moment."""
    asked = rows_as_sql(cursor, ("strategy_id",))
    cursor.execute(
        f"SELECT r.strategy_id, r.created_us, r.wallet_balance FROM ({asked}) AS asked "  # noqa: S608 - names of ours
        "JOIN strategies_report r ON r.strategy_id = asked.strategy_id AND r.created_us = ("
        "SELECT max(b.created_us) FROM strategies_report b "
        "WHERE b.strategy_id = asked.strategy_id AND b.created_us <= %s)",
        [encoded([[each] for each in strategies]), time_us],
    )
    found = list(cursor.fetchall())
    silent = set(strategies) - {strategy for strategy, _, _ in found}
    return found + (_kept_wallets_at(cursor, sorted(silent), time_us) if silent else [])


def _kept_wallets_at(
    cursor: CursorWrapper, strategies: Sequence[int], time_us: int
) -> list[tuple[int, int, int]]:
    """Return what wallets_at() does, of the last hour, or else day, that was over at a moment.

    Reports that old may have been dropped (strategies.retention).
    """
    asked = rows_as_sql(cursor, ("strategy_id",))
    newest = (
        "(SELECT b.id FROM strategies_period b WHERE b.strategy_id = asked.strategy_id "
        "AND b.length_s = %s AND b.start_us <= %s AND b.last_us <= %s "
        "ORDER BY b.start_us DESC LIMIT 1)"
    )
    rows = encoded([[each] for each in strategies])
    cursor.execute(
        f"SELECT p.strategy_id, p.last_us, p.wallet_balance FROM ({asked}) AS asked "  # noqa: S608 - names of ours
        f"JOIN strategies_period p ON p.id = COALESCE({newest}, {newest})",
        [rows, HOUR_S, time_us, time_us, DAY_S, time_us, time_us],
    )
    return list(cursor.fetchall())


def hours_from(
    cursor: CursorWrapper, strategies: Sequence[int], start_us: int
) -> list[tuple[int, int, int, int]]:
    """Return (strategy, start, time, wallet) of the hours since a moment, oldest first."""
    asked = rows_as_sql(cursor, ("strategy_id",))
    cursor.execute(
        "SELECT p.strategy_id, p.start_us, p.last_us, p.wallet_balance "  # noqa: S608 - names of ours
        f"FROM ({asked}) AS asked JOIN strategies_period p ON p.strategy_id = asked.strategy_id "
        "AND p.length_s = %s AND p.start_us >= %s ORDER BY p.start_us",
        [encoded([[each] for each in strategies]), HOUR_S, start_us],
    )
    return list(cursor.fetchall())


def first_wallets(cursor: CursorWrapper, strategies: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return (strategy, time, wallet) of the first report of each strategy."""
    asked = rows_as_sql(cursor, ("strategy_id",))
    cursor.execute(
        f"SELECT p.strategy_id, p.first_us, p.wallet_first FROM ({asked}) AS asked "  # noqa: S608 - names of ours
        "JOIN strategies_period p ON p.strategy_id = asked.strategy_id AND p.length_s = %s "
        "AND p.start_us = (SELECT min(b.start_us) FROM strategies_period b "
        "WHERE b.strategy_id = asked.strategy_id AND b.length_s = %s)",
        [encoded([[each] for each in strategies]), DAY_S, DAY_S],
    )
    return list(cursor.fetchall())


def merge_periods(cursor: CursorWrapper, rows: Sequence[Row]) -> None:
    """Put periods of new reports together with those that are stored."""
    table = "strategies_period"
    changes = [
        *(_earlier(table, name) for name in ("wallet_first", "margin_first")),
        *(_later(table, name) for name in VALUES),
        *(_extreme(table, name, "<") for name in ("wallet_min", "margin_min", "first_us")),
        *(_extreme(table, name, ">") for name in ("wallet_max", "margin_max", "last_us")),
    ]
    otherwise = f"(strategy_id, length_s, start_us) DO UPDATE SET {', '.join(changes)}"
    _insert(cursor, table, PERIODS, rows, otherwise=otherwise)


def move_standings(cursor: CursorWrapper, rows: Sequence[Sequence[object]]) -> None:
    """Let strategies stand at these reports, where they are newer."""
    changes = ", ".join(f"{name} = excluded.{name}" for name in STANDINGS[1:])
    otherwise = (
        f"(strategy_id) DO UPDATE SET {changes} "
        "WHERE excluded.created_us > strategies_standing.created_us"
    )
    _insert(cursor, "strategies_standing", STANDINGS, rows, otherwise=otherwise, texts=1)


def _extreme(table: str, name: str, sign: str) -> str:
    return _case(table, name, f"excluded.{name} {sign} {table}.{name}")


def _earlier(table: str, name: str) -> str:
    return _case(table, name, f"excluded.first_us < {table}.first_us")


def _later(table: str, name: str) -> str:
    return _case(table, name, f"excluded.last_us >= {table}.last_us")


def _case(table: str, name: str, condition: str) -> str:
    return f"{name} = CASE WHEN {condition} THEN excluded.{name} ELSE {table}.{name} END"
