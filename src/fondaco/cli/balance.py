"""`fondaco verify-balance`: check a member's branch of a proof of balance, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fondaco.cli.ending import stop
from fondaco.cli.faults import one_sentence

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify-balance")(verify_balance)


def verify_balance(
    file: Annotated[Path, typer.Argument(help="What the house gave you: balance-N.json.")],
    root: Annotated[str, typer.Option(help="The root that the house has published.")] = "",
) -> None:
    """Check that your balance is part of what the house says it owes; 0 = it is, 1 = it isn't."""
    with one_sentence():
        from fondaco.core.money import format_units
        from fondaco.journal.liabilities import BranchBroken, verify

        try:
            found = verify(file.read_bytes(), root=root)
        except OSError as error:
            stop(2, f"{file} can't be read: {error.strerror}")
        except BranchBroken as broken:
            stop(1, f"{file} proves nothing: {broken}")
        typer.echo(f"{found.house}, position {found.seq}, {found.made_at}")
        for code, decimals, amount, total in found.amounts:
            typer.echo(
                f"{format_units(amount, decimals)} {code} of {format_units(total, decimals)}"
            )
        typer.echo(f"root {found.root}")
        if not root:
            typer.echo("compare the root with the published one, or give it by --root", err=True)
