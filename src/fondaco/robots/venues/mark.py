"""The house's mark: by it an outside exchange tells our orders from every other house's.

Promises: made by chance at the first asking, by one of any number of processes, and the same for
ever after; it lies with the members, whose loss stops a start.
"""

from __future__ import annotations

import secrets
from typing import Final

from fondaco.robots.models import HouseMark

__all__ = ["house_mark"]

BYTES: Final = 6


def house_mark() -> str:
    """Return the mark: twelve letters and digits."""
    made = HouseMark(pk=1, text=secrets.token_hex(BYTES))
    HouseMark.objects.bulk_create([made], ignore_conflicts=True)
    return HouseMark.objects.get(pk=1).text
