"""Stops over the API: placed, listed, triggered, told on the user stream, cancelled, refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.stand_ins import SmallHouse, Socket, small_house
from tests.gateway.test_streams import listen_key

STOP: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "STOP_LOSS_LIMIT",
    "timeInForce": "GTC",
    "quantity": "1",
    "price": "18900",
    "stopPrice": "19000",
}
MARKET_STOP = {**STOP, "type": "STOP_LOSS", "timeInForce": "", "price": ""}


async def trade_at(house: SmallHouse, price: str) -> None:
    """Let bob trade with himself at a price."""
    await house.place("bob", "SELL", "0.1", price)
    await house.place("bob", "BUY", "0.1", price)


async def placed(house: SmallHouse, **order: Any) -> Any:
    """Place an order of ann's and return its reply."""
    reply = await house.signed("ann", "POST", "/api/v3/order", **order)
    assert reply.status == 200, reply
    return reply.json


async def test_a_stop_waits_and_then_works() -> None:
    """It is listed with its stop price, not working; after the trigger it works, since then."""
    house = await small_house()
    made = await placed(house, **STOP, newOrderRespType="RESULT")
    assert (made["type"], made["status"], made["stopPrice"]) == (
        "STOP_LOSS_LIMIT", "NEW", "19000.00000000",
    )  # fmt: skip
    assert made["workingTime"] == -1
    (listed,) = (await house.signed("ann", "GET", "/api/v3/openOrders", symbol="BTCUSDT")).json
    assert (listed["stopPrice"], listed["price"]) == ("19000.00000000", "18900.00000000")
    assert (listed["isWorking"], listed["workingTime"]) == (False, -1)
    depth = (await house.get("/api/v3/depth", symbol="BTCUSDT")).json
    assert depth["asks"] == depth["bids"] == []
    await trade_at(house, "19000")
    (listed,) = (await house.signed("ann", "GET", "/api/v3/openOrders", symbol="BTCUSDT")).json
    assert listed["isWorking"]
    assert listed["workingTime"] > listed["time"]
    depth = (await house.get("/api/v3/depth", symbol="BTCUSDT")).json
    assert depth["asks"] == [["18900.00000000", "1.00000000"]]
    (told,) = (await house.signed("ann", "GET", "/api/v3/allOrders", symbol="BTCUSDT")).json
    assert told == listed


async def test_ack_is_the_usual_reply_to_a_stop() -> None:
    """As at Binance: all but LIMIT and MARKET answer ACK; the four types are told and tested."""
    house = await small_house()
    assert "status" not in await placed(house, **STOP)
    (market,) = (await house.get("/api/v3/exchangeInfo", symbol="BTCUSDT")).json["symbols"]
    names = {"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"}
    assert set(market["orderTypes"]) == {"LIMIT", "MARKET", "LIMIT_MAKER"} | names
    for order in (STOP, MARKET_STOP, {**STOP, "type": "TAKE_PROFIT_LIMIT"}):
        reply = await house.signed("ann", "POST", "/api/v3/order/test", **order)
        assert (reply.status, reply.json) == (200, {})
    dear = {**MARKET_STOP, "quantity": "0.0001"}
    for path in ("/api/v3/order", "/api/v3/order/test"):
        reply = await house.signed("ann", "POST", path, **dear)
        assert (reply.json["code"], reply.json["msg"]) == (-1013, "Filter failure: NOTIONAL")


async def test_the_user_stream_tells_the_trigger() -> None:
    """NEW with w false and no working time, NEW with w true, then the trades, then the end."""
    house = await small_house()
    key = await listen_key(house)
    async with Socket(house, f"/ws/{key}") as socket:
        await placed(house, **{**MARKET_STOP, "quantity": "3"})
        await house.place("bob", "BUY", "2", "18000")
        await trade_at(house, "18500")
        told = [await socket.next() for _ in range(6)]
    reports = [each for each in told if each["e"] == "executionReport"]
    assert [(each["x"], each["X"], each["w"]) for each in reports] == [
        ("NEW", "NEW", False),
        ("NEW", "NEW", True),
        ("TRADE", "PARTIALLY_FILLED", True),
        ("EXPIRED", "EXPIRED", False),
    ]
    assert {(each["o"], each["P"]) for each in reports} == {("STOP_LOSS", "19000.00000000")}
    assert reports[0]["W"] == -1
    assert reports[1]["W"] == reports[1]["T"] > reports[1]["O"]
    assert reports[2]["L"] == "18000.00000000"


async def test_a_reached_stop_price_is_refused_in_binances_words() -> None:
    """-2010 'Stop price would trigger immediately.'; ccxt knows the text."""
    house = await small_house()
    await trade_at(house, "19000")
    reply = await house.signed("ann", "POST", "/api/v3/order", **STOP)
    assert (reply.status, reply.json["code"]) == (400, -2010)
    assert reply.json["msg"] == "Stop price would trigger immediately."


@pytest.mark.parametrize("order", [STOP, MARKET_STOP])
async def test_a_stop_is_cancelled_and_its_hold_is_free(order: dict[str, Any]) -> None:
    """The reply has the stop price; the account is as before."""
    house = await small_house()
    before = (await house.signed("ann", "GET", "/api/v3/account")).json["balances"]
    made = await placed(house, **order)
    during = (await house.signed("ann", "GET", "/api/v3/account")).json["balances"]
    assert [each["locked"] for each in during if each["asset"] == "BTC"] == ["1.00000000"]
    gone = await house.signed(
        "ann", "DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=made["orderId"]
    )
    assert (gone.json["status"], gone.json["stopPrice"]) == ("CANCELED", "19000.00000000")
    assert (await house.signed("ann", "GET", "/api/v3/account")).json["balances"] == before
