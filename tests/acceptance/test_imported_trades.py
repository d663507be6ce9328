"""Imported trades as stock clients see them: positive ids, paged with fromId, stable for ever."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.acceptance.clients import keys, point_ccxt
from tests.house_fixture import RunningHouse, open_house

with warnings.catch_warnings():  # it imports names that websockets is about to drop
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance import Client

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

FIRST_MS = time.time_ns() // 1_000_000 - 3_600_000
OWN_FIRST_ID = 1_000_000_001


def imported(house: RunningHouse, first_ms: int, rows: int) -> None:
    """Import trades at 100, 101 ... USDT, one a second."""
    source = Path(house.folder) / "trades.csv"
    lines = (f"{first_ms + place * 1000},{100 + place},0.5,true\n" for place in range(rows))
    source.write_text("".join(lines), encoding="ascii")
    command = [sys.executable, "-m", "fondaco", "import", "--house", str(house.house_file)]
    command += ["--data", str(house.data), "--symbol", "ETHUSDT", str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house that imported five trades, then two more, and then traded twice itself."""
    with open_house() as running:
        running.stop()
        imported(running, FIRST_MS, 5)
        imported(running, FIRST_MS + 60_000, 2)
        running.start()
        for price in ("200", "201"):
            order: dict[str, Any] = {
                "symbol": "ETHUSDT",
                "type": "LIMIT",
                "timeInForce": "GTC",
                "quantity": "1",
            }
            for who, side in ((running.ann, "SELL"), (running.bob, "BUY")):
                reply = running.signed(
                    who, "POST", "/api/v3/order", side=side, price=price, **order
                )
                assert reply.status == 200, reply.body
        yield running


def paged(page: Any, first_id: int = 0) -> list[int]:
    """Page by id as their users do: from the id after the last one that was seen."""
    found: list[int] = []
    while ids := page(found[-1] + 1 if found else first_id):
        found += ids
    return found


EVERY = [1, 2, 3, 4, 5, 6, 7, OWN_FIRST_ID, OWN_FIRST_ID + 1]


def test_ccxt_pages_through_imported_and_own_trades(house: RunningHouse) -> None:
    """fetch_trades with fromId walks from the first imported trade to the house's newest."""
    client = point_ccxt(ccxt.binance(keys(house.ann)), house.url)
    client.load_markets()

    def page(from_id: int) -> list[int]:
        trades = client.fetch_trades("ETH/USDT", limit=3, params={"fromId": from_id})
        return [int(trade["id"]) for trade in trades]

    assert paged(page) == EVERY
    newest = client.fetch_trades("ETH/USDT")
    assert [int(trade["id"]) for trade in newest] == EVERY
    assert [trade["timestamp"] for trade in newest] == sorted(t["timestamp"] for t in newest)


def test_python_binance_pages_and_bars_name_the_same_trades(
    house: RunningHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Historical trades page by id; the day's ticker and the bars name ids of that list."""
    monkeypatch.setattr(Client, "API_URL", f"{house.url}/api")
    with ThreadPoolExecutor(1) as pool:  # a thread without a loop: it makes one of its own
        client = pool.submit(Client, house.ann.key, house.ann.secret).result()
    try:

        def page(from_id: int) -> list[int]:
            trades = client.get_historical_trades(symbol="ETHUSDT", limit=4, fromId=from_id)
            return [trade["id"] for trade in trades]

        assert paged(page) == EVERY
        aggregates = client.get_aggregate_trades(symbol="ETHUSDT", fromId=3, limit=2)
        assert [(each["f"], each["l"]) for each in aggregates] == [(3, 3), (4, 4)]
        day = client.get_ticker(symbol="ETHUSDT")
        assert (day["firstId"], day["lastId"], day["count"]) == (EVERY[0], EVERY[-1], len(EVERY))
        mine = client.get_my_trades(symbol="ETHUSDT", fromId=OWN_FIRST_ID + 1)
        assert [trade["id"] for trade in mine] == [OWN_FIRST_ID + 1]
    finally:
        client.close_connection()
        client.loop.close()
