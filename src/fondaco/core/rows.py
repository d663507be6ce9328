"""The rows of the core's tables: what an order, a level, a balance is made of.

Promises: `order_at(slab, slot)` gives the row itself, never a copy: a reference here, a pointer in
the compiled core (the `.pxd` beside this file, whose structs have the same fields). Slot 0 is no
row. A row taken from a slab is all zeros. Not for other rooms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fondaco.core import constants

if TYPE_CHECKING:
    from fondaco.core.slab import Slab


class Order:
    """An order: first what matching touches, then the rest."""

    __slots__ = (
        "client_order_id_0",
        "client_order_id_1",
        "client_order_id_2",
        "client_order_id_3",
        "created_us",
        "filled_quote",
        "held",
        "level",
        "member",
        "next",
        "open_lots",
        "order_id",
        "order_type",
        "previous",
        "price_ticks",
        "quantity_lots",
        "seat",
        "seat_next",
        "seat_previous",
        "self_trade",
        "side",
        "stop_or_quote",
        "time_in_force",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.order_id = 0
        self.price_ticks = 0
        self.open_lots = 0
        self.next = 0
        self.previous = 0
        self.level = 0
        self.seat = 0
        self.held = 0
        self.quantity_lots = 0
        self.filled_quote = 0
        self.side = 0
        self.order_type = 0
        self.time_in_force = 0
        self.self_trade = 0
        self.member = 0
        self.seat_next = 0
        self.seat_previous = 0
        self.created_us = 0
        self.stop_or_quote = 0
        self.client_order_id_0 = 0
        self.client_order_id_1 = 0
        self.client_order_id_2 = 0
        self.client_order_id_3 = 0


class Level:
    """A price level: its open lots and its orders, first to last."""

    __slots__ = (
        "first",
        "last",
        "open_lots",
        "price_ticks",
        "side",
        "touch",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.price_ticks = 0
        self.open_lots = 0
        self.first = 0
        self.last = 0
        self.touch = 0
        self.side = 0


class Block:
    """Up to 64 levels of a ladder, sorted by key."""

    __slots__ = (
        "count",
        "keys",
        "levels",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.keys = [0] * 64
        self.levels = [0] * 64
        self.count = 0


class Seat:
    """An account at an instrument: its open orders and its two balances."""

    __slots__ = (
        "account",
        "account_row",
        "base_balance",
        "first",
        "instrument",
        "last",
        "member",
        "open_orders",
        "quote_balance",
        "robot",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.account = 0
        self.member = 0
        self.instrument = 0
        self.account_row = 0
        self.base_balance = 0
        self.quote_balance = 0
        self.open_orders = 0
        self.first = 0
        self.last = 0
        self.robot = 0


class Balance:
    """What an account has of an asset, in units."""

    __slots__ = (
        "account",
        "asset",
        "before",
        "cause",
        "free",
        "held",
        "touch",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.account = 0
        self.asset = 0
        self.touch = 0
        self.free = 0
        self.held = 0
        self.before = 0
        self.cause = 0


class Account:
    """An account."""

    __slots__ = (
        "frozen",
        "kind",
        "member",
        "number",
        "robot",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.number = 0
        self.member = 0
        self.kind = 0
        self.frozen = 0
        self.robot = 0


class Grant:
    """An API key, granted."""

    __slots__ = (
        "account",
        "number",
        "scopes",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.number = 0
        self.account = 0
        self.scopes = 0


class Retry:
    """An accepted client order id."""

    __slots__ = (
        "accepted_us",
        "account",
        "chain",
        "digest",
        "print_0",
        "print_1",
        "seq",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.account = 0
        self.print_0 = 0
        self.print_1 = 0
        self.seq = 0
        self.digest = 0
        self.accepted_us = 0
        self.chain = 0


class Step:
    """What became of one resting order that an incoming one met."""

    __slots__ = (
        "kind",
        "lots",
        "maker",
        "price_ticks",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.price_ticks = 0
        self.lots = 0
        self.maker = 0
        self.kind = 0


class Cell:
    """A key and its value in an index; key 0 is empty."""

    __slots__ = (
        "key",
        "value",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.key = 0
        self.value = 0


class Group:
    """Neighbouring numbers in an order index: their page, and how many it has; name 0 is none."""

    __slots__ = (
        "count",
        "name",
        "page",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.name = 0
        self.page = 0
        self.count = 0


class Page:
    """The slots of the neighbouring numbers of a group; slot 0 is none."""

    __slots__ = ("slots",)

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.slots = [0] * (constants.PAGE_MASK + 1)


class Print:
    """A part of a fingerprint and of its newest position in the ring of retries; tag 0 is empty."""

    __slots__ = (
        "position",
        "tag",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.tag = 0
        self.position = 0


class ListRow:
    """A list of two orders of which a leg is open: what it is called, and who may ask."""

    __slots__ = (
        "account",
        "created_us",
        "instrument",
        "list_client_id_0",
        "list_client_id_1",
        "list_client_id_2",
        "list_client_id_3",
        "list_id",
        "profit_client_id_0",
        "profit_client_id_1",
        "profit_client_id_2",
        "profit_client_id_3",
        "stop_client_id_0",
        "stop_client_id_1",
        "stop_client_id_2",
        "stop_client_id_3",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.list_id = 0
        self.account = 0
        self.instrument = 0
        self.created_us = 0
        self.list_client_id_0 = 0
        self.list_client_id_1 = 0
        self.list_client_id_2 = 0
        self.list_client_id_3 = 0
        self.stop_client_id_0 = 0
        self.stop_client_id_1 = 0
        self.stop_client_id_2 = 0
        self.stop_client_id_3 = 0
        self.profit_client_id_0 = 0
        self.profit_client_id_1 = 0
        self.profit_client_id_2 = 0
        self.profit_client_id_3 = 0


class Entry:
    """The id of a money command that was carried out."""

    __slots__ = (
        "digest",
        "entry",
        "seq",
    )

    def __init__(self) -> None:
        """Make a row of zeros."""
        self.entry = 0
        self.seq = 0
        self.digest = 0


ROW_CLASSES: Final[dict[int, type[Any]]] = {
    constants.ROW_ORDER: Order,
    constants.ROW_LEVEL: Level,
    constants.ROW_BLOCK: Block,
    constants.ROW_SEAT: Seat,
    constants.ROW_BALANCE: Balance,
    constants.ROW_ACCOUNT: Account,
    constants.ROW_GRANT: Grant,
    constants.ROW_RETRY: Retry,
    constants.ROW_STEP: Step,
    constants.ROW_CELL: Cell,
    constants.ROW_ENTRY: Entry,
    constants.ROW_GROUP: Group,
    constants.ROW_PAGE: Page,
    constants.ROW_PRINT: Print,
    constants.ROW_LIST: ListRow,
}


def order_at(slab: Slab, slot: int) -> Order:
    """Return the row in this slot."""
    row: Order = slab.rows[slot]
    return row


def level_at(slab: Slab, slot: int) -> Level:
    """Return the row in this slot."""
    row: Level = slab.rows[slot]
    return row


def block_at(slab: Slab, slot: int) -> Block:
    """Return the row in this slot."""
    row: Block = slab.rows[slot]
    return row


def seat_at(slab: Slab, slot: int) -> Seat:
    """Return the row in this slot."""
    row: Seat = slab.rows[slot]
    return row


def balance_at(slab: Slab, slot: int) -> Balance:
    """Return the row in this slot."""
    row: Balance = slab.rows[slot]
    return row


def account_at(slab: Slab, slot: int) -> Account:
    """Return the row in this slot."""
    row: Account = slab.rows[slot]
    return row


def grant_at(slab: Slab, slot: int) -> Grant:
    """Return the row in this slot."""
    row: Grant = slab.rows[slot]
    return row


def retry_at(slab: Slab, slot: int) -> Retry:
    """Return the row in this slot."""
    row: Retry = slab.rows[slot]
    return row


def step_at(slab: Slab, slot: int) -> Step:
    """Return the row in this slot."""
    row: Step = slab.rows[slot]
    return row


def cell_at(slab: Slab, slot: int) -> Cell:
    """Return the row in this slot."""
    row: Cell = slab.rows[slot]
    return row


def entry_at(slab: Slab, slot: int) -> Entry:
    """Return the row in this slot."""
    row: Entry = slab.rows[slot]
    return row


def list_at(slab: Slab, slot: int) -> ListRow:
    """Return the row in this slot."""
    row: ListRow = slab.rows[slot]
    return row


def group_at(slab: Slab, slot: int) -> Group:
    """Return the row in this slot."""
    row: Group = slab.rows[slot]
    return row


def print_at(slab: Slab, slot: int) -> Print:
    """Return the row in this slot."""
    row: Print = slab.rows[slot]
    return row


def page_at(slab: Slab, slot: int) -> Page:
    """Return the row in this slot."""
    row: Page = slab.rows[slot]
    return row


def row_bytes(_kind: int) -> int:
    """Return the bytes of a row; only the compiled core has an answer."""
    return 0


def fetch_print(_slab: Slab, _slot: int) -> None:
    """Fetch a row into the cache, in the compiled core."""


def fetch_page(_slab: Slab, _slot: int, _place: int) -> None:
    """Fetch the line of a place of a row into the cache, in the compiled core."""


def fetch_level(_slab: Slab, _slot: int) -> None:
    """Fetch a row into the cache, in the compiled core."""


def fetch_order(_slab: Slab, _slot: int) -> None:
    """Fetch a row into the cache, in the compiled core."""


def fetch_rest(_slab: Slab, _slot: int) -> None:
    """Fetch a row's second line into the cache, in the compiled core."""
