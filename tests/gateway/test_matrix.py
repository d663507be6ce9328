"""The authorisation matrix: every route of the table, every kind of caller, every cell asserted."""

from __future__ import annotations

from typing import Any

import pytest

from fondaco.gateway.routes import Route, Security
from tests.gateway.stand_ins import ANN, SmallHouse, small_house

# Who asks -> what a route of each security answers: 0 = it may come in (whatever comes of it).
CALLERS: dict[str, dict[Security, int]] = {
    "stranger": {Security.NONE: 0, Security.KEY: 401, Security.READ: 401, Security.TRADE: 401},
    "unknown key": {Security.NONE: 0, Security.KEY: 401, Security.READ: 401, Security.TRADE: 401},
    "wrong secret": {Security.NONE: 0, Security.KEY: 0, Security.READ: 401, Security.TRADE: 401},
    "reader": {Security.NONE: 0, Security.KEY: 0, Security.READ: 0, Security.TRADE: 401},
    "trader": {Security.NONE: 0, Security.KEY: 0, Security.READ: 401, Security.TRADE: 0},
    "member": {Security.NONE: 0, Security.KEY: 0, Security.READ: 0, Security.TRADE: 0},
    "stale": {Security.NONE: 0, Security.KEY: 0, Security.READ: 400, Security.TRADE: 400},
}
# Every route, so that a new one without its row here fails.
SECURITIES: dict[str, Security] = {
    **dict.fromkeys(
        (
            "GET /api/v3/ping",
            "GET /api/v3/time",
            "GET /api/v3/exchangeInfo",
            "GET /api/v3/depth",
            "GET /api/v3/trades",
            "GET /api/v3/historicalTrades",
            "GET /api/v3/aggTrades",
            "GET /api/v3/klines",
            "GET /api/v3/uiKlines",
            "GET /api/v3/avgPrice",
            "GET /api/v3/ticker/24hr",
            "GET /api/v3/ticker/price",
            "GET /api/v3/ticker/bookTicker",
            "GET /sapi/v1/margin/allPairs",
            "GET /sapi/v1/margin/isolated/allPairs",
            "GET /sapi/v1/system/status",
            "GET /sapi/v1/spot/delist-schedule",
        ),
        Security.NONE,
    ),
    **dict.fromkeys(
        (
            "POST /api/v3/userDataStream",
            "PUT /api/v3/userDataStream",
            "DELETE /api/v3/userDataStream",
        ),
        Security.KEY,
    ),
    **dict.fromkeys(
        (
            "GET /api/v3/order",
            "GET /api/v3/openOrders",
            "GET /api/v3/allOrders",
            "GET /api/v3/myTrades",
            "GET /api/v3/account",
            "GET /api/v3/account/commission",
            "GET /api/v3/rateLimit/order",
            "GET /sapi/v1/capital/config/getall",
            "GET /sapi/v1/asset/tradeFee",
        ),
        Security.READ,
    ),
    **dict.fromkeys(
        (
            "POST /api/v3/order",
            "POST /api/v3/order/test",
            "DELETE /api/v3/order",
            "POST /api/v3/order/cancelReplace",
            "DELETE /api/v3/openOrders",
        ),
        Security.TRADE,
    ),
}


async def ask(house: SmallHouse, caller: str, route: Route) -> Any:
    more: dict[str, Any] = {"symbol": "BTCUSDT"}
    if caller == "stranger":
        return await house.http(route.method, route.path, query=b"symbol=BTCUSDT")
    if caller == "unknown key":
        return await house.signed("nobody", route.method, route.path, **more)
    if caller == "wrong secret":
        return await house.signed("ann", route.method, route.path, secret="wrong", **more)
    if caller == "stale":
        return await house.signed("ann", route.method, route.path, timestamp=1, **more)
    name = {"reader": "annReader", "trader": "annTrader", "member": "ann"}[caller]
    return await house.signed(name, route.method, route.path, **more)


@pytest.mark.parametrize("caller", CALLERS)
async def test_every_cell(caller: str) -> None:
    """Each route answers each caller as its security says, and a refusal moves nothing."""
    house = await small_house()
    routes = house.gateway.routes
    assert {f"{route.method} {route.path}" for route in routes} == set(SECURITIES)
    for route in routes:
        security = SECURITIES[f"{route.method} {route.path}"]
        assert route.security is security, route
        seq = house.writer.seq
        reply = await ask(house, caller, route)
        wanted = CALLERS[caller][security]
        if wanted:
            assert reply.status == wanted, (caller, route, reply)
            assert house.writer.seq == seq
        else:
            assert reply.status not in {401, 403}, (caller, route, reply)


async def test_a_member_never_reaches_another_members_orders() -> None:
    """Order, cancel, lists and fills of another account are as if they did not exist."""
    house = await small_house()
    order = await house.place("ann", "BUY", "1", "20000", newClientOrderId="hers")
    for named in ({"orderId": order["orderId"]}, {"origClientOrderId": "hers"}):
        seen = await house.signed("bob", "GET", "/api/v3/order", symbol="BTCUSDT", **named)
        assert seen.json["code"] == -2013
        gone = await house.signed("bob", "DELETE", "/api/v3/order", symbol="BTCUSDT", **named)
        assert gone.json["code"] == -2011
    assert (await house.signed("bob", "GET", "/api/v3/openOrders")).json == []
    assert (await house.signed("bob", "GET", "/api/v3/allOrders", symbol="BTCUSDT")).json == []
    hers = await house.signed("ann", "GET", "/api/v3/openOrders")
    assert [each["orderId"] for each in hers.json] == [order["orderId"]]


async def test_a_session_stands_in_for_a_signature() -> None:
    """A signed-in person reads with the cookie; writing needs the CSRF header and the Origin."""
    import datetime as dt

    from fondaco.identity.selectors import MemberSession

    house = await small_house()
    session = MemberSession(
        member=1,
        username="ann",
        roles=frozenset({"member"}),
        account=ANN,
        membership_until=None,
        expires_at=dt.datetime(2099, 1, 1, tzinfo=dt.UTC),
    )
    house.gateway._sessions._load = lambda key: session if key == "good" else None
    good = {"cookie": "sessionid=good; csrftoken=token"}
    assert (await house.http("GET", "/api/v3/account", headers=good)).json["uid"] == ANN
    bad = {"cookie": "sessionid=bad; csrftoken=token"}
    assert (await house.http("GET", "/api/v3/account", headers=bad)).status == 401
    body = b"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=20000"
    own = {"origin": "http://127.0.0.1:8000"}
    cells = [
        ({}, 403),
        (own, 403),
        ({"x-csrftoken": "token"}, 403),
        ({"x-csrftoken": "other", **own}, 403),
        ({"x-csrftoken": "token", "origin": "http://evil.example"}, 403),
        ({"x-csrftoken": "token", **own}, 200),
    ]
    for more, status in cells:
        reply = await house.http("POST", "/api/v3/order", body=body, headers={**good, **more})
        assert reply.status == status, (more, reply)
