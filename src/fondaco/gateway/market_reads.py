"""Public reads of the market: definitions, depth, trades, bars, tickers.

Promises: depth and tickers come from the same mirrors as the streams of this edge, after every
event that the writer had committed when it was asked (through other edges too); bars and old
trades from SQL with the overlay laid over them. Amounts are text with eight decimals.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from fondaco.core.records import Side
from fondaco.gateway import faults
from fondaco.gateway.call import Call
from fondaco.gateway.edge import Edge, Market
from fondaco.gateway.faults import Fault
from fondaco.gateway.instruments import Instrument
from fondaco.gateway.orders import PREVENTIONS, TYPES
from fondaco.gateway.trading import time_range
from fondaco.projections import candles, selectors
from fondaco.projections.bars import INTERVALS, Bar
from fondaco.projections.selectors import AggregateTrade, TradeRow

__all__ = ["MarketReads", "book_ticker_json", "price_json", "ticker_json", "trade_json"]

DEPTH_DEFAULT: Final = 100
DEPTH_MAX: Final = 5000
TRADES_DEFAULT: Final = 500
TRADES_MAX: Final = 1000
KLINES_DEFAULT: Final = 500
KLINES_MAX: Final = 1000
AVERAGE_MINUTES: Final = 5
ORDERS_UNLIMITED: Final = 1_000_000  # clients want a number where the house has no limit
SERVED_TYPES: Final = sorted(TYPES)


class MarketReads:
    def __init__(self, edge: Edge, rate_limits: list[dict[str, object]]) -> None:
        self._edge = edge
        self._rate_limits = rate_limits
        self._described: dict[str, bytes] = {}
        self._described_version = -1

    async def ping(self, _call: Call) -> bytes:
        return b"{}"

    async def time(self, _call: Call) -> bytes:
        return b'{"serverTime":%d}' % (self._edge.now_us() // 1000)

    async def exchange_info(self, call: Call) -> bytes:
        markets = self._chosen(call)
        catalogue = self._edge.catalogue
        if self._described_version != catalogue.version:
            self._described.clear()
            self._described_version = catalogue.version
        parts = []
        for market in markets:
            instrument = market.instrument
            made = self._described.get(instrument.symbol)
            if made is None:
                made = msgspec.json.encode(describe(instrument, catalogue.status_of(instrument)))
                self._described[instrument.symbol] = made
            parts.append(made)
        head = {
            "timezone": "UTC",
            "serverTime": self._edge.now_us() // 1000,
            "rateLimits": self._rate_limits,
            "exchangeFilters": [],
        }
        return msgspec.json.encode(head)[:-1] + b',"symbols":[' + b",".join(parts) + b"]}"

    def _chosen(self, call: Call) -> list[Market]:
        """Return the markets that symbol or symbols name, all without either."""
        edge = self._edge
        symbols = symbols_of(call)
        if symbols is None:
            return [edge.markets[each.number] for each in edge.catalogue.books()]
        return [edge.market_of(symbol) for symbol in symbols]

    async def depth(self, call: Call) -> bytes:
        market = self._edge.market_of(call.need("symbol"))
        limit = call.limit(default=DEPTH_DEFAULT, most=DEPTH_MAX)
        await self._edge.catch_up()
        if not market.depth.loaded:
            await self._edge.load_depth(market)
        return depth_json(market, limit).encode()

    async def trades(self, call: Call) -> bytes:
        market = self._edge.market_of(call.need("symbol"))
        limit = call.limit(default=TRADES_DEFAULT, most=TRADES_MAX)
        await self._edge.catch_up()
        rows = list(market.tape.recent)[-limit:]
        return _list(trade_json(row, market.instrument) for row in rows)

    async def historical_trades(self, call: Call) -> bytes:
        from_id = call.integer("fromId")
        if from_id is None:
            return await self.trades(call)
        market = self._edge.market_of(call.need("symbol"))
        limit = call.limit(default=TRADES_DEFAULT, most=TRADES_MAX)
        await self._edge.catch_up()
        rows = await self._trades_from(market, from_id, limit)
        return _list(trade_json(row, market.instrument) for row in rows)

    async def _trades_from(self, market: Market, from_id: int, limit: int) -> list[TradeRow]:
        number = market.instrument.number
        newer = self._edge.overlay.trades(number)
        rows = await self._edge.read(selectors.trades, number, from_id=from_id, limit=limit)
        return merge_trades(rows, newer, from_id=from_id)[:limit]

    async def aggregate_trades(self, call: Call) -> bytes:
        market = self._edge.market_of(call.need("symbol"))
        instrument = market.instrument
        limit = call.limit(default=TRADES_DEFAULT, most=TRADES_MAX)
        from_id = call.integer("fromId")
        start_us, end_us = time_range(call)
        await self._edge.catch_up()
        if from_id is None and start_us is None and end_us is None:
            rows = selectors.aggregate(list(market.tape.recent))
            if len(rows) < limit and len(market.tape.recent) == market.tape.recent.maxlen:
                rows = await self._aggregates(instrument, limit=limit)
            return _list(aggregate_json(row, instrument) for row in rows[-limit:])
        rows = await self._aggregates(
            instrument, from_id=from_id, start_us=start_us, end_us=end_us, limit=limit
        )
        return _list(aggregate_json(row, instrument) for row in rows)

    async def _aggregates(
        self,
        instrument: Instrument,
        *,
        limit: int,
        from_id: int | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> list[AggregateTrade]:
        """Return aggregates of SQL followed by those of the overlay that it doesn't have."""
        newer = self._edge.overlay.trades(instrument.number)
        rows = await self._edge.read(
            selectors.agg_trades,
            instrument.number,
            from_id=from_id,
            start_us=start_us,
            end_us=end_us,
            limit=limit,
        )
        last = rows[-1].last_trade_id if rows else None
        unseen = [
            row
            for row in newer
            if (last is None or row.trade_id > last)
            and (from_id is None or row.trade_id >= from_id)
            and (start_us is None or row.time_us >= start_us)
            and (end_us is None or row.time_us < end_us)
        ]
        newest = from_id is None and start_us is None
        if not newest and len(rows) >= limit:
            unseen = []
        merged = selectors.aggregate(unseen)
        return [*rows, *merged][-limit:] if newest else [*rows, *merged][:limit]

    async def klines(self, call: Call) -> bytes:
        market = self._edge.market_of(call.need("symbol"))
        interval = call.need("interval")
        if interval not in INTERVALS:
            raise Fault(*faults.INVALID_INTERVAL)
        if (call.get("timeZone") or "0") not in {"0", "0:00", "00:00", "+00:00"}:
            raise Fault(-1130, "Data sent for parameter 'timeZone' is not valid: only UTC, 0.")
        limit = call.limit(default=KLINES_DEFAULT, most=KLINES_MAX)
        start_us, end_us = time_range(call)
        await self._edge.catch_up()
        number = market.instrument.number
        newer = self._edge.overlay.trades(number)
        bars = await self._edge.read(
            candles.klines,
            number,
            interval,
            now_us=self._edge.now_us(),
            start_us=start_us,
            end_us=None if end_us is None else end_us - 1,
            limit=limit,
            newer=newer,
        )
        step = INTERVALS[interval]
        return _list(kline_json(bar, step.next_start, market.instrument) for bar in bars)

    async def average_price(self, call: Call) -> bytes:
        market = self._edge.market_of(call.need("symbol"))
        await self._edge.catch_up()
        now_us = self._edge.now_us()
        first = now_us - AVERAGE_MINUTES * 60_000_000
        bars = market.tape.minutes_from(first)
        lots = sum(bar.volume_lots for bar in bars)
        quote = sum(bar.volume_quote for bar in bars)
        price = market.instrument.tick.text(market.tape.last_price)
        if lots:
            price = average_text(market.instrument, lots, quote)
        return msgspec.json.encode(
            {"mins": AVERAGE_MINUTES, "price": price, "closeTime": now_us // 1000}
        )

    async def ticker_24hr(self, call: Call) -> bytes:
        kind = call.get("type") or "FULL"
        if kind not in {"FULL", "MINI"}:
            raise Fault(-1130, "Data sent for parameter 'type' is not valid.")
        now_us = self._edge.now_us()
        mini = kind == "MINI"
        return await self._each(call, lambda market: ticker_json(market, now_us, mini=mini))

    async def ticker_price(self, call: Call) -> bytes:
        return await self._each(call, price_json)

    async def ticker_book(self, call: Call) -> bytes:
        return await self._each(call, book_ticker_json)

    async def _each(self, call: Call, made: Callable[[Market], str]) -> bytes:
        """Return one object for `symbol`, otherwise a list."""
        markets = self._chosen(call)
        await self._edge.catch_up()
        if call.get("symbol"):
            return made(markets[0]).encode()
        return _list(made(market) for market in markets)


def symbols_of(call: Call) -> list[str] | None:
    """Return the symbols that a request names; None = all."""
    symbol, listed = call.get("symbol"), call.get("symbols")
    if symbol and listed:
        raise Fault(*faults.COMBINATION)
    if symbol:
        return [symbol]
    if not listed:
        return None
    try:
        symbols = msgspec.json.decode(listed, type=list[str])
    except msgspec.DecodeError:
        raise faults.bad_characters(
            "symbols", '^\\["[A-Z0-9]{1,20}"(,"[A-Z0-9]{1,20}")*\\]$'
        ) from None
    if not symbols:
        raise faults.mandatory("symbols")
    if len(set(symbols)) < len(symbols):
        raise Fault(-1101, "Duplicate values for parameter 'symbols' detected.")
    return symbols


def describe(instrument: Instrument, status: str) -> dict[str, object]:
    """Return one entry of exchangeInfo's symbols."""
    body, tick, lot = instrument.body, instrument.tick, instrument.lot
    sizes = {
        "minQty": lot.text(body.quantity_lots_min),
        "maxQty": lot.text(instrument.lots_max),
        "stepSize": lot.text(1),
    }
    orders_max = body.max_open_orders or ORDERS_UNLIMITED  # stops are among them
    return {
        "symbol": instrument.symbol,
        "status": status,
        "baseAsset": instrument.base.code,
        "baseAssetPrecision": instrument.base.decimals,
        "quoteAsset": instrument.quote.code,
        "quotePrecision": instrument.quote.decimals,
        "quoteAssetPrecision": instrument.quote.decimals,
        "baseCommissionPrecision": instrument.base.decimals,
        "quoteCommissionPrecision": instrument.quote.decimals,
        "orderTypes": SERVED_TYPES,
        "icebergAllowed": False,
        "ocoAllowed": True,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": tick.text(body.price_ticks_min),
                "maxPrice": tick.text(instrument.ticks_max),
                "tickSize": tick.text(1),
            },
            {"filterType": "LOT_SIZE", **sizes},
            {"filterType": "MARKET_LOT_SIZE", **sizes},
            {
                "filterType": "NOTIONAL",
                "minNotional": instrument.quote.text(body.min_notional),
                "applyMinToMarket": True,
                "maxNotional": instrument.quote.text(instrument.notional_max),
                "applyMaxToMarket": bool(body.max_notional),
                "avgPriceMins": 0,
            },
            {
                "filterType": "MAX_NUM_ORDERS",
                "maxNumOrders": orders_max,
            },
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": orders_max},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": list(PREVENTIONS),
    }


