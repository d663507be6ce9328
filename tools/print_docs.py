"""Prints the parts of docs/ that are made from the code: the command line and the records.

`python tools/print_docs.py` writes them; tests/docs compares. Nothing else writes these files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Final

import click
import typer

ROOT: Final = Path(__file__).resolve().parent.parent
WIDTH: Final = 96
PRINTED: Final = "printed by `python tools/print_docs.py`; edit the source, not this page"


def command_line() -> str:
    """Return docs/command-line.md: the help of every command."""
    os.environ["COLUMNS"] = str(WIDTH)
    from fondaco.cli.main import app

    parts = [f"# The command line\n\n<!-- {PRINTED} -->\n"]
    for path, command in _commands(typer.main.get_command(app), "fondaco"):
        context = click.Context(
            command, info_name=path, terminal_width=WIDTH, max_content_width=WIDTH
        )
        text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
        parts.append(f"## {path}\n\n```\n{text}\n```\n")
    return "\n".join(parts)


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.commands:
            child = command.commands[name]
            if not child.hidden:
                yield from _commands(child, f"{path} {name}")


def records() -> str:
    """Return docs/records.md: every kind of record with its words."""
    from fondaco.core import records as layouts

    parts = [f"# Records\n\n<!-- {PRINTED} -->\n", layouts.__doc__ or ""]
    for kinds in (layouts.Command, layouts.Event, layouts.Query):
        parts.append(f"\n## {kinds.__name__}\n\n{kinds.__doc__}\n")
        parts.append("| kind | name | words after the head |\n|---|---|---|")
        for kind in kinds:
            words = layouts.LAYOUTS.get(kind)
            shown = "a msgpack body" if words is None else ", ".join(words) or "none"
            parts.append(f"| {kind.value} | {kind.name} | {shown} |")
    enumerations: tuple[type[IntEnum], ...] = (
        layouts.Side,
        layouts.OrderType,
        layouts.TimeInForce,
        layouts.SelfTrade,
        layouts.OrderStatus,
        layouts.Execution,
        layouts.InstrumentStatus,
        layouts.AccountKind,
        layouts.Scope,
        layouts.Cause,
        layouts.Reason,
    )
    parts.append("\n## Values\n")
    for values in enumerations:
        listed = ", ".join(f"{value.value} {value.name}" for value in values)
        parts.append(f"- {values.__name__}: {listed}")
    return "\n".join(parts) + "\n"


PAGES: Final = {"docs/command-line.md": command_line, "docs/records.md": records}


def main() -> None:
    """Write every printed page."""
    for name, page in PAGES.items():
        (ROOT / name).write_text(page(), encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main()
