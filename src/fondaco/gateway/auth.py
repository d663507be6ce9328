"""Who asks: an API key with a signature, or a signed-in person's cookie.

Promises: a signature is checked over the bytes as they came, query then body, before anything is
parsed; comparisons take constant time; a request that can't prove itself gets 401 whatever else is
wrong with it. A revoked key stops at the event that revokes it. A session is asked of identity, in
a thread, each time, so that signing out counts at once. It holds no passwords and writes nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from django.http.cookie import parse_cookie

from fondaco.core.records import Scope
from fondaco.gateway.faults import (
    AHEAD,
    BAD_KEY,
    BAD_KEY_FORMAT,
    BAD_SIGNATURE,
    OUTSIDE_WINDOW,
    Fault,
    bad_characters,
    mandatory,
)
from fondaco.identity import signatures
from fondaco.identity.networks import Network, contains
from fondaco.identity.selectors import KeyGrant, MemberSession
from fondaco.identity.signatures import KEY_BYTES_MAX, Proof, Unfit

__all__ = ["Caller", "Keys", "Sessions", "check_window", "split_signature"]

RELOAD_S: Final = 1.0  # an unknown key makes the keys be read again, at most this often
LAST_WORDS_S: Final = 1.0  # a frozen account's orders are cancelled by the next command
_KEY: Final = re.compile(rb"[A-Za-z0-9_-]{1,%d}" % KEY_BYTES_MAX)


class Caller(NamedTuple):
    """Who asks, as far as the routes need it. `key` 0 = a signed-in person."""

    account: int
    key: int
    member: int
    scopes: int
    order_limit_10s: int
    order_limit_1d: int
    weight_limit_1m: int
    proof: Proof | None
    session: str = ""  # of a signed-in person
    addresses: tuple[Network, ...] = ()  # none = from anywhere
    expires_us: int = 0  # 0 = never
    is_ed25519: bool = False

    def may_come(self, address: str, now_us: int) -> bool:
        """Whether its key is good at this time and from there."""
        if self.expires_us and now_us >= self.expires_us:
            return False
        return not self.addresses or contains(self.addresses, address)


def caller_of(grant: KeyGrant) -> Caller:
    proof = signatures.proof_of(secret=grant.secret, public_key=grant.public_key)
    return Caller(
        account=grant.account,
        key=grant.number,
        member=grant.member,
        scopes=grant.scopes,
        order_limit_10s=grant.order_limit_10s,
        order_limit_1d=grant.order_limit_1d,
        weight_limit_1m=grant.weight_limit_1m,
        proof=proof,
        addresses=grant.addresses,
        expires_us=grant.expires_us,
        is_ed25519=not grant.secret,
    )


class Keys:
    """The live API keys by their text.

    `load_all` and `load_one` are identity's selectors; they are called in threads.
    """

    def __init__(
        self,
        load_all: Callable[[], list[KeyGrant]],
        load_one: Callable[[int], KeyGrant | None],
    ) -> None:
        self._load_all = load_all
        self._load_one = load_one
        self._by_text: dict[bytes, Caller] = {}
        self._text_by_number: dict[int, bytes] = {}
        self._revoked: set[int] = set()
        self._frozen: dict[int, float] = {}  # account -> monotonic time at which its streams end
        self._reloaded_at = float("-inf")
        self._reloading: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._by_text)

    def get(self, text: bytes) -> Caller | None:
        """Return the caller of a key that is known already."""
        return self._by_text.get(text)

    def holds(self, number: int) -> bool:
        """Whether the key of that number is live."""
        return number in self._text_by_number

    def may_listen(self, number: int, now_us: int) -> bool:
        """Whether user streams of a key may go on: live, in its time, its account not frozen."""
        caller = self._by_text.get(self._text_by_number.get(number, b""))
        if caller is None or (caller.expires_us and now_us >= caller.expires_us):
            return False
        ends_at = self._frozen.get(caller.account)
        return ends_at is None or time.monotonic() < ends_at

    def freeze(self, account: int, *, frozen: bool) -> None:
        """Note that an account is frozen or no more; its streams still tell what was cancelled."""
        if frozen:
            self._frozen.setdefault(account, time.monotonic() + LAST_WORDS_S)
        else:
            self._frozen.pop(account, None)

    async def find(self, text: bytes) -> Caller | None:
        """Return the caller of a key, reading the keys again if it is new; None if unknown."""
        caller = self._by_text.get(text)
        if caller is None and 0 < len(text) <= KEY_BYTES_MAX:
            await self.reload()
            caller = self._by_text.get(text)
        return caller

    async def reload(self, *, at_once: bool = False) -> None:
        """Read all keys, at most once in RELOAD_S; callers at the same time share one reading."""
        if self._reloading is not None:
            await asyncio.shield(self._reloading)
            return
        now = time.monotonic()
        if not at_once and now - self._reloaded_at < RELOAD_S:
            return
        self._reloaded_at = now
        self._reloading = asyncio.get_running_loop().create_task(self._read_all())
        try:
            await asyncio.shield(self._reloading)
        finally:
            self._reloading = None

    async def _read_all(self) -> None:
        for grant in await asyncio.to_thread(self._load_all):
            self._put(grant)

    def _put(self, grant: KeyGrant) -> None:
        if grant.number in self._revoked:
            return
        text = grant.key.encode()
        self._by_text[text] = caller_of(grant)
        self._text_by_number[grant.number] = text

    def revoke(self, number: int) -> None:
        """Forget a key for ever: numbers are never used twice."""
        self._revoked.add(number)
        text = self._text_by_number.pop(number, None)
        if text is not None:
            del self._by_text[text]

    async def granted(self, number: int) -> None:
        """Read one key that the core has just granted (its row may be marked a moment later)."""
        grant = await asyncio.to_thread(self._load_one, number)
        if grant is not None:
            self._put(grant)


def split_signature(query: bytes, body: bytes) -> tuple[bytes, bytes]:
    """Return (the signed bytes, the signature): query + body, without the signature parameter.

    Raises Fault, 401, where there is none.
    """
    found = signatures.split_signature(query, body)
    if found is not None:
        return found
    fault = mandatory("signature")
    raise Fault(fault.code, fault.text, status=401)


def check_proof(caller: Caller, payload: bytes, signature: bytes) -> None:
    """Raise Fault, 401, unless the signature is the key's over those bytes."""
    if caller.proof is None or not caller.proof(payload, signature):
        raise Fault(*BAD_SIGNATURE, status=401)


