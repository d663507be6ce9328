"""Read a house file: TOML to structs, every fault with its line, what was found and what to do.

Promises: load() returns a House whose values fit each other, or raises HouseFileError with one
sentence. It does not know which house exists already: house.commands compares.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from fondaco.house import checks
from fondaco.house.declared import House
from fondaco.house.errors import HouseFault, HouseFileError
from fondaco.house.lines import line_of

__all__ = ["House", "HouseFileError", "load", "loads", "located"]

FILE_BYTES_MAX: Final = 16 << 20  # 10,000 members with keys and robots are about 5 MB

_TEXTS: Final = frozenset(
    {
        "tick_size",
        "lot_size",
        "min_notional",
        "maker_fee",
        "taker_fee",
        "stop_band",
        "reference_price",
        "slippage",
        "second_approver_above",
    }
)
_AMOUNTS: Final = frozenset({"balances", "allotment"})
_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>.*)`)?$", re.DOTALL)
_STEP: Final = re.compile(r"\.([A-Za-z0-9_\-]+)|\[(\d+)\]|\[\.\.\.\]")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")
_MISSING: Final = re.compile(r"Object missing required field `(.*)`")


def load(path: Path | str, *, host: str = "127.0.0.1") -> House:
    """Return the house declared in the file at `path`, to be served on `host`.

    Raises HouseFileError.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise HouseFileError(
            str(path), 0, f"cannot be read: {reason}; give --house FILE"
        ) from error
    if len(raw) > FILE_BYTES_MAX:
        raise HouseFileError(str(path), 0, f"has {len(raw)} bytes; the most is {FILE_BYTES_MAX}")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise HouseFileError(str(path), line, "is not UTF-8; save it as UTF-8") from error
    return loads(text, name=str(path), host=host)


def loads(text: str, *, name: str = "house.toml", host: str = "127.0.0.1") -> House:
    """Return the house declared in `text`; `name` stands in the errors. Raises HouseFileError."""
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        line = int(at.group(1)) if at else text.count("\n") + 1
        raise HouseFileError(name, line, f"is not TOML: {error}") from error
    try:
        house = msgspec.convert(_with_texts(raw), House)
    except msgspec.ValidationError as error:
        path, what = _explain(str(error))
        raise HouseFileError(name, line_of(text, path), what) from error
    try:
        checks.check(house, host=host)
    except HouseFault as fault:
        raise HouseFileError(name, line_of(text, fault.path), fault.what) from fault
    return house


def located(path: Path | str, fault: HouseFault) -> HouseFileError:
    """Return a fault found later (against what exists) as an error with its line in the file."""
    text = Path(path).read_text(encoding="utf-8")
    return HouseFileError(str(path), line_of(text, fault.path), fault.what)


def _with_texts(value: Any, key: str = "", *, amounts: bool = False) -> Any:  # noqa: ANN401 - TOML
    """Return the tree with exact decimal text where an amount stands, floats elsewhere."""
    if isinstance(value, dict):
        inside = key in _AMOUNTS
        return {name: _with_texts(each, name, amounts=inside) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_texts(each, key) for each in value]
    exact = amounts or key in _TEXTS
    if isinstance(value, Decimal):
        return format(value, "f") if exact else float(value)
    if exact and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _explain(message: str) -> tuple[list[str | int], str]:
    """Return the path and our words for a message of msgspec."""
    match = _AT.match(message)
    what = match.group("what") if match else message
    steps: list[str | int] = []
    for found in _STEP.finditer((match.group("path") or "").removeprefix("$") if match else ""):
        if found.group(1) is not None:
            steps.append(found.group(1))
        elif found.group(2) is not None:
            steps.append(int(found.group(2)))
    place = shown(steps)
    unknown = _UNKNOWN.match(what)
    if unknown:
        known = ", ".join(_known(steps))
        prefix = f"{place} has an" if place else "has an"
        said = f'{prefix} unknown key "{unknown.group(1)}"; known are {known}'
        return [*steps, unknown.group(1)], said
    missing = _MISSING.match(what)
    if missing:
        return steps, f'{place or "it"} lacks the key "{missing.group(1)}"'
    if what.startswith("Invalid enum value"):
        what += f"; write one of {', '.join(_choices(steps))}"
    return steps, f"{place}: {what[:1].lower()}{what[1:]}" if place else what


def _known(steps: list[str | int]) -> list[str]:
    """Return the keys that the table at `steps` may have."""
    return [field.name for field in msgspec.structs.fields(_kind_at(steps))]


def _choices(steps: list[str | int]) -> list[str]:
    """Return the words that may stand at `steps`."""
    *table, last = [step for step in steps if isinstance(step, str)]
    fields = {field.name: field.type for field in msgspec.structs.fields(_kind_at(table))}
    inner = get_args(fields[last])
    return list(inner if isinstance(inner[0], str) else get_args(inner[0]))


def _kind_at(steps: Sequence[str | int]) -> Any:  # noqa: ANN401 - a type of struct
    """Return the struct that declares the table at `steps`."""
    kind: Any = House
    for step in steps:
        if isinstance(step, int):
            continue
        fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
        kind = fields[step]
        for inner in getattr(kind, "__args__", ()):
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                kind = inner
    return kind


def shown(path: list[str | int]) -> str:
    """Return a path as people write it: instruments[2].tick_size, counted from 1."""
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text
