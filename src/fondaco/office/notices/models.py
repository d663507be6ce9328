"""What members chose to hear of, what happened, and the outbox that carries it to them.

Promises: a happening exists once for its member, kind and reference, whatever finds it again; its
deliveries are written in the same transaction and hold the bytes that are sent, so that a replay
sends the same. Secrets of webhooks are sealed (identity.seal).
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from fondaco.office.notices.kinds import Kind

__all__ = ["Choice", "Delivery", "Device", "Endpoint", "Happening", "Position"]

URL_LENGTH_MAX = 500
KINDS = [(kind.value, kind.value) for kind in Kind]


class Choice(models.Model):
    """What a member chose for one kind; kinds without a row are as kinds.TABLE says."""

    member = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=32, choices=KINDS)
    by_mail = models.BooleanField()
    by_webhook = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint("member", "kind", name="choice_once")]

    def __str__(self) -> str:
        return f"member {self.member_id}: {self.kind}"


class Endpoint(models.Model):
    """Where a member's webhooks go."""

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks"
    )
    url = models.CharField(max_length=URL_LENGTH_MAX)
    secret = models.BinaryField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"webhook {self.pk}"


class Happening(models.Model):
    """One thing that happened to a member who wants to hear of it."""

    member = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=32, choices=KINDS)
    reference = models.CharField(max_length=64)  # what it is about: a trade, a row, a log entry
    body = models.TextField()  # JSON, as webhooks carry it
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint("member", "kind", "reference", name="happening_once")
        ]
        indexes = [models.Index("created_at", name="happening_by_age")]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"


class Delivery(models.Model):
    """One happening on its way to one endpoint, or by mail where the endpoint is null."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        GIVEN_UP = "given up"

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    happening = models.ForeignKey(Happening, on_delete=models.CASCADE, related_name="deliveries")
    endpoint = models.ForeignKey(
        Endpoint, null=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)  # since it was written or replayed
    next_at = models.DateTimeField()
    last_at = models.DateTimeField(null=True)
    last_status = models.PositiveSmallIntegerField(default=0)  # of HTTP; 0 = no answer
    last_error = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint("happening", "endpoint", name="delivery_once")]
        indexes = [models.Index("next_at", name="notice_due", condition=models.Q(state="waiting"))]

    def __str__(self) -> str:
        return f"delivery {self.pk}"


class Position(models.Model):
    """How far a source of happenings is read: the security log, or the projected postings."""

    name = models.CharField(max_length=16, primary_key=True)
    number = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.name} to {self.number}"


class Device(models.Model):
    """A browser that a member has signed in from, known by a cookie of which the digest is kept."""

    member = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint("member", "digest", name="device_once")]

    def __str__(self) -> str:
        return f"a browser of member {self.member_id}"