# ---- JSON


def _list(parts: Iterable[str]) -> bytes:
    return f"[{','.join(parts)}]".encode()


def levels_json(levels: list[tuple[int, int]], instrument: Instrument) -> str:
    tick, lot = instrument.tick.text, instrument.lot.text
    return ",".join([f'["{tick(price)}","{lot(lots)}"]' for price, lots in levels])


def depth_json(market: Market, limit: int) -> str:
    bids, asks = market.depth.top(limit)
    instrument = market.instrument
    return (
        f'{{"lastUpdateId":{market.depth.book_seq},"bids":[{levels_json(bids, instrument)}],'
        f'"asks":[{levels_json(asks, instrument)}]}}'
    )


def trade_json(row: TradeRow, instrument: Instrument) -> str:
    return (
        f'{{"id":{row.trade_id},"price":"{instrument.tick.text(row.price_ticks)}",'
        f'"qty":"{instrument.lot.text(row.quantity_lots)}",'
        f'"quoteQty":"{instrument.quote.text(row.quote_amount)}","time":{row.time_us // 1000},'
        f'"isBuyerMaker":{"true" if row.taker_side == Side.SELL else "false"},'
        f'"isBestMatch":true}}'
    )


def aggregate_json(row: AggregateTrade, instrument: Instrument) -> str:
    return (
        f'{{"a":{row.first_trade_id},"p":"{instrument.tick.text(row.price_ticks)}",'
        f'"q":"{instrument.lot.text(row.quantity_lots)}","f":{row.first_trade_id},'
        f'"l":{row.last_trade_id},"T":{row.time_us // 1000},'
        f'"m":{"true" if row.taker_side == Side.SELL else "false"},"M":true}}'
    )


