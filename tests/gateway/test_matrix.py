"""The authorisation matrix: every route of the table, every kind of caller, every cell asserted."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import pytest

from fondaco.gateway.routes import Route, Security
from fondaco.gateway.trading import Trading
from fondaco.gateway.user_stream import ListenKeys
from fondaco.identity.selectors import MemberSession
from tests.gateway.stand_ins import ANN, BOB, SmallHouse, small_house

IN: Final = {Security.NONE: 0, Security.KEY: 0, Security.READ: 0, Security.TRADE: 0}

# Who asks -> what a route of each security answers: 0 = it may come in (whatever comes of it).
CALLERS: dict[str, dict[Security, int]] = {
    "stranger": {Security.NONE: 0, Security.KEY: 401, Security.READ: 401, Security.TRADE: 401},
    "unknown key": {Security.NONE: 0, Security.KEY: 401, Security.READ: 401, Security.TRADE: 401},
    "wrong secret": {Security.NONE: 0, Security.KEY: 0, Security.READ: 401, Security.TRADE: 401},
    "reader": {Security.NONE: 0, Security.KEY: 0, Security.READ: 0, Security.TRADE: 401},
    "trader": {Security.NONE: 0, Security.KEY: 0, Security.READ: 401, Security.TRADE: 0},
    "member": IN,
    "other member": IN,
    # Signed-in people: neither a membership nor a role opens or closes anything here.
    "unpaid": IN,
    "paid": IN,
    "moderator": IN,
    "admin": IN,
    "stale": {Security.NONE: 0, Security.KEY: 0, Security.READ: 400, Security.TRADE: 400},
}
PEOPLE: Final = {
    "unpaid": {"member"},
    "paid": {"member"},
    "moderator": {"member", "moderator"},
    "admin": {"member", "admin"},
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
            "GET /api/v1/markets/",
            "GET /api/v1/markets/{symbol}/",
            "GET /api/v1/markets/{symbol}/candles/",
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
            "GET /api/v3/orderList",
            "GET /api/v3/openOrderList",
            "GET /api/v3/allOrderList",
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
            "POST /api/v3/orderList/oco",
            "POST /api/v3/order/oco",
            "DELETE /api/v3/orderList",
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
    if caller in PEOPLE:
        return await ask_as_person(house, caller, route)
    names = {"reader": "annReader", "trader": "annTrader", "member": "ann", "other member": "bob"}
    return await house.signed(names[caller], route.method, route.path, **more)


def session_of(name: str) -> MemberSession | None:
    """Return what identity would know of one of PEOPLE, each with BOB's account."""
    if name not in PEOPLE:
        return None
    return MemberSession(
        member=1,
        username=name,
        roles=frozenset(PEOPLE[name]),
        account=BOB,
        membership_until=None if name == "unpaid" else dt.date(2099, 12, 31),
        expires_at=dt.datetime(2099, 1, 1, tzinfo=dt.UTC),
    )


async def ask_as_person(house: SmallHouse, name: str, route: Route, query: str = "") -> Any:
    """Ask with a session's cookie, from the house's own page."""
    headers = {
        "cookie": f"sessionid={name}; csrftoken=token",
        "x-csrftoken": "token",
        "origin": "http://127.0.0.1:8000",
    }
    asked = (query or "symbol=BTCUSDT").encode()
    return await house.http(route.method, route.path, query=asked, headers=headers)


@pytest.mark.parametrize("caller", CALLERS)
async def test_every_cell(caller: str) -> None:
    """Each route answers each caller as its security says, and a refusal moves nothing."""
    house = await small_house()
    house.gateway._sessions._load = session_of
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


# What names a thing of ann's -> what those who aren't ann are told: the code of "no such thing".
FOREIGN: Final = {
    "GET /api/v3/order": -2013,
    "DELETE /api/v3/order": -2011,
    "GET /api/v3/orderList": -2013,
    "DELETE /api/v3/orderList": -2011,
    "PUT /api/v3/userDataStream": -1125,
    "DELETE /api/v3/userDataStream": -1125,
}
OTHERS: Final = ("other member", *PEOPLE)


async def reached(house: SmallHouse, caller: str) -> list[str]:
    """Ask every route for ann's order, listen key and account; return what was got of them."""
    house.gateway._sessions._load = session_of
    order = await house.place("ann", "BUY", "1.2345", "20123", newClientOrderId="hers")
    pair: dict[str, Any] = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "1.2345"}
    pair |= {"price": "20124", "stopPrice": "20122", "listClientOrderId": "hers"}
    both = (await house.signed("ann", "POST", "/api/v3/order/oco", **pair)).json
    made = await house.signed("ann", "POST", "/api/v3/userDataStream")
    listen_key = made.json["listenKey"]
    hers = {"orderId": order["orderId"], "cancelOrderId": order["orderId"]}
    hers |= {"orderListId": both["orderListId"]}
    hers |= {"listenKey": listen_key, "account": ANN, "accountId": ANN, "uid": ANN}
    found = []
    for route in house.gateway.routes:
        name = f"{route.method} {route.path}"
        if route.security is Security.NONE:
            continue
        more = {"symbol": "BTCUSDT", **hers}
        if caller == "other member":
            reply = await house.signed("bob", route.method, route.path, **more)
        else:
            query = "&".join(f"{field}={value}" for field, value in more.items())
            reply = await ask_as_person(house, caller, route, query)
        code = reply.json.get("code") if isinstance(reply.json, dict) else None
        if code != FOREIGN.get(name, code):
            found.append(f"{name}: {reply.status} {code}")
        told = reply.body.decode()
        if any(text in told for text in ('"hers"', "1.2345", "20123", listen_key, f":{ANN},")):
            found.append(f"{name}: told {told}")
    resting = await house.signed("ann", "GET", "/api/v3/openOrders")
    wanted = [order["orderId"], *(each["orderId"] for each in both["orders"])]
    if [each["orderId"] for each in resting.json] != wanted:
        found.append("the orders are gone")
    if (await house.signed("ann", "PUT", "/api/v3/userDataStream", listenKey=listen_key)).json:
        found.append("the listen key is gone")
    return found


@pytest.mark.parametrize("caller", OTHERS)
async def test_s1_8_what_is_anothers_is_as_if_it_were_not(caller: str) -> None:
    """S1-8: no route, whatever it is told, gives or moves another's order, stream or account."""
    house = await small_house()
    routes = {f"{route.method} {route.path}" for route in house.gateway.routes}
    assert set(FOREIGN) <= routes
    assert await reached(house, caller) == []


@pytest.mark.parametrize(
    "check, said",
    [
        ("order", "GET /api/v3/order: 200 None"),
        ("listen key", "DELETE /api/v3/userDataStream: 200 None"),
    ],
)
async def test_a_handler_without_its_owner_check_is_caught(
    monkeypatch: pytest.MonkeyPatch, check: str, said: str
) -> None:
    """The planted bugs: an order is looked for as ann's, a listen key is taken for one's own."""
    find = Trading._find

    async def any_order(self: Trading, _account: int, *more: Any) -> Any:
        return await find(self, ANN, *more)

    async def any_key(self: ListenKeys, call: Any) -> str:
        text: str = call.need("listenKey")
        return text

    if check == "order":
        monkeypatch.setattr(Trading, "_find", any_order)
    else:
        monkeypatch.setattr(ListenKeys, "_owned", any_key)
    assert said in await reached(await small_house(), "other member")


async def test_a_session_stands_in_for_a_signature() -> None:
    """A signed-in person reads with the cookie; writing needs the CSRF header and the Origin."""
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
