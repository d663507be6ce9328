"""Runs of events to rows: one pass over the words, no object for what is skipped.

Promises: decode() is pure. Of each order, ours or outside, of each list and of each summary, only
its last state in the run becomes a row; trades, postings, parts and definitions all do. Postings
are numbered within their command in event order. Levels, balances and refusals belong to now, not
to history, and are passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import msgspec

from fondaco.core import records
from fondaco.projections.models import MINUTE_BITS, POSTING_BITS, TRADE_BITS

__all__ = ["Decoded", "InstrumentTerms", "decode", "fold_minutes", "fold_rows", "trade_key"]

# Kinds and accounts as plain ints: reading them from the enumerations costs more than the rest.
ORDER: Final = int(records.Event.ORDER)
CANCEL: Final = int(records.Event.CANCEL)
TRADE: Final = int(records.Event.TRADE)
POSTING: Final = int(records.Event.POSTING)
QUOTE: Final = int(records.Event.QUOTE)
ASSET: Final = int(records.Event.ASSET)
INSTRUMENT: Final = int(records.Event.INSTRUMENT)
VENUE_ORDER: Final = int(records.Event.VENUE_ORDER)
VENUE_PART: Final = int(records.Event.VENUE_PART)
SUMMARY: Final = int(records.Event.SUMMARY)
LIST: Final = int(records.Event.LIST)
FEES: Final = records.ACCOUNT_FEES
CAUSE_TRADE: Final = int(records.Cause.TRADE)
BUY: Final = int(records.Side.BUY)
MINUTE_US: Final = 60_000_000
VOLUME_MAX: Final = (1 << 63) - 1
POSTINGS_MAX: Final = 1 << POSTING_BITS

# Word places in a record; the layouts are records.LAYOUTS, checked by a test.
ORDER_ID: Final = 6  # of a venue order's and a list's number, too
# seq time account | instrument id | status ... created | client order id, working since, list
_ORDER_ROW: Final = struct.Struct("<8x3q8x2q8x18q")
# seq time account | instrument id ... created | client ids
_LIST_ROW: Final = struct.Struct("<8x3q8x18q")
# seq time | instrument number ... created
_VENUE_ORDER_ROW: Final = struct.Struct("<8x2q16x12q")
# account | venue order, order, lots
_VENUE_PART_ROW: Final = struct.Struct("<24xq8x8x3q")
_TRADE_ROW: Final = struct.Struct("<8x2q16x14q")
_POSTING_ROW: Final = struct.Struct("<8x2q16x6q")
# seq time account | instrument ... cost
_SUMMARY_ROW: Final = struct.Struct("<8x3q8x11q")
_QUOTE_ROW: Final = struct.Struct("<8xq24x5q")


class InstrumentTerms(msgspec.Struct, frozen=True):
    """What a trade's postings need of its instrument."""

    base: int
    quote: int
    base_per_lot: int


class Decoded(msgspec.Struct):
    """Rows of one run, in the column order of projections.tables."""

    orders: list[tuple[int | None, ...]] = []
    trades: list[tuple[int, ...]] = []
    postings: list[tuple[int, ...]] = []
    quotes: list[tuple[int, ...]] = []
    assets: list[records.AssetBody] = []
    instruments: list[records.InstrumentBody] = []
    venue_orders: list[tuple[int, ...]] = []
    venue_parts: list[tuple[int, ...]] = []
    summaries: list[tuple[int | str, ...]] = []
    lists: list[tuple[int, ...]] = []
    time_us: int = 0


def trade_key(instrument: int, trade_id: int) -> int:
    """Return the id of a trade's row."""
    return (instrument << TRADE_BITS) + trade_id


def decode(events: bytes, after_seq: int, terms: dict[int, InstrumentTerms]) -> Decoded:
    """Return the rows of the events whose seq is above after_seq.

    `terms` is by instrument number; definitions met on the way are added to it.
    """
    found = Decoded()
    words = memoryview(events).cast("q")
    place, end = 0, len(words)
    while place < end and words[place + 1] <= after_seq:
        place += words[place] >> 35
    newest: dict[int, int] = {}
    venue_orders: dict[int, int] = {}
    lists: dict[int, int] = {}
    summaries: dict[tuple[int, ...], tuple[int, ...]] = {}
    trades, postings = found.trades, found.postings
    posting_seq = index = 0
    last = -1
    while place < end:
        head = words[place]
        kind = head & 0xFFFF
        last = place
        if ORDER <= kind <= CANCEL:
            newest[words[place + ORDER_ID]] = place
        elif kind == TRADE:
            row = _TRADE_ROW.unpack_from(events, place << 3)
            trades.append((trade_key(row[2], row[3]), *row))
            if row[0] != posting_seq:
                posting_seq, index = row[0], 0
            for posting in _postings_of(row, terms[row[2]]):
                postings.append(((posting_seq << POSTING_BITS) + index, row[1], *posting))
                index += 1
        elif kind == POSTING:
            seq, time_us, *posted = _POSTING_ROW.unpack_from(events, place << 3)
            if seq != posting_seq:
                posting_seq, index = seq, 0
            postings.append(((seq << POSTING_BITS) + index, time_us, *posted))
            index += 1
        elif kind == VENUE_ORDER:
            venue_orders[words[place + ORDER_ID]] = place
        elif kind == VENUE_PART:
            found.venue_parts.append(_VENUE_PART_ROW.unpack_from(events, place << 3))
        elif kind == SUMMARY:
            summary = _SUMMARY_ROW.unpack_from(events, place << 3)
            summaries[summary[2], summary[4], summary[5], summary[3]] = summary
        elif kind == LIST:
            lists[words[place + ORDER_ID]] = place
        elif kind == QUOTE:
            found.quotes.append(_quote_row(events, place << 3, trades))
        elif kind in {ASSET, INSTRUMENT}:
            _define(found, terms, kind, events[place << 3 : (place << 3) + (head >> 32)])
        assert index < POSTINGS_MAX, f"seq {posting_seq} has {index} postings"
        place += head >> 35
    found.orders = [_order_row(events, each << 3) for each in newest.values()]
    found.venue_orders = [
        _VENUE_ORDER_ROW.unpack_from(events, each << 3) for each in venue_orders.values()
    ]
    found.lists = [_LIST_ROW.unpack_from(events, each << 3) for each in lists.values()]
    found.summaries = [("-".join(map(str, key)), *row) for key, row in summaries.items()]
    if last >= 0:
        found.time_us = words[last + 2]
    return found


