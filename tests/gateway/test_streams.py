"""Streams and the WebSocket API over the real core."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fondaco.gateway.broadcast import StreamName, parse_stream
from fondaco.gateway.streams import QUEUE_BYTES_MAX, Connection
from fondaco.gateway.ws_api import text_of
from tests.gateway.stand_ins import SmallHouse, Socket, small_house, ws_signed


@pytest.mark.parametrize(
    "name,stream",
    [
        ("btcusdt@trade", StreamName("btcusdt@trade@1000", "BTCUSDT", "trade", "", 1000)),
        ("btcusdt@depth", StreamName("btcusdt@depth@1000", "BTCUSDT", "depth", "", 1000)),
        ("btcusdt@depth@100ms", StreamName("btcusdt@depth@100", "BTCUSDT", "depth", "", 100)),
        ("btcusdt@depth20@100ms", StreamName("btcusdt@depth20@100", "BTCUSDT", "depth", "20", 100)),
        ("btcusdt@kline_1M", StreamName("btcusdt@kline1M@1000", "BTCUSDT", "kline", "1M", 1000)),
        ("!ticker@arr", StreamName("!ticker@arr", "", "ticker", "", 1000)),
        ("btcusdt@kline_7m", None),
        ("btcusdt@depth7", None),
        ("btcusdt@trade@100ms", None),
        ("BTCUSDT@trade", None),
        ("0", None),
        ("", None),
    ],
)
def test_stream_names(name: str, stream: StreamName | None) -> None:
    """Each served name is taken apart; others are no streams."""
    assert parse_stream(name) == stream


async def trade(house: SmallHouse, price: str = "20000") -> None:
    await house.place("bob", "SELL", "1", price)
    await house.place("ann", "BUY", "1", price)


async def test_trades_and_best_prices_of_a_turn() -> None:
    """@trade, @aggTrade and @bookTicker tell a trade at once, in the bare form on /ws."""
    house = await small_house()
    async with Socket(house, "/ws/btcusdt@trade/btcusdt@aggTrade/btcusdt@bookTicker") as socket:
        await house.place("bob", "SELL", "0.5", "20000")
        best = await socket.next()
        assert (best["a"], best["A"], best["b"]) == ("20000.00000000", "0.50000000", "0.00000000")
        await house.place("bob", "SELL", "0.5", "20000")
        await house.place("bob", "SELL", "0.5", "20000")
        await house.place("ann", "BUY", "1.2", "20000")
        found = [await socket.until(lambda text: text.get("e") == "trade") for _ in range(3)]
        assert [each["q"] for each in found] == ["0.50000000", "0.50000000", "0.20000000"]
        assert found[0]["m"] is False
        joined = await socket.until(lambda text: text.get("e") == "aggTrade")
        assert (joined["q"], joined["f"], joined["l"]) == (
            "1.20000000",
            1_000_000_001,
            1_000_000_003,
        )


async def test_the_difference_stream_fits_the_snapshot() -> None:
    """U is the last u + 1, and snapshot + differences give the book that REST shows."""
    house = await small_house()
    await house.place("ann", "BUY", "1", "19000")
    broadcast = house.gateway.broadcast
    async with Socket(house, "/ws/btcusdt@depth@100ms") as socket:
        snapshot = (await house.get("/api/v3/depth", symbol="BTCUSDT")).json
        levels: dict[str, dict[str, str]] = {
            "b": dict(snapshot["bids"]),
            "a": dict(snapshot["asks"]),
        }
        last = snapshot["lastUpdateId"]
        for step in range(20):
            await house.place("ann", "BUY", "1", str(19000 + step % 7))
            await house.place("bob", "SELL", "0.7", str(19003 + step % 5))
            if step % 4 == 3:
                broadcast.tick()
                update = await socket.until(lambda text: text.get("e") == "depthUpdate")
                assert update["U"] == last + 1
                assert update["u"] >= update["U"]
                last = update["u"]
                for side in ("b", "a"):
                    for price, quantity in update[side]:
                        if float(quantity):
                            levels[side][price] = quantity
                        else:
                            levels[side].pop(price, None)
        now = (await house.get("/api/v3/depth", symbol="BTCUSDT")).json
        assert now["lastUpdateId"] == last
        assert levels == {"b": dict(now["bids"]), "a": dict(now["asks"])}
        assert now["bids"] == sorted(now["bids"], key=lambda row: -float(row[0]))


async def test_a_lost_update_is_noticed_and_the_book_loaded_anew() -> None:
    """A planted gap in the event stream makes the mirror load again instead of lying."""
    house = await small_house()
    await house.place("ann", "BUY", "1", "19000")
    feed, market = house.gateway.feed, house.gateway.edge.markets[1]
    whole = feed.take
    house.writer._on_events = lambda seq, events: None
    await house.place("ann", "BUY", "1", "19001")
    house.writer._on_events = whole
    await house.place("ann", "BUY", "1", "19002")
    assert not market.depth.loaded
    depth = (await house.get("/api/v3/depth", symbol="BTCUSDT")).json
    assert [price for price, _ in depth["bids"]] == [
        "19002.00000000",
        "19001.00000000",
        "19000.00000000",
    ]


async def test_bars_turn_with_the_clock_and_count_late_trades() -> None:
    """A running bar is told, a passed one is told as final, and equals REST's."""
    house = await small_house(clock="test", rate_limits=False)
    broadcast, edge = house.gateway.broadcast, house.gateway.edge
    async with Socket(house, "/stream", b"streams=btcusdt@kline_1m") as socket:
        await trade(house)
        broadcast.tick()
        broadcast.tick()
        bar = (await socket.until(lambda text: text["data"]["k"]["n"] == 1))["data"]["k"]
        assert (bar["o"], bar["c"], bar["v"], bar["x"]) == (
            "20000.00000000",
            "20000.00000000",
            "1.00000000",
            False,
        )
        edge.time_us += 61_000_000
        broadcast.tick()
        broadcast.tick()
        final = (await socket.until(lambda text: text["data"]["k"]["x"]))["data"]["k"]
        assert (final["t"], final["v"]) == (bar["t"], "1.00000000")
        flat = (await socket.next())["data"]["k"]
        assert (flat["t"], flat["n"], flat["o"]) == (bar["t"] + 60_000, 0, "20000.00000000")
        await trade(house, "21000")  # stamped before the turn, seen after it
        broadcast.tick()
        broadcast.tick()
        late = (await socket.until(lambda text: text["data"]["k"]["x"]))["data"]["k"]
        assert (late["t"], late["h"], late["n"]) == (bar["t"], "21000.00000000", 2)


