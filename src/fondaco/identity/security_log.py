"""The log of staff and security actions: append-only, each entry chained to the one before.

Promises: an entry holds its number, time, action, who did it, whom it concerns, from where, and
details as plain words; its digest covers all of that and the digest before it. verify() names the
first entry that was changed, taken out, put in or cut off the end. An entry is written in the
transaction of what it tells, so that neither stands without the other. Secrets are never in it.

It proves that nothing was changed by someone who can't compute the chain anew; who can write the
whole database could. Keep the last digest elsewhere (`fondaco security-log` prints it) for that.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from enum import StrEnum
from typing import Final

import msgspec
from django.db import transaction
from django.utils import timezone

from fondaco.identity.models import Member, SecurityEntry, SecurityHead

__all__ = ["Action", "Broken", "Verified", "note", "of_member", "verify"]

DIGEST_BYTES: Final = 32
FIRST: Final = "0" * (2 * DIGEST_BYTES)  # the digest before entry 1
READ_ROWS: Final = 1000


class Action(StrEnum):
    """What an entry tells."""

    JOINED = "joined"
    ROLES_SET = "roles set"
    INVITE_USES_ADDED = "invite uses added"
    SIGN_IN_ALLOWED = "sign-in allowed"
    SIGN_IN_FORBIDDEN = "sign-in forbidden"
    FROZEN = "frozen"
    UNFROZEN = "unfrozen"
    SIGNED_IN = "signed in"
    SIGNED_OUT = "signed out"
    SIGN_IN_FAILED = "sign-in failed"
    SESSION_ENDED = "session ended"
    PASSWORD_CHANGED = "password changed"  # noqa: S105 - the name of an action
    ADDRESS_CONFIRMED = "e-mail address confirmed"
    SECOND_FACTOR_ADDED = "second factor added"
    SECOND_FACTOR_REMOVED = "second factor removed"
    RECOVERY_CODES_MADE = "recovery codes made"
    KEY_GRANTED = "API key granted"
    KEY_REVOKED = "API key revoked"
    TOKEN_MADE = "token made"  # noqa: S105 - the name of an action
    TOKEN_REVOKED = "token revoked"  # noqa: S105 - the name of an action
    STRATEGY_ADDED = "strategy added"
    STRATEGY_ARCHIVED = "strategy archived"
    STRATEGY_RESTORED = "strategy restored"
    STRATEGY_HISTORY_IMPORTED = "strategy history imported"
    STRATEGY_TOKEN_MADE = "strategy token made"  # noqa: S105 - the name of an action
    STRATEGY_TOKEN_REVOKED = "strategy token revoked"  # noqa: S105 - the name of an action
    BROKERAGE_ACCOUNT_ARCHIVED = "brokerage account archived"
    BROKERAGE_ACCOUNT_RESTORED = "brokerage account restored"
    ROBOT_OPENED = "robot opened"
    ROBOT_CHANGED = "robot changed"
    ROBOT_CLOSED = "robot closed"
    ROBOT_KILLED = "robot killed"  # its kill switch thrown
    ROBOT_UNKILLED = "robot let be again"
    HOOK_ADDED = "hook added"
    HOOK_ROTATED = "hook address renewed"
    HOOK_REMOVED = "hook removed"
    WEBHOOK_ADDED = "webhook added"
    WEBHOOK_REMOVED = "webhook removed"
    MAINTENANCE_BEGUN = "maintenance begun"
    MAINTENANCE_ENDED = "maintenance ended"
    MEMBER_CHANGED = "member changed"  # by another: name, address or password
    MEMBER_LEFT = "member left"
    VENUE_ORDER_SETTLED = "venue order settled"  # by hand, after a report that can't be
    MONEY = "money"  # deposits, withdrawals and approvals, told by what does them


class Broken(Exception):
    """The log is not what was written; the text names the entry."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    entries: int
    digest: str  # of the last entry, hexadecimal


@transaction.atomic
def note(
    action: Action,
    *,
    actor: Member | None,
    subject: Member | None,
    address: str = "",
    **details: str | int,
) -> SecurityEntry:
    """Append one entry. `actor` None means the house itself: its file or its command line."""
    SecurityHead.objects.get_or_create(pk=1, defaults={"digest": FIRST})
    head = SecurityHead.objects.select_for_update().get(pk=1)
    entry = SecurityEntry(
        number=head.number + 1,
        at=timezone.now(),
        action=action.value,
        actor=actor,
        subject=subject,
        address=address,
        details=msgspec.json.encode(details, order="deterministic").decode(),
    )
    entry.digest = _digest(head.digest, entry)
    entry.save(force_insert=True)
    head.number, head.digest = entry.number, entry.digest
    head.save(update_fields=["number", "digest"])
    return entry


def verify() -> Verified:
    """Go through the whole log; raises Broken."""
    digest, expected = FIRST, 1
    for entry in SecurityEntry.objects.order_by("number").iterator(READ_ROWS):
        if entry.number != expected:
            raise Broken(f"entry {expected} is missing; the next one there is {entry.number}")
        if entry.digest != _digest(digest, entry):
            raise Broken(f"entry {entry.number} or the digest of the one before was changed")
        digest, expected = entry.digest, expected + 1
    head = SecurityHead.objects.filter(pk=1).first()
    number, last = (0, FIRST) if head is None else (head.number, head.digest)
    if (number, last) != (expected - 1, digest):
        raise Broken(f"the log ends with entry {expected - 1}; entry {number} was the last written")
    return Verified(entries=number, digest=digest)


def of_member(member: Member, limit: int) -> list[SecurityEntry]:
    """Return what concerns a member, newest first."""
    rows = SecurityEntry.objects.filter(subject=member).select_related("actor")
    return list(rows.order_by("-number")[:limit])


def _digest(before: str, entry: SecurityEntry) -> str:
    """Return the digest of an entry: BLAKE2b over the one before and its fields as JSON."""
    moment = entry.at.astimezone(dt.UTC).isoformat(timespec="microseconds")
    fields = [
        *(before, entry.number, moment, entry.action, entry.actor_id, entry.subject_id),
        *(entry.address, entry.details),
    ]
    return hashlib.blake2b(msgspec.json.encode(fields), digest_size=DIGEST_BYTES).hexdigest()
