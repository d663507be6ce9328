"""The public streams: trades, book, bars and tickers, told to whoever subscribed.

Promises: @trade, @aggTrade and @bookTicker go out once a turn of the loop with what its commits
brought; @depth@100ms, the partial books, the bars, @quote and @pool by a tick of 100 ms, @depth
and the tickers each second, only when changed; @signal as signals.py says. Difference streams
carry the book's own sequence without a gap; if the mirror had to be loaded anew, U tells it and
the client takes a new snapshot, as it must.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from fondaco.core.records import Side
from fondaco.gateway.depth import Differences
from fondaco.gateway.edge import Edge, Market
from fondaco.gateway.instruments import AGENCY, BOOK, DEALER
from fondaco.gateway.market_reads import (
    average_text,
    change_text,
    levels_json,
    percent_text,
)
from fondaco.gateway.markets import outside_text
from fondaco.gateway.overlay import trade_row
from fondaco.gateway.signals import SIGNAL, SignalTopics
from fondaco.gateway.streams import Connection, Topics
from fondaco.gateway.tape import LiveBar
from fondaco.projections import candles
from fondaco.projections.bars import INTERVALS, Bar
from fondaco.projections.selectors import TradeRow, aggregate

__all__ = ["Broadcast", "StreamName", "parse_stream"]

TICK_S: Final = 0.1
TICKS_A_SECOND: Final = 10
TICKS_A_BAR: Final = 2  # running bars are told every 200 ms
GRACE_US: Final = 200_000  # for trades stamped just before the minute turned
LONG: Final = frozenset({"3d", "1w", "1M"})  # bars longer than the day that memory holds
_NAME: Final = re.compile(
    r"([a-z0-9]{1,20})@"
    r"(trade|aggTrade|bookTicker|miniTicker|ticker|kline_\w{2,3}|depth\d{0,2}|quote|pool|signal)"
    r"(?:@(100|1000)ms)?\Z"
)
_ALL: Final = {"!miniTicker@arr": "miniTicker", "!ticker@arr": "ticker"}
OUTSIDE: Final = {"quote": DEALER, "pool": AGENCY}  # streams of one kind of market
PARTIAL: Final = frozenset({"5", "10", "20"})


class StreamName(NamedTuple):
    """A stream's name, taken apart. `symbol` is "" for the streams of all markets."""

    topic: str
    symbol: str
    kind: str
    argument: str  # the interval of a kline, the levels of a partial depth
    speed_ms: int


def parse_stream(name: str) -> StreamName | None:
    """Return a stream by its name, None if there is no such stream."""
    if name in _ALL:
        return StreamName(name, "", _ALL[name], "", 1000)
    found = _NAME.match(name)
    if found is None:
        return None
    symbol, kind, speed = found.groups()
    argument = ""
    speed_ms = int(speed or 1000)
    if kind.startswith("kline_"):
        kind, argument = "kline", kind.removeprefix("kline_")
        if argument not in INTERVALS or speed:
            return None
    elif kind.startswith("depth"):
        kind, argument = "depth", kind.removeprefix("depth")
        if argument and argument not in PARTIAL:
            return None
    elif speed:
        return None
    topic = f"{symbol}@{kind}{argument}@{speed_ms}"
    return StreamName(topic, symbol.upper(), kind, argument, speed_ms)


