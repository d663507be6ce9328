"""One operation's next steps, as a run of commands: buy, protect by a stop, sell.

Promises: act() yields a command and is sent the events of it, or the error of a lost answer; it
changes the operation and nothing else, so that it can be driven for thousands at once, and tested
without a house. Every order has a client id made of the operation's: sent again it is the first.
What it can't know (an answer was lost) it leaves with `is_unsure`, for history to tell.
"""

from __future__ import annotations

from collections.abc import Generator
from enum import IntEnum
from fractions import Fraction
from math import ceil
from typing import Any, Final

from fondaco.core import client_ids, records
from fondaco.core.records import Command, Event, OrderType, Reason, Side
from fondaco.link.answers import LinkError
from fondaco.robots.hub.following import Market
from fondaco.robots.hub.judging import Client
from fondaco.robots.hub.refusals import BUY_WAIT_S, HELD_BACK, PASSING, Ended, ended, stopped
from fondaco.robots.hub.words import command, place_of

__all__ = [
    "BUY_WAIT_US",
    "SIGNAL",
    "STOP_LOSS",
    "Operation",
    "Status",
    "Step",
    "Steps",
    "act",
    "bought",
    "client_id",
    "close",
    "give_up",
    "stop_ticks",
]

Operation = Any  # a row of models.Operation, or what a backtest has: the steps know no database
Steps = Generator[bytes, bytes | LinkError, None]

BUY_WAIT_US: Final = BUY_WAIT_S * 1_000_000
PPM: Final = 1_000_000
SIGNAL: Final = "SIGNAL"  # notes: why an operation is closed
STOP_LOSS: Final = "STOP_LOSS"
TOO_LATE: Final = "TOO_LATE"
EXIT: Final = int(records.Flag.EXIT)
ClientId = tuple[int, int, int, int]
_CLIENT_ID: Final = tuple(f"client_order_id_{place}" for place in range(4))
_FILL: Final = int(Event.FILL)
_OF_ORDERS: Final = {int(Event.ORDER), _FILL}  # an order's words come first in a fill
_REFUSED: Final = int(Event.REFUSED)
_TIME_AT: Final = 2  # of a head
_REASON_AT: Final = place_of(Event.REFUSED, "reason")
_DETAIL_AT: Final = place_of(Event.REFUSED, "detail_0")
_LOTS_AT: Final = place_of(Event.ORDER, "filled_lots")
_QUOTE_AT: Final = place_of(Event.ORDER, "filled_quote")
_CLIENT_ID_AT: Final = place_of(Event.ORDER, "client_order_id_0")
_FEE_AT: Final = place_of(Event.FILL, "fee")
_FEE_ASSET_AT: Final = place_of(Event.FILL, "fee_asset")


class Status(IntEnum):
    """How far an operation is, as models.Operation.Status."""

    AWAITING_BUY = 1
    AWAITING_SELL = 2
    CLOSED = 3
    FAILED = 4


class Step:
    """An operation with what its steps need; `placed`: its stop stands in the core."""

    __slots__ = (
        *("client", "ended", "is_unsure", "market", "now_us", "op", "placed", "stop_fee"),
        *("unsure_seq", "wants_more"),
    )

    def __init__(self, op: Operation, client: Client, market: Market) -> None:
        self.op = op
        self.client = client
        self.market = market
        self.now_us = 0
        self.placed = False
        self.is_unsure = False
        self.unsure_seq = 0  # what history must reach to be asked; 0: not known yet
        self.wants_more = False  # to go on later, without a new signal
        self.ended: Ended | None = None  # what its decision is by now, if no longer TRIGGERED
        self.stop_fee = 0  # in quote, of the fills of its stop

    @property
    def free_lots(self) -> int:
        body = self.market.body
        return self.client.free.get(body.base, 0) // body.base_per_lot

    @property
    def signal(self) -> int:
        """Return the signal that its newest step is of."""
        if self.op.status == Status.FAILED:
            return int(self.op.id.partition("-")[0])
        return int(self.op.sell_signal)

    @property
    def is_open(self) -> bool:
        return bool(self.op.status <= Status.AWAITING_SELL)

    @property
    def needs_act(self) -> bool:
        """Whether there is something to do now that no event will do."""
        return self.is_open and (
            self.op.status == Status.AWAITING_BUY or self.op.is_selling or not self.placed
        )


