"""Tells a decision in words: what the rule did or didn't do, and by which numbers.

    step 1 waits: STOCKA last 20.54 gte 20.55 is false
    step 2 can't order: shares would be 0.0 (of 0.05)

Promises: every number that it names is the one that the look used: amounts exactly, figures to 12
digits, and to the last where a comparison hangs on it; the same decision gives the same sentence.
It decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from fondaco.robots.rules.plan import (
    CashOf,
    Figure,
    Operand,
    Plan,
    PlannedLook,
    PositionOf,
    TickerOf,
)
from fondaco.robots.rules.state import Code, Decision, Look
from fondaco.robots.rules.view import Number

__all__ = ["tell"]

_DID: Final[Mapping[Code, str]] = {
    Code.CONDITION_FALSE: "waits",
    Code.CONDITION_UNKNOWN: "waits for a number",
    Code.PAUSED: "rests until its next round",
    Code.AMOUNT_UNKNOWN: "can't order yet",
    Code.AMOUNT_ZERO: "can't order",
    Code.TOO_MANY_ORDERS: "can't order more",
    Code.TRIGGERED: "acts",
    Code.OTHERWISE: "does the other thing",
    Code.AWAITING_ORDERS: "waits for its orders",
    Code.ORDER_FAILED: "ends",
    Code.ROUND_OVER: "is through, and begins again",
    Code.FINISHED: "is done",
}
FIGURE_DIGITS: Final = 12
_TRUTHS: Final = {True: "true", False: "false", None: "not known yet"}


def tell(plan: Plan, decision: Decision) -> str:
    """Return a decision as one sentence without a full stop."""
    planned = plan.steps[decision.step].looks
    parts = [
        _tell_look(one, look)
        for one, look in zip(planned, decision.looks, strict=False)
        if _speaks(decision.code, look)
    ]
    if decision.detail:
        parts.append(decision.detail)
    did = f"step {decision.step + 1} {_DID[decision.code]}"
    return f"{did}: {', '.join(parts)}" if parts else did


def _speaks(code: Code, look: Look) -> bool:
    """Return whether a comparison has to do with what was decided."""
    if code is Code.CONDITION_UNKNOWN:
        return look.truth is None
    return code in {Code.CONDITION_FALSE, Code.TRIGGERED, Code.OTHERWISE}


def _tell_look(planned: PlannedLook, look: Look) -> str:
    show = _plain
    if look.a is not None and look.b is not None and look.a != look.b:
        show = _exact if _plain(look.a) == _plain(look.b) else _plain
    a, b = _tell_item(planned.a, look.a, show), _tell_item(planned.b, look.b, show)
    return f"{a} {planned.type} {b} is {_TRUTHS[look.truth]}"


def _tell_item(operand: Operand, number: Number | None, show: Callable[[Number], str]) -> str:
    if isinstance(operand, Decimal):
        return show(operand)
    shown = "unknown" if number is None else show(number)
    if isinstance(operand, TickerOf):
        return f"{operand.symbol} {operand.field} {shown}"
    if isinstance(operand, Figure):
        parameters = ", ".join(f"{name} {value:g}" for name, value in operand.parameters)
        named = f"{operand.name} ({parameters})" if parameters else operand.name
        return f"{named} of {operand.ticker} {operand.interval} {shown}"
    if isinstance(operand, PositionOf):
        return f"{operand.field} position {operand.symbol} {shown}"
    if isinstance(operand, CashOf):
        return f"{operand.field} cash {shown}"
    return f"{operand.field} {shown}"


def _plain(number: Number) -> str:
    """Return a number without the dust that floats gather at their end."""
    exact = number if isinstance(number, Decimal) else Decimal(f"{number:.{FIGURE_DIGITS}g}")
    return f"{exact:f}"


def _exact(number: Number) -> str:
    return f"{number:f}" if isinstance(number, Decimal) else f"{number!r}"
