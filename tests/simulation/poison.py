"""A command that halts the core, and the repair that passes over it, by the house's own tool.

The poison is a deposit with a row id of its own; the core around the core fails at it with an
assertion, as a bug inside would. The repair runs on real files in memory, copied from the
simulated disk and back, so that it is the operator's `fondaco repair --skip` that is tested.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fondaco.core.records import HEAD_WORDS, LAYOUTS, Command, split
from fondaco.journal.repair import repair
from fondaco.journal.sequencer import Core
from tests.simulation.disk import SimulatedDisk

__all__ = ["POISON_ENTRY", "PoisonedCore", "skip_poison"]

POISON_ENTRY: Final = 6_666_666_666
_ENTRY_AT: Final = 8 * (HEAD_WORDS + LAYOUTS[Command.DEPOSIT].index("entry"))
_MARK: Final = POISON_ENTRY.to_bytes(8, "little")


class PoisonedCore:
    """A core that fails at the poison, and is otherwise the core."""

    def __init__(self, core: Core) -> None:
        """Stand around a core."""
        self.core = core
        self.halted_seq = 0

    @property
    def seq(self) -> int:
        """The last applied seq, or the one that halted."""
        return self.halted_seq or self.core.seq

    @property
    def time_us(self) -> int:
        """The last applied time."""
        return self.core.time_us

    def apply(self, batch: bytes) -> bytes:
        """Apply up to the poison, if there is one, and fail there."""
        if _MARK in batch:
            sound = b""
            for record in split(batch):
                if record[0] == Command.DEPOSIT and record[_ENTRY_AT : _ENTRY_AT + 8] == _MARK:
                    if sound:
                        self.core.apply(sound)
                    self.halted_seq = int.from_bytes(record[8:16], "little")
                    raise AssertionError("planted poison")
                sound += record
        return self.core.apply(batch)

    def boundaries(self) -> list[int]:
        """As the core's."""
        return self.core.boundaries()

    def stamp(self, batch: bytearray, first_seq: int, time_us: int) -> int:
        """As the core's."""
        return self.core.stamp(batch, first_seq, time_us)

    def query(self, record: bytes) -> bytes:
        """As the core's."""
        return self.core.query(record)

    def deadline(self) -> int:
        """As the core's."""
        return self.core.deadline()

    def day(self) -> int:
        """As the core's."""
        return self.core.day()

    def dump(self) -> bytes:
        """As the core's."""
        return self.core.dump()

    def load(self, dump: bytes) -> None:
        """As the core's."""
        self.core.load(dump)

    def state_hash(self) -> bytes:
        """As the core's."""
        return self.core.state_hash()


def skip_poison(disk: SimulatedDisk, data: str, seq: int, core: Callable[[], Core]) -> None:
    """Run `fondaco repair --skip` over a copy of the disk's files and bring them back."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path in disk.paths():
            target = root / path.removeprefix(data).lstrip("/")
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(disk.content(path))
        repair(root, skip_seqs=[seq], reason=1, exchange_factory=lambda: PoisonedCore(core()))
        for repaired in (root / "journal").iterdir():
            disk.restore(f"{data}/journal/{repaired.name}", repaired.read_bytes())
