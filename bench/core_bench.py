"""How fast is the core, beside a peer: the book alone, the whole apply(), and the cost of depth?

    python -m bench.core_bench [--commands 1000000] [--rounds 5] [--pairs 200000] [--json FILE]

The book alone and the whole apply(), with ledger, fees, client order ids and events, in batches and
one command a call. The peer is bourse (Rust, PyO3), driven by its quickest public calls: methods
bound beforehand, set_time() before each command, one book an instrument. All must give the same
fills. Rounds are interleaved, overflow checks are on. A round begins with empty books, so a short
flow measures shallow ones: hence a million commands. Memory is at hand as it is in a writer
(ORDERS_AT_HAND); the peer has no such call and finds its own while it runs.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import platform
import random
import statistics
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import bourse

from bench.core_flow import CANCEL, LIMIT, WEIGHTS, Row, make_flow
from fondaco.core import COMPILED, client_ids, records
from fondaco.core.bare_book import BareBook
from fondaco.core.exchange import Exchange
from fondaco.link.writer import ORDERS_AT_HAND

BATCH: Final = 1024
ACCOUNTS: Final = 64
FUNDS: Final = 1 << 52
TRADE: Final = int(records.Event.TRADE).to_bytes(2, "little")
KIND: Final = {LIMIT: 1, CANCEL: 2}
Run = Callable[[], float]


def keep(found: list[Any] | None) -> Callable[[Any], object]:
    """Return what to do with each answer: keep it, or, in a measured run, let it go."""
    return len if found is None else found.append


def bare_records(rows: list[Row]) -> list[bytes]:
    """Return a flow as commands of the bare book."""
    pack = struct.Struct("<6q").pack
    return [
        pack(KIND.get(row.kind, 1), row.instrument, row.order_id, row.side, row.price, row.lots)
        for row in rows
    ]


def joined(items: list[bytes], size: int = BATCH) -> list[bytes]:
    """Return records in batches."""
    return [b"".join(items[at : at + size]) for at in range(0, len(items), size)]


def run_bare(batches: list[bytes], instruments: int, found: list[Any] | None) -> float:
    """Drive the bare book; return the seconds."""
    book = BareBook(instruments)
    book.reserve(ORDERS_AT_HAND)
    step, take = book.step, keep(found)
    begin = time.process_time()
    for batch in batches:
        take(step(batch))
    return time.process_time() - begin


def bourse_rows(rows: list[Row]) -> list[tuple[int, bool, int, int, int, int]]:
    """Return a flow with the numbers that bourse will give its orders, per book."""
    numbers: dict[int, int] = {}
    counts: dict[int, int] = {}
    made = []
    for at, row in enumerate(rows):
        if row.kind == CANCEL:
            made.append((row.instrument, False, 0, 0, numbers[row.order_id], at))
        else:
            numbers[row.order_id] = counts.setdefault(row.instrument, 0)
            counts[row.instrument] += 1
            made.append((row.instrument, row.side == 1, row.lots, row.price, 0, at))
    return made


def run_bourse(rows: list[Row], instruments: int, found: list[Any] | None) -> float:
    """Drive bourse; return the seconds."""
    books = [bourse.core.OrderBook(0, 1) for _ in range(instruments)]
    commands = [
        (
            books[n].set_time,
            books[n].place_order,
            books[n].cancel_order,
            bid,
            lots,
            price,
            order,
            at,
        )
        for n, bid, lots, price, order, at in bourse_rows(rows)
    ]
    begin = time.process_time()
    for set_time, place, cancel, bid, lots, price, order, at in commands:
        set_time(at)
        if lots:
            place(bid, lots, 0, price)
        else:
            cancel(order)
    seconds = time.process_time() - begin
    if found is not None:
        found.extend(book.get_trades() for book in books)
    return seconds


def house(instruments: int) -> Exchange:
    """Return an exchange with funded accounts and instruments with fees, made as a writer's is."""
    exchange = Exchange()
    exchange.reserve(ORDERS_AT_HAND)
    kinds = records.Command
    made = [
        records.pack_body(kinds.DEFINE_ASSET, records.AssetBody(number=n, code=f"A{n}", decimals=8))
        for n in (1, 2)
    ]
    for number in range(1, instruments + 1):
        body = records.InstrumentBody(
            number=number, symbol=f"S{number}", base=1, quote=2, tick_size="0.01",
            lot_size="0.00001", base_per_lot=1000, quote_per_lot_tick=10,
            maker_fee_ppm=1000, taker_fee_ppm=1000, max_open_orders=0,
        )  # fmt: skip
        made.append(records.pack_body(kinds.DEFINE_INSTRUMENT, body))
    for account in range(16, 16 + ACCOUNTS):
        opening = records.AccountBody(member=account, opening=[(1, FUNDS), (2, FUNDS)])
        made.append(records.pack_body(kinds.OPEN_ACCOUNT, opening, account=account))
    exchange.apply(stamped(exchange, b"".join(made)))
    return exchange


