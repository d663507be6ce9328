"""Orders and their books, naively: one dict of open orders, sorted anew whenever it matters.

An order's life: check -> walk -> trade -> rest or end. walk() is pure and says what the order
would meet; everything else follows from its answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from fondaco.core.records import (
    ACCOUNT_FEES,
    ASSET_TOTAL_MAX,
    Cause,
    Event,
    Execution,
    InstrumentBody,
    ListStatus,
    OrderStatus,
    OrderType,
    Reason,
    SelfTrade,
    Side,
    pack,
)
from tests.twin.ledger import Ledger

__all__ = [
    "NO_ID",
    "STOPS",
    "Market",
    "Order",
    "OrderList",
    "Refusal",
    "Step",
    "Walk",
    "crosses",
    "fee",
    "hold_ppm",
    "list_words",
    "order_words",
    "triggers",
]

PPM: Final = 1_000_000
BOOK_MARKET: Final = 1
TRADES_KEPT: Final = 1_000_000_000  # ids below belong to imported trades
ClientId = tuple[int, int, int, int]
NO_ID: Final[ClientId] = (0, 0, 0, 0)
RISING: Final = {
    (Side.BUY, OrderType.STOP_LOSS),
    (Side.BUY, OrderType.STOP_LOSS_LIMIT),
    (Side.SELL, OrderType.TAKE_PROFIT),
    (Side.SELL, OrderType.TAKE_PROFIT_LIMIT),
}
STOPS: Final = {kind for _, kind in RISING}


class Refusal(Exception):
    """The command is refused; nothing has moved."""

    def __init__(self, reason: Reason, *details: int) -> None:
        """Name the reason and what SURFACE's message needs."""
        super().__init__(reason.name)
        self.reason = reason
        self.details = (*details, 0, 0, 0)[:3]


@dataclass
class Order:
    """One order, whole."""

    order_id: int
    account: int
    instrument: int
    side: int
    order_type: int
    time_in_force: int
    self_trade: int
    price: int
    stop_price: int
    quantity: int
    quote_quantity: int
    created_us: int
    client_id: ClientId
    asked: tuple[int, ...] = ()  # the words of its command, to know a repeated one
    runs_out: bool = False  # a quote quantity for which the book is too small: it will expire
    filled: int = 0
    filled_quote: int = 0
    held: int = 0
    status: int = OrderStatus.NEW
    armed: bool = False  # a stop that was not triggered yet
    reached: bool = False  # ... and that a trade has reached
    working_us: int = 0
    place: int = 0  # when it came to rest, among all that did
    list_id: int = 0  # of the list that it is a leg of

    @property
    def remaining(self) -> int:
        """Lots that are still open."""
        return self.quantity - self.filled


class OrderList(NamedTuple):
    """Two orders of which only one may trade."""

    list_id: int
    account: int
    instrument: int
    client_id: ClientId
    created_us: int
    stop: Order
    profit: Order
    asked: tuple[int, ...]  # to know a repeated one


class Step(NamedTuple):
    """What an incoming order meets, in order: one maker and what becomes of it."""

    maker: Order
    lots: int  # traded, or taken by prevention
    kind: str  # "fill", "expire" (the maker leaves) or "shrink" (the maker keeps a part)


class Walk(NamedTuple):
    """Everything an incoming order of so many lots meets."""

    steps: list[Step]
    stopped: bool  # self-trade prevention ends the incoming order

    def filled(self) -> int:
        """Lots that would trade."""
        return sum(step.lots for step in self.steps if step.kind == "fill")

    def worth(self, instrument: InstrumentBody) -> int:
        """Return what the trades cost, in quote units."""
        ticks = sum(step.lots * step.maker.price for step in self.steps if step.kind == "fill")
        return ticks * instrument.quote_per_lot_tick


class Trade(NamedTuple):
    """A trade on a book."""

    instrument: int
    lots: int
    quote: int
    buyer: int
    seller: int
    buyer_fee: int
    seller_fee: int


