"""Runs the programs of bench/ and writes what they print, with the machine, into results.md.

`make bench` runs all, `make bench ARGS="core_bench"` those named; sections of others are kept.
Options after one name are its own: `make bench ARGS="core_bench --rounds 3"`. A program is
bench/NAME.py: its docstring's first line is the question, its stdout Markdown or plain text.
"""

from __future__ import annotations

import ast
import datetime as dt
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

FOLDER: Final = Path(__file__).resolve().parent
RESULTS: Final = FOLDER / "results.md"
PROGRAM_S_MAX: Final = 1800
NOT_PROGRAMS: Final = {"collect", "__init__"}
HEAD: Final = """# Benchmarks

Made by `make bench`; each section states its command, its load and when it was measured. Trust
ratios within a section more than absolute figures: the machines are small and shared.
"""


def programs() -> dict[str, Path]:
    """Return the bench programs by name: files that run by themselves."""
    return {
        path.stem: path
        for path in sorted(FOLDER.glob("*.py"))
        if path.stem not in NOT_PROGRAMS and '__name__ == "__main__"' in path.read_text("utf-8")
    }


def machine() -> str:
    """Return the processor, its cores, memory, kernel and Python in one line."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*: (.*)", cpuinfo)
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model.group(1) if model else platform.machine()}, {os.cpu_count()} cores, "
        f"{memory_gib:.0f} GiB, Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}"
    )


def section(name: str, path: Path, arguments: list[str]) -> str:
    """Run one program and return its section; raises CalledProcessError with its words."""
    question = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=PROGRAM_S_MAX,
        cwd=FOLDER.parent,
    )
    when = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
    command = " ".join(["python -m", f"bench.{name}", *arguments])
    said = done.stdout.strip()
    if not re.search(r"^(\||#)", said, re.MULTILINE):  # plain text or JSON
        said = f"```\n{said}\n```"
    return f"## {name}\n\n{question}\n\n`{command}` on {when}; {machine()}.\n\n{said}\n"


def kept() -> dict[str, str]:
    """Return the sections of results.md by name."""
    if not RESULTS.exists():
        return {}
    parts = re.split(r"^(?=## )", RESULTS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0].removeprefix("## "): part.rstrip() + "\n" for part in parts}


def main() -> int:
    """Run the programs and write results.md; returns how many failed."""
    known = programs()
    words = sys.argv[1:]
    named = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    asked, options = words[:named], words[named:]
    if options and len(asked) != 1:
        sys.exit("options belong to one bench: name it first")
    unknown = [name for name in asked if name not in known]
    if unknown:
        sys.exit(f"no bench {', '.join(unknown)}; there are {', '.join(known) or 'none'}")
    sections = {name: text for name, text in kept().items() if name in known}
    failures = 0
    console = Console(stderr=True)
    for name in asked or known:
        console.print(f"bench {name} ...")
        try:
            sections[name] = section(name, known[name], options)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            console.print(f"bench {name} failed: {error}\n{error.output or ''}", markup=False)
            failures += 1
    body = "\n".join(sections[name] for name in sorted(sections))
    RESULTS.write_text(f"{HEAD}\n{body}", encoding="utf-8")
    return failures


if __name__ == "__main__":
    sys.exit(main())
