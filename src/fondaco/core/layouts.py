"""The layouts of records.py as overlays: named fields laid over a run of words.

Promises: `new_order_at(words, at)` and the like give a view whose fields read and write the words
in place. In the compiled core a view is a C struct pointer (the `.pxd` beside this file) and costs
nothing; here it is a small object, made from the same table of names. Not for other rooms: they
use records.unpack().
"""

from __future__ import annotations

from typing import ClassVar

from fondaco.core.records import LAYOUTS, Command, Event

HEAD = ("word", "seq", "time_us", "account", "key")


class View:
    """Words seen through the names of a layout."""

    __slots__ = ("_at", "_words")
    FIELDS: ClassVar[dict[str, int]] = {}
    _words: list[int]
    _at: int

    def __init_subclass__(cls, kind: int) -> None:
        """Number the fields of the layout of this kind."""
        cls.FIELDS = {name: place for place, name in enumerate((*HEAD, *LAYOUTS[kind]))}

    def __init__(self, words: list[int], at: int) -> None:
        """Lay the view over `words` from `at` on."""
        object.__setattr__(self, "_words", words)
        object.__setattr__(self, "_at", at)

    def __getattr__(self, name: str) -> int:
        """Return the word of this name."""
        return self._words[self._at + self.FIELDS[name]]

    def __setattr__(self, name: str, value: int) -> None:
        """Write the word of this name."""
        self._words[self._at + self.FIELDS[name]] = value


class NewOrder(View, kind=Command.NEW_ORDER):
    """Command.NEW_ORDER."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int
    side: int
    order_type: int
    time_in_force: int
    self_trade: int
    price_ticks: int
    quantity_lots: int
    quote_quantity: int
    stop_price_ticks: int
    client_order_id_0: int
    client_order_id_1: int
    client_order_id_2: int
    client_order_id_3: int


class RobotOrder(View, kind=Command.ROBOT_ORDER):
    """Command.ROBOT_ORDER."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int
    side: int
    order_type: int
    time_in_force: int
    self_trade: int
    price_ticks: int
    quantity_lots: int
    quote_quantity: int
    stop_price_ticks: int
    client_order_id_0: int
    client_order_id_1: int
    client_order_id_2: int
    client_order_id_3: int
    fence: int
    flags: int


class NewList(View, kind=Command.NEW_LIST):
    """Command.NEW_LIST."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int
    side: int
    self_trade: int
    quantity_lots: int
    stop_type: int
    stop_time_in_force: int
    stop_price_ticks: int
    stop_trigger_ticks: int
    stop_client_id_0: int
    stop_client_id_1: int
    stop_client_id_2: int
    stop_client_id_3: int
    profit_type: int
    profit_time_in_force: int
    profit_price_ticks: int
    profit_trigger_ticks: int
    profit_client_id_0: int
    profit_client_id_1: int
    profit_client_id_2: int
    profit_client_id_3: int
    list_client_id_0: int
    list_client_id_1: int
    list_client_id_2: int
    list_client_id_3: int


class RobotList(View, kind=Command.ROBOT_LIST):
    """Command.ROBOT_LIST."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int
    side: int
    self_trade: int
    quantity_lots: int
    stop_type: int
    stop_time_in_force: int
    stop_price_ticks: int
    stop_trigger_ticks: int
    stop_client_id_0: int
    stop_client_id_1: int
    stop_client_id_2: int
    stop_client_id_3: int
    profit_type: int
    profit_time_in_force: int
    profit_price_ticks: int
    profit_trigger_ticks: int
    profit_client_id_0: int
    profit_client_id_1: int
    profit_client_id_2: int
    profit_client_id_3: int
    list_client_id_0: int
    list_client_id_1: int
    list_client_id_2: int
    list_client_id_3: int
    fence: int
    flags: int


class CancelOrder(View, kind=Command.CANCEL_ORDER):
    """Command.CANCEL_ORDER."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int
    order_id: int
    client_order_id_0: int
    client_order_id_1: int
    client_order_id_2: int
    client_order_id_3: int
    cancel_id_0: int
    cancel_id_1: int
    cancel_id_2: int
    cancel_id_3: int


class ReduceOrder(View, kind=Command.REDUCE_ORDER):
    """Command.REDUCE_ORDER."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int
    order_id: int
    remaining_lots: int


class CancelAll(View, kind=Command.CANCEL_ALL):
    """Command.CANCEL_ALL."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int


class OrderEvent(View, kind=Event.ORDER):
    """Event.ORDER."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int
    order_id: int
    execution: int
    status: int
    side: int
    order_type: int
    time_in_force: int
    self_trade: int
    price_ticks: int
    stop_price_ticks: int
    quantity_lots: int
    filled_lots: int
    filled_quote: int
    quote_quantity: int
    created_us: int
    client_order_id_0: int
    client_order_id_1: int
    client_order_id_2: int
    client_order_id_3: int
    working_us: int
    list_id: int


