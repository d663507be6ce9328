"""The markets of every kind in the house's own words: REST and the streams @quote and @pool.

Promises: every instrument is here, with what its orders must keep to; a dealer market with its
newest quote, an agency market with its reference price and both pools, as the core's events have
told them. Prices and amounts are decimal text, times RFC 3339 in UTC. No orders, no accounts.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import msgspec

from fondaco.core.records import Side
from fondaco.gateway.account_reads import rate_text
from fondaco.gateway.call import Call
from fondaco.gateway.edge import Edge, Market
from fondaco.gateway.faults import Fault
from fondaco.gateway.instruments import AGENCY, BOOK, DEALER, Instrument
from fondaco.gateway.outside import Pool
from fondaco.projections import quotes
from fondaco.projections.bars import INTERVALS

__all__ = ["Markets", "outside_text"]

EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
CANDLES_DEFAULT: Final = 500
CANDLES_MAX: Final = 1000
CANDLE_WORDS: Final = frozenset({"symbol", "interval", "limit"})
NOBODY: Final = Pool(0, 0, 0, 0, 0, 0)


class Markets:
    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def list_all(self, _call: Call) -> bytes:
        """Return all markets, in the order of their numbers."""
        await self._edge.catch_up()
        edge = self._edge
        return msgspec.json.encode(
            [self._words(edge.markets[each.number]) for each in edge.catalogue.all()]
        )

    async def one(self, call: Call) -> bytes:
        """Return one market. Raises Fault, 404."""
        market = self._named(call)
        await self._edge.catch_up()
        return msgspec.json.encode(self._words(market))

    async def candles(self, call: Call) -> bytes:
        """Return the candles of a dealer market's quotes, by their own time, oldest first.

        They come from SQL, which may be a moment behind. Raises Fault, 404 or of a field.
        """
        market = self._named(call)
        unread = sorted(call.parameters.keys() - CANDLE_WORDS)
        if unread:
            text = f"{unread[0][:40]!r} is not read here; give interval and limit, or nothing"
            raise Fault(-1104, text, field=unread[0][:40])
        instrument = market.instrument
        if instrument.market != DEALER:
            text = f"{instrument.symbol} is no dealer market: only those have candles of quotes."
            raise Fault(-1121, text, status=404)
        interval = call.get("interval") or "1m"
        if interval not in INTERVALS:
            text = f"interval was {interval[:20]!r}; it is one of {', '.join(INTERVALS)}"
            raise Fault(-1120, text, field="interval")
        limit = limit_of(call)
        await self._edge.catch_up()
        newest = market.outside.quote
        if newest is None:
            return b"[]"
        rows = await self._edge.read(
            quotes.bars,
            instrument.number,
            interval,
            start_us=0,
            end_us=newest.message_us + 1,
            limit=limit,
        )
        return msgspec.json.encode([candle_of(row, instrument) for row in rows])

    def _named(self, call: Call) -> Market:
        """Return the market that the path names. Raises Fault, 404."""
        symbol = call.need("symbol")
        instrument = self._edge.catalogue.by_symbol.get(symbol)
        if instrument is None:
            raise Fault(-1121, f"There is no market {symbol[:40]!r}.", status=404)
        return self._edge.markets[instrument.number]

    def _words(self, market: Market) -> dict[str, Any]:
        status = self._edge.catalogue.status_of(market.instrument)
        return {**terms_of(market.instrument), "status": status, **state_of(market)}


def terms_of(instrument: Instrument) -> dict[str, Any]:
    """Return what an instrument is and what its orders must keep to."""
    body = instrument.body
    tick, lot, quote = instrument.tick.text, instrument.lot.text, instrument.quote.text
    found = {
        "symbol": instrument.symbol,
        "name": body.name,
        "market": instrument.market,
        "base": instrument.base.code,
        "quote": instrument.quote.code,
        "tick_size": body.tick_size,
        "lot_size": body.lot_size,
        "price_min": tick(body.price_ticks_min),
        "price_max": tick(instrument.ticks_max),
        "quantity_min": lot(body.quantity_lots_min),
        "quantity_max": lot(instrument.lots_max),
        "notional_min": quote(body.min_notional),
        "notional_max": quote(instrument.notional_max),
        "taker_fee": rate_text(body.taker_fee_ppm),
        "fee_in_quote": body.fee_in_quote,
    }
    if instrument.market == BOOK:
        found["stop_band"] = rate_text(body.stop_band_ppm)
    elif instrument.market == DEALER:
        found["stock_id"] = body.stock_id
    elif instrument.market == AGENCY:
        found["venue"] = body.venue
        found["slippage"] = rate_text(body.slippage_ppm)
    return found


def limit_of(call: Call) -> int:
    """Return `limit`. Raises Fault of the field where it is no whole number within the bounds."""
    text = call.get("limit") or str(CANDLES_DEFAULT)
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= CANDLES_MAX):
        raise Fault(-1130, f"limit was {text[:20]!r}; give 1 to {CANDLES_MAX}", field="limit")
    return int(text)


def candle_of(row: quotes.PriceBar, instrument: Instrument) -> dict[str, Any]:
    tick = instrument.tick.text
    return {
        "time": time_text(row.start_us),
        "open": tick(row.open_ticks),
        "high": tick(row.high_ticks),
        "low": tick(row.low_ticks),
        "close": tick(row.close_ticks),
        "messages": row.quotes,
    }


def state_of(market: Market) -> dict[str, Any]:
    """Return what a dealer or agency market is now; nothing for a book."""
    if market.instrument.market == DEALER:
        return quote_of(market)
    if market.instrument.market == AGENCY:
        return pools_of(market)
    return {}


def quote_of(market: Market) -> dict[str, Any]:
    """Return the newest quote; nulls before the first message."""
    quote = market.outside.quote
    if quote is None:
        return {"price": None, "availability": None, "time": None}
    return {
        "price": market.instrument.tick.text(quote.price_ticks),
        "availability": market.instrument.lot.text(quote.availability_lots),
        "time": time_text(quote.message_us),
    }


def pools_of(market: Market) -> dict[str, Any]:
    """Return the reference price, null before there is one, and the pool of each side."""
    ticks = market.outside.reference_ticks
    return {
        "reference_price": market.instrument.tick.text(ticks) if ticks else None,
        "pools": {side.name.lower(): _pool(market, side) for side in Side},
    }


def _pool(market: Market, side: Side) -> dict[str, Any]:
    instrument = market.instrument
    pool = market.outside.pools.get(side, NOBODY)
    return {
        "orders": pool.orders,
        "quantity": instrument.lot.text(pool.quantity_lots),
        "notional": instrument.quote.text(pool.notional),
        "min_notional": instrument.quote.text(instrument.body.pool_min_notional),
        "deadline": time_text(pool.deadline_us) if pool.deadline_us else None,
    }


def outside_text(market: Market, now_us: int) -> str:
    """Return the message of @quote or @pool."""
    event = "quote" if market.instrument.market == DEALER else "pool"
    head = {"e": event, "E": now_us // 1000, "s": market.instrument.symbol}
    return msgspec.json.encode({**head, **state_of(market)}).decode()


def time_text(time_us: int) -> str:
    """Return a moment as RFC 3339 to the microsecond, in UTC."""
    moment = EPOCH + dt.timedelta(microseconds=time_us)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
