"""The demo's price, ladder and history, without a house."""

from __future__ import annotations

import itertools
import statistics
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import cast

import pytest

from fondaco.cli import roles
from fondaco.core.records import Side
from fondaco.house.file import House, load, loads
from fondaco.projections.imports import rows_of
from fondaco.robots import simulated
from fondaco.robots.house_client import HouseClient, Market
from fondaco.robots.simulated_ladder import LEVELS, Resting, plan, rungs
from fondaco.robots.simulated_price import FairPrice, TwinPrice, twin_of, worth_of
from fondaco.robots.simulated_takers import take

HOUSE = """
[house]
name = "Demo"
[[instruments]]
symbol = "BTCUSDT"
base = "BTC"
quote = "USDT"
market = "book"
tick_size = "0.01"
lot_size = "0.00001"
[[instruments]]
symbol = "CIBUSD"
base = "CIB"
quote = "USD"
market = "dealer"
stock_id = "6ffb8e62-92c1-40c7-9d38-5b976a346b62"
tick_size = "0.01"
lot_size = "1"
"""
NOW_MS = 1_700_000_000_000


def walk(seed: int, steps: int) -> list[float]:
    fair = FairPrice(Random(seed), anchor=100, price=100)
    return [fair.step(1.0) for _ in range(steps)]


def test_one_seed_gives_one_price_path() -> None:
    """The same seed walks the same way, another seed another."""
    assert walk(1, 500) == walk(1, 500)
    assert walk(1, 500) != walk(2, 500)


def test_the_price_stays_near_its_anchor_for_months() -> None:
    """Ninety days, a step a minute, stay within a quarter of the anchor."""
    fair = FairPrice(Random(7), anchor=100, price=100)
    prices = [fair.step(60.0) for _ in range(90 * 1440)]
    assert 75 < min(prices) < max(prices) < 133


def test_volatility_comes_in_clusters() -> None:
    """Sizes of neighbouring moves are more alike than those of moves far apart."""
    prices = walk(3, 40_000)
    moves = [abs(b / a - 1) for a, b in itertools.pairwise(prices)]
    minutes = [statistics.fmean(moves[i : i + 60]) for i in range(0, len(moves) - 60, 60)]
    near = statistics.correlation(minutes[:-1], minutes[1:])
    assert near > 0.5


def test_an_empty_book_is_filled_with_rungs_on_both_sides() -> None:
    """From nothing, one order a rung is asked for, bids below asks, at distinct rungs."""
    wanted = plan(6_400_000.0, {}, Random(1), changes_max=100)
    bids = [quote.price_ticks for quote in wanted.places if quote.side == "BUY"]
    asks = [quote.price_ticks for quote in wanted.places if quote.side == "SELL"]
    assert len(bids) == len(asks) == LEVELS
    assert max(bids) < 6_400_000 < min(asks)
    assert len(set(bids)) == len(set(asks)) == LEVELS
    assert not wanted.cancels


def test_a_standing_ladder_needs_no_change() -> None:
    """Planning again over the orders of the last plan asks for nothing."""
    first = plan(6_400_000.0, {}, Random(1), changes_max=100)
    orders = {i: Resting(q.side, q.price_ticks) for i, q in enumerate(first.places)}
    assert plan(6_400_000.0, orders, Random(2), changes_max=3) == ([], [])


def test_orders_on_the_wrong_side_of_a_move_are_all_cancelled() -> None:
    """After a jump no order stays where it would be picked off, whatever the limit of changes."""
    first = plan(6_400_000.0, {}, Random(1), changes_max=100)
    orders = {i: Resting(q.side, q.price_ticks) for i, q in enumerate(first.places)}
    moved = plan(6_410_000.0, orders, Random(2), changes_max=1)
    left = {i: order for i, order in orders.items() if i not in moved.cancels}
    assert all(order.price_ticks > 6_410_000 for order in left.values() if order.side == "SELL")
    assert len(moved.places) <= 2


@pytest.mark.parametrize("fair_ticks", [1.2, 3.0, 57.0, 1e4, 6.4e6, 1e10])
def test_rungs_are_distinct_at_any_price(fair_ticks: float) -> None:
    """Distances rise by at least one tick, however coarse the tick is against the price."""
    distances = rungs(fair_ticks)
    assert len(distances) == LEVELS
    assert all(b > a for a, b in itertools.pairwise(distances))
    assert all(q.price_ticks > 0 for q in plan(fair_ticks, {}, Random(1), changes_max=99).places)


