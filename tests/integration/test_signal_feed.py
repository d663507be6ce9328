"""A running house takes signals from a real broker's topic."""

from __future__ import annotations

import json
import time

import pytest

from tests.house_fixture import open_house
from tests.mosquitto_fixture import Mosquitto, broker

__all__ = ["broker"]

pytestmark = pytest.mark.needs("mosquitto")
TOPIC = "crypto-robot-signals"
WAIT_S = 30.0


def test_signals_of_a_topic_are_judged_as_those_of_the_api(broker: Mosquitto) -> None:
    """Published twice it is one signal; the same by HTTP is that one."""
    body = {"summary": "BUY", "timestamp": "20-07-2022 02:18:10"}
    raw = json.dumps(body).encode()
    more = f'\n[[feeds]]\nkind = "signals"\ntopic = "{TOPIC}"\nurl = "{broker.url}"\n'
    with open_house(settings="rate_limits = false\nopen_api = true", more=more) as house:
        deadline = time.monotonic() + WAIT_S
        while broker.sessions() == 0:
            assert time.monotonic() < deadline, house.read_log()
            time.sleep(0.05)
        broker.publish([raw, b"{", raw], topic=TOPIC)
        while house.get("/api/v1/signals/1/").status != 200:
            assert time.monotonic() < deadline, house.read_log()
            time.sleep(0.05)
        headers = {"Content-Type": "application/json"}
        answer = house.request("POST", "/api/v1/signals/", body=raw, headers=headers)
        assert answer.json == {"id": 1}
        assert house.get("/api/v1/signals/1/").json["summary"] == "BUY"
        assert house.get("/api/v1/signals/2/").status == 404
