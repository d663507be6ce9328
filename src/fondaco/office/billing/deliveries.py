"""Delivering the sandbox's webhooks to our own door, as signed bytes.

Promises: each goes through the same verification as one from outside, oldest first, and is marked
only after it has had its effect; a death in between delivers it again, which changes nothing.
"""

from __future__ import annotations

from django.conf import settings
from django.utils import timezone

from fondaco.office.billing import services
from fondaco.office.billing.models import SandboxDelivery
from fondaco.office.billing.sandbox import SandboxPayments, sign

__all__ = ["deliver_due"]

AT_ONCE_MAX = 100  # the next call takes the rest


def deliver_due() -> int:
    """Deliver what is due; return how many."""
    secret = settings.PAYMENTS.sandbox_secret
    payments = SandboxPayments(secret=secret)
    waiting = SandboxDelivery.objects.filter(
        delivered_at__isnull=True, due_at__lte=timezone.now()
    ).order_by("pk")[:AT_ONCE_MAX]
    count = 0
    for delivery in waiting:
        event = payments.event(delivery.body.encode(), sign(delivery.body, secret))
        services.receive(event, provider_name=payments.name)
        delivery.delivered_at = timezone.now()
        delivery.save(update_fields=["delivered_at"])
        count += 1
    return count
