"""Every write of the projections: preparing the tables, applying events and imported files.

Promises: apply_events() writes the rows and the cursor in one transaction, so that events count
once however often they come; a second writer is refused. It follows the events alone: what it
needs of the past (definitions, last trade ids) it reads from its own tables when it begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.models import Max

from fondaco.core import records
from fondaco.projections import decoding, imports, quotes, tables
from fondaco.projections.decoding import Decoded, InstrumentTerms
from fondaco.projections.imports import ImportFault, KeptFile
from fondaco.projections.models import (
    Cursor,
    ImportedFile,
    Instrument,
    Quote,
    Trade,
)
from fondaco.projections.router import ALIAS, LABEL
from fondaco.projections.tables import table_of

__all__ = [
    "EventsMissing",
    "ImportFault",
    "SecondProjector",
    "Writer",
    "bring_up",
    "import_trades",
    "prepare",
]

LAST_OF_STEPS: Final = "c33f8be"  # the last that has the steps by which the tables came about
IMPORT_ROWS: Final = 20_000  # written at a time; one transaction covers the whole file
QUOTE_KEYS: Final = 200  # looked for at a time
_QUOTE_KEY: Final = "instrument, message_us, price_ticks, availability_lots"
_CURSOR: Final = table_of(Cursor)
_MOVE: Final = f"UPDATE {_CURSOR} SET seq = %s, time_us = %s WHERE id = 1 AND seq = %s"  # noqa: S608 - constants
_BEGIN: Final = f"INSERT INTO {_CURSOR} (id, seq, time_us) VALUES (1, 0, 0) ON CONFLICT DO NOTHING"  # noqa: S608 - constants
_Body = TypeVar("_Body", records.AssetBody, records.InstrumentBody)


class EventsMissing(Exception):
    """The events don't follow on what the tables hold: they belong to another house."""


class SecondProjector(Exception):
    """Another projector has moved the cursor."""


def bring_up(alias: str, *label: str) -> None:
    """Make or bring up to date the tables of a database, or those of one app in it.

    Raises ImproperlyConfigured if they are at one of the steps that are no more (0003): Django
    would see neither them nor what took their place, and begin as if there were nothing to do.
    """
    loader = MigrationLoader(connections[alias])
    for (app, name), step in loader.replacements.items():
        if (app, name) in loader.applied_migrations or label not in {(), (app,)}:
            continue
        missing = [each for each in step.replaces if each not in loader.applied_migrations]
        if 0 < len(missing) < len(step.replaces):
            raise ImproperlyConfigured(
                f"the tables of {app} are older than {missing[0][1]}: start this house once with"
                f" commit {LAST_OF_STEPS}, which brings them up, and then with this release"
            )
    call_command("migrate", *label, database=alias, interactive=False, verbosity=0)


def prepare() -> None:
    """Make or bring up to date the tables; the database may have been deleted before.

    Raises ImproperlyConfigured as bring_up().
    """
    connection = connections[ALIAS]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA IF NOT EXISTS projections")
    # Of this app alone: of the others nothing is in this database, and to render their states at
    # each migration is half of what a first start costs.
    bring_up(ALIAS, LABEL)
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN)


def import_trades(source: Path, *, data_dir: Path, instrument: records.InstrumentBody) -> KeptFile:
    """Keep a file of recorded trades for an instrument; the next projector takes it in.

    Rows `ts_ms,price,qty,buyer_is_maker`, oldest first. Raises ImportFault.
    """
    return imports.keep_trades(source, data_dir=data_dir, instrument=instrument)