def check_window(timestamp: str | None, window: str | None, *clocks_us: int) -> None:
    """Raise Fault unless the timestamp is fresh by one of the clocks."""
    unfit = signatures.unfit_window(timestamp, window, *clocks_us)
    if unfit is not None:
        raise _window_fault(unfit)


def _window_fault(unfit: Unfit) -> Fault:
    if unfit is Unfit.NO_TIMESTAMP:
        return mandatory("timestamp")
    if unfit is Unfit.TIMESTAMP:
        return bad_characters("timestamp", "^[0-9]{1,20}$")
    if unfit is Unfit.WINDOW:
        return bad_characters("recvWindow")
    if unfit is Unfit.WINDOW_TOO_LONG:
        return Fault(-1131, "'recvWindow' must be less than 60000.")
    return Fault(*(AHEAD if unfit is Unfit.AHEAD else OUTSIDE_WINDOW))


class Sessions:
    """Signed-in people, by their session cookie."""

    def __init__(
        self,
        load: Callable[[str], MemberSession | None],
        *,
        session_cookie: str,
        csrf_cookie: str,
        origins: frozenset[str],
    ) -> None:
        self._load = load
        self._session_cookie = session_cookie
        self._csrf_cookie = csrf_cookie
        self._origins = origins
        self._schemes = {urlsplit(each).scheme for each in origins} or {"http"}

    async def find(
        self, method: str, headers: dict[bytes, bytes], *, same_origin: bool = False
    ) -> Caller | None:
        """Return who is signed in, or None without a live session.

        Raises Fault, 403, where a request that changes something (or, with `same_origin`, any)
        doesn't come from the house's own pages.
        """
        cookies = parse_cookie(headers.get(b"cookie", b"").decode("latin-1"))
        key = cookies.get(self._session_cookie, "")
        if not key:
            return None
        if method != "GET":
            self._check_csrf(cookies, headers)
        if method != "GET" or same_origin or b"origin" in headers:
            self.check_origin(headers)
        return await self.caller_of(key)

    async def caller_of(self, key: str) -> Caller | None:
        """Return who is signed in under a session at this moment, None if nobody."""
        session = await asyncio.to_thread(self._load, key)
        if session is None or not session.account:
            return None
        return Caller(
            account=session.account,
            key=0,
            member=session.member,
            scopes=Scope.READ | Scope.TRADE,
            order_limit_10s=100,
            order_limit_1d=200_000,
            weight_limit_1m=6000,
            proof=None,
            session=key,
        )

    def _check_csrf(self, cookies: dict[str, str], headers: dict[bytes, bytes]) -> None:
        token = cookies.get(self._csrf_cookie, "").encode()
        sent = headers.get(b"x-csrftoken", b"")
        if not token or not hmac.compare_digest(token, sent):
            raise Fault(-1002, "The X-CSRFToken header is not the csrftoken cookie.", status=403)

    def check_origin(self, headers: dict[bytes, bytes]) -> None:
        """Raise Fault, 403, unless the Origin is the house's own or that of the address asked."""
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        asked = {f"{scheme}://{host}" for scheme in self._schemes} if host else set()
        if origin in self._origins or origin in asked:
            return
        raise Fault(-1002, f"The origin {origin[:100]!r} is not this house's.", status=403)


def bad_key(text: bytes) -> Fault:
    """Return the refusal of a key that is missing, malformed or unknown."""
    return Fault(*(BAD_KEY if _KEY.fullmatch(text) else BAD_KEY_FORMAT), status=401)
