"""One outside order through every fate and every crash: bought at most once, no debit lost."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from fondaco.core.records import Command, Side, pack, unpack
from fondaco.robots.venues import carrying
from fondaco.robots.venues.carrying import Effect, Place, Query, Tell, Wait, carry
from fondaco.robots.venues.port import Outcome, Unanswered
from tests.robots.carrier import ANN, BOB, CRASHES, Case, Crash, fates
from tests.robots.planted_steps import PLANTED_STEPS

FILLED = {ANN: (8_500, 65_000), BOB: (7_500, 75_000)}  # cents left, units of the coin
UNTOUCHED = {ANN: (10_000, 50_000), BOB: (10_000, 50_000)}


def has(case: Case) -> dict[int, tuple[int, int]]:
    return {who: (case.balance(who, 1)[0], case.balance(who, 2)[0]) for who in (ANN, BOB)}


@pytest.mark.parametrize(
    "fate, ends",
    [
        ("fill", FILLED),
        ("duplicate", FILLED),
        ("timeout", FILLED),
        ("reject", UNTOUCHED),
        ("lost", UNTOUCHED),
        ("partial 0.4", {ANN: (9_400, 56_000), BOB: (9_000, 60_000)}),
    ],
)
def test_each_fate_ends_as_the_venue_says(
    tmp_path: Path, fate: str, ends: dict[int, tuple[int, int]]
) -> None:
    """S3-5, S3-6: filled, shared in part, or given back to the last unit, and sent once."""
    case = Case(tmp_path, script=[fate])
    case.live()
    assert has(case) == ends
    assert case.judge() == []


def breaches(
    folder: Path, carrier: Callable[..., Generator[Effect, Any, None]] = carry
) -> list[str]:
    """Return what each fate breaks under each crash; a crash at every step of every way."""
    found = []
    crashes = 0
    for fate in fates:
        for side in (Side.BUY, Side.SELL):
            whole = Case(_made(folder, "whole"), script=[fate], side=side).live(carry=carrier)
            for step in range(1, whole + 1):
                for when in CRASHES:
                    case = Case(_made(folder, "crashed"), script=[fate], side=side)
                    case.live(crash=Crash(step, when), carry=carrier)
                    crashes += 1
                    found += [f"{fate}, {when} step {step}: {each}" for each in case.judge()]
    assert crashes > 100
    return found


def _made(folder: Path, name: str) -> Path:
    made = folder / f"{name}{len(list(folder.iterdir()))}"
    made.mkdir()
    return made


def test_a_crash_at_any_step_neither_buys_twice_nor_loses_a_debit(tmp_path: Path) -> None:
    """S3-5, I14: before, after and in the middle of each step, for each fate and both sides."""
    assert breaches(tmp_path) == []


@pytest.mark.parametrize(
    "planted, said",
    [
        ("sends before it is durable", "bought 2 times"),
        ("sends again on a timeout", "bought 2 times"),
        ("believes no such order at once", "members have"),
        ("gives back what has no answer", "members have"),
    ],
)
def test_a_worker_that_is_wrong_in_one_step_is_caught(
    tmp_path: Path, planted: str, said: str
) -> None:
    """The planted bugs: each breaks what the real steps keep."""
    assert any(said in breach for breach in breaches(tmp_path, PLANTED_STEPS[planted]))


# ---- single facts


def test_an_order_too_late_to_send_is_not_sent(tmp_path: Path) -> None:
    """Who stood still after VENUE_SENT doesn't send: another process may have given it up."""
    case = Case(tmp_path, script=[])
    (carried,) = case.orders()
    steps = carry(carried, request_timeout_s=6.0, now_s=lambda: case.now_s, note=case.notes.append)
    effect = next(steps)
    assert isinstance(effect, Tell)
    effect = steps.send(case.tell(effect.record))
    assert isinstance(effect, Place)
    case.wait(carrying.SEND_WITHIN_S + 0.1)
    with pytest.raises(Unanswered, match="too late"):
        carrying.perform(case.venue, effect, lambda: case.now_s)
    assert case.arrivals() == []


def test_only_one_of_two_workers_sends(tmp_path: Path) -> None:
    """Two that found it PENDING: the second hears that another has it, and lets it be."""
    case = Case(tmp_path, script=[])
    (carried,) = case.orders()
    words: dict[str, Any] = {"request_timeout_s": 6.0, "now_s": lambda: case.now_s}
    first, second = (carry(carried, note=case.notes.append, **words) for _ in range(2))
    tells = [next(first), next(second)]
    assert all(isinstance(each, Tell) for each in tells)
    assert isinstance(first.send(case.tell(tells[0].record)), Place)  # type: ignore[union-attr]
    with pytest.raises(StopIteration):
        second.send(case.tell(tells[1].record))  # type: ignore[union-attr]


def test_questions_come_ever_more_rarely(tmp_path: Path) -> None:
    """A venue that can't be asked is asked again after 0.5, 1, 2 ... at most 60 seconds."""
    case = Case(tmp_path, script=["timeout"])
    case.tell(pack(Command.VENUE_SENT, venue_order=1))
    (carried,) = case.orders()
    steps = carry(carried, request_timeout_s=6.0, now_s=lambda: case.now_s, note=case.notes.append)
    effect = next(steps)
    assert isinstance(effect, Tell)
    assert unpack(effect.record)["kind"] == Command.VENUE_UNKNOWN
    effect = steps.send(case.tell(effect.record))
    pauses = []
    for _ in range(10):
        assert isinstance(effect, Query)
        waits = steps.throw(Unanswered("the line is down"))
        assert isinstance(waits, Wait)
        pauses.append(waits.seconds)
        effect = steps.send(None)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_amounts_finer_than_a_unit_are_against_us(tmp_path: Path) -> None:
    """A buy's cost is rounded up and what it got down, so that nobody gets what isn't there."""
    case = Case(tmp_path, script=[])
    case.tell(pack(Command.VENUE_SENT, venue_order=1))
    (carried,) = case.orders()
    third = Outcome(
        base=carried.order.quantity / 3, quote=carried.order.quantity / 3, is_final=True
    )
    steps = carrying._report(carried, third, case.notes.append, by_query=0)
    effect = next(steps)
    assert isinstance(effect, Tell)
    words = unpack(effect.record)
    assert (words["filled_base"], words["filled_quote"]) == (13_333, 134)


def test_what_the_house_cannot_take_is_told(tmp_path: Path) -> None:
    """A venue that filled worse than the limit: the order stays open, and an operator hears why."""
    case = Case(tmp_path, script=[])
    case.tell(pack(Command.VENUE_SENT, venue_order=1))
    (carried,) = case.orders()
    worse = Outcome(
        base=carried.order.quantity, quote=2 * carried.order.quantity * 10, is_final=True
    )
    steps = carrying._report(carried, worse, case.notes.append, by_query=0)
    effect = next(steps)
    assert isinstance(effect, Tell)
    with pytest.raises(StopIteration) as ended:
        steps.send(case.tell(effect.record))
    assert ended.value.value is False
    assert "EXCESSIVE_REPORT" in case.notes[0]
    assert len(case.orders()) == 1
