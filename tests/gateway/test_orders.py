"""Orders over REST: what is accepted, what is refused with which words, what is read back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fondaco.core import client_ids
from fondaco.core.records import Reason
from fondaco.gateway import faults
from fondaco.gateway.orders import client_id_text, id_words
from fondaco.link.answers import Halted, LinkError, Overloaded, Unanswered
from tests.gateway.stand_ins import small_house

ORDER: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "1",
    "price": "20000",
}


@pytest.mark.parametrize(
    "change,code,words",
    [
        ({"symbol": ""}, -1102, "'symbol'"),
        ({"symbol": "NOPE"}, -1121, "Invalid symbol."),
        ({"symbol": "btcusdt"}, -1121, "Invalid symbol."),
        ({"side": ""}, -1102, "'side'"),
        ({"side": "HOLD"}, -1117, "Invalid side."),
        ({"type": ""}, -1102, "'type'"),
        ({"type": "WISH"}, -1116, "Invalid orderType."),
        ({"type": "STOP_LOSS_LIMIT"}, -1102, "'stopPrice'"),
        ({"type": "STOP_LOSS_LIMIT", "stopPrice": "0"}, -1013, "PRICE_FILTER"),
        ({"type": "STOP_LOSS_LIMIT", "stopPrice": "1e5"}, -1100, "'stopPrice'"),
        ({"type": "STOP_LOSS_LIMIT", "stopPrice": "5", "price": ""}, -1102, "'price'"),
        (
            {"type": "TAKE_PROFIT_LIMIT", "stopPrice": "5", "timeInForce": ""},
            -1102,
            "'timeInForce'",
        ),
        ({"type": "STOP_LOSS", "stopPrice": "5"}, -1106, "'price'"),
        ({"type": "TAKE_PROFIT", "stopPrice": "5", "price": ""}, -1106, "'timeInForce'"),
        ({"type": "STOP_LOSS_LIMIT", "trailingDelta": "9"}, -1020, "not supported"),
        ({"strategyId": "9"}, -1020, "leave parameter 'strategyId' out"),
        ({"icebergQty": "0.1"}, -1020, "not supported"),
        ({"timeInForce": ""}, -1102, "'timeInForce'"),
        ({"timeInForce": "GTX"}, -1115, "Invalid timeInForce."),
        ({"quantity": ""}, -1102, "'quantity'"),
        ({"quantity": "1e5"}, -1100, "'quantity'"),
        ({"quantity": "-1"}, -1100, "'quantity'"),
        ({"quantity": "0"}, -1013, "LOT_SIZE"),
        ({"quantity": "1.000001"}, -1013, "LOT_SIZE"),
        ({"quantity": "1.000000001"}, -1111, "'quantity'"),
        ({"quantity": "99999999999999999999"}, -1013, "LOT_SIZE"),
        ({"price": ""}, -1102, "'price'"),
        ({"price": "0"}, -1013, "PRICE_FILTER"),
        ({"price": "20000.001"}, -1013, "PRICE_FILTER"),
        ({"price": "20000.000000001"}, -1111, "'price'"),
        ({"price": "٢٠"}, -1100, "'price'"),
        ({"price": "99999999999999999999"}, -1013, "PRICE_FILTER"),
        ({"quantity": "0.0001"}, -1013, "NOTIONAL"),
        ({"quantity": "60000"}, -2010, "insufficient balance"),
        ({"quoteOrderQty": "5"}, -1106, "'quoteOrderQty'"),
        ({"stopPrice": "5"}, -1106, "'stopPrice'"),
        ({"newClientOrderId": "x" * 37}, -1100, "'newClientOrderId'"),
        ({"newClientOrderId": 'a"b'}, -1100, "'newClientOrderId'"),
        ({"newOrderRespType": "ALL"}, -1136, "newOrderRespType"),
        ({"selfTradePreventionMode": "SOME"}, -1130, "selfTradePreventionMode"),
        ({"type": "MARKET", "price": "", "timeInForce": ""}, -2010, "No orders on book"),
        ({"type": "MARKET", "price": "5", "timeInForce": ""}, -1106, "'price'"),
        ({"type": "MARKET", "price": "", "timeInForce": "", "quantity": ""}, -1102, "'quantity'"),
        (
            {"type": "MARKET", "price": "", "timeInForce": "", "quoteOrderQty": "9"},
            -1128,
            "Combination",
        ),
    ],
)
async def test_a_bad_order_is_named_and_moves_nothing(
    change: dict[str, Any], code: int, words: str
) -> None:
    """Each fault has Binance's code and words, status 400, and the balances are as before."""
    house = await small_house()
    before = (await house.signed("ann", "GET", "/api/v3/account")).json["balances"]
    reply = await house.signed("ann", "POST", "/api/v3/order", **{**ORDER, **change})
    assert (reply.status, reply.json["code"]) == (400, code), reply
    assert words in reply.json["msg"]
    after = (await house.signed("ann", "GET", "/api/v3/account")).json["balances"]
    assert after == before


