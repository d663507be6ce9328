"""The WebSocket API: requests over /ws-api/v3, answered by the handlers of REST.

Promises: values are taken as they stand in the JSON, numbers never through a float; a signature
is over the parameters sorted by name, raw or percent-encoded, as the many clients do it; requests
of one socket start in the order in which they came and at most IN_FLIGHT_MAX run at once. Events
of a user data subscription come as {"subscriptionId", "event"}.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Final, Protocol
from urllib.parse import quote

import msgspec

from fondaco.gateway.auth import Caller
from fondaco.gateway.broadcast import Broadcast
from fondaco.gateway.call import Call
from fondaco.gateway.faults import BAD_KEY, Fault, mandatory
from fondaco.gateway.routes import SCOPES, Route, Security
from fondaco.gateway.sockets import Counts, Receive, Scope, Send, run_socket
from fondaco.gateway.streams import Connection, Topics
from fondaco.gateway.user_stream import topic_of

__all__ = ["ApiSockets", "Door", "signed_payloads"]

IN_FLIGHT_MAX: Final = 100
SUBSCRIBE: Final = "userDataStream.subscribe.signature"
SUBSCRIBE_AGAIN: Final = "userDataStream.subscribe"  # after session.logon
UNSUBSCRIBE: Final = "userDataStream.unsubscribe"
LOGON: Final = "session.logon"
LOGOUT: Final = "session.logout"
STATUS: Final = "session.status"
UNKNOWN_METHOD: Final = (-1020, "This operation is not supported.")


class Request(msgspec.Struct):
    method: str
    params: dict[str, msgspec.Raw] = {}
    id: int | str | None = None


class Door(Protocol):
    """What the front door does for both ways in."""

    async def admit_signed(
        self,
        route: Route | None,
        key: bytes,
        payloads: list[bytes],
        signature: bytes,
        parameters: dict[str, str],
        address: str,
    ) -> Caller: ...

    async def admit_again(
        self, route: Route | None, key: bytes, parameters: dict[str, str], address: str
    ) -> Caller: ...

    async def admit_key(self, key: bytes, address: str) -> Caller: ...

    def take_weight(self, caller: Caller | None, address: str, weight: int) -> int: ...

    def rate_limits(self, caller: Caller | None, address: str) -> list[dict[str, object]]: ...


def text_of(raw: msgspec.Raw) -> str:
    """Return a JSON value as parameter text: strings without quotes, all else as it stands."""
    literal = bytes(raw).strip()
    if literal[:1] == b'"':
        return msgspec.json.decode(literal, type=str)
    if literal == b"null":
        return ""
    return literal.decode()


def repeated_name(text: str) -> str:
    """Return a name that stands twice in one object of a JSON text, "" if none does."""
    found = ""

    def look(pairs: list[tuple[str, object]]) -> None:
        nonlocal found
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                found = name
            seen.add(name)

    json.loads(text, object_pairs_hook=look, parse_int=str, parse_float=str)
    return found


def signed_payloads(parameters: dict[str, str]) -> list[bytes]:
    """Return what a client may have signed: sorted by name, raw and percent-encoded."""
    pairs = sorted((name, value) for name, value in parameters.items() if name != "signature")
    raw = "&".join(f"{name}={value}" for name, value in pairs)
    encoded = "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in pairs)
    return [raw.encode()] if raw == encoded else [raw.encode(), encoded.encode()]


class ApiSockets:
    """The sockets of the WebSocket API."""

    def __init__(
        self,
        door: Door,
        routes: dict[str, Route],
        topics: Topics,
        broadcast: Broadcast,
        counts: Counts,
        may_listen: Callable[[int], bool],
    ) -> None:
        self._may_listen = may_listen
        self._door = door
        self._routes = routes
        self._topics = topics
        self._broadcast = broadcast
        self._counts = counts
        self._subscriptions: dict[str, tuple[Connection, int]] = {}  # name -> who, API key number

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket from its handshake to its end."""
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        session = _Session(self, Connection(combined=False), address=scope["client"][0])
        try:
            await run_socket(session.connection, receive, send, self._counts, session.on_text)
        finally:
            session.end()

    def end_dead(self, now_ms: int) -> None:
        """End the subscriptions of API keys that may listen no more."""
        for name, (connection, number) in list(self._subscriptions.items()):
            subscription = connection.subscriptions.get(name)
            if subscription is None or self._may_listen(number):
                continue
            text = f'{{"e":"eventStreamTerminated","E":{now_ms}}}'
            connection.push(f"{subscription.prefix}{text}}}")
            self.unsubscribe(connection, name)

    def subscribe(self, connection: Connection, caller: Caller, number: int) -> None:
        if not self._may_listen(caller.key):
            raise Fault(*BAD_KEY, status=401)  # its account is frozen
        name = f"user:{number}:{id(connection)}"
        self._topics.subscribe(
            connection,
            name,
            topic=topic_of(caller.account),
            prefix=f'{{"subscriptionId":{number},"event":',
        )
        self._subscriptions[name] = (connection, caller.key)

    def unsubscribe(self, connection: Connection, name: str) -> None:
        self._subscriptions.pop(name, None)
        self._broadcast.ended(filter(None, [self._topics.unsubscribe(connection, name)]))

    def end(self, connection: Connection) -> None:
        for name in list(connection.subscriptions):
            self.unsubscribe(connection, name)

    def route(self, method: str) -> Route | None:
        return self._routes.get(method)

    @property
    def door(self) -> Door:
        """The front door."""
        return self._door


