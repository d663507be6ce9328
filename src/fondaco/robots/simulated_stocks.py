"""The demo's stocks: a broker of their own and a publisher that keeps their prices moving.

Promises: run() publishes a message of one stock every STEP_S until told to stop; each price walks
by whole ticks around where it began, and never leaves a tenth to ten times of that. The first stock
is declared in the demo's house file, the others are listed by the stream.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import socket
from decimal import Decimal
from typing import Final, NamedTuple

from fondaco.robots.feeds.publishing import message
from fondaco.robots.simulated_broker import Broker

__all__ = ["STOCKS", "TOPIC", "Walk", "run"]

TOPIC: Final = "thndr-trading"
STEP_S: Final = 0.5
CENTS: Final = 2


class Stock(NamedTuple):
    stock_id: str
    name: str
    cents: int  # where its price begins


STOCKS: Final = (
    Stock("6ffb8e62-92c1-40c7-9d38-5b976a346b62", "CIB", 2_800),
    Stock("cf12d54e-58ee-4a98-b56f-929ab222db3e", "Edita", 700),
    Stock("68d567d4-3661-4793-97a3-f75145987056", "Hamada Inc", 18_600),
    Stock("c5165fef-bb13-4913-b92a-0eef45b3d53e", "CIB", 7_950),  # of the older system's examples
)


class Walk:
    """One stock's price and availability, step by step; seeded chance."""

    def __init__(self, stock: Stock, seed: int) -> None:
        self.stock = stock
        self.cents = stock.cents
        self._chance = random.Random(f"{seed} {stock.stock_id}")

    def step(self, moment: dt.datetime) -> bytes:
        """Return the next message."""
        begun = self.stock.cents
        pull = (begun - self.cents) / begun
        move = self._chance.gauss(pull, 1.0) * begun / 250
        self.cents = min(max(self.cents + round(move), begun // 10), begun * 10)
        return message(
            self.stock.stock_id,
            self.stock.name,
            price=str(Decimal(self.cents).scaleb(-CENTS)),
            availability=self._chance.randint(1, 200),
            moment=moment,
        )


async def run(listener: socket.socket, seed: int, stop: asyncio.Event) -> None:
    """Serve a broker on a bound socket of loopback and publish to it, until told to stop."""
    walks = [Walk(stock, seed) for stock in STOCKS]
    async with Broker(listener) as broker:
        turn = 0
        while not stop.is_set():
            walk = walks[turn % len(walks)]
            broker.publish(TOPIC, walk.step(dt.datetime.now(dt.UTC)))
            turn += 1
            try:
                await asyncio.wait_for(stop.wait(), STEP_S)
            except TimeoutError:
                continue
