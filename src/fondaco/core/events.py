"""Events: facts written as records into one growing buffer.

Promises: every event has the head of the command that is being carried out; an event about an
account other than the asking one carries key 0. Writes records only: decides nothing.
"""

import cython

if not cython.compiled:
    from fondaco.core.buffer import Words
    from fondaco.core.constants import (
        BALANCE_HEAD,
        BYTES_SHIFT,
        CANCEL_HEAD,
        EXECUTION_CANCELED,
        EXECUTION_TRADE,
        FILL_HEAD,
        LEVEL_HEAD,
        LIMIT_MAKER,
        MARKET,
        ORDER_HEAD,
        POSTING_HEAD,
        REFUSED_HEAD,
        STATUS_CANCELED,
        STATUS_FILLED,
        STATUS_NEW,
        STATUS_PARTIALLY_FILLED,
        STOP_LOSS,
        TAKE_PROFIT_LIMIT,
        TRADE_HEAD,
    )
    from fondaco.core.index import Index
    from fondaco.core.layouts import (
        CancelEvent,
        FillEvent,
        OrderEvent,
        TradeEvent,
        balance_event_at,
        cancel_event_at,
        fill_event_at,
        level_event_at,
        order_event_at,
        posting_event_at,
        refused_event_at,
        trade_event_at,
    )
    from fondaco.core.rows import Order


