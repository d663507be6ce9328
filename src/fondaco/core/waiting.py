"""What orders of the dealer and of the agency market share: the door, the hold, the fill, the end.

Promises: such an order stands in no book; it has its number, client order id, seat and hold like
any other. It keeps the fee rate at which it came in, so that what it holds is always enough; after
each fill it holds exactly what is still open at its own price, and the surplus is free. When and
at which price it fills, dealer.py and agency.py decide, in plain Python, by the verbs here.
"""

import cython

if not cython.compiled:
    from fondaco.core.buffer import Words
    from fondaco.core.constants import (
        AMOUNT_MAX,
        BUY,
        CAUSE_ORDER,
        CAUSE_TRADE,
        EXECUTION_EXPIRED,
        FEES,
        GTC,
        INVALID_PRICE,
        INVALID_QUANTITY,
        INVALID_QUOTE_QUANTITY,
        INVALID_SELF_TRADE,
        INVALID_SIDE,
        INVALID_STOP_PRICE,
        INVALID_TIME_IN_FORCE,
        INVALID_TYPE,
        LIMIT,
        MARKET_CLOSED,
        NOT_ROBOT_MARKET,
        NOT_SUPPORTED,
        NOTIONAL_TOO_LARGE,
        POOLED,
        PRICE_OUT_OF_RANGE,
        SELL,
        STATUS_EXPIRED,
        STP_NONE,
        TOO_MANY_ORDERS,
        TRADING,
    )
    from fondaco.core.instrument import Instrument
    from fondaco.core.layouts import NewOrder, new_order_at
    from fondaco.core.open_orders import ORDER_WORDS, OpenOrders
    from fondaco.core.rows import Order, order_at, seat_at

FEE_IN_QUOTE = 1 << 30  # in the fee terms of an order, above its rate in ppm


