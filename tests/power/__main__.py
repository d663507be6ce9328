"""Cut the power under load, as often as asked; exit status 1 if anything acknowledged was lost.

    python -m tests.power --cuts 1000 [--seed 1] [--no-sync] [--skip-control]

Without --skip-control a run with syncs that do nothing follows, and must be caught.
"""

from __future__ import annotations

import argparse
import sys

from tests.power.cuts import Outcome, run_cuts

CONTROL_CUTS = 20


def main() -> int:
    """Run and print what really happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.power", description=__doc__)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-sync", action="store_true", help="the planted bug alone")
    parser.add_argument("--skip-control", action="store_true")
    asked = parser.parse_args()
    outcome = run_cuts(asked.cuts, seed=asked.seed, sync=not asked.no_sync)
    report("no sync" if asked.no_sync else "synced", asked.seed, outcome)
    if outcome.cuts != asked.cuts or outcome.counts["cuts"] != asked.cuts:
        print(f"only {outcome.counts['cuts']} of {asked.cuts} cuts really happened")
        return 1
    if outcome.violations:
        return 1
    if asked.skip_control or asked.no_sync:
        return 0
    control = run_cuts(CONTROL_CUTS, seed=asked.seed, sync=False)
    report("control", asked.seed, control)
    if not control.violations:
        print("the control broke nothing: this harness proves nothing")
        return 1
    return 0


def report(name: str, seed: int, outcome: Outcome) -> None:
    """Print one run."""
    rate = outcome.cuts / outcome.seconds
    print(
        f"{name}: seed {seed}, {outcome.cuts} cuts and {outcome.kills} kills "
        f"in {outcome.seconds:.1f} s ({rate:.1f} cuts/s), "
        f"{outcome.acknowledged} commands acknowledged, {outcome.lost} lost, "
        f"{outcome.wrong} wrong, {outcome.halts} false halts; "
        f"{outcome.recovered_more} recoveries also kept unacknowledged ones"
    )
    counted = {name: count for name, count in outcome.counts.items() if name != "pid"}
    print("  " + ", ".join(f"{name} {count}" for name, count in sorted(counted.items())))


if __name__ == "__main__":
    sys.exit(main())
