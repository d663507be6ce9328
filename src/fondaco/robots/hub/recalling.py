"""What an operation learns of its orders without having asked: what its stop did, what was lost.

Promises: pure; it changes the operation and sends nothing. Each order counts once: one that has
ended is counted and the next has another client id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from fondaco.core import client_ids
from fondaco.core.records import Event, Execution, OrderStatus
from fondaco.robots.hub.steps import STOP_LOSS, Status, Step, bought, close

__all__ = ["Past", "hear", "name_of", "recall"]

CLIENT_IDS: Final = tuple(f"client_order_id_{place}" for place in range(4))
ENDED: Final = {OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED}


class Past(NamedTuple):
    """An order as history tells it; fees by asset."""

    status: int
    filled_lots: int
    filled_quote: int
    updated_us: int
    working_us: int  # above 0: a stop that was reached
    fees: Mapping[int, int]


OrderOf = Callable[[str], Past | None]  # by the suffix of an operation's order


def name_of(words: Mapping[str, int]) -> tuple[str, str]:
    """Return the operation and the suffix that an order's client id says."""
    text = client_ids.decode(tuple(words[name] for name in CLIENT_IDS))  # type: ignore[arg-type]
    pk, _, suffix = text.rpartition("-")
    return pk, suffix


def hear(step: Step, kind: int, words: Mapping[str, int], suffix: str) -> bool:
    """Take note of what an operation's stop did; tell whether it has changed the operation."""
    op = step.op
    # A signal to sell takes the stop back first; on paper a trade of before may have reached it.
    if (op.is_selling and not op.is_paper) or suffix != f"x{op.tries}":
        return False
    if kind == Event.ORDER and words["execution"] == Execution.TRIGGERED:
        op.note = STOP_LOSS
    if kind == Event.FILL and words["fee_asset"] == step.market.body.quote:
        step.stop_fee += words["fee"]
    status = OrderStatus(words["status"])
    quote = words["filled_quote"] - step.stop_fee
    if status is OrderStatus.FILLED:
        step.now_us = words["time_us"]
        _sold_by_stop(step, words["filled_lots"], quote)
    elif status in ENDED:
        _stop_ended(step, words["filled_lots"], quote, triggered=words["working_us"] > 0)
    else:
        return False
    return True


def _sold_by_stop(step: Step, lots: int, proceeds: int) -> None:
    """Close an operation whose stop has sold all; a signal to sell goes on with other coin."""
    op = step.op
    op.sold_lots += lots
    op.proceeds += proceeds
    if op.is_selling and step.free_lots:
        op.tries, step.placed = op.tries + 1, False
        return
    op.note = STOP_LOSS
    close(step)


def _stop_ended(step: Step, lots: int, proceeds: int, *, triggered: bool) -> None:
    """Sell what a stop that was reached could not; place again one that was cancelled."""
    op = step.op
    op.sold_lots += lots
    op.proceeds += proceeds
    op.tries += 1  # it is counted: the next is another order
    step.placed, step.stop_fee = False, 0
    if triggered:
        op.note, op.is_selling = STOP_LOSS, True


def recall(step: Step, order_of: OrderOf) -> None:
    """Have history say how far an unsure operation is."""
    op = step.op
    step.is_unsure = False
    if op.status == Status.AWAITING_BUY:
        found = order_of("b")
        if found is None or not found.filled_lots:  # it was never sent, or gave nothing
            if op.is_selling:  # then it is the coin that the client has otherwise
                op.status, op.available = Status.AWAITING_SELL, 0
            return
        fees = dict(found.fees)
        bought(step, found.filled_lots, found.filled_quote, fees, found.updated_us)
    if not op.is_selling or not _recall_sale(step, order_of):
        _recall_stop(step, order_of)


def _recall_stop(step: Step, order_of: OrderOf) -> None:
    found = order_of(f"x{step.op.tries}")
    step.placed = False
    if found is None:
        return
    status = OrderStatus(found.status)
    if status is OrderStatus.FILLED:
        _sold_by_stop(step, found.filled_lots, _proceeds(step, found))
    elif status in ENDED:
        triggered = found.working_us > 0
        _stop_ended(step, found.filled_lots, _proceeds(step, found), triggered=triggered)
    else:
        step.placed = True


def _recall_sale(step: Step, order_of: OrderOf) -> bool:
    """Count what a sale gave whose answer was lost; tell whether there was one."""
    op = step.op
    found = order_of(f"s{op.tries}")
    if found is None:
        return False
    op.tries += 1
    op.sold_lots += found.filled_lots
    op.proceeds += _proceeds(step, found)
    return True


def _proceeds(step: Step, found: Past) -> int:
    return found.filled_quote - found.fees.get(step.market.body.quote, 0)
