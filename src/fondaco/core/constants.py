"""The numbers of the records as plain ints, for the compiled modules.

Promises: every name here has the value that records.py gives it; the `.pxd` beside this file has
the same names as C constants, and a test compares the two. Not for other rooms: they use the
enumerations of records.py.
"""

from __future__ import annotations

from typing import Final

from fondaco.core import records
from fondaco.core.records import (
    ACCOUNT_FEES,
    ACCOUNT_FIRST,
    ACCOUNT_WORLD,
    ASSET_TOTAL_MAX,
    LAYOUTS,
    VERSION,
    Cause,
    Command,
    Event,
    Execution,
    InstrumentStatus,
    ListStatus,
    OrderStatus,
    OrderType,
    Query,
    Reason,
    Scope,
    SelfTrade,
    Side,
    TimeInForce,
)

HEAD_WORDS: Final = records.HEAD_WORDS
FEES: Final = ACCOUNT_FEES
WORLD: Final = ACCOUNT_WORLD
ROUNDING: Final = records.ACCOUNT_ROUNDING
INVENTORY: Final = records.ACCOUNT_INVENTORY
FIRST_MEMBER: Final = ACCOUNT_FIRST


def _words(kind: int) -> int:
    return HEAD_WORDS + len(LAYOUTS[kind])


def _head(kind: int) -> int:
    return kind | VERSION << 16 | _words(kind) * 8 << 32


AMOUNT_MAX: Final = ASSET_TOTAL_MAX
KEY_NONE: Final = -(1 << 63)  # below every price key
PPM: Final = 1_000_000
BLOCK_KEYS: Final = 64  # levels in a block of the ladder
HINTS: Final = 256  # levels of a side that are remembered by the low bits of their price
TOUCH_WORDS: Final = 4  # a changed level: side, price, lots, slot
SMALL: Final = 1 << 31  # two factors below it have a product below AMOUNT_MAX
DAY_US: Final = 86_400_000_000
LIST_MARK: Final = (
    1 << 32
)  # in the last word of a list's client id where it is kept: no order's has it
ACCOUNT_BITS: Final = 16  # an account's number is shifted by these to make room for an asset's
BYTES_SHIFT: Final = 35  # a head's length field is bytes << 32: words << 35
SWEEP: Final = 2  # retries that may be dropped for each one added: it shrinks faster than it grows
TRIGGERS_MAX: Final = 16  # stops that run in one command: what waits is a matter of microseconds
RETRIES_MAX: Final = 1 << 23  # client order ids remembered in a day: 97 orders a second
ACCOUNT_MAX: Final = 1 << 40  # account numbers are below it: with the asset's bits they fit a word
MEMBER_MAX: Final = (1 << 31) - 1
SLOTS_MAX: Final = 1 << 30  # rows of one slab: slots are 32-bit in the rows
PAGE_BITS: Final = 7  # order numbers of a page of the order index: 128
PAGE_MASK: Final = (1 << PAGE_BITS) - 1

# How many commands ahead a batch is looked at: so long does memory take, measured.
AHEAD_1: Final = 4  # the neighbours of an order
AHEAD_2: Final = 9  # its row
AHEAD_3: Final = 14  # where its number is found

# Hashing. All products wrap at 64 bits.
MASK_64: Final = 0xFFFFFFFFFFFFFFFF
MASK_63: Final = 0x7FFFFFFFFFFFFFFF
MASK_31: Final = 0x7FFFFFFF
MASK_62: Final = 0x3FFFFFFFFFFFFFFF
GOLDEN: Final = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: Fibonacci hashing
MIX_0: Final = 0xBF58476D1CE4E5B9  # the multipliers of SplitMix64
MIX_1: Final = 0x94D049BB133111EB
PRIME_0: Final = 0x9E3779B185EBCA87  # the odd constants of xxHash
PRIME_1: Final = 0xC2B2AE3D27D4EB4F
PRIME_2: Final = 0x165667B19E3779F9
PRIME_3: Final = 0x85EBCA77C2B2AE63
PRIME_4: Final = 0x27D4EB2F165667C5

KINDS_MAX: Final = 128  # command kinds are below it
RECORD_WORDS_MAX: Final = 8192
RECORD_VERSION: Final = VERSION

ROW_ORDER: Final = 1
ROW_LEVEL: Final = 2
ROW_BLOCK: Final = 3
ROW_SEAT: Final = 4
ROW_BALANCE: Final = 5
ROW_ACCOUNT: Final = 6
ROW_GRANT: Final = 7
ROW_RETRY: Final = 8
ROW_STEP: Final = 9
ROW_CELL: Final = 11
ROW_ENTRY: Final = 12
ROW_GROUP: Final = 13
ROW_PAGE: Final = 14
ROW_PRINT: Final = 15
ROW_LIST: Final = 16

