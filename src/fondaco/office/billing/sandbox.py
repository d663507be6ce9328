"""The sandbox: a provider of payments of our own that behaves like Stripe and moves no money.

Promises: sessions, their ids, their events and the signatures of its webhooks have Stripe's
shapes; creating one twice under one idempotency key gives the first again. What its webhooks do
(late, twice, out of order, refunded) is chosen on its page, so that every course of events can be
seen. It knows nothing of members; whoever may open its page may pay.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from fondaco.office.billing.models import SandboxDelivery, SandboxSession
from fondaco.office.billing.payments import (
    AMOUNT_CENTS,
    CURRENCY,
    Checkout,
    verified_event,
)

__all__ = [
    "OUTCOMES",
    "IdempotencyConflict",
    "SandboxPayments",
    "cancel",
    "create_session",
    "pay",
    "refund",
    "session_object",
    "sign",
]

LATE_S: Final = 5
OUTCOMES: Final = {
    "success": "The payment succeeds",
    "decline": "The card is declined",
    "late": f"The payment is reported {LATE_S} seconds late",
    "duplicated": "The payment is reported three times",
    "reordered": "The reports come in the wrong order",
    "refunded": "The payment succeeds and is refunded",
    "refunded_first": "The refund is reported before the payment",
    "disputed": "The payment succeeds and is disputed",
}


class IdempotencyConflict(Exception):
    """An idempotency key came again with other parameters."""


class SandboxPayments:
    """The port, without a detour over the network."""

    name = "sandbox"

    def __init__(self, *, secret: str) -> None:
        self._secret = secret

    def open_checkout(self, *, purchase: int, member: int, return_url: str) -> Checkout:
        session, _ = create_session(
            idempotency_key=f"fondaco-purchase-{purchase}",
            amount_total=AMOUNT_CENTS,
            currency=CURRENCY,
            success_url=return_url,
            cancel_url=return_url,
            client_reference_id=str(member),
        )
        return Checkout(session.id, page_of(session))

    def event(self, body: bytes, signature: str) -> dict[str, Any]:
        return verified_event(body, signature, self._secret)


def create_session(
    *,
    idempotency_key: str | None,
    amount_total: int,
    currency: str,
    success_url: str,
    cancel_url: str,
    client_reference_id: str = "",
) -> tuple[SandboxSession, bool]:
    """Return a session and whether it is new; raises IdempotencyConflict."""
    asked = [amount_total, currency, success_url, cancel_url, client_reference_id]
    digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    try:
        with transaction.atomic():
            session = SandboxSession.objects.create(
                id=f"cs_test_{secrets.token_hex(24)}",
                idempotency_key=idempotency_key,
                asked=digest,
                payment_intent=f"pi_{secrets.token_hex(12)}",
                client_reference_id=client_reference_id,
                amount_total=amount_total,
                currency=currency,
                success_url=success_url,
                cancel_url=cancel_url,
            )
    except IntegrityError:
        session = SandboxSession.objects.get(idempotency_key=idempotency_key)
        if session.asked != digest:
            raise IdempotencyConflict(idempotency_key) from None
        return session, False
    return session, True


def page_of(session: SandboxSession) -> str:
    """Return where a session is paid."""
    return f"{settings.BASE_URL}/sandbox/checkout/{session.id}"


@transaction.atomic
def pay(session_id: str, outcome: str) -> SandboxSession:
    """Pay a session with a chosen outcome and queue its webhooks; a paid one stays as it is."""
    session = SandboxSession.objects.select_for_update().get(pk=session_id)
    if session.status != "open" or outcome == "decline":
        return session
    session.status, session.is_paid = "complete", True
    session.save(update_fields=["status", "is_paid"])
    completed = event_of("checkout.session.completed", session_object(session))
    refunded = event_of("charge.refunded", charge_object(session, is_refunded=True))
    queue: list[Mapping[str, Any]] = [completed]
    if outcome == "duplicated":
        queue = [completed, completed, event_of(completed["type"], session_object(session))]
    elif outcome == "reordered":
        unpaid = {**session_object(session), "payment_status": "unpaid"}
        queue = [
            event_of("checkout.session.async_payment_succeeded", session_object(session)),
            event_of("checkout.session.completed", unpaid),
        ]
    elif outcome == "refunded":
        queue = [completed, refunded]
    elif outcome == "refunded_first":
        queue = [refunded, completed]
    elif outcome == "disputed":
        queue = [completed, event_of("charge.dispute.created", dispute_object(session))]
    due = timezone.now() + dt.timedelta(seconds=LATE_S if outcome == "late" else 0)
    for event in queue:
        SandboxDelivery.objects.create(body=json.dumps(event), due_at=due)
    return session


@transaction.atomic
def cancel(session_id: str) -> SandboxSession:
    """Give a session up: it can't be paid any more."""
    session = SandboxSession.objects.select_for_update().get(pk=session_id)
    if session.status == "open":
        session.status = "expired"
        session.save(update_fields=["status"])
    return session


