"""What the pages and routes of notices show, and who wants to hear of what.

Promises: a member sees their own rows alone, newest first; a secret is never in an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from fondaco.identity.models import Member
from fondaco.office.notices.kinds import CHOOSABLE, TABLE, Kind
from fondaco.office.notices.models import Choice, Delivery, Endpoint

__all__ = [
    "Wish",
    "anyone_wants",
    "choices",
    "deliveries",
    "delivery_words",
    "endpoint_words",
    "endpoints",
    "wish",
]

SHOWN_MAX: Final = 100


class Wish(NamedTuple):
    """How a member hears of a kind. `always_mailed`: by another mail of the house, asked or not."""

    kind: Kind
    title: str
    by_mail: bool
    by_webhook: bool
    always_mailed: bool


def choices(member: Member) -> list[Wish]:
    """Return how a member hears of every kind."""
    chosen = {row.kind: row for row in Choice.objects.filter(member=member)}
    return [_wish(kind, chosen.get(kind.value)) for kind in CHOOSABLE]


def wish(member: Member, kind: Kind) -> Wish:
    """Return how a member hears of one kind. A test goes to the webhook that is tested."""
    if kind is Kind.TEST:
        return Wish(kind, TABLE[kind].title, False, True, False)
    return _wish(kind, Choice.objects.filter(member=member, kind=kind.value).first())


def _wish(kind: Kind, row: Choice | None) -> Wish:
    terms = TABLE[kind]
    mailed = terms.mailed if row is None else row.by_mail
    return Wish(
        kind=kind,
        title=terms.title,
        by_mail=mailed and not terms.always_mailed,
        by_webhook=row is not None and row.by_webhook,
        always_mailed=terms.always_mailed,
    )


def anyone_wants(kinds: Iterable[Kind]) -> bool:
    """Return whether somebody chose to hear of one of these kinds, which nobody does unasked."""
    wanted = list(kinds)
    assert not any(TABLE[kind].mailed for kind in wanted), "this kind is told unasked"
    rows = Choice.objects.filter(kind__in=wanted)
    return rows.filter(by_mail=True).exists() or rows.filter(by_webhook=True).exists()


def endpoints(member: Member) -> list[Endpoint]:
    """Return a member's webhooks that stand, oldest first."""
    return list(Endpoint.objects.filter(member=member, removed_at__isnull=True).order_by("pk"))


def deliveries(member: Member) -> list[Delivery]:
    """Return the last deliveries of a member's webhooks and mails."""
    rows = Delivery.objects.filter(happening__member=member)
    return list(rows.select_related("happening", "endpoint").order_by("-pk")[:SHOWN_MAX])


def endpoint_words(row: Endpoint) -> dict[str, Any]:
    return {"id": row.pk, "url": row.url, "created_at": row.created_at}


def delivery_words(row: Delivery) -> dict[str, Any]:
    return {
        "id": row.pk,
        "delivery": str(row.key),
        "kind": row.happening.kind,
        "url": None if row.endpoint is None else row.endpoint.url,
        "state": row.state,
        "attempts": row.attempts,
        "status": row.last_status or None,
        "error": row.last_error,
        "created_at": row.happening.created_at,
        "last_at": row.last_at,
        "next_at": row.next_at if row.state == Delivery.State.WAITING else None,
    }
