"""From payloads to journaled quotes: commands leave as messages come, answers come back in order.

Promises: landed() gives a message back when it has its place in the journal or is set aside with
the reason, in the order in which they came, and only then may it be acknowledged. What has no
answer, or was refused for overload, is sent again with all that came after it, so that none
overtakes another; the core names a repeat (DUPLICATE_QUOTE), so that nothing fills twice. At most
IN_FLIGHT_MAX are on their way. It knows no broker.
"""

from __future__ import annotations

import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from django.db import DatabaseError, connections

from fondaco.core.records import (
    HEAD_WORDS,
    LAYOUTS,
    VERSION,
    Command,
    Event,
    Reason,
    Verdict,
)
from fondaco.identity.core_door import Core
from fondaco.link.answers import Invalid, LinkError
from fondaco.robots import services
from fondaco.robots.feeds.messages import Fault, PriceMessage, SetAside, read, time_us, whole
from fondaco.robots.feeds.stocks import Stock, Stocks
from fondaco.robots.models import FeedState
from fondaco.robots.services import Aside

__all__ = ["IN_FLIGHT_MAX", "Flight", "Intake", "Link", "NotTaken", "Notes", "Waiting"]

IN_FLIGHT_MAX: Final = 1_000  # messages without an answer; a broker sends fewer, as a rule
RETRY_S: Final = 0.2
TELL_S: Final = 1.0  # how often the counters are written
# instrument, price, availability and time follow the head
_COMMAND: Final = struct.Struct(f"<{HEAD_WORDS + len(LAYOUTS[Command.QUOTE])}q")
_HEAD: Final = int(Command.QUOTE) | VERSION << 16 | _COMMAND.size << 32
_QUOTE: Final = int(Event.QUOTE)
_REFUSED: Final = int(Event.REFUSED)
# Word places in QUOTE and REFUSED events; a test checks them against records.LAYOUTS.
MESSAGE_AT: Final = 8
VERDICT_AT: Final = 9
BOUGHT_AT: Final = 10  # and sold after it
REASON_AT: Final = 6


class Waiting(Protocol):
    """Says when to give up: the process is to stop, or another has the feed now."""

    def is_set(self) -> bool: ...

    def wait(self, timeout_s: float) -> bool: ...


class Link(Protocol):
    """The part of link.blocking.Pipeline that is used here."""

    def fileno(self) -> int: ...

    def send(self, records: Sequence[bytes]) -> int: ...

    def receive(self, timeout_s: float) -> list[tuple[int, bytes | LinkError]]: ...

    def close(self) -> None: ...


class NotTaken(Exception):
    """It was told to stop before all had an answer: nothing of this batch may be acknowledged."""


class Notes:
    """How one feed stands, and what it sets aside: written where others see it."""

    def __init__(self, state: FeedState) -> None:
        self.state = state
        self._told_s = 0.0

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

    def keep(self, aside: Sequence[Aside], stop: Waiting) -> None:
        """Set messages aside. Raises NotTaken."""
        self.state.set_aside += len(aside)
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


class Intake(Notes):
    """One feed's way into the core, and its counters."""

    def __init__(self, core: Core, stocks: Stocks, state: FeedState) -> None:
        super().__init__(state)
        self._core = core
        self._stocks = stocks

    # ---- one message

    def command(self, payload: bytes, stop: Waiting) -> bytes:
        """Return a message's command; its stock is listed now if it is new.

        Raises SetAside and NotTaken.
        """
        message = read(payload)
        message_us = time_us(message.timestamp)
        stock = self._stocks.get(message.stock_id)
        price, lots = _numbers(message, stock or self._stocks.new)
        if max(price, lots, message_us).bit_length() > 62 or message_us < 0:
            raise SetAside(Fault.BODY, "price, availability or time is out of range")
        if stock is None:  # only what can be taken lists a stock
            stock = self._listed(message, stop)
            price, lots = _numbers(message, stock)
        return _COMMAND.pack(_HEAD, 0, 0, 0, 0, stock.number, price, lots, message_us)

    def _listed(self, message: PriceMessage, stop: Waiting) -> Stock:
        while not stop.is_set():
            try:
                return self._stocks.find(message)
            except LinkError:
                stop.wait(RETRY_S)
        raise NotTaken

    # ---- all of them

    def count(self, events: bytes) -> SetAside | None:
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


