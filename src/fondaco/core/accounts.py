"""Accounts, their seats at instruments, and the keys that may act for them.

Promises: an account's number, member and kind never change. A seat joins an account, an
instrument and the two balances that trading there needs, so that an order finds all of them with
one look-up; seats are made on acceptance and hold no state of their own but the account's open
orders there, oldest first. Names and secrets are not known here.
"""

import cython

if not cython.compiled:
    from fondaco.core.buffer import Words
    from fondaco.core.constants import (
        ACCOUNT_BITS,
        ACCOUNT_MAX,
        KEY_SCOPE,
        ROW_ACCOUNT,
        ROW_GRANT,
        ROW_SEAT,
        UNKNOWN_KEY,
    )
    from fondaco.core.index import Index
    from fondaco.core.ledger import Ledger
    from fondaco.core.rows import account_at, grant_at, order_at, row_bytes, seat_at
    from fondaco.core.slab import Slab


class Accounts:
    """Accounts in the order of their opening, seats, and keys."""

    def __init__(self, ledger: Ledger) -> None:
        """Make an empty register."""
        self.ledger = ledger
        self.accounts = Slab(ROW_ACCOUNT, row_bytes(ROW_ACCOUNT))
        self.account_index = Index()
        self.seats = Slab(ROW_SEAT, row_bytes(ROW_SEAT))
        self.seat_index = Index()
        self.grants = Slab(ROW_GRANT, row_bytes(ROW_GRANT))
        self.grant_index = Index()

    def find(self, number: int) -> int:
        """Return the slot of an account, or 0."""
        return self.account_index.find(number) if number > 0 else 0

    def open(self, number: int, member: int, kind: int) -> int:
        """Open an account; its number must be new."""
        slot = self.accounts.take()
        account = account_at(self.accounts, slot)
        account.number = number
        account.member = member
        account.kind = kind
        self.account_index.put(number, slot)
        return slot

    def freeze(self, slot: int, frozen: int) -> int:
        """Set whether an account may place orders."""
        account_at(self.accounts, slot).frozen = frozen
        return 0

    def limit(self, slot: int) -> int:
        """Note that an account is a robot's: its orders and trades are told to limits.py."""
        account_at(self.accounts, slot).robot = 1
        return 0

    def describe(self, slot: int) -> list[int]:
        """Return number, member, kind and frozen."""
        account = account_at(self.accounts, slot)
        return [account.number, account.member, account.kind, account.frozen]

    def count(self) -> int:
        """Return the number of accounts."""
        return self.accounts.live

    # -- seats ---------------------------------------------------------------------------------

    def seat(self, account: int, instrument: int) -> int:
        """Return the slot of an account's seat at an instrument, or 0."""
        if account <= 0 or account >= ACCOUNT_MAX:
            return 0
        return self.seat_index.find(account << ACCOUNT_BITS | instrument)

    def take_seat(self, account: int, instrument: int, base: int, quote: int) -> int:
        """Give an account a seat at an instrument of these two assets."""
        at = self.find(account)
        slot = self.seats.take()
        seat = seat_at(self.seats, slot)
        seat.account = account
        seat.account_row = at
        seat.member = account_at(self.accounts, at).member
        seat.robot = account_at(self.accounts, at).robot
        seat.instrument = instrument
        seat.base_balance = self.ledger.open(account, base)
        seat.quote_balance = self.ledger.open(account, quote)
        self.seat_index.put(account << ACCOUNT_BITS | instrument, slot)
        return slot

    def enlist(self, orders: Slab, at: int, slot: int) -> int:
        """Add an order to the open ones of a seat."""
        seat = seat_at(self.seats, at)
        order = order_at(orders, slot)
        order.seat_previous = seat.last
        order.seat_next = 0
        if seat.last:
            order_at(orders, seat.last).seat_next = slot
        else:
            seat.first = slot
        seat.last = slot
        seat.open_orders += 1
        return 0

    def delist(self, orders: Slab, slot: int) -> int:
        """Take an order out of the open ones of its seat."""
        order = order_at(orders, slot)
        seat = seat_at(self.seats, order.seat)
        if order.seat_previous:
            order_at(orders, order.seat_previous).seat_next = order.seat_next
        else:
            seat.first = order.seat_next
        if order.seat_next:
            order_at(orders, order.seat_next).seat_previous = order.seat_previous
        else:
            seat.last = order.seat_previous
        seat.open_orders -= 1
        return 0

    def forget_seats(self) -> int:
        """Forget all seats, before a load."""
        self.seats.clear()
        return self.seat_index.clear()

    # -- keys ----------------------------------------------------------------------------------

    def allows(self, key: int, account: int, scope: int) -> int:
        """Return 0 if this key may act for the account in this scope, or the reason why not."""
        slot = self.grant_index.find(key) if key > 0 else 0
        if slot == 0:
            return UNKNOWN_KEY
        grant = grant_at(self.grants, slot)
        if grant.account != account or not grant.scopes & scope:
            return KEY_SCOPE
        return 0

    def grant(self, key: int, account: int, scopes: int) -> int:
        """Grant a key to an account with these scopes."""
        slot = self.grant_index.find(key)
        if slot == 0:
            slot = self.grants.take()
            self.grant_index.put(key, slot)
        grant = grant_at(self.grants, slot)
        grant.number = key
        grant.account = account
        grant.scopes = scopes
        return 0

    def granted_to(self, key: int) -> int:
        """Return the account of a granted key, or 0."""
        slot = self.grant_index.find(key) if key > 0 else 0
        return grant_at(self.grants, slot).account if slot else 0

    def revoke(self, key: int) -> int:
        """Forget a key; it must be granted."""
        return self.grants.give(self.grant_index.remove(key))

    def keys(self) -> int:
        """Return the number of granted keys."""
        return self.grants.live

    def granted(self) -> list[tuple[int, int, int]]:
        """Return all keys as (number, account, scopes), by number."""
        found = []
        for slot in range(1, self.grants.used):
            grant = grant_at(self.grants, slot)
            if self.grant_index.find(grant.number) == slot:
                found.append((grant.number, grant.account, grant.scopes))
        found.sort()
        return found

    # -- dump ----------------------------------------------------------------------------------

    def dump(self, words: Words) -> None:
        """Write accounts and keys."""
        words.add(self.accounts.live)
        for slot in range(1, self.accounts.used):
            account = account_at(self.accounts, slot)
            at = words.extend(4)
            words.items[at] = account.number
            words.items[at + 1] = account.member
            words.items[at + 2] = account.kind
            words.items[at + 3] = account.frozen
        grants = self.granted()
        words.add(len(grants))
        for number, holder, scopes in grants:
            at = words.extend(3)
            words.items[at] = number
            words.items[at + 1] = holder
            words.items[at + 2] = scopes

    def load(self, words: Words, at: int) -> int:
        """Read what dump() wrote; return the place after it."""
        self.accounts.clear()
        self.account_index.clear()
        self.grants.clear()
        self.grant_index.clear()
        self.forget_seats()
        count = words.items[at]
        at += 1
        for _ in range(count):
            slot = self.open(words.items[at], words.items[at + 1], words.items[at + 2])
            self.freeze(slot, words.items[at + 3])
            at += 4
        count = words.items[at]
        at += 1
        for _ in range(count):
            self.grant(words.items[at], words.items[at + 1], words.items[at + 2])
            at += 3
        return at
