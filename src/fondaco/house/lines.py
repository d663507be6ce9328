"""Where in a TOML text a path stands, so that an error can name its line.

Promises: for the shapes a house file uses (tables, arrays of tables, plain keys, inline tables)
the line of the deepest part of the path that is found, counted from 1. It does not parse values;
tomllib does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["line_of"]

_HEADER = re.compile(r"^\s*(\[{1,2})\s*([A-Za-z0-9_.\-]+)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*\"?([A-Za-z0-9_\-]+)\"?\s*(?:\.[^=]*)?=")
_FENCE = re.compile(r"'''|\"\"\"")

Path = Sequence[str | int]


def line_of(text: str, path: Path) -> int:
    """Return the line of `path`, as ("instruments", 1, "tick_size"); 1 if none is found."""
    best_depth = 0
    best_line = 1
    for line, found in _places(text):
        depth = _common(found, path)
        is_first = depth == len(path) and found[depth:] == (0,)  # an array's first table
        if (depth == len(found) or is_first) and depth > best_depth:
            best_depth, best_line = depth, line
    return best_line


def _common(left: Path, right: Path) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _places(text: str) -> list[tuple[int, tuple[str | int, ...]]]:
    """Return (line, path) of every table header and every key that begins a line."""
    places: list[tuple[int, tuple[str | int, ...]]] = []
    counts: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    fenced = False
    for number, line in enumerate(text.splitlines(), start=1):
        fences = len(_FENCE.findall(line))
        if not fenced:
            header = _HEADER.match(line)
            key = _KEY.match(line)
            if header:
                table = _table(header, counts)
                places.append((number, table))
            elif key:
                places.append((number, (*table, key.group(1))))
        if fences % 2:
            fenced = not fenced
    return places


def _table(
    header: re.Match[str], counts: dict[tuple[str | int, ...], int]
) -> tuple[str | int, ...]:
    """Return the path of a header; an array of tables gets the number of its newest row."""
    *parents, last = header.group(2).split(".")
    path: tuple[str | int, ...] = ()
    for name in parents:
        path = (*path, name)
        if path in counts:
            path = (*path, counts[path] - 1)
    path = (*path, last)
    if header.group(1) == "[[":
        counts[path] = counts.get(path, 0) + 1
        path = (*path, counts[path] - 1)
    return path
