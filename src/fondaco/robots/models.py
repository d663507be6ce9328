"""What our own clients keep between two starts. Nothing here is money: that is the core's.

Promises: these rows are the office's (backed up with it), never the projections'. A robot's row and
those of its transfers are durable before the core hears of them. Times are in microseconds.
"""

from __future__ import annotations

from typing import Final

from django.db import models

from fondaco.identity.models import Account, Member

__all__ = [
    "ENTRY_FIRST",
    "FeedState",
    "HouseMark",
    "Lease",
    "Robot",
    "RobotKind",
    "RobotTransfer",
    "SetAsideMessage",
]

ENTRY_FIRST: Final = 1 << 60  # the core's entries of robots' transfers; the treasury's begin at 1


class RobotKind(models.TextChoices):
    SIGNAL = "signal"
    RULE = "rule"


class Robot(models.Model):
    """A client of ours: an account with an allotment of its member's funds, and what it is to do.

    `config` is a house.robots.RobotConfig as JSON, `rule` the JSON text of a rule. What it has and
    what it lost is the core's.
    """

    id = models.CharField(max_length=64, primary_key=True)  # the client id, unique in the house
    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="robots")
    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="robot")
    kind = models.CharField(max_length=8, choices=RobotKind)
    is_active = models.BooleanField(default=True)
    config = models.JSONField(default=dict)
    rule = models.TextField(default="", blank=True)
    is_locked = models.BooleanField(default=False)
    locked_until_us = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, editable=False)  # gone; its id is never used again

    def __str__(self) -> str:
        return self.id


class RobotTransfer(models.Model):
    """Money on its way from the member's spot account to a robot, or back.

    `seq` is where the journal has it, `reason` why the core refused it; both 0: not answered yet.
    """

    robot = models.ForeignKey(Robot, on_delete=models.PROTECT, related_name="transfers")
    asset = models.IntegerField()
    amount = models.BigIntegerField()
    is_return = models.BooleanField(default=False)
    seq = models.BigIntegerField(default=0)
    reason = models.SmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="allotment_above_0"),
        ]

    def __str__(self) -> str:
        return f"entry {self.entry}"

    @property
    def entry(self) -> int:
        """The core's number of it."""
        return ENTRY_FIRST + self.pk


class Lease(models.Model):
    """Who does a piece of work now, of all worker processes; robots.lease reads and writes it."""

    name = models.CharField(max_length=128, primary_key=True)
    owner = models.CharField(max_length=128, default="")
    fence = models.BigIntegerField(default=0)  # one more at each taking
    until_us = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.owner} ({self.fence})"


class FeedState(models.Model):
    """What came of a feed's messages so far, as its consumer last wrote it: about once a second."""

    name = models.CharField(max_length=64, primary_key=True)  # the client id at the broker
    address = models.CharField(max_length=300, default="")  # without the password
    topic = models.CharField(max_length=1024, default="")
    is_connected = models.BooleanField(default=False)
    fault = models.CharField(max_length=300, default="")  # why it isn't
    received = models.BigIntegerField(default=0)
    current = models.BigIntegerField(default=0)  # became the price
    older = models.BigIntegerField(default=0)  # counted by their own time
    duplicate = models.BigIntegerField(default=0)
    set_aside = models.BigIntegerField(default=0)
    filled = models.BigIntegerField(default=0)  # messages that filled an order
    reconnects = models.BigIntegerField(default=0)
    message_us = models.BigIntegerField(default=0)  # time of the newest message
    updated_us = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {'connected' if self.is_connected else 'away'}"


class SetAsideMessage(models.Model):
    """A message that could not be taken, with the reason; the newest of each feed are kept."""

    feed = models.CharField(max_length=64)
    received_us = models.BigIntegerField()
    fault = models.CharField(max_length=16)  # feeds.messages.Fault
    reason = models.CharField(max_length=300)
    payload = models.TextField()  # its beginning; what is no text as \\xNN

    class Meta:
        indexes = [models.Index("feed", "id", name="set_aside_of_feed")]

    def __str__(self) -> str:
        return f"{self.feed}: {self.fault}"


class HouseMark(models.Model):
    """One row: what outside orders are named after; robots.venues.mark reads and writes it."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    text = models.CharField(max_length=16)

    def __str__(self) -> str:
        return self.text
