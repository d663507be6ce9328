"""Health and metrics of a process that serves no other HTTP.

GET /health/live, /health/ready and /metrics, and nothing else.
Promises: an answer to a whole request of at most REQUEST_BYTES_MAX, then the connection ends. A
process that serves this is ready: it begins when all is recovered.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

__all__ = ["serve_health"]

REQUEST_BYTES_MAX: Final = 8_192
REQUEST_TIMEOUT_S: Final = 5.0


@contextlib.asynccontextmanager
async def serve_health(
    host: str, port: int, status: Callable[[], dict[str, Any]]
) -> AsyncIterator[None]:
    """Serve while the `with` lasts; `status` gives the counters. Raises OSError if it can't."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_answer(head, status))
                await writer.drain()
        except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError):
            pass  # whoever asks so gets no answer
        finally:
            writer.close()

    server = await asyncio.start_server(answer, host, port, limit=REQUEST_BYTES_MAX)
    try:
        yield
    finally:
        server.close()


def _answer(head: bytes, status: Callable[[], dict[str, Any]]) -> bytes:
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0].rstrip(b"/")
    if method != b"GET":
        return _response("405 Method Not Allowed", b"only GET is served here\n")
    if path in {b"/health/live", b"/health/ready"}:
        return _response("200 OK", b"ok\n")
    if path == b"/metrics":
        return _response("200 OK", metrics_text(status()).encode())
    return _response("404 Not Found", b"there are /health/live, /health/ready and /metrics\n")


def _response(line: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {line}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def metrics_text(counters: dict[str, Any]) -> str:
    """Return the numbers among the counters in the text format of Prometheus."""
    lines = []
    for name, value in sorted(counters.items()):
        if isinstance(value, int | float):
            lines.append(f"fondaco_writer_{name} {value}")
    return "\n".join(lines) + "\n"
