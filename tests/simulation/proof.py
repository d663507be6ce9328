"""Many histories, over at most two processes, added up; and what must have happened in them.

A short or empty history doesn't count: steps, crashes, faults and event kinds are counted where
they happen, and the goals below are checked against the counts, in proportion to the histories.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from fondaco import core
from fondaco.core.records import Event
from tests.simulation.disk import FAULTS
from tests.simulation.observer import Breach
from tests.simulation.robots import LOOKS
from tests.simulation.world import CRASHES_MIN, STEPS_MIN, History, Settings, World, told

__all__ = ["PROCESSES_MAX", "Proof", "live", "prove"]

PROCESSES_MAX: Final = 2
KIND_GOAL: Final = 1_000  # of each event kind, and each look at a limit, in 10,000 histories
GOAL_HISTORIES: Final = 10_000
TWIN_EVERY: Final = 19  # every so many histories the twin comes along
OUTSIDE: Final = {
    *(Event.QUOTE, Event.REFERENCE, Event.POOL, Event.VENUE_ORDER, Event.VENUE_PART),
}


@dataclass
class Proof:
    """What many histories did."""

    robots: bool = False  # each has them
    histories: int = 0
    steps: int = 0
    steps_least: int = 1 << 30
    crashes: int = 0
    crashes_least: int = 1 << 30
    commands: int = 0
    retries: int = 0
    flips: int = 0
    flips_halted: int = 0
    with_twin: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    kinds: Counter[int] = field(default_factory=Counter)
    looks: Counter[str] = field(default_factory=Counter)

    def add(self, history: History) -> None:
        """Add one."""
        self.histories += 1
        self.steps += history.steps
        self.steps_least = min(self.steps_least, history.steps)
        self.crashes += history.crashes
        self.crashes_least = min(self.crashes_least, history.crashes)
        self.commands += history.commands
        self.retries += history.retries
        self.flips += history.flips
        self.flips_halted += history.flips_halted
        self.with_twin += history.seed % TWIN_EVERY == 0
        self.faults += history.faults
        self.kinds += history.kinds
        self.looks += history.looks

    def judge(self) -> list[str]:
        """Return what is missing for the histories to count."""
        missing = []
        if self.steps_least < STEPS_MIN or self.crashes_least < CRASHES_MIN:
            missing.append(f"a history of {self.steps_least} steps, {self.crashes_least} crashes")
        missing += [f"no {fault}" for fault in FAULTS if not self.faults[fault]]
        if self.histories >= GOAL_HISTORIES:
            counted = {kind.name: self.kinds[kind] for kind in Event if kind in self.wanted()}
            if self.robots:
                counted |= {look: self.looks[look] for look in LOOKS}
            few = [name for name, count in counted.items() if count < KIND_GOAL]
            missing += [f"fewer than {KIND_GOAL} of {name}" for name in few]
        elif self.robots:
            missing += [f"no {look}" for look in LOOKS if not self.looks[look]]
        return missing

    def wanted(self) -> set[Event]:
        """Return the kinds of events that must have come: robots are at books alone."""
        return set(Event) - OUTSIDE if self.robots else set(Event)

    def lines(self) -> list[str]:
        """Return the figures."""
        build = "compiled" if core.COMPILED else "pure"
        lived = (
            f"core: {build}; {self.histories} histories, {self.steps} steps (least "
            f"{self.steps_least}), {self.commands} commands, {self.retries} retries"
        )
        suffered = (
            f"{self.crashes} crashes (least {self.crashes_least}); {self.flips} bits flipped, "
            f"{self.flips_halted} of them halted; {self.with_twin} histories beside the twin"
        )
        faults = ", ".join(f"{name} {self.faults[name]}" for name in FAULTS)
        events = ", ".join(f"{kind.name} {self.kinds[kind]}" for kind in Event)
        looks = ", ".join(f"{look} {self.looks[look]}" for look in LOOKS)
        return [lived, suffered, f"faults: {faults}", f"events: {events}", f"robots: {looks}"]


def live(seed: int, *, robots: bool = False) -> History:
    """Live one history; Breach names the seed."""
    with told(seed, "--robots" if robots else ""):
        settings = Settings(with_twin=seed % TWIN_EVERY == 0, robots=robots or None)
        return World(seed, settings).run()


def prove(seeds: Iterable[int], *, processes: int = 1, robots: bool = False) -> Proof:
    """Live all histories; the first breach stops it."""
    proof = Proof(robots=robots)
    one = partial(live, robots=robots)
    if processes == 1:
        for seed in seeds:
            proof.add(one(seed))
        return proof
    with multiprocessing.Pool(min(processes, PROCESSES_MAX)) as pool:
        for history in pool.imap_unordered(one, seeds, chunksize=10):
            proof.add(history)
            if proof.histories % 500 == 0:
                print(f"{proof.histories} histories, {proof.crashes} crashes", flush=True)
    return proof


__all__ += ["Breach"]
