"""Unmodified python-binance trades and listens by a change of class attributes."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.house_fixture import Credentials, RunningHouse, house

with warnings.catch_warnings():  # it imports names that websockets is about to drop
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance import AsyncClient, BinanceSocketManager, Client
    from binance.exceptions import BinanceAPIException
    from binance.ws.reconnecting_websocket import ReconnectingWebsocket
    from binance.ws.websocket_api import WebsocketAPI

__all__ = ["house"]

PATIENCE_S = 60.0

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def pointed(house: RunningHouse, monkeypatch: pytest.MonkeyPatch) -> RunningHouse:
    """Both clients and the socket manager, pointed at the house before construction."""
    for kind in (Client, AsyncClient):
        monkeypatch.setattr(kind, "API_URL", f"{house.url}/api")
        monkeypatch.setattr(kind, "MARGIN_API_URL", f"{house.url}/sapi")
        monkeypatch.setattr(kind, "WS_API_URL", f"{house.ws_url}/ws-api/v3")
    monkeypatch.setattr(BinanceSocketManager, "STREAM_URL", f"{house.ws_url}/")
    # A socket that is left waits so long for one more message, 10 s by default.
    monkeypatch.setattr(ReconnectingWebsocket, "TIMEOUT", 0.2)
    monkeypatch.setattr(WebsocketAPI, "TIMEOUT", 5.0, raising=False)  # for answers, too
    return house


@pytest.fixture
def ann(pointed: RunningHouse) -> Iterator[Any]:
    yield from client(pointed.ann)


@pytest.fixture
def bob(pointed: RunningHouse) -> Iterator[Any]:
    yield from client(pointed.bob)


def client(who: Credentials) -> Iterator[Any]:
    with ThreadPoolExecutor(1) as pool:  # a thread without a loop: it makes one of its own
        made = pool.submit(Client, who.key, who.secret).result()
    yield made
    made.close_connection()
    made.loop.close()


def limit(client: Any, side: str, quantity: str, price: str, **more: Any) -> Any:
    order = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC"}
    return client.create_order(**{**order, "quantity": quantity, "price": price, **more})


def test_place_fill_in_part_cancel(ann: Any, bob: Any) -> None:
    """Orders, fills, cancels (a DELETE with a form body), account and own trades."""
    order = limit(ann, "BUY", "1.5", "20000", newClientOrderId="ann-1")
    assert (order["status"], order["clientOrderId"], order["fills"]) == ("NEW", "ann-1", [])
    taken = bob.order_market_sell(symbol="BTCUSDT", quantity="0.5")
    assert taken["status"] == "FILLED"
    assert taken["fills"][0]["price"] == "20000.00000000"
    assert taken["fills"][0]["commissionAsset"] == "USDT"
    seen = ann.get_order(symbol="BTCUSDT", origClientOrderId="ann-1")
    assert (seen["status"], seen["executedQty"]) == ("PARTIALLY_FILLED", "0.50000000")
    assert ann.get_open_orders(symbol="BTCUSDT")[0]["orderId"] == order["orderId"]
    balance = ann.get_asset_balance("USDT")
    assert Decimal(balance["locked"]) == 20000
    canceled = ann.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
    assert (canceled["status"], canceled["origClientOrderId"]) == ("CANCELED", "ann-1")
    assert Decimal(ann.get_asset_balance("USDT")["locked"]) == 0
    mine = ann.get_my_trades(symbol="BTCUSDT")[-1]
    assert (mine["isBuyer"], mine["isMaker"], mine["qty"]) == (True, True, "0.50000000")
    assert ann.get_all_orders(symbol="BTCUSDT")[-1]["status"] == "CANCELED"


def test_a_client_order_id_is_used_once(ann: Any) -> None:
    """The same order again is `Duplicate order sent.`, while open and after."""
    order = limit(ann, "BUY", "0.1", "15000", newClientOrderId="once")
    for _ in range(2):
        with pytest.raises(BinanceAPIException) as refused:
            limit(ann, "BUY", "0.1", "15000", newClientOrderId="once")
        assert (refused.value.code, refused.value.message) == (-2010, "Duplicate order sent.")
        if order is not None:
            ann.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
            order = None


def test_market_data(ann: Any, bob: Any) -> None:
    """Depth, trades, klines, tickers and the average price agree about one trade."""
    limit(bob, "SELL", "0.2", "20500")
    limit(ann, "BUY", "0.1", "20500")
    assert ann.get_symbol_ticker(symbol="BTCUSDT")["price"] == "20500.00000000"
    assert ann.get_recent_trades(symbol="BTCUSDT")[-1]["price"] == "20500.00000000"
    assert ann.get_aggregate_trades(symbol="BTCUSDT")[-1]["p"] == "20500.00000000"
    assert ann.get_klines(symbol="BTCUSDT", interval="1m")[-1][4] == "20500.00000000"
    assert ann.get_ticker(symbol="BTCUSDT")["lastPrice"] == "20500.00000000"
    best = ann.get_orderbook_ticker(symbol="BTCUSDT")
    assert (best["askPrice"], best["askQty"]) == ("20500.00000000", "0.10000000")
    assert ann.get_order_book(symbol="BTCUSDT")["asks"][0] == ["20500.00000000", "0.10000000"]
    assert Decimal(ann.get_avg_price(symbol="BTCUSDT")["price"]) > 0
    assert ann.get_symbol_info("BTCUSDT")["filters"][0]["tickSize"] == "0.01000000"
    bob.cancel_all_open_orders(symbol="BTCUSDT")


def test_a_stop_loss_limit_waits_and_is_cancelled(ann: Any) -> None:
    """STOP_LOSS_LIMIT and TAKE_PROFIT rest as stops, are read back and cancelled."""
    stop = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.5", "stopPrice": "1000"}
    limited = ann.create_order(type="STOP_LOSS_LIMIT", timeInForce="GTC", price="990", **stop)
    market = ann.create_order(type="TAKE_PROFIT", **{**stop, "stopPrice": "90000"})
    for made, kind in ((limited, "STOP_LOSS_LIMIT"), (market, "TAKE_PROFIT")):
        seen = ann.get_order(symbol="BTCUSDT", orderId=made["orderId"])
        assert (seen["type"], seen["status"], seen["isWorking"]) == (kind, "NEW", False)
        gone = ann.cancel_order(symbol="BTCUSDT", orderId=made["orderId"])
        assert gone["status"] == "CANCELED"
    with pytest.raises(BinanceAPIException, match="stopPrice"):
        ann.create_order(type="STOP_LOSS", symbol="BTCUSDT", side="SELL", quantity="0.5")


def test_order_test_checks_and_sends_nothing(ann: Any) -> None:
    """order/test validates and leaves no order behind."""
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    assert ann.create_test_order(**order, quantity="0.1", price="10000") == {}
    with pytest.raises(BinanceAPIException, match="PRICE_FILTER"):
        ann.create_test_order(**order, quantity="0.1", price="10000.001")
    with pytest.raises(BinanceAPIException, match="NOTIONAL"):
        ann.create_test_order(**order, quantity="0.00001", price="10000")
    assert ann.get_open_orders(symbol="BTCUSDT") == []


async def test_user_data_over_the_websocket_api(pointed: RunningHouse, bob: Any) -> None:
    """The user socket tells executions and balances of the account's own."""
    socket_client = await AsyncClient.create(pointed.bob.key, pointed.bob.secret)
    try:
        manager = BinanceSocketManager(socket_client)
        async with manager.user_socket() as stream:
            order = await asyncio.to_thread(limit, bob, "BUY", "0.1", "14000")
            events = [await asyncio.wait_for(stream.recv(), PATIENCE_S) for _ in range(2)]
            await asyncio.to_thread(bob.cancel_order, symbol="BTCUSDT", orderId=order["orderId"])
        by_kind = {event["e"]: event for event in (each.get("event", each) for each in events)}
        report = by_kind["executionReport"]
        assert (report["i"], report["x"], report["X"]) == (order["orderId"], "NEW", "NEW")
        assert by_kind["outboundAccountPosition"]["B"][0]["a"] == "USDT"
    finally:
        await socket_client.close_connection()


