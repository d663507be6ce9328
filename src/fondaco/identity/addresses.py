"""Confirming that an e-mail address is read by the member who gave it.

Promises: a link is good for one member, one address and LINK_S seconds, and is signed by the
house's secret key; after a change of the address old links do nothing. Nothing is stored until it
is followed.
"""

from __future__ import annotations

from typing import Final

from django.core import signing
from django.db import transaction
from django.utils import timezone

from fondaco.identity.models import Member
from fondaco.identity.security_log import Action, note

__all__ = ["LinkUnfit", "confirm", "link_text"]

LINK_S: Final = 3 * 24 * 3600
SALT: Final = "fondaco identity: confirm an e-mail address"


class LinkUnfit(Exception):
    """The link is too old, changed, or of an address that the member no longer has."""


def link_text(member: Member) -> str:
    """Return the text that confirms the member's present address."""
    return signing.dumps([member.pk, member.email], salt=SALT)


@transaction.atomic
def confirm(text: str, *, address: str = "") -> Member:
    """Mark the address as confirmed; raises LinkUnfit. Following a link again changes nothing."""
    try:
        number, email = signing.loads(text, salt=SALT, max_age=LINK_S)
    except signing.BadSignature as error:
        raise LinkUnfit("the link is too old or incomplete; ask for another") from error
    member = Member.objects.filter(pk=number, email=email, is_active=True).first()
    if member is None:
        raise LinkUnfit("the link is for an address that is no longer in use; ask for another")
    if member.email_confirmed_at is None:
        member.email_confirmed_at = timezone.now()
        member.save(update_fields=["email_confirmed_at"])
        note(Action.ADDRESS_CONFIRMED, actor=member, subject=member, address=address)
    return member
