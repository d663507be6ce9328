"""A robot that trades in a running house beside a strategy elsewhere: verified by the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.robot_house import RobotHouse, robot, robot_house
from tests.treasury.people import Person

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def market() -> Iterator[RobotHouse]:
    with robot_house(robot("alpha", {"USDT": "1000"}, operation_amount="400")) as running:
        yield running


def asked(bob: Person, path: str) -> Any:
    status, text = bob.get(path)
    assert status == 200, text
    return json.loads(text)


def test_a_robot_s_equity_is_its_balances_at_the_last_price(market: RobotHouse) -> None:
    """It buys by a signal and the price rises: beside its member's strategies it stands at that."""
    bob = Person(market.house, "bob")
    market.trade("20000")
    market.advance(90)
    market.quote("19990", "20000")
    market.signal("STRONG_BUY", "alpha")
    market.operation("alpha", "AWAITING_SELL")
    market.advance(90)
    market.trade("25000")
    market.advance(90)
    market.trade("25000")

    def look() -> Any:
        rows = asked(bob, "/api/v1/dashboard/")["robots"]  # none until a worker has looked
        last = [row for row in rows if row["last"] and row["last"]["last_price"] == "25000"]
        return last[0] if last else None

    row = market.until(look)
    assert (row["name"], row["source"]) == ("alpha", "verified by the ledger")
    held = market.document("alpha")
    coins = {each["symbol"]: each["amount"] for each in held["crypto"]}
    equity = held["cash"] + coins["BTC"] * 25_000
    assert float(row["last"]["wallet_balance"]) == pytest.approx(equity, abs=1e-6)
    assert float(row["last"]["positions"]) == pytest.approx(coins["BTC"], abs=1e-9)
    assert equity > 1090, "a quarter of what 400 bought, less the fee"
    path = f"/api/v1/track-records/?of=strategy:{row['id']}&of=market:BTCUSDT&span=all"
    records = asked(bob, path)["records"]
    assert [each["source"] for each in records] == ["verified by the ledger", "market"]
    status, page = bob.get(f"/dashboard/strategies/{row['id']}")
    assert (status, "verified by the ledger" in page) == (200, True)
    dashboard = asked(bob, "/api/v1/dashboard/")
    assert (dashboard["equity"], dashboard["strategies"]) == ("0", [])
