"""What was before a bot came: the candles of the house that its figures are made of.

Promises: the candles are the projections', as of a seq, exactly: whole minutes before `time_us`,
which was the house's time at or before that seq, and the single trades since. Raises Behind while
the projections are not there yet.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from fondaco.projections import bars as projected
from fondaco.projections import candles
from fondaco.projections.selectors import TradeRow, cursor, trades, trades_between
from fondaco.robots.backtest.tape import Bar
from fondaco.robots.rules.sight import Market

__all__ = ["Behind", "past_candles", "past_minutes"]

MINUTE_US: Final = 60_000_000
BARS_KEPT: Final = 1500  # as signals.figures keeps
PAGE: Final = 1000
END_US: Final = 1 << 62
WAIT_S: Final = 5.0
POLL_S: Final = 0.01
STORED: Final = ((60_000_000, "1m"), (3_600_000_000, "1h"), (86_400_000_000, "1d"))


class Behind(Exception):
    """The projections have not come to that seq yet; ask again."""


def past_minutes(market: Market, *, seq: int, time_us: int) -> list[tuple[int, int, int, int]]:
    """Return (start, open, close, lots) of the minutes of the last 24 hours, in ticks."""
    begin_us = time_us - time_us % MINUTE_US - 86_400_000_000
    return [
        (bar.start_us, bar.open_ticks, bar.close_ticks, bar.volume_lots)
        for bar in _minutes(market, begin_us, seq=seq, time_us=time_us)
    ]


def past_candles(market: Market, length_us: int, *, seq: int, time_us: int) -> list[Bar]:
    """Return the candles of a length so far, oldest first; the last may still be open."""
    begin_us = time_us - time_us % length_us - BARS_KEPT * length_us
    unit_us, unit = next((us, name) for us, name in reversed(STORED) if length_us % us == 0)
    number = market.body.number
    whole_us = time_us - time_us % unit_us
    parts = candles.stored(number, projected.INTERVALS[unit], start_us=begin_us, end_us=whole_us)
    parts = [*parts, *_minutes(market, whole_us, seq=seq, time_us=time_us)]
    return _fold(market, parts, length_us)


def _minutes(market: Market, begin_us: int, *, seq: int, time_us: int) -> list[projected.Bar]:
    """Return the minutes from `begin_us` on, up to the trades of `seq`."""
    _await(seq)
    number = market.body.number
    minute_us = time_us - time_us % MINUTE_US
    step = projected.INTERVALS["1m"]
    found = candles.stored(number, step, start_us=begin_us, end_us=minute_us)
    fresh = [
        (row.time_us, row.trade_id, row.price_ticks, row.quantity_lots, row.quote_amount, False)
        for row in _trades_since(number, max(minute_us, begin_us))
        if row.seq <= seq
    ]
    return [*found, *projected.fold_trades(fresh, step)]


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


def _fold(market: Market, parts: Iterable[projected.Bar], length_us: int) -> list[Bar]:
    found: list[Bar] = []
    for part in parts:
        open_us = part.start_us - part.start_us % length_us
        prices = [
            ticks * market.tick
            for ticks in (part.open_ticks, part.high_ticks, part.low_ticks, part.close_ticks)
        ]
        volume: Decimal = part.volume_lots * market.lot
        if found and found[-1].open_us == open_us:
            last = found[-1]
            found[-1] = Bar(
                open_us,
                last.open,
                max(last.high, prices[1]),
                min(last.low, prices[2]),
                prices[3],
                last.volume + volume,
            )
        else:
            found.append(Bar._make((open_us, *prices, volume)))
    return found
