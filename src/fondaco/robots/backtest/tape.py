"""Recorded trades and candles as one tape of ticks, oldest first.

Files are CSV with a header, plain or compressed by their name (.gz, .xz). Trades have a time, a
price, a quantity and who took (`buyer_is_maker`, or `taker_side` buy or sell); candles a time of
opening and open, high, low, close, volume. A candle is walked: nobody knows its inside, so the way
is chosen and named in the result:

    shape   open, low, high, close if it rose, open, high, low, close if it fell (the default)
    ohlc    open, high, low, close        olhc    open, low, high, close
    close   one tick, at its end

Promises: every row is checked; one that can't be read raises TapeFault with the file, the line and
what was expected. Numbers are exact. Times never go back.
"""

from __future__ import annotations

import csv
import gzip
import lzma
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import IO, Final, NamedTuple, TypeVar, cast

__all__ = ["Bar", "TapeFault", "Tick", "Walk", "read_candles", "read_trades", "walk"]


class Walk(StrEnum):
    """How a candle is walked."""

    SHAPE = "shape"
    OHLC = "ohlc"
    OLHC = "olhc"
    CLOSE = "close"


NUMBER_MAX: Final = Decimal(10) ** 15
TIME_MS_MAX: Final = 253_402_300_800_000  # the year 10000

_TIMES: Final = ("ts_ms", "time_ms", "open_ms", "ts", "time", "timestamp", "date")
_QUANTITIES: Final = ("qty", "quantity", "amount", "size")
_MAKERS: Final = ("buyer_is_maker", "buyer_maker")
_SIDES: Final = ("taker_side", "side")
_BOOLS: Final = {"true": True, "1": True, "false": False, "0": False}


class TapeFault(ValueError):
    """A file that can't be read: which, at what line, what was found and what is expected."""


class Tick(NamedTuple):
    """One trade of the tape; `buys` if its taker bought."""

    time_us: int
    price: Decimal
    quantity: Decimal
    buys: bool


class Bar(NamedTuple):
    """One candle of the tape."""

    open_us: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


def read_trades(path: Path) -> Iterator[Tick]:
    """Yield the trades of a file; raises TapeFault, or OSError if it can't be opened."""

    def columns(header: list[str]) -> Callable[[list[str]], Tick]:
        time = _place(header, _TIMES)
        price = _place(header, ("price",))
        quantity = _place(header, _QUANTITIES)
        makers = [name for name in _MAKERS if name in header]
        side = _place(header, (*_MAKERS, *_SIDES))

        def tick(row: list[str]) -> Tick:
            text = row[side].strip().lower()
            buys = not _boolean(text) if makers else _is_buy(text)
            return Tick(_time_us(row[time]), _number(row[price]), _number(row[quantity]), buys)

        return tick

    last_us = 0
    for line, tick in _rows(path, columns):
        if tick.time_us < last_us:
            raise TapeFault(f"{path}, line {line}: the time goes back; sort the file, oldest first")
        last_us = tick.time_us
        yield tick


def read_candles(path: Path) -> Iterator[Bar]:
    """Yield the candles of a file; raises TapeFault, or OSError if it can't be opened."""

    def columns(header: list[str]) -> Callable[[list[str]], Bar]:
        time = _place(header, _TIMES)
        places = [_place(header, (name,)) for name in ("open", "high", "low", "close")]
        volume = _place(header, ("volume",))

        def bar(row: list[str]) -> Bar:
            prices = [_number(row[place]) for place in places]
            found = Bar._make((_time_us(row[time]), *prices, _number(row[volume], zero=True)))
            if (
                not found.low
                <= min(found.open, found.close)
                <= max(found.open, found.close)
                <= found.high
            ):
                raise ValueError("open and close lie between low and high")
            return found

        return bar

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


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, "rt", encoding="utf-8", newline=""))
    if path.suffix == ".xz":
        return cast("IO[str]", lzma.open(path, "rt", encoding="utf-8", newline=""))
    return path.open(encoding="utf-8", newline="")


_UNREADABLE: Final = (ValueError, InvalidOperation, EOFError, lzma.LZMAError, OSError)
Row = TypeVar("Row")
Reader = Callable[[list[str]], Row]


def _rows(path: Path, columns: Callable[[list[str]], Reader[Row]]) -> Iterator[tuple[int, Row]]:
    """Yield (line, row) of a file whose header `columns` turns into a reader."""
    line = 1
    with _open_text(path) as text:
        try:
            lines = csv.reader(text)
            header = [name.strip().lower() for name in next(lines, [])]
            read = columns(header)
            for line, fields in enumerate(lines, 2):
                yield line, read(_whole(fields, header))
        except (*_UNREADABLE, csv.Error) as error:
            raise TapeFault(f"{path}, line {line}: {error}") from error


def _whole(fields: list[str], header: list[str]) -> list[str]:
    if len(fields) != len(header):
        raise ValueError(f"found {len(fields)} fields, the header has {len(header)}")
    return fields


def _place(header: list[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    shown = ", ".join(header) or "nothing"
    raise ValueError(f"the header has {shown}; it needs {' or '.join(names)}")


def _number(text: str, *, zero: bool = False) -> Decimal:
    number = Decimal(text.strip())
    if not number.is_finite() or number > NUMBER_MAX or number < 0 or (number == 0 and not zero):
        raise ValueError(f"found {text}; a number is above 0 and at most 10^15")
    return number


def _boolean(text: str) -> bool:
    if text not in _BOOLS:
        raise ValueError(f"found {text!r} for who made; it is true or false")
    return _BOOLS[text]


def _is_buy(text: str) -> bool:
    if text not in {"buy", "sell"}:
        raise ValueError(f"found side {text!r}; it is buy or sell")
    return text == "buy"


def _time_us(text: str) -> int:
    """Return a time in microseconds: from milliseconds, or a date and time (UTC without zone)."""
    text = text.strip()
    if text.isdecimal():
        time_ms = int(text)
        if time_ms > TIME_MS_MAX:
            raise ValueError(f"found time {text}; it is milliseconds since 1970")
        return time_ms * 1000
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
