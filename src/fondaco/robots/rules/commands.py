"""An order that a rule wishes as a command of the core, in the house and on paper alike.

Promises: amounts are whole steps or the wish is refused with the number; an OCO is one command of
two orders, whose list has the client order id of its limit leg; a stop-loss of an account that has
limits is flagged as an exit. It decides nothing else.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from fondaco.core import client_ids
from fondaco.core.records import (
    Command,
    Event,
    Execution,
    Flag,
    OrderType,
    SelfTrade,
    Side,
    TimeInForce,
    pack,
)
from fondaco.core.records import OrderStatus as CoreStatus
from fondaco.robots.rules.model import OCO
from fondaco.robots.rules.refusals import cash_units, steps_of
from fondaco.robots.rules.state import OrderStatus, OrderWish

__all__ = ["PLACING", "STATUS", "Steps", "acts", "id_of", "id_words", "record_of"]

PLACING = frozenset({int(Command.NEW_ORDER), int(Command.ROBOT_ORDER), int(Command.NEW_LIST)})
STATUS = {
    CoreStatus.NEW: OrderStatus.NEW,
    CoreStatus.PARTIALLY_FILLED: OrderStatus.PARTIALLY_FILLED,
    CoreStatus.FILLED: OrderStatus.FILLED,
    CoreStatus.CANCELED: OrderStatus.CANCELED,
    CoreStatus.EXPIRED: OrderStatus.EXPIRED,
    CoreStatus.EXPIRED_IN_MATCH: OrderStatus.EXPIRED,
    CoreStatus.REJECTED: OrderStatus.REJECTED,
}
_ACTING = frozenset({Execution.TRADE, Execution.TRIGGERED, Execution.TRADE_PREVENTION})


class Steps(msgspec.Struct, frozen=True):
    """The steps of a market: of a price, of a quantity, and the decimals of its cash."""

    tick: Decimal
    lot: Decimal
    cash_decimals: int


def record_of(
    wish: OrderWish, steps: Steps, *, account: int, instrument: int, fence: int | None
) -> bytes:
    """Return a wish as a command; `fence` is the robot's, None where it has no limits.

    Raises WishRefused.
    """
    price = steps_of(wish.price, steps.tick, "price", "tick")
    stop = steps_of(wish.stop, steps.tick, "stop", "tick")
    lots = steps_of(wish.quantity, steps.lot, "quantity", "lot")
    in_force = TimeInForce[wish.time_in_force] if wish.time_in_force else 0
    both = {
        "account": account,
        "instrument": instrument,
        "side": Side.BUY if wish.intent == "BUY" else Side.SELL,
        "self_trade": SelfTrade.EXPIRE_TAKER,
        "quantity_lots": lots,
    }
    own = client_ids.encode(wish.client_order_id)
    if wish.kind == OCO:
        stop_limit = steps_of(wish.stop_limit, steps.tick, "stop_limit", "tick")
        return pack(
            Command.NEW_LIST,
            **both,
            stop_type=OrderType.STOP_LOSS_LIMIT if stop_limit else OrderType.STOP_LOSS,
            stop_time_in_force=in_force,
            stop_price_ticks=stop_limit,
            stop_trigger_ticks=stop,
            **id_words(client_ids.encode(wish.stop_id), "stop_client_id"),
            profit_type=OrderType.LIMIT_MAKER,
            profit_time_in_force=TimeInForce.GTC,
            profit_price_ticks=price,
            **id_words(own, "profit_client_id"),
            **id_words(own, "list_client_id"),
        )
    alone = {
        "order_type": OrderType[wish.kind],
        "time_in_force": in_force,
        "price_ticks": price,
        "quote_quantity": cash_units(wish.spend, steps.cash_decimals),
        "stop_price_ticks": stop,
        **id_words(own),
    }
    if wish.is_exit and fence is not None:
        return pack(Command.ROBOT_ORDER, **both, **alone, fence=fence, flags=Flag.EXIT)
    return pack(Command.NEW_ORDER, **both, **alone)


def id_words(words: tuple[int, int, int, int], name: str = "client_order_id") -> dict[str, int]:
    """Return the words of a client order id by the names that a record has for them."""
    return {f"{name}_{place}": word for place, word in enumerate(words)}


def id_of(words: dict[str, int]) -> str:
    """Return the client order id of an event of an order, or "" for none."""
    return client_ids.decode(
        (
            words["client_order_id_0"],
            words["client_order_id_1"],
            words["client_order_id_2"],
            words["client_order_id_3"],
        )
    )


def acts(kind: int, words: dict[str, int]) -> bool:
    """Return whether an event of an order says that, as a leg of a list, it has acted."""
    if kind not in {Event.ORDER, Event.FILL} or not words["list_id"]:
        return False
    return words["execution"] in _ACTING
