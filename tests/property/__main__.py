"""python -m tests.property --examples N: seeded flows of the core against its twin, many of them.

An example is a house of its own and some forty commands; after each batch every event and every
answer is compared, and now and then the core goes on from its dump. One example in fifty is
hypothesis's. Two processes at most. Status 1 at the first difference, with the seed that shows it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
COMMANDS = 40
FIRST_SEED = 1_000_000  # away from those of `make test`
HYPOTHESIS_PART = 50


def example(seed: int) -> tuple[int, int, Counter[int], Counter[int], str]:
    """Run one flow; return seed, commands, kinds, reasons, and what differed."""
    from tests.property.flows import Flow
    from tests.property.pair import Pair

    pair = Pair()
    difference = ""
    try:
        pair.run(Flow(Random(seed), pair.open_orders), COMMANDS)
    except AssertionError as error:
        difference = f"{type(error).__name__}: {error}"
    return seed, pair.commands, pair.kinds, pair.reasons, difference


def by_hypothesis(examples: int) -> None:
    """Let hypothesis choose the commands of so many examples."""
    from hypothesis import settings
    from hypothesis.stateful import run_state_machine_as_test

    from tests.property.test_machine import Machine, TestCoreEqualsTwin

    chosen = settings(TestCoreEqualsTwin.settings, max_examples=examples, derandomize=True)
    run_state_machine_as_test(Machine, settings=chosen)


def main() -> int:
    """Run the examples and print what they reached."""
    from fondaco import core
    from fondaco.core.records import Event, Reason

    parser = argparse.ArgumentParser(prog="python -m tests.property", description=__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--first", type=int, default=FIRST_SEED)
    parser.add_argument("--processes", type=int, choices=(1, 2), default=2)
    given = parser.parse_args()
    begun_s = time.monotonic()
    drawn = given.examples // HYPOTHESIS_PART
    seeds = range(given.first, given.first + given.examples - drawn)
    commands, kinds, reasons = 0, Counter[int](), Counter[int]()
    with multiprocessing.Pool(given.processes) as pool:
        for seed, sent, seen, refused, difference in pool.imap_unordered(example, seeds, 50):
            if difference:
                print(f"DIFFERENCE in example {seed} (--first {seed} --examples 1)\n{difference}")
                return 1
            commands += sent
            kinds += seen
            reasons += refused
    if drawn:
        by_hypothesis(drawn)
    print(f"core: {'compiled' if core.COMPILED else 'pure'}; {len(seeds)} seeded examples from")
    print(f"{given.first} on, {commands} commands; {drawn} examples of hypothesis; all equal")
    print("events: " + ", ".join(f"{Event(kind).name} {n}" for kind, n in sorted(kinds.items())))
    print("refusals: " + ", ".join(f"{Reason(r).name} {n}" for r, n in reasons.most_common()))
    print(f"{time.monotonic() - begun_s:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