async def test_tickers_tell_the_day() -> None:
    """24-hour tickers by stream and by REST agree, single and as an array."""
    house = await small_house(clock="test", rate_limits=False)
    await trade(house, "20000")
    async with Socket(house, "/ws") as socket:
        await socket.ask(method="SUBSCRIBE", params=["btcusdt@ticker", "!miniTicker@arr"], id="x")
        await trade(house, "21000")
        for _ in range(10):
            house.gateway.broadcast.tick()
        ticker = await socket.until(lambda text: isinstance(text, dict) and "P" in text)
        assert (ticker["o"], ticker["c"], ticker["n"]) == ("20000.00000000", "21000.00000000", 2)
        assert (ticker["p"], ticker["P"], ticker["w"]) == (
            "1000.00000000",
            "5.000",
            "20500.00000000",
        )
        arrays = await socket.until(lambda text: isinstance(text, list))
        assert [each["s"] for each in arrays] == ["BTCUSDT"]
    rest = (await house.get("/api/v3/ticker/24hr", symbol="BTCUSDT")).json
    assert (rest["priceChangePercent"], rest["count"]) == ("5.000", 2)


async def test_subscribing_is_idempotent_and_bad_words_are_told() -> None:
    """Twice is once; an unknown path word does not close; ids of any kind are given back."""
    house = await small_house()
    async with Socket(house, "/ws/0") as socket:
        for request_id in (1, "two", None):
            answer = await socket.ask(method="SUBSCRIBE", params=["btcusdt@trade"], id=request_id)
            assert answer == {"result": None, "id": request_id}
        listed = await socket.ask(method="LIST_SUBSCRIPTIONS", id=4)
        assert listed["result"] == ["btcusdt@trade"]
        await trade(house)
        assert (await socket.next())["e"] == "trade"
        unknown = await socket.ask(method="SUBSCRIBE", params=["no@such"], id=5)
        assert unknown["error"]["code"] == 2
        assert "no@such" in unknown["error"]["msg"]
        combined = await socket.ask(method="SET_PROPERTY", params=["combined", True], id=6)
        assert combined["result"] is None
        await trade(house)
        assert (await socket.next())["stream"] == "btcusdt@trade"
        await socket.ask(method="UNSUBSCRIBE", params=["btcusdt@trade"], id=7)
        assert house.gateway.topics.names() == []


async def listen_key(house: SmallHouse, who: str = "ann") -> str:
    reply = await house.http(
        "POST", "/api/v3/userDataStream", headers={"X-MBX-APIKEY": f"{who}Key"}
    )
    key: str = reply.json["listenKey"]
    return key


