"""`make prove`: the long proofs, one after another, with what each really did.

`make prove SCALE=small` is a rehearsal of some minutes, `SCALE=full` is RELIABILITY's goal;
`make prove ARGS="power flips"` runs those named. Exit status 1 if any fails; each proof prints its
seed, its steps and the faults that really fired, and fails if its planted fault isn't found.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent


class Proof(NamedTuple):
    """A module of tests/ that runs by itself, and its arguments at both scales."""

    module: str
    small: tuple[str, ...]
    full: tuple[str, ...]


PROOFS: Final = {
    "simulation": Proof("tests.simulation", ("--histories", "200"), ("--histories", "10000")),
    "robots": Proof(
        "tests.simulation",
        ("--robots", "--histories", "100"),
        ("--robots", "--histories", "10000"),
    ),
    "power": Proof("tests.power", ("--cuts", "50"), ("--cuts", "1000")),
    "flips": Proof("tests.power.flips", ("--flips", "1000"), ("--flips", "20000")),
    "property": Proof("tests.property", ("--examples", "2000"), ("--examples", "100000")),
    "mutants": Proof("tests.property.mutants", ("--sample", "10"), ("--sample", "400")),
}


def main() -> int:
    """Run the proofs asked for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make prove", description=__doc__)
    parser.add_argument("--scale", choices=("small", "full"), default="small")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PROOFS))
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in PROOFS]
    if unknown:
        parser.error(f"no proof {', '.join(unknown)}; there are {', '.join(PROOFS)}")
    outcomes = []
    for name in asked.names or PROOFS:
        proof = PROOFS[name]
        command = [sys.executable, "-m", proof.module, *getattr(proof, asked.scale)]
        print(f"== {name}: python {' '.join(command[1:])}", flush=True)
        began = time.monotonic()
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        outcomes.append((name, status, time.monotonic() - began))
    print("== outcome")
    for name, status, seconds in outcomes:
        print(f"{name:>12}  {'holds' if status == 0 else 'FAILED'}  {seconds:.0f} s")
    return 1 if any(status for _, status, _ in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
