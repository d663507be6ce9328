"""Every write of notices but the sending: choices, webhooks, and what happened.

Promises: tell() writes a happening and its deliveries in the transaction of its caller, once for
each (member, kind, reference); who does not want to hear of a kind costs no row. Mail goes only to
an address that its member has confirmed. The secret of a webhook is returned once, at its making.
What can't be done raises NoticeRefused with one sentence, and changes nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import uuid
from collections.abc import Mapping
from typing import Final

import msgspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from fondaco.identity import seal
from fondaco.identity.models import Member
from fondaco.identity.security_log import Action, note
from fondaco.office.notices import selectors
from fondaco.office.notices.kinds import CHOOSABLE, TABLE, Kind
from fondaco.office.notices.models import Choice, Delivery, Device, Endpoint, Happening
from fondaco.office.notices.outside import Refused, target_of

__all__ = [
    "NoticeRefused",
    "add_endpoint",
    "choose",
    "know_device",
    "remove_endpoint",
    "replay",
    "secret_of",
    "tell",
    "test",
]

ENDPOINTS_MAX: Final = 5  # a member's
WAITING_MAX: Final = 1000  # deliveries of one webhook; more are written as given up
TESTS_1H_MAX: Final = 30  # a member's
SECRET_BYTES: Final = 32
SECRET_PREFIX: Final = "fws_"  # noqa: S105 - how one begins
DEVICES_MAX: Final = 50  # a member's; the one unseen for the longest time is forgotten
BROWSER_CHARACTERS: Final = 120
FULL: Final = f"{WAITING_MAX} deliveries wait already"
State: Final = Delivery.State


class NoticeRefused(Exception):
    """What was asked for can't be: one sentence that says why."""


# ---- what happened


@transaction.atomic
def tell(
    member: Member,
    kind: Kind,
    *,
    reference: str,
    details: Mapping[str, str | int],
    at: dt.datetime | None = None,
) -> Happening | None:
    """Write down what happened to a member, for whichever ways they chose; None if for none."""
    wish = selectors.wish(member, kind)
    mailed = wish.by_mail and member.email_confirmed_at is not None
    found = selectors.endpoints(member) if wish.by_webhook else []
    if not mailed and not found:
        return None
    return _write(member, kind, reference, details, [*([None] if mailed else []), *found], at)


def _write(
    member: Member,
    kind: Kind,
    reference: str,
    details: Mapping[str, str | int],
    ways: list[Endpoint | None],
    at: dt.datetime | None,
) -> Happening | None:
    moment = at or timezone.now()
    body = {
        "id": str(uuid.uuid4()),
        "kind": kind.value,
        "time": moment.astimezone(dt.UTC).isoformat(timespec="milliseconds"),
        "member": member.username,
        "text": TABLE[kind].sentence.format_map(details),
        "data": details,
    }
    happening, is_new = Happening.objects.get_or_create(
        member=member,
        kind=kind.value,
        reference=reference,
        defaults={"body": msgspec.json.encode(body).decode(), "created_at": timezone.now()},
    )
    if not is_new:
        return None
    for endpoint in ways:
        waiting = Delivery.objects.filter(endpoint=endpoint, state=State.WAITING)
        is_full = endpoint is not None and waiting.count() >= WAITING_MAX
        Delivery.objects.create(
            happening=happening,
            endpoint=endpoint,
            state=State.GIVEN_UP if is_full else State.WAITING,
            last_error=FULL if is_full else "",
            next_at=timezone.now(),
        )
    return happening


