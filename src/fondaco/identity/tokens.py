"""Bearer tokens of the native API.

Promises: a token's text is given once and kept only as its SHA-256 with a prefix (it holds 256
bits of chance, so that a slow hash would guard nothing). A token that is revoked, past its time,
used from an address outside its list, or of a member who may not sign in, is no token.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Iterable
from typing import Final, get_args

from django.db import transaction
from django.utils import timezone

from fondaco.house.declared import TokenScope
from fondaco.identity.models import AccessToken, Member
from fondaco.identity.networks import contains, networks_of, read_networks
from fondaco.identity.security_log import Action, note
from fondaco.identity.services import IdentityConflict

__all__ = ["SCOPES", "STAFF_SCOPE", "find", "make", "owner_of", "revoke"]

SCOPES: Final[tuple[str, ...]] = get_args(TokenScope)
STAFF_SCOPE: Final[TokenScope] = "staff"  # what its holder may do as staff, and no more
PREFIX: Final = "fnd_"
TOKEN_BYTES: Final = 32
PREFIX_CHARACTERS: Final = 10


@transaction.atomic
def make(
    member: Member,
    *,
    scopes: Iterable[str],
    label: str = "",
    addresses: str = "",
    expires_at: dt.datetime | None = None,
    text: str = "",
    address: str = "",
) -> tuple[AccessToken, str]:
    """Make a token; return it and its text, to be shown once.

    Without `text` it is made by chance. Raises IdentityConflict if the text is in use, a scope
    unknown or not the member's to give, ValueError for an address that is none.
    """
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(SCOPES):
        raise IdentityConflict(f"a token has one or more of the scopes {', '.join(SCOPES)}")
    if STAFF_SCOPE in wanted and not member.is_staff:
        raise IdentityConflict(f"only a moderator's or admin's token has the scope {STAFF_SCOPE}")
    text = text or PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    digest = _digest(text)
    if AccessToken.objects.filter(digest=digest).exists():
        raise IdentityConflict(f"token {text[:6]}… is in use; choose another")
    row = AccessToken.objects.create(
        member=member,
        label=label,
        prefix=text[: min(PREFIX_CHARACTERS, len(text) // 3)],
        digest=digest,
        scopes=" ".join(wanted),
        addresses="\n".join(networks_of(addresses)),
        expires_at=expires_at,
    )
    details = {"prefix": row.prefix, "scopes": row.scopes}
    note(Action.TOKEN_MADE, actor=member, subject=member, address=address, **details)
    return row, text


@transaction.atomic
def revoke(row: AccessToken, *, actor: Member, address: str = "") -> None:
    """End a token. Revoked stays revoked."""
    if row.revoked_at is None:
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        note(
            Action.TOKEN_REVOKED,
            actor=actor,
            subject=row.member,
            address=address,
            prefix=row.prefix,
        )


def find(text: str, *, address: str) -> AccessToken | None:
    """Return the live token of that text, or None."""
    row = AccessToken.objects.select_related("member").filter(digest=_digest(text)).first()
    if row is None or row.revoked_at is not None or not row.member.is_active:
        return None
    if row.expires_at is not None and row.expires_at <= timezone.now():
        return None
    if row.addresses and not contains(read_networks(row.addresses), address):
        return None
    return row


def owner_of(text: str) -> Member | None:
    """Return whose token has that text, live or not."""
    row = AccessToken.objects.select_related("member").filter(digest=_digest(text)).first()
    return None if row is None else row.member


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