def merge_trades(rows: list[TradeRow], newer: list[TradeRow], *, from_id: int) -> list[TradeRow]:
    """Return trades of SQL and of the overlay by id, each once."""
    found = {row.trade_id: row for row in rows}
    found.update({row.trade_id: row for row in newer if row.trade_id >= from_id})
    return [found[each] for each in sorted(found)]


def kline_json(bar: Bar, next_start: Callable[[int], int], instrument: Instrument) -> str:
    tick, lot, quote = instrument.tick.text, instrument.lot.text, instrument.quote.text
    return (
        f'[{bar.start_us // 1000},"{tick(bar.open_ticks)}","{tick(bar.high_ticks)}",'
        f'"{tick(bar.low_ticks)}","{tick(bar.close_ticks)}","{lot(bar.volume_lots)}",'
        f'{next_start(bar.start_us) // 1000 - 1},"{quote(bar.volume_quote)}",{bar.trades},'
        f'"{lot(bar.taker_buy_lots)}","{quote(bar.taker_buy_quote)}","0"]'
    )


def price_json(market: Market) -> str:
    instrument = market.instrument
    price = instrument.tick.text(market.tape.last_price)
    return f'{{"symbol":"{instrument.symbol}","price":"{price}"}}'


def book_ticker_json(market: Market) -> str:
    instrument = market.instrument
    tick, lot = instrument.tick.text, instrument.lot.text
    bid, bid_lots = market.depth.best_bid()
    ask, ask_lots = market.depth.best_ask()
    return (
        f'{{"symbol":"{instrument.symbol}","bidPrice":"{tick(bid)}","bidQty":"{lot(bid_lots)}",'
        f'"askPrice":"{tick(ask)}","askQty":"{lot(ask_lots)}"}}'
    )


