"""Looks at a rule: what it remembers and what it sees in, what it wishes and why out.

look() is called when something the rule reads may have changed, hear() when an order of it has.
Both are functions: the same plan, state, view and prefix give the same outcome on every machine,
order ids included, so a second worker or a restart can't act twice.

A condition is true, false, or unknown while a number isn't there; unknown waits. All comparisons
of a step are made at each look, in reading order: none is skipped, so that each crossing has seen
every look. A crossing remembers the last side that it was strictly on, from the step's beginning.
Without `$else` a step waits until it is true; with it, it decides at the first known look. A round
of `$repeat` begins later than the one before: one look runs each step at most once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_DOWN, Context, Decimal
from typing import Final

import msgspec

from fondaco.robots.rules.model import OCO, Action, Condition, Item, Order
from fondaco.robots.rules.plan import CROSSINGS, Plan, PlannedLook, PlannedStep, operand_of
from fondaco.robots.rules.state import (
    CLOSED,
    Asked,
    Code,
    Decision,
    Look,
    OrderStatus,
    OrderUpdate,
    OrderWish,
    Outcome,
    Placed,
    State,
)
from fondaco.robots.rules.view import ZERO, Number, Quote, View, number_of

__all__ = ["PREFIX", "hear", "look", "truth_of"]

OPEN_ORDERS_MAX: Final = 32  # of one rule: what a person can still follow
PREFIX: Final = re.compile(r"[A-Za-z0-9_-]{1,24}")  # with its number below the 36 of an order id
_EXACT: Final = Context(prec=60)


class _Blocked(Exception):
    """The step is due but can't act now: a code, and what about it."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class _Doing(msgspec.Struct):
    """What one call has gathered so far."""

    amounts: tuple[Asked, ...] = ()
    decisions: list[Decision] = []
    orders: list[OrderWish] = []
    cancels: list[str] = []
    notices: list[str] = []

    def outcome(self, state: State) -> Outcome:
        return Outcome(
            state,
            tuple(self.decisions),
            tuple(self.orders),
            tuple(self.cancels),
            tuple(self.notices),
            self.amounts,
        )


def look(plan: Plan, state: State, view: View, prefix: str) -> Outcome:
    """Look at a rule; `prefix` begins the client order ids and is the bot's own for ever."""
    if not PREFIX.fullmatch(prefix):
        raise ValueError(f"found prefix {prefix!r}; it is 1 to 24 letters, digits, _ or -")
    return _run(plan, state, view, prefix, _Doing())


def hear(
    plan: Plan,
    state: State,
    update: OrderUpdate,
    view: View,
    prefix: str,
    *,
    is_active: bool = True,
) -> Outcome:
    """Take what the house says of an order, and go on if the rule waited for it.

    News of an order that isn't the rule's, or is closed already, changes nothing. A rule that is
    switched off comes to its next step and doesn't look at it; look() does when it is on again.
    """
    doing = _Doing()
    is_open = any(
        order.client_order_id == update.client_order_id and order.status not in CLOSED
        for order in state.orders
    )
    orders = tuple(_updated(order, update) for order in state.orders) if is_open else state.orders
    if orders == state.orders:
        return doing.outcome(state)
    for order, before in zip(orders, state.orders, strict=True):
        if order.acted and not before.acted:
            doing.decisions.append(
                Decision(view.time_us, state.step, Code.LEG_ACTED, detail=_leg_words(order))
            )
    state = msgspec.structs.replace(state, orders=_open(orders))
    if state.phase != "ORDERED":
        return doing.outcome(state)
    waited = [order for order in orders if order.waited]
    failing = [order for order in waited if _has_failed(order, waited)]
    if failing:
        failed = next((order for order in failing if order.acted), failing[0])
        text = f"{failed.client_order_id} is {failed.status}"
        detail = f"{text}: {update.reason}" if update.reason else text
        return doing.outcome(_end(state, view, doing, Code.ORDER_FAILED, detail))
    if not all(_is_reached(order, waited) for order in waited):
        return doing.outcome(state)
    released = tuple(msgspec.structs.replace(order, waited=False) for order in orders)
    state = msgspec.structs.replace(state, orders=_open(released))
    state = _advance(plan, state, view, doing)
    return _run(plan, state, view, prefix, doing) if is_active else doing.outcome(state)