@pytest.mark.parametrize("way", ["path", "query", "subscribe"])
async def test_a_listen_key_opens_the_users_own_stream(way: str) -> None:
    """By path, by ?streams= and by SUBSCRIBE: reports in order, then the balances."""
    house = await small_house()
    key = await listen_key(house)
    path, query = {
        "path": (f"/ws/{key}", b""),
        "query": ("/stream", f"streams={key}".encode()),
        "subscribe": ("/ws", b""),
    }[way]
    async with Socket(house, path, query) as socket:
        if way == "subscribe":
            assert (await socket.ask(method="SUBSCRIBE", params=[key], id=1))["result"] is None
        await house.place("bob", "SELL", "2", "20000")  # nobody else's events are told
        made = await house.place("ann", "BUY", "1", "20000", newClientOrderId="mine")
        texts = [await socket.next() for _ in range(3)]
        if way == "query":
            assert {each["stream"] for each in texts} == {key}
            texts = [each["data"] for each in texts]
        kinds = [(each["e"], each.get("x"), each.get("X")) for each in texts]
        assert kinds == [
            ("executionReport", "NEW", "NEW"),
            ("executionReport", "TRADE", "FILLED"),
            ("outboundAccountPosition", None, None),
        ]
        assert {each["i"] for each in texts[:2]} == {made["orderId"]}
        fill = texts[1]
        assert (fill["l"], fill["L"], fill["n"], fill["N"], fill["m"]) == (
            "1.00000000",
            "20000.00000000",
            "0.00100000",
            "BTC",
            False,
        )
        assert {each["a"] for each in texts[2]["B"]} == {"BTC", "USDT"}


async def test_a_cancels_report_names_both_ids() -> None:
    """x CANCELED: c is the cancel's own id, C the order's."""
    house = await small_house()
    async with Socket(house, f"/ws/{await listen_key(house)}") as socket:
        await house.place("ann", "BUY", "1", "20000", newClientOrderId="mine")
        await house.signed(
            "ann",
            "DELETE",
            "/api/v3/order",
            symbol="BTCUSDT",
            origClientOrderId="mine",
            newCancelClientOrderId="gone",
        )
        report = await socket.until(lambda text: text.get("x") == "CANCELED")
        assert (report["c"], report["C"], report["X"]) == ("gone", "mine", "CANCELED")


async def test_listen_keys_live_and_die() -> None:
    """One key a caller, useless to others; closed it is -1125 and its stream is told."""
    house = await small_house()
    key = await listen_key(house)
    assert await listen_key(house) == key
    assert await listen_key(house, "bob") != key
    headers = {"X-MBX-APIKEY": "bobKey"}
    query = f"listenKey={key}".encode()
    other = await house.http("PUT", "/api/v3/userDataStream", query=query, headers=headers)
    assert other.json["code"] == -1125
    headers = {"X-MBX-APIKEY": "annKey"}
    async with Socket(house, f"/ws/{key}") as socket:
        kept = await house.http("PUT", "/api/v3/userDataStream", query=query, headers=headers)
        assert kept.json == {}
        gone = await house.http("DELETE", "/api/v3/userDataStream", body=query, headers=headers)
        assert gone.json == {}
        house.gateway._streams.expire_keys(1)
        assert (await socket.next())["e"] == "listenKeyExpired"
    again = await house.http("PUT", "/api/v3/userDataStream", query=query, headers=headers)
    assert again.json["code"] == -1125


