"""What the members' pages do beyond identity: the account in the core that a member trades on.

Promises: calling again goes on where it stopped. A writer that doesn't answer keeps nobody out of
the house: the account is opened at the next sign-in.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.mail import send_mail
from django.urls import reverse

from fondaco.identity import addresses, selectors
from fondaco.identity import services as identity
from fondaco.identity.models import Member
from fondaco.identity.security_log import Action, note
from fondaco.link.answers import LinkError
from fondaco.office import writer

__all__ = ["end_sessions_noted", "open_first_account", "send_confirmation"]

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
