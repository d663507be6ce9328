"""What an asset, an instrument or an account must be, by exact fractions."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from fondaco.core.records import (
    ASSET_TOTAL_MAX,
    DECIMALS_MAX,
    AccountBody,
    AccountKind,
    AssetBody,
    InstrumentBody,
    InstrumentStatus,
    Reason,
)
from tests.twin.limits import check_terms
from tests.twin.market import Refusal

__all__ = ["ACCOUNT_MAX", "check_account", "check_asset", "check_instrument"]

NUMBER_MAX: Final = 4096  # of assets and of instruments
ACCOUNT_MAX: Final = (1 << 40) - 1
MEMBER_MAX: Final = (1 << 31) - 1
OPENING_MAX: Final = 256
OPEN_ORDERS_MAX: Final = 1 << 20
PPM: Final = 1_000_000
FIXED: Final = ("symbol", "base", "quote", "market", "base_per_lot", "quote_per_lot_tick")
OUTSIDE_TERMS: Final = {
    2: ("stock_id", "inventory_lots_max"),
    3: (
        "venue", "reference_ticks", "slippage_ppm", "pool_min_notional", "pool_timeout_us",
        "pool_flush",
    ),
}  # fmt: skip
TEXT: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)


def check_asset(body: AssetBody, assets: dict[int, AssetBody]) -> None:
    """Refuse what is no asset, and another meaning of one that is known."""
    named = re.fullmatch(r"[A-Z0-9]{1,16}", body.code, re.ASCII)
    if not (1 <= body.number <= NUMBER_MAX and 0 <= body.decimals <= DECIMALS_MAX and named):
        raise Refusal(Reason.INVALID_DEFINITION)
    same_name = [asset for asset in assets.values() if asset.code == body.code]
    if assets.get(body.number, body) != body or (same_name and body.number not in assets):
        raise Refusal(Reason.DEFINITION_CONFLICT)


def check_instrument(
    body: InstrumentBody, assets: dict[int, AssetBody], known: dict[int, InstrumentBody]
) -> None:
    """Refuse what is no instrument, and another meaning of one that is known."""
    if body.base not in assets or body.quote not in assets:
        raise Refusal(Reason.UNKNOWN_ASSET)
    sound = _words_sound(body) and _ranges_sound(body) and _sizes_sound(body, assets)
    if not (sound and _outside_sound(body)):
        raise Refusal(Reason.INVALID_DEFINITION)
    old = known.get(body.number)
    others = [other for number, other in known.items() if number != body.number]
    stocks = {other.stock_id for other in others if other.stock_id}
    if body.symbol in {other.symbol for other in others} or body.stock_id in stocks:
        raise Refusal(Reason.DEFINITION_CONFLICT)
    if old is not None and old.stock_id not in {"", body.stock_id}:
        raise Refusal(Reason.DEFINITION_CONFLICT)
    if old is not None and any(getattr(old, name) != getattr(body, name) for name in FIXED):
        raise Refusal(Reason.DEFINITION_CONFLICT)


def _words_sound(body: InstrumentBody) -> bool:
    return (
        1 <= body.number <= NUMBER_MAX
        and re.fullmatch(r"[A-Z0-9][A-Z0-9_.-]{0,31}", body.symbol, re.ASCII) is not None
        and body.base != body.quote
        and body.market in {1, 2, 3}
        and body.status in {int(status) for status in InstrumentStatus}
        and 0 <= body.maker_fee_ppm < PPM
        and 0 <= body.taker_fee_ppm < PPM
        and 0 <= body.stop_band_ppm < PPM
        and 0 <= body.min_notional <= ASSET_TOTAL_MAX
        and 0 <= body.max_notional <= ASSET_TOTAL_MAX
        and 0 <= body.max_open_orders <= OPEN_ORDERS_MAX
        and 1 <= body.base_per_lot <= ASSET_TOTAL_MAX
        and 1 <= body.quote_per_lot_tick <= ASSET_TOTAL_MAX
    )


def _outside_sound(body: InstrumentBody) -> bool:
    """What only one of the outside markets has, no other says; limits are limits."""
    plain = InstrumentBody(
        number=1, symbol="A", base=1, quote=2, tick_size="1", lot_size="1", base_per_lot=1,
        quote_per_lot_tick=1,
    )  # fmt: skip
    for market, names in OUTSIDE_TERMS.items():
        given = [name for name in names if getattr(body, name) != getattr(plain, name)]
        if given and body.market != market:
            return False
    texts = (body.name, body.stock_id, body.venue)
    return (
        all(len(text) <= 64 and text.isprintable() for text in texts)
        and 0 <= body.inventory_lots_max * body.base_per_lot <= ASSET_TOTAL_MAX
        and 0 <= body.reference_ticks * body.quote_per_lot_tick <= ASSET_TOTAL_MAX
        and 0 <= body.slippage_ppm < PPM
        and 0 <= body.pool_min_notional <= ASSET_TOTAL_MAX
        and 0 <= body.pool_timeout_us <= 366 * 86_400_000_000
    )


def _ranges_sound(body: InstrumentBody) -> bool:
    prices = ASSET_TOTAL_MAX // body.quote_per_lot_tick
    lots = ASSET_TOTAL_MAX // body.base_per_lot
    return (
        1 <= body.price_ticks_min <= (body.price_ticks_max or prices) <= prices
        and 1 <= body.quantity_lots_min <= (body.quantity_lots_max or lots) <= lots
    )


def _sizes_sound(body: InstrumentBody, assets: dict[int, AssetBody]) -> bool:
    """One lot is base_per_lot base units; one lot at one tick is quote_per_lot_tick quote units."""
    if not (TEXT.fullmatch(body.tick_size) and TEXT.fullmatch(body.lot_size)):
        return False
    tick, lot = Fraction(body.tick_size), Fraction(body.lot_size)
    base = lot * 10 ** assets[body.base].decimals
    quote = tick * lot * 10 ** assets[body.quote].decimals
    return bool(base == body.base_per_lot and quote == body.quote_per_lot_tick)


def check_account(body: AccountBody, assets: dict[int, AssetBody]) -> None:
    """Refuse what no account can be opened with."""
    if not 0 <= body.member <= MEMBER_MAX or body.kind not in set(AccountKind) - {
        AccountKind.HOUSE
    }:
        raise Refusal(Reason.INVALID_DEFINITION)
    check_terms(body, assets)
    if len(dict(body.opening)) != len(body.opening) or len(body.opening) > OPENING_MAX:
        raise Refusal(Reason.INVALID_BODY)
    for asset, amount in body.opening:
        if asset not in assets:
            raise Refusal(Reason.UNKNOWN_ASSET)
        if not 0 <= amount <= ASSET_TOTAL_MAX:
            raise Refusal(Reason.INVALID_AMOUNT)
