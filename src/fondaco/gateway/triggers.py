"""`/ws/triggers`: what signals set going, told as soon as it is decided, one message a client.

Promises: a message is the trigger that older programs know, {"client_id", "operation", "symbol",
"start_time"}, with the signal's id; each once, in the order of the signals, from the opening on. A
member hears of their own clients, staff and an open door of all; a token needs the scope read. Who
hears is looked at again before each message. The table is the source, whichever worker decided and
whichever edge tells. What a worker decides of a signal after a newer one has triggered is not told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import msgspec

from fondaco.gateway.auth import Sessions
from fondaco.gateway.faults import Fault
from fondaco.gateway.native import Counters
from fondaco.gateway.sockets import SIGNED_OUT, close_socket, listening
from fondaco.identity import tokens
from fondaco.identity.models import Member
from fondaco.identity.permissions import Permission, may
from fondaco.robots.hub.selectors import Told, new_triggers, told_by_now

__all__ = ["PATHS", "TriggerSockets"]

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Reach = Callable[[], Awaitable[int]]  # whose clients the asker hears of at this moment

PATHS: Final = frozenset({"/ws/triggers", "/ws/triggers/"})
LOOK_S: Final = 0.2
SOCKETS_MAX: Final = 200  # each looks with one short query
EVERYBODY: Final = 0


class TriggerSockets:
    def __init__(self, sessions: Sessions, counters: Counters, *, is_open: bool) -> None:
        self._sessions = sessions
        self._counters = counters
        self._is_open = is_open  # the house's door: then it serves its own machine only
        self._open = 0

    async def serve(
        self, headers: dict[bytes, bytes], address: str, receive: Receive, send: Send
    ) -> None:
        """Serve one socket. Raises Fault before it is accepted."""
        member = await self._reach(headers, address)
        if self._open >= SOCKETS_MAX:
            raise Fault(-1008, "Too many of these sockets are open; try again later.", status=503)
        self._open += 1
        self._counters.sockets += 1
        try:
            await receive()  # websocket.connect
            told = await asyncio.to_thread(told_by_now)
            await send({"type": "websocket.accept"})
            reach = partial(self._reach, headers, address)
            await self._follow(told, member, reach, receive, send)
        finally:
            self._open -= 1
            self._counters.sockets -= 1

    async def _reach(self, headers: dict[bytes, bytes], address: str) -> int:
        """Return whose clients the asker hears of. Raises Fault, 401 or 403."""
        kind, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() == "bearer":
            return await asyncio.to_thread(_reach_of_token, text.strip(), address)
        caller = await self._sessions.find("GET", headers, same_origin=True)
        if caller is not None:
            return await asyncio.to_thread(_reach_of_member, caller.member)
        if self._is_open:
            return EVERYBODY
        raise Fault(-1002, "Sign in, or send a token, to hear of triggers.", status=401)

    async def _follow(
        self, told: Told, member: int, reach: Reach, receive: Receive, send: Send
    ) -> None:
        async with listening(receive) as gone:
            while not gone.done():
                triggers = await asyncio.to_thread(new_triggers, told, member)
                if triggers and not await _still(reach, member):
                    await close_socket(send, SIGNED_OUT, "signed out")
                    return
                for trigger in triggers:
                    text = msgspec.json.encode(trigger).decode()
                    self._counters.texts_sent += 1
                    await send({"type": "websocket.send", "text": text})
                await asyncio.wait({gone}, timeout=LOOK_S)


async def _still(reach: Reach, member: int) -> bool:
    """Return whether the asker still hears of the same clients."""
    try:
        return await reach() == member
    except Fault:
        return False


def _reach_of_token(text: str, address: str) -> int:
    token = tokens.find(text, address=address)
    if token is None:
        raise Fault(-1002, "The token is unknown, revoked, too old or not for here.", status=401)
    held = set(token.scopes.split())
    if not held & {"read", tokens.STAFF_SCOPE}:
        raise Fault(-1002, "The token may not read.", status=403)
    return _reach_of(token.member)


def _reach_of_member(number: int) -> int:
    return _reach_of(Member.objects.get(pk=number))


def _reach_of(member: Member) -> int:
    return EVERYBODY if may(member, Permission.SEE_MEMBERS) else member.pk
