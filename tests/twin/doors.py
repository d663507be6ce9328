"""What an order must satisfy before anything moves, in the order in which it is asked."""

from __future__ import annotations

from typing import Final, NamedTuple

from fondaco.core.records import (
    ACCOUNT_FIRST,
    ASSET_TOTAL_MAX,
    AccountBody,
    InstrumentBody,
    InstrumentStatus,
    OrderType,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
)
from tests.twin.market import STOPS, Market, Order, Refusal, Walk, fee, hold_ppm, triggers

__all__ = [
    "Terms",
    "check_account",
    "check_outside_shape",
    "check_outside_terms",
    "check_shape",
    "check_terms",
]

BOOK_MARKET: Final = 1
TYPES: Final = {int(kind) for kind in OrderType} - {OrderType.BOUNDED, OrderType.POOLED}
UNPRICED: Final = {OrderType.MARKET, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT}


class Terms(NamedTuple):
    """What an order that may come in will do."""

    lots: int  # its quantity, worked out if it was given in quote
    walk: Walk
    asset: int
    needed: int  # of the asset, free
    runs_out: bool = False  # the book is too small for the quote quantity


def check_account(account: AccountBody, number: int, *, maintenance: bool) -> None:
    """Refuse an account that may not trade, and all of them in maintenance."""
    if account.frozen or number < ACCOUNT_FIRST:
        raise Refusal(Reason.FROZEN)
    if maintenance:
        raise Refusal(Reason.MAINTENANCE)


def check_shape(order: Order) -> None:
    """Refuse words that mean nothing, whatever the instrument."""
    if order.side not in {Side.BUY, Side.SELL}:
        raise Refusal(Reason.INVALID_SIDE)
    if order.order_type not in TYPES:
        raise Refusal(Reason.INVALID_TYPE)
    times = {int(time) for time in TimeInForce}
    if order.order_type == OrderType.LIMIT_MAKER:
        times = {0, int(TimeInForce.GTC)}
    elif order.order_type in UNPRICED:
        times = {0}
    if order.time_in_force not in times:
        raise Refusal(Reason.INVALID_TIME_IN_FORCE)
    if order.self_trade not in {int(mode) for mode in SelfTrade}:
        raise Refusal(Reason.INVALID_SELF_TRADE)
    if order.order_type == OrderType.MARKET:
        if order.price != 0:
            raise Refusal(Reason.INVALID_PRICE)
        if order.quote_quantity < 0 or (order.quote_quantity and order.quantity):
            raise Refusal(Reason.INVALID_QUOTE_QUANTITY)
        if order.quantity < 0 or order.quantity == order.quote_quantity == 0:
            raise Refusal(Reason.INVALID_QUANTITY)
    else:
        if order.price != 0 if order.order_type in UNPRICED else order.price < 1:
            raise Refusal(Reason.INVALID_PRICE)
        if order.quantity < 1:
            raise Refusal(Reason.INVALID_QUANTITY)
        if order.quote_quantity:
            raise Refusal(Reason.INVALID_QUOTE_QUANTITY)
    if order.stop_price < 1 if order.order_type in STOPS else order.stop_price != 0:
        raise Refusal(Reason.INVALID_STOP_PRICE)


def check_terms(market: Market, order: Order) -> Terms:
    """See an order of sound shape through status, filters, book and balance."""
    instrument = market.instruments[order.instrument]
    if instrument.market != BOOK_MARKET:
        raise Refusal(Reason.NOT_SUPPORTED)
    if instrument.status != InstrumentStatus.TRADING:
        raise Refusal(Reason.MARKET_CLOSED, instrument.status)
    if order.order_type in STOPS:
        terms = _stop_terms(market, order, instrument)
    elif order.order_type != OrderType.MARKET:
        terms = _limit_terms(market, order, instrument)
    elif order.quote_quantity:
        terms = _quote_terms(market, order, instrument)
    else:
        terms = _market_terms(market, order, instrument)
    free = market.ledger.of(order.account, terms.asset).free
    if terms.needed > free:
        raise Refusal(Reason.INSUFFICIENT_BALANCE, terms.asset, terms.needed, free)
    return terms


