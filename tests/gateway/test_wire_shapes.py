"""Our answers beside recorded ones: the same keys, and the same book from the same updates."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fondaco.core.records import Event, Query, Side, pack
from fondaco.gateway.depth import Depth
from tests.conftest import SHARED_DATA
from tests.gateway.stand_ins import SmallHouse, Socket, small_house

FIXTURES = SHARED_DATA / "wire" / "nautilus_binance" / "spot"
RECORDING = SHARED_DATA / "l2" / "binance_spot_btcusdt_20240808.gz"
TICK = Decimal("0.01")
LOT = Decimal("0.00001")
# What the recorded venue has and a house has no use for.
WITHOUT = {"sors", "otoAllowed"}


def recorded(folder: str, name: str) -> Any:
    path = FIXTURES / folder / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"no recorded data at {path} (FONDACO_SHARED_DATA names its folder)")
    found = json.loads(path.read_text())
    return found[0] if isinstance(found, list) else found


async def lively_house() -> SmallHouse:
    """A house with an order that is filled in part and one that rests."""
    house = await small_house()
    await house.place("bob", "SELL", "2", "20000", newClientOrderId="b")
    await house.place("ann", "BUY", "1", "20000", newClientOrderId="a")
    await house.place("ann", "BUY", "1", "19000", newClientOrderId="rests")
    return house


REST = [
    ("ping_response", "GET", "/api/v3/ping", {}),
    ("server_time_response", "GET", "/api/v3/time", {}),
    ("exchange_info_response", "GET", "/api/v3/exchangeInfo", {}),
    ("depth_response", "GET", "/api/v3/depth", {}),
    ("trades_response", "GET", "/api/v3/trades", {}),
    ("klines_response", "GET", "/api/v3/klines", {"interval": "1m"}),
    ("avg_price_response", "GET", "/api/v3/avgPrice", {}),
    ("ticker_24hr_response", "GET", "/api/v3/ticker/24hr", {}),
    ("ticker_price_response", "GET", "/api/v3/ticker/price", {}),
    ("book_ticker_response", "GET", "/api/v3/ticker/bookTicker", {}),
    ("account_response", "GET", "/api/v3/account", {}),
    ("account_trades_response", "GET", "/api/v3/myTrades", {}),
    ("all_orders_response", "GET", "/api/v3/allOrders", {}),
    ("open_orders_response", "GET", "/api/v3/openOrders", {}),
    ("order_response", "GET", "/api/v3/order", {"origClientOrderId": "a"}),
    (
        "new_order_full_response",
        "POST",
        "/api/v3/order",
        {"side": "BUY", "type": "MARKET", "quantity": "0.5"},
    ),
    ("cancel_order_response", "DELETE", "/api/v3/order", {"origClientOrderId": "rests"}),
    ("cancel_open_orders_response", "DELETE", "/api/v3/openOrders", {}),
]


@pytest.mark.parametrize("name,method,path,more", REST)
async def test_REST_answers_have_the_recorded_keys(
    name: str, method: str, path: str, more: dict[str, Any]
) -> None:
    """Every key of the recorded answer is in ours, with a value of the same JSON type."""
    wanted = recorded("http_json", name)
    house = await lively_house()
    reply = await house.signed("ann", method, path, symbol="BTCUSDT", **more)
    assert reply.status == 200, reply
    found = reply.json[0] if isinstance(reply.json, list) else reply.json
    compare(wanted, found)


def compare(wanted: Any, found: Any, where: str = "") -> None:
    assert type(found) is type(wanted), (where, wanted, found)
    if isinstance(wanted, dict):
        missing = set(wanted) - set(found) - WITHOUT
        assert not missing, (where, missing)
        for key in set(wanted) & set(found):
            compare(wanted[key], found[key], f"{where}.{key}")
    elif isinstance(wanted, list) and wanted and found:
        compare(wanted[0], found[0], f"{where}[0]")


@pytest.mark.parametrize("name", ["execution_report_wrapped", "account_position_wrapped"])
async def test_user_events_have_the_recorded_keys(name: str) -> None:
    """Reports and positions carry every key of the recorded ones, of the same type."""
    wanted = recorded("user_data_json", name)["event"]
    house = await small_house()
    reply = await house.http("POST", "/api/v3/userDataStream", headers={"X-MBX-APIKEY": "annKey"})
    async with Socket(house, f"/ws/{reply.json['listenKey']}") as socket:
        await house.place("ann", "BUY", "1", "19000")
        compare(wanted, await socket.until(lambda text: text["e"] == wanted["e"]))


def lines() -> Iterator[Any]:
    if not Path(RECORDING).is_file():
        pytest.skip(f"no recording at {RECORDING} (FONDACO_SHARED_DATA names its folder)")
    with gzip.open(RECORDING, "rt") as file:
        for line in file:
            yield json.loads(line.partition(" ")[2])


async def test_streams_have_the_recorded_keys() -> None:
    """trade, bookTicker and depthUpdate have the keys of the recorded stream."""
    wanted: dict[str, Any] = {}
    for line in lines():
        if "stream" in line:
            wanted.setdefault(line["stream"], line)
        if len(wanted) == 3:
            break
    house = await small_house()
    async with Socket(house, "/stream", f"streams={'/'.join(wanted)}".encode()) as socket:
        await house.place("bob", "SELL", "1", "20000")
        await house.place("ann", "BUY", "0.5", "20000")
        house.gateway.broadcast.tick()
        while wanted:
            found = await socket.next()
            text = wanted.pop(found["stream"], None)
            assert text is None or set(found["data"]) == set(text["data"])


def level(side: int, price: str, quantity: str) -> tuple[int, int, int]:
    return side, int(Decimal(price) / TICK), int(Decimal(quantity) / LOT)


def test_the_mirror_follows_a_recorded_market() -> None:
    """Snapshot and differences of a real market give its best prices at each equal update id.

    The recording has 564 such moments, and no gap between its updates.
    """
    depth = Depth()
    updates: list[Any] = []
    tickers: dict[int, Any] = {}
    last = 0
    equal = 0
    for line in lines():
        if "lastUpdateId" in line:
            last = line["lastUpdateId"]
            records = [pack(Query.BOOK_ANSWER, instrument=1, book_seq=0)]
            for side, name in ((Side.BUY, "bids"), (Side.SELL, "asks")):
                for price, quantity in line[name]:
                    _, ticks, lots = level(side, price, quantity)
                    records.append(
                        pack(Event.LEVEL, side=side, price_ticks=ticks, quantity_lots=lots)
                    )
            depth.load(b"".join(records))
        elif line["stream"].endswith("@bookTicker"):
            tickers[line["data"]["u"]] = line["data"]
        elif "@depth" in line["stream"]:
            updates.append(line["data"])
    begun = False
    for update in updates:
        if update["u"] <= last:
            continue
        assert update["U"] == last + 1 if begun else update["U"] <= last + 1 <= update["u"]
        begun = True
        for side, name in ((Side.BUY, "b"), (Side.SELL, "a")):
            for price, quantity in update[name]:
                depth.apply(*level(side, price, quantity), depth.book_seq + 1)
        last = update["u"]
        ticker = tickers.get(last)
        if ticker is not None:
            _, bid, bid_lots = level(Side.BUY, ticker["b"], ticker["B"])
            _, ask, ask_lots = level(Side.SELL, ticker["a"], ticker["A"])
            assert depth.best_bid() == (bid, bid_lots)
            assert depth.best_ask() == (ask, ask_lots)
            assert depth.top(1) == ([(bid, bid_lots)], [(ask, ask_lots)])
            equal += 1
    assert depth.loaded
    assert equal == 564
