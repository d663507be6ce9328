"""Limits by key, account and address, and the origins whose pages may open a WebSocket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fondaco.gateway import limits
from tests.gateway.stand_ins import SmallHouse, small_house
from tests.gateway.test_sessions import HOST, SIGNED_IN, house_with_office

ENDLESS_S = 10**12  # a window that doesn't turn while a test runs
NOW_S = 1_790_000_000  # any moment of it


def hold_window(house: SmallHouse) -> None:
    house.gateway.limits.weight = limits.Windows(ENDLESS_S)


async def test_weight_is_limited_by_key() -> None:
    """Past a key's own limit 429 with Retry-After, from whatever address; other keys go on."""
    house = await small_house()
    hold_window(house)
    known = house.gateway._keys._by_text
    known[b"annKey"] = known[b"annKey"]._replace(weight_limit_1m=1)
    statuses = [
        (await house.signed("ann", "GET", "/api/v3/openOrders", symbol="BTCUSDT")).status
        for _ in range(2)
    ]
    reply = await house.signed("ann", "GET", "/api/v3/account")
    assert (statuses[-1], reply.status, reply.json["code"]) == (429, 429, -1003)
    assert int(reply.headers["retry-after"]) > 0
    assert (await house.signed("bob", "GET", "/api/v3/account")).status == 200


async def test_weight_is_limited_by_account() -> None:
    """A signed-in person is counted by their account: the limit of 6000 is the account's."""
    house, _ = await house_with_office()
    hold_window(house)
    first = await house.http("GET", "/api/v3/account", headers=SIGNED_IN)
    assert first.status == 200
    account = 16
    used = house.gateway.limits.weight.count(-account, NOW_S)
    assert used > 0
    house.gateway.limits.weight.add(-account, limits.WEIGHT_PER_MINUTE - used, NOW_S)
    reply = await house.http("GET", "/api/v3/account", headers=SIGNED_IN)
    assert (reply.status, reply.json["code"]) == (429, -1003)
    assert "retry-after" in reply.headers


async def test_weight_is_limited_by_address() -> None:
    """Without a key the address is counted; another address goes on."""
    house = await small_house()
    hold_window(house)
    house.gateway.limits.weight.add("127.0.0.1", limits.WEIGHT_PER_MINUTE, NOW_S)
    reply = await house.get("/api/v3/depth", symbol="BTCUSDT")
    assert (reply.status, reply.json["code"]) == (429, -1003)
    assert "retry-after" in reply.headers
    other = await house.http("GET", "/api/v3/ping", client="10.1.1.1")
    assert other.status == 200


async def opened(house: SmallHouse, path: str, origin: str) -> int:
    """Return how the opening of a WebSocket is answered: 101, or the status of the refusal."""
    came: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    out: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    headers = [(b"host", b"127.0.0.1:8000")]
    if origin:
        headers.append((b"origin", origin.encode()))
    scope = {
        "type": "websocket",
        "path": path,
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }
    came.put_nowait({"type": "websocket.connect"})
    came.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await asyncio.wait_for(house.gateway(scope, came.get, out.put), 5)
    first = out.get_nowait()
    return 101 if first["type"] == "websocket.accept" else int(first["status"])


@pytest.mark.parametrize("path", ["/ws", "/stream", "/ws-api/v3", "/ws/btcusdt@trade"])
@pytest.mark.parametrize(
    "origin, status",
    [
        ("", 101),  # programs send none
        (HOST, 101),
        ("http://evil.example", 403),
        ("https://127.0.0.1:8000", 403),
        ("http://127.0.0.1:8001", 403),
        ("http://127.0.0.1:8000.evil.example", 403),
        ("null", 403),
    ],
)
async def test_a_websocket_opens_for_the_houses_own_pages(
    path: str, origin: str, status: int
) -> None:
    """An allow-list of origins: a page of another site opens no socket, whatever cookies it has."""
    house = await small_house()
    assert await opened(house, path, origin) == status
