"""What an account of the ledger holds, what it cost, and what it is worth at given prices.

Promises: pure, whole numbers only; a division rounds down. Cost is average cost with fees in it, as
the core's (a fee taken of what is received makes the rest dearer). What comes from outside enters
at its price, and what leaves takes its share of the cost along: neither is a profit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, Final, NamedTuple

from fondaco.core.records import Cause
from fondaco.projections.models import Posting
from fondaco.projections.selectors import InstrumentRow
from fondaco.strategies.amounts import DECIMALS, units_of

__all__ = ["Book", "Prices", "Terms"]

OUTSIDE: Final = (Cause.DEPOSIT, Cause.WITHDRAWAL, Cause.TRANSFER, Cause.OPENING)
Prices = dict[int, int]  # asset -> ticks of its market; 0 or none: there was no price yet
Told = tuple[int, int, int, int, int, int]  # models.VALUES


class Terms(NamedTuple):
    """The house's cash, the decimals of its assets, and the markets quoted in cash by base."""

    cash: int
    decimals: dict[int, int]
    markets: dict[int, InstrumentRow]


class Book:
    """The holdings of one account, and what was last told of them."""

    def __init__(self, terms: Terms, words: Mapping[str, Any]) -> None:
        self._terms = terms
        self._held: dict[int, list[int]] = {  # asset -> units, cost in units of cash
            int(asset): list(pair) for asset, pair in words.get("held", {}).items()
        }
        self._realised = int(words.get("realised", 0))
        self._told: list[int] = list(words.get("told", []))
        self.symbol = str(words.get("symbol", ""))

    @property
    def words(self) -> dict[str, Any]:
        """What another Book is made of again."""
        return {
            "held": {str(asset): pair for asset, pair in sorted(self._held.items()) if any(pair)},
            "realised": self._realised,
            "told": self._told,
            "symbol": self.symbol,
        }

    @property
    def assets(self) -> set[int]:
        return set(self._held)

    @property
    def is_moved_by_prices(self) -> bool:
        """Whether it holds more than cash."""
        return any(pair[0] for asset, pair in self._held.items() if asset != self._terms.cash)

    def take(self, rows: Sequence[Posting], prices: Prices, *, account: int) -> int:
        """Book postings; return what came from outside less what went there, in 10^-8 of cash."""
        flow = 0
        for (_, _, cause), group in groupby(rows, key=lambda row: (row.seq, row.entry, row.cause)):
            moved: dict[int, int] = {}
            for row in group:
                sign = (row.credit_account == account) - (row.debit_account == account)
                moved[row.asset] = moved.get(row.asset, 0) + sign * row.amount
            if cause in OUTSIDE:
                flow += sum(self._pass(asset, units, prices) for asset, units in moved.items())
            else:
                self._trade(moved)
        return flow * self._scale(self._terms.cash)

    def told(self, prices: Prices) -> Told | None:
        """Return what a report says at these prices; None if that was told last."""
        values = {asset: self._value(asset, pair[0], prices) for asset, pair in self._held.items()}
        coins = [
            asset for asset, pair in self._held.items() if pair[0] and asset != self._terms.cash
        ]
        main = max(coins, key=lambda asset: (values[asset], -asset), default=None)
        equity = sum(values.values()) * self._scale(self._terms.cash)
        position = (0, 0, 0) if main is None else self._position(main, prices)
        if main is not None and main in self._terms.markets:
            self.symbol = self._terms.markets[main].symbol
        realised = self._realised * self._scale(self._terms.cash)
        found = (position[0], equity, equity, realised, position[1], position[2])
        if list(found) == self._told:
            return None
        self._told = list(found)
        return found

    def _position(self, asset: int, prices: Prices) -> tuple[int, int, int]:
        """Return last price, quantity and average entry price, each in 10^-8."""
        units, cost = self._held[asset]
        places = self._terms.decimals
        market = self._terms.markets.get(asset)
        ticks = prices.get(asset, 0)
        last = units_of(ticks * Decimal(market.tick_size)) if market else 0
        entry = cost * self._scale(self._terms.cash) * int(10 ** places[asset]) // units
        return last, units * self._scale(asset), entry

    def _scale(self, asset: int) -> int:
        return int(10 ** (DECIMALS - self._terms.decimals[asset]))

    def _value(self, asset: int, units: int, prices: Prices) -> int:
        """Return what so much of an asset is worth, in units of cash."""
        if asset == self._terms.cash:
            return units
        market, ticks = self._terms.markets.get(asset), prices.get(asset, 0)
        if market is None or not ticks:
            held, cost = self._held.get(asset, (0, 0))
            return cost * units // held if held else 0
        return units * ticks * market.quote_per_lot_tick // market.base_per_lot

    def _pass(self, asset: int, units: int, prices: Prices) -> int:
        """Let something in from outside, or out; return what it is worth."""
        value = self._value(asset, units, prices)
        pair = self._held.setdefault(asset, [0, 0])
        if asset != self._terms.cash:
            pair[1] += value if units > 0 else -self._share(pair, -units)
        pair[0] += units
        return value

    def _trade(self, moved: Mapping[int, int]) -> None:
        """Book a match: what was given is the cost of what was received."""
        cash = self._terms.cash
        given = max(0, -moved.get(cash, 0))
        received = max(0, moved.get(cash, 0))
        for asset, units in moved.items():
            if asset != cash and units < 0:
                pair = self._held.setdefault(asset, [0, 0])
                share = self._share(pair, -units)
                pair[0] += units
                pair[1] -= share
                if received:
                    self._realised += received - share
                    received = 0
                else:
                    given += share
        for asset, units in moved.items():
            if asset != cash and units > 0:
                pair = self._held.setdefault(asset, [0, 0])
                pair[0] += units
                pair[1] += given
                given = 0
        if moved.get(cash):
            self._held.setdefault(cash, [0, 0])[0] += moved[cash]

    @staticmethod
    def _share(pair: Sequence[int], units: int) -> int:
        return pair[1] * units // pair[0] if pair[0] else 0
