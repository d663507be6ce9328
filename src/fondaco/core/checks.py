"""Whether an order may come in: every refusal of NEW_ORDER, decided before anything moves.

Promises: check() changes nothing that can be seen; it gives the first reason in the order that
docs/records.md states, and leaves its details with the events. What it worked out on the way
(lots, what must be free) stays in the fields below for the order that passes.
"""

import cython

if not cython.compiled:
    from fondaco.core.accounts import Accounts
    from fondaco.core.constants import (
        AMOUNT_MAX,
        BOOK_MARKET,
        BUY,
        CAPACITY,
        CLIENT_ORDER_ID_OPEN,
        DUPLICATE_ORDER,
        FIRST_MEMBER,
        FOK,
        FROZEN,
        GTC,
        INSUFFICIENT_BALANCE,
        INVALID_PRICE,
        INVALID_QUANTITY,
        INVALID_QUOTE_QUANTITY,
        INVALID_SELF_TRADE,
        INVALID_SIDE,
        INVALID_STOP_PRICE,
        INVALID_TIME_IN_FORCE,
        INVALID_TYPE,
        LIMIT,
        LIMIT_MAKER,
        MAINTENANCE,
        MARKET,
        MARKET_CLOSED,
        NO_LIQUIDITY,
        NOT_SUPPORTED,
        NOTIONAL_TOO_LARGE,
        NOTIONAL_TOO_SMALL,
        PRICE_OUT_OF_RANGE,
        QUANTITY_OUT_OF_RANGE,
        SELL,
        STOP_LOSS,
        STOP_LOSS_LIMIT,
        STP_DECREMENT,
        STP_NONE,
        TAKE_PROFIT_LIMIT,
        TOO_MANY_ORDERS,
        TRADING,
        UNKNOWN_ACCOUNT,
        WOULD_MATCH,
        WOULD_TRIGGER,
    )
    from fondaco.core.events import Events
    from fondaco.core.instrument import Instrument
    from fondaco.core.layouts import NewOrder
    from fondaco.core.ledger import Ledger
    from fondaco.core.retries import Retries
    from fondaco.core.rows import account_at, seat_at


