"""One rule, one tape: backtest, live path and its replay from the journal, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec
import pytest
from typer.testing import CliRunner

from fondaco.cli.main import build_app
from fondaco.core.records import Command, Side, TimeInForce, pack
from fondaco.robots.backtest.market import Market, News
from fondaco.robots.backtest.result import Settings
from fondaco.robots.backtest.run import Backtest
from fondaco.robots.backtest.tape import Tick
from fondaco.robots.rules import evaluator
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.state import OrderWish
from fondaco.robots.rules.validation import read_rule
from tests.robots.rule_house import CROWD, QUEUE, ROBOT, START_US, RuleHouse, order
from tests.robots.test_rules import SEED

D = Decimal
DEPTH_LOTS = 5_000
MIDDLE = 2050
RULES = {
    "seed": SEED.replace("STOCKA", "BTC"),
    "crossings": """{"$when": {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": 20.50,
        "type": "crosses_above"}}, "$do": {"$order": {"kind": "MARKET", "intent": "BUY",
        "shares": 5}}, "$then": {"$when": {"$comparison": {"itemA": {"$ticker": "BTC"},
        "itemB": 20.80, "type": "gte"}}, "$do": {"$order": {"kind": "MARKET", "intent": "SELL",
        "shares": {"$position": "BTC"}}}}, "$repeat": {"times": 5, "pause_s": 2}}""",
    "money": """{"$when": {"$and": [{"$comparison": {"itemA": {"$cash": "free"}, "itemB": 100,
        "type": "gt"}}, {"$comparison": {"itemA": {"$ticker": {"symbol": "BTC", "field":
        "change"}}, "itemB": 0.5, "type": "gte"}}]}, "$do": {"$order": {"kind": "MARKET",
        "intent": "BUY", "spend": 90}}, "$repeat": {"times": 3, "pause_s": 1}}""",
    "figures": """{"$when": {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": {"$indicator":
        {"name": "SMA", "ticker": "BTC", "interval": "1m", "parameters": {"timeperiod": 2}}},
        "type": "crosses_above"}}, "$do": {"$order": {"kind": "MARKET", "intent": "BUY",
        "shares": 1}}, "$repeat": {"times": 4}}""",
    "poor": """{"$when": {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": 20.60,
        "type": "gte"}}, "$do": {"$order": {"kind": "LIMIT", "intent": "BUY", "bid": 20.90,
        "shares": 10000}}}""",
    "pair": """{"$when": {"$and": [{"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": 20.47,
        "type": "gt"}}, {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": 20.57,
        "type": "lt"}}]}, "$do": {"$order": {"kind": "OCO", "intent": "SELL", "ask": 20.62,
        "stop": 20.42, "shares": 3}}, "$then": {"$when": {"$comparison": {"itemA": {"$position":
        {"symbol": "BTC", "field": "free"}}, "itemB": 20, "type": "lt"}}, "$do": {"$notify":
        "out"}}, "$repeat": {"times": 5, "pause_s": 2}}""",
    "two pairs": """{"$do": [{"$order": {"kind": "OCO", "intent": "BUY", "ticker": "BTC", "bid": 19,
        "stop": 20.63, "shares": 2, "name": "in", "then_after": "ACCEPTED"}}], "$then": {"$when":
        {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": 20.70, "type": "gt"}}, "$do":
        {"$order": {"kind": "OCO", "intent": "SELL", "ask": 21.90, "stop": 20.20,
        "stop_limit": 20.10, "shares": {"$position": "BTC"}, "then_after": "ACCEPTED"}},
        "$then": {"$when": {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": 20.90,
        "type": "gt"}}, "$do": {"$cancel": "all"}}}}""",
}
# By the clocks of a place, and what they show there where 2 o'clock becomes 3 while it waits.
CLOCKS = {
    "Asia/Kathmandu": (START_US, """{"$when": {"$and": [{"$comparison": {"itemA": {"$time":
        "minute_of_day"}, "itemB": 240, "type": "gte"}}, {"$comparison": {"itemA": {"$time":
        "weekday"}, "itemB": 3, "type": "eq"}}]}, "$do": {"$order": {"kind": "MARKET", "intent":
        "BUY", "ticker": "BTC", "shares": 1}}, "$then": {"$when": {"$comparison": {"itemA":
        {"$time": "minute_of_day"}, "itemB": 242, "type": "crosses_above"}}, "$do": {"$order":
        {"kind": "MARKET", "intent": "SELL", "ticker": "BTC", "shares": 2}}}}"""),
    "America/New_York": (1_710_053_940_000_000, """{"$when": {"$comparison": {"itemA": {"$time":
        "minute_of_day"}, "itemB": 120, "type": "gte"}}, "$do": {"$order": {"kind": "MARKET",
        "intent": "BUY", "ticker": "BTC", "shares": 1}}, "$then": {"$when": {"$comparison":
        {"itemA": {"$time": "minute_of_day"}, "itemB": 182, "type": "eq"}}, "$do": {"$order":
        {"kind": "MARKET", "intent": "SELL", "ticker": "BTC", "shares": 2}}}}"""),
}  # fmt: skip
# On a market where nobody trades for hours and days: what it was falls out of the last 24 hours.
QUIET = {
    "volume": """{"$when": {"$comparison": {"itemA": {"$ticker": {"symbol": "BTC", "field":
        "volume"}}, "itemB": 12, "type": "lt"}}, "$do": {"$order": {"kind": "MARKET", "intent":
        "BUY", "shares": 1}}, "$then": {"$when": {"$comparison": {"itemA": {"$ticker": {"symbol":
        "BTC", "field": "change"}}, "itemB": 0.05, "type": "crosses_below"}}, "$do": {"$order":
        {"kind": "MARKET", "intent": "SELL", "shares": 1}}}, "$repeat": {"times": 40}}""",
    "standstill": """{"$when": {"$and": [{"$comparison": {"itemA": {"$ticker": {"symbol": "BTC",
        "field": "volume"}}, "itemB": 0, "type": "eq"}}, {"$comparison": {"itemA": {"$ticker":
        {"symbol": "BTC", "field": "change"}}, "itemB": 0, "type": "eq"}}]}, "$do": {"$notify":
        "quiet"}, "$then": {"$when": {"$comparison": {"itemA": {"$ticker": {"symbol": "BTC",
        "field": "volume"}}, "itemB": 0, "type": "gt"}}, "$do": {"$notify": "again"}}, "$repeat":
        {"times": 40, "pause_s": 60}}""",
}


class TapeHouse(RuleHouse):
    """A house whose crowd prints a tape, and stands there with depth when the bot comes."""

    best = (0, 0)

    def tick(self, tick: Tick) -> None:
        """Print one trade of the tape, as its taker; before it the time passes."""
        self.wait(tick.time_us)
        price, lots = int(tick.price / D("0.01")), int(tick.quantity / D("0.1"))
        bid, ask = self.best
        if tick.buys:
            self.best = (min(bid or price - 1, price - 1), price)
        else:
            self.best = (price, max(ask, price + 1))
        sides = (Side.SELL, Side.BUY) if tick.buys else (Side.BUY, Side.SELL)
        self.commit(order(QUEUE, sides[0], price, lots))
        # Depth for a stop that it sets off: where no order of a bot that rests is in its way.
        depth = (Side.BUY, self.best[0]) if price < MIDDLE else (Side.SELL, self.best[1])
        self.commit_only(order(CROWD, *depth, DEPTH_LOTS))
        self.clock.advance(tick.time_us - self.clock.now_us())
        self.commit(order(CROWD, sides[1], price, lots, TimeInForce.IOC))
        self.commit_only(pack(Command.CANCEL_ALL, account=QUEUE, instrument=1))

    def before_order(self, command: bytes) -> None:
        bid, ask = self.best
        self.commit_only(
            pack(Command.CANCEL_ALL, account=CROWD, instrument=1),
            order(CROWD, Side.BUY, bid, DEPTH_LOTS),
            order(CROWD, Side.SELL, ask, DEPTH_LOTS),
        )

    def pump(self) -> None:
        super().pump()
        self.commit_only(pack(Command.CANCEL_ALL, account=CROWD, instrument=1))


def tape(seed: int, gaps_s: Sequence[float] = (1.5,), count: int = 300) -> list[Tick]:
    """A walk of trades in which whoever takes pays the price that was paid last."""
    chance, cents, at, found = Random(seed), 2050, START_US, []
    for _ in range(count):
        cents = min(max(cents + chance.randint(-6, 7), 2000), 2120)
        at += int(chance.choice(gaps_s) * 1_000_000)
        found.append(Tick(at, D(cents) / 100, D(chance.randint(1, 50)) / 10, buys=True))
    return found


def quiet_tape(seed: int) -> list[Tick]:
    return tape(seed, (1.5, 1.5, 40, 1_300, 18_000, 110_000), 80)


def backtest(text: str, ticks: list[Tick], time_zone: str = "UTC") -> tuple[bytes, bytes]:
    settings = Settings(
        source="trades", walk=None, interval_s=None, base="BTC", quote="USD", tick=D("0.01"),
        lot=D("0.1"), maker_fee=D(0), taker_fee=D(0), latency_ms=0, depth=D(500), queue=D(0),
        cash=D(10_000), coins=D(20),
    )  # fmt: skip
    plan = plan_rule(read_rule(text))
    result = Backtest(plan, settings, prefix="bot", time_zone=time_zone).run(ticks)
    return msgspec.json.encode(result.decisions), msgspec.json.encode(result.orders)


def live(text: str, ticks: list[Tick], time_zone: str = "UTC") -> tuple[bytes, bytes]:
    """Run the rule in a house of its own that is fed with the tape; the bot begins at its first."""
    house = TapeHouse(None, coins=20, time_zone=time_zone)
    house.tick(ticks[0])
    bot = house.start(text)
    for tick in ticks[1:]:
        house.tick(tick)
    decisions = msgspec.json.encode(bot.changed.decisions)
    orders = msgspec.json.encode(list(bot.changed.orders.values()))
    return decisions, orders


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", RULES)
def test_backtest_and_live_path_are_equal(name: str, seed: int) -> None:
    """The same trades give the same orders and decisions, to the byte; and two runs the same."""
    ticks = tape(seed)
    tested = backtest(RULES[name], ticks)
    assert tested == backtest(RULES[name], ticks)
    decisions, orders = live(RULES[name], ticks)
    assert decisions == tested[0]
    assert orders == tested[1]
    assert json.loads(decisions)


@pytest.mark.parametrize("time_zone", CLOCKS)
def test_clocks_are_the_houses(time_zone: str) -> None:
    """By $time a backtest decides as live and as its replay, where clocks are changed, too."""
    began_us, text = CLOCKS[time_zone]
    ticks = [tick._replace(time_us=tick.time_us + began_us - START_US) for tick in tape(5)]
    tested = backtest(text, ticks, time_zone)
    decisions, orders = live(text, ticks, time_zone)
    assert (decisions, orders) == tested
    assert [one["status"] for one in json.loads(orders)] == ["FILLED", "FILLED"]
    assert backtest(text, ticks)[0] != tested[0]
    seen = [one["looks"][0]["a"] for one in json.loads(decisions) if one["looks"]]
    minutes = {"Asia/Kathmandu": ["238", "240"], "America/New_York": ["119", "180"]}
    assert seen[:2] == minutes[time_zone]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", QUIET)
def test_a_quiet_market_is_the_same_live(name: str, seed: int) -> None:
    """What nobody trades any more leaves the 24 hours at its own minute, and wakes who waits."""
    ticks = quiet_tape(seed)
    tested = backtest(QUIET[name], ticks)
    decisions, orders = live(QUIET[name], ticks)
    assert (decisions, orders) == tested
    times = {tick.time_us for tick in ticks}
    acted = [one for one in json.loads(decisions) if one["code"] == "TRIGGERED"]
    between = [one["time_us"] for one in acted if one["time_us"] not in times]
    assert sum(one % 60_000_000 == 0 for one in between) >= 3


def test_a_window_that_stands_still_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a backtest whose window only trades move differs from the live path."""
    ticks = quiet_tape(1)
    decisions, _ = live(QUIET["volume"], ticks)
    monkeypatch.setattr(Backtest, "_stamp_us", lambda _self: 1 << 62)
    assert backtest(QUIET["volume"], ticks)[0] != decisions


