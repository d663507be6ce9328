"""What rule bots see of the house's markets: last trades, best prices, volume, change, figures.

It is fed with the events of the house, by seq, and tells which sources have a new value after each.
A market is known by its base coin, with the house's cash as quote. Which markets and figures are
followed at all is asked for: follow(), with where the market stands at some seq.

Promises: a function of the events alone, so whoever reads the same events later sees the same.
Prices and quantities are exact; events up to the seq of a market's beginning change nothing of it.
It has no clock, network or database.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from fondaco.core.records import (
    HEAD_WORDS,
    LAYOUTS,
    AssetBody,
    Event,
    InstrumentBody,
    Side,
    unpack_body,
)
from fondaco.robots.backtest.figures import Closed, Figures
from fondaco.robots.backtest.tape import Tick
from fondaco.robots.backtest.window import DayWindow
from fondaco.robots.rules.plan import Figure, TickerOf
from fondaco.robots.rules.view import Number, Quote

__all__ = ["FIELDS", "Asset", "Market", "Sight", "Standing", "Traded"]

FIELDS: Final = ("last", "bid", "ask", "volume", "change")
BOOK: Final = 1
END_US: Final = 1 << 62
_TRADE: Final = struct.Struct(f"<{HEAD_WORDS + len(LAYOUTS[Event.TRADE])}q")
_LEVEL: Final = struct.Struct(f"<{HEAD_WORDS + len(LAYOUTS[Event.LEVEL])}q")
_AT: Final = HEAD_WORDS


class Asset(msgspec.Struct, frozen=True):
    """A coin or the cash."""

    number: int
    code: str
    decimals: int


class Traded(NamedTuple):
    """One trade of the house: in ticks and lots, and whether its taker bought."""

    price_ticks: int
    lots: int
    buys: bool


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a market stood at a seq: ticks and lots; minutes are the last 24 hours'."""

    seq: int
    last_ticks: int = 0
    last_lots: int = 0
    last_buys: bool = False
    bids: Sequence[tuple[int, int]] = ()
    asks: Sequence[tuple[int, int]] = ()
    minutes: Sequence[tuple[int, int, int, int]] = ()  # start_us, open, close, lots


