"""Bit flips, uniform over the written bytes of a real journal: each halts or loses nothing.

    python -m tests.power.flips --flips 20000 [--seed 1] [--skip-control]

A house is written, rested and closed; then one bit of its journal/ (segments and watermark) is
flipped, the journal is recovered, and the bit is flipped back. Passing is a JournalDamaged that
names the file, or every batch intact. Every few flips also the log is left torn, as a power cut
would, and must be cut without a halt. The planted bug is the usual recovery, which truncates at
the first bad record: it loses acknowledged data without a word, and must be caught.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from fondaco.journal.disk import OsDisk
from fondaco.journal.faults import JournalDamaged
from fondaco.journal.file_log import FileLog
from fondaco.journal.framing import HEAD_BYTES, Batch, padded, read_record
from fondaco.journal.segments import SEGMENT_HEAD_BYTES
from tests.journal.tiny import deposit

__all__ = ["Outcome", "run_flips"]

BATCHES: Final = 60
SEGMENT_BYTES: Final = 12 << 10
TORN_EVERY: Final = 20


class Unsynced(OsDisk):
    """Syncs are left out: here nothing but this process can fail."""

    def fdatasync(self, handle: int) -> None:
        """Do nothing."""

    def fsync_directory(self, path: str) -> None:
        """Do nothing."""


@dataclass
class Outcome:
    """What was really done and found."""

    flips: int = 0
    halted: int = 0
    whole: int = 0
    lost: int = 0
    tails: int = 0
    false_halts: int = 0
    misnamed: int = 0  # halts that named another file; a missing end may show in the next one
    messages: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def violations(self) -> int:
        """Return how often a promise was broken."""
        return self.lost + self.false_halts


def run_flips(flips: int, *, seed: int, truncating: bool = False) -> Outcome:
    """Flip so many bits, one at a time; truncating = with the planted bug."""
    random = Random(seed)
    outcome = Outcome()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fondaco-flips-") as scratch:
        directory = Path(scratch) / "journal"
        expected = write_journal(directory, random)
        files = {path: path.read_bytes() for path in sorted(directory.iterdir())}
        places = [
            (path, start, length)
            for path, content in files.items()
            for start, length in written_ranges(path, content)
        ]
        weights = [length for _, _, length in places]
        for number in range(flips):
            path, start, length = random.choices(places, weights)[0]
            offset, bit = start + random.randrange(length), random.randrange(8)
            flip(path, offset, bit)
            judge(directory, expected, outcome, path, truncating=truncating)
            restore(directory, files)
            if number % TORN_EVERY == 0 and not truncating:
                tear(directory, expected, outcome, random)
                restore(directory, files)
    outcome.flips = flips
    outcome.seconds = time.monotonic() - begun
    return outcome


def write_journal(directory: Path, random: Random) -> list[Batch]:
    """Write a journal of several segments and return its batches."""
    log = FileLog(str(directory), segment_bytes=SEGMENT_BYTES, preallocate_bytes=4096)
    log.open()
    for _ in range(BATCHES):
        count = random.choice((1, 1, 2, 10, 30))
        first = log.last().seq + 1
        payload = b"".join(deposit(random.getrandbits(40)) for _ in range(count))
        log.append(
            payload,
            first_seq=first,
            last_seq=first + count - 1,
            time_us=first,
            events_digest=random.getrandbits(63),
        )
    log.close()
    log = FileLog(str(directory))
    log.open()
    batches = list(log.read_from(1))
    log.close()
    assert len(batches) == BATCHES
    assert len(list(directory.glob("*.segment"))) > 2
    return batches


def written_ranges(path: Path, content: bytes) -> list[tuple[int, int]]:
    """Return where a file was written to, without zeros that stand for nothing."""
    if path.name == "watermark":
        return [(0, 96), (4096, 96)]
    return [(0, 72), (SEGMENT_HEAD_BYTES, len(content.rstrip(b"\x00")) - SEGMENT_HEAD_BYTES)]


def flip(path: Path, offset: int, bit: int) -> None:
    """Flip one bit of a file."""
    handle = os.open(path, os.O_RDWR)
    (byte,) = os.pread(handle, 1, offset)
    os.pwrite(handle, bytes([byte ^ 1 << bit]), offset)
    os.close(handle)


def judge(
    directory: Path, expected: list[Batch], outcome: Outcome, path: Path, *, truncating: bool
) -> None:
    """Recover and compare."""
    try:
        found = truncated(directory) if truncating else recovered(directory)
    except JournalDamaged as damage:
        outcome.halted += 1
        outcome.misnamed += damage.file != str(path)
        outcome.messages[damage.advice.partition(";")[0]] += 1
        return
    if found == expected:
        outcome.whole += 1
    else:
        outcome.lost += 1
        outcome.messages[f"lost after a flip in {path.name}"] += 1


def recovered(directory: Path) -> list[Batch]:
    """Return what the real recovery gives."""
    log = FileLog(str(directory), Unsynced())
    try:
        return list(log.recover())
    finally:
        log.close()


def truncated(directory: Path) -> list[Batch]:
    """Return what the usual recovery gives: all up to the first record that isn't whole."""
    found: list[Batch] = []
    previous = bytes(16)
    for path in sorted(directory.glob("*.segment")):
        content = path.read_bytes()
        offset = SEGMENT_HEAD_BYTES
        seq = found[-1].last_seq + 1 if found else 1
        while (batch := read_record(content, offset, previous, seq)) is not None:
            found.append(batch)
            previous, seq = batch.digest, batch.last_seq + 1
            offset += HEAD_BYTES + padded(len(batch.payload))
        if content[offset:].strip(b"\x00"):
            break
    return found


