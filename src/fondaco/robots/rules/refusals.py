"""Tells why an order was refused, by the core or before it, with the numbers.

    INSUFFICIENT_BALANCE: cash 3.10, minimum 21.40

Promises: the reason's own name comes first; amounts are exact, of cash with two places at least.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from fondaco.core.records import Reason
from fondaco.robots.rules.view import money

__all__ = ["WishRefused", "cash_units", "steps_of", "why"]

CASH_PLACES: Final = 2
# Of a robot's own limits: what the core gave with its reason.
_LIMITS: Final[Mapping[Reason, str]] = {
    Reason.DAY_STOP: "lost {0} today, limit {1}",
    Reason.MONTH_STOP: "lost {0} this month, limit {1}",
    Reason.NOTIONAL_TOO_LARGE: "worth {0}, at most {1}",
    Reason.SELL_CAP: "sold {0} this month and would sell {1}, cap {2}",
}
COUNTED_MAX: Final = (1 << 62) - 1  # a word of the core has 64 bits, and sums need room


class WishRefused(Exception):
    """A wish that doesn't reach the core: one reason."""


def steps_of(amount: Decimal | None, step: Decimal, name: str, step_name: str) -> int:
    """Return a price in ticks or a quantity in lots; 0 for none. Raises WishRefused."""
    if amount is None:
        return 0
    if amount <= 0:
        raise WishRefused(f"{name} {amount} is not above 0")
    if amount > COUNTED_MAX * step:
        raise WishRefused(f"{name} {amount} is above {COUNTED_MAX * step}, the most there can be")
    steps = amount / step
    if steps != steps.to_integral_value():
        raise WishRefused(f"{name} {amount} is not a whole number of the {step_name} {step}")
    return int(steps)


def cash_units(amount: Decimal | None, decimals: int) -> int:
    """Return what an order may spend in units, rounded down; 0 for none. Raises WishRefused."""
    if amount is None:
        return 0
    most = Decimal(COUNTED_MAX).scaleb(-decimals)
    if amount > most:
        raise WishRefused(f"spend {amount} is above {most}, the most there can be")
    return int(amount.scaleb(decimals))


def why(
    words: Mapping[str, int],
    *,
    named: Callable[[int], tuple[str, int] | None],
    quote: int,
    tick: Decimal | None = None,
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
    if reason is Reason.LIST_PRICES and tick is not None:
        return f"{reason.name}: limit price {first * tick}, stop {second * tick}"
    if reason is Reason.WOULD_TRIGGER and tick is not None:
        return f"{reason.name}: the last trade, {first * tick}, has reached the stop"
    if reason is Reason.TOO_MANY_ORDERS_TODAY:
        return f"{reason.name}: at most {first} a day"
    said, asset = _LIMITS.get(reason), named(quote)
    if said is None or asset is None or not second:
        return reason.name
    amounts = [_of(each, asset) for each in (first, second, third)]
    return f"{reason.name}: {said.format(*amounts)}"


def _of(amount: int, asset: tuple[str, int]) -> str:
    places = min(CASH_PLACES, asset[1]) if asset[0] == "cash" else 0
    return money(Decimal(amount).scaleb(-asset[1]), places)
