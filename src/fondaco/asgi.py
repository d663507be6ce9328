"""The edge as a process: uvicorn, the gateway, and the office in threads behind it.

Promises: until the house is prepared and the gateway has started every path answers 503, but
/health/live; after that the gateway has its paths and the office all others. One of several edges
gives these answers; the others take no connection before they can serve it, so that nobody is told
of a start once the house was ready. A house with loosened rules serves its own machine only: on
every path, what names another host or comes through a proxy is 401. SIGTERM lets open requests
finish for GRACE_S and ends with 0. The office runs in OFFICE_THREADS threads, so a page never holds
up an order, and charts' alerts in one of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import io
import math
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from fondaco.gateway.app import Gateway
from fondaco.gateway.faults import Fault, starting
from fondaco.gateway.ingest import PATHS as INGEST
from fondaco.gateway.ingest import Ingest
from fondaco.gateway.lane import OrderLane
from fondaco.gateway.protocol import HouseProtocol, HouseWebSocket
from fondaco.house.checks import is_loopback, loosened
from fondaco.house.declared import House
from fondaco.link.client import WriterClient

if TYPE_CHECKING:
    from fondaco.office.hooks.intake import Intake  # it needs Django's tables

__all__ = ["Application", "Turn", "serve"]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

GRACE_S: Final = 2  # for open requests at the end; with the rest well below the parent's patience
POLL_S: Final = 0.02
HOLD_S: Final = 30.0
BACKLOG: Final = 2048
OFFICE_THREADS: Final = 8
OFFICE_BODY_BYTES_MAX: Final = 2 << 20  # forms and JSON; files have their own door
TOO_LARGE: Final = "fondaco.too_large"  # in a WSGI environment; no header can be called so
LIVE: Final = "/health/live"
RETRY: Final = (b"retry-after", b"1")
JSON: Final = (b"content-type", b"application/json")
BINANCE: Final = ("/api/v3/", "/sapi/")
STARTING: Final = b'{"status":false,"error":"the house is starting; send it again"}'
WEBSOCKET_BYTES_MAX: Final = 1 << 16  # of one message that comes in
OUTSIDE: Final = (
    b'{"code":-1002,"msg":"This house has loosened rules and serves its own machine only."}'
)


class Turn:
    """Which of the edges on one socket take connections: a lock of the system on a file.

    Exclusive: one answers, that the house starts. Shared: who holds it serves. Whoever ends lets
    go of it.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")

    def take_alone(self) -> bool:
        """Take it for oneself, if no other edge takes connections."""
        return self._take(fcntl.LOCK_EX)

    def take_shared(self) -> bool:
        """Take it beside those who serve, unless one answers that it starts."""
        return self._take(fcntl.LOCK_SH)

    def _take(self, how: int) -> bool:
        try:
            fcntl.lockf(self._file, how | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # as POSIX has it, either of them
            return False
        return True


def serve(
    listener: socket.socket,
    *,
    address: Path,
    house: House,
    base_url: str,
    prepared: Path | None,
    turn: Turn | None,
) -> None:
    """Serve on a listening socket until SIGTERM; raises what ended the start.

    `prepared` is a file that stands as soon as the tables and members are there; without it the
    tables are looked at. `turn`: there are other edges on this socket.
    """
    edge = Application(
        address=address, house=house, base_url=base_url, prepared=prepared, turn=turn
    )
    config = uvicorn.Config(
        edge,
        loop="uvloop",
        http=HouseProtocol,
        ws=HouseWebSocket,
        ws_max_size=WEBSOCKET_BYTES_MAX,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
    )
    try:
        server = Server(config)
        edge.is_leaving = lambda: server.should_exit
        server.run(sockets=[listener])
    finally:
        if edge.failure is not None:
            raise edge.failure


class Server(uvicorn.Server):
    """uvicorn that ends with 0 at SIGTERM: the usual one raises the signal again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self.handle_exit)
        yield


class Application:
    """The ASGI application: a small front that starts what is behind it."""

    def __init__(
        self,
        *,
        address: Path,
        house: House,
        base_url: str,
        prepared: Path | None = None,
        turn: Turn | None = None,
    ) -> None:
        """As serve()."""
        self._address = address
        self._house = house
        self._base_url = base_url
        self._prepared = prepared
        self._turn = turn
        self.is_leaving: Callable[[], bool] = lambda: False
        self._is_loosened = bool(loosened(house.house))
        self._writer = WriterClient()
        self._gateway: Gateway | None = None
        self.lane: OrderLane | None = None
        self.ingest: Ingest | None = None
        self._office: Office | None = None
        self.failure: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self.refuses(scope["headers"]):
            await refuse_outside(scope, send)
        elif self._gateway is None or self._office is None:
            await not_ready(scope, send)
        elif self._gateway.handles(scope):
            await self._gateway(scope, receive, send)
        else:
            await self._visit(self._gateway, self._office, scope, receive, send)

    def refuses(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether a request doesn't come from where this house serves."""
        return self._is_loosened and is_from_outside(headers)

    async def _visit(
        self, gateway: Gateway, office: Office, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Show a page, unless the address has asked for too much."""
        client = scope["client"]
        try:
            gateway.limits.take_request(client[0] if client else "", gateway.limits.now_s())
        except Fault as fault:
            await answer(send, fault.status, f"{fault.text}\n".encode(), *fault.headers)
        else:
            await office(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        starting = asyncio.get_running_loop().create_task(self._start(), name="start")
        starting.add_done_callback(self._started)
        if self._turn is not None:
            await self._hold_back(self._turn, starting)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        starting.cancel()
        await asyncio.wait({starting})
        if self._gateway is not None:
            await self._gateway.stop()
        if self._office is not None:
            self._office.close()
        await self._writer.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _hold_back(self, turn: Turn, starting: asyncio.Task[None]) -> None:
        """Take no connection while other edges do and this one can't serve it.

        A ready one waits for another that still starts, so that nobody hears of that afterwards,
        but no longer than HOLD_S.
        """
        clock = asyncio.get_running_loop().time
        until_s = math.inf
        while not (self.is_leaving() or turn.take_alone()):
            if starting.done():
                until_s = min(until_s, clock() + HOLD_S)
                if turn.take_shared() or clock() >= until_s:
                    return
            await asyncio.sleep(POLL_S)

    async def _start(self) -> None:
        await self._writer.connect(self._address, role="edge")
        while not await asyncio.to_thread(self._is_prepared):  # noqa: ASYNC110 - as said below
            await asyncio.sleep(POLL_S)  # another process makes it
        from fondaco.office.hooks.intake import Intake
        from fondaco.office.wsgi import application as office

        gateway = Gateway(self._writer, self._house, base_url=self._base_url)
        await gateway.start()
        self._office = Office(office, Intake())
        self._gateway = gateway
        self.lane = gateway.lane
        self.ingest = gateway.ingest
        while gateway.why_not_ready():
            if gateway.failure is not None:
                raise gateway.failure  # another edge may do better
            await asyncio.sleep(POLL_S)
        if self._turn is not None:
            self._turn.take_shared()

    def _is_prepared(self) -> bool:
        if self._prepared is not None:
            return self._prepared.exists()
        return not missing_migrations()

    def _started(self, starting: asyncio.Task[None]) -> None:
        """End the process if the start failed: the parent starts another, and says why."""
        if starting.cancelled():
            return
        self.failure = starting.exception()
        if self.failure is not None:
            signal.raise_signal(signal.SIGTERM)


def missing_migrations() -> bool:
    """Return whether the tables still lack something that a worker will make."""
    from django.db import OperationalError, connections
    from django.db.migrations.executor import MigrationExecutor

    for alias, app in (("default", None), ("projections", "projections")):
        try:
            executor = MigrationExecutor(connections[alias])
        except OperationalError:
            return True
        if executor.migration_plan(executor.loader.graph.leaf_nodes(app)):
            return True
    return False


def is_from_outside(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a request names another host than this machine, or none, or has a proxy."""
    hosts = []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"forwarded" or name.startswith(b"x-forwarded-"):
            return True
    return not hosts or not all(_is_own(host) for host in hosts)


@functools.lru_cache(maxsize=256)
def _is_own(host: bytes) -> bool:
    name, colon, port = host.decode("latin-1").rpartition(":")
    return is_loopback(name if colon and port.isdigit() else host.decode("latin-1"))


async def refuse_outside(scope: Scope, send: Send) -> None:
    """Answer 401, a WebSocket's opening too."""
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    headers = [
        (b"content-type", b"application/json;charset=UTF-8"),
        (b"content-length", str(len(OUTSIDE)).encode()),
    ]
    await send({"type": f"{kind}.start", "status": 401, "headers": headers})
    await send({"type": f"{kind}.body", "body": OUTSIDE})


async def not_ready(scope: Scope, send: Send) -> None:
    """Answer 503 while the house starts; alive it is."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1013})
    elif scope["path"].rstrip("/") == LIVE:
        await answer(send, 200, b"ok\n")
    elif scope["path"] in INGEST:
        kind = (b"content-type", b"application/json")
        await answer(send, 503, STARTING, RETRY, kind)
    elif scope["path"].startswith(BINANCE):
        kind = (b"content-type", b"application/json;charset=UTF-8")
        await answer(send, 503, starting().body(), RETRY, kind)
    elif scope["path"].startswith("/api/"):
        kind = (b"content-type", b"application/json")
        await answer(send, 503, starting().native_body(), RETRY, kind)
    else:
        await answer(send, 503, b"the house is starting\n", RETRY)


async def answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    """Send one short text."""
    all_headers = [(b"content-length", str(len(body)).encode()), *headers]
    if all(name != b"content-type" for name, _ in headers):
        all_headers.append((b"content-type", b"text/plain; charset=utf-8"))
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body})


class Office:
    """A WSGI application behind ASGI: whole body in, whole answer out, in a thread.

    Unlike asgiref's bridge it closes what the application returns (Django's end-of-request work
    hangs on that) and isn't held to one thread.
    """

    def __init__(self, wsgi: Callable[..., Iterable[bytes]], alerts: Intake) -> None:
        self._wsgi = wsgi
        self._alerts = alerts
        self._threads = ThreadPoolExecutor(OFFICE_THREADS, thread_name_prefix="office")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        try:
            body = await whole_body(receive)
        except Disconnected:
            return  # what came is not what was meant
        client = scope.get("client")
        stored = await self._alerts.take(
            scope["method"], scope["path"], client[0] if client else "", body or b""
        )
        if stored is not None:
            await answer(send, 202, b'{"alert":%d}' % stored, JSON)
            return
        environ = environ_of(scope, body or b"")
        if body is None:
            if "text/html" not in environ.get("HTTP_ACCEPT", ""):
                await answer(send, 413, b"the body is too large; at most 2 MiB here\n")
                return
            environ[TOO_LARGE] = True  # a page says it
        loop = asyncio.get_running_loop()
        status, headers, content = await loop.run_in_executor(self._threads, self._call, environ)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _call(self, environ: dict[str, Any]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        started: list[tuple[int, list[tuple[bytes, bytes]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: object = None
        ) -> Callable[[bytes], None]:
            del exc_info
            encoded = [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
            ]
            started.append((int(status.split(" ", 1)[0]), encoded))
            return written.append

        written: list[bytes] = []
        result = self._wsgi(environ, start_response)
        try:
            content = b"".join([*written, *result])
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        status, headers = started[-1]
        return status, headers, b"" if environ["REQUEST_METHOD"] == "HEAD" else content

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._alerts.close()


class Disconnected(Exception):
    """The client went before its request was whole."""


async def whole_body(receive: Receive) -> bytes | None:
    """Return the request's body, or None if it is over the limit. Raises Disconnected."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece = message.get("body", b"")
        size += len(piece)
        if size > OFFICE_BODY_BYTES_MAX:
            return None
        pieces.append(piece)
        if not message.get("more_body"):
            return b"".join(pieces)


def environ_of(scope: Scope, body: bytes) -> dict[str, Any]:
    """Return the WSGI environment of a request (PEP 3333)."""
    host, port = scope.get("server") or ("127.0.0.1", 80)
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 80),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if scope.get("client"):
        found["REMOTE_ADDR"] = scope["client"][0]
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" in name:
            continue  # X_Forwarded_For would pass for X-Forwarded-For
        key = name.upper().replace("-", "_")
        if key not in {"CONTENT_LENGTH", "CONTENT_TYPE"}:
            key = f"HTTP_{key}"
        joint = "; " if key == "HTTP_COOKIE" else ","
        found[key] = f"{found[key]}{joint}{value}" if key in found else value
    found["CONTENT_LENGTH"] = str(len(body))
    return found
