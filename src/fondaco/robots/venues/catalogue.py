"""What the core's numbers of an outside order mean: from its words to what a venue is asked.

Promises: exact both ways, nothing is a float. A definition or a venue order that comes again
replaces what was known. The id outside is the house's mark and the order's number.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec

from fondaco.core.records import AssetBody, Event, InstrumentBody, Side, unpack_body
from fondaco.robots.venues.carrying import Carried
from fondaco.robots.venues.port import Order

__all__ = ["Catalogue", "client_id"]


def client_id(mark: str, number: int) -> str:
    """Return by which id a venue knows an order of ours."""
    return f"{mark}-{number}"


class Catalogue:
    """The instruments of one venue, and what their assets are."""

    def __init__(self, venue: str, mark: str) -> None:
        self.venue = venue
        self.mark = mark
        self._assets: dict[int, AssetBody] = {}
        self._instruments: dict[int, InstrumentBody] = {}

    def define(self, kind: int, record: bytes) -> None:
        """Take in an ASSET or INSTRUMENT record; others are passed over."""
        if kind == Event.ASSET:
            asset = msgspec.msgpack.decode(unpack_body(record), type=AssetBody)
            self._assets[asset.number] = asset
        elif kind == Event.INSTRUMENT:
            body = msgspec.msgpack.decode(unpack_body(record), type=InstrumentBody)
            self._instruments[body.number] = body

    def carried(self, words: dict[str, int]) -> Carried | None:
        """Return the order that VENUE_ORDER words tell of, None if another venue has it."""
        body = self._instruments[words["instrument"]]
        if body.venue != self.venue:
            return None
        base, quote = self._assets[body.base], self._assets[body.quote]
        base_unit, quote_unit = Fraction(1, 10**base.decimals), Fraction(1, 10**quote.decimals)
        quantity = words["quantity_lots"] * body.base_per_lot * base_unit
        return Carried(
            number=words["venue_order"],
            status=words["status"],
            base_unit=base_unit,
            quote_unit=quote_unit,
            filled_base=words["filled_base"],
            filled_quote=words["filled_quote"],
            order=Order(
                client_id=client_id(self.mark, words["venue_order"]),
                base=base.code,
                quote=quote.code,
                is_buy=words["side"] == Side.BUY,
                quantity=quantity,
                limit=words["limit_ticks"]
                * body.quote_per_lot_tick
                * quote_unit
                / (body.base_per_lot * base_unit),
                reference=words["notional"] * quote_unit / quantity,
            ),
        )
