"""A past for the demo's charts: seeded trades of the days before a house's first start.

Promises: one seed and one present give the same trades; they go the way of any recorded trades
(projections.imports), so that no balance moves and every rebuild has them again; an instrument
that has imported trades already is left alone. The house must not be running.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from fondaco.core.records import Command, InstrumentBody, unpack_body
from fondaco.house.commands import Definitions, commands
from fondaco.house.declared import House, InstrumentEntry
from fondaco.projections.imports import KeptFile, keep_trades, kept_files
from fondaco.robots.simulated_price import FairPrice, anchor_of, parts_of, twin_of, worth_of

__all__ = ["write_history"]

DAYS: Final = 7
STEP_MS: Final = 5_000  # of the walk; trades lie between
PAUSE_S: Final = (8.0, 40.0)  # between two trades: in the last day, and before it
STRAY: Final = 6e-4  # a walk so far from its last trade is traded, so that candles join
VALUE: Final = 5.3  # logarithm of what is usually traded a second, in dollars: as by the traders
MARKET_BOOK: Final = 1


def write_history(
    data_dir: Path, house: House, seed: int, *, now_ms: int | None = None
) -> list[KeptFile]:
    """Keep a week of seeded trades for each order-driven instrument of a new house."""
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    entries = {entry.symbol: entry for entry in house.instruments if entry.market == "book"}
    kept = []
    for instrument in _book_instruments(house):
        if kept_files(data_dir, instrument.symbol):
            continue
        data_dir.mkdir(parents=True, exist_ok=True)
        entry = entries[instrument.symbol]
        prices = _prices(entry, entries, seed)
        rows = data_dir / f"history-{instrument.symbol}.csv"
        try:
            with rows.open("w", encoding="ascii") as file:
                file.writelines(_rows(instrument, entry.quote, prices, seed, now_ms))
            kept.append(keep_trades(rows, data_dir=data_dir, instrument=instrument))
        finally:
            rows.unlink(missing_ok=True)
    return kept


def _book_instruments(house: House) -> Iterator[InstrumentBody]:
    for record in commands(house, Definitions({}, {})):
        if int.from_bytes(record[:2], "little") == Command.DEFINE_INSTRUMENT:
            body = msgspec.msgpack.decode(unpack_body(record), type=InstrumentBody)
            if body.market == MARKET_BOOK:
                yield body


def _walk(symbol: str, seed: int) -> list[float]:
    """Return the price every STEP_MS over the days, the same whoever asks."""
    chance = Random(f"{seed}/walk/{symbol}")
    anchor = anchor_of(symbol)
    fair = FairPrice(chance, anchor=anchor, price=anchor * (1 + chance.gauss(0, 0.01)))
    return [fair.step(STEP_MS / 1000) for _ in range(DAYS * 86_400_000 // STEP_MS + 1)]


def _prices(entry: InstrumentEntry, symbols: Collection[str], seed: int) -> list[float]:
    parts = parts_of(entry.base, entry.quote, symbols)
    if parts is None:
        return _walk(twin_of(entry.base, entry.quote, symbols) or entry.symbol, seed)
    base, quote = (_walk(symbol, seed) for symbol in parts)
    return [above / below for above, below in zip(base, quote, strict=True)]


def _rows(
    instrument: InstrumentBody, quote: str, prices: list[float], seed: int, now_ms: int
) -> Iterator[str]:
    """Yield `ts_ms,price,qty,buyer_is_maker` lines, oldest first, up to now."""
    chance = Random(f"{seed}/trades/{instrument.symbol}")
    tick, lot = float(instrument.tick_size), float(instrument.lot_size)
    price_digits, lot_digits = _digits(instrument.tick_size), _digits(instrument.lot_size)
    days_ms = DAYS * 86_400_000
    at_ms = 0  # of the walk
    while True:
        pause_s = PAUSE_S[at_ms < days_ms - 86_400_000]
        gap_ms = max(1, int(chance.expovariate(1 / pause_s) * 1000))
        at_ms = _strayed(prices, at_ms, min(at_ms + gap_ms, days_ms))
        if at_ms == days_ms:
            return
        worth = _worth_at(prices, at_ms)
        seller = chance.random() < 0.5
        price = worth * (1 - 2e-5 if seller else 1 + 2e-5)
        ticks = max(1, round(price / tick))
        value = chance.lognormvariate(VALUE, 1.0) * pause_s / worth_of(quote)
        lots = max(1, round(value / price / lot))
        maker = "true" if seller else "false"
        time_ms = now_ms - days_ms + at_ms
        yield f"{time_ms},{ticks * tick:.{price_digits}f},{lots * lot:.{lot_digits}f},{maker}\n"


def _worth_at(prices: list[float], at_ms: int) -> float:
    step, rest_ms = divmod(at_ms, STEP_MS)
    if not rest_ms:
        return prices[step]
    return prices[step] + (prices[step + 1] - prices[step]) * rest_ms / STEP_MS


def _strayed(prices: list[float], begun_ms: int, end_ms: int) -> int:
    """Return when the walk is first STRAY away from its price at the beginning, at most the end."""
    at_ms = begun_ms
    here = worth = _worth_at(prices, begun_ms)
    while at_ms < end_ms:
        next_ms = min(at_ms - at_ms % STEP_MS + STEP_MS, end_ms)
        there = _worth_at(prices, next_ms)
        if abs(there / worth - 1) > STRAY:
            away = worth * (1 + STRAY if there > worth else 1 - STRAY) - here
            return max(begun_ms + 1, at_ms + int((next_ms - at_ms) * away / (there - here)))
        at_ms, here = next_ms, there
    return end_ms


def _digits(step: str) -> int:
    return len(step.partition(".")[2])
