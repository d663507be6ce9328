"""The two clients: one waits, one is for asyncio. They do what the flows ask for, and no more.

Promises: the same routes, errors, tries and timeouts on both; connections are kept and reused, and
closed by `with` or close(). A Client may be used by many threads, an AsyncClient by one loop.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from typing import Any, Final, Generic, Self, TypeVar

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection as SyncSocket
from websockets.sync.client import connect as sync_connect

from fondaco_client.calls import Async, Call, Sync
from fondaco_client.credentials import Credentials, credentials_from
from fondaco_client.errors import NotSent, OutcomeUnknown, refusal_of
from fondaco_client.flow import Ask, House, Pause, Reply, Retrying, settle
from fondaco_client.markets import Markets
from fondaco_client.members import Members, Money, Statements
from fondaco_client.orders import Orders, OutsideOrders
from fondaco_client.reports import Strategies
from fondaco_client.streams import NOT_NOW, Connect, Say, Stream, StreamBroken, Streams, Tell

__all__ = ["AsyncClient", "Client"]

T = TypeVar("T")
K = TypeVar("K")
E = TypeVar("E")
TIMEOUT_S: Final = 10.0
URL_BY_DEFAULT: Final = "http://127.0.0.1:8000"
# What httpx raises before the first byte of a request has left.
NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@contextmanager
def _faults(what: Ask) -> Iterator[None]:
    """Say of a broken connection whether the request had left."""
    place = f"{what.method} {what.url.partition('?')[0]}"
    try:
        yield
    except NOT_SENT as error:
        raise NotSent(f"{place}: no connection: {error}") from error
    except httpx.TransportError as error:
        kind = type(error).__name__
        raise OutcomeUnknown(f"{place}: no answer: {kind}: {error}") from error


@contextmanager
def _breaks() -> Iterator[None]:
    """Say of a WebSocket that it ended, however it did, or why the house opens none."""
    try:
        yield
    except InvalidStatus as error:
        refused = error.response
        raise refusal_of(refused.status_code, bytes(refused.body or b"")) from error
    except (OSError, TimeoutError, WebSocketException) as error:
        raise StreamBroken(f"{type(error).__name__}: {error}") from error


def _reply(answer: httpx.Response) -> Reply:
    return Reply(answer.status_code, answer.content, answer.headers.get("Retry-After", ""))


class _Groups(Generic[K]):
    """What both clients have.

    base_url: the house, FONDACO_URL by default. credentials: ApiKey, Ed25519Key or Token; by
    default FONDACO_API_KEY with FONDACO_API_SECRET, or FONDACO_TOKEN, else nobody. strategy_token:
    of reports, FONDACO_STRATEGY_TOKEN by default. timeout_s: of each step of one try.
    Raises ValueError for an address that would carry credentials unencrypted.
    """

    def __init__(
        self,
        base_url: str | None = None,
        credentials: Credentials | None = None,
        *,
        strategy_token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retrying: Retrying | None = None,
        plain_http: bool = False,
        transport: Any = None,  # noqa: ANN401 - httpx's, of either kind
    ) -> None:
        if strategy_token is None:
            strategy_token = os.environ.get("FONDACO_STRATEGY_TOKEN", "")
        self.house = House(
            base_url or os.environ.get("FONDACO_URL") or URL_BY_DEFAULT,
            credentials or credentials_from(),
            strategy_token,
            retrying or Retrying(),
            plain_http,
        )
        self._timeout_s = timeout_s
        self._transport = transport
        me: Any = self
        self.markets = Markets[K](me)
        self.orders = Orders[K](me)
        self.outside_orders = OutsideOrders[K](me)
        self.members = Members[K](me)
        self.money = Money[K](me)
        self.statements = Statements[K](me)
        self.strategies = Strategies[K](me, self.house)
        self.streams = Streams[K](me, self.house)
        self._open()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.house.base_url!r})"

    def _open(self) -> None:
        raise NotImplementedError


class Client(_Groups[Sync], Sync):
    __doc__ = f"A house's client that waits for answers. {_Groups.__doc__}"

    def _open(self) -> None:
        self._http = httpx.Client(timeout=self._timeout_s, transport=self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, call: Call[T]) -> T:
        """Return the answer to a call. Raises FondacoError."""
        flow = settle(call, self.house)
        try:
            step = next(flow)
            while True:
                try:
                    done = self._do(step)
                except (NotSent, OutcomeUnknown) as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(done)
        except StopIteration as end:
            answer: T = end.value
            return answer

    def follow(self, stream: Stream[E]) -> Generator[E, None, None]:
        """Yield what a stream tells. Leaving the loop closes it. Raises FondacoError."""
        with closing(stream), ExitStack() as connected:
            socket: SyncSocket | None = None
            step = next(stream)
            while True:
                answer: object = None
                try:
                    if isinstance(step, Tell):
                        yield step.event
                    elif isinstance(step, Ask | Pause):
                        answer = self._do(step)
                    else:
                        with _breaks():
                            if isinstance(step, Connect):
                                connected.close()
                                socket = connected.enter_context(
                                    sync_connect(
                                        step.url,
                                        open_timeout=self._timeout_s,
                                        additional_headers=step.headers,
                                    )
                                )
                            elif socket is not None and isinstance(step, Say):
                                socket.send(step.text)
                            elif socket is not None:
                                answer = socket.recv(decode=False)
                except NOT_NOW as error:
                    step = stream.throw(error)
                else:
                    step = stream.send(answer)

    def _do(self, step: Ask | Pause) -> Reply | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        with _faults(step):
            return _reply(
                self._http.request(step.method, step.url, headers=step.headers, content=step.body)
            )


class AsyncClient(_Groups[Async], Async):
    __doc__ = f"A house's client for asyncio. {_Groups.__doc__}"

    def _open(self) -> None:
        self._http = httpx.AsyncClient(timeout=self._timeout_s, transport=self._transport)
        self._sockets: set[ClientConnection] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections, of streams that were left, too."""
        for socket in tuple(self._sockets):
            await socket.close()
        await self._http.aclose()

    async def ask(self, call: Call[T]) -> T:
        """Return the answer to a call. Raises FondacoError."""
        flow = settle(call, self.house)
        try:
            step = next(flow)
            while True:
                try:
                    done = await self._do(step)
                except (NotSent, OutcomeUnknown) as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(done)
        except StopIteration as end:
            answer: T = end.value
            return answer

    async def follow(self, stream: Stream[E]) -> AsyncGenerator[E, None]:
        """Yield what a stream tells. Leaving the loop closes it. Raises FondacoError."""
        with closing(stream):
            async with AsyncExitStack() as connected:
                socket: ClientConnection | None = None
                step = next(stream)
                while True:
                    answer: object = None
                    try:
                        if isinstance(step, Tell):
                            yield step.event
                        elif isinstance(step, Ask | Pause):
                            answer = await self._do(step)
                        else:
                            with _breaks():
                                if isinstance(step, Connect):
                                    await connected.aclose()
                                    socket = await connected.enter_async_context(
                                        connect(
                                            step.url,
                                            open_timeout=self._timeout_s,
                                            additional_headers=step.headers,
                                        )
                                    )
                                    self._sockets.add(socket)
                                    connected.callback(self._sockets.discard, socket)
                                elif socket is not None and isinstance(step, Say):
                                    await socket.send(step.text)
                                elif socket is not None:
                                    answer = await socket.recv(decode=False)
                    except NOT_NOW as error:
                        step = stream.throw(error)
                    else:
                        step = stream.send(answer)

    async def _do(self, step: Ask | Pause) -> Reply | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        with _faults(step):
            return _reply(
                await self._http.request(
                    step.method, step.url, headers=step.headers, content=step.body
                )
            )