def _updated(order: Placed, update: OrderUpdate) -> Placed:
    """Return an order as it is after an update: of itself, or that the other leg acts."""
    if order.status in CLOSED:
        return order
    if order.client_order_id == update.client_order_id:
        acted = order.acted or (update.acts and bool(order.pair))
        return msgspec.structs.replace(order, status=update.status, acted=acted)
    if update.acts and order.pair == update.client_order_id:
        return msgspec.structs.replace(order, status=OrderStatus.EXPIRED)
    return order


def _leg_words(order: Placed) -> str:
    other = "limit" if order.leg == "stop" else "stop"
    return f"the {order.leg} {order.client_order_id} acts, so the {other} {order.pair} is ended"


def _has_failed(order: Placed, waited: Sequence[Placed]) -> bool:
    """Return whether an order never comes to what is waited for; of an OCO neither leg does."""
    if order.then_after == "ACCEPTED":
        return order.status is OrderStatus.REJECTED
    return all(
        each.status in CLOSED and each.status is not OrderStatus.FILLED
        for each in _legs_of(order, waited)
    )


def _is_reached(order: Placed, waited: Sequence[Placed]) -> bool:
    if order.then_after == "ACCEPTED":
        return order.status is not OrderStatus.SENT
    return any(each.status is OrderStatus.FILLED for each in _legs_of(order, waited))


def _legs_of(order: Placed, waited: Sequence[Placed]) -> list[Placed]:
    """Return an order and, of an OCO, its other leg."""
    return [each for each in waited if order.client_order_id in {each.client_order_id, each.pair}]


def _open(orders: Sequence[Placed]) -> tuple[Placed, ...]:
    return tuple(order for order in orders if order.waited or order.status not in CLOSED)


# -- a look --------------------------------------------------------------------------------------


def _run(plan: Plan, state: State, view: View, prefix: str, doing: _Doing) -> Outcome:
    """Go from step to step until the rule rests: it waits, has ordered, or is done."""
    for _ in range(len(plan.steps) + 1):
        if state.phase == "DONE":
            if not doing.decisions:
                doing.decisions.append(
                    Decision(view.time_us, state.step, state.ended or Code.FINISHED)
                )
            break
        if state.phase == "ORDERED":
            if not doing.decisions:
                doing.decisions.append(Decision(view.time_us, state.step, Code.AWAITING_ORDERS))
            break
        if view.time_us < state.resume_us:
            if not doing.decisions:
                doing.decisions.append(Decision(view.time_us, state.step, Code.PAUSED))
            break
        before = state
        state = _step(plan, state, view, prefix, doing)
        if state.phase == "WAITING" and state.step <= before.step:
            break
    return doing.outcome(state)


def _step(plan: Plan, state: State, view: View, prefix: str, doing: _Doing) -> State:
    """Make all comparisons of the step that waits, and act on what comes of them."""
    step = plan.steps[state.step]
    looks, sides = _compare_all(step, state.sides, view)
    state = msgspec.structs.replace(state, sides=sides, resume_us=0)
    truth = True if step.when is None else truth_of(step.when, iter([one.truth for one in looks]))
    if truth is None or (truth is False and step.otherwise is None):
        code = Code.CONDITION_UNKNOWN if truth is None else Code.CONDITION_FALSE
        doing.decisions.append(Decision(view.time_us, state.step, code, looks))
        return state
    actions = step.do if truth else step.otherwise or ()
    asked: list[Asked] = []
    try:
        wishes = _wish_all(plan, state, actions, view, asked)
    except _Blocked as blocked:
        doing.amounts = tuple(asked)
        doing.decisions.append(
            Decision(view.time_us, state.step, blocked.code, looks, blocked.detail)
        )
        return state
    code = Code.TRIGGERED if truth else Code.OTHERWISE
    doing.decisions.append(Decision(view.time_us, state.step, code, looks))
    state = _act(state, actions, wishes, prefix, doing)
    state = msgspec.structs.replace(state, otherwise=not truth)
    if wishes:
        return msgspec.structs.replace(state, phase="ORDERED", sides=())
    return _advance(plan, state, view, doing)


