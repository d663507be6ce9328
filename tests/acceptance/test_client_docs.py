"""docs/clients.md says what works: its recipes are run as they are printed."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import ccxt
import ccxt.pro
import pytest

from tests.house_fixture import RunningHouse, house

__all__ = ["house"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "clients.md"


def recipe(title: str) -> str:
    """Return the Python of one section."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {title}", 1)[1].split("\n## ", 1)[0]
    return "\n".join(re.findall(r"```python\n(.*?)```", section, re.DOTALL))


def names(house: RunningHouse) -> dict[str, Any]:
    who = house.ann
    return {"BASE": house.url, "WS": house.ws_url, "KEY": who.key, "SECRET": who.secret}


def test_ccxt(house: RunningHouse) -> None:
    """The ccxt recipe loads the markets and reads a balance."""
    scope = {"ccxt": ccxt, **names(house)}
    exec(recipe("ccxt (tested"), scope)
    assert scope["exchange"].fetch_balance()["BTC"]["free"] == 100


async def test_ccxt_pro(house: RunningHouse) -> None:
    """The ccxt.pro recipe, on top of ccxt's, watches a book."""
    scope: dict[str, Any] = {"ccxt": ccxt.pro, **names(house)}
    first = recipe("ccxt (tested").replace("exchange.load_markets()", "")
    exec(first + recipe("ccxt.pro (tested"), scope)
    exchange = scope["exchange"]
    try:
        assert "bids" in await exchange.watch_order_book("BTC/USDT")
    finally:
        await exchange.close()


def test_python_binance(house: RunningHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The python-binance recipe reads the account."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from binance import AsyncClient, BinanceSocketManager, Client

        for kind in (Client, AsyncClient):  # so that the recipe's changes are taken back
            for name in ("API_URL", "MARGIN_API_URL", "WS_API_URL"):
                monkeypatch.setattr(kind, name, getattr(kind, name))
        monkeypatch.setattr(BinanceSocketManager, "STREAM_URL", BinanceSocketManager.STREAM_URL)
        scope: dict[str, Any] = {
            "Client": Client,
            "AsyncClient": AsyncClient,
            "BinanceSocketManager": BinanceSocketManager,
            **names(house),
        }
        exec(recipe("python-binance (tested"), scope)
    client = scope["client"]
    try:
        assert client.get_account()["accountType"] == "SPOT"
    finally:
        client.close_connection()
        client.loop.close()
