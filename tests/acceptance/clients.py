"""Stock clients pointed at a house, as docs/clients.md tells its readers to do it."""

from __future__ import annotations

from typing import Any

from tests.house_fixture import Credentials

__all__ = ["point_ccxt", "point_ccxt_pro"]


def point_ccxt(exchange: Any, url: str) -> Any:
    """Point a ccxt.binance at a house."""
    exchange.options["fetchMarkets"] = {"types": ["spot"]}
    exchange.urls["api"].update(
        public=f"{url}/api/v3",
        private=f"{url}/api/v3",
        v1=f"{url}/api/v1",
        sapi=f"{url}/sapi/v1",
        sapiV2=f"{url}/sapi/v2",
        sapiV3=f"{url}/sapi/v3",
        sapiV4=f"{url}/sapi/v4",
    )
    return exchange


def point_ccxt_pro(exchange: Any, url: str) -> Any:
    """Point a ccxt.pro.binance at a house."""
    point_ccxt(exchange, url)
    ws_url = url.replace("http", "ws", 1)
    exchange.urls["api"]["ws"]["spot"] = f"{ws_url}/ws"
    exchange.urls["api"]["ws"]["ws-api"]["spot"] = f"{ws_url}/ws-api/v3"
    return exchange


def keys(who: Credentials) -> dict[str, Any]:
    return {"apiKey": who.key, "secret": who.secret}
