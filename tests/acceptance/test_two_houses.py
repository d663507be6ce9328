"""Two houses: one buys from the other through unmodified ccxt, and both ledgers agree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from unittest import mock

import pytest

from tests.acceptance.agency_house import (
    FILE,
    buy,
    customer,
    outside,
    until,
    wealth,
)
from tests.house_fixture import RunningHouse, open_house

KEY = "houseA" + "0" * 58
BUYER = f"""
[[instruments]]
symbol = "ABANUSD"
base = "ABAN"
quote = "USD"
market = "book"
tick_size = "0.01"
lot_size = "0.0001"
maker_fee = "0.001"
taker_fee = "0.001"
[[members]]
username = "house-a"
email = "house-a@example.com"
balances = {{ USD = "1000", ABAN = "10" }}
[[members.api_keys]]
key = "{KEY}"
secret = "house-a-secret"
[[members]]
username = "maker"
email = "maker@example.com"
balances = {{ USD = "10000", ABAN = "1000" }}
[[members.api_keys]]
key = "maker{"0" * 59}"
secret = "maker-secret"
"""
SELLER = """
[[instruments]]
symbol = "ABANUSD"
base = "ABAN"
quote = "USD"
market = "agency"
venue = "house-b"
reference_price = "10"
tick_size = "0.01"
lot_size = "0.0001"
[[venues]]
name = "house-b"
kind = "ccxt"
exchange = "binance"
min_notional = "10"
slippage = "0.02"
"""


@pytest.fixture
def houses() -> Iterator[tuple[RunningHouse, RunningHouse]]:
    """House A, whose venue is house B's order book."""
    with open_house(file_text=FILE, more=BUYER) as seller:
        where = {
            "FONDACO_VENUE_HOUSE_B_KEY": KEY,
            "FONDACO_VENUE_HOUSE_B_SECRET": "house-a-secret",
            "FONDACO_VENUE_HOUSE_B_URL": seller.url,
        }
        with (
            mock.patch.dict(os.environ, where),
            open_house(file_text=FILE, more=SELLER) as buyer,
        ):
            yield buyer, seller


def totals(house: RunningHouse) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = house.get("/api/v1/ledger/totals/").json
    return found


def test_one_house_buys_from_another_and_both_ledgers_agree(
    houses: tuple[RunningHouse, RunningHouse],
) -> None:
    """What A's world gave and took is what A's account at B took and gave, to the last unit."""
    ours, theirs = houses
    maker = type(theirs.ann)("maker" + "0" * 59, "maker-secret")
    for price, quantity in (("9.98", "1.1"), ("10.03", "1.3"), ("11", "50")):
        reply = theirs.signed(
            maker, "POST", "/api/v3/order", symbol="ABANUSD", side="SELL", type="LIMIT",
            timeInForce="GTC", price=price, quantity=quantity,
        )  # fmt: skip
        assert reply.status == 200, reply.body
    people = [customer(ours, name) for name in ("a", "b")]
    opening = {code: Decimal(row["world"]) for code, row in totals(ours).items()}
    assert buy(ours, people[0], "ABAN", "0.7").status == 200
    assert buy(ours, people[1], "ABAN", "1.2").status == 200
    until(lambda: len(outside(ours, venue="house-b")) == 1)
    until(lambda: outside(ours, venue="house-b")[0]["status"] == "CONFIRMED")
    (order,) = outside(ours, venue="house-b")
    assert order["attempts"] == 1
    assert Decimal(order["filled_quantity"]) == Decimal("1.9") * Decimal("0.999")

    member = theirs.signed(type(theirs.ann)(KEY, "house-a-secret"), "GET", "/api/v3/account").json
    had = {"USD": Decimal(1000), "ABAN": Decimal(10)}
    there = {
        row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in member["balances"]
    }
    for code, before in had.items():
        world = Decimal(totals(ours)[code]["world"]) - opening.get(code, Decimal(0))
        assert there[code] - before == -world, code
        assert world != 0, code
    for house in houses:
        assert {row["sum"] for row in totals(house).values()} == {"0"}
    shares = [wealth(ours, number)[1]["ABAN"] for number in people]
    dust = Decimal(totals(ours)["ABAN"]["rounding"])
    assert sum(shares) + dust == Decimal(order["filled_quantity"])
