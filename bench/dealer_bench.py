"""What do 10 million messages cost a question about any range, and 10,000 orders a message?

    python -m bench.dealer_bench [--ticks 10000000] [--orders 10000] [--rounds 400]

What is measured: in SQLite, the statistics (highest, lowest, average) of one stock with `ticks`
messages over 90 days, of ranges that begin and end at any microsecond; the rows are inserted in
bulk, their roll-ups are folded by the projections' own code. Each answer of a sample is compared
with one over the raw rows, whose time is printed beside. The bar is 20 ms. Then, in the core, a
QUOTE that fills none of `orders` orders that wait on its stock, through apply(). The bar is 1 ms.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics as figures
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fondaco.core import records  # noqa: E402
from fondaco.core.exchange import Exchange  # noqa: E402
from fondaco.core.records import Command, OrderType, Side, pack, pack_body  # noqa: E402

DAYS: Final = 90
DAY_US: Final = 86_400_000_000
START_US: Final = 1_670_198_400_000_000  # 2022-12-05
PART: Final = 500_000  # rows of one insert
CHECKED: Final = 5  # answers that are compared with the raw rows
STOCK: Final = 1


def prepare(folder: Path) -> None:
    """Make empty projections in a folder."""
    os.environ.update(
        DJANGO_SETTINGS_MODULE="fondaco.office.settings",
        FONDACO_SECRET_KEY="a key for benches that guards nothing at all",
        FONDACO_DATA=str(folder),
    )
    import django

    django.setup()
    from fondaco.projections import services

    services.prepare()


def fill(ticks: int) -> float:
    """Insert so many messages with their roll-ups; return the seconds."""
    from django.db import connections, transaction

    from fondaco.projections import quotes, tables

    chance = random.Random(1)
    step_us = DAYS * DAY_US // ticks
    begun_s = time.perf_counter()
    price = 10_000
    for first in range(0, ticks, PART):
        rows = []
        for place in range(first, min(first + PART, ticks)):
            price = max(price + chance.choice((-1, 0, 1)), 1)
            message_us = START_US + place * step_us + chance.randrange(step_us)
            rows.append((STOCK, message_us, price, place % 500 + 1, place + 1, 1, 0, 0))
        minutes = quotes.fold_quotes(rows)
        hours = quotes.fold_bars(minutes, 60)
        with (
            transaction.atomic(using="projections"),
            connections["projections"].cursor() as cursor,
        ):
            tables.QUOTES.write(cursor, rows)
            tables.QUOTE_BARS_1M.write(cursor, minutes)
            tables.QUOTE_BARS_1H.write(cursor, hours)
            tables.QUOTE_BARS_1D.write(cursor, quotes.fold_bars(hours, 1440))
        print(f"{first + len(rows):,} rows", end="\r", file=sys.stderr)
    return time.perf_counter() - begun_s


def ask(rounds: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of answers from roll-ups, and of some over the raw rows."""
    from fondaco.projections import quotes
    from fondaco.projections.reading import fetch

    chance = random.Random(2)
    end_us = START_US + DAYS * DAY_US
    quick, raw = [], []
    for number in range(rounds):
        start_us, stop_us = sorted(chance.randrange(START_US, end_us) for _ in range(2))
        begun_s = time.perf_counter()
        told = quotes.statistics(STOCK, start_us=start_us, end_us=stop_us)
        quick.append((time.perf_counter() - begun_s) * 1000)
        if number >= CHECKED:
            continue
        begun_s = time.perf_counter()
        ((high, low, total, count),) = fetch(
            "SELECT MAX(price_ticks), MIN(price_ticks), SUM(price_ticks), COUNT(*) "
            "FROM projections_quote WHERE instrument = %s AND message_us >= %s AND message_us < %s",
            (STOCK, start_us, stop_us),
        )
        raw.append((time.perf_counter() - begun_s) * 1000)
        if told is None or (told.high_ticks, told.low_ticks) != (high, low):
            raise SystemExit(f"another answer than the rows': {told}")
        if (told.sum_ticks, told.quotes) != (total, count):
            raise SystemExit(f"another answer than the rows': {told}")
    return quick, raw


def quote_times(orders: int, rounds: int) -> list[float]:
    """Return the microseconds of messages that fill none of the orders that wait."""
    exchange = Exchange()
    opening = [(2, 1 << 61)]
    for command in (
        pack_body(Command.DEFINE_ASSET, records.AssetBody(number=1, code="CIB", decimals=0)),
        pack_body(Command.DEFINE_ASSET, records.AssetBody(number=2, code="USD", decimals=8)),
        pack_body(
            Command.DEFINE_INSTRUMENT,
            records.InstrumentBody(
                number=1, symbol="CIBUSD", base=1, quote=2, market=2, tick_size="0.01",
                lot_size="1", base_per_lot=1, quote_per_lot_tick=10**6, max_open_orders=0,
            ),
        ),
        pack_body(
            Command.OPEN_ACCOUNT, records.AccountBody(member=1, opening=opening), account=16
        ),
    ):  # fmt: skip
        _apply(exchange, command)
    chance = random.Random(3)
    for _ in range(orders):
        lower = chance.randrange(1, 9_000)
        events = _apply(
            exchange,
            pack(
                Command.NEW_ORDER, account=16, instrument=1, side=Side.BUY,
                order_type=OrderType.BOUNDED, price_ticks=lower + chance.randrange(900),
                stop_price_ticks=lower, quantity_lots=10,
            ),
        )  # fmt: skip
        if int.from_bytes(events[:2], "little") == records.Event.REFUSED:
            raise SystemExit("an order was refused")
    found = []
    for number in range(rounds):
        command = pack(
            Command.QUOTE, instrument=1, price_ticks=20_000 + number % 50, availability_lots=50,
            message_us=START_US + number,
        )  # fmt: skip
        run = bytearray(command)
        exchange.stamp(run, exchange.seq + 1, START_US + number)
        begun_s = time.perf_counter()
        exchange.apply(bytes(run))
        found.append((time.perf_counter() - begun_s) * 1_000_000)
    return found


def _apply(exchange: Exchange, command: bytes) -> bytes:
    run = bytearray(command)
    exchange.stamp(run, exchange.seq + 1, START_US)
    return exchange.apply(bytes(run))


def row(name: str, found: list[float], unit: str) -> str:
    ordered = sorted(found)
    middle, late = figures.median(ordered), ordered[int(len(ordered) * 0.99)]
    return f"| {name} | {middle:,.2f} {unit} | {late:,.2f} {unit} | {ordered[-1]:,.2f} {unit} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=10_000_000)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=400)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fondaco-bench-"))
    try:
        prepare(folder)
        seconds = fill(options.ticks)
        quick, raw = ask(options.rounds)
        size_mib = (folder / "projections.sqlite3").stat().st_size >> 20
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    waiting = quote_times(options.orders, 2000)
    print("| question | median | 99th percentile | worst |")
    print("|---|---|---|---|")
    print(row("statistics of a range, from roll-ups", quick, "ms"))
    print(row("the same over the raw rows", raw, "ms"))
    print(row(f"a message that fills none of {options.orders:,}", waiting, "µs"))
    print(
        f"\n{options.ticks:,} messages of one stock over {DAYS} days ({size_mib:,} MiB, written "
        f"in {seconds:.0f} s), {options.rounds} random ranges; {CHECKED} answers were compared "
        "with the raw rows. Bars: 20 ms, 1 ms."
    )


if __name__ == "__main__":
    main()
