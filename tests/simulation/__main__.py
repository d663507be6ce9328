"""python -m tests.simulation: live through one history by its seed, or prove many.

--seed N                  one history, everything that it did
--histories N [--first S] that many, on --processes 1 or 2; status 1 at a breach
--robots                  with robots, and 32 workers that race for them, in every one of them; in
                          a third of these many lists, too. Alone they are in every fourth.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]


def main() -> int:
    """Read the arguments, live, print."""
    from tests.simulation.proof import PROCESSES_MAX, Breach, prove

    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=PROCESSES_MAX)
    parser.add_argument("--robots", action="store_true")
    given = parser.parse_args()
    single = given.seed is not None
    seeds = [given.seed] if single else range(given.first, given.first + given.histories)
    begun_s = time.monotonic()
    try:
        processes = 1 if single else given.processes
        proof = prove(seeds, processes=processes, robots=given.robots)
    except Breach as breach:
        print(f"BREACH: {breach}")
        return 1
    for line in proof.lines():
        print(line)
    print(f"{time.monotonic() - begun_s:.0f} s; seeds {seeds[0]} to {seeds[-1]}; 0 violations")
    missing = [] if single else proof.judge()
    for what in missing:
        print(f"NOT ENOUGH: {what}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
