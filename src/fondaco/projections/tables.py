"""The SQL that the projector writes, the same statements for SQLite and PostgreSQL.

Promises: write() sends a whole list of rows as one call and leaves the transaction to its caller.
Rows come in the column order stated here; table and column names are the models'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db import models
from django.db.backends.utils import CursorWrapper

from fondaco.projections.models import (
    Asset,
    Candle1d,
    Candle1h,
    Candle1m,
    Instrument,
    Order,
    OrderList,
    Posting,
    Quote,
    QuoteBar1d,
    QuoteBar1h,
    QuoteBar1m,
    Summary,
    Trade,
    VenueOrder,
    VenuePart,
)

__all__ = [
    "ASSETS",
    "CANDLES_1D",
    "CANDLES_1H",
    "CANDLES_1M",
    "INSTRUMENTS",
    "LISTS",
    "ORDERS",
    "POSTINGS",
    "QUOTES",
    "QUOTE_BARS_1D",
    "QUOTE_BARS_1H",
    "QUOTE_BARS_1M",
    "SUMMARIES",
    "TRADES",
    "VENUE_ORDERS",
    "VENUE_PARTS",
    "Table",
    "columns_of",
    "table_of",
]

VOLUME_MAX: Final = (1 << 63) - 1
Row = Sequence[int | str | None]


# Django's _meta is its documented door to a model's columns; private in name only.
def table_of(model: type[models.Model]) -> str:
    """Return the name of a model's table."""
    return model._meta.db_table  # noqa: SLF001


def columns_of(model: type[models.Model]) -> tuple[str, ...]:
    """Return a model's columns in the order in which it declares them."""
    return tuple(str(field.column) for field in model._meta.concrete_fields)  # noqa: SLF001


class Table:
    """Inserts rows of one table; `changes` says what happens to a row that exists."""

    def __init__(
        self, model: type[models.Model], columns: Sequence[str], changes: dict[str, str] | None
    ) -> None:
        self.name = table_of(model)
        self.columns = tuple(columns)
        names = ", ".join(columns)
        meta = model._meta  # noqa: SLF001
        action = ""
        if changes is not None:
            key = meta.pk.column
            sets = ", ".join(f"{column} = {value}" for column, value in changes.items())
            action = f" ON CONFLICT ({key}) DO UPDATE SET {sets}"
        marks = ", ".join(["%s"] * len(columns))
        insert = f"INSERT INTO {self.name} ({names})"
        self._by_row = f"{insert} VALUES ({marks}){action}"
        arrays = ", ".join(
            f"%s::{'text' if isinstance(field, models.TextField) else 'bigint'}[]"
            for field in (meta.get_field(column) for column in columns)
        )
        self._by_array = f"{insert} SELECT * FROM unnest({arrays}){action}"  # noqa: S608 - names of ours

    def write(self, cursor: CursorWrapper, rows: Sequence[Row]) -> None:
        """Write the rows; on PostgreSQL as one statement of one array for each column."""
        if not rows:
            return
        if cursor.db.vendor == "postgresql":
            cursor.execute(self._by_array, [list(column) for column in zip(*rows, strict=True)])
        else:
            cursor.executemany(self._by_row, rows)


def _replaced(columns: Sequence[str]) -> dict[str, str]:
    return {column: f"excluded.{column}" for column in columns}


def _merged(model: type[models.Model]) -> dict[str, str]:
    """Return how a stored bar takes in another part of itself; see bars.merge."""
    table = table_of(model)
    changes = {}
    sums = ("volume_lots", "volume_quote", "taker_buy_lots", "taker_buy_quote", "trades")
    for price, trade_id, sign in (
        ("open_ticks", "first_trade_id", "<"),
        ("close_ticks", "last_trade_id", ">"),
        ("high_ticks", "high_ticks", ">"),
        ("low_ticks", "low_ticks", "<"),
        ("first_trade_id", "first_trade_id", "<"),
        ("last_trade_id", "last_trade_id", ">"),
    ):
        changes[price] = (
            f"CASE WHEN excluded.{trade_id} {sign} {table}.{trade_id} "
            f"THEN excluded.{price} ELSE {table}.{price} END"
        )
    for column in sums:
        changes[column] = (
            f"CASE WHEN {table}.{column} > {VOLUME_MAX} - excluded.{column} "
            f"THEN {VOLUME_MAX} ELSE {table}.{column} + excluded.{column} END"
        )
    return changes


