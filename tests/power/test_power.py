"""Short forms of the long proofs, and the planted bugs that they must catch."""

from __future__ import annotations

import pytest

from tests.power.cuts import run_cuts
from tests.power.flips import run_flips


@pytest.mark.needs("fuse")
def test_a_power_cut_loses_nothing_that_was_acknowledged() -> None:
    """Twenty cuts under load on a file system that forgets: each recovers all, none halts."""
    outcome = run_cuts(20, seed=11)
    assert outcome.cuts == outcome.counts["cuts"] == 20
    assert outcome.kills > 3
    assert outcome.acknowledged > 100
    assert outcome.counts["writes_unsynced"] > 20
    assert outcome.violations == 0


@pytest.mark.needs("fuse")
def test_a_disk_that_syncs_nothing_is_caught_by_power_cuts() -> None:
    """The control: without syncs acknowledged commands are lost, and the harness says so."""
    assert run_cuts(20, seed=11, sync=False).violations > 0


def test_a_flipped_bit_halts_or_loses_nothing() -> None:
    """Five hundred flips over all written bytes of a journal; torn tails never halt."""
    outcome = run_flips(500, seed=11)
    assert outcome.halted > 400
    assert outcome.tails == 25
    assert outcome.violations == 0


def test_a_recovery_that_truncates_at_the_first_bad_record_is_caught() -> None:
    """The planted bug: the usual recovery loses acknowledged commands silently."""
    assert run_flips(100, seed=11, truncating=True).lost > 80
