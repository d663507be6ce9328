"""Answers as pandas frames: candles, trades, reports, records. Wants the extra `frames`.

Promises: one row for each, indexed by its time in UTC, oldest first. Numbers are float64, which is
for looking and reckoning, not for the books; exact=True leaves them Decimal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import pandas as pd

from fondaco_client.records import Record, Records, RecordStatistics
from fondaco_client.reports import Report
from fondaco_client.shapes import Candle, StoredReport, Trade

__all__ = [
    "candles_frame",
    "growth_frame",
    "record_frame",
    "reports_frame",
    "statistics_frame",
    "trades_frame",
]

CANDLE: Final = ("open", "high", "low", "close", "volume", "quote_volume", "trades")
TRADE: Final = ("price", "quantity", "quote_quantity")
REPORT: Final = (
    *("last_price", "margin_balance", "wallet_balance"),
    *("realised_pnl", "positions", "average_entry_price"),
)


def _frame(
    rows: Sequence[Any], times: list[Any], names: Sequence[str], *, exact: bool
) -> pd.DataFrame:
    index = pd.DatetimeIndex(pd.to_datetime(times, utc=True), name="time")
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    found = pd.DataFrame(columns, index=index, columns=list(names))
    found = found if exact else found.astype("float64")
    return found.sort_index(kind="stable")


def _from_ms(times_ms: Iterable[int]) -> list[Any]:
    return [pd.Timestamp(time_ms, unit="ms", tz="UTC") for time_ms in times_ms]


def candles_frame(candles: Iterable[Candle], *, exact: bool = False) -> pd.DataFrame:
    """Return open, high, low, close (quote), volume (base), quote_volume, trades by open time."""
    rows = list(candles)
    return _frame(rows, _from_ms(row.open_ms for row in rows), CANDLE, exact=exact)


def trades_frame(trades: Iterable[Trade], *, exact: bool = False) -> pd.DataFrame:
    """Return price (quote), quantity (base), quote_quantity and buyer_is_maker by time."""
    rows = sorted(trades, key=lambda row: row.time_ms)
    found = _frame(rows, _from_ms(row.time_ms for row in rows), TRADE, exact=exact)
    found["buyer_is_maker"] = [row.buyer_is_maker for row in rows]
    return found


def reports_frame(reports: Iterable[Report | StoredReport], *, exact: bool = False) -> pd.DataFrame:
    """Return a strategy's values in USD by the time of the report."""
    rows = list(reports)
    return _frame(rows, [row.created_at for row in rows], REPORT, exact=exact)


def record_frame(record: Record, *, exact: bool = False) -> pd.DataFrame:
    """Return wallet and margin (USD), growth and drawdown (shares) of one record by time."""
    names = ("wallet", "margin", "growth", "drawdown")
    return _frame(record.series, [row.time for row in record.series], names, exact=exact)


def growth_frame(records: Records) -> pd.DataFrame:
    """Return the growth of each record by time, a column for each key; carried forward."""
    columns = [
        record_frame(each)["growth"].rename(each.key) for each in records.records if each.series
    ]
    found = pd.concat(columns, axis=1) if columns else pd.DataFrame(dtype="float64")
    return found.sort_index().ffill()


def statistics_frame(records: Records) -> pd.DataFrame:
    """Return the figures of each record, a row for each key; a day's return is its share."""
    names = RecordStatistics.__struct_fields__
    rows = {}
    for each in records.records:
        values = [getattr(each.statistics, name) for name in names]
        rows[each.key] = [getattr(value, "share", value) for value in values]
    found = pd.DataFrame.from_dict(rows, orient="index", columns=list(names), dtype="float64")
    found.insert(0, "name", [each.name for each in records.records])
    return found
