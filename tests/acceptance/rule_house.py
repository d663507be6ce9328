"""A house with one stock as an order book, a member with a rule bot, and one who trades with it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.house_fixture import BOB, Reply, RunningHouse, open_house

HOUSE = """
[house]
name = "Rules"
cash = "USD"
base_url = "http://127.0.0.1:{port}"
{settings}
[[instruments]]
symbol = "STOCKAUSD"
base = "STOCKA"
quote = "USD"
market = "book"
tick_size = "0.01"
lot_size = "1"
max_open_orders = 0

[[members]]
username = "ann"
email = "ann@example.com"
password = "ann-s long password"
membership_until = "2099-12-31"
balances = {{ USD = "100000", STOCKA = "1000" }}
tokens = [{{ token = "{ann}", scopes = ["read", "trade"] }}]

[[members]]
username = "bob"
email = "bob@example.com"
password = "bob-s long password"
membership_until = "2099-12-31"
balances = {{ USD = "1000000", STOCKA = "100000" }}
[[members.api_keys]]
key = "{bob}"
secret = "bob-secret"
order_limit_10s = 0

[[members]]
username = "cat"
email = "cat@example.com"
password = "cat-s long password"
roles = ["member", "admin"]
membership_until = "2099-12-31"
balances = {{ USD = "1000000", STOCKA = "100000" }}
tokens = [{{ token = "cat-token-of-a-rule-house", scopes = ["read", "trade"] }}]
"""
SEED = """{
  "$when": {"$comparison": {"itemA": {"$ticker": "STOCKA"}, "itemB": "20.55", "type": "gte"}},
  "$do": {"$order": {"kind": "LIMIT", "intent": "BUY", "bid": "20.60", "shares": "100"}},
  "$then": {
    "$when": {"$comparison": {"itemA": {"$ticker": "STOCKA"}, "itemB": "21.00", "type": "gte"}},
    "$do": {"$order": {"kind": "LIMIT", "intent": "SELL", "ask": "20.90", "shares": "100"}}
  }
}"""


@contextmanager
def open_rules() -> Iterator[RunningHouse]:
    with open_house(file_text=HOUSE) as house:
        yield house


def ask(house: RunningHouse, method: str, path: str, body: str = "", token: str = "") -> Reply:
    """Ask as ann."""
    headers = {"Authorization": f"Bearer {token or house.ann.key}"}
    if body:
        headers["Content-Type"] = "application/json"
    return house.request(method, path, body=body.encode() or None, headers=headers)


def robot(house: RunningHouse, name: str = "robot-1") -> Any:
    found = ask(house, "GET", f"/api/v1/robots/{name}/")
    assert found.status == 200, found
    return found.json


def until(condition: Callable[[], Any], what: str, within_s: float = 120) -> Any:
    """Wait until something holds, and return it."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {within_s} s")


def order(house: RunningHouse, side: str, price: str, quantity: int) -> dict[str, Any]:
    """Place an order as bob."""
    made = house.signed(
        BOB, "POST", "/api/v3/order", symbol="STOCKAUSD", side=side, type="LIMIT",
        timeInForce="GTC", quantity=quantity, price=price,
    )  # fmt: skip
    assert made.status == 200, made
    found: dict[str, Any] = made.json
    return found


def trade(house: RunningHouse, price: str) -> None:
    """Have bob trade one share with himself at a price."""
    order(house, "SELL", price, 1)
    order(house, "BUY", price, 1)


def post_seed(house: RunningHouse, **more: Any) -> Reply:
    """Open the seed's bot."""
    words = {"id": "robot-1", "kind": "rule", "allotment": {"USD": "5000"}, "active": True, **more}
    body = json.dumps({**words, "rule": "?"}).replace('"?"', SEED)
    return ask(house, "POST", "/api/v1/robots/", body)
