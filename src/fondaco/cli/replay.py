"""`fondaco replay`: runs an order-flow tape through the core, ledger on, and reports what it did.

Promises: every row of the tape is one command of a fresh exchange with one instrument, one maker
and one taker account with unlimited funds, no fees and no self-trade prevention; the same tape
gives the same fills and the same state hash on every machine and build. The time it reports is
spent in core.apply alone. It opens no house and writes nothing but the file of fills.
"""

from __future__ import annotations

import csv
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from fondaco import core
from fondaco.cli.ending import stop
from fondaco.cli.tape import Row, TapeCommands, TapeError, open_text, read_rows
from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    ACCOUNT_FIRST,
    ASSET_TOTAL_MAX,
    HEAD_WORDS,
    LAYOUTS,
    WORD,
    AccountBody,
    AssetBody,
    Command,
    Event,
    InstrumentBody,
    Query,
    Reason,
    Side,
    pack,
    pack_body,
    unpack,
)

__all__ = ["Replayed", "TapeRefused", "count_trades", "fresh_exchange", "register", "replay"]

BATCH: Final = 1024  # commands in one apply: what a busy house commits at once
INSTRUMENT: Final = 1
MAKER: Final = ACCOUNT_FIRST
TAKER: Final = ACCOUNT_FIRST + 1
TIME_US: Final = 1  # a tape carries no time, and the state hash may not depend on ours

_FIRST: Final = struct.Struct("<q")


def _word(kind: int, name: str) -> int:
    """Return the byte offset of a named word in a record."""
    return (HEAD_WORDS + LAYOUTS[kind].index(name)) * WORD


_TRADE: Final = struct.Struct(f"<{HEAD_WORDS + len(LAYOUTS[Event.TRADE])}q")
_PRICE, _LOTS, _SIDE, _BUY_ID, _SELL_ID = (
    HEAD_WORDS + LAYOUTS[Event.TRADE].index(name)
    for name in ("price_ticks", "quantity_lots", "taker_side", "buy_order_id", "sell_order_id")
)
_REASON: Final = _word(Event.REFUSED, "reason")
_COMMAND: Final = _word(Event.REFUSED, "command")
# What a tape may ask of an order that isn't there: nothing moves, and it counts as ignored.
_IGNORED: Final = {Reason.UNKNOWN_ORDER, Reason.NOT_REDUCED}


