"""As test_core_equals_twin.py, for the dealer and agency markets: apart, as it takes as long."""

from __future__ import annotations

import pytest

from fondaco.core.records import Event, Reason
from tests.property.pair import Difference
from tests.property.plants import OUTSIDE_PLANTS
from tests.property.test_core_equals_twin import OUTSIDE_REASONS, SEEDS, outside

OUTSIDE_EVENTS = {
    Event.QUOTE,
    Event.REFERENCE,
    Event.POOL,
    Event.VENUE_ORDER,
    Event.VENUE_PART,
}


def test_core_and_twin_agree_on_the_outside_markets() -> None:
    """Quotes, bounds, pools, venue orders and their reports give the same, byte for byte."""
    pairs = [outside(seed) for seed in range(SEEDS // 2)]
    kinds = sum((pair.kinds for pair in pairs), start=type(pairs[0].kinds)())
    reasons = sum((pair.reasons for pair in pairs), start=type(pairs[0].reasons)())
    print(f"{sum(pair.commands for pair in pairs)} commands, seeds 0 to {SEEDS // 2 - 1}")
    print({Event(kind).name: count for kind, count in sorted(kinds.items())})
    print({Reason(reason).name: count for reason, count in reasons.most_common()})
    assert set(kinds) >= OUTSIDE_EVENTS
    assert {reason.name for reason in OUTSIDE_REASONS - set(reasons)} == set()


@pytest.mark.parametrize("name", OUTSIDE_PLANTS)
def test_the_pair_sees_the_bug_of_an_outside_market(name: str) -> None:
    """Within a few flows the comparison stops at a bug of the dealer or agency market."""
    with pytest.raises((Difference, AssertionError)):
        _ = [outside(seed, OUTSIDE_PLANTS[name]()) for seed in range(40)]
