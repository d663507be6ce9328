"""Decimal text to whole units and back, for one instrument or asset.

Promises: exact; ASCII digits only; never through a float. What is finer than a tick or a lot is
refused by name, never rounded. Amounts leave with eight decimals (more where a tick needs them).
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["DECIMALS_WIRE", "Finer", "Step", "units_text"]

DECIMALS_WIRE: Final = 8  # of every amount that a client reads
UNITS_MAX: Final = 1 << 62
_NUMBER: Final = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?\Z")
NOTHING: Final = "0.00000000"
_SCALE: Final = 10**DECIMALS_WIRE


class Finer(Exception):
    """The number is well written, but is no whole count of steps; `places` has too many."""

    def __init__(self, *, places: bool) -> None:
        super().__init__(places)
        self.places = places


def split_number(text: str) -> tuple[int, str] | None:
    """Return the whole part and the decimals without their trailing zeros; None if unreadable."""
    found = _NUMBER.match(text)
    if found is None:
        return None
    whole, fraction = found.groups()
    return int(whole), (fraction or "").rstrip("0")


def units_text(units: int, decimals: int) -> str:
    """Return an amount of an asset as wire text: eight decimals."""
    if not units:
        return NOTHING
    scaled = units * 10 ** (DECIMALS_WIRE - decimals)
    if scaled < 0:
        scaled = -scaled
        return f"-{scaled // _SCALE}.{scaled % _SCALE:08d}"
    return f"{scaled // _SCALE}.{scaled % _SCALE:08d}"


class Step:
    """The size of a tick or a lot: counts of it from and to text."""

    __slots__ = ("_known", "_shown", "_spread", "decimals", "size", "wire_decimals")

    KNOWN_MAX: Final = 4096  # prices of a market repeat; the memory of them is bounded

    def __init__(self, size: str) -> None:
        """Take the size as declared, "0.01"."""
        parts = split_number(size)
        assert parts is not None, size
        whole, fraction = parts
        self.decimals = len(fraction)
        self.size = int(f"{whole}{fraction}")  # in units of 10**-decimals
        self.wire_decimals = max(DECIMALS_WIRE, self.decimals)
        self._spread = 10 ** (self.wire_decimals - self.decimals) * self.size
        self._known: dict[str, int] = {}
        self._shown: dict[int, str] = {}

    def count(self, text: str) -> int:
        """Return how many steps the text is. Raises ValueError if unreadable, Finer if not whole.

        Counts past UNITS_MAX come back as UNITS_MAX: the core refuses them by range.
        """
        known = self._known.get(text)
        if known is not None:
            return known
        parts = split_number(text)
        if parts is None:
            raise ValueError(text)
        whole, fraction = parts
        if len(fraction) > self.decimals:
            raise Finer(places=len(fraction) > self.wire_decimals)
        scaled = int(f"{whole}{fraction.ljust(self.decimals, '0')}")
        steps, rest = divmod(scaled, self.size)
        if rest:
            raise Finer(places=False)
        steps = min(steps, UNITS_MAX)
        if len(self._known) < self.KNOWN_MAX and len(text) < 40:
            self._known[text] = steps
        return steps

    def text(self, steps: int) -> str:
        """Return a count of steps as wire text."""
        shown = self._shown.get(steps)
        if shown is not None:
            return shown
        value = steps * self._spread
        scale = 10**self.wire_decimals
        made = f"{value // scale}.{value % scale:0{self.wire_decimals}d}"
        if len(self._shown) >= self.KNOWN_MAX:
            self._shown.clear()
        self._shown[steps] = made
        return made
