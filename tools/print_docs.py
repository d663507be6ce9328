"""Prints the parts of docs/ that are made from the code: the command line and the records.

`python tools/print_docs.py` writes them; tests/docs compares. Nothing else writes these files.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Final

import typer
from typer.testing import CliRunner

ROOT: Final = Path(__file__).resolve().parent.parent
WIDTH: Final = 96
PRINTED: Final = "printed by `python tools/print_docs.py`; edit the source, not this page"

STATUSES: Final = """\
Every command ends with one of these statuses, and one sentence on the last line of stderr:

| status | meaning |
|---|---|
| 0 | done |
| 1 | what was asked failed: a disk, a broker, a proof that doesn't hold |
| 2 | what was given is wrong: an option, the house file, a secret, an input file |
| 3 | the journal is damaged |
| 4 | the data directory is in use |
"""


def command_line() -> str:
    """Return docs/command-line.md: the help of every command."""
    from fondaco.cli.main import build_app

    app = build_app()
    parts = [f"# The command line\n\n<!-- {PRINTED} -->\n\n{STATUSES}\n"]
    for path in [[], *_paths(app)]:
        asked = CliRunner().invoke(app, [*path, "--help"], terminal_width=WIDTH, color=False)
        text = "\n".join(line.rstrip() for line in asked.output.strip().splitlines())
        parts.append(f"## {' '.join(['fondaco', *path])}\n\n```\n{text}\n```\n")
    return "\n".join(parts)


def _paths(app: typer.Typer) -> Iterator[list[str]]:
    """Yield every command as the words that call it."""
    for command in app.registered_commands:
        called = getattr(command.callback, "__name__", "")
        if not command.hidden:
            yield [command.name or called.replace("_", "-")]
    for group in app.registered_groups:
        if group.name and group.typer_instance:
            yield [group.name]
            yield from ([group.name, *path] for path in _paths(group.typer_instance))


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
        layouts.ListStatus,
        layouts.Execution,
        layouts.InstrumentStatus,
        layouts.Verdict,
        layouts.Wait,
        layouts.VenueStatus,
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