def test_a_path_that_decides_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a live path that has no crossings differs from the backtest."""
    ticks = tape(1)
    tested = backtest(RULES["figures"], ticks)
    true_cross = evaluator._cross

    def crosses(a: object, b: object, was: int, *, above: bool) -> tuple[int, bool | None]:
        side, crossed = true_cross(a, b, was, above=above)  # type: ignore[arg-type]
        return side, crossed and was != -1

    monkeypatch.setattr(evaluator, "_cross", crosses)
    decisions, _ = live(RULES["figures"], ticks)
    assert decisions != tested[0]


def test_a_leg_that_is_left_alive_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a backtest's market that takes a pair as two orders differs from the live path."""
    place = Market.place

    def apart(self: Market, time_us: int, wish: OrderWish) -> list[News]:
        alone = msgspec.structs.replace(wish, kind="LIMIT_MAKER", stop=None, stop_id="")
        stop = msgspec.structs.replace(
            wish, client_order_id=wish.stop_id, kind="STOP_LOSS", price=None, stop_id=""
        )
        return place(self, time_us, alone) + place(self, time_us, stop)

    ticks = tape(1)
    decisions, orders = live(RULES["pair"], ticks)
    assert (decisions, orders) == backtest(RULES["pair"], ticks)
    monkeypatch.setattr(Market, "place", apart)
    planted = backtest(RULES["pair"], ticks)
    assert decisions != planted[0]
    assert orders != planted[1]


