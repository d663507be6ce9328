"""`fondaco bench`: measures this machine's core with a seeded flow or a tape.

Promises: the flow is the same for a seed on every machine; times are of core.apply alone, batches
for the rate, single calls for the percentiles, each on a fresh exchange with the ledger on, or on
a book alone. It compares with nobody: bench/ does, interleaved and in the same run.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
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
from fondaco.core.bare_book import BareBook

__all__ = ["Measured", "flow", "measure", "register"]

SINGLES_MAX: Final = 200_000  # single calls that are timed one by one
CANCEL_SHARE: Final = 0.38
TAKE_SHARE: Final = 0.10
LEVELS: Final = 200  # a side
MIDDLE: Final = 100_000  # ticks
_BARE: Final = struct.Struct("<6q")  # a command of core.bare_book


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


def measure(rows: list[Row], progress: Progress | None = None, *, ledger: bool = True) -> Measured:
    """Apply the rows in batches, then as many of them as SINGLES_MAX one by one."""
    seal, begin = (_sealed, _whole) if ledger else (_bare, _book_alone)
    batches = seal(rows, BATCH)
    apply, count = begin()
    fills = 0
    elapsed_ns = 0
    task = progress.add_task("batches", total=len(batches)) if progress else None
    for batch in batches:
        began = time.perf_counter_ns()
        answer = apply(batch)
        elapsed_ns += time.perf_counter_ns() - began
        fills += count(answer)
        if progress and task is not None:
            progress.advance(task)
    singles = seal(rows[:SINGLES_MAX], 1)
    apply, _ = begin()
    times = []
    for record in singles:
        began = time.perf_counter_ns()
        apply(record)
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
        ledger=ledger,
    )


_Begin = tuple[Callable[[bytes], bytes], Callable[[bytes], int]]


def _whole() -> _Begin:
    """Return the apply() of a fresh exchange, and how to count the fills of its events."""
    return fresh_exchange().apply, count_trades


def _book_alone() -> _Begin:
    """Return the step() of a book without ledger, and how to count its fills of four words."""
    return BareBook().step, lambda fills: len(fills) // 32


def _bare(rows: list[Row], size: int) -> list[bytes]:
    """Return the rows as batches for a book alone: kind, instrument, id, side, price, lots."""
    ids: dict[int, int] = {}
    packed = []
    for place, row in enumerate(rows, 1):
        if row.cmd in {"X", "D"}:
            kind = 3 if row.cmd == "D" and row.qty else 2
            packed.append(_BARE.pack(kind, 0, ids.get(row.id, place), 0, 0, row.qty))
            continue
        if row.id:
            ids[row.id] = place
        side = 1 if row.side > 0 else 2
        packed.append(_BARE.pack(4 if row.cmd == "T" else 1, 0, place, side, row.price, row.qty))
    return [b"".join(packed[at : at + size]) for at in range(0, len(packed), size)]


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
    book_only: Annotated[
        bool, typer.Option("--book-only", help="The book without ledger, fees, retries, events.")
    ] = False,
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
        result = measure(rows, progress, ledger=not book_only)
    if as_json:
        typer.echo(msgspec.json.encode(result).decode())
        return
    for name, value in msgspec.structs.asdict(result).items():
        typer.echo(f"{name.replace('_', ' '):>16}  {value}")
