"""Seeded histories of a house on a failing disk, and the bugs that they must find."""

from __future__ import annotations

import os

import pytest

from fondaco.core.records import Event
from fondaco.journal.faults import JournalDamaged
from tests.simulation.observer import Breach
from tests.simulation.plants import PLANTS, TwinCore
from tests.simulation.proof import Proof, live, prove
from tests.simulation.robots import LOOKS
from tests.simulation.world import Settings, World

HISTORIES = int(os.environ.get("FONDACO_HISTORIES", "200"))
PLANTED_HISTORIES_MAX = 60


@pytest.mark.slow
def test_no_history_breaks_an_invariant() -> None:
    """Seeded histories with crashes, disk faults and retries keep what world.py lists."""
    proof = prove(range(HISTORIES))
    print("\n".join(proof.lines()))
    assert proof.judge() == []


def test_a_seed_gives_the_same_history_twice() -> None:
    """The same seed makes the same commands, faults, crashes and final state."""
    one, other = World(5), World(5)
    assert one.run() == other.run()
    assert one.hashes == other.hashes


def test_robots_are_in_every_history_if_asked() -> None:
    """Each history has them then, and a proof in which a limit was never asked is none."""
    assert all(live(seed, robots=True).kinds[Event.ROBOT] for seed in range(2))
    missing = Proof(robots=True).judge()
    assert [look for look in LOOKS if f"no {look}" not in missing] == []


@pytest.mark.parametrize("name", PLANTS)
def test_a_history_breaks_on_the_planted_bug(name: str) -> None:
    """Within some tens of histories an invariant breaks because of the planted bug."""
    settings, patched = PLANTS[name]

    def live(seed: int) -> int:
        World(seed, settings).run()
        return seed

    with patched(), pytest.raises((Breach, JournalDamaged, AssertionError)) as caught:
        list(map(live, range(PLANTED_HISTORIES_MAX)))
    print(f"planted: {name}; {type(caught.value).__name__} {caught.value}"[:300])


def test_the_carrier_of_the_plants_is_sound() -> None:
    """The twin in the core's place, with nothing planted, lives through its histories."""
    for seed in range(3):
        World(seed, Settings(core=TwinCore, hash_of=None)).run()