class Market:
    """One instrument as the bots see it."""

    def __init__(self, body: InstrumentBody, ticker: str, base_decimals: int) -> None:
        """Know its definition; nothing is followed yet."""
        self.base_decimals = base_decimals
        self.ticker = ticker
        self.define(body)
        self.seq = -1  # -1: not followed
        self.last_ticks = 0
        self.last_lots = 0
        self.last_buys = False
        self.sides: dict[int, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self.prices: dict[int, list[int]] = {Side.BUY: [], Side.SELL: []}
        self.window = DayWindow()
        self.figures = Figures(())
        self.volume: Decimal | None = None
        self.change: Decimal | None = None

    def define(self, body: InstrumentBody) -> None:
        """Take a definition; fees and limits may be others than before, steps never."""
        self.body = body
        self.tick = Decimal(body.tick_size)
        self.lot = Decimal(body.lot_size)

    def best(self, side: int) -> int:
        """Return the best price of a side in ticks, 0 if there is none."""
        prices = self.prices[side]
        if not prices:
            return 0
        return prices[-1] if side == Side.BUY else prices[0]

    def set_level(self, side: int, price: int, lots: int) -> None:
        """Take what is open at a price now."""
        levels, prices = self.sides[side], self.prices[side]
        if lots:
            if price not in levels:
                insort(prices, price)
            levels[price] = lots
        elif levels.pop(price, None) is not None:
            del prices[bisect_left(prices, price)]

    def standing(self, seq: int) -> Standing:
        """Return where it stands, as of the seq that was taken last."""
        return Standing(
            seq=seq,
            last_ticks=self.last_ticks,
            last_lots=self.last_lots,
            last_buys=self.last_buys,
            bids=list(self.sides[Side.BUY].items()),
            asks=list(self.sides[Side.SELL].items()),
            minutes=[
                (start_us, int(opened / self.tick), int(closed / self.tick), int(volume / self.lot))
                for start_us, opened, closed, volume in self.window.minutes()
            ],
        )

    def traded(self) -> Traded:
        """Return its last trade."""
        return Traded(self.last_ticks, self.last_lots, self.last_buys)

    def quote(self) -> Quote:
        """Return the ticker as a rule sees it."""
        bid, ask = self.best(Side.BUY), self.best(Side.SELL)
        return Quote(
            last=self.last_ticks * self.tick if self.last_ticks else None,
            bid=bid * self.tick if bid else None,
            ask=ask * self.tick if ask else None,
            volume=self.volume,
            change=self.change,
            lot=self.lot,
            tick=self.tick,
        )


class Sight:
    """All that the bots of one desk see."""

    def __init__(self, cash: str) -> None:
        """Begin with nothing defined; `cash` is the code of the house's cash."""
        self.cash_code = cash
        self.assets: dict[int, Asset] = {}
        self.codes: dict[str, Asset] = {}
        self.markets: dict[int, Market] = {}
        self.tickers: dict[str, Market] = {}
        self.quotes: dict[str, Quote] = {}
        self.figures: dict[Figure, float] = {}
        self._touched: set[int] = set()
        self._figured: list[Figure] = []
        self._due_us = END_US  # no minute's 24 hours end before

    # -- what there is

    def define(self, kind: int, record: bytes) -> None:
        """Take an ASSET or an INSTRUMENT; other kinds change nothing."""
        if kind == Event.ASSET:
            body = msgspec.msgpack.decode(unpack_body(record), type=AssetBody)
            asset = Asset(body.number, body.code, body.decimals)
            self.assets[asset.number] = self.codes[asset.code] = asset
        elif kind == Event.INSTRUMENT:
            found = msgspec.msgpack.decode(unpack_body(record), type=InstrumentBody)
            market = self.markets.get(found.number)
            if market is not None:
                market.define(found)
                return
            base = self.assets[found.base]
            if self.assets[found.quote].code == self.cash_code:
                market = Market(found, base.code, base.decimals)
                self.markets[found.number] = market
                if found.market == BOOK:  # where bots trade
                    self.tickers.setdefault(base.code, market)

    def named(self, number: int) -> tuple[str, int] | None:
        """Return what people call an asset, and its decimals."""
        asset = self.assets.get(number)
        if asset is None:
            return None
        return ("cash" if asset.code == self.cash_code else asset.code), asset.decimals

    def quote_of(self, ticker: str) -> int:
        """Return the asset that a ticker is paid in, 0 if there is no such market."""
        market = self.tickers.get(ticker)
        return market.body.quote if market is not None else 0

    def follow(self, ticker: str, standing: Standing) -> None:
        """See a market from where it stands on."""
        market = self.tickers[ticker]
        market.seq = standing.seq
        market.last_ticks = standing.last_ticks
        market.last_lots, market.last_buys = standing.last_lots, standing.last_buys
        for side, levels in ((Side.BUY, standing.bids), (Side.SELL, standing.asks)):
            for price, lots in levels:
                market.set_level(side, price, lots)
        for start_us, opened, closed, lots in standing.minutes:
            market.volume, market.change = market.window.take_minute(
                start_us, opened * market.tick, closed * market.tick, lots * market.lot
            )
        self._expect(market)
        self.quotes[ticker] = market.quote()

    def add_figures(
        self, ticker: str, figures: Iterable[Figure], past: Mapping[str, Sequence[Closed]]
    ) -> None:
        """Compute figures from now on; `past` has the candles of intervals that are new here."""
        market = self.tickers[ticker]
        for interval, candles in past.items():
            market.figures.begin(interval, candles)
        self.figures.update(market.figures.add(figures))

    def drop_figures(self, figures: Iterable[Figure]) -> None:
        """Compute these no more; between two commands."""
        for figure in figures:
            if self.figures.pop(figure, None) is not None:
                self.tickers[figure.ticker].figures.drop([figure])

    # -- what happens

    def trade(self, record: bytes | memoryview, offset: int) -> int:
        """Take a TRADE; return its instrument if it is followed, else 0."""
        words = _TRADE.unpack_from(record, offset)
        market = self.markets.get(words[_AT])
        if market is None or not 0 <= market.seq < words[1]:
            return 0
        market.last_ticks = words[_AT + 2]
        market.last_lots = words[_AT + 3]
        market.last_buys = words[_AT + 5] == Side.BUY
        price, quantity = words[_AT + 2] * market.tick, words[_AT + 3] * market.lot
        tick = Tick(words[2], price, quantity, market.last_buys)
        market.volume, market.change = market.window.take(tick)
        self._expect(market)
        for figure in market.figures.take(words[2], price, quantity):
            self.figures[figure] = market.figures.values[figure]
            self._figured.append(figure)
        self._touched.add(words[_AT])
        return int(words[_AT])

    def level(self, record: bytes | memoryview, offset: int) -> None:
        """Take a LEVEL of a market whose book is followed."""
        words = _LEVEL.unpack_from(record, offset)
        market = self.markets.get(words[_AT])
        if market is None or not 0 <= market.seq < words[1]:
            return
        market.set_level(words[_AT + 1], words[_AT + 2], words[_AT + 3])
        self._touched.add(words[_AT])

    def advance(self, time_us: int) -> None:
        """Let minutes fall out of the last 24 hours, now that it is so late."""
        if time_us < self._due_us:
            return
        self._due_us = END_US
        for number, market in self.markets.items():
            if market.window.advance(time_us):
                market.volume, market.change = market.window.figures()
                self._touched.add(number)
            self._expect(market)

    def _expect(self, market: Market) -> None:
        due_us = market.window.next_us()
        if due_us is not None and due_us < self._due_us:
            self._due_us = due_us

    def changes(self) -> list[tuple[TickerOf | Figure, Number | None]]:
        """Return, and forget, what has another value since the last call."""
        found: list[tuple[TickerOf | Figure, Number | None]] = []
        for number in sorted(self._touched):
            market = self.markets[number]
            before, now = self.quotes[market.ticker], market.quote()
            self.quotes[market.ticker] = now
            for name in FIELDS:
                value = getattr(now, name)
                if getattr(before, name) != value:
                    found.append((TickerOf(market.ticker, name), value))
        found += [(figure, self.figures[figure]) for figure in self._figured]
        self._touched.clear()
        self._figured.clear()
        return found
