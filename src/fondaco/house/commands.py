"""From a declared house to the commands that make the core's house the same.

Promises: commands() gives what is missing or may change (fees, filters, limits, status), in an
order in which the core accepts it, and nothing when all is as declared; an existing tick, lot,
decimals, base, quote or market that differs raises HouseFault with its path. Numbers of what
exists are kept; new assets and instruments get the next ones in order of first appearance.
Accounts, keys and their opening balances are identity's (it owns their numbers).
"""

from __future__ import annotations

from typing import Final

import msgspec

from fondaco.core.records import (
    AssetBody,
    Command,
    Event,
    InstrumentBody,
    pack_body,
    split,
    unpack_body,
)
from fondaco.house import markets
from fondaco.house.declared import House
from fondaco.house.errors import HouseFault

__all__ = ["Definitions", "commands"]

_FIXED: Final = ("base", "quote", "market", "base_per_lot", "quote_per_lot_tick")
_SHOWN: Final = {"base_per_lot": "lot_size", "quote_per_lot_tick": "tick_size"}


class Definitions(msgspec.Struct, frozen=True):
    """What the core has: by code and by symbol."""

    assets: dict[str, AssetBody]
    instruments: dict[str, InstrumentBody]

    @classmethod
    def of(cls, records: bytes) -> Definitions:
        """Return the assets and instruments among answer records of a DEFINITIONS query."""
        found_assets: dict[str, AssetBody] = {}
        found_instruments: dict[str, InstrumentBody] = {}
        for record in split(records):
            kind = int.from_bytes(record[:2], "little")
            if kind == Event.ASSET:
                asset = msgspec.msgpack.decode(unpack_body(record), type=AssetBody)
                found_assets[asset.code] = asset
            elif kind == Event.INSTRUMENT:
                instrument = msgspec.msgpack.decode(unpack_body(record), type=InstrumentBody)
                found_instruments[instrument.symbol] = instrument
        return cls(found_assets, found_instruments)


def commands(house: House, definitions: Definitions | bytes) -> list[bytes]:
    """Return the commands that are missing; `definitions` may be the query's records.

    Raises HouseFault where an existing definition would have to change.
    """
    if isinstance(definitions, bytes):
        definitions = Definitions.of(definitions)
    numbers = {code: asset.number for code, asset in definitions.assets.items()}
    return [
        *_asset_commands(house, definitions, numbers),
        *_instrument_commands(house, definitions, numbers),
    ]


def _asset_commands(house: House, definitions: Definitions, numbers: dict[str, int]) -> list[bytes]:
    """Return DEFINE_ASSET for each new asset; `numbers` gets its number."""
    made = []
    declared = {asset.code: place for place, asset in enumerate(house.assets)}
    for asset in markets.assets(house):
        existing = definitions.assets.get(asset.code)
        if existing is None:
            numbers[asset.code] = max(numbers.values(), default=0) + 1
            body = AssetBody(number=numbers[asset.code], code=asset.code, decimals=asset.decimals)
            made.append(pack_body(Command.DEFINE_ASSET, body))
        elif existing.decimals != asset.decimals and asset.code in declared:
            raise HouseFault(
                ("assets", declared[asset.code], "decimals"),
                f"{asset.code} exists with {existing.decimals} decimals and the file says "
                f"{asset.decimals}; decimals never change, write {existing.decimals}",
            )
    return made


def _instrument_commands(
    house: House, definitions: Definitions, numbers: dict[str, int]
) -> list[bytes]:
    made = []
    decimals = {asset.code: asset.decimals for asset in markets.assets(house)}
    decimals |= {code: asset.decimals for code, asset in definitions.assets.items()}
    venues = {venue.name: venue for venue in house.venues}
    last = max((each.number for each in definitions.instruments.values()), default=0)
    for place, entry in enumerate(house.instruments):
        path = ("instruments", place)
        existing = definitions.instruments.get(entry.symbol)
        number = existing.number if existing else last + 1
        last = max(last, number)
        body = markets.instrument_body(
            entry,
            path,
            decimals,
            venues,
            number=number,
            base=numbers[entry.base],
            quote=numbers[entry.quote],
        )
        if existing is not None:
            _check_fixed(existing, body, path)
            body = _kept(existing, body)
        if body != existing:
            made.append(pack_body(Command.DEFINE_INSTRUMENT, body))
    return made


def _kept(existing: InstrumentBody, body: InstrumentBody) -> InstrumentBody:
    """Return `body` with what the core filled in itself: its own bounds and the first spelling."""
    return msgspec.structs.replace(
        body,
        tick_size=existing.tick_size,
        lot_size=existing.lot_size,
        fee_in_quote=existing.fee_in_quote,
        max_notional=existing.max_notional,
        price_ticks_min=existing.price_ticks_min,
        price_ticks_max=existing.price_ticks_max,
        quantity_lots_min=existing.quantity_lots_min,
        quantity_lots_max=existing.quantity_lots_max,
        name=body.name or existing.name,  # a feed may have told it
        stock_id=body.stock_id or existing.stock_id,
    )


def _check_fixed(
    existing: InstrumentBody, body: InstrumentBody, path: tuple[str | int, ...]
) -> None:
    names = (*_FIXED, "stock_id") if existing.stock_id and body.stock_id else _FIXED
    for name in names:
        before, after = getattr(existing, name), getattr(body, name)
        if before == after:
            continue
        shown = _SHOWN.get(name, name)
        if shown in {"lot_size", "tick_size"}:
            before, after = getattr(existing, shown), getattr(body, shown)
        raise HouseFault(
            (*path, shown),
            f"{body.symbol} exists with {shown} {before} and the file says {after}; "
            f"{shown} never changes",
        )
