"""Recorded trades and candles as one tape of ticks, oldest first.

Files are CSV with a header, plain or compressed by their name (.gz, .xz). Trades have a time, a
price, a quantity and who took (`buyer_is_maker`, or `taker_side` buy or sell); candles a time of
opening and open, high, low, close, volume. A candle is walked: nobody knows its inside, so the way
is chosen and named in the result:

    shape   open, low, high, close if it rose, open, high, low, close if it fell (the default)
    ohlc    open, high, low, close        olhc    open, low, high, close
    close   one tick, at its end

Promises: every row is checked; one that can't be read raises TapeFault with the file, the line and
what was expected. Numbers are exact. Times never go back. What a stranger sent (Upload) is bounded,
unpacked and in rows.
"""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, TypeVar

__all__ = [
    "Bar",
    "Beside",
    "Source",
    "TapeFault",
    "Tick",
    "Upload",
    "Walk",
    "read_candles",
    "read_trades",
    "walk",
]


class Walk(StrEnum):
    """How a candle is walked."""

    SHAPE = "shape"
    OHLC = "ohlc"
    OLHC = "olhc"
    CLOSE = "close"


NUMBERS_KEPT: Final = 20_000
NUMBER_MAX: Final = Decimal(10) ** 15
UPLOAD_BYTES_MAX: Final = 64 << 20  # unpacked
UPLOAD_ROWS_MAX: Final = 600_000  # a year of minutes is 525,600
TIME_MS_MAX: Final = 253_402_300_800_000  # the year 10000
TIME_DIGITS_READ: Final = 20  # more than the greatest has
SHOWN_LETTERS_MAX: Final = 40  # of a field, in a fault
HEADER_LETTERS_MAX: Final = 200

_TIMES: Final = ("ts_ms", "time_ms", "open_ms", "ts", "time", "timestamp", "date")
_QUANTITIES: Final = ("qty", "quantity", "amount", "size")
_MAKERS: Final = ("buyer_is_maker", "buyer_maker")
_SIDES: Final = ("taker_side", "side")
_BOOLS: Final = {"true": True, "1": True, "false": False, "0": False}


class _Numbers(dict[str, Decimal]):
    """Numbers by their text: most of a tape's come again and again."""

    def __init__(self, *, zero: bool = False, places: int | None = None) -> None:
        self._zero = zero
        self._places = places  # that they are rounded to

    def __missing__(self, text: str) -> Decimal:
        if len(self) >= NUMBERS_KEPT:
            self.clear()
        number = _number(text, zero=self._zero)
        if self._places is not None:
            number = round(number, self._places)
            if not number and not self._zero:
                raise ValueError(f"found {_shown(text)}, 0 at {self._places} decimals; keep more")
        self[text] = number
        return number


class TapeFault(ValueError):
    """A file that can't be read: which, at what line, what was found and what is expected."""


