"""What a rule sees of one market in a backtest: its last trade, best prices, day and figures.

Promises: only what the rule reads is kept up; a value that changes is named, so that the index of
waiting rules can be told. The best prices are the last trade of each taker, kept a tick apart, as
the market of a backtest has them (record 0722).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from fondaco.robots.backtest.figures import Figures
from fondaco.robots.backtest.floor import best_after
from fondaco.robots.backtest.tape import Tick
from fondaco.robots.backtest.window import DayWindow
from fondaco.robots.rules.plan import Figure, Plan, TickerOf
from fondaco.robots.rules.view import Quote

__all__ = ["Seen", "watched"]

FIELDS: Final = ("last", "bid", "ask", "volume", "change")


def watched(plan: Plan) -> list[str]:
    """Return the markets of which a rule reads more than what it holds there, by name."""
    read = {one.symbol for one in plan.operands if isinstance(one, TickerOf)}
    return sorted(read | {one.ticker for one in plan.figures})


class Seen:
    """One market as a rule sees it."""

    def __init__(self, plan: Plan, symbol: str, *, tick: Decimal, lot: Decimal) -> None:
        """Keep what the rule reads of the symbol. Raises FiguresMissing."""
        read = {
            one.field for one in plan.operands if isinstance(one, TickerOf) and one.symbol == symbol
        }
        self.figures = Figures(one for one in plan.figures if one.ticker == symbol)
        self.sources = {name: TickerOf(symbol, name) for name in FIELDS if name in read}
        self.day = [one for one in self.sources.values() if one.field in {"volume", "change"}]
        self.reads_more = bool(self.figures.values) or not read <= {"last"}
        self._window = DayWindow() if self.day else None
        self._tick, self._lot = tick, lot
        self.last: Decimal | None = None
        self.bid_ticks = self.ask_ticks = 0
        self._volume: Decimal | None = None
        self._change: Decimal | None = None

    def take(
        self, time_us: int, ticks: Sequence[Tick], best: tuple[int, int]
    ) -> Iterator[tuple[TickerOf | Figure, Decimal | float | None]]:
        """Take a moment and its trades, after which these prices are best; yield what changed."""
        before = self.quote()
        figures: list[Figure] = []
        for tick in ticks:
            if self._window is not None:
                self._volume, self._change = self._window.take(tick)
            figures += self.figures.take(tick.time_us, tick.price, tick.quantity)
            self.last = tick.price
        if ticks:
            self.bid_ticks, self.ask_ticks = best
        if self._window is not None and self._window.advance(time_us):
            self._volume, self._change = self._window.figures()
        now = self.quote()
        for name, source in self.sources.items():
            value = getattr(now, name)
            if getattr(before, name) != value:
                yield source, value
        for figure in figures:
            yield figure, self.figures.values[figure]

    def take_alone(self, tick: Tick) -> Iterator[tuple[TickerOf | Figure, Decimal | float | None]]:
        """Take a trade of a market on which the robot doesn't trade; yield what changed."""
        price = int(tick.price / self._tick)
        best = best_after(self.bid_ticks, self.ask_ticks, price, buys=tick.buys)
        if self.reads_more:
            yield from self.take(tick.time_us, [tick], best)
            return
        self.bid_ticks, self.ask_ticks = best
        if self.last != tick.price:
            self.last = tick.price
            yield self.sources["last"], tick.price

    def falls_us(self) -> int | None:
        """Return when the oldest minute falls out of the last 24 hours, if the rule reads them."""
        return None if self._window is None else self._window.next_us()

    def quote(self) -> Quote:
        """Return the market as a rule reads it."""
        return Quote(
            last=self.last,
            bid=self.bid_ticks * self._tick if self.bid_ticks > 0 else None,
            ask=self.ask_ticks * self._tick if self.ask_ticks > 0 else None,
            volume=self._volume,
            change=self._change,
            lot=self._lot,
            tick=self._tick,
        )