# Commands of the bare book.
BARE_ADD: Final = 1
BARE_CANCEL: Final = 2
BARE_REDUCE: Final = 3
BARE_TAKE: Final = 4
BARE_WORDS: Final = 6
BARE_FILL_WORDS: Final = 4

# What became of a resting order that an incoming one met.
STEP_FILL: Final = 1
STEP_EXPIRE: Final = 2  # prevented: the maker leaves the book
STEP_DECREMENT: Final = 3  # prevented: the maker stays, smaller

BOOK_MARKET: Final = 1  # InstrumentBody.market

NEW_ORDER: Final = int(Command.NEW_ORDER)
CANCEL_ORDER: Final = int(Command.CANCEL_ORDER)
REDUCE_ORDER: Final = int(Command.REDUCE_ORDER)
CANCEL_ALL: Final = int(Command.CANCEL_ALL)
ROBOT_ORDER: Final = int(Command.ROBOT_ORDER)
NEW_LIST: Final = int(Command.NEW_LIST)
ROBOT_LIST: Final = int(Command.ROBOT_LIST)
CANCEL_LIST: Final = int(Command.CANCEL_LIST)
ADVANCE: Final = int(Command.ADVANCE)
DEFINE_INSTRUMENT: Final = int(Command.DEFINE_INSTRUMENT)

NEW_ORDER_HEAD: Final = _head(Command.NEW_ORDER)
NEW_ORDER_WORDS: Final = NEW_ORDER_HEAD >> 35
CANCEL_ORDER_HEAD: Final = _head(Command.CANCEL_ORDER)
REDUCE_ORDER_HEAD: Final = _head(Command.REDUCE_ORDER)
CANCEL_ALL_HEAD: Final = _head(Command.CANCEL_ALL)
ROBOT_ORDER_HEAD: Final = _head(Command.ROBOT_ORDER)
NEW_LIST_HEAD: Final = _head(Command.NEW_LIST)
ROBOT_LIST_HEAD: Final = _head(Command.ROBOT_LIST)
CANCEL_LIST_HEAD: Final = _head(Command.CANCEL_LIST)
ADVANCE_HEAD: Final = _head(Command.ADVANCE)

ORDER_HEAD: Final = _head(Event.ORDER)
FILL_HEAD: Final = _head(Event.FILL)
CANCEL_HEAD: Final = _head(Event.CANCEL)
TRADE_HEAD: Final = _head(Event.TRADE)
LEVEL_HEAD: Final = _head(Event.LEVEL)
BALANCE_HEAD: Final = _head(Event.BALANCE)
POSTING_HEAD: Final = _head(Event.POSTING)
REFUSED_HEAD: Final = _head(Event.REFUSED)
KEY_HEAD: Final = _head(Event.KEY)
SKIPPED_HEAD: Final = _head(Event.SKIPPED)
HOUSE_HEAD: Final = _head(Event.HOUSE)
ROBOT_HEAD: Final = _head(Event.ROBOT)
SUMMARY_HEAD: Final = _head(Event.SUMMARY)
LIST_HEAD: Final = _head(Event.LIST)
BOOK_ANSWER_HEAD: Final = _head(Query.BOOK_ANSWER)
TOTAL_ANSWER_HEAD: Final = _head(Query.TOTAL_ANSWER)

