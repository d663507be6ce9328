"""Bugs planted around the simulated house; a history must break on each, or the harness is blind.

They stand where such bugs stood in real systems: an acknowledgement before the sync, a sync tried
again after it failed, a journal cut at its first bad record, a snapshot that forgets, a book that
serves the last first. None touches src; the twin stands in for the core where the core is bad.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final, NamedTuple
from unittest import mock

from fondaco.core.records import numbers_of, split
from fondaco.journal import scan
from fondaco.journal.sequencer import Core
from fondaco.robots.venues import carrying
from tests.property.plants import (
    LIST_PLANTS,
    OUTSIDE_PLANTS,
    RARE_ROBOT_PLANTS,
    ROBOT_PLANTS,
    STOP_PLANTS,
    PlantedTwin,
)
from tests.property.plants import PLANTS as MARKET_PLANTS
from tests.robots.planted_steps import PLANTED_STEPS
from tests.simulation.disk import SimulatedDisk
from tests.simulation.world import Settings, new_core
from tests.twin.exchange import Twin

__all__ = ["FIRST", "PLANTS", "Plant", "TwinCore"]


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


class Plant(NamedTuple):
    """A bug, how the breach by which it is found begins, and the house that it lives in."""

    found_by: str
    settings: Settings
    patched: Callable[[], AbstractContextManager[None]] = nullcontext

    def sound(self) -> Settings:
        """Return the same house without the bug."""
        core = new_core if self.settings.core is new_core else TwinCore
        return replace(self.settings, core=core, disk=SimulatedDisk, carry=carrying.carry)


def _core(core: Callable[[], Core]) -> Settings:
    return Settings(core=core, hash_of=None)


_TWIN: Final = Settings(hash_of=None)
_OUTSIDE: Final = replace(_TWIN, outside=True)
_ROBOTS: Final = replace(_TWIN, robots=True, lists=True)


def _twins(
    found_by: dict[str, str],
    *plants: dict[str, Callable[[], PlantedTwin]],
    house: Settings = _TWIN,
) -> dict[str, Plant]:
    planted = {name: plant for found in plants for name, plant in found.items()}
    return {
        name: Plant(breach, replace(house, core=_with_twin(planted[name])))
        for name, breach in found_by.items()
    }


REPLAY: Final = "journal damaged: /house/journal at byte 0, seq"  # it makes other events than told
DISK: Final = {
    "acknowledged before the sync": Plant("I8 ", Settings(disk=_AcknowledgesBeforeSync)),
    "a failed sync tried again": Plant(
        "journal damaged: /house/", Settings(disk=_TriesTheSyncAgain)
    ),
    "the journal cut at its first bad record": Plant(
        "I10 a flipped bit", Settings(segment_bytes=1 << 30), _usual_recovery
    ),
    "a snapshot that forgets client order ids": Plant(REPLAY, _core(_ForgetsClientIds)),
    "a snapshot that forgets row ids": Plant(REPLAY, _core(_ForgetsRowIds)),
}
MARKET: Final = {
    "last in, first out among equal bids": "I5 priority",
    "hold not released when prevention ends a bid": "I3 held = orders",
    "a fee from nowhere": "I1 ",
    "a depth that is one off at 21 lots": "levels are their orders",
}
STOPS: Final = {
    "a stop fired twice": "I13 a stop fires once",
    "a stop that fires before its aggressor is done": "a stop fires when no order is at work",
    "a hold not released when a triggered order is refused": "I3 held = orders",
    "the newest of the reached stops first": "the oldest stop fires first",
    "a stop that is reached only by the last price": "the oldest stop fires first",
}
LISTS: Final = {
    "a leg left alive": "I20 a leg left alive",
    "a leg that fires beside its sibling": "I20 a leg stays in its list",
    "a list that holds for both its legs": "I3 held = orders",
    "a list that is forgotten with its stop": "I20 ",
    "a cancel that leaves the other leg": "I20 a leg left alive",
}
ROBOTS: Final = {
    "check-then-act on the sell cap": "I19 the sell cap",
    "a sell cap that forgets open sales": "I19 the sell cap",
    "open buys that outlive a loss limit": "I19 a stopped robot has no open purchase",
    "a late holder that may act": "I13 a late holder is refused",
    "profit without its fees": "S0-10 ",
    "sales at market that are free of the cap": "I19 a trade past the sell cap",
    "a kill switch that leaves sales open": "I19 the switch leaves no order",
    "an order's notional forgotten": "I19 an order's notional",
    "a day's count of orders forgotten": "I19 orders of a day",
    "a purchase that no loss refuses": "I19 no purchase after a loss limit",
    "a stop that knows no limit": "I19 ",
    "bids that a stop meets after a loss limit": "I19 no purchase after a loss limit",
    "a list of exits that limits hold up": "S0-7 no limit holds up an exit",
    "a list of a late holder": "I13 a late holder is refused",
}
OUTSIDE: Final = {
    "a venue order sent twice": "I14 ",
    "a message's availability given to each order": "I18 ",
    "a fill's surplus kept on hold": "I3 held = orders",
    "coins mixed in one pool": "I15 of its own coin",
}
STEPS: Final = {
    "sends before it is durable": "I14 sent only after SENT is durable",
    "sends again on a timeout": "I14 ",
    "believes no such order at once": "I14 what was given back is never done",
    "gives back what has no answer": "I14 what was given back is never done",
}
PLANTS: Final[dict[str, Plant]] = {
    **DISK,
    **_twins(MARKET, MARKET_PLANTS),
    **_twins(STOPS, STOP_PLANTS),
    **_twins(LISTS, LIST_PLANTS, house=_ROBOTS),
    **_twins(ROBOTS, ROBOT_PLANTS, RARE_ROBOT_PLANTS, house=_ROBOTS),
    **_twins(OUTSIDE, OUTSIDE_PLANTS, house=_OUTSIDE),
    **{
        f"a worker that {name}": Plant(breach, Settings(outside=True, carry=PLANTED_STEPS[name]))
        for name, breach in STEPS.items()
    },
}
# The seed at which a search from 0 on found it, where that takes more than one or two histories.
FIRST: Final = {
    "a failed sync tried again": 9,
    "a stop fired twice": 2,
    "a stop that is reached only by the last price": 4,
    "check-then-act on the sell cap": 6,
    "a sell cap that forgets open sales": 6,
    "sales at market that are free of the cap": 2,
    "a venue order sent twice": 2,
    "a worker that believes no such order at once": 5,
}
