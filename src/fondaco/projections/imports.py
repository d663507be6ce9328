"""Recorded trades from outside, kept in imports/ so that every rebuild has them.

Promises: keep_trades() checks a whole file before anything is kept, and names the line that it
can't take; what is kept is exact ints, so that applying it can't fail. Files of one symbol are
imported oldest first: their trade ids, in the room that the core keeps for them, follow time. No
balance moves. This module needs no Django: the house must not be running, and its tables take the
file in when the projector starts.

A kept file is `NNNNNN-SYMBOL-ROWS-FIRST_US-LAST_US.csv.gz`: a head that repeats how the symbol's
ticks and lots were read, then rows `time_us,price_ticks,quantity_lots,quote_amount,taker_side`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import io
import lzma
import os
import re
import struct
import time
import zlib
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Final

import msgspec

from fondaco.core import records
from fondaco.journal.disk import OsDisk
from fondaco.journal.faults import JournalDamaged
from fondaco.journal.scan import Scan
from fondaco.journal.segments import EVENTS

__all__ = ["ImportFault", "KeptFile", "keep_trades", "kept_files", "lines_of", "rows_of"]

FOLDER: Final = "imports"
LINE_CHARS_MAX: Final = 400
AHEAD_US_MAX: Final = 60_000_000  # clocks differ
HEAD: Final = ["ts_ms", "price", "qty", "buyer_is_maker"]
TIME_MS_MAX: Final = 253_402_300_800_000  # the year 10000
AMOUNT_MAX: Final = records.ASSET_TOTAL_MAX
_NAME: Final = re.compile(r"^(\d{6})-([A-Za-z0-9_.]+)-(\d+)-(\d+)-(\d+)\.csv\.gz$")
_TRADED: Final = struct.Struct(f"<{8 * records.HEAD_WORDS}xq")  # the instrument of a TRADE
_BOOLS: Final = {"true": True, "1": True, "false": False, "0": False}


class ImportFault(ValueError):
    """A file that can't be imported: one sentence that names the line and what to do."""


class KeptFile(msgspec.Struct, frozen=True):
    """One file of imports/. Times are of its first and last row."""

    path: Path
    place: int
    symbol: str
    rows: int
    first_us: int
    last_us: int


def kept_files(data_dir: Path, symbol: str | None = None) -> list[KeptFile]:
    """Return the files that were imported, of one symbol or of all, in order of import."""
    found = []
    folder = data_dir / FOLDER
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.match(path.name)
        if match is not None and symbol in {None, match[2]}:
            place, rows, first_us, last_us = (int(match[group]) for group in (1, 3, 4, 5))
            found.append(KeptFile(path, place, match[2], rows, first_us, last_us))
    return sorted(found, key=lambda file: file.place)


