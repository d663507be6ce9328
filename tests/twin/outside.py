"""The dealer and the agency market, slowly: every question answered by going through all orders.

Written from the design and the records alone. Which orders wait, in which pool they are and what
a pool is worth is worked out anew whenever it matters; nothing is kept that can be counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from fondaco.core.records import (
    ACCOUNT_FEES,
    ACCOUNT_INVENTORY,
    ACCOUNT_ROUNDING,
    ACCOUNT_WORLD,
    ASSET_TOTAL_MAX,
    Cause,
    Event,
    Execution,
    InstrumentBody,
    InstrumentStatus,
    OrderStatus,
    OrderType,
    Reason,
    Side,
    TimeInForce,
    VenueStatus,
    Verdict,
    Wait,
)
from tests.twin import doors
from tests.twin.market import TRADES_KEPT, Order, Refusal, fee

if TYPE_CHECKING:
    from tests.twin.exchange import Twin

__all__ = ["Outside"]

PPM: Final = 1_000_000
DAY_US: Final = 86_400_000_000
DEALER: Final = 2
AGENCY: Final = 3
TYPES: Final = {DEALER: OrderType.BOUNDED, AGENCY: OrderType.POOLED}
Words = dict[str, int]


@dataclass
class Quote:
    """The newest message of a stock."""

    words: Words
    seq: int
    same_time: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class VenueOrder:
    """One outside order and the numbers of its orders."""

    words: Words
    members: list[int]
    shared_base: int = 0
    shared_quote: int = 0


class Outside:
    """Both markets."""

    def __init__(self, twin: Twin) -> None:
        """Share the twin's market and ledger."""
        self.twin = twin
        self.market = twin.market
        self.ledger = twin.ledger
        self.quotes: dict[int, Quote] = {}
        self.positions: dict[int, int] = {}
        self.references: dict[int, int] = {}
        self.venue_orders: dict[int, VenueOrder] = {}
        self.last_venue_order = 0
        self.rates: dict[int, tuple[int, bool]] = {}  # order -> fee rate, in quote

    def __getstate__(self) -> dict[str, object]:
        """Leave the twin out of a dump: whoever loads it has one."""
        return {name: value for name, value in vars(self).items() if name != "twin"}

    # ---- small questions

    def of(self, number: int, market: int) -> InstrumentBody:
        """Return an instrument of this market, or refuse."""
        body = self.market.instruments.get(number)
        if body is None or body.market != market:
            raise Refusal(Reason.UNKNOWN_INSTRUMENT)
        return body

    def orders(self, number: int, side: int) -> list[Order]:
        """Return the open orders of one side, oldest first."""
        found = [o for o in self.market.orders.values() if (o.instrument, o.side) == (number, side)]
        return sorted(found, key=lambda order: order.order_id)

    def pool(self, number: int, side: int) -> list[Order]:
        """Return the orders that are part of no venue order."""
        sent = {member for venue in self.venue_orders.values() for member in venue.members}
        return [order for order in self.orders(number, side) if order.order_id not in sent]

    def owed(self, order: Order, lots: int) -> tuple[int, int]:
        """Return the asset and the amount that so many open lots hold."""
        body = self.market.instruments[order.instrument]
        if order.side == Side.SELL:
            return body.base, lots * body.base_per_lot
        notional = lots * order.price * body.quote_per_lot_tick
        rate, in_quote = self.rates[order.order_id]
        return body.quote, notional + (fee(notional, rate) if in_quote else 0)

    def hold(self, order: Order, lots: int) -> None:
        """Hold exactly what so many open lots owe."""
        asset, owed = self.owed(order, lots)
        more = owed - order.held
        self.ledger.move(order.account, asset, free=-more, held=more, cause=Cause.ORDER)
        order.held = owed

    # ---- orders

    def new_order(self, words: Words) -> None:
        """Take in an order that waits for the outside."""
        body = self.market.instruments[words["instrument"]]
        order = self.twin.order_of(words)
        doors.check_outside_shape(order, words, TYPES[body.market])
        self.twin.check_retry(order)
        if body.status != InstrumentStatus.TRADING:
            raise Refusal(Reason.MARKET_CLOSED, body.status)
        worth_price = order.price
        if body.market == AGENCY:
            worth_price = self.references.get(body.number, 0)
            if worth_price == 0:
                raise Refusal(Reason.NO_REFERENCE)
            order.price = limit(worth_price, order.side, body.slippage_ppm)
        self.rates[order.order_id] = (body.taker_fee_ppm, body.fee_in_quote)
        doors.check_outside_terms(self.market, order, worth_price, self.owed(order, order.quantity))
        if body.market == AGENCY:
            self.check_pool(body, order, max(worth_price, order.price))
        self.accept(order)
        if body.market == AGENCY:
            self.look_at(body, order.side)

    def check_pool(self, body: InstrumentBody, order: Order, price: int) -> None:
        """Refuse what would make a venue order too large to count."""
        lots = sum(each.remaining for each in self.pool(body.number, order.side)) + order.quantity
        worth = lots * price * body.quote_per_lot_tick
        if max(worth, lots * body.base_per_lot) > ASSET_TOTAL_MAX:
            raise Refusal(Reason.NOTIONAL_TOO_LARGE)

    def accept(self, order: Order) -> None:
        """Let an order that nothing stands against wait."""
        order.time_in_force = TimeInForce.GTC
        self.twin.remember(order)
        self.market.report(order, Execution.NEW)
        self.hold(order, order.quantity)
        self.market.orders[order.order_id] = order

    def cancel(self, order: Order, ids: list[int]) -> None:
        """Cancel an order, unless it is part of a venue order."""
        for number, venue in self.venue_orders.items():
            if order.order_id in venue.members:
                raise Refusal(Reason.ORDER_SENT, number)
        order.status = OrderStatus.CANCELED
        words = {f"cancel_id_{place}": word for place, word in enumerate(ids)}
        self.market.report(order, Execution.CANCELED, **words)
        self.end(order)
        if self.market.instruments[order.instrument].market == AGENCY:
            self.tell_pool(order.instrument, order.side)

    def may_cancel(self, order: Order) -> bool:
        """Whether an order is part of no venue order."""
        return all(order.order_id not in venue.members for venue in self.venue_orders.values())

    def end(self, order: Order) -> None:
        """Forget an order and free what it holds."""
        self.hold(order, 0)
        del self.market.orders[order.order_id]

    def fill(self, order: Order, lots: int, *, price: int, quote: int, other: int) -> None:
        """Trade with an account of the house."""
        body = self.market.instruments[order.instrument]
        rate, in_quote = self.rates[order.order_id]
        base = lots * body.base_per_lot
        order.filled += lots
        order.filled_quote += quote
        filled = order.remaining == 0
        order.status = OrderStatus.FILLED if filled else OrderStatus.PARTIALLY_FILLED
        self.hold(order, order.remaining)
        buys = order.side == Side.BUY
        fee_asset = body.base if buys and not in_quote else body.quote
        taken = fee(base if fee_asset == body.base else quote, rate)
        fees = {body.base: 0, body.quote: 0} | {fee_asset: taken}
        moves = [(other, body.base, -base), (order.account, body.quote, -quote - fees[body.quote])]
        moves += [(order.account, body.base, base - fees[body.base]), (other, body.quote, quote)]
        if not buys:
            moves = [(order.account, body.base, -base), (other, body.quote, -quote)]
            moves += [(other, body.base, base), (order.account, body.quote, quote - taken)]
        if taken:
            moves.append((ACCOUNT_FEES, fee_asset, taken))
        for account, asset, amount in moves:
            self.ledger.move(account, asset, free=amount, cause=Cause.TRADE)
        trade_id = self.market.trade_id[body.number] = (
            self.market.trade_id.get(body.number, TRADES_KEPT) + 1
        )
        self.market.last_price[body.number] = price
        self.tell_fill(order, body, trade_id, (price, lots, quote), (fee_asset, taken), other)
        if filled:
            del self.market.orders[order.order_id]

    def tell_fill(
        self,
        order: Order,
        body: InstrumentBody,
        trade_id: int,
        traded: tuple[int, int, int],
        fees: tuple[int, int],
        other: int,
    ) -> None:
        """Say the trade and the order's part in it."""
        price, lots, quote = traded
        buys = order.side == Side.BUY
        self.market.emit(
            Event.TRADE,
            account=0,
            instrument=body.number,
            trade_id=trade_id,
            price_ticks=price,
            quantity_lots=lots,
            quote_amount=quote,
            taker_side=order.side,
            buy_order_id=order.order_id if buys else 0,
            sell_order_id=0 if buys else order.order_id,
            buyer_account=order.account if buys else other,
            seller_account=other if buys else order.account,
            buyer_fee=fees[1] if buys else 0,
            seller_fee=0 if buys else fees[1],
            buyer_fee_asset=fees[0],
            seller_fee_asset=body.quote,
        )
        self.market.report(
            order,
            Execution.TRADE,
            last_price_ticks=price,
            last_lots=lots,
            last_quote=quote,
            fee=fees[1],
            fee_asset=fees[0],
            trade_id=trade_id,
            is_maker=0,
            other_order_id=0,
        )

    # ---- the dealer

    def quote(self, words: Words) -> None:
        """Take a message: refuse it, tell it as older, or let orders meet it."""
        body = self.of(words["instrument"], DEALER)
        number = body.number
        price, lots = words["price_ticks"], words["availability_lots"]
        if not 1 <= price <= ASSET_TOTAL_MAX // body.quote_per_lot_tick:
            raise Refusal(Reason.INVALID_PRICE)
        if not 1 <= lots <= ASSET_TOTAL_MAX // body.base_per_lot:
            raise Refusal(Reason.INVALID_QUANTITY)
        if words["message_us"] < 0 or words["message_us"] - self.twin.time_us > DAY_US:
            raise Refusal(Reason.INVALID_TIME)
        newest = self.quotes.get(number)
        before = [] if newest is None else newest.same_time
        if newest is not None and words["message_us"] < newest.words["message_us"]:
            self.tell_quote(words, Verdict.OLDER, {})
            return
        if newest is None or words["message_us"] > newest.words["message_us"]:
            before = []
        if (price, lots) in before:
            raise Refusal(Reason.DUPLICATE_QUOTE)
        fresh = Quote(dict(words), self.twin.seq, [*before, (price, lots)])
        self.quotes[number] = fresh
        told = {"bought_lots": 0, "sold_lots": 0, "buys_wait": 0, "sells_wait": 0}
        if body.status == InstrumentStatus.TRADING and not self.twin.maintenance:
            told["bought_lots"], told["buys_wait"] = self.meet(body, words, Side.BUY)
            told["sold_lots"], told["sells_wait"] = self.meet(body, words, Side.SELL)
        fresh.words |= told
        self.tell_quote(words, Verdict.CURRENT, told)

    def meet(self, body: InstrumentBody, words: Words, side: Side) -> tuple[int, int]:
        """Fill what the price meets, oldest first; return the lots, and why others wait."""
        price, left = words["price_ticks"], words["availability_lots"]
        wanted = [
            order
            for order in self.orders(body.number, side)
            if order.stop_price <= price <= order.price
        ]
        filled = 0
        for order in wanted:
            room = self.room(body, side, price)
            lots = min(order.remaining, left - filled, room)
            if lots:
                quote = lots * price * body.quote_per_lot_tick
                self.fill(order, lots, price=price, quote=quote, other=ACCOUNT_INVENTORY)
                change = lots if side == Side.SELL else -lots
                self.positions[body.number] = self.positions.get(body.number, 0) + change
                filled += lots
        if any(order.remaining for order in wanted):
            return filled, Wait.AVAILABILITY if filled == left else Wait.INVENTORY_LIMIT
        return filled, 0

    def room(self, body: InstrumentBody, side: Side, price: int) -> int:
        """Return the lots that the inventory may still trade."""
        position = self.positions.get(body.number, 0)
        asset, unit = body.base, body.base_per_lot
        if side == Side.SELL:
            asset, unit, position = body.quote, price * body.quote_per_lot_tick, -position
        has = self.ledger.of(ACCOUNT_INVENTORY, asset).free
        room = (max(has, 0) + ASSET_TOTAL_MAX - self.ledger.owed(asset)) // unit
        if body.inventory_lots_max:
            room = min(room, max(body.inventory_lots_max + position, 0))
        return room

    def tell_quote(self, words: Words, verdict: Verdict, told: Words) -> None:
        """Say a message."""
        number = words["instrument"]
        names = ("instrument", "price_ticks", "availability_lots", "message_us")
        position = self.positions.get(number, 0)
        self.market.emit(
            Event.QUOTE,
            account=0,
            **{name: words[name] for name in names},
            verdict=verdict,
            position_lots=position,
            **told,
        )

    def wait_of(self, order: Order) -> tuple[int, int]:
        """Return why an order waits, and its venue order."""
        body = self.market.instruments[order.instrument]
        if body.market == AGENCY:
            for number, venue in self.venue_orders.items():
                if order.order_id in venue.members:
                    return Wait.VENUE, number
            return Wait.POOL, 0
        quote = self.quotes.get(order.instrument)
        if body.status != InstrumentStatus.TRADING or self.twin.maintenance:
            return Wait.CLOSED, 0
        if quote is None or quote.seq < order.order_id:
            return Wait.NO_QUOTE, 0
        if not order.stop_price <= quote.words["price_ticks"] <= order.price:
            return Wait.OUT_OF_BOUNDS, 0
        side = "buys_wait" if order.side == Side.BUY else "sells_wait"
        return quote.words[side] or Wait.CLOSED, 0

    # ---- the agency

    def set_reference(self, words: Words) -> None:
        """Set the reference price."""
        body = self.of(words["instrument"], AGENCY)
        if not 1 <= words["price_ticks"] <= ASSET_TOTAL_MAX // body.quote_per_lot_tick:
            raise Refusal(Reason.INVALID_PRICE)
        self.refer(body, words["price_ticks"])

    def define(self, body: InstrumentBody, before: InstrumentBody | None) -> None:
        """Follow a definition."""
        if body.market != AGENCY:
            return
        known = 0 if before is None else before.reference_ticks
        if body.reference_ticks not in {0, known}:
            self.refer(body, body.reference_ticks)
        else:
            self.look_at_both(body)

    def refer(self, body: InstrumentBody, ticks: int) -> None:
        """Value the pools at a new price."""
        self.references[body.number] = ticks
        words = {"instrument": body.number, "price_ticks": ticks}
        self.market.emit(Event.REFERENCE, account=0, **words)
        self.look_at_both(body)

    def look_at_both(self, body: InstrumentBody) -> None:
        """Look at the pools that have orders."""
        for side in Side:
            if self.pool(body.number, side):
                self.look_at(body, side)

    def look_at(self, body: InstrumentBody, side: int) -> None:
        """Send a pool that is worth the minimum; say what it is now."""
        if self.worth(body, self.pool(body.number, side)) >= body.pool_min_notional:
            self.send(body, side)
        self.tell_pool(body.number, side)

    def worth(self, body: InstrumentBody, orders: list[Order]) -> int:
        """Return what orders are worth at the reference price, at most what can be counted."""
        lots = sum(order.remaining for order in orders)
        worth = lots * self.references.get(body.number, 0) * body.quote_per_lot_tick
        return min(worth, ASSET_TOTAL_MAX)

    def due_us(self, number: int, side: int) -> int:
        """Return when the oldest of a pool has waited long enough; 0 = never."""
        timeout_us = self.market.instruments[number].pool_timeout_us
        orders = self.pool(number, side)
        return orders[0].created_us + timeout_us if timeout_us and orders else 0

    def deadline(self) -> int:
        """Return when the next ADVANCE has something to do; 0 = never."""
        dues = [self.due_us(number, side) for number in self.market.instruments for side in Side]
        return min((due for due in dues if due), default=0)

    def advance(self) -> None:
        """End the waiting of pools whose time is over."""
        for number in sorted(self.market.instruments):
            for side in Side:
                due_us = self.due_us(number, side)
                if due_us == 0 or due_us > self.twin.time_us:
                    continue
                body = self.market.instruments[number]
                if body.market != AGENCY:
                    continue
                if body.pool_flush:
                    self.send(body, side)
                else:
                    self.expire(self.pool(number, side))
                self.tell_pool(number, side)

    def expire(self, orders: list[Order]) -> None:
        """Give back what did not fill."""
        for order in orders:
            order.status = OrderStatus.EXPIRED
            self.market.report(order, Execution.EXPIRED)
            self.end(order)

    def send(self, body: InstrumentBody, side: int) -> None:
        """Make one venue order of a pool."""
        orders = self.pool(body.number, side)
        prices = [order.price for order in orders]
        self.last_venue_order += 1
        words = {
            "instrument": body.number,
            "venue_order": self.last_venue_order,
            "status": int(VenueStatus.PENDING),
            "side": side,
            "limit_ticks": min(prices) if side == Side.BUY else max(prices),
            "quantity_lots": sum(order.remaining for order in orders),
            "notional": self.worth(body, orders),
            "filled_base": 0,
            "filled_quote": 0,
            "attempts": 0,
            "parts": len(orders),
            "created_us": self.twin.time_us,
        }
        members = [order.order_id for order in orders]
        self.venue_orders[self.last_venue_order] = VenueOrder(words, members)
        self.market.emit(Event.VENUE_ORDER, account=0, **words)
        for order in orders:
            self.tell_part(order)

    def tell_part(self, order: Order) -> None:
        """Say that an order is part of a venue order."""
        _, number = self.wait_of(order)
        words = {"instrument": order.instrument, "venue_order": number}
        words |= {"order_id": order.order_id, "quantity_lots": order.remaining}
        self.market.emit(Event.VENUE_PART, account=order.account, **words)

    def tell_pool(self, number: int, side: int) -> None:
        """Say what a pool is."""
        body = self.market.instruments[number]
        orders = self.pool(number, side)
        self.market.emit(
            Event.POOL,
            account=0,
            instrument=number,
            side=side,
            orders=len(orders),
            quantity_lots=sum(order.remaining for order in orders),
            notional=self.worth(body, orders),
            min_notional=body.pool_min_notional,
            deadline_us=self.due_us(number, side),
        )

    def named(self, number: int) -> VenueOrder:
        """Return a venue order that is not done, or refuse."""
        if number in self.venue_orders:
            return self.venue_orders[number]
        if 1 <= number <= self.last_venue_order:
            raise Refusal(Reason.VENUE_ORDER_CLOSED)
        raise Refusal(Reason.UNKNOWN_VENUE_ORDER)

    def follow(self, words: Words, before: VenueStatus, after: VenueStatus) -> VenueOrder:
        """Let a venue order go from one status to the next, or refuse."""
        venue = self.named(words["venue_order"])
        if venue.words["status"] != before:
            raise Refusal(Reason.VENUE_ORDER_STATE, venue.words["status"])
        venue.words["status"] = int(after)
        return venue

    def venue_sent(self, words: Words) -> None:
        """One is about to send."""
        venue = self.follow(words, VenueStatus.PENDING, VenueStatus.SENT)
        venue.words["attempts"] += 1
        self.market.emit(Event.VENUE_ORDER, account=0, **venue.words)

    def venue_unknown(self, words: Words) -> None:
        """The answer is lost."""
        venue = self.follow(words, VenueStatus.SENT, VenueStatus.UNKNOWN)
        self.market.emit(Event.VENUE_ORDER, account=0, **venue.words)

    def venue_report(self, words: Words) -> None:
        """Take what the venue says so far."""
        venue = self.named(words["venue_order"])
        status = venue.words["status"]
        by_query = words["by_query"] == 1
        allowed = {VenueStatus.SENT} | ({VenueStatus.UNKNOWN} if by_query else set())
        if status not in allowed:
            raise Refusal(Reason.VENUE_ORDER_STATE, status)
        final = words["is_final"] == 1
        self.check_report(venue, words["filled_base"], words["filled_quote"], final=final)
        venue.words["filled_base"] = words["filled_base"]
        venue.words["filled_quote"] = words["filled_quote"]
        venue.words["status"] = int(VenueStatus.CONFIRMED if final else VenueStatus.SENT)
        self.share(venue)
        if final:
            self.close(venue)
        self.market.emit(Event.VENUE_ORDER, account=0, **venue.words)

    def check_report(self, venue: VenueOrder, base: int, quote: int, *, final: bool) -> None:
        """Refuse a report that says nothing new, or that can't be."""
        words, body = venue.words, self.market.instruments[venue.words["instrument"]]
        known = (words["filled_base"], words["filled_quote"])
        if base < known[0] or quote < known[1] or ((base, quote) == known and not final):
            raise Refusal(Reason.STALE_REPORT, *known)
        more_base, more_quote = base - venue.shared_base, quote - venue.shared_quote
        if base > words["quantity_lots"] * body.base_per_lot or quote > ASSET_TOTAL_MAX:
            raise Refusal(Reason.EXCESSIVE_REPORT)
        comes = (body.quote, more_quote)
        if words["side"] == Side.BUY:
            lots = Fraction(more_base, body.base_per_lot)
            if more_quote >= lots * words["limit_ticks"] * body.quote_per_lot_tick + 1:
                raise Refusal(Reason.EXCESSIVE_REPORT)
            comes = (body.base, more_base)
        if self.ledger.owed(comes[0]) + comes[1] > ASSET_TOTAL_MAX:
            raise Refusal(Reason.TOTAL_TOO_LARGE)

    def share(self, venue: VenueOrder) -> None:
        """Give the orders what came, in whole lots, each its part."""
        body = self.market.instruments[venue.words["instrument"]]
        more_base = venue.words["filled_base"] - venue.shared_base
        more_quote = venue.words["filled_quote"] - venue.shared_quote
        lots = more_base // body.base_per_lot
        if not lots:
            return
        whole = lots * body.base_per_lot
        dust_quote = int(Fraction(more_quote * (more_base - whole), more_base))
        quote = more_quote - dust_quote
        if venue.words["side"] == Side.BUY:
            quote = min(quote, lots * venue.words["limit_ticks"] * body.quote_per_lot_tick)
        orders = [self.market.orders[number] for number in sorted(venue.members)]
        parts = by_largest_remainder(lots, [order.remaining for order in orders])
        amounts = by_largest_remainder(quote, parts)
        price = max(1, quote // (lots * body.quote_per_lot_tick))
        for order, part, amount in zip(orders, parts, amounts, strict=True):
            if part:
                self.fill(order, part, price=price, quote=amount, other=ACCOUNT_WORLD)
        venue.members = [number for number in venue.members if number in self.market.orders]
        venue.shared_base += whole
        venue.shared_quote += quote

    def close(self, venue: VenueOrder) -> None:
        """Book what was less than a lot; give back the rest."""
        body = self.market.instruments[venue.words["instrument"]]
        base = venue.words["filled_base"] - venue.shared_base
        quote = venue.words["filled_quote"] - venue.shared_quote
        first, second = ACCOUNT_WORLD, ACCOUNT_ROUNDING
        if venue.words["side"] == Side.SELL:
            first, second = second, first
        if base:
            self.twin.post(first, second, body.base, base, Cause.TRADE, 0)
        if quote:
            self.twin.post(second, first, body.quote, quote, Cause.TRADE, 0)
        orders = [self.market.orders[number] for number in sorted(venue.members)]
        del self.venue_orders[venue.words["venue_order"]]
        self.expire(orders)


def limit(reference: int, side: int, slippage_ppm: int) -> int:
    """Return the reference price made worse by the slippage, and never by more."""
    if side == Side.BUY:
        return int(Fraction(reference * (PPM + slippage_ppm), PPM))
    exact = Fraction(reference * (PPM - slippage_ppm), PPM)
    return max(1, exact.numerator // exact.denominator + (exact.denominator > 1))


def by_largest_remainder(total: int, weights: list[int]) -> list[int]:
    """Return whole parts of a total: each its share rounded down, then one more to the largest."""
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    parts = [int(share) for share in exact]
    while sum(parts) < total:
        missing = [share - part for share, part in zip(exact, parts, strict=True)]
        parts[missing.index(max(missing))] += 1
    return parts
