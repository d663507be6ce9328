"""Statements of a running house: after trades, a deposit and a withdrawal, by page and file."""

from __future__ import annotations

import csv
import datetime as dt
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.house_fixture import RunningHouse, open_house
from tests.treasury.people import FILE, Person

SETTINGS = "rate_limits = false\nstaff_mfa = false\nwithdrawal_delay_s = 0\n"


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house without a delay."""
    with open_house(settings=SETTINGS, file_text=FILE) as running:
        yield running


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_a_statement_says_what_the_ledger_says(house: RunningHouse) -> None:
    """The CSV's closings are the balances of now, withdrawals held included; fees are named."""
    bob, ann = Person(house, "bob"), Person(house, "ann")
    for who, side in ((house.ann, "SELL"), (house.bob, "BUY"), (house.bob, "SELL")):
        order = house.signed(
            who,
            "POST",
            "/api/v3/order",
            symbol="BTCUSDT",
            side=side,
            type="LIMIT",
            timeInForce="GTC",
            quantity="0.5",
            price="20000" if side != "SELL" or who is house.ann else "30000",
        )
        assert order.status == 200, order.body
    assert ann.ask("POST", "/deposits/", username="bob", asset="USDT", amount="12").status == 201
    assert bob.withdraw("7").status == 201
    month = f"{dt.datetime.now(tz=dt.UTC):%Y-%m}"
    account = house.signed(house.bob, "GET", "/api/v3/account").json
    now = {
        row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in account["balances"]
    }
    now = {asset: amount for asset, amount in now.items() if amount}
    now["USDT"] += 7  # held, and still bob's
    deadline = time.monotonic() + 20
    while True:  # history follows the core
        status, text = bob.get(f"/statements/{month}.csv")
        assert status == 200
        rows = rows_of(text)
        closings = {row["asset"]: Decimal(row["amount"]) for row in rows if row["row"] == "closing"}
        if closings == now:
            break
        assert time.monotonic() < deadline, (closings, now)
        time.sleep(0.1)
    fees = {row["asset"]: row["amount"] for row in rows if row["row"] == "fees"}
    assert Decimal(fees["BTC"]) == Decimal("0.0005")
    for asset, closing in closings.items():
        opening = [
            Decimal(row["amount"])
            for row in rows
            if row["row"] == "opening" and row["asset"] == asset
        ]
        moved = [
            Decimal(row["amount"])
            for row in rows
            if row["row"] == "posting" and row["asset"] == asset
        ]
        assert sum(opening) + sum(moved) == closing
    page = bob.get(f"/statements/{month}")[1]
    assert f"Statement {month}" in page
    assert "deposit" in page
    assert month in bob.get("/statements/")[1]


def test_statements_are_ones_own(house: RunningHouse) -> None:
    """A stranger is asked to sign in; another member's statement shows their own accounts only."""
    month = f"{dt.datetime.now(tz=dt.UTC):%Y-%m}"
    for path in ("/statements/", f"/statements/{month}", f"/statements/{month}.csv"):
        assert 'name="password"' in Person(house).get(path)[1]
    ann, bob = Person(house, "ann"), Person(house, "bob")
    ours = {row["account"] for row in rows_of(ann.get(f"/statements/{month}.csv")[1])} - {""}
    theirs = {row["account"] for row in rows_of(bob.get(f"/statements/{month}.csv")[1])} - {""}
    assert ours
    assert theirs
    assert not ours & theirs


def test_the_tax_export_and_bad_months(house: RunningHouse) -> None:
    """The export is a CSV named so; a month that isn't one is 404."""
    bob = Person(house, "bob")
    year = dt.datetime.now(tz=dt.UTC).year
    status, text = bob.get(f"/statements/fifo-tax-{year}.csv")
    assert status == 200
    assert text.startswith("symbol,sold,acquired,quantity,proceeds,cost,gain,quote,uncovered\n")
    for month in ("2026-13", "2026-00", "9999-12", "0000-01", "2026-1"):
        assert bob.get(f"/statements/{month}")[0] == 404
