"""Every record of the exchange, once: commands in, events out, queries between.

A record is a run of little-endian int64 words. The first five are the head, the same for all:

    word 0  kind | version << 16 | length << 32      length in bytes, head included
    word 1  seq        of the command; an event carries the seq of the command that made it
    word 2  time_us    since the Unix epoch, UTC; stamped by the sequencer, never going back
    word 3  account    on whose behalf (an event: whose it is); 0 = the house
    word 4  key        number of the API key that asked; 0 = the house or a signed-in person

A client sends seq = 0 and time_us = 0; the sequencer stamps both. Records of cold kinds (marked
"body") have a msgpack map after the head, padded with zero bytes to a whole word; its length in
bytes is word 5. Records never hold names of people, addresses, secrets or free text.

Units: prices are whole ticks, quantities whole lots of the instrument; amounts are int64 in
units of the asset (10**-decimals). Times are microseconds.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

import msgspec

from fondaco.core.bodies import AccountBody, AssetBody, InstrumentBody, RobotTerms
from fondaco.core.reasons import Reason
from fondaco.core.values import (
    AccountKind,
    Cause,
    Execution,
    Flag,
    InstrumentStatus,
    ListStatus,
    OrderStatus,
    OrderType,
    Period,
    Scope,
    SelfTrade,
    Side,
    Stopped,
    TimeInForce,
    VenueStatus,
    Verdict,
    Wait,
)

__all__ = [
    "HEAD",
    "AccountBody",
    "AccountKind",
    "AssetBody",
    "Cause",
    "Command",
    "Event",
    "Execution",
    "Flag",
    "InstrumentBody",
    "InstrumentStatus",
    "ListStatus",
    "OrderStatus",
    "OrderType",
    "Period",
    "Query",
    "Reason",
    "RobotTerms",
    "Scope",
    "SelfTrade",
    "Side",
    "Stopped",
    "TimeInForce",
    "VenueStatus",
    "Verdict",
    "Wait",
    "numbers_of",
    "pack",
    "pack_body",
    "unpack_body",
]

VERSION: Final = 1
WORD: Final = 8
HEAD_WORDS: Final = 5
HEAD_BYTES: Final = HEAD_WORDS * WORD
RECORD_BYTES_MAX: Final = 1 << 16  # a definition with every filter is under 1 KiB

HEAD = struct.Struct("<5q")

# Account numbers of the house itself; members' accounts begin at ACCOUNT_FIRST.
ACCOUNT_WORLD: Final = 1
ACCOUNT_FEES: Final = 2
ACCOUNT_ROUNDING: Final = 3
ACCOUNT_INVENTORY: Final = 4
ACCOUNT_FIRST: Final = 16

ASSET_TOTAL_MAX: Final = 1 << 62  # largest total of one asset in a house, in units
IMPORTED_TRADES_MAX: Final = 10**9  # trade ids of an instrument up to it are kept for imports
DECIMALS_MAX: Final = 8


class Command(IntEnum):
    """Kinds of command. A wish; the journal holds these."""

    NEW_ORDER = 1
    CANCEL_ORDER = 2
    REDUCE_ORDER = 3
    CANCEL_ALL = 4
    ROBOT_ORDER = 5  # NEW_ORDER by who holds the robot's lock, perhaps an exit
    NEW_LIST = 6  # two orders, of which one cancels the other: it takes two numbers
    CANCEL_LIST = 7
    ROBOT_LIST = 8  # NEW_LIST by who holds the robot's lock, perhaps of exits: two numbers, too
    ADVANCE = 16  # head only: the clock has passed the core's deadline
    ROLL = 17  # 5 day, 6 month: midnight of the house's time zone (number of days, of months)
    QUOTE = 20  # dealer market: one message of a feed
    SET_REFERENCE = 21  # agency market: the price at which orders reserve and pools are valued
    VENUE_SENT = 24  # a worker is about to send this venue order; only who gets it accepted may
    VENUE_UNKNOWN = 25  # it was sent and its answer is lost: from now on only a query tells
    VENUE_REPORT = 26  # what the venue says of it, in totals since its beginning
    DEPOSIT = 32
    WITHDRAW = 33
    TRANSFER = 34
    LOCK_ROBOT = 40  # account in the head; one holder at a time, each with a fence of its own
    UNLOCK_ROBOT = 41
    KILL_ROBOT = 42  # cancel all its orders; from then on it only reduces
    DEFINE_ASSET = 64  # body
    DEFINE_INSTRUMENT = 65  # body; again with the same number: fees, filters, limits, status
    OPEN_ACCOUNT = 66  # body
    GRANT_KEY = 67
    REVOKE_KEY = 68
    CONFIGURE_ACCOUNT = 69  # body
    CONFIGURE_HOUSE = 70  # 5 maintenance: 1 = cancel only, 0 = all goes on
    TOMBSTONE = 96  # 5 seq of the command that replay passes over, 6 reason


class Event(IntEnum):
    """Kinds of event. A fact; each carries the whole public state after it."""

    ORDER = 256
    FILL = 257
    CANCEL = 258
    TRADE = 259
    LEVEL = 260
    BALANCE = 261
    POSTING = 262
    REFUSED = 263
    ASSET = 264  # body
    INSTRUMENT = 265  # body
    ACCOUNT = 266  # body
    KEY = 267
    SKIPPED = 268  # 5 seq that a tombstone passed over
    QUOTE = 269  # a feed's message and what it filled; comes after its trades
    REFERENCE = 270
    POOL = 271  # an agency pool after a change; no orders: it is empty
    VENUE_ORDER = 272  # an outside order after a change
    VENUE_PART = 273  # an order (account in the head) has become part of a venue order
    ROBOT = 280  # a robot's account (in the head) after a change
    SUMMARY = 281  # what a robot did on an instrument in a day or a month, so far or in all
    HOUSE = 284  # 5 maintenance
    LIST = 288  # a list of orders after a change


class Query(IntEnum):
    """Kinds of question about now. Not journaled; answered with event records."""

    DEPTH = 512  # 5 instrument, 6 levels a side -> BOOK then LEVEL..., best first, bids then asks
    BALANCES = 513  # account in the head -> BALANCE...
    OPEN_ORDERS = 514  # account in the head, 5 instrument or 0 -> ORDER...
    ORDER = 515  # account in the head, 5 instrument, 6 order_id or 0, 7-10 client order id
    DEFINITIONS = 516  # -> ASSET..., INSTRUMENT..., ACCOUNT..., KEY..., in maintenance HOUSE
    TOTALS = 517  # -> TOTAL for each asset
    BOOK_ANSWER = 518  # 5 instrument, 6 book_seq, 7 last trade price in ticks or 0, 8 last trade_id
    TOTAL_ANSWER = (
        519  # 5 asset, 6 members, 7 fees, 8 rounding, 9 inventory, 10 world (each signed)
    )
    QUOTES = 520  # 5 instrument or 0 -> QUOTE (the newest) of each dealer market that has one
    POOLS = 521  # 5 instrument or 0 -> REFERENCE of each agency market, then POOL... if not empty
    VENUE_ORDERS = 522  # 5 instrument or 0 -> VENUE_ORDER with its VENUE_PART..., of those not done
    WAITING = 523  # account in the head, 5 instrument or 0 -> WAIT_ANSWER for each open order
    WAIT_ANSWER = 524  # dealer and agency markets only
    ROBOTS = 525  # account in the head, 0 = all -> ROBOT then its SUMMARY..., of now
    LISTS = (
        526  # account in the head, 5 instrument or 0, 6 list_id or 0, 7-10 its client id -> LIST
    )


# Layouts: words after the head, by name. The compiled core has the same as C structs.
LAYOUTS: Final[dict[int, tuple[str, ...]]] = {
    Command.NEW_ORDER: (
        "instrument",
        "side",
        "order_type",
        "time_in_force",  # 0 for MARKET
        "self_trade",
        "price_ticks",  # 0 for MARKET
        "quantity_lots",  # 0 if quote_quantity is given
        "quote_quantity",  # quote units; MARKET only
        "stop_price_ticks",
        "client_order_id_0",  # four words: see client_order_id_words(); all 0 = none
        "client_order_id_1",
        "client_order_id_2",
        "client_order_id_3",
    ),
    Command.CANCEL_ORDER: (
        "instrument",
        "order_id",  # 0: by client order id
        "client_order_id_0",
        "client_order_id_1",
        "client_order_id_2",
        "client_order_id_3",
        "cancel_id_0",  # the cancel's own client id, given back in the CANCEL event
        "cancel_id_1",
        "cancel_id_2",
        "cancel_id_3",
    ),
    Command.REDUCE_ORDER: ("instrument", "order_id", "remaining_lots"),
    Command.CANCEL_ALL: ("instrument",),  # 0: all instruments
    Command.NEW_LIST: (
        "instrument",
        "side",  # of both legs, like the next two
        "self_trade",
        "quantity_lots",
        "stop_type",  # STOP_LOSS, STOP_LOSS_LIMIT
        "stop_time_in_force",
        "stop_price_ticks",
        "stop_trigger_ticks",
        "stop_client_id_0",
        "stop_client_id_1",
        "stop_client_id_2",
        "stop_client_id_3",
        "profit_type",  # LIMIT_MAKER, TAKE_PROFIT, TAKE_PROFIT_LIMIT
        "profit_time_in_force",
        "profit_price_ticks",
        "profit_trigger_ticks",
        "profit_client_id_0",
        "profit_client_id_1",
        "profit_client_id_2",
        "profit_client_id_3",
        "list_client_id_0",
        "list_client_id_1",
        "list_client_id_2",
        "list_client_id_3",
    ),
    Command.CANCEL_LIST: (  # word by word as CANCEL_ORDER
        "instrument",
        "list_id",  # 0: by its client id
        "list_client_id_0",
        "list_client_id_1",
        "list_client_id_2",
        "list_client_id_3",
        "cancel_id_0",
        "cancel_id_1",
        "cancel_id_2",
        "cancel_id_3",
    ),
    Command.ADVANCE: (),
    Command.ROLL: ("day", "month"),
    Command.QUOTE: (
        "instrument",
        "price_ticks",
        "availability_lots",  # to buy, and as many to sell
        "message_us",  # the message's own time
    ),
    Command.SET_REFERENCE: ("instrument", "price_ticks"),
    Command.VENUE_SENT: ("venue_order",),
    Command.VENUE_UNKNOWN: ("venue_order",),
    Command.VENUE_REPORT: (
        "venue_order",
        "filled_base",  # base units so far; finer than a unit is left out
        "filled_quote",  # quote units so far, the outside's fee in it; finer is against us
        "is_final",  # 1: it will never fill more
        "by_query",  # 1: this answers a query with its id
    ),
    Command.DEPOSIT: ("asset", "amount", "entry"),  # entry: the row's id, never reused
    Command.WITHDRAW: ("asset", "amount", "entry"),
    Command.TRANSFER: ("asset", "amount", "entry", "to_account"),
    Command.LOCK_ROBOT: (
        "owner_0",  # who asks; asked again by the same while it holds: the same fence
        "owner_1",
        "ttl_us",  # up to a day
        "force",  # 1: also while another holds it
    ),
    Command.UNLOCK_ROBOT: ("fence",),  # 0: by staff, and the holder's fence is void
    Command.KILL_ROBOT: ("on",),  # 0: it may buy again
    Command.GRANT_KEY: ("key_number", "scopes"),  # account in the head
    Command.REVOKE_KEY: ("key_number",),
    Command.CONFIGURE_HOUSE: ("maintenance",),
    Command.TOMBSTONE: ("skipped_seq", "reason"),
    Event.ORDER: (
        "instrument",
        "order_id",  # the seq of its NEW_ORDER command; of a list's stop leg the one before
        "execution",
        "status",
        "side",
        "order_type",
        "time_in_force",
        "self_trade",
        "price_ticks",
        "stop_price_ticks",
        "quantity_lots",
        "filled_lots",
        "filled_quote",  # quote units
        "quote_quantity",
        "created_us",
        "client_order_id_0",
        "client_order_id_1",
        "client_order_id_2",
        "client_order_id_3",
        "working_us",  # since when it can trade; 0: a stop that has not been triggered
        "list_id",  # of its list, 0: it is in none
    ),
    Event.LIST: (
        "instrument",
        "list_id",  # the seq of its NEW_LIST command
        "status",  # ListStatus
        "stop_order_id",
        "profit_order_id",
        "created_us",
        "list_client_id_0",
        "list_client_id_1",
        "list_client_id_2",
        "list_client_id_3",
        "stop_client_id_0",
        "stop_client_id_1",
        "stop_client_id_2",
        "stop_client_id_3",
        "profit_client_id_0",
        "profit_client_id_1",
        "profit_client_id_2",
        "profit_client_id_3",
    ),
    Event.REFUSED: ("command", "reason", "detail_0", "detail_1", "detail_2"),
    Event.TRADE: (
        "instrument",
        "trade_id",  # of the instrument: IMPORTED_TRADES_MAX + 1, + 2, + 3 ...
        "price_ticks",
        "quantity_lots",
        "quote_amount",  # price x quantity in quote units, exact
        "taker_side",
        "buy_order_id",
        "sell_order_id",
        "buyer_account",
        "seller_account",
        "buyer_fee",
        "seller_fee",
        "buyer_fee_asset",
        "seller_fee_asset",
    ),
    Event.LEVEL: (
        "instrument",
        "side",
        "price_ticks",
        "quantity_lots",  # open lots at this price after the change; 0 = the level is gone
        "book_seq",  # update number of the instrument's book, 1, 2, 3 ...
    ),
    Event.BALANCE: ("asset", "free", "held", "change", "cause"),  # change of free + held
    Event.POSTING: ("debit_account", "credit_account", "asset", "amount", "cause", "entry"),
    Event.KEY: ("key_number", "scopes"),  # scopes 0 = revoked
    Event.SKIPPED: ("skipped_seq",),
    Event.HOUSE: ("maintenance",),
    Event.QUOTE: (
        "instrument",
        "price_ticks",
        "availability_lots",
        "message_us",
        "verdict",  # Verdict
        "bought_lots",  # by members, at this message
        "sold_lots",
        "position_lots",  # of the house after it: what members sold it less what they bought
        "buys_wait",  # why orders within their bounds still wait: Wait, or 0
        "sells_wait",
    ),
    Event.REFERENCE: ("instrument", "price_ticks"),
    Event.POOL: (
        "instrument",
        "side",
        "orders",
        "quantity_lots",
        "notional",  # at the reference price, quote units
        "min_notional",  # at which it becomes a venue order
        "deadline_us",  # 0: it waits for ever
    ),
    Event.VENUE_ORDER: (
        "instrument",
        "venue_order",  # 1, 2, 3 ... of the house: the id outside is made from it
        "status",  # VenueStatus
        "side",
        "limit_ticks",
        "quantity_lots",
        "notional",  # at the reference price when it was made
        "filled_base",
        "filled_quote",
        "attempts",  # times that it was sent: 0 or 1
        "parts",
        "created_us",
    ),
    Event.VENUE_PART: ("instrument", "venue_order", "order_id", "quantity_lots"),
    Event.ROBOT: (
        "cash",
        "killed",
        "fence",  # the newest
        "locked_until_us",  # 0: not locked
        "stopped",  # Stopped: bits
        "day",  # as ROLL told them
        "month",
        "orders_day",  # accepted
        "day_profit",  # realised, in units of cash; below zero: a loss
        "month_profit",
        "month_sold",  # what its sales brought, before fees
    ),
    Event.SUMMARY: (
        "instrument",
        "period",  # Period
        "number",  # of the day or the month, as ROLL told it
        "is_closed",  # 1: it is over
        "bought_lots",
        "bought_quote",  # before fees
        "sold_lots",
        "sold_quote",
        "profit",  # realised, by average cost, all fees in it
        "position",  # base units that it has of the coin
        "cost",  # of the position, in units of cash
    ),
    Query.DEPTH: ("instrument", "limit"),
    Query.BALANCES: (),
    Query.OPEN_ORDERS: ("instrument",),
    Query.ORDER: (
        "instrument",
        "order_id",
        "client_order_id_0",
        "client_order_id_1",
        "client_order_id_2",
        "client_order_id_3",
    ),
    Query.DEFINITIONS: (),
    Query.TOTALS: (),
    Query.BOOK_ANSWER: ("instrument", "book_seq", "last_price_ticks", "last_trade_id"),
    Query.TOTAL_ANSWER: ("asset", "members", "fees", "rounding", "inventory", "world"),
    Query.QUOTES: ("instrument",),
    Query.POOLS: ("instrument",),
    Query.VENUE_ORDERS: ("instrument",),
    Query.WAITING: ("instrument",),
    Query.ROBOTS: (),
    Query.LISTS: (
        "instrument",
        "list_id",
        "list_client_id_0",
        "list_client_id_1",
        "list_client_id_2",
        "list_client_id_3",
    ),
    Query.WAIT_ANSWER: ("instrument", "order_id", "wait", "venue_order"),
}
LAYOUTS[Command.ROBOT_ORDER] = (
    *LAYOUTS[Command.NEW_ORDER],
    "fence",  # of the lock under which it is sent; 0 while the robot was never locked
    "flags",  # Flag
)
LAYOUTS[Command.ROBOT_LIST] = (*LAYOUTS[Command.NEW_LIST], "fence", "flags")
# FILL is an ORDER with the execution behind it; CANCEL one with the cancel's client id.
LAYOUTS[Event.FILL] = (
    *LAYOUTS[Event.ORDER],
    "last_price_ticks",
    "last_lots",
    "last_quote",
    "fee",
    "fee_asset",
    "trade_id",
    "is_maker",
    "other_order_id",
)
LAYOUTS[Event.CANCEL] = (
    *LAYOUTS[Event.ORDER],
    "cancel_id_0",
    "cancel_id_1",
    "cancel_id_2",
    "cancel_id_3",
)


_LISTS: Final = tuple(struct.pack("<H", kind) for kind in (Command.NEW_LIST, Command.ROBOT_LIST))
_SINGLE: Final = {
    kind: struct.Struct(f"<{HEAD_WORDS + len(names)}q") for kind, names in LAYOUTS.items()
}
_FIELDS: Final = {
    kind: ("seq", "time_us", "account", "key", *names) for kind, names in LAYOUTS.items()
}


def pack(
    kind: int, *, seq: int = 0, time_us: int = 0, account: int = 0, key: int = 0, **words: int
) -> bytes:
    """Return one record of fixed layout; words not given are 0, an unknown name is an error.

    For tests and cold paths; hot ones keep a struct of their own.
    """
    names = LAYOUTS[kind]
    values = [words.pop(name, 0) for name in names]
    if words:
        msg = (
            f"{kind!r} has no word {', '.join(sorted(words))}; it has {', '.join(names) or 'none'}"
        )
        raise TypeError(msg)
    layout = _SINGLE[kind]
    return layout.pack(
        kind | VERSION << 16 | layout.size << 32, seq, time_us, account, key, *values
    )


def pack_body(
    kind: int,
    body: msgspec.Struct,
    *,
    seq: int = 0,
    time_us: int = 0,
    account: int = 0,
    key: int = 0,
) -> bytes:
    """Return one record with a msgpack body."""
    encoded = msgspec.msgpack.encode(body)
    padding = -len(encoded) % WORD
    length = HEAD_BYTES + WORD + len(encoded) + padding
    head = struct.pack(
        "<6q", kind | VERSION << 16 | length << 32, seq, time_us, account, key, len(encoded)
    )
    return head + encoded + bytes(padding)


def unpack_body(record: bytes | memoryview) -> bytes:
    """Return the msgpack bytes of a record with a body."""
    (length,) = struct.unpack_from("<q", record, HEAD_BYTES)
    start = HEAD_BYTES + WORD
    return bytes(record[start : start + length])


def unpack(record: bytes | memoryview, offset: int = 0) -> dict[str, int]:
    """Return the words of one record of fixed layout by name, with "kind"; for tests and tools."""
    (word,) = struct.unpack_from("<q", record, offset)
    kind = word & 0xFFFF
    _, *values = _SINGLE[kind].unpack_from(record, offset)
    return {"kind": kind, **dict(zip(_FIELDS[kind], values, strict=True))}


def numbers_of(record: bytes | memoryview) -> int:
    """Return how many seqs a command takes: a list has one more, for its stop leg."""
    return 2 if record[:2] in _LISTS else 1


def split(records: bytes) -> list[bytes]:
    """Return the single records of a run of them."""
    found = []
    offset = 0
    while offset < len(records):
        (word,) = struct.unpack_from("<q", records, offset)
        length = word >> 32
        found.append(records[offset : offset + length])
        offset += length
    return found
