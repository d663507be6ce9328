"""Quotes of feeds: folding them into bars, and what they say of any stretch of time.

Promises: statistics() of a range that begins and ends at any microsecond equals the same over the
raw rows: whole days, hours and minutes inside come from their bars, the rest at its two ends from
the rows. A message counts once, by its own time, also one that came late. Answers are of one
moment of the tables. Ranges are [start_us, end_us); prices are ticks, sums exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final

import msgspec
from django.db import models

from fondaco.projections.bars import DAY_US, HOUR_US, INTERVALS, MINUTE_US, Interval
from fondaco.projections.decoding import trade_key
from fondaco.projections.models import (
    MINUTE_BITS,
    Quote,
    QuoteBar1d,
    QuoteBar1h,
    QuoteBar1m,
    Trade,
)
from fondaco.projections.reading import fetch, together
from fondaco.projections.selectors import TradeRow
from fondaco.projections.tables import columns_of, table_of

__all__ = [
    "END_US",
    "PriceBar",
    "QuoteRow",
    "Statistics",
    "bars",
    "fold_bars",
    "fold_quotes",
    "recent",
    "statistics",
    "statistics_of_all",
    "trades_of",
]

LIMIT_MAX: Final = 1000
END_US: Final = 1 << 57  # later than any message: 4,567 years
HALF_BITS: Final = 31
HALF_MASK: Final = (1 << HALF_BITS) - 1
_MINUTE: Final = (1 << MINUTE_BITS) - 1
_TABLES: Final[dict[str, type[models.Model]]] = {
    "1m": QuoteBar1m,
    "1h": QuoteBar1h,
    "1d": QuoteBar1d,
}
_LEVELS: Final = ((DAY_US, "1d"), (HOUR_US, "1h"), (MINUTE_US, "1m"))
_BAR_COLUMNS: Final = ", ".join(columns_of(QuoteBar1m))
_OF_BARS: Final = "MAX(high_ticks), MIN(low_ticks), SUM(sum_high), SUM(sum_low), SUM(quotes)"
_OF_ROWS: Final = (
    f"MAX(price_ticks), MIN(price_ticks), SUM(price_ticks >> {HALF_BITS}), "
    f"SUM(price_ticks & {HALF_MASK}), COUNT(*)"
)


class Statistics(msgspec.Struct, frozen=True):
    """Of the messages of a range; there is at least one."""

    high_ticks: int
    low_ticks: int
    sum_ticks: int
    quotes: int

    @property
    def average_ticks(self) -> Fraction:
        """The mean price of the messages, exact."""
        return Fraction(self.sum_ticks, self.quotes)


class QuoteRow(msgspec.Struct, frozen=True):
    message_us: int
    price_ticks: int
    availability_lots: int


class PriceBar(msgspec.Struct, frozen=True):
    """Messages of one interval; it exists only where there was one."""

    start_us: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    quotes: int


# ---- folding: rows in the column order of the models


def fold_quotes(rows: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return one-minute bars of quote rows, in any order of time."""
    found: dict[int, list[int]] = {}
    for row in rows:
        message_us, price, seq = row[1], row[2], row[4]
        key = (row[0] << MINUTE_BITS) + message_us // MINUTE_US
        bar = found.get(key)
        if bar is None:
            end = (message_us, seq, price)
            found[key] = [key, *end, *end, price, price, price >> HALF_BITS, price & HALF_MASK, 1]
            continue
        if (message_us, seq) > (bar[4], bar[5]):
            bar[4], bar[5], bar[6] = message_us, seq, price
        elif (message_us, seq) < (bar[1], bar[2]):
            bar[1], bar[2], bar[3] = message_us, seq, price
        if price > bar[7]:
            bar[7] = price
        elif price < bar[8]:
            bar[8] = price
        bar[9] += price >> HALF_BITS
        bar[10] += price & HALF_MASK
        bar[11] += 1
    return [tuple(bar) for bar in found.values()]


def fold_bars(rows: Iterable[tuple[int, ...]], minutes: int) -> list[tuple[int, ...]]:
    """Return bars of `minutes` each, of shorter ones that share no message."""
    found: dict[int, tuple[int, ...]] = {}
    for row in rows:
        key = row[0] - (row[0] & _MINUTE) % minutes
        bar = (key, *row[1:])
        known = found.get(key)
        found[key] = bar if known is None else _join(known, bar)
    return list(found.values())