class Broadcast:
    def __init__(self, edge: Edge, topics: Topics, *, cash: str = "") -> None:
        self._edge = edge
        self._topics = topics
        self._signals = SignalTopics(edge, topics, cash)
        self._watched: dict[str, tuple[StreamName, Market, Differences | LiveBar | None]] = {}
        self._arrays: set[str] = set()
        self._tickers_changed: set[Market] = set()
        self._ticks = 0
        self._preparing: dict[str, asyncio.Task[None]] = {}

    # ---- subscriptions

    def subscribe(self, connection: Connection, name: str, prefix: str) -> bool:
        """Subscribe a connection to a public stream; False if there is no such stream."""
        stream = parse_stream(name)
        if stream is None:
            return False
        market: Market | None = None
        if stream.symbol:
            instrument = self._edge.catalogue.by_symbol.get(stream.symbol)
            if instrument is None or instrument.market != OUTSIDE.get(stream.kind, BOOK):
                return False
            market = self._edge.markets[instrument.number]
        made = self._topics.subscribe(connection, name, topic=stream.topic, prefix=prefix)
        if market is None:
            self._arrays.add(stream.topic)
        elif stream.kind == SIGNAL:
            if made is not None:
                self._signals.join(stream.topic, market, made)
        elif stream.topic not in self._watched:
            self._watch(stream, market)
        if market is not None:
            market.outside.changed = True  # who comes later is told what is now, too
        return True

    def _watch(self, stream: StreamName, market: Market) -> None:
        state: Differences | LiveBar | None = None
        if stream.kind == "depth" and not stream.argument:
            state = Differences(market.depth.book_seq)
            market.depth.differences.append(state)
        elif stream.kind == "kline":
            if stream.argument in LONG and stream.argument not in market.tape.live:
                self._preparing[stream.topic] = asyncio.get_running_loop().create_task(
                    self._prepare(stream, market)
                )
                return
            state = market.tape.watch(stream.argument, self._edge.now_us(), None)
            state.changed = True
        self._watched[stream.topic] = (stream, market, state)
        market.levels_changed = True

    async def _prepare(self, stream: StreamName, market: Market) -> None:
        """Read what a long bar holds already, then watch it."""
        number = market.instrument.number
        newer = self._edge.overlay.trades(number)
        now_us = self._edge.now_us()
        bars: list[Bar] = await self._edge.read(
            candles.klines, number, stream.argument, now_us=now_us, limit=1, newer=newer
        )
        del self._preparing[stream.topic]
        if self._topics.get(stream.topic) is not None:
            live = market.tape.watch(stream.argument, now_us, bars)
            live.changed = True
            self._watched[stream.topic] = (stream, market, live)

    def ended(self, topics: Iterable[str]) -> None:
        """Stop what nobody listens to any more."""
        for topic in topics:
            self._arrays.discard(topic)
            self._signals.leave(topic)
            stream, market, state = self._watched.pop(topic, (None, None, None))
            if market is None or stream is None:
                continue
            if isinstance(state, Differences):
                market.depth.differences.remove(state)
            elif isinstance(state, LiveBar):
                market.tape.live.pop(stream.argument, None)

    # ---- once a turn

    def tell_turn(self, touched: Iterable[Market]) -> None:
        """Tell trades and best prices that the turn brought."""
        topics = self._topics
        for market in touched:
            symbol = market.instrument.symbol.lower()
            if market.trades_untold:
                self._tell_trades(market, symbol)
            best = topics.get(f"{symbol}@bookTicker@1000")
            if best is not None:
                (bid, bid_lots), (ask, ask_lots) = market.depth.best_bid(), market.depth.best_ask()
                if market.best_told != (bid, bid_lots, ask, ask_lots):
                    market.best_told = (bid, bid_lots, ask, ask_lots)
                    best.publish(_book_ticker(market))
            if market.instrument.is_book:
                self._tickers_changed.add(market)

    def _tell_trades(self, market: Market, symbol: str) -> None:
        single = self._topics.get(f"{symbol}@trade@1000")
        joined = self._topics.get(f"{symbol}@aggTrade@1000")
        if single is not None or joined is not None:
            rows = [trade_row(events, offset) for events, offset in market.trades_untold]
            told_us = self._edge.now_us()
            if single is not None:
                for row in rows:
                    single.publish(_trade(row, market, told_us))
            if joined is not None:
                for text in _aggregates(rows, market, told_us):
                    joined.publish(text)
        market.trades_untold.clear()

    # ---- by the clock

    def tick(self) -> None:
        """Tell what is told by the clock; to be called every TICK_S."""
        self._ticks += 1
        now_us = self._edge.now_us()
        self._signals.tick(now_us)
        second = self._ticks % TICKS_A_SECOND == 0
        bars = self._ticks % TICKS_A_BAR == 0
        for topic, (stream, market, state) in list(self._watched.items()):
            if isinstance(state, Differences):
                if second or stream.speed_ms == 100:
                    self._tell_differences(topic, market, state, now_us)
            elif stream.kind == "depth":
                if second or stream.speed_ms == 100:
                    self._tell_partial(topic, stream, market, second=second)
            elif stream.kind in OUTSIDE:
                if market.outside.changed:
                    self._publish(topic, outside_text(market, now_us))
            elif isinstance(state, LiveBar):
                if bars:
                    self._tell_bar(topic, market, state, now_us)
            elif second and stream.kind in {"ticker", "miniTicker"}:
                self._tell_ticker(topic, stream, market, now_us)
        if second:
            self._tell_arrays(now_us)
            self._tickers_changed.clear()
        for market in self._edge.markets.values():
            market.levels_changed = market.outside.changed = False

    def _tell_differences(
        self, topic: str, market: Market, changed: Differences, now_us: int
    ) -> None:
        if not (changed.bids or changed.asks):
            return
        instrument = market.instrument
        last = market.depth.book_seq
        text = (
            f'{{"e":"depthUpdate","E":{now_us // 1000},"s":"{instrument.symbol}",'
            f'"U":{changed.taken_seq + 1},"u":{last},'
            f'"b":[{levels_json(sorted(changed.bids.items(), reverse=True), instrument)}],'
            f'"a":[{levels_json(sorted(changed.asks.items()), instrument)}]}}'
        )
        changed.taken_seq = last
        changed.bids.clear()
        changed.asks.clear()
        self._publish(topic, text)

    def _tell_partial(
        self, topic: str, stream: StreamName, market: Market, *, second: bool
    ) -> None:
        if not market.levels_changed and not (second and stream.speed_ms == 1000):
            return
        bids, asks = market.depth.top(int(stream.argument))
        instrument = market.instrument
        text = (
            f'{{"lastUpdateId":{market.depth.book_seq},'
            f'"bids":[{levels_json(bids, instrument)}],"asks":[{levels_json(asks, instrument)}]}}'
        )
        self._publish(topic, text)

    def _tell_bar(self, topic: str, market: Market, live: LiveBar, now_us: int) -> None:
        live.turn(now_us - GRACE_US)
        for bar in live.closed:
            self._publish(topic, _kline(bar, live, market, now_us, closed=True))
        live.closed.clear()
        if live.changed and live.bar.close_ticks:
            self._publish(topic, _kline(live.bar, live, market, now_us, closed=False))
        live.changed = False

    def _tell_ticker(self, topic: str, stream: StreamName, market: Market, now_us: int) -> None:
        if market in self._tickers_changed:
            told = _ticker if stream.kind == "ticker" else _mini_ticker
            self._publish(topic, told(market, now_us))

    def _tell_arrays(self, now_us: int) -> None:
        for topic in self._arrays:
            told = _ticker if _ALL[topic] == "ticker" else _mini_ticker
            texts = [told(market, now_us) for market in self._tickers_changed]
            if texts:
                self._publish(topic, f"[{','.join(texts)}]")

    def _publish(self, topic: str, text: str) -> None:
        found = self._topics.get(topic)
        if found is not None:
            found.publish(text)


