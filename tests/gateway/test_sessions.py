"""What a signed-in person may do, and when it ends."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import pytest

from fondaco.identity.selectors import MemberSession
from tests.gateway.stand_ins import ANN, SmallHouse, small_house

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
    arriving = [
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
