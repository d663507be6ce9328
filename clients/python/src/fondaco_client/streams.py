"""The house's streams: what is told, and how a stream is kept up. The same for both clients.

A stream is a generator like a call's flow (flow.py): it yields what is to be done and is sent texts
or replies; a driver (clients.py) does it. StreamBroken is thrown in where a connection ends.

Promises: a stream connects again by itself, with growing pauses, until its reader leaves; only a
refusal ends it. After each connection comes what the reader needs to go on from: Connected (take
new reads, something may have been missed), a new AccountSnapshot, or a book loaded anew. A book has
no gap in its sequence.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeAlias, TypeVar, overload

import msgspec

from fondaco_client.calls import Async, Group, Proof, Sync, get, reading
from fondaco_client.credentials import ApiKey, Ed25519Key, Token
from fondaco_client.errors import (
    FondacoError,
    NotExecuted,
    NotSent,
    OutcomeUnknown,
    StreamEnded,
    TooManyRequests,
    refusal_of,
)
from fondaco_client.flow import Ask, House, Pause, settle
from fondaco_client.shapes import AccountBalances, Balance, Dashboard, Depth, Level, Order

__all__ = [
    "AccountSnapshot",
    "BalancesTold",
    "Book",
    "Connected",
    "Event",
    "OrderTold",
    "StreamBroken",
    "Streams",
    "TradeTold",
]

E = TypeVar("E")
P = ParamSpec("P")
K = TypeVar("K")
PAUSE_S_MAX: Final = 10.0
FIRST_PAUSE_S: Final = 0.2
DEPTH_LEVELS: Final = 1000


class StreamBroken(FondacoError):
    """A connection that ended; a driver throws it into the stream, which connects again."""


# What passes: the house is away, starts, or asks for patience.
NOT_NOW: Final = (StreamBroken, NotSent, OutcomeUnknown, NotExecuted, TooManyRequests)


# ---- what a stream asks its driver for


@dataclass(frozen=True)
class Connect:
    """Open this WebSocket, in place of the one before."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Say:
    """Send this text."""

    text: str


@dataclass(frozen=True)
class Hear:
    """Send back the next text."""


@dataclass(frozen=True)
class Tell(Generic[E]):
    """Hand this to the reader."""

    event: E


Step: TypeAlias = Connect | Say | Hear | Tell[E] | Ask | Pause
Stream: TypeAlias = Generator[Step[E], Any, None]


# ---- what a reader gets


class Connected(msgspec.Struct, frozen=True):
    """The stream flows from here on; what happened before it is to be read."""


class TradeTold(msgspec.Struct, frozen=True, kw_only=True):
    """A public trade as it happens."""

    symbol: str = msgspec.field(name="s")
    trade_id: int = msgspec.field(name="t")
    price: Decimal = msgspec.field(name="p")
    quantity: Decimal = msgspec.field(name="q")
    time_ms: int = msgspec.field(name="T")
    buyer_is_maker: bool = msgspec.field(name="m")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Any other event, in the wire's own words: its stream and its content."""

    stream: str
    content: dict[str, Any]


