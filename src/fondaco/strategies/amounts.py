"""Reported numbers as whole units of 10^-8, in and out.

Promises: what has at most eight decimals is kept exactly, whatever its writing (1e-7, "0.10"); more
digits are rounded half to even; what is no number, not finite or too large is refused by name.
Nothing goes through a float.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

__all__ = ["DECIMALS", "UNIT", "AmountUnfit", "decimal_of", "text_of", "units_of"]

DECIMALS: Final = 8
UNIT: Final = 10**DECIMALS
LARGEST_TEXT: Final = "90,000,000,000"
_LARGEST: Final = Decimal(90_000_000_000)  # an int64 of units holds a little more
_STEP: Final = Decimal(1).scaleb(-DECIMALS)


class AmountUnfit(ValueError):
    """A number that can't be kept; the text says why."""


def units_of(number: Decimal) -> int:
    """Return a number in units of 10^-8, digits beyond rounded half to even."""
    if not number.is_finite():
        raise AmountUnfit(f"is {number}; it must be a finite number")
    if number.adjusted() >= 10 and abs(number) > _LARGEST:
        raise AmountUnfit(f"is beyond {LARGEST_TEXT}; report it in a larger unit")
    return int(number.quantize(_STEP, ROUND_HALF_EVEN).scaleb(DECIMALS))


def decimal_of(units: int) -> Decimal:
    """Return so many units as a number."""
    return Decimal(units).scaleb(-DECIMALS)


def text_of(units: int) -> str:
    """Return so many units as decimal text without needless zeros."""
    sign = "-" if units < 0 else ""
    whole, part = divmod(abs(units), UNIT)
    digits = f"{part:0{DECIMALS}d}".rstrip("0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