class Checks:
    """The door of an order, and what it found out about the order at hand."""

    def __init__(
        self, events: Events, ledger: Ledger, accounts: Accounts, retries: Retries
    ) -> None:
        """Make a door over these tables, which it only reads."""
        self.events = events
        self.ledger = ledger
        self.accounts = accounts
        self.retries = retries
        self.maintenance = 0  # 1: no order may come in
        self.seat = 0  # of the account at the instrument; 0: it has none yet
        self.member = 0
        self.robot = 0  # 1: the account is a robot's, and has limits
        self.base_balance = 0
        self.quote_balance = 0
        self.has_id = 0  # 1: the order has a client order id
        self.entry = 0  # the newest entry of that id in the retries
        self.digest = 0
        self.lots = 0
        self.ran_out = 0  # a quote quantity that the book cannot take whole

    def check(self, instrument: Instrument, command: NewOrder) -> int:
        """Return 0 if the order may come in, or the reason; UNKNOWN_INSTRUMENT is the caller's."""
        reason = self.check_account(instrument.number, command.account)
        if reason == 0:
            reason = self.check_shape(command)
        if reason == 0:
            reason = self.check_client_id(command)
        if reason == 0 and instrument.market != BOOK_MARKET:
            reason = NOT_SUPPORTED
        if reason == 0 and instrument.status != TRADING:
            self.events.detail(instrument.status, 0, 0)
            reason = MARKET_CLOSED
        if reason:
            return reason
        if command.order_type == MARKET:
            self.find_balances(instrument, command.account)
            return self.check_market(instrument, command)
        if command.order_type >= STOP_LOSS:
            return self.check_stop(instrument, command)
        return self.check_limit(instrument, command)

    def check_account(self, instrument: int, number: int) -> int:
        """See that the account may trade; find its seat and member."""
        self.seat = self.accounts.seat(number, instrument)
        if self.seat:
            seat = seat_at(self.accounts.seats, self.seat)
            at = seat.account_row
            self.base_balance = seat.base_balance
            self.quote_balance = seat.quote_balance
        else:
            at = self.accounts.find(number)
            if at == 0:
                return UNKNOWN_ACCOUNT
        account = account_at(self.accounts.accounts, at)
        self.member = account.member
        self.robot = account.robot
        if account.frozen or number < FIRST_MEMBER:
            return FROZEN
        return MAINTENANCE if self.maintenance else 0

    def find_balances(self, instrument: Instrument, account: int) -> int:
        """Find the account's balances, if it has no seat to say them."""
        if self.seat == 0:
            self.base_balance = self.ledger.find(account, instrument.base)
            self.quote_balance = self.ledger.find(account, instrument.quote)
        return 0

    def check_shape(self, command: NewOrder) -> int:
        """See that the words make an order, whatever the instrument."""
        if command.side != BUY and command.side != SELL:
            return INVALID_SIDE
        kind = command.order_type
        if kind < LIMIT or kind > TAKE_PROFIT_LIMIT:
            return INVALID_TYPE
        if kind >= STOP_LOSS:
            return self.check_stop_shape(command)
        if kind == LIMIT:
            if command.time_in_force < GTC or command.time_in_force > FOK:
                return INVALID_TIME_IN_FORCE
        elif command.time_in_force and (kind == MARKET or command.time_in_force != GTC):
            return INVALID_TIME_IN_FORCE
        if command.self_trade < 0 or command.self_trade > STP_DECREMENT:
            return INVALID_SELF_TRADE
        if kind == MARKET:
            if command.price_ticks:
                return INVALID_PRICE
            if command.quote_quantity < 0 or (command.quote_quantity and command.quantity_lots):
                return INVALID_QUOTE_QUANTITY
            if command.quantity_lots < 0 or command.quantity_lots | command.quote_quantity == 0:
                return INVALID_QUANTITY
        else:
            if command.price_ticks < 1:
                return INVALID_PRICE
            if command.quantity_lots < 1:
                return INVALID_QUANTITY
            if command.quote_quantity:
                return INVALID_QUOTE_QUANTITY
        if command.stop_price_ticks:
            return INVALID_STOP_PRICE
        return 0

    def check_stop_shape(self, command: NewOrder) -> int:
        """See that the words make a stop: with a price it will be a LIMIT order, else a MARKET."""
        kind = command.order_type
        limited = 1 if kind == STOP_LOSS_LIMIT or kind == TAKE_PROFIT_LIMIT else 0
        if limited and (command.time_in_force < GTC or command.time_in_force > FOK):
            return INVALID_TIME_IN_FORCE
        if not limited and command.time_in_force:
            return INVALID_TIME_IN_FORCE
        if command.self_trade < 0 or command.self_trade > STP_DECREMENT:
            return INVALID_SELF_TRADE
        if (limited and command.price_ticks < 1) or (not limited and command.price_ticks):
            return INVALID_PRICE
        if command.quantity_lots < 1:
            return INVALID_QUANTITY
        if command.quote_quantity:
            return INVALID_QUOTE_QUANTITY
        return INVALID_STOP_PRICE if command.stop_price_ticks < 1 else 0

    def check_client_id(self, command: NewOrder) -> int:
        """See that the client order id is not in use: open, or of an equal order of today."""
        self.entry = 0
        self.has_id = 0
        if (
            command.client_order_id_0
            | command.client_order_id_1
            | command.client_order_id_2
            | command.client_order_id_3
        ) == 0:
            return 0
        self.has_id = 1
        self.digest = self.digest_of(command)
        self.entry = self.retries.find(
            command.account,
            command.client_order_id_0,
            command.client_order_id_1,
            command.client_order_id_2,
            command.client_order_id_3,
        )
        if self.entry:
            seq = self.retries.seq(self.entry)
            if self.retries.open_orders.find(seq):
                self.events.detail(seq, 0, 0)
                if self.retries.digest(self.entry) == self.digest:
                    return DUPLICATE_ORDER
                return CLIENT_ORDER_ID_OPEN
            equal = self.retries.find_equal(self.entry, self.digest, command.time_us)
            if equal:
                self.events.detail(self.retries.seq(equal), 0, 0)
                return DUPLICATE_ORDER
        if not self.retries.room(command.time_us):
            return CAPACITY
        return 0

    @cython.overflowcheck(False)  # places of bits: check_shape() has bounded the words
    def digest_of(self, command: NewOrder) -> int:
        """Return a digest of the parameters of an order."""
        kinds = (
            command.instrument
            | command.side << 32
            | command.order_type << 40
            | command.time_in_force << 48
            | command.self_trade << 56
        )
        return self.retries.digest_order(
            kinds,
            command.price_ticks,
            command.quantity_lots,
            command.quote_quantity | command.stop_price_ticks,  # no order has both
        )

    def check_limit(self, instrument: Instrument, command: NewOrder) -> int:
        """See a LIMIT or LIMIT_MAKER through the filters, the book and the balance."""
        price = command.price_ticks
        lots = command.quantity_lots
        if price < instrument.price_min or price > instrument.price_max:
            self.events.detail(instrument.price_min, instrument.price_max, 0)
            return PRICE_OUT_OF_RANGE
        reason = self.check_quantity(instrument, lots)
        if reason:
            return reason
        if not instrument.fits(price, lots):
            self.events.detail(AMOUNT_MAX, instrument.max_notional, 0)
            return NOTIONAL_TOO_LARGE
        reason = self.check_notional(instrument, price * instrument.quote_per_lot_tick * lots)
        if reason:
            return reason
        if command.time_in_force <= GTC and self.seat and instrument.max_open_orders:
            if seat_at(self.accounts.seats, self.seat).open_orders >= instrument.max_open_orders:
                self.events.detail(instrument.max_open_orders, 0, 0)
                return TOO_MANY_ORDERS
        if command.order_type == LIMIT_MAKER and instrument.book.crosses(command.side, price):
            return WOULD_MATCH
        self.find_balances(instrument, command.account)
        self.lots = lots
        self.ran_out = 0
        return self.check_funds(
            instrument, command.side, instrument.obligation(command.side, price, lots)
        )

    def check_stop(self, instrument: Instrument, command: NewOrder) -> int:
        """See a stop through the filters, the last price and the balance."""
        stop = command.stop_price_ticks
        price = command.price_ticks or stop
        lots = command.quantity_lots
        low = min(price, stop)
        if low < instrument.price_min or max(price, stop) > instrument.price_max:
            self.events.detail(instrument.price_min, instrument.price_max, 0)
            return PRICE_OUT_OF_RANGE
        reason = self.check_quantity(instrument, lots)
        if reason:
            return reason
        if not instrument.fits(price, lots):
            self.events.detail(AMOUNT_MAX, instrument.max_notional, 0)
            return NOTIONAL_TOO_LARGE
        reason = self.check_notional(instrument, price * instrument.quote_per_lot_tick * lots)
        if reason:
            return reason
        reason = self.check_places(instrument)
        if reason:
            return reason
        last = instrument.last_price_ticks
        if last and instrument.triggers.is_reached(command.side, command.order_type, stop, last):
            self.events.detail(last, 0, 0)
            return WOULD_TRIGGER
        self.find_balances(instrument, command.account)
        self.lots = lots
        self.ran_out = 0
        needed = instrument.stop_obligation(command.side, command.price_ticks, stop, lots)
        return self.check_funds(instrument, command.side, needed)

    def check_places(self, instrument: Instrument) -> int:
        """See that the account may have one more open order on the instrument."""
        if self.seat and instrument.max_open_orders:
            if seat_at(self.accounts.seats, self.seat).open_orders >= instrument.max_open_orders:
                self.events.detail(instrument.max_open_orders, 0, 0)
                return TOO_MANY_ORDERS
        return 0

    def check_quantity(self, instrument: Instrument, lots: int) -> int:
        """See lots through the quantity filter."""
        if lots < instrument.quantity_min or lots > instrument.quantity_max:
            self.events.detail(instrument.quantity_min, instrument.quantity_max, 0)
            return QUANTITY_OUT_OF_RANGE
        return 0

    def check_notional(self, instrument: Instrument, notional: int) -> int:
        """See a notional through its filter."""
        if notional < instrument.min_notional:
            self.events.detail(notional, instrument.min_notional, 0)
            return NOTIONAL_TOO_SMALL
        if notional > instrument.max_notional:
            self.events.detail(notional, instrument.max_notional, 0)
            return NOTIONAL_TOO_LARGE
        return 0

    def check_funds(self, instrument: Instrument, side: int, needed: int) -> int:
        """See that the account has free what the order needs, of the asset that its side gives."""
        slot = self.quote_balance if side == BUY else self.base_balance
        free = self.ledger.free(slot)
        if free < needed:
            asset = instrument.quote if side == BUY else instrument.base
            self.events.detail(asset, needed, free)
            return INSUFFICIENT_BALANCE
        return 0

    def check_market(self, instrument: Instrument, command: NewOrder) -> int:
        """See a MARKET order through: price it by walking the book, then as check_limit()."""
        best = instrument.book.best_against(command.side)
        if best == 0:
            return NO_LIQUIDITY
        unit = best * instrument.quote_per_lot_tick
        if command.quote_quantity:
            return self.check_quote(instrument, command, unit)
        lots = command.quantity_lots
        reason = self.check_quantity(instrument, lots)
        if reason:
            return reason
        if lots > AMOUNT_MAX // unit:
            self.events.detail(AMOUNT_MAX, instrument.max_notional, 0)
            return NOTIONAL_TOO_LARGE
        reason = self.check_notional(instrument, unit * lots)
        if reason:
            return reason
        self.lots = lots
        self.ran_out = 0
        if command.side == SELL:
            return self.check_funds(instrument, SELL, lots * instrument.base_per_lot)
        self.walk(instrument, command, lots, instrument.worth_max)
        if instrument.book.survey_limited:
            self.events.detail(instrument.quote, AMOUNT_MAX, self.ledger.free(self.quote_balance))
            return INSUFFICIENT_BALANCE
        return self.check_walked(instrument)

    def check_quote(self, instrument: Instrument, command: NewOrder, unit: int) -> int:
        """See a MARKET order by quote quantity through; unit is the cost of a lot at the best."""
        amount = command.quote_quantity
        if amount > AMOUNT_MAX:
            self.events.detail(amount, instrument.max_notional, 0)
            return NOTIONAL_TOO_LARGE
        reason = self.check_notional(instrument, amount)
        if reason:
            return reason
        if amount < unit:
            self.events.detail(amount, unit, 0)
            return NOTIONAL_TOO_SMALL
        self.walk(
            instrument, command, instrument.quantity_max, amount // instrument.quote_per_lot_tick
        )
        self.lots = instrument.book.survey_lots
        price = instrument.book.survey_price
        if instrument.book.survey_limited:
            if self.lots == 0:
                self.events.detail(amount, price * instrument.quote_per_lot_tick, 0)
                return NOTIONAL_TOO_SMALL
            self.ran_out = 0
        else:
            self.ran_out = 1 if price == 0 or instrument.book.survey_left >= price else 0
        if self.lots == 0:  # self-trade prevention stops it at once: it will expire unfilled
            self.lots = amount // unit
        reason = self.check_quantity(instrument, self.lots)
        if reason:
            return reason
        if command.side == SELL:
            return self.check_funds(instrument, SELL, self.lots * instrument.base_per_lot)
        return self.check_walked(instrument)

    def walk(self, instrument: Instrument, command: NewOrder, lots: int, worth: int) -> int:
        """Walk the book for a MARKET order."""
        return instrument.book.survey(
            command.side, 0, lots, worth, self.member, command.self_trade or STP_NONE
        )

    def check_walked(self, instrument: Instrument) -> int:
        """See that the account can pay for the fills that the walk found."""
        cost = instrument.book.survey_worth * instrument.quote_per_lot_tick
        return self.check_funds(instrument, BUY, cost + instrument.fee(cost, instrument.hold_ppm))