async def test_the_websocket_api_places_and_cancels() -> None:
    """order.place, order.status, order.cancel and account.status answer as REST, ids kept."""
    house = await small_house()
    async with Socket(house, "/ws-api/v3") as socket:
        assert (await socket.ask(id=None, method="ping"))["result"] == {}
        placed = await socket.ask(
            id="p",
            method="order.place",
            params=ws_signed(
                "ann",
                symbol="BTCUSDT",
                side="BUY",
                type="LIMIT",
                timeInForce="GTC",
                quantity="1",
                price="20000",
                returnRateLimits=False,
            ),
        )
        assert placed["status"] == 200
        assert "rateLimits" not in placed
        order_id = placed["result"]["orderId"]
        seen = await socket.ask(
            id=2,
            method="order.status",
            params=ws_signed("ann", symbol="BTCUSDT", orderId=order_id),
        )
        assert seen["result"]["status"] == "NEW"
        assert seen["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
        gone = await socket.ask(
            id=3,
            method="order.cancel",
            params=ws_signed("ann", symbol="BTCUSDT", orderId=order_id),
        )
        assert gone["result"]["status"] == "CANCELED"
        wrong = ws_signed("ann", symbol="BTCUSDT", orderId=order_id)
        wrong["orderId"] += 1
        refused = await socket.ask(id=4, method="order.cancel", params=wrong)
        assert (refused["status"], refused["error"]["code"]) == (401, -1022)
        unknown = await socket.ask(id=5, method="order.wish")
        assert unknown["error"]["code"] == -1020


async def test_numbers_of_the_websocket_api_never_become_floats() -> None:
    """A JSON number is taken by its digits: 0.1 is a tenth, and 1e0 is refused."""
    for literal, text in (("0.1", "0.1"), ("1e0", "1e0"), ('"a"', "a"), ("true", "true")):
        assert text_of(msgspec.Raw(literal.encode())) == text


async def test_user_data_by_signature_on_the_websocket_api() -> None:
    """userDataStream.subscribe.signature wraps events with its id; unsubscribe ends them."""
    house = await small_house()
    async with Socket(house, "/ws-api/v3") as socket:
        method = "userDataStream.subscribe.signature"
        opened = await socket.ask(id=1, method=method, params=ws_signed("ann"))
        assert opened["result"] == {"subscriptionId": 0}
        await house.place("ann", "BUY", "1", "20000")
        event = await socket.next()
        assert (event["subscriptionId"], event["event"]["e"]) == (0, "executionReport")
        assert (await socket.next())["event"]["e"] == "outboundAccountPosition"
        ended = await socket.ask(id=2, method="userDataStream.unsubscribe", params={})
        assert ended["status"] == 200
        await house.place("ann", "BUY", "1", "20000")
        assert (await socket.ask(id=3, method="ping"))["result"] == {}
        bad = await socket.ask(id=4, method=method, params=ws_signed("nobody"))
        assert (bad["status"], bad["error"]["code"]) == (401, -2015)


async def test_a_revoked_key_ends_its_subscriptions() -> None:
    """Revoking tells eventStreamTerminated and closes the subscription."""
    from fondaco.core.records import Command, pack

    house = await small_house()
    async with Socket(house, "/ws-api/v3") as socket:
        await socket.ask(id=1, method="userDataStream.subscribe.signature", params=ws_signed("ann"))
        house.writer.commit(pack(Command.REVOKE_KEY, account=16, key_number=1))
        told = await socket.next()
        assert told["event"]["e"] == "eventStreamTerminated"
        assert house.gateway.topics.accounts == set()


async def test_a_slow_client_is_dropped_with_a_reason() -> None:
    """A full queue closes that connection with 1008 and says why; nothing more is kept."""
    connection = Connection(combined=False)
    text = "x" * (1 << 20)
    for _ in range(QUEUE_BYTES_MAX // len(text) + 1):
        connection.push(text)
    assert "slow" in connection.dropped
    assert not connection.queue
    house = await small_house()
    async with Socket(house, "/ws/btcusdt@trade") as socket:
        (dropped,) = house.gateway.topics.get("btcusdt@trade@1000").subscriptions  # type: ignore[union-attr]
        dropped.connection.drop("too slow: test")
        closed: dict[str, Any] = await socket.next_message()
        assert (closed["type"], closed["code"]) == ("websocket.close", 1008)
        assert closed["reason"] == "too slow: test"


async def test_each_socket_of_a_listen_key_is_told_once() -> None:
    """Three sockets on one key each get listenKeyExpired in one envelope."""
    house = await small_house()
    key = await listen_key(house)
    query = f"streams={key}".encode()
    async with (
        Socket(house, "/stream", query) as one,
        Socket(house, "/stream", query) as two,
        Socket(house, "/stream", query) as three,
    ):
        headers = {"X-MBX-APIKEY": "annKey"}
        body = f"listenKey={key}".encode()
        await house.http("DELETE", "/api/v3/userDataStream", body=body, headers=headers)
        for socket in (one, two, three):
            told = await socket.next()
            assert (told["stream"], told["data"]["e"]) == (key, "listenKeyExpired")


@pytest.mark.parametrize("path", ["/ws", "/ws-api/v3"])
@pytest.mark.parametrize("depth", [900, 20_000])
async def test_deep_json_is_refused_and_the_socket_stays(path: str, depth: int) -> None:
    """JSON nested deeper than can be read is answered as any other bad text."""
    house = await small_house()
    async with Socket(house, path) as socket:
        deep = '{"a":' * depth + "1" + "}" * depth
        text = f'{{"id":1,"method":"ping","params":{deep}}}'
        socket._in.put_nowait({"type": "websocket.receive", "text": text})
        answer = await socket.next()
        assert "error" in answer or answer["status"] == 200, answer
        assert (await socket.ask(id=2, method="LIST_SUBSCRIPTIONS"))["id"] == 2


async def test_a_name_may_not_stand_twice_on_the_websocket_api() -> None:
    """A repeated name is -1101, as on REST, and nothing is carried out."""
    house = await small_house()
    async with Socket(house, "/ws-api/v3") as socket:
        text = '{"id":7,"method":"depth","params":{"symbol":"BTCUSDT","symbol":"ETHUSDT"}}'
        socket._in.put_nowait({"type": "websocket.receive", "text": text})
        answer = await socket.next()
        assert (answer["id"], answer["error"]["code"]) == (7, -1101)
