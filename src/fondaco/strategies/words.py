"""How strategies and dashboards are told in JSON, by the office's routes and the gateway's socket.

Promises: amounts are decimal text without needless zeros, times ISO 8601 in UTC; a token is never
among the words.
"""

from __future__ import annotations

import datetime as dt
import time
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from fondaco.strategies.amounts import text_of
from fondaco.strategies.models import VALUES, BrokerageAccount, Period, Strategy, Values
from fondaco.strategies.selectors import Dashboard
from fondaco.strategies.services import Imported

__all__ = [
    "account_words",
    "curve_words",
    "dashboard_words",
    "imported_words",
    "last_words",
    "moment_of",
    "percent_text",
    "report_words",
    "strategy_words",
    "time_text",
]

SECOND_US: Final = 1_000_000
PERCENT_STEP: Final = Decimal("0.0001")


def moment_of(time_us: int) -> dt.datetime:
    """Return a time as a moment of UTC."""
    seconds, micros = divmod(time_us, SECOND_US)
    return dt.datetime.fromtimestamp(seconds, dt.UTC).replace(microsecond=micros)


def time_text(time_us: int) -> str:
    return moment_of(time_us).isoformat().replace("+00:00", "Z")


def percent_text(part: int, whole: int) -> str | None:
    """Return a part of a whole in per cent, to four decimals half to even; None of nothing."""
    if whole <= 0:
        return None
    share = (Decimal(part) * 100 / whole).quantize(PERCENT_STEP, ROUND_HALF_EVEN)
    return format(share.normalize() if share else Decimal(0), "f")


def report_words(row: Values, created_us: int) -> dict[str, Any]:
    """Tell a report."""
    told = {name: text_of(getattr(row, name)) for name in VALUES}
    return {"created_at": time_text(created_us), **told}


def last_words(strategy: Strategy) -> dict[str, Any] | None:
    """Tell how a strategy stands; None if it has never reported."""
    standing = getattr(strategy, "standing", None)
    if standing is None:
        return None
    return {"symbol": standing.symbol, **report_words(standing, standing.created_us)}


def strategy_words(row: Strategy) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "symbol": row.symbol,
        "account": row.account_id,
        "account_name": row.account.name,
        "source": row.source,
        "token_prefix": row.token_prefix or None,
        "report_every_s": row.report_every_s,
        "is_late": row.is_late(time.time_ns() // 1000),
        "created_at": row.created_at.isoformat(),
        "archived_at": row.archived_at.isoformat() if row.archived_at else None,
        "last": last_words(row),
    }


def account_words(row: BrokerageAccount) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "created_at": row.created_at.isoformat(),
        "archived_at": row.archived_at.isoformat() if row.archived_at else None,
    }


def imported_words(done: Imported) -> dict[str, Any]:
    """Tell what came of an import."""
    return {
        "reports": done.reports,
        "stored": done.stored,
        "first": time_text(done.first_us),
        "last": time_text(done.last_us),
    }


def curve_words(periods: list[Period]) -> list[dict[str, str]]:
    return [
        {
            "time": time_text(each.start_us),
            "margin_balance": text_of(each.margin_balance),
            "wallet_balance": text_of(each.wallet_balance),
        }
        for each in periods
    ]


def dashboard_words(found: Dashboard) -> dict[str, Any]:
    """Tell a dashboard as `GET /api/v1/dashboard/` does."""
    return {
        "equity": text_of(found.equity),
        "pnl_24h": text_of(found.pnl),
        "pnl_24h_percent": percent_text(found.pnl, found.reference),
        "hourly": [
            {"time": time_text(each.start_us), "equity": text_of(each.value)}
            for each in found.hourly
        ],
        "strategies": [_row_words(each) for each in found.strategies],
        "robots": [_row_words(each) for each in found.robots],
    }


def _row_words(row: Strategy) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "account": row.account.name,
        "source": row.source,
        "last": last_words(row),
    }
