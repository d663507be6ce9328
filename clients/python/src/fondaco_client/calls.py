"""What a call is: one request, how its answer is read, and whether it may be sent twice.

Promises: each route of the house is written once, as a method that returns a Call; on a blocking
client calling it gives the answer, on an asyncio client an awaitable of it, and type checkers see
which. Numbers go out as exact decimal text; a float is refused. Nothing here sends anything.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeAlias, TypeVar, overload
from urllib.parse import urlencode

import msgspec

from fondaco_client.errors import Unreadable

__all__ = [
    "Amount",
    "Async",
    "Call",
    "Group",
    "Proof",
    "Request",
    "Sync",
    "decimal_of",
    "get",
    "post",
    "reading",
    "route",
]

Amount: TypeAlias = Decimal | int | str  # decimal text; never a float

P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K")


def decimal_of(name: str, value: Amount) -> Decimal:
    """Return a number exactly. Raises TypeError for a float, ValueError for what is no number."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise TypeError(
            f"{name} is {value!r}, a {type(value).__name__}; give a Decimal, an int or text, "
            "so that it stays exact: Decimal(str(x)) is what a float shows"
        )
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{name} is {value!r}; write a decimal number like 20.55") from None
    if not found.is_finite():
        raise ValueError(f"{name} is {value!r}; only finite numbers can be sent")
    return found


def decimal_text(name: str, value: Amount) -> str:
    """Return a number as the wire's text, without an exponent."""
    return f"{decimal_of(name, value):f}"


class Proof(Enum):
    """What a request has to prove."""

    NOTHING = "nothing"
    KEY = "key"  # the API key's name alone
    OWN = "own"  # a signature or a token


@dataclass(frozen=True)
class Request:
    """A request without its proof. `query` is encoded; `body` is JSON or empty."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    proof: Proof = Proof.NOTHING


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request and the reading of its answer.

    is_repeatable: sending it twice has the effect of sending it once.
    after_duplicate: what to ask when a second try hears that the first one had arrived.
    """

    request: Request
    read: Callable[[bytes], T]
    is_repeatable: bool = False
    after_duplicate: Call[T] | None = None


def reading(shape: type[T]) -> Callable[[bytes], T]:
    """Return the reader of a shape; numbers in text or JSON become Decimal exactly."""
    decode = msgspec.json.Decoder(shape).decode

    def read(body: bytes) -> T:
        try:
            return decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable(f"the answer is no {shape}: {error}") from error

    return read


def text_of(body: bytes) -> str:
    """Read an answer that is text."""
    return body.decode()


def nothing_of(_body: bytes) -> None:
    """Read nothing of an answer."""


def encoded(words: Mapping[str, object]) -> str:
    """Return the query of those that aren't None; booleans are true and false, lists repeat."""
    found: dict[str, str | list[str]] = {}
    for name, value in words.items():
        if isinstance(value, bool):
            found[name] = "true" if value else "false"
        elif isinstance(value, list):
            found[name] = [str(each) for each in value]
        elif value is not None:
            found[name] = str(value)
    return urlencode(found, doseq=True)


def get(
    path: str,
    read: Callable[[bytes], T],
    *,
    proof: Proof = Proof.OWN,
    query: Mapping[str, object] | None = None,
) -> Call[T]:
    """Return a read."""
    return Call(Request("GET", path, encoded(query or {}), proof=proof), read, is_repeatable=True)


def post(
    path: str,
    read: Callable[[bytes], T],
    body: Mapping[str, object] | None = None,
    *,
    method: str = "POST",
    is_repeatable: bool = False,
) -> Call[T]:
    """Return a write of the native API: its body is JSON, without what is None."""
    kept = {name: value for name, value in (body or {}).items() if value is not None}
    request = Request(
        method, path, body=msgspec.json.encode(kept) if kept else b"", proof=Proof.OWN
    )
    return Call(request, read, is_repeatable=is_repeatable)


class Sync:
    """What asks and waits."""

    def ask(self, call: Call[T]) -> T:
        """Return the answer."""
        raise NotImplementedError


class Async:
    """What asks within asyncio."""

    async def ask(self, call: Call[T]) -> T:
        """Return the answer."""
        raise NotImplementedError


class Asking(Protocol):
    """Both of them."""

    def ask(self, call: Call[Any], /) -> Any: ...  # noqa: ANN401 - an answer, or an awaitable of it


class Group(Generic[K]):
    """Routes of one subject, on one client."""

    def __init__(self, asker: Asking) -> None:
        self._asker = asker


class route(Generic[P, T]):  # noqa: N801 - a decorator
    """Make a method that returns a Call one that returns its answer."""

    def __init__(self, build: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, group: None, kind: type) -> route[P, T]: ...
    @overload
    def __get__(self, group: Group[Sync], kind: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, group: Group[Async], kind: type) -> Callable[P, Coroutine[Any, Any, T]]: ...

    def __get__(self, group: Group[Any] | None, kind: type) -> object:
        """Return the method as the group's client calls it."""
        if group is None:
            return self

        @functools.wraps(self._build)
        def ask(*args: P.args, **kwargs: P.kwargs) -> object:
            return group._asker.ask(self._build(group, *args, **kwargs))  # noqa: SLF001 - its own

        return ask

    def call(self, group: Group[Any], *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        """Return the Call itself, to be asked elsewhere."""
        return self._build(group, *args, **kwargs)