def test_every_reason_of_the_core_has_its_words() -> None:
    """No refusal of the core reaches a client without a code and a text of its own."""
    assert set(faults._REASONS) == set(Reason)


@pytest.mark.parametrize(
    "error,status,code",
    [(Overloaded(""), 503, -1008), (Unanswered(""), 504, -1007), (Halted(""), 503, -1008)],
)
async def test_a_silent_writer_is_told_apart_from_a_full_one(
    error: LinkError, status: int, code: int
) -> None:
    """Not executed is -1008 and 503 with Retry-After; unknown is -1007 and 504."""
    house = await small_house()
    house.writer.fault = error
    reply = await house.signed("ann", "POST", "/api/v3/order", **ORDER)
    assert (reply.status, reply.json["code"]) == (status, code)
    assert ("retry-after" in reply.headers) is (status == 503)


@pytest.mark.parametrize(
    "kind,keys",
    [
        ("ACK", {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}),
        ("RESULT", {"status", "executedQty", "workingTime", "selfTradePreventionMode"}),
        ("FULL", {"status", "fills"}),
    ],
)
async def test_the_reply_types(kind: str, keys: set[str]) -> None:
    """ACK, RESULT and FULL carry what they should; LIMIT answers FULL by default."""
    house = await small_house()
    made = await house.place("ann", "BUY", "1", "20000", newOrderRespType=kind)
    assert keys <= set(made)
    assert ("fills" in made) is (kind == "FULL")
    assert "fills" in await house.place("ann", "BUY", "1", "20000")
    maker = await house.place("ann", "BUY", "1", "20000", type="LIMIT_MAKER", timeInForce="")
    assert "status" not in maker


async def test_fills_and_fees_of_both_sides() -> None:
    """A taker's reply has each fill with its fee and asset; the maker reads its own side."""
    house = await small_house()
    await house.place("bob", "SELL", "1", "20000")
    await house.place("bob", "SELL", "1", "20010")
    made = await house.place("ann", "BUY", "1.5", "20010")
    assert made["status"] == "FILLED"
    assert made["cummulativeQuoteQty"] == "30005.00000000"
    assert [(fill["price"], fill["qty"], fill["commission"]) for fill in made["fills"]] == [
        ("20000.00000000", "1.00000000", "0.00100000"),
        ("20010.00000000", "0.50000000", "0.00050000"),
    ]
    fills = (await house.signed("bob", "GET", "/api/v3/myTrades", symbol="BTCUSDT")).json
    assert [(fill["commission"], fill["isMaker"]) for fill in fills] == [
        ("20.00000000", True),
        ("10.00500000", True),
    ]


@pytest.mark.parametrize(
    "time_in_force,status,executed",
    [("IOC", "EXPIRED", "0.40000000"), ("FOK", "EXPIRED", "0.00000000")],
)
async def test_what_IOC_and_FOK_leave_expires(
    time_in_force: str, status: str, executed: str
) -> None:
    """The rest of an IOC, and a FOK that can't be whole, are EXPIRED."""
    house = await small_house()
    await house.place("bob", "SELL", "0.4", "20000")
    made = await house.place("ann", "BUY", "1", "20000", timeInForce=time_in_force)
    assert (made["status"], made["executedQty"]) == (status, executed)


async def test_orders_without_a_client_id_are_found_by_their_default_one() -> None:
    """F<order id> finds, cancels and is shown for an order that was sent without an id."""
    house = await small_house()
    made = await house.place("ann", "BUY", "1", "20000")
    name = f"F{made['orderId']}"
    assert made["clientOrderId"] == name
    seen = await house.signed(
        "ann", "GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId=name
    )
    assert seen.json["orderId"] == made["orderId"]
    gone = await house.signed(
        "ann", "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId=name
    )
    assert gone.json["status"] == "CANCELED"