class Market:
    """The books of all instruments."""

    def __init__(self, ledger: Ledger) -> None:
        """Share the exchange's ledger."""
        self.ledger = ledger
        self.instruments: dict[int, InstrumentBody] = {}
        self.members: dict[int, int] = {}  # account -> member
        self.orders: dict[int, Order] = {}  # open ones, by id
        self.lists: dict[int, OrderList] = {}  # of which a leg is open, by id
        self.book_seq: dict[int, int] = {}
        self.trade_id: dict[int, int] = {}
        self.last_price: dict[int, int] = {}
        self.levels_touched: dict[tuple[int, int, int], None] = {}
        self.trades: list[Trade] = []  # that nobody has looked at yet
        self.rested = 0  # orders that came to rest so far
        self.events: list[bytes] = []
        self.seq = 0  # of the present command, and the rest of its head
        self.time_us = 0
        self.account = 0
        self.key = 0

    # ---- reading the book

    def side(self, instrument: int, side: int) -> list[Order]:
        """Return the resting orders of one side, best first, then oldest."""
        if self.instruments[instrument].market != BOOK_MARKET:
            return []
        found = [o for o in self.orders.values() if (o.instrument, o.side) == (instrument, side)]
        found = [order for order in found if not order.armed]
        sign = -1 if side == Side.BUY else 1
        return sorted(found, key=lambda order: (sign * order.price, order.place))

    def level_lots(self, instrument: int, side: int, price: int) -> int:
        """Return the open lots at one price."""
        return sum(o.remaining for o in self.side(instrument, side) if o.price == price)

    def makers(self, order: Order) -> list[Order]:
        """Return the resting orders that the order's price lets it meet, in their order."""
        opposite = Side.SELL if order.side == Side.BUY else Side.BUY
        found = self.side(order.instrument, opposite)
        return [maker for maker in found if crosses(order, maker)]

    def prevented(self, order: Order, maker: Order) -> bool:
        """Say whether the two belong to one member and the incoming order minds."""
        member = self.members[order.account]
        same = member != 0 and member == self.members[maker.account]
        return same and order.self_trade != SelfTrade.NONE

    # ---- what an incoming order would meet

    def walk(self, order: Order, lots: int) -> Walk:
        """Say what so many lots of the order would meet; nothing changes."""
        steps: list[Step] = []
        for maker in self.makers(order):
            if lots == 0:
                break
            taken = min(lots, maker.remaining)
            if not self.prevented(order, maker):
                steps.append(Step(maker, taken, "fill"))
                lots -= taken
            elif order.self_trade == SelfTrade.EXPIRE_TAKER:
                return Walk(steps, stopped=True)
            elif order.self_trade == SelfTrade.EXPIRE_BOTH:
                return Walk([*steps, Step(maker, 0, "expire")], stopped=True)
            elif order.self_trade == SelfTrade.EXPIRE_MAKER:
                steps.append(Step(maker, 0, "expire"))
            elif taken < maker.remaining:
                return Walk([*steps, Step(maker, taken, "shrink")], stopped=True)
            else:
                steps.append(Step(maker, taken, "expire"))
                if taken == lots:
                    return Walk(steps, stopped=True)
                lots -= taken
        return Walk(steps, stopped=False)

    def affordable(self, order: Order, worth: int, lots_max: int) -> tuple[int, bool]:
        """Return how many lots a worth (ticks x lots) takes, and whether the book ran out first.

        An order that its member's own don't stand in the way of, but that can't pay for one lot
        of the first other one, is refused.
        """
        lots = 0
        price = 0
        for maker in self.makers(order):
            if lots == lots_max:
                break
            mine = self.prevented(order, maker)
            if mine and order.self_trade == SelfTrade.EXPIRE_MAKER:
                continue
            if mine and order.self_trade != SelfTrade.DECREMENT:
                break
            price = maker.price
            wanted = min(maker.remaining, lots_max - lots)
            taken = min(wanted, worth // price)
            lots += taken
            worth -= taken * price
            if taken < wanted and lots == 0:
                unit = self.instruments[order.instrument].quote_per_lot_tick
                raise Refusal(Reason.NOTIONAL_TOO_SMALL, order.quote_quantity, price * unit)
            if taken < wanted:
                return lots, False
        return lots, price == 0 or worth >= price

    # ---- holds

    def obligation(self, order: Order, lots: int) -> tuple[int, int]:
        """Return the asset and the amount that these open lots must hold."""
        instrument = self.instruments[order.instrument]
        if order.side == Side.SELL:
            return instrument.base, lots * instrument.base_per_lot
        notional = lots * order.price * instrument.quote_per_lot_tick
        if order.armed and not order.price:
            notional = lots * order.stop_price * instrument.quote_per_lot_tick
            notional += fee(notional, instrument.stop_band_ppm)
            if notional > ASSET_TOTAL_MAX:
                return instrument.quote, notional  # more than anybody has
        return instrument.quote, notional + fee(notional, hold_ppm(instrument))

    def hold_owed(self, order: Order, lots: int) -> None:
        """Hold exactly what so many open lots owe, out of or into what is free."""
        self.hold(order, *self.obligation(order, lots))

    def hold(self, order: Order, asset: int, owed: int) -> None:
        """Hold so much for an order."""
        more = owed - order.held
        self.ledger.move(order.account, asset, free=-more, held=more, cause=Cause.ORDER)
        order.held = owed

    # ---- matching

    def execute(self, order: Order, walk: Walk) -> None:
        """Do what walk() said."""
        for step in walk.steps:
            self.touch(step.maker)
            self.part(step.maker)
            if step.kind == "fill":
                self.trade(order, step.maker, step.lots)
            elif step.kind == "shrink":
                step.maker.quantity -= step.lots
                self.hold_owed(step.maker, step.maker.remaining)
                self.report(step.maker, Execution.TRADE_PREVENTION)
            else:
                step.maker.status = OrderStatus.EXPIRED_IN_MATCH
                self.report(step.maker, Execution.TRADE_PREVENTION)
                self.take_out(step.maker)
                if 0 < step.lots < order.remaining:
                    order.quantity -= step.lots
                    self.report(order, Execution.TRADE_PREVENTION)

    def trade(self, taker: Order, maker: Order, lots: int) -> None:
        """Trade lots at the maker's price: money, fees, counters and the three events."""
        instrument = self.instruments[maker.instrument]
        quote = lots * maker.price * instrument.quote_per_lot_tick
        base = lots * instrument.base_per_lot
        buyer, seller = (taker, maker) if taker.side == Side.BUY else (maker, taker)
        rates = {taker.side: instrument.taker_fee_ppm, maker.side: instrument.maker_fee_ppm}
        buyer_fee_asset = instrument.quote if instrument.fee_in_quote else instrument.base
        buyer_fee = fee(quote if instrument.fee_in_quote else base, rates[Side.BUY])
        seller_fee = fee(quote, rates[Side.SELL])
        for party in (maker, taker):
            party.filled += lots
            party.filled_quote += quote
            party.status = OrderStatus.PARTIALLY_FILLED
            if party.remaining == 0 and not party.runs_out:
                party.status = OrderStatus.FILLED
        self.hold_owed(maker, maker.remaining)
        self.settle(
            buyer.account, seller.account, instrument, {instrument.base: base},
            quote=quote, buyer_fee=(buyer_fee_asset, buyer_fee), seller_fee=seller_fee,
        )  # fmt: skip
        fees = (buyer_fee, seller_fee)
        told = Trade(instrument.number, lots, quote, buyer.account, seller.account, *fees)
        self.trades.append(told)
        trade_id = self.trade_id[maker.instrument] = (
            self.trade_id.get(maker.instrument, TRADES_KEPT) + 1
        )
        self.last_price[maker.instrument] = maker.price
        self.emit(
            Event.TRADE,
            account=0,
            instrument=maker.instrument,
            trade_id=trade_id,
            price_ticks=maker.price,
            quantity_lots=lots,
            quote_amount=quote,
            taker_side=taker.side,
            buy_order_id=buyer.order_id,
            sell_order_id=seller.order_id,
            buyer_account=buyer.account,
            seller_account=seller.account,
            buyer_fee=buyer_fee,
            seller_fee=seller_fee,
            buyer_fee_asset=buyer_fee_asset,
            seller_fee_asset=instrument.quote,
        )
        self.reach(maker.instrument, maker.price)
        for party, other in ((maker, taker), (taker, maker)):
            self.report(
                party,
                Execution.TRADE,
                last_price_ticks=maker.price,
                last_lots=lots,
                last_quote=quote,
                fee=buyer_fee if party is buyer else seller_fee,
                fee_asset=buyer_fee_asset if party is buyer else instrument.quote,
                trade_id=trade_id,
                is_maker=int(party is maker),
                other_order_id=other.order_id,
            )
        if maker.remaining == 0:
            del self.orders[maker.order_id]
            self.leave(maker)

    def reach(self, instrument: int, price: int) -> None:
        """Let the armed stops wait for their turn that a trade at this price reaches."""
        for order in self.orders.values():
            if order.instrument == instrument and order.armed and triggers(order, price):
                order.reached = True

    def settle(
        self,
        buyer: int,
        seller: int,
        instrument: InstrumentBody,
        base: dict[int, int],
        *,
        quote: int,
        buyer_fee: tuple[int, int],
        seller_fee: int,
    ) -> None:
        """Move the money of one trade, all of it out of and into what is free."""
        fees = {instrument.base: 0, instrument.quote: seller_fee}
        fees[buyer_fee[0]] += buyer_fee[1]
        lots_worth = base[instrument.base]
        pays_quote = quote + (buyer_fee[1] if buyer_fee[0] == instrument.quote else 0)
        gets_base = lots_worth - (buyer_fee[1] if buyer_fee[0] == instrument.base else 0)
        for account, asset, amount in (
            (seller, instrument.base, -lots_worth),
            (buyer, instrument.quote, -pays_quote),
            (buyer, instrument.base, gets_base),
            (seller, instrument.quote, quote - seller_fee),
        ):
            self.ledger.move(account, asset, free=amount, cause=Cause.TRADE)
        for asset, amount in fees.items():
            if amount:
                self.ledger.move(ACCOUNT_FEES, asset, free=amount, cause=Cause.TRADE)

    # ---- coming to rest, and leaving

    def rest(self, order: Order) -> None:
        """Hold what is still owed and stand in the book."""
        self.hold_owed(order, order.remaining)
        self.orders[order.order_id] = order
        self.rested += 1
        order.place = self.rested
        self.touch(order)

    def take_out(self, order: Order) -> None:
        """Leave the book and free what was held."""
        self.touch(order)
        self.hold_owed(order, 0)
        del self.orders[order.order_id]
        self.leave(order)

    # ---- lists

    def sibling(self, order: Order) -> Order | None:
        """Return the other leg of an order's list, if both are open."""
        found = self.lists.get(order.list_id)
        if found is None:
            return None
        other = found.profit if order is found.stop else found.stop
        return other if other.order_id in self.orders else None

    def part(self, order: Order) -> None:
        """Let the other leg end before this one acts, and leave it what both held."""
        other = self.sibling(order)
        if other is not None:
            order.held, other.held = order.held + other.held, 0
            other.status = OrderStatus.EXPIRED
            self.report(other, Execution.EXPIRED)
            self.take_out(other)

    def leave(self, order: Order) -> None:
        """Say that a list is done when its last leg is."""
        found = self.lists.get(order.list_id)
        if found is None or {found.stop.order_id, found.profit.order_id} & set(self.orders):
            return
        words = list_words(found, ListStatus.ALL_DONE)
        self.emit(Event.LIST, account=found.account, **words)
        del self.lists[found.list_id]

    def list_owed(self, order: Order) -> int:
        """Return what an order owes, or the larger of both legs."""
        other = self.sibling(order)
        legs = [order] if other is None else [order, other]
        return max(self.obligation(leg, leg.remaining)[1] for leg in legs)

    def is_second(self, order: Order) -> bool:
        """Whether an order is a profit leg whose stop leg holds for it."""
        return self.sibling(order) is not None and order.order_id == order.list_id

    def hold_anew(self, instrument: int) -> None:
        """Hold what open buys owe at new fees; those that can't pay expire.

        First those of the book, best first, then the stops, oldest first; a list once, as one.
        """
        mine = [o for o in self.orders.values() if o.instrument == instrument and o.armed]
        stops = [order for order in mine if order.side == Side.BUY]
        stops.sort(key=lambda order: order.order_id)
        every = [*self.side(instrument, Side.BUY), *stops]
        for order in [one for one in every if not self.is_second(one)]:
            asset, owed = self.instruments[instrument].quote, self.list_owed(order)
            if owed - order.held <= self.ledger.of(order.account, asset).free:
                self.hold(order, asset, owed)
            else:
                order.status = OrderStatus.EXPIRED
                self.report(order, Execution.EXPIRED)
                self.part(order)
                self.take_out(order)

    def touch(self, order: Order) -> None:
        """Remember that the level of this order, if it stands in one, is changed by the command."""
        if order.armed:
            return
        self.levels_touched.setdefault((order.instrument, order.side, order.price))

    # ---- events

    def emit(self, kind: int, *, account: int, **words: int) -> None:
        """Append one event of the present command; the asker's own events carry the key."""
        key = self.key if account == self.account else 0
        event = pack(kind, seq=self.seq, time_us=self.time_us, account=account, key=key, **words)
        self.events.append(event)

    def report(self, order: Order, execution: Execution, **more: int) -> None:
        """Append ORDER, FILL or CANCEL: the order's whole public state."""
        kind = Event.ORDER
        if "last_lots" in more:
            kind = Event.FILL
        elif "cancel_id_0" in more:
            kind = Event.CANCEL
        self.emit(kind, account=order.account, **order_words(order, execution), **more)

    def report_levels(self, first: int = 0) -> None:
        """Append LEVEL once for each level that the command changed, by instrument."""
        touched = sorted(self.levels_touched, key=lambda level: (level[0] != first, level[0]))
        for instrument, side, price in touched:
            self.book_seq[instrument] = self.book_seq.get(instrument, 0) + 1
            self.emit(
                Event.LEVEL,
                account=0,
                instrument=instrument,
                side=side,
                price_ticks=price,
                quantity_lots=self.level_lots(instrument, side, price),
                book_seq=self.book_seq[instrument],
            )
        self.levels_touched.clear()

    def report_balances(self) -> None:
        """Append BALANCE once for each (account, asset) that the command touched."""
        for (account, asset), (before, cause) in self.ledger.touched.items():
            balance = self.ledger.of(account, asset)
            self.emit(
                Event.BALANCE,
                account=account,
                asset=asset,
                free=balance.free,
                held=balance.held,
                change=balance.total - before,
                cause=cause,
            )
        self.ledger.touched.clear()


def order_words(order: Order, execution: int) -> dict[str, int]:
    """Return the words that ORDER, FILL and CANCEL share."""
    return {
        "instrument": order.instrument,
        "order_id": order.order_id,
        "execution": execution,
        "status": order.status,
        "side": order.side,
        "order_type": order.order_type,
        "time_in_force": order.time_in_force,
        "self_trade": order.self_trade,
        "price_ticks": order.price,
        "stop_price_ticks": order.stop_price,
        "quantity_lots": order.quantity,
        "filled_lots": order.filled,
        "filled_quote": order.filled_quote,
        "quote_quantity": order.quote_quantity,
        "created_us": order.created_us,
        **{f"client_order_id_{place}": word for place, word in enumerate(order.client_id)},
        "working_us": order.working_us,
        "list_id": order.list_id,
    }


def list_words(found: OrderList, status: int) -> dict[str, int]:
    """Return the words of LIST."""
    stop, profit = found.stop, found.profit
    ids = {"list": found.client_id, "stop": stop.client_id, "profit": profit.client_id}
    return {
        "instrument": found.instrument,
        "list_id": found.list_id,
        "status": status,
        "stop_order_id": found.stop.order_id,
        "profit_order_id": found.profit.order_id,
        "created_us": found.created_us,
        **{
            f"{leg}_client_id_{n}": word
            for leg, words in ids.items()
            for n, word in enumerate(words)
        },
    }


def crosses(order: Order, maker: Order) -> bool:
    """Say whether the order's price lets it meet the maker."""
    if order.order_type == OrderType.MARKET or (order.order_type in STOPS and not order.price):
        return True
    if order.side == Side.BUY:
        return maker.price <= order.price
    return maker.price >= order.price


def triggers(order: Order, price: int) -> bool:
    """Say whether a trade at this price triggers a stop."""
    if (order.side, order.order_type) in RISING:
        return price >= order.stop_price
    return price <= order.stop_price


def fee(amount: int, ppm: int) -> int:
    """Return the fee on what is received, rounded down."""
    return amount * ppm // PPM


def hold_ppm(instrument: InstrumentBody) -> int:
    """Return the rate at which a buy holds its fee beside its price."""
    if not instrument.fee_in_quote:
        return 0
    return max(instrument.maker_fee_ppm, instrument.taker_fee_ppm)
