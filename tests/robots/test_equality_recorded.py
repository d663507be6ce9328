"""Every kind of order by rules on recorded trades of a real market: backtest and live, to the byte.

The live house is put in the backtest's situation: its crowd prints each recorded trade, offers the
same depth to what takes, and the same queue stands before what joins a price.
"""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fondaco.robots.backtest.result import Result, Settings
from fondaco.robots.backtest.run import Backtest
from fondaco.robots.backtest.tape import Tick, read_trades
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.validation import read_rule
from tests.robots.recorded_house import RecordedHouse
from tests.robots.rule_house import START_US

D = Decimal
TRADES, MANY = 1_000, 4_000
FEE_PPM = 2_000
CASH, COINS = 1_000_000, 60
DEPTH, QUEUE = 5, 4  # lots
STEP = D("0.10")  # of the recording
PRICES = ("bid", "ask", "stop", "stop_limit")
NEAR, AWAY = 90, 180  # steps
LAST = {"$ticker": "BTC"}
Order = dict[str, Any]


def order(kind: str, intent: str, *, shares: str = "0.3", **words: Any) -> Order:
    """An order whose prices are so many steps from the middle; half a step is between prices."""
    told = {"kind": kind, "intent": intent, "shares": shares, "name": "one", **words}
    return {"ticker": "BTC", "then_after": "ACCEPTED", **told}


def priced(intent: str, steps: Any) -> Order:
    return {"bid" if intent == "BUY" else "ask": steps}


def kinds() -> dict[str, tuple[str, Order]]:
    """Each kind of order by side and time in force, and the way of the price that it follows."""
    found: dict[str, tuple[str, Order]] = {}
    for intent, up in (("BUY", 1), ("SELL", -1)):
        with_it, against = ("crosses_above", "crosses_below")[::up]
        name = intent.lower()
        spent = order("MARKET", intent, shares="1.2")
        if intent == "BUY":
            found["market buy by spend"] = with_it, order("MARKET", intent, spend="17000.55")
            del found["market buy by spend"][1]["shares"]
        found[f"market {name}"] = with_it, spent
        # Behind the price: it rests, and the market comes to it, in parts or past it, or not.
        rests = priced(intent, -100.5 * up)
        for kind in ("LIMIT", "LIMIT_MAKER"):
            found[f"{kind} {name}"] = with_it, order(kind, intent, shares="2", **rests)
        # At the last price: it finds five lots, if that was what others paid, or none.
        for force in ("IOC", "FOK"):
            for shares in ("0.3", "1.2"):
                taking = order(
                    "LIMIT", intent, shares=shares, time_in_force=force, **priced(intent, LAST)
                )
                found[f"LIMIT {name} {force} {shares}"] = with_it, taking
        # A loss is ahead of the price for who buys on a rise; a profit is behind it.
        for kind, way, begins in (("STOP_LOSS", 100, against), ("TAKE_PROFIT", -100, with_it)):
            stop = way * up
            found[f"{kind} {name}"] = begins, order(kind, intent, stop=stop, shares="1.2")
            for force in ("GTC", "IOC", "FOK"):
                # Some find their price once they are set off; others wait for a better one.
                for place, past in (("takes", 150.5 * up), ("rests", -20.5 * up)):
                    asked = order(
                        f"{kind}_LIMIT", intent, stop=stop, time_in_force=force,
                        **priced(intent, stop + past),
                    )  # fmt: skip
                    found[f"{kind}_LIMIT {name} {force} {place}"] = begins, asked
        pair = {**priced(intent, -100.5 * up), "stop": 100 * up}
        found[f"OCO {name}"] = with_it, order("OCO", intent, **pair)
        found[f"OCO {name} with a limit"] = (
            with_it,
            order("OCO", intent, **pair, stop_limit=160.5 * up),
        )
    return found


KINDS = kinds()


