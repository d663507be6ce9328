"""What it means to a client's decision that the core refused its order for good.

Promises: pure; the word is one that decisions are told in, the numbers are the core's own, and the
core's reason stays beside them. It says of no refusal whether it is for good: hub.steps do.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fondaco.core.records import Reason as CoreReason
from fondaco.robots.hub.judging import WORD_MAX, Reason

__all__ = ["BUY_WAIT_S", "HELD_BACK", "PASSING", "Ended", "ended", "stopped"]

BUY_WAIT_S: Final = 60  # how long an operation waits for somebody to buy from
# Refusals that time may mend; of a purchase any other is final.
PASSING: Final = frozenset(
    {
        *(CoreReason.NO_LIQUIDITY, CoreReason.MARKET_CLOSED, CoreReason.MAINTENANCE),
        *(CoreReason.CAPACITY, CoreReason.PRICE_OUT_OF_RANGE, CoreReason.TOO_MANY_ORDERS),
        CoreReason.FROZEN,
    }
)
# Of a sale these are final: what may not be sold now is held on.
HELD_BACK: Final = frozenset(
    {
        *(CoreReason.SELL_CAP, CoreReason.NOTIONAL_TOO_SMALL, CoreReason.NOTIONAL_TOO_LARGE),
        *(CoreReason.QUANTITY_OUT_OF_RANGE, CoreReason.TOO_MANY_ORDERS_TODAY),
    }
)
_STOPS: Final = {
    CoreReason.DAY_STOP: Reason.DAY_STOP,
    CoreReason.MONTH_STOP: Reason.MONTH_STOP,
    CoreReason.NOT_ROBOT_MARKET: Reason.SYMBOL_NOT_CHOSEN,
    CoreReason.UNKNOWN_INSTRUMENT: Reason.SYMBOL_NOT_CHOSEN,
}


class Ended(NamedTuple):
    """A verdict that takes the place of TRIGGERED, and the core's reason; 0: it gave none."""

    reason: int
    had: int
    needed: int
    refused: int


def ended(
    refused: CoreReason | None, detail: tuple[int, int, int], *, sells: bool, age_s: int = 0
) -> Ended:
    """Return what an order that was refused for good makes of its decision.

    `refused` None: nobody tried in time. `age_s` is how long it was tried.
    """
    had, needed = detail[:2]
    if refused is None or (refused in PASSING and refused is not CoreReason.FROZEN):
        reason, had, needed = Reason.TOO_LATE, age_s, BUY_WAIT_S
    elif refused is CoreReason.REDUCE_ONLY:
        reason, had, needed = Reason.INACTIVE, 1, 0
    elif refused is CoreReason.SELL_CAP:
        reason, had, needed = Reason.SELL_CAP, min(detail[0] + detail[1], WORD_MAX), detail[2]
    elif refused in {CoreReason.INSUFFICIENT_BALANCE, CoreReason.NOTIONAL_TOO_SMALL}:
        reason = Reason.COIN_TOO_LOW if sells else Reason.CASH_TOO_LOW
        if refused is CoreReason.INSUFFICIENT_BALANCE:
            had, needed = detail[2], detail[1]
    else:  # what no word of its own is for: something of the house's holds it back
        reason = _STOPS.get(refused, Reason.LOCKED)
    return Ended(int(reason), had, needed, 0 if refused is None else int(refused))


def stopped(*, is_active: bool) -> Ended:
    """Return what becomes of a purchase that waited when its client was stopped."""
    return Ended(int(Reason.LOCKED if is_active else Reason.INACTIVE), 0, 0, 0)
