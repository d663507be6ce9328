"""The life of an order: check, hold, match, settle, rest; cancel and reduce.

Promises: after any command, what an account holds is exactly what its open orders may still need;
what a better price saves is free at once; every trade moves as much base and quote out of
accounts as into them, fees included. Events come in this order: the new order, then for each
match the trade, the maker's fill and the taker's, then its end if it expires; changed levels and
balances follow at the end of the command (exchange.py asks for them).
"""

import cython

if not cython.compiled:
    from fondaco.core.accounts import Accounts
    from fondaco.core.checks import Checks
    from fondaco.core.constants import (
        BUY,
        CANCEL_ALL,
        CANCEL_ORDER,
        CAUSE_ORDER,
        CAUSE_TRADE,
        EXECUTION_EXPIRED,
        EXECUTION_NEW,
        EXECUTION_REDUCED,
        EXECUTION_TRADE_PREVENTION,
        FEES,
        FOK,
        GTC,
        INVALID_QUANTITY,
        MARKET,
        NOT_REDUCED,
        ORDER_IN_LIST,
        REDUCE_ORDER,
        ROW_LEVEL,
        ROW_ORDER,
        STATUS_EXPIRED,
        STATUS_EXPIRED_IN_MATCH,
        STATUS_PARTIALLY_FILLED,
        STEP_DECREMENT,
        STEP_FILL,
        STOP_LOSS,
        STP_NONE,
        TOUCH_WORDS,
        UNKNOWN_ORDER,
    )
    from fondaco.core.events import Events
    from fondaco.core.instrument import Instrument
    from fondaco.core.layouts import CancelOrder, NewOrder, ReduceOrder
    from fondaco.core.ledger import Ledger
    from fondaco.core.lists import Lists
    from fondaco.core.order_index import OrderIndex
    from fondaco.core.retries import Retries
    from fondaco.core.robot_orders import RobotOrders
    from fondaco.core.rows import (
        Order,
        Step,
        fetch_level,
        fetch_order,
        fetch_rest,
        order_at,
        row_bytes,
        seat_at,
        step_at,
    )
    from fondaco.core.slab import Slab


