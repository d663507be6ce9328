"""Deposits, withdrawals, sub-accounts and transfers: every write of the treasury.

Promises: a balance changes by a command that has its own row, and in no other way. A withdrawal is
held the moment it is asked for, by a transfer to an account of the same member that nothing can
trade or spend; it leaves that account once, to the world or back. It goes out only after its
delay, with as many approvals as its amount needs, none of them by who asked or owns it. Every step
is named in the security log. resume() finishes what a crash or a lost answer left half done.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F
from django.utils import timezone

from fondaco.core import records
from fondaco.identity import security_log, services
from fondaco.identity.core_door import Core
from fondaco.identity.models import HOLDING_NAME, Account, Member
from fondaco.identity.permissions import Permission, may
from fondaco.office.treasury.commands import MoneyRefused, carry_out, record, why
from fondaco.office.treasury.models import Approval, Deposit, MoneyCommand, Transfer, Withdrawal
from fondaco.projections.selectors import asset_codes

__all__ = [
    "SUB_ACCOUNTS_MAX",
    "MoneyRefused",
    "approve_deposit",
    "approve_withdrawal",
    "ask_deposit",
    "ask_withdrawal",
    "cancel_withdrawal",
    "open_sub_account",
    "resume",
    "transfer",
]

SUB_ACCOUNTS_MAX: Final = 32  # a member's; each is a row in every statement
OPEN_WITHDRAWALS_MAX: Final = 100  # a member's; each waits for a person
RESUME_ROWS: Final = 100  # a turn
Command: Final = records.Command
State: Final = Withdrawal.State


def _note(actor: Member, subject: Member, what: str, row: Deposit | Withdrawal) -> None:
    security_log.note(
        security_log.Action.MONEY,
        actor=actor,
        subject=subject,
        what=what,
        number=row.pk,
        account=row.account_id,
        asset=row.asset,
        amount=row.amount,
    )


def _passes_limit(asset: int, amount: int) -> bool:
    """Return whether an amount needs a second person."""
    code = asset_codes()[asset][0]
    limit = settings.TREASURY.limits.get(code)
    return limit is not None and amount > limit


# ---- deposits


def ask_deposit(
    core: Core, *, account: Account, asset: int, amount: int, note: str, by: Member
) -> Deposit:
    """Record money that came in; above the asset's limit it waits for another's approval."""
    if not may(by, Permission.MOVE_MONEY):
        raise MoneyRefused("you may not record deposits")
    if asset not in asset_codes():
        raise MoneyRefused("the house has no such asset")
    _check_own_account(account)
    if not 0 < amount <= records.ASSET_TOTAL_MAX:
        raise MoneyRefused("the amount must be above zero and within what the house can count")
    with transaction.atomic():
        row = Deposit.objects.create(
            account=account, asset=asset, amount=amount, note=note, asked_by=by
        )
        _note(by, account.member, "deposit asked", row)
        if not _passes_limit(asset, amount):
            _move_deposit(row)
    _finish_deposit(core, row)
    return row


def approve_deposit(core: Core, *, number: int, by: Member) -> Deposit:
    """Let a deposit above the limit in; only somebody else than who recorded it may."""
    if not may(by, Permission.APPROVE_MONEY):
        raise MoneyRefused("you may not approve deposits")
    with transaction.atomic():
        row = Deposit.objects.select_for_update().select_related("account__member").get(pk=number)
        if row.state != Deposit.State.ASKED:
            raise MoneyRefused(f"the deposit is {row.state}; nothing is to be approved")
        if by.pk in {row.asked_by_id, row.account.member_id}:
            raise MoneyRefused("somebody else must approve what you asked for or receive")
        row.approved_by = by
        _note(by, row.account.member, "deposit approved", row)
        _move_deposit(row)
    _finish_deposit(core, row)
    return row


def _move_deposit(row: Deposit) -> None:
    row.command = record(
        Command.DEPOSIT, account=row.account_id, asset=row.asset, amount=row.amount
    )
    row.state = Deposit.State.MOVING
    row.save(update_fields=["command", "state", "approved_by"])


def _finish_deposit(core: Core, row: Deposit) -> None:
    if row.state != Deposit.State.MOVING:
        return
    assert row.command is not None, f"{row} moves without a command"
    done = carry_out(core, row.command)
    row.state = Deposit.State.DONE if done else Deposit.State.REFUSED
    row.save(update_fields=["state"])


# ---- withdrawals


def ask_withdrawal(
    core: Core, *, account: Account, asset: int, amount: int, destination: str, by: Member
) -> Withdrawal:
    """Ask for a withdrawal and hold its amount at once; raises MoneyRefused."""
    if by.pk != account.member_id:
        raise MoneyRefused("only its owner withdraws from an account")
    _check_own_account(account)
    if asset not in asset_codes():
        raise MoneyRefused("the house has no such asset")
    holding = services.open_account(
        core, member=by, name=HOLDING_NAME, kind=records.AccountKind.SUB
    )
    with transaction.atomic():
        waiting = Withdrawal.objects.filter(account__member=by, state__in=[State.ASKED, State.HELD])
        if waiting.count() >= OPEN_WITHDRAWALS_MAX:
            raise MoneyRefused(f"{OPEN_WITHDRAWALS_MAX} withdrawals wait already; cancel some")
        hold = record(
            Command.TRANSFER,
            account=account.pk,
            to_account=holding.pk,
            asset=asset,
            amount=amount,
        )
        row = Withdrawal.objects.create(
            account=account,
            asset=asset,
            amount=amount,
            asked_by=by,
            destination=destination,
            holding=holding,
            hold=hold,
            due_at=timezone.now() + dt.timedelta(seconds=settings.TREASURY.delay_s),
            approvals_needed=2 if _passes_limit(asset, amount) else 1,
        )
        _note(by, by, "withdrawal asked", row)
    advance(core, row)
    if row.state == State.REFUSED:
        raise MoneyRefused(f"the withdrawal was refused: {why(hold)}")
    return row


def approve_withdrawal(core: Core, *, number: int, by: Member) -> Withdrawal:
    """Add one person's yes, and settle the withdrawal if it was the last that was missing."""
    if not may(by, Permission.APPROVE_MONEY):
        raise MoneyRefused("you may not approve withdrawals")
    with transaction.atomic():
        row = _locked(number)
        if row.state != State.HELD:
            raise MoneyRefused(f"the withdrawal is {row.state}; nothing is to be approved")
        if by.pk in {row.asked_by_id, row.account.member_id}:
            raise MoneyRefused("somebody else must approve a withdrawal of yours")
        _, is_new = Approval.objects.get_or_create(withdrawal=row, member=by)
        if not is_new:
            raise MoneyRefused("you have approved it; another person must, too")
        _note(by, row.account.member, "withdrawal approved", row)
    settle_due(core, number)
    row.refresh_from_db()
    return row


