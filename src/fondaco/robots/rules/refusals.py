"""Tells a refusal of the core in words, with the numbers that it gave.

    INSUFFICIENT_BALANCE: cash 3.10, minimum 21.40

Promises: the reason's own name comes first; amounts are exact, of cash with two places at least.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from fondaco.core.records import Reason
from fondaco.robots.rules.view import money

__all__ = ["why"]

CASH_PLACES: Final = 2


def why(
    words: Mapping[str, int], *, named: Callable[[int], tuple[str, int] | None], quote: int
) -> str:
    """Return the words of a REFUSED; `named` gives name and decimals of an asset."""
    reason = Reason(words["reason"])
    first, second, third = (words[f"detail_{place}"] for place in range(3))
    if reason is Reason.INSUFFICIENT_BALANCE:
        asset = named(first)
        if asset is not None:
            return f"{reason.name}: {asset[0]} {_of(third, asset)}, minimum {_of(second, asset)}"
    if reason is Reason.NOTIONAL_TOO_SMALL:
        asset = named(quote)
        if asset is not None:
            return f"{reason.name}: worth {_of(first, asset)}, minimum {_of(second, asset)}"
    return reason.name


def _of(amount: int, asset: tuple[str, int]) -> str:
    places = min(CASH_PLACES, asset[1]) if asset[0] == "cash" else 0
    return money(Decimal(amount).scaleb(-asset[1]), places)
