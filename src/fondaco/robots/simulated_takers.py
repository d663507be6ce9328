"""Simulated traders who take: noise, without a reason, and momentum, who follow the tape.

Promises: what they buy they sell again (chance leans against the inventory; momentum closes its
position when the move ends), orders are small against the maker's book, and a refusal that a
moving market explains is passed over. A broken connection raises.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from random import Random
from typing import Final

from fondaco.robots.house_client import PASSING, HouseClient, Market, Refused, pause
from fondaco.robots.simulated_price import anchor_of, worth_of

__all__ = ["MomentumTrader", "NoiseTrader"]

NOISE_PAUSE_S: Final = (0.35, 0.95)  # between two orders on an instrument
NOISE_VALUE: Final = 4.8  # logarithm of an order's usual size in dollars
NOISE_VALUE_MAX: Final = 6_000.0
NOISE_SCALE: Final = 150_000.0  # inventory, in dollars, that makes the other side twice as likely
REACH: Final = 0.02  # of the known price: how far an order goes into the book
MOMENTUM_VALUE: Final = 1_500.0
MOMENTUM_PAUSE_S: Final = 4.0  # between two orders on an instrument
MOMENTUM_THRESHOLD: Final = 1.2e-4  # how far the quick average leads the slow one


class NoiseTrader:
    """Buys and sells small amounts at random times, on every instrument."""

    def __init__(self, client: HouseClient, markets: Sequence[Market], chance: Random) -> None:
        """Take an open client whose account has no open orders."""
        self._client = client
        self._markets = markets
        self._chance = chance

    async def trade(self, stop: asyncio.Event) -> None:
        """Trade until stop is set; raises what breaks the connection."""
        async with asyncio.TaskGroup() as group:
            for market in self._markets:
                group.create_task(self._trade_one(market, stop))

    async def _trade_one(self, market: Market, stop: asyncio.Event) -> None:
        chance = self._chance
        inventory = 0.0  # of the base, in dollars at the price of each trade
        mood = 0.0  # one order follows another's direction for a while
        price = anchor_of(market.symbol)
        turn = 0
        while await pause(stop, chance.uniform(*NOISE_PAUSE_S)):
            if turn % 20 == 0:  # sizes need no fresher price
                price = await self._client.last_price(market) or price
            turn += 1
            mood = 0.9 * mood + chance.gauss(0, 0.25)
            odds = 0.5 + 0.5 * math.tanh(mood - inventory / NOISE_SCALE)
            side = "BUY" if chance.random() < odds else "SELL"
            value = min(NOISE_VALUE_MAX, chance.lognormvariate(NOISE_VALUE, 1.0))
            if await take(self._client, market, side, value, price):
                inventory += value if side == "BUY" else -value


class MomentumTrader:
    """Buys what rises and sells what falls, one position an instrument at a time."""

    def __init__(self, client: HouseClient, markets: Sequence[Market], chance: Random) -> None:
        """Take an open client whose account has no open orders."""
        self._client = client
        self._markets = {market.symbol: market for market in markets}
        self._chance = chance
        self._quick: dict[str, float] = {}
        self._slow: dict[str, float] = {}
        self._prices: dict[str, float] = {}

    async def trade(self, stop: asyncio.Event) -> None:
        """Trade until stop is set; raises what breaks the connection."""
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen())
            trading = [
                group.create_task(self._trade_one(market, stop))
                for market in self._markets.values()
            ]
            await asyncio.gather(*trading)
            listening.cancel()

    async def _listen(self) -> None:
        async for trade in self._client.trades(list(self._markets.values())):
            symbol, price = trade.symbol, trade.price
            self._prices[symbol] = price
            quick = self._quick.setdefault(symbol, price)
            slow = self._slow.setdefault(symbol, price)
            self._quick[symbol] = quick + (price - quick) / 8
            self._slow[symbol] = slow + (price - slow) / 40
        raise ConnectionResetError("the stream of trades ended")

    async def _trade_one(self, market: Market, stop: asyncio.Event) -> None:
        held = 0  # -1 sold, 0 none, 1 bought
        while await pause(stop, MOMENTUM_PAUSE_S * self._chance.uniform(0.5, 1.5)):
            if market.symbol not in self._prices:
                continue
            lead = self._quick[market.symbol] / self._slow[market.symbol] - 1
            wish = held
            if abs(lead) > MOMENTUM_THRESHOLD:
                wish = 1 if lead > 0 else -1
            elif abs(lead) < MOMENTUM_THRESHOLD / 4:
                wish = 0
            if wish == held:
                continue
            side = "BUY" if wish > held else "SELL"
            value = MOMENTUM_VALUE * abs(wish - held)
            if await take(self._client, market, side, value, self._prices[market.symbol]):
                held = wish


async def take(client: HouseClient, market: Market, side: str, value: float, price: float) -> bool:
    """Take about `value` dollars at once, near `price`; returns whether the house took the order.

    An order that would go through an empty book to somebody's far limit is not filled at all.
    """
    value = max(value / worth_of(market.quote), 1.2 * float(market.min_notional))
    lots = math.ceil(value / price / float(market.lot_size))
    quantity = market.quantity_text(lots)
    reach = 1 + REACH if side == "BUY" else 1 - REACH
    try:
        await client.place(
            market,
            side=side,
            type="LIMIT",
            timeInForce="FOK",
            quantity=quantity,
            price=market.price_text(max(1, round(price * reach / float(market.tick_size)))),
        )
    except Refused as refusal:
        if refusal.code not in PASSING:
            raise
        return False
    return True
