"""The authorisation matrix through a real house: keys, sessions, strangers, every route."""

from __future__ import annotations

import http.cookiejar
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest

from fondaco.gateway.routes import Security
from tests.gateway.test_matrix import SECURITIES
from tests.house_fixture import Credentials, RunningHouse, house

__all__ = ["house"]

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
        method, _, path = name.partition(" ")
        reply = house.signed(who, method, path, symbol="BTCUSDT")
        if security in allowed:
            assert reply.status not in {401, 403, 404, 405}, (caller, name, reply)
        else:
            assert reply.status == 401, (caller, name, reply)


def test_strangers_read_the_market_only(house: RunningHouse) -> None:
    """Without a key or a session every route but the public ones is 401."""
    for name, security in SECURITIES.items():
        method, _, path = name.partition(" ")
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
