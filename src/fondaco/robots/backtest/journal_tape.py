"""The trades of a house's own past as a tape: imported ones, and those of its events.

Promises: it only reads, also beside a running house, up to the last whole record; each trade is
exactly the core's, or as it was imported, with the instrument's own tick and lot; they come in the
order of their times, so a backtest sees what the house's charts show. What isn't whole raises
JournalDamaged.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from decimal import Decimal
from heapq import merge
from pathlib import Path
from typing import Final

import msgspec

from fondaco.core.records import (
    HEAD_WORDS,
    LAYOUTS,
    AssetBody,
    Event,
    InstrumentBody,
    Side,
    unpack_body,
)
from fondaco.journal.disk import ReadingDisk
from fondaco.journal.scan import Scan
from fondaco.journal.segments import EVENTS
from fondaco.projections.imports import kept_files, rows_of
from fondaco.robots.backtest.tape import TapeFault, Tick
from fondaco.robots.rules.sight import BOOK

__all__ = ["Past", "open_past", "read_past"]

_WORD: Final = struct.Struct("<q")
_TRADE: Final = struct.Struct(f"<{HEAD_WORDS + len(LAYOUTS[Event.TRADE])}q")
_INSTRUMENT, _PRICE, _LOTS, _SIDE = (
    HEAD_WORDS + LAYOUTS[Event.TRADE].index(name)
    for name in ("instrument", "price_ticks", "quantity_lots", "taker_side")
)
TIME: Final = 2  # word of the head


class Past(msgspec.Struct, frozen=True):
    """One instrument of a house: its number, symbol, steps and fees."""

    number: int
    symbol: str
    tick: Decimal
    lot: Decimal
    maker_fee_ppm: int = 0  # as it was first defined
    taker_fee_ppm: int = 0
    decimals: tuple[int, int] = (8, 8)  # of base and quote
    fee_in_quote: bool = False

    @property
    def fees(self) -> tuple[Decimal, Decimal]:
        """Return the maker's and the taker's as rates."""
        return Decimal(self.maker_fee_ppm) / 1_000_000, Decimal(self.taker_fee_ppm) / 1_000_000


def open_past(data: Path, *, base: str, quote: str) -> Past:
    """Find the instrument with this base and quote; raises TapeFault or JournalDamaged."""
    codes: dict[int, str] = {}
    decimals: dict[int, int] = {}
    found: list[str] = []
    for kind, record in _records(data, {Event.ASSET, Event.INSTRUMENT}):
        if kind == Event.ASSET:
            asset = msgspec.msgpack.decode(unpack_body(record), type=AssetBody)
            codes[asset.number] = asset.code
            decimals[asset.number] = asset.decimals
            continue
        body = msgspec.msgpack.decode(unpack_body(record), type=InstrumentBody)
        pair = (codes.get(body.base, ""), codes.get(body.quote, ""))
        if pair == (base, quote) and body.market == BOOK:
            return Past(
                body.number,
                body.symbol,
                Decimal(body.tick_size),
                Decimal(body.lot_size),
                body.maker_fee_ppm,
                body.taker_fee_ppm,
                (decimals[body.base], decimals[body.quote]),
                body.fee_in_quote,
            )
        found.append("/".join(pair))
    shown = ", ".join(dict.fromkeys(found)) or "none"
    raise TapeFault(f"{data}: no instrument {base}/{quote} in its events; there are {shown}")


def read_past(data: Path, past: Past) -> Iterator[Tick]:
    """Yield the trades of an instrument, oldest first; raises JournalDamaged."""
    return merge(_imported(data, past), _own(data, past), key=lambda tick: tick.time_us)


def _imported(data: Path, past: Past) -> Iterator[Tick]:
    for file in kept_files(data, past.symbol):
        for time_us, price, lots, _, side in rows_of(file):
            yield Tick(time_us, price * past.tick, lots * past.lot, side == Side.BUY)


def _own(data: Path, past: Past) -> Iterator[Tick]:
    for _, record in _records(data, {Event.TRADE}):
        words = _TRADE.unpack(record)
        if words[_INSTRUMENT] == past.number:
            yield Tick(
                words[TIME],
                words[_PRICE] * past.tick,
                words[_LOTS] * past.lot,
                words[_SIDE] == Side.BUY,
            )


def _records(data: Path, kinds: set[Event]) -> Iterator[tuple[int, bytes]]:
    """Yield the events of some kinds, in order."""
    directory = data / "events"
    if not directory.is_dir():
        raise TapeFault(f"{data}: no events/ here; give the data directory of a house")
    scan = Scan(ReadingDisk(), str(directory), kind=EVENTS, mark=None, house=None)
    if not scan.segments:
        return
    for batch in scan.batches(scan.segments[0]):
        payload = batch.payload
        at = 0
        while at < len(payload):
            (word,) = _WORD.unpack_from(payload, at)
            if word & 0xFFFF in kinds:
                yield word & 0xFFFF, payload[at : at + (word >> 32)]
            at += word >> 32
