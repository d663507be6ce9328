"""One feed's session at a real broker that goes away and comes back, by a clock of the test's."""

from __future__ import annotations

import pytest
from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from fondaco.house.feeds import address_of
from fondaco.robots.feeds.consumer import BACK_OFF_S_MAX, Consumer
from fondaco.robots.feeds.intake import Flight, Intake
from fondaco.robots.feeds.stocks import Stocks
from fondaco.robots.models import FeedState
from tests.mosquitto_fixture import TOPIC, Mosquitto, broker, price
from tests.robots.test_intake import FEED, Core, CoreLink, at

__all__ = ["broker"]

pytestmark = [pytest.mark.django_db, pytest.mark.needs("mosquitto")]
AWAY_S = 60.0
CLIENT_ID = "fondaco-test"


class Clock:
    """A stop whose waits take no time; the broker comes back after AWAY_S of them."""

    def __init__(self, broker: Mosquitto, state: FeedState, *, wanted: int) -> None:
        self.waits: list[float] = []
        self._broker = broker
        self._state = state
        self._wanted = wanted

    def is_set(self) -> bool:
        return self._state.current >= self._wanted

    def wait(self, timeout_s: float) -> bool:
        before = sum(self.waits)
        self.waits.append(timeout_s)
        if before < AWAY_S <= before + timeout_s:
            self._broker.start()
        return self.is_set()


def subscribe(broker: Mosquitto) -> None:
    """Make the feed's durable session, as an earlier process has done."""

    def connected(
        client: Client,
        _data: object,
        _flags: ConnectFlags,
        _why: ReasonCode,
        _more: Properties | None,
    ) -> None:
        client.subscribe(TOPIC, 1)

    client = Client(CallbackAPIVersion.VERSION2, client_id=CLIENT_ID, clean_session=False)
    client.on_connect = connected
    client.on_subscribe = lambda client, *_: client.disconnect()
    client.connect("127.0.0.1", broker.port)
    client.loop_forever()


def test_s4_9_a_broker_away_for_a_minute_is_found_and_nothing_is_lost(broker: Mosquitto) -> None:
    """S4-9: 60 s without it: tried ever later, at most every 15 s; then all that waited comes."""
    subscribe(broker)
    broker.publish([price(20, n, at(n)) for n in range(1, 41)])
    broker.stop()  # it saves what waits
    core = Core()
    state = FeedState(name=CLIENT_ID)
    intake = Intake(core, Stocks(core, FEED, "USD"), state)
    clock = Clock(broker, state, wanted=40)
    address = address_of(broker.url)
    consumer = Consumer(
        address, TOPIC, CLIENT_ID, intake, lambda: Flight(intake, lambda: CoreLink(core))
    )
    consumer.run(clock)
    away = clock.waits[: 1 + next(n for n in range(99) if sum(clock.waits[: n + 1]) >= AWAY_S)]
    assert away[:7] == [0.25, 0.5, 1, 2, 4, 8, BACK_OFF_S_MAX]
    assert max(away) == BACK_OFF_S_MAX
    assert [quote[2] for quote in core.quotes] == list(range(1, 41))
    assert (state.current, state.duplicate) == (40, 0)
