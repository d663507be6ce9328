"""The server's HTTP protocol, with short ways for orders and reports beside the ASGI way.

Promises: everything but a signed order or a strategy's report goes uvicorn's own way unchanged, and
so does one of these that its lane doesn't take; answers of one connection keep the order of its
requests; a connection that went costs nobody else anything. A request's head has a bound in bytes,
its head and its body one in time: who dawdles gets 408, and a connection that never asks is closed.
An answer of a lane leaves in one write. A connection has one timer, which is looked at when it
rings: setting and cancelling one at each request costs as much as reading the request.
A WebSocket's pings say the time in milliseconds, in digits, as Binance's do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from fondaco.gateway.ingest import PATHS, Ingest
from fondaco.gateway.lane import PATH, OrderLane, Passing

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

__all__ = ["HouseProtocol", "HouseWebSocket"]

BODY_BYTES_MAX: Final = 1 << 14  # an order's parameters are some hundred bytes; more: the long way
METHODS: Final = frozenset({b"POST", b"DELETE"})
REPORT_PATHS: Final = frozenset(path.encode() for path in PATHS)
HEAD_BYTES_MAX: Final = 1 << 15  # room for cookies and 1,000 streams in an address
HEAD_S: Final = 10.0  # from a request's first byte to the end of its head, and for a first request
BODY_S: Final = 30.0  # from the same byte to the end of its body
NOTHING, HEAD, BODY = range(3)  # what of a request is being read
UNFIT: Final = {
    400: b"this is no HTTP request\n",
    408: b"the request did not come to its end in time; send it again at once\n",
    431: b"the request's head is too large; at most 32 KiB here\n",
}
PATH_LENGTH: Final = len(PATH)
QUERY_MARK: Final = 0x3F  # "?"


class Front(Protocol):
    """The application, as far as the lanes are concerned."""

    lane: OrderLane | None
    ingest: Ingest | None

    def refuses(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether a request with these headers is not served, whatever it asks."""


