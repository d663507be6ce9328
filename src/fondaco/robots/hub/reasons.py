"""Tells a decision of the hub in words: what a client did at a signal, or why it did nothing.

    did not buy: cash 3.1, minimum 21.4

Promises: the numbers are the ones that the verdict was made with, exactly; it decides nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

from fondaco.core.records import Side
from fondaco.robots.hub.judging import Reason

__all__ = ["moment", "numbers", "tell"]

# {did} is "did not buy"; the rest are a decision's numbers by their names, and its symbol.
_SAID: Final[Mapping[Reason, str]] = {
    Reason.NEUTRAL: "did nothing: the signal is neutral",
    Reason.BELOW_LEVEL: "{did}: the signal weighs {weight}, its level is {level}",
    Reason.INACTIVE: "{did}: it is switched off",
    Reason.LOCKED: "{did}: it is locked by staff, or was busy",
    Reason.LOCKED_UNTIL: "{did}: locked until {until}",
    Reason.SYMBOL_NOT_CHOSEN: "{did}: {symbol} is none of its symbols",
    Reason.DAY_STOP: "{did}: lost {loss} today, limit {limit}",
    Reason.MONTH_STOP: "{did}: lost {loss} this month, limit {limit}",
    Reason.CASH_TOO_LOW: "{did}: cash {cash}, minimum {minimum}",
    Reason.COIN_TOO_LOW: "{did}: {coin} {symbol}, minimum {minimum}",
    Reason.SELL_CAP: "{did}: sold {sold} this month with it, cap {cap}",
    Reason.TOO_LATE: "{did}: too late: {age_s} s old, at most {age_s_max} s",
    Reason.DUPLICATE: "{did}: it had acted on this already",
}


def moment(time_us: int) -> str:
    """Return a time as RFC 3339 in UTC, "" for none."""
    if not time_us:
        return ""
    found = dt.datetime.fromtimestamp(time_us // 1_000_000, dt.UTC)
    text = found.replace(microsecond=time_us % 1_000_000).isoformat()
    return text.replace("+00:00", "Z")


def numbers(
    reason: Reason,
    side: int,
    had: int,
    needed: int,
    *,
    cash: Callable[[int], str],
    coin: Callable[[int], str],
) -> dict[str, Any]:
    """Return the numbers that a decision was made with, by their names, units as they are told."""
    found: dict[str, Any] = {}
    if reason is Reason.BELOW_LEVEL:
        found = {"weight": had, "level": needed}
    elif reason is Reason.LOCKED_UNTIL:
        found = {"until": moment(needed)}
    elif reason is Reason.CASH_TOO_LOW:
        found = {"cash": cash(had), "minimum": cash(needed)}
    elif reason is Reason.COIN_TOO_LOW:
        found = {"coin": coin(had), "minimum": coin(needed)}
    elif reason in {Reason.DAY_STOP, Reason.MONTH_STOP}:
        found = {"loss": cash(had), "limit": cash(needed)}
    elif reason is Reason.SELL_CAP:
        found = {"sold": cash(had), "cap": cash(needed)}
    elif reason is Reason.TOO_LATE:
        found = {"age_s": had, "age_s_max": needed}
    elif reason is Reason.TRIGGERED and side == Side.BUY:
        found = {"cash": cash(had)}
    elif reason is Reason.TRIGGERED:
        found = {"coin": coin(had)}
    return found


def tell(reason: Reason, side: str, symbol: str, numbers: Mapping[str, object]) -> str:
    """Return a decision as one sentence without a full stop; `side` is BUY, SELL or ""."""
    words = {name: _plain(number) for name, number in numbers.items()}
    did = f"did not {side.lower()}"
    if reason is Reason.TRIGGERED:
        if side == "BUY":
            return f"bought {symbol} for up to {words['cash']}"
        return f"sold {words['coin']} {symbol}"
    if reason is Reason.OPERATION_OPEN:
        why = "is open" if side == "BUY" else "is being sold already"
        return f"{did}: its operation on {symbol} {why}"
    if reason in {Reason.CASH_TOO_LOW, Reason.COIN_TOO_LOW} and words.get("minimum") == "0":
        return f"{did}: the house's core had less than it takes"
    return _SAID[reason].format(did=did, symbol=symbol, **words)


def _plain(number: object) -> str:
    """Return decimal text without needless zeros, anything else as it is."""
    text = str(number)
    whole, point, places = text.partition(".")
    if not point or not places.isdigit():
        return text
    return f"{whole}.{places}".rstrip("0").rstrip(".")
