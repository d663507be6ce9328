"""The bare echo that order entry is measured beside: the edge's server without a house.

    python bench/echo_server.py PORT REPLY_BYTES

Reads the body, answers REPLY_BYTES with as many headers as an order's answer has. The settings of
the server are those of fondaco.asgi.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import django
import uvicorn

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def bare_echo(reply_bytes: int) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Return the callable that reads the body and answers so many bytes."""
    reply = b"x" * reply_bytes
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            (b"content-type", b"application/json;charset=UTF-8"),
            (b"x-mbx-used-weight", b"1234"),
            (b"x-mbx-used-weight-1m", b"1234"),
            (b"x-mbx-order-count-10s", b"123"),
            (b"x-mbx-order-count-1d", b"12345"),
            (b"content-length", str(len(reply)).encode()),
        ],
    }
    body = {"type": "http.response.body", "body": reply}

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        message = await receive()
        while message.get("more_body"):
            message = await receive()
        await send(start)
        await send(body)

    return echo


def main() -> None:
    """Serve until killed, by the protocol class of the house."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ["DJANGO_SETTINGS_MODULE"] = "tools.mypy_settings"  # the gateway wants some
    django.setup()
    from fondaco.gateway.protocol import HouseProtocol

    uvicorn.run(
        bare_echo(int(sys.argv[2])),
        port=int(sys.argv[1]),
        loop="uvloop",
        http=HouseProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=2048,
    )


if __name__ == "__main__":
    main()
