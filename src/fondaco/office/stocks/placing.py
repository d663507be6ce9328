"""Placing a bounded order, and waiting until history shows what has been acknowledged.

Promises: one command, answered after its sync; a refusal is OrderRefused with the field at fault,
if one is, and nothing has moved.
"""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from fondaco.core import records
from fondaco.core.money import parse_units
from fondaco.core.records import Reason
from fondaco.identity import core_door
from fondaco.identity.core_door import CommandRefused, Core
from fondaco.identity.models import Account
from fondaco.projections import selectors as history
from fondaco.projections.selectors import InstrumentRow

__all__ = ["Funds", "HistoryBehind", "OrderRefused", "Terms", "caught_up", "place", "ticks_of"]

CATCH_UP_S: Final = 5.0
POLL_S: Final = 0.01
FIELDS: Final = {
    Reason.QUANTITY_OUT_OF_RANGE: ("total", "the quantity is out of the market's range"),
    Reason.INVALID_QUANTITY: ("total", "the quantity must be at least one lot"),
    Reason.NOTIONAL_TOO_SMALL: ("total", "the order is worth less than the market's minimum"),
    Reason.NOTIONAL_TOO_LARGE: ("total", "the order is worth more than the house can count"),
    Reason.PRICE_OUT_OF_RANGE: ("upper_bound", "the price is out of the market's range"),
}
STATES: Final = {
    Reason.MARKET_CLOSED: "the market is closed",
    Reason.MAINTENANCE: "the house is in maintenance and takes no orders",
    Reason.FROZEN: "the account may not trade",
    Reason.TOO_MANY_ORDERS: "the account has as many open orders here as it may",
    Reason.CAPACITY: "the market takes no more orders now",
    Reason.KEY_SCOPE: "the key may not trade",
    Reason.UNKNOWN_KEY: "the key is not granted",
}


class OrderRefused(Exception):
    """The core refused: one sentence; `field` names what was at fault in the request, or is ""."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class Funds(OrderRefused):
    """The account has less than the order must hold."""


class HistoryBehind(Exception):
    """History is behind the core: ask again in a moment."""


class Terms(NamedTuple):
    """What an order is to be, in the core's numbers."""

    side: records.Side
    lots: int
    upper_ticks: int
    lower_ticks: int


def place(core: Core, *, account: Account, key: int, market: InstrumentRow, terms: Terms) -> None:
    """Place an order. Raises OrderRefused, and what the client raises."""
    command = records.pack(
        records.Command.NEW_ORDER,
        account=account.pk,
        key=key,
        instrument=market.number,
        side=terms.side,
        order_type=records.OrderType.BOUNDED,
        price_ticks=terms.upper_ticks,
        stop_price_ticks=terms.lower_ticks,
        quantity_lots=terms.lots,
    )
    try:
        core_door.submit(core, command)
    except CommandRefused as refusal:
        if refusal.reason is Reason.INSUFFICIENT_BALANCE:
            raise Funds("", "the account has less than that free") from refusal
        field, text = FIELDS.get(refusal.reason, ("", ""))
        text = text or STATES.get(refusal.reason, f"the core refused it ({refusal.reason.name})")
        raise OrderRefused(field, text) from refusal


def ticks_of(row: InstrumentRow, price: str) -> int:
    """Return a price as whole ticks; raises ValueError where it is finer or no number."""
    decimals = len(row.tick_size.partition(".")[2])
    ticks, rest = divmod(parse_units(price, decimals), parse_units(row.tick_size, decimals))
    if rest:
        raise ValueError(f"the tick size of {row.symbol} is {row.tick_size}; round it")
    return ticks


def caught_up(core: Core) -> None:
    """Wait until history has reached what the core has done by now. Raises HistoryBehind."""
    seq = core.query(records.pack(records.Query.QUOTES)).seq
    deadline = time.monotonic() + CATCH_UP_S
    while history.cursor().seq < seq:
        if time.monotonic() > deadline:
            raise HistoryBehind("history is behind the core; try again in a moment")
        time.sleep(POLL_S)
