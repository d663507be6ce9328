"""The demo's traders against a stand-in house that speaks the public API over a real socket.

The stand-in rests every order and never trades; the real house meets them in the demo's tests.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import WSMsgType, web

from fondaco.robots import simulated
from fondaco.robots.house_client import ApiKey, Refused

KEYS = {role: ApiKey(f"key-{role}", f"secret-{role}") for role in simulated.ROLES}
DEADLINE_S = 60


class StandIn:
    """A house with one instrument; counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()  # method and path
        self.orders: dict[int, dict[str, Any]] = {}
        self.next_id = 1
        self.faults: list[web.Response] = []  # given instead of the next answers to new orders
        self.sockets: set[web.WebSocketResponse] = set()
        self.crossed = False
        self.url = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/v3/exchangeInfo", self.exchange_info)
        app.router.add_get("/api/v3/klines", self.klines)
        app.router.add_get("/ws-api/v3", self.user_data)
        app.router.add_get("/stream", self.stream)
        app.router.add_route("*", "/api/v3/{name}", self.signed)
        return app

    async def exchange_info(self, request: web.Request) -> web.Response:
        filters = [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "stepSize": "0.00001000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
        ]
        symbol = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT"}
        return web.json_response({"symbols": [{**symbol, "status": "TRADING", "filters": filters}]})

    async def klines(self, request: web.Request) -> web.Response:
        return web.json_response([[0, "1", "1", "1", "64000.00"]])

    async def signed(self, request: web.Request) -> web.Response:
        query, _, signature = request.query_string.rpartition("&signature=")
        key = request.headers["X-MBX-APIKEY"]
        secret = key.replace("key-", "secret-").encode()
        if hmac.new(secret, query.encode(), hashlib.sha256).hexdigest() != signature:
            return web.json_response({"code": -1022, "msg": "bad signature"}, status=401)
        words = {name: values[0] for name, values in parse_qs(query).items()}
        self.asked[request.method, f"{request.match_info['name']} of {key}"] += 1
        return await self.answer(request.method, request.match_info["name"], key, words)

    async def answer(self, method: str, name: str, key: str, words: dict[str, str]) -> web.Response:
        mine = {i: order for i, order in self.orders.items() if order["owner"] == key}
        if (method, name) == ("GET", "openOrders"):
            return web.json_response(list(mine.values()))
        if (method, name) == ("GET", "account"):
            row = {"free": "5.0", "locked": "1.0"}
            return web.json_response({"balances": [{"asset": "BTC", **row}]})
        if (method, name) == ("DELETE", "openOrders"):
            for order_id in mine:
                del self.orders[order_id]
            return web.json_response([])
        if (method, name) == ("DELETE", "order"):
            gone = self.orders.pop(int(words["orderId"]), None)
            if gone is None:
                return web.json_response({"code": -2011, "msg": "Unknown"}, status=400)
            return web.json_response({})
        return await self.new_order(key, words)

    async def new_order(self, key: str, words: dict[str, str]) -> web.Response:
        if self.faults:
            return self.faults.pop(0)
        order_id, self.next_id = self.next_id, self.next_id + 1
        if words["type"] == "LIMIT_MAKER":
            price = float(words["price"])
            other = [o for o in self.orders.values() if o["side"] != words["side"]]
            sign = 1 if words["side"] == "BUY" else -1
            self.crossed |= any(sign * (price - float(o["price"])) >= 0 for o in other)
            order = {"symbol": "BTCUSDT", "orderId": order_id, "side": words["side"]}
            self.orders[order_id] = {**order, "price": words["price"], "owner": key}
        return web.json_response({"symbol": "BTCUSDT", "orderId": order_id})

    async def user_data(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.add(socket)
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                await socket.send_json({"id": 1, "status": 200, "result": {"subscriptionId": 0}})
        self.sockets.discard(socket)
        return socket

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.add(socket)
        price = 64_000.0
        while not socket.closed:  # a steady rise, so that momentum has something to follow
            price *= 1.0005
            trade = {"e": "trade", "s": "BTCUSDT", "p": f"{price:.2f}", "m": False}
            await socket.send_json({"stream": "btcusdt@trade", "data": trade})
            await asyncio.sleep(0.05)
        return socket


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, at most DEADLINE_S."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def house() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    runner = web.AppRunner(stand_in.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    stand_in.url = f"http://{host}:{port}"
    yield stand_in
    await runner.cleanup()


@pytest.fixture
async def trading(house: StandIn) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    stop = asyncio.Event()
    running = asyncio.create_task(simulated.run(house.url, KEYS, 1, stop))

    async def end() -> None:
        stop.set()
        async with asyncio.timeout(3):
            await running

    yield end
    await end()


async def test_the_maker_fills_both_sides_and_never_crosses_itself(
    house: StandIn, trading: Callable[[], Awaitable[None]]
) -> None:
    """Within seconds there are 20 levels a side, from signed requests alone."""
    await until(lambda: len(house.orders) >= 48)
    sides = Counter(order["side"] for order in house.orders.values())
    assert sides["BUY"] >= 20
    assert sides["SELL"] >= 20
    assert not house.crossed


async def test_noise_and_momentum_trade_by_themselves(
    house: StandIn, trading: Callable[[], Awaitable[None]]
) -> None:
    """Both takers send orders, momentum because the tape rises."""
    noise, momentum = ("POST", "order of key-noise"), ("POST", "order of key-momentum")
    await until(lambda: house.asked[noise] >= 3 and house.asked[momentum] >= 1)


async def test_a_broken_connection_is_survived_with_a_clean_book(
    house: StandIn, trading: Callable[[], Awaitable[None]]
) -> None:
    """When its streams are cut the maker cancels what it had and quotes anew."""
    await until(lambda: len(house.orders) >= 48)
    clean = ("DELETE", "openOrders of key-maker")
    before = house.asked[clean]
    for socket in list(house.sockets):
        await socket.close()
    await until(lambda: house.asked[clean] > before)
    await until(lambda: len(house.orders) >= 48)
    assert len(house.orders) <= 4 * 24


async def test_a_busy_house_is_not_left(
    house: StandIn, trading: Callable[[], Awaitable[None]]
) -> None:
    """Overload, a rate limit and a passing refusal are got over."""
    await until(lambda: len(house.orders) >= 48)
    house.faults = [
        web.json_response({"code": -1008, "msg": "overloaded"}, status=503),
        web.json_response({"code": -2010, "msg": "would match"}, status=400),
        web.json_response({"code": -1015, "msg": "slow"}, status=429, headers={"Retry-After": "1"}),
    ]
    await until(lambda: not house.faults)
    before = house.asked["POST", "order of key-noise"]
    await until(lambda: house.asked["POST", "order of key-noise"] > before + 2)
    await until(lambda: len(house.orders) >= 48)


async def test_stopping_ends_every_task(
    house: StandIn, trading: Callable[[], Awaitable[None]]
) -> None:
    """After stop is set run() returns within seconds and asks for nothing more."""
    await until(lambda: len(house.orders) >= 10)
    await trading()
    asked = sum(house.asked.values())
    await asyncio.sleep(0)
    assert sum(house.asked.values()) == asked


async def test_keys_that_may_not_trade_end_the_run(house: StandIn) -> None:
    """A wrong secret is a fault of the house's owner: run() raises Refused with 401."""
    keys = {**KEYS, "noise": ApiKey("key-noise", "wrong")}
    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(simulated.run(house.url, keys, 1, asyncio.Event()), DEADLINE_S)
    assert raised.group_contains(Refused, match="401")


async def test_a_missing_key_is_named() -> None:
    """run() says which role has no key."""
    keys = {role: KEYS[role] for role in ("maker", "noise")}
    with pytest.raises(KeyError, match="momentum"):
        await simulated.run("http://127.0.0.1:1", keys, 1, asyncio.Event())
