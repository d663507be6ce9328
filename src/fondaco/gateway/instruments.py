"""What the edge knows of assets and instruments: numbers, codes, scales.

Promises: built from the core's ASSET, INSTRUMENT and HOUSE records only; replaced whole when one
changes. No balances, no books.
"""

from __future__ import annotations

from typing import Final

import msgspec

from fondaco.core.records import (
    ASSET_TOTAL_MAX,
    HEAD_WORDS,
    LAYOUTS,
    VERSION,
    AssetBody,
    Command,
    Event,
    InstrumentBody,
    InstrumentStatus,
    unpack,
    unpack_body,
)
from fondaco.gateway.numbers import Step, units_text
from fondaco.gateway.swift import Shape

__all__ = ["Asset", "Catalogue", "Instrument"]

MARKETS: Final = ("", "book", "dealer", "agency")
BOOK, DEALER, AGENCY = MARKETS[1:]
_STATUS: Final = {
    InstrumentStatus.TRADING: "TRADING",
    InstrumentStatus.HALT: "HALT",
    InstrumentStatus.BREAK: "BREAK",
    InstrumentStatus.END_OF_DAY: "BREAK",  # clients know no fourth word
}


def head_of(command: Command) -> int:
    """Return the first word of a command's record."""
    size = (HEAD_WORDS + len(LAYOUTS[command])) * 8
    return int(command) | VERSION << 16 | size << 32


class Asset:
    __slots__ = ("code", "decimals", "number")

    def __init__(self, body: AssetBody) -> None:
        self.number = body.number
        self.code = body.code
        self.decimals = body.decimals

    def text(self, units: int) -> str:
        """Return an amount of it as wire text."""
        return units_text(units, self.decimals)


class Instrument:
    """One instrument with the scales of its prices, quantities and amounts."""

    __slots__ = (
        "base",
        "body",
        "lot",
        "lots_max",
        "notional_max",
        "number",
        "quote",
        "shape",
        "status_text",
        "symbol",
        "tick",
        "ticks_max",
    )

    def __init__(self, body: InstrumentBody, assets: dict[int, Asset]) -> None:
        self.body = body
        self.number = body.number
        self.symbol = body.symbol
        self.base = assets[body.base]
        self.quote = assets[body.quote]
        self.tick = Step(body.tick_size)
        self.lot = Step(body.lot_size)
        # The core's own bounds where the definition names none: clients read 0 as a limit.
        self.ticks_max = body.price_ticks_max or ASSET_TOTAL_MAX // body.quote_per_lot_tick
        self.lots_max = body.quantity_lots_max or ASSET_TOTAL_MAX // body.base_per_lot
        self.notional_max = body.max_notional or ASSET_TOTAL_MAX
        self.status_text = _STATUS[InstrumentStatus(body.status)]
        self.shape = Shape(
            symbol=body.symbol.encode(),
            number=body.number,
            tick=(self.tick.size, self.tick.decimals, self.tick.wire_decimals),
            lot=(self.lot.size, self.lot.decimals, self.lot.wire_decimals),
            base=(self.base.number, self.base.code.encode(), self.base.decimals),
            quote=(self.quote.number, self.quote.code.encode(), self.quote.decimals),
            heads=(head_of(Command.NEW_ORDER), head_of(Command.CANCEL_ORDER)),
        )

    @property
    def market(self) -> str:
        """How orders meet: book, dealer or agency."""
        return MARKETS[self.body.market]

    @property
    def is_book(self) -> bool:
        """Whether orders meet in a book; others have no word on the Binance-style routes."""
        return self.body.market == 1


class Catalogue:
    """All assets and instruments of the house, by number and by name."""

    def __init__(self) -> None:
        self.assets: dict[int, Asset] = {}
        self.instruments: dict[int, Instrument] = {}
        self.by_symbol: dict[str, Instrument] = {}
        self.maintenance = False  # the house takes no orders
        self.version = 0  # moves with every change, so that what was derived can be kept

    def take(self, kind: int, record: bytes) -> Instrument | None:
        """Take one ASSET, INSTRUMENT or HOUSE record; return the instrument new or changed."""
        self.version += 1
        if kind == Event.HOUSE:
            self.maintenance = unpack(record)["maintenance"] == 1
            return None
        if kind == Event.ASSET:
            asset = msgspec.msgpack.decode(unpack_body(record), type=AssetBody)
            self.assets[asset.number] = Asset(asset)
            return None
        assert kind == Event.INSTRUMENT, kind
        body = msgspec.msgpack.decode(unpack_body(record), type=InstrumentBody)
        instrument = Instrument(body, self.assets)
        self.instruments[body.number] = instrument
        self.by_symbol[body.symbol] = instrument
        return instrument

    def status_of(self, instrument: Instrument) -> str:
        """Return an instrument's status in the clients' words; in maintenance none trades."""
        if self.maintenance and instrument.status_text == "TRADING":
            return "BREAK"
        return instrument.status_text

    def books(self) -> list[Instrument]:
        """Return the instruments of the Binance-style routes, in order of their numbers."""
        return [each for each in self.all() if each.is_book]

    def all(self) -> list[Instrument]:
        """Return all instruments, in order of their numbers."""
        return [each for _, each in sorted(self.instruments.items())]
