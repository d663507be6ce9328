"""Every write of billing: open a checkout, receive a webhook, work out a membership.

Promises: a purchase counts only after a verified event; an event and a session count once; a
refund or a lost dispute takes its own period away, whenever it comes, also before the payment
was heard of. What a member has is worked out anew from all rows each time, so no order and no
repetition of events can change it (I16).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from fondaco.identity.models import Member
from fondaco.office.billing.models import Declared, Ending, PaymentEvent, Purchase
from fondaco.office.billing.payments import AMOUNT_CENTS, CURRENCY, Payments, StripePayments
from fondaco.office.billing.sandbox import SandboxPayments
from fondaco.office.notices.kinds import Kind
from fondaco.office.notices.services import tell

__all__ = ["PERIOD_DAYS", "open_checkout", "provider", "receive", "settle"]

PERIOD_DAYS: Final = 365
COMPLETED: Final = frozenset(
    {"checkout.session.completed", "checkout.session.async_payment_succeeded"}
)
REFUNDED: Final = "charge.refunded"
DISPUTES: Final = frozenset(
    {"charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed"}
)


def provider() -> Payments:
    """Return the provider that the house has chosen."""
    chosen = settings.PAYMENTS
    if chosen.provider == "stripe":
        return StripePayments(
            key=chosen.secret_key, webhook_secret=chosen.webhook_secret, api_base=chosen.api_base
        )
    return SandboxPayments(secret=chosen.sandbox_secret)


def open_checkout(member: Member, payments: Payments) -> Purchase:
    """Return a purchase with its session at the provider; raises PaymentsDown."""
    purchase = Purchase.objects.create(
        member=member, provider=payments.name, amount_cents=AMOUNT_CENTS, currency=CURRENCY
    )
    checkout = payments.open_checkout(
        purchase=purchase.pk, member=member.pk, return_url=f"{settings.BASE_URL}/dashboard/"
    )
    purchase.session, purchase.url = checkout
    purchase.save(update_fields=["session", "url"])
    return purchase


@transaction.atomic
def receive(event: Mapping[str, Any], *, provider_name: str) -> bool:
    """Give a verified event its effect; return False if it had it before.

    The row of the event is written first: of two deliveries at once the second waits for it, and
    an effect that fails takes the row along, so that the provider's next try finds none.
    """
    kind = str(event.get("type", ""))
    _, is_new = PaymentEvent.objects.get_or_create(
        provider=provider_name, event=event["id"], defaults={"kind": kind}
    )
    if not is_new:
        return False
    envelope = event.get("data")
    found = envelope.get("object") if isinstance(envelope, Mapping) else None
    if not isinstance(found, Mapping):
        return True
    if kind in COMPLETED:
        _complete(found)
    elif kind == REFUNDED and _is_whole_refund(found):
        _end(found, cause="refund", restored=False)
    elif kind in DISPUTES:
        # warning_*: an inquiry, no money has moved
        state = str(found.get("status", ""))
        if not state.startswith("warning"):
            _end(found, cause="dispute", restored=state == "won")
    return True


def _complete(session: Mapping[str, Any]) -> None:
    """Mark a purchase as paid, if the session is ours and is paid in full."""
    purchase = (
        Purchase.objects.select_for_update()
        .select_related("member")
        .filter(session=str(session.get("id", "")))
        .first()
    )
    if purchase is None or session.get("payment_status") != "paid":
        return
    paid = (session.get("amount_total"), str(session.get("currency")).lower())
    if session.get("amount_total") is not None and paid != (
        purchase.amount_cents,
        purchase.currency,
    ):
        return
    purchase.payment_intent = _id_of(session.get("payment_intent")) or purchase.payment_intent
    purchase.paid_at = purchase.paid_at or timezone.now()
    purchase.save(update_fields=["payment_intent", "paid_at"])
    until = settle(purchase.member_id)
    if until is not None:
        details = {"until": until.isoformat()}
        reference = f"purchase-{purchase.pk}"
        tell(purchase.member, Kind.MEMBERSHIP_PAID, reference=reference, details=details)


def _end(found: Mapping[str, Any], *, cause: str, restored: bool) -> None:
    """Record a refund (of a charge) or a dispute; what is restored stays so."""
    intent = _id_of(found.get("payment_intent"))
    if not intent:
        return
    ending, _ = Ending.objects.get_or_create(
        payment_intent=intent, cause=cause, reference=str(found.get("id", ""))
    )
    if restored:
        ending.restored = True
        ending.save(update_fields=["restored"])
    for purchase in Purchase.objects.filter(payment_intent=intent):
        settle(purchase.member_id)


def _is_whole_refund(charge: Mapping[str, Any]) -> bool:
    """Return whether all of a charge went back; a part of it ends nothing."""
    if "refunded" in charge:
        return bool(charge["refunded"])
    refunded, amount = charge.get("amount_refunded"), charge.get("amount")
    if isinstance(refunded, int) and isinstance(amount, int):
        return refunded >= amount
    return True


def _id_of(value: object) -> str:
    """Return the id of what Stripe gives as an id or, expanded, as an object."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) else ""


@transaction.atomic
def settle(member_id: int) -> dt.date | None:
    """Work out until when a member is one, from every purchase and ending; store and return it.

    Each good purchase adds PERIOD_DAYS to what is left, or to the day on which it was paid.
    """
    member = Member.objects.select_for_update().get(pk=member_id)
    declared, _ = Declared.objects.get_or_create(
        member=member, defaults={"until": member.membership_until}
    )
    ended = Ending.objects.filter(restored=False).values("payment_intent")
    good = (
        Purchase.objects.filter(member=member, paid_at__isnull=False)
        .exclude(payment_intent__in=ended)
        .order_by("paid_at", "pk")
    )
    until = declared.until
    for purchase in good:
        assert purchase.paid_at is not None, f"{purchase} was read as paid"
        paid_on = timezone.localdate(purchase.paid_at)
        begins = paid_on if until is None or until < paid_on else until
        until = begins + dt.timedelta(days=PERIOD_DAYS)
    member.membership_until = until
    member.save(update_fields=["membership_until"])
    return until