class HouseProtocol(HttpToolsProtocol):
    """uvicorn's protocol; `self.app` may be a Front."""

    default_head: ClassVar[tuple[list[tuple[bytes, bytes]], bytes]] = ([], b"")

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **options)
        self._front = cast("Front", self.app) if hasattr(self.app, "lane") else None
        self._is_short = False  # the request that is being read is meant for a lane
        self._is_report = False  # and for that of reports
        self._body = b""  # of it
        self._keeps_alive = True  # as the client asked with it
        self._idle_until = 0.0  # by the loop's clock, while nothing is read or answered
        self._reading = NOTHING
        self._begun = 0.0  # the request that is being read, by the loop's clock
        self._piece_bytes = 0  # of what is being parsed
        self._head_bytes = 0  # of a head that came in pieces, without its first
        self._first_bytes = 0  # of that piece, which may hold other requests, too
        self._is_first_piece = True
        self._fault = 400  # what a request that can't be read is answered with

    # ---- keeping alive

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._idle_until = self.loop.time() + HEAD_S
        self._look_again(HEAD_S)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._is_first_piece = False
        self._piece_bytes = len(data)
        super().data_received(data)
        if self._reading == HEAD and not self._is_first_piece:
            self._head_bytes += self._piece_bytes
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(431)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_looking()

    def handle_websocket_upgrade(self) -> None:
        self._stop_looking()
        super().handle_websocket_upgrade()

    def _stop_looking(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def _unset_keepalive_if_required(self) -> None:
        """Let the timer run: it looks for itself."""

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            return
        self._idle_until = self.loop.time() + self.timeout_keep_alive
        if self.timeout_keep_alive_task is None:
            self._look_again(self.timeout_keep_alive)

    def _look_again(self, after_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            after_s, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle long enough; refuse a request that dawdles."""
        self.timeout_keep_alive_task = None
        if self.transport.is_closing():
            return
        left_s: float = self.timeout_keep_alive  # while an answer is made
        now = self.loop.time()
        if self._reading == HEAD and not self._is_answering():
            left_s = self._begun + HEAD_S - now
        elif self._reading == BODY and not self.pipeline:
            left_s = self._begun + BODY_S - now
        elif self._reading == NOTHING and not self._is_answering():
            left_s = self._idle_until - now
        if left_s > 0:
            self._look_again(min(left_s, self.timeout_keep_alive))
        elif self._reading == NOTHING:
            self.transport.close()
        else:
            self._refuse(408)

    def _is_answering(self) -> bool:
        """Whether a request that was read has no whole answer yet."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    # ---- what can't be read

    def _refuse(self, status: int) -> None:
        """Say why a request is not read further, unless that fell into another answer; close."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        is_silent = self._is_answering()
        if self._reading == BODY and not self._is_short and cycle is not None:
            is_silent = cycle.response_started
            cycle.disconnected = True  # what came of the body is not what was meant
            cycle.message_event.set()
        if not is_silent:
            text = UNFIT[status]
            headers = b"".join(b"%b: %b\r\n" % each for each in self.server_state.default_headers)
            self.transport.write(
                b"%bcontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
                b"content-length: %d\r\n%b\r\n%b" % (STATUS_LINE[status], len(text), headers, text)
            )
        self._reading = NOTHING
        self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words
        self._refuse(self._fault)

    # ---- reading a request

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._reading = HEAD
        self._begun = self.loop.time()
        self._head_bytes = 0
        self._first_bytes = self._piece_bytes
        self._is_first_piece = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading != HEAD:
            return  # a trailer: what it says comes too late to be obeyed
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def _check_head(self) -> None:
        """Raise ValueError if a head that may be too large is."""
        size = len(self.url)
        for name, value in self.headers:
            size += len(name) + len(value)
        if size > HEAD_BYTES_MAX:
            self._fault = 431
            raise ValueError("the head is too large")

    def on_headers_complete(self) -> None:
        if self._first_bytes + self._head_bytes + self._piece_bytes > HEAD_BYTES_MAX:
            self._check_head()
        self._reading = BODY
        url = self.url
        if (
            url.startswith(PATH)
            and (len(url) == PATH_LENGTH or url[PATH_LENGTH] == QUERY_MARK)
            and self._is_free()
        ):
            self._is_short = True
            self._is_report = False
            self._body = b""
        elif url in REPORT_PATHS and self._is_free():
            self._is_short = self._is_report = True
            self._body = b""
        else:
            self._go_long()

    def _is_free(self) -> bool:
        """Whether the request that has begun may take a lane, as far as its head says."""
        front = self._front
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return (
            front is not None
            and (cycle is None or cycle.response_complete)
            and self.parser.get_method() in METHODS
            and not self.parser.should_upgrade()
            and not self.expect_100_continue
            and not front.refuses(self.headers)
        )

    def _go_long(self) -> None:
        """Begin the request as uvicorn does, with the head that was read."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._is_short:
            super().on_body(body)
            return
        self._body += body
        if len(self._body) > BODY_BYTES_MAX:
            self._give_up()

    def _give_up(self) -> None:
        """Let a request that was meant for a lane go the long way."""
        self._is_short = False
        self._go_long()
        if self._body:
            super().on_body(self._body)

    def on_message_complete(self) -> None:
        self._reading = NOTHING
        if not self._is_short:
            super().on_message_complete()
            return
        passage = self._take()
        if passage is None:
            self._give_up()
            super().on_message_complete()
        else:
            self._is_short = False
            self.cycle = cast("RequestResponseCycle", passage)

    def _take(self) -> Passing | None:
        front = self._front
        if front is None:
            return None
        address = self.client[0] if self.client else ""
        method = self.parser.get_method()
        self._keeps_alive = self.parser.should_keep_alive()
        if self._is_report:
            if front.ingest is None or method != b"POST":
                return None
            return front.ingest.take(self, address, self._body)
        key = b""
        for name, value in self.headers:
            if name == b"x-mbx-apikey":
                key = value
        if not key or front.lane is None:
            return None
        query = self.url[PATH_LENGTH + 1 :]
        return front.lane.take(self, method, key, address, query, self._body)

    # ---- answering

    def answer(self, passage: Passing, head: bytes, body: bytes) -> None:
        """Write the answer of a lane, unless the client has gone."""
        transport = self.transport
        if passage.disconnected or transport.is_closing():
            return
        headers, more = HouseProtocol.default_head
        if self.server_state.default_headers is not headers:  # made anew each second
            headers = self.server_state.default_headers
            more = b"".join(b"%b: %b\r\n" % header for header in headers)
            HouseProtocol.default_head = (headers, more)
        if passage.keep_alive and self._keeps_alive:
            transport.write(b"%b%bcontent-length: %d\r\n\r\n%b" % (head, more, len(body), body))
        else:
            transport.write(
                b"%b%bconnection: close\r\ncontent-length: %d\r\n\r\n%b"
                % (head, more, len(body), body)
            )
            transport.close()
        self.on_response_complete()


class HouseWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with pings that are text: nautilus_trader answers no others."""

    def send_keepalive_ping(self) -> None:
        self.ping_timer = None
        if self.close_sent or self.transport.is_closing():
            return
        self.pending_ping_payload = b"%d" % (time.time_ns() // 1_000_000)
        self.ping_sent_at = self.loop.time()
        self.conn.send_ping(self.pending_ping_payload)
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.ping_timeout is None:
            self.schedule_ping()
        else:
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
