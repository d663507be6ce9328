"""The gateway: one bare ASGI callable for REST, streams, the WebSocket API, health and metrics.

Promises: handles(scope) says which paths are its own; every answer about an order leaves after
the sync that covers it; until start() has brought the mirrors up it answers 503 and says why. A
part that fails for a reason of ours makes it unready for good. It opens no connection itself: the
writer's client is given to it. What a loosened house may not serve is refused before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from django.conf import settings

from fondaco.gateway.account_reads import AccountReads
from fondaco.gateway.auth import Caller, Keys, Sessions
from fondaco.gateway.bodies import Disconnected, read_body
from fondaco.gateway.bringing_up import BringingUp
from fondaco.gateway.broadcast import TICK_S, Broadcast
from fondaco.gateway.call import Call
from fondaco.gateway.dashboards import PATHS as DASHBOARDS
from fondaco.gateway.dashboards import DashboardSockets
from fondaco.gateway.door import FrontDoor
from fondaco.gateway.edge import Edge, Writer
from fondaco.gateway.faults import Fault, starting
from fondaco.gateway.feed import Feed
from fondaco.gateway.ingest import PATHS as INGEST
from fondaco.gateway.ingest import Ingest
from fondaco.gateway.lane import PATH, OrderLane
from fondaco.gateway.limits import WEIGHT_PER_MINUTE, Limits
from fondaco.gateway.lists import OrderLists
from fondaco.gateway.market_reads import MarketReads
from fondaco.gateway.markets import Markets
from fondaco.gateway.native import Counters, Native
from fondaco.gateway.report_writer import ReportWriter, Storage
from fondaco.gateway.routes import MARKETS, Route, by_method, by_path, native_in, table
from fondaco.gateway.sockets import StreamSockets
from fondaco.gateway.streams import Topics
from fondaco.gateway.trading import Trading, holder_of
from fondaco.gateway.triggers import PATHS as TRIGGERS
from fondaco.gateway.triggers import TriggerSockets
from fondaco.gateway.user_stream import ListenKeys, UserStream
from fondaco.gateway.ws_api import ApiSockets
from fondaco.house.declared import House
from fondaco.identity import listen_keys
from fondaco.identity import selectors as identity
from fondaco.strategies.reports import Reports

__all__ = ["Gateway"]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

GARBAGE_YOUNG: Final = 20_000  # objects made before the young ones are searched: some 400 orders
LISTENER_CHECK_S: Final = 1.0  # so long may a key that ended elsewhere still listen
JSON: Final = (b"content-type", b"application/json;charset=UTF-8")
TEXT: Final = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
# What a request may tell us; the rest of its headers is stepped over.
HEARD: Final = frozenset(
    {
        b"x-mbx-apikey",
        b"authorization",
        b"cookie",
        b"host",
        b"origin",
        b"x-csrftoken",
    }
)
NATIVE: Final = {
    "/api/v1/ledger/totals": "GET",
    "/api/v1/test/clock": "POST",
    "/health/live": "GET",
    "/health/ready": "GET",
    "/metrics": "GET",
}
OWN: Final = ("/api/v3/", "/sapi/", "/stream", "/ws-api/", "/health/")


class Gateway:
    """The ASGI application of one edge. `base_url` is where people reach the house."""

    def __init__(self, writer: Writer, house: House, *, base_url: str = "") -> None:
        told = house.house
        self._test_clock = told.clock == "test"
        self.edge = Edge(writer, test_clock=self._test_clock, edges=told.edges)
        self.limits = Limits(enforced=told.rate_limits, address_limit_1m=told.address_limit_1m)
        self._shown_limits = shown_limits(told.address_limit_1m)
        self.counters = Counters()
        self._keys = Keys(identity.api_keys, identity.api_key)
        self._sessions = Sessions(
            identity.session_member,
            session_cookie=settings.SESSION_COOKIE_NAME,
            csrf_cookie=settings.CSRF_COOKIE_NAME,
            origins=frozenset(_origin(url) for url in (told.base_url, base_url) if url),
        )
        self.door = FrontDoor(self.edge, self._keys, self._sessions, self.limits)
        self.topics = Topics()
        self.broadcast = Broadcast(self.edge, self.topics, cash=told.cash)
        self._user_stream = UserStream(self.edge, self.topics)
        self.listen_keys = ListenKeys(
            settings.SECRET_KEY.encode(), self._may_listen, self._sessions.caller_of, listen_keys
        )
        trading = Trading(self.edge, self.limits)
        self.routes = table(
            MarketReads(self.edge, self._shown_limits),
            trading,
            OrderLists(self.edge, trading),
            AccountReads(self.edge, self.limits),
            self.listen_keys,
            Markets(self.edge),
        )
        self._paths = by_path(self.routes)
        self.lane = OrderLane(
            self.edge, self.door, self._keys, self.limits, self.counters, trading,
            self._paths[PATH.decode()],
        )  # fmt: skip
        self._streams = StreamSockets(self.topics, self.broadcast, self.listen_keys, self.counters)
        self._dashboards = DashboardSockets(self._sessions, self.counters)
        self._triggers = TriggerSockets(self._sessions, self.counters, is_open=told.open_api)
        self._ws_api = ApiSockets(
            self.door,
            by_method(self.routes),
            self.topics,
            self.broadcast,
            self.counters,
            self._may_listen,
        )
        self._bringing_up = BringingUp(self.edge, self._keys)
        self.feed = Feed(
            self.edge,
            on_turn=self._on_turn,
            on_user=self._user_stream.take,
            on_venue=self._user_stream.take_venue,
            on_key=self._on_key,
            on_account=self._bringing_up.take_account,
            on_market=self._bringing_up.begin_market,
            accounts=self.topics.accounts,
        )
        self._native = Native(
            self.edge, self.counters, self.why_not_ready, has_feeds=bool(house.feeds)
        )
        self._storage: Callable[[], Storage] = Reports
        self._reports: ReportWriter | None = None
        self.ingest: Ingest | None = None
        self._up = False
        self._ticker: asyncio.Task[None] | None = None
        self._listener_check: asyncio.Task[None] | None = None
        self._listener_check_due = 0.0

    # ---- its life

    async def start(self, *, own_process: bool = True) -> None:
        """Bring the mirrors up; raises what can't be mended by waiting.

        `own_process`: the process is this edge's alone, and its memory is arranged for it.
        """
        self._reports = ReportWriter(self._storage)
        self.ingest = Ingest(self._reports, self.limits, self.counters, self.edge.now_us)
        await self._bringing_up.run(self.feed)
        self._up = self.lane.is_open = True
        if own_process:
            settle_memory()
        self._ticker = asyncio.get_running_loop().create_task(self._tick())

    async def stop(self) -> None:
        """Stop what runs beside."""
        self._bringing_up.stop()
        if self._reports is not None:
            await self._reports.stop()
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker

    @property
    def failure(self) -> BaseException | None:
        """What will keep this edge from being ready for good."""
        return self._bringing_up.failure

    def why_not_ready(self) -> str:
        """Return what is missing, "" when ready."""
        if self._ticker is not None and self._ticker.done() and not self._ticker.cancelled():
            return f"the streams have stopped: {self._ticker.exception()!r}"
        if self._reports is not None and self._reports.failure:
            return f"reports are no longer written: {self._reports.failure}"
        return self._bringing_up.why_not_ready()

    async def _tick(self) -> None:
        """Tell what the clock tells, every TICK_S; what was missed is left out."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + TICK_S, loop.time())
            await asyncio.sleep(due - loop.time())
            self.broadcast.tick()
            self._bringing_up.reload_depths()
            now_ms = self.edge.now_us() // 1000
            self._streams.expire_keys(now_ms)
            self._ws_api.end_dead(now_ms)
            self._check_listeners()

    def _check_listeners(self) -> None:
        """Ask whether open user data streams may go on, one round at a time."""
        check = self._listener_check
        if check is not None:
            if not check.done():
                return
            check.result()  # a failure of ours ends the ticker, which makes the edge unready
        loop = asyncio.get_running_loop()
        names = list(self._streams.listening)
        if names and loop.time() >= self._listener_check_due:
            self._listener_check_due = loop.time() + LISTENER_CHECK_S
            self._listener_check = loop.create_task(self.listen_keys.check(names))

    def _on_turn(self) -> None:
        self.broadcast.tell_turn(self.feed.touched)
        self._user_stream.flush()

    def _on_key(self, number: int, scopes: int) -> None:
        self._bringing_up.key_changed(number, scopes)
        if scopes == 0:
            self._ws_api.end_dead(self.edge.now_us() // 1000)

    def _may_listen(self, number: int) -> bool:
        return self._keys.may_listen(number, self.edge.now_us())

    # ---- ASGI

    def handles(self, scope: Scope) -> bool:
        """Whether a path is the gateway's; all others are the office's."""
        path: str = scope["path"]
        if scope["type"] == "websocket" or path.startswith(OWN) or path in INGEST:
            return True
        if path.startswith(MARKETS) or path == MARKETS[:-1]:
            return True
        return path.rstrip("/") in NATIVE or path == "/ws" or path.startswith("/ws/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or one WebSocket."""
        if scope["type"] == "http":
            if scope["path"] in INGEST and self.ingest is not None:
                await self.ingest(scope, receive, send)
                return
            methods = self._paths.get(scope["path"])
            named: dict[str, str] = {}
            if methods is None:
                methods, named = native_in(scope["path"], self.routes)
            if methods is not None:
                route = methods.get(scope["method"])
                if route is not None:
                    await self._rest(route, named, scope, receive, send)
                    return
            await self._other(methods, scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            raise NotImplementedError(scope["type"])

    async def _rest(
        self, route: Route, named: dict[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        headers: Headers = [JSON]
        caller: Caller | None = None
        client = scope["client"]
        address = client[0] if client else ""
        try:
            heard = {name: value for name, value in scope["headers"] if name in HEARD}
            limits = self.limits
            now_s = int(time.time())
            limits.take_request(address, now_s)
            body = b"" if scope["method"] == "GET" else await read_body(receive)
            if not self._up:
                raise starting(self.why_not_ready())
            caller, parameters = await self.door.admit(
                route, heard, scope["query_string"], body, address
            )
            if caller is None:
                used = limits.take_weight(address, route.weight, WEIGHT_PER_MINUTE, now_s)
            else:
                holder = holder_of(caller)
                used = limits.take_weight(holder, route.weight, caller.weight_limit_1m, now_s)
            weight = b"%d" % used
            headers.append((b"x-mbx-used-weight", weight))
            headers.append((b"x-mbx-used-weight-1m", weight))
            content = await route.handler(Call(caller, {**parameters, **named}))
            status = 200
        except Disconnected:
            return
        except Fault as fault:
            status = fault.status
            content = fault.native_body() if route.native else fault.body()
            headers += fault.headers
        if route.orders and caller is not None:
            holder = holder_of(caller)
            now_s = int(time.time())
            in_10s, in_1d = self.limits.order_counts(holder, now_s)
            headers.append((b"x-mbx-order-count-10s", b"%d" % in_10s))
            headers.append((b"x-mbx-order-count-1d", b"%d" % in_1d))
        headers.append((b"content-length", b"%d" % len(content)))
        mark = (route.path, status)
        requests = self.counters.requests
        requests[mark] = requests.get(mark, 0) + 1
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _other(
        self, methods: dict[str, Route] | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer native routes, wrong methods and unknown paths."""
        path = scope["path"].rstrip("/")
        wanted = NATIVE.get(path)
        kind = JSON
        headers: Headers = []
        try:
            if wanted is None:
                status, content, headers = _nothing_here(methods)
            elif scope["method"] != wanted:
                status, content = 405, b'{"error":"only %s is served here"}' % wanted.encode()
                headers = [(b"allow", wanted.encode())]
            else:
                status, content = await self._native_route(path, receive)
                kind = TEXT if path == "/metrics" else JSON
        except Disconnected:
            return
        except Fault as fault:
            status = fault.status
            content = fault.native_body()
        headers = [kind, (b"content-length", b"%d" % len(content)), *headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _native_route(self, path: str, receive: Receive) -> tuple[int, bytes]:
        if path == "/health/live":
            return 200, b'{"status":"live"}'
        if path == "/health/ready":
            return self._native.ready()
        if path == "/metrics":
            return 200, await self._native.metrics()
        if not self._up:
            raise starting(self.why_not_ready())
        if path == "/api/v1/ledger/totals":
            return 200, await self._native.totals()
        if not self._test_clock:
            raise Fault(-1020, 'this house has no clock = "test"', status=404)
        return 200, await self._native.advance_clock(await read_body(receive))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        heard = {name: value for name, value in scope["headers"] if name in HEARD}
        try:
            if b"origin" in heard:
                self._sessions.check_origin(heard)
            address = scope["client"][0] if scope["client"] else ""
            self.limits.take_request(address, self.limits.now_s())
            if not self._up:
                raise starting(self.why_not_ready())
            if path.rstrip("/") == "/ws-api/v3":
                await self._ws_api.serve(scope, receive, send)
            elif path in DASHBOARDS:
                await self._dashboards.serve(heard, address, receive, send)
            elif path in TRIGGERS:
                await self._triggers.serve(heard, address, receive, send)
            elif path in {"/stream", "/ws"} or path.startswith(("/ws/", "/stream/")):
                await self._streams.serve(scope, receive, send)
            else:
                _no_websocket(path)
        except Fault as fault:
            content = fault.body()
            headers = [JSON, (b"content-length", b"%d" % len(content)), *fault.headers]
            await send(
                {
                    "type": "websocket.http.response.start",
                    "status": fault.status,
                    "headers": headers,
                }
            )
            await send({"type": "websocket.http.response.body", "body": content})


def settle_memory() -> None:
    """Leave what this process holds for good out of the search for garbage.

    A full search through a started edge took 33 ms, in which no order was answered; orders
    themselves make almost no cycles.
    """
    gc.collect()

    gc.freeze()
    gc.set_threshold(GARBAGE_YOUNG, 20, 50)


def shown_limits(address_limit_1m: int) -> list[dict[str, object]]:
    """Return the limits of a key by default, as exchangeInfo shows them."""
    rows = [
        ("REQUEST_WEIGHT", "MINUTE", 1, WEIGHT_PER_MINUTE),
        ("ORDERS", "SECOND", 10, 100),
        ("ORDERS", "DAY", 1, 200_000),
    ]
    if address_limit_1m:
        rows.append(("RAW_REQUESTS", "MINUTE", 1, address_limit_1m))
    return [
        {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
        for kind, interval, number, limit in rows
    ]


def _nothing_here(methods: dict[str, Route] | None) -> tuple[int, bytes, Headers]:
    if methods is None:
        return 404, b'{"code":-1,"msg":"There is nothing at this path."}', []
    allowed = ", ".join(sorted(methods)).encode()
    if any(route.native for route in methods.values()):
        return 405, b'{"error":"only %s is served here"}' % allowed, [(b"allow", allowed)]
    return 405, b'{"code":-1,"msg":"Allowed here: %s"}' % allowed, [(b"allow", allowed)]


def _no_websocket(path: str) -> None:
    raise Fault(-1, f"There is no WebSocket at {path[:100]}.", status=404)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _quoted(text: str) -> bytes:
    return msgspec.json.encode(text)