class Events:
    """The buffer, and the command that its next events belong to."""

    def __init__(self) -> None:
        """Make an empty buffer."""
        self.words = Words()
        self.working = Index()  # number of a triggered stop -> since when it works, in us
        self.listed = Index()  # number of an open leg of a list -> number of the list
        self.seq = 0
        self.time_us = 0
        self.account = 0
        self.key = 0
        self.detail_0 = 0  # of the refusal that a check is about to give
        self.detail_1 = 0
        self.detail_2 = 0

    @cython.overflowcheck(False)  # places in the buffer
    def begin(self, word: int, account: int) -> int:
        """Begin an event: reserve its words, write its head, return its place."""
        at = self.words.extend(word >> BYTES_SHIFT)
        items = self.words.items
        items[at] = word
        items[at + 1] = self.seq
        items[at + 2] = self.time_us
        items[at + 3] = account
        items[at + 4] = self.key if account == self.account else 0
        return at

    def refuse(self, command: int, reason: int) -> int:
        """REFUSED, with the details that the check left; return the reason."""
        at = self.begin(REFUSED_HEAD, self.account)
        event = refused_event_at(self.words.items, at)
        event.command = command
        event.reason = reason
        event.detail_0 = self.detail_0
        event.detail_1 = self.detail_1
        event.detail_2 = self.detail_2
        self.detail_0 = 0
        self.detail_1 = 0
        self.detail_2 = 0
        return reason

    def detail(self, detail_0: int, detail_1: int, detail_2: int) -> int:
        """Leave the details of a refusal."""
        self.detail_0 = detail_0
        self.detail_1 = detail_1
        self.detail_2 = detail_2
        return 0

    def state(
        self, event: OrderEvent, order: Order, instrument: int, execution: int, status: int
    ) -> int:
        """Write the public state of an order into an event; status 0: by what is filled."""
        filled = order.quantity_lots - order.open_lots
        if status == 0:
            status = STATUS_NEW
            if filled:
                status = STATUS_FILLED if order.open_lots == 0 else STATUS_PARTIALLY_FILLED
        event.instrument = instrument
        event.order_id = order.order_id
        event.execution = execution
        event.status = status
        event.side = order.side
        event.order_type = order.order_type
        event.time_in_force = order.time_in_force
        event.self_trade = order.self_trade
        event.price_ticks = order.price_ticks
        event.stop_price_ticks = 0
        event.quote_quantity = 0
        event.working_us = order.created_us
        event.list_id = 0
        if order.stop_or_quote:
            self.stop_state(event, order)
        event.quantity_lots = order.quantity_lots
        event.filled_lots = filled
        event.filled_quote = order.filled_quote
        event.created_us = order.created_us
        event.client_order_id_0 = order.client_order_id_0
        event.client_order_id_1 = order.client_order_id_1
        event.client_order_id_2 = order.client_order_id_2
        event.client_order_id_3 = order.client_order_id_3
        return 0

    def stop_state(self, event: OrderEvent, order: Order) -> int:
        """Write what only a stop, a leg, a bounded order or a MARKET by quote quantity has."""
        if order.order_type == MARKET:
            event.quote_quantity = order.stop_or_quote
            return 0
        if order.order_type == LIMIT_MAKER:
            event.list_id = order.stop_or_quote
            return 0
        event.stop_price_ticks = order.stop_or_quote
        if order.order_type >= STOP_LOSS and order.order_type <= TAKE_PROFIT_LIMIT:
            event.working_us = self.working.find(order.order_id)
            event.list_id = self.listed.find(order.order_id)
        return 0

    def order(
        self, order: Order, account: int, instrument: int, execution: int, status: int
    ) -> int:
        """ORDER."""
        at = self.begin(ORDER_HEAD, account)
        event = order_event_at(self.words.items, at)
        return self.state(event, order, instrument, execution, status)

    def cancel(self, order: Order, account: int, instrument: int) -> CancelEvent:
        """CANCEL; the caller adds the cancel's own client id."""
        at = self.begin(CANCEL_HEAD, account)
        event = order_event_at(self.words.items, at)
        self.state(event, order, instrument, EXECUTION_CANCELED, STATUS_CANCELED)
        cancel = cancel_event_at(self.words.items, at)
        cancel.cancel_id_0 = 0
        cancel.cancel_id_1 = 0
        cancel.cancel_id_2 = 0
        cancel.cancel_id_3 = 0
        return cancel

    def fill(self, order: Order, account: int, instrument: int, status: int) -> FillEvent:
        """FILL; the caller adds what was traded."""
        at = self.begin(FILL_HEAD, account)
        event = order_event_at(self.words.items, at)
        self.state(event, order, instrument, EXECUTION_TRADE, status)
        return fill_event_at(self.words.items, at)

    def trade(self) -> TradeEvent:
        """TRADE; the caller fills it in."""
        at = self.begin(TRADE_HEAD, 0)
        return trade_event_at(self.words.items, at)

    def level(self, instrument: int, side: int, price: int, lots: int, book_seq: int) -> int:
        """LEVEL."""
        at = self.begin(LEVEL_HEAD, 0)
        event = level_event_at(self.words.items, at)
        event.instrument = instrument
        event.side = side
        event.price_ticks = price
        event.quantity_lots = lots
        event.book_seq = book_seq
        return 0

    def balance(
        self, account: int, asset: int, free: int, held: int, change: int, cause: int
    ) -> int:
        """BALANCE."""
        at = self.begin(BALANCE_HEAD, account)
        event = balance_event_at(self.words.items, at)
        event.asset = asset
        event.free = free
        event.held = held
        event.change = change
        event.cause = cause
        return 0

    def posting(
        self, debit: int, credit: int, asset: int, amount: int, cause: int, entry: int
    ) -> int:
        """POSTING: the amount left one account and entered the other."""
        at = self.begin(POSTING_HEAD, self.account)
        event = posting_event_at(self.words.items, at)
        event.debit_account = debit
        event.credit_account = credit
        event.asset = asset
        event.amount = amount
        event.cause = cause
        event.entry = entry
        return 0

    def put(self, word: int, account: int, values: list[int]) -> None:
        """Any event of fixed layout, from Python; for cold ones."""
        at = self.begin(word, account)
        for place, value in enumerate(values):
            self.words.items[at + 5 + place] = value

    def put_record(self, record: bytes) -> None:
        """A whole record made elsewhere; for cold ones."""
        fresh = Words()
        fresh.from_bytes(record)
        at = self.words.extend(fresh.used)
        for place in range(fresh.used):
            self.words.items[at + place] = fresh.items[place]
