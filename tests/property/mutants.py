"""Mutation testing: small faults put into a copy of the core, one at a time; who notices?

    python -m tests.property.mutants --sample 100 --seed 1

Each mutant is the pure core with one operator, constant, condition or statement changed. It is
killed if a flow against the twin differs, a planted garbage run breaks an invariant, or it takes
several times as long as the sound core took at first. Survivors are printed by file and line: some
change only speed or memory.

Promises: nothing in the tree is written; the same seed takes the same sample.
"""

from __future__ import annotations

import argparse
import ast
import functools
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent.parent
CORE: Final = ROOT / "src" / "fondaco" / "core"
# What matching, money and memory are made of; layouts and constants are data, not decisions.
FILES: Final = (
    "accounts", "answers", "book", "buffer", "checks", "events", "exchange", "index", "instrument",
    "ladder", "ledger", "limits", "list_orders", "lists", "order_index", "orders", "prints",
    "register", "retries", "robot_orders", "slab", "snapshot", "stops", "triggers",
)  # fmt: skip
FLOWS: Final = 12
PATIENCE: Final = 4  # a mutant may take so many times as long as the sound core beside it
TIME_MAX_S: Final = 1800  # of the sound core
COMPARE: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
BINARY: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.Mod: ast.Mult,
    ast.BitXor: ast.BitOr,
}


class Mutant(NamedTuple):
    """One change of one file."""

    file: str
    line: int
    place: int  # of the node in ast.walk()
    change: str


def mutants(file: str) -> Iterator[Mutant]:
    """Yield every change that can be made to a file."""
    tree = ast.parse((CORE / f"{file}.py").read_text(encoding="utf-8"))
    compiled_only = _compiled_only(tree)
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in compiled_only:
            continue
        for change in _changes(node):
            yield Mutant(file, getattr(node, "lineno", 0), place, change)


def _compiled_only(tree: ast.AST) -> set[int]:
    """Return the nodes that the pure core never runs, and those that aren't decisions."""
    found: set[int] = set()
    for node in ast.walk(tree):
        dead: list[ast.AST] = []
        if isinstance(node, ast.If) and "cython.compiled" in ast.unparse(node.test):
            dead = [node.test] if "not" in ast.unparse(node.test) else [node.test, *node.body]
        elif isinstance(node, ast.With) and "cython.gil" in ast.unparse(node.items[0]):
            dead = [node.items[0].context_expr]
        elif isinstance(node, ast.Return) and ast.unparse(node) == "return 0":
            dead = [node]  # C's way of saying that nothing was raised; nobody reads it
        elif isinstance(node, ast.Raise):
            dead = [node]  # the text of an error
        elif isinstance(node, ast.arguments | ast.Import | ast.ImportFrom):
            dead = [node]
        elif isinstance(node, ast.FunctionDef):
            dead = [*node.decorator_list, *([node.returns] if node.returns else [])]
        elif isinstance(node, ast.AnnAssign):
            dead = [node.annotation]
        found |= {id(leaf) for branch in dead for leaf in ast.walk(branch)}
    return found


def _changes(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Compare):
        return ["compare"] if type(node.ops[0]) in COMPARE else []
    if isinstance(node, ast.BinOp | ast.AugAssign):
        removed = ["remove"] if isinstance(node, ast.AugAssign) else []
        return (["binary"] if type(node.op) in BINARY else []) + removed
    if isinstance(node, ast.BoolOp):
        return ["and-or"]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        return ["unary"]
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return ["plus one"]
    if isinstance(node, ast.If | ast.While):
        return ["never"]
    if isinstance(node, ast.Assign):
        return ["remove"]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return ["remove"]
    return []


def apply(mutant: Mutant) -> str:
    """Return the text of the mutated file."""
    tree = ast.parse((CORE / f"{mutant.file}.py").read_text(encoding="utf-8"))
    node = list(ast.walk(tree))[mutant.place]
    if mutant.change == "remove":
        node = _replace(tree, node, ast.Pass())
    elif isinstance(node, ast.Compare):
        node.ops[0] = COMPARE[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp | ast.AugAssign):
        node.op = BINARY[type(node.op)]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.USub()
    elif isinstance(node, ast.Constant):
        node.value = int(str(node.value)) + 1
    elif isinstance(node, ast.If | ast.While):
        node.test = ast.Constant(value=False)
    return ast.unparse(ast.fix_missing_locations(tree))


