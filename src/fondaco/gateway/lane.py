"""The short way of an order: from the bytes of a request to those of its answer, in plain calls.

A signed order or cancel is most of what a busy house serves, and waits for one thing only: its
commit. So it takes no task, no coroutine and no ASGI messages; the server's protocol hands its
bytes in (protocol.py), and the writer's answer writes the reply.

Promises: it does what Gateway does for the same request, in the same order, by the same functions;
what it has no quick answer to (a session, an unknown key, a house that is starting) it leaves to
the long way, having counted and changed nothing. What it hands to the writer's client never raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from fondaco.core.records import Scope
from fondaco.gateway import faults
from fondaco.gateway.auth import Caller, Keys
from fondaco.gateway.call import Call
from fondaco.gateway.door import FrontDoor
from fondaco.gateway.edge import Edge, fault_of
from fondaco.gateway.faults import Fault
from fondaco.gateway.instruments import Instrument
from fondaco.gateway.limits import Limits
from fondaco.gateway.list_answers import cancelled_json
from fondaco.gateway.native import Counters
from fondaco.gateway.orders import refusal_in
from fondaco.gateway.routes import Route
from fondaco.gateway.swift import Form
from fondaco.gateway.trading import Trading, Wish, holder_of
from fondaco.link.answers import LinkError

__all__ = ["PATH", "Asker", "OrderLane", "Passage", "Passing"]

PATH: Final = b"/api/v3/order"
CONTENT_TYPE: Final = b"content-type: application/json;charset=UTF-8\r\n"
WEIGHT: Final = b"x-mbx-used-weight: %d\r\nx-mbx-used-weight-1m: %d\r\n"
COUNTS: Final = b"x-mbx-order-count-10s: %d\r\nx-mbx-order-count-1d: %d\r\n"
DONE: Final = b"HTTP/1.1 200 OK\r\n%b%b" % (CONTENT_TYPE, WEIGHT)
DONE_COUNTED: Final = DONE + COUNTS


class Asker(Protocol):
    """Who gets the answer: the connection that the request came by."""

    def answer(self, passage: Passing, head: bytes, body: bytes) -> None:
        """Write an answer: status line and headers, each with its line end; then the body."""


class OrderLane:
    """The routes POST and DELETE of PATH. `routes` are the gateway's, by method."""

    def __init__(
        self,
        edge: Edge,
        door: FrontDoor,
        keys: Keys,
        limits: Limits,
        counters: Counters,
        trading: Trading,
        routes: dict[str, Route],
    ) -> None:
        self.is_open = False  # once the mirrors are up
        self.edge = edge
        self._door = door
        self._keys = keys
        self._limits = limits
        self._requests = counters.requests
        self._trading = trading
        self._form = Form()
        self._wishes: dict[bytes, tuple[Route, Callable[[Call], Wish]]] = {
            b"POST": (routes["POST"], trading.place),
            b"DELETE": (routes["DELETE"], trading.cancel),
        }

    def take(
        self, asker: Asker, method: bytes, key: bytes, address: str, query: bytes, body: bytes
    ) -> Passage | None:
        """Serve a request and return it on its way; None if it must go the long way."""
        caller = self._keys.get(key)
        if caller is None or not self.is_open:
            return None
        route, wish_of = self._wishes[method]
        limits = self._limits
        now_s = int(time.time())
        passage = Passage(self, asker, route, caller)
        try:
            limits.take_request(address, now_s)
            wish = None
            parameters: dict[str, str] = {}
            if not (query and body) and not caller.addresses and not caller.expires_us:
                wish = self._plain_wish(route, caller, query or body)
            if wish is None:
                parameters = self._door.admit_known(caller, route.security, query, body, address)
            passage.used = limits.take_weight(
                holder_of(caller), route.weight, caller.weight_limit_1m, now_s
            )
            if wish is None:
                wish = wish_of(Call(caller, parameters))
            elif route.orders:
                self._trading.count(caller)
            passage.wish = wish
            self.edge.check_room()
        except Fault as fault:
            passage.refuse(fault)
        else:
            self.edge.writer.send(wish.records[0], passage)
        return passage

    def _plain_wish(self, route: Route, caller: Caller, raw: bytes) -> Wish | None:
        """Return what a request in its plain shape asks, proven; None for any other."""
        form = self._form
        if not form.read(raw):
            return None
        instrument = self.edge.catalogue.by_symbol.get(form.symbol().decode())
        if instrument is None or not instrument.is_book or not caller.scopes & Scope.TRADE:
            return None
        shape = instrument.shape
        is_new = route.orders
        account, key = caller.account, caller.key
        record = (shape.new_order if is_new else shape.cancel_order)(form, account, key)
        if record is None or caller.proof is None:
            return None
        if not caller.proof(form.payload(), form.signature()):
            return None
        if not any(map(form.is_fresh, self.edge.clocks_us())):
            return None
        if not is_new:
            return Wish((record,), lambda events: cancelled(events, instrument))
        kind = form.reply_kind()
        if kind < 0:
            return None
        client_id = form.client_id()
        return Wish((record,), lambda events: shape.new_order_reply(events, client_id, kind))

    def head(self, passage: Passage) -> bytes:
        """Return the head of a good answer, but for its length; the request is counted."""
        route = passage.route
        self._count(route, 200)
        used = passage.used
        if not route.orders:
            return DONE % (used, used)
        return DONE_COUNTED % (used, used, *self._order_counts(passage))

    def refusal_head(self, passage: Passage, fault: Fault) -> bytes:
        """Return the head of a refusal, as head() does."""
        route, used = passage.route, passage.used
        self._count(route, fault.status)
        parts = [STATUS_LINE[fault.status], CONTENT_TYPE]
        if used:
            parts.append(WEIGHT % (used, used))
        parts += [b"%b: %b\r\n" % header for header in fault.headers]
        if route.orders and used:
            parts.append(COUNTS % self._order_counts(passage))
        return b"".join(parts)

    def _count(self, route: Route, status: int) -> None:
        mark = (route.path, status)
        self._requests[mark] = self._requests.get(mark, 0) + 1

    def _order_counts(self, passage: Passage) -> tuple[int, int]:
        return self._limits.order_counts(holder_of(passage.caller), int(time.time()))


