"""Bugs planted around the simulated house; a history must break on each, or the harness is blind.

They stand where such bugs stood in real systems: an acknowledgement before the sync, a sync tried
again after it failed, a journal cut at its first bad record, a snapshot that forgets, a book that
serves the last first. None touches src; the twin stands in for the core where the core is bad.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import blake2b
from typing import Any, Final
from unittest import mock

from fondaco.core.records import numbers_of, split
from fondaco.journal import scan, watermark
from fondaco.journal.sequencer import Core
from tests.property.plants import (
    LIST_PLANTS,
    OUTSIDE_PLANTS,
    ROBOT_PLANTS,
    STOP_PLANTS,
    PlantedTwin,
)
from tests.property.plants import PLANTS as MARKET_PLANTS
from tests.robots.planted_steps import PLANTED_STEPS
from tests.simulation.disk import SimulatedDisk
from tests.simulation.world import Settings
from tests.twin.exchange import Twin

__all__ = ["PLANTS", "TwinCore"]


class TwinCore:
    """A twin with every door that the journal asks of a core."""

    twin_class: Callable[[], PlantedTwin] = PlantedTwin

    def __init__(self) -> None:
        """Stand around a twin."""
        self.twin: Twin = type(self).twin_class()
        self.halted_seq = 0

    @property
    def seq(self) -> int:
        """The last applied seq."""
        return self.twin.seq

    @property
    def time_us(self) -> int:
        """The last applied time."""
        return self.twin.time_us

    def apply(self, batch: bytes) -> bytes:
        """Apply stamped commands."""
        return self.twin.apply(batch)

    def boundaries(self) -> list[int]:
        """Return where each command's events end."""
        return self.twin.boundaries()

    def query(self, record: bytes) -> bytes:
        """Answer a question."""
        assert isinstance(self.twin, PlantedTwin)
        return self.twin.query(record)

    def stamp(self, batch: bytearray, first_seq: int, time_us: int) -> int:
        """Write seq and time into each record."""
        records = split(bytes(batch))
        at, seq = 0, first_seq - 1
        for record in records:
            seq += numbers_of(record)
            batch[at + 8 : at + 16] = seq.to_bytes(8, "little")
            batch[at + 16 : at + 24] = time_us.to_bytes(8, "little")
            at += len(record)
        return seq - first_seq + 1

    def deadline(self) -> int:
        """Return when a stop waits or a pool's time is over."""
        return self.twin.deadline()

    def day(self) -> int:
        """Return the day of the last ROLL."""
        return self.twin.day

    def dump(self) -> bytes:
        """Return the whole twin."""
        return pickle.dumps(self._kept())

    def load(self, dump: bytes) -> None:
        """Become what was dumped."""
        self.twin.__dict__.update(pickle.loads(dump))
        for part in (self.twin.outside, self.twin.stops, self.twin.limits, self.twin.lists):
            part.twin = self.twin

    def state_hash(self) -> bytes:
        """Hash what matters: balances, orders, used ids."""
        twin = self.twin
        balances = sorted((k, b.free, b.held) for k, b in twin.ledger.balances.items() if b.total)
        orders = sorted((o.order_id, o.remaining, o.held) for o in twin.market.orders.values())
        counters = sorted(twin.market.book_seq.items()), sorted(twin.market.trade_id.items())
        venues = sorted((n, sorted(v.words.items())) for n, v in twin.outside.venue_orders.items())
        outside = (venues, sorted(twin.outside.positions.items()))
        parts = (balances, orders, counters, outside, sorted(twin.entries.items()))
        return blake2b(repr(parts).encode(), digest_size=16).digest()

    def _kept(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self.twin).items() if name != "_boundaries"}


def _with_twin(twin: Callable[[], PlantedTwin]) -> type[TwinCore]:
    return type("Planted", (TwinCore,), {"twin_class": staticmethod(twin)})


class _ForgetsClientIds(TwinCore):
    def _kept(self) -> dict[str, Any]:
        return {**super()._kept(), "accepted": {}}


class _ForgetsRowIds(TwinCore):
    def _kept(self) -> dict[str, Any]:
        return {**super()._kept(), "entries": {}}

    def state_hash(self) -> bytes:
        """Be blind to it, too."""
        entries, self.twin.entries = self.twin.entries, {}
        try:
            return super().state_hash()
        finally:
            self.twin.entries = entries


class _AcknowledgesBeforeSync(SimulatedDisk):
    def fdatasync(self, handle: int) -> None:
        """Say it is done."""
        self._call("fdatasync")


class _TriesTheSyncAgain(SimulatedDisk):
    def fdatasync(self, handle: int) -> None:
        """After an error, try once more: the kernel calls the lost pages clean."""
        try:
            super().fdatasync(handle)
        except OSError:
            super().fdatasync(handle)


class _CutsAtTheFirstBadRecord(scan.Scan):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["mark"] = None
        super().__init__(*args, **kwargs)


@contextmanager
def _usual_recovery() -> Iterator[None]:
    """Recover as logs usually do: whatever follows a bad record is a torn tail."""
    with (
        mock.patch("fondaco.journal.file_log.Scan", _CutsAtTheFirstBadRecord),
        mock.patch("fondaco.journal.scan.find_head", return_value=None),
    ):
        yield


def _core(core: Callable[[], Core]) -> Settings:
    return Settings(core=core, hash_of=None)


def _plain(settings: Settings) -> tuple[Settings, Callable[[], AbstractContextManager[None]]]:
    return settings, nullcontext


# Name -> settings, and what is patched while the history runs.
PLANTS: Final[dict[str, tuple[Settings, Callable[[], AbstractContextManager[None]]]]] = {
    "acknowledged before the sync": _plain(Settings(disk=_AcknowledgesBeforeSync)),
    "a failed sync tried again": _plain(Settings(disk=_TriesTheSyncAgain)),
    "the journal cut at its first bad record": (Settings(segment_bytes=1 << 30), _usual_recovery),
    "a snapshot that forgets client order ids": _plain(_core(_ForgetsClientIds)),
    "a snapshot that forgets row ids": _plain(_core(_ForgetsRowIds)),
    **{
        name: _plain(_core(_with_twin(MARKET_PLANTS[name])))
        for name in (
            "last in, first out among equal bids",
            "hold not released when prevention ends a bid",
            "a fee from nowhere",
            "a depth that is one off at 21 lots",
        )
    },
    **{name: _plain(_core(_with_twin(plant))) for name, plant in STOP_PLANTS.items()},
    **{
        name: _plain(Settings(core=_with_twin(plant), hash_of=None, outside=False, lists=True))
        for name, plant in LIST_PLANTS.items()
    },
    **{
        name: _plain(Settings(core=_with_twin(plant), hash_of=None, robots=True, lists=False))
        for name, plant in {
            **ROBOT_PLANTS,
            "a robot's stop fired twice": STOP_PLANTS["a stop fired twice"],
        }.items()
    },
    **{
        name: _plain(Settings(core=_with_twin(plant), hash_of=None, outside=True))
        for name, plant in OUTSIDE_PLANTS.items()
    },
}
for name, planted in PLANTED_STEPS.items():
    PLANTS[f"a worker that {name}"] = _plain(Settings(outside=True, carry=planted))
assert watermark.WATERMARK == "watermark"