async def test_market_streams(pointed: RunningHouse, ann: Any, bob: Any) -> None:
    """The trade, depth and combined streams tell what happens."""
    socket_client = await AsyncClient.create()
    try:
        manager = BinanceSocketManager(socket_client)
        async with (
            manager.trade_socket("BTCUSDT") as trades,
            manager.multiplex_socket(["btcusdt@bookTicker", "btcusdt@depth@100ms"]) as combined,
        ):
            await asyncio.to_thread(limit, bob, "SELL", "0.1", "20600")
            await asyncio.to_thread(limit, ann, "BUY", "0.1", "20600")
            trade = await asyncio.wait_for(trades.recv(), PATIENCE_S)
            assert (trade["e"], trade["p"], trade["m"]) == ("trade", "20600.00000000", False)
            seen: set[str] = set()
            while seen != {"btcusdt@bookTicker", "btcusdt@depth@100ms"}:
                message = await asyncio.wait_for(combined.recv(), PATIENCE_S)
                seen.add(message["stream"])
    finally:
        await socket_client.close_connection()


def test_an_oco_list(ann: Any, bob: Any) -> None:
    """create_oco_order places both legs; the stop's trigger ends the maker; open lists are read."""
    made = ann.create_oco_order(
        symbol="ETHUSDT",
        side="SELL",
        quantity="2",
        aboveType="LIMIT_MAKER",
        abovePrice="2500",
        belowType="STOP_LOSS_LIMIT",
        belowStopPrice="1200",
        belowPrice="1190",
        belowTimeInForce="GTC",
        listClientOrderId="pair",
    )
    stop, maker = (each["orderId"] for each in made["orders"])
    (opened,) = ann.get_open_oco_orders()
    assert (opened["listClientOrderId"], opened["listOrderStatus"]) == ("pair", "EXECUTING")
    for side in ("BUY", "SELL"):  # a trade at the stop's price
        limit(bob, side, "0.5", "1200", symbol="ETHUSDT")
    (left,) = ann.get_open_orders(symbol="ETHUSDT")
    assert (left["orderId"], left["orderListId"], left["isWorking"]) == (
        stop, made["orderListId"], True,
    )  # fmt: skip
    assert ann.get_order(symbol="ETHUSDT", orderId=maker)["status"] == "EXPIRED"
    canceled = ann.cancel_order(symbol="ETHUSDT", orderId=stop)
    assert canceled["listOrderStatus"] == "ALL_DONE"
    assert ann.get_open_oco_orders() == []


def test_all_open_orders_are_cancelled_with_their_lists(ann: Any) -> None:
    """cancel_all_open_orders() answers a list as one, with both its orders, beside plain ones."""
    single = limit(ann, "BUY", "0.5", "900", symbol="ETHUSDT")
    made = ann.create_oco_order(
        symbol="ETHUSDT",
        side="BUY",
        quantity="0.5",
        aboveType="STOP_LOSS",
        aboveStopPrice="3000",
        belowType="LIMIT_MAKER",
        belowPrice="901",
    )
    assert len(ann.get_open_orders(symbol="ETHUSDT")) == 3
    plain, pair = ann.cancel_all_open_orders(symbol="ETHUSDT")
    assert (plain["orderId"], plain["status"]) == (single["orderId"], "CANCELED")
    assert (pair["orderListId"], pair["listOrderStatus"]) == (made["orderListId"], "ALL_DONE")
    assert {each["status"] for each in pair["orderReports"]} == {"CANCELED"}
    assert ann.get_open_orders(symbol="ETHUSDT") == []
