"""Why a command was refused.

Promises: numbers are never used again for another meaning: journals and events hold them.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Reason"]


class Reason(IntEnum):
    """Why a command was refused: one name a cause. Nothing has moved when one is given."""

    UNKNOWN_COMMAND = 1  # kind, version or length
    UNKNOWN_ACCOUNT = 2
    UNKNOWN_INSTRUMENT = 3
    UNKNOWN_ASSET = 4
    UNKNOWN_ORDER = 5
    UNKNOWN_KEY = 6  # never granted, or revoked
    KEY_SCOPE = 7  # the key lacks the scope, or is another account's
    INVALID_SIDE = 8
    INVALID_TYPE = 9
    INVALID_TIME_IN_FORCE = 10
    INVALID_SELF_TRADE = 11
    INVALID_PRICE = 12
    INVALID_QUANTITY = 13
    INVALID_QUOTE_QUANTITY = 14
    INVALID_STOP_PRICE = 15
    PRICE_OUT_OF_RANGE = 16  # detail: low, high in ticks
    QUANTITY_OUT_OF_RANGE = 17  # detail: low, high in lots
    NOTIONAL_TOO_SMALL = 18  # detail: notional, least, in quote units
    NOTIONAL_TOO_LARGE = 19
    INSUFFICIENT_BALANCE = 20  # detail: asset, needed, free
    WOULD_MATCH = 21  # LIMIT_MAKER
    WOULD_TRIGGER = 22  # stop price already reached
    NO_LIQUIDITY = 23  # MARKET against an empty side
    DUPLICATE_ORDER = 24  # detail: the seq of the first
    MARKET_CLOSED = 25  # detail: status
    TOO_MANY_ORDERS = 26  # open orders of the account on the instrument; detail: limit
    NOT_REDUCED = 27  # the new quantity isn't below the remaining one
    DUPLICATE_ENTRY = 28  # a money command's row id was used; detail: its seq
    ENTRY_CONFLICT = 29  # ... with another amount, asset or account
    INVALID_AMOUNT = 30
    TOTAL_TOO_LARGE = 31  # the asset's total in the house would pass ASSET_TOTAL_MAX
    INVALID_DEFINITION = 32
    DEFINITION_CONFLICT = 33  # tick, lot, decimals, base, quote, market never change
    CAPACITY = 34  # a stated limit of the core is reached
    FROZEN = 35  # the account may not trade
    NOT_SUPPORTED = 36
    ACCOUNT_EXISTS = 37
    INVALID_BODY = 38
    CLIENT_ORDER_ID_OPEN = 39  # in use by an open order with other parameters; detail: its seq
    INVALID_ENTRY = 40  # a money command's row id must be above 0
    DUPLICATE_QUOTE = 41  # equal to one of the newest: time, price and availability
    INVALID_TIME = 42  # of a message: before 1970, or more than a day ahead of the house's clock
    NO_REFERENCE = 43  # the agency market has no reference price yet
    ORDER_SENT = 44  # the order is part of a venue order: too late to cancel; detail: venue order
    UNKNOWN_VENUE_ORDER = 45
    VENUE_ORDER_CLOSED = 46  # it was confirmed before
    VENUE_ORDER_STATE = 47  # its status doesn't allow this; detail: status
    STALE_REPORT = 48  # it says nothing new; detail: filled_base, filled_quote known
    EXCESSIVE_REPORT = 49  # more than was ordered, or worse than its limit
    NOT_ROBOT = 50  # the account has no robot's terms
    NOT_ROBOT_MARKET = 51  # a robot trades books whose quote is its cash; detail: cash
    DAY_STOP = 52  # a buy, and the day's loss has reached its limit; detail: loss, limit
    MONTH_STOP = 53
    SELL_CAP = 54  # detail: sold this month, what open sells and this may bring, cap
    REDUCE_ONLY = 55  # a buy, and the kill switch is on
    TOO_MANY_ORDERS_TODAY = 56  # detail: limit
    STALE_FENCE = 57  # another has locked the robot since; detail: its newest fence
    LOCK_HELD = 58  # detail: until when, in us
    INVALID_FLAGS = 59
    INVALID_LIST = 60  # the types of its legs don't make a list
    LIST_PRICES = 61  # its profit isn't beyond its stop; detail: profit, stop in ticks
    ORDER_IN_LIST = 62  # the other leg of its list is open, too; detail: list_id
    MAINTENANCE = 64  # the house takes no orders now; cancels and withdrawals go on
