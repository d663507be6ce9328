"""The msgpack bodies of the records of cold kinds: what an asset, an instrument, an account is.

Promises: frozen, and no key beyond these. records.py has the kinds that carry them; whether a
definition is whole is core.instrument's to say.
"""

from __future__ import annotations

import msgspec

__all__ = ["AccountBody", "AssetBody", "InstrumentBody", "RobotTerms"]


class AssetBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of DEFINE_ASSET and ASSET."""

    number: int
    code: str
    decimals: int


class InstrumentBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of DEFINE_INSTRUMENT and INSTRUMENT. Rates in millionths, limits 0 = none.

    One lot at one tick is worth quote_per_lot_tick quote units, one lot is base_per_lot base
    units; both are whole numbers, so no trade rounds.
    """

    number: int
    symbol: str
    base: int  # asset number
    quote: int
    market: int = 1  # 1 book, 2 dealer, 3 agency
    tick_size: str  # decimal text, as declared: for people and the wire
    lot_size: str
    base_per_lot: int
    quote_per_lot_tick: int
    maker_fee_ppm: int = 0
    taker_fee_ppm: int = 0
    fee_in_quote: bool = False
    min_notional: int = 0  # quote units
    max_notional: int = 0
    price_ticks_min: int = 1
    price_ticks_max: int = 0  # 0: the core's own bound
    quantity_lots_min: int = 1
    quantity_lots_max: int = 0
    max_open_orders: int = 200  # an account
    stop_band_ppm: int = 50_000  # a market stop that buys holds so much more than its stop price
    status: int = 1
    name: str = ""  # of a stock, as its feed or the house file spells it
    stock_id: str = ""  # dealer: by which feeds know it; once given it never changes
    inventory_lots_max: int = 0  # dealer: the house's position, either way; 0: no limit
    venue: str = ""  # agency
    reference_ticks: int = 0  # agency: a change of it sets the reference price; 0: none yet
    slippage_ppm: int = 0  # agency: how much worse than the reference the outside may be
    pool_min_notional: int = 0  # agency: quote units
    pool_timeout_us: int = 0  # agency: how long the oldest order of a pool waits; 0: for ever
    pool_flush: bool = False  # agency: on timeout send what is there, instead of giving it back


class RobotTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Within what a robot's account trades. Amounts in units of its cash; 0 = no limit."""

    cash: int  # asset number: it trades on books whose quote this is, and counts in it
    day_loss_max: int = 0  # once so much is lost it buys no more until the day is over
    month_loss_max: int = 0
    month_sell_cap: int = 0  # what its sales of a month may bring, open ones counted
    order_notional_max: int = 0
    orders_day_max: int = 0  # orders accepted in a day


class AccountBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of OPEN_ACCOUNT, CONFIGURE_ACCOUNT and ACCOUNT. The account's number is in the head."""

    member: int  # 0 = the house; orders of one member don't trade with each other (SelfTrade)
    kind: int = 2  # AccountKind
    frozen: bool = False
    opening: list[tuple[int, int]] = []  # (asset, amount); OPEN_ACCOUNT only
    robot: RobotTerms | None = None  # kind ROBOT only; in CONFIGURE_ACCOUNT None leaves them
