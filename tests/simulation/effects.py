"""I12: one client id, one order (or list) in a day; one row id, one posting, for ever."""

from __future__ import annotations

import struct
from typing import Final

from fondaco.core.records import (
    HEAD_WORDS,
    LAYOUTS,
    Command,
    Event,
    Execution,
    Reason,
    unpack,
)
from tests.simulation.observer import require

__all__ = ["Effects"]

DAY_US: Final = 86_400_000_000
_TERMS: Final = slice(HEAD_WORDS, HEAD_WORDS + 9)
_IDS: Final = slice(HEAD_WORDS + 9, HEAD_WORDS + 13)
_ENTRY: Final = HEAD_WORDS + LAYOUTS[Command.DEPOSIT].index("entry")
MONEY: Final = {Command.DEPOSIT, Command.WITHDRAW, Command.TRANSFER}
Key = tuple[int, tuple[int, ...], tuple[int, ...]]


class Effects:
    """What commands with an id did, by that id."""

    def __init__(self) -> None:
        """Begin with no effect."""
        self.orders: dict[Key, int] = {}  # account, client id, terms -> time of acceptance
        self.entries: dict[int, bytes] = {}

    def note(self, command: bytes, events: bytes) -> None:
        """Take note of a command and what came of it."""
        kind = command[0] | command[1] << 8
        words = struct.unpack(f"<{len(command) // 8}q", command)
        if not events:
            return
        first = events[0] | events[1] << 8
        if kind == Command.NEW_ORDER and len(words) == HEAD_WORDS + len(LAYOUTS[kind]):
            self._order(words, first, events)
        elif kind in {Command.NEW_LIST, Command.ROBOT_LIST} and first == Event.ORDER:
            self._list(unpack(command), unpack(events)["time_us"])
        elif kind in MONEY and len(words) == HEAD_WORDS + len(LAYOUTS[kind]):
            self._money(words, command, first, events)

    def _order(self, words: tuple[int, ...], first: int, events: bytes) -> None:
        key = (words[3], words[_IDS], words[_TERMS])
        if not any(key[1]):
            return
        if first == Event.ORDER:
            event = unpack(events)
            require(event["execution"] == Execution.NEW, "an order begins as NEW", event)
            before = self.orders.get(key, -DAY_US)
            require(event["time_us"] - before >= DAY_US, "I12 one order a client id", key)
            self.orders[key] = event["time_us"]
        else:
            refused = unpack(events)
            if refused["reason"] == Reason.DUPLICATE_ORDER:
                require(key in self.orders, "only an accepted order has a duplicate", key)

    def _list(self, words: dict[str, int], time_us: int) -> None:
        """A list came in: its id and its legs' are used like those of orders."""
        legs = []
        for leg in ("stop", "profit"):
            sent = (words[f"{leg}_{name}"] for name in ("type", "time_in_force", "price_ticks"))
            kind, time_in_force, price = sent
            shared = (words["instrument"], words["side"], kind, time_in_force, words["self_trade"])
            legs.append((*shared, price, words["quantity_lots"], 0, words[f"{leg}_trigger_ticks"]))
        ids = [
            tuple(words[f"{what}_client_id_{place}"] for place in range(4))
            for what in ("stop", "profit", "list")
        ]
        for client_id, terms in zip(ids, (*legs, legs[0] + legs[1]), strict=True):
            if any(client_id):
                key = (words["account"], client_id, terms)
                before = self.orders.get(key, -DAY_US)
                require(time_us - before >= DAY_US, "I12 one order or list a client id", key)
                self.orders[key] = time_us

    def _money(self, words: tuple[int, ...], command: bytes, first: int, events: bytes) -> None:
        entry = words[_ENTRY]
        if first == Event.POSTING:
            require(entry not in self.entries, "I12 one posting a row id", entry)
            self.entries[entry] = command[:8] + command[24:]
        elif unpack(events)["reason"] == Reason.DUPLICATE_ENTRY:
            known = self.entries.get(entry)
            require(known is not None, "only an accepted row has a duplicate", entry)
