"""Tells a decision in words: what the rule did or didn't do, and by which numbers.

    step 1 waits: STOCKA last 20.54 is below 20.55
    step 1 ends: did not buy: cash 3.10, minimum 21.40 (bot-1 is REJECTED, INSUFFICIENT_BALANCE)
    step 2 can't order: shares would be 0.0 (of 0.05)

Promises: every number that it names is the one that the look used: amounts exactly, figures to 12
digits, and to the last where a comparison hangs on it; the same decision gives the same sentence.
It decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from fondaco.robots.rules.indicators import FUNCTIONS
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
    Code.LEG_ACTED: "hears of its pair",
    Code.ORDER_FAILED: "ends",
    Code.ROUND_OVER: "is through, and begins again",
    Code.FINISHED: "is done",
}
FIGURE_DIGITS: Final = 12
# How a comparison is said where it is true, and where it is false.
_SAID: Final[Mapping[str, tuple[str, str]]] = {
    "gt": ("is above", "is not above"),
    "gte": ("is at or above", "is below"),
    "lt": ("is below", "is not below"),
    "lte": ("is at or below", "is above"),
    "eq": ("equals", "differs from"),
    "ne": ("differs from", "equals"),
    "crosses_above": ("crosses above", "does not cross above"),
    "crosses_below": ("crosses below", "does not cross below"),
}
_REFUSED: Final = re.compile(r"(\S+ is REJECTED): ([A-Z_]+)(?:: (.+))?")


def tell(plan: Plan, decision: Decision) -> str:
    """Return a decision as one sentence without a full stop."""
    planned = plan.steps[decision.step].looks
    parts = [
        _tell_look(one, look)
        for one, look in zip(planned, decision.looks, strict=False)
        if _speaks(decision.code, look)
    ]
    if decision.detail:
        parts.append(_tell_detail(plan, decision))
    did = f"step {decision.step + 1} {_DID[decision.code]}"
    return f"{did}: {', '.join(parts)}" if parts else did


def _tell_detail(plan: Plan, decision: Decision) -> str:
    """Return what a decision says beside its numbers; of a refusal first what was not done."""
    refused = _REFUSED.fullmatch(decision.detail)
    if decision.code is not Code.ORDER_FAILED or refused is None:
        return decision.detail
    order, reason, numbers = refused.groups()
    step = plan.steps[decision.step]
    actions = (*step.do, *(step.otherwise or ()))
    sides = {one.order.intent.lower() for one in actions if one.order is not None}
    did = f"did not {sides.pop() if len(sides) == 1 else 'trade'}"
    said = numbers or reason.lower().replace("_", " ")
    return f"{did}: {said} ({order}, {reason})"


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
    true, false = _SAID[planned.type]
    if look.truth is None:
        return f"whether {a} {true} {b} is not known yet"
    return f"{a} {true if look.truth else false} {b}"


def _tell_item(operand: Operand, number: Number | None, show: Callable[[Number], str]) -> str:
    if isinstance(operand, Decimal):
        return show(operand)
    shown = "unknown" if number is None else show(number)
    if isinstance(operand, TickerOf):
        return f"{operand.symbol} {operand.field} {shown}"
    if isinstance(operand, Figure):
        return f"{_tell_figure(operand)} of {operand.ticker} {operand.interval} {shown}"
    if isinstance(operand, PositionOf):
        return f"{operand.field} position {operand.symbol} {shown}"
    if isinstance(operand, CashOf):
        return f"{operand.field} cash {shown}"
    return f"{operand.field} {shown}"


def _tell_figure(figure: Figure) -> str:
    """Return a figure's name, output where there are several, first parameter and unusual ones."""
    function = FUNCTIONS[figure.name]
    parameters = ", ".join(
        f"{name} {value:g}"
        for place, (name, value) in enumerate(figure.parameters)
        if not place or value != function.parameters[name]
    )
    named = figure.name if len(function.outputs) == 1 else f"{figure.name} {figure.output}"
    return f"{named} ({parameters})" if parameters else named


def _plain(number: Number) -> str:
    """Return a number without the dust that floats gather at their end."""
    exact = number if isinstance(number, Decimal) else Decimal(f"{number:.{FIGURE_DIGITS}g}")
    return f"{exact:f}"


def _exact(number: Number) -> str:
    return f"{number:f}" if isinstance(number, Decimal) else f"{number!r}"
