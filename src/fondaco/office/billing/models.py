"""Purchases of a membership, what ended them, and the sandbox's own sessions.

Promises: how long a membership lasts is a function of these rows (services.settle), whatever the
order in which they came. An event of the provider counts once. No card number is ever here.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

__all__ = [
    "Declared",
    "Ending",
    "PaymentEvent",
    "Purchase",
    "Reminder",
    "SandboxDelivery",
    "SandboxSession",
]

ID_LENGTH_MAX = 255  # Stripe's own bound of an id


class Declared(models.Model):
    """Until when a member was one before the first purchase: by the house file, or not at all."""

    member = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    until = models.DateField(null=True)

    def __str__(self) -> str:
        return f"member {self.member_id} until {self.until}"


class Purchase(models.Model):
    """A wish for one period of membership; paid_at is set by a verified event only."""

    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="purchases"
    )
    provider = models.CharField(max_length=16)
    session = models.CharField(max_length=ID_LENGTH_MAX, null=True, unique=True)  # noqa: DJ001
    url = models.TextField(default="", blank=True)
    payment_intent = models.CharField(max_length=ID_LENGTH_MAX, default="", blank=True)
    amount_cents = models.IntegerField()
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField(auto_now_add=True)
    paid_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index("payment_intent", name="purchase_by_intent")]

    def __str__(self) -> str:
        return f"purchase {self.pk} of member {self.member_id}"


class Ending(models.Model):
    """A refund or a dispute of a payment; restored once a dispute was won."""

    payment_intent = models.CharField(max_length=ID_LENGTH_MAX)
    cause = models.CharField(max_length=16, choices=[("refund", "refund"), ("dispute", "dispute")])
    reference = models.CharField(max_length=ID_LENGTH_MAX)
    restored = models.BooleanField(default=False)
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("payment_intent", "cause", "reference", name="ending_once")
        ]

    def __str__(self) -> str:
        return f"{self.cause} of {self.payment_intent}"


class PaymentEvent(models.Model):
    """An event of the provider that was verified and has had its effect."""

    provider = models.CharField(max_length=16)
    event = models.CharField(max_length=ID_LENGTH_MAX)
    kind = models.CharField(max_length=ID_LENGTH_MAX)
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint("provider", "event", name="payment_event_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.event}"


class Reminder(models.Model):
    """A mail that told a member of the end of a membership, so many days before it."""

    member = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    until = models.DateField()
    days_before = models.SmallIntegerField()
    sent_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("member", "until", "days_before", name="reminder_once")
        ]

    def __str__(self) -> str:
        return f"{self.days_before} days before {self.until} to member {self.member_id}"


class SandboxSession(models.Model):
    """A checkout session of the sandbox."""

    id = models.CharField(max_length=ID_LENGTH_MAX, primary_key=True)
    idempotency_key = models.CharField(max_length=ID_LENGTH_MAX, null=True, unique=True)  # noqa: DJ001
    asked = models.CharField(max_length=64)  # SHA-256 of the parameters
    payment_intent = models.CharField(max_length=ID_LENGTH_MAX, unique=True)
    client_reference_id = models.CharField(max_length=200, default="", blank=True)
    amount_total = models.IntegerField()
    currency = models.CharField(max_length=3)
    success_url = models.TextField()
    cancel_url = models.TextField()
    status = models.CharField(max_length=16, default="open")  # open, complete, expired
    is_paid = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.id


class SandboxDelivery(models.Model):
    """A webhook that the sandbox has still to deliver, or has delivered."""

    body = models.TextField()
    due_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                "due_at", name="delivery_due", condition=models.Q(delivered_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk}"