class _Session:
    """One socket of the WebSocket API."""

    def __init__(self, api: ApiSockets, connection: Connection, *, address: str) -> None:
        self.connection = connection
        self._api = api
        self._address = address
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self._next_subscription = 0
        self._key = b""  # of a session.logon
        self._connected_ms = time.time_ns() // 1_000_000
        self._logged_on_ms: int | None = None

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._api.end(self.connection)

    async def on_text(self, _: Connection, text: str) -> None:
        try:
            request = msgspec.json.decode(text, type=Request)
            repeated = repeated_name(text)
        except (msgspec.DecodeError, RecursionError) as error:
            self._push(None, 400, error=Fault(-1135, f"Invalid JSON: {error}"))
            return
        if repeated:
            text = f"Duplicate values for parameter '{repeated[:40]}' detected."
            self._push(request.id, 400, error=Fault(-1101, text))
            return
        await self._slots.acquire()
        task = asyncio.get_running_loop().create_task(self._answer(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: Request) -> None:
        caller: Caller | None = None
        parameters: dict[str, str] = {}
        try:
            parameters = {name: text_of(raw) for name, raw in request.params.items()}
            caller, result = await self._carry_out(request.method, parameters)
        except Fault as fault:
            self._push(request.id, fault.status, error=fault, shown=self._shown(parameters, caller))
        else:
            self._push(request.id, 200, result=result, shown=self._shown(parameters, caller))
        finally:
            self._slots.release()

    async def _carry_out(
        self, method: str, parameters: dict[str, str]
    ) -> tuple[Caller | None, bytes]:
        api, door = self._api, self._api.door
        if method == UNSUBSCRIBE:
            return None, self._unsubscribe(parameters)
        if method in {STATUS, LOGOUT}:
            return None, self._session_told(ends=method == LOGOUT)
        route = api.route(method)
        if route is None and method not in {SUBSCRIBE, SUBSCRIBE_AGAIN, LOGON}:
            raise Fault(*UNKNOWN_METHOD)
        caller = await self._admit(method, route, parameters)
        door.take_weight(caller, self._address, 2 if route is None else route.weight)
        if route is not None:
            return caller, await route.handler(Call(caller, parameters))
        assert caller is not None
        if method == LOGON:
            return caller, self._log_on(caller, parameters["apiKey"])
        number = self._next_subscription
        api.subscribe(self.connection, caller, number)
        self._next_subscription += 1
        return caller, b'{"subscriptionId":%d}' % number

    async def _admit(
        self, method: str, route: Route | None, parameters: dict[str, str]
    ) -> Caller | None:
        """Return who asks: by the parameters, or by the session.logon of this socket."""
        door = self._api.door
        security = "read" if route is None else route.security.value
        if security == "none":
            return None
        signature = parameters.get("signature", "")
        if self._key and method != LOGON and not (signature or parameters.get("apiKey")):
            if security == "key":
                return await door.admit_key(self._key, self._address)
            if method == SUBSCRIBE_AGAIN:
                return _reader(await door.admit_key(self._key, self._address))
            return await door.admit_again(route, self._key, parameters, self._address)
        if method == SUBSCRIBE_AGAIN:
            raise Fault(-2014, "This socket has no session.logon.", status=401)
        key = _needed(parameters, "apiKey")
        if security == "key":
            return await door.admit_key(key, self._address)
        if not signature:
            fault = mandatory("signature")
            raise Fault(fault.code, fault.text, status=401)
        payloads = signed_payloads(parameters)
        return await door.admit_signed(
            route, key, payloads, signature.encode(), parameters, self._address
        )

    def _log_on(self, caller: Caller, key: str) -> bytes:
        """Let what follows on this socket go without a signature; for Ed25519 keys only."""
        if not caller.is_ed25519:
            raise Fault(-4056, "HMAC_SHA256 API key is not supported.")
        self._key = key.encode()
        self._logged_on_ms = time.time_ns() // 1_000_000
        return self._session_told(ends=False)

    def _session_told(self, *, ends: bool) -> bytes:
        """Return the state of this socket's session, after ending it if asked."""
        if ends:
            self._key, self._logged_on_ms = b"", None
        return msgspec.json.encode(
            {
                "apiKey": self._key.decode() or None,
                "authorizedSince": self._logged_on_ms,
                "connectedSince": self._connected_ms,
                "returnRateLimits": True,
                "serverTime": time.time_ns() // 1_000_000,
                "userDataStream": bool(self.connection.subscriptions),
            }
        )

    def _unsubscribe(self, parameters: dict[str, str]) -> bytes:
        wanted = parameters.get("subscriptionId", "")
        for name in list(self.connection.subscriptions):
            if not wanted or name.split(":")[1] == wanted:
                self._api.unsubscribe(self.connection, name)
        return b"{}"

    def _shown(
        self, parameters: dict[str, str], caller: Caller | None
    ) -> list[dict[str, object]] | None:
        if parameters.get("returnRateLimits") == "false":
            return None
        return self._api.door.rate_limits(caller, self._address)

    def _push(
        self,
        request_id: int | str | None,
        status: int,
        *,
        result: bytes = b"",
        error: Fault | None = None,
        shown: list[dict[str, object]] | None = None,
    ) -> None:
        answer: dict[str, Any] = {"id": request_id, "status": status}
        if error is None:
            answer["result"] = msgspec.Raw(result)
        else:
            answer["error"] = msgspec.Raw(error.body())
        if shown is not None:
            answer["rateLimits"] = shown
        self.connection.push(msgspec.json.encode(answer).decode())


def _reader(caller: Caller) -> Caller:
    if not caller.scopes & SCOPES[Security.READ]:
        raise Fault(*BAD_KEY, status=401)
    return caller


def _needed(parameters: dict[str, str], name: str) -> bytes:
    value = parameters.get(name, "")
    if not value:
        raise mandatory(name)
    return value.encode("utf-8", "replace")
