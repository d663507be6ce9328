"""Joining the house by an invite: the only way in for a stranger.

Promises: one use of an invite makes one member, counted down in the same transaction, so that no
number of people at once can join by a use that isn't there. Who invited whom is kept for good.
An invite of a member who may not sign in, or is frozen, counts as used up. It opens no account in
the core: the caller does, and may do so again.
"""

from __future__ import annotations

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import F

from fondaco.identity.models import Invite, Member
from fondaco.identity.security_log import Action, note
from fondaco.identity.services import IdentityConflict, create_member

__all__ = ["InviteUnknown", "InviteUsedUp", "add_uses", "join", "open_invite"]

USES_MAX = 100_000  # that one invite can have left


class InviteUnknown(Exception):
    """No invite has that code."""


class InviteUsedUp(Exception):
    """The invite has no use left, or the member who gave it may not sign in any more."""


def open_invite(code: str) -> Invite:
    """Return an invite with uses left; raises InviteUnknown, InviteUsedUp."""
    invite = Invite.objects.select_related("member").filter(code=code).first()
    if invite is None:
        raise InviteUnknown(code)
    host = invite.member
    if invite.uses_left == 0 or not host.is_active or host.frozen_at is not None:
        raise InviteUsedUp(code)
    return invite


def join(*, code: str, username: str, email: str, password: str, address: str = "") -> Member:
    """Make a member by one use of an invite.

    Raises InviteUnknown, InviteUsedUp, and IdentityConflict if the name or address is taken or
    unfit; then the use is still there.
    """
    invite = open_invite(code)
    hashed = make_password(password)  # slow by design: not while others wait for the row
    try:
        with transaction.atomic():
            counted = Invite.objects.filter(pk=invite.pk, uses_left__gt=0)
            if not counted.update(uses_left=F("uses_left") - 1):
                raise InviteUsedUp(code)
            member = create_member(
                username=username, email=email, password="", invited_by=invite.member
            )
            member.password = hashed
            member.save(update_fields=["password"])
            note(
                Action.JOINED,
                actor=member,
                subject=member,
                address=address,
                invited_by=invite.member.username,
            )
    except IntegrityError as error:  # somebody else took the name between the look and the write
        raise IdentityConflict(
            f"user name {username} or address {email} is taken; choose another"
        ) from error
    return member


@transaction.atomic
def add_uses(
    invite: Invite, number: int, *, actor: Member | None = None, address: str = ""
) -> None:
    """Let an invite be used `number` times more; raises IdentityConflict out of range."""
    if number < 1:
        raise IdentityConflict(f"{number} is no number of uses to add; give 1 or more")
    allowed = Invite.objects.filter(pk=invite.pk, uses_left__lte=USES_MAX - number)
    if not allowed.update(uses_left=F("uses_left") + number):
        raise IdentityConflict(f"an invite has at most {USES_MAX} uses left; add fewer")
    note(
        Action.INVITE_USES_ADDED,
        actor=actor,
        subject=invite.member,
        address=address,
        number=number,
    )
