"""What the money pages and their API show: balances of now, and what was asked for.

Promises: balances come from the core, at the moment of the question; rows are a member's own, or
those that wait for staff. Amounts are decimal text, exact.
"""

from __future__ import annotations

from typing import Any, Final

from fondaco.core import records
from fondaco.core.money import format_units
from fondaco.identity.core_door import Core, kind_of
from fondaco.identity.models import HOLDING_NAME, Account, Member
from fondaco.office.treasury.models import Deposit, Transfer, Withdrawal
from fondaco.projections.selectors import asset_codes

__all__ = [
    "accounts",
    "balances",
    "deposit_words",
    "deposits",
    "is_own_withdrawal",
    "transfer_words",
    "waiting_deposits",
    "waiting_withdrawals",
    "withdrawal_words",
    "withdrawals",
]

SHOWN_MAX: Final = 200


def accounts(member: Member, *, only: int = 0) -> list[Account]:
    """Return the accounts that a member moves money on, oldest first; `only` one of them."""
    rows = Account.objects.filter(member=member, opened_at__isnull=False)
    rows = rows.filter(number=only) if only else rows
    kinds = [records.AccountKind.SPOT, records.AccountKind.SUB]
    return list(rows.filter(kind__in=kinds).exclude(name=HOLDING_NAME).order_by("number"))


def balances(core: Core, account: Account) -> list[dict[str, str]]:
    """Return what an account has now, by asset."""
    codes = asset_codes()
    answer = core.query(records.pack(records.Query.BALANCES, account=account.number))
    found = []
    for record in records.split(bytes(answer.records)):
        if kind_of(record) != records.Event.BALANCE:
            continue
        words = records.unpack(record)
        code, decimals = codes.get(words["asset"], (str(words["asset"]), 0))
        found.append(
            {
                "asset": code,
                "free": format_units(words["free"], decimals),
                "held": format_units(words["held"], decimals),
            }
        )
    return sorted(found, key=lambda row: row["asset"])


def withdrawals(member: Member, *, only: int = 0) -> list[dict[str, Any]]:
    """Return a member's withdrawals, newest first; `only` those of one account."""
    rows = Withdrawal.objects.filter(account__member=member).select_related("account__member")
    rows = rows.filter(account=only) if only else rows
    return [withdrawal_words(row) for row in rows.order_by("-pk")[:SHOWN_MAX]]


def is_own_withdrawal(member: Member, number: int, *, only: int = 0) -> bool:
    """Return whether a withdrawal is a member's; with `only`, of that account of theirs."""
    rows = Withdrawal.objects.filter(pk=number, account__member=member)
    return (rows.filter(account=only) if only else rows).exists()


def waiting_withdrawals() -> list[dict[str, Any]]:
    """Return what waits for staff, oldest first."""
    rows = Withdrawal.objects.filter(state=Withdrawal.State.HELD)
    rows = rows.select_related("account__member").order_by("pk")
    return [withdrawal_words(row) for row in rows[:SHOWN_MAX]]


def deposits(member: Member, *, only: int = 0) -> list[dict[str, Any]]:
    """Return a member's deposits, newest first; `only` those of one account."""
    rows = Deposit.objects.filter(account__member=member).select_related("account__member")
    rows = rows.filter(account=only) if only else rows
    return [deposit_words(row) for row in rows.order_by("-pk")[:SHOWN_MAX]]


def waiting_deposits() -> list[dict[str, Any]]:
    """Return the deposits that wait for another's approval, oldest first."""
    rows = Deposit.objects.filter(state=Deposit.State.ASKED)
    rows = rows.select_related("account__member").order_by("pk")
    return [deposit_words(row) for row in rows[:SHOWN_MAX]]


def _words(row: Deposit | Withdrawal | Transfer) -> dict[str, Any]:
    code, decimals = asset_codes().get(row.asset, (str(row.asset), 0))
    return {
        "id": row.pk,
        "account": row.account_id,
        "account_name": row.account.name,
        "member": row.account.member.username,
        "asset": code,
        "amount": format_units(row.amount, decimals),
        "created_at": row.created_at,
    }


def withdrawal_words(row: Withdrawal) -> dict[str, Any]:
    return {
        **_words(row),
        "state": row.state,
        "destination": row.destination,
        "due_at": row.due_at,
        "approvals": row.approvals.count(),
        "approvals_needed": row.approvals_needed,
    }


def deposit_words(row: Deposit) -> dict[str, Any]:
    return {**_words(row), "state": row.state, "note": row.note}


def transfer_words(row: Transfer) -> dict[str, Any]:
    return {**_words(row), "to_account": row.to_account_id}
