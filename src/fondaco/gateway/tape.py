"""The recent trades of one instrument and its bars of the last day, in memory.

Promises: begins with what the projections have and goes on with TRADE events; a trade counts once
however it came (ids rise by one). A day is the 1,440 minutes before now and the running one. Live
bars of longer intervals are kept only while a stream asks for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from fondaco.core.records import Side
from fondaco.projections.bars import (
    INTERVALS,
    MINUTE_US,
    Bar,
    Interval,
    fold_bars,
    merge,
)
from fondaco.projections.selectors import TradeRow

__all__ = ["Day", "LiveBar", "Tape", "bar_of"]

RECENT_MAX: Final = 1000  # trades; as many as one answer may hold
DAY_MINUTES: Final = 1440
PENDING_MAX: Final = 100_000  # trades that arrive while the past is being read


class Day(msgspec.Struct, frozen=True):
    """The sums of the last 24 hours. All 0 where there was no trade."""

    open_us: int
    close_us: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    last_ticks: int
    last_lots: int
    before_ticks: int  # the last price before the 24 hours
    volume_lots: int
    volume_quote: int
    first_trade_id: int
    last_trade_id: int
    trades: int


def bar_of(trade: TradeRow) -> Bar:
    """Return the bar of one trade, starting at its own moment."""
    price, lots, quote = trade.price_ticks, trade.quantity_lots, trade.quote_amount
    buys = trade.taker_side == Side.BUY
    return Bar(
        trade.time_us,
        price,
        price,
        price,
        price,
        lots,
        quote,
        lots if buys else 0,
        quote if buys else 0,
        1,
        trade.trade_id,
        trade.trade_id,
    )


class LiveBar:
    """The running bar of one interval, and the one before it while late trades may come."""

    __slots__ = ("bar", "before", "changed", "closed", "interval")

    def __init__(self, interval: Interval, bar: Bar) -> None:
        self.interval = interval
        self.bar = bar
        self.before: Bar | None = None
        self.closed: list[Bar] = []  # to be told as final
        self.changed = True

    def add(self, single: Bar) -> None:
        start = self.interval.start_of(single.start_us)
        if start == self.bar.start_us:
            if self.bar.trades:
                self.bar = merge(self.bar, single)
            else:
                self.bar = msgspec.structs.replace(single, start_us=start)
        elif start > self.bar.start_us:
            self._close()
            self.bar = msgspec.structs.replace(single, start_us=start)
        elif self.before is not None and start == self.before.start_us:
            # Stamped before the turn and seen after it: the final bar is told again.
            before = self.before
            late = merge(before, single) if before.trades else single
            self.before = msgspec.structs.replace(late, start_us=start)
            self.closed.append(self.before)
        self.changed = True

    def _close(self) -> None:
        self.before = self.bar
        self.closed.append(self.bar)

    def turn(self, now_us: int) -> None:
        """Begin the next bar, flat, when the clock has passed the running one."""
        following = self.interval.next_start(self.bar.start_us)
        if now_us < following:
            return
        close = self.bar.close_ticks
        self._close()
        start = self.interval.start_of(now_us)
        trade_id = self.bar.last_trade_id
        self.bar = Bar(start, close, close, close, close, 0, 0, 0, 0, 0, trade_id, trade_id)
        self.changed = True


class Tape:
    def __init__(self) -> None:
        self.loaded = False
        self.recent: deque[TradeRow] = deque(maxlen=RECENT_MAX)
        self.last_trade_id: int | None = None
        self.version = 0
        self.live: dict[str, LiveBar] = {}
        self._minutes: dict[int, Bar] = {}
        self._before_ticks = 0
        self._pending: list[TradeRow] = []
        self._day: tuple[tuple[int, int], Day] | None = None

    def load(self, trades: Sequence[TradeRow], minutes: Sequence[Bar]) -> None:
        """Take the newest trades and a day's minute bars from the projections."""
        self.recent.extend(trades)
        for bar in minutes:
            self._minutes[bar.start_us] = bar
        self.last_trade_id = trades[-1].trade_id if trades else None
        # Bars and trades were read at two moments: the bars may know more.
        known = minutes[-1].last_trade_id if minutes else self.last_trade_id
        self.loaded = True
        pending, self._pending = self._pending, []
        for trade in pending:
            self._add(trade, in_bars=known is None or trade.trade_id > known)

    def add(self, trade: TradeRow) -> None:
        """Take one TRADE event."""
        if self.loaded:
            self._add(trade, in_bars=True)
        elif len(self._pending) < PENDING_MAX:
            self._pending.append(trade)

    def _add(self, trade: TradeRow, *, in_bars: bool) -> None:
        if self.last_trade_id is not None and trade.trade_id <= self.last_trade_id:
            return
        self.last_trade_id = trade.trade_id
        self.recent.append(trade)
        self.version += 1
        if not in_bars:
            return
        single = bar_of(trade)
        minute = trade.time_us // MINUTE_US * MINUTE_US
        known = self._minutes.get(minute)
        if known is None:
            self._minutes[minute] = msgspec.structs.replace(single, start_us=minute)
            self._let_go(minute)
        else:
            self._minutes[minute] = merge(known, single)
        for live in self.live.values():
            live.add(single)

    def _let_go(self, now_us: int) -> None:
        """Forget minutes that no day from now on will hold."""
        if len(self._minutes) <= DAY_MINUTES + 2:
            return
        first = now_us - DAY_MINUTES * MINUTE_US
        for minute in [each for each in self._minutes if each < first]:
            self._before_ticks = self._minutes.pop(minute).close_ticks

    @property
    def last_price(self) -> int:
        """The price of the last trade in ticks, 0 before any."""
        return self.recent[-1].price_ticks if self.recent else 0

    def minutes_from(self, start_us: int) -> list[Bar]:
        """Return the minute bars in memory that begin at start_us or later, oldest first."""
        return [self._minutes[each] for each in sorted(self._minutes) if each >= start_us]

    def day(self, now_us: int) -> Day:
        """Return the sums of the 24 hours before now."""
        mark = (self.version, now_us // MINUTE_US)
        if self._day is not None and self._day[0] == mark:
            return msgspec.structs.replace(
                self._day[1], open_us=now_us - DAY_MINUTES * MINUTE_US, close_us=now_us
            )
        first = now_us - DAY_MINUTES * MINUTE_US
        minutes = self.minutes_from(first // MINUTE_US * MINUTE_US + MINUTE_US)
        earlier = [each for each in self._minutes if each <= first]
        before = self._minutes[max(earlier)].close_ticks if earlier else self._before_ticks
        day = _day_of(minutes, first, now_us, before, self.recent)
        self._day = (mark, day)
        return day

    def watch(self, name: str, now_us: int, known: Sequence[Bar] | None) -> LiveBar:
        """Return the live bar of an interval.

        `known` are its bars from elsewhere; None: the minutes in memory are enough for it.
        """
        live = self.live.get(name)
        if live is not None:
            return live
        interval = INTERVALS[name]
        start = interval.start_of(now_us)
        if known is None:
            parts = self.minutes_from(start)
        else:
            last = known[-1].last_trade_id if known else None
            parts = [bar for bar in known if bar.trades]
            parts += [bar_of(t) for t in self.recent if last is None or t.trade_id > last]
        folded = [bar for bar in fold_bars(parts, interval) if bar.start_us == start]
        close = self.last_price
        flat = Bar(start, close, close, close, close, 0, 0, 0, 0, 0, 0, 0)
        live = self.live[name] = LiveBar(interval, folded[-1] if folded else flat)
        return live


def _day_of(
    minutes: list[Bar], open_us: int, close_us: int, before: int, recent: deque[TradeRow]
) -> Day:
    last = recent[-1] if recent else None
    price = last.price_ticks if last else 0
    if not minutes:
        lots = last.quantity_lots if last else 0
        return Day(
            open_us, close_us, price, price, price, price, lots, before or price, 0, 0, -1, -1, 0
        )
    return Day(
        open_us=open_us,
        close_us=close_us,
        open_ticks=minutes[0].open_ticks,
        high_ticks=max(bar.high_ticks for bar in minutes),
        low_ticks=min(bar.low_ticks for bar in minutes),
        last_ticks=minutes[-1].close_ticks,
        last_lots=last.quantity_lots if last else 0,
        before_ticks=before or minutes[0].open_ticks,
        volume_lots=sum(bar.volume_lots for bar in minutes),
        volume_quote=sum(bar.volume_quote for bar in minutes),
        first_trade_id=minutes[0].first_trade_id,
        last_trade_id=minutes[-1].last_trade_id,
        trades=sum(bar.trades for bar in minutes),
    )
