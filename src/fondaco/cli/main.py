"""The command line: `fondaco COMMAND`, wiring only.

Promises: progress and faults go to stderr, results to stdout; the last line of stderr is the one
sentence that matters; the status is one of SURFACE (0 done, 1 failed, 2 usage or configuration,
3 journal damaged, 4 data directory in use). Only the room of the command that was asked for is
imported: the writer never sees Django, and `--help` of one command is quick.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Final

import typer

__all__ = ["build_app", "main"]

# Command -> the module whose register(app) adds it.
ROOMS: Final = {
    "serve": "serve",
    "demo": "serve",
    "verify": "care",
    "verify-balance": "balance",
    "repair": "care",
    "snapshot": "care",
    "createadmin": "care",
    "keys": "care",
    "security-log": "care",
    "replay": "replay",
    "backtest": "backtest",
    "import": "imports",
    "import-history": "histories",
    "feed": "feed",
    "bench": "bench",
}
# What these write is a result for whoever asked; all else is a house's, and nobody else's to read.
PUBLIC: Final = frozenset({"replay", "backtest", "bench", "feed"})


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"fondaco {version('fondaco')}")
        raise typer.Exit


def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """A trading house that you run yourself."""


def build_app(command: str = "") -> typer.Typer:
    """Return the command line with the room of one command, or with all."""
    app = typer.Typer(
        name="fondaco",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    modules = [ROOMS[command]] if command in ROOMS else list(dict.fromkeys(ROOMS.values()))
    for module in modules:
        importlib.import_module(f"fondaco.cli.{module}").register(app)
    return app


def main(on_begin: Callable[[], None] = lambda: None) -> None:
    """Run the command line; `on_begin` is called when its command has been read and begins."""
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command not in PUBLIC:
        os.umask(0o077)
    app = build_app(command)
    on_begin()
    app()
