"""What our own clients keep between two starts. Nothing here is money: that is the core's.

Promises: these rows are the office's (backed up with it), never the projections'.
"""

from __future__ import annotations

from django.db import models

__all__ = ["Lease"]


class Lease(models.Model):
    """Who does a piece of work now, of all worker processes; robots.lease reads and writes it."""

    name = models.CharField(max_length=128, primary_key=True)
    owner = models.CharField(max_length=128, default="")
    fence = models.BigIntegerField(default=0)  # one more at each taking
    until_us = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.owner} ({self.fence})"
