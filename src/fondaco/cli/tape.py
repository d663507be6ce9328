"""Reads order-flow tapes and turns their rows into commands of the core.

A tape is CSV, plain or compressed by its name (.gz, .xz), with rows `n,cmd,id,side,price,qty`:
L rests a limit order, G may match and rests the remainder, T is immediate-or-cancel, X cancels,
D reduces the remaining quantity in place. Side 1 buys, -1 sells; prices are ticks.

Promises: row n becomes exactly one command, so that seq = first seq + n; a row that can't be read
raises TapeError with its line. It does not judge whether an id is live: the core does.
"""

from __future__ import annotations

import csv
import gzip
import lzma
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple, cast

from fondaco.core.records import (
    HEAD_WORDS,
    LAYOUTS,
    VERSION,
    Command,
    OrderType,
    SelfTrade,
    Side,
    TimeInForce,
)

HEADER: Final = ["n", "cmd", "id", "side", "price", "qty"]
INT64_MAX: Final = (1 << 63) - 1


class TapeError(Exception):
    """A tape that can't be read: says the file, the line and what was expected."""


class Row(NamedTuple):
    """One line of a tape, as numbers; id 0 names no order."""

    n: int
    cmd: str
    id: int
    side: int
    price: int
    qty: int


def open_text(path: Path, mode: str) -> IO[str]:
    """Open a text file, compressed if its name ends in .gz or .xz; mode "r" or "w"."""
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, mode + "t", encoding="utf-8", newline=""))
    if path.suffix == ".xz":
        return cast("IO[str]", lzma.open(path, mode + "t", encoding="utf-8", newline=""))
    return path.open(mode, encoding="utf-8", newline="")


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a tape in order; raises TapeError, or OSError if it can't be opened."""
    with open_text(path, "r") as lines:
        line = 0
        try:
            for line, fields in enumerate(csv.reader(lines), 1):
                if line == 1 and fields == HEADER:
                    continue
                yield _row(fields)
        except (ValueError, EOFError, lzma.LZMAError, gzip.BadGzipFile, csv.Error) as error:
            msg = f"{path}, after line {max(line - 1, 0)}: {error}; rows are {','.join(HEADER)}"
            raise TapeError(msg) from error


def _row(fields: list[str]) -> Row:
    if len(fields) != len(HEADER):
        msg = f"found {len(fields)} fields"
        raise ValueError(msg)
    n, cmd, identity, side, price, qty = fields
    row = Row(int(n), cmd, int(identity), int(side), int(price), int(qty))
    if cmd not in {"L", "G", "T", "X", "D"}:
        msg = f"found command {cmd!r}; it is one of L G T X D"
        raise ValueError(msg)
    if cmd in {"L", "G", "T"} and side not in {"1", "-1"}:
        msg = f"found side {side}; it is 1 or -1"
        raise ValueError(msg)
    if not 0 <= row.id <= INT64_MAX or max(abs(row.price), abs(row.qty)) > INT64_MAX:
        msg = "found a number outside of int64"
        raise ValueError(msg)
    return row


class _Layout(NamedTuple):
    """How one kind of command is packed: its first word and its words by position."""

    word: int
    packer: struct.Struct


def _layout(kind: Command) -> _Layout:
    packer = struct.Struct(f"<{HEAD_WORDS + len(LAYOUTS[kind])}q")
    return _Layout(kind | VERSION << 16 | packer.size << 32, packer)


_NEW: Final = _layout(Command.NEW_ORDER)
_CANCEL: Final = _layout(Command.CANCEL_ORDER)
_REDUCE: Final = _layout(Command.REDUCE_ORDER)
_NO_IDS: Final = (0,) * 4


class TapeCommands:
    """Packs the rows of one tape; remembers which order a tape's id became.

    L orders are the maker's, G and T orders the taker's. An id that no row before named becomes
    the command's own seq, which no order can have.
    """

    def __init__(self, *, instrument: int, maker: int, taker: int, first_seq: int) -> None:
        """Take the instrument, both accounts and the seq that row 0 will get."""
        self.instrument = instrument
        self.maker = maker
        self.taker = taker
        self.next_seq = first_seq
        self.orders: dict[int, tuple[int, int]] = {}  # tape id -> order id, account
        self.tape_ids: dict[int, int] = {}  # order id -> tape id

    def pack(self, row: Row) -> bytes:
        """Return the command of the next row."""
        seq = self.next_seq
        self.next_seq = seq + 1
        if row.cmd == "X" or (row.cmd == "D" and row.qty == 0):
            order_id, account = self.orders.get(row.id, (seq, self.maker))
            return _CANCEL.packer.pack(
                _CANCEL.word, 0, 0, account, 0, self.instrument, order_id, *_NO_IDS, *_NO_IDS
            )
        if row.cmd == "D":
            order_id, account = self.orders.get(row.id, (seq, self.maker))
            return _REDUCE.packer.pack(
                _REDUCE.word, 0, 0, account, 0, self.instrument, order_id, row.qty
            )
        account = self.maker if row.cmd == "L" else self.taker
        if row.id:
            self.orders[row.id] = (seq, account)
            self.tape_ids[seq] = row.id
        return self._new_order(row, account)

    def _new_order(self, row: Row, account: int) -> bytes:
        return _NEW.packer.pack(
            _NEW.word,
            0,
            0,
            account,
            0,
            self.instrument,
            Side.BUY if row.side > 0 else Side.SELL,
            OrderType.LIMIT,
            TimeInForce.IOC if row.cmd == "T" else TimeInForce.GTC,
            SelfTrade.NONE,
            row.price,
            row.qty,
            0,
            0,
            *_NO_IDS,
        )