class Outcome:
    """What an order's answer says of it: filled so far, or refused."""

    def __init__(self, answer: bytes, words: ClientId) -> None:
        self.refused: Reason | None = None
        self.detail = (0, 0, 0)
        self.lots = 0
        self.quote = 0
        self.fees: dict[int, int] = {}
        self.time_us = 0
        told = memoryview(answer).cast("q")
        at, end = 0, len(told)
        while at < end:
            word = told[at]
            kind = word & 0xFFFF
            if kind == _REFUSED:
                self.refused = Reason(told[at + _REASON_AT])
                first = at + _DETAIL_AT
                self.detail = told[first], told[first + 1], told[first + 2]
            elif kind in _OF_ORDERS and _words_of(told, at) == words:
                self.lots, self.quote = told[at + _LOTS_AT], told[at + _QUOTE_AT]
                self.time_us = told[at + _TIME_AT]
                if kind == _FILL:
                    asset, fee = told[at + _FEE_ASSET_AT], told[at + _FEE_AT]
                    self.fees[asset] = self.fees.get(asset, 0) + fee
            at += word >> 35


def client_id(op: Operation, suffix: str) -> str:
    """Return the client order id of one of an operation's orders."""
    return f"{op.id}-{suffix}"


def act(step: Step, fence: int) -> Steps:
    """Do what an operation needs now, under the lock with this fence; nothing while unsure."""
    if step.is_unsure:
        return
    step.wants_more, step.ended = False, None
    if step.op.status == Status.AWAITING_BUY:
        yield from _buy(step, fence)
    if step.op.status == Status.AWAITING_SELL and not step.is_unsure:
        if step.op.is_selling:
            yield from _sell(step, fence)
        elif not step.placed:
            yield from _protect(step, fence)


def _buy(step: Step, fence: int) -> Steps:
    op, body = step.op, step.market.body
    if step.now_us - op.started_us >= BUY_WAIT_US:  # as after a while without any worker
        op.note = op.note or TOO_LATE
        give_up(step)
        return
    if step.client.is_killed:
        op.note = Reason.REDUCE_ONLY.name
        give_up(step)
        return
    if not step.client.is_active or step.client.is_locked:
        give_up(step)
        step.ended = stopped(is_active=step.client.is_active)
        return
    quote = op.available
    if body.fee_in_quote:
        quote = quote * PPM // (PPM + body.taker_fee_ppm)
    order = {"order_type": OrderType.MARKET, "side": Side.BUY, "quote_quantity": quote}
    outcome = yield from _order(step, fence, "b", order)
    if outcome is None:
        return
    if outcome.lots:
        bought(step, outcome.lots, outcome.quote, outcome.fees, outcome.time_us)
        return
    reason = outcome.refused
    op.note = reason.name if reason is not None else Reason.NO_LIQUIDITY.name
    if reason is Reason.STALE_FENCE or (
        (reason is None or reason in PASSING) and step.now_us - op.started_us < BUY_WAIT_US
    ):
        step.wants_more = True
    else:
        give_up(step)
        step.ended = ended(reason, outcome.detail, sells=False, age_s=_age_s(step))


def give_up(step: Step) -> None:
    """End an operation that has bought nothing yet."""
    op = step.op
    op.status, op.closed_us = Status.FAILED, step.now_us
    refused = Reason.__members__.get(op.note)
    step.ended = ended(refused, (0, 0, 0), sells=False, age_s=_age_s(step))


def _age_s(step: Step) -> int:
    return int(step.now_us - step.op.started_us) // 1_000_000


def bought(step: Step, lots: int, quote: int, fees: dict[int, int], time_us: int) -> None:
    """Write down what an operation's buying gave."""
    op, body = step.op, step.market.body
    op.bought_lots, op.spent = lots, quote + fees.get(body.quote, 0)
    op.bought = lots * body.base_per_lot - fees.get(body.base, 0)
    op.stop_ticks = stop_ticks(step, lots, quote)
    op.buy_us, op.status, op.note = time_us, Status.AWAITING_SELL, ""


def stop_ticks(step: Step, lots: int, quote: int) -> int:
    """Return the price at which an operation has lost what it may, rounded up; 0 for none.

    buy_quote - operation_stop_loss / crypto_amount_bought, in ticks.
    """
    op, body, loss = step.op, step.market.body, step.client.stop_loss
    if not loss or not op.bought or not lots:
        return 0
    paid = Fraction(quote, lots * body.quote_per_lot_tick)
    fall = Fraction(loss * body.base_per_lot, op.bought * body.quote_per_lot_tick)
    return max(ceil(paid - fall), 0)


