"""Candles as the edges ask for them, of any Binance interval, up to the newest trade.

Promises: a bar equals what folding its trades gives, including trades that only the edge has yet
(`newer`): they are counted once, by their ids. klines() leaves no interval out from the first
trade on: those without trades are flat at the last close. Answers are of one moment of the
tables. At most LIMIT_MAX bars; the worst page, 1,000 half-hours, is folded by the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Final

import msgspec
from django.db import connections, models

from fondaco.core.records import Side
from fondaco.projections.bars import (
    HOUR_US,
    INTERVALS,
    MINUTE_US,
    VOLUME_MAX,
    Bar,
    Interval,
    fill_flat,
    fold_bars,
    fold_trades,
    merge,
)
from fondaco.projections.models import MINUTE_BITS, Candle1d, Candle1h, Candle1m, QuoteBar1m
from fondaco.projections.reading import fetch, together
from fondaco.projections.router import ALIAS
from fondaco.projections.selectors import TradeRow, trades
from fondaco.projections.tables import columns_of, table_of

__all__ = [
    "DEALER",
    "LIMIT_MAX",
    "MINUTE_US",
    "closes",
    "first_trade_us",
    "klines",
    "last_before",
    "rolling",
    "stored",
]

LIMIT_MAX: Final = 1000
DEALER: Final = 2  # InstrumentRow.market: its price is that of its feed's messages
TABLES: Final[dict[str, type[models.Model]]] = {"1m": Candle1m, "1h": Candle1h, "1d": Candle1d}
_MINUTE: Final = (1 << MINUTE_BITS) - 1
SUMMED: Final = ("volume_lots", "volume_quote", "taker_buy_lots", "taker_buy_quote", "trades")
HALF_BITS: Final = 31
HALF_MASK: Final = (1 << HALF_BITS) - 1
_COLUMNS: Final = ", ".join(columns_of(Candle1m))


def klines(
    instrument: int,
    interval: str,
    *,
    now_us: int,
    start_us: int | None = None,
    end_us: int | None = None,
    limit: int = 500,
    newer: Sequence[TradeRow] = (),
) -> list[Bar]:
    """Return bars, oldest first, the live one last: the newest, or from start_us on.

    A bar is in the range if it begins in [start_us, end_us]. `interval` is one of bars.INTERVALS
    (KeyError). `newer` are trades of the instrument that the tables may not have yet.
    """
    step = INTERVALS[interval]
    limit = max(1, min(limit, LIMIT_MAX))
    with together():
        live = _unseen(instrument, newer)
        begin = _begin(instrument, live)
        if begin is None:
            return []
        last = step.start_of(now_us if end_us is None else min(end_us, now_us))
        if start_us is None:
            first = step.back(last, limit - 1)
        else:
            first = step.start_of(start_us)
            if first < start_us:
                first = step.next_start(first)
        first = max(first, step.start_of(begin))
        if start_us is not None:
            last = min(last, _forward(step, first, limit - 1))
        if first > last:
            return []
        found = stored(instrument, step, start_us=first, end_us=step.next_start(last))
        last_known = last_before(instrument, first)
        before = last_known[1] if last_known is not None else 0
    for trade in live:  # the tables' last close may be older than a trade that only the edge has
        if trade.time_us < first:
            before = trade.price_ticks
    bars = _with_live(found, live, step)
    return fill_flat(bars, step, first_us=first, last_us=last, before_ticks=before)


def stored(instrument: int, interval: Interval, *, start_us: int, end_us: int) -> list[Bar]:
    """Return the bars that the tables have and that begin in [start_us, end_us), oldest first."""
    if interval.name == interval.stored:
        return _rows(interval.stored, instrument, start_us, end_us)
    if interval.unit == "M":  # months have no one length
        return fold_bars(_rows(interval.stored, instrument, start_us, end_us), interval)
    return _folded(instrument, interval, start_us, end_us)


def rolling(
    instrument: int, *, start_us: int, end_us: int, newer: Sequence[TradeRow] = ()
) -> Bar | None:
    """Return one bar of the minutes that begin in [start_us, end_us), or None without a trade.

    Whole hours are taken from the hours' table: a day reads at most 23 hours and 120 minutes.
    """
    first_hour = -(-start_us // HOUR_US) * HOUR_US
    last_hour = end_us // HOUR_US * HOUR_US
    with together():
        live = _unseen(instrument, newer)
        if first_hour < last_hour:
            parts = [
                *_rows("1m", instrument, start_us, first_hour),
                *_rows("1h", instrument, first_hour, last_hour),
                *_rows("1m", instrument, last_hour, end_us),
            ]
        else:
            parts = _rows("1m", instrument, start_us, end_us)
    parts += fold_trades(
        (_words(trade) for trade in live if start_us <= trade.time_us < end_us), INTERVALS["1m"]
    )
    return reduce(merge, parts) if parts else None


def closes(instrument: int, times_us: Sequence[int], *, of_quotes: bool = False) -> dict[int, int]:
    """Return the last price before each of these times, each of a full minute; 0 before any.

    Of trades, or of the messages of a dealer market's feed. One statement: a look-up by the key for
    each time.
    """
    base = instrument << MINUTE_BITS
    keys = [[time, base + min(max(-(-time // MINUTE_US), 0), _MINUTE)] for time in times_us]
    if connections[ALIAS].vendor == "postgresql":
        parts = ("(value->>0)::bigint", "(value->>1)::bigint", "json_array_elements(%s::json)")
    else:
        parts = ("value->>0", "value->>1", "json_each(%s)")
    table = table_of(QuoteBar1m if of_quotes else Candle1m)
    close = "last_ticks" if of_quotes else "close_ticks"
    rows = fetch(
        f"SELECT asked.time, c.{close} FROM (SELECT {parts[0]} AS time, {parts[1]} AS key "  # noqa: S608
        f"FROM {parts[2]}) AS asked JOIN {table} c ON c.id = ("
        f"SELECT MAX(b.id) FROM {table} b WHERE b.id >= %s AND b.id < asked.key)",
        (msgspec.json.encode(keys).decode(), base),
    )
    found = dict.fromkeys(times_us, 0)
    found.update(rows)
    return found


def first_trade_us(instrument: int, *, of_quotes: bool = False) -> int | None:
    """Return the minute of the instrument's first trade (or message) in the tables."""
    table = table_of(QuoteBar1m if of_quotes else Candle1m)
    low, high = _keys(instrument, 0, 1 << 62)
    rows = fetch(
        f"SELECT id FROM {table} WHERE id >= %s AND id < %s ORDER BY id LIMIT 1",  # noqa: S608
        (low, high),
    )
    return (rows[0][0] & _MINUTE) * MINUTE_US if rows else None


