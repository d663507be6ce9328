"""How a command of the command line ends when it can't go on.

Promises: the last line of stderr is the one sentence that matters, and the status is one of
SURFACE: 1 failed, 2 usage or configuration (what was given is wrong: an option, the house file, an
input file), 3 journal damaged, 4 data directory in use.
"""

from __future__ import annotations

from typing import NoReturn

import typer


def stop(status: int, sentence: str) -> NoReturn:
    """Print the sentence to stderr and end with the status."""
    typer.echo(f"fondaco: {sentence}", err=True)
    raise typer.Exit(status)
