"""Lists over the API: placed in both spellings, told, filled, triggered, cancelled, listed."""

from __future__ import annotations

from typing import Any

import pytest

from fondaco.core.records import LAYOUTS, Event
from fondaco.gateway.overlay import list_row
from fondaco.projections.selectors import ListRow
from tests.gateway.stand_ins import SmallHouse, Socket, small_house, ws_signed
from tests.gateway.test_stops import trade_at
from tests.gateway.test_streams import listen_key

OCO: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "2",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "21000",
    "belowType": "STOP_LOSS_LIMIT",
    "belowPrice": "18900",
    "belowStopPrice": "19000",
    "belowTimeInForce": "GTC",
}
BUY: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "quantity": "2",
    "aboveType": "STOP_LOSS",
    "aboveStopPrice": "21000",
    "belowType": "LIMIT_MAKER",
    "belowPrice": "19000",
}
OLDER: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "2",
    "price": "21000",
    "stopPrice": "19000",
    "stopLimitPrice": "18900",
    "stopLimitTimeInForce": "GTC",
}
NAMES = {
    *("orderListId", "contingencyType", "listStatusType", "listOrderStatus"),
    *("listClientOrderId", "transactionTime", "symbol", "orders"),
}


async def place(house: SmallHouse, path: str = "orderList/oco", **words: Any) -> Any:
    """Place a list of ann's and return its reply."""
    reply = await house.signed("ann", "POST", f"/api/v3/{path}", **words)
    assert reply.status == 200, reply
    return reply.json


async def ask(house: SmallHouse, method: str, path: str, **words: Any) -> Any:
    """Ask as ann; return the JSON."""
    return (await house.signed("ann", method, f"/api/v3/{path}", **words)).json


async def locked(house: SmallHouse, asset: str) -> str:
    """Return what ann's orders hold of an asset."""
    account = await ask(house, "GET", "account")
    (found,) = [each["locked"] for each in account["balances"] if each["asset"] == asset]
    return str(found)


async def test_a_list_is_answered_as_at_binance() -> None:
    """Its numbers, ids, both orders and their reports, the stop first; it holds once."""
    house = await small_house()
    ids = {"listClientOrderId": "both", "aboveClientOrderId": "up", "belowClientOrderId": "down"}
    made = await place(house, **OCO, **ids)
    assert set(made) == {*NAMES, "orderReports"}
    number = made["orderListId"]
    assert made["contingencyType"] == "OCO"
    assert (made["listStatusType"], made["listOrderStatus"]) == ("EXEC_STARTED", "EXECUTING")
    assert (made["listClientOrderId"], made["symbol"]) == ("both", "BTCUSDT")
    legs = [(each["orderId"], each["clientOrderId"]) for each in made["orders"]]
    assert legs == [(number - 1, "down"), (number, "up")]
    stop, maker = made["orderReports"]
    assert (stop["type"], stop["status"], stop["price"], stop["stopPrice"]) == (
        "STOP_LOSS_LIMIT", "NEW", "18900.00000000", "19000.00000000",
    )  # fmt: skip
    assert (maker["type"], maker["price"], maker["timeInForce"]) == (
        "LIMIT_MAKER", "21000.00000000", "GTC",
    )  # fmt: skip
    assert "stopPrice" not in maker
    assert {each["orderListId"] for each in (stop, maker)} == {number}
    assert (stop["workingTime"], maker["workingTime"]) == (-1, made["transactionTime"])
    assert await locked(house, "BTC") == "2.00000000"
    (market,) = (await house.get("/api/v3/exchangeInfo", symbol="BTCUSDT")).json["symbols"]
    assert market["ocoAllowed"] is True


async def test_the_older_spelling_makes_the_same_list() -> None:
    """/order/oco: price and stopPrice; with stopLimitPrice a STOP_LOSS_LIMIT, else a STOP_LOSS."""
    house = await small_house()
    ids = {"limitClientOrderId": "up", "stopClientOrderId": "down"}
    made = await place(house, "order/oco", **OLDER, **ids)
    newer = await place(house, **OCO, belowClientOrderId="down2", aboveClientOrderId="up2")
    for one, other in zip(made["orderReports"], newer["orderReports"], strict=True):
        apart = {"orderId", "orderListId", "clientOrderId", "transactTime", "workingTime"}
        assert {k: v for k, v in one.items() if k not in apart} == {
            k: v for k, v in other.items() if k not in apart
        }
    assert [each["clientOrderId"] for each in made["orders"]] == ["down", "up"]
    plain = {**OLDER, "stopLimitPrice": "", "stopLimitTimeInForce": ""}
    made = await place(house, "order/oco", **plain, newOrderRespType="ACK")
    assert all("status" not in each for each in made["orderReports"])
    kinds = [each["type"] for each in await ask(house, "GET", "openOrders")][-2:]
    assert kinds == ["STOP_LOSS", "LIMIT_MAKER"]
    assert made["listClientOrderId"] == f"L{made['orderListId']}"


