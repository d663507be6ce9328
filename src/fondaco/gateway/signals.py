"""`<symbol>@signal`: what the house's own analysis says of a book, and its signals for everybody.

Promises: who subscribes is told once what is known now ("signals"), then each new "rating" and
"signal" within LOOK_S of its commit. The tables are looked at once for all who listen, and not at
all while nobody does. What a look could not read is read by the next: a listener may hear a thing
twice, never not at all. A signal for one member's clients is never here.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from django.db import DatabaseError

from fondaco.gateway.edge import Edge, Market
from fondaco.gateway.streams import Subscription, Topics
from fondaco.robots.hub import published

__all__ = ["SIGNAL", "SignalTopics"]

SIGNAL: Final = "signal"
LOOK_S: Final = 1.0


class Known:
    """What is known of one book."""

    def __init__(self, read: published.Now) -> None:
        self.ratings = {(each["interval"], each["kind"]): each for each in read.ratings}
        self.signals = list(read.signals)  # newest first

    def takes_rating(self, rating: dict[str, Any]) -> bool:
        """Keep a rating; False if it is known already."""
        mark = rating["interval"], rating["kind"]
        before = self.ratings.get(mark)
        if before is not None and before["bar"] >= rating["bar"]:
            return False
        self.ratings[mark] = rating
        return True

    def takes_signal(self, signal: dict[str, Any]) -> bool:
        """Keep a signal; False if it is known, or older than all that are kept."""
        if any(each["id"] == signal["id"] for each in self.signals):
            return False
        full = len(self.signals) >= published.SIGNALS_TOLD
        if full and signal["id"] < self.signals[-1]["id"]:
            return False
        self.signals.append(signal)
        self.signals.sort(key=lambda each: -each["id"])
        del self.signals[published.SIGNALS_TOLD :]
        return True


class SignalTopics:
    def __init__(self, edge: Edge, topics: Topics, cash: str) -> None:
        self._edge = edge
        self._topics = topics
        self._cash = cash  # a signal's symbol means the book of that base in the house's cash
        self._watched: dict[str, tuple[str, Market]] = {}  # symbol -> topic, market
        self._known: dict[str, Known] = {}
        self._untold: list[tuple[str, Subscription]] = []
        self._told: published.Marks | None = None
        self._look: asyncio.Task[None] | None = None
        self._look_due = 0.0

    def join(self, topic: str, market: Market, subscription: Subscription) -> None:
        """Begin to tell a subscription; what is known now comes with the next tick."""
        symbol = market.instrument.symbol
        if symbol not in self._watched:
            self._watched[symbol] = topic, market
            self._look_due = 0.0
        self._untold.append((symbol, subscription))

    def leave(self, topic: str) -> None:
        """Forget a book that nobody listens to any more."""
        for symbol in [name for name, (of, _) in self._watched.items() if of == topic]:
            del self._watched[symbol]
            self._known.pop(symbol, None)
        if not self._watched:
            self._told = None

    def tick(self, now_us: int) -> None:
        """Tell newcomers what is known, and see that the tables are looked at."""
        waiting, self._untold = self._untold, []
        for symbol, subscription in waiting:
            known = self._known.get(symbol)
            if symbol in self._watched and known is None:
                self._untold.append((symbol, subscription))
            elif known is not None and subscription in subscription.topic.subscriptions:
                subscription.tell(_snapshot(symbol, known, now_us))
        loop = asyncio.get_running_loop()
        if not self._watched or loop.time() < self._look_due:
            return
        if self._look is not None:
            if not self._look.done():
                return
            self._look.result()  # a fault of ours ends the ticker, which makes the edge unready
        self._look_due = loop.time() + LOOK_S
        self._look = loop.create_task(self._read())

    async def _read(self) -> None:
        try:
            told = self._told = self._told or await self._edge.read(published.marks)
            watched = list(self._watched.items())
            for symbol, (_, market) in watched:
                if symbol not in self._known:
                    read = await self._edge.read(published.now, symbol, self._base(market))
                    if symbol in self._watched:
                        self._known[symbol] = Known(read)
            bases = {self._base(market): symbol for symbol, (_, market) in watched}
            bases.pop("", None)
            reached, new = await self._edge.read(
                published.since, told, [symbol for symbol, _ in watched], list(bases)
            )
        except DatabaseError as error:  # busy or away: what came meanwhile is told later
            print(f"fondaco: signals: {error}", file=sys.stderr)  # noqa: T201
            return
        if self._watched:
            self._told = reached
            self._take(new.ratings, new.signals, bases)

    def _take(
        self,
        ratings: Iterable[dict[str, Any]],
        signals: Iterable[dict[str, Any]],
        bases: dict[str, str],
    ) -> None:
        for rating in ratings:
            known = self._known.get(rating["symbol"])
            if known is not None and known.takes_rating(rating):
                self._publish(rating["symbol"], "rating", rating)
        for signal in signals:
            symbol = bases[signal["symbol"]]
            known = self._known.get(symbol)
            if known is not None and known.takes_signal(signal):
                self._publish(symbol, SIGNAL, signal)

    def _base(self, market: Market) -> str:
        instrument = market.instrument
        return instrument.base.code if instrument.quote.code == self._cash else ""

    def _publish(self, symbol: str, event: str, words: dict[str, Any]) -> None:
        topic = self._topics.get(self._watched[symbol][0])
        if topic is not None:
            topic.publish(_event(event, symbol, words, self._edge.now_us()))


def _event(event: str, symbol: str, words: dict[str, Any], now_us: int) -> str:
    told = {name: value for name, value in words.items() if name != "symbol"}
    return msgspec.json.encode({"e": event, "E": now_us // 1000, "s": symbol, **told}).decode()


def _snapshot(symbol: str, known: Known, now_us: int) -> str:
    words = {"ratings": list(known.ratings.values()), "signals": known.signals}
    return _event("signals", symbol, words, now_us)