class Waiting:
    """Orders that wait for an outside price or an outside exchange."""

    def __init__(self, open_orders: OpenOrders) -> None:
        """Share the tables of all orders."""
        self.open_orders = open_orders
        self.orders = self.open_orders.orders
        self.events = self.orders.events
        self.ledger = self.orders.ledger
        self.accounts = self.orders.accounts
        self.checks = self.orders.checks
        self.command = Words()  # the NEW_ORDER that check() was asked about
        self.fee_terms = 0  # rate in ppm, and FEE_IN_QUOTE

    # -- the door --------------------------------------------------------------------------------

    def check(self, instrument: Instrument, record: bytes, order_type: int) -> int:
        """Return 0 if a NEW_ORDER may come in as far as prices don't matter, or the reason."""
        self.command.from_bytes(record)
        command = new_order_at(self.command.items, 0)
        reason = self.checks.check_account(instrument.number, command.account)
        if reason == 0 and self.checks.robot:
            reason = NOT_ROBOT_MARKET
        if reason == 0:
            reason = self.check_shape(command, order_type)
        if reason == 0:
            reason = self.checks.check_client_id(command)
        if reason == 0 and instrument.status != TRADING:
            self.events.detail(instrument.status, 0, 0)
            reason = MARKET_CLOSED
        return reason

    def check_shape(self, command: NewOrder, order_type: int) -> int:
        """See that the words make an order of this type."""
        if command.side != BUY and command.side != SELL:
            return INVALID_SIDE
        if command.order_type < LIMIT or command.order_type > POOLED:
            return INVALID_TYPE
        if command.order_type != order_type:
            return NOT_SUPPORTED
        if command.time_in_force != 0 and command.time_in_force != GTC:
            return INVALID_TIME_IN_FORCE
        if command.self_trade != 0 and command.self_trade != STP_NONE:
            return INVALID_SELF_TRADE
        if order_type == POOLED:
            if command.price_ticks:
                return INVALID_PRICE
            if command.stop_price_ticks:
                return INVALID_STOP_PRICE
        else:
            if command.price_ticks < 1:
                return INVALID_PRICE
            if command.stop_price_ticks < 0 or command.stop_price_ticks > command.price_ticks:
                return INVALID_STOP_PRICE
        if command.quantity_lots < 1:
            return INVALID_QUANTITY
        return INVALID_QUOTE_QUANTITY if command.quote_quantity else 0

    def check_terms(self, instrument: Instrument, price: int, worth_price: int) -> int:
        """See that order through filters and balance: it holds at `price`, is worth the other."""
        command = new_order_at(self.command.items, 0)
        lots = command.quantity_lots
        if price < instrument.price_min or price > instrument.price_max:
            self.events.detail(instrument.price_min, instrument.price_max, 0)
            return PRICE_OUT_OF_RANGE
        reason = self.checks.check_quantity(instrument, lots)
        if reason:
            return reason
        if not instrument.fits(price, lots) or not instrument.fits(worth_price, lots):
            self.events.detail(AMOUNT_MAX, instrument.max_notional, 0)
            return NOTIONAL_TOO_LARGE
        worth = worth_price * instrument.quote_per_lot_tick * lots
        reason = self.checks.check_notional(instrument, worth)
        if reason:
            return reason
        if self.checks.seat and instrument.max_open_orders:
            seat = seat_at(self.accounts.seats, self.checks.seat)
            if seat.open_orders >= instrument.max_open_orders:
                self.events.detail(instrument.max_open_orders, 0, 0)
                return TOO_MANY_ORDERS
        self.checks.find_balances(instrument, command.account)
        self.checks.lots = lots
        self.checks.ran_out = 0
        self.fee_terms = instrument.taker_fee_ppm
        if instrument.fee_in_quote:
            self.fee_terms |= FEE_IN_QUOTE
        owed = self.owed(instrument, command.side, price, lots, self.fee_terms)
        return self.checks.check_funds(instrument, command.side, owed)

    def owed(self, instrument: Instrument, side: int, price: int, lots: int, fee_terms: int) -> int:
        """Return what an order with so many lots open must hold, at its own price and rate."""
        if side != BUY:
            return lots * instrument.base_per_lot
        notional = price * instrument.quote_per_lot_tick * lots
        if fee_terms >= FEE_IN_QUOTE:
            return notional + instrument.fee(notional, fee_terms - FEE_IN_QUOTE)
        return notional

    def take_in(self, instrument: Instrument, price: int) -> int:
        """Take in the order that was checked, and hold for it; return its slot."""
        command = new_order_at(self.command.items, 0)
        command.price_ticks = price
        slot = self.orders.accept(instrument, command)
        order = order_at(self.orders.orders, slot)
        order.level = self.fee_terms
        order.held = self.owed(instrument, order.side, price, order.open_lots, self.fee_terms)
        seat = seat_at(self.accounts.seats, order.seat)
        balance = seat.quote_balance if order.side == BUY else seat.base_balance
        self.ledger.hold(balance, order.held, CAUSE_ORDER)
        self.orders.index.put(order.order_id, slot)
        self.accounts.enlist(self.orders.orders, order.seat, slot)
        return slot

    # -- fills and ends --------------------------------------------------------------------------

    def fill(
        self, instrument: Instrument, slot: int, price: int, lots: int, quote: int, other: int
    ) -> int:
        """Trade lots of an order for a quote amount with an account of the house."""
        order = order_at(self.orders.orders, slot)
        order.open_lots -= lots
        order.filled_quote += quote
        instrument.last_trade_id += 1
        instrument.last_price_ticks = price
        held = self.owed(instrument, order.side, order.price_ticks, order.open_lots, order.level)
        seat = seat_at(self.accounts.seats, order.seat)
        balance = seat.quote_balance if order.side == BUY else seat.base_balance
        self.ledger.release(balance, order.held - held, CAUSE_ORDER)
        order.held = held
        fee = self.move(instrument, order, lots * instrument.base_per_lot, quote, other)
        self.tell_trade(instrument, order, price, lots, quote, fee, other)
        if order.open_lots == 0:
            self.orders.close(slot)
        return 0

    def move(self, instrument: Instrument, order: Order, base: int, quote: int, other: int) -> int:
        """Move base and quote between an order's account and the other; return the fee."""
        seat = seat_at(self.accounts.seats, order.seat)
        other_base = self.ledger.open(other, instrument.base)
        other_quote = self.ledger.open(other, instrument.quote)
        in_quote = 1 if order.side == SELL or order.level >= FEE_IN_QUOTE else 0
        ppm = order.level & (FEE_IN_QUOTE - 1)
        fee = instrument.fee(quote if in_quote else base, ppm)
        if order.side == BUY:
            quote_fee = fee if in_quote else 0
            base_fee = 0 if in_quote else fee
            self.ledger.pay(other_base, base, CAUSE_TRADE)
            self.ledger.pay(seat.quote_balance, quote + quote_fee, CAUSE_TRADE)
            self.ledger.receive(seat.base_balance, base - base_fee, CAUSE_TRADE)
            self.ledger.receive(other_quote, quote, CAUSE_TRADE)
        else:
            self.ledger.pay(seat.base_balance, base, CAUSE_TRADE)
            self.ledger.pay(other_quote, quote, CAUSE_TRADE)
            self.ledger.receive(other_base, base, CAUSE_TRADE)
            self.ledger.receive(seat.quote_balance, quote - fee, CAUSE_TRADE)
        if fee:
            asset = instrument.quote if in_quote else instrument.base
            self.ledger.receive(self.ledger.open(FEES, asset), fee, CAUSE_TRADE)
        return fee

    def tell_trade(
        self,
        instrument: Instrument,
        order: Order,
        price: int,
        lots: int,
        quote: int,
        fee: int,
        other: int,
    ) -> int:
        """TRADE and FILL: the order is the taker; the house's side has no order."""
        account = seat_at(self.accounts.seats, order.seat).account
        buys = 1 if order.side == BUY else 0
        fee_asset = instrument.quote
        if buys and order.level < FEE_IN_QUOTE:
            fee_asset = instrument.base
        trade = self.events.trade()
        trade.instrument = instrument.number
        trade.trade_id = instrument.last_trade_id
        trade.price_ticks = price
        trade.quantity_lots = lots
        trade.quote_amount = quote
        trade.taker_side = order.side
        trade.buy_order_id = order.order_id if buys else 0
        trade.sell_order_id = 0 if buys else order.order_id
        trade.buyer_account = account if buys else other
        trade.seller_account = other if buys else account
        trade.buyer_fee = fee if buys else 0
        trade.seller_fee = 0 if buys else fee
        trade.buyer_fee_asset = fee_asset
        trade.seller_fee_asset = instrument.quote
        fill = self.events.fill(order, account, instrument.number, 0)
        fill.last_price_ticks = price
        fill.last_lots = lots
        fill.last_quote = quote
        fill.fee = fee
        fill.fee_asset = fee_asset
        fill.trade_id = instrument.last_trade_id
        fill.is_maker = 0
        fill.other_order_id = 0
        return 0

    def expire(self, instrument: Instrument, slot: int) -> int:
        """End an order with lots unfilled; what it holds is free again."""
        order = order_at(self.orders.orders, slot)
        account = seat_at(self.accounts.seats, order.seat).account
        self.events.order(order, account, instrument.number, EXECUTION_EXPIRED, STATUS_EXPIRED)
        self.orders.release_all(order)
        return self.orders.close(slot)

    def cancel(self, instrument: Instrument, slot: int, ids: list[int]) -> int:
        """Cancel an order; `ids` are the four words of the cancel's own client id."""
        order = order_at(self.orders.orders, slot)
        account = seat_at(self.accounts.seats, order.seat).account
        event = self.events.cancel(order, account, instrument.number)
        event.cancel_id_0 = ids[0]
        event.cancel_id_1 = ids[1]
        event.cancel_id_2 = ids[2]
        event.cancel_id_3 = ids[3]
        self.orders.release_all(order)
        return self.orders.close(slot)

    # -- questions -------------------------------------------------------------------------------

    def terms(self, slot: int) -> list[int]:
        """Return number, account, side, price, lower bound, open lots and creation time."""
        order = order_at(self.orders.orders, slot)
        return [
            order.order_id,
            seat_at(self.accounts.seats, order.seat).account,
            order.side,
            order.price_ticks,
            order.stop_or_quote,
            order.open_lots,
            order.created_us,
        ]

    def open_lots(self, slot: int) -> int:
        """Return the lots still open of an order."""
        return order_at(self.orders.orders, slot).open_lots

    def slots_of(self, account: int, instrument: int) -> list[int]:
        """Return the slots of an account's open orders on an instrument, oldest first."""
        at = self.accounts.seat(account, instrument)
        slot = seat_at(self.accounts.seats, at).first if at else 0
        found = []
        while slot:
            found.append(slot)
            slot = order_at(self.orders.orders, slot).seat_next
        return found

    # -- dump ------------------------------------------------------------------------------------

    def dump(self, words: Words, slot: int) -> int:
        """Write one order."""
        self.open_orders.dump_order(words, slot)
        return words.add(order_at(self.orders.orders, slot).level)

    def load(self, words: Words, at: int, instrument: Instrument) -> int:
        """Read one order, into no book; orders must come in the order of their numbers."""
        slot = self.open_orders.read_order(words, at, instrument)
        order = order_at(self.orders.orders, slot)
        order.level = words.items[at + ORDER_WORDS]
        self.accounts.enlist(self.orders.orders, order.seat, slot)
        return slot

    def dump_words(self) -> int:
        """Return how many words dump() writes of an order."""
        return ORDER_WORDS + 1