def cancelled(events: bytes, instrument: Instrument) -> bytes | None:
    """Return the JSON of a cancel: of an order, or of the whole list that it was a leg of."""
    found = instrument.shape.cancel_reply(events)
    if found is None and refusal_in(events) is None:
        return cancelled_json(events, instrument, None)[0].encode()
    return found


class Passing:
    """A request on its way, where uvicorn keeps the cycle of a request and its answer."""

    __slots__ = ("_asker", "disconnected", "keep_alive", "response_complete")

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False

    def done(self) -> bool:
        """Whether it is answered, as a future says it."""
        return self.response_complete

    def answer(self, head: bytes, body: bytes) -> None:
        self.response_complete = True
        self._asker.answer(self, head, body)

    @property
    def message_event(self) -> Passing:
        """What is set when the connection is lost; nobody waits for it here."""
        return self

    def set(self) -> None:
        pass


class Passage(Passing):
    """One order on its way: what the writer's client resolves, as it would a future."""

    __slots__ = ("_at", "_lane", "caller", "route", "used", "wish")

    def __init__(self, lane: OrderLane, asker: Asker, route: Route, caller: Caller) -> None:
        super().__init__(asker)
        self._lane = lane
        self._at = 0  # of the command that is under way
        self.route = route
        self.caller = caller
        self.used = 0  # weight of this minute; 0: not admitted
        self.wish: Wish | None = None

    def set_result(self, events: bytes) -> None:
        """Answer from the command's events, or send the next one if it was refused."""
        wish = self.wish
        assert wish is not None
        lane = self._lane
        following = self._at + 1
        if following < len(wish.records) and refusal_in(events) is not None:
            self._at = following
            lane.edge.writer.send(wish.records[following], self)
            return
        try:
            content = wish.reply(events)
            if content is None:
                refusal = refusal_in(events)
                assert refusal is not None, "an order gives its state or REFUSED"
                raise faults.of_reason(*refusal)
        except Fault as fault:
            self.refuse(fault)
            return
        self.answer(lane.head(self), content)

    def set_exception(self, error: LinkError) -> None:
        self.refuse(fault_of(error))

    def refuse(self, fault: Fault) -> None:
        self.answer(self._lane.refusal_head(self, fault), fault.body())