class Written:
    """Rules around a middle price."""

    def __init__(self, middle: Decimal) -> None:
        self.middle = middle

    def at(self, steps: float) -> str:
        return str(self.middle + STEP * D(str(steps)))

    def when(self, kind: str, steps: float) -> Any:
        return {"$comparison": {"itemA": LAST, "itemB": self.at(steps), "type": kind}}

    def through(self, way: str) -> Any:
        """The price comes through the middle, and not far past it."""
        near = [self.when("lt", NEAR), self.when("gt", -NEAR)]
        return {"$and": [self.when(way, 0), *near]}

    def does(self, *asked: Order) -> Any:
        def told(word: str, value: Any) -> Any:
            return self.at(value) if word in PRICES and value != LAST else value

        return [
            {"$order": {word: told(word, value) for word, value in one.items()}} for one in asked
        ]

    def again(self, way: str, *asked: Order) -> str:
        """Place orders as the price comes through; cancel what is left once it is far away."""
        far = {"$or": [self.when("gt", AWAY), self.when("lt", -AWAY)]}
        return json.dumps(
            {
                "$when": self.through(way),
                "$do": self.does(*asked),
                "$then": {"$when": far, "$do": {"$cancel": "all"}},
                "$repeat": {"times": 60, "pause_s": 1},
            }
        )

    def in_turn(self, way: str, *asked: Order) -> str:
        """Place each order once the one before it is filled, again and again."""
        rule: Any = None
        for one in reversed(asked):
            step = {"$do": self.does({**one, "then_after": "FILLED"})}
            rule = {**step, "$then": rule} if rule else step
        return json.dumps({"$when": self.through(way), **rule, "$repeat": {"times": 60}})


def recorded(shared_data: Path, count: int) -> list[Tick]:
    """The first trades of XRP in ETH, prices and amounts multiplied, both exact."""
    file = shared_data / "trades" / "binance_XRPETH_aggtrades.csv.gz"
    found = list(islice(read_trades(file), count))
    later_us = START_US + 1_000_000 - found[0].time_us
    return [
        Tick(tick.time_us + later_us, tick.price * 10_000_000, tick.quantity, tick.buys)
        for tick in found
    ]


@pytest.fixture(scope="module")
def ticks(shared_data: Path) -> list[Tick]:
    return recorded(shared_data, TRADES)


def written(ticks: list[Tick]) -> Written:
    """Rules around the price, between two of the recording, through which it comes most often."""
    count: Counter[int] = Counter()
    for one, other in pairwise(ticks):
        low, high = sorted((int(one.price / STEP), int(other.price / STEP)))
        count.update(range(low, high))
    return Written(max(count, key=lambda at: (count[at], at)) * STEP + STEP / 2)


def backtest(text: str, ticks: list[Tick], queue: int = QUEUE, latency_ms: int = 0) -> Result:
    settings = Settings(
        source="trades", walk=None, interval_s=None, base="BTC", quote="USD", tick=D("0.01"),
        lot=D("0.1"), maker_fee=D(0), taker_fee=D(FEE_PPM) / 1_000_000, latency_ms=latency_ms,
        depth=DEPTH * D("0.1"), queue=queue * D("0.1"), cash=D(CASH), coins=D(COINS),
        decimals=(8, 8),
    )  # fmt: skip
    return Backtest(plan_rule(read_rule(text)), settings, prefix="bot").run(ticks)


def compare(text: str, ticks: list[Tick], *, depth: int = DEPTH, latency_ms: int = 0) -> Result:
    """Run it both ways; decisions, orders and what it has at the end must be the same."""
    tested = backtest(text, ticks, QUEUE, latency_ms)
    house = RecordedHouse(
        depth=depth, queue=QUEUE, latency_us=latency_ms * 1_000, cash=CASH, coins=COINS,
        fee_ppm=FEE_PPM,
    )  # fmt: skip
    house.tick(ticks[0])
    bot = house.start(text)
    for tick in ticks[1:]:
        house.tick(tick)
    house.wait(ticks[-1].time_us)
    found = list(bot.changed.orders.values())
    for ours, theirs in zip(found, tested.orders, strict=False):
        assert ours == theirs
    for mine, other in zip(bot.changed.decisions, tested.decisions, strict=False):
        assert mine == other
    assert msgspec.json.encode(found) == msgspec.json.encode(tested.orders)
    assert msgspec.json.encode(bot.changed.decisions) == msgspec.json.encode(tested.decisions)
    has = bot.hands.holdings(house.desk.sight, bot.plan)
    assert (has.cash_total, has.positions_total["BTC"]) == (tested.cash, tested.coins)
    return tested


