"""A house that answers by a script, behind either client; and a planted careless client.

Promises: what was sent is kept in order; an answer is a status with JSON, or a broken connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

import httpx

from fondaco_client import ApiKey, AsyncClient, Client, Credentials, Retrying

__all__ = ["AT_ONCE", "BOTH", "Script", "either"]

T = TypeVar("T")
Answer: TypeAlias = tuple[int, Any] | httpx.Response | type[httpx.TransportError]

AT_ONCE = Retrying(first_pause_s=0.0)
KEY = ApiKey("the-key", "the-secret")
BOTH = ["waiting", "asyncio"]
NOW_MS = 1_800_000_000_000
TIME: Answer = (200, {"serverTime": NOW_MS})


class Script:
    """The answers to come; `sent` holds the requests that came."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.sent: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, type):
            raise answer("planted", request=request)
        if isinstance(answer, httpx.Response):
            return answer
        status, words = answer
        return httpx.Response(status, json=words)

    @property
    def paths(self) -> list[str]:
        return [f"{each.method} {each.url.path}" for each in self.sent]


def either(
    kind: str,
    script: Script,
    use: Callable[[Any], Any],
    *,
    credentials: Credentials | None = KEY,
    retrying: Retrying = AT_ONCE,
) -> Any:
    """Return what a call gives, on the client of that kind: use(client) makes the call."""
    transport = httpx.MockTransport(script)
    if kind == "waiting":
        with Client(
            credentials=credentials, retrying=retrying, transport=transport, strategy_token="token"
        ) as client:
            return use(client)

    async def ask() -> Any:
        async with AsyncClient(
            credentials=credentials, retrying=retrying, transport=transport, strategy_token="token"
        ) as client:
            answer: Coroutine[Any, Any, Any] = use(client)
            return await answer

    return asyncio.run(ask())
