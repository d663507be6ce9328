"""Seeded histories of a house on a failing disk, and the bugs that they must find."""

from __future__ import annotations

import os
from functools import cache

import pytest

from fondaco.core.records import Event
from fondaco.journal.faults import JournalDamaged
from tests.simulation.observer import Breach
from tests.simulation.plants import FIRST, PLANTS
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


@cache
def lives(seed: int, settings: Settings) -> None:
    """Let a house live through a history, once for all tests."""
    World(seed, settings).run()


@pytest.mark.parametrize("name", PLANTS)
def test_a_history_breaks_on_the_planted_bug(name: str) -> None:
    """The first breach is the bug's own; without the bug the same histories have none."""
    plant, first = PLANTS[name], FIRST.get(name, 0)
    seeds = iter(range(first, PLANTED_HISTORIES_MAX))
    with plant.patched(), pytest.raises((Breach, JournalDamaged)) as caught:
        for seed in seeds:
            World(seed, plant.settings).run()
    lived = range(first, next(seeds, PLANTED_HISTORIES_MAX))
    print(f"planted: {name}; seed {lived[-1]}: {caught.value}"[:300])
    assert str(caught.value).startswith(plant.found_by)
    for seed in lived:
        lives(seed, plant.sound())
