"""A first reading of a tape: how fine its numbers are, and how much a trade usually is.

Promises: the steps that it proposes hold every price of the file exactly, within the 8 decimals
that money has here; it reads the whole file, so that whatever can't be read is said before a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from fondaco.robots.backtest.tape import TapeFault, Tick, read_candles, read_trades

__all__ = ["Survey", "survey_candles", "survey_ticks", "survey_trades"]

DECIMALS_MAX: Final = 8  # of an asset; a lot at a tick must be a whole unit of it
TYPICAL_DEPTH: Final = 10  # mean trades that stand at a price, if nothing else is said


OnRows = Callable[[int], None]


def _unheard(rows: int) -> None:
    """Tell nobody how far the reading is."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is like."""

    rows: int
    tick: Decimal
    lot: Decimal
    depth: Decimal  # ten times the mean quantity of a tick, in whole lots, at least one
    interval_us: int  # of candles: the least time between two; 0 for trades


def survey_trades(path: Path, on_rows: OnRows = _unheard) -> Survey:
    """Read a file of trades; raises TapeFault or OSError."""
    return survey_ticks(path, read_trades(path), on_rows)


def survey_ticks(path: Path, ticks: Iterable[Tick], on_rows: OnRows = _unheard) -> Survey:
    """Read a tape that was opened otherwise; raises TapeFault if it has no trade."""
    rows = ((tick.time_us, (tick.price,), tick.quantity) for tick in ticks)
    found = _survey(path, rows, on_rows, ticks_per_row=1)
    return msgspec.structs.replace(found, interval_us=0)


def survey_candles(path: Path, on_rows: OnRows = _unheard) -> Survey:
    """Read a file of candles; raises TapeFault or OSError."""
    rows = (
        (bar.open_us, (bar.open, bar.high, bar.low, bar.close), bar.volume)
        for bar in read_candles(path)
    )
    found = _survey(path, rows, on_rows, ticks_per_row=4)
    if found.rows < 2:
        raise TapeFault(f"{path}: found one candle; two say how long one lasts")
    return found


def _survey(
    path: Path,
    rows: Iterable[tuple[int, tuple[Decimal, ...], Decimal]],
    on_rows: OnRows,
    *,
    ticks_per_row: int,
) -> Survey:
    count = price_places = quantity_places = 0
    total = Decimal(0)
    last_us = -1
    interval_us = 0
    for time_us, prices, quantity in rows:
        count += 1
        for price in prices:
            price_places = max(price_places, _places(price))
        quantity_places = max(quantity_places, _places(quantity))
        total += quantity
        step_us = time_us - last_us
        if last_us >= 0 and step_us > 0 and (interval_us == 0 or step_us < interval_us):
            interval_us = step_us
        last_us = time_us
        if not count & 0xFFF:
            on_rows(count)
    if not count:
        raise TapeFault(f"{path}: found no trade or candle")
    if price_places > DECIMALS_MAX:
        raise TapeFault(f"{path}: a price has {price_places} decimals; at most {DECIMALS_MAX}")
    tick = Decimal(1).scaleb(-price_places)
    lot = Decimal(1).scaleb(-min(quantity_places, DECIMALS_MAX - price_places))
    typical = total * TYPICAL_DEPTH / (count * ticks_per_row)
    depth = max(lot, typical // lot * lot)
    return Survey(rows=count, tick=tick, lot=lot, depth=depth, interval_us=interval_us)


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "the tape's numbers are finite"
    return max(0, -exponent)