def _order_row(events: bytes, offset: int) -> tuple[int | None, ...]:
    row = _ORDER_ROW.unpack_from(events, offset)
    # The last word holds the length of a client order id: 0 only if there is none.
    fold = row[17] ^ row[18] ^ row[19] ^ row[20] if row[20] else None
    return (*row, fold)


def _quote_row(events: bytes, offset: int, trades: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the row of a QUOTE; the trades of its command have come before it."""
    seq, instrument, price, lots, message_us, verdict = _QUOTE_ROW.unpack_from(events, offset)
    count = 0
    while count < len(trades) and trades[-1 - count][1] == seq:
        count += 1
    first = trades[-count][4] if count else 0
    return (instrument, message_us, price, lots, seq, verdict, first, count)


def _postings_of(
    row: tuple[int, ...], terms: InstrumentTerms
) -> list[tuple[int, int, int, int, int, int]]:
    """Return debit, credit, asset, amount, cause and entry of a trade's movements."""
    buyer, seller = row[10], row[11]
    entry = trade_key(row[2], row[3])
    base_amount = row[5] * terms.base_per_lot
    moved = [
        (seller, buyer, terms.base, base_amount, CAUSE_TRADE, entry),
        (buyer, seller, terms.quote, row[6], CAUSE_TRADE, entry),
    ]
    if row[12]:
        moved.append((buyer, FEES, row[14], row[12], CAUSE_TRADE, entry))
    if row[13]:
        moved.append((seller, FEES, row[15], row[13], CAUSE_TRADE, entry))
    return moved


def _define(found: Decoded, terms: dict[int, InstrumentTerms], kind: int, record: bytes) -> None:
    body = records.unpack_body(record)
    if kind == ASSET:
        found.assets.append(msgspec.msgpack.decode(body, type=records.AssetBody))
        return
    instrument = msgspec.msgpack.decode(body, type=records.InstrumentBody)
    found.instruments.append(instrument)
    terms[instrument.number] = InstrumentTerms(
        instrument.base, instrument.quote, instrument.base_per_lot
    )


# ---- candles


def fold_minutes(trades: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return rows of one-minute candles of trade rows, which come in id order."""
    bars: dict[int, list[int]] = {}
    for row in trades:
        key = (row[3] << MINUTE_BITS) + row[2] // MINUTE_US
        price, lots, quote = row[5], row[6], row[7]
        bar = bars.get(key)
        if bar is None:
            bar = bars[key] = [key, price, price, price, price, 0, 0, 0, 0, 0, row[4], 0]
        elif price > bar[2]:
            bar[2] = price
        elif price < bar[3]:
            bar[3] = price
        bar[4] = price
        bar[5] += lots
        bar[6] += quote
        if row[8] == BUY:
            bar[7] += lots
            bar[8] += quote
        bar[9] += 1
        bar[11] = row[4]
    return [_bounded(bar) for bar in bars.values()]


def fold_rows(rows: Iterable[tuple[int, ...]], minutes: int) -> list[tuple[int, ...]]:
    """Return candle rows of `minutes` each, of rows of shorter ones that share no trade."""
    bars: dict[int, list[int]] = {}
    for row in rows:
        key = row[0] - (row[0] & ((1 << MINUTE_BITS) - 1)) % minutes
        bar = bars.get(key)
        if bar is None:
            bars[key] = [key, *row[1:]]
            continue
        bar[2] = max(bar[2], row[2])
        bar[3] = min(bar[3], row[3])
        for column in (5, 6, 7, 8, 9):
            bar[column] += row[column]
        if row[10] < bar[10]:
            bar[1], bar[10] = row[1], row[10]
        if row[11] > bar[11]:
            bar[4], bar[11] = row[4], row[11]
    return [_bounded(bar) for bar in bars.values()]


def _bounded(bar: list[int]) -> tuple[int, ...]:
    for column in (5, 6, 7, 8):
        bar[column] = min(bar[column], VOLUME_MAX)
    return tuple(bar)
