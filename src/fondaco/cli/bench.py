"""`fondaco bench`: measures this machine's core with a seeded flow or a tape.

Promises: the flow is the same for a seed on every machine; times are of core.apply alone, batches
for the rate, single calls for the percentiles, each on a fresh exchange with the ledger on. It
compares with nobody: bench/ does, interleaved and in the same run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from fondaco import core
from fondaco.cli.ending import stop
from fondaco.cli.replay import (
    BATCH,
    INSTRUMENT,
    MAKER,
    TAKER,
    TIME_US,
    count_trades,
    fresh_exchange,
)
from fondaco.cli.tape import Row, TapeCommands, TapeError, read_rows

__all__ = ["Measured", "flow", "measure", "register"]

SINGLES_MAX: Final = 200_000  # single calls that are timed one by one
CANCEL_SHARE: Final = 0.38
TAKE_SHARE: Final = 0.10
LEVELS: Final = 200  # a side
MIDDLE: Final = 100_000  # ticks


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured: seconds and the rate in batches, percentiles of single calls."""

    commands: int
    fills: int
    seconds: float
    commands_per_s: int
    p50_ns: int
    p99_ns: int
    p999_ns: int
    compiled: bool
    ledger: bool


def flow(commands: int, seed: int) -> Iterator[Row]:
    """Yield a seeded flow: 52 % resting orders, 38 % cancels, 10 % taking."""
    chance = Random(seed)  # noqa: S311 - reproducible, not secret
    live: list[int] = []
    for n in range(commands):
        draw = chance.random()
        side = 1 if chance.random() < 0.5 else -1
        if draw < CANCEL_SHARE and live:
            at = chance.randrange(len(live))
            live[at], live[-1] = live[-1], live[at]
            yield Row(n, "X", live.pop(), 0, 0, 0)
        elif draw < CANCEL_SHARE + TAKE_SHARE:
            yield Row(n, "T", 0, side, MIDDLE + side * LEVELS, chance.randrange(1, 30))
        else:
            away = min(LEVELS, 1 + int(chance.expovariate(1 / 40)))
            live.append(n + 1)
            yield Row(n, "L", n + 1, side, MIDDLE - side * away, chance.randrange(1, 20))


def measure(rows: list[Row], advance: Progress | None = None) -> Measured:
    """Apply the rows in batches, then as many of them as SINGLES_MAX one by one."""
    batches = _sealed(rows, BATCH)
    exchange = fresh_exchange()
    fills = 0
    elapsed_ns = 0
    task = advance.add_task("batches", total=len(batches)) if advance else None
    for batch in batches:
        began = time.perf_counter_ns()
        events = exchange.apply(batch)
        elapsed_ns += time.perf_counter_ns() - began
        fills += count_trades(events)
        if advance and task is not None:
            advance.advance(task)
    singles = _sealed(rows[:SINGLES_MAX], 1)
    exchange = fresh_exchange()
    times = []
    for record in singles:
        began = time.perf_counter_ns()
        exchange.apply(record)
        times.append(time.perf_counter_ns() - began)
    times.sort()
    return Measured(
        commands=len(rows),
        fills=fills,
        seconds=round(elapsed_ns / 1e9, 6),
        commands_per_s=len(rows) * 1_000_000_000 // max(elapsed_ns, 1),
        p50_ns=_quantile(times, 500),
        p99_ns=_quantile(times, 990),
        p999_ns=_quantile(times, 999),
        compiled=core.COMPILED,
        ledger=True,
    )


def _sealed(rows: list[Row], size: int) -> list[bytes]:
    """Return the rows as stamped batches of at most `size` commands."""
    exchange = fresh_exchange()
    seq = exchange.seq + 1
    commands = TapeCommands(instrument=INSTRUMENT, maker=MAKER, taker=TAKER, first_seq=seq)
    pending = iter(rows)
    batches = []
    while chunk := list(islice(pending, size)):
        batch = bytearray(b"".join([commands.pack(row) for row in chunk]))
        seq += exchange.stamp(batch, seq, TIME_US)
        batches.append(bytes(batch))
    return batches


def _quantile(ordered: list[int], thousandths: int) -> int:
    if not ordered:
        return 0
    return ordered[min(len(ordered) - 1, len(ordered) * thousandths // 1000)]


def register(app: typer.Typer) -> None:
    """Add `bench core` to the command line."""
    bench = typer.Typer(help="Measure this machine.", no_args_is_help=True)
    bench.callback()(lambda: None)
    bench.command(name="core")(core_command)
    app.add_typer(bench, name="bench")


def core_command(
    tape: Annotated[Path | None, typer.Option(help="Apply this tape, not a seeded flow.")] = None,
    commands: Annotated[int, typer.Option(min=1, help="Length of the seeded flow.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Of the flow.")] = 1,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on the last line.")
    ] = False,
) -> None:
    """Measure core.apply: the rate in batches, and percentiles of single calls."""
    try:
        rows = list(islice(read_rows(tape), commands)) if tape else list(flow(commands, seed))
    except (TapeError, OSError) as error:
        stop(2, str(error))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        result = measure(rows, progress)
    if as_json:
        typer.echo(msgspec.json.encode(result).decode())
        return
    for name, value in msgspec.structs.asdict(result).items():
        typer.echo(f"{name.replace('_', ' '):>16}  {value}")
