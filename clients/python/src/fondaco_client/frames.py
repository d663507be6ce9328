"""Answers as pandas frames: candles, trades, reports. Wants the extra `frames`.

Promises: one row for each, indexed by its time in UTC, oldest first. Numbers are float64, which is
for looking and reckoning, not for the books; exact=True leaves them Decimal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import pandas as pd

from fondaco_client.reports import Report
from fondaco_client.shapes import Candle, StoredReport, Trade

__all__ = ["candles_frame", "reports_frame", "trades_frame"]

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
