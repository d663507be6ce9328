"""The server's HTTP protocol, with the order lane beside the ASGI way.

Promises: everything but a signed order goes uvicorn's own way unchanged, and so does an order that
the lane doesn't take; answers of one connection keep the order of its requests; a connection that
went costs nobody else anything. An answer of the lane leaves in one write. A connection has one
timer, which is looked at when it rings: setting and cancelling one at each request costs as much
as reading the request.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fondaco.gateway.lane import PATH, OrderLane, Passage

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

__all__ = ["HouseProtocol"]

BODY_BYTES_MAX: Final = 1 << 14  # an order's parameters are some hundred bytes; more: the long way
METHODS: Final = frozenset({b"POST", b"DELETE"})
PATH_LENGTH: Final = len(PATH)
QUERY_MARK: Final = 0x3F  # "?"


class Front(Protocol):
    """The application, as far as the lane is concerned."""

    lane: OrderLane | None

    def refuses(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether a request with these headers is not served, whatever it asks."""


class HouseProtocol(HttpToolsProtocol):
    """uvicorn's protocol; `self.app` may be a Front."""

    default_head: ClassVar[tuple[list[tuple[bytes, bytes]], bytes]] = ([], b"")

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **options)
        self._front = cast("Front", self.app) if hasattr(self.app, "lane") else None
        self._is_short = False  # the request that is being read is meant for the lane
        self._body = b""  # of it
        self._keeps_alive = True  # as the client asked with it
        self._is_idle = True
        self._idle_since = 0.0  # by the loop's clock

    # ---- keeping alive

    def data_received(self, data: bytes) -> None:
        self._is_idle = False
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()

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
        self._is_idle = True
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_again(self.timeout_keep_alive)

    def _look_again(self, after_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            after_s, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle long enough."""
        self.timeout_keep_alive_task = None
        if self.transport.is_closing():
            return
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if not self._is_idle:
            self._look_again(self.timeout_keep_alive)
        elif left_s > 0:
            self._look_again(left_s)
        else:
            self.transport.close()

    # ---- reading a request

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        url = self.url
        if (
            url.startswith(PATH)
            and (len(url) == PATH_LENGTH or url[PATH_LENGTH] == QUERY_MARK)
            and self._is_free()
        ):
            self._is_short = True
            self._body = b""
        else:
            self._go_long()

    def _is_free(self) -> bool:
        """Whether the request that has begun may take the lane, as far as its head says."""
        front = self._front
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return (
            front is not None
            and front.lane is not None
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
        """Let a request that was meant for the lane go the long way."""
        self._is_short = False
        self._go_long()
        if self._body:
            super().on_body(self._body)

    def on_message_complete(self) -> None:
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

    def _take(self) -> Passage | None:
        key = b""
        for name, value in self.headers:
            if name == b"x-mbx-apikey":
                key = value
        front = self._front
        if not key or front is None or front.lane is None:
            return None
        address = self.client[0] if self.client else ""
        query = self.url[PATH_LENGTH + 1 :]
        method = self.parser.get_method()
        self._keeps_alive = self.parser.should_keep_alive()
        return front.lane.take(self, method, key, address, query, self._body)

    # ---- answering an order

    def answer(self, passage: Passage, head: bytes, body: bytes) -> None:
        """Write the answer to an order, unless the client has gone."""
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