class Upload(NamedTuple):
    """A file that was sent: its name, which says how it is packed, and what is in it."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


Source = Path | Upload


class Tick(NamedTuple):
    """One trade of the tape; `buys` if its taker bought."""

    time_us: int
    price: Decimal
    quantity: Decimal
    buys: bool


class Beside(NamedTuple):
    """Another market, that a rule only reads: its steps, and its trades, oldest first."""

    tick: Decimal
    lot: Decimal
    ticks: Iterable[Tick]


class Bar(NamedTuple):
    """One candle of the tape."""

    open_us: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


def read_trades(path: Source, *, places: int | None = None) -> Iterator[Tick]:
    """Yield the trades of a file; raises TapeFault, or OSError if it can't be opened.

    With `places` prices are rounded to so many decimals, half to even.
    """

    def columns(header: list[str]) -> Callable[[list[str]], Tick]:
        time = _place(header, _TIMES)
        price = _place(header, ("price",))
        quantity = _place(header, _QUANTITIES)
        makers = [name for name in _MAKERS if name in header]
        side = _place(header, (*_MAKERS, *_SIDES))

        def tick(row: list[str]) -> Tick:
            text = row[side].strip().lower()
            buys = not _boolean(text) if makers else _is_buy(text)
            return Tick(_time_us(row[time]), prices[row[price]], amounts[row[quantity]], buys)

        return tick

    prices, amounts = _Numbers(places=places), _Numbers()
    last_us = 0
    for line, tick in _rows(path, columns):
        if tick.time_us < last_us:
            raise TapeFault(f"{path}, line {line}: the time goes back; sort the file, oldest first")
        last_us = tick.time_us
        yield tick


def read_candles(path: Source, *, places: int | None = None) -> Iterator[Bar]:
    """Yield the candles of a file, as read_trades() its trades."""

    def columns(header: list[str]) -> Callable[[list[str]], Bar]:
        time = _place(header, _TIMES)
        opens, high, low, close = (
            _place(header, (name,)) for name in ("open", "high", "low", "close")
        )
        volume = _place(header, ("volume",))

        def bar(row: list[str]) -> Bar:
            found = Bar(
                _time_us(row[time]),
                prices[row[opens]],
                prices[row[high]],
                prices[row[low]],
                prices[row[close]],
                volumes[row[volume]],
            )
            if (
                not found.low <= found.open <= found.high
                or not found.low <= found.close <= found.high
            ):
                raise ValueError("open and close lie between low and high")
            return found

        return bar

    prices, volumes = _Numbers(places=places), _Numbers(zero=True)
    last_us = -1
    for line, bar in _rows(path, columns):
        if bar.open_us <= last_us:
            raise TapeFault(
                f"{path}, line {line}: a candle that is not later than the one before;"
                f" sort the file, oldest first, each once"
            )
        last_us = bar.open_us
        yield bar


def walk(bar: Bar, length_us: int, way: Walk, least: Decimal) -> Iterator[Tick]:
    """Yield the ticks of one candle; its volume is shared among them, at least `least` each."""
    rose = bar.close >= bar.open
    if way is Walk.CLOSE:
        quantity = max(bar.volume, least)
        yield Tick(bar.open_us + length_us - 1_000, bar.close, quantity, rose)
        return
    low_first = way is Walk.OLHC or (way is Walk.SHAPE and rose)
    inner = (bar.low, bar.high) if low_first else (bar.high, bar.low)
    quantity = max(bar.volume / 4, least)
    before = bar.open
    for place, price in enumerate((bar.open, *inner, bar.close)):
        time_us = bar.open_us + (length_us - 1_000) * place // 3
        buys = price > before if price != before else rose
        yield Tick(time_us, price, quantity, buys)
        before = price


# -- reading -------------------------------------------------------------------------------------


class _Bounded(io.RawIOBase):
    """What is unpacked of an upload, up to its bound."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._left = UPLOAD_BYTES_MAX

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever has a buffer
        found = self._packed.read(min(len(buffer), self._left + 1))
        self._left -= len(found)
        if self._left < 0:
            raise ValueError(f"it has more than {UPLOAD_BYTES_MAX >> 20} MiB, unpacked")
        buffer[: len(found)] = found
        return len(found)


def _open_text(source: Source) -> IO[str]:
    """Open a file as text, packed or not; a mark of the byte order is passed over."""
    name = source.name.lower()
    if name.endswith(".zip"):
        raise TapeFault(
            f"{source}: a .zip isn't read; unpack it, and begin the file in it with a header like"
            " ts_ms,open,high,low,close,volume or ts_ms,price,qty,buyer_is_maker, times in"
            " milliseconds since 1970"
        )
    opened = io.BytesIO(source.content) if isinstance(source, Upload) else source
    packed: Any  # whatever reads bytes
    if name.endswith(".gz"):
        packed = gzip.open(opened, "rb")  # noqa: SIM115 - closed with the text
    elif name.endswith(".xz"):
        packed = lzma.open(opened, "rb")  # noqa: SIM115 - likewise
    else:
        packed = opened.open("rb") if isinstance(opened, Path) else opened
    raw = io.BufferedReader(_Bounded(packed)) if isinstance(source, Upload) else packed
    return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")


