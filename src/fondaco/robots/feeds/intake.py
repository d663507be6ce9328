"""From payloads to journaled quotes: what has come goes to the core in one piece, in its order.

Promises: take() returns when every payload has its place in the journal or is set aside with the
reason, and only then may they be acknowledged. What has no answer is sent again: the core names a
repeat (DUPLICATE_QUOTE), so that nothing fills twice. It knows no broker.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Final, Protocol

from django.db import DatabaseError, connections

from fondaco.core.records import Command, Event, Reason, Verdict, pack
from fondaco.identity.core_door import Core
from fondaco.link.answers import Invalid, LinkError
from fondaco.robots import services
from fondaco.robots.feeds.messages import Fault, PriceMessage, SetAside, read, time_us, whole
from fondaco.robots.feeds.stocks import Stock, Stocks
from fondaco.robots.models import FeedState
from fondaco.robots.services import Aside

__all__ = ["Intake", "ManyCore", "NotTaken", "Waiting"]

RETRY_S: Final = 0.2
TELL_S: Final = 1.0  # how often the counters are written
_QUOTE: Final = int(Event.QUOTE)
_REFUSED: Final = int(Event.REFUSED)
# Word places in QUOTE and REFUSED events; a test checks them against records.LAYOUTS.
MESSAGE_AT: Final = 8
VERDICT_AT: Final = 9
BOUGHT_AT: Final = 10  # and sold after it
REASON_AT: Final = 6


class ManyCore(Core, Protocol):
    """The part of link.blocking.BlockingClient that is used here."""

    def submit_many(self, records: Sequence[bytes]) -> list[bytes | LinkError]: ...


class Waiting(Protocol):
    """Says when to give up: the process is to stop, or another has the feed now."""

    def is_set(self) -> bool: ...

    def wait(self, timeout_s: float) -> bool: ...


class NotTaken(Exception):
    """It was told to stop before all had an answer: nothing of this batch may be acknowledged."""


class Intake:
    """One feed's way into the core, and its counters."""

    def __init__(self, core: ManyCore, stocks: Stocks, state: FeedState) -> None:
        self.state = state
        self._core = core
        self._stocks = stocks
        self._told_s = 0.0

    def take(self, payloads: Sequence[bytes], stop: Waiting) -> None:
        """Bring payloads into the journal, in their order. Raises NotTaken."""
        commands: list[bytes] = []
        sources: list[bytes] = []
        aside: list[Aside] = []
        for payload in payloads:
            try:
                commands.append(self._command(payload, stop))
            except SetAside as refused:
                aside.append(Aside(refused.fault, str(refused), payload))
            else:
                sources.append(payload)
        for payload, events in zip(sources, self._settled(commands, stop), strict=True):
            refusal = self._count(events)
            if refusal is not None:
                aside.append(Aside(refusal.fault, str(refusal), payload))
        if aside:
            self._keep(aside, stop)
        self.state.received += len(payloads)
        self.state.set_aside += len(aside)

    def tell(self, *, at_once: bool = False) -> None:
        """Write the counters where others see them, if it is time."""
        now_s = time.monotonic()
        if now_s - self._told_s < TELL_S and not at_once:
            return
        self._told_s = now_s
        self.state.updated_us = time.time_ns() // 1000
        try:
            services.tell_feed(self.state)
        except DatabaseError as error:  # the counters wait for the next turn
            print(f"fondaco: feed {self.state.name}: {error}", file=sys.stderr)  # noqa: T201
            connections.close_all()

    # ---- one message

    def _command(self, payload: bytes, stop: Waiting) -> bytes:
        message = read(payload)
        message_us = time_us(message.timestamp)
        stock = self._stocks.get(message.stock_id)
        price, lots = _numbers(message, stock or self._stocks.new)
        if max(price, lots, message_us).bit_length() > 62 or message_us < 0:
            raise SetAside(Fault.BODY, "price, availability or time is out of range")
        if stock is None:  # only what can be taken lists a stock
            stock = self._listed(message, stop)
            price, lots = _numbers(message, stock)
        return pack(
            Command.QUOTE,
            instrument=stock.number,
            price_ticks=price,
            availability_lots=lots,
            message_us=message_us,
        )

    def _listed(self, message: PriceMessage, stop: Waiting) -> Stock:
        while not stop.is_set():
            try:
                return self._stocks.find(message)
            except LinkError:
                stop.wait(RETRY_S)
        raise NotTaken

    # ---- all of them

    def _settled(self, commands: Sequence[bytes], stop: Waiting) -> list[bytes]:
        """Return the events of each command, sending again what has no answer."""
        found: list[bytes] = [b""] * len(commands)
        places = list(range(len(commands)))
        while places:
            try:
                answers = self._core.submit_many([commands[place] for place in places])
            except LinkError as error:  # there is no writer now
                answers = [error] * len(places)
            left = []
            for place, answer in zip(places, answers, strict=True):
                if isinstance(answer, Invalid):
                    raise answer
                if isinstance(answer, LinkError):
                    left.append(place)
                else:
                    found[place] = answer
            places = left
            if places and stop.wait(RETRY_S):
                raise NotTaken
        return found

    def _count(self, events: bytes) -> SetAside | None:
        """Count what came of a message; return why the core refused it, if it did."""
        state = self.state
        words = memoryview(events).cast("q")
        at = 0
        kind = words[0] & 0xFFFF
        while kind not in {_QUOTE, _REFUSED}:
            at += words[at] >> 35
            kind = words[at] & 0xFFFF
        if kind == _QUOTE:
            if words[at + VERDICT_AT] == Verdict.CURRENT:
                state.current += 1
                state.message_us = words[at + MESSAGE_AT]
                state.filled += words[at + BOUGHT_AT] + words[at + BOUGHT_AT + 1] > 0
            else:
                state.older += 1
            return None
        reason = Reason(words[at + REASON_AT])
        if reason is Reason.DUPLICATE_QUOTE:
            state.duplicate += 1
            return None
        if reason is Reason.INVALID_TIME:
            return SetAside(Fault.TIME, "before 1970, or over a day ahead of the house's clock")
        return SetAside(Fault.REFUSED, f"the core refused it: {reason.name}")

    def _keep(self, aside: Sequence[Aside], stop: Waiting) -> None:
        while True:
            try:
                services.set_aside(self.state.name, aside, now_us=time.time_ns() // 1000)
            except DatabaseError as error:
                print(f"fondaco: feed {self.state.name}: {error}", file=sys.stderr)  # noqa: T201
                connections.close_all()
                if stop.wait(RETRY_S):
                    raise NotTaken from error
            else:
                return


def _numbers(message: PriceMessage, stock: Stock) -> tuple[int, int]:
    """Return price in ticks and availability in lots. Raises SetAside."""
    return (
        whole(message.price, stock.tick, Fault.PRICE, "price", "tick size"),
        whole(message.availability, stock.lot, Fault.AVAILABILITY, "availability", "lot size"),
    )
