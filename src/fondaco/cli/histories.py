"""`fondaco import-history`: a strategy's past from a file of its own, freqtrade's or hummingbot's.

Promises: the whole file is read before anything is stored, and what doesn't fit is told by its
line; the same file again stores nothing. It works beside a running house. What the formats hold is
said in docs/strategies.md.
"""

from __future__ import annotations

import gzip
import io
import lzma
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from fondaco.cli.ending import stop
from fondaco.cli.faults import Misconfigured, one_sentence

if TYPE_CHECKING:
    from fondaco.strategies.models import Strategy

__all__ = ["register"]

CHARACTERS_MAX: Final = 20_000_000  # more than history.ROWS_MAX lines


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="import-history")(import_history)


def import_history(
    file: Annotated[Path, typer.Argument(help="The file; plain, .gz or .xz.")],
    data: Annotated[Path, typer.Option(help="The data directory of the house.")],
    member: Annotated[str, typer.Option(help="Whose strategy it is: the user name.")],
    strategy: Annotated[str, typer.Option(help="The strategy's name.")],
    kind: Annotated[str, typer.Option("--format", help="csv, freqtrade or hummingbot.")] = "csv",
    starting_balance: Annotated[
        str, typer.Option(help="What it had before the first trade; for a program's trades.")
    ] = "",
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on the last line.")
    ] = False,
) -> None:
    """Take a strategy's past from a file of reports, or of a program's trades."""
    with one_sentence():
        if not (data / "office.sqlite3").exists() and not (data / "journal").is_dir():
            raise Misconfigured(f"there is no house in {data}; give its directory with --data")
        text = _text_of(file)
        from fondaco.cli.care import with_office

        with_office(data)
        from fondaco.strategies import services, words
        from fondaco.strategies.history import FORMATS, HistoryUnfit

        if kind not in FORMATS:
            raise Misconfigured(f"there is no format {kind}; there are {', '.join(FORMATS)}")
        row = _strategy(member, strategy)
        try:
            done = services.import_history(
                row, text, kind=kind, start=starting_balance, now_us=time.time_ns() // 1000
            )
        except HistoryUnfit as unfit:
            for line in unfit.lines:
                typer.echo(line, err=True)
            stop(2, f"nothing of {file} is stored: {unfit.lines[0]}")
        except services.StrategyRefused as refusal:
            stop(1, str(refusal))
        if as_json:
            typer.echo(msgspec.json.encode(words.imported_words(done)).decode())
        else:
            known = done.reports - done.stored
            more = f"; {known} were there already" if known else ""
            typer.echo(f"{done.stored} reports of {row} are imported{more}")


def _text_of(file: Path) -> str:
    """Return a file's text; raises Misconfigured."""
    try:
        with _opened(file) as lines:
            text = lines.read(CHARACTERS_MAX + 1)
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{file} can't be read: {error}") from error
    if len(text) > CHARACTERS_MAX:
        raise Misconfigured(f"{file} has over {CHARACTERS_MAX:,} characters; send it in pieces")
    return text


def _opened(file: Path) -> IO[str]:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig")
    if file.suffix == ".xz":
        return io.TextIOWrapper(lzma.open(file), encoding="utf-8-sig")
    return file.open(encoding="utf-8-sig")


def _strategy(username: str, name: str) -> Strategy:
    """Return a member's strategy; raises Misconfigured, saying which there are."""
    from fondaco.strategies.models import Strategy

    rows = Strategy.objects.select_related("account", "member")
    own = rows.filter(member__username__iexact=username).order_by("name")
    found = own.filter(name=name).first()
    if found is None:
        there = ", ".join(own.values_list("name", flat=True)[:20]) or "none"
        raise Misconfigured(f"{username} has no strategy {name}; there are {there}")
    return found