async def test_a_number_and_a_client_id_must_be_of_one_order() -> None:
    """Given both, the order must have both: else it is -2013, or -2011 and nothing is cancelled."""
    house = await small_house()
    mine = (await house.place("ann", "BUY", "1", "20000", newClientOrderId="mine"))["orderId"]
    bare = (await house.place("ann", "BUY", "1", "20000"))["orderId"]

    async def ask(method: str, number: int, text: str) -> Any:
        named: dict[str, Any] = {"orderId": number, "origClientOrderId": text}
        reply = await house.signed("ann", method, "/api/v3/order", symbol="BTCUSDT", **named)
        return reply.json

    for number, text in ((mine, "other"), (mine, f"F{bare}"), (bare, "mine"), (bare, f"F{mine}")):
        assert (await ask("GET", number, text))["code"] == -2013, (number, text)
        assert (await ask("DELETE", number, text))["code"] == -2011, (number, text)
    for number, text in ((mine, "mine"), (bare, f"F{bare}")):
        assert (await ask("GET", number, text))["orderId"] == number
        assert (await ask("DELETE", number, text))["status"] == "CANCELED"
        assert (await ask("GET", number, text))["status"] == "CANCELED"


async def test_reads_see_what_SQL_does_not_have_yet() -> None:
    """Closed orders, fills, trades and bars are answered from memory while SQL is empty."""
    house = await small_house()
    resting = await house.place("bob", "SELL", "1", "20000", newClientOrderId="b1")
    taken = await house.place("ann", "BUY", "1", "20000")
    for who, order in (("bob", resting), ("ann", taken)):
        seen = await house.signed(
            who, "GET", "/api/v3/order", symbol="BTCUSDT", orderId=order["orderId"]
        )
        assert seen.json["status"] == "FILLED"
        listed = await house.signed(who, "GET", "/api/v3/allOrders", symbol="BTCUSDT")
        assert [each["status"] for each in listed.json] == ["FILLED"]
        mine = await house.signed(who, "GET", "/api/v3/myTrades", symbol="BTCUSDT")
        assert [each["orderId"] for each in mine.json] == [order["orderId"]]
    trades = (await house.get("/api/v3/trades", symbol="BTCUSDT")).json
    assert (trades[0]["price"], trades[0]["isBuyerMaker"]) == ("20000.00000000", False)
    aggregates = (await house.get("/api/v3/aggTrades", symbol="BTCUSDT")).json
    assert (aggregates[0]["f"], aggregates[0]["l"]) == (1_000_000_001,) * 2
    bars = (await house.get("/api/v3/klines", symbol="BTCUSDT", interval="1m")).json
    assert bars[0][4] == "20000.00000000"


