"""Oneself and one's money: membership, accounts, transfers, withdrawals, deposits, statements."""

from __future__ import annotations

from typing import TypeVar

from fondaco_client.calls import (
    Amount,
    Call,
    Group,
    decimal_text,
    get,
    post,
    reading,
    route,
    text_of,
)
from fondaco_client.shapes import (
    Account,
    Accounts,
    Deposit,
    Deposits,
    Invite,
    Member,
    Membership,
    Months,
    Statement,
    Transfer,
    Withdrawal,
    Withdrawals,
)

__all__ = ["Members", "Money", "Statements"]

K = TypeVar("K")


class Members(Group[K]):
    """`client.members`: who asks. Wants the scope `read`."""

    @route
    def me(self) -> Call[Member]:
        """Return the member, their roles and accounts; a key sees its own account."""
        return get("/api/v1/members/me/", reading(Member))

    @route
    def invite(self) -> Call[Invite]:
        """Return the member's invite and who joined by it."""
        return get("/api/v1/invites/", reading(Invite))

    @route
    def membership(self) -> Call[Membership]:
        """Return whether the membership is paid, and until when."""
        return get("/api/v1/membership/", reading(Membership))


class Money(Group[K]):
    """`client.money`. Amounts are Decimal, int or text, in the asset.

    Raises Unfit with `fields`, Conflict (too little money, a limit), Forbidden (the scope). What
    moves money has no key of its own and isn't sent again after a lost answer: OutcomeUnknown.
    """

    @route
    def accounts(self) -> Call[tuple[Account, ...]]:
        """Return the member's accounts with their balances; a key sees its own."""
        read = reading(Accounts)
        return get("/api/v1/accounts/", lambda body: read(body).accounts)

    @route
    def open_account(self, name: str) -> Call[Account]:
        """Open a sub-account. Wants the scope `trade`."""
        return post("/api/v1/accounts/", reading(Account), {"name": name})

    @route
    def transfer(
        self, *, account: int, to_account: int, asset: str, amount: Amount
    ) -> Call[Transfer]:
        """Move money between two accounts of the member. Wants the scope `trade`."""
        body = {
            "account": account,
            "to_account": to_account,
            "asset": asset,
            "amount": decimal_text("amount", amount),
        }
        return post("/api/v1/transfers/", reading(Transfer), body)

    @route
    def withdrawals(self) -> Call[tuple[Withdrawal, ...]]:
        """Return the member's withdrawals, newest first."""
        read = reading(Withdrawals)
        return get("/api/v1/withdrawals/", lambda body: read(body).withdrawals)

    @route
    def withdraw(
        self, *, account: int, asset: str, amount: Amount, destination: str, password: str
    ) -> Call[Withdrawal]:
        """Ask for a withdrawal: its amount is held at once. Wants the scope `withdraw`."""
        body = {
            "account": account,
            "asset": asset,
            "amount": decimal_text("amount", amount),
            "destination": destination,
            "password": password,
        }
        return post("/api/v1/withdrawals/", reading(Withdrawal), body)

    @route
    def cancel_withdrawal(self, withdrawal_id: int) -> Call[Withdrawal]:
        """Give a held withdrawal back. Raises Conflict if it has left."""
        return post(f"/api/v1/withdrawals/{withdrawal_id}/cancel/", reading(Withdrawal))

    @route
    def deposits(self) -> Call[tuple[Deposit, ...]]:
        """Return the member's deposits, newest first."""
        read = reading(Deposits)
        return get("/api/v1/deposits/", lambda body: read(body).deposits)

    @route
    def record_deposit(
        self,
        *,
        username: str,
        asset: str,
        amount: Amount,
        account: int | None = None,
        note: str | None = None,
    ) -> Call[Deposit]:
        """Record a deposit of a member: by staff, with a token of the scope `staff`."""
        body = {
            "username": username,
            "account": account,
            "asset": asset,
            "amount": decimal_text("amount", amount),
            "note": note,
        }
        return post("/api/v1/deposits/", reading(Deposit), body)


class Statements(Group[K]):
    """`client.statements`. Months are text like "2026-05"."""

    @route
    def months(self) -> Call[tuple[str, ...]]:
        """Return the months that have a statement, newest first."""
        read = reading(Months)
        return get("/api/v1/statements/", lambda body: read(body).months)

    @route
    def month(self, month: str) -> Call[Statement]:
        """Return a month: opening, postings, closing, fees, realised profit."""
        return get(f"/api/v1/statements/{month}/", reading(Statement))

    @route
    def month_csv(self, month: str) -> Call[str]:
        """Return a month as CSV text."""
        return get(f"/api/v1/statements/{month}.csv", text_of)

    @route
    def tax_csv(self, year: int) -> Call[str]:
        """Return the tax export of a year as CSV text: sales by first-in-first-out lots."""
        return get(f"/api/v1/statements/fifo-tax-{year}.csv", text_of)
