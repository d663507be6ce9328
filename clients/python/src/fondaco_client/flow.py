"""How a call becomes an answer: time, signature, tries, pauses. It is the same for both clients.

A flow is a generator: it yields what is to be done (Ask, Pause) and is sent the reply, or thrown
NotSent or OutcomeUnknown where none came. A driver (clients.py) does the doing and nothing else.

Promises: a request is sent again only if it surely was not carried out, or if doing it twice has
the effect of doing it once. An order whose first sending went unanswered is found by its client
order id. Pauses grow, are spread by chance, follow Retry-After, and end at `patience_s`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

from fondaco_client.calls import Call, Proof, Request, get, reading
from fondaco_client.credentials import ApiKey, Credentials, Ed25519Key, Token, signed_query
from fondaco_client.errors import (
    DuplicateOrder,
    FondacoError,
    NotExecuted,
    NotSent,
    OutcomeUnknown,
    OutsideWindow,
    Refused,
    TooManyRequests,
    refusal_of,
)
from fondaco_client.shapes import ServerTime

__all__ = ["Ask", "Flow", "House", "Pause", "Reply", "Retrying", "settle"]

T = TypeVar("T")
TIME: Final = get("/api/v3/time", reading(ServerTime), proof=Proof.NOTHING)
MS_US: Final = 1000
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Ask:
    """Send this, and send back the Reply."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Pause:
    """Wait so long."""

    seconds: float


@dataclass(frozen=True)
class Reply:
    """An answer as it came."""

    status: int
    body: bytes
    retry_after: str = ""


Flow: TypeAlias = Generator[Ask | Pause, Reply | None, T]


@dataclass(frozen=True)
class Retrying:
    """How stubborn a client is: at most so many tries, in at most so many seconds."""

    tries_max: int = 5
    first_pause_s: float = 0.25
    pause_s_max: float = 10.0
    patience_s: float = 60.0

    def pause_s(self, tries: int, fault: FondacoError) -> float:
        """Return the pause after so many tries: what the house asked for, or a growing one."""
        asked = fault.retry_after_s if isinstance(fault, Refused) else 0.0
        grown = min(self.first_pause_s * 2.0 ** (tries - 1), self.pause_s_max)
        return max(asked, grown * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


@dataclass
class House:
    """What a client knows of its house: address, credentials, and how far its clock is ahead."""

    base_url: str
    credentials: Credentials | None = None
    strategy_token: str = ""
    retrying: Retrying = field(default_factory=Retrying)
    plain_http: bool = False
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000
    ahead_us: int | None = None  # of this machine's clock; None = not asked yet

    def __post_init__(self) -> None:
        """Check the address. Raises ValueError."""
        self.base_url = self.base_url.rstrip("/")
        address = urlsplit(self.base_url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise ValueError(f"the house's address is {self.base_url!r}; write https://host[:port]")
        proves = self.credentials is not None or self.strategy_token
        is_open = address.scheme == "http" and address.hostname not in LOOPBACK
        if is_open and proves and not self.plain_http:
            raise ValueError(
                f"{self.base_url} would carry credentials unencrypted; use https, or say "
                "plain_http=True on a network of your own"
            )

    def __repr__(self) -> str:
        return f"House({self.base_url!r})"

    @property
    def timestamp_ms(self) -> int:
        """The house's time, as far as it is known."""
        return (self.now_us() + (self.ahead_us or 0)) // MS_US

    @property
    def signs(self) -> bool:
        """Whether its requests carry a time."""
        return isinstance(self.credentials, ApiKey | Ed25519Key)

    def prove(self, request: Request) -> Ask:
        """Return what is sent: with its proof, as its route asks for it."""
        headers = {"Accept": "application/json"}
        query = request.query
        if request.body:
            headers["Content-Type"] = "application/json"
        if request.proof is not Proof.NOTHING and self.credentials is not None:
            name, value = self.credentials.header()
            headers[name] = value
            if request.proof is Proof.OWN and not isinstance(self.credentials, Token):
                query = f"{query}&" if query else ""
                query += f"timestamp={self.timestamp_ms}"
                query = signed_query(self.credentials, query, request.body)
        url = f"{self.base_url}{request.path}"
        return Ask(request.method, f"{url}?{query}" if query else url, headers, request.body)


def settle(call: Call[T], house: House) -> Flow[T]:
    """Ask until there is an answer, or no sense in going on. Raises FondacoError."""
    needs_time = call.request.proof is Proof.OWN and house.signs
    may_tell_time = needs_time
    was_lost = False
    waited_s = 0.0
    tries = 0
    while True:
        tries += 1
        fault: FondacoError
        try:
            if needs_time and house.ahead_us is None:
                yield from _learn_time(house)
            reply = yield Ask(**vars(house.prove(call.request)))
        except (NotSent, OutcomeUnknown, Refused) as error:
            fault = error
        else:
            assert reply is not None
            if 200 <= reply.status < 300:
                return call.read(reply.body)
            fault = refusal_of(reply.status, reply.body, reply.retry_after)
        if isinstance(fault, OutsideWindow) and may_tell_time:
            may_tell_time = False
            house.ahead_us = None
            continue
        if isinstance(fault, DuplicateOrder) and was_lost and call.after_duplicate is not None:
            return (yield from settle(call.after_duplicate, house))
        was_lost = was_lost or isinstance(fault, OutcomeUnknown)
        pause_s = house.retrying.pause_s(tries, fault)
        if not _may_repeat(call, fault) or not _has_patience(
            house.retrying, tries, waited_s + pause_s
        ):
            if was_lost and not isinstance(fault, OutcomeUnknown) and not call.is_repeatable:
                raise OutcomeUnknown(
                    f"an earlier try went unanswered; the last one: {fault}"
                ) from fault
            raise fault
        yield Pause(pause_s)
        waited_s += pause_s


def _may_repeat(call: Call[T], fault: FondacoError) -> bool:
    if isinstance(fault, NotSent | NotExecuted | TooManyRequests):
        return True
    return isinstance(fault, OutcomeUnknown) and (
        call.is_repeatable or call.after_duplicate is not None
    )


def _has_patience(retrying: Retrying, tries: int, waited_s: float) -> bool:
    return tries < retrying.tries_max and waited_s <= retrying.patience_s


def _learn_time(house: House) -> Flow[None]:
    """Ask for the house's time; it is taken to be that of the middle of the round trip.

    Raises NotSent where no answer came: what needs the time wasn't sent.
    """
    sent_us = house.now_us()
    try:
        reply = yield Ask(**vars(house.prove(TIME.request)))
    except OutcomeUnknown as error:
        raise NotSent(f"the house didn't tell its time: {error}") from error
    came_us = house.now_us()
    assert reply is not None
    if reply.status != 200:
        raise refusal_of(reply.status, reply.body, reply.retry_after)
    told_us = TIME.read(reply.body).server_time * MS_US
    house.ahead_us = told_us - (sent_us + came_us) // 2