def statuses(tested: Result) -> Counter[str]:
    """Count how orders ended; none was refused."""
    found = Counter(one.status for one in tested.orders)
    assert "REJECTED" not in found, {one.reason for one in tested.orders}
    return found


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_order_is_the_same_live(name: str, ticks: list[Tick]) -> None:
    """A rule that places it again and again, as the price comes through: the same bytes."""
    assert {tick.buys for tick in ticks} == {True, False}
    way, asked = KINDS[name]
    ended = statuses(compare(written(ticks).again(way, asked), ticks))
    # At once and no better than the last price, or more than stands there: it finds too little.
    if name.endswith(("IOC rests", "FOK rests", "1.2")):
        assert ended["EXPIRED"] >= 4, ended
    else:
        assert ended["FILLED"] >= 2, ended
    assert ended.total() >= 8, ended


LONG = {
    "maker both sides": (
        "crosses_above", order("LIMIT", "BUY", bid=-60.5), order("LIMIT_MAKER", "SELL", ask=60.5),
    ),
    "in and out by a pair": (
        "crosses_above", order("MARKET", "BUY"), order("OCO", "SELL", ask=100.5, stop=-100),
    ),
    "short and back by a pair": (
        "crosses_below", order("MARKET", "SELL"),
        order("OCO", "BUY", bid=-100.5, stop=100, stop_limit=160.5),
    ),
    "losses in turn": (
        "crosses_above", order("STOP_LOSS", "SELL", stop=-100),
        order("STOP_LOSS_LIMIT", "BUY", stop=100, bid=150.5),
    ),
    "profits in turn": (
        "crosses_below", order("TAKE_PROFIT", "SELL", stop=100),
        order("TAKE_PROFIT_LIMIT", "BUY", stop=-500, bid=50.5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_thousands_of_trades_are_the_same_live(name: str, shared_data: Path) -> None:
    """Orders that wait for each other, over most of a recorded day; wide profits come seldom."""
    many = recorded(shared_data, MANY)
    way, *asked = LONG[name]
    ended = statuses(compare(written(many).in_turn(way, *asked), many))
    assert ended["FILLED"] >= (4 if name == "profits in turn" else 10)


@pytest.mark.parametrize(
    "name",
    ["market buy", "LIMIT sell", "STOP_LOSS sell", "TAKE_PROFIT_LIMIT buy GTC rests", "OCO buy"],
)
def test_latency_is_the_same_live(name: str, ticks: list[Tick]) -> None:
    """What arrives late in the house, and is heard of as late, is decided as in a backtest."""
    way, asked = KINDS[name]
    text = written(ticks).again(way, asked)
    tested = compare(text, ticks, latency_ms=700)
    assert statuses(tested)["FILLED"] >= 3
    assert tested.decisions != backtest(text, ticks).decisions


def test_orders_at_once_are_the_same_live(ticks: list[Tick]) -> None:
    """A limit that a trade fills and a stop that it sets off find their money in one command."""
    rules = written(ticks)
    for way, *asked in (
        ("crosses_above", order("LIMIT", "SELL", ask=100.5),
         order("TAKE_PROFIT", "SELL", stop=100, shares="1.2")),
        ("crosses_below", order("LIMIT", "BUY", bid=-100.5),
         order("STOP_LOSS", "SELL", stop=-100, shares="1.2")),
        ("crosses_above", order("LIMIT", "SELL", ask=100.5),
         order("STOP_LOSS", "BUY", stop=100, shares="1.2")),
    ):  # fmt: skip
        tested = compare(rules.again(way, *asked), ticks)
        assert statuses(tested)["FILLED"] >= 4
        filled = Counter(one.kind for one in tested.orders if one.filled)
        assert min(filled[one["kind"]] for one in asked) >= 2, filled


def test_a_stop_is_judged_by_its_own_taking(ticks: list[Tick]) -> None:
    """What it has just paid is the last trade, in both: a profit from there is refused."""
    rules = written(ticks)
    text = rules.in_turn(
        "crosses_below", order("MARKET", "BUY"), order("TAKE_PROFIT", "SELL", stop=LAST)
    )
    tested = compare(text, ticks)
    assert tested.orders[-1].reason.startswith("WOULD_TRIGGER")


def test_another_depth_is_found(ticks: list[Tick]) -> None:
    """Planted: a house with a lot more at each price differs, and only in what it was paid."""
    way, asked = KINDS["STOP_LOSS sell"]
    with pytest.raises(AssertionError, match="amount=") as found:
        compare(written(ticks).again(way, asked), ticks, depth=DEPTH + 1)
    assert "assert OrderLine(" in str(found.value)
