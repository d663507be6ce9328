"""Telling members that a strategy's report is late, and that it is back.

Promises: one notice for each silence, whatever the number of processes that look, and one when it
ends; both as the member chose (office.notices). A report is late when twice the interval that its
member expects has passed since it. Silence that the house was down for is not held against a
strategy: nothing is late before the house has been up for as long. What never reported is not late.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from fondaco.office.notices.kinds import Kind
from fondaco.office.notices.services import tell
from fondaco.strategies.arrivals import put_in_place
from fondaco.strategies.models import Strategy
from fondaco.strategies.words import time_text

__all__ = ["watch_reports"]

Clock = Callable[[], dt.datetime]
UP_SINCE: Final = timezone.now()
AT_ONCE_MAX: Final = 200  # a turn; the rest is told by the next
MICROSECONDS: Final = 1_000_000


def watch_reports(*, clock: Clock = timezone.now, up_since: dt.datetime = UP_SINCE) -> int:
    """Tell what is late and what is back; return how many that was."""
    put_in_place()
    now_us = _us(clock())
    watched = Strategy.objects.filter(archived_at__isnull=True, account__archived_at__isnull=True)
    last = F("standing__created_us") + 2 * MICROSECONDS * F("report_every_s")
    up = _us(up_since) + 2 * MICROSECONDS * F("report_every_s")
    rows = watched.annotate(due_us=last, up_us=up).select_related("member", "standing")
    is_late = Q(report_every_s__gt=0, due_us__lt=now_us)
    late = rows.filter(is_late, late_since_us=0, up_us__lt=now_us)
    back = rows.filter(late_since_us__gt=0).exclude(is_late)
    told = 0
    for row in late.order_by("pk")[:AT_ONCE_MAX]:
        told += _change(row, Kind.STRATEGY_LATE, since_us=row.standing.created_us)
    for row in back.order_by("pk")[:AT_ONCE_MAX]:
        told += _change(row, Kind.STRATEGY_BACK, since_us=0)
    return told


@transaction.atomic
def _change(row: Strategy, kind: Kind, *, since_us: int) -> int:
    """Note what a strategy became and tell it, unless another process did."""
    before_us = row.late_since_us
    changed = Strategy.objects.filter(pk=row.pk, late_since_us=before_us)
    if not changed.update(late_since_us=since_us):
        return 0
    if kind is Kind.STRATEGY_BACK and not row.report_every_s:
        return 0  # its member no longer minds
    details: dict[str, str | int] = {
        "strategy": row.name,
        "strategy_id": row.pk,
        "every_s": row.report_every_s,
        "last": time_text(row.standing.created_us),
    }
    tell(row.member, kind, reference=f"{row.pk}-{since_us or before_us}", details=details)
    return 1


def _us(moment: dt.datetime) -> int:
    return int(moment.timestamp() * MICROSECONDS)
