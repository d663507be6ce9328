"""The Payments port: what billing asks of a provider of payments, and Stripe as one.

Promises: a checkout is asked for with the purchase as its idempotency key, so that asking again
can't charge twice; an event is handed on only if its signature over the raw body is right and at
most 300 s old. The sandbox (billing.sandbox) is the other provider. Card data never passes here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from django.conf import settings

if TYPE_CHECKING:
    import stripe

__all__ = [
    "AMOUNT_CENTS",
    "CURRENCY",
    "Checkout",
    "EventForged",
    "Payments",
    "PaymentsDown",
    "StripePayments",
    "verified_event",
]

AMOUNT_CENTS: Final = 49_900
CURRENCY: Final = "usd"
TOLERANCE_S: Final = 300  # age of a signature; Stripe's own
RETRIES_MAX: Final = 2  # of the SDK, under the same idempotency key
PRODUCT: Final = "Membership, 365 days"


class EventForged(Exception):
    """A webhook whose signature is missing, wrong or old, or that is no event."""


class PaymentsDown(Exception):
    """The provider can't be reached or refuses; nothing was charged."""


class Checkout(NamedTuple):
    """A session at the provider: its id, and where the member pays."""

    session: str
    url: str


class Payments(Protocol):
    """A provider of payments."""

    name: str

    def open_checkout(self, *, purchase: int, member: int, return_url: str) -> Checkout:
        """Return the checkout of a purchase; raises PaymentsDown."""
        ...

    def event(self, body: bytes, signature: str) -> dict[str, Any]:
        """Return the event of a webhook; raises EventForged."""
        ...


def verified_event(body: bytes, signature: str, secret: str) -> dict[str, Any]:
    """Return the event in a signed body; raises EventForged."""
    import stripe

    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, TOLERANCE_S)
        event = json.loads(body)
    except (stripe.SignatureVerificationError, ValueError) as error:
        raise EventForged(f"the webhook is not the provider's: {type(error).__name__}") from error
    if not isinstance(event, dict) or not isinstance(event.get("id"), str):
        raise EventForged("the webhook is signed but holds no event")
    return event


class StripePayments:
    """Stripe by its own SDK: a Checkout Session in payment mode."""

    name = "stripe"

    def __init__(self, *, key: str, webhook_secret: str, api_base: str = "") -> None:
        import stripe

        base: Any = {"api": api_base.rstrip("/")} if api_base else None
        self._client = stripe.StripeClient(
            key, base_addresses=base, max_network_retries=RETRIES_MAX
        )
        self._webhook_secret = webhook_secret

    @property
    def client(self) -> stripe.StripeClient:
        """The SDK's own client."""
        return self._client

    def open_checkout(self, *, purchase: int, member: int, return_url: str) -> Checkout:
        import stripe

        price: Any = {
            "currency": CURRENCY,
            "unit_amount": AMOUNT_CENTS,
            "product_data": {"name": f"{settings.HOUSE_NAME}: {PRODUCT}"},
        }
        try:
            session = self._client.v1.checkout.sessions.create(
                {
                    "mode": "payment",
                    "line_items": [{"price_data": price, "quantity": 1}],
                    "client_reference_id": str(member),
                    "metadata": {"purchase": str(purchase)},
                    "success_url": return_url,
                    "cancel_url": return_url,
                },
                {"idempotency_key": f"fondaco-purchase-{settings.BASE_URL}-{purchase}"},
            )
        except stripe.StripeError as error:
            raise PaymentsDown(
                f"the payment page can't be opened: {type(error).__name__}"
            ) from error
        if not session.url:
            raise PaymentsDown(f"session {session.id} came without a page to pay on")
        return Checkout(session.id, session.url)

    def event(self, body: bytes, signature: str) -> dict[str, Any]:
        return verified_event(body, signature, self._webhook_secret)
