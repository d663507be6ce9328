"""The short way of an order: the same answers as the long one, whatever the bytes come in."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
import uvicorn
from uvicorn.server import ServerState

from fondaco.gateway.ingest import Ingest
from fondaco.gateway.lane import OrderLane
from fondaco.gateway.protocol import BODY_BYTES_MAX, HouseProtocol
from fondaco.link.answers import Overloaded, Unanswered
from tests.gateway.stand_ins import SmallHouse, small_house

ORDER: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "1",
    "price": "20000",
}


class Front:
    """The application before the gateway, and what took its way."""

    def __init__(self, house: SmallHouse, *, with_lane: bool = True) -> None:
        self._gateway = house.gateway
        self.lane: OrderLane | None = house.gateway.lane if with_lane else None
        self.ingest: Ingest | None = None
        self.is_outside = False
        self.long: list[str] = []

    def refuses(self, headers: object) -> bool:
        return self.is_outside

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.long.append(scope["method"])
        await self._gateway(scope, receive, send)


class Wire(asyncio.Transport):
    """The server's end of a connection: what it wrote, and whether it closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.writes = 0
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)
        self.writes += 1

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        ends = {"sockname": ("127.0.0.1", 8000), "peername": ("127.0.0.1", 5000)}
        return ends.get(name, default)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


class Line:
    """A client's connection to a server over a SmallHouse."""

    def __init__(self, front: Front) -> None:
        config = uvicorn.Config(
            front,
            http=HouseProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        config.load()
        self.front = front
        self.wire = Wire()
        self.protocol = HouseProtocol(config=config, server_state=ServerState(), app_state={})
        self.protocol.connection_made(self.wire)

    async def answers(self, count: int) -> list[Answer]:
        """Wait for so many answers and return them."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = list(parsed(self.wire.written))
            if len(found) >= count:
                return found
            await asyncio.sleep(0)
        raise AssertionError(self.wire.written)

    async def ask(self, request: bytes) -> Answer:
        self.protocol.data_received(request)
        (answer,) = await self.answers(1)
        self.wire.written = b""
        return answer


def parsed(stream: bytes) -> Iterator[Answer]:
    while b"\r\n\r\n" in stream:
        head, _, rest = stream.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers["content-length"])
        if len(rest) < length:
            return
        body = rest[:length]
        is_json = headers["content-type"].startswith("application/json")
        yield Answer(int(first.split(" ")[1]), headers, json.loads(body) if is_json else body)
        stream = rest[length:]


def payload(secret: str = "ann-secret", **parameters: object) -> str:
    parameters.setdefault("timestamp", time.time_ns() // 1_000_000)
    text = urlencode(parameters)
    return (
        f"{text}&signature={hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}"
    )


def request(
    method: str, text: str, *headers: str, key: str = "annKey", in_query: bool = False
) -> bytes:
    path = f"/api/v3/order?{text}" if in_query else "/api/v3/order"
    body = b"" if in_query else text.encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1:8000", *headers]
    if key:
        lines.append(f"X-MBX-APIKEY: {key}")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def raw_request(body: bytes) -> bytes:
    head = "POST /api/v3/order HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nX-MBX-APIKEY: annKey\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("in_query", [False, True])
async def test_an_order_and_its_cancel_take_the_lane(in_query: bool) -> None:
    """Signed POST and DELETE are answered in one write each, without an ASGI call."""
    line = Line(Front(await small_house()))
    made = await line.ask(
        request("POST", payload(**ORDER, newClientOrderId="mine"), in_query=in_query)
    )
    assert (made.status, made.body["status"], line.wire.writes) == (200, "NEW", 1)
    assert made.headers["x-mbx-order-count-10s"] == "1"
    assert made.headers["x-mbx-used-weight-1m"] == "1"
    gone = await line.ask(
        request("DELETE", payload(symbol="BTCUSDT", origClientOrderId="mine"), in_query=in_query)
    )
    assert (gone.status, gone.body["status"], gone.body["orderId"]) == (
        200,
        "CANCELED",
        made.body["orderId"],
    )
    assert line.front.long == []


CASES: dict[str, dict[str, Any]] = {
    "resting": {},
    "taking": {"price": "21000"},
    "market": {"type": "MARKET", "price": "", "timeInForce": ""},
    "no symbol": {"symbol": ""},
    "bad price": {"price": "x"},
    "off the tick": {"price": "20000.001"},
    "too much": {"quantity": "90000"},
    "maker that takes": {"type": "LIMIT_MAKER", "timeInForce": "", "price": "21000"},
    "immediate": {"timeInForce": "IOC", "price": "10000"},
    "late": {"timestamp": 1_600_000_000_000},
    "wide window": {"recvWindow": 70_000},
    "answer of one line": {"newOrderRespType": "ACK"},
}


@pytest.mark.parametrize("case", CASES)
async def test_both_ways_answer_alike(case: str) -> None:
    """Whatever is asked, the lane's status, headers and body are those of the long way."""
    seen = []
    for with_lane in (True, False):
        house = await small_house()
        await house.place("bob", "SELL", "1", "20500")
        front = Front(house, with_lane=with_lane)
        words = {name: value for name, value in {**ORDER, **CASES[case]}.items() if value != ""}
        answer = await Line(front).ask(request("POST", payload(**words)))
        assert bool(front.long) is not with_lane
        seen.append((answer.status, sorted(answer.headers.items()), answer.body))
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    "key,secret,status,code",
    [
        ("annKey", "wrong", 401, -1022),
        ("annReaderKey", "annReader-secret", 401, -2015),
        ("nobody", "nothing", 401, -2015),
        ("", "ann-secret", 401, -2014),
    ],
)
async def test_nobody_gets_in_by_the_short_way(
    key: str, secret: str, status: int, code: int
) -> None:
    """A wrong signature, a missing scope, an unknown or missing key: 401, and no order is made."""
    house = await small_house()
    seq = house.writer.seq
    answer = await Line(Front(house)).ask(request("POST", payload(secret, **ORDER), key=key))
    assert (answer.status, answer.body["code"], house.writer.seq) == (status, code, seq)


