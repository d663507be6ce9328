"""python -m tests.simulation: live through one history by its seed, or prove many.

--seed N                  one history, everything that it did
--histories N [--first S] that many, on --processes 1 or 2; status 1 at a breach
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
    given = parser.parse_args()
    single = given.seed is not None
    seeds = [given.seed] if single else range(given.first, given.first + given.histories)
    begun_s = time.monotonic()
    try:
        proof = prove(seeds, processes=1 if single else given.processes)
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
