"""Clients of the trading API in a house that also has a dealer and an agency market."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from tests.acceptance.clients import keys, point_ccxt
from tests.house_fixture import RunningHouse, open_house
from tests.outside_house import OUTSIDE


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """Serve a house with a market of each kind."""
    with open_house(more=OUTSIDE) as opened:
        yield opened


@pytest.fixture(scope="module")
def ann(house: RunningHouse) -> Any:
    return point_ccxt(ccxt.binance(keys(house.ann)), house.url)


def test_ccxt_loads_the_books_and_trades_on(ann: Any) -> None:
    """load_markets() knows the books alone, and orders on them go as ever."""
    ann.load_markets()
    assert sorted(ann.symbols) == ["BTC/USDT", "ETH/USDT"]
    order = ann.create_order("BTC/USDT", "limit", "buy", 1, 20000)
    assert [each["id"] for each in ann.fetch_open_orders("BTC/USDT")] == [order["id"]]
    assert ann.cancel_order(order["id"], "BTC/USDT")["status"] == "canceled"


def test_ccxt_reads_a_symbol_of_another_market_as_a_bad_one(ann: Any) -> None:
    """-1121 is BadSymbol, and its text says where that market is."""
    for symbol in ("CIBUSDT", "ABANUSDT"):
        with pytest.raises(ccxt.BadSymbol, match=rf"/api/v1/markets/{symbol}/"):
            ann.public_get_depth({"symbol": symbol})


def test_the_house_shows_markets_of_every_kind(house: RunningHouse) -> None:
    """The native list has all four; before a message a stock has no price."""
    listed = {each["symbol"]: each for each in house.get("/api/v1/markets/").json}
    assert {name: each["market"] for name, each in listed.items()} == {
        "BTCUSDT": "book",
        "ETHUSDT": "book",
        "CIBUSDT": "dealer",
        "ABANUSDT": "agency",
    }
    assert listed["CIBUSDT"]["price"] is None
    assert listed["ABANUSDT"]["reference_price"] == "10.00000000"
    assert listed["ABANUSDT"]["pools"]["buy"]["min_notional"] == "10.00000000"
    assert house.get("/api/v1/markets/CIBUSDT").json == listed["CIBUSDT"]
