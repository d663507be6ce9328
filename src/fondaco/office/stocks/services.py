"""Every write of the users' API: making, changing and removing a user, and money at once.

Promises: a balance changes by a command with a row of its own; a user's opening balance comes with
the command that opens the account. Money moves here without delay or second person, so that it is
for staff (never with their own account, never above the asset's limit) and for a house of one
machine whose door is open. What can't be done is UserRefused, and nothing has moved.
"""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from fondaco.core import records
from fondaco.identity import core_door, security_log
from fondaco.identity import services as identity
from fondaco.identity.core_door import CommandRefused, Core
from fondaco.identity.models import AccessToken, Account, Member
from fondaco.identity.security_log import Action
from fondaco.office.treasury.commands import carry_out, record, why
from fondaco.office.treasury.models import MoneyCommand
from fondaco.projections.selectors import asset_codes

__all__ = ["NoFunds", "UserRefused", "change_user", "make_user", "move_money", "remove_user"]

LEFT_DOMAIN: Final = "left.invalid"


class UserRefused(Exception):
    """What was asked can't be done: one sentence; `field` names what was at fault, or is ""."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class NoFunds(UserRefused):
    """The account has less than that."""


def make_user(
    core: Core, *, username: str, email: str, password: str, asset: int, amount: int
) -> Account:
    """Make a member whose spot account begins with an amount of the house's cash."""
    check_free(None, username=username, email=email)
    try:
        member = identity.create_member(username=username, email=email, password=password)
    except IntegrityError as error:  # taken at the same moment
        raise UserRefused("username", "A user with that username already exists.") from error
    try:
        opening = [(asset, amount)] if amount else []
        return identity.open_account(core, member=member, opening=opening)
    except CommandRefused as refusal:
        _rename_left(member)
        if refusal.reason is records.Reason.TOTAL_TOO_LARGE:
            raise UserRefused("balance", "The house can't count that much of it.") from refusal
        raise


def check_free(member: Member | None, *, username: str, email: str) -> None:
    """Raise UserRefused if another member has the name or the address."""
    others = Member.objects.exclude(pk=member.pk if member is not None else 0)
    if others.filter(username__iexact=username).exists():
        raise UserRefused("username", "A user with that username already exists.")
    if others.filter(email__iexact=email).exists():
        raise UserRefused("email", "A user with that email already exists.")


@transaction.atomic
def change_user(
    member: Member, *, username: str, email: str, password: str, by: Member | None, address: str
) -> None:
    """Change name, address and, unless it is empty, password; a new one ends every session."""
    check_free(member, username=username, email=email)
    changed = [
        name
        for name, before, after in (
            ("username", member.username, username),
            ("email", member.email, email),
            ("password", "", password),
        )
        if before != after
    ]
    if "email" in changed:
        member.email_confirmed_at = None
    member.username, member.email = username, email
    if password:
        member.set_password(password)
    member.save()
    if changed:
        security_log.note(
            Action.MEMBER_CHANGED, actor=by, subject=member, address=address, what=" ".join(changed)
        )


def move_money(
    core: Core,
    kind: records.Command,
    *,
    account: Account,
    asset: int,
    amount: int,
    by: Member | None,
    address: str,
) -> None:
    """Deposit or withdraw at once. `by` is the person of staff, None at an open door."""
    if by is not None and by.pk == account.member_id:
        raise UserRefused("", "Somebody else of the staff must move your money.")
    limit = settings.TREASURY.limits.get(asset_codes()[asset][0])
    if limit is not None and amount > limit:
        raise UserRefused("amount", "That much needs a second person: use /staff/money/.")
    with transaction.atomic():
        row = record(kind, account=account.pk, asset=asset, amount=amount)
        security_log.note(
            Action.MONEY,
            actor=by,
            subject=account.member,
            address=address,
            what="deposit at once" if kind == records.Command.DEPOSIT else "withdrawal at once",
            number=row.pk,
            account=account.pk,
            asset=asset,
            amount=amount,
        )
    if not carry_out(core, row):
        if row.reason == records.Reason.INSUFFICIENT_BALANCE:
            raise NoFunds("", "you dont have the fund to withdraw")
        raise UserRefused("amount", f"{why(row)}.")


def remove_user(core: Core, member: Member, *, by: Member | None, address: str) -> None:
    """Let a member leave whose accounts are empty; raises UserRefused otherwise.

    The row stays, for the journal knows its number; its name and address are free again.
    """
    if member.is_staff:
        raise UserRefused("", "Take the member's roles away first.")
    for account in Account.objects.filter(member=member, opened_at__isnull=False):
        answer = core.query(records.pack(records.Query.BALANCES, account=account.pk))
        for event in records.split(bytes(answer.records)):
            if core_door.kind_of(event) != records.Event.BALANCE:
                continue
            words = records.unpack(event)
            if words["free"] or words["held"]:
                raise UserRefused("", "The account is not empty: withdraw and sell first.")
    if MoneyCommand.objects.filter(account__in=_numbers(member), seq=0, reason=0).exists():
        raise UserRefused("", "Money of the account is still moving; try again.")
    with transaction.atomic():
        security_log.note(Action.MEMBER_LEFT, actor=by, subject=member, address=address)
        _rename_left(member)
    identity.revoke_ended(core)


def _numbers(member: Member) -> list[int]:
    return list(Account.objects.filter(member=member).values_list("number", flat=True))


def _rename_left(member: Member) -> None:
    """Mark a member as one who has left: no name, address, password, token or session."""
    member.username, member.email = f"left-{member.pk}", f"{member.pk}@{LEFT_DOMAIN}"
    member.set_unusable_password()
    member.is_active = False
    member.email_confirmed_at = None
    member.left_at = timezone.now()
    member.save()
    AccessToken.objects.filter(member=member, revoked_at__isnull=True).update(
        revoked_at=timezone.now()
    )