def check_outside_shape(order: Order, words: dict[str, int], kind: OrderType) -> None:
    """Refuse words that make no order of this type."""
    if order.side not in {Side.BUY, Side.SELL}:
        raise Refusal(Reason.INVALID_SIDE)
    if order.order_type not in {int(each) for each in OrderType}:
        raise Refusal(Reason.INVALID_TYPE)
    if order.order_type != kind:
        raise Refusal(Reason.NOT_SUPPORTED)
    if order.time_in_force not in {0, TimeInForce.GTC}:
        raise Refusal(Reason.INVALID_TIME_IN_FORCE)
    if words["self_trade"] not in {0, SelfTrade.NONE}:
        raise Refusal(Reason.INVALID_SELF_TRADE)
    pooled = kind == OrderType.POOLED
    if (order.price != 0) if pooled else (order.price < 1):
        raise Refusal(Reason.INVALID_PRICE)
    if not 0 <= order.stop_price <= order.price:
        raise Refusal(Reason.INVALID_STOP_PRICE)
    if order.quantity < 1:
        raise Refusal(Reason.INVALID_QUANTITY)
    if order.quote_quantity:
        raise Refusal(Reason.INVALID_QUOTE_QUANTITY)


def check_outside_terms(
    market: Market, order: Order, worth_price: int, owed: tuple[int, int]
) -> None:
    """See an order that no book takes through filters and balance; owed: asset and amount."""
    instrument = market.instruments[order.instrument]
    high = instrument.price_ticks_max or ASSET_TOTAL_MAX // instrument.quote_per_lot_tick
    if not instrument.price_ticks_min <= order.price <= high:
        raise Refusal(Reason.PRICE_OUT_OF_RANGE, instrument.price_ticks_min, high)
    _check_quantity(instrument, order.quantity)
    worth = order.quantity * instrument.quote_per_lot_tick
    if worth * max(order.price, worth_price) > ASSET_TOTAL_MAX:
        most = instrument.max_notional or ASSET_TOTAL_MAX
        raise Refusal(Reason.NOTIONAL_TOO_LARGE, ASSET_TOTAL_MAX, most)
    _check_notional(instrument, worth * worth_price)
    mine = [o for o in market.orders.values() if o.account == order.account]
    count = sum(1 for each in mine if each.instrument == order.instrument)
    if instrument.max_open_orders and count >= instrument.max_open_orders:
        raise Refusal(Reason.TOO_MANY_ORDERS, instrument.max_open_orders)
    asset, needed = owed
    free = market.ledger.of(order.account, asset).free
    if needed > free:
        raise Refusal(Reason.INSUFFICIENT_BALANCE, asset, needed, free)


def _limit_terms(market: Market, order: Order, instrument: InstrumentBody) -> Terms:
    high = instrument.price_ticks_max or ASSET_TOTAL_MAX // instrument.quote_per_lot_tick
    if not instrument.price_ticks_min <= order.price <= high:
        raise Refusal(Reason.PRICE_OUT_OF_RANGE, instrument.price_ticks_min, high)
    _check_quantity(instrument, order.quantity)
    _check_notional(instrument, order.price * order.quantity * instrument.quote_per_lot_tick)
    rests = order.time_in_force in {0, TimeInForce.GTC}
    open_orders = [
        other
        for other in market.orders.values()
        if (other.account, other.instrument) == (order.account, order.instrument)
    ]
    limit = instrument.max_open_orders
    if rests and limit and len(open_orders) >= limit:
        raise Refusal(Reason.TOO_MANY_ORDERS, limit)
    if order.order_type == OrderType.LIMIT_MAKER and market.makers(order):
        raise Refusal(Reason.WOULD_MATCH)
    asset, needed = market.obligation(order, order.quantity)
    return Terms(order.quantity, market.walk(order, order.quantity), asset, needed)


