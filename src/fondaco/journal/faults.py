"""How a house stops: every way in which the journal refuses to go on, each one clear sentence.

Each exception's text is the sentence that the command line prints after `fondaco: `, and says
what was found and what to do. `status` is the exit status of SURFACE.
"""

from __future__ import annotations

import errno
import os

__all__ = [
    "DataInUse",
    "ForeignJournal",
    "Halted",
    "JournalDamaged",
    "Poisoned",
    "RepairRefused",
    "ReplayDiffers",
    "WrongVersion",
    "halted_by",
]

VERIFY = "run `fondaco verify`, then restore the file from a copy or see `fondaco repair --help`"


class JournalDamaged(Exception):
    """A durable area is not as it was written; the house doesn't start. Nothing was changed."""

    status = 3

    def __init__(self, file: str, offset: int, seq: int, advice: str) -> None:
        """Name the file, the byte, the first seq that can't be read, and what to do."""
        super().__init__(f"journal damaged: {file} at byte {offset}, seq {seq}: {advice}")
        self.file = file
        self.offset = offset
        self.seq = seq
        self.advice = advice


class ForeignJournal(JournalDamaged):
    """A file that another house, or another program, wrote."""


class WrongVersion(JournalDamaged):
    """A file in a format that this program doesn't read."""


class ReplayDiffers(JournalDamaged):
    """This program made other events from a command than the one that journaled it."""


class Halted(Exception):
    """The sequencer has stopped for ever: nothing more is acknowledged by this process."""

    status = 1


class Poisoned(Halted):
    """An assertion of the core failed inside a command that is journaled already."""

    def __init__(self, seq: int, what: str) -> None:
        """Name the command and what failed."""
        super().__init__(
            f"the command with seq {seq} halts the house ({what}): it is journaled but not "
            f"applied; pass over it with `fondaco repair --skip {seq} --reason N`"
        )
        self.seq = seq


class DataInUse(Exception):
    """Another process holds the data directory.

    `is_orphaned`: the process that locked it is gone, its children are not yet.
    """

    status = 4

    def __init__(self, text: str, *, is_orphaned: bool = False) -> None:
        super().__init__(text)
        self.is_orphaned = is_orphaned


class RepairRefused(Exception):
    """A repair that would do harm, or nothing."""

    status = 1


_SENTENCES = {
    errno.ENOSPC: "the disk is full; free some space and start again",
    errno.EDQUOT: "the disk quota is used up; raise it or free some space and start again",
    errno.EIO: "the disk reports an input/output error; check it (dmesg, smartctl) and start again",
    errno.EROFS: "the file system is read-only; mount it for writing and start again",
    errno.EACCES: "permission is denied; give the file to the user who runs the house",
}


def halted_by(error: OSError, doing: str) -> Halted:
    """Return the halt that an I/O error causes; `doing` says which file was being written."""
    cause = _SENTENCES.get(error.errno or 0)
    if cause is None:
        cause = f"{os.strerror(error.errno) if error.errno else error}; look into it, start again"
    return Halted(f"the house halted while {doing}: {cause} (nothing was acknowledged in vain)")