def _replace(tree: ast.AST, old: ast.AST, new: ast.stmt) -> ast.AST:
    for parent in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(parent, name, None)
            if isinstance(body, list) and old in body:
                body[body.index(old)] = ast.copy_location(new, old)
    return new


def judge(flows: int) -> int:
    """In a process of its own: 0 if the core beside it shows no fault, 1 if it does."""
    from tests.property.flows import Flow
    from tests.property.pair import Pair

    for seed in range(flows):
        pair = Pair()
        pair.run(Flow(Random(seed), pair.open_orders), 150 + 50 * seed)
        pair.reload()
    from tests.property.test_core_equals_twin import deep, lists, robots, stops

    deep(seed=1)
    for seed in range(3):
        stops(seed)
        lists(seed)
    for seed in range(8):
        robots(seed)
    from tests.property.test_door import (
        test_a_refused_command_changes_nothing,
        test_apply_is_total,
    )

    test_apply_is_total()
    test_a_refused_command_changes_nothing()
    return 0


def trial(mutant: Mutant, time_max_s: float) -> tuple[Mutant, str]:
    """Return the mutant and "survived", or who or what killed it."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        package = Path(folder) / "fondaco"
        package.mkdir()
        for entry in (ROOT / "src" / "fondaco").iterdir():
            if entry.name == "core":
                shutil.copytree(
                    entry, package / "core", ignore=shutil.ignore_patterns("*.so", "*.c", "__py*")
                )
            elif entry.name != "__pycache__":
                (package / entry.name).symlink_to(entry)
        # It finds the core beside itself, so it is copied, not linked.
        shutil.copytree(ROOT / "src" / "fondaco_build", Path(folder) / "fondaco_build")
        if mutant.file:
            (package / "core" / f"{mutant.file}.py").write_text(apply(mutant), encoding="utf-8")
        search = os.pathsep.join((folder, str(ROOT)))
        environment = {**os.environ, "FONDACO_PURE": "1", "FONDACO_FUZZ_RECORDS": "1500"}
        environment |= {"PYTHONPATH": search, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "tests.property.mutants", "--judge"]
        try:
            ended = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True,
                timeout=time_max_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return mutant, "time"
    if ended.returncode == 0:
        return mutant, "survived"
    seen = re.findall(r"^(?:\w+\.)*(\w+(?:Error|Breach|Difference))\b", ended.stderr, re.MULTILINE)
    return mutant, seen[-1] if seen else "ended"


def main() -> int:
    """Take a sample, try each, print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.property.mutants")
    parser.add_argument("--sample", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", nargs="*", default=list(FILES))
    parser.add_argument("--processes", type=int, choices=(1, 2), default=2)
    parser.add_argument("--judge", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.judge:
        return judge(FLOWS)
    begun_s = time.monotonic()
    every = [mutant for file in given.files for mutant in mutants(file)]
    sample = Random(given.seed).sample(every, min(given.sample, len(every)))
    # As many at once as there will be, so that the machine is as busy.
    with multiprocessing.Pool(given.processes) as pool:
        sound = [(Mutant("", 0, 0, ""), TIME_MAX_S)] * given.processes
        verdicts = {verdict for _, verdict in pool.starmap(trial, sound, chunksize=1)}
    verdict = " ".join(sorted(verdicts))
    time_max_s = PATIENCE * (time.monotonic() - begun_s)
    if verdict != "survived":
        print(f"the sound core itself is not passed ({verdict}): nothing can be said of mutants")
        return 1
    killers: Counter[str] = Counter()
    survivors = []
    with multiprocessing.Pool(given.processes) as pool:
        one = functools.partial(trial, time_max_s=time_max_s)
        for mutant, killer in pool.imap_unordered(one, sample):
            killers[killer] += 1
            if killer == "survived":
                survivors.append(mutant)
    for mutant in sorted(survivors):
        text = (CORE / f"{mutant.file}.py").read_text(encoding="utf-8").splitlines()
        print(f"survived: {mutant.file}.py:{mutant.line} {mutant.change}: {_line(text, mutant)}")
    print("killed by: " + ", ".join(f"{name} {n}" for name, n in killers.most_common()))
    killed = len(sample) - len(survivors)
    print(
        f"{killed} of {len(sample)} mutants killed ({100 * killed / len(sample):.1f} %), ", end=""
    )
    print(f"sampled from {len(every)} with seed {given.seed}, {time.monotonic() - begun_s:.0f} s")
    return 0


def _line(text: list[str], mutant: Mutant) -> str:
    return text[mutant.line - 1].strip() if mutant.line else ""


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]
    sys.exit(main())