def tear(directory: Path, expected: list[Batch], outcome: Outcome, random: Random) -> None:
    """Leave a record half written after the watermark; it must be cut, and nothing else."""
    mark = (directory / "watermark").read_bytes()
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    log = FileLog(str(directory), Unsynced(), segment_bytes=SEGMENT_BYTES)
    log.open()
    first = log.last().seq + 1
    payload = random.randbytes(8 * random.randint(1, 600))
    log.append(payload, first_seq=first, last_seq=first, time_us=1, events_digest=1)
    log.close()
    newest = max(directory.glob("*.segment"))
    content = newest.read_bytes()
    # A new segment's head is durable before its first record is written.
    old = before.get(newest.name, content[:SEGMENT_HEAD_BYTES]).ljust(len(content), b"\x00")
    begun = next(at for at, pair in enumerate(zip(content, old, strict=True)) if pair[0] != pair[1])
    end = len(content.rstrip(b"\x00"))
    if random.random() < 0.5:  # a prefix
        torn = content[: random.randint(begun, end - 1)].ljust(len(content), b"\x00")
    else:  # some sectors, at least one of them missing
        sectors = list(range(begun // 512, end // 512 + 1))
        missing = set(random.sample(sectors, random.randint(1, len(sectors))))
        torn = b"".join(
            (old if at in missing else content)[at * 512 : at * 512 + 512]
            for at in range(len(content) // 512 + 1)
        )
    newest.write_bytes(torn)
    (directory / "watermark").write_bytes(mark)
    outcome.tails += 1
    try:
        found = recovered(directory)
    except JournalDamaged as damage:
        outcome.false_halts += 1
        outcome.messages[f"false halt: {damage.advice}"] += 1
        return
    # The last sector missing may be one of zeros only: then the record is whole, and kept.
    if found[:BATCHES] != expected or len(found) > BATCHES + 1:
        outcome.lost += 1


def restore(directory: Path, files: dict[Path, bytes]) -> None:
    """Put back what was written."""
    for path in directory.iterdir():
        if path not in files:
            path.unlink()
    for path, content in files.items():
        path.write_bytes(content)


def main() -> int:
    """Run and print what really happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.power.flips", description=__doc__)
    parser.add_argument("--flips", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip-control", action="store_true")
    asked = parser.parse_args()
    outcome = run_flips(asked.flips, seed=asked.seed)
    report("flips", asked.seed, outcome)
    if outcome.violations or outcome.halted == 0 or outcome.tails == 0:
        return 1
    if asked.skip_control:
        return 0
    control = run_flips(min(asked.flips, 500), seed=asked.seed, truncating=True)
    report("control", asked.seed, control)
    if control.lost == 0:
        print("the control lost nothing: this harness proves nothing")
        return 1
    return 0


def report(name: str, seed: int, outcome: Outcome) -> None:
    """Print one run."""
    print(
        f"{name}: seed {seed}, {outcome.flips} flips in {outcome.seconds:.1f} s: "
        f"{outcome.halted} halted, {outcome.whole} lost nothing, {outcome.lost} lost silently; "
        f"{outcome.tails} torn tails, {outcome.false_halts} false halts"
    )
    for text, count in outcome.messages.most_common(12):
        print(f"  {count:6} {text}")


if __name__ == "__main__":
    sys.exit(main())