async def test_the_cursor_lets_memory_go_and_nothing_is_answered_twice() -> None:
    """Rows that SQL and memory both have are one; what the cursor has passed leaves memory."""
    house = await small_house()
    made = await house.place("ann", "BUY", "1", "20000")
    overlay = house.gateway.edge.overlay
    (state,) = [each for each in overlay.states(16) if each.order_id == made["orderId"]]
    house.history.orders[made["orderId"]] = state.row()
    listed = await house.signed("ann", "GET", "/api/v3/allOrders", symbol="BTCUSDT")
    assert len(listed.json) == 1
    await house.signed("ann", "DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    listed = await house.signed("ann", "GET", "/api/v3/allOrders", symbol="BTCUSDT")
    assert [each["status"] for each in listed.json] == ["CANCELED"]  # memory is the newer
    assert overlay.bytes_held > 0
    house.writer.say_cursor(house.writer.seq)
    assert overlay.bytes_held == 0
    assert not list(overlay.states(16))


async def test_an_open_order_tells_when_it_changed_itself() -> None:
    """Its updateTime stands while others trade, also when memory has let it go."""
    house = await small_house()
    ids = [(await house.place("ann", "BUY", "2", price))["orderId"] for price in ("19000", "20000")]

    async def times() -> list[int]:
        listed = (await house.signed("ann", "GET", "/api/v3/openOrders", symbol="BTCUSDT")).json
        alone = [
            (await house.signed("ann", "GET", "/api/v3/order", symbol="BTCUSDT", orderId=each)).json
            for each in ids
        ]
        assert [each["updateTime"] for each in alone] == [each["updateTime"] for each in listed]
        return [each["updateTime"] - each["time"] for each in listed]

    await house.place("bob", "SELL", "1", "30000")
    assert await times() == [0, 0]
    await house.place("bob", "SELL", "1", "20000")  # fills half of the second, the fourth command
    assert await times() == [0, 2]
    overlay = house.gateway.edge.overlay
    house.history.orders = {state.order_id: state.row() for state in overlay.states(16)}
    house.writer.say_cursor(house.writer.seq)
    assert not list(overlay.states(16))
    await house.place("bob", "SELL", "1", "30001")
    assert await times() == [0, 2]


@given(st.from_regex(r"[A-Za-z0-9_-]{1,36}", fullmatch=True))
def test_client_order_ids_are_the_cores_words(text: str) -> None:
    """The edge's quicker way there and back gives what core.client_ids gives."""
    assert id_words(text) == client_ids.encode(text)
    assert client_id_text(id_words(text), 7) == text


async def test_order_limits_count_by_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order past the limit is 429 -1015 with Retry-After; the other key goes on."""
    house = await small_house()
    caller = house.gateway._keys._by_text[b"annKey"]
    house.gateway._keys._by_text[b"annKey"] = caller._replace(order_limit_10s=2)
    monkeypatch.setattr(house.gateway.limits, "now_s", lambda: 1_790_000_000)
    for _ in range(2):
        await house.place("ann", "BUY", "1", "20000")
    reply = await house.signed("ann", "POST", "/api/v3/order", **ORDER)
    assert (reply.status, reply.json["code"]) == (429, -1015)
    assert reply.headers["retry-after"] == "10"
    await house.place("bob", "BUY", "1", "20000")
    counted = (await house.signed("ann", "GET", "/api/v3/rateLimit/order")).json
    assert counted[0]["count"] == 2


async def test_addresses_and_weights_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests of an address and weight without a key end in 429 -1003; health never does."""
    house = await small_house(address_limit_1m=3)
    monkeypatch.setattr("time.time", lambda: 1_790_000_000.0)  # one minute for all of them
    replies = [await house.get("/api/v3/ping") for _ in range(4)]
    assert [each.status for each in replies] == [200, 200, 200, 429]
    assert replies[-1].json["code"] == -1003
    assert int(replies[-1].headers["retry-after"]) <= 60
    assert replies[0].headers["x-mbx-used-weight-1m"] == "1"
    other = await house.http("GET", "/api/v3/ping", client="10.1.1.1")
    assert other.status == 200
    assert (await house.get("/health/live")).status == 200


async def test_paths_and_methods() -> None:
    """Unknown paths are 404, wrong methods 405 with Allow; native ones take a closing slash."""
    house = await small_house()
    assert (await house.get("/api/v3/nothing")).status == 404
    wrong = await house.http("PUT", "/api/v3/order")
    assert (wrong.status, wrong.headers["allow"]) == (405, "DELETE, GET, POST")
    for path in ("/api/v1/ledger/totals", "/api/v1/ledger/totals/"):
        totals = (await house.get(path)).json
        assert totals["BTC"]["sum"] == "0"
        assert totals["BTC"]["world"] == "-200000"
    assert (await house.http("POST", "/api/v1/test/clock", body=b"{}")).status == 404
    ready = await house.get("/health/ready")
    assert (ready.status, "projections" in ready.json["why"]) == (503, True)
    house.writer.say_cursor(house.writer.seq)
    assert (await house.get("/health/ready")).status == 200
    assert b"fondaco_edge_seq" in (await house.get("/metrics")).body


async def test_the_test_clock_moves_the_house() -> None:
    """With clock = "test" the time stands until it is moved, and signed requests go on."""
    house = await small_house(clock="test", rate_limits=False)
    first = (await house.get("/api/v3/time")).json["serverTime"]
    assert (await house.get("/api/v3/time")).json["serverTime"] == first
    moved = await house.http("POST", "/api/v1/test/clock/", body=b'{"advance_s": 86400}')
    assert moved.status == 200
    assert (await house.get("/api/v3/time")).json["serverTime"] >= first + 86_400_000
    await house.place("ann", "BUY", "1", "20000")  # stamped by the machine's clock
    now = (await house.get("/api/v3/time")).json["serverTime"]
    await house.place("ann", "BUY", "1", "20000", timestamp=now)  # and by the house's
    bad = await house.http("POST", "/api/v1/test/clock", body=b'{"advance": 1}')
    assert (bad.status, "error" in bad.json) == (400, True)


@pytest.mark.parametrize(
    "query",
    [
        b"symbol=BTCUSDT&symbol=ETHUSDT",
        b"symbol=BTCUSDT&s%79mbol=ETHUSDT",
        b"symbols=%5B%22BTCUSDT%22,%22BTCUSDT%22%5D",
    ],
)
async def test_nothing_may_be_said_twice(query: bytes) -> None:
    """A parameter twice, however it is written, or a symbol twice in a list, is -1101."""
    house = await small_house()
    reply = await house.http("GET", "/api/v3/ticker/24hr", query=query)
    assert (reply.status, reply.json["code"]) == (400, -1101)


async def test_a_deep_body_does_not_move_the_clock() -> None:
    """JSON nested deeper than can be read is the client's fault, not ours."""
    house = await small_house(clock="test")
    body = b'{"x":' * 10_000 + b"1" + b"}" * 10_000
    reply = await house.http("POST", "/api/v1/test/clock", body=body)
    assert reply.status == 400
