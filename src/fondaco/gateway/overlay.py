"""The events that the projections may not have yet, so that a read never waits for SQL.

Promises: everything after the projector's cursor that an account may ask for (its orders' states
and fills) and every trade is found here in journal order; what the cursor has passed is let go,
whole segments at a time. `bytes_held` says how far behind the projector is, so that the door can
slow before memory ends. It keeps the core's own records and decodes them when asked.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from fondaco.core.records import HEAD_WORDS, LAYOUTS, Event
from fondaco.projections.selectors import FillRow, ListRow, OrderRow, TradeRow

__all__ = ["ORDER_WORDS", "OrderState", "Overlay", "fill_row", "list_row", "trade_row"]

SEGMENT_BYTES: Final = 1 << 18
Place = tuple[bytes, int]  # the events of a commit, and the offset of one in them
ORDER_WORDS: Final = HEAD_WORDS + len(LAYOUTS[Event.ORDER])
_ORDER_STRUCT: Final = struct.Struct(f"<{ORDER_WORDS}q")
_LIST_STRUCT: Final = struct.Struct("<8x3q8x18q")
_FILL_STRUCT: Final = struct.Struct(f"<{HEAD_WORDS + len(LAYOUTS[Event.FILL])}q")
_TRADE_STRUCT: Final = struct.Struct(f"<{HEAD_WORDS + len(LAYOUTS[Event.TRADE])}q")
_KIND_MASK: Final = 0xFFFF
_FILL: Final = int(Event.FILL)
unpack_fill = _FILL_STRUCT.unpack_from


class OrderState(NamedTuple):
    """The words of ORDER, with which FILL and CANCEL begin too."""

    head: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int
    order_id: int
    execution: int
    status: int
    side: int
    order_type: int
    time_in_force: int
    self_trade: int
    price_ticks: int
    stop_price_ticks: int
    quantity_lots: int
    filled_lots: int
    filled_quote: int
    quote_quantity: int
    created_us: int
    client_order_id_0: int
    client_order_id_1: int
    client_order_id_2: int
    client_order_id_3: int
    working_us: int
    list_id: int

    @classmethod
    def at(cls, records: bytes, offset: int) -> OrderState:
        """Read one from a run of records."""
        return cls._make(_ORDER_STRUCT.unpack_from(records, offset))

    def row(self) -> OrderRow:
        """Return it in the shape of the projections."""
        return OrderRow(
            self.order_id,
            self.seq,
            self.time_us,
            self.account,
            self.instrument,
            self.status,
            *self[9:20],
            *self[20:26],
        )


def fill_row(records: bytes, offset: int) -> FillRow:
    """Read a FILL event as the projections' row."""
    words = _FILL_STRUCT.unpack_from(records, offset)
    price, lots, quote, fee, fee_asset, trade_id, is_maker, _ = words[ORDER_WORDS:]
    return FillRow(
        words[1],
        words[2],
        words[5],
        trade_id,
        words[6],
        words[9],
        price,
        lots,
        quote,
        fee,
        fee_asset,
        bool(is_maker),
        words[25],
    )


def list_row(records: bytes, offset: int) -> ListRow:
    """Read a LIST event as the projections' row."""
    return ListRow(*_LIST_STRUCT.unpack_from(records, offset))


def trade_row(records: bytes, offset: int) -> TradeRow:
    """Read a TRADE event as the projections' row."""
    words = _TRADE_STRUCT.unpack_from(records, offset)
    return TradeRow(words[1], words[2], *words[5:19])


class Segment:
    __slots__ = ("by_account", "bytes_held", "last_seq", "lists", "trades")

    def __init__(self) -> None:
        self.last_seq = 0
        self.bytes_held = 0
        self.by_account: dict[int, list[Place]] = {}
        self.trades: dict[int, list[Place]] = {}
        self.lists: dict[int, list[Place]] = {}  # by account


class Overlay:
    def __init__(self) -> None:
        self._segments: deque[Segment] = deque()
        self.current = Segment()  # the feed adds to it, record by record
        self._segments.append(self.current)
        self.bytes_held = 0
        self.cursor = 0

    def close_commit(self, last_seq: int, size: int) -> None:
        """Note that the events of a commit are all in."""
        segment = self.current
        segment.last_seq = last_seq
        segment.bytes_held += size
        self.bytes_held += size
        if segment.bytes_held >= SEGMENT_BYTES:
            self.current = Segment()
            self._segments.append(self.current)

    def advance(self, cursor: int) -> None:
        """Let go of what the projections have."""
        self.cursor = cursor
        segments = self._segments
        while segments and segments[0].last_seq <= cursor:
            if segments[0] is self.current:
                if not self.current.bytes_held:
                    break
                self.current = Segment()
                segments.append(self.current)
            self.bytes_held -= segments.popleft().bytes_held

    # ---- reading

    def states(self, account: int) -> Iterator[OrderState]:
        """Yield the states of an account's orders, oldest first: the last of an order counts."""
        for records, offset in self._places(account):
            yield OrderState.at(records, offset)

    def fills(self, account: int, instrument: int) -> list[FillRow]:
        """Return an account's fills on an instrument, oldest first."""
        return [
            row
            for records, offset in self._places(account)
            if records[offset] | records[offset + 1] << 8 == _FILL
            for row in (fill_row(records, offset),)
            if row.instrument == instrument
        ]

    def lists(self, account: int) -> dict[int, ListRow]:
        """Return the newest states of an account's lists, by their numbers."""
        rows = [
            list_row(records, offset)
            for segment in self._segments
            for records, offset in segment.lists.get(account, ())
        ]
        return {row.list_id: row for row in rows}

    def trades(self, instrument: int) -> list[TradeRow]:
        """Return the trades of an instrument, oldest first."""
        return [
            trade_row(records, offset)
            for segment in self._segments
            for records, offset in segment.trades.get(instrument, ())
        ]

    def _places(self, account: int) -> Iterator[Place]:
        for segment in self._segments:
            yield from segment.by_account.get(account, ())