class Writer:
    """Applies runs of events. One per house; keeps what it needs of the past in memory."""

    def __init__(self) -> None:
        state = Cursor.objects.get(pk=1)
        self.seq = state.seq
        self.time_us = state.time_us
        self._connection = connections[ALIAS]
        self._terms: dict[int, InstrumentTerms] = {}
        self._symbols: dict[str, int] = {}
        for row in Instrument.objects.all():
            self._symbols[row.symbol] = row.number
            self._terms[row.number] = InstrumentTerms(row.base, row.quote, row.base_per_lot)
        self._last_trade_ids = {number: _last_trade_id(number) for number in self._terms}

    def apply_events(self, events: bytes, last_seq: int) -> None:
        """Apply a run of whole commits that ends at last_seq; older events in it are skipped.

        Raises EventsMissing, SecondProjector and database errors; then nothing has changed.
        """
        if last_seq <= self.seq:
            return
        terms = dict(self._terms)
        found = decoding.decode(events, self.seq, terms)
        last_trade_ids = self._checked(found.trades)
        time_us = max(self.time_us, found.time_us)
        with transaction.atomic(using=ALIAS), self._connection.cursor() as cursor:
            cursor.execute(_MOVE, (last_seq, time_us, self.seq))
            if cursor.rowcount != 1:
                raise SecondProjector(
                    f"the cursor is no longer at {self.seq}: another projector runs on this "
                    "database; stop one of them"
                )
            self._write(cursor, found)
            for body in found.instruments:
                self._symbols[body.symbol] = body.number
                self._take_in(cursor, imports.kept_files(settings.DATA, body.symbol))
        self.seq, self.time_us = last_seq, time_us
        self._terms, self._last_trade_ids = terms, last_trade_ids

    def apply_imports(self) -> None:
        """Take in the files that were imported since, of instruments that are known."""
        for file in imports.kept_files(settings.DATA):
            if file.symbol in self._symbols:
                with transaction.atomic(using=ALIAS), self._connection.cursor() as cursor:
                    self._take_in(cursor, [file])

    def has_imports(self) -> bool:
        """Return whether every file that was imported is in the tables."""
        return all(file.symbol in self._symbols for file in imports.kept_files(settings.DATA))

    def _checked(self, trades: Sequence[tuple[int, ...]]) -> dict[int, int]:
        """Return the last trade id of each instrument; no trade may be missing."""
        newest = dict(self._last_trade_ids)
        for row in trades:
            instrument, trade_id = row[3], row[4]
            expected = newest.get(instrument, records.IMPORTED_TRADES_MAX) + 1
            if trade_id != expected:
                raise EventsMissing(
                    f"trade {expected} of instrument {instrument} is missing (seq {row[1]} has "
                    f"trade {trade_id}): delete the projections' database, it is rebuilt from "
                    "the events"
                )
            newest[instrument] = trade_id
        return newest

    def _write(self, cursor: CursorWrapper, found: Decoded) -> None:
        tables.ASSETS.write(cursor, [_asset_row(body) for body in _newest(found.assets)])
        instruments = [_instrument_row(body) for body in _newest(found.instruments)]
        tables.INSTRUMENTS.write(cursor, instruments)
        tables.ORDERS.write(cursor, found.orders)
        tables.LISTS.write(cursor, found.lists)
        tables.VENUE_ORDERS.write(cursor, found.venue_orders)
        tables.VENUE_PARTS.write(cursor, found.venue_parts)
        tables.SUMMARIES.write(cursor, found.summaries)
        tables.POSTINGS.write(cursor, found.postings)
        _write_trades(cursor, found.trades)
        _write_quotes(cursor, found.quotes)

    def _take_in(self, cursor: CursorWrapper, files: Sequence[KeptFile]) -> None:
        for file in files:
            if ImportedFile.objects.filter(pk=file.path.name).exists():
                continue
            instrument = self._symbols[file.symbol]
            last = ImportedFile.objects.filter(instrument=instrument).aggregate(
                last=Max("last_trade_id")
            )["last"]
            first_id = trade_id = (last or 0) + 1
            rows = imports.rows_of(file)
            while part := list(islice(rows, IMPORT_ROWS)):
                _write_trades(
                    cursor,
                    [
                        _trade_row(instrument, trade_id + place, row)
                        for place, row in enumerate(part)
                    ],
                )
                trade_id += len(part)
            ImportedFile.objects.create(
                name=file.path.name,
                instrument=instrument,
                rows=file.rows,
                first_trade_id=first_id,
                last_trade_id=trade_id - 1,
                last_us=file.last_us,
            )


def _newest(bodies: Sequence[_Body]) -> list[_Body]:
    return list({body.number: body for body in bodies}.values())


def _last_trade_id(instrument: int) -> int:
    """Return the instrument's last trade id in the tables, imported ones aside."""
    first = decoding.trade_key(instrument, records.IMPORTED_TRADES_MAX + 1)
    end = decoding.trade_key(instrument + 1, 0)
    newest = Trade.objects.filter(id__gte=first, id__lt=end).order_by("-id")
    return newest.values_list("trade_id", flat=True).first() or records.IMPORTED_TRADES_MAX


def _write_trades(cursor: CursorWrapper, rows: Sequence[tuple[int, ...]]) -> None:
    """Write trades with their candles of all stored lengths."""
    tables.TRADES.write(cursor, rows)
    minutes = decoding.fold_minutes(rows)
    hours = decoding.fold_rows(minutes, 60)
    tables.CANDLES_1M.write(cursor, minutes)
    tables.CANDLES_1H.write(cursor, hours)
    tables.CANDLES_1D.write(cursor, decoding.fold_rows(hours, 1440))


def _write_quotes(cursor: CursorWrapper, rows: Sequence[tuple[int, ...]]) -> None:
    """Write messages that are not in the table yet, with their bars of all stored lengths."""
    new = _unseen_quotes(cursor, rows)
    tables.QUOTES.write(cursor, new)
    minutes = quotes.fold_quotes(new)
    hours = quotes.fold_bars(minutes, 60)
    tables.QUOTE_BARS_1M.write(cursor, minutes)
    tables.QUOTE_BARS_1H.write(cursor, hours)
    tables.QUOTE_BARS_1D.write(cursor, quotes.fold_bars(hours, 1440))


def _unseen_quotes(cursor: CursorWrapper, rows: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Leave out repeats: the core refuses those of the newest, only an older one may be one."""
    older = list({row[:4] for row in rows if row[5] != records.Verdict.CURRENT})
    seen: set[tuple[int, ...]] = set()
    for start in range(0, len(older), QUOTE_KEYS):
        part = older[start : start + QUOTE_KEYS]
        marks = ", ".join(["(%s, %s, %s, %s)"] * len(part))
        cursor.execute(
            f"SELECT {_QUOTE_KEY} FROM {table_of(Quote)} WHERE ({_QUOTE_KEY}) IN (VALUES {marks})",  # noqa: S608
            [word for key in part for word in key],
        )
        seen.update(cursor.fetchall())
    new = []
    for row in rows:
        if row[:4] not in seen:
            seen.add(row[:4])
            new.append(row)
    return new


def _trade_row(
    instrument: int, trade_id: int, row: tuple[int, int, int, int, int]
) -> tuple[int, ...]:
    time_us, price, lots, quote, side = row
    key = decoding.trade_key(instrument, trade_id)
    return (key, 0, time_us, instrument, trade_id, price, lots, quote, side, *(0,) * 8)


def _asset_row(body: records.AssetBody) -> tuple[int | str, ...]:
    return (body.number, body.code, body.decimals)


def _instrument_row(body: records.InstrumentBody) -> tuple[int | str, ...]:
    return (
        body.number,
        body.symbol,
        body.base,
        body.quote,
        body.market,
        body.tick_size,
        body.lot_size,
        body.base_per_lot,
        body.quote_per_lot_tick,
        body.status,
        body.venue,
        body.name,
        body.stock_id,
    )
