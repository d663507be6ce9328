"""Every read of the hub: signals with their triggers, decisions, hooks and alerts, as the API says.

Promises: plain words and lists, at most so many rows; amounts as exact decimal text.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from fondaco.core.records import Side
from fondaco.robots.hub.judging import Reason
from fondaco.robots.hub.messages import SUMMARIES
from fondaco.robots.models import Decision, Hook, HookAlert, Robot, Signal

__all__ = ["alert_words", "hook_words", "moment", "signal_words", "triggers"]

TRIGGERS_MAX: Final = 10_000  # shown of one signal
ALERT_SHOWN_MAX: Final = 2_000
NAMES: Final = {strength: name for name, strength in SUMMARIES.items()}


def moment(time_us: int) -> str:
    """Return a time as RFC 3339 in UTC, "" for none."""
    if not time_us:
        return ""
    found = dt.datetime.fromtimestamp(time_us // 1_000_000, dt.UTC)
    text = found.replace(microsecond=time_us % 1_000_000).isoformat()
    return text.replace("+00:00", "Z")


def signal_words(number: int) -> dict[str, Any] | None:
    """Return a signal and what it triggered, None for an unknown one."""
    row = Signal.objects.filter(pk=number).first()
    if row is None:
        return None
    return {
        "id": row.pk,
        "summary": NAMES[row.strength],
        "symbol": row.symbol,
        "triggers": triggers(row),
    }


def triggers(signal: Signal) -> list[dict[str, Any]]:
    """Return one trigger for each client that a signal set going."""
    rows = Decision.objects.filter(signal=signal.pk, reason=Reason.TRIGGERED.value)
    found = list(rows.order_by("account").values_list("account", "side", "time_us")[:TRIGGERS_MAX])
    names = dict(
        Robot.objects.filter(account_id__in=[account for account, _, _ in found]).values_list(
            "account_id", "pk"
        )
    )
    return [
        {
            "client_id": names[account],
            "operation": Side(side).name,
            "symbol": signal.symbol,
            "start_time": moment(time_us),
        }
        for account, side, time_us in found
    ]


def hook_words(row: Hook) -> dict[str, Any]:
    """Return a hook as the API tells it."""
    return {
        "id": row.pk,
        "name": row.name,
        "symbol": row.symbol,
        "template": row.template,
        "addresses": row.addresses,
        "checks_position": row.checks_position,
        "created_at": row.created_at,
    }


def alert_words(row: HookAlert) -> dict[str, Any]:
    """Return an alert and what became of it."""
    return {
        "id": row.pk,
        "received": moment(row.received_us),
        "body": row.body[:ALERT_SHOWN_MAX],
        "state": row.state,
        "reason": row.reason,
        "signal_id": row.signal or None,
        "is_replay": row.is_replay,
    }
