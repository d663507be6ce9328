"""An instrument: its definition, its filters as numbers, its book.

Promises: what the hot path needs stands here as typed fields; check_definition() says whether a
definition is whole, so that a trade never rounds and no product of a price and a quantity leaves
64 bits. Changes nothing outside itself.
"""

import re

import cython

from fondaco.core.records import (
    ASSET_TOTAL_MAX,
    IMPORTED_TRADES_MAX,
    InstrumentBody,
    InstrumentStatus,
    Reason,
)

if not cython.compiled:
    from fondaco.core.book import Book
    from fondaco.core.constants import AMOUNT_MAX, BUY, PPM, SMALL
    from fondaco.core.rows import Order
    from fondaco.core.slab import Slab
    from fondaco.core.triggers import Triggers

INSTRUMENTS_MAX = 4096
ASSETS_MAX = 4096
OPEN_ORDERS_MAX = 1 << 20  # the largest limit of open orders an account
SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9_.-]{0,31}", re.ASCII)
DECIMAL = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,18}))?", re.ASCII)
NAME_LENGTH_MAX = 64
POOL_TIMEOUT_US_MAX = 366 * 86_400_000_000
DEALER_MARKET = 2  # InstrumentBody.market
AGENCY_MARKET = 3
SCALE = 18  # decimals to which tick and lot sizes are read


class Instrument:
    """One instrument and its book."""

    def __init__(self, number: int, orders: Slab, levels: Slab) -> None:
        """Make an instrument without a definition; define() must follow."""
        self.number = number
        self.book = Book(orders, levels, 0)
        self.triggers = Triggers(orders)
        self.last_trade_id = IMPORTED_TRADES_MAX
        self.last_price_ticks = 0

    def define(self, body: InstrumentBody) -> None:
        """Take a definition that check_definition() has passed."""
        self.body = body
        self.base = body.base
        self.quote = body.quote
        self.market = body.market
        self.base_per_lot = body.base_per_lot
        self.quote_per_lot_tick = body.quote_per_lot_tick
        self.worth_max = ASSET_TOTAL_MAX // body.quote_per_lot_tick  # ticks x lots
        self.maker_fee_ppm = body.maker_fee_ppm
        self.taker_fee_ppm = body.taker_fee_ppm
        self.fee_in_quote = body.fee_in_quote
        self.hold_ppm = max(body.maker_fee_ppm, body.taker_fee_ppm) if body.fee_in_quote else 0
        self.stop_band_ppm = body.stop_band_ppm
        self.min_notional = body.min_notional
        self.max_notional = body.max_notional or ASSET_TOTAL_MAX
        self.price_min = body.price_ticks_min
        self.price_max = body.price_ticks_max or ASSET_TOTAL_MAX // body.quote_per_lot_tick
        self.quantity_min = body.quantity_lots_min
        self.quantity_max = body.quantity_lots_max or ASSET_TOTAL_MAX // body.base_per_lot
        self.max_open_orders = body.max_open_orders
        self.status = body.status

    def fits(self, price: int, lots: int) -> int:
        """Return 1 if price x lots in quote units is at most AMOUNT_MAX; both within filters."""
        unit = price * self.quote_per_lot_tick
        if unit < SMALL and lots < SMALL:
            return 1
        return lots <= AMOUNT_MAX // unit

    def fee(self, amount: int, ppm: int) -> int:
        """Return floor(amount x ppm / 1,000,000), without leaving 64 bits."""
        if ppm == 0:
            return 0
        whole = amount // PPM
        return whole * ppm + (amount - whole * PPM) * ppm // PPM

    def obligation(self, side: int, price: int, lots: int) -> int:
        """Return what an open order must hold: base units of a sell, quote units of a buy."""
        if side == BUY:
            notional = price * self.quote_per_lot_tick * lots
            return notional + self.fee(notional, self.hold_ppm)
        return lots * self.base_per_lot

    def stop_obligation(self, side: int, price: int, stop: int, lots: int) -> int:
        """Return what a stop must hold until it is triggered; price 0: it will be a MARKET order.

        Above AMOUNT_MAX it is more than anybody has, and no more is added.
        """
        if price or side != BUY:
            return self.obligation(side, price, lots)
        notional = stop * self.quote_per_lot_tick * lots
        worth = notional + self.fee(notional, self.stop_band_ppm)
        if worth > AMOUNT_MAX:
            return worth
        return worth + self.fee(worth, self.hold_ppm)

    def owed(self, order: Order) -> int:
        """Return what an open order of a book must hold, stop or not."""
        if order.level > 0:
            return self.obligation(order.side, order.price_ticks, order.open_lots)
        return self.stop_obligation(
            order.side, order.price_ticks, order.stop_or_quote, order.open_lots
        )


