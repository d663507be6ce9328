"""Unmodified ccxt.pro watches book, trades, candles, tickers and its own orders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import ccxt.pro
import pytest

from tests.acceptance.clients import keys, point_ccxt_pro
from tests.house_fixture import Credentials, RunningHouse, house

__all__ = ["house"]

SYMBOL = "BTC/USDT"
PATIENCE_S = 60.0

# aiohttp and ccxt leave closing to the collector; that is theirs.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


async def client(house: RunningHouse, who: Credentials) -> Any:
    made = point_ccxt_pro(ccxt.pro.binance(keys(who)), house.url)
    await made.load_markets()
    return made


@pytest.fixture
async def pair(house: RunningHouse) -> AsyncIterator[tuple[Any, Any]]:
    ann, bob = await client(house, house.ann), await client(house, house.bob)
    yield ann, bob
    await ann.close()
    await bob.close()


async def soon(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, PATIENCE_S)


async def test_the_book_follows_orders(pair: tuple[Any, Any]) -> None:
    """watch_order_book() shows a level that was added and then taken away."""
    ann, bob = pair
    book = await soon(ann.watch_order_book(SYMBOL))
    order = await bob.create_order(SYMBOL, "limit", "buy", 0.25, 12345)
    while [12345.0, 0.25] not in [list(level[:2]) for level in book["bids"]]:
        book = await soon(ann.watch_order_book(SYMBOL))
    await bob.cancel_order(order["id"], SYMBOL)
    while [12345.0, 0.25] in [list(level[:2]) for level in book["bids"]]:
        book = await soon(ann.watch_order_book(SYMBOL))


async def test_trades_candles_and_tickers_follow_a_trade(pair: tuple[Any, Any]) -> None:
    """watch_trades, watch_ohlcv and watch_ticker tell of a trade that happens now."""
    ann, bob = pair
    watching = [
        asyncio.ensure_future(ann.watch_trades(SYMBOL)),
        asyncio.ensure_future(ann.watch_ohlcv(SYMBOL, "1m")),
        asyncio.ensure_future(ann.watch_ticker(SYMBOL)),
        asyncio.ensure_future(bob.watch_bids_asks([SYMBOL])),
    ]
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not all(task.done() for task in watching):
        await bob.create_order(SYMBOL, "limit", "sell", 0.01, 13000)
        await ann.create_order(SYMBOL, "limit", "buy", 0.01, 13000)
        assert asyncio.get_running_loop().time() < deadline, watching
        await asyncio.sleep(0.2)
    trades, bars, ticker, _ = [task.result() for task in watching]
    while ticker["last"] is None:  # the first was told when the order rested, before the trade
        ticker = await asyncio.wait_for(ann.watch_ticker(SYMBOL), PATIENCE_S)
    assert trades[-1]["price"] == 13000
    assert bars[-1][4] == 13000
    assert ticker["last"] == 13000


async def test_own_orders_trades_and_balance(pair: tuple[Any, Any]) -> None:
    """watch_orders, watch_my_trades and watch_balance tell of one's own, over the WebSocket API."""
    ann, bob = pair
    orders = asyncio.ensure_future(ann.watch_orders(SYMBOL))
    fills = asyncio.ensure_future(ann.watch_my_trades(SYMBOL))
    balance = asyncio.ensure_future(ann.watch_balance())
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    placed = set()
    while not (orders.done() and fills.done() and balance.done()):
        order = await ann.create_order(SYMBOL, "limit", "buy", 0.02, 12000)
        placed.add(order["id"])
        await bob.create_order(SYMBOL, "limit", "sell", 0.02, 12000)
        assert asyncio.get_running_loop().time() < deadline, (orders, fills, balance)
        await asyncio.sleep(0.2)
    assert orders.result()[-1]["id"] in placed
    assert fills.result()[-1]["order"] in placed
    assert fills.result()[-1]["fee"]["currency"] == "BTC"
    assert balance.result()["BTC"]["total"] > 0


async def test_orders_over_the_websocket_api(pair: tuple[Any, Any]) -> None:
    """create_order_ws, fetch_order_ws, cancel_order_ws, fetch_balance_ws do what REST does."""
    ann, _ = pair
    order = await soon(ann.create_order_ws(SYMBOL, "limit", "buy", 0.1, 11000))
    assert order["status"] == "open"
    seen = await soon(ann.fetch_order_ws(order["id"], SYMBOL))
    assert seen["price"] == 11000
    opened = await soon(ann.fetch_open_orders_ws(SYMBOL))
    assert order["id"] in [each["id"] for each in opened]
    # This release parses spot balances of the WebSocket API into "info" alone.
    held = (await soon(ann.fetch_balance_ws()))["info"]["balances"]
    assert float(held[0]["locked"]) >= 1100
    canceled = await soon(ann.cancel_order_ws(order["id"], SYMBOL))
    assert canceled["status"] == "canceled"
