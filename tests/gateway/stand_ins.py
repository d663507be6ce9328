"""A house within one process: the real core behind a writer's client that answers at once.

Promises: EVENTS come before the answer, as from the real writer; history is empty unless a test
puts rows in, so that what a read finds comes from memory. No sockets, no disk, no SQL.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlencode

from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    AccountBody,
    AssetBody,
    Command,
    InstrumentBody,
    Scope,
    pack,
    pack_body,
)
from fondaco.gateway.app import Gateway
from fondaco.gateway.auth import caller_of
from fondaco.house.declared import House, HouseSettings
from fondaco.identity.selectors import KeyGrant
from fondaco.link.answers import Answer, LinkError
from fondaco.link.client import Sink
from fondaco.projections import candles, quotes, selectors
from fondaco.projections.bars import Bar
from fondaco.strategies.reports import Incoming

ANN: Final = 16
BOB: Final = 17
BTC, ETH, USDT = 1, 2, 3
START_US: Final = 1_790_000_000_000_000


class LoopWriter:
    """A WriterClient whose writer is an Exchange in this process."""

    def __init__(self) -> None:
        self.exchange = Exchange()
        self.writer_seq = 0
        self.connected = True
        self.time_us = START_US
        self.seq = 0
        self.commits: list[tuple[int, bytes]] = []
        self.fault: LinkError | None = None
        self._on_events: Callable[[int, bytes], None] | None = None
        self._on_cursor: Callable[[int], None] | None = None

    def submit(self, record: bytes) -> asyncio.Future[bytes]:
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if self.fault is not None:
            future.set_exception(self.fault)
        else:
            future.set_result(self.commit(record))
        return future

    def send(self, record: bytes, sink: Sink) -> None:
        if self.fault is not None:
            sink.set_exception(self.fault)
        else:
            sink.set_result(self.commit(record))

    def commit(self, record: bytes) -> bytes:
        """Carry out one command as the writer would."""
        batch = bytearray(record)
        self.time_us += 1000
        self.seq += self.exchange.stamp(batch, self.seq + 1, self.time_us)
        events: bytes = self.exchange.apply(bytes(batch))
        self.commits.append((self.seq, events))
        if self._on_events is not None:
            self._on_events(self.seq, events)
        return events

    def query(self, record: bytes) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if self.fault is not None:
            future.set_exception(self.fault)
        else:
            future.set_result(Answer(self.seq, self.exchange.query(record)))
        return future

    def subscribe(
        self,
        from_seq: int,
        on_events: Callable[[int, bytes], None],
        on_cursor: Callable[[int], None] | None = None,
    ) -> None:
        self._on_events = on_events
        self._on_cursor = on_cursor
        for seq, events in self.commits:
            if seq >= from_seq:
                on_events(seq, events)

    def say_cursor(self, seq: int) -> None:
        assert self._on_cursor is not None
        self._on_cursor(seq)

    async def advance_clock(self, by_us: int) -> int:
        self.time_us += by_us
        self.commit(pack(Command.ADVANCE))
        return self.seq


def define(writer: LoopWriter) -> None:
    """Make a small house: two markets, two members with funds, four keys."""
    for number, code in ((BTC, "BTC"), (ETH, "ETH"), (USDT, "USDT")):
        writer.commit(
            pack_body(Command.DEFINE_ASSET, AssetBody(number=number, code=code, decimals=8))
        )
    for number, symbol, base, lot, per_lot in (
        (1, "BTCUSDT", BTC, "0.00001", 1_000),
        (2, "ETHUSDT", ETH, "0.0001", 10_000),
    ):
        body = InstrumentBody(
            number=number,
            symbol=symbol,
            base=base,
            quote=USDT,
            tick_size="0.01",
            lot_size=lot,
            base_per_lot=per_lot,
            quote_per_lot_tick=per_lot // 100,
            maker_fee_ppm=1000,
            taker_fee_ppm=1000,
            min_notional=5 * 10**8,
            max_open_orders=0,
        )
        writer.commit(pack_body(Command.DEFINE_INSTRUMENT, body))
    for account in (ANN, BOB):
        opening = [(BTC, 10**8 * 10**5), (ETH, 10**8 * 10**5), (USDT, 10**8 * 10**9)]
        writer.commit(
            pack_body(
                Command.OPEN_ACCOUNT,
                AccountBody(member=account, opening=opening),
                account=account,
            )
        )
    for grant in GRANTS:
        writer.commit(
            pack(
                Command.GRANT_KEY,
                account=grant.account,
                key_number=grant.number,
                scopes=grant.scopes,
            )
        )


def _grant(number: int, name: str, account: int, scopes: int, **limits: int) -> KeyGrant:
    return KeyGrant(
        number=number,
        key=f"{name}Key",
        secret=f"{name}-secret",
        public_key="",
        account=account,
        member=account,
        scopes=scopes,
        order_limit_10s=limits.get("order_limit_10s", 0),
        order_limit_1d=0,
        weight_limit_1m=limits.get("weight_limit_1m", 0),
    )


READ_TRADE: Final = int(Scope.READ | Scope.TRADE)
GRANTS: Final = [
    _grant(1, "ann", ANN, READ_TRADE),
    _grant(2, "bob", BOB, READ_TRADE),
    _grant(3, "annReader", ANN, int(Scope.READ)),
    _grant(4, "annTrader", ANN, int(Scope.TRADE)),
]


class History:
    """What SQL would answer; empty until a test fills it."""

    def __init__(self) -> None:
        self.cursor = 0
        self.orders: dict[int, selectors.OrderRow] = {}
        self.fills: list[selectors.FillRow] = []
        self.lists: dict[int, selectors.ListRow] = {}
        self.trades: list[selectors.TradeRow] = []
        self.quote_bars: list[quotes.PriceBar] = []
        self.asked: list[str] = []

    async def read(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        self.asked.append(call.__name__)
        if call is selectors.cursor:
            return selectors.CursorRow(self.cursor, START_US)
        if call is selectors.order:
            return self.orders.get(args[0])
        if call is selectors.order_by_client_id:
            return None
        if call is selectors.orders:
            return list(self.orders.values())
        if call is selectors.list_by_client_id:
            return None
        if call is selectors.lists:
            first = options.get("from_id") or 0
            return [row for row in self.lists.values() if row.list_id >= first]
        if call is selectors.my_trades:
            return list(self.fills)
        if call is selectors.trades:
            return [row for row in self.trades if row.trade_id >= options["from_id"]]
        if call is selectors.agg_trades:
            return selectors.aggregate(self.trades)
        if call is quotes.bars:
            return self.quote_bars[-options["limit"] :]
        if call is candles.klines:
            return self._klines(**options)
        assert call.__name__ == "_past", call
        return [], []

    def _klines(self, **options: Any) -> list[Bar]:
        from fondaco.gateway.tape import bar_of
        from fondaco.projections.bars import INTERVALS, fold_bars

        return fold_bars([bar_of(row) for row in options["newer"]], INTERVALS["1m"])


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class SmallHouse:
    """A gateway over a LoopWriter, and the requests of its clients."""

    def __init__(self, gateway: Gateway, writer: LoopWriter, history: History) -> None:
        self.gateway = gateway
        self.writer = writer
        self.history = history

    async def http(
        self,
        method: str,
        path: str,
        *,
        query: bytes = b"",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        client: str = "127.0.0.1",
    ) -> Reply:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        all_headers = {"host": "127.0.0.1:8000", **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query,
            "headers": [
                (name.lower().encode(), value.encode()) for name, value in all_headers.items()
            ],
            "client": (client, 1234),
        }
        await self.gateway(scope, receive, send)
        start, content = sent
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        assert int(found["content-length"]) == len(content["body"])
        return Reply(start["status"], found, content["body"])

    async def get(self, path: str, **parameters: object) -> Reply:
        return await self.http("GET", path, query=urlencode(parameters).encode())

    async def signed(
        self,
        who: str,
        method: str,
        path: str,
        *,
        in_body: bool = False,
        secret: str = "",
        client: str = "127.0.0.1",
        **parameters: Any,
    ) -> Reply:
        """Ask as `who`, one of the grants' names."""
        parameters.setdefault("timestamp", time.time_ns() // 1_000_000)
        payload = urlencode({name: value for name, value in parameters.items() if value != ""})
        key = (secret or f"{who}-secret").encode()
        signature = hmac.new(key, payload.encode(), hashlib.sha256).hexdigest()
        payload = f"{payload}&signature={signature}"
        headers = {"X-MBX-APIKEY": f"{who}Key"}
        if in_body:
            return await self.http(method, path, body=payload.encode(), headers=headers)
        query = payload.encode()
        return await self.http(method, path, query=query, headers=headers, client=client)

    async def place(self, who: str, side: str, quantity: str, price: str, **more: Any) -> Any:
        """Place a limit order and return its reply's JSON."""
        parameters: dict[str, Any] = {
            "symbol": "BTCUSDT",
            "side": side,
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": quantity,
            "price": price,
            **more,
        }
        reply = await self.signed(who, "POST", "/api/v3/order", **parameters)
        assert reply.status == 200, reply
        return reply.json


class Terms:
    """identity.listen_keys without SQL."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}

    def terms(self, texts: Iterable[str]) -> dict[str, int]:
        return {text: self.rows[text] for text in texts if text in self.rows}

    def lengthen(self, text: str, until_s: int) -> None:
        if self.rows.get(text, 1):
            self.rows[text] = until_s

    def end(self, text: str) -> None:
        self.rows[text] = 0


class NoReports:
    """A storage of reports that knows no token."""

    def take(self, batch: Sequence[Incoming]) -> list[int]:
        return [0] * len(batch)

    def put_in_place(self) -> None:
        pass


async def small_house(
    *,
    grants: list[KeyGrant] = GRANTS,
    prepare: Callable[[LoopWriter], None] = lambda writer: None,
    **settings: Any,
) -> SmallHouse:
    """Return a gateway that is up, over a small house whose keys are `grants`.

    `prepare` says what happened before the gateway came.
    """
    settings.setdefault("rate_limits", True)
    settings.setdefault("address_limit_1m", 0)
    writer = LoopWriter()
    define(writer)
    prepare(writer)
    history = History()
    gateway = Gateway(writer, House(house=HouseSettings(name="Small", **settings)))
    gateway.edge.read = history.read  # type: ignore[method-assign]
    gateway.listen_keys._terms = Terms()
    gateway._storage = NoReports
    gateway._keys._load_all = lambda: grants
    gateway._keys._load_one = lambda number: next(
        (grant for grant in grants if grant.number == number), None
    )
    await gateway.start(own_process=False)
    return SmallHouse(gateway, writer, history)


def proof_of(name: str) -> Callable[[bytes, bytes], bool]:
    """Return the check of one grant's signatures."""
    proof = caller_of(next(grant for grant in GRANTS if grant.key == f"{name}Key")).proof
    assert proof is not None
    return proof


class Socket:
    """The client's end of one WebSocket to a SmallHouse."""

    def __init__(
        self, house: SmallHouse, path: str, query: bytes = b"", *, client: str = "127.0.0.1"
    ) -> None:
        self._house = house
        self._scope = {
            "type": "websocket",
            "path": path,
            "query_string": query,
            "headers": [(b"host", b"127.0.0.1:8000")],
            "client": (client, 1),
        }
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.out: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._in.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.get_running_loop().create_task(
            self._house.gateway(self._scope, self._in.get, self.out.put)
        )
        accepted = await self.next_message()
        assert accepted["type"] == "websocket.accept", accepted
        return self

    async def __aexit__(self, *_: object) -> None:
        self._in.put_nowait({"type": "websocket.disconnect", "code": 1000})
        assert self._task is not None
        await asyncio.wait_for(self._task, 60)

    async def next_message(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.out.get(), 60)

    async def next(self) -> Any:
        """Return the JSON of the next text."""
        message = await self.next_message()
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        """Return the JSON of the first text that is wanted."""
        while True:
            found = await self.next()
            if wanted(found):
                return found

    def send(self, **message: Any) -> None:
        self._in.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def ask(self, **message: Any) -> Any:
        """Send a message and return the answer with its id."""
        self.send(**message)
        return await self.until(lambda found: found.get("id") == message["id"])


def ws_signed(who: str, **parameters: Any) -> dict[str, Any]:
    """Return parameters of the WebSocket API, signed."""
    parameters.setdefault("timestamp", time.time_ns() // 1_000_000)
    parameters["apiKey"] = f"{who}Key"
    texts = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in parameters.items()
    }
    payload = urlencode(sorted(texts.items()))
    secret = f"{who}-secret".encode()
    parameters["signature"] = hmac.new(secret, payload.encode(), hashlib.sha256).hexdigest()
    return parameters
