"""Free and held amounts in one dict; every movement by one function; nothing clever.

Promises: a movement that would make a member's free or held balance negative is a mistake of the
caller and asserts. Only the world, the rounding account and the inventory may be below zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from fondaco.core.records import ACCOUNT_INVENTORY, ACCOUNT_ROUNDING, ACCOUNT_WORLD

__all__ = ["Balance", "Ledger"]


MAY_OWE = {ACCOUNT_WORLD, ACCOUNT_ROUNDING, ACCOUNT_INVENTORY}


@dataclass
class Balance:
    """What an account has of an asset."""

    free: int = 0
    held: int = 0

    @property
    def total(self) -> int:
        """Both together."""
        return self.free + self.held


class Ledger:
    """Balances by (account, asset), and which of them the present command touched."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.balances: dict[tuple[int, int], Balance] = {}
        # What the present command touched, in order of first touch -> [total before, cause]
        self.touched: dict[tuple[int, int], list[int]] = {}

    def of(self, account: int, asset: int) -> Balance:
        """Return the balance; one that was never used is zero."""
        return self.balances.get((account, asset), Balance())

    def move(self, account: int, asset: int, *, cause: int, free: int = 0, held: int = 0) -> None:
        """Change free and held by these amounts. Of several causes the highest is told."""
        key = (account, asset)
        balance = self.balances.setdefault(key, Balance())
        touch = self.touched.setdefault(key, [balance.total, cause])
        touch[1] = max(touch[1], cause)
        balance.free += free
        balance.held += held
        if account not in MAY_OWE:
            assert balance.free >= 0, f"account {account} has {balance.free} free of {asset}"
            assert balance.held >= 0, f"account {account} has {balance.held} held of {asset}"

    def owed(self, asset: int) -> int:
        """Return the sum of all balances of an asset that are above zero."""
        totals = [balance.total for (_, of), balance in self.balances.items() if of == asset]
        return sum(total for total in totals if total > 0)

    def sums(self) -> dict[int, int]:
        """Return the sum over all accounts for each asset: zero, always."""
        found: dict[int, int] = {}
        for (_, asset), balance in self.balances.items():
            found[asset] = found.get(asset, 0) + balance.total
        return found
