"""Requests that dawdle or swell: bounds on a head's bytes and on the time of a head and a body."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from fondaco.gateway.protocol import (
    BODY_S,
    HEAD_BYTES_MAX,
    HEAD_S,
    HouseProtocol,
    HouseWebSocket,
)
from tests.gateway.stand_ins import SmallHouse, small_house
from tests.gateway.test_lane import ORDER, Front, Line, Wire, payload, request

PING = b"GET /api/v3/ping HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"
KEEP_ALIVE_S = 5.0


class Bell:
    """What call_later() gave."""

    def __init__(self, at: float, ring: Callable[[], None]) -> None:
        self.at = at
        self.ring = ring
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """The running loop with a clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.bells: list[Bell] = []
        self.create_task = asyncio.get_running_loop().create_task

    def time(self) -> float:
        return self.now

    def call_later(self, after_s: float, ring: Callable[[], None]) -> Bell:
        self.bells.append(Bell(self.now + after_s, ring))
        return self.bells[-1]

    def pass_s(self, seconds: float) -> None:
        """Let time pass, and the bells ring that are due."""
        end = self.now + seconds
        while due := [bell for bell in self.bells if not bell.cancelled and bell.at <= end]:
            bell = min(due, key=lambda each: each.at)
            self.bells.remove(bell)
            self.now = bell.at
            bell.ring()
        self.now = end
        assert sum(not bell.cancelled for bell in self.bells) <= 1, "one timer a connection"


class SlowLine(Line):
    """A connection whose time the test holds."""

    def __init__(self, house: SmallHouse) -> None:
        super().__init__(Front(house))
        self.loop = Loop()
        self.wire = Wire()
        config: Any = self.protocol.config
        loop: Any = self.loop
        self.protocol = HouseProtocol(
            config=config, server_state=ServerState(), app_state={}, _loop=loop
        )
        self.protocol.connection_made(self.wire)

    def send(self, data: bytes) -> None:
        self.protocol.data_received(data)

    @property
    def status(self) -> int:
        """The status of what was written, 0 if nothing."""
        return int(self.wire.written.split(b" ")[1]) if self.wire.written else 0


@pytest.mark.parametrize("first", [b"G", b"GET /api/v3/ping HTTP/1.1\r\nHost: 127", PING[:-2]])
async def test_a_head_that_does_not_end_is_408(first: bytes) -> None:
    """Ten seconds after its first byte, however steadily more bytes come."""
    line = SlowLine(await small_house())
    line.loop.pass_s(3)
    line.send(first)
    for _ in range(9):
        line.loop.pass_s(1)
        line.send(b"X: y\r\n" if first.endswith(b"\r\n") else b"x" * (len(first) > 1))
    assert not line.wire.closed
    line.loop.pass_s(1)
    assert (line.status, line.wire.closed) == (408, True)
    written = line.wire.written
    line.send(b"\r\n\r\n" + PING)
    assert line.wire.written == written


@pytest.mark.parametrize("path", ["/api/v3/order", "/api/v3/userDataStream"])
async def test_a_body_that_does_not_end_is_408(path: str) -> None:
    """Thirty seconds after the request's first byte, on the lane and on the long way; unmoved."""
    house = await small_house()
    line = SlowLine(house)
    seq = house.writer.seq
    whole = request("POST", payload(**ORDER)).replace(b"/api/v3/order", path.encode())
    line.send(whole[:-10])
    await asyncio.sleep(0)
    line.loop.pass_s(BODY_S - 1)
    assert not line.wire.closed
    line.loop.pass_s(1)
    assert (line.status, line.wire.closed) == (408, True)
    line.protocol.connection_lost(None)
    await asyncio.gather(*line.protocol.tasks)
    assert house.writer.seq == seq
    assert line.wire.written.count(b"HTTP/1.1 ") == 1


async def test_a_connection_that_asks_nothing_is_closed() -> None:
    """Nothing ever sent, only empty lines, or nothing more: closed without a word."""
    house = await small_house()
    silent, blank, used = SlowLine(house), SlowLine(house), SlowLine(house)
    for _ in range(int(HEAD_S) - 1):
        silent.loop.pass_s(1)
        blank.loop.pass_s(1)
        blank.send(b"\r\n")
    assert (silent.wire.closed, blank.wire.closed) == (False, False)
    for line in (silent, blank):
        line.loop.pass_s(1)
        assert (line.status, line.wire.closed) == (0, True)
    for _ in range(5):
        used.loop.pass_s(KEEP_ALIVE_S - 1)
        assert (await used.ask(PING)).status == 200
    used.loop.pass_s(KEEP_ALIVE_S)
    assert (used.status, used.wire.closed) == (0, True)


