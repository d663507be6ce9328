"""Recorded signals for a backtest, from a file.

A file is JSON as the API takes signals (one object, a list of them, or one a line), or CSV with a
header: `timestamp`, `summary`, and `symbol` if it isn't BTC. It may be packed (.gz, .xz), and sent.

Promises: signals come oldest first, each once (symbol, time and summary as the house has it); what
can't be read raises TapeFault with the place. What a stranger sent is bounded, unpacked.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

from fondaco.robots.backtest.tape import Source, TapeFault, Upload
from fondaco.robots.hub.messages import Unfit, read_signal

__all__ = ["SIGNALS_MAX", "Signal", "read_signals"]

SIGNALS_MAX: Final = 100_000
BYTES_MAX: Final = 64 << 20
UPLOAD_BYTES_MAX: Final = 16 << 20  # unpacked
HEAD_BYTES: Final = 256 << 10
TOO_DEEP: Final = "its brackets nest too deep"
_UNREADABLE: Final = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, UnicodeDecodeError)


class Signal(NamedTuple):
    """One signal: when, of what, and from 2 (STRONG_BUY) to -2 (STRONG_SELL)."""

    time_us: int
    symbol: str
    strength: int


def read_signals(path: Source, *, first: int | None = None) -> list[Signal]:
    """Return the signals of a file, or only the first of them as it has them.

    For these its first HEAD_BYTES are read, unpacked; a longer list in brackets has to be read
    wholly, and gives none. Raises TapeFault, or OSError if it can't be opened.
    """
    text, is_whole = _text(path, None if first is None else HEAD_BYTES)
    if not is_whole and text.lstrip().startswith("["):
        return []
    found: dict[Signal, None] = {}
    for place, body in islice(_bodies(path, text), first):
        try:
            one = read_signal(body)
        except Unfit as error:
            field = f"{error.field} " if error.field else ""
            raise TapeFault(f"{path}, {place}: {field}{error}") from error
        found[Signal(one.timestamp_us, one.symbol, one.strength)] = None
        if len(found) > SIGNALS_MAX:
            raise TapeFault(f"{path}: more than {SIGNALS_MAX:,} signals; send fewer of them")
    if not found:
        raise TapeFault(f"{path}: found no signal")
    return sorted(found, key=lambda one: one.time_us)


def _bodies(path: Source, text: str) -> Iterator[tuple[str, Any]]:
    """Yield each signal as it stands in the text of a file, with its place."""
    lines = [line.strip() for line in text.splitlines()]
    if not text.lstrip().startswith(("{", "[")):
        header = [name.strip().lower() for name in lines[0].split(",")] if lines else []
        if not {"timestamp", "summary"} <= set(header):
            raise TapeFault(
                f"{path}, line 1: a file of signals is JSON, or CSV with timestamp and summary"
            )
        for number, line in enumerate(lines[1:], 2):
            if line:
                fields = [field.strip() for field in line.split(",")]
                if len(fields) != len(header):
                    said = f"found {len(fields)} fields, the header has {len(header)}"
                    raise TapeFault(f"{path}, line {number}: {said}")
                yield f"line {number}", dict(zip(header, fields, strict=True))
        return
    try:
        whole = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        yield from _lines(path, lines, error)
        return
    except RecursionError as error:
        raise TapeFault(f"{path}: {TOO_DEEP}") from error
    for number, body in enumerate(whole if isinstance(whole, list) else [whole], 1):
        yield f"signal {number}", body


def _lines(path: Source, lines: list[str], whole: Exception) -> Iterator[tuple[str, Any]]:
    """Yield one object a line; what is no JSON as a whole either is told as such."""
    for number, line in enumerate(lines, 1):
        if line:
            try:
                yield f"line {number}", msgspec.json.decode(line)
            except RecursionError as error:
                raise TapeFault(f"{path}, line {number}: {TOO_DEEP}") from error
            except msgspec.DecodeError as error:
                fault = whole if number == 1 else error
                raise TapeFault(f"{path}, line {number}: it is no JSON: {fault}") from error


def _text(path: Source, head: int | None) -> tuple[str, bool]:
    """Return the text of a file, or the whole lines of its head, and whether that is all."""
    name = path.name.lower()
    is_packed = name.endswith((".gz", ".xz"))
    unpack: Any = lzma.open if name.endswith(".xz") else gzip.open
    bytes_max = UPLOAD_BYTES_MAX if isinstance(path, Upload) else BYTES_MAX
    try:
        with (
            io.BytesIO(path.content) if isinstance(path, Upload) else path.open("rb") as packed,
            unpack(packed, "rb") if is_packed else packed as file,
        ):
            raw: bytes = file.read((head or bytes_max) + 1)
        if head is not None and len(raw) > head:
            return raw[: raw.rfind(b"\n") + 1 or head].decode("utf-8-sig", "ignore"), False
        if len(raw) > bytes_max:
            raise TapeFault(f"{path}: it has more than {bytes_max >> 20} MiB, unpacked")
        return raw.decode("utf-8-sig"), True
    except _UNREADABLE as error:
        raise TapeFault(f"{path}: it can't be read as packed by its name, in UTF-8") from error
