"""Seeded order flow for the engine benchmarks: the same list for every engine.

Promises: the same arguments give the same flow on every machine. Weights 56 limit, 38 cancel, 10
taking: a limit order rests near the middle, a cancel takes one of the orders that were sent and
not yet cancelled (it may have been filled since), a taking order crosses the spread and what it
does not fill rests. Prices are ticks around MIDDLE, quantities 1 to 100 lots.
"""

from __future__ import annotations

import random
from typing import Final, NamedTuple

LIMIT: Final = 0
CANCEL: Final = 1
TAKE: Final = 2
WEIGHTS: Final = (56, 38, 10)
MIDDLE: Final = 100_000
DEPTH_TICKS: Final = 40  # mean distance of a resting order from the middle
REACH_TICKS: Final = 30  # how far a taking order reaches into the other side
BUY: Final = 1
SELL: Final = 2


class Row(NamedTuple):
    """One command. order_id counts the orders from 1; a cancel names one of them."""

    kind: int
    instrument: int
    order_id: int
    side: int
    price: int
    lots: int


def make_flow(commands: int, *, instruments: int = 1, seed: int = 1) -> list[Row]:
    """Return a flow of this many commands over instruments 0 to `instruments` - 1."""
    chance = random.Random(seed)
    live: list[tuple[int, int]] = []
    rows: list[Row] = []
    made = 0
    while len(rows) < commands:
        kind = chance.choices((LIMIT, CANCEL, TAKE), WEIGHTS)[0]
        if kind == CANCEL:
            if not live:
                continue
            place = chance.randrange(len(live))
            order_id, instrument = live[place]
            live[place] = live[-1]
            live.pop()
            rows.append(Row(CANCEL, instrument, order_id, 0, 0, 0))
            continue
        made += 1
        instrument = chance.randrange(instruments)
        side = chance.choice((BUY, SELL))
        away = 1 + int(chance.expovariate(1 / DEPTH_TICKS)) if kind == LIMIT else -REACH_TICKS
        price = MIDDLE - away if side == BUY else MIDDLE + away
        rows.append(Row(kind, instrument, made, side, price, chance.randint(1, 100)))
        live.append((made, instrument))
    return rows