# ---- JSON


def _trade(row: TradeRow, market: Market, told_us: int) -> str:
    instrument = market.instrument
    return (
        f'{{"e":"trade","E":{told_us // 1000},"s":"{instrument.symbol}","t":{row.trade_id},'
        f'"p":"{instrument.tick.text(row.price_ticks)}",'
        f'"q":"{instrument.lot.text(row.quantity_lots)}","T":{row.time_us // 1000},'
        f'"m":{"true" if row.taker_side == Side.SELL else "false"},"M":true}}'
    )


def _aggregates(rows: list[TradeRow], market: Market, told_us: int) -> list[str]:
    instrument = market.instrument
    return [
        f'{{"e":"aggTrade","E":{told_us // 1000},"s":"{instrument.symbol}",'
        f'"a":{each.first_trade_id},"p":"{instrument.tick.text(each.price_ticks)}",'
        f'"q":"{instrument.lot.text(each.quantity_lots)}","f":{each.first_trade_id},'
        f'"l":{each.last_trade_id},"T":{each.time_us // 1000},'
        f'"m":{"true" if each.taker_side == Side.SELL else "false"},"M":true}}'
        for each in aggregate(rows)
    ]


def _book_ticker(market: Market) -> str:
    bid, bid_lots, ask, ask_lots = market.best_told
    tick, lot = market.instrument.tick.text, market.instrument.lot.text
    return (
        f'{{"u":{market.depth.book_seq},"s":"{market.instrument.symbol}","b":"{tick(bid)}",'
        f'"B":"{lot(bid_lots)}","a":"{tick(ask)}","A":"{lot(ask_lots)}"}}'
    )


