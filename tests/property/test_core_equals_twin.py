"""The core against its naive twin, by seeded flows; run on whichever build is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fondaco.core.records import (
    ACCOUNT_WORLD,
    ASSET_TOTAL_MAX,
    Command,
    Event,
    Reason,
    pack,
    unpack,
)
from tests.property.flows import DeepFlow, Flow, ListFlow, StopFlow
from tests.property.outside_flows import OutsideFlow
from tests.property.pair import Difference, OnTrial, Pair
from tests.property.plants import (
    LIST_PLANTS,
    PLANTS,
    RARE_ROBOT_PLANTS,
    ROBOT_PLANTS,
    STOP_PLANTS,
    PlantedTwin,
)
from tests.property.robot_flows import RobotFlow

SEEDS = int(os.environ.get("FONDACO_PROPERTY_SEEDS", "60"))
ROOT = Path(__file__).resolve().parent.parent.parent
COMMANDS = 250
DEEP_COMMANDS = 2500
OUTSIDE_COMMANDS = 500
STOP_COMMANDS = 500
ROBOT_COMMANDS = 400
TRIGGERS_MAX = 16
ROBOT_REASONS = {r for r in Reason if Reason.NOT_ROBOT <= r <= Reason.INVALID_FLAGS}
LIST_REASONS = {Reason.INVALID_LIST, Reason.LIST_PRICES, Reason.ORDER_IN_LIST}
OUTSIDE_REASONS = {reason for reason in Reason if reason > Reason.INVALID_ENTRY} - ROBOT_REASONS
OUTSIDE_REASONS -= LIST_REASONS


def run(seed: int, on_trial: OnTrial | None = None, *, commands: int = COMMANDS) -> Pair:
    """Run one seeded flow through a pair and return it."""
    pair = Pair(on_trial)
    pair.run(Flow(Random(seed), pair.open_orders), commands)
    return pair


def outside(seed: int, on_trial: OnTrial | None = None) -> Pair:
    """Run one flow with dealer and agency markets in it and return the pair."""
    pair = Pair(on_trial)
    pair.run(OutsideFlow(Random(seed), pair.open_orders, pair.venue_orders), OUTSIDE_COMMANDS)
    return pair


def stops(seed: int, on_trial: OnTrial | None = None) -> Pair:
    """Run one flow of many stops and return the pair."""
    pair = Pair(on_trial)
    pair.run(StopFlow(Random(seed), pair.open_orders), STOP_COMMANDS)
    return pair


def lists(seed: int, on_trial: OnTrial | None = None) -> Pair:
    """Run one flow of many lists and return the pair."""
    pair = Pair(on_trial)
    pair.run(ListFlow(Random(seed), pair.open_orders), STOP_COMMANDS, check_every=4)
    return pair


def robots(seed: int, on_trial: OnTrial | None = None) -> Pair:
    """Run one flow of robots and their workers and return the pair."""
    pair = Pair(on_trial)
    pair.run(RobotFlow(Random(seed), pair.open_orders), ROBOT_COMMANDS, check_every=8)
    return pair


def state_of(pair: Pair) -> str:
    """Return the state hash of the core on trial."""
    core: Any = pair.on_trial
    return str(core.state_hash().hex())


def deep(seed: int) -> Pair:
    """Run one flow over a deep book and return the pair."""
    pair = Pair()
    pair.run(DeepFlow(Random(seed), pair.open_orders), DEEP_COMMANDS, check_every=64)
    return pair


def test_core_and_twin_agree_on_every_event_and_answer() -> None:
    """Seeded flows give the same events, balances, orders, depth and sums, byte for byte."""
    pairs = [run(seed) for seed in range(SEEDS)]
    kinds = sum((pair.kinds for pair in pairs), start=type(pairs[0].kinds)())
    reasons = sum((pair.reasons for pair in pairs), start=type(pairs[0].reasons)())
    print(f"{sum(pair.commands for pair in pairs)} commands, seeds 0 to {SEEDS - 1}")
    print({Event(kind).name: count for kind, count in sorted(kinds.items())})
    print({Reason(reason).name: count for reason, count in reasons.most_common()})
    unreached = {Reason.CAPACITY, Reason.NOT_SUPPORTED}  # limits of millions; a book has all
    unreached |= OUTSIDE_REASONS | ROBOT_REASONS | LIST_REASONS
    assert {Event.TRADE, Event.FILL, Event.CANCEL, Event.LEVEL, Event.POSTING} <= set(kinds)
    assert {reason.name for reason in set(Reason) - set(reasons) - unreached} == set()


def test_core_and_twin_agree_on_stops() -> None:
    """Stops armed, reached, run, left for ADVANCE and loaded again are the twin's, to the byte."""
    pairs = [stops(seed) for seed in range(SEEDS // 2)]
    print(f"{sum(pair.commands for pair in pairs)} commands, seeds 0 to {SEEDS // 2 - 1}")
    print(f"at most {max(pair.most_triggered for pair in pairs)} in one command")
    assert max(pair.most_triggered for pair in pairs) == TRIGGERS_MAX


def test_core_and_twin_agree_on_lists() -> None:
    """Lists that come in, trade, fire, wait, are cancelled and loaded again are the twin's."""
    pairs = [lists(seed) for seed in range(SEEDS // 2)]
    kinds = sum((pair.kinds for pair in pairs), start=type(pairs[0].kinds)())
    reasons = sum((pair.reasons for pair in pairs), start=type(pairs[0].reasons)())
    print(f"{sum(pair.commands for pair in pairs)} commands, seeds 0 to {SEEDS // 2 - 1}")
    print({Event(kind).name: count for kind, count in sorted(kinds.items())})
    print({Reason(reason).name: count for reason, count in reasons.most_common()})
    assert kinds[Event.LIST] > 20 * len(pairs)
    assert {reason.name for reason in LIST_REASONS - set(reasons)} == set()


def test_core_and_twin_agree_on_robots() -> None:
    """Limits, fences, kill switch, rolls and summaries are the twin's, to the byte (S0-10, I19).

    The twin keeps nothing that can be counted: its summaries are recomputed from the trades.
    """
    pairs = [robots(seed) for seed in range(SEEDS // 2)]
    kinds = sum((pair.kinds for pair in pairs), start=type(pairs[0].kinds)())
    reasons = sum((pair.reasons for pair in pairs), start=type(pairs[0].reasons)())
    print(f"{sum(pair.commands for pair in pairs)} commands, seeds 0 to {SEEDS // 2 - 1}")
    print({Event(kind).name: count for kind, count in sorted(kinds.items())})
    print({Reason(reason).name: count for reason, count in reasons.most_common()})
    assert {Event.ROBOT, Event.SUMMARY} <= set(kinds)
    assert {reason.name for reason in ROBOT_REASONS - set(reasons)} == set()


@pytest.mark.parametrize("make", [outside, stops, lists, robots])
def test_both_builds_have_the_same_state(make: Callable[[int], Pair]) -> None:
    """State hashes of one flow are equal: this build, the pure one, another PYTHONHASHSEED."""
    wanted = state_of(make(3))
    shown = f"print(t.state_of(t.{make.__name__}(3)))"
    code = f"from tests.property import test_core_equals_twin as t; {shown}"
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "FONDACO_PURE": "1", "PYTHONHASHSEED": "2", "PYTHONPATH": paths}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True,
        check=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    assert found.stdout.strip() == wanted


def test_core_and_twin_agree_on_a_deep_book() -> None:
    """Hundreds of levels a side, split, joined, swept and loaded again, are the twin's."""
    pair = deep(seed=1)
    print(f"{pair.commands} commands; {dict(pair.kinds)}")
    assert pair.kinds[Event.TRADE] > 100


def test_an_asset_may_come_to_its_largest_total_and_no_further() -> None:
    """A deposit up to 2**62 units in the house is taken; one unit more is refused by both."""
    pair = Pair()
    pair.send(*Flow(Random(3), pair.open_orders).opening())
    total = -pair.twin.ledger.of(ACCOUNT_WORLD, 1).free
    words = {"account": 16, "asset": 1}
    room = ASSET_TOTAL_MAX - total
    for entry, amount in enumerate((room + 1, room, 1, ASSET_TOTAL_MAX, ASSET_TOTAL_MAX + 1), 1):
        pair.send(pack(Command.DEPOSIT, **words, amount=amount, entry=entry))
        pair.check()
    assert -pair.twin.ledger.of(ACCOUNT_WORLD, 1).free == ASSET_TOTAL_MAX


def test_own_orders_in_front_do_not_hide_a_price_that_cannot_be_paid() -> None:
    """MARKET by quote that passes its member's orders by is refused if the next is too dear."""
    pair = Pair()
    pair.send(*Flow(Random(1), pair.open_orders).opening())
    limit = {"instrument": 1, "order_type": 1, "time_in_force": 1, "side": 2}
    pair.send(pack(Command.NEW_ORDER, account=17, price_ticks=101, quantity_lots=4, **limit))
    pair.send(pack(Command.NEW_ORDER, account=18, price_ticks=1 << 31, quantity_lots=2, **limit))
    taker = {"account": 16, "instrument": 1, "side": 1, "order_type": 2, "self_trade": 3}
    (refused,) = pair.send(pack(Command.NEW_ORDER, **taker, quote_quantity=30_886))
    assert unpack(refused)["reason"] == Reason.NOTIONAL_TOO_SMALL
    pair.check()


@pytest.mark.parametrize("name", PLANTS)
def test_the_pair_sees_the_planted_bug(name: str) -> None:
    """Within a few flows the comparison stops at a bug that was planted in one of the two."""
    with pytest.raises((Difference, AssertionError)):
        _ = [run(seed, PLANTS[name]()) for seed in range(40)]


@pytest.mark.parametrize("name", STOP_PLANTS)
def test_the_pair_sees_the_bug_of_a_stop(name: str) -> None:
    """Within a few flows the comparison stops at a bug of how stops run."""
    with pytest.raises((Difference, AssertionError)):
        _ = [stops(seed, STOP_PLANTS[name]()) for seed in range(20)]


@pytest.mark.parametrize("name", LIST_PLANTS)
def test_the_pair_sees_the_bug_of_a_list(name: str) -> None:
    """Within a few flows the comparison stops at a bug of how legs of lists end each other."""
    with pytest.raises((Difference, AssertionError)):
        _ = [lists(seed, LIST_PLANTS[name]()) for seed in range(20)]


@pytest.mark.parametrize("name", [*ROBOT_PLANTS, *RARE_ROBOT_PLANTS])
def test_the_pair_sees_the_bug_of_a_robot(name: str) -> None:
    """Within a few flows the comparison stops at a bug of how robots are limited."""
    with pytest.raises((Difference, AssertionError)):
        _ = [robots(seed, (ROBOT_PLANTS | RARE_ROBOT_PLANTS)[name]()) for seed in range(40)]


def test_the_pair_lets_a_sound_exchange_pass() -> None:
    """The plants' own carrier, with nothing planted, shows no difference."""
    for seed in range(5):
        run(seed, PlantedTwin())
        outside(seed, PlantedTwin())
        stops(seed, PlantedTwin())
        lists(seed, PlantedTwin())
        robots(seed, PlantedTwin())