def _stop_terms(market: Market, order: Order, instrument: InstrumentBody) -> Terms:
    high = instrument.price_ticks_max or ASSET_TOTAL_MAX // instrument.quote_per_lot_tick
    price = order.price or order.stop_price
    if not all(instrument.price_ticks_min <= each <= high for each in (price, order.stop_price)):
        raise Refusal(Reason.PRICE_OUT_OF_RANGE, instrument.price_ticks_min, high)
    _check_quantity(instrument, order.quantity)
    _check_notional(instrument, price * order.quantity * instrument.quote_per_lot_tick)
    mine = [o for o in market.orders.values() if o.account == order.account]
    count = sum(1 for each in mine if each.instrument == order.instrument)
    if instrument.max_open_orders and count >= instrument.max_open_orders:
        raise Refusal(Reason.TOO_MANY_ORDERS, instrument.max_open_orders)
    last = market.last_price.get(order.instrument, 0)
    if last and triggers(order, last):
        raise Refusal(Reason.WOULD_TRIGGER, last)
    asset, needed = market.obligation(order, order.quantity)
    return Terms(order.quantity, Walk([], stopped=False), asset, needed)


def _market_terms(market: Market, order: Order, instrument: InstrumentBody) -> Terms:
    unit = _best_unit(market, order, instrument)
    _check_quantity(instrument, order.quantity)
    _check_notional(instrument, unit * order.quantity)
    walk = market.walk(order, order.quantity)
    asset, needed = _cost(order, instrument, order.quantity, walk)
    if order.side == Side.BUY and walk.worth(instrument) > ASSET_TOTAL_MAX:
        free = market.ledger.of(order.account, asset).free
        raise Refusal(Reason.INSUFFICIENT_BALANCE, asset, ASSET_TOTAL_MAX, free)
    return Terms(order.quantity, walk, asset, needed)


def _quote_terms(market: Market, order: Order, instrument: InstrumentBody) -> Terms:
    unit = _best_unit(market, order, instrument)
    amount = order.quote_quantity
    if amount > ASSET_TOTAL_MAX:
        high = instrument.max_notional or ASSET_TOTAL_MAX
        raise Refusal(Reason.NOTIONAL_TOO_LARGE, amount, high)
    _check_notional(instrument, amount)
    if amount < unit:
        raise Refusal(Reason.NOTIONAL_TOO_SMALL, amount, unit)
    high = instrument.quantity_lots_max or ASSET_TOTAL_MAX // instrument.base_per_lot
    worth = amount // instrument.quote_per_lot_tick
    lots, runs_out = market.affordable(order, worth, high)
    if lots == 0:  # self-trade prevention stops it at once: it will expire unfilled
        lots = amount // unit
    _check_quantity(instrument, lots)
    walk = market.walk(order, lots)
    asset, needed = _cost(order, instrument, lots, walk)
    return Terms(lots, walk, asset, needed, runs_out)


def _best_unit(market: Market, order: Order, instrument: InstrumentBody) -> int:
    """Return what a lot is worth at the best price that a MARKET order meets."""
    makers = market.makers(order)
    if not makers:
        raise Refusal(Reason.NO_LIQUIDITY)
    return makers[0].price * instrument.quote_per_lot_tick


def _check_quantity(instrument: InstrumentBody, lots: int) -> None:
    high = instrument.quantity_lots_max or ASSET_TOTAL_MAX // instrument.base_per_lot
    if not instrument.quantity_lots_min <= lots <= high:
        raise Refusal(Reason.QUANTITY_OUT_OF_RANGE, instrument.quantity_lots_min, high)


def _check_notional(instrument: InstrumentBody, notional: int) -> None:
    high = instrument.max_notional or ASSET_TOTAL_MAX
    if notional > ASSET_TOTAL_MAX:
        raise Refusal(Reason.NOTIONAL_TOO_LARGE, ASSET_TOTAL_MAX, high)
    if notional < instrument.min_notional:
        raise Refusal(Reason.NOTIONAL_TOO_SMALL, notional, instrument.min_notional)
    if notional > high:
        raise Refusal(Reason.NOTIONAL_TOO_LARGE, notional, high)


def _cost(order: Order, instrument: InstrumentBody, lots: int, walk: Walk) -> tuple[int, int]:
    """Return the asset and the amount that a MARKET order of these lots must hold."""
    if order.side == Side.SELL:
        return instrument.base, lots * instrument.base_per_lot
    worth = walk.worth(instrument)
    return instrument.quote, worth + fee(worth, hold_ppm(instrument))