REPLAYED = {name: ("UTC", text, tape(7)) for name, text in RULES.items()}
REPLAYED |= {name: ("UTC", text, quiet_tape(7)) for name, text in QUIET.items()}
REPLAYED["clocks"] = ("Asia/Kathmandu", CLOCKS["Asia/Kathmandu"][1], tape(7))


@pytest.mark.parametrize("name", REPLAYED)
def test_a_live_run_is_replayed_from_the_journal(name: str, tmp_path: Path) -> None:
    """`backtest --journal` of a robot that has lived gives its decisions and orders to the byte."""
    time_zone, text, ticks = REPLAYED[name]
    house = TapeHouse(tmp_path / "data", coins=20, time_zone=time_zone)
    for tick in ticks[:40]:
        house.tick(tick)
    seq = house.sequencer.seq
    bot = house.start(text)
    for tick in ticks[40:]:
        house.tick(tick)
    house.close()
    robot = tmp_path / "robot.json"
    words = {"id": "bot", "account": ROBOT, "began": {"seq": seq, "time_us": 0}}
    robot.write_text(json.dumps({**words, "rule": text}), encoding="utf-8")
    outputs = []
    for _ in range(2):
        done = CliRunner().invoke(
            build_app("backtest"),
            [
                "backtest", str(robot), "--journal", str(tmp_path / "data"), "--json",
                "--time-zone", time_zone,
            ],
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        outputs.append(done.stdout.splitlines()[-1].encode())
    assert outputs[0] == outputs[1]
    found = msgspec.json.decode(outputs[0], type=dict[str, msgspec.Raw])
    assert bytes(found["decisions"]) == msgspec.json.encode(bot.changed.decisions)
    assert bytes(found["orders"]) == msgspec.json.encode(list(bot.changed.orders.values()))
