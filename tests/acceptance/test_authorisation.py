"""The authorisation matrix through a real house: keys, sessions, strangers, every route."""

from __future__ import annotations

import http.cookiejar
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from fondaco.gateway.routes import Security
from tests.gateway.test_matrix import FOREIGN, SECURITIES
from tests.house_fixture import HOUSE_FILE, Credentials, RunningHouse, open_house

PEOPLE = """
[[members]]
username = "una"
email = "una@example.com"
password = "una-s long password"
balances = {{ USDT = "1000" }}

[[members]]
username = "mia"
email = "mia@example.com"
password = "mia-s long password"
roles = ["member", "moderator"]
balances = {{ USDT = "1000" }}

[[instruments]]
symbol = "CIBUSDT"
base = "CIB"
quote = "USDT"
market = "dealer"
stock_id = "6ffb8e62-92c1-40c7-9d38-5b976a346b62"
tick_size = "0.01"
lot_size = "1"
"""


def path_of(route: str) -> tuple[str, str]:
    """Return a route's method and its path, with a market of the kind that it tells of."""
    method, _, path = route.partition(" ")
    return method, path.replace("{symbol}", "CIBUSDT")


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house with an unpaid member, una, a moderator, mia, and an admin, ann."""
    settings = "rate_limits = false\nstaff_mfa = false"
    with open_house(settings=settings, file_text=HOUSE_FILE + PEOPLE) as running:
        yield running


STRANGER = Credentials("nobody" + "0" * 58, "nothing")


def callers(house: RunningHouse) -> dict[str, tuple[Credentials, set[Security]]]:
    """Who asks, and what they may."""
    every = set(Security)
    return {
        "unknown key": (STRANGER, {Security.NONE}),
        "wrong secret": (Credentials(house.ann.key, "wrong"), {Security.NONE, Security.KEY}),
        "reader": (house.ann_reader, every - {Security.TRADE}),
        "member": (house.bob, every),
    }


@pytest.mark.parametrize("caller", ["unknown key", "wrong secret", "reader", "member"])
def test_every_route_for_every_key(house: RunningHouse, caller: str) -> None:
    """Each route lets in whom its security lets in, and answers 401 to all others."""
    who, allowed = callers(house)[caller]
    for name, security in SECURITIES.items():
        method, path = path_of(name)
        reply = house.signed(who, method, path, symbol="BTCUSDT")
        if security in allowed:
            assert reply.status not in {401, 403, 404, 405}, (caller, name, reply)
        else:
            assert reply.status == 401, (caller, name, reply)


def test_strangers_read_the_market_only(house: RunningHouse) -> None:
    """Without a key or a session every route but the public ones is 401."""
    for name, security in SECURITIES.items():
        method, path = path_of(name)
        reply = house.request(method, f"{path}?symbol=BTCUSDT")
        assert (reply.status == 401) is (security is not Security.NONE), (name, reply)


class Browser:
    """A browser's cookies, and nothing of it else."""

    def __init__(self, house: RunningHouse) -> None:
        self._house = house
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        asked = urllib.request.Request(
            self._house.url + path, data=body, headers=named, method=method
        )
        try:
            with self._opener.open(asked, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def cookie(self, name: str) -> str:
        return next((each.value or "" for each in self.cookies if each.name == name), "")

    def sign_in(self, username: str, password: str) -> None:
        _, page = self.ask("GET", "/login")
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found, page
        form = {
            "username": username,
            "password": password,
            "csrfmiddlewaretoken": found.group(1),
        }
        body = urllib.parse.urlencode(form).encode()
        self.ask("POST", "/login", body, Origin=self._house.url, Referer=f"{self._house.url}/login")
        assert self.cookie("sessionid")


def test_a_signed_in_person_trades_with_the_cookie(house: RunningHouse) -> None:
    """The page's way in: cookie to read, cookie + CSRF header + Origin to write."""
    browser = Browser(house)
    assert browser.ask("GET", "/api/v3/account")[0] == 401
    browser.sign_in("bob", "bob-s long password")
    status, text = browser.ask("GET", "/api/v3/account")
    assert status == 200
    assert json.loads(text)["canTrade"]
    order = b"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=10000"
    assert browser.ask("POST", "/api/v3/order", order, Origin=house.url)[0] == 403
    token = browser.cookie("csrftoken")
    own: dict[str, Any] = {"Origin": house.url, "X_CSRFToken": token}
    foreign = {**own, "Origin": "http://evil.example"}
    assert browser.ask("POST", "/api/v3/order", order, **foreign)[0] == 403
    status, text = browser.ask("POST", "/api/v3/order", order, **own)
    assert status == 200, text
    made = json.loads(text)
    listed = json.loads(browser.ask("GET", "/api/v3/openOrders")[1])
    assert made["orderId"] in [each["orderId"] for each in listed]
    status, text = browser.ask("POST", "/api/v3/userDataStream", b"", **own)
    assert (status, "listenKey" in json.loads(text)) == (200, True)
    gone = f"/api/v3/order?symbol=BTCUSDT&orderId={made['orderId']}"
    assert browser.ask("DELETE", gone, **own)[0] == 200


@pytest.mark.parametrize("name", ["una", "bob", "mia", "ann"])
def test_signed_in_people_reach_every_route(house: RunningHouse, name: str) -> None:
    """Unpaid, paid, moderator or admin: the gate and the roles are no matter of the gateway."""
    browser = Browser(house)
    browser.sign_in(name, f"{name}-s long password")
    own: dict[str, Any] = {"Origin": house.url, "X_CSRFToken": browser.cookie("csrftoken")}
    for route in SECURITIES:
        method, path = path_of(route)
        status, text = browser.ask(method, f"{path}?symbol=BTCUSDT", **own)
        assert status not in {401, 403, 404, 405, 500}, (name, route, text)


@pytest.mark.parametrize("name", ["una", "bob", "mia"])
def test_s1_8_nobody_reaches_anothers_things(house: RunningHouse, name: str) -> None:
    """S1-8: with ann's order, list and listen key in hand, every route is as if there were none."""
    terms: dict[str, Any] = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    terms |= {"symbol": "BTCUSDT", "quantity": "1.2345", "price": "10123"}
    made = house.signed(house.ann, "POST", "/api/v3/order", **terms).json
    pair: dict[str, Any] = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "1.2345"}
    pair |= {"aboveType": "LIMIT_MAKER", "abovePrice": "30123", "belowType": "STOP_LOSS"}
    pair |= {"belowStopPrice": "10123"}
    pair_id = house.signed(house.ann, "POST", "/api/v3/orderList/oco", **pair).json["orderListId"]
    listen_key = house.signed(house.ann, "POST", "/api/v3/userDataStream").json["listenKey"]
    hers = house.signed(house.ann, "GET", "/api/v3/account").json["uid"]
    browser = Browser(house)
    browser.sign_in(name, f"{name}-s long password")
    own: dict[str, Any] = {"Origin": house.url, "X_CSRFToken": browser.cookie("csrftoken")}
    named = f"symbol=BTCUSDT&orderId={made['orderId']}&orderListId={pair_id}"
    named += f"&listenKey={listen_key}&uid={hers}"
    for route, security in SECURITIES.items():
        method, _, path = route.partition(" ")
        _, text = browser.ask(method, f"{path}?{named}", **own)
        if route in FOREIGN:
            assert json.loads(text)["code"] == FOREIGN[route], (route, text)
        if security is not Security.NONE:
            told = [each for each in ("1.2345", "10123", "30123", listen_key) if each in text]
            assert not told, (route, text)
    resting = house.signed(house.ann, "GET", "/api/v3/openOrders").json
    assert made["orderId"] in [each["orderId"] for each in resting]
    assert [each["orderListId"] for each in resting].count(pair_id) == 2
    kept = house.signed(house.ann, "PUT", "/api/v3/userDataStream", listenKey=listen_key)
    assert kept.status == 200
    house.signed(house.ann, "DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