def _compare_all(
    step: PlannedStep, sides: tuple[int, ...], view: View
) -> tuple[tuple[Look, ...], tuple[int, ...]]:
    """Return every comparison of a step as found now, and the new sides of its crossings."""
    looks: list[Look] = []
    now: list[int] = []
    for planned in step.looks:
        a, b = number_of(planned.a, view), number_of(planned.b, view)
        if planned.type in CROSSINGS:
            place = len(now)
            was = sides[place] if place < len(sides) else 0
            side, truth = _cross(a, b, was, above=planned.type == "crosses_above")
            now.append(side)
        else:
            truth = _compare(a, b, planned.type)
        looks.append(Look(planned.path, a, b, truth))
    return tuple(looks), tuple(now)


def _compare(a: Number | None, b: Number | None, kind: str) -> bool | None:
    """Compare two numbers by their exact values, decimals with floats too."""
    if a is None or b is None:
        return None
    if kind == "gt":
        return a > b
    if kind == "gte":
        return a >= b
    if kind == "lt":
        return a < b
    if kind == "lte":
        return a <= b
    return a == b if kind == "eq" else a != b


def _cross(a: Number | None, b: Number | None, was: int, *, above: bool) -> tuple[int, bool | None]:
    """Return the side now and whether the line was crossed: from strictly below to strictly above.

    Equal numbers keep the side; so a touch is no crossing, and one by way of the line is.
    """
    if a is None or b is None:
        return was, None
    side = 1 if a > b else -1 if a < b else was
    crossed = was * side == -1 and (side == 1) is above
    return side, crossed


def truth_of(condition: Condition, truths: Iterator[bool | None]) -> bool | None:
    """Join the comparisons of a condition, in reading order; None is unknown (Kleene's logic)."""
    if condition.comparison is not None:
        return next(truths)
    if condition.negated is not None:
        truth = truth_of(condition.negated, truths)
        return None if truth is None else not truth
    parts = [truth_of(part, truths) for part in condition.all_of or condition.any_of or []]
    decides = condition.all_of is None  # one True decides an $or, one False an $and
    if decides in parts:
        return decides
    return None if None in parts else not decides


# -- acting --------------------------------------------------------------------------------------


def _wish_all(
    plan: Plan, state: State, actions: Sequence[Action], view: View, asked: list[Asked]
) -> list[OrderWish]:
    """Return the orders of a branch without their ids; raises _Blocked if one can't be placed.

    `asked` takes the amounts that this hung on, up to the first that is too little.
    """
    wishes = [
        _wish(plan, action.order, view, asked) for action in actions if action.order is not None
    ]
    if len(state.orders) + sum(1 + (one.kind == OCO) for one in wishes) > OPEN_ORDERS_MAX:
        raise _Blocked(Code.TOO_MANY_ORDERS, f"{len(state.orders)} are open")
    return wishes


def _wish(plan: Plan, order: Order, view: View, asked: list[Asked]) -> OrderWish:
    """Return an order without its id; raises _Blocked if an amount isn't there or is nothing."""
    ticker = plan.ticker_of(order)
    quote = view.quotes.get(ticker) or Quote()
    price = order.bid if order.intent == "BUY" else order.ask
    return OrderWish(
        client_order_id="",
        ticker=ticker,
        kind=order.kind,
        intent=order.intent,
        quantity=_amount(order.shares, "shares", view, quote.lot, asked),
        spend=_amount(order.spend, "spend", view, None, asked),
        price=_amount(price, "price", view, None, asked),
        stop=_amount(order.stop, "stop", view, None, asked),
        time_in_force=order.time_in_force or ("GTC" if _rests(order) else None),
        stop_limit=_amount(order.stop_limit, "stop_limit", view, None, asked),
    )


def _rests(order: Order) -> bool:
    """Return whether an order has a time in force, which then is GTC by itself."""
    if order.kind == OCO:
        return order.stop_limit is not None
    return order.kind in {"LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"}


