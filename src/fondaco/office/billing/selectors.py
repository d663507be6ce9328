"""What billing's pages show, and whether a member passes the gate."""

from __future__ import annotations

from django.utils import timezone

from fondaco.identity.models import Member
from fondaco.office.billing.models import Purchase

__all__ = ["is_paid_up", "passes_gate", "purchases"]

SHOWN_MAX = 50


def is_paid_up(member: Member) -> bool:
    """Return whether the membership lasts today."""
    until = member.membership_until
    return until is not None and timezone.localdate() <= until


def passes_gate(member: Member) -> bool:
    """Return whether the members' pages are open to this member: staff always pass."""
    return member.is_staff or is_paid_up(member)


def purchases(member: Member) -> list[Purchase]:
    """Return a member's paid purchases, newest first."""
    paid = Purchase.objects.filter(member=member, paid_at__isnull=False)
    return list(paid.order_by("-paid_at")[:SHOWN_MAX])
