"""What clients of the trading API see of a house in maintenance."""

from __future__ import annotations

from typing import Any

from fondaco.core.records import Command, pack
from fondaco.gateway.app import Gateway
from fondaco.house.declared import House, HouseSettings
from tests.gateway.stand_ins import GRANTS, NoReports, SmallHouse, small_house

ORDER: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}


def maintain(house: SmallHouse, maintenance: int) -> None:
    house.writer.commit(pack(Command.CONFIGURE_HOUSE, maintenance=maintenance))


async def statuses(house: SmallHouse) -> set[str]:
    shown = (await house.get("/api/v3/exchangeInfo")).json["symbols"]
    return {each["status"] for each in shown}


async def test_maintenance_is_a_break_that_clients_know() -> None:
    """Status BREAK, orders -2010 "Market is closed.", cancels and reads as ever; then all again."""
    house = await small_house()
    placed = await house.place("ann", "BUY", "0.1", "10000")
    maintain(house, 1)
    assert await statuses(house) == {"BREAK"}
    told = await house.get("/sapi/v1/system/status")
    assert told.json == {"status": 1, "msg": "system maintenance"}
    refused = await house.signed("ann", "POST", "/api/v3/order", **ORDER, quantity=1, price=10000)
    assert (refused.status, refused.json) == (400, {"code": -2010, "msg": "Market is closed."})
    number = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    cancelled = await house.signed("ann", "DELETE", "/api/v3/order", **number)
    assert cancelled.json["status"] == "CANCELED"
    assert (await house.signed("ann", "GET", "/api/v3/account")).status == 200
    maintain(house, 0)
    assert await statuses(house) == {"TRADING"}
    assert (await house.get("/sapi/v1/system/status")).json["status"] == 0
    await house.place("ann", "BUY", "0.1", "10000")


async def test_an_edge_that_starts_in_maintenance_knows() -> None:
    """It is among the definitions, also where its event is older than what the edge reads."""
    house = await small_house()
    maintain(house, 1)
    settings = HouseSettings(name="Small", rate_limits=False)
    second = Gateway(house.writer, House(house=settings))
    second.edge.read = house.history.read  # type: ignore[method-assign]
    second._keys._load_all = lambda: GRANTS
    second._storage = NoReports
    house.history.cursor = house.writer.seq
    await second.start(own_process=False)
    assert await statuses(SmallHouse(second, house.writer, house.history)) == {"BREAK"}
