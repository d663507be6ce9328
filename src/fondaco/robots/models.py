"""What our own clients keep between two starts. Nothing here is money: that is the core's.

Promises: these rows are the office's (backed up with it), never the projections'.
"""

from __future__ import annotations

from django.db import models

__all__ = ["FeedState", "HouseMark", "Lease", "SetAsideMessage"]


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