class Message:
    """One message on its way: its token, payload, command, and what became of it."""

    __slots__ = ("command", "events", "fault", "payload", "token")

    def __init__(self, token: int, payload: bytes) -> None:
        self.token = token  # by which the caller acknowledges it
        self.payload = payload
        self.command = b""
        self.events = b""
        self.fault: SetAside | None = None


class Flight:
    """What is on its way to the journal, oldest first."""

    def __init__(self, intake: Intake, connect: Callable[[], Link]) -> None:
        """Prepare; `connect` makes a connection to the writer and may raise LinkError."""
        self._intake = intake
        self._connect = connect
        self._link: Link | None = None
        self._waiting: deque[Message] = deque()
        self._by_number: dict[int, Message] = {}
        self._is_refused = False  # something was, since the connection was made

    @property
    def room(self) -> int:
        """How many more messages may come in."""
        return IN_FLIGHT_MAX - len(self._waiting)

    def fileno(self) -> int:
        """Return what to poll for answers; -1: there is nothing to wait for."""
        return self._link.fileno() if self._link is not None and self._by_number else -1

    def launch(self, messages: Sequence[tuple[int, bytes]], stop: Waiting) -> None:
        """Send (token, payload) of each on their way, in one piece. Raises NotTaken."""
        sent = []
        for token, payload in messages:
            message = Message(token, payload)
            try:
                message.command = self._intake.command(payload, stop)
                sent.append(message)
            except SetAside as refused:
                message.fault = refused
            self._waiting.append(message)
        self._intake.state.received += len(messages)
        try:
            self._send(sent)
        except LinkError:
            self._send_again(stop)

    def landed(self, stop: Waiting, timeout_s: float = 0.0) -> list[int]:
        """Return the tokens of those that are done, oldest first. Raises NotTaken."""
        if self._by_number and self._link is not None:
            try:
                answers = self._link.receive(timeout_s)
            except LinkError:
                self._send_again(stop)
                answers = []
            for number, answer in answers:
                message = self._by_number.pop(number)
                if isinstance(answer, Invalid):
                    raise answer
                if isinstance(answer, bytes):
                    message.events = answer
                else:
                    self._is_refused = True
            if self._is_refused and not self._by_number:
                self._send_again(stop)
        return self._done(stop)

    def close(self) -> None:
        """Forget what has no answer, and let go of the connection."""
        self._let_go()
        self._waiting.clear()

    def _send(self, messages: Sequence[Message]) -> None:
        """Send commands in one piece. Raises LinkError."""
        if not messages:
            return
        if self._link is None:
            self._link = self._connect()
        first = self._link.send([message.command for message in messages])
        for place, message in enumerate(messages):
            self._by_number[first + place] = message

    def _send_again(self, stop: Waiting) -> None:
        """After a moment, send what was not carried out, or has no answer: all, in its order.

        On a connection of its own: the writer carries out nothing more on one of which it has
        refused something, so that no message overtakes an earlier one.
        """
        while True:
            self._let_go()
            if stop.wait(RETRY_S):
                raise NotTaken
            try:
                self._send([each for each in self._waiting if each.command and not each.events])
            except LinkError:
                continue
            return

    def _let_go(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None
        self._by_number.clear()
        self._is_refused = False

    def _done(self, stop: Waiting) -> list[int]:
        tokens = []
        aside = []
        waiting = self._waiting
        while waiting and (waiting[0].events or waiting[0].fault):
            message = waiting.popleft()
            fault = message.fault or self._intake.count(message.events)
            if fault is not None:
                aside.append(Aside(fault.fault, str(fault), message.payload))
            tokens.append(message.token)
        if aside:
            self._intake.keep(aside, stop)
        return tokens


def _numbers(message: PriceMessage, stock: Stock) -> tuple[int, int]:
    """Return price in ticks and availability in lots. Raises SetAside."""
    return (
        whole(message.price, stock.tick, Fault.PRICE, "price", "tick size"),
        whole(message.availability, stock.lot, Fault.AVAILABILITY, "availability", "lot size"),
    )
