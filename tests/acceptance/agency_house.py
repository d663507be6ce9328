"""A running house with an agency market and a simulated venue, for the S3 tests.

    with open_agency(script=["timeout"]) as house:
        number = customer(house, "ann", "100.00")
        buy(house, number, "ABAN", "1.5")

ABAN and DOGE cost 10 and 2 dollars, and the venue takes nothing below 10 dollars. Waiting is by
polling what the house says, with a deadline.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from tests.house_fixture import Reply, RunningHouse, open_house

__all__ = [
    "buy",
    "customer",
    "delete",
    "open_agency",
    "outside",
    "post",
    "sums_are_zero",
    "until",
    "wealth",
]

END_S: Final = 60.0
FILE: Final = """
[house]
name = "Agency house"
base_url = "http://127.0.0.1:{port}"
open_api = true
{settings}
[[assets]]
code = "USD"
decimals = 8
"""
MARKET: Final = """
[[instruments]]
symbol = "{code}USD"
base = "{code}"
quote = "USD"
market = "agency"
venue = "outside"
reference_price = "{price}"
tick_size = "0.01"
lot_size = "0.0001"
"""


@contextlib.contextmanager
def open_agency(
    *,
    script: Sequence[str] = (),
    latency_s: float = 0,
    settings: str = "",
    venue: str = "",
    more: str = "",
) -> Iterator[RunningHouse]:
    """Run one; `settings` are lines of [house], `venue` lines of the venue, `more` goes last."""
    text = MARKET.format(code="ABAN", price="10") + MARKET.format(code="DOGE", price="2")
    text += f'[[venues]]\nname = "outside"\nmin_notional = "10"\nlatency_s = {latency_s}\n'
    text += f"script = {json.dumps(list(script))}\n{venue}\n"
    with open_house(file_text=FILE, settings=settings, more=text + more) as house:
        yield house


def post(house: RunningHouse, path: str, body: object) -> Reply:
    """POST JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return house.request("POST", path, body=raw, headers={"Content-Type": "application/json"})


def delete(house: RunningHouse, path: str) -> Reply:
    return house.request("DELETE", path)


def customer(house: RunningHouse, name: str, balance: str = "100.00") -> int:
    """Make a customer; return the id."""
    reply = post(house, "/api/customer/", {"name": name, "balance": balance})
    assert reply.status == 201, reply.body
    number: int = reply.json["id"]
    return number


def buy(house: RunningHouse, number: int, crypto: str, amount: object) -> Reply:
    """Place a purchase order."""
    body = {"crypto": crypto, "amount": amount, "customer_id": number}
    return post(house, "/api/order/", body)


def wealth(house: RunningHouse, number: int) -> tuple[Decimal, dict[str, Decimal]]:
    """Return a customer's free balance and coins."""
    told = house.get(f"/api/customer/{number}/").json
    return Decimal(told["balance"]), {k: Decimal(v) for k, v in told["coins"].items()}


def outside(house: RunningHouse, *, venue: str = "outside") -> list[dict[str, Any]]:
    """Return the venue's orders, oldest first."""
    found: list[dict[str, Any]] = house.get(f"/api/v1/venues/{venue}/orders/").json
    return found[::-1]


def until(is_so: Callable[[], bool], *, timeout_s: float = END_S) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"not so within {timeout_s} s"
        time.sleep(0.05)


def all_done(house: RunningHouse, count: int) -> bool:
    """Whether so many outside orders are there, and all of them done."""
    found = outside(house)
    return len(found) == count and all(each["status"] == "CONFIRMED" for each in found)


def sums_are_zero(house: RunningHouse) -> bool:
    """Whether each asset sums to zero over all accounts."""
    return all(row["sum"] == "0" for row in house.get("/api/v1/ledger/totals/").json.values())


__all__ += ["all_done"]
