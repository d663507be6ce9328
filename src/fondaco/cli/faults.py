"""From what can go wrong in any room to one sentence and a status.

Promises: inside `one_sentence()` every known fault of configuration, journal, disk, port and peer
ends the command with its sentence as the last line of stderr and its status of SURFACE; an
unknown one keeps its traceback, and its last line says what failed.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator
from typing import Final

import typer

from fondaco.cli.ending import stop

__all__ = ["Misconfigured", "OutOfSpace", "one_sentence"]

FAILED: Final = 1
USAGE: Final = 2
SQLITE_FULL: Final = "database or disk is full"


class OutOfSpace(Exception):
    """The disk has no room to begin with: one sentence that says how much is needed."""

    status = FAILED


class Misconfigured(Exception):
    """The command can't begin as it was asked to: one sentence that says what to do."""

    status = USAGE


def status_of(error: BaseException) -> int | None:
    """Return the status of a fault that explains itself; None of one that doesn't."""
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status
    by_name = {
        "HouseFileError": USAGE,
        "HouseFault": USAGE,
        "IdentityConflict": USAGE,
        "SealBroken": USAGE,
        "ImproperlyConfigured": USAGE,
        "CommandRefused": FAILED,
        "DatabaseError": FAILED,  # full, locked or unreachable: its own words say which
        "EventsMissing": USAGE,  # starting again can't mend it: the operator removes a database
        "SecondProjector": FAILED,
        "ImportFault": FAILED,
    }
    for kind in type(error).__mro__:
        if kind.__name__ in by_name and kind.__module__.partition(".")[0] in {"fondaco", "django"}:
            return by_name[kind.__name__]
    if isinstance(error, OSError):
        return FAILED
    from fondaco.link.answers import LinkError

    return FAILED if isinstance(error, LinkError) else None


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """End the command with the sentence of a fault that is raised inside."""
    try:
        yield
    except (typer.Exit, typer.Abort, KeyboardInterrupt):
        raise
    except Exception as error:  # noqa: BLE001 - the end of the command, never carried on
        status = status_of(error)
        if status is None:
            traceback.print_exc(file=sys.stderr)
            stop(FAILED, f"{type(error).__name__}: {first_line(error)}; this is a fault of ours")
        stop(status, first_line(error))


def first_line(error: BaseException) -> str:
    """Return what an error says, on one line."""
    if isinstance(error, OSError) and error.strerror:
        named = f"{error.filename}: " if error.filename else ""
        return f"{named}{error.strerror}"
    if str(error) == SQLITE_FULL:
        return "the disk of the data directory is full; free some space and start again"
    return " ".join(str(error).split()) or type(error).__name__
