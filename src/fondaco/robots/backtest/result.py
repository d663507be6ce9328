"""What a backtest gives: orders, fills, equity, drawdown, decisions, and by which rules it was run.

Promises: nothing in it depends on the machine, the clock or where the files lie, so two runs of one
backtest are equal to the byte. Amounts are exact, written as decimal text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from fondaco.robots.backtest.market import Fill
from fondaco.robots.rules.model import OCO
from fondaco.robots.rules.state import Decision, OrderStatus, OrderWish

__all__ = [
    "Day",
    "OrderLine",
    "Point",
    "Result",
    "Settings",
    "encode",
    "ended_by",
    "order_lines",
]

ZERO: Final = Decimal(0)
_BY_POWER: Final = re.compile(rb'"(-?\d+(?:\.\d+)?E[+-]\d{1,3})"')


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by which the market was imitated: shown, so that a figure can be judged."""

    source: str  # trades, candles or journal
    walk: str | None
    interval_s: int | None
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    latency_ms: int
    depth: Decimal
    queue: Decimal
    cash: Decimal
    coins: Decimal
    decimals: tuple[int, int] | None = None  # of coin and cash; fees are cut to them
    fee_in_quote: bool = False  # of buys, too: where the coin's decimals are too few for it
    limits: dict[str, str] = {}  # of a rule, that the core kept
    beside: tuple[str, ...] = ()  # other markets that a rule read, each from a tape of its own


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """One order of the robot, as it was wished and how it ended."""

    client_order_id: str
    time_us: int
    ticker: str
    kind: str
    side: str
    price: Decimal | None
    stop: Decimal | None
    quantity: Decimal | None
    spend: Decimal | None
    time_in_force: str | None
    status: str
    filled: Decimal = ZERO
    amount: Decimal = ZERO  # of the quote, that the filled part cost or brought
    reason: str = ""
    pair: str = ""  # of a leg of an OCO: the other's client order id


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day (UTC) of the market: worth of all holdings at its last tick, and what came of it."""

    day: str
    equity: Decimal
    profit: Decimal
    fills: int


class Point(NamedTuple):
    """One place of the curve: the price of a tick, and the worth of all holdings at it."""

    time_us: int
    price: Decimal
    equity: Decimal


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A whole backtest."""

    settings: Settings
    first_us: int
    last_us: int
    ticks: int
    state: str  # WAITING, ORDERED or DONE
    step: int
    cash: Decimal
    coins: Decimal
    last_price: Decimal
    equity_first: Decimal
    equity: Decimal
    profit: Decimal
    profit_percent: Decimal
    hold_percent: Decimal  # what holding the coin from first to last tick would have given
    drawdown: Decimal  # the deepest fall from a peak, in quote and in percent of that peak
    drawdown_percent: Decimal
    fees: dict[str, Decimal]
    orders: tuple[OrderLine, ...]
    fills: tuple[Fill, ...]
    days: tuple[Day, ...]
    curve: tuple[Point, ...]  # evenly by ticks, from the first to the last
    decisions: tuple[Decision | Any, ...]  # one whenever step or code is another than before
    decisions_left_out: int
    notices: tuple[str, ...]


def encode(found: object) -> bytes:
    """Return a result, or a part of one, as JSON: the same bytes for the same, no "1E-8" in it."""
    written = msgspec.json.encode(found, order="deterministic")
    return _BY_POWER.sub(_in_full, written) if b"E" in written else written


def _in_full(found: re.Match[bytes]) -> bytes:
    return f'"{Decimal(found[1].decode()):f}"'.encode()


def order_lines(wish: OrderWish, time_us: int) -> tuple[OrderLine, ...]:
    """Return the line of an order that was just wished; of an OCO limit leg and stop leg."""
    line = OrderLine(
        client_order_id=wish.client_order_id,
        time_us=time_us,
        ticker=wish.ticker,
        kind=wish.kind,
        side=wish.intent,
        price=wish.price,
        stop=wish.stop,
        quantity=wish.quantity,
        spend=wish.spend,
        time_in_force=wish.time_in_force,
        status=str(OrderStatus.SENT),
    )
    if wish.kind != OCO:
        return (line,)
    limit = msgspec.structs.replace(
        line, kind="LIMIT_MAKER", stop=None, time_in_force=None, pair=wish.stop_id
    )
    stop = msgspec.structs.replace(
        line,
        client_order_id=wish.stop_id,
        kind="STOP_LOSS" if wish.stop_limit is None else "STOP_LOSS_LIMIT",
        price=wish.stop_limit,
        pair=wish.client_order_id,
    )
    return limit, stop


def ended_by(lines: Mapping[str, OrderLine], acting: OrderLine) -> OrderLine | None:
    """Return the line of the leg that another ends by acting, if that is to be told yet."""
    other = lines.get(acting.pair)
    if other is None or other.reason:
        return None
    return msgspec.structs.replace(other, reason=f"ended by {acting.client_order_id}")