def cancel_withdrawal(core: Core, *, number: int, by: Member) -> Withdrawal:
    """Give a held withdrawal back; its owner may, and staff who approve."""
    with transaction.atomic():
        row = _locked(number)
        if by.pk != row.account.member_id and not may(by, Permission.APPROVE_MONEY):
            raise MoneyRefused("only its owner or staff cancel a withdrawal")
        if row.state != State.HELD:
            raise MoneyRefused(f"the withdrawal is {row.state}; it can't be cancelled")
        row.end = record(
            Command.TRANSFER,
            account=row.holding_id,
            to_account=row.account_id,
            asset=row.asset,
            amount=row.amount,
        )
        row.state = State.CANCELLING
        row.save(update_fields=["end", "state"])
        _note(by, row.account.member, "withdrawal cancelled", row)
    advance(core, row)
    return row


def settle_due(core: Core, number: int = 0) -> int:
    """Send out the withdrawals whose delay is over and that have their approvals."""
    found = Withdrawal.objects.filter(state=State.HELD, due_at__lte=timezone.now())
    if number:
        found = found.filter(pk=number)
    ready = found.annotate(given=Count("approvals")).filter(given__gte=F("approvals_needed"))
    count = 0
    for number_due in list(ready.values_list("pk", flat=True)[:RESUME_ROWS]):
        with transaction.atomic():
            row = _locked(number_due)
            if row.state != State.HELD:
                continue
            row.end = record(
                Command.WITHDRAW, account=row.holding_id, asset=row.asset, amount=row.amount
            )
            row.state = State.SETTLING
            row.save(update_fields=["end", "state"])
        advance(core, row)
        count += 1
    return count


