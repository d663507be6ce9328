"""What the members' pages do beyond identity: the account in the core that a member trades on.

Promises: calling again goes on where it stopped. A writer that doesn't answer keeps nobody out of
the house: the account is opened at the next sign-in.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from fondaco.identity import addresses, selectors
from fondaco.identity import services as identity
from fondaco.identity.models import Account, ApiKey, Member
from fondaco.identity.security_log import Action, note
from fondaco.link.answers import LinkError
from fondaco.office import writer
from fondaco.office.callers import address_of

__all__ = [
    "end_sessions_noted",
    "in_days",
    "make_key",
    "open_first_account",
    "revoke_own_key",
    "send_confirmation",
]

_log = logging.getLogger(__name__)


def open_first_account(member: Member) -> None:
    """Open the account that a member begins with, unless they have one."""
    if selectors.accounts_of(member.pk):
        return
    try:
        identity.open_account(writer.core(), member=member)
    except LinkError as error:
        _log.warning("the account of member %s waits for the next sign-in: %s", member.pk, error)


def send_confirmation(member: Member) -> None:
    """Send the link that confirms a member's address. A mail that can't leave is logged."""
    path = reverse("confirm-address", kwargs={"text": addresses.link_text(member)})
    text = (
        f"Hello {member.username},\n\n"
        f"open this link to confirm that this address is yours at {settings.HOUSE_NAME}:\n\n"
        f"{settings.BASE_URL}{path}\n\n"
        "It is good for three days. If you did not join, do nothing.\n"
    )
    try:
        send_mail(
            f"[{settings.HOUSE_NAME}] Confirm your e-mail address", text, None, [member.email]
        )
    except OSError as error:  # smtplib's errors are OSErrors, too
        _log.warning("the mail to member %s could not be sent: %s", member.pk, error)


def end_sessions_noted(member: Member, number: int, address: str) -> None:
    """Write into the security log that a member ends sessions of theirs."""
    if number:
        note(Action.SESSION_ENDED, actor=member, subject=member, address=address, number=number)


def in_days(days: int | None) -> dt.datetime | None:
    """Return the moment so many days from now, None for none."""
    return timezone.now() + dt.timedelta(days=days) if days else None


def make_key(member: Member, asked: Mapping[str, Any], request: HttpRequest) -> tuple[ApiKey, str]:
    """Grant an API key for one of the member's accounts; return it and its secret."""
    account = Account.objects.get(pk=asked["account"], member=member)
    row, secret = identity.grant_key(
        writer.core(),
        account=account,
        scopes=sum(asked["scopes"]),
        label=asked["label"],
        public_key=asked["public_key"],
        addresses=asked["addresses"].splitlines(),
        expires_at=in_days(asked["days"]),
    )
    details: dict[str, str | int] = {
        "number": row.number,
        "account": account.number,
        "scopes": row.scopes,
        "addresses": row.addresses.replace("\n", " "),
        "days": asked["days"] or 0,
    }
    address = address_of(request)
    note(Action.KEY_GRANTED, actor=member, subject=member, address=address, **details)
    return row, secret


def revoke_own_key(member: Member, row: ApiKey, request: HttpRequest) -> None:
    """Revoke an API key of the member."""
    if row.revoked_at is not None:
        return
    identity.revoke_key(writer.core(), key_number=row.number)
    address = address_of(request)
    note(Action.KEY_REVOKED, actor=member, subject=member, address=address, number=row.number)