async def test_a_buy_has_its_stop_above() -> None:
    """Above is the stop and below the LIMIT_MAKER; the hold is the stop's, which is larger."""
    house = await small_house()
    made = await place(house, **BUY)
    assert [each["type"] for each in made["orderReports"]] == ["STOP_LOSS", "LIMIT_MAKER"]
    assert await locked(house, "USDT") == "44100.00000000"
    await house.place("bob", "SELL", "1", "19000")
    assert await locked(house, "USDT") == "19000.00000000"


async def test_orders_trades_and_reads_name_the_list() -> None:
    """orderListId in order, openOrders, allOrders and myTrades; -1 for an order in none."""
    house = await small_house()
    number = (await place(house, **OCO))["orderListId"]
    await house.place("bob", "BUY", "0.5", "21000")
    for path in ("openOrders", "allOrders"):
        assert {o["orderListId"] for o in await ask(house, "GET", path, symbol="BTCUSDT")} == {
            number
        }
    one = await ask(house, "GET", "order", symbol="BTCUSDT", orderId=number)
    assert (one["orderListId"], one["status"]) == (number, "PARTIALLY_FILLED")
    stop = await ask(house, "GET", "order", symbol="BTCUSDT", orderId=number - 1)
    assert (stop["orderListId"], stop["status"]) == (number, "EXPIRED")
    (fill,) = await ask(house, "GET", "myTrades", symbol="BTCUSDT")
    assert (fill["orderListId"], fill["orderId"]) == (number, number)
    bobs = (await house.signed("bob", "GET", "/api/v3/myTrades", symbol="BTCUSDT")).json
    assert [each["orderListId"] for each in bobs] == [-1]


async def test_the_user_stream_tells_lists_in_their_order() -> None:
    """Two NEW, listStatus; the stop EXPIRED before the maker's trade; ALL_DONE at the end."""
    house = await small_house()
    key = await listen_key(house)
    async with Socket(house, f"/ws/{key}") as socket:
        made = await place(house, **OCO, listClientOrderId="both")
        await house.place("bob", "BUY", "2", "21000")
        told = [await socket.next() for _ in range(8)]
    kinds = [each["e"] for each in told if each["e"] != "outboundAccountPosition"]
    assert kinds == ["executionReport"] * 2 + ["listStatus"] + ["executionReport"] * 2 + [
        "listStatus"
    ]
    reports = [each for each in told if each["e"] == "executionReport"]
    assert [(each["o"], each["x"], each["X"]) for each in reports] == [
        ("STOP_LOSS_LIMIT", "NEW", "NEW"),
        ("LIMIT_MAKER", "NEW", "NEW"),
        ("STOP_LOSS_LIMIT", "EXPIRED", "EXPIRED"),
        ("LIMIT_MAKER", "TRADE", "FILLED"),
    ]
    assert {each["g"] for each in reports} == {made["orderListId"]}
    begun, done = [each for each in told if each["e"] == "listStatus"]
    assert set(begun) == set("eEsgclLrCTO")
    assert (begun["l"], begun["L"], done["l"], done["L"]) == (
        "EXEC_STARTED", "EXECUTING", "ALL_DONE", "ALL_DONE",
    )  # fmt: skip
    assert (begun["s"], begun["g"], begun["c"], begun["C"]) == (
        "BTCUSDT", made["orderListId"], "OCO", "both",
    )  # fmt: skip
    assert begun["O"] == [
        {"s": "BTCUSDT", "i": each["orderId"], "c": each["clientOrderId"]}
        for each in made["orders"]
    ]


async def test_a_trigger_ends_the_other_leg() -> None:
    """The stop works, the maker is EXPIRED; the list lasts until the stop has ended."""
    house = await small_house()
    number = (await place(house, **OCO))["orderListId"]
    await trade_at(house, "19000")
    (left,) = await ask(house, "GET", "openOrders")
    assert (left["orderId"], left["isWorking"]) == (number - 1, True)
    (open_list,) = await ask(house, "GET", "openOrderList")
    assert open_list["orderListId"] == number
    await house.place("bob", "BUY", "2", "18900")
    assert await ask(house, "GET", "openOrderList") == []
    done = await ask(house, "GET", "orderList", orderListId=number)
    assert (done["listStatusType"], done["listOrderStatus"]) == ("ALL_DONE", "ALL_DONE")
    assert set(done) == NAMES
    assert await locked(house, "BTC") == "0.00000000"


