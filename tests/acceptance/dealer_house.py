"""A running house whose prices come from a broker, for the S4 tests.

    with open_dealer(broker) as house:
        number = user(house, "eslam", 1000)
        buy(house, number, 100, 18, 20)
        broker.publish([price(20, 50, at(1))])

CIB is declared; other stocks are listed by the stream. Waiting is by polling what the house says,
with a deadline.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.house_fixture import Reply, RunningHouse, open_house
from tests.mosquitto_fixture import CIB, TOPIC, Mosquitto

__all__ = [
    "ask",
    "at",
    "balance",
    "buy",
    "open_dealer",
    "order",
    "sell",
    "shares",
    "stock",
    "sums_are_zero",
    "until",
    "user",
    "users_words",
]

END_S: Final = 60.0
FILE: Final = """
[house]
name = "Dealer house"
base_url = "http://127.0.0.1:{port}"
open_api = true
{settings}
[[assets]]
code = "USD"
decimals = 8

[[instruments]]
symbol = "CIBUSD"
base = "CIB"
quote = "USD"
market = "dealer"
stock_id = "6ffb8e62-92c1-40c7-9d38-5b976a346b62"
name = "CIB"
tick_size = "0.01"
lot_size = "1"
"""


@contextlib.contextmanager
def open_dealer(broker: Mosquitto, *, settings: str = "", more: str = "") -> Iterator[RunningHouse]:
    """Run one, its feed connected; `settings` are lines of [house], `more` goes last."""
    feed = f'\n[[feeds]]\nkind = "mqtt"\nurl = "{broker.url}"\ntopic = "{TOPIC}"\n'
    with open_house(file_text=FILE, settings=settings, more=feed + more) as house:
        until(lambda: broker.sessions() > 0, "the feed's session")
        yield house


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + END_S
    while not condition():
        assert time.monotonic() < deadline, f"not in {END_S} s: {what}"
        time.sleep(0.02)


def ask(house: RunningHouse, method: str, path: str, body: object = None) -> Reply:
    """Ask with JSON; bytes are sent as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    if body is None:
        return house.request(method, path)
    return house.request(method, path, body=raw, headers={"Content-Type": "application/json"})


def user(house: RunningHouse, name: str, money: float = 0) -> int:
    """Make a user; return the id."""
    body = {"username": name, "email": f"{name}@gmail.com", "password": "a-password"}
    reply = ask(house, "POST", "/api/users/", body | ({"balance": money} if money else {}))
    assert reply.status == 201, reply.body
    number: int = reply.json["id"]
    return number


def order(
    house: RunningHouse,
    number: int,
    side: str,
    total: int,
    bounds: tuple[float, float],
    *,
    stock_id: str = CIB,
) -> Reply:
    """Ask to buy or sell."""
    body = {
        "stock_id": stock_id,
        "total": total,
        "lower_bound": bounds[0],
        "upper_bound": bounds[1],
    }
    return ask(house, "POST", f"/api/users/{number}/{side}", body)


def buy(house: RunningHouse, number: int, total: int, lower: float, upper: float) -> None:
    reply = order(house, number, "buy", total, (lower, upper))
    assert (reply.status, reply.json) == (200, {"message": "your order is being placed"})


def sell(house: RunningHouse, number: int, total: int, lower: float, upper: float) -> None:
    reply = order(house, number, "sell", total, (lower, upper))
    assert (reply.status, reply.json) == (200, {"message": "your order is being placed"})


def users_words(house: RunningHouse, number: int) -> dict[str, Any]:
    reply = ask(house, "GET", f"/api/users/{number}/")
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json
    return found


def balance(house: RunningHouse, number: int) -> float:
    found: float = users_words(house, number)["balance"]
    return found


def shares(house: RunningHouse, number: int, stock_id: str = CIB) -> float:
    """The free shares of a stock."""
    found = users_words(house, number)["stocks"]
    free: float = sum(each["total_count"] for each in found if each["stock_id"] == stock_id)
    return free


def stock(house: RunningHouse, query: str = "", stock_id: str = CIB) -> dict[str, Any]:
    reply = ask(house, "GET", f"/api/stocks/{stock_id}/{query}")
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json
    return found


def at(second: int) -> str:
    return f"2022-12-05 {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def sums_are_zero(house: RunningHouse) -> None:
    """Nothing was made or lost: every asset's sum is 0."""
    totals = ask(house, "GET", "/api/v1/ledger/totals/").json
    assert all(float(each["sum"]) == 0 for each in totals.values()), totals
