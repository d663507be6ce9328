"""A checked rule, laid out for running: its steps in a row, and what it looks at.

Promises: a plan follows from the rule alone, so that a restarted worker makes the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from fondaco.robots.rules.indicators import FUNCTIONS
from fondaco.robots.rules.model import (
    Action,
    Condition,
    Indicator,
    Item,
    Order,
    Repeat,
    Step,
)
from fondaco.robots.rules.validation import actions_of

__all__ = [
    "CROSSINGS",
    "CashOf",
    "Figure",
    "Operand",
    "Plan",
    "PlannedLook",
    "PlannedStep",
    "PositionOf",
    "TickerOf",
    "TimeOf",
    "operand_of",
    "plan_rule",
]

CROSSINGS: Final = frozenset({"crosses_above", "crosses_below"})


class Figure(NamedTuple):
    """An indicator with all its parameters said: bots that ask for the same share it."""

    name: str
    ticker: str
    interval: str
    parameters: tuple[tuple[str, float], ...]
    output: str


class TickerOf(NamedTuple):
    """One figure of a market."""

    symbol: str
    field: str


class PositionOf(NamedTuple):
    """How much of a coin the bot has."""

    symbol: str
    field: str


class CashOf(NamedTuple):
    """How much cash the bot has."""

    field: str


class TimeOf(NamedTuple):
    """One field of the time."""

    field: str


Operand = Decimal | TickerOf | Figure | PositionOf | CashOf | TimeOf


class PlannedLook(NamedTuple):
    """One comparison and its place in the document."""

    path: str
    a: Operand
    b: Operand
    type: str


class PlannedStep(msgspec.Struct, frozen=True):
    """One step; `looks` are the comparisons of its condition in reading order."""

    path: str
    when: Condition | None
    looks: tuple[PlannedLook, ...]
    do: tuple[Action, ...]
    otherwise: tuple[Action, ...] | None
    repeat: Repeat | None


class Plan(msgspec.Struct, frozen=True):
    """A rule ready to run: steps, tickers and figures that it sees, tickers that it trades.

    It sees what it trades, too: for its last price, tick and lot. What it reads comes first.
    """

    steps: tuple[PlannedStep, ...]
    tickers: tuple[str, ...]
    figures: tuple[Figure, ...]
    traded: tuple[str, ...]
    operands: tuple[Operand, ...]

    @property
    def paper_ticker(self) -> str:
        """The one market that a bot on paper has; empty where there is none, or several."""
        found = self.traded or self.tickers[:1]
        return found[0] if len(found) == 1 else ""

    def ticker_of(self, order: Order) -> str:
        """Return what an order trades: its own ticker, or the only one of the rule."""
        return order.ticker or self.tickers[0]


def plan_rule(rule: Step) -> Plan:
    """Lay out a rule that read_rule() gave."""
    steps: list[PlannedStep] = []
    step: Step | None = rule
    path = "$"
    while step is not None:
        looks = tuple(_looks(step.when, f"{path}.$when")) if step.when else ()
        otherwise = tuple(actions_of(step.otherwise)) if step.otherwise is not None else None
        do = tuple(actions_of(step.do))
        steps.append(PlannedStep(path, step.when, looks, do, otherwise, step.repeat))
        step, path = step.then, f"{path}.$then"
    operands = [operand for one in steps for operand in _operands(one)]
    figures = {operand for operand in operands if isinstance(operand, Figure)}
    read = {one.symbol for one in operands if isinstance(one, TickerOf | PositionOf)}
    read |= {figure.ticker for figure in figures}
    traded = {order.ticker or min(read) for one in steps for order in _orders(one)}
    return Plan(
        steps=tuple(steps),
        tickers=(*sorted(read), *sorted(traded - read)),
        figures=tuple(sorted(figures)),
        traded=tuple(sorted(traded)),
        operands=tuple(one for one in operands if not isinstance(one, Decimal)),
    )


def operand_of(item: Item) -> Operand:
    """Return what an item reads, its defaults filled in."""
    if isinstance(item, Decimal):
        return item
    if item.ticker is not None:
        if isinstance(item.ticker, str):
            return TickerOf(item.ticker, "last")
        return TickerOf(item.ticker.symbol, item.ticker.field)
    if item.position is not None:
        if isinstance(item.position, str):
            return PositionOf(item.position, "total")
        return PositionOf(item.position.symbol, item.position.field)
    if item.cash is not None:
        return CashOf(item.cash)
    if item.time is not None:
        return TimeOf(item.time)
    assert item.indicator is not None, "read_rule() lets exactly one word through"
    return _figure_of(item.indicator)


def _figure_of(indicator: Indicator) -> Figure:
    function = FUNCTIONS[indicator.name]
    said = indicator.parameters
    return Figure(
        indicator.name,
        indicator.ticker,
        indicator.interval,
        tuple((name, said.get(name, value)) for name, value in function.parameters.items()),
        indicator.output or function.outputs[0],
    )


def _looks(condition: Condition, path: str) -> Iterator[PlannedLook]:
    if condition.comparison is not None:
        found = condition.comparison
        a, b = operand_of(found.item_a), operand_of(found.item_b)
        yield PlannedLook(f"{path}.$comparison", a, b, found.type)
    elif condition.negated is not None:
        yield from _looks(condition.negated, f"{path}.$not")
    else:
        word = "$and" if condition.all_of is not None else "$or"
        for place, part in enumerate(condition.all_of or condition.any_of or []):
            yield from _looks(part, f"{path}.{word}[{place}]")


def _operands(step: PlannedStep) -> Iterator[Operand]:
    for one in step.looks:
        yield one.a
        yield one.b
    for order in _orders(step):
        for item in _amounts(order):
            if item is not None:
                yield operand_of(item)


def _orders(step: PlannedStep) -> Iterator[Order]:
    for action in (*step.do, *(step.otherwise or ())):
        if action.order is not None:
            yield action.order


def _amounts(order: Order) -> tuple[Item | None, ...]:
    return order.shares, order.spend, order.bid, order.ask, order.stop, order.stop_limit
