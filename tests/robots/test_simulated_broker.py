"""The demo's broker and stocks: what a feed relies on, spoken by an ordinary client."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from fondaco.robots.feeds.messages import read
from fondaco.robots.simulated_broker import Broker
from fondaco.robots.simulated_stocks import STOCKS, TOPIC, Walk, run

DEADLINE_S = 60.0


def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker that runs in a thread."""
    made = Broker()
    ready, end = threading.Event(), threading.Event()

    async def serve() -> None:
        async with made:
            ready.set()
            while not end.is_set():
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(DEADLINE_S)
    yield made
    end.set()
    thread.join(DEADLINE_S)


class Follower:
    """An MQTT client with a durable session that may leave messages unacknowledged."""

    def __init__(self, broker: Broker, *, durable: bool = True, topic: str = "a/+") -> None:
        self.got: list[bytes] = []
        self.is_subscribed = threading.Event()
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id="follower",
            clean_session=not durable,
            manual_ack=True,
        )
        self.client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self.client.on_subscribe = lambda *_: self.is_subscribed.set()
        self.client.on_message = lambda _client, _data, sent: self.got.append(bytes(sent.payload))
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert self.is_subscribed.wait(DEADLINE_S)

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def publish(broker: Broker, payloads: list[bytes], topic: str = "a/b", qos: int = 1) -> None:
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for payload in payloads:
        client.publish(topic, payload, qos).wait_for_publish(DEADLINE_S)
    client.disconnect()
    client.loop_stop()


def test_messages_come_in_order_and_wait_for_the_absent(broker: Broker) -> None:
    """QoS 1 to a filter; what isn't acknowledged comes again, what came meanwhile comes after."""
    first = Follower(broker)
    publish(broker, [b"1", b"2", b"3"])
    publish(broker, [b"another topic"], topic="b")
    until(lambda: first.got == [b"1", b"2", b"3"])
    first.client.ack(1, 1)
    until(lambda: 1 not in broker._sessions["follower"].in_flight)
    first.leave()
    publish(broker, [b"4"], qos=0)
    second = Follower(broker)
    until(lambda: second.got == [b"2", b"3", b"4"])
    second.leave()


def test_a_session_that_is_not_durable_is_forgotten(broker: Broker) -> None:
    """What comes while it is away is not kept for it."""
    Follower(broker, durable=False).leave()
    until(lambda: not broker._sessions)
    publish(broker, [b"1"])
    second = Follower(broker, durable=False)
    publish(broker, [b"2"])
    until(lambda: second.got == [b"2"])
    second.leave()


def test_what_is_no_mqtt_is_let_go(broker: Broker) -> None:
    """Noise, another protocol, a packet without its end: the connection ends, the broker stays."""
    for noise in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\xff\xff\xff\xff",
        b"\x10\x02\x00\x09",
        b"\x30\x00",
    ):
        with socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE_S) as peer:
            peer.sendall(noise)
            peer.shutdown(socket.SHUT_WR)
            assert peer.recv(100) == b""
    follower = Follower(broker)
    publish(broker, [b"1"])
    until(lambda: follower.got == [b"1"])
    follower.leave()


def test_the_demos_stocks_move_within_bounds() -> None:
    """Each message is a price message of whole cents and shares, and the price goes on."""
    walk = Walk(STOCKS[0], seed=1)
    prices = set()
    for _ in range(5_000):
        message = read(walk.step(dt.datetime.now(dt.UTC)))
        assert (message.stock_id, message.name) == STOCKS[0][:2]
        assert message.availability >= 1
        cents = message.price * 100
        assert cents == cents.to_integral_value()
        assert STOCKS[0].cents / 10 <= cents <= STOCKS[0].cents * 10
        prices.add(cents)
    assert len(prices) > 100


async def test_the_demos_stream_tells_every_stock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The publisher gives one stock after the other to whoever follows the topic."""
    monkeypatch.setattr("fondaco.robots.simulated_stocks.STEP_S", 0.01)
    told: list[str] = []
    stop = asyncio.Event()

    def publish(_broker: Broker, topic: str, payload: bytes) -> None:
        assert topic == TOPIC
        told.append(msgspec.json.decode(payload)["name"])
        if len(told) == 2 * len(STOCKS):
            stop.set()

    monkeypatch.setattr(Broker, "publish", publish)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await asyncio.wait_for(run(listener, 1, stop), DEADLINE_S)
    assert told == [stock.name for stock in STOCKS] * 2
