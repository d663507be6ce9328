"""What is known of one client from its row and from the core's events, without a database.

Promises: pure functions, used wherever signals are judged: by the workers of a house, and by a
backtest. Losses and sales of a day or a month that is over count as none, by the calendar given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from fondaco.core.records import Event, InstrumentBody
from fondaco.house.robots import RobotConfig
from fondaco.journal.calendar import Calendar, HouseDay
from fondaco.robots.hub.judging import Client, Look, look_at
from fondaco.robots.hub.words import place_of

__all__ = ["Market", "configure", "day_ends_us", "follow", "forget", "look_of", "month_ends_us"]

_ASSET_AT: Final = place_of(Event.BALANCE, "asset")
_FREE_AT: Final = place_of(Event.BALANCE, "free")
_HELD_AT: Final = place_of(Event.BALANCE, "held")
_KILLED_AT: Final = place_of(Event.ROBOT, "killed")
_DAY_AT: Final = place_of(Event.ROBOT, "day")
_MONTH_AT: Final = place_of(Event.ROBOT, "month")
_DAY_PROFIT_AT: Final = place_of(Event.ROBOT, "day_profit")
_MONTH_PROFIT_AT: Final = place_of(Event.ROBOT, "month_profit")
_MONTH_SOLD_AT: Final = place_of(Event.ROBOT, "month_sold")
_ROBOT: Final = int(Event.ROBOT)
Period = tuple[int, int]  # the day and the month that losses are of


class Market(msgspec.Struct):
    """A book whose base is the symbol and whose quote is the house's cash."""

    symbol: str
    body: InstrumentBody
    decimals: int  # of the coin
    price_ticks: int = 0


def configure(client: Client, config: RobotConfig, cash_units: Callable[[str], int]) -> None:
    """Give a client what its config says."""
    client.buy_weight, client.sell_weight = config.weight("buy_on"), config.weight("sell_on")
    client.symbols = frozenset(config.symbols)
    client.stop_loss = cash_units(config.operation_stop_loss)
    client.day_stop = cash_units(config.day_stop_loss)
    client.month_stop = cash_units(config.month_stop_loss)
    client.sell_cap = cash_units(config.month_sell_cap)
    client.operation_amount = cash_units(config.operation_amount)


def follow(client: Client, kind: int, words: memoryview[int], cash: int) -> Period | None:
    """Take in a client's balance, or how its robot stands; then return the period it is of."""
    if kind == _ROBOT:
        client.day_loss, client.month_loss = -words[_DAY_PROFIT_AT], -words[_MONTH_PROFIT_AT]
        client.month_sold = words[_MONTH_SOLD_AT]
        client.is_killed = bool(words[_KILLED_AT])
        return words[_DAY_AT], words[_MONTH_AT]
    asset, free = words[_ASSET_AT], words[_FREE_AT]
    if asset == cash:
        client.cash = free
    else:
        client.coins[asset] = free + words[_HELD_AT]
        client.free[asset] = free
    return None


def forget(client: Client, period: Period, today: HouseDay) -> None:
    """Count no loss and no sale of a day or a month that is over."""
    day, month = period
    client.day_loss = client.day_loss if day == today.day else 0
    if month != today.month:
        client.month_loss = client.month_sold = 0


def look_of(market: Market | None, signal: int, symbol: str, strength: int, *, now_us: int) -> Look:
    """Return the look by which a signal is judged, with or without a market."""
    if market is None:
        return look_at(signal, symbol, strength, now_us=now_us)
    return look_at(
        signal,
        symbol,
        strength,
        now_us=now_us,
        asset=market.body.base,
        decimals=market.decimals,
        price_ticks=market.price_ticks,
        quote_per_lot_tick=market.body.quote_per_lot_tick,
        base_per_lot=market.body.base_per_lot,
    )


def day_ends_us(calendar: Calendar, now_us: int) -> int:
    """Return the first moment of the next day where the house is."""
    return calendar.day_of(now_us).ends_us


def month_ends_us(calendar: Calendar, now_us: int) -> int:
    """Return the first moment of the next month where the house is."""
    today = calendar.day_of(now_us)
    ends_us = today.ends_us
    while calendar.day_of(ends_us).month == today.month:
        ends_us = calendar.day_of(ends_us).ends_us
    return ends_us
