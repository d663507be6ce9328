"""What a rule remembers between two looks, and what a look gives.

Promises: a state written with encode() and read with decode() is equal to the last bit, so a rule
goes on after a restart as if there had been none. It holds no price and no float: only where the
rule stands, on which side of its crossings it was, and which of its orders are open.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

import msgspec

from fondaco.robots.rules.plan import PlannedLook

__all__ = [
    "CLOSED",
    "SINGLE",
    "Asked",
    "Code",
    "Decision",
    "Look",
    "OrderStatus",
    "OrderUpdate",
    "OrderWish",
    "Outcome",
    "Placed",
    "State",
    "decode",
    "encode",
]


class OrderStatus(StrEnum):
    """How far an order of a rule has come; SENT until the house has answered."""

    SENT = "SENT"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


CLOSED: Final = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED}
)


class Code(StrEnum):
    """Why a look at a rule did, or did not, do something."""

    CONDITION_FALSE = "CONDITION_FALSE"
    CONDITION_UNKNOWN = "CONDITION_UNKNOWN"  # a number isn't there yet
    PAUSED = "PAUSED"  # between two rounds of a $repeat
    AMOUNT_UNKNOWN = "AMOUNT_UNKNOWN"  # true, but a price that the order takes isn't there
    AMOUNT_ZERO = "AMOUNT_ZERO"  # true, but less than one lot to trade or nothing to spend
    TOO_MANY_ORDERS = "TOO_MANY_ORDERS"  # true, but the rule has too many open ones
    TRIGGERED = "TRIGGERED"
    OTHERWISE = "OTHERWISE"  # false, so $else was done
    AWAITING_ORDERS = "AWAITING_ORDERS"
    LEG_ACTED = "LEG_ACTED"  # one leg of an OCO trades or was set off, and so the other is ended
    ORDER_FAILED = "ORDER_FAILED"  # refused, canceled or expired before it was filled: it ends
    ROUND_OVER = "ROUND_OVER"
    FINISHED = "FINISHED"


SINGLE: Final = frozenset({Code.LEG_ACTED})  # told each time, also one after the other


class Placed(msgspec.Struct, frozen=True):
    """An order of the rule that is open or waited for."""

    client_order_id: str
    name: str
    status: OrderStatus
    then_after: Literal["FILLED", "ACCEPTED"]
    waited: bool
    # Of a leg of an OCO: which one it is, the other's id, and whether it has acted.
    leg: Literal["", "limit", "stop"] = ""
    pair: str = ""
    acted: bool = False


class State(msgspec.Struct, frozen=True):
    """Where a rule stands; the empty one is its beginning."""

    step: int = 0
    phase: Literal["WAITING", "ORDERED", "DONE"] = "WAITING"
    otherwise: bool = False  # ORDERED by $else
    rounds: tuple[int, ...] = ()  # begun again, by step
    sides: tuple[int, ...] = ()  # of the step's crossings: -1 below, 1 above, 0 not yet known
    resume_us: int = 0  # no look before, between two rounds
    placed: int = 0  # orders ever wished: the next one's number follows
    orders: tuple[Placed, ...] = ()
    ended: Code | None = None


class Look(msgspec.Struct, frozen=True):
    """One comparison as it was found: the numbers used and what came of it (None: unknown)."""

    path: str
    a: Decimal | float | None
    b: Decimal | float | None
    truth: bool | None


class Decision(msgspec.Struct, frozen=True):
    """What a look came to, at which step, and the numbers that it used."""

    time_us: int
    step: int
    code: Code
    looks: tuple[Look, ...] = ()
    detail: str = ""


_STOP_LOSSES: Final = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT"})


class OrderWish(msgspec.Struct, frozen=True):
    """An order to send; its client order id is the same whenever this look is made again.

    Of an OCO that id is the list's and the limit leg's; `price` is the limit leg's, `stop_id`,
    `stop` and `stop_limit` are the stop leg's, `time_in_force` that of its limit.
    """

    client_order_id: str
    ticker: str
    kind: str
    intent: str
    quantity: Decimal | None
    spend: Decimal | None
    price: Decimal | None
    stop: Decimal | None
    time_in_force: str | None
    stop_limit: Decimal | None = None
    stop_id: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """The client order ids that it places."""
        return (self.client_order_id, self.stop_id) if self.stop_id else (self.client_order_id,)

    @property
    def is_exit(self) -> bool:
        """Whether it is a stop-loss: a sale that no sell cap, notional or count holds up."""
        return self.intent == "SELL" and self.kind in _STOP_LOSSES


class OrderUpdate(msgspec.Struct, frozen=True):
    """What the house says of an order of the rule; whether, as a leg of an OCO, it has acted."""

    client_order_id: str
    status: OrderStatus
    reason: str = ""
    acts: bool = False


Asked = tuple[PlannedLook, Look]


class Outcome(msgspec.Struct, frozen=True):
    """What a look gives: the state to keep, wishes, texts for the owner, and the decisions.

    `amounts` are those of an order that can't be placed, as comparisons: each with the least that
    it may be.
    """

    state: State
    decisions: tuple[Decision, ...]
    orders: tuple[OrderWish, ...] = ()
    cancels: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    amounts: tuple[Asked, ...] = ()


def encode(state: State) -> bytes:
    """Return a state as JSON."""
    return msgspec.json.encode(state)


def decode(text: bytes) -> State:
    """Return the state that encode() wrote."""
    return msgspec.json.decode(text, type=State)