def advance(core: Core, row: Withdrawal) -> None:
    """Carry out the command that a withdrawal waits for, and note what came of it."""
    if row.state == State.ASKED:
        done = carry_out(core, row.hold)
        _to(row, State.ASKED, State.HELD if done else State.REFUSED)
    elif row.state in {State.SETTLING, State.CANCELLING}:
        assert row.end is not None, f"{row} ends without a command"
        done = carry_out(core, row.end)
        assert done, f"{row} was held, and the core refused to end it: {why(row.end)}"
        was = State(row.state)
        _to(row, was, State.SETTLED if was is State.SETTLING else State.CANCELLED)


def _to(row: Withdrawal, was: str, becomes: str) -> None:
    """Move a withdrawal on unless another process has."""
    Withdrawal.objects.filter(pk=row.pk, state=was).update(state=becomes)
    row.refresh_from_db(fields=["state"])


def _locked(number: int) -> Withdrawal:
    rows = Withdrawal.objects.select_for_update().select_related("account__member")
    return rows.get(pk=number)


# ---- a member's own accounts


def open_sub_account(core: Core, *, member: Member, name: str) -> Account:
    """Open one more account of a member; raises MoneyRefused.

    Of calls with one name at the same time each returns the one account that they open.
    """
    if not name or name.lower() == HOLDING_NAME:
        raise MoneyRefused("give the account another name")
    with transaction.atomic():
        Member.objects.select_for_update().get(pk=member.pk)  # one of theirs after the other
        known = Account.objects.filter(member=member, name__iexact=name).first()
        if known is None:
            subs = Account.objects.filter(member=member, kind=records.AccountKind.SUB)
            if subs.count() >= SUB_ACCOUNTS_MAX:
                raise MoneyRefused(f"a member has at most {SUB_ACCOUNTS_MAX} sub-accounts")
            known = services.account_row(member, name, records.AccountKind.SUB)
        elif known.opened_at is not None or known.kind != records.AccountKind.SUB:
            raise MoneyRefused(f"you have an account {known.name}; give another name")
    return services.open_account(core, member=member, name=known.name, kind=records.AccountKind.SUB)


def transfer(
    core: Core, *, source: Account, target: Account, asset: int, amount: int, by: Member
) -> Transfer:
    """Move money between two accounts of the member who asks; raises MoneyRefused."""
    if by.pk != source.member_id or by.pk != target.member_id:
        raise MoneyRefused("both accounts must be yours")
    _check_own_account(source)
    _check_own_account(target)
    if source.pk == target.pk:
        raise MoneyRefused("choose two different accounts")
    if asset not in asset_codes():
        raise MoneyRefused("the house has no such asset")
    with transaction.atomic():
        command = record(
            Command.TRANSFER,
            account=source.pk,
            to_account=target.pk,
            asset=asset,
            amount=amount,
        )
        row = Transfer.objects.create(
            account=source,
            to_account=target,
            asset=asset,
            amount=amount,
            asked_by=by,
            command=command,
        )
    if not carry_out(core, command):
        raise MoneyRefused(f"the transfer was refused: {why(command)}")
    return row


def _check_own_account(account: Account) -> None:
    if account.opened_at is None:
        raise MoneyRefused("the account isn't open")
    kinds = {records.AccountKind.SPOT, records.AccountKind.SUB}
    if account.kind not in kinds or account.name == HOLDING_NAME:
        raise MoneyRefused("money moves between spot and sub-accounts only")


# ---- going on where it stopped


def resume(core: Core) -> None:
    """Send again what has no answer yet, and settle what is due."""
    moving = Deposit.objects.filter(state=Deposit.State.MOVING).select_related("command")
    for deposit in moving[:RESUME_ROWS]:
        _finish_deposit(core, deposit)
    halfway = [State.ASKED, State.SETTLING, State.CANCELLING]
    for row in Withdrawal.objects.filter(state__in=halfway).select_related("hold", "end")[
        :RESUME_ROWS
    ]:
        advance(core, row)
    for command in MoneyCommand.objects.filter(transfer__isnull=False, seq=0, reason=0)[
        :RESUME_ROWS
    ]:
        carry_out(core, command)
    settle_due(core)