def stamped(exchange: Exchange, batch: bytes) -> bytes:
    """Return a batch with its seqs and time."""
    stamps = bytearray(batch)
    exchange.stamp(stamps, exchange.seq + 1, 1_000_000)
    return bytes(stamps)


def apply_records(rows: list[Row], first_seq: int) -> list[bytes]:
    """Return a flow as stamped commands of the exchange, each order with a client order id."""
    order = struct.Struct("<18q").pack
    cancel = struct.Struct("<15q").pack
    new_head = records.Command.NEW_ORDER | 1 << 16 | 144 << 32
    cancel_head = records.Command.CANCEL_ORDER | 1 << 16 | 120 << 32
    numbers: dict[int, int] = {}
    made = []
    for seq, row in enumerate(rows, first_seq):
        account = 16 + row.order_id % ACCOUNTS
        head = (seq, 1_000_000, account, 0, row.instrument + 1)
        if row.kind == CANCEL:
            made.append(cancel(cancel_head, *head, numbers[row.order_id], *[0] * 8))
            continue
        numbers[row.order_id] = seq
        words = client_ids.encode(f"bench-{row.order_id}")
        terms = (row.side, 1, 1, 1, row.price, row.lots, 0, 0)
        made.append(order(new_head, *head, *terms, *words))
    return made


def run_apply(batches: list[bytes], instruments: int, found: list[Any] | None) -> float:
    """Drive the whole exchange; return the seconds."""
    exchange = house(instruments)
    apply, take = exchange.apply, keep(found)
    begin = time.process_time()
    for batch in batches:
        take(apply(batch))
    return time.process_time() - begin


def fills_of_bare(found: list[bytes]) -> list[tuple[int, ...]]:
    """Return (price, lots) of each fill of the bare book."""
    joined_up = b"".join(found)
    words = struct.unpack(f"<{len(joined_up) // 8}q", joined_up)
    return sorted((words[at + 2], words[at + 3]) for at in range(0, len(words), 4))


def fills_of_apply(found: list[bytes]) -> list[tuple[int, ...]]:
    """Return (price, lots) of each TRADE."""
    made: list[tuple[int, ...]] = []
    for events in found:
        made.extend(
            struct.unpack_from("<2q", record, 56)
            for record in records.split(events)
            if record[:2] == TRADE
        )
    return sorted(made)


def fills_of_bourse(found: list[Any]) -> list[tuple[int, ...]]:
    """Return (price, lots) of each of bourse's trades."""
    return sorted((trade[2], trade[3]) for trades in found for trade in trades)


def run_levels(levels: int, pairs: int) -> float:
    """Return the seconds of `pairs` add + cancel at a uniformly random level of a deep book."""
    chance = random.Random(levels)
    book = BareBook(1)
    pack = struct.Struct("<6q").pack
    fill = [pack(1, 0, n + 1, 1, 2 + 2 * n, 10) for n in range(levels)]
    places = list(range(levels))
    chance.shuffle(places)
    for batch in joined([fill[place] for place in places]):
        book.step(batch)
    made = []
    for pair in range(pairs):
        price = chance.randrange(2, 2 + 2 * levels)  # half the prices have no level yet
        made.append(pack(1, 0, levels + 1 + pair, 1, price, 10))
        made.append(pack(2, 0, levels + 1 + pair, 0, 0, 0))
    batches = joined(made)
    begin = time.process_time()
    for batch in batches:
        book.step(batch)
    return time.process_time() - begin