@pytest.mark.parametrize("by", ["list", "list id", "default id", "stop", "maker", "all"])
async def test_a_cancel_of_any_part_cancels_the_list(by: str) -> None:
    """By the list's number or ids, by either leg, by all: the answer is the list's, all is free."""
    house = await small_house()
    ids = {} if by == "default id" else {"listClientOrderId": "both"}
    number = (await place(house, **OCO, **ids))["orderListId"]
    path, named = {
        "list": ("orderList", {"orderListId": number}),
        "list id": ("orderList", {"listClientOrderId": "both"}),
        "default id": ("orderList", {"listClientOrderId": f"L{number}"}),
        "stop": ("order", {"orderId": number - 1}),
        "maker": ("order", {"orderId": number}),
        "all": ("openOrders", {}),
    }[by]
    gone = await ask(house, "DELETE", path, symbol="BTCUSDT", **named)
    gone = gone[0] if by == "all" else gone
    assert set(gone) == {*NAMES, "orderReports"}
    assert (gone["orderListId"], gone["listOrderStatus"]) == (number, "ALL_DONE")
    reports = {each["orderId"]: each for each in gone["orderReports"]}
    assert set(reports) == {number - 1, number}
    assert {each["status"] for each in reports.values()} == {"CANCELED"}
    assert {each["orderListId"] for each in reports.values()} == {number}
    assert await ask(house, "GET", "openOrders") == []
    assert await locked(house, "BTC") == "0.00000000"
    again = await ask(house, "DELETE", "orderList", symbol="BTCUSDT", orderListId=number)
    assert again == {"code": -2011, "msg": "Unknown order list sent."}


async def test_lists_are_found_by_number_and_id_and_listed_in_order() -> None:
    """orderList by either; all from a number on, of a range, at most so many; none is -2013."""
    house = await small_house()
    numbers = [(await place(house, **OCO))["orderListId"]]
    numbers.append((await place(house, **BUY, listClientOrderId="second"))["orderListId"])
    numbers.append((await place(house, **OCO))["orderListId"])
    await ask(house, "DELETE", "orderList", symbol="BTCUSDT", orderListId=numbers[0])
    for named in ({"orderListId": numbers[1]}, {"origClientOrderId": "second"}):
        found = await ask(house, "GET", "orderList", **named)
        assert (found["orderListId"], found["listClientOrderId"]) == (numbers[1], "second")
    by_default = await ask(house, "GET", "orderList", origClientOrderId=f"L{numbers[0]}")
    assert (by_default["orderListId"], by_default["listStatusType"]) == (numbers[0], "ALL_DONE")

    async def listed(path: str, **words: Any) -> list[int]:
        return [each["orderListId"] for each in await ask(house, "GET", path, **words)]

    assert await listed("openOrderList") == numbers[1:]
    assert await listed("allOrderList") == numbers
    assert await listed("allOrderList", limit=1) == numbers[-1:]
    assert await listed("allOrderList", fromId=numbers[1], limit=1) == numbers[1:2]
    second = found["transactionTime"]
    assert await listed("allOrderList", startTime=second, endTime=second) == numbers[1:2]
    for words, code in (
        ({"orderListId": 10**9}, -2013),
        ({"origClientOrderId": "L77"}, -2013),
        ({}, -1102),
    ):
        assert (await ask(house, "GET", "orderList", **words))["code"] == code
    both = await ask(house, "GET", "allOrderList", fromId=1, startTime=second)
    assert both["code"] == -1128
    assert (await house.signed("bob", "GET", "/api/v3/allOrderList")).json == []
    hers = await house.signed("bob", "GET", "/api/v3/orderList", orderListId=numbers[1])
    assert hers.json == {"code": -2013, "msg": "Order list does not exist."}


