"""Which resting orders a simulated market maker wants, and the fewest changes to get there.

Promises: plan() is pure; it never asks for a bid at or above an ask, keeps at most two orders a
rung and LEVELS rungs a side, and changes at most a given number of orders at once (those that
stand on the wrong side of the price are always cancelled). Prices are ticks, sizes lots.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from math import ceil, floor
from random import Random
from typing import Final, NamedTuple

__all__ = ["LEVELS", "Plan", "Quote", "Resting", "plan", "rungs"]

LEVELS: Final = 24  # rungs a side
_HALF_SPREAD: Final = 2e-5  # of the price
_STEP: Final = 3e-5  # first distance between rungs, of the price
_GROWTH: Final = 1.16  # each rung is that much farther from the last


class Resting(NamedTuple):
    """An own order in the book."""

    side: str
    price_ticks: int


class Quote(NamedTuple):
    """An order to place."""

    side: str
    price_ticks: int
    rung: int


class Plan(NamedTuple):
    """Orders to cancel, by id, first; then orders to place."""

    cancels: list[int]
    places: list[Quote]


def rungs(fair_ticks: float) -> list[int]:
    """Return the distances of the rungs from the best price, in ticks, rising from 0."""
    distances = [0]
    step = max(1.0, fair_ticks * _STEP)
    reach = 0.0
    while len(distances) < LEVELS:
        reach += step
        step *= _GROWTH
        distances.append(max(distances[-1] + 1, round(reach)))
    return distances


def plan(
    fair_ticks: float, orders: Mapping[int, Resting], chance: Random, *, changes_max: int
) -> Plan:
    """Return what to change so that both sides stand in rungs around the fair price."""
    half = max(0.5, fair_ticks * _HALF_SPREAD)
    distances = rungs(fair_ticks)
    cancels: list[int] = []
    places: list[Quote] = []
    for side, sign in (("BUY", 1), ("SELL", -1)):
        best = floor(fair_ticks - half) if sign > 0 else ceil(fair_ticks + half)
        away = {
            order_id: sign * (best - order.price_ticks)
            for order_id, order in orders.items()
            if order.side == side
        }
        wrong, extra, missing = _compare(away, distances)
        cancels += wrong + extra[:changes_max]
        for rung in missing[:changes_max]:
            gap = distances[rung + 1] - distances[rung] if rung + 1 < LEVELS else 1
            distance = distances[rung] + (chance.randrange(gap) if rung else 0)
            price = best - sign * distance
            if price > 0:
                places.append(Quote(side, price, rung))
    return Plan(cancels, places)


def _compare(
    away: Mapping[int, int], distances: list[int]
) -> tuple[list[int], list[int], list[int]]:
    """Return orders on the wrong side, orders too many (farthest first), and empty rungs."""
    wrong = [order_id for order_id, distance in away.items() if distance < 0]
    held: dict[int, list[int]] = {}
    extra: list[int] = []
    for order_id, distance in sorted(away.items(), key=lambda pair: -pair[1]):
        if distance < 0:
            continue
        rung = bisect_right(distances, distance) - 1
        beyond = distance > 2 * distances[-1]
        if beyond or len(held.setdefault(rung, [])) >= 2:
            extra.append(order_id)
        else:
            held[rung].append(order_id)
    return wrong, extra, [rung for rung in range(LEVELS) if not held.get(rung)]
