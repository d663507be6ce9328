"""A house with two edges on one port: whichever edge answers, it is one house."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.integration.running import HOUSE, READY_S, Running, running, until

TWO_EDGES = HOUSE.replace("rate_limits = false", "rate_limits = false\nedges = 2")
HEARD_S = 60.0


class Edge:
    """One of the edges: what is asked here is asked of no other."""

    def __init__(self, house: Running, pid: int) -> None:
        self.house = house
        self.pid = pid
        self.connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=READY_S)
        with self.alone():
            assert self.ask("GET", "/health/live")[0] == 200
        until(lambda: self.ask("GET", "/health/ready")[0] == 200, READY_S, f"edge {pid} ready")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the other edges still: who connects meanwhile meets this one."""
        others = [pid for pid in edges_of(self.house) if pid != self.pid]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)

    def ask(self, method: str, path: str) -> tuple[int, Any]:
        self.connection.request(method, path, headers={"X-MBX-APIKEY": "key-of-ann"})
        response = self.connection.getresponse()
        body = response.read()
        return response.status, json.loads(body) if body.startswith((b"{", b"[")) else body

    def signed(self, method: str, path: str, **parameters: Any) -> Any:
        """Ask as ann and return what a 200 brought."""
        query = urlencode({**parameters, "timestamp": time.time_ns() // 1_000_000})
        mark = hmac.new(b"secret-of-ann", query.encode(), hashlib.sha256).hexdigest()
        status, body = self.ask(method, f"{path}?{query}&signature={mark}")
        assert status == 200, body
        return body

    def place(self, **changes: str) -> Any:
        limit = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        return self.signed(
            "POST", "/api/v3/order", **{**limit, "quantity": "0.001", "price": "100", **changes}
        )

    def listen(self, path: str) -> ClientConnection:
        """Open a stream at this edge."""
        with self.alone():
            return connect(f"ws://127.0.0.1:{self.house.port}{path}")


def edges_of(house: Running) -> list[int]:
    return sorted(pid for pid, role in house.roles().items() if role == "edge")


def until_serving(house: Running) -> None:
    """Wait until an edge serves and has made way for the others."""
    house.until_ready()

    def may_share() -> bool:
        with (house.data / "run" / "edges").open("rb") as file:
            with contextlib.suppress(BlockingIOError):
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return True
            return False

    until(may_share, READY_S, "an edge lets others serve beside it")


def heard(stream: ClientConnection, kind: str, **fields: Any) -> dict[str, Any]:
    """Return the next message of that kind with those fields."""
    while True:
        message: dict[str, Any] = json.loads(stream.recv(timeout=HEARD_S))
        wanted = {"e": kind, **fields}
        if all(message.get(name) == value for name, value in wanted.items()):
            return message


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("two"), house=TWO_EDGES) as started:
        until_serving(started)
        yield started


@pytest.fixture
def pair(house: Running) -> Iterator[tuple[Edge, Edge]]:
    with contextlib.ExitStack() as stack:
        one, two = (stack.enter_context(Edge(house, pid)) for pid in edges_of(house))
        yield one, two


def test_nobody_is_told_that_a_ready_house_starts(tmp_path: Path) -> None:
    """After ready each answer is 200, while the second edge joins and when the first has died."""
    told: Counter[int] = Counter()
    is_over = threading.Event()

    def ask(port: int) -> None:
        while not is_over.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):  # of the killed edge
                asked = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_S)
                with contextlib.closing(asked) as connection:
                    connection.request("GET", "/api/v3/time")
                    told[connection.getresponse().status] += 1

    with running(tmp_path, house=TWO_EDGES) as started:
        until_serving(started)
        asking = threading.Thread(target=ask, args=(started.port,))
        asking.start()
        try:
            first, second = edges_of(started)
            for pid in (second, first):
                with Edge(started, pid):
                    pass
            os.kill(first, signal.SIGKILL)
            fresh = until(
                lambda: set(edges_of(started)) - {first, second}, READY_S, "another edge starts"
            )
            for pid in fresh:
                with Edge(started, pid):
                    pass
        finally:
            is_over.set()
            asking.join()
    assert set(told) == {200}


def test_edges_that_are_alone_say_that_they_start(tmp_path: Path) -> None:
    """With every edge killed and no writer to ask, a new one answers 503, and alive it is."""
    with running(tmp_path, house=TWO_EDGES) as started:
        until_serving(started)
        old = edges_of(started)
        for pid in old:
            with Edge(started, pid):
                pass
        writer = started.children()["writer"]
        os.kill(writer, signal.SIGSTOP)
        try:
            for pid in old:
                os.kill(pid, signal.SIGKILL)
            until(lambda: len(set(edges_of(started)) - {*old}) == 2, READY_S, "two new edges")
            assert started.get("/health/live")[0] == 200
            status, body = started.get("/api/v3/time")
            assert (status, body["code"]) == (503, -1008)
        finally:
            os.kill(writer, signal.SIGCONT)
        until_serving(started)
        for pid in edges_of(started):
            with Edge(started, pid) as edge:
                assert edge.ask("GET", "/api/v3/time")[0] == 200


