"""The event stream of the house, spread over the mirrors, the overlay and whoever listens.

Promises: each commit is taken whole, in order, within one turn of the loop and before the answers
that follow it; records that nobody asked for are stepped over by their heads. Listeners are told
once a turn, however many commits it brought. It decides nothing and never waits.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Final

from fondaco.core.records import Event
from fondaco.gateway.edge import Edge, Market
from fondaco.gateway.outside import OUTSIDE_KINDS, VENUE_ORDER, VENUE_PART
from fondaco.gateway.overlay import trade_row

__all__ = ["Feed"]

assert sys.byteorder == "little", "records are little-endian words, read in place"

ORDER: Final = int(Event.ORDER)
FILL: Final = int(Event.FILL)
CANCEL: Final = int(Event.CANCEL)
LIST: Final = int(Event.LIST)
TRADE: Final = int(Event.TRADE)
LEVEL: Final = int(Event.LEVEL)
BALANCE: Final = int(Event.BALANCE)
KEY: Final = int(Event.KEY)
ACCOUNT: Final = int(Event.ACCOUNT)
DEFINITIONS: Final = frozenset({int(Event.ASSET), int(Event.INSTRUMENT), int(Event.HOUSE)})

OnUser = Callable[[int, bytes, int, int], None]  # account, events, offset, kind
OnVenue = Callable[[Market, list[int]], None]  # VENUE_ORDER or VENUE_PART, by word


class Feed:
    """Takes EVENTS. `on_turn` is called once after each turn that brought some.

    `accounts` are those whose own events `on_user` wants to hear, as they pass.
    """

    def __init__(
        self,
        edge: Edge,
        *,
        on_turn: Callable[[], None],
        on_user: OnUser,
        on_venue: OnVenue,
        on_key: Callable[[int, int], None],
        on_account: Callable[[bytes], None],
        on_market: Callable[[Market], None],
        accounts: set[int],
    ) -> None:
        self._edge = edge
        self._on_turn = on_turn
        self._on_user = on_user
        self._on_venue = on_venue
        self._on_key = on_key
        self._on_account = on_account
        self._on_market = on_market
        self._turn_waits = False
        self.accounts = accounts
        self.touched: set[Market] = set()  # markets that changed in this turn
        self.commits = 0
        self.events_bytes = 0

    def take(self, last_seq: int, events: bytes) -> None:
        """Take the events of one commit."""
        edge = self._edge
        edge.seq = last_seq
        self.commits += 1
        self.events_bytes += len(events)
        self._spread(events)
        edge.overlay.close_commit(last_seq, len(events))
        if not self._turn_waits:
            self._turn_waits = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_waits = False
        self._on_turn()
        self.touched.clear()

    def _spread(self, events: bytes) -> None:
        edge = self._edge
        markets = edge.markets
        segment = edge.overlay.current
        by_account = segment.by_account
        accounts = self.accounts
        words = memoryview(events).cast("q").tolist()
        at, end = 0, len(words)
        if end:
            edge.time_us = words[2]
        while at < end:
            head = words[at]
            kind = head & 0xFFFF
            if kind == LEVEL:
                market = markets.get(words[at + 5])
                if market is not None:
                    market.depth.apply(words[at + 6], words[at + 7], words[at + 8], words[at + 9])
                    market.levels_changed = True
                    self.touched.add(market)
            elif kind in (ORDER, FILL, CANCEL):
                account = words[at + 3]
                places = by_account.get(account)
                if places is None:
                    by_account[account] = [(events, at << 3)]
                else:
                    places.append((events, at << 3))
                if account in accounts:
                    self._on_user(account, events, at << 3, kind)
            elif kind == BALANCE:
                if words[at + 3] in accounts:
                    self._on_user(words[at + 3], events, at << 3, kind)
            elif kind == TRADE:
                number = words[at + 5]
                segment.trades.setdefault(number, []).append((events, at << 3))
                market = markets.get(number)
                if market is not None:
                    market.tape.add(trade_row(events, at << 3))
                    market.trades_untold.append((events, at << 3))
                    self.touched.add(market)
            elif kind == LIST:
                account = words[at + 3]
                segment.lists.setdefault(account, []).append((events, at << 3))
                if account in accounts:
                    self._on_user(account, events, at << 3, kind)
            elif kind in OUTSIDE_KINDS:
                market = markets.get(words[at + 5])
                if market is not None:
                    self._take_outside(market, kind, words[at : at + (head >> 35)])
            elif kind == KEY:
                self._on_key(words[at + 5], words[at + 6])
            elif kind == ACCOUNT:
                self._on_account(events[at << 3 : (at << 3) + (head >> 32)])
            elif kind in DEFINITIONS:
                self._define(kind, events[at << 3 : (at << 3) + (head >> 32)])
            at += head >> 35

    def _take_outside(self, market: Market, kind: int, words: list[int]) -> None:
        if kind == VENUE_PART or (kind == VENUE_ORDER and market.outside.parts):
            self._on_venue(market, words)  # before the mirror forgets the parts of one that is done
        market.outside.take(kind, words)

    def _define(self, kind: int, record: bytes) -> None:
        market = self._edge.define(kind, record)
        if market is not None:
            self._on_market(market)