def test_history_is_seeded_and_covers_the_last_days(tmp_path: Path) -> None:
    """A week of trades up to now, for order-driven instruments only, the same for one seed."""
    house = loads(HOUSE)
    [kept] = simulated.write_history(tmp_path / "a", house, 5, now_ms=NOW_MS)
    [again] = simulated.write_history(tmp_path / "b", house, 5, now_ms=NOW_MS)
    assert kept.symbol == "BTCUSDT"
    assert kept.path.read_bytes() == again.path.read_bytes()
    rows = list(rows_of(kept))
    times_ms = [row[0] // 1000 for row in rows]
    assert times_ms[0] < NOW_MS - 6 * 86_400_000
    assert NOW_MS - 600_000 < times_ms[-1] < NOW_MS
    assert len(rows) > 15_000
    assert {row[4] for row in rows} == {Side.BUY, Side.SELL}
    prices = [row[1] / 100 for row in rows]
    assert 45_000 < min(prices) < max(prices) < 90_000
    assert max(abs(b / a - 1) for a, b in itertools.pairwise(prices)) < 0.001  # candles join


def test_history_is_written_once(tmp_path: Path) -> None:
    """A second start leaves the trades of the first alone, and no other file behind."""
    house = loads(HOUSE)
    assert simulated.write_history(tmp_path, house, 5, now_ms=NOW_MS)
    assert simulated.write_history(tmp_path, house, 5, now_ms=NOW_MS) == []
    assert [path.name for path in tmp_path.iterdir()] == ["imports"]


def test_a_cross_has_the_price_of_its_parts(tmp_path: Path) -> None:
    """ETH in BTC trades at ETH by BTC in dollars, and USD at USDT: no round trip is a gift."""
    kept = {
        file.symbol: file for file in simulated.write_history(tmp_path, demo(), 5, now_ms=NOW_MS)
    }
    last = {symbol: list(rows_of(file))[-1][1] for symbol, file in kept.items()}
    cross = last["ETHBTC"] * 0.00001
    assert cross == pytest.approx(last["ETHUSDT"] / last["BTCUSDT"], rel=0.01)
    assert last["BTCUSD"] == pytest.approx(last["BTCUSDT"], rel=0.01)


def test_a_market_in_dollars_moves_with_its_twin() -> None:
    """It needs no steps of its own; a market without a twin, or not in dollars, has none."""
    symbols = {"BTCUSDT", "BTCUSD", "ETHUSD", "ETHBTC"}
    assert twin_of("BTC", "USD", symbols) == "BTCUSDT"
    assert twin_of("ETH", "USD", symbols) is None
    assert twin_of("ETH", "BTC", symbols) is None
    fair = FairPrice(Random(5), anchor=100.0, price=101.0)
    twin = TwinPrice(fair)
    fair.step(60)
    assert twin.step(60) == twin.value == fair.value


def demo() -> House:
    """The house that `fondaco demo` opens."""
    return load(Path(roles.__file__).parent / "demo.toml")


def test_the_demo_house_has_a_member_with_a_key_and_funds_for_each_role() -> None:
    """Each trader is an ordinary member; its key may trade without order limits."""
    members = {member.username: member for member in demo().members}
    for role in simulated.ROLES:
        [key] = members[role].api_keys
        assert set(key.scopes) == {"read", "trade"}
        assert key.order_limit_10s == key.order_limit_1d == 0
        for asset, amount in members[role].balances.items():
            assert float(amount) * worth_of(asset) > 100_000_000


async def test_a_taker_goes_through_no_empty_book() -> None:
    """An order reaches two per cent into the book, whole or not at all: no far limit is swept."""
    sent: list[dict[str, str]] = []

    class Client:
        async def place(self, market: Market, **words: str) -> int:
            sent.append(words)
            return 1

    market = Market("BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(5))
    for side in ("BUY", "SELL"):
        assert await take(cast("HouseClient", Client()), market, side, 100.0, 50_000.0)
    assert [(each["type"], each["timeInForce"], each["price"]) for each in sent] == [
        ("LIMIT", "FOK", "51000.00"),
        ("LIMIT", "FOK", "49000.00"),
    ]
