"""What a signed-in person may do, and when it ends."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any, Final

import pytest

from fondaco.identity.selectors import MemberSession
from tests.gateway.stand_ins import ANN, SmallHouse, Socket, small_house

HOST: Final = "http://127.0.0.1:8000"
SIGNED_IN: Final = {"cookie": "sessionid=annSession; csrftoken=t", "x-csrftoken": "t"}
ORDER: Final = b"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=20000&quantity=1"


class Office:
    """The sessions that identity would know."""

    def __init__(self) -> None:
        self.live = {"annSession": ANN}
        self.asked = 0

    def session_member(self, key: str) -> MemberSession | None:
        self.asked += 1
        account = self.live.get(key)
        if account is None:
            return None
        return MemberSession(
            member=account,
            username="ann",
            roles=frozenset(),
            account=account,
            membership_until=None,
            expires_at=dt.datetime.max.replace(tzinfo=dt.UTC),
        )


async def house_with_office() -> tuple[SmallHouse, Office]:
    house, office = await small_house(), Office()
    house.gateway._sessions._load = office.session_member
    return house, office


async def order(house: SmallHouse, **headers: str) -> Any:
    all_headers = {**SIGNED_IN, "origin": HOST, **headers}
    return await house.http("POST", "/api/v3/order", body=ORDER, headers=all_headers)


@pytest.mark.parametrize("path", ["/api/v3/order", "/api/v1/test/clock"])
async def test_a_request_that_breaks_off_is_not_carried_out(path: str) -> None:
    """A body whose rest never came moves nothing and isn't answered, though it reads well."""
    house = await small_house(clock="test")
    house.gateway._sessions._load = Office().session_member
    seq = house.writer.seq
    arriving: list[dict[str, Any]] = [
        {"type": "http.request", "body": ORDER, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return arriving.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {**SIGNED_IN, "origin": HOST, "host": "127.0.0.1:8000"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
    }
    await house.gateway(scope, receive, send)
    assert (house.writer.seq, sent) == (seq, [])


async def test_signing_out_counts_at_once() -> None:
    """An order, a read and a listen key of a session that has ended are 401 from then on."""
    house, office = await house_with_office()
    assert (await order(house)).status == 200
    office.live.clear()
    seq = house.writer.seq
    assert (await order(house)).status == 401
    assert (await house.http("GET", "/api/v3/account", headers=SIGNED_IN)).status == 401
    headers = {**SIGNED_IN, "origin": HOST}
    assert (await house.http("POST", "/api/v3/userDataStream", headers=headers)).status == 401
    assert house.writer.seq == seq


async def session_key(house: SmallHouse) -> str:
    headers = {**SIGNED_IN, "origin": HOST}
    reply = await house.http("POST", "/api/v3/userDataStream", headers=headers)
    key: str = reply.json["listenKey"]
    return key


async def test_signing_out_ends_what_the_session_opened() -> None:
    """Its listen key opens nothing any more, and a socket that listens by it is told so."""
    house, office = await house_with_office()
    key = await session_key(house)
    async with Socket(house, f"/ws/{key}") as socket:
        await order(house)
        assert (await socket.next())["e"] == "executionReport"
        office.live.clear()
        assert (await socket.until(lambda text: text["e"] == "listenKeyExpired"))["listenKey"]
        assert house.gateway.topics.accounts == set()
    async with Socket(house, "/ws") as socket:
        answer = await socket.ask(method="SUBSCRIBE", params=[key], id=1)
        assert answer["error"]["code"] == 2
    query = f"listenKey={key}".encode()
    headers = {"X-MBX-APIKEY": "annKey"}
    kept = await house.http("PUT", "/api/v3/userDataStream", query=query, headers=headers)
    assert kept.json["code"] == -1125


async def test_a_listen_key_stays_its_makers() -> None:
    """Lengthened by an API key of the same account it still ends with the session."""
    house, office = await house_with_office()
    key = await session_key(house)
    query = f"listenKey={key}".encode()
    headers = {"X-MBX-APIKEY": "annKey"}
    kept = await house.http("PUT", "/api/v3/userDataStream", query=query, headers=headers)
    assert kept.status == 200
    office.live = {"another": ANN}
    assert await house.gateway.listen_keys.admit(key) is None


async def test_another_edge_asks_for_the_session_too() -> None:
    """A session's listen key is taken over by another edge, as long as the session lives."""
    (one, office), (two, other) = await house_with_office(), await house_with_office()
    key = await session_key(one)
    listener = await two.gateway.listen_keys.admit(key)
    assert listener is not None
    assert (listener.account, listener.session) == (ANN, "annSession")
    assert "annSession" not in key
    del office
    other.live.clear()
    assert await two.gateway.listen_keys.admit(key) is None


async def test_edges_agree_on_when_a_listen_key_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lengthened at one edge it lives at the other, past its hour; ended at one it is no more."""
    one, two = await small_house(), await small_house()
    two.gateway.listen_keys._terms = one.gateway.listen_keys._terms
    headers = {"X-MBX-APIKEY": "annKey"}

    async def ask(house: SmallHouse, method: str, key: str = "") -> Any:
        query = f"listenKey={key}".encode()
        return await house.http(method, "/api/v3/userDataStream", query=query, headers=headers)

    key = (await ask(one, "POST")).json["listenKey"]
    monotonic, now = time.monotonic(), time.time()
    for minutes in (50, 100):
        later_s = minutes * 60
        monkeypatch.setattr(time, "monotonic", lambda s=later_s: monotonic + s)
        monkeypatch.setattr(time, "time", lambda s=later_s: now + s)
        listener = await two.gateway.listen_keys.admit(key)
        assert listener is not None
        assert listener.account == ANN
        assert (await ask(one, "PUT", key)).status == 200
    assert (await ask(one, "POST")).json["listenKey"] == key
    assert (await ask(one, "DELETE", key)).status == 200
    for house in (one, two):
        assert await house.gateway.listen_keys.admit(key) is None
        assert (await ask(house, "PUT", key)).json["code"] == -1125
    assert (await ask(one, "POST")).json["listenKey"] != key


@pytest.mark.parametrize(
    "cookie",
    [
        'prefs={"a":[1,2]}; csrftoken=t; sessionid=annSession',
        "a b=c; csrftoken=t; sessionid=annSession",
        "novalue; csrftoken=t; sessionid=annSession",
        "a[0]=5; csrftoken=t; sessionid=annSession",
    ],
)
async def test_odd_cookies_beside_the_sessions_change_nothing(cookie: str) -> None:
    """Cookies of a host are shared by all its ports; the office and the gateway read them alike."""
    house, _ = await house_with_office()
    assert (await order(house, cookie=cookie)).status == 200


@pytest.mark.parametrize(
    "origin", ["ftp://127.0.0.1:8000", "https://127.0.0.1:8000", "http://127.0.0.1:8001", "null"]
)
async def test_an_origin_is_scheme_host_and_port(origin: str) -> None:
    """A page of the same host by another scheme or port is not the house's own."""
    house, _ = await house_with_office()
    assert (await order(house, origin=origin)).status == 403
