"""One rule on recorded trades of a real market: backtest and live path, byte for byte."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from fondaco.robots.backtest.result import Settings
from fondaco.robots.backtest.run import Backtest
from fondaco.robots.backtest.tape import Tick, read_trades
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.validation import read_rule
from tests.robots.rule_house import START_US
from tests.robots.test_equality import TapeHouse

D = Decimal
TRADES = 200
FEE_PPM = 2_000
SELL_ALL = """{"$order": {"kind": "MARKET", "intent": "SELL", "shares": {"$position": "BTC"}}}"""
RULES = {
    "crossings": """{"$when": {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": %(middle)s,
        "type": "crosses_above"}}, "$do": {"$order": {"kind": "MARKET", "intent": "BUY",
        "shares": 1}}, "$then": {"$when": {"$comparison": {"itemA": {"$ticker": "BTC"},
        "itemB": %(middle)s, "type": "crosses_below"}}, "$do": %(sell)s},
        "$repeat": {"times": 30}}""",
    "spending": """{"$when": {"$and": [{"$comparison": {"itemA": {"$cash": "free"}, "itemB": 2000,
        "type": "gt"}}, {"$comparison": {"itemA": {"$ticker": {"symbol": "BTC", "field":
        "volume"}}, "itemB": 1, "type": "gte"}}]}, "$do": {"$order": {"kind": "MARKET",
        "intent": "BUY", "spend": 900}}, "$then": {"$when": {"$comparison": {"itemA":
        {"$ticker": {"symbol": "BTC", "field": "change"}}, "itemB": -5, "type": "gt"}},
        "$do": %(sell)s}, "$repeat": {"times": 5, "pause_s": 3}}""",
    "figures": """{"$when": {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": {"$indicator":
        {"name": "SMA", "ticker": "BTC", "interval": "1m", "parameters": {"timeperiod": 2}}},
        "type": "crosses_above"}}, "$do": {"$order": {"kind": "MARKET", "intent": "BUY",
        "shares": 1}}, "$repeat": {"times": 6}}""",
}


@pytest.fixture(scope="module")
def ticks(shared_data: Path) -> list[Tick]:
    """The first trades of XRP in ETH: prices in millionths, amounts in tens, both exact."""
    file = shared_data / "trades" / "binance_XRPETH_aggtrades.csv.gz"
    recorded = list(islice(read_trades(file), TRADES))
    later_us = START_US + 1_000_000 - recorded[0].time_us
    return [
        Tick(tick.time_us + later_us, tick.price * 1_000_000, tick.quantity / 10, tick.buys)
        for tick in recorded
    ]


def rule(name: str, ticks: list[Tick]) -> str:
    middle = sorted(tick.price for tick in ticks)[len(ticks) // 2]
    return RULES[name] % {"middle": middle, "sell": SELL_ALL}


def backtest(text: str, ticks: list[Tick]) -> tuple[bytes, bytes]:
    settings = Settings(
        source="trades", walk=None, interval_s=None, base="BTC", quote="USD", tick=D("0.01"),
        lot=D("0.1"), maker_fee=D(0), taker_fee=D(FEE_PPM) / 1_000_000, latency_ms=0,
        depth=D(500), queue=D(0), cash=D(10_000), coins=D(0), decimals=(8, 8),
    )  # fmt: skip
    result = Backtest(plan_rule(read_rule(text)), settings, prefix="bot").run(ticks)
    assert all(fill.fee for fill in result.fills)
    return msgspec.json.encode(result.decisions), msgspec.json.encode(result.orders)


@pytest.mark.parametrize("name", RULES)
def test_recorded_trades_give_the_same_orders_live(
    name: str, ticks: list[Tick], tmp_path: Path
) -> None:
    """Takers of both sides, fees, each trade of the recording: the same bytes."""
    assert set(Counter(tick.buys for tick in ticks)) == {True, False}
    text = rule(name, ticks)
    tested = backtest(text, ticks)
    house = TapeHouse(tmp_path / "data", cash=10_000, fee_ppm=FEE_PPM)
    house.tick(ticks[0])
    bot = house.start(text)
    for tick in ticks[1:]:
        house.tick(tick)
    house.close()
    orders = list(bot.changed.orders.values())
    assert msgspec.json.encode(bot.changed.decisions) == tested[0]
    assert msgspec.json.encode(orders) == tested[1]
    assert {order.status for order in orders} == {"FILLED"}
    assert len(orders) >= 4
