"""The ledger: what each account has of each asset, free and held.

Promises: an amount leaves one account and enters another, so per asset the sum over all accounts
is zero, always; no balance is ever below zero (that halts) but the world's and what the house
trades with: its inventory and its rounding account; every sum is checked for overflow. One BALANCE
event for each touched balance at the end of the command. Knows nothing of orders: callers ask
`free` first and say hold, release, pay, receive.
"""

import cython

if not cython.compiled:
    from fondaco.core.buffer import Words
    from fondaco.core.constants import (
        ACCOUNT_BITS,
        ACCOUNT_MAX,
        AMOUNT_MAX,
        FEES,
        FIRST_MEMBER,
        INVENTORY,
        ROUNDING,
        ROW_BALANCE,
        WORLD,
    )
    from fondaco.core.events import Events
    from fondaco.core.index import Index
    from fondaco.core.rows import Balance, balance_at, row_bytes
    from fondaco.core.slab import Slab

HOUSE_ACCOUNTS = 4  # world, fees, rounding, inventory


class Ledger:
    """Balances by (account, asset), in the order in which they were opened."""

    def __init__(self, events: Events) -> None:
        """Make a ledger without accounts."""
        self.events = events
        self.balances = Slab(ROW_BALANCE, row_bytes(ROW_BALANCE))
        self.index = Index()
        self.touched = Words()  # slots of the balances that this command touched

    def find(self, account: int, asset: int) -> int:
        """Return the slot of a balance, or 0."""
        if account <= 0 or account >= ACCOUNT_MAX:
            return 0
        return self.index.find(account << ACCOUNT_BITS | asset)

    def open(self, account: int, asset: int) -> int:
        """Return the slot of a balance, opened empty if there is none."""
        slot = self.index.find(account << ACCOUNT_BITS | asset)
        if slot:
            return slot
        slot = self.balances.take()
        balance = balance_at(self.balances, slot)
        balance.account = account
        balance.asset = asset
        self.index.put(account << ACCOUNT_BITS | asset, slot)
        return slot

    def free(self, slot: int) -> int:
        """Return what is free in a balance, in units; slot 0 has none."""
        if slot == 0:
            return 0
        return balance_at(self.balances, slot).free

    def free_of(self, account: int, asset: int) -> int:
        """Return what an account has free of an asset, in units."""
        return self.free(self.find(account, asset))

    def touch(self, slot: int, cause: int) -> int:
        """Note that this command changes a balance; the highest cause is told."""
        balance = balance_at(self.balances, slot)
        if balance.touch == 0:
            balance.before = balance.free + balance.held
            balance.cause = cause
            balance.touch = 1
            return self.touched.add(slot)
        if cause > balance.cause:
            balance.cause = cause
        return 0

    def hold(self, slot: int, amount: int, cause: int) -> int:
        """Move an amount from free to held."""
        self.touch(slot, cause)
        balance = balance_at(self.balances, slot)
        balance.free -= amount
        balance.held += amount
        return self.check(balance)

    def release(self, slot: int, amount: int, cause: int) -> int:
        """Move an amount from held to free."""
        self.touch(slot, cause)
        balance = balance_at(self.balances, slot)
        balance.held -= amount
        balance.free += amount
        return self.check(balance)

    def pay(self, slot: int, amount: int, cause: int) -> int:
        """Take an amount out of what is free; receive() must follow for the same amount."""
        self.touch(slot, cause)
        balance = balance_at(self.balances, slot)
        balance.free -= amount
        return self.check(balance)

    def receive(self, slot: int, amount: int, cause: int) -> int:
        """Add an amount to what is free; pay() must have come for it."""
        self.touch(slot, cause)
        balance = balance_at(self.balances, slot)
        balance.free += amount
        return 0

    def check(self, balance: Balance) -> int:
        """Halt if a balance that may not be is below zero."""
        if balance.held | balance.free < 0:
            return self.check_owing(balance)
        return 0

    def check_owing(self, balance: Balance) -> int:
        """Halt unless what is below zero is free, and the house's."""
        if balance.held < 0 or not self.may_owe(balance.account):
            return self.breach(balance.account, balance.asset, balance.free, balance.held)
        return 0

    def may_owe(self, account: int) -> int:
        """Return 1 for the accounts of the house that may be below zero."""
        return account == WORLD or account == ROUNDING or account == INVENTORY

    def breach(self, account: int, asset: int, free: int, held: int) -> int:
        """Halt."""
        with cython.gil:
            msg = f"account {account} has {free} free and {held} held of asset {asset}"
            raise AssertionError(msg)

    def fits(self, asset: int, amount: int) -> int:
        """Return 1 if the house may take this much more of an asset from the world."""
        return amount <= AMOUNT_MAX - self.owed(asset)

    def owed(self, asset: int) -> int:
        """Return the sum of all balances of an asset that are above zero; at most AMOUNT_MAX."""
        rounding = self.free_of(ROUNDING, asset)
        inventory = self.free_of(INVENTORY, asset)
        return -(self.free_of(WORLD, asset) + min(rounding, 0) + min(inventory, 0))

    def post(self, debit: int, credit: int, asset: int, amount: int, cause: int, entry: int) -> int:
        """Move an amount between the free parts of two accounts, with its POSTING event."""
        source = self.open(debit, asset)
        target = self.open(credit, asset)
        self.events.posting(debit, credit, asset, amount, cause, entry)
        self.pay(source, amount, cause)
        return self.receive(target, amount, cause)

    def settle_touches(self) -> int:
        """Write a BALANCE event for each touched balance, in order of the first touch."""
        for place in range(self.touched.used):
            balance = balance_at(self.balances, self.touched.items[place])
            balance.touch = 0
            self.events.balance(
                balance.account,
                balance.asset,
                balance.free,
                balance.held,
                balance.free + balance.held - balance.before,
                balance.cause,
            )
        self.touched.used = 0
        return 0

    # -- cold ----------------------------------------------------------------------------------

    def answer(self, account: int, asset: int) -> int:
        """Write what an account has of an asset as a BALANCE, if it has any."""
        slot = self.find(account, asset)
        if slot:
            balance = balance_at(self.balances, slot)
            if balance.free or balance.held:
                self.events.balance(account, asset, balance.free, balance.held, 0, 0)
        return 0

    def totals(self, asset: int) -> list[int]:
        """Return what members, fees, rounding, inventory and world have of an asset."""
        sums = [0] * (HOUSE_ACCOUNTS + 1)
        for slot in range(1, self.balances.used):
            balance = balance_at(self.balances, slot)
            if balance.asset == asset:
                whose = balance.account if balance.account < FIRST_MEMBER else 0
                sums[whose] += balance.free + balance.held
        return [sums[0], sums[FEES], sums[FEES + 1], sums[FEES + 2], sums[WORLD]]

    def dump(self, words: Words) -> None:
        """Write all balances."""
        count = self.balances.used - 1
        words.add(count)
        for slot in range(1, self.balances.used):
            balance = balance_at(self.balances, slot)
            at = words.extend(4)
            words.items[at] = balance.account
            words.items[at + 1] = balance.asset
            words.items[at + 2] = balance.free
            words.items[at + 3] = balance.held

    def load(self, words: Words, at: int) -> int:
        """Read what dump() wrote; return the place after it."""
        count = words.items[at]
        at += 1
        self.balances.clear()
        self.index.clear()
        for _ in range(count):
            slot = self.open(words.items[at], words.items[at + 1])
            balance = balance_at(self.balances, slot)
            balance.free = words.items[at + 2]
            balance.held = words.items[at + 3]
            at += 4
        return at