BUY: Final = int(Side.BUY)
SELL: Final = int(Side.SELL)
LIMIT: Final = int(OrderType.LIMIT)
MARKET: Final = int(OrderType.MARKET)
LIMIT_MAKER: Final = int(OrderType.LIMIT_MAKER)
STOP_LOSS: Final = int(OrderType.STOP_LOSS)
STOP_LOSS_LIMIT: Final = int(OrderType.STOP_LOSS_LIMIT)
TAKE_PROFIT: Final = int(OrderType.TAKE_PROFIT)
TAKE_PROFIT_LIMIT: Final = int(OrderType.TAKE_PROFIT_LIMIT)
POOLED: Final = int(OrderType.POOLED)
GTC: Final = int(TimeInForce.GTC)
IOC: Final = int(TimeInForce.IOC)
FOK: Final = int(TimeInForce.FOK)
STP_NONE: Final = int(SelfTrade.NONE)
STP_EXPIRE_TAKER: Final = int(SelfTrade.EXPIRE_TAKER)
STP_EXPIRE_MAKER: Final = int(SelfTrade.EXPIRE_MAKER)
STP_EXPIRE_BOTH: Final = int(SelfTrade.EXPIRE_BOTH)
STP_DECREMENT: Final = int(SelfTrade.DECREMENT)
STATUS_NEW: Final = int(OrderStatus.NEW)
STATUS_PARTIALLY_FILLED: Final = int(OrderStatus.PARTIALLY_FILLED)
STATUS_FILLED: Final = int(OrderStatus.FILLED)
STATUS_CANCELED: Final = int(OrderStatus.CANCELED)
STATUS_EXPIRED: Final = int(OrderStatus.EXPIRED)
STATUS_EXPIRED_IN_MATCH: Final = int(OrderStatus.EXPIRED_IN_MATCH)
LIST_EXECUTING: Final = int(ListStatus.EXECUTING)
LIST_ALL_DONE: Final = int(ListStatus.ALL_DONE)
EXECUTION_NEW: Final = int(Execution.NEW)
EXECUTION_CANCELED: Final = int(Execution.CANCELED)
EXECUTION_TRADE: Final = int(Execution.TRADE)
EXECUTION_EXPIRED: Final = int(Execution.EXPIRED)
EXECUTION_TRADE_PREVENTION: Final = int(Execution.TRADE_PREVENTION)
EXECUTION_REDUCED: Final = int(Execution.REDUCED)
EXECUTION_TRIGGERED: Final = int(Execution.TRIGGERED)
TRADING: Final = int(InstrumentStatus.TRADING)
SCOPE_READ: Final = int(Scope.READ)
SCOPE_TRADE: Final = int(Scope.TRADE)
SCOPE_WITHDRAW: Final = int(Scope.WITHDRAW)
CAUSE_ORDER: Final = int(Cause.ORDER)
CAUSE_TRADE: Final = int(Cause.TRADE)

UNKNOWN_COMMAND: Final = int(Reason.UNKNOWN_COMMAND)
UNKNOWN_ACCOUNT: Final = int(Reason.UNKNOWN_ACCOUNT)
UNKNOWN_INSTRUMENT: Final = int(Reason.UNKNOWN_INSTRUMENT)
UNKNOWN_ORDER: Final = int(Reason.UNKNOWN_ORDER)
UNKNOWN_KEY: Final = int(Reason.UNKNOWN_KEY)
KEY_SCOPE: Final = int(Reason.KEY_SCOPE)
INVALID_SIDE: Final = int(Reason.INVALID_SIDE)
INVALID_TYPE: Final = int(Reason.INVALID_TYPE)
INVALID_TIME_IN_FORCE: Final = int(Reason.INVALID_TIME_IN_FORCE)
INVALID_SELF_TRADE: Final = int(Reason.INVALID_SELF_TRADE)
INVALID_PRICE: Final = int(Reason.INVALID_PRICE)
INVALID_QUANTITY: Final = int(Reason.INVALID_QUANTITY)
INVALID_QUOTE_QUANTITY: Final = int(Reason.INVALID_QUOTE_QUANTITY)
INVALID_STOP_PRICE: Final = int(Reason.INVALID_STOP_PRICE)
PRICE_OUT_OF_RANGE: Final = int(Reason.PRICE_OUT_OF_RANGE)
QUANTITY_OUT_OF_RANGE: Final = int(Reason.QUANTITY_OUT_OF_RANGE)
NOTIONAL_TOO_SMALL: Final = int(Reason.NOTIONAL_TOO_SMALL)
NOTIONAL_TOO_LARGE: Final = int(Reason.NOTIONAL_TOO_LARGE)
INSUFFICIENT_BALANCE: Final = int(Reason.INSUFFICIENT_BALANCE)
WOULD_MATCH: Final = int(Reason.WOULD_MATCH)
WOULD_TRIGGER: Final = int(Reason.WOULD_TRIGGER)
NO_LIQUIDITY: Final = int(Reason.NO_LIQUIDITY)
DUPLICATE_ORDER: Final = int(Reason.DUPLICATE_ORDER)
MARKET_CLOSED: Final = int(Reason.MARKET_CLOSED)
TOO_MANY_ORDERS: Final = int(Reason.TOO_MANY_ORDERS)
NOT_REDUCED: Final = int(Reason.NOT_REDUCED)
CAPACITY: Final = int(Reason.CAPACITY)
FROZEN: Final = int(Reason.FROZEN)
NOT_ROBOT_MARKET: Final = int(Reason.NOT_ROBOT_MARKET)
MAINTENANCE: Final = int(Reason.MAINTENANCE)
NOT_SUPPORTED: Final = int(Reason.NOT_SUPPORTED)
CLIENT_ORDER_ID_OPEN: Final = int(Reason.CLIENT_ORDER_ID_OPEN)
INVALID_LIST: Final = int(Reason.INVALID_LIST)
LIST_PRICES: Final = int(Reason.LIST_PRICES)
ORDER_IN_LIST: Final = int(Reason.ORDER_IN_LIST)
