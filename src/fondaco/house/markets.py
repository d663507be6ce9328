"""The declared assets and instruments in the core's own units.

Promises: exact integers or HouseFault; no value is rounded. assets() is the one place that says
which assets a house has and in which order they appear.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from typing import Final

from fondaco.core.records import ASSET_TOTAL_MAX, InstrumentBody, InstrumentStatus
from fondaco.house import outside
from fondaco.house.amounts import Path, decimal, rate, units
from fondaco.house.declared import AssetEntry, House, InstrumentEntry, VenueEntry
from fondaco.house.errors import HouseFault

__all__ = ["assets", "check_instrument", "decimal", "instrument_body", "rate", "units"]

MARKETS: Final = {"book": 1, "dealer": 2, "agency": 3}
FEE_IN_QUOTE_BELOW: Final = 1_000  # base units a lot: a fee in whole shares would round away
OPEN_ORDERS_MAX: Final = 100_000  # an account on one instrument
_SYMBOL: Final = re.compile(r"[A-Z0-9]{1,20}\Z")


def assets(house: House) -> list[AssetEntry]:
    """Return every asset of the house in order of first appearance; the undeclared have 8."""
    found: dict[str, AssetEntry] = {asset.code: asset for asset in house.assets}

    def name(code: str) -> None:
        if code not in found:
            found[code] = AssetEntry(code=code)

    for instrument in house.instruments:
        name(instrument.base)
        name(instrument.quote)
    for member in house.members:
        for code in member.balances:
            name(code)
        for robot in member.robots:
            for code in robot.allotment:
                name(code)
    name(house.house.cash)
    return list(found.values())


def check_instrument(
    entry: InstrumentEntry,
    path: Path,
    decimals: dict[str, int],
    venues: Mapping[str, VenueEntry],
) -> None:
    if not _SYMBOL.match(entry.symbol):
        raise HouseFault(
            (*path, "symbol"), f'symbol "{entry.symbol}" must be 1 to 20 capitals or digits'
        )
    for name in ("base", "quote"):
        code = getattr(entry, name)
        if not re.match(r"[A-Z0-9]{1,12}\Z", code):
            raise HouseFault(
                (*path, name), f'asset code "{code}" must be 1 to 12 capitals or digits'
            )
    if entry.base == entry.quote:
        raise HouseFault((*path, "quote"), f"{entry.symbol} has {entry.base} as base and as quote")
    if not 0 <= entry.max_open_orders <= OPEN_ORDERS_MAX:
        raise HouseFault(
            (*path, "max_open_orders"),
            f"max_open_orders of {entry.symbol} must be 0 (none) to {OPEN_ORDERS_MAX}",
        )
    outside.check_outside(entry, path, venues)
    body = instrument_body(
        entry, path, decimals, venues, number=1, base=1, quote=2
    )  # raises for sizes, fees and amounts
    if entry.reference_price:
        ticks = decimal(entry.reference_price, (*path, "reference_price")) / Fraction(
            body.tick_size
        )
        if ticks.denominator != 1 or ticks == 0:
            raise HouseFault(
                (*path, "reference_price"),
                f"tick size is {entry.tick_size}; reference price was {entry.reference_price}; "
                "make it a multiple",
            )


def instrument_body(
    entry: InstrumentEntry,
    path: Path,
    decimals: dict[str, int],
    venues: Mapping[str, VenueEntry],
    *,
    number: int,
    base: int,
    quote: int,
) -> InstrumentBody:
    """Return the core's definition of an instrument. Raises HouseFault."""
    base_per_lot, quote_per_lot_tick = _sizes(entry, path, decimals)
    return InstrumentBody(
        number=number,
        symbol=entry.symbol,
        base=base,
        quote=quote,
        market=MARKETS[entry.market],
        tick_size=entry.tick_size,
        lot_size=entry.lot_size,
        base_per_lot=base_per_lot,
        quote_per_lot_tick=quote_per_lot_tick,
        maker_fee_ppm=rate(entry.maker_fee, (*path, "maker_fee")),
        taker_fee_ppm=rate(entry.taker_fee, (*path, "taker_fee")),
        fee_in_quote=base_per_lot < FEE_IN_QUOTE_BELOW,
        min_notional=units(
            entry.min_notional,
            decimals[entry.quote],
            (*path, "min_notional"),
            what=f"min_notional of {entry.symbol}",
        ),
        max_open_orders=entry.max_open_orders,
        stop_band_ppm=rate(entry.stop_band, (*path, "stop_band")),
        status=int(InstrumentStatus[entry.status]),
        name=entry.name,
        **outside.outside_terms(entry, path, venues, decimals, base_per_lot=base_per_lot),
    )


def _sizes(entry: InstrumentEntry, path: Path, decimals: dict[str, int]) -> tuple[int, int]:
    """Return the base units of one lot and the quote units of one lot at one tick."""
    tick = decimal(entry.tick_size, (*path, "tick_size"))
    lot = decimal(entry.lot_size, (*path, "lot_size"))
    for name, value in (("tick_size", tick), ("lot_size", lot)):
        if value <= 0:
            raise HouseFault((*path, name), f"{name} of {entry.symbol} must be above 0")
    base_places, quote_places = decimals[entry.base], decimals[entry.quote]
    base_per_lot = lot * 10**base_places
    if base_per_lot.denominator != 1:
        raise HouseFault(
            (*path, "lot_size"),
            f"lot size of {entry.symbol} is {entry.lot_size}, finer than {entry.base} with "
            f"{base_places} decimals; the finest is {_text(Fraction(1, 10**base_places))}",
        )
    product = tick * lot * 10**quote_places
    if product.denominator != 1:
        step = (tick * 10**quote_places / 10**base_places).denominator
        nearest = Fraction(ceil(base_per_lot / step) * step, 10**base_places)
        raise HouseFault(
            (*path, "lot_size"),
            f"tick size {entry.tick_size} x lot size {entry.lot_size} of {entry.symbol} is not a "
            f"whole unit of {entry.quote} with {quote_places} decimals; the nearest valid pair is "
            f"tick size {entry.tick_size} and lot size {_text(nearest)}",
        )
    for value, what in ((base_per_lot, "lot size"), (product, "tick size x lot size")):
        if value > ASSET_TOTAL_MAX:
            raise HouseFault((*path, "lot_size"), f"{what} of {entry.symbol} is too large")
    return int(base_per_lot), int(product)


def _text(value: Fraction) -> str:
    """Return a finite decimal fraction as plain text."""
    digits = 18
    scaled = value * 10**digits
    whole, rest = divmod(int(scaled), 10**digits)
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".")
