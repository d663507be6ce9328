"""Which instrument a stock of the stream is, and how one that is new gets its name here.

Promises: a stock is found by its stock_id alone. One first seen is defined by journaled commands,
an asset and an instrument with the feed's defaults, under a symbol that is decided once: the
letters of its name with the house's cash behind (CIB -> CIBUSD), a number between where that is
taken. What is defined stays: a later name of the same stock changes nothing.
"""

from __future__ import annotations

import itertools
import re
from fractions import Fraction
from typing import Final

import msgspec

from fondaco.core import records
from fondaco.core.records import AssetBody
from fondaco.house import markets
from fondaco.house.commands import Definitions
from fondaco.house.declared import FeedEntry
from fondaco.house.feeds import lot_decimals, stock_entry
from fondaco.identity import core_door
from fondaco.identity.core_door import CommandRefused, Core
from fondaco.robots.feeds.messages import Fault, PriceMessage, SetAside

__all__ = ["Stock", "Stocks"]

DEALER: Final = 2
CODE_LETTERS_MAX: Final = 12
SYMBOL_LETTERS_MAX: Final = 20
TRIES_MAX: Final = 3  # somebody else defines at the same moment
_UNFIT: Final = re.compile(r"[^A-Z0-9]")


class Stock(msgspec.Struct, frozen=True):
    """What a message must know of its instrument."""

    number: int
    tick: Fraction
    lot: Fraction


class Stocks:
    """The dealer instruments by stock_id; a feed has one."""

    def __init__(self, core: Core, feed: FeedEntry, cash: str) -> None:
        """Prepare; the core is asked at the first message."""
        self._core = core
        self._feed = feed
        self._cash = cash
        self._known: dict[str, Stock] = {}
        self.new = Stock(0, Fraction(feed.tick_size), Fraction(feed.lot_size))  # as yet unlisted

    def get(self, stock_id: str) -> Stock | None:
        """Return a stock that is known here."""
        return self._known.get(stock_id)

    def find(self, message: PriceMessage) -> Stock:
        """Return the stock of a message, defined now if it is new.

        Raises SetAside if it can't be listed, and what the client raises.
        """
        refused: CommandRefused | None = None
        for _ in range(TRIES_MAX):
            found = self._known.get(message.stock_id)
            if found is not None:
                return found
            definitions = self._read()
            if message.stock_id not in self._known:
                try:
                    self._define(message, definitions)
                except CommandRefused as refusal:
                    refused = refusal
                self._read()
        raise SetAside(Fault.LISTING, f"{message.stock_id} can't be listed: {refused}")

    def _read(self) -> Definitions:
        answer = self._core.query(records.pack(records.Query.DEFINITIONS))
        definitions = Definitions.of(bytes(answer.records))
        for body in definitions.instruments.values():
            if body.market == DEALER and body.stock_id:
                self._known[body.stock_id] = Stock(
                    body.number, Fraction(body.tick_size), Fraction(body.lot_size)
                )
        return definitions

    def _empty_assets(self) -> set[int]:
        """Return the assets of which nobody holds anything."""
        answer = self._core.query(records.pack(records.Query.TOTALS))
        totals = [records.unpack(record) for record in records.split(bytes(answer.records))]
        return {words["asset"] for words in totals if words["world"] == 0}

    def _define(self, message: PriceMessage, definitions: Definitions) -> None:
        cash = definitions.assets[self._cash]
        places = lot_decimals(self._feed)
        code = free_code(
            message, self._cash, definitions, decimals=places, empty=self._empty_assets()
        )
        base = definitions.assets.get(code)
        if base is None:
            numbers = [asset.number for asset in definitions.assets.values()]
            base = AssetBody(number=max(numbers) + 1, code=code, decimals=places)
            core_door.submit(self._core, records.pack_body(records.Command.DEFINE_ASSET, base))
        numbers = [each.number for each in definitions.instruments.values()]
        entry = stock_entry(
            self._feed,
            self._cash,
            symbol=f"{code}{self._cash}",
            base=code,
            stock_id=message.stock_id,
            name=message.name or message.stock_id,
        )
        body = markets.instrument_body(
            entry,
            (),
            {code: base.decimals, self._cash: cash.decimals},
            {},
            number=max(numbers, default=0) + 1,
            base=base.number,
            quote=cash.number,
        )
        core_door.submit(self._core, records.pack_body(records.Command.DEFINE_INSTRUMENT, body))


def free_code(
    message: PriceMessage, cash: str, definitions: Definitions, *, decimals: int, empty: set[int]
) -> str:
    """Return the code for a stock's shares: the letters of its name, numbered if they are taken.

    Free is also what nothing trades and nobody holds (`empty`): an earlier try has got so far.
    """
    letters = _UNFIT.sub("", message.name.upper()) or _UNFIT.sub("", message.stock_id.upper())
    letters = letters or "STOCK"
    traded = {
        number for body in definitions.instruments.values() for number in (body.base, body.quote)
    }
    room = min(CODE_LETTERS_MAX, SYMBOL_LETTERS_MAX - len(cash))
    for count in itertools.count(1):
        end = "" if count == 1 else str(count)
        code = letters[: room - len(end)] + end
        asset = definitions.assets.get(code)
        is_free = asset is None or (
            asset.number in empty - traded and asset.decimals == decimals and code != cash
        )
        if is_free and f"{code}{cash}" not in definitions.instruments:
            return code
    raise AssertionError("unreachable: count() does not end")
