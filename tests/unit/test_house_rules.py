"""The rules of the house that no linter knows, as tests over the source tree.

Each rule is a function from a file's text to its breaches, and each ships with a planted breach
that it must catch. docs/decisions/0002 argues why they are tests.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FILE_LINES_MAX = 600  # past it, look for the second thing that the file does
FUNCTION_LINES_MAX = 70  # a screen
FORBIDDEN_NAMES = {"common", "data", "helper", "helpers", "info", "manager", "process", "util"}
FORBIDDEN_NAMES |= {"utils"}
CODE = {".py", ".pxd", ".ts", ".svelte", ".css"}
TEXT = CODE | {".md", ".toml", ".yml", ".yaml", ".html", ".sh", ".cfg", ".txt", ".json", ""}
# Written by programs, or words of others.
GENERATED = ("requirements/", "src/fondaco/office/static/", "web/package-lock.json", "LICENSE")
# What a machine, a package registry or unfinished work leaves behind.
TRACES = re.compile(
    r"(?<![\w.<>}])/(work|root|home|Users|opt)/\w|\bpyenv\b|https?://registry\.|"
    r"files\.pythonhosted|\b(TODO|FIXME|XXX)\b"
)

Rule = Callable[[Path, str], Iterator[str]]


def tracked(*suffixes: str) -> list[Path]:
    """Return the tracked (and newly added) text files that people wrote."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [
        ROOT / name
        for name in listed
        if not name.startswith(GENERATED)
        and (Path(name).suffix in suffixes)
        and (ROOT / name).is_file()
    ]


def long_files(path: Path, text: str) -> Iterator[str]:
    """A file has at most FILE_LINES_MAX lines."""
    count = text.count("\n")
    if count > FILE_LINES_MAX:
        yield f"{count} lines, at most {FILE_LINES_MAX}: look for the second thing that it does"


def long_functions(path: Path, text: str) -> Iterator[str]:
    """A function has at most FUNCTION_LINES_MAX lines, from def to end."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{node.name}() at line {node.lineno} has {length} lines"


def undescribed(path: Path, text: str) -> Iterator[str]:
    """A module opens with what it is for."""
    if path.name == "__init__.py" and not text.strip():
        return
    if not ast.get_docstring(ast.parse(text)):
        yield "no module docstring: what it is for, what it promises, what it does not"


def forbidden_names(path: Path, text: str) -> Iterator[str]:
    """No module or class is named after nothing."""
    if path.stem in FORBIDDEN_NAMES:
        yield f"the file name {path.stem} says nothing"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            words = re.findall(r"[A-Z][a-z]*", node.name)
            if words and words[-1].lower() in FORBIDDEN_NAMES:
                yield f"class {node.name} at line {node.lineno}"


def blanket_handlers(path: Path, text: str) -> Iterator[str]:
    """`except Exception` (or a bare except) raises or ends the program; it never carries on."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        names = (
            {leaf.id for leaf in ast.walk(node.type) if isinstance(leaf, ast.Name)}
            if (node.type)
            else {"Exception"}
        )
        if not names & {"Exception", "BaseException"}:
            continue
        last = node.body[-1]
        call = last.value if isinstance(last, ast.Expr) else None
        ends = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "stop"
        if not (isinstance(last, ast.Raise) or ends):
            yield f"line {node.lineno}: catches everything and carries on"