@transaction.atomic
def know_device(member: Member, text: str, *, browser: str, address: str, is_told: bool) -> str:
    """Remember the browser of a sign-in, told apart by the text of a cookie; return the text.

    One that is new is told to the member, unless they have just joined by it.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    known = Device.objects.filter(member=member, digest=digest)
    if known.update(seen_at=timezone.now()):
        return text
    if not Device.objects.filter(digest=digest).exists():  # another member's is this browser's, too
        text = secrets.token_urlsafe(SECRET_BYTES)
        digest = hashlib.sha256(text.encode()).hexdigest()
    Device.objects.create(member=member, digest=digest, seen_at=timezone.now())
    kept = Device.objects.filter(member=member).order_by("-seen_at", "-pk")[:DEVICES_MAX]
    Device.objects.filter(member=member).exclude(
        pk__in=list(kept.values_list("pk", flat=True))
    ).delete()
    if is_told:
        details = {"browser": browser[:BROWSER_CHARACTERS], "address": address}
        tell(member, Kind.SIGN_IN_NEW_DEVICE, reference=digest, details=details)
    return text


# ---- choices


@transaction.atomic
def choose(member: Member, wanted: Mapping[Kind, tuple[bool, bool]]) -> None:
    """Store how a member hears of kinds: (by mail, by webhook)."""
    for kind, (by_mail, by_webhook) in wanted.items():
        assert kind in CHOOSABLE, f"{kind} can't be chosen"
        Choice.objects.update_or_create(
            member=member,
            kind=kind.value,
            defaults={"by_mail": by_mail, "by_webhook": by_webhook},
        )


# ---- webhooks


@transaction.atomic
def add_endpoint(member: Member, url: str, *, address: str = "") -> tuple[Endpoint, str]:
    """Add a webhook; return it and its secret, to be shown once."""
    try:
        target = target_of(url, may_loopback=settings.WEBHOOKS_TO_LOOPBACK)
    except Refused as refusal:
        raise NoticeRefused(str(refusal)) from refusal
    standing = selectors.endpoints(member)
    if len(standing) >= ENDPOINTS_MAX:
        raise NoticeRefused(f"a member has at most {ENDPOINTS_MAX} webhooks; remove one first")
    if any(row.url == url for row in standing):
        raise NoticeRefused("you have a webhook with this address")
    key = uuid.uuid4()
    secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    row = Endpoint.objects.create(
        key=key, member=member, url=url, secret=seal.seal_secret(secret, bound_to=str(key))
    )
    details: dict[str, str | int] = {"number": row.pk, "host": target.host}
    note(Action.WEBHOOK_ADDED, actor=member, subject=member, address=address, **details)
    return row, secret


@transaction.atomic
def remove_endpoint(row: Endpoint, *, address: str = "") -> None:
    """Remove a webhook: what waits for it is given up, what is on its way may still arrive."""
    if row.removed_at is not None:
        return
    row.removed_at = timezone.now()
    row.save(update_fields=["removed_at"])
    waiting = Delivery.objects.filter(endpoint=row, state=State.WAITING)
    waiting.update(state=State.GIVEN_UP, last_error="the webhook was removed")
    owner = row.member
    note(Action.WEBHOOK_REMOVED, actor=owner, subject=owner, address=address, number=row.pk)


def secret_of(row: Endpoint) -> str:
    """Return the secret that signs what goes to a webhook; raises seal.SealBroken."""
    return seal.open_secret(bytes(row.secret), bound_to=str(row.key))


@transaction.atomic
def test(row: Endpoint) -> Delivery:
    """Send a test to a webhook."""
    _check_stands(row)
    since = timezone.now() - dt.timedelta(hours=1)
    tests = Happening.objects.filter(member=row.member, kind=Kind.TEST.value, created_at__gte=since)
    if tests.count() >= TESTS_1H_MAX:
        raise NoticeRefused(f"at most {TESTS_1H_MAX} tests an hour; wait")
    made = _write(row.member, Kind.TEST, uuid.uuid4().hex, {"webhook": row.pk}, [row], None)
    assert made is not None, "a reference made by chance was there"
    return made.deliveries.get()


@transaction.atomic
def replay(row: Delivery) -> Delivery:
    """Have a delivery sent again, as it was and under the same id, with all its attempts anew."""
    if row.endpoint is not None:
        _check_stands(row.endpoint)
    ended = Delivery.objects.filter(pk=row.pk).exclude(state=State.WAITING)
    if not ended.update(state=State.WAITING, attempts=0, next_at=timezone.now(), last_error=""):
        raise NoticeRefused("the delivery is on its way already")
    row.refresh_from_db()
    return row


def _check_stands(row: Endpoint) -> None:
    if row.removed_at is not None:
        raise NoticeRefused("the webhook was removed")