def _join(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    first = min(one[1:4], other[1:4])
    last = max(one[4:7], other[4:7])
    sums = (mine + theirs for mine, theirs in zip(one[9:], other[9:], strict=True))
    return (one[0], *first, *last, max(one[7], other[7]), min(one[8], other[8]), *sums)


# ---- statistics


def statistics(instrument: int, *, start_us: int = 0, end_us: int = END_US) -> Statistics | None:
    """Return what the messages of a range say; None: there was none."""
    start_us, end_us = max(start_us, 0), min(end_us, END_US)
    if start_us == 0 and end_us == END_US:
        return _summed([_of_bars("1d", instrument, 0, END_US)])
    with together():
        return _summed(_parts(instrument, start_us, end_us, 0))


def statistics_of_all() -> dict[int, Statistics]:
    """Return the statistics of each instrument over all its messages."""
    rows = fetch(
        f"SELECT id >> {MINUTE_BITS}, {_OF_BARS} FROM {table_of(QuoteBar1d)} "  # noqa: S608
        f"GROUP BY id >> {MINUTE_BITS}"
    )
    found = {int(row[0]): _summed([row[1:]]) for row in rows}
    return {number: each for number, each in found.items() if each is not None}


Part = tuple[int | None, ...]


def _parts(instrument: int, start_us: int, end_us: int, level: int) -> Iterator[Part]:
    """Yield the parts of a range: the longest bars that lie inside, then what is left each side."""
    if start_us >= end_us:
        return
    if level == len(_LEVELS):
        yield _of_rows(instrument, start_us, end_us)
        return
    unit_us, name = _LEVELS[level]
    first = -(-start_us // unit_us) * unit_us
    last = end_us // unit_us * unit_us
    if first >= last:
        yield from _parts(instrument, start_us, end_us, level + 1)
        return
    yield from _parts(instrument, start_us, first, level + 1)
    yield _of_bars(name, instrument, first, last)
    yield from _parts(instrument, last, end_us, level + 1)


def _of_rows(instrument: int, start_us: int, end_us: int) -> Part:
    return fetch(
        f"SELECT {_OF_ROWS} FROM {table_of(Quote)} "  # noqa: S608
        "WHERE instrument = %s AND message_us >= %s AND message_us < %s",
        (instrument, start_us, end_us),
    )[0]


def _of_bars(name: str, instrument: int, start_us: int, end_us: int) -> Part:
    return fetch(
        f"SELECT {_OF_BARS} FROM {table_of(_TABLES[name])} WHERE id >= %s AND id < %s",  # noqa: S608
        _keys(instrument, start_us, end_us),
    )[0]


def _summed(parts: Iterable[Part]) -> Statistics | None:
    found = [[int(word) for word in part if word is not None] for part in parts if part[0]]
    if not found:
        return None
    high, low, above, below, count = zip(*found, strict=True)
    total = (sum(above) << HALF_BITS) + sum(below)
    return Statistics(max(high), min(low), total, sum(count))


# ---- rows


def recent(
    instrument: int, *, limit: int, start_us: int = 0, end_us: int = END_US
) -> list[QuoteRow]:
    """Return the newest messages of a range by their own time, newest first."""
    rows = fetch(
        f"SELECT message_us, price_ticks, availability_lots FROM {table_of(Quote)} "  # noqa: S608
        "WHERE instrument = %s AND message_us >= %s AND message_us < %s "
        "ORDER BY message_us DESC, seq DESC LIMIT %s",
        (instrument, max(start_us, 0), min(end_us, END_US), min(limit, LIMIT_MAX)),
    )
    return [QuoteRow(*row) for row in rows]


def trades_of(
    instrument: int, *, limit: int, start_us: int = 0, end_us: int = END_US
) -> list[TradeRow]:
    """Return the newest trades at the messages of a range, newest first."""
    limit = min(limit, LIMIT_MAX)
    with together():
        filled = fetch(
            f"SELECT first_trade_id, trades FROM {table_of(Quote)} "  # noqa: S608
            "WHERE instrument = %s AND message_us >= %s AND message_us < %s AND trades > 0 "
            "ORDER BY message_us DESC, seq DESC LIMIT %s",
            (instrument, max(start_us, 0), min(end_us, END_US), limit),
        )
        found: list[TradeRow] = []
        for first, count in filled:
            ids = range(first + count - 1, first - 1, -1)[: limit - len(found)]
            if not ids:
                break
            found += _trades(instrument, ids[-1], ids[0])
    return found


def _trades(instrument: int, first: int, last: int) -> list[TradeRow]:
    columns = ", ".join(columns_of(Trade)[1:])
    rows = fetch(
        f"SELECT {columns} FROM {table_of(Trade)} WHERE id >= %s AND id <= %s ORDER BY id DESC",  # noqa: S608
        (trade_key(instrument, first), trade_key(instrument, last)),
    )
    return [TradeRow(*row) for row in rows]


def bars(
    instrument: int, interval: str, *, start_us: int, end_us: int, limit: int = 500
) -> list[PriceBar]:
    """Return the newest bars that begin in a range, oldest first. KeyError: unknown interval."""
    step = INTERVALS[interval]
    limit = max(1, min(limit, LIMIT_MAX))
    end_us = min(end_us, END_US)
    start_us = max(start_us, step.back(step.start_of(max(end_us - 1, 0)), limit - 1), 0)
    first = step.start_of(start_us)
    if first < start_us:
        first = step.next_start(first)
    rows = fetch(
        f"SELECT {_BAR_COLUMNS} FROM {table_of(_TABLES[step.stored])} "  # noqa: S608
        "WHERE id >= %s AND id < %s ORDER BY id",
        _keys(instrument, first, end_us),
    )
    return _folded(rows, step)[-limit:]


def _folded(rows: Iterable[tuple[int, ...]], step: Interval) -> list[PriceBar]:
    found: dict[int, tuple[int, ...]] = {}
    for row in rows:
        start = step.start_of((row[0] & _MINUTE) * MINUTE_US)
        known = found.get(start)
        found[start] = row if known is None else _join(known, row)
    return [
        PriceBar(start, row[3], row[7], row[8], row[6], row[11])
        for start, row in sorted(found.items())
    ]


def _keys(instrument: int, start_us: int, end_us: int) -> tuple[int, int]:
    """Return the keys of the bars that begin in [start_us, end_us), as a half-open range."""
    base = instrument << MINUTE_BITS
    first, end = (min(max(-(-each // MINUTE_US), 0), _MINUTE) for each in (start_us, end_us))
    return base + first, base + end