def row_copies(path: Path, text: str) -> Iterator[str]:
    """In core no bare local is bound to rows[i]: compiled, that is a copy of the row."""
    tree = ast.parse(text)
    overlays = [  # the functions that are the overlay
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.endswith("_at")
    ]
    exempt = {id(leaf) for overlay in overlays for leaf in ast.walk(overlay)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        if id(node) in exempt:
            continue
        value = node.value
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if not isinstance(value, ast.Subscript) or isinstance(value.slice, ast.Slice):
            continue
        holder = value.value
        name = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
        if name.endswith("rows") and any(isinstance(target, ast.Name) for target in targets):
            yield f"line {node.lineno}: use the overlay (..._at(rows, slot)), not {name}[...]"


def traces(path: Path, text: str) -> Iterator[str]:
    """No paths of one machine, no registries' host names, no unfinished notes."""
    if path == Path(__file__):
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = TRACES.search(line)
        if found:
            yield f"line {number}: {found.group()}"


def untold_tests(path: Path, text: str) -> Iterator[str]:
    """Every test's docstring is the fact that it proves."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("test_") and not ast.get_docstring(node):
            yield f"{node.name} at line {node.lineno} has no docstring"


def sleeping_tests(path: Path, text: str) -> Iterator[str]:
    """No test sleeps to be right: it waits for a condition, in a loop with a deadline."""
    tree = ast.parse(text)
    loops = [
        node for node in ast.walk(tree) if isinstance(node, ast.While | ast.For | ast.AsyncFor)
    ]
    polled = {id(leaf) for loop in loops for leaf in ast.walk(loop)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "sleep"
            and id(node) not in polled
            and not (isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
        ):
            yield f"line {node.lineno}: sleeps outside a loop that waits for a condition"


def _below(*folders: str) -> Callable[[Path], bool]:
    roots = [ROOT / folder for folder in folders]
    return lambda path: any(path.is_relative_to(folder) for folder in roots)


def _named_test(path: Path) -> bool:
    return path.name.startswith("test_") and path.is_relative_to(ROOT / "tests")


def _python_outside_migrations(path: Path) -> bool:
    return "migrations" not in path.parts


# The rule, the suffixes it reads, which files it is about, and a planted breach.
RULES: dict[str, tuple[Rule, set[str], Callable[[Path], bool], str]] = {
    "file length": (long_files, CODE, lambda _: True, "\n" * (FILE_LINES_MAX + 1)),
    "function length": (
        long_functions,
        {".py"},
        lambda _: True,
        "def f() -> None:\n" + "    g()\n" * FUNCTION_LINES_MAX,
    ),
    "module docstring": (undescribed, {".py"}, _python_outside_migrations, "import os\n"),
    "forbidden names": (forbidden_names, {".py"}, lambda _: True, "class OrderManager: ...\n"),
    "blanket handlers": (
        blanket_handlers,
        {".py"},
        _below("src", "bench", "tools"),
        "try:\n    f()\nexcept Exception:\n    log()\n",
    ),
    "row copies": (row_copies, {".py"}, _below("src/fondaco/core"), "row = self.rows[slot]\n"),
    "traces": (traces, TEXT, lambda _: True, "see /root/main/x\n"),
    "facts": (untold_tests, {".py"}, _named_test, "def test_x() -> None:\n    assert 1\n"),
    "sleeps": (sleeping_tests, {".py"}, _below("tests"), "import time\ntime.sleep(1)\n"),
}


@pytest.mark.parametrize("name", RULES)
def test_the_tree_keeps_the_rule(name: str) -> None:
    """No file of the tree breaks the rule."""
    rule, suffixes, concerns, _ = RULES[name]
    breaches = [
        f"{path.relative_to(ROOT)}: {breach}"
        for path in tracked(*suffixes)
        if concerns(path)
        for breach in rule(path, path.read_text(encoding="utf-8"))
    ]
    assert not breaches, "\n".join(["", *breaches])


@pytest.mark.parametrize("name", RULES)
def test_the_rule_catches_its_planted_breach(name: str) -> None:
    """A rule that can't find a breach planted for it would pass on anything."""
    rule, _, _, planted = RULES[name]
    assert list(rule(ROOT / "planted.py", planted))


def test_blanket_handlers_may_add_context() -> None:
    """`except Exception` that ends in a raise keeps the rule."""
    text = "try:\n    f()\nexcept Exception as error:\n    raise Halted('x') from error\n"
    assert not list(blanket_handlers(ROOT / "planted.py", text))
