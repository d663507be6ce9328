"""Decimal text of a house file as exact numbers.

Promises: exact or HouseFault with the path of the text; no value is rounded.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from fondaco.core.records import ASSET_TOTAL_MAX
from fondaco.house.errors import HouseFault

__all__ = ["Path", "decimal", "rate", "units"]

Path = tuple[str | int, ...]

PPM: Final = 1_000_000
_DECIMAL: Final = re.compile(r"\d{1,19}(\.\d{1,18})?\Z")


def decimal(text: str, path: Path) -> Fraction:
    """Return the exact value of unsigned decimal text. Raises HouseFault."""
    if not _DECIMAL.match(text):
        name = path[-1] if path else "amount"
        raise HouseFault(path, f'{name} is "{text}"; write a plain decimal like "0.01"')
    return Fraction(text)


def units(text: str, decimals: int, path: Path, *, what: str) -> int:
    """Return decimal text as whole units of 10**-decimals. Raises HouseFault."""
    value = decimal(text, path) * 10**decimals
    if value.denominator != 1:
        raise HouseFault(path, f"{what} is {text}; it has more than {decimals} decimals")
    if value > ASSET_TOTAL_MAX:
        raise HouseFault(path, f"{what} is {text}; the most is {ASSET_TOTAL_MAX} units")
    return int(value)


def rate(text: str, path: Path) -> int:
    """Return a rate below 1 in millionths. Raises HouseFault."""
    value = decimal(text, path) * PPM
    if value.denominator != 1 or value >= PPM:
        raise HouseFault(
            path, f"{path[-1]} is {text}; a rate is below 1 and has at most 6 decimals"
        )
    return int(value)
