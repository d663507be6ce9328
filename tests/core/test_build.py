"""The build: which one runs, that it is of these sources, that its C twin has the same layouts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fondaco_build
from fondaco.core import COMPILED, constants, layouts, rows
from fondaco.core.records import HEAD_WORDS, LAYOUTS

ROOT = Path(__file__).resolve().parent.parent.parent
CORE = ROOT / "src" / "fondaco" / "core"


def test_the_build_is_the_one_asked_for() -> None:
    """Compiled, unless FONDACO_PURE=1 asks for the Python sources."""
    assert COMPILED is (os.environ.get("FONDACO_PURE") != "1")
    module = sys.modules["fondaco.core.exchange"].__file__ or ""
    assert module.endswith(".so" if COMPILED else "exchange.py")


def run_import(tree: Path, **environment: str) -> str:
    """Import the core of another tree; return the last line of its errors."""
    ended = subprocess.run(
        [sys.executable, "-c", "import fondaco.core.exchange"],
        env={**os.environ, "FONDACO_PURE": "0", "PYTHONPATH": str(tree), **environment},
        capture_output=True, text=True, check=False, timeout=60, cwd=tree,
    )  # fmt: skip
    return (ended.stderr.strip().splitlines() or [""])[-1]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of the core's sources, with the build if there is one."""
    for package in ("fondaco_build", "fondaco/core"):
        target = tmp_path / package
        target.mkdir(parents=True)
        for source in (ROOT / "src" / package).iterdir():
            if source.is_file():
                (target / source.name).write_bytes(source.read_bytes())
    (tmp_path / "fondaco" / "__init__.py").write_text('"""A copy."""\n')
    return tmp_path


def test_a_missing_build_says_what_to_do(tree: Path) -> None:
    """Without the extension the import fails with one sentence; FONDACO_PURE=1 goes on."""
    for built in (tree / "fondaco" / "core").glob("*.so"):
        built.unlink()
    assert "the core is not compiled: run `make setup`" in run_import(tree)
    assert run_import(tree, FONDACO_PURE="1") == ""


@pytest.mark.skipif(not COMPILED, reason="the pure build has nothing to be stale")
@pytest.mark.parametrize("name", ["book.py", "rows.pxd", "constants.pxd", "exchange.py"])
def test_a_build_of_other_sources_says_what_to_do(tree: Path, name: str) -> None:
    """A changed comment in any source is enough: an old build never runs in silence."""
    assert run_import(tree) == ""
    with (tree / "fondaco" / "core" / name).open("a") as source:
        source.write("# changed\n")
    assert "is of other sources than those beside it" in run_import(tree)


def declared(name: str) -> str:
    """Return a .pxd file's text."""
    return (CORE / name).read_text()


def test_the_constants_of_both_builds_are_equal() -> None:
    """constants.pxd has every number of constants.py, and no other."""
    text = declared("constants.pxd")
    found = {
        name: int(value.replace("(-INT64_C(9223372036854775807) - 1)", str(-(1 << 63))))
        for name, value in re.findall(r"^    ([A-Z_0-9]+) = (-?\d+)$", text, re.MULTILINE)
    }
    for name, value in re.findall(r"#define FONDACO_([A-Z_0-9]+) (.+)$", text, re.MULTILINE):
        digits = re.fullmatch(r"U?INT64_C\((\d+)\)", value)
        found[name] = int(digits[1]) if digits else -(1 << 63)
    wanted = {
        name: int(value)
        for name, value in vars(constants).items()
        if name.isupper() and isinstance(value, int) and name not in {"VERSION", "ASSET_TOTAL_MAX"}
        and not name.startswith("ACCOUNT_F") and name != "ACCOUNT_WORLD"
    }  # fmt: skip
    assert found == wanted


def structs(name: str) -> dict[str, list[str]]:
    """Return the fields of each C struct of a .pxd."""
    found = {}
    for struct, body in re.findall(r"cdef struct (\w+):\n((?:    .+\n)+)", declared(name)):
        found[struct] = [line.split("#")[0].split()[1] for line in body.strip().splitlines()]
    return found


def test_the_structs_over_the_records_are_the_records() -> None:
    """layouts.pxd and layouts.py have the fields of records.py, in its order."""
    assert len(layouts.HEAD) == HEAD_WORDS
    kinds = {view.__name__: view for view in layouts.View.__subclasses__()}
    found = structs("layouts.pxd")
    assert set(found) == set(kinds)
    tables = {tuple(layouts.HEAD + names) for names in LAYOUTS.values()}
    for name, fields in found.items():
        assert fields == list(kinds[name].FIELDS)
        assert fields == [f for f in kinds[name].__annotations__ if f != "FIELDS"]
        assert tuple(fields) in tables


def test_the_rows_of_both_builds_have_the_same_fields() -> None:
    """rows.pxd and rows.py agree, row by row."""
    classes = {kind.__name__: kind for kind in rows.ROW_CLASSES.values()}
    found = structs("rows.pxd")
    assert set(found) == set(classes)
    for name, fields in found.items():
        assert sorted(field.split("[")[0] for field in fields) == sorted(classes[name].__slots__)


def test_no_row_is_copied() -> None:
    """In C a bare `row = rows[slot]` copies a struct: rows are taken with the *_at() functions."""
    for name in fondaco_build.MODULES:
        text = (CORE / f"{name}.py").read_text()
        assert not re.search(r"= self\.\w+\.rows\[", text), name
        assert "cdivision" not in text


def test_functions_of_the_path_of_an_order_touch_no_python_object() -> None:
    """They are declared nogil: a Python operation in one doesn't compile."""
    free = {"book.pxd": 0, "ladder.pxd": 0, "checks.pxd": 0, "ledger.pxd": 3, "events.pxd": 2}
    for name, held in free.items():
        methods = re.findall(r"^    cp?def .*\(self.*$", declared(name), re.MULTILINE)
        assert len([line for line in methods if not line.endswith("nogil")]) == held, name
        assert all("noexcept" not in line for line in methods), name
