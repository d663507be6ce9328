"""`/ws/dashboard`: a member's dashboard, told again as soon as a strategy stands otherwise.

Promises: for signed-in members on the house's own pages, whose membership lasts; both are looked
at before each message. The first message comes at once, a later one within LOOK_S of the commit of
a report, whichever edge took it; a message is the dashboard as `GET /api/v1/dashboard/` tells it,
of its curve the newest hours. A client that doesn't read holds up its own messages alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from fondaco.gateway.auth import Sessions
from fondaco.gateway.faults import Fault
from fondaco.gateway.native import Counters
from fondaco.identity.models import Member
from fondaco.identity.selectors import passes_gate
from fondaco.strategies import selectors, words

__all__ = ["PATHS", "DashboardSockets"]

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PATHS: Final = frozenset({"/ws/dashboard", "/ws/dashboard/"})
LOOK_S: Final = 0.4
SOCKETS_MAX: Final = 500  # each looks with two short queries
HOURS_TOLD: Final = 2
SIGNED_OUT: Final = 4401
NO_MEMBERSHIP: Final = 4402


class DashboardSockets:
    def __init__(self, sessions: Sessions, counters: Counters) -> None:
        self._sessions = sessions
        self._counters = counters
        self._open = 0

    async def serve(self, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        """Serve one socket. Raises Fault before it is accepted."""
        caller = await self._sessions.find("GET", headers, same_origin=True)
        if caller is None:
            raise Fault(-1002, "Sign in to see a dashboard.", status=401)
        if not await asyncio.to_thread(_may_see, caller.member):
            raise Fault(-1002, "The dashboard needs a membership.", status=403)
        if self._open >= SOCKETS_MAX:
            raise Fault(-1008, "Too many dashboards are open; try again later.", status=503)
        self._open += 1
        self._counters.sockets += 1
        try:
            await receive()  # websocket.connect
            await send({"type": "websocket.accept"})
            await self._follow(caller.session, caller.member, receive, send)
        finally:
            self._open -= 1
            self._counters.sockets -= 1

    async def _follow(self, session: str, member: int, receive: Receive, send: Send) -> None:
        gone = asyncio.get_running_loop().create_task(_until_gone(receive))
        mark: tuple[int, ...] = ()
        try:
            while not gone.done():
                found = await asyncio.to_thread(selectors.mark, member)
                hour = int(time.time()) // 3600
                if (*found, hour) != mark:
                    mark = (*found, hour)
                    if await self._sessions.caller_of(session) is None:
                        await _close(send, SIGNED_OUT, "signed out")
                        return
                    text = await asyncio.to_thread(_told, member)
                    if not text:
                        await _close(send, NO_MEMBERSHIP, "the membership is over")
                        return
                    await send({"type": "websocket.send", "text": text})
                await asyncio.wait({gone}, timeout=LOOK_S)
        except OSError:
            return  # the client has gone
        finally:
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone


async def _until_gone(receive: Receive) -> None:
    """Step over what a client says until it goes."""
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _close(send: Send, code: int, reason: str) -> None:
    await send({"type": "websocket.close", "code": code, "reason": reason})


def _may_see(number: int) -> bool:
    return passes_gate(Member.objects.get(pk=number))


def _told(number: int) -> str:
    """Return a member's dashboard as JSON, "" without a membership."""
    member = Member.objects.get(pk=number)
    if not passes_gate(member):
        return ""
    found = selectors.dashboard(member, now_us=time.time_ns() // 1000, hours=HOURS_TOLD)
    return msgspec.json.encode(words.dashboard_words(found)).decode()
