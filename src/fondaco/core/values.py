"""What the words of records stand for where they are one of a few: sides, types, statuses, causes.

Promises: numbers are never used again for another meaning: journals and events hold them.
records.py has the records themselves; other rooms take these names from there.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "AccountKind",
    "Cause",
    "Execution",
    "Flag",
    "InstrumentStatus",
    "ListStatus",
    "OrderStatus",
    "OrderType",
    "Period",
    "Scope",
    "SelfTrade",
    "Side",
    "Stopped",
    "TimeInForce",
    "VenueStatus",
    "Verdict",
    "Wait",
]


class Side(IntEnum):
    BUY = 1
    SELL = 2


class OrderType(IntEnum):
    LIMIT = 1
    MARKET = 2
    LIMIT_MAKER = 3
    STOP_LOSS = 4
    STOP_LOSS_LIMIT = 5
    TAKE_PROFIT = 6
    TAKE_PROFIT_LIMIT = 7
    BOUNDED = 8  # dealer market only: price_ticks is the upper bound, stop_price_ticks the lower
    POOLED = 9  # agency market only: the core sets the price, at which it reserves


class TimeInForce(IntEnum):
    GTC = 1
    IOC = 2
    FOK = 3


class SelfTrade(IntEnum):
    """Self-trade prevention, between orders of one member. 0 in a command = NONE."""

    NONE = 1
    EXPIRE_TAKER = 2
    EXPIRE_MAKER = 3
    EXPIRE_BOTH = 4
    DECREMENT = 5


class OrderStatus(IntEnum):
    NEW = 1
    PARTIALLY_FILLED = 2
    FILLED = 3
    CANCELED = 4
    EXPIRED = 5
    REJECTED = 6
    EXPIRED_IN_MATCH = 7


class ListStatus(IntEnum):
    EXECUTING = 1
    ALL_DONE = 2  # no leg of it is open


class Execution(IntEnum):
    """Why an order event was made."""

    NEW = 1
    CANCELED = 2
    REPLACED = 3
    REJECTED = 4
    TRADE = 5
    EXPIRED = 6
    TRADE_PREVENTION = 7
    REDUCED = 8
    TRIGGERED = 9  # a stop was reached: from now on it works as an order of its kind


class InstrumentStatus(IntEnum):
    TRADING = 1
    HALT = 2
    BREAK = 3
    END_OF_DAY = 4


class Scope(IntEnum):
    """Bits of a key's scopes."""

    READ = 1
    TRADE = 2
    WITHDRAW = 4


class Cause(IntEnum):
    """Why a balance or a posting changed."""

    ORDER = 1
    TRADE = 2
    DEPOSIT = 3
    WITHDRAWAL = 4
    TRANSFER = 5
    OPENING = 6


class Verdict(IntEnum):
    """What became of a quote that was not refused."""

    CURRENT = 1  # the newest: it is the price now, and orders met it
    OLDER = 2  # than the newest by its own time: told for the statistics, it changed nothing


class Wait(IntEnum):
    """Why an order of a dealer or agency market still waits."""

    NO_QUOTE = 1  # since it came there was no message
    OUT_OF_BOUNDS = 2  # the price is outside its bounds
    AVAILABILITY = 3  # the last message's availability was used up by older orders
    INVENTORY_LIMIT = 4  # the house's position is at its limit
    CLOSED = 5  # the instrument is not trading
    POOL = 6  # until the pool reaches the venue's minimum, or its time is over
    VENUE = 7  # it is part of a venue order


class VenueStatus(IntEnum):
    """Of an outside order. UNKNOWN leads on only by a query with its id."""

    PENDING = 1  # not sent yet
    SENT = 2  # perhaps sent: a worker said that it would
    UNKNOWN = 3  # sent, and its answer was lost
    CONFIRMED = 4  # done: filled, in part or whole, or failed (nothing filled)


class AccountKind(IntEnum):
    HOUSE = 1
    SPOT = 2
    SUB = 3
    ROBOT = 4


class Flag(IntEnum):
    """Bits of the flags of ROBOT_ORDER and ROBOT_LIST."""

    EXIT = 1  # a sale that ends an operation: no sell cap, notional or count holds it up


class Stopped(IntEnum):
    """Bits of what a robot may no longer do: it buys no more until the roll."""

    DAY = 1  # the day's loss has reached its limit
    MONTH = 2


class Period(IntEnum):
    """What a SUMMARY is of."""

    DAY = 1
    MONTH = 2
