"""How many instructions does a plain order cost, beside the core of an older commit?

    python -m bench.instructions_bench --before COMMIT [COMMIT …] [--commands 20000] [--json FILE]

Needs valgrind. The older core is taken out of git into a folder of its own and built there by its
own setup; both then carry out the same flow under callgrind, which counts what runs inside apply().
The opening of the house is counted by itself and left out. Counts hardly depend on the machine or
on what else it does (a few in a thousand come from memory's addresses); they say nothing of caches
and branches: for time see core_bench.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
BATCH: Final = 16
FLOWS: Final = {"limit": "plain limit orders", "flow": "the whole flow"}
PARTS: Final = ("src", "setup.py", "pyproject.toml")
COUNTED: Final = re.compile(r"Collected : (\d+)")


def carry_out(flow: str, commands: int) -> None:
    """In a process of its own: open a house and apply so many commands of a flow."""
    from bench.core_bench import apply_records, house, joined
    from bench.core_flow import LIMIT, make_flow

    rows = make_flow(3 * commands if flow == "limit" else commands)
    if flow == "limit":
        rows = [row for row in rows if row.kind == LIMIT]
    exchange = house(1)
    made = apply_records(rows[:commands], exchange.seq + 1)
    for batch in joined(made, BATCH):
        exchange.apply(batch)


def count(source: Path, flow: str, commands: int) -> int:
    """Return the instructions inside apply() of the core whose sources stand in this folder."""
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    environment["PYTHONPATH"] = os.pathsep.join((str(source), str(ROOT)))
    done = subprocess.run(
        [
            "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
            "--collect-atstart=no", "--toggle-collect=*Exchange_apply*",
            sys.executable, "-m", "bench.instructions_bench",
            "--carry-out", flow, "--commands", str(commands),
        ],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = COUNTED.search(done.stderr)
    if done.returncode or found is None or int(found[1]) == 0:
        raise SystemExit(f"nothing was counted of the core in {source}:\n{done.stderr[-2000:]}")
    return int(found[1])


def build(commit: str, folder: Path) -> Path:
    """Build the core of a commit in a folder; return where its sources stand."""
    archive = subprocess.run(
        ["git", "archive", commit, *PARTS], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode:
        raise SystemExit(f"git has no commit {commit} here: {archive.stderr.decode()}")
    subprocess.run(["tar", "-x"], input=archive.stdout, cwd=folder, check=True)
    environment = {**os.environ, "PYTHONPATH": "src"}
    print(f"building the core of {commit}", file=sys.stderr)
    built = subprocess.run(
        [sys.executable, "-m", "fondaco_build"],
        env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if built.returncode:
        raise SystemExit(f"the core of {commit} did not build:\n{built.stderr[-2000:]}")
    return folder / "src"


def measure(source: Path, commands: int) -> dict[str, float]:
    """Return the instructions a command of each flow."""
    opening = count(source, "flow", 0)
    return {flow: (count(source, flow, commands) - opening) / commands for flow in FLOWS}


def table(found: dict[str, dict[str, float]], commands: int) -> str:
    """Return the figures as Markdown; the first is the working tree's."""
    now, *before = found
    lines = ["| flow | core | instructions a command | now / then |", "|---|---|---|---|"]
    for flow, name in FLOWS.items():
        lines.append(f"| {name} | {now} | {found[now][flow]:,.1f} | |")
        for commit in before:
            ratio = found[now][flow] / found[commit][flow]
            lines.append(f"| {name} | {commit} | {found[commit][flow]:,.1f} | {ratio:.4f} |")
    lines += ["", f"{commands:,} commands, seed 1, in batches of {BATCH}, by callgrind."]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", nargs="+", default=[], metavar="COMMIT")
    parser.add_argument("--commands", type=int, default=20_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--carry-out", choices=FLOWS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.carry_out:
        carry_out(options.carry_out, options.commands)
        return
    if shutil.which("valgrind") is None:
        raise SystemExit("this bench counts with valgrind, which is not installed")
    found: dict[str, dict[str, float]] = {"now": measure(ROOT / "src", options.commands)}
    for commit in options.before:
        with tempfile.TemporaryDirectory(prefix="fondaco-core-") as folder:
            found[commit] = measure(build(commit, Path(folder)), options.commands)
    result: dict[str, Any] = {"commands": options.commands, "instructions": found}
    print(table(found, options.commands))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