def average_text(instrument: Instrument, lots: int, quote_units: int) -> str:
    """Return the mean price of a volume as wire text, rounded down."""
    base_units = lots * instrument.body.base_per_lot
    scaled = quote_units * 10 ** (8 + instrument.base.decimals)
    value = scaled // (base_units * 10**instrument.quote.decimals)
    return f"{value // 10**8}.{value % 10**8:08d}"


def percent_text(change: int, of: int) -> str:
    """Return change / of in per cent with three decimals, rounded to nearest."""
    if not of:
        return "0.000"
    value = (abs(change) * 200_000 + of) // (2 * of)
    sign = "-" if change < 0 and value else ""
    return f"{sign}{value // 1000}.{value % 1000:03d}"


def change_text(instrument: Instrument, ticks: int) -> str:
    text = instrument.tick.text(abs(ticks))
    return f"-{text}" if ticks < 0 else text


def ticker_json(market: Market, now_us: int, *, mini: bool = False) -> str:
    """Return the 24-hour ticker of one market."""
    instrument = market.instrument
    tick, lot, quote = instrument.tick.text, instrument.lot.text, instrument.quote.text
    day = market.tape.day(now_us)
    shared: dict[str, object] = {
        "openPrice": tick(day.open_ticks),
        "highPrice": tick(day.high_ticks),
        "lowPrice": tick(day.low_ticks),
        "lastPrice": tick(day.last_ticks),
        "volume": lot(day.volume_lots),
        "quoteVolume": quote(day.volume_quote),
        "openTime": day.open_us // 1000,
        "closeTime": day.close_us // 1000,
        "firstId": day.first_trade_id,
        "lastId": day.last_trade_id,
        "count": day.trades,
    }
    if mini:
        return json.dumps({"symbol": instrument.symbol, **shared}, separators=(",", ":"))
    bid, bid_lots = market.depth.best_bid()
    ask, ask_lots = market.depth.best_ask()
    change = day.last_ticks - day.open_ticks
    mean = average_text(instrument, day.volume_lots, day.volume_quote) if day.volume_lots else None
    full = {
        "symbol": instrument.symbol,
        "priceChange": change_text(instrument, change),
        "priceChangePercent": percent_text(change, day.open_ticks),
        "weightedAvgPrice": mean or tick(day.last_ticks),
        "prevClosePrice": tick(day.before_ticks),
        "lastQty": lot(day.last_lots),
        "bidPrice": tick(bid),
        "bidQty": lot(bid_lots),
        "askPrice": tick(ask),
        "askQty": lot(ask_lots),
        **shared,
    }
    return json.dumps(full, separators=(",", ":"))
