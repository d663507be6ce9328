"""Whether a client acts on a signal, and if not, why: one function of what is known of both.

Promises: no clock, no I/O, no money moved; the same client and the same look give the same verdict.
Every verdict has one reason, the first that applies in the order of judge(), and its two numbers.
It judges with the newest that is known; whether an order may be is the core's to say.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from fondaco.core.records import Side

__all__ = [
    "KILLED",
    "LOCKED",
    "MINIMUM_SHARE",
    "OPERATION_OPEN",
    "SYMBOL_NOT_CHOSEN",
    "TRIGGERED",
    "WORD_MAX",
    "Client",
    "Look",
    "Reason",
    "Verdict",
    "judge",
    "look_at",
]

WORD_MAX: Final = (1 << 63) - 1  # of a number that is told
MINIMUM_SHARE: Final = 1_000  # a client acts with at least a thousandth of a coin
BUY: Final = int(Side.BUY)
SELL: Final = int(Side.SELL)


class Reason(IntEnum):
    """What a verdict says; behind each what its numbers `had` and `needed` are."""

    TRIGGERED = 0  # what it buys for, in cash, or sells, in coin
    NEUTRAL = 1
    BELOW_LEVEL = 2  # weight of the signal, and of the client's level
    INACTIVE = 3  # 1: its kill switch is on
    LOCKED = 4
    LOCKED_UNTIL = 5  # now, and until when
    SYMBOL_NOT_CHOSEN = 6
    DAY_STOP = 7  # loss of the day, and its limit
    MONTH_STOP = 8
    OPERATION_OPEN = 9
    CASH_TOO_LOW = 10  # free cash, and the least or what an operation is to buy for
    COIN_TOO_LOW = 11  # coin, and the least
    SELL_CAP = 12  # sold in this month with what this would bring, and the cap
    TOO_LATE = 14  # seconds since the signal came in, and how many it may be
    STOP_LOSS = 15  # told of a sale that no signal asked for; no verdict has it


class Client:
    """What is known of one client. Amounts in units; of the config 0 is none."""

    __slots__ = (
        *("account", "robot", "member", "is_active", "is_killed", "is_locked", "locked_until_us"),
        *("buy_weight", "sell_weight", "symbols", "stop_loss", "day_stop", "month_stop"),
        *("sell_cap", "operation_amount", "cash", "coins", "free", "day_loss", "month_loss"),
        *("month_sold", "open", "run", "is_paper"),
    )

    def __init__(self, account: int, robot: str, member: int) -> None:
        self.account = account
        self.robot = robot
        self.member = member
        self.is_active = True
        self.is_killed = False  # it may sell, and buys nothing
        self.is_locked = False
        self.locked_until_us = 0
        self.buy_weight = 2
        self.sell_weight = 2
        self.symbols: frozenset[str] = frozenset()
        self.stop_loss = 0  # of an operation
        self.day_stop = 0
        self.month_stop = 0
        self.sell_cap = 0
        self.operation_amount = 0
        self.cash = 0  # free
        self.coins: dict[int, int] = {}  # asset -> free and held
        self.free: dict[int, int] = {}
        self.day_loss = 0  # below 0: a profit
        self.month_loss = 0
        self.month_sold = 0
        self.open: set[str] = set()  # symbols with an operation
        self.run = 0  # of its rows, when it is to be on paper
        self.is_paper = False  # and is there: what is known of it is its own exchange's


class Look(NamedTuple):
    """A signal and the market that it means, as of now."""

    signal: int
    symbol: str
    side: int  # 0: neutral
    weight: int
    now_us: int
    has_market: bool = False
    asset: int = 0  # of the coin
    price_ticks: int = 0  # 0: none is known yet
    cash_least: int = 0  # to buy
    coin_least: int = 0  # to sell
    quote_per_lot_tick: int = 1
    base_per_lot: int = 1
    too_late: tuple[int, int, int] | None = None  # the verdict for all, on a signal that waited


# A reason and its numbers `had` and `needed`. Plain numbers: a house writes 100,000 of them at
# once, and SQLite adapts every other kind of number by way of a call.
Verdict = tuple[int, int, int]

NEUTRAL: Final[Verdict] = (int(Reason.NEUTRAL), 0, 0)
INACTIVE: Final[Verdict] = (int(Reason.INACTIVE), 0, 0)
KILLED: Final[Verdict] = (int(Reason.INACTIVE), 1, 0)
LOCKED: Final[Verdict] = (int(Reason.LOCKED), 0, 0)
SYMBOL_NOT_CHOSEN: Final[Verdict] = (int(Reason.SYMBOL_NOT_CHOSEN), 0, 0)
OPERATION_OPEN: Final[Verdict] = (int(Reason.OPERATION_OPEN), 0, 0)
TRIGGERED: Final = int(Reason.TRIGGERED)
BELOW_LEVEL: Final = int(Reason.BELOW_LEVEL)
LOCKED_UNTIL: Final = int(Reason.LOCKED_UNTIL)
DAY_STOP: Final = int(Reason.DAY_STOP)
MONTH_STOP: Final = int(Reason.MONTH_STOP)
CASH_TOO_LOW: Final = int(Reason.CASH_TOO_LOW)
COIN_TOO_LOW: Final = int(Reason.COIN_TOO_LOW)
SELL_CAP: Final = int(Reason.SELL_CAP)


def look_at(
    signal: int,
    symbol: str,
    strength: int,
    *,
    now_us: int,
    asset: int = 0,
    decimals: int = 0,
    price_ticks: int = 0,
    quote_per_lot_tick: int = 0,
    base_per_lot: int = 1,
) -> Look:
    """Return the look that a signal is judged by; without quote_per_lot_tick it has no market."""
    coin_least = max(10**decimals // MINIMUM_SHARE, 1)
    worth = coin_least * price_ticks * quote_per_lot_tick
    return Look(
        signal=signal,
        symbol=symbol,
        side=BUY if strength > 0 else SELL if strength < 0 else 0,
        weight=abs(strength),
        now_us=now_us,
        has_market=quote_per_lot_tick > 0,
        asset=asset,
        price_ticks=price_ticks,
        cash_least=min(-(-worth // base_per_lot), WORD_MAX),
        coin_least=coin_least,
        quote_per_lot_tick=quote_per_lot_tick,
        base_per_lot=base_per_lot,
    )


def judge(client: Client, look: Look) -> Verdict:
    """Return what becomes of a signal for one client."""
    side = look.side
    if not side:
        return NEUTRAL
    if look.too_late is not None:
        return look.too_late
    level = client.buy_weight if side == BUY else client.sell_weight
    if look.weight < level:
        return BELOW_LEVEL, look.weight, level
    if not client.is_active:
        return INACTIVE
    if client.run and not client.is_paper and (side == BUY or look.symbol not in client.open):
        return INACTIVE  # it goes on paper once what it has bought with money is sold
    if client.is_killed and side == BUY:
        return KILLED
    if client.is_locked:
        return LOCKED
    if client.locked_until_us > look.now_us:
        return LOCKED_UNTIL, look.now_us, client.locked_until_us
    if not look.has_market or look.symbol not in client.symbols:
        return SYMBOL_NOT_CHOSEN
    if client.day_stop and client.day_loss >= client.day_stop:
        return DAY_STOP, client.day_loss, client.day_stop
    if client.month_stop and client.month_loss >= client.month_stop:
        return MONTH_STOP, client.month_loss, client.month_stop
    return _buy(client, look) if side == BUY else _sell(client, look)


def _buy(client: Client, look: Look) -> Verdict:
    if look.symbol in client.open:
        return OPERATION_OPEN
    cash, amount = client.cash, client.operation_amount
    least = max(amount, look.cash_least)
    if cash < least or cash <= 0:
        return CASH_TOO_LOW, cash, max(least, 1)
    if not amount:
        amount = cash // len(client.symbols - client.open)
    if amount < look.cash_least:  # what it would buy could not be sold again
        return CASH_TOO_LOW, amount, look.cash_least
    return TRIGGERED, amount, 0


def _sell(client: Client, look: Look) -> Verdict:
    coin = client.coins.get(look.asset, 0)
    if coin < look.coin_least:
        return COIN_TOO_LOW, coin, look.coin_least
    if client.sell_cap:
        lots = coin // look.base_per_lot
        sold = client.month_sold + lots * look.price_ticks * look.quote_per_lot_tick
        if sold > client.sell_cap:
            return SELL_CAP, min(sold, WORD_MAX), client.sell_cap
    return TRIGGERED, coin, 0