def _joined(model: type[models.Model]) -> dict[str, str]:
    """Return how a stored bar of quotes takes in another part of itself; see quotes.fold_quotes."""
    table = table_of(model)
    changes = {}
    for name, sign in (("first", "<"), ("last", ">")):
        pair = "({0}.{1}_us, {0}.{1}_seq)"
        is_ours = f"{pair.format('excluded', name)} {sign} {pair.format(table, name)}"
        for column in (f"{name}_us", f"{name}_seq", f"{name}_ticks"):
            changes[column] = (
                f"CASE WHEN {is_ours} THEN excluded.{column} ELSE {table}.{column} END"
            )
    for column, sign in (("high_ticks", ">"), ("low_ticks", "<")):
        changes[column] = (
            f"CASE WHEN excluded.{column} {sign} {table}.{column} "
            f"THEN excluded.{column} ELSE {table}.{column} END"
        )
    for column in ("sum_high", "sum_low", "quotes"):
        changes[column] = f"{table}.{column} + excluded.{column}"
    return changes


def _quote_bars(model: type[models.Model]) -> Table:
    return Table(model, columns_of(model), _joined(model))


def _candles(model: type[models.Model]) -> Table:
    return Table(model, columns_of(model), _merged(model))


# The order in which decoding.decode unpacks an ORDER event, then the folded client order id.
_ORDER_COLUMNS: Final = (
    "updated_seq",
    "updated_us",
    "account",
    "instrument",
    "id",
    "status",
    "side",
    "order_type",
    "time_in_force",
    "self_trade",
    "price_ticks",
    "stop_price_ticks",
    "quantity_lots",
    "filled_lots",
    "filled_quote",
    "quote_quantity",
    "created_us",
    "client_order_id_0",
    "client_order_id_1",
    "client_order_id_2",
    "client_order_id_3",
    "working_us",
    "list_id",
    "client_fold",
)
# What an order keeps from its beginning is not written again: it would touch every index.
_ORDER_CHANGES: Final = (
    "updated_seq",
    "updated_us",
    "status",
    "price_ticks",
    "stop_price_ticks",
    "quantity_lots",
    "filled_lots",
    "filled_quote",
    "working_us",
)
ORDERS: Final = Table(Order, _ORDER_COLUMNS, _replaced(_ORDER_CHANGES))
# The order in which decoding.decode unpacks a LIST event.
_LIST_COLUMNS: Final = (
    *("updated_seq", "updated_us", "account", "instrument", "id", "status"),
    *("stop_order_id", "profit_order_id", "created_us"),
    *(f"{each}_client_id_{n}" for each in ("list", "stop", "profit") for n in range(4)),
)
LISTS: Final = Table(OrderList, _LIST_COLUMNS, _replaced(("updated_seq", "updated_us", "status")))
TRADES: Final = Table(Trade, columns_of(Trade), None)
# The order in which decoding.decode unpacks a VENUE_ORDER event.
_VENUE_ORDER_COLUMNS: Final = (
    *("updated_seq", "updated_us", "instrument", "id", "status", "side", "limit_ticks"),
    *("quantity_lots", "notional", "filled_base", "filled_quote", "attempts", "parts"),
    "created_us",
)
_VENUE_ORDER_CHANGES: Final = (
    *("updated_seq", "updated_us", "status"),
    *("filled_base", "filled_quote", "attempts"),
)
VENUE_ORDERS: Final = Table(VenueOrder, _VENUE_ORDER_COLUMNS, _replaced(_VENUE_ORDER_CHANGES))
VENUE_PARTS: Final = Table(VenuePart, ("account", "venue_order", "id", "quantity_lots"), None)
_SUMMARY_CHANGES: Final = (
    *("updated_seq", "updated_us", "is_closed"),
    *("bought_lots", "bought_quote", "sold_lots", "sold_quote", "profit", "position", "cost"),
)
SUMMARIES: Final = Table(Summary, columns_of(Summary), _replaced(_SUMMARY_CHANGES))
POSTINGS: Final = Table(Posting, columns_of(Posting), None)
CANDLES_1M: Final = _candles(Candle1m)
CANDLES_1H: Final = _candles(Candle1h)
CANDLES_1D: Final = _candles(Candle1d)
QUOTES: Final = Table(Quote, columns_of(Quote), None)
QUOTE_BARS_1M: Final = _quote_bars(QuoteBar1m)
QUOTE_BARS_1H: Final = _quote_bars(QuoteBar1h)
QUOTE_BARS_1D: Final = _quote_bars(QuoteBar1d)
ASSETS: Final = Table(Asset, columns_of(Asset), _replaced(("code", "decimals")))
INSTRUMENTS: Final = Table(
    Instrument, columns_of(Instrument), _replaced(columns_of(Instrument)[1:])
)