class TapeRefused(Exception):
    """An order of the tape was refused: says the row and the core's reason."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a tape did; prices in ticks, volume in lots, seconds in core.apply alone."""

    commands: int
    fills: int
    volume: int
    live_orders: int
    best_bid: int | None
    best_ask: int | None
    ignored: int
    seconds: float
    commands_per_s: int
    state_hash: str
    compiled: bool


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One row of the file of fills."""

    n: int
    k: int
    maker_id: int
    price: int
    qty: int


def fresh_exchange() -> Exchange:
    """Return an exchange with one instrument of unit tick and lot and two rich accounts."""
    exchange = Exchange()
    # Half of what an asset may have in all, shared by two accounts, with room for both.
    opening = [(1, ASSET_TOTAL_MAX // 4), (2, ASSET_TOTAL_MAX // 4)]
    definitions = [
        pack_body(Command.DEFINE_ASSET, AssetBody(number=1, code="BASE", decimals=0)),
        pack_body(Command.DEFINE_ASSET, AssetBody(number=2, code="QUOTE", decimals=0)),
        pack_body(
            Command.DEFINE_INSTRUMENT,
            InstrumentBody(
                number=INSTRUMENT,
                symbol="TAPE",
                base=1,
                quote=2,
                tick_size="1",
                lot_size="1",
                base_per_lot=1,
                quote_per_lot_tick=1,
                max_open_orders=0,
            ),
        ),
        *(
            pack_body(
                Command.OPEN_ACCOUNT, AccountBody(member=account, opening=opening), account=account
            )
            for account in (MAKER, TAKER)
        ),
    ]
    batch = bytearray(b"".join(definitions))
    exchange.stamp(batch, exchange.seq + 1, TIME_US)
    for offset, kind in _records(exchange.apply(bytes(batch))):
        if kind == Event.REFUSED:
            msg = f"the core refused a tape's definitions at byte {offset} of the events"
            raise AssertionError(msg)
    return exchange


def _records(events: bytes) -> Iterator[tuple[int, int]]:
    """Yield (offset, kind) of each record."""
    offset = 0
    while offset < len(events):
        (first,) = _FIRST.unpack_from(events, offset)
        yield offset, first & 0xFFFF
        offset += first >> 32


def replay(
    tape: Path,
    on_fill: Callable[[Fill], None] | None = None,
    on_rows: Callable[[int], None] | None = None,
    *,
    batch: int = BATCH,
) -> Replayed:
    """Run a tape through a fresh exchange.

    Raises TapeError (can't be read), TapeRefused (an order that the core refuses) or OSError.
    """
    exchange = fresh_exchange()
    first_seq = exchange.seq + 1
    commands = TapeCommands(instrument=INSTRUMENT, maker=MAKER, taker=TAKER, first_seq=first_seq)
    tally = _Tally(commands, first_seq, on_fill)
    elapsed_ns = 0
    rows = read_rows(tape)
    while chunk := list(islice(rows, batch)):
        tally.note(chunk)
        run = bytearray(b"".join([commands.pack(row) for row in chunk]))
        exchange.stamp(run, exchange.seq + 1, TIME_US)
        sealed = bytes(run)
        began = time.perf_counter_ns()
        events = exchange.apply(sealed)
        elapsed_ns += time.perf_counter_ns() - began
        tally.count(events)
        if on_rows:
            on_rows(len(chunk))
    done = exchange.seq + 1 - first_seq
    bid, ask = _best(exchange)
    return Replayed(
        commands=done,
        fills=tally.fills,
        volume=tally.volume,
        live_orders=_live_orders(exchange),
        best_bid=bid,
        best_ask=ask,
        ignored=tally.ignored,
        seconds=round(elapsed_ns / 1e9, 6),
        commands_per_s=done * 1_000_000_000 // elapsed_ns if elapsed_ns else 0,
        state_hash=exchange.state_hash().hex(),
        compiled=core.COMPILED,
    )


class _Tally:
    """Counts the trades and refusals of a tape's events."""

    def __init__(
        self, commands: TapeCommands, first_seq: int, on_fill: Callable[[Fill], None] | None
    ) -> None:
        self.fills = 0
        self.volume = 0
        self.ignored = 0
        self._commands = commands
        self._first_seq = first_seq
        self._on_fill = on_fill
        self._rows: dict[int, Row] = {}
        self._last = (-1, -1)  # row and index of the last fill

    def note(self, chunk: list[Row]) -> None:
        """Remember the rows whose events come next."""
        start = self._commands.next_seq
        self._rows = {start + index: row for index, row in enumerate(chunk)}

    def count(self, events: bytes) -> None:
        """Take the events of one batch."""
        for offset, kind in _records(events):
            if kind == Event.TRADE:
                self._count_trade(_TRADE.unpack_from(events, offset))
            elif kind == Event.REFUSED:
                self._count_refusal(events, offset)

    def _count_trade(self, words: tuple[Any, ...]) -> None:
        self.fills += 1
        self.volume += words[_LOTS]
        if not self._on_fill:
            return
        n = self._rows[words[1]].n
        k = self._last[1] + 1 if self._last[0] == n else 0
        self._last = (n, k)
        maker = words[_SELL_ID] if words[_SIDE] == Side.BUY else words[_BUY_ID]
        maker_id = self._commands.tape_ids.get(maker, 0)
        self._on_fill(Fill(n, k, maker_id, words[_PRICE], words[_LOTS]))

    def _count_refusal(self, events: bytes, offset: int) -> None:
        (seq,) = _FIRST.unpack_from(events, offset + WORD)
        (reason,) = _FIRST.unpack_from(events, offset + _REASON)
        (command,) = _FIRST.unpack_from(events, offset + _COMMAND)
        if command in {Command.CANCEL_ORDER, Command.REDUCE_ORDER} and reason in _IGNORED:
            self.ignored += 1
            return
        row = self._rows[seq]
        msg = f"row {row.n} ({','.join(map(str, row))}) was refused: {Reason(reason).name}"
        raise TapeRefused(msg)


def count_trades(events: bytes) -> int:
    """Return how many trades a run of events holds."""
    return sum(1 for _, kind in _records(events) if kind == Event.TRADE)


def _live_orders(exchange: Exchange) -> int:
    return sum(
        1
        for account in (MAKER, TAKER)
        for _, kind in _records(
            exchange.query(pack(Query.OPEN_ORDERS, account=account, instrument=0))
        )
        if kind == Event.ORDER
    )


def _best(exchange: Exchange) -> tuple[int | None, int | None]:
    best: dict[int, int] = {}
    answer = exchange.query(pack(Query.DEPTH, instrument=INSTRUMENT, limit=1))
    for offset, kind in _records(answer):
        if kind == Event.LEVEL:
            level = unpack(answer, offset)
            best.setdefault(level["side"], level["price_ticks"])
    return best.get(Side.BUY), best.get(Side.SELL)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="replay")(replay_command)


def replay_command(
    tape: Annotated[Path, typer.Argument(help="The tape: CSV, or CSV in .gz or .xz.")],
    fills: Annotated[
        Path | None,
        typer.Option(help="Write every fill to this CSV; compressed if it ends in .gz or .xz."),
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on the last line.")
    ] = False,
) -> None:
    """Run an order-flow tape through the core and report what it did."""
    progress = Progress(console=Console(stderr=True), transient=True)
    with ExitStack() as stack:
        try:
            write = _fill_writer(fills, stack) if fills else None
            stack.enter_context(progress)
            task = progress.add_task(tape.name, total=None)
            result = replay(tape, write, lambda rows: progress.advance(task, rows))
        except (TapeError, OSError) as error:
            progress.stop()
            stop(2, str(error))
        except TapeRefused as error:
            progress.stop()
            stop(1, f"{tape}: {error}")
    if as_json:
        typer.echo(msgspec.json.encode(result).decode())
        return
    for name, value in msgspec.structs.asdict(result).items():
        typer.echo(f"{name.replace('_', ' '):>16}  {value}")


def _fill_writer(path: Path, stack: ExitStack) -> Callable[[Fill], None]:
    writer = csv.writer(stack.enter_context(open_text(path, "w")), lineterminator="\n")
    writer.writerow(["n", "k", "maker_id", "price", "qty"])
    return lambda fill: writer.writerow((fill.n, fill.k, fill.maker_id, fill.price, fill.qty))
