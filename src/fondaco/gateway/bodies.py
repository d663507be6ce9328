"""The body of a request, whole and bounded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fondaco.gateway.faults import Fault

__all__ = ["BODY_BYTES_MAX", "Disconnected", "read_body"]

Receive = Callable[[], Awaitable[dict[str, Any]]]

BODY_BYTES_MAX: Final = 1 << 16


class Disconnected(Exception):
    """The client went before its request was whole: what came is not what was meant."""


async def read_body(receive: Receive) -> bytes:
    """Return the whole body of a request.

    Raises:
        Fault: 413, past BODY_BYTES_MAX.
        Disconnected: the rest will never come.
    """
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise Fault(-1130, f"The body has more than {BODY_BYTES_MAX} bytes.", status=413)
        if not message.get("more_body"):
            return body
