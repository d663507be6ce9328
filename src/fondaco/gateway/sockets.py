"""WebSockets: /ws, /ws/<streams>, /ws/<n>, /stream?streams=, and the WebSocket API /ws-api/v3.

Promises: an unknown word in a path never closes a socket; subscribing again is answered and
changes nothing; what a client sends is bounded in size and number; a client that doesn't read is
closed with code 1008 and the reason. Requests of the WebSocket API go through the same handlers
and limits as REST.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

import msgspec

from fondaco.gateway.broadcast import Broadcast
from fondaco.gateway.streams import Connection, Topics
from fondaco.gateway.user_stream import ListenKeys, topic_of

__all__ = ["SIGNED_OUT", "Counts", "StreamSockets", "close_socket", "listening", "run_socket"]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
OnText = Callable[[Connection, str], Awaitable[None]]

TOO_SLOW: Final = 1008
SIGNED_OUT: Final = 4401  # whoever opened it may not hear any more
STREAMS_IN_PATH_MAX: Final = 1024
WORDS_MAX: Final = 200  # names that are no streams, told back in one error


class Counts(Protocol):
    """What the sockets of an edge count, for its metrics."""

    sockets: int
    texts_sent: int
    dropped: int


class Request(msgspec.Struct):
    """A message on a stream socket."""

    method: str = ""
    params: list[str | int | float | bool] = []
    id: int | str | None = None


@contextlib.asynccontextmanager
async def listening(receive: Receive) -> AsyncIterator[asyncio.Task[None]]:
    """Step over what a client says; the task that it gives ends when the client goes."""
    gone = asyncio.get_running_loop().create_task(_until_gone(receive))
    try:
        yield gone
    except OSError:
        return  # the client has gone
    finally:
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def close_socket(send: Send, code: int, reason: str) -> None:
    """End a socket with a code and the reason."""
    await send({"type": "websocket.close", "code": code, "reason": reason})


async def run_socket(
    connection: Connection,
    receive: Receive,
    send: Send,
    counts: Counts,
    on_text: OnText,
) -> None:
    """Carry texts both ways until one side ends. The handshake is made."""
    counts.sockets += 1
    writer = asyncio.get_running_loop().create_task(_write(connection, send, counts))
    try:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                text = (message.get("bytes") or b"").decode("utf-8", "replace")
            await on_text(connection, text)
    finally:
        counts.sockets -= 1
        writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writer


async def _write(connection: Connection, send: Send, counts: Counts) -> None:
    try:
        while True:
            await connection.wake.wait()
            if connection.dropped:
                counts.dropped += 1
                reason = connection.dropped[:120]
                await send({"type": "websocket.close", "code": TOO_SLOW, "reason": reason})
                return
            for text in connection.take():
                counts.texts_sent += 1
                await send({"type": "websocket.send", "text": text})
    except OSError:
        return  # the client has gone; receive() says so too


class StreamSockets:
    """The sockets of the market data and user data streams."""

    def __init__(
        self, topics: Topics, broadcast: Broadcast, listen_keys: ListenKeys, counts: Counts
    ) -> None:
        self._topics = topics
        self._broadcast = broadcast
        self._listen_keys = listen_keys
        self._counts = counts
        self.listening: dict[str, set[Connection]] = {}  # by listen key

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket from its handshake to its end."""
        await receive()  # websocket.connect
        path = scope["path"]
        combined = path.startswith("/stream")
        if combined:
            query = parse_qs(scope["query_string"].decode("latin-1"))
            named = "/".join(query.get("streams", []))
        else:
            named = path.removeprefix("/ws").strip("/")
        connection = Connection(combined=combined)
        try:
            for name in named.split("/")[:STREAMS_IN_PATH_MAX]:
                if name:
                    await self._subscribe(connection, name)
            await send({"type": "websocket.accept"})  # who is connected misses nothing from here
            await run_socket(connection, receive, send, self._counts, self._on_text)
        finally:
            self._end(connection)

    async def _subscribe(self, connection: Connection, name: str) -> bool:
        if name in connection.subscriptions:
            return True
        prefix = f'{{"stream":"{name}","data":' if connection.combined else ""
        if self._broadcast.subscribe(connection, name, prefix):
            return True
        listener = await self._listen_keys.admit(name)
        if listener is None:
            return False
        self._topics.subscribe(connection, name, topic=topic_of(listener.account), prefix=prefix)
        self.listening.setdefault(name, set()).add(connection)
        return True

    def _end(self, connection: Connection) -> None:
        for name in list(connection.subscriptions):
            self._unlisten(connection, name)
        self._broadcast.ended(self._topics.end(connection))

    def _unlisten(self, connection: Connection, name: str) -> None:
        held = self.listening.get(name)
        if held is not None:
            held.discard(connection)
            if not held:
                del self.listening[name]

    def expire_keys(self, now_ms: int) -> None:
        """End the user data of listen keys that live no more."""
        for name in list(self.listening):
            if self._listen_keys.find(name) is not None:
                continue
            if self._listen_keys.is_cut(name):
                text = f'{{"e":"eventStreamTerminated","E":{now_ms}}}'
            else:
                text = f'{{"e":"listenKeyExpired","E":{now_ms},"listenKey":"{name}"}}'
            for connection in list(self.listening.pop(name)):
                subscription = connection.subscriptions.get(name)
                prefix = "" if subscription is None else subscription.prefix
                connection.push(f"{prefix}{text}}}" if prefix else text)
                self._broadcast.ended(filter(None, [self._topics.unsubscribe(connection, name)]))

    async def _on_text(self, connection: Connection, text: str) -> None:
        try:
            request = msgspec.json.decode(text, type=Request)
        except (msgspec.DecodeError, RecursionError) as error:
            answer = {"error": {"code": 3, "msg": f"Invalid JSON: {error}"}, "id": None}
        else:
            answer = await self._answer(connection, request)
        connection.push(msgspec.json.encode(answer).decode())

    async def _answer(self, connection: Connection, request: Request) -> dict[str, Any]:
        names = [str(each) for each in request.params]
        method = request.method
        if method == "SUBSCRIBE":
            unknown = [name for name in names if not await self._subscribe(connection, name)]
            if unknown:
                told = ", ".join(unknown)[:WORDS_MAX]
                text = f"Invalid request: no such stream: {told}"
                return {"error": {"code": 2, "msg": text}, "id": request.id}
        elif method == "UNSUBSCRIBE":
            for name in names:
                self._unlisten(connection, name)
                ended = self._topics.unsubscribe(connection, name)
                self._broadcast.ended(filter(None, [ended]))
        elif method == "LIST_SUBSCRIPTIONS":
            return {"result": list(connection.subscriptions), "id": request.id}
        elif method == "SET_PROPERTY" and names[:1] == ["combined"] and len(names) == 2:
            self._set_combined(connection, combined=names[1] == "True")
        elif method == "GET_PROPERTY" and names == ["combined"]:
            return {"result": connection.combined, "id": request.id}
        else:
            text = f"Invalid request: unknown method {method[:WORDS_MAX]!r}"
            return {"error": {"code": 2, "msg": text}, "id": request.id}
        return {"result": None, "id": request.id}

    def _set_combined(self, connection: Connection, *, combined: bool) -> None:
        connection.combined = combined
        for name, subscription in connection.subscriptions.items():
            subscription.prefix = f'{{"stream":"{name}","data":' if combined else ""
