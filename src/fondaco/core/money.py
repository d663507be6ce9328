"""Amounts as decimal text at the edge, and amounts that are shared out.

Promises: text is exact both ways, whole units only; never float. Text is plain ASCII digits with
at most one point and no sign, exponent or space. What is shared out sums up exactly.
"""

from __future__ import annotations

import re
from typing import Final

from fondaco.core.records import ASSET_TOTAL_MAX

__all__ = ["format_units", "parse_units", "share"]

_DECIMAL: Final = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?", re.ASCII)


def parse_units(text: str, decimals: int) -> int:
    """Return a decimal text as whole units of 10**-decimals.

    Raises:
        ValueError: not a plain decimal, finer than the unit, or above ASSET_TOTAL_MAX.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a plain decimal number such as 0.5")
    fraction = (match[2] or "").rstrip("0")
    if len(fraction) > decimals:
        raise ValueError(f"{text!r} has more than {decimals} decimals")
    units = int(match[1] + fraction.ljust(decimals, "0"))
    if units > ASSET_TOTAL_MAX:
        most = format_units(ASSET_TOTAL_MAX, decimals)
        raise ValueError(f"{text!r} is more than {most}, the largest amount")
    return units


def format_units(units: int, decimals: int) -> str:
    """Return whole units of 10**-decimals as text, with exactly that many decimals."""
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(decimals + 1, "0")
    if decimals == 0:
        return sign + digits
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def share(total: int, weights: list[int]) -> list[int]:
    """Return `total` in whole parts as the weights are, by largest remainder; their sum is exact.

    Of equal remainders the first is served. None gets more than its share rounded up. Weights are
    at least 0, and one is above 0.
    """
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    left = total - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda at: -(total * weights[at] % whole))
    for at in by_remainder[:left]:
        parts[at] += 1
    return parts