def rows_of(file: KeptFile) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield time_us, price_ticks, quantity_lots, quote_amount and taker_side of each trade."""
    with gzip.open(file.path, "rt", encoding="ascii") as lines:
        next(lines)
        for line in lines:
            time_us, price, lots, quote, side = line.split(",")
            yield int(time_us), int(price), int(lots), int(quote), int(side)


def keep_trades(source: Path, *, data_dir: Path, instrument: records.InstrumentBody) -> KeptFile:
    """Check a file of trades and keep it for the instrument; raises ImportFault.

    Rows are `ts_ms,price,qty,buyer_is_maker`, oldest first, with or without a head line; the
    file may be .gz or .xz.
    """
    earlier = kept_files(data_dir, instrument.symbol)
    after_us = earlier[-1].last_us if earlier else 0
    room = records.IMPORTED_TRADES_MAX - sum(file.rows for file in earlier)
    folder = data_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    making = folder / f"making-{os.getpid()}.part"
    try:
        rows, first_us, last_us = _write(source, making, instrument, after_us, room)
        _check_own(data_dir, instrument.symbol, last_us)
        place = max((file.place for file in kept_files(data_dir)), default=0) + 1
        name = f"{place:06d}-{instrument.symbol}-{rows}-{first_us}-{last_us}.csv.gz"
        kept = KeptFile(folder / name, place, instrument.symbol, rows, first_us, last_us)
        making.rename(kept.path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            making.unlink()
    _sync(folder)
    return kept


def _check_own(data_dir: Path, symbol: str, last_us: int) -> None:
    """See that no own trade of the house is older than the last imported one.

    Ids of imported trades are lower than those of own ones, and whoever looks for a time takes
    ids to follow it. Raises ImportFault.
    """
    own_us = first_own_trade_us(data_dir, symbol, before_us=last_us)
    if own_us is not None:
        own, last = (_moment(each) for each in (own_us, last_us))
        raise ImportFault(
            f"the house itself has traded {symbol} since {own}, and the file goes on until {last}: "
            f"leave out its rows with a ts_ms above {own_us // 1000}"
        )


def _moment(time_us: int) -> str:
    return dt.datetime.fromtimestamp(time_us // 1_000_000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def first_own_trade_us(data_dir: Path, symbol: str, *, before_us: int) -> int | None:
    """Return when the house first traded a symbol itself; None if not before a time.

    It is read from the events, which may begin later than the house if somebody cut them.
    """
    folder = data_dir / "events"
    if not folder.is_dir():
        return None
    number = 0
    with contextlib.suppress(JournalDamaged):  # then the next start makes them again
        scan = Scan(OsDisk(), str(folder), kind=EVENTS, mark=None, house=None)
        for batch in scan.batches(scan.segments[0] if scan.segments else 1):
            for record in records.split(batch.payload):
                time_us = int(records.HEAD.unpack_from(record)[2])
                kind = int.from_bytes(record[:2], "little")
                if time_us >= before_us:
                    return None
                if kind == records.Event.INSTRUMENT:
                    body = msgspec.msgpack.decode(
                        records.unpack_body(record), type=records.InstrumentBody
                    )
                    number = body.number if body.symbol == symbol else number
                elif kind == records.Event.TRADE and _TRADED.unpack_from(record)[0] == number:
                    return time_us
    return None


def _write(
    source: Path, target: Path, instrument: records.InstrumentBody, after_us: int, room: int
) -> tuple[int, int, int]:
    """Write the exact rows to `target`, synced; return their number, first and last time."""
    rows = first_us = 0
    last_us = after_us
    with (
        target.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as packed,
    ):
        head = f"{instrument.symbol} {instrument.tick_size} {instrument.lot_size}\n"
        packed.write(head.encode())
        for number, line in lines_of(source):
            row = _exact(line, number, instrument, last_us, first=rows == 0)
            if row is None:
                continue
            last_us = row[0]
            first_us = first_us or last_us
            rows += 1
            if rows > room:
                raise ImportFault(
                    f"line {number}: {instrument.symbol} would have more than "
                    f"{records.IMPORTED_TRADES_MAX} imported trades; import fewer"
                )
            packed.write(f"{','.join(map(str, row))}\n".encode())
        if rows == 0:
            raise ImportFault(f"{source} holds no trades")
        packed.close()
        raw.flush()
        os.fsync(raw.fileno())
    return rows, first_us, last_us


def lines_of(source: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that isn't empty; plain, .gz or .xz. ImportFault."""
    number = 0
    try:
        with _opened(source) as lines:
            for number, line in enumerate(lines, 1):
                if len(line) > LINE_CHARS_MAX:
                    raise ImportFault(f"{source} line {number} is over {LINE_CHARS_MAX} characters")
                if not line.isascii():
                    raise ImportFault(
                        f"{source} line {number} has letters or bytes beyond ASCII; "
                        "save it as plain CSV"
                    )
                if line.strip():
                    yield number, line.strip()
    except EOFError as error:
        raise ImportFault(
            f"{source} can't be read past line {number}: the packed file ends too early; "
            "pack or copy it again"
        ) from error
    except (gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise ImportFault(
            f"{source} can't be read past line {number}: it can't be unpacked as "
            f"{source.suffix}; pack it again, or name it .csv if it is plain"
        ) from error
    except OSError as error:
        raise ImportFault(
            f"{source} can't be read: {error.strerror or error}; name a file that is there"
        ) from error


def _opened(source: Path) -> IO[str]:
    if source.suffix == ".gz":
        return gzip.open(source, "rt", encoding="ascii", errors="surrogateescape")
    if source.suffix == ".xz":
        return io.TextIOWrapper(lzma.open(source), encoding="ascii", errors="surrogateescape")
    return source.open(encoding="ascii", errors="surrogateescape")


def _exact(
    line: str, number: int, instrument: records.InstrumentBody, last_us: int, *, first: bool
) -> tuple[int, int, int, int, int] | None:
    """Return one exact row; None for a head line."""
    fields = [field.strip() for field in line.split(",")]
    if first and fields == HEAD:
        return None
    if len(fields) != 4:
        raise ImportFault(
            f"line {number} has {len(fields)} fields; they are ts_ms,price,qty,buyer_is_maker"
        )
    if not (fields[0].isdigit() and 0 < int(fields[0]) < TIME_MS_MAX):
        raise ImportFault(f"line {number}: ts_ms {fields[0]!r} is no time in milliseconds")
    time_us = int(fields[0]) * 1000
    if time_us > time.time_ns() // 1000 + AHEAD_US_MAX:
        raise ImportFault(
            f"line {number}: ts_ms {fields[0]} lies in the future; trades that have happened can "
            "be imported"
        )
    price = _multiple(fields[1], instrument.tick_size, number, "price", "tick_size")
    lots = _multiple(fields[2], instrument.lot_size, number, "qty", "lot_size")
    quote = price * lots * instrument.quote_per_lot_tick
    if quote > AMOUNT_MAX or lots * instrument.base_per_lot > AMOUNT_MAX:
        raise ImportFault(f"line {number}: price and quantity are too large for the ledger")
    maker = _BOOLS.get(fields[3].lower())
    if maker is None:
        raise ImportFault(f"line {number}: buyer_is_maker {fields[3]!r} is neither true nor false")
    if time_us < last_us:
        raise ImportFault(
            f"line {number} is older than the trade before it, or than an earlier import of "
            f"{instrument.symbol}: sort the rows and import the oldest file first"
        )
    side = records.Side.SELL if maker else records.Side.BUY
    return time_us, price, lots, quote, side.value


def _multiple(text: str, step: str, number: int, name: str, step_name: str) -> int:
    try:
        count = Decimal(text) / Decimal(step)
    except InvalidOperation:
        raise ImportFault(f"line {number}: {name} {text!r} is no number") from None
    if not count.is_finite() or count <= 0 or count != count.to_integral_value():
        raise ImportFault(
            f"line {number}: {name} {text} is no positive multiple of the {step_name} {step}"
        )
    return int(count)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