@transaction.atomic
def refund(payment_intent: str) -> dict[str, Any] | None:
    """Refund a paid session and queue the webhook; None if there is nothing to refund."""
    session = SandboxSession.objects.filter(payment_intent=payment_intent, is_paid=True).first()
    if session is None:
        return None
    event = event_of("charge.refunded", charge_object(session, is_refunded=True))
    SandboxDelivery.objects.create(body=json.dumps(event), due_at=timezone.now())
    return {
        "id": f"re_{payment_intent[3:]}",
        "object": "refund",
        "amount": session.amount_total,
        "charge": charge_id(session),
        "currency": session.currency,
        "payment_intent": payment_intent,
        "status": "succeeded",
        "created": int(timezone.now().timestamp()),
        "metadata": {},
    }


def sign(body: str, secret: str) -> str:
    """Return the Stripe-Signature header of a webhook sent now."""
    import stripe

    header: str = stripe.WebhookSignature.generate_signature_header(body, secret)
    return header


# ---- objects, in Stripe's shapes


def event_of(kind: str, found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "api_version": "2025-03-31.basil",
        "created": int(timezone.now().timestamp()),
        "data": {"object": dict(found)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }


def session_object(session: SandboxSession) -> dict[str, Any]:
    return {
        "id": session.id,
        "object": "checkout.session",
        "amount_subtotal": session.amount_total,
        "amount_total": session.amount_total,
        "cancel_url": session.cancel_url,
        "client_reference_id": session.client_reference_id or None,
        "created": int(session.created_at.timestamp()),
        "currency": session.currency,
        "expires_at": int(session.created_at.timestamp()) + 24 * 3600,
        "livemode": False,
        "metadata": {},
        "mode": "payment",
        "payment_intent": session.payment_intent if session.is_paid else None,
        "payment_method_types": ["card"],
        "payment_status": "paid" if session.is_paid else "unpaid",
        "status": session.status,
        "success_url": session.success_url,
        "url": page_of(session) if session.status == "open" else None,
    }


def charge_id(session: SandboxSession) -> str:
    return f"ch_{session.payment_intent[3:]}"


def charge_object(session: SandboxSession, *, is_refunded: bool) -> dict[str, Any]:
    return {
        "id": charge_id(session),
        "object": "charge",
        "amount": session.amount_total,
        "amount_captured": session.amount_total,
        "amount_refunded": session.amount_total if is_refunded else 0,
        "captured": True,
        "created": int(session.created_at.timestamp()),
        "currency": session.currency,
        "livemode": False,
        "metadata": {},
        "paid": True,
        "payment_intent": session.payment_intent,
        "refunded": is_refunded,
        "status": "succeeded",
    }


def dispute_object(session: SandboxSession) -> dict[str, Any]:
    return {
        "id": f"dp_{session.payment_intent[3:]}",
        "object": "dispute",
        "amount": session.amount_total,
        "charge": charge_id(session),
        "created": int(timezone.now().timestamp()),
        "currency": session.currency,
        "livemode": False,
        "metadata": {},
        "payment_intent": session.payment_intent,
        "reason": "fraudulent",
        "status": "needs_response",
    }