def scaled(text: str) -> int:
    """Return a decimal text as a whole number of 10**-SCALE, or 0 if it isn't one."""
    match = DECIMAL.fullmatch(text)
    if match is None:
        return 0
    whole, fraction = match[1], match[2] or ""
    return int(whole + fraction.ljust(SCALE, "0"))


def check_definition(body: InstrumentBody, decimals: dict[int, int]) -> int:
    """Return 0 if a definition is whole, or the Reason; decimals of each asset by number."""
    if body.base not in decimals or body.quote not in decimals:
        return Reason.UNKNOWN_ASSET
    limits = (
        1 <= body.number <= INSTRUMENTS_MAX,
        SYMBOL.fullmatch(body.symbol) is not None,
        body.base != body.quote,
        body.market in {1, 2, 3},
        body.status in set(InstrumentStatus),
        1 <= body.base_per_lot <= ASSET_TOTAL_MAX,
        1 <= body.quote_per_lot_tick <= ASSET_TOTAL_MAX,
        0 <= body.maker_fee_ppm < 1_000_000,
        0 <= body.taker_fee_ppm < 1_000_000,
        0 <= body.stop_band_ppm < 1_000_000,
        0 <= body.min_notional <= ASSET_TOTAL_MAX,
        0 <= body.max_notional <= ASSET_TOTAL_MAX,
        0 <= body.max_open_orders <= OPEN_ORDERS_MAX,
    )
    if not all(limits):
        return Reason.INVALID_DEFINITION
    price_max = ASSET_TOTAL_MAX // body.quote_per_lot_tick
    quantity_max = ASSET_TOTAL_MAX // body.base_per_lot
    tick, lot = scaled(body.tick_size), scaled(body.lot_size)
    base_unit = 10 ** (SCALE - decimals[body.base])
    quote_unit = 10 ** (2 * SCALE - decimals[body.quote])
    whole = (
        1 <= body.price_ticks_min <= (body.price_ticks_max or price_max),
        1 <= body.quantity_lots_min <= (body.quantity_lots_max or quantity_max),
        body.price_ticks_max <= price_max,
        body.quantity_lots_max <= quantity_max,
        lot == body.base_per_lot * base_unit,
        tick * lot == body.quote_per_lot_tick * quote_unit,
    )
    return 0 if all(whole) and check_outside(body) else Reason.INVALID_DEFINITION


def check_outside(body: InstrumentBody) -> bool:
    """Return whether what a definition says of the dealer or agency market is sound."""
    texts = (body.name, body.stock_id, body.venue)
    ours = (
        body.market == DEALER_MARKET or not (body.stock_id or body.inventory_lots_max),
        body.market == AGENCY_MARKET
        or not (
            body.venue
            or body.reference_ticks
            or body.slippage_ppm
            or body.pool_min_notional
            or body.pool_timeout_us
            or body.pool_flush
        ),
        all(len(text) <= NAME_LENGTH_MAX and text.isprintable() for text in texts),
        0 <= body.inventory_lots_max <= ASSET_TOTAL_MAX // body.base_per_lot,
        0 <= body.reference_ticks <= ASSET_TOTAL_MAX // body.quote_per_lot_tick,
        0 <= body.slippage_ppm < 1_000_000,
        0 <= body.pool_min_notional <= ASSET_TOTAL_MAX,
        0 <= body.pool_timeout_us <= POOL_TIMEOUT_US_MAX,
    )
    return all(ours)


def conflicts(old: InstrumentBody, new: InstrumentBody) -> bool:
    """Return whether a new definition changes what never changes."""
    fixed = ("symbol", "base", "quote", "market", "base_per_lot", "quote_per_lot_tick")
    return any(getattr(old, name) != getattr(new, name) for name in fixed) or (
        old.stock_id not in {"", new.stock_id}
    )


def shares_name(one: InstrumentBody, other: InstrumentBody) -> bool:
    """Return whether two instruments can't be told apart, by people or by feeds."""
    return one.symbol == other.symbol or (one.stock_id != "" and one.stock_id == other.stock_id)
