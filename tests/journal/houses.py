"""Small houses for the journal's tests, on the tiny exchange."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from fondaco.journal.clock import TestClock
from fondaco.journal.file_log import FileLog
from fondaco.journal.recovery import open_sequencer
from fondaco.journal.sequencer import Sequencer
from tests.journal.tiny import TinyExchange, deposit, hash_of

START_US = 1_700_000_000_000_000


def open_house(data_dir: Path | str, **options: Any) -> Sequencer:
    """Open a house of the tiny exchange."""
    options.setdefault("exchange_factory", TinyExchange)
    options.setdefault("clock", TestClock(START_US))
    options.setdefault("preallocate_bytes", 4096)
    return open_sequencer(data_dir, options.pop("clock"), hash_of=hash_of, **options)


def kill(sequencer: Sequencer) -> None:
    """End as a killed process does: nothing is synced, written or said."""
    log, events = sequencer.log, sequencer.events
    assert isinstance(log, FileLog)
    log._disk.close(log._handle)
    if events._handle >= 0:
        events._disk.close(events._handle)


def grow(sequencer: Sequencer, batches: int, *, size: int = 3) -> None:
    """Commit some batches of deposits."""
    for number in range(batches):
        sequencer.commit([deposit(number + 1, account=16 + number % 5)] * size)


def copy_of(data_dir: Path, name: str) -> Path:
    """Return a copy of a data directory beside it."""
    copied = data_dir.parent / name
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(data_dir, copied)
    return copied


def segments(data_dir: Path) -> list[Path]:
    """Return the journal's segments, oldest first."""
    return sorted((data_dir / "journal").glob("*.segment"))


def flip(path: Path, offset: int, bit: int = 0) -> None:
    """Flip one bit of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))


def tail_of(path: Path) -> int:
    """Return where the written part of a file ends."""
    return len(path.read_bytes().rstrip(b"\x00"))


def listing(data_dir: Path) -> dict[str, bytes]:
    """Return every file under a directory with its content."""
    found = {}
    for folder, _, names in os.walk(data_dir):
        for name in names:
            path = Path(folder) / name
            found[str(path.relative_to(data_dir))] = path.read_bytes()
    return found
