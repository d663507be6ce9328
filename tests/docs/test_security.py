"""docs/security.md names tests that exist: what it promises is asked by something that can fail."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
LINES_MIN = 25  # of its tables: fewer would mean that the page was not read


def unknown(text: str) -> list[str]:
    """Return the named tests that pytest would not collect."""
    found = []
    for file, name in NAMED.findall(text):
        path = ROOT / file
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.parse("")
        tests = {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        is_collected = name.startswith("test_") and path.name.startswith("test_")
        if not is_collected or name not in tests:
            found.append(f"{file}::{name}")
    return found


def rows(text: str) -> list[list[str]]:
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return [cells for cells in lines if cells[0].strip() != "what holds"]


def test_every_named_test_is_there() -> None:
    """Each `file::test` of the page is a test of that file."""
    assert unknown(PAGE.read_text(encoding="utf-8")) == []


def test_every_promise_names_a_test() -> None:
    """No line of the tables is a promise alone."""
    found = rows(PAGE.read_text(encoding="utf-8"))
    assert len(found) >= LINES_MIN
    assert [cells[0] for cells in found if len(cells) != 2 or not NAMED.search(cells[1])] == []


def test_a_test_that_is_gone_is_noticed() -> None:
    """The planted faults: a file, a test and a function that no test is."""
    gone = (
        "tests/docs/test_none.py::test_x",
        "tests/docs/test_security.py::test_x",
        "tests/docs/test_security.py::rows",
    )
    assert unknown("".join(f"`{each}`" for each in gone)) == list(gone)
