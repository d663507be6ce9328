"""What the house's own analysis says of a series of bars: one strength of each kind.

Promises: the ratings of a house and those of a backtest are the same function of the same bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from fondaco.robots.hub.messages import KINDS, SUMMARIES
from fondaco.robots.signals.candles import Bars, TooFewBars
from fondaco.robots.signals.crossing_averages import CLOSES_MIN, analyse
from fondaco.robots.signals.technical_ratings import RuleSet, rate

__all__ = ["CLOSES_MIN", "Own", "judge"]

_RULES: Final = {KINDS[0]: RuleSet.V3, KINDS[1]: RuleSet.V1}


class Own(msgspec.Struct, frozen=True):
    """One rating: its strength as of a signal, its value, and what it is made of."""

    strength: int
    value: float
    detail: dict[str, float | str | None]


def judge(kind: str, bars: Bars, closes: Sequence[Decimal]) -> Own | None:
    """Return what a kind says at the newest bar, None where they are too few. SignalError.

    `closes` are exact and newest first: the crossing averages are computed to the digit.
    """
    if kind in _RULES:
        try:
            rating = rate(bars.columns(), _RULES[kind]).at(-1)
        except TooFewBars:
            return None
        parts = {"averages": rating.averages, "oscillators": rating.oscillators}
        return Own(SUMMARIES[rating.signal], rating.whole, {**parts})
    if len(closes) < CLOSES_MIN:
        return None
    averages = analyse(closes[:CLOSES_MIN])
    labels = [
        (f"{name}_{each.period}", each.signal)
        for name, group in (("sma", averages.simple), ("ema", averages.exponential))
        for each in group
    ]
    mean = sum(SUMMARIES[signal] for _, signal in labels) / len(labels)
    return Own(_rounded(mean), mean, dict(labels))


def _rounded(mean: float) -> int:
    """Return the strength that a mean of strengths is nearest to, the weaker of two."""
    size = 2 if abs(mean) > 1.5 else 1 if abs(mean) > 0.5 else 0
    return size if mean > 0 else -size
