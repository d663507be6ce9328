"""A simulated market maker: keeps rungs of orders on both sides of what it thinks is fair.

Promises: it only ever rests (LIMIT_MAKER), leans its prices against its inventory, and changes
few orders at a time. It learns what became of its orders from the house's user data stream and
compares with the open orders now and then; if the stream ends, trade() raises and the caller
begins anew.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from random import Random
from typing import Final

from fondaco.robots.house_client import PASSING, HouseClient, Market, OrderUpdate, Refused, pause
from fondaco.robots.simulated_ladder import Plan, Quote, Resting, plan
from fondaco.robots.simulated_price import (
    CrossPrice,
    FairPrice,
    Price,
    TwinPrice,
    anchor_of,
    parts_of,
    twin_of,
    worth_of,
)

__all__ = ["MarketMaker"]

TURN_S: Final = 1.0  # one look at one instrument
CHANGES_MAX: Final = 3  # placed, and cancelled as too many, a side and turn
COMPARE_S: Final = 30.0  # how often the open orders are asked for
LEAN: Final = 1e-3  # the most that inventory moves the price
INVENTORY_SCALE: Final = 400_000.0  # in dollars: where the lean is three quarters of it
VALUE_FIRST: Final = 600.0  # usual size of the best order, in dollars; farther ones are larger


class _Desk:
    """One instrument of the maker's."""

    def __init__(self, market: Market, fair: Price, chance: Random) -> None:
        self.market = market
        self.fair = fair
        self.chance = chance
        self.tick = float(market.tick_size)
        self.lot = float(market.lot_size)
        self.worth = worth_of(market.quote)
        self.orders: dict[int, Resting] = {}
        self.gone: set[int] = set()  # ended before the answer that named them came
        self.inventory = 0.0  # of the base, against the beginning

    def fair_ticks(self) -> float:
        """Return the price to quote around, leaning against the inventory."""
        value = self.fair.value
        lean = LEAN * math.tanh(self.inventory * value * self.worth / INVENTORY_SCALE)
        return value * (1 - lean) / self.tick

    def lots(self, quote: Quote) -> int:
        """Return the size of an order: larger away from the best price, never below the least."""
        value = VALUE_FIRST * (1 + 0.35 * quote.rung) * self.chance.lognormvariate(0, 0.6)
        value = max(value / self.worth, 1.5 * float(self.market.min_notional))
        return max(1, round(value / (quote.price_ticks * self.tick) / self.lot))


class MarketMaker:
    """Quotes on every instrument with one account."""

    def __init__(self, client: HouseClient, markets: Sequence[Market], chance: Random) -> None:
        """Take an open client whose account has no open orders."""
        self._client = client
        self._markets = markets
        self._chance = chance
        self._desks: dict[str, _Desk] = {}
        self._begun = asyncio.Event()

    async def trade(self, stop: asyncio.Event) -> None:
        """Quote until stop is set; raises what breaks the connection."""
        prices: dict[str, Price] = {}
        symbols = {market.symbol for market in self._markets}
        for market in self._markets:
            anchor = anchor_of(market.symbol)
            price = await self._client.last_price(market) or anchor
            prices[market.symbol] = FairPrice(self._chance, anchor=anchor, price=price)
        for market in self._markets:
            fair: Price = prices[market.symbol]
            if parts := parts_of(market.base, market.quote, symbols):
                fair = CrossPrice(prices[parts[0]], prices[parts[1]])
            elif twin := twin_of(market.base, market.quote, symbols):
                fair = TwinPrice(prices[twin])
            self._desks[market.symbol] = _Desk(market, fair, self._chance)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen())
            comparing = group.create_task(self._compare(stop))
            await self._begun.wait()
            quoting = [
                group.create_task(self._quote(desk, stop, index / len(self._desks)))
                for index, desk in enumerate(self._desks.values())
            ]
            await asyncio.gather(*quoting)
            listening.cancel()
            comparing.cancel()

    async def _listen(self) -> None:
        async for update in self._client.order_updates():
            if update is None:
                self._begun.set()
            elif desk := self._desks.get(update.symbol):
                self._note(desk, update)
        raise ConnectionResetError("the stream of order updates ended")

    def _note(self, desk: _Desk, update: OrderUpdate) -> None:
        if update.is_open:
            ticks = int(update.price / desk.market.tick_size)
            desk.orders[update.order_id] = Resting(update.side, ticks)
        else:
            desk.orders.pop(update.order_id, None)
            desk.gone.add(update.order_id)

    async def _compare(self, stop: asyncio.Event) -> None:
        """Now and then take the house's word for what is open and what is owned."""
        at_start = await self._client.balances()
        while await pause(stop, COMPARE_S):
            before = {symbol: set(desk.orders) for symbol, desk in self._desks.items()}
            found: dict[str, list[OrderUpdate]] = {symbol: [] for symbol in self._desks}
            for order in await self._client.open_orders():
                found.setdefault(order.symbol, []).append(order)
            now = await self._client.balances()
            for symbol, desk in self._desks.items():
                for order_id in before[symbol] - {order.order_id for order in found[symbol]}:
                    desk.orders.pop(order_id, None)
                for order in found[symbol]:  # one whose answer was lost
                    if order.order_id not in desk.gone:
                        self._note(desk, order)
                base = desk.market.base
                desk.inventory = now.get(base, 0.0) - at_start.get(base, 0.0)
                desk.gone.clear()

    async def _quote(self, desk: _Desk, stop: asyncio.Event, offset: float) -> None:
        going = await pause(stop, offset * TURN_S)  # instruments take turns within a second
        changes_max = 100  # the first turn fills the book
        while going:
            fair_ticks = desk.fair_ticks()
            await self._change(
                desk, plan(fair_ticks, desk.orders, self._chance, changes_max=changes_max)
            )
            changes_max = CHANGES_MAX
            going = await pause(stop, TURN_S)
            desk.fair.step(TURN_S)

    async def _change(self, desk: _Desk, changes: Plan) -> None:
        for order_id in changes.cancels:
            await self._client.cancel(desk.market, order_id)
            desk.orders.pop(order_id, None)
        for quote in changes.places:
            try:
                order_id = await self._client.place(
                    desk.market,
                    side=quote.side,
                    type="LIMIT_MAKER",
                    price=desk.market.price_text(quote.price_ticks),
                    quantity=desk.market.quantity_text(desk.lots(quote)),
                )
            except Refused as refusal:
                if refusal.code not in PASSING:
                    raise
                continue
            if order_id not in desk.gone:
                desk.orders.setdefault(order_id, Resting(quote.side, quote.price_ticks))