def test_what_one_edge_acknowledged_the_other_shows(pair: tuple[Edge, Edge]) -> None:
    """Orders placed and cancelled in turns; each read at the other edge has the last write."""
    for count in range(20):
        writer, reader = pair[count % 2], pair[1 - count % 2]
        number = writer.place()["orderId"]
        named = {"symbol": "BTCUSDT", "orderId": number}
        assert reader.signed("GET", "/api/v3/order", **named)["status"] == "NEW"
        assert number in {row["orderId"] for row in reader.signed("GET", "/api/v3/openOrders")}
        _, depth = reader.ask("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5")
        assert depth["bids"] == [["100.00000000", "0.00100000"]]
        assert reader.signed("DELETE", "/api/v3/order", **named)["status"] == "CANCELED"
        assert writer.signed("GET", "/api/v3/order", **named)["status"] == "CANCELED"
        rows = writer.signed("GET", "/api/v3/allOrders", symbol="BTCUSDT", orderId=number)
        assert [row["status"] for row in rows] == ["CANCELED"]


def test_streams_of_both_edges_tell_the_same(pair: tuple[Edge, Edge]) -> None:
    """A trade made through one edge is told by both, publicly and to whom it belongs."""
    one, two = pair
    keys = [edge.ask("POST", "/api/v3/userDataStream")[1]["listenKey"] for edge in pair]
    with contextlib.ExitStack() as stack:
        public = [stack.enter_context(edge.listen("/ws/btcusdt@trade")) for edge in pair]
        # Each edge is asked with the key that the other made.
        own = [
            stack.enter_context(edge.listen(f"/ws/{key}"))
            for edge, key in zip(pair, reversed(keys), strict=True)
        ]
        resting = one.place(price="101", selfTradePreventionMode="NONE")["orderId"]
        two.place(side="SELL", price="101", selfTradePreventionMode="NONE")
        first, second = (heard(stream, "trade") for stream in public)
        assert (first["t"], first["p"], first["q"]) == (second["t"], second["p"], second["q"])
        for stream in own:
            report = heard(stream, "executionReport", i=resting, x="TRADE")
            assert (report["X"], report["t"]) == ("FILLED", first["t"])


def test_a_listen_key_ended_at_one_edge_is_ended_at_the_other(pair: tuple[Edge, Edge]) -> None:
    """DELETE at one: the other's open stream is told, and it refuses the key from then on."""
    one, two = pair
    key = one.ask("POST", "/api/v3/userDataStream")[1]["listenKey"]
    assert two.ask("PUT", f"/api/v3/userDataStream?listenKey={key}") == (200, {})
    with two.listen(f"/ws/{key}") as stream:
        assert one.ask("DELETE", f"/api/v3/userDataStream?listenKey={key}") == (200, {})
        status, body = two.ask("PUT", f"/api/v3/userDataStream?listenKey={key}")
        assert (status, body["code"]) == (400, -1125)
        assert heard(stream, "listenKeyExpired")["listenKey"] == key


def test_a_killed_edge_is_replaced_and_the_other_serves_on(tmp_path: Path) -> None:
    """kill -9 of one edge: orders go on at the other at once, and a new one joins the house."""
    with running(tmp_path, house=TWO_EDGES) as house, contextlib.ExitStack() as stack:
        until_serving(house)
        one, two = (stack.enter_context(Edge(house, pid)) for pid in edges_of(house))
        key = one.ask("POST", "/api/v3/userDataStream")[1]["listenKey"]
        one.ask("DELETE", f"/api/v3/userDataStream?listenKey={key}")
        kept = one.place(newClientOrderId="before")["orderId"]
        os.kill(one.pid, signal.SIGKILL)
        assert two.place(newClientOrderId="during")["status"] == "NEW"
        until(lambda: len(set(edges_of(house)) - {one.pid}) == 2, READY_S, "another edge")
        (fresh,) = set(edges_of(house)) - {one.pid, two.pid}
        three = stack.enter_context(Edge(house, fresh))
        named = {"symbol": "BTCUSDT", "orderId": kept}
        assert three.signed("GET", "/api/v3/order", **named)["clientOrderId"] == "before"
        assert len(three.signed("GET", "/api/v3/openOrders")) == 2
        status, body = three.ask("PUT", f"/api/v3/userDataStream?listenKey={key}")
        assert (status, body["code"]) == (400, -1125)
        assert "the edge was killed by signal 9; starting it again" in house.said()
        stack.close()
        assert house.stop() == 0
