"""A reader of what is told of lists: two orders of which only one may ever act.

Checked, as I20: both legs are open when a list begins; before a leg trades, shrinks or fires the
other has ended, so never both act; a list is done exactly when no leg is open; the core answers
with the lists that were told. That a list holds once is part of I3 (observer.py).
"""

from __future__ import annotations

from typing import Any, Final

from fondaco.core.records import LAYOUTS, Event, Execution, ListStatus, Query, pack, split, unpack
from tests.simulation.outside import require

__all__ = ["ListReader"]

NAMES: Final = LAYOUTS[Event.LIST]
ACTS: Final = {Execution.TRADE, Execution.TRIGGERED, Execution.TRADE_PREVENTION}
Words = dict[str, int]


class ListReader:
    """All lists."""

    def __init__(self, orders: dict[int, Any]) -> None:
        """Share what the observer knows of open orders."""
        self.orders = orders
        self.open: dict[int, Words] = {}
        self.acted: dict[int, int] = {}  # list -> the leg that traded, fired or shrank

    def act(self, order_id: int, list_id: int, execution: int) -> None:
        """A leg of a list does something: before its event is taken over."""
        if execution not in ACTS:
            return
        first = self.acted.setdefault(list_id, order_id)
        alone = first == order_id
        require(alone, "I20 one leg of a list acts, never both", list_id, first, order_id)
        other = 2 * list_id - 1 - order_id
        if execution != Execution.TRIGGERED:  # the other's end is told next
            require(other not in self.orders, "I20 a leg acts alone", list_id, order_id)

    def told(self, words: Words) -> None:
        """Read a LIST."""
        list_id = words["list_id"]
        legs = [words["stop_order_id"], words["profit_order_id"]]
        require(legs == [list_id - 1, list_id], "I20 a list's numbers", words)
        left = [order_id for order_id in legs if order_id in self.orders]
        if words["status"] == ListStatus.EXECUTING:
            require(list_id not in self.open, "I20 a list begins once", words)
            require(left == legs, "I20 a list begins with both legs", words, left)
            self.open[list_id] = words
            return
        require(not left, "I20 no leg of a list that is done is left alive", words, left)
        require(self.open.pop(list_id, None) is not None, "I20 a list ends once", words)

    def check(self, exchange: Any, accounts: list[int]) -> None:
        """Hold lists against their legs, and the core's answer against what was told."""
        legs: dict[int, list[int]] = {}
        for order in self.orders.values():
            if order.list_id:
                legs.setdefault(order.list_id, []).append(order.order_id)
        require(set(legs) == set(self.open), "I20 a list is open as long as a leg", legs, self.open)
        for list_id, left in legs.items():
            acted = self.acted.get(list_id)
            alone = sorted(left) == ([list_id - 1, list_id] if acted is None else [acted])
            require(alone, "I20 a leg left alive", list_id, left, acted)
        for account in accounts:
            found = [unpack(r) for r in split(exchange.query(pack(Query.LISTS, account=account)))]
            told = [w for _, w in sorted(self.open.items()) if w["account"] == account]
            answered = [[words[name] for name in NAMES] for words in found]
            wanted = [[words[name] for name in NAMES] for words in told]
            require(answered == wanted, "I20 lists as told", account, answered, wanted)