def _amount(
    item: Item | None, name: str, view: View, lot: Decimal | None, asked: list[Asked]
) -> Decimal | None:
    """Return an amount of an order; one taken from holdings is rounded down to whole lots."""
    if item is None or isinstance(item, Decimal):
        return item
    operand = operand_of(item)
    found = number_of(operand, view)
    kind, least = ("gt", ZERO) if lot is None else ("gte", lot)
    asked.append((PlannedLook(name, operand, least, kind), Look(name, found, least, None)))
    if found is None:
        raise _Blocked(Code.AMOUNT_UNKNOWN, f"{name} is not known yet")
    assert isinstance(found, Decimal), "read_rule() lets no float into an order"
    if lot is not None:
        lots = _EXACT.divide_int(found, lot).to_integral_value(ROUND_DOWN)
        rounded = _EXACT.multiply(lots, lot)
    else:
        rounded = found
    if rounded <= 0:
        raise _Blocked(Code.AMOUNT_ZERO, f"{name} would be {rounded} (of {found})")
    return rounded


def _act(
    state: State, actions: Sequence[Action], wishes: list[OrderWish], prefix: str, doing: _Doing
) -> State:
    """Carry out the actions of a branch in their order."""
    orders = list(state.orders)
    number = state.placed
    waiting = iter(wishes)
    for action in actions:
        if action.order is not None:
            wish = next(waiting)
            stop_id = f"{prefix}-{number + 2}" if wish.kind == OCO else ""
            wish = msgspec.structs.replace(
                wish, client_order_id=f"{prefix}-{number + 1}", stop_id=stop_id
            )
            number += len(wish.ids)
            doing.orders.append(wish)
            orders += _placed(wish, action.order)
        elif action.cancel is not None:
            for order in state.orders:
                named = action.cancel in {"all", order.name} and order.status not in CLOSED
                if named:  # of a pair both legs: the stop that was just set off stands alone
                    doing.cancels.append(order.client_order_id)
        elif action.notify is not None:
            doing.notices.append(action.notify)
    return msgspec.structs.replace(state, orders=tuple(orders), placed=number)


def _placed(wish: OrderWish, order: Order) -> list[Placed]:
    """Return what the rule remembers of an order that it has just wished; of an OCO both legs."""
    first = Placed(
        wish.client_order_id, order.name or "", OrderStatus.SENT, order.then_after, waited=True
    )
    if not wish.stop_id:
        return [first]
    limit = msgspec.structs.replace(first, leg="limit", pair=wish.stop_id)
    return [
        limit,
        msgspec.structs.replace(
            limit, client_order_id=wish.stop_id, leg="stop", pair=wish.client_order_id
        ),
    ]


def _advance(plan: Plan, state: State, view: View, doing: _Doing) -> State:
    """Go to `$then`, or begin the innermost `$repeat` that has rounds left, or end."""
    if not state.otherwise and state.step + 1 < len(plan.steps):
        return msgspec.structs.replace(state, step=state.step + 1, phase="WAITING", sides=())
    rounds = list(state.rounds) + [0] * (len(plan.steps) - len(state.rounds))
    for place in range(state.step, -1, -1):
        repeat = plan.steps[place].repeat
        if repeat is not None and rounds[place] + 1 < repeat.times:
            rounds[place] += 1
            rounds[place + 1 :] = [0] * (len(rounds) - place - 1)
            doing.decisions.append(
                Decision(
                    view.time_us, state.step, Code.ROUND_OVER, detail=f"round {rounds[place] + 1}"
                )
            )
            return msgspec.structs.replace(
                state,
                step=place,
                phase="WAITING",
                otherwise=False,
                rounds=tuple(rounds),
                sides=(),
                resume_us=view.time_us + max(1, repeat.pause_s * 1_000_000),
            )
    return _end(state, view, doing, Code.FINISHED, "")


def _end(state: State, view: View, doing: _Doing, code: Code, detail: str) -> State:
    doing.decisions.append(Decision(view.time_us, state.step, code, detail=detail))
    orders = tuple(msgspec.structs.replace(order, waited=False) for order in state.orders)
    return msgspec.structs.replace(
        state, phase="DONE", sides=(), ended=code, orders=_open(orders), resume_us=0
    )
