"""What was before a bot came, as the projections have it: minutes, candles, orders of its own.

Promises: of minutes and candles, with imported trades, exactly what happened up to a seq: whole
minutes before `time_us`, which was the house's time at or before that seq, and the single trades
since. Of orders how they stand at that seq or later. Raises Behind while the projections are not
there yet.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from fondaco.core import client_ids
from fondaco.projections import bars as projected
from fondaco.projections import candles
from fondaco.projections.selectors import (
    OrderRow,
    TradeRow,
    cursor,
    order_by_client_id,
    trades,
    trades_between,
)
from fondaco.robots.backtest.beginning import candles_before, minutes_before
from fondaco.robots.backtest.tape import Bar
from fondaco.robots.rules.sight import Market

__all__ = ["Behind", "Projected", "past_candles", "past_minutes", "past_orders"]

MINUTE_US: Final = 60_000_000
PAGE: Final = 1000
END_US: Final = 1 << 62
WAIT_S: Final = 5.0
POLL_S: Final = 0.01


class Behind(Exception):
    """The projections have not come to that seq yet; ask again."""


def past_minutes(market: Market, *, seq: int, time_us: int) -> list[tuple[int, int, int, int]]:
    """Return (start, open, close, lots) of the minutes of the last 24 hours, in ticks."""
    return minutes_before(Projected(market.body.number, seq=seq, time_us=time_us))


def past_candles(
    market: Market, interval: projected.Interval, *, seq: int, time_us: int
) -> list[Bar]:
    """Return the candles of an interval so far, oldest first; the last may still be open."""
    past = Projected(market.body.number, seq=seq, time_us=time_us)
    return candles_before(past, interval, tick=market.tick, lot=market.lot)


def past_orders(account: int, names: Iterable[str], *, seq: int) -> dict[str, OrderRow]:
    """Return by client order id the orders of an account that the house has taken."""
    found = {}
    for name in names:
        _await(seq)
        row = order_by_client_id(account, client_ids.encode(name))
        if row is not None:
            found[name] = row
    return found


class Projected:
    """A market's past in the tables, up to the trades of a seq."""

    def __init__(self, number: int, *, seq: int, time_us: int) -> None:
        _await(seq)
        self._number = number
        self._minute_us = time_us - time_us % MINUTE_US
        fresh = [
            (row.time_us, row.trade_id, row.price_ticks, row.quantity_lots, row.quote_amount, False)
            for row in _trades_since(number, self._minute_us)
            if row.seq <= seq
        ]
        self._fresh = projected.fold_trades(fresh, projected.INTERVALS["1m"])
        last = candles.last_before(number, self._minute_us)
        self.newest_us = last[0] if last is not None else -1
        if self._fresh:
            self.newest_us = self._fresh[-1].start_us

    def bars(self, unit: str, begin_us: int, end_us: int) -> Sequence[projected.Bar]:
        interval = projected.INTERVALS[unit]
        return candles.stored(self._number, interval, start_us=begin_us, end_us=end_us)

    def minutes(self, begin_us: int) -> Sequence[projected.Bar]:
        fresh = [bar for bar in self._fresh if bar.start_us >= begin_us]
        return [*self.bars("1m", begin_us, self._minute_us), *fresh]

    def close_before(self, time_us: int) -> int:
        last = candles.last_before(self._number, time_us)
        return last[1] if last is not None else 0


def _await(seq: int) -> None:
    """Wait a little for the projector, which gathers for a moment; raises Behind."""
    deadline = time.monotonic() + WAIT_S
    while cursor().seq < seq:
        if time.monotonic() >= deadline:
            raise Behind(f"the projections are not at seq {seq} yet")
        time.sleep(POLL_S)


def _trades_since(number: int, since_us: int) -> Iterator[TradeRow]:
    page = trades_between(number, start_us=since_us, end_us=END_US, limit=PAGE)
    while page:
        yield from page
        page = (
            trades(number, from_id=page[-1].trade_id + 1, limit=PAGE) if len(page) == PAGE else []
        )