@pytest.mark.parametrize("in_query", [False, True])
async def test_each_flipped_bit_is_401(in_query: bool) -> None:
    """No bit of the signed bytes or of the signature may change on the way; nothing is made."""
    house = await small_house()
    seq = house.writer.seq
    good = payload(**ORDER, newClientOrderId="mine").encode()
    line = Line(Front(house))
    for place in range(len(good) * 8):
        flipped = bytearray(good)
        flipped[place >> 3] ^= 1 << (place & 7)
        if in_query and not all(33 <= byte < 127 and byte != 35 for byte in flipped):
            continue  # no byte of a request line; "#" ends a query
        text = flipped.decode("latin-1")
        asked = request("POST", text, in_query=True) if in_query else raw_request(bytes(flipped))
        answer = await line.ask(asked)
        assert (answer.status, house.writer.seq) == (401, seq), (place, text)
    assert (await line.ask(raw_request(good))).status == 200


async def test_a_request_in_pieces_is_one_request() -> None:
    """Every split of a request's bytes gives the same one order."""
    house = await small_house()
    whole = request("POST", payload(**ORDER))
    for place in range(1, len(whole), 7):
        line = Line(Front(house))
        line.protocol.data_received(whole[:place])
        answer = await line.ask(whole[place:])
        assert answer.status == 200, place


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Orders and questions sent in one piece come back in their order."""
    house = await small_house()
    line = Line(Front(house))
    ping = b"GET /api/v3/ping HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"
    order = request("POST", payload(**ORDER, newClientOrderId="first"))
    cancel = request("DELETE", payload(symbol="BTCUSDT", origClientOrderId="first"))
    line.protocol.data_received(order + ping + cancel + ping)
    answers = await line.answers(4)
    assert [answer.body.get("status") for answer in answers] == ["NEW", None, "CANCELED", None]


async def test_close_is_honoured() -> None:
    """A client that asks for it is told `connection: close`, and the connection closes."""
    line = Line(Front(await small_house()))
    answer = await line.ask(request("POST", payload(**ORDER), "Connection: close"))
    assert (answer.status, answer.headers["connection"], line.wire.closed) == (200, "close", True)


async def test_large_and_odd_bodies_go_the_long_way() -> None:
    """A body past the lane's bound, or one announced by Expect, is served as ever."""
    house = await small_house()
    line = Line(Front(house))
    long = payload(**ORDER, padding="x" * BODY_BYTES_MAX)
    assert (await line.ask(request("POST", long))).status == 200
    expecting = Line(Front(house))
    expecting.protocol.data_received(request("POST", payload(**ORDER), "Expect: 100-continue"))
    await asyncio.sleep(0)
    assert (line.front.long, expecting.front.long) == (["POST"], ["POST"])


async def test_what_a_house_does_not_serve_is_left_to_its_front() -> None:
    """A request from outside a loosened house never reaches the lane."""
    front = Front(await small_house())
    front.is_outside = True
    await Line(front).ask(request("POST", payload(**ORDER)))
    assert front.long == ["POST"]


async def test_a_client_that_went_is_not_written_to() -> None:
    """A connection lost before the answer: the order stands, nothing is written, nothing raises."""
    house = await small_house()
    line = Line(Front(house))
    sent: list[Any] = []
    house.writer.send = lambda record, sink: sent.append((record, sink))  # type: ignore[method-assign]
    line.protocol.data_received(request("POST", payload(**ORDER)))
    line.protocol.connection_lost(None)
    ((record, sink),) = sent
    sink.set_result(house.writer.commit(record))
    assert line.wire.written == b""
    assert (await house.signed("ann", "GET", "/api/v3/openOrders")).json


@pytest.mark.parametrize(
    "fault,status,code", [(Overloaded("full"), 503, -1008), (Unanswered("?"), 504, -1007)]
)
async def test_the_writers_failures_have_their_words(
    fault: Overloaded | Unanswered, status: int, code: int
) -> None:
    """Not executed is 503 with Retry-After, an unknown outcome 504, as on the long way."""
    house = await small_house()
    house.writer.fault = fault
    answer = await Line(Front(house)).ask(request("POST", payload(**ORDER)))
    assert (answer.status, answer.body["code"]) == (status, code)
    assert ("retry-after" in answer.headers) is (status == 503)


async def test_a_default_id_cancels() -> None:
    """The id that is shown for an order without one names it, also on the short way."""
    line = Line(Front(await small_house()))
    made = await line.ask(request("POST", payload(**ORDER)))
    words = payload(symbol="BTCUSDT", origClientOrderId=made.body["clientOrderId"])
    gone = await line.ask(request("DELETE", words))
    assert (gone.body["status"], line.front.long) == ("CANCELED", [])


async def test_limits_hold_on_the_short_way() -> None:
    """Orders past a key's limit are 429 with Retry-After and reach nobody."""
    from tests.gateway.stand_ins import _grant

    house = await small_house(grants=[_grant(1, "ann", 16, 3, order_limit_10s=2)])
    line = Line(Front(house))
    seen = [(await line.ask(request("POST", payload(**ORDER)))).status for _ in range(3)]
    assert seen in ([200, 200, 429], [200, 200, 200])  # a window of the clock may have turned
    if seen[-1] == 200:
        seen = [(await line.ask(request("POST", payload(**ORDER)))).status for _ in range(2)]
    assert seen[-1] == 429