def measure(runs: dict[str, Run], rounds: int) -> dict[str, list[float]]:
    """Run all in turn, `rounds` times; return the seconds of each."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            gc.collect()
            gc.disable()
            seconds[name].append(run())
            gc.enable()
    return seconds


def compare(commands: int, instruments: int, rounds: int) -> dict[str, Any]:
    """Measure all engines on one flow."""
    rows = make_flow(commands, instruments=instruments)
    bare = bare_records(rows)
    first_seq = house(instruments).seq + 1
    whole = apply_records(rows, first_seq)
    bare_batches, whole_batches = joined(bare), joined(whole)
    check: dict[str, list[Any]] = {"bare": [], "bourse": [], "apply": []}
    run_bare(bare_batches, instruments, check["bare"])
    run_bourse(rows, instruments, check["bourse"])
    run_apply(whole_batches, instruments, check["apply"])
    fills = fills_of_bare(check["bare"])
    if not fills == fills_of_bourse(check["bourse"]) == fills_of_apply(check["apply"]):
        raise SystemExit("the engines gave different fills")
    check.clear()
    runs: dict[str, Run] = {
        "bourse": lambda: run_bourse(rows, instruments, None),
        "book batch": lambda: run_bare(bare_batches, instruments, None),
        "book single": lambda: run_bare(bare, instruments, None),
        "apply batch": lambda: run_apply(whole_batches, instruments, None),
        "apply single": lambda: run_apply(whole, instruments, None),
    }
    seconds = measure(runs, rounds)
    rates = {name: sorted(commands / s / 1e6 for s in found) for name, found in seconds.items()}
    peer = statistics.median(rates["bourse"])
    return {
        "commands": commands,
        "instruments": instruments,
        "fills": len(fills),
        "rates": {
            name: {
                "median": round(statistics.median(found), 3),
                "least": round(found[0], 3),
                "most": round(found[-1], 3),
                "times_bourse": round(statistics.median(found) / peer, 2),
            }
            for name, found in rates.items()
        },
    }


def compare_levels(pairs: int, rounds: int) -> list[dict[str, Any]]:
    """Measure add + cancel by depth; nanoseconds a pair."""
    sizes = (1_000, 10_000, 100_000)
    runs: dict[str, Run] = {
        str(size): lambda size=size: run_levels(size, pairs)  # type: ignore[misc]
        for size in sizes
    }
    seconds = measure(runs, rounds)
    return [
        {
            "levels": int(name),
            "median_ns": round(statistics.median(found) / pairs * 1e9, 1),
            "least_ns": round(min(found) / pairs * 1e9, 1),
            "most_ns": round(max(found) / pairs * 1e9, 1),
        }
        for name, found in seconds.items()
    ]


def tables(result: dict[str, Any], options: argparse.Namespace) -> str:
    """Return the results as Markdown: two tables, then what was set."""
    lines = [
        "| instruments | engine | M commands/s, median | least to most | times bourse |",
        "|---|---|---|---|---|",
    ]
    for flow in result["flows"]:
        for name, rate in flow["rates"].items():
            spread = f"{rate['least']:.2f} to {rate['most']:.2f}"
            cells = (flow["instruments"], name, f"{rate['median']:.2f}", spread)
            lines.append(f"| {' | '.join(map(str, cells))} | {rate['times_bourse']:.2f} |")
    lines += ["", "| levels a side | ns an add + cancel | least to most | times the first |"]
    lines.append("|---|---|---|---|")
    first = result["levels"][0]["median_ns"]
    for row in result["levels"]:
        spread = f"{row['least_ns']:.1f} to {row['most_ns']:.1f}"
        times = row["median_ns"] / first
        lines.append(f"| {row['levels']:,} | {row['median_ns']:.1f} | {spread} | {times:.2f} |")
    fills = " and ".join(f"{flow['fills']:,}" for flow in result["flows"])
    lines += [
        "",
        (
            f"Medians of {options.rounds} interleaved rounds of process time; "
            f"{options.commands:,} commands, seed 1, weights {WEIGHTS} (limit, cancel, taking); "
            f"batches of {BATCH:,}; {ACCOUNTS} accounts; {fills} fills, equal for all; "
            f"{options.pairs:,} pairs at uniformly random levels of one side; bourse "
            f"{importlib.metadata.version('bourse')}; core {result['build']}, {result['machine']}."
        ),
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=200_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {
        "build": "compiled" if COMPILED else "not compiled",
        "machine": f"{platform.machine()} {platform.python_implementation()} "
        f"{platform.python_version()}",
        "flows": [compare(options.commands, n, options.rounds) for n in (1, 100)],
        "levels": compare_levels(options.pairs, options.rounds),
    }
    print(tables(result, options))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