class OrderTold(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an own order; `execution` says what happened (NEW, TRADE, CANCELED, …)."""

    symbol: str = msgspec.field(name="s")
    order_id: int = msgspec.field(name="i")
    client_order_id: str = msgspec.field(name="c")
    side: str = msgspec.field(name="S")
    order_type: str = msgspec.field(name="o")
    execution: str = msgspec.field(name="x")
    status: str = msgspec.field(name="X")
    price: Decimal = msgspec.field(name="p")
    quantity: Decimal = msgspec.field(name="q")
    filled_quantity: Decimal = msgspec.field(name="z")
    filled_quote: Decimal = msgspec.field(name="Z")
    last_price: Decimal = msgspec.field(name="L")
    last_quantity: Decimal = msgspec.field(name="l")
    fee: Decimal = msgspec.field(name="n")
    fee_asset: str | None = msgspec.field(name="N")
    trade_id: int = msgspec.field(name="t")
    is_maker: bool = msgspec.field(name="m")
    time_ms: int = msgspec.field(name="T")
    wait: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.status in {"NEW", "PARTIALLY_FILLED"}


class BalanceTold(msgspec.Struct, frozen=True, kw_only=True):
    asset: str = msgspec.field(name="a")
    free: Decimal = msgspec.field(name="f")
    held: Decimal = msgspec.field(name="l")


class BalancesTold(msgspec.Struct, frozen=True, kw_only=True):
    """The balances that a command changed, as they are after it."""

    balances: tuple[BalanceTold, ...] = msgspec.field(name="B")
    time_ms: int = msgspec.field(name="u")


class AccountSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Where an account stands at the beginning of a connection; later events may be in it."""

    balances: tuple[Balance, ...]
    open_orders: tuple[Order, ...]


@dataclass
class Book:
    """A live copy of an order book: it goes on changing while its stream is read."""

    symbol: str
    last_update_id: int = -1
    _bids: dict[Decimal, Decimal] = field(default_factory=dict)
    _asks: dict[Decimal, Decimal] = field(default_factory=dict)

    @property
    def bids(self) -> list[Level]:
        """Levels of buyers, best first."""
        return [Level(*each) for each in sorted(self._bids.items(), reverse=True)]

    @property
    def asks(self) -> list[Level]:
        """Levels of sellers, best first."""
        return [Level(*each) for each in sorted(self._asks.items())]

    def load(self, depth: Depth) -> None:
        """Begin anew from a read."""
        self.last_update_id = depth.last_update_id
        self._bids = {each.price: each.quantity for each in depth.bids}
        self._asks = {each.price: each.quantity for each in depth.asks}

    def take(self, change: _Change) -> bool:
        """Take a change; False if one is missing before it."""
        if change.last <= self.last_update_id:
            return True
        if change.first > self.last_update_id + 1:
            return False
        for levels, kept in ((change.bids, self._bids), (change.asks, self._asks)):
            for price, quantity in levels:
                if quantity:
                    kept[price] = quantity
                else:
                    kept.pop(price, None)
        self.last_update_id = change.last
        return True


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    first: int = msgspec.field(name="U")
    last: int = msgspec.field(name="u")
    bids: tuple[tuple[Decimal, Decimal], ...] = msgspec.field(name="b")
    asks: tuple[tuple[Decimal, Decimal], ...] = msgspec.field(name="a")


class _Combined(msgspec.Struct, frozen=True):
    stream: str
    data: msgspec.Raw


class _OwnEvent(msgspec.Struct, frozen=True):
    id: int | None = None
    status: int = 0
    event: msgspec.Raw = msgspec.Raw(b"")  # `Raw | None` would read nothing but null


class _Kind(msgspec.Struct, frozen=True):
    e: str = ""


OwnEvent: TypeAlias = AccountSnapshot | OrderTold | BalancesTold | Event
_read_combined = reading(_Combined)
_read_change = reading(_Change)
_read_own = reading(_OwnEvent)
_kind_of = reading(_Kind)
_read_trade = reading(TradeTold)
_words_of = reading(dict[str, Any])
_read_dashboard = reading(Dashboard)
_OWN: Final[dict[str, Callable[[bytes], OrderTold | BalancesTold]]] = {
    "executionReport": reading(OrderTold),
    "outboundAccountPosition": reading(BalancesTold),
}


# ---- how a stream is kept up


class _Tries:
    """How many connections ended before they told anything."""

    count = 0


def _kept_up(connection: Callable[[_Tries], Stream[E]]) -> Stream[E]:
    """Connect again and again; pauses grow until something was heard."""
    tries = _Tries()
    while True:
        try:
            yield from connection(tries)
        except NOT_NOW:
            tries.count += 1
        yield Pause(min(FIRST_PAUSE_S * 2.0 ** min(tries.count, 10), PAUSE_S_MAX))


def _hear(tries: _Tries) -> Generator[Step[Any], Any, bytes]:
    text = yield Hear()
    tries.count = 0
    return bytes(text)


def _address(house: House, path: str) -> str:
    return "ws" + house.base_url.removeprefix("http") + path


def _public(house: House, names: tuple[str, ...]) -> Stream[Connected | TradeTold | Event]:
    def connection(tries: _Tries) -> Stream[Connected | TradeTold | Event]:
        yield Connect(_address(house, f"/stream?streams={'/'.join(names)}"))
        yield Tell(Connected())
        while True:
            told = _read_combined((yield from _hear(tries)))
            content = bytes(told.data)
            if _kind_of(content).e == "trade":
                yield Tell(_read_trade(content))
            else:
                yield Tell(Event(stream=told.stream, content=_words_of(content)))

    return _kept_up(connection)


def _book(house: House, symbol: str) -> Stream[Book]:
    query = {"symbol": symbol, "limit": DEPTH_LEVELS}
    snapshot = get("/api/v3/depth", reading(Depth), proof=Proof.NOTHING, query=query)
    book = Book(symbol)

    def connection(tries: _Tries) -> Stream[Book]:
        yield Connect(_address(house, f"/ws/{symbol.lower()}@depth@100ms"))
        book.load((yield from settle(snapshot, house)))
        yield Tell(book)
        while book.take(_read_change((yield from _hear(tries)))):
            yield Tell(book)

    return _kept_up(connection)


def _own(house: House) -> Stream[OwnEvent]:
    balances = get("/api/v3/account", reading(AccountBalances), query={"omitZeroBalances": True})
    orders = get("/api/v3/openOrders", reading(tuple[Order, ...]))

    def connection(tries: _Tries) -> Stream[OwnEvent]:
        if house.ahead_us is None:
            yield from settle(orders, house)  # asks for the time, and whether the key is good
        yield Connect(_address(house, "/ws-api/v3"))
        yield Say(_subscription(house))
        answer = b""
        while _read_own(answer or b"{}").id != 1:
            answer = yield from _hear(tries)
        status = _read_own(answer).status
        if status != 200:
            error = _words_of(answer).get("error")
            raise refusal_of(status, msgspec.json.encode(error))
        account = yield from settle(balances, house)
        found = yield from settle(orders, house)
        yield Tell(AccountSnapshot(balances=account.balances, open_orders=found))
        while True:
            told = bytes(_read_own((yield from _hear(tries))).event)
            if told:
                yield Tell(_own_event(told))

    return _kept_up(connection)


def _dashboard(house: House) -> Stream[Dashboard]:
    def connection(tries: _Tries) -> Stream[Dashboard]:
        if not isinstance(house.credentials, Token):
            raise TypeError("a dashboard's stream wants a token: Token")
        headers = dict([house.credentials.header()])
        yield Connect(_address(house, "/ws/dashboard"), headers)
        while True:
            yield Tell(_read_dashboard((yield from _hear(tries))))

    return _kept_up(connection)


def _subscription(house: House) -> str:
    """Return the request that subscribes to an account's own events."""
    credentials = house.credentials
    if not isinstance(credentials, ApiKey | Ed25519Key):
        raise TypeError("an account's own stream wants an API key: ApiKey or Ed25519Key")
    stamp = house.timestamp_ms
    signature = credentials.sign(f"apiKey={credentials.key}&timestamp={stamp}".encode())
    words = {"apiKey": credentials.key, "timestamp": stamp, "signature": signature}
    request = {"id": 1, "method": "userDataStream.subscribe.signature", "params": words}
    return msgspec.json.encode(request).decode()


def _own_event(content: bytes) -> OwnEvent:
    kind = _kind_of(content).e
    if kind == "eventStreamTerminated":
        raise StreamEnded("the house ended the stream: the key may listen no more")
    read = _OWN.get(kind)
    return read(content) if read else Event(stream="user", content=_words_of(content))


# ---- the group


class streaming(Generic[P, E]):  # noqa: N801 - a decorator
    """Make a method that returns a Stream one that iterates over its events."""

    def __init__(self, build: Callable[Concatenate[Any, P], Stream[E]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, group: None, kind: type) -> streaming[P, E]: ...
    @overload
    def __get__(self, group: Group[Sync], kind: type) -> Callable[P, Generator[E, None, None]]: ...
    @overload
    def __get__(self, group: Group[Async], kind: type) -> Callable[P, AsyncGenerator[E, None]]: ...

    def __get__(self, group: Group[Any] | None, kind: type) -> object:
        """Return the method as the group's client calls it."""
        if group is None:
            return self

        @functools.wraps(self._build)
        def follow(*args: P.args, **kwargs: P.kwargs) -> object:
            asker: Any = group._asker  # noqa: SLF001 - its own
            return asker.follow(self._build(group, *args, **kwargs))

        return follow


class Streams(Group[K]):
    """`client.streams`: iterators that connect again by themselves.

    Leaving the loop closes a waiting client's stream; on asyncio contextlib.aclosing does it at
    once, the client's close() at last.
    """

    def __init__(self, asker: Any, house: House) -> None:  # noqa: ANN401 - as Group's
        super().__init__(asker)
        self._house = house

    @streaming
    def public(self, *names: str) -> Stream[Connected | TradeTold | Event]:
        """Yield what public streams tell, like "btcusdt@trade", "btcusdt@kline_1m", "cib@quote".

        Trades are TradeTold, all else Event in the wire's words. Connected comes first and after
        each new connection: something may have been missed before it.
        """
        return _public(self._house, names)

    @streaming
    def book(self, symbol: str) -> Stream[Book]:
        """Yield a live copy of a book, the same object each time, whenever it changed."""
        return _book(self._house, symbol)

    @streaming
    def dashboard(self) -> Stream[Dashboard]:
        """Yield the member's dashboard now, and again within a second of each report.

        `hourly` has the newest hours only; strategies.dashboard() tells the others. Wants a token
        with the scope `read` of a member whose membership lasts: else Unauthorised or Forbidden,
        also when that ends on the way.
        """
        return _dashboard(self._house)

    @streaming
    def own(self) -> Stream[OwnEvent]:
        """Yield an account's own events: OrderTold, BalancesTold, Event; an AccountSnapshot first.

        A snapshot comes after each new connection; events behind it may be part of it already.
        Wants an API key with the scope `read`. Raises StreamEnded when the key ends.
        """
        return _own(self._house)