def _kline(bar: Bar, live: LiveBar, market: Market, now_us: int, *, closed: bool) -> str:
    instrument = market.instrument
    tick, lot, quote = instrument.tick.text, instrument.lot.text, instrument.quote.text
    first, last = (bar.first_trade_id, bar.last_trade_id) if bar.trades else (-1, -1)
    return (
        f'{{"e":"kline","E":{now_us // 1000},"s":"{instrument.symbol}","k":{{'
        f'"t":{bar.start_us // 1000},"T":{live.interval.next_start(bar.start_us) // 1000 - 1},'
        f'"s":"{instrument.symbol}","i":"{live.interval.name}","f":{first},"L":{last},'
        f'"o":"{tick(bar.open_ticks)}","c":"{tick(bar.close_ticks)}",'
        f'"h":"{tick(bar.high_ticks)}","l":"{tick(bar.low_ticks)}",'
        f'"v":"{lot(bar.volume_lots)}","n":{bar.trades},"x":{"true" if closed else "false"},'
        f'"q":"{quote(bar.volume_quote)}","V":"{lot(bar.taker_buy_lots)}",'
        f'"Q":"{quote(bar.taker_buy_quote)}","B":"0"}}}}'
    )


def _mini_ticker(market: Market, now_us: int) -> str:
    instrument = market.instrument
    tick, lot = instrument.tick.text, instrument.lot.text
    day = market.tape.day(now_us)
    return (
        f'{{"e":"24hrMiniTicker","E":{now_us // 1000},"s":"{instrument.symbol}",'
        f'"c":"{tick(day.last_ticks)}","o":"{tick(day.open_ticks)}","h":"{tick(day.high_ticks)}",'
        f'"l":"{tick(day.low_ticks)}","v":"{lot(day.volume_lots)}",'
        f'"q":"{instrument.quote.text(day.volume_quote)}"}}'
    )


def _ticker(market: Market, now_us: int) -> str:
    instrument = market.instrument
    tick, lot = instrument.tick.text, instrument.lot.text
    day = market.tape.day(now_us)
    change = day.last_ticks - day.open_ticks
    mean = (
        average_text(instrument, day.volume_lots, day.volume_quote)
        if day.volume_lots
        else tick(day.last_ticks)
    )
    (bid, bid_lots), (ask, ask_lots) = market.depth.best_bid(), market.depth.best_ask()
    return (
        f'{{"e":"24hrTicker","E":{now_us // 1000},"s":"{instrument.symbol}",'
        f'"p":"{change_text(instrument, change)}",'
        f'"P":"{percent_text(change, day.open_ticks)}","w":"{mean}",'
        f'"x":"{tick(day.before_ticks)}","c":"{tick(day.last_ticks)}",'
        f'"Q":"{lot(day.last_lots)}","b":"{tick(bid)}","B":"{lot(bid_lots)}","a":"{tick(ask)}",'
        f'"A":"{lot(ask_lots)}","o":"{tick(day.open_ticks)}","h":"{tick(day.high_ticks)}",'
        f'"l":"{tick(day.low_ticks)}","v":"{lot(day.volume_lots)}",'
        f'"q":"{instrument.quote.text(day.volume_quote)}","O":{day.open_us // 1000},'
        f'"C":{day.close_us // 1000},"F":{day.first_trade_id},"L":{day.last_trade_id},'
        f'"n":{day.trades}}}'
    )