class Orders:
    """All open orders, and the commands that change them."""

    def __init__(self, events: Events, ledger: Ledger, accounts: Accounts) -> None:
        """Make an empty house of orders."""
        self.events = events
        self.ledger = ledger
        self.accounts = accounts
        self.orders = Slab(ROW_ORDER, row_bytes(ROW_ORDER))
        self.levels = Slab(ROW_LEVEL, row_bytes(ROW_LEVEL))  # of all books
        self.index = OrderIndex()  # order_id -> slot of an open order
        self.lists = Lists(events, self.index)
        self.retries = Retries(self.index, self.lists.index)
        self.checks = Checks(events, ledger, accounts, self.retries)
        self.robots = RobotOrders(accounts, self.checks)
        self.taker_fee = 0  # of the fill that is being settled
        self.maker_fee = 0

    def reserve(self, orders: int) -> int:
        """Have memory at hand for this many orders a day, a quarter of them open at once."""
        self.retries.reserve(orders)
        self.orders.reserve(orders // 4)
        return self.index.reserve(2 * orders)  # other commands take numbers too

    # -- a look ahead, into the cache ----------------------------------------------------------

    def foresee(self, order_id: int) -> int:
        """Have fetched where an order's number will be found. Any number may be asked, here on."""
        return self.index.foresee(order_id)

    def foresee_client_id(self, command: NewOrder) -> int:
        """Have fetched where a new order's client order id would be found."""
        print_0 = self.retries.print_of(
            command.client_order_id_0,
            command.client_order_id_1,
            command.client_order_id_2,
            command.client_order_id_3,
        )
        return self.retries.prints.foresee(print_0)

    def foresee_row(self, order_id: int) -> int:
        """Have the row of an open order fetched."""
        slot = self.index.guess(order_id)
        fetch_order(self.orders, slot)
        fetch_rest(self.orders, slot)
        return 0

    def foresee_neighbours(self, order_id: int) -> int:
        """Have fetched what an open order changes when it leaves its queues."""
        order = order_at(self.orders, self.index.guess(order_id))
        fetch_order(self.orders, order.next)
        fetch_order(self.orders, order.previous)
        fetch_level(self.levels, order.level)
        fetch_rest(self.orders, order.seat_next)
        fetch_rest(self.orders, order.seat_previous)
        return 0

    # -- new -----------------------------------------------------------------------------------

    def new_order(self, instrument: Instrument, command: NewOrder) -> int:
        """NEW_ORDER."""
        reason = self.checks.check(instrument, command)
        if reason == 0 and self.checks.robot:
            reason = self.robots.admit(instrument, command)
        if reason:
            return self.events.refuse(command.word & 0xFFFF, reason)
        slot = self.accept(instrument, command)
        order = order_at(self.orders, slot)
        side = order.side
        limit = order.price_ticks
        if order.order_type >= STOP_LOSS:
            return self.arm(instrument, slot)
        if instrument.book.crosses(side, limit):
            if order.time_in_force == FOK and not self.fillable(instrument, order):
                return self.expire(instrument, slot, EXECUTION_EXPIRED, STATUS_EXPIRED)
            lots = order.open_lots
            self_trade = order.self_trade or STP_NONE
            instrument.book.match(side, limit, lots, order.member, self_trade)
            self.settle(instrument, slot)
            if instrument.triggers.armed:
                self.reach(instrument)
            if instrument.book.prevented:
                return self.expire(
                    instrument, slot, EXECUTION_TRADE_PREVENTION, STATUS_EXPIRED_IN_MATCH
                )
        if order_at(self.orders, slot).open_lots and self.may_rest(slot):
            return self.rest(instrument, slot)
        return self.finish(instrument, slot)

    def accept(self, instrument: Instrument, command: NewOrder) -> int:
        """Take a checked order in: its row, its client order id, its ORDER event."""
        account = command.account
        seat = self.checks.seat
        if seat == 0:
            seat = self.accounts.take_seat(
                account, instrument.number, instrument.base, instrument.quote
            )
        if self.checks.has_id:
            self.retries.add(
                account, command.seq, self.checks.digest, command.time_us, self.checks.entry
            )
        slot = self.orders.take_raw()
        order = order_at(self.orders, slot)
        order.order_id = command.seq
        order.next = 0
        order.previous = 0
        order.level = 0
        order.held = 0
        order.filled_quote = 0
        order.seat_next = 0
        order.seat_previous = 0
        order.price_ticks = command.price_ticks
        order.open_lots = self.checks.lots
        order.quantity_lots = self.checks.lots
        order.seat = seat
        order.member = self.checks.member
        order.side = command.side
        order.order_type = command.order_type
        order.time_in_force = command.time_in_force
        if order.time_in_force == 0 and order.price_ticks:
            order.time_in_force = GTC
        order.self_trade = command.self_trade or STP_NONE
        order.created_us = command.time_us
        order.stop_or_quote = command.quote_quantity | command.stop_price_ticks
        order.client_order_id_0 = command.client_order_id_0
        order.client_order_id_1 = command.client_order_id_1
        order.client_order_id_2 = command.client_order_id_2
        order.client_order_id_3 = command.client_order_id_3
        self.events.order(order, account, instrument.number, EXECUTION_NEW, 0)
        return slot

    def arm(self, instrument: Instrument, slot: int) -> int:
        """Hold what a stop may need and let it wait for its price."""
        order = order_at(self.orders, slot)
        seat = seat_at(self.accounts.seats, order.seat)
        order.held = instrument.owed(order)
        balance = seat.quote_balance if order.side == BUY else seat.base_balance
        self.ledger.hold(balance, order.held, CAUSE_ORDER)
        self.index.put(order.order_id, slot)
        self.accounts.enlist(self.orders, order.seat, slot)
        return instrument.triggers.add(slot)

    def reach(self, instrument: Instrument) -> int:
        """Let the stops wait for their turn that the last match has reached."""
        first = 0
        last = 0
        for place in range(1, instrument.book.steps.used):
            step = step_at(instrument.book.steps, place)
            if step.kind == STEP_FILL:
                last = step.price_ticks
                if first == 0:
                    first = last
        if last == 0:
            return 0
        return instrument.triggers.reach(min(first, last), max(first, last))

    def fillable(self, instrument: Instrument, order: Order) -> int:
        """Return 1 if the book would fill the order whole."""
        instrument.book.survey(
            order.side,
            order.price_ticks,
            order.open_lots,
            instrument.worth_max,
            order.member,
            order.self_trade,
        )
        if instrument.book.survey_prevented:
            return 0
        return instrument.book.survey_lots == order.open_lots

    def may_rest(self, slot: int) -> int:
        """Return 1 if what is left of an order stays in the book."""
        order = order_at(self.orders, slot)
        return order.order_type != MARKET and order.time_in_force == GTC

    def rest(self, instrument: Instrument, slot: int) -> int:
        """Hold what the order may need and put it into the book."""
        order = order_at(self.orders, slot)
        seat = seat_at(self.accounts.seats, order.seat)
        order.held = instrument.obligation(order.side, order.price_ticks, order.open_lots)
        balance = seat.quote_balance if order.side == BUY else seat.base_balance
        self.ledger.hold(balance, order.held, CAUSE_ORDER)
        self.index.put(order.order_id, slot)
        self.accounts.enlist(self.orders, order.seat, slot)
        return instrument.book.rest(slot, order.side)

    def finish(self, instrument: Instrument, slot: int) -> int:
        """End an order that doesn't rest: filled, or expired."""
        order = order_at(self.orders, slot)
        if order.open_lots or (order.order_type == MARKET and self.checks.ran_out):
            return self.expire(instrument, slot, EXECUTION_EXPIRED, STATUS_EXPIRED)
        return self.orders.give(slot)

    def expire(self, instrument: Instrument, slot: int, execution: int, status: int) -> int:
        """End an incoming order with lots unfilled."""
        order = order_at(self.orders, slot)
        account = seat_at(self.accounts.seats, order.seat).account
        self.events.order(order, account, instrument.number, execution, status)
        return self.orders.give(slot)

    # -- settling --------------------------------------------------------------------------------

    def settle(self, instrument: Instrument, taker_slot: int) -> int:
        """Settle the steps of a match, in their order."""
        for place in range(1, instrument.book.steps.used):
            step = step_at(instrument.book.steps, place)
            if step.kind == STEP_FILL:
                self.settle_fill(instrument, taker_slot, step)
            else:
                self.settle_prevented(instrument, taker_slot, step)
        return 0

    def settle_fill(self, instrument: Instrument, taker_slot: int, step: Step) -> int:
        """Settle one trade: postings, then TRADE and two FILLs."""
        maker = order_at(self.orders, step.maker)
        taker = order_at(self.orders, taker_slot)
        if maker.stop_or_quote:
            self.part(instrument, maker)
        lots = step.lots
        quote = step.price_ticks * instrument.quote_per_lot_tick * lots
        base = lots * instrument.base_per_lot
        taker.open_lots -= lots
        taker.filled_quote += quote
        maker.filled_quote += quote
        instrument.last_trade_id += 1
        instrument.last_price_ticks = step.price_ticks
        self.free_held(instrument, maker)
        self.move(instrument, taker, maker, base, quote)
        self.tell_trade(instrument, taker, maker, step, quote)
        if maker.open_lots == 0:
            self.close(step.maker)
        return 0

    def free_held(self, instrument: Instrument, order: Order) -> int:
        """Release what an open order no longer needs, after its open lots went down."""
        seat = seat_at(self.accounts.seats, order.seat)
        balance = seat.quote_balance if order.side == BUY else seat.base_balance
        held = instrument.obligation(order.side, order.price_ticks, order.open_lots)
        self.ledger.release(balance, order.held - held, CAUSE_ORDER)
        order.held = held
        return 0

    def move(
        self, instrument: Instrument, taker: Order, maker: Order, base: int, quote: int
    ) -> int:
        """Move base and quote between the two and the fees to the house."""
        taker_seat = seat_at(self.accounts.seats, taker.seat)
        maker_seat = seat_at(self.accounts.seats, maker.seat)
        taker_buys = 1 if taker.side == BUY else 0
        buyer = taker_seat if taker_buys else maker_seat
        seller = maker_seat if taker_buys else taker_seat
        buyer_ppm = instrument.taker_fee_ppm if taker_buys else instrument.maker_fee_ppm
        seller_ppm = instrument.maker_fee_ppm if taker_buys else instrument.taker_fee_ppm
        seller_fee = instrument.fee(quote, seller_ppm)
        buyer_fee = instrument.fee(quote if instrument.fee_in_quote else base, buyer_ppm)
        base_fee = 0 if instrument.fee_in_quote else buyer_fee
        quote_fee = seller_fee + (buyer_fee if instrument.fee_in_quote else 0)
        self.ledger.pay(seller.base_balance, base, CAUSE_TRADE)
        self.ledger.pay(buyer.quote_balance, quote + quote_fee - seller_fee, CAUSE_TRADE)
        self.ledger.receive(buyer.base_balance, base - base_fee, CAUSE_TRADE)
        self.ledger.receive(seller.quote_balance, quote - seller_fee, CAUSE_TRADE)
        if base_fee:
            fees = self.ledger.open(FEES, instrument.base)
            self.ledger.receive(fees, base_fee, CAUSE_TRADE)
        if quote_fee:
            fees = self.ledger.open(FEES, instrument.quote)
            self.ledger.receive(fees, quote_fee, CAUSE_TRADE)
        self.taker_fee = buyer_fee if taker_buys else seller_fee
        self.maker_fee = seller_fee if taker_buys else buyer_fee
        if buyer.robot | seller.robot:
            self.robots.tell(instrument, buyer, seller, base, quote, buyer_fee, seller_fee)
        return 0

    def tell_trade(
        self, instrument: Instrument, taker: Order, maker: Order, step: Step, quote: int
    ) -> int:
        """TRADE, the maker's FILL, the taker's FILL."""
        taker_account = seat_at(self.accounts.seats, taker.seat).account
        maker_account = seat_at(self.accounts.seats, maker.seat).account
        buyer_fee_asset = instrument.quote if instrument.fee_in_quote else instrument.base
        taker_buys = 1 if taker.side == BUY else 0
        trade = self.events.trade()
        trade.instrument = instrument.number
        trade.trade_id = instrument.last_trade_id
        trade.price_ticks = step.price_ticks
        trade.quantity_lots = step.lots
        trade.quote_amount = quote
        trade.taker_side = taker.side
        trade.buy_order_id = taker.order_id if taker_buys else maker.order_id
        trade.sell_order_id = maker.order_id if taker_buys else taker.order_id
        trade.buyer_account = taker_account if taker_buys else maker_account
        trade.seller_account = maker_account if taker_buys else taker_account
        trade.buyer_fee = self.taker_fee if taker_buys else self.maker_fee
        trade.seller_fee = self.maker_fee if taker_buys else self.taker_fee
        trade.buyer_fee_asset = buyer_fee_asset
        trade.seller_fee_asset = instrument.quote
        self.tell_fill(instrument, maker, maker_account, step, quote, 1, taker.order_id)
        return self.tell_fill(instrument, taker, taker_account, step, quote, 0, maker.order_id)

    def tell_fill(
        self,
        instrument: Instrument,
        order: Order,
        account: int,
        step: Step,
        quote: int,
        is_maker: int,
        other: int,
    ) -> int:
        """FILL of one order."""
        status = 0
        if not is_maker and order.order_type == MARKET and self.checks.ran_out:
            status = STATUS_PARTIALLY_FILLED  # what is left of its quote quantity will expire
        fill = self.events.fill(order, account, instrument.number, status)
        fill.last_price_ticks = step.price_ticks
        fill.last_lots = step.lots
        fill.last_quote = quote
        fill.fee = self.maker_fee if is_maker else self.taker_fee
        fill.fee_asset = instrument.quote
        if order.side == BUY and not instrument.fee_in_quote:
            fill.fee_asset = instrument.base
        fill.trade_id = instrument.last_trade_id
        fill.is_maker = is_maker
        fill.other_order_id = other
        return 0

    def settle_prevented(self, instrument: Instrument, taker_slot: int, step: Step) -> int:
        """Settle a meeting of two orders of one member: no trade; orders shrink or end."""
        maker = order_at(self.orders, step.maker)
        taker = order_at(self.orders, taker_slot)
        account = seat_at(self.accounts.seats, maker.seat).account
        number = instrument.number
        if maker.stop_or_quote:
            self.part(instrument, maker)
        if step.kind == STEP_DECREMENT:
            self.free_held(instrument, maker)
            self.events.order(maker, account, number, EXECUTION_TRADE_PREVENTION, 0)
            return 0
        self.events.order(
            maker, account, number, EXECUTION_TRADE_PREVENTION, STATUS_EXPIRED_IN_MATCH
        )
        self.release_all(maker)
        self.close(step.maker)
        if 0 < step.lots < taker.open_lots:
            taker.open_lots -= step.lots
            taker.quantity_lots -= step.lots
            account = seat_at(self.accounts.seats, taker.seat).account
            self.events.order(taker, account, number, EXECUTION_TRADE_PREVENTION, 0)
        return 0

    def release_all(self, order: Order) -> int:
        """Release all that an order holds."""
        seat = seat_at(self.accounts.seats, order.seat)
        balance = seat.quote_balance if order.side == BUY else seat.base_balance
        self.ledger.release(balance, order.held, CAUSE_ORDER)
        order.held = 0
        return 0

    def close(self, slot: int) -> int:
        """Forget an order that has left the book and holds nothing."""
        order = order_at(self.orders, slot)
        self.index.remove(order.order_id)
        if order.stop_or_quote:
            self.events.working.remove(order.order_id)
            self.lists.leave(order.order_id)
        self.accounts.delist(self.orders, slot)
        return self.orders.give(slot)

    def part(self, instrument: Instrument, order: Order) -> int:
        """Before a leg of a list acts: end the other leg, whose hold is this one's from now on."""
        slot = self.lists.sibling(order.order_id)
        if slot == 0:
            return 0
        other = order_at(self.orders, slot)
        order.held += other.held
        other.held = 0
        account = seat_at(self.accounts.seats, other.seat).account
        self.events.order(other, account, instrument.number, EXECUTION_EXPIRED, STATUS_EXPIRED)
        return self.take_out(instrument, slot)

    # -- cancel, reduce --------------------------------------------------------------------------

    def find_order(self, account: int, instrument: int, order_id: int) -> int:
        """Return the slot of an account's open order on an instrument, or 0."""
        slot = self.index.find(order_id) if order_id > 0 else 0
        if slot:
            seat = seat_at(self.accounts.seats, order_at(self.orders, slot).seat)
            if seat.account != account or seat.instrument != instrument:
                return 0
        return slot

    def find_client_order(
        self, account: int, word_0: int, word_1: int, word_2: int, word_3: int
    ) -> int:
        """Return the number of the last accepted order with this client order id, or 0."""
        if (word_0 | word_1 | word_2 | word_3) == 0:
            return 0
        entry = self.retries.find(account, word_0, word_1, word_2, word_3)
        return self.retries.seq(entry) if entry else 0

    def cancel_order(self, instrument: Instrument, command: CancelOrder) -> int:
        """CANCEL_ORDER, by order id or client order id; if both are given they must agree."""
        order_id = self.find_client_order(
            command.account,
            command.client_order_id_0,
            command.client_order_id_1,
            command.client_order_id_2,
            command.client_order_id_3,
        )
        has_words = (
            command.client_order_id_0
            | command.client_order_id_1
            | command.client_order_id_2
            | command.client_order_id_3
        )
        slot = 0
        if command.order_id == 0 or has_words == 0 or command.order_id == order_id:
            order_id = command.order_id or order_id
            slot = self.find_order(command.account, instrument.number, order_id)
        if slot == 0:
            self.events.detail(command.order_id, 0, 0)
            return self.events.refuse(CANCEL_ORDER, UNKNOWN_ORDER)
        if order_at(self.orders, slot).stop_or_quote:
            return self.cancel_leg(instrument, slot, command)
        return self.cancel_one(instrument, slot, command)

    def cancel_one(self, instrument: Instrument, slot: int, command: CancelOrder) -> int:
        """Cancel the order in this slot."""
        order = order_at(self.orders, slot)
        event = self.events.cancel(order, command.account, instrument.number)
        event.cancel_id_0 = command.cancel_id_0
        event.cancel_id_1 = command.cancel_id_1
        event.cancel_id_2 = command.cancel_id_2
        event.cancel_id_3 = command.cancel_id_3
        return self.take_out(instrument, slot)

    def cancel_leg(self, instrument: Instrument, slot: int, command: CancelOrder) -> int:
        """Cancel the order in this slot, and the other leg if it is one of a list."""
        other = self.lists.sibling(order_at(self.orders, slot).order_id)
        self.cancel_one(instrument, slot, command)
        return self.cancel_one(instrument, other, command) if other else 0

    def take_out(self, instrument: Instrument, slot: int) -> int:
        """Take an open order out of the book and free what it holds."""
        self.release_all(order_at(self.orders, slot))
        if order_at(self.orders, slot).level > 0:
            instrument.book.remove(slot)
        else:
            instrument.triggers.remove(slot)
        return self.close(slot)

    def cancel_all(self, instrument: Instrument, account: int) -> int:
        """Cancel all open orders of an account on an instrument, oldest first; return how many."""
        at = self.accounts.seat(account, instrument.number)
        if at == 0:
            return 0
        count = 0
        slot = seat_at(self.accounts.seats, at).first
        while slot:
            order = order_at(self.orders, slot)
            following = order.seat_next
            self.events.cancel(order, account, instrument.number)
            self.take_out(instrument, slot)
            slot = following
            count += 1
        return count

    def refuse_cancel_all(self) -> int:
        """There was nothing to cancel."""
        return self.events.refuse(CANCEL_ALL, UNKNOWN_ORDER)

    def reduce_order(self, instrument: Instrument, command: ReduceOrder) -> int:
        """REDUCE_ORDER: fewer lots at the same place in the queue."""
        slot = self.find_order(command.account, instrument.number, command.order_id)
        if slot == 0:
            self.events.detail(command.order_id, 0, 0)
            return self.events.refuse(REDUCE_ORDER, UNKNOWN_ORDER)
        if command.remaining_lots < 1:
            return self.events.refuse(REDUCE_ORDER, INVALID_QUANTITY)
        order = order_at(self.orders, slot)
        if order.stop_or_quote and self.lists.sibling(order.order_id):
            self.events.detail(self.lists.list_of(order.order_id), 0, 0)
            return self.events.refuse(REDUCE_ORDER, ORDER_IN_LIST)
        if command.remaining_lots >= order.open_lots:
            self.events.detail(order.open_lots, 0, 0)
            return self.events.refuse(REDUCE_ORDER, NOT_REDUCED)
        if order.level > 0:
            instrument.book.reduce(slot, order.open_lots - command.remaining_lots)
            self.free_held(instrument, order)
        else:
            self.reduce_armed(instrument, order, command.remaining_lots)
        return self.events.order(order, command.account, instrument.number, EXECUTION_REDUCED, 0)

    def reduce_armed(self, instrument: Instrument, order: Order, lots: int) -> int:
        """Leave so many lots of a stop that was not triggered."""
        order.quantity_lots = lots
        order.open_lots = lots
        held = instrument.owed(order)
        seat = seat_at(self.accounts.seats, order.seat)
        balance = seat.quote_balance if order.side == BUY else seat.base_balance
        self.ledger.release(balance, order.held - held, CAUSE_ORDER)
        order.held = held
        return 0

    # -- the end of a command --------------------------------------------------------------------

    @cython.overflowcheck(False)  # places in the list of changes, and a count
    def tell_levels(self, instrument: Instrument) -> int:
        """Write a LEVEL event for each level that this command changed."""
        place = 0
        while place < instrument.book.touches.used:
            items = instrument.book.touches.items
            instrument.book.book_seq += 1
            self.events.level(
                instrument.number,
                items[place],
                items[place + 1],
                items[place + 2],
                instrument.book.book_seq,
            )
            place += TOUCH_WORDS
        return instrument.book.settle_touches()
