"""Cancel-replace over REST and the WebSocket API: both, one of them, none, and nobody knows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fondaco.link.answers import Halted, LinkError, Overloaded, Unanswered
from tests.gateway.stand_ins import SmallHouse, Socket, small_house, ws_signed

PATH = "/api/v3/order/cancelReplace"
REPLACE: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "2",
    "price": "19000",
    "cancelReplaceMode": "STOP_ON_FAILURE",
}
DEAR = {"quantity": "60000"}  # more than ann has
GONE = {"cancelOrderId": 999}  # no order of hers


async def open_ids(house: SmallHouse) -> list[int]:
    reply = await house.signed("ann", "GET", "/api/v3/openOrders", symbol="BTCUSDT")
    return [each["orderId"] for each in reply.json]


async def test_the_one_goes_and_the_other_comes() -> None:
    """Both answers are those of the single routes; what the first held pays for the second."""
    house = await small_house()
    first = await house.place("ann", "BUY", "1", "20000", newClientOrderId="first")
    reply = await house.signed(
        "ann", "POST", PATH, **REPLACE,
        cancelOrigClientOrderId="first", cancelNewClientOrderId="bye", newClientOrderId="second",
    )  # fmt: skip
    assert reply.status == 200, reply
    told = reply.json
    assert (told["cancelResult"], told["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    gone, new = told["cancelResponse"], told["newOrderResponse"]
    assert (gone["orderId"], gone["status"]) == (first["orderId"], "CANCELED")
    assert (gone["origClientOrderId"], gone["clientOrderId"]) == ("first", "bye")
    assert (new["clientOrderId"], new["origQty"], new["fills"]) == ("second", "2.00000000", [])
    assert await open_ids(house) == [new["orderId"]]


@pytest.mark.parametrize(
    "mode,change,status,code,results",
    [
        ("STOP_ON_FAILURE", GONE, 400, -2022, ("FAILURE", "NOT_ATTEMPTED")),
        ("ALLOW_FAILURE", GONE, 409, -2021, ("FAILURE", "SUCCESS")),
        ("STOP_ON_FAILURE", DEAR, 409, -2021, ("SUCCESS", "FAILURE")),
        ("ALLOW_FAILURE", {**GONE, **DEAR}, 400, -2022, ("FAILURE", "FAILURE")),
    ],
)
async def test_each_is_told_for_itself(
    mode: str, change: dict[str, Any], status: int, code: int, results: tuple[str, str]
) -> None:
    """One that failed has its own code and words; what is open is what was told."""
    house = await small_house()
    first = (await house.place("ann", "BUY", "1", "20000"))["orderId"]
    asked = {**REPLACE, "cancelReplaceMode": mode, "cancelOrderId": first, **change}
    reply = await house.signed("ann", "POST", PATH, **asked)
    assert (reply.status, reply.json["code"]) == (status, code)
    data = reply.json["data"]
    assert (data["cancelResult"], data["newOrderResult"]) == results
    kept = [] if results[0] == "SUCCESS" else [first]
    if results[0] == "FAILURE":
        assert data["cancelResponse"] == {"code": -2011, "msg": "Unknown order sent."}
    if results[1] == "FAILURE":
        assert data["newOrderResponse"]["code"] == -2010
    elif results[1] == "SUCCESS":
        kept.append(data["newOrderResponse"]["orderId"])
    else:
        assert data["newOrderResponse"] is None
    assert await open_ids(house) == kept


@pytest.mark.parametrize(
    "change,code,words",
    [
        ({"cancelReplaceMode": ""}, -1102, "'cancelReplaceMode'"),
        ({"cancelReplaceMode": "PERHAPS"}, -1130, "STOP_ON_FAILURE or ALLOW_FAILURE"),
        ({"cancelOrderId": ""}, -1102, "'cancelOrderId'"),
        ({"cancelRestrictions": "ONLY_NEW"}, -1020, "'cancelRestrictions'"),
        ({"quantity": "1e5"}, -1100, "'quantity'"),
        ({"price": "20000.001"}, -1013, "PRICE_FILTER"),
        ({"quantity": "0.0001"}, -1013, "NOTIONAL"),
    ],
)
async def test_what_can_be_seen_before_cancels_nothing(
    change: dict[str, Any], code: int, words: str
) -> None:
    """Words and filters are looked at first: the order stays and nothing was sent."""
    house = await small_house()
    first = (await house.place("ann", "BUY", "1", "20000"))["orderId"]
    asked = {**REPLACE, "cancelOrderId": first, **change}
    reply = await house.signed("ann", "POST", PATH, **asked)
    assert (reply.status, reply.json["code"]) == (400, code)
    assert words in reply.json["msg"]
    assert "data" not in reply.json
    assert await open_ids(house) == [first]


@pytest.mark.parametrize(
    "fault,status,code",
    [(Overloaded(""), 503, -1008), (Unanswered(""), 504, -1007), (Halted(""), 503, -1008)],
)
@pytest.mark.parametrize("mode", ["STOP_ON_FAILURE", "ALLOW_FAILURE"])
async def test_nothing_follows_a_cancel_that_nobody_knows_of(
    fault: LinkError, status: int, code: int, mode: str
) -> None:
    """A cancel that was not sent, or has no answer, is the whole answer; no order is placed."""
    house = await small_house()
    first = (await house.place("ann", "BUY", "1", "20000"))["orderId"]
    house.writer.fault = fault
    asked = {**REPLACE, "cancelReplaceMode": mode, "cancelOrderId": first}
    reply = await house.signed("ann", "POST", PATH, **asked)
    house.writer.fault = None
    assert (reply.status, reply.json["code"]) == (status, code)
    assert await open_ids(house) == [first]


async def test_a_new_order_that_nobody_knows_of_is_told_beside_the_cancel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """409: the cancel took place, of the order -1007 says that its client id must be asked for."""
    house = await small_house()
    first = (await house.place("ann", "BUY", "1", "20000"))["orderId"]
    submit = house.writer.submit

    def first_only(record: bytes) -> asyncio.Future[bytes]:
        found = submit(record)
        house.writer.fault = Unanswered("")
        return found

    monkeypatch.setattr(house.writer, "submit", first_only)
    reply = await house.signed("ann", "POST", PATH, **REPLACE, cancelOrderId=first)
    assert (reply.status, reply.json["code"]) == (409, -2021)
    data = reply.json["data"]
    assert (data["cancelResult"], data["newOrderResult"]) == ("SUCCESS", "FAILURE")
    assert data["newOrderResponse"]["code"] == -1007


async def test_the_websocket_api_tells_the_same() -> None:
    """order.cancelReplace: a result, or an error with the same data."""
    house = await small_house()
    first = (await house.place("ann", "BUY", "1", "20000"))["orderId"]
    async with Socket(house, "/ws-api/v3") as socket:
        for number, status in ((1, 200), (2, 400)):
            told = await socket.ask(
                id=number,
                method="order.cancelReplace",
                params=ws_signed("ann", **REPLACE, cancelOrderId=first),
            )
            assert told["status"] == status
            if status == 200:
                assert told["result"]["newOrderResult"] == "SUCCESS"
            else:
                assert told["error"]["code"] == -2022
                assert told["error"]["data"]["newOrderResult"] == "NOT_ATTEMPTED"