class FillEvent(View, kind=Event.FILL):
    """Event.FILL."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int
    order_id: int
    execution: int
    status: int
    side: int
    order_type: int
    time_in_force: int
    self_trade: int
    price_ticks: int
    stop_price_ticks: int
    quantity_lots: int
    filled_lots: int
    filled_quote: int
    quote_quantity: int
    created_us: int
    client_order_id_0: int
    client_order_id_1: int
    client_order_id_2: int
    client_order_id_3: int
    working_us: int
    list_id: int
    last_price_ticks: int
    last_lots: int
    last_quote: int
    fee: int
    fee_asset: int
    trade_id: int
    is_maker: int
    other_order_id: int


class CancelEvent(View, kind=Event.CANCEL):
    """Event.CANCEL."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int
    order_id: int
    execution: int
    status: int
    side: int
    order_type: int
    time_in_force: int
    self_trade: int
    price_ticks: int
    stop_price_ticks: int
    quantity_lots: int
    filled_lots: int
    filled_quote: int
    quote_quantity: int
    created_us: int
    client_order_id_0: int
    client_order_id_1: int
    client_order_id_2: int
    client_order_id_3: int
    working_us: int
    list_id: int
    cancel_id_0: int
    cancel_id_1: int
    cancel_id_2: int
    cancel_id_3: int


class TradeEvent(View, kind=Event.TRADE):
    """Event.TRADE."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int
    trade_id: int
    price_ticks: int
    quantity_lots: int
    quote_amount: int
    taker_side: int
    buy_order_id: int
    sell_order_id: int
    buyer_account: int
    seller_account: int
    buyer_fee: int
    seller_fee: int
    buyer_fee_asset: int
    seller_fee_asset: int


class LevelEvent(View, kind=Event.LEVEL):
    """Event.LEVEL."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int
    side: int
    price_ticks: int
    quantity_lots: int
    book_seq: int


class BalanceEvent(View, kind=Event.BALANCE):
    """Event.BALANCE."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    asset: int
    free: int
    held: int
    change: int
    cause: int


class PostingEvent(View, kind=Event.POSTING):
    """Event.POSTING."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    debit_account: int
    credit_account: int
    asset: int
    amount: int
    cause: int
    entry: int


class ListEvent(View, kind=Event.LIST):
    """Event.LIST."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    instrument: int
    list_id: int
    status: int
    stop_order_id: int
    profit_order_id: int
    created_us: int
    list_client_id_0: int
    list_client_id_1: int
    list_client_id_2: int
    list_client_id_3: int
    stop_client_id_0: int
    stop_client_id_1: int
    stop_client_id_2: int
    stop_client_id_3: int
    profit_client_id_0: int
    profit_client_id_1: int
    profit_client_id_2: int
    profit_client_id_3: int


class RefusedEvent(View, kind=Event.REFUSED):
    """Event.REFUSED."""

    __slots__ = ()
    word: int
    seq: int
    time_us: int
    account: int
    key: int
    command: int
    reason: int
    detail_0: int
    detail_1: int
    detail_2: int


def new_order_at(words: list[int], at: int) -> NewOrder:
    """Return the NewOrder at `at`."""
    return NewOrder(words, at)


def robot_order_at(words: list[int], at: int) -> RobotOrder:
    """Return the RobotOrder at `at`."""
    return RobotOrder(words, at)


def new_list_at(words: list[int], at: int) -> NewList:
    """Return the NewList at `at`."""
    return NewList(words, at)


def robot_list_at(words: list[int], at: int) -> RobotList:
    """Return the RobotList at `at`."""
    return RobotList(words, at)


def cancel_order_at(words: list[int], at: int) -> CancelOrder:
    """Return the CancelOrder at `at`."""
    return CancelOrder(words, at)


def reduce_order_at(words: list[int], at: int) -> ReduceOrder:
    """Return the ReduceOrder at `at`."""
    return ReduceOrder(words, at)


def cancel_all_at(words: list[int], at: int) -> CancelAll:
    """Return the CancelAll at `at`."""
    return CancelAll(words, at)


def order_event_at(words: list[int], at: int) -> OrderEvent:
    """Return the OrderEvent at `at`."""
    return OrderEvent(words, at)


def fill_event_at(words: list[int], at: int) -> FillEvent:
    """Return the FillEvent at `at`."""
    return FillEvent(words, at)


def cancel_event_at(words: list[int], at: int) -> CancelEvent:
    """Return the CancelEvent at `at`."""
    return CancelEvent(words, at)


def trade_event_at(words: list[int], at: int) -> TradeEvent:
    """Return the TradeEvent at `at`."""
    return TradeEvent(words, at)


def level_event_at(words: list[int], at: int) -> LevelEvent:
    """Return the LevelEvent at `at`."""
    return LevelEvent(words, at)


def balance_event_at(words: list[int], at: int) -> BalanceEvent:
    """Return the BalanceEvent at `at`."""
    return BalanceEvent(words, at)


def posting_event_at(words: list[int], at: int) -> PostingEvent:
    """Return the PostingEvent at `at`."""
    return PostingEvent(words, at)


def list_event_at(words: list[int], at: int) -> ListEvent:
    """Return the ListEvent at `at`."""
    return ListEvent(words, at)


def refused_event_at(words: list[int], at: int) -> RefusedEvent:
    """Return the RefusedEvent at `at`."""
    return RefusedEvent(words, at)