async def test_an_answer_may_take_its_time() -> None:
    """A client that waits for its answer is not cut, nor is a head sent ahead meanwhile."""
    house = await small_house()
    line = SlowLine(house)
    sent: list[Any] = []
    house.writer.send = lambda record, sink: sent.append((record, sink))  # type: ignore[method-assign]
    line.send(request("POST", payload(**ORDER)) + PING[:20])
    line.loop.pass_s(3 * BODY_S)
    assert not line.wire.closed
    ((record, sink),) = sent
    sink.set_result(house.writer.commit(record))
    line.send(PING[20:])
    first, second = await line.answers(2)
    assert (first.status, second.status) == (200, 200)


@pytest.mark.parametrize("piece", [1 << 20, 1 << 15, 1000])
async def test_a_head_of_more_than_32_kib_is_431(piece: int) -> None:
    """By one header, by many or by the address, in one piece or in many; just below it is read."""
    house = await small_house()
    tail = b"Host: 127.0.0.1:8000\r\n\r\n"
    for over, status in ((-200, 200), (1, 431)):
        room = HEAD_BYTES_MAX + over
        heads = [
            b"GET /api/v3/ping HTTP/1.1\r\nCookie: " + b"c" * room + b"\r\n" + tail,
            b"GET /api/v3/ping HTTP/1.1\r\n" + b"A: b\r\n" * (room // 2) + tail,
            b"GET /api/v3/ping?" + b"a" * room + b" HTTP/1.1\r\n" + tail,
        ]
        for number, head in enumerate(heads):
            if number == 1 and status == 200:
                continue  # its line ends count when it comes in pieces
            line = SlowLine(house)
            for start in range(0, len(head), piece):
                line.send(head[start : start + piece])
            await line.answers(1)
            assert (line.status, line.wire.closed) == (status, status == 431)


async def test_many_requests_in_one_piece_are_no_large_head() -> None:
    """Orders sent ahead, more than 32 KiB of them, with the last one cut: each is answered."""
    house = await small_house()
    line = SlowLine(house)
    orders = b"".join(request("POST", payload(**ORDER)) for _ in range(150))
    assert len(orders) > HEAD_BYTES_MAX
    line.send(orders + PING[:30])
    line.send(PING[30:])
    answers = await line.answers(151)
    assert {answer.status for answer in answers} == {200}


async def test_a_trailer_says_nothing() -> None:
    """A key that comes after the body is no key."""
    house = await small_house()
    body = payload(**ORDER).encode()
    line = SlowLine(house)
    line.send(
        b"POST /api/v3/order HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\nX-MBX-APIKEY: annKey\r\n\r\n" % (len(body), body)
    )
    (answer,) = await line.answers(1)
    assert answer.status == 401


@contextlib.asynccontextmanager
async def serving(app: Any, **options: Any) -> AsyncIterator[int]:
    """Serve over a real socket as the edge does; yields the port."""
    config = uvicorn.Config(
        app, http=HouseProtocol, lifespan="off", log_config=None, **{"ws": "none", **options}
    )
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: HouseProtocol(config=config, server_state=ServerState(), app_state={}),
        "127.0.0.1",
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_real_server_answers_431_and_closes() -> None:
    """Over a socket, with uvicorn around: the answer comes, then the end."""
    async with serving(Front(await small_house())) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /" + b"x" * 2 * HEAD_BYTES_MAX + b" HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
        writer.close()


async def test_a_ping_is_the_time_in_digits_and_its_pong_is_heard() -> None:
    """A client that reads a ping's payload as text, as nautilus_trader does, stays connected."""
    options = {"ws": HouseWebSocket, "ws_ping_interval": 0.01, "ws_ping_timeout": 60}
    async with serving((await small_house()).gateway, **options) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        client = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}/ws"))
        client.send_request(client.connect())
        pings: list[int] = []
        async with asyncio.timeout(60):
            while len(pings) < 3:  # the next one is sent only after the pong of the one before
                writer.writelines(client.data_to_send())
                data = await reader.read(1 << 16)
                assert data, "the server hung up"
                client.receive_data(data)
                pings.extend(
                    int(bytes(event.data).decode("ascii"))
                    for event in client.events_received()
                    if isinstance(event, Frame) and event.opcode is Opcode.PING
                )
        writer.close()
    assert pings == sorted(pings)
    assert abs(pings[0] / 1000 - time.time()) < 600
