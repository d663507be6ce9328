"""`/ws/dashboard`: a member's dashboard, told again as soon as a strategy stands otherwise.

Promises: for signed-in members on the house's own pages, and programs with a token of theirs that
reads (`Authorization: Bearer`), whose membership lasts; both are looked at before each message.
The first message comes at once, a later one within LOOK_S of the commit of a report, whichever edge
took it; a message is the dashboard as `GET /api/v1/dashboard/` tells it, of its curve the newest
hours. A client that doesn't read holds up its own messages alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from fondaco.gateway.auth import Sessions
from fondaco.gateway.faults import Fault
from fondaco.gateway.native import Counters
from fondaco.gateway.sockets import SIGNED_OUT, close_socket, listening
from fondaco.identity import tokens
from fondaco.identity.models import Member
from fondaco.identity.selectors import passes_gate
from fondaco.strategies import selectors, words

__all__ = ["PATHS", "DashboardSockets"]

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Look = Callable[[], Awaitable[int | None]]  # whose dashboard it is at this moment, None: nobody's

PATHS: Final = frozenset({"/ws/dashboard", "/ws/dashboard/"})
LOOK_S: Final = 0.4
SOCKETS_MAX: Final = 500  # each looks with two short queries
HOURS_TOLD: Final = 2
NO_MEMBERSHIP: Final = 4402


class DashboardSockets:
    def __init__(self, sessions: Sessions, counters: Counters) -> None:
        self._sessions = sessions
        self._counters = counters
        self._open = 0

    async def serve(
        self, headers: dict[bytes, bytes], address: str, receive: Receive, send: Send
    ) -> None:
        """Serve one socket. Raises Fault before it is accepted."""
        look = self._by_session(headers)
        if b"authorization" in headers:
            look = _by_token(headers[b"authorization"].decode("latin-1"), address)
        member = await look()
        if member is None:
            raise Fault(-1002, "Sign in, or send a token, to see a dashboard.", status=401)
        if not await asyncio.to_thread(_may_see, member):
            raise Fault(-1002, "The dashboard needs a membership.", status=403)
        if self._open >= SOCKETS_MAX:
            raise Fault(-1008, "Too many dashboards are open; try again later.", status=503)
        self._open += 1
        self._counters.sockets += 1
        try:
            await receive()  # websocket.connect
            await send({"type": "websocket.accept"})
            await self._follow(look, member, receive, send)
        finally:
            self._open -= 1
            self._counters.sockets -= 1

    def _by_session(self, headers: dict[bytes, bytes]) -> Look:
        async def look() -> int | None:
            caller = await self._sessions.find("GET", headers, same_origin=True)
            return None if caller is None else caller.member

        return look

    async def _follow(self, look: Look, member: int, receive: Receive, send: Send) -> None:
        mark: tuple[int, ...] = ()
        async with listening(receive) as gone:
            while not gone.done():
                found = await asyncio.to_thread(selectors.mark, member)
                hour = int(time.time()) // 3600
                if (*found, hour) != mark:
                    mark = (*found, hour)
                    if await look() != member:
                        await close_socket(send, SIGNED_OUT, "signed out")
                        return
                    text = await asyncio.to_thread(_told, member)
                    if not text:
                        await close_socket(send, NO_MEMBERSHIP, "the membership is over")
                        return
                    await send({"type": "websocket.send", "text": text})
                await asyncio.wait({gone}, timeout=LOOK_S)


def _by_token(header: str, address: str) -> Look:
    """Return how a token's member is found; raises Fault if it may not read."""
    kind, _, text = header.partition(" ")

    def found() -> int | None:
        token = tokens.find(text.strip(), address=address) if kind.lower() == "bearer" else None
        if token is not None and "read" not in token.scopes.split():
            raise Fault(-1002, "This token may not read; its scopes lack read.", status=403)
        return None if token is None else token.member_id

    async def look() -> int | None:
        return await asyncio.to_thread(found)

    return look


def _may_see(number: int) -> bool:
    return passes_gate(Member.objects.get(pk=number))


def _told(number: int) -> str:
    """Return a member's dashboard as JSON, "" without a membership."""
    member = Member.objects.get(pk=number)
    if not passes_gate(member):
        return ""
    found = selectors.dashboard(member, now_us=time.time_ns() // 1000, hours=HOURS_TOLD)
    return msgspec.json.encode(words.dashboard_words(found)).decode()
