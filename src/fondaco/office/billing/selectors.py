"""What billing's pages show."""

from __future__ import annotations

from fondaco.identity.models import Member
from fondaco.office.billing.models import Purchase

__all__ = ["purchases"]

SHOWN_MAX = 50


def purchases(member: Member) -> list[Purchase]:
    """Return a member's paid purchases, newest first."""
    paid = Purchase.objects.filter(member=member, paid_at__isnull=False)
    return list(paid.order_by("-paid_at")[:SHOWN_MAX])
