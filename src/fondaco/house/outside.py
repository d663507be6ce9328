"""What a house file says of the dealer and the agency market, in the core's own units.

Promises: outside_terms() gives the fields of the core's definition that only these markets have,
exact or HouseFault. A venue's minimum counts in the quote asset of each of its instruments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from fondaco.core.records import ASSET_TOTAL_MAX
from fondaco.house.amounts import Path, decimal, rate, units
from fondaco.house.declared import InstrumentEntry, VenueEntry
from fondaco.house.errors import HouseFault

__all__ = ["check_outside", "outside_terms"]

_ONLY_OF: Final = {"venue": "agency", "stock_id": "dealer", "inventory_limit": "dealer"}
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{0,64}\Z")
_STOCK_ID: Final = re.compile(r"[A-Za-z0-9._:-]{0,64}\Z")


def check_outside(entry: InstrumentEntry, path: Path, venues: Mapping[str, VenueEntry]) -> None:
    """See that an instrument says only what its market knows, and all of it."""
    if not _NAME.match(entry.name) or not entry.name.isprintable():
        raise HouseFault((*path, "name"), f"name of {entry.symbol} has at most 64 letters")
    if not _STOCK_ID.match(entry.stock_id):
        raise HouseFault(
            (*path, "stock_id"), f'stock_id "{entry.stock_id}" must be letters, digits or . _ : -'
        )
    for name, market in (
        ("venue", "agency"),
        ("stock_id", "dealer"),
        ("inventory_limit", "dealer"),
    ):
        if getattr(entry, name) and entry.market != market:
            raise HouseFault(
                (*path, name), f"{entry.symbol} is a {entry.market} market and has no {name}"
            )
    if entry.market != "agency":
        return
    if entry.venue not in venues:
        raise HouseFault(
            (*path, "venue"),
            f'{entry.symbol} is an agency market and its venue "{entry.venue}" is not declared',
        )
    if not entry.reference_price:
        raise HouseFault(path, f"{entry.symbol} is an agency market and lacks reference_price")


def outside_terms(
    entry: InstrumentEntry,
    path: Path,
    venues: Mapping[str, VenueEntry],
    decimals: dict[str, int],
    *,
    base_per_lot: int,
) -> dict[str, Any]:
    """Return the fields of InstrumentBody that a dealer or agency instrument has."""
    if entry.market == "dealer":
        return {
            "stock_id": entry.stock_id,
            "inventory_lots_max": _limit_lots(entry, path, decimals[entry.base], base_per_lot),
        }
    if entry.market != "agency":
        return {}
    venue = venues[entry.venue]
    return {
        "venue": venue.name,
        "reference_ticks": int(
            decimal(entry.reference_price, (*path, "reference_price")) / Fraction(entry.tick_size)
        ),
        "slippage_ppm": rate(venue.slippage, (*path, "venue")),
        "pool_min_notional": units(
            venue.min_notional,
            decimals[entry.quote],
            (*path, "venue"),
            what=f"min_notional of venue {venue.name}, in {entry.quote},",
        ),
        "pool_timeout_us": int(Fraction(str(venue.pool_timeout_s)) * 1_000_000),
        "pool_flush": venue.pool_timeout == "flush",
    }


def _limit_lots(entry: InstrumentEntry, path: Path, places: int, base_per_lot: int) -> int:
    """Return the inventory limit in lots; 0: none is declared."""
    if not entry.inventory_limit:
        return 0
    where = (*path, "inventory_limit")
    lots = decimal(entry.inventory_limit, where) * 10**places / base_per_lot
    if lots.denominator != 1 or not 1 <= lots * base_per_lot <= ASSET_TOTAL_MAX:
        raise HouseFault(
            where,
            f"lot size of {entry.symbol} is {entry.lot_size}; inventory_limit was "
            f"{entry.inventory_limit}; write a multiple above 0, or leave it out for none",
        )
    return int(lots)
