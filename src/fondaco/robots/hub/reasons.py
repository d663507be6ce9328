"""Tells a decision of the hub in words: what a client did at a signal, or why it did nothing.

    did not buy: cash 3.10, minimum 21.40

Promises: the numbers are the ones that the verdict was made with, exactly, or the core's where it
refused the order for good; "bought" and "sold" are said of what was done. It decides nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from fondaco.core.records import Reason as CoreReason
from fondaco.core.records import Side
from fondaco.robots.hub.judging import Reason
from fondaco.robots.hub.steps import STOP_LOSS, Operation, Status
from fondaco.robots.rules.view import money

__all__ = ["moment", "numbers", "of_operation", "tell"]

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
    Reason.STOP_LOSS: (
        "stop-loss at {stop}: sold {coin} {symbol} for {proceeds}, exempt from the sell cap"
    ),
}
# What the core said, where that is nearer to the truth than the reason's own words.
_REFUSED: Final[Mapping[str, str]] = {
    "NO_LIQUIDITY": "{did}: nobody sold {symbol} for {age_s} s",
    "MARKET_CLOSED": "{did}: the market of {symbol} was closed for {age_s} s",
    "MAINTENANCE": "{did}: the house took no orders for {age_s} s",
    "CAPACITY": "{did}: the house was full for {age_s} s",
    "PRICE_OUT_OF_RANGE": "{did}: the price of {symbol} was out of its bounds for {age_s} s",
    "TOO_MANY_ORDERS": "{did}: it had too many open orders for {age_s} s",
    "FROZEN": "{did}: its account is frozen",
    "NOTIONAL_TOO_SMALL": "{did}: its order is worth {worth}, minimum {minimum}",
    "NOTIONAL_TOO_LARGE": "{did}: its order is worth {worth}, at most {maximum}",
    "TOO_MANY_ORDERS_TODAY": "{did}: it has sent {orders} orders today, its limit",
}
_CASH: Final = frozenset(
    {"cash", "loss", "limit", "sold", "cap", "worth", "maximum", "spent", "proceeds"}
)


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
    refused: int = 0,
) -> dict[str, Any]:
    """Return the numbers that a decision was made with, by their names, units as they are told.

    `refused` is the core's reason, 0 for none.
    """
    found: dict[str, Any] = {}
    core = CoreReason(refused) if refused else None
    if core in {CoreReason.NOTIONAL_TOO_SMALL, CoreReason.NOTIONAL_TOO_LARGE}:
        bound = "minimum" if core is CoreReason.NOTIONAL_TOO_SMALL else "maximum"
        found = {"worth": cash(had), bound: cash(needed)}
    elif core is CoreReason.TOO_MANY_ORDERS_TODAY:
        found = {"orders": had}
    elif reason is Reason.INACTIVE and had:
        found = {"kill_switch": "on"}
    elif reason is Reason.BELOW_LEVEL:
        found = {"weight": had, "level": needed}
    elif reason is Reason.LOCKED_UNTIL:
        found = {"until": moment(needed)}
    elif reason is Reason.TOO_LATE:
        found = {"age_s": had, "age_s_max": needed}
    else:
        found = _amounts(reason, side, had, needed, cash=cash, coin=coin)
    return found if core is None else {**found, "core": core.name}


def _amounts(
    reason: Reason,
    side: int,
    had: int,
    needed: int,
    *,
    cash: Callable[[int], str],
    coin: Callable[[int], str],
) -> dict[str, Any]:
    if reason is Reason.CASH_TOO_LOW:
        return {"cash": cash(had), "minimum": cash(needed)}
    if reason is Reason.COIN_TOO_LOW:
        return {"coin": coin(had), "minimum": coin(needed)}
    if reason in {Reason.DAY_STOP, Reason.MONTH_STOP}:
        return {"loss": cash(had), "limit": cash(needed)}
    if reason is Reason.SELL_CAP:
        return {"sold": cash(had), "cap": cash(needed)}
    if reason is Reason.TRIGGERED:
        return {"cash": cash(had)} if side == Side.BUY else {"coin": coin(had)}
    return {}


def of_operation(
    op: Operation, side: int, *, cash: Callable[[int], str], coin: Callable[[int], str]
) -> dict[str, Any]:
    """Return what came of a decision that set this operation going, or what it waits for."""
    if side == Side.BUY and op.bought_lots:
        return {"bought": coin(op.bought), "spent": cash(op.spent)}
    if side == Side.SELL and op.status == Status.CLOSED:
        return {"proceeds": cash(op.proceeds)}
    return {"waits": op.note} if op.note and op.note != STOP_LOSS else {}


def tell(reason: Reason, side: str, symbol: str, numbers: Mapping[str, object]) -> str:
    """Return a decision as one sentence without a full stop; `side` is BUY, SELL or ""."""
    is_coin = "coin" in numbers
    words = {
        name: money(Decimal(str(number)))
        if name in _CASH or (name == "minimum" and not is_coin)
        else _plain(number)
        for name, number in numbers.items()
    }
    did = f"did not {side.lower()}"
    if reason is Reason.TRIGGERED:
        return _done(side, symbol, words)
    if reason is Reason.OPERATION_OPEN:
        why = "is open" if side == "BUY" else "is being sold already"
        return f"{did}: its operation on {symbol} {why}"
    if words.get("core") in _REFUSED:
        return _REFUSED[words["core"]].format(did=did, symbol=symbol, **words)
    if reason is Reason.LOCKED and "core" in words:
        said = words["core"].lower().replace("_", " ")
        return f"{did}: the house's core refused its order: {said}"
    if "kill_switch" in words:
        return f"{did}: its kill switch is on"
    return _SAID[reason].format(did=did, symbol=symbol, **words)


def _done(side: str, symbol: str, words: Mapping[str, str]) -> str:
    if "bought" in words:
        return f"bought {words['bought']} {symbol} for {words['spent']}"
    if "proceeds" in words:
        return f"sold {words['coin']} {symbol} for {words['proceeds']}"
    waits = words.get("waits", "").lower().replace("_", " ")
    if side == "BUY":
        doing = f"buys {symbol} for up to {words['cash']}"
    else:
        doing = f"sells {words['coin']} {symbol}"
    return f"{doing}, and waits: {waits}" if waits else doing


def _plain(number: object) -> str:
    """Return decimal text without needless zeros, anything else as it is."""
    text = str(number)
    whole, point, places = text.partition(".")
    if not point or not places.isdigit():
        return text
    return f"{whole}.{places}".rstrip("0").rstrip(".")
