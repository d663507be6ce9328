"""S0 behind a closed door, with a real Redis: who may, and whose lock it is.

On the system's clock, and with the age that signals may have by default.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import redis
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.acceptance.robot_house import RobotHouse, robot
from tests.house_fixture import Reply, open_house
from tests.redis_fixture import redis_url
from tests.treasury.people import Person

__all__ = ["redis_url"]

pytestmark = pytest.mark.needs("redis")
OPERATOR, BOB, EVE = (f"token-of-{name}-{'0' * 40}" for name in ("sue", "bob", "eve"))
KEY: Final = "CRYPTO_ROBOT_OPERATION_HUB_CLIENT_LOCK_"
PATH: Final = "/api/v1/robots/clients/mine/"
TOKENS: Final = f"""
[[members.tokens]]
token = "{BOB}"
scopes = ["read", "trade"]
"""
MORE: Final = f"""
[[members]]
username = "sue"
email = "sue@example.com"
password = "sue-s long password"
roles = ["member", "moderator"]
tokens = [{{ token = "{OPERATOR}", scopes = ["read", "signals", "staff"] }}]
[[members]]
username = "eve"
email = "eve@example.com"
tokens = [{{ token = "{EVE}", scopes = ["read", "trade"] }}]
"""


class ClosedHouse(RobotHouse):
    """Asks as the operator, unless another's token is given."""

    def ask(self, method: str, path: str, token: str = OPERATOR, body: Any = None) -> Reply:
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        raw = b"" if body is None else json.dumps(body).encode()
        return self.house.request(method, path, body=raw, headers=headers)

    def get(self, path: str) -> Any:
        reply = self.ask("GET", path)
        assert reply.status == 200, (path, reply.body)
        return reply.json

    def post(self, path: str, body: object = None, method: str = "POST") -> Reply:
        return self.ask(method, path, BOB if "clients" in path else OPERATOR, body)


@pytest.fixture(scope="module")
def hub(redis_url: str) -> Iterator[ClosedHouse]:
    before = os.environ.get("FONDACO_REDIS_URL")
    os.environ["FONDACO_REDIS_URL"] = redis_url
    try:
        robots = "".join(robot(name, operation_amount=100) for name in ("mine", "busy", "told"))
        settings = 'rate_limits = false\nstaff_mfa = false\ncash = "USDT"'
        with open_house(settings=settings, more=TOKENS + robots + MORE) as house:
            found = ClosedHouse(house)
            found.trade("20000")
            found.quote("19990", "20010")
            yield found
    finally:
        if before is None:
            del os.environ["FONDACO_REDIS_URL"]
        else:
            os.environ["FONDACO_REDIS_URL"] = before


def test_strangers_are_401_and_the_wrong_member_404(hub: ClosedHouse) -> None:
    """Every route of S0: nothing for a stranger, nothing of another member's."""
    for method, path in (
        ("POST", "/api/v1/signals/"),
        ("GET", "/api/v1/signals/1/"),
        ("GET", PATH),
        ("PATCH", PATH),
        ("GET", f"{PATH}decisions/"),
        ("POST", f"{PATH}lock/"),
    ):
        assert hub.ask(method, path, "").status == 401, path
    for method, path in (("GET", PATH), ("PATCH", PATH), ("GET", f"{PATH}decisions/")):
        assert hub.ask(method, path, EVE, {}).status == 404, path
    assert hub.ask("POST", "/api/v1/signals/", EVE, {}).status == 403
    assert hub.ask("POST", f"{PATH}lock/", EVE).status == 403
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{hub.house.ws_url}/ws/triggers", open_timeout=20)
    assert refused.value.response.status_code == 401


def test_a_busy_lock_is_waited_for_and_then_the_reason(hub: ClosedHouse, redis_url: str) -> None:
    """S0-8: the key of an older program holds the client off; freed, it trades."""
    with redis.Redis.from_url(redis_url) as keys:
        keys.set(f"{KEY}busy", "busy", px=60_000)
        found = hub.signal("STRONG_BUY", "busy", "mine")
        assert (found["busy"]["reason"], found["mine"]["reason"]) == ("LOCKED", "TRIGGERED")
        assert keys.get(f"{KEY}busy") == b"busy"  # nobody deletes another's lock, but staff
        assert hub.ask("POST", "/api/v1/robots/clients/busy/unlock/").status == 200
        assert not keys.exists(f"{KEY}busy")
        assert hub.signal("STRONG_BUY", "busy")["busy"]["reason"] == "TRIGGERED"
        hub.until(lambda: not keys.exists(f"{KEY}busy"))


def test_an_alert_is_young_enough_by_default(hub: ClosedHouse) -> None:
    """Of the house's own time it sets a client going; of three minutes before it is refused."""
    made = hub.ask("POST", "/api/v1/hooks/", BOB, {"name": "chart"}).json
    address = made["url"].removeprefix(hub.house.url)
    now_ms = int(hub.get("/api/v3/time")["serverTime"])
    for age_s in (0, 180):
        body = {"action": "buy", "ticker": "BTC", "timenow": str(now_ms - age_s * 1000)}
        assert hub.ask("POST", address, "", body).status == 202

    def settled() -> Any:
        found = hub.ask("GET", f"/api/v1/hooks/{made['id']}/alerts/", BOB).json["alerts"]
        return found if all(row["state"] != "waiting" for row in found) else None

    old, young = hub.until(settled)
    assert (young["state"], old["state"]) == ("taken", "refused")
    told = re.match(r"TOO_LATE: (\d+) s old", old["reason"])
    assert told is not None, old
    assert 180 <= int(told[1]) < 300
    assert hub.decision("mine", young["signal_id"])["reason"] == "BELOW_LEVEL"


def test_who_signs_out_is_told_of_no_more_triggers(hub: ClosedHouse) -> None:
    """After signing out the next trigger closes the socket instead of being told."""
    hub.operation("told", "AWAITING_SELL")
    bob = Person(hub.house, "bob")
    cookies = "; ".join(f"{each.name}={each.value}" for each in bob.jar)
    with connect(
        f"{hub.house.ws_url}/ws/triggers",
        additional_headers={"Cookie": cookies},
        origin=Origin(hub.house.url),
        open_timeout=20,
    ) as socket:
        bob.post_form("/logout", {})
        assert hub.signal("STRONG_SELL", "told")["told"]["reason"] == "TRIGGERED"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
