"""What a backtest of a signal robot gives beside what every backtest gives.

Promises: decisions have the reason and the numbers that the house would store for the same client
at the same signal, and the same sentence; amounts are exact.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from fondaco.core.records import Side
from fondaco.robots.backtest.result import Result
from fondaco.robots.hub.judging import Look, Reason, Verdict
from fondaco.robots.hub.reasons import numbers, of_operation, tell
from fondaco.robots.hub.refusals import Ended
from fondaco.robots.hub.steps import Operation

__all__ = ["Judged", "OperationLine", "SignalResult", "judged"]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One signal and what became of it."""

    signal: int
    time_us: int
    symbol: str
    operation: str | None  # BUY or SELL
    reason: str
    numbers: dict[str, Any]
    text: str


class OperationLine(msgspec.Struct, frozen=True, kw_only=True):
    """One buying and then selling."""

    id: str
    status: str
    note: str
    started_us: int
    buy_us: int | None
    closed_us: int | None
    available: Decimal
    spent: Decimal
    bought: Decimal
    stop: Decimal | None
    proceeds: Decimal


class SignalResult(Result, frozen=True, kw_only=True):
    """A whole backtest of a signal robot."""

    signals: int  # judged
    signals_before: int  # the tape's first tick: not judged
    signals_after: int  # the tape's end: not judged
    operations: tuple[OperationLine, ...]


def judged(
    look: Look,
    verdict: Verdict | Ended,
    price: Decimal | None,
    decimals: tuple[int, int],
    op: Operation | None,
) -> Judged:
    """Return a verdict in the words of the house."""
    reason = Reason(verdict[0])
    side = Side(look.side).name if look.side else None

    def coin(units: int) -> str:
        return f"{Decimal(units).scaleb(-decimals[0]):f}"

    def cash(units: int) -> str:
        return f"{Decimal(units).scaleb(-decimals[1]):f}"

    had, needed, refused = (*verdict[1:], 0)[:3]
    found = numbers(reason, look.side, had, needed, cash=cash, coin=coin, refused=refused)
    if op is not None and reason is Reason.TRIGGERED:
        found |= of_operation(op, look.side, cash=cash, coin=coin)
    if price is not None:
        found["price"] = f"{price:f}"
    return Judged(
        signal=look.signal,
        time_us=look.now_us,
        symbol=look.symbol,
        operation=side,
        reason=reason.name,
        numbers=found,
        text=tell(reason, side or "", look.symbol, found),
    )
