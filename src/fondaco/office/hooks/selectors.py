"""Every read of the hooks' pages: hooks with how each does, alerts with what came of them.

Promises: an alert that became a signal carries what each of the member's robots decided at it, as
long as that is among the newest decisions; no row of another member's is ever in them.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.conf import settings

from fondaco.identity.models import Member
from fondaco.robots.hub import selectors as hub
from fondaco.robots.hub.alerts import read_alert
from fondaco.robots.hub.messages import Unfit
from fondaco.robots.models import Hook, HookAlert, Robot, RobotKind

__all__ = ["alerts", "hook_of", "hooks"]

ALERTS_SHOWN: Final = 50
ROBOTS_SHOWN: Final = 12  # told of at each alert


def hook_of(member: Member, number: int) -> Hook | None:
    """Return a standing hook of the member."""
    rows = Hook.objects.select_related("member").filter(member=member, revoked_at__isnull=True)
    return rows.filter(pk=number).first()


def hooks(member: Member) -> list[dict[str, Any]]:
    """Return a member's standing hooks, each with its newest alert."""
    rows = Hook.objects.filter(member=member, revoked_at__isnull=True).order_by("name")
    return [
        {"row": row, "newest": _shown(newest) if newest is not None else None}
        for row in rows
        for newest in [row.alerts.order_by("-id").first()]
    ]


def alerts(hook: Hook) -> list[dict[str, Any]]:
    """Return the newest alerts of a hook, each with what the member's robots decided at it."""
    rows = list(HookAlert.objects.filter(hook=hook).order_by("-id")[:ALERTS_SHOWN])
    robots = Robot.objects.filter(member=hook.member_id, kind=RobotKind.SIGNAL, closed_at=None)
    names = dict(robots.order_by("pk").values_list("account_id", "pk")[:ROBOTS_SHOWN])
    signals = {row.signal for row in rows if row.signal}
    told = hub.decided(signals, names, cash=settings.CASH)
    return [
        {
            **_shown(row),
            "decisions": told.get(row.signal, []),
            "may_replay": _may_replay(row, hook),
        }
        for row in rows
    ]


def _may_replay(row: HookAlert, hook: Hook) -> bool:
    """Return whether reading an alert once more can do anything: a key or a time counts once."""
    if row.state != HookAlert.State.TAKEN:
        return row.state == HookAlert.State.REFUSED
    try:
        read = read_alert(row.body, template=hook.template, symbol=hook.symbol, cash=settings.CASH)
    except Unfit:
        return False
    return not read.key and not read.timestamp_us


def _shown(row: HookAlert) -> dict[str, Any]:
    at = dt.datetime.fromtimestamp(row.received_us / 1_000_000, dt.UTC)
    return {**hub.alert_words(row), "at": at}
