"""Realised profit: by average cost for statements, by first-in-first-out lots for the tax export.

Promises: whole units only; a share is rounded down and the last share takes the rest, so shares
add up to what was shared. Positions are per instrument, in its base, with their cost in its quote;
fees are in both sides' sums. What was never bought here (a deposit) has no known cost: its sale is
told as uncovered and makes neither profit nor loss.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

__all__ = ["Fill", "Lot", "Realised", "average_cost", "fifo"]


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a trade, after fees: base units got or given, quote units paid or got."""

    time_us: int
    instrument: int
    is_buy: bool
    base: int
    quote: int


class Realised(msgspec.Struct, frozen=True, kw_only=True):
    """What a sale made. `quantity` is the part whose cost is known; `uncovered` the other."""

    time_us: int
    instrument: int
    quantity: int
    proceeds: int  # of `quantity`
    cost: int
    uncovered: int
    acquired_us: int = 0  # FIFO only: when this lot was bought

    @property
    def gain(self) -> int:
        return self.proceeds - self.cost


class Lot(msgspec.Struct):
    """What is left of one purchase."""

    time_us: int
    base: int
    cost: int


def share_floor(amount: int, part: int, whole: int) -> int:
    """Return amount x part / whole, rounded down."""
    return amount * part // whole


def average_cost(fills: Iterable[Fill]) -> list[Realised]:
    """Return what each sale made, oldest first; fills must come in that order."""
    positions: dict[int, Lot] = {}
    found = []
    for fill in fills:
        held = positions.setdefault(fill.instrument, Lot(0, 0, 0))
        if fill.is_buy:
            held.base += fill.base
            held.cost += fill.quote
            continue
        if fill.base == 0:
            continue
        covered = min(fill.base, held.base)
        cost = share_floor(held.cost, covered, held.base) if covered else 0
        held.base -= covered
        held.cost -= cost
        found.append(
            Realised(
                time_us=fill.time_us,
                instrument=fill.instrument,
                quantity=covered,
                proceeds=share_floor(fill.quote, covered, fill.base),
                cost=cost,
                uncovered=fill.base - covered,
            )
        )
    return found


def fifo(fills: Iterable[Fill]) -> list[Realised]:
    """Return each sale split by the lots that it used up, oldest lot first."""
    lots: dict[int, deque[Lot]] = {}
    found = []
    for fill in fills:
        held = lots.setdefault(fill.instrument, deque())
        if fill.is_buy:
            if fill.base:
                held.append(Lot(fill.time_us, fill.base, fill.quote))
            continue
        left, proceeds_left = fill.base, fill.quote
        while left:
            lot = held[0] if held else None
            part = left if lot is None else min(left, lot.base)
            proceeds = share_floor(proceeds_left, part, left)
            cost = 0
            if lot is not None:
                cost = share_floor(lot.cost, part, lot.base)
                lot.base -= part
                lot.cost -= cost
                if lot.base == 0:
                    held.popleft()
            found.append(
                Realised(
                    time_us=fill.time_us,
                    instrument=fill.instrument,
                    quantity=part if lot is not None else 0,
                    proceeds=proceeds if lot is not None else 0,
                    cost=cost,
                    uncovered=0 if lot is not None else part,
                    acquired_us=lot.time_us if lot is not None else 0,
                )
            )
            left -= part
            proceeds_left -= proceeds
    return found