def last_before(instrument: int, time_us: int) -> tuple[int, int] | None:
    """Return start and close of the last minute with a trade before a time of a full minute."""
    low, high = _keys(instrument, 0, time_us)
    rows = fetch(
        f"SELECT id, close_ticks FROM {table_of(Candle1m)} "  # noqa: S608
        "WHERE id >= %s AND id < %s ORDER BY id DESC LIMIT 1",
        (low, high),
    )
    return ((rows[0][0] & _MINUTE) * MINUTE_US, rows[0][1]) if rows else None


def _begin(instrument: int, live: Sequence[TradeRow]) -> int | None:
    begins = [trade.time_us for trade in live[:1]]
    first = first_trade_us(instrument)
    if first is not None:
        begins.append(first)
    return min(begins, default=None)


def _unseen(instrument: int, newer: Sequence[TradeRow]) -> list[TradeRow]:
    """Return those of the edge's trades that the tables don't have."""
    if not newer:
        return []
    newest = trades(instrument, limit=1)
    last = newest[0].trade_id if newest else 0
    return sorted((row for row in newer if row.trade_id > last), key=lambda row: row.trade_id)


def _with_live(found: list[Bar], live: Iterable[TradeRow], step: Interval) -> list[Bar]:
    bars = {bar.start_us: bar for bar in found}
    for bar in fold_trades(map(_words, live), step):
        known = bars.get(bar.start_us)
        bars[bar.start_us] = bar if known is None else merge(known, bar)
    return list(bars.values())


def _words(trade: TradeRow) -> tuple[int, int, int, int, int, bool]:
    return (
        trade.time_us,
        trade.trade_id,
        trade.price_ticks,
        trade.quantity_lots,
        trade.quote_amount,
        trade.taker_side == Side.BUY,
    )


def _forward(step: Interval, start_us: int, bars: int) -> int:
    for _ in range(bars):
        start_us = step.next_start(start_us)
    return start_us


def _rows(stored_name: str, instrument: int, start_us: int, end_us: int) -> list[Bar]:
    table = table_of(TABLES[stored_name])
    rows = fetch(
        f"SELECT {_COLUMNS} FROM {table} WHERE id >= %s AND id < %s ORDER BY id",  # noqa: S608
        _keys(instrument, start_us, end_us),
    )
    return [Bar((row[0] & _MINUTE) * MINUTE_US, *row[1:]) for row in rows]


def _folded(instrument: int, interval: Interval, start_us: int, end_us: int) -> list[Bar]:
    """Return bars folded by the database, which holds up no other thread of the edge.

    Sums are taken of high and low halves: a whole one might pass what SQL can add.
    """
    table = table_of(TABLES[interval.stored])
    minutes = interval.next_start(0) // MINUTE_US
    shift = -interval.start_of(0) // MINUTE_US  # weeks begin before day 0 of the epoch
    halves = ", ".join(
        f"SUM({column} >> {HALF_BITS}), SUM({column} & {HALF_MASK})" for column in SUMMED
    )
    rows = fetch(
        f"SELECT part.start, first.open_ticks, part.*, last.close_ticks FROM ("  # noqa: S608
        f"SELECT ((id & {_MINUTE}) + {shift}) / {minutes} AS start, MIN(id) AS low_id, "
        f"MAX(id) AS high_id, MAX(high_ticks), MIN(low_ticks), MIN(first_trade_id), "
        f"MAX(last_trade_id), {halves} FROM {table} WHERE id >= %s AND id < %s GROUP BY 1) AS part "
        f"JOIN {table} AS first ON first.id = part.low_id "
        f"JOIN {table} AS last ON last.id = part.high_id ORDER BY 1",
        _keys(instrument, start_us, end_us),
    )
    return [_folded_bar(row, minutes, shift) for row in rows]


def _folded_bar(row: Sequence[int], minutes: int, shift: int) -> Bar:
    start, opened, _, _, _, high, low, first_id, last_id, *halves, close = row
    sums = [
        min((int(above) << HALF_BITS) + int(below), VOLUME_MAX)
        for above, below in zip(halves[::2], halves[1::2], strict=True)
    ]
    start_us = (start * minutes - shift) * MINUTE_US
    return Bar(*(start_us, opened, high, low, close, *sums, first_id, last_id))


def _keys(instrument: int, start_us: int, end_us: int) -> tuple[int, int]:
    """Return the keys of the bars that begin in [start_us, end_us), as a half-open range."""
    base = instrument << MINUTE_BITS
    first = max(-(-start_us // MINUTE_US), 0)
    end = max(-(-end_us // MINUTE_US), 0)
    return base + min(first, _MINUTE), base + min(end, _MINUTE)