_DAMAGED: Final = (gzip.BadGzipFile, lzma.LZMAError, zlib.error)
_UNREADABLE: Final = (ValueError, EOFError, OSError, csv.Error, *_DAMAGED)
Row = TypeVar("Row")
Reader = Callable[[list[str]], Row]


def _rows(path: Source, columns: Callable[[list[str]], Reader[Row]]) -> Iterator[tuple[int, Row]]:
    """Yield (line, row) of a file whose header `columns` turns into a reader."""
    line, fields = 1, list[str]()
    with _open_text(path) as text:
        lines = csv.reader(text)
        try:
            fields = next(lines, [])
            header = [name.strip().lower() for name in fields]
            read = columns(header)
            for line, fields in enumerate(lines, 2):
                if line > UPLOAD_ROWS_MAX + 1 and isinstance(path, Upload):
                    raise ValueError(f"more than {UPLOAD_ROWS_MAX:,} rows; send fewer of them")
                yield line, read(_whole(fields, header))
        except _UNREADABLE as error:
            line = lines.line_num if isinstance(error, csv.Error) else line
            raise TapeFault(f"{path}, line {line}: {_told(path, error, fields)}") from error


def _told(path: Source, error: Exception, fields: list[str]) -> str:
    """Return what was found where a file can't be read, and what to do."""
    if isinstance(error, EOFError):
        return "the packed file ends too early; pack or copy it again"
    if isinstance(error, _DAMAGED):
        packing = path.name.lower().rpartition(".")[2]
        return f"it can't be unpacked as .{packing}; pack it again, or name it .csv if it is plain"
    if isinstance(error, csv.Error):
        return "it is no CSV with one row a line; save it as CSV, with commas between its fields"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if any("\udc80" <= letter <= "\udcff" for field in fields for letter in field):
        return "found bytes that are no text in UTF-8; save the file as CSV in UTF-8"
    return str(error)


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_LETTERS_MAX else f"{text[:SHOWN_LETTERS_MAX]}…")


def _whole(fields: list[str], header: list[str]) -> list[str]:
    if len(fields) != len(header):
        raise ValueError(f"found {len(fields)} fields, the header has {len(header)}")
    return fields


def _place(header: list[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    shown = ", ".join(header)[:HEADER_LETTERS_MAX] or "nothing"
    raise ValueError(f"the header has {shown}; it needs {' or '.join(names)}")


def _number(text: str, *, zero: bool = False) -> Decimal:
    try:
        number = Decimal(text.strip())
    except InvalidOperation as error:
        raise ValueError(f"found {_shown(text)}; write a number like 20.55") from error
    if not number.is_finite() or number > NUMBER_MAX or number < 0 or (number == 0 and not zero):
        raise ValueError(f"found {_shown(text)}; a number is above 0 and at most 10^15")
    return number


def _boolean(text: str) -> bool:
    if text not in _BOOLS:
        raise ValueError(f"found {_shown(text)} for who made; it is true or false")
    return _BOOLS[text]


def _is_buy(text: str) -> bool:
    if text not in {"buy", "sell"}:
        raise ValueError(f"found side {_shown(text)}; it is buy or sell")
    return text == "buy"


def _time_us(text: str) -> int:
    """Return a time in microseconds: from milliseconds, or a date and time (UTC without zone)."""
    text = text.strip()
    if text.isdecimal():
        time_ms = int(text[:TIME_DIGITS_READ])
        if time_ms > TIME_MS_MAX:
            raise ValueError(f"found time {_shown(text)}; it is milliseconds since 1970")
        return time_ms * 1000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"found time {_shown(text)}; it is milliseconds since 1970, or like 2026-01-31T12:00:00"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