async def test_history_answers_when_memory_has_let_go() -> None:
    """A list that only SQL knows is found by its number and listed; a newer state wins."""
    house = await small_house()
    made = await place(house, **OCO)
    records = next(events for _, events in house.writer.commits[::-1] if len(events) > 400)
    place_of = {name: at for at, name in enumerate(LAYOUTS[Event.LIST])}
    offset = next(
        at
        for at in range(0, len(records), 8)
        if int.from_bytes(records[at : at + 2], "little") == Event.LIST
        and records[at + 4] == 8 * (5 + len(place_of))
    )
    row = list_row(records, offset)
    assert isinstance(row, ListRow)
    await ask(house, "DELETE", "orderList", symbol="BTCUSDT", orderListId=made["orderListId"])
    house.history.lists = {row.list_id: row}
    (found,) = await ask(house, "GET", "allOrderList")
    assert found["listOrderStatus"] == "ALL_DONE"
    house.history.cursor = house.writer.seq
    house.writer.say_cursor(house.writer.seq)
    (found,) = await ask(house, "GET", "allOrderList")
    assert (found["orderListId"], found["listOrderStatus"]) == (row.list_id, "EXECUTING")
    found = await ask(house, "GET", "orderList", orderListId=row.list_id)
    assert found["orders"] == made["orders"]


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"abovePrice": "18000"}, -2010, "The relationship of the prices for the orders is"),
    ({"aboveStrategyId": "7"}, -1020, "This operation is not supported: leave parameter 'above"),
    ({"aboveType": "NOTHING"}, -1116, "Invalid orderType."),
    ({"aboveType": ""}, -1102, "Mandatory parameter 'aboveType' was not sent"),
    ({"belowStopPrice": ""}, -1102, "Mandatory parameter 'belowStopPrice' was not sent"),
    ({"belowTimeInForce": ""}, -1102, "Mandatory parameter 'belowTimeInForce' was not sent"),
    ({"aboveStopPrice": "5"}, -1106, "Parameter 'aboveStopPrice' sent when not required."),
    ({"aboveTimeInForce": "IOC"}, -1106, "Parameter 'aboveTimeInForce' sent when"),
    ({"belowIcebergQty": "1"}, -1020, "This operation is not supported"),
    ({"belowTrailingDelta": "10"}, -1020, "This operation is not supported"),
    ({"quantity": "200000"}, -2010, "Account has insufficient balance"),
    ({"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
    ({"abovePrice": "21000.001"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"side": "HOLD"}, -1117, "Invalid side."),
    ({"selfTradePreventionMode": "X"}, -1130, "Data sent for parameter"),
    ({"newOrderRespType": "X"}, -1136, "Invalid newOrderRespType."),
    ({"listClientOrderId": "a b"}, -1100, "Illegal characters found in parameter 'listClient"),
]


@pytest.mark.parametrize(("changes", "code", "text"), REFUSED)
async def test_what_makes_no_list_is_refused_in_binances_words(
    changes: dict[str, Any], code: int, text: str
) -> None:
    """The code and the text that clients act on; nothing is held."""
    house = await small_house()
    reply = await house.signed("ann", "POST", "/api/v3/orderList/oco", **{**OCO, **changes})
    assert (reply.status, reply.json["code"]) == (400, code), reply.json
    assert reply.json["msg"].startswith(text)
    assert await locked(house, "BTC") == "0.00000000"


PLACES: list[tuple[str, str, str, int, str]] = [
    ("SELL", "MARKET", "STOP_LOSS", -1158, "Order type not supported in OCO."),
    ("SELL", "LIMIT_MAKER", "LIMIT", -1158, "Order type not supported in OCO."),
    ("BUY", "LIMIT_MAKER", "LIMIT_MAKER", -1168, "At least one OCO order must be contingent."),
    ("BUY", "LIMIT_MAKER", "STOP_LOSS", -1165, "A limit order in a buy OCO must be below."),
    ("SELL", "STOP_LOSS", "LIMIT_MAKER", -1166, "A limit order in a sell OCO must be above."),
    ("BUY", "STOP_LOSS", "STOP_LOSS", -1196, "A stop loss order in a buy OCO must be above."),
    ("SELL", "STOP_LOSS", "STOP_LOSS", -1197, "A stop loss order in a sell OCO must be below."),
    ("BUY", "TAKE_PROFIT", "TAKE_PROFIT", -1198, "A take profit order in a buy OCO must be below."),
    ("SELL", "TAKE_PROFIT", "TAKE_PROFIT", -1199, "A take profit order in a sell OCO must be abo"),
]


@pytest.mark.parametrize(("side", "above", "below", "code", "text"), PLACES)
async def test_types_in_the_wrong_places_are_named_as_at_binance(
    side: str, above: str, below: str, code: int, text: str
) -> None:
    """Each pair of types that makes no OCO has a code and a text of its own."""
    house = await small_house()
    words: dict[str, Any] = {"symbol": "BTCUSDT", "side": side, "quantity": "1"}
    for where, kind, price in (("above", above, "21000"), ("below", below, "19000")):
        named = "StopPrice" if kind in {"STOP_LOSS", "TAKE_PROFIT"} else "Price"
        words |= {f"{where}Type": kind} | ({} if kind == "MARKET" else {where + named: price})
        if kind == "LIMIT":
            words[f"{where}TimeInForce"] = "GTC"
    reply = await house.signed("ann", "POST", "/api/v3/orderList/oco", **words)
    assert (reply.status, reply.json["code"]) == (400, code), reply.json
    assert reply.json["msg"].startswith(text)


async def test_a_number_and_an_id_must_be_of_one_list() -> None:
    """Given both, the list must have both: else nothing is told and nothing is cancelled."""
    house = await small_house()
    one = (await place(house, **OCO, listClientOrderId="one"))["orderListId"]
    other = (await place(house, **BUY))["orderListId"]
    for number, text in ((one, "two"), (one, f"L{other}"), (other, "one"), (other, f"L{one}")):
        told = await ask(house, "GET", "orderList", orderListId=number, origClientOrderId=text)
        assert told["code"] == -2013, (number, text)
        words = {"symbol": "BTCUSDT", "orderListId": number, "listClientOrderId": text}
        assert (await ask(house, "DELETE", "orderList", **words))["code"] == -2011, (number, text)
    assert len(await ask(house, "GET", "openOrderList")) == 2
    for number, text in ((one, "one"), (other, f"L{other}")):
        told = await ask(house, "GET", "orderList", orderListId=number, origClientOrderId=text)
        assert told["orderListId"] == number
        words = {"symbol": "BTCUSDT", "orderListId": number, "listClientOrderId": text}
        gone = await ask(house, "DELETE", "orderList", **words)
        assert gone["listOrderStatus"] == "ALL_DONE"


async def test_a_price_that_was_reached_or_is_bid_is_refused() -> None:
    """'Stop price would trigger immediately.' and 'Order would immediately match and take.'."""
    house = await small_house()
    await trade_at(house, "19000")
    reply = await house.signed("ann", "POST", "/api/v3/orderList/oco", **OCO)
    assert reply.json == {"code": -2010, "msg": "Stop price would trigger immediately."}
    await house.place("bob", "BUY", "1", "20000")
    low = {**OCO, "abovePrice": "19900", "belowStopPrice": "18950"}
    reply = await house.signed("ann", "POST", "/api/v3/orderList/oco", **low)
    assert reply.json == {"code": -2010, "msg": "Order would immediately match and take."}


@pytest.mark.parametrize("name", ["listClientOrderId", "aboveClientOrderId", "belowClientOrderId"])
async def test_a_list_that_is_sent_again_is_no_second_list(name: str) -> None:
    """With any of its ids a retry is 'Duplicate order sent.', open or done."""
    house = await small_house()
    named: dict[str, Any] = {**OCO, name: "one"}
    made = await place(house, **named)
    again = await house.signed("ann", "POST", "/api/v3/orderList/oco", **named)
    assert again.json == {"code": -2010, "msg": "Duplicate order sent."}
    await ask(house, "DELETE", "orderList", symbol="BTCUSDT", orderListId=made["orderListId"])
    again = await house.signed("ann", "POST", "/api/v3/orderList/oco", **named)
    assert again.json == {"code": -2010, "msg": "Duplicate order sent."}
    assert len(await ask(house, "GET", "allOrderList")) == 1


async def test_the_websocket_api_has_the_same_lists() -> None:
    """orderList.place.oco, .place, .status, .cancel, openOrderLists.status, allOrderLists."""
    house = await small_house()
    async with Socket(house, "/ws-api/v3") as socket:

        async def call(method: str, **words: Any) -> Any:
            found = await socket.ask(id=method, method=method, params=ws_signed("ann", **words))
            assert found["status"] == 200, found
            return found["result"]

        made = await call("orderList.place.oco", **OCO)
        older = await call("orderList.place", **OLDER)
        assert [made["contingencyType"], older["contingencyType"]] == ["OCO", "OCO"]
        number = made["orderListId"]
        one = await call("orderList.status", orderListId=number)
        assert one["listOrderStatus"] == "EXECUTING"
        gone = await call("orderList.cancel", symbol="BTCUSDT", orderListId=number)
        assert gone["listOrderStatus"] == "ALL_DONE"
        left = await call("openOrderLists.status")
        assert [each["orderListId"] for each in left] == [older["orderListId"]]
        assert len(await call("allOrderLists")) == 2


async def test_a_list_counts_as_two_orders() -> None:
    """The order counts of the reply grow by two."""
    house = await small_house()
    reply = await house.signed("ann", "POST", "/api/v3/orderList/oco", **OCO)
    assert reply.headers["x-mbx-order-count-10s"] == "2"