def _protect(step: Step, fence: int) -> Steps:
    """Place the stop of what was bought, or sell at once where the price is there already."""
    op, body = step.op, step.market.body
    lots = min(op.bought // body.base_per_lot, step.free_lots)
    if not op.stop_ticks or not lots:
        step.placed = True  # nothing to be placed
        return
    order = {
        "order_type": OrderType.STOP_LOSS,
        "side": Side.SELL,
        "quantity_lots": lots,
        "stop_price_ticks": op.stop_ticks,
    }
    outcome = yield from _order(step, fence, f"x{op.tries}", order, flags=EXIT)
    if outcome is None:
        return
    if outcome.refused is Reason.WOULD_TRIGGER:
        op.is_selling, op.note = True, STOP_LOSS
        yield from _sell(step, fence)
    elif outcome.refused is None:
        step.placed = True
    else:
        op.note = outcome.refused.name
        step.wants_more = True


def _sell(step: Step, fence: int) -> Steps:
    """Sell all free coin at the market, after taking the stop back; at a loss what was bought."""
    op, body = step.op, step.market.body
    if op.stop_ticks and op.note != STOP_LOSS:
        stop = client_ids.encode(client_id(op, f"x{op.tries}"))
        answer = yield _command(Command.CANCEL_ORDER, step, stop, {})
        if isinstance(answer, LinkError):
            step.wants_more = True
            return
        if step.placed and _is_refused(answer):  # it was reached: history tells what it sold
            step.is_unsure = step.wants_more = True
            return
        step.placed = False
    lots = step.free_lots
    if op.note == STOP_LOSS and op.bought:  # a loss is cut by what was bought, not by other coin
        lots = min(lots, max(op.bought // body.base_per_lot - op.sold_lots, 0))
    if not lots:
        if not op.sold_lots:
            few = (body.base, body.base_per_lot, step.client.free.get(body.base, 0))
            step.ended = ended(Reason.INSUFFICIENT_BALANCE, few, sells=True)._replace(refused=0)
        close(step)
        return
    order = {"order_type": OrderType.MARKET, "side": Side.SELL, "quantity_lots": lots}
    flags = EXIT if op.note == STOP_LOSS else 0
    outcome = yield from _order(step, fence, f"s{op.tries}", order, flags=flags)
    if outcome is None:
        return
    if outcome.refused in HELD_BACK:
        yield from _keep(step, fence, outcome)
        return
    step.wants_more = outcome.refused is not None or outcome.lots < lots
    if op.note != STOP_LOSS:
        op.note = "" if outcome.refused is None else outcome.refused.name
    if outcome.refused is None:
        op.tries += 1
        op.sold_lots += outcome.lots
        op.proceeds += outcome.quote - outcome.fees.get(body.quote, 0)
        if outcome.lots >= lots:
            close(step)


def _keep(step: Step, fence: int, outcome: Outcome) -> Steps:
    """Go on holding what may not be sold now; what was not bought by it is no operation."""
    op, reason = step.op, outcome.refused
    assert reason is not None, "it was refused"
    if op.sold_lots and reason is Reason.NOTIONAL_TOO_SMALL:  # too little is left to be sold
        close(step)
        return
    if op.note != STOP_LOSS:
        step.ended = ended(reason, outcome.detail, sells=True)
        op.note = ""
    op.is_selling = False
    if op.bought and op.note != STOP_LOSS:
        op.tries += 1
        yield from _protect(step, fence)
    else:
        op.status, op.note, op.closed_us = Status.CLOSED, reason.name, step.now_us


def close(step: Step) -> None:
    """End an operation whose coin is sold."""
    op = step.op
    op.status, op.closed_us = Status.CLOSED, step.now_us
    op.note = op.note if op.note == STOP_LOSS else SIGNAL


def _order(
    step: Step, fence: int, suffix: str, order: dict[str, int], *, flags: int = 0
) -> Generator[bytes, bytes | LinkError, Outcome | None]:
    """Send one order; None where history must tell what became of it."""
    words = client_ids.encode(client_id(step.op, suffix))
    order["fence"], order["flags"] = fence, flags
    answer = yield _command(Command.ROBOT_ORDER, step, words, order)
    if isinstance(answer, LinkError):
        step.is_unsure = step.wants_more = True
        return None
    outcome = Outcome(answer, words)
    if outcome.refused in {Reason.DUPLICATE_ORDER, Reason.CLIENT_ORDER_ID_OPEN}:
        step.is_unsure = step.wants_more = True
        return None
    return outcome


def _command(kind: Command, step: Step, words: ClientId, order: dict[str, int]) -> bytes:
    """Return a command about the order with this client id; words not given are 0."""
    order["instrument"] = step.op.instrument
    order.update(zip(_CLIENT_ID, words, strict=True))
    return command(kind, step.op.account, order)


def _is_refused(answer: bytes) -> bool:
    return any(int.from_bytes(each[:2], "little") == _REFUSED for each in records.split(answer))


def _words_of(told: memoryview[int], at: int) -> ClientId:
    first = at + _CLIENT_ID_AT
    return told[first], told[first + 1], told[first + 2], told[first + 3]
