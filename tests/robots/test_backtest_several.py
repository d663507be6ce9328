"""A rule that reads several markets and trades one: in backtests, by hand, and equal to live."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from fondaco.cli.main import build_app
from fondaco.core.records import (
    AccountBody,
    AssetBody,
    Command,
    InstrumentBody,
    OrderType,
    SelfTrade,
    Side,
    TimeInForce,
    pack,
    pack_body,
)
from fondaco.journal.clock import TestClock
from fondaco.journal.recovery import open_sequencer
from fondaco.robots.backtest.apart import Job, run_here
from fondaco.robots.backtest.run import Backtest, BacktestFault
from fondaco.robots.backtest.tape import Beside, Tick
from fondaco.robots.rules.desk import Bot, Desk
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.sight import Standing
from fondaco.robots.rules.validation import read_rule
from tests.robots.rule_house import BASE, START_US, definitions
from tests.robots.test_backtest import SETTINGS, fills, ticks
from tests.robots.test_equality import TapeHouse, tape

D = Decimal
MAKER, TAKER, OTHER = 30, 31, 2
COIN = D("0.01")


def reading(symbol: str, field: str, kind: str, what: Any) -> dict[str, Any]:
    return {
        "$comparison": {
            "itemA": {"$ticker": {"symbol": symbol, "field": field}}, "itemB": what, "type": kind
        }
    }  # fmt: skip


def bought_and_sold(begin: Any, end: Any, times: int = 40) -> str:
    """Return a rule that buys a coin of BTC at one condition and sells it at another."""

    def order(intent: str) -> Any:
        return {"$order": {"ticker": "BTC", "kind": "MARKET", "intent": intent, "shares": 1}}

    return json.dumps(
        {
            "$when": begin, "$do": order("BUY"),
            "$then": {"$when": end, "$do": order("SELL")},
            "$repeat": {"times": times},
        }
    )  # fmt: skip


RULES = {
    "crossings": bought_and_sold(
        reading("ETH", "last", "crosses_above", 12), reading("ETH", "last", "crosses_below", 12)
    ),
    "one against the other": bought_and_sold(
        reading("BTC", "last", "gt", {"$ticker": "ETH"}),
        reading("BTC", "last", "lt", {"$ticker": "ETH"}),
    ),
    "a day": bought_and_sold(
        {"$and": [reading("ETH", "volume", "gte", 40), reading("BTC", "change", "gt", "0.1")]},
        reading("ETH", "change", "lt", "-0.4"),
    ),
}


def aside(seed: int, count: int = 400) -> list[Tick]:
    """A walk of another market, between the trades of the one that is traded."""
    chance, cents, at, found = Random(seed), 1_200, START_US + 2_000_000, []
    for _ in range(count):
        cents = min(max(cents + chance.randint(-5, 5), 1_150), 1_250)
        at += chance.choice((700_000, 1_100_000, 1_900_000))
        found.append(Tick(at, D(cents) / 100, D(chance.randint(1, 9)) / 10, chance.random() < 0.5))
    return found


def other_market() -> list[bytes]:
    """ETH in USD, and two who trade it and BTC with each other."""
    body = InstrumentBody(
        number=OTHER, symbol="ETHUSD", base=3, quote=2, tick_size="0.01", lot_size="0.1",
        base_per_lot=BASE // 10, quote_per_lot_tick=100_000,
    )  # fmt: skip
    rich = AccountBody(member=5, opening=[(1, 10**15), (2, 10**15), (3, 10**15)])
    return [
        pack_body(Command.DEFINE_ASSET, AssetBody(number=3, code="ETH", decimals=8)),
        pack_body(Command.DEFINE_INSTRUMENT, body),
        pack_body(Command.OPEN_ACCOUNT, rich, account=MAKER),
        pack_body(Command.OPEN_ACCOUNT, rich, account=TAKER),
    ]


def limit(
    account: int, side: Side, price: int, lots: int, force: TimeInForce, instrument: int = OTHER
) -> bytes:
    return pack(
        Command.NEW_ORDER, account=account, instrument=instrument, side=side,
        order_type=OrderType.LIMIT, time_in_force=force, self_trade=SelfTrade.NONE,
        price_ticks=price, quantity_lots=lots,
    )  # fmt: skip


class TwoMarkets(TapeHouse):
    """The house of a tape, with a second market whose crowd prints its own."""

    def __init__(self) -> None:
        super().__init__(None, coins=20)
        self.sequencer.commit(other_market())
        self.desk = Desk(self.new_sight())

    def start(self, text: str, **named: Any) -> Bot:
        self.desk.sight.follow("ETH", Standing(seq=self.sequencer.seq))
        return super().start(text, **named)

    def tick_aside(self, tick: Tick) -> None:
        """Print one trade of the other market; before it the time passes."""
        self.wait(tick.time_us)
        self.clock.advance(tick.time_us - self.clock.now_us())
        sides = (Side.SELL, Side.BUY) if tick.buys else (Side.BUY, Side.SELL)
        price, lots = int(tick.price / COIN), int(tick.quantity * 10)
        self.commit(limit(MAKER, sides[0], price, lots, TimeInForce.GTC))
        self.commit(limit(TAKER, sides[1], price, lots, TimeInForce.IOC))


def run_beside(text: str, own: list[Tick], other: list[Tick]) -> tuple[bytes, bytes]:
    beside = {"ETH": Beside(COIN, D("0.1"), other)}
    settings = msgspec.structs.replace(
        SETTINGS, base="BTC", depth=D(500), queue=D(0), cash=D(10_000), coins=D(20), taker_fee=D(0)
    )
    run = Backtest(plan_rule(read_rule(text)), settings, prefix="bot", beside=beside)
    found = run.run(own)
    assert {one.status for one in found.orders} == {"FILLED"}
    assert len(found.orders) >= 4
    return msgspec.json.encode(found.decisions), msgspec.json.encode(found.orders)


@pytest.mark.parametrize("name", RULES)
def test_two_markets_are_seen_as_live(name: str) -> None:
    """Decisions and orders of a rule that reads another market, to the byte."""
    own = [tick._replace(price=tick.price - D("8.5")) for tick in tape(3)]
    other = aside(4)
    house = TwoMarkets()
    house.tick(own[0])
    bot = house.start(RULES[name])
    for tick, is_own in sorted(
        [(tick, True) for tick in own[1:]] + [(tick, False) for tick in other],
        key=lambda each: (each[0].time_us, each[1]),
    ):
        if tick.time_us <= own[-1].time_us:
            (house.tick if is_own else house.tick_aside)(tick)
    lived = [msgspec.json.encode(list(each)) for each in (
        bot.changed.decisions, bot.changed.orders.values())]  # fmt: skip
    assert tuple(lived) == run_beside(RULES[name], own, other)


def run_aside(text: str, *rows: str) -> list[str]:
    """Run a rule on AAA, which is quiet, beside a tape of BBB; return its fills."""
    own = ticks("0 100 1 buy", "500 101 1 buy")
    beside = {"BBB": Beside(COIN, D("0.1"), ticks(*rows))}
    return fills(Backtest(plan_rule(read_rule(text)), SETTINGS, beside=beside).run(own))


BUY = {"$order": {"ticker": "AAA", "kind": "MARKET", "intent": "BUY", "shares": 1}}


def buys_above_ten(item: Any) -> str:
    """Return a rule that buys AAA once an item is above 10."""
    above = {"$comparison": {"itemA": item, "itemB": 10, "type": "gt"}}
    return json.dumps({"$when": above, "$do": BUY})


LAST = buys_above_ten({"$ticker": "BBB"})


def test_another_market_wakes_the_rule_between_trades() -> None:
    """At the moment of its trade, at the price that was last paid where the robot trades."""
    assert run_aside(LAST, "10 9 1 buy", "20.5 11 1 buy", "30 12 1 buy") == ["20.5 1.0 at 100.00"]


def test_the_best_prices_of_another_market_are_its_takers_last() -> None:
    """A seller took 9.50 and a buyer 10.50 since: bid and ask."""
    bid, ask = (
        buys_above_ten({"$ticker": {"symbol": "BBB", "field": name}}) for name in ("bid", "ask")
    )
    rows = ("10 9.5 1 sell", "20 10.5 1 buy", "30 10.2 1 sell")
    assert run_aside(ask, *rows) == ["20 1.0 at 100.00"]
    assert run_aside(bid, *rows) == ["30 1.0 at 100.00"]


def test_figures_of_another_market_are_of_its_closed_candles() -> None:
    """An average of two minutes is known when the second closes, by a trade after it."""
    pytest.importorskip("talib")
    asked = {"name": "SMA", "ticker": "BBB", "interval": "1m", "parameters": {"timeperiod": 2}}
    text = buys_above_ten({"$indicator": asked})
    rows = ("10 11 1 buy", "70 12 1 buy", "119 13 1 buy", "121 5 1 sell")
    assert run_aside(text, *rows) == ["121 1.0 at 100.00"]


def test_each_of_several_has_its_own_prices() -> None:
    """Three markets of other ticks and heights: each is told by its own trades."""
    cheap, dear = (
        {"$comparison": {"itemA": {"$ticker": name}, "itemB": price, "type": "gt"}}
        for name, price in (("BBB", 10), ("CCC", 2_000))
    )
    text = json.dumps({"$when": {"$and": [cheap, dear]}, "$do": BUY})
    beside = {
        "BBB": Beside(COIN, D("0.1"), ticks("10 11 1 buy", "40 9 1 buy", "60 10.01 1 buy")),
        "CCC": Beside(D(5), D(1), ticks("20 1900 1 buy", "50 2005 1 sell", "70 1500 1 buy")),
    }
    own = ticks("0 100 1 buy", "500 101 1 buy")
    run = Backtest(plan_rule(read_rule(text)), SETTINGS, beside=beside).run(own)
    assert fills(run) == ["60 1.0 at 100.00"]


def test_an_order_goes_before_further_trades_of_its_moment() -> None:
    """Without latency: a rise and a fall of one millisecond are seen one after the other."""
    rises, falls = (
        {"$comparison": {"itemA": {"$ticker": "BBB"}, "itemB": 10, "type": kind}}
        for kind in ("crosses_above", "crosses_below")
    )
    sell = {"$order": {**BUY["$order"], "intent": "SELL"}}
    text = json.dumps({"$when": rises, "$do": BUY, "$then": {"$when": falls, "$do": sell}})
    rows = ("10 9 1 buy", "20 11 1 buy", "20 9 1 sell", "30 9 1 sell")
    assert run_aside(text, *rows) == ["20 1.0 at 100.00", "20 1.0 at 99.99"]


def test_a_market_is_seen_that_is_traded_and_not_read() -> None:
    """A plan names it after what it reads; an order without a ticker goes where it did."""
    plan = plan_rule(read_rule(LAST))
    assert (plan.tickers, plan.traded) == (("BBB", "AAA"), ("AAA",))
    unnamed = json.loads(LAST)
    del unnamed["$do"]["$order"]["ticker"]
    assert plan_rule(read_rule(json.dumps(unnamed))).traded == ("BBB",)


def test_what_is_not_there_is_told() -> None:
    """A market that the rule reads and nobody gave; two that it trades."""
    plan = plan_rule(read_rule(LAST))
    with pytest.raises(BacktestFault, match="reads BBB, of which there is no tape"):
        Backtest(plan, SETTINGS)
    two = json.dumps({"$do": BUY, "$then": {"$do": {"$order": {**BUY["$order"], "ticker": "BBB"}}}})
    with pytest.raises(BacktestFault, match="trades AAA, BBB; a backtest trades AAA"):
        Backtest(plan_rule(read_rule(two)), SETTINGS)


def test_the_command_takes_a_file_for_each(tmp_path: Path) -> None:
    """--beside names it; without it the command says so."""
    rule = tmp_path / "rule.json"
    rule.write_text(LAST, encoding="utf-8")
    head = "ts_ms,price,qty,buyer_is_maker\n"
    (tmp_path / "a.csv").write_text(head + "1000,100,1,false\n90000,101,1,false\n", "utf-8")
    (tmp_path / "b.csv").write_text(head + "2000,9,1,false\n3000,11,1,false\n", "utf-8")
    words = ["backtest", str(rule), "--trades", str(tmp_path / "a.csv"), "--latency-ms", "0"]
    runner = CliRunner()
    told = runner.invoke(build_app(), words)
    assert (told.exit_code, "give --beside BBB=FILE" in told.output) == (2, True)
    told = runner.invoke(build_app(), [*words, "--beside", "BBB"])
    assert (told.exit_code, "write the coin and its file" in told.output) == (2, True)
    beside = f"BBB={tmp_path / 'b.csv'}"
    for more, said in (
        (["--beside", "CCC=c.csv"], "--beside CCC is for nothing: the rule doesn't read it"),
        (["--beside", beside], "--beside names BBB twice"),
    ):
        told = runner.invoke(build_app(), [*words, "--beside", beside, *more])
        assert (told.exit_code, said in told.output) == (2, True)
    held = {"rule": json.loads(LAST), "allotment": {"USD": "5000", "BBB": "2"}}
    (tmp_path / "robot.json").write_text(json.dumps(held), "utf-8")
    robot = [words[0], str(tmp_path / "robot.json"), *words[2:]]
    told = runner.invoke(build_app(), [*robot, "--beside", beside])
    said = "the allotment has BBB; a backtest begins with cash and AAA"
    assert (told.exit_code, said in told.output) == (2, True)
    told = runner.invoke(build_app(), [*words, "--beside", beside, "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.output.splitlines()[-1])
    (order,) = found["orders"]
    assert found["settings"]["beside"] == ["BBB"]
    assert (order["time_us"], order["filled"]) == (3_000_000, "1")


def test_a_houses_past_has_all_markets(tmp_path: Path) -> None:
    """By the command and as a member asks for it: as on files of the same trades."""
    rows: dict[str, list[str]] = {"BTC": [], "ETH": []}
    clock = TestClock(START_US)
    sequencer = open_sequencer(tmp_path / "data", clock, preallocate_bytes=4096)
    sequencer.commit([*definitions(), *other_market()])
    chance = Random(5)
    for lots in range(500, 620):
        clock.advance(1_000_000)
        name, number = chance.choice((("BTC", 1), ("ETH", OTHER)))
        price, time_ms = chance.randint(1_150, 1_250), clock.now_us() // 1000
        rows[name].append(f"{time_ms},{price / 100:.2f},{lots / 10:.1f},false")
        sequencer.commit(
            [
                limit(MAKER, Side.SELL, price, lots, TimeInForce.GTC, number),
                limit(TAKER, Side.BUY, price, lots, TimeInForce.IOC, number),
            ]
        )
    sequencer.close()
    rule = tmp_path / "rule.json"
    rule.write_text(RULES["crossings"], encoding="utf-8")
    for name, lines in rows.items():
        text = "\n".join(["ts_ms,price,qty,buyer_is_maker", *lines, ""])
        (tmp_path / f"{name}.csv").write_text(text, "utf-8")
    found = []
    for words in (
        ["--journal", str(tmp_path / "data")],
        ["--trades", str(tmp_path / "BTC.csv"), "--beside", f"ETH={tmp_path / 'ETH.csv'}"],
    ):
        given = [str(rule), *words, "--coins", "5", "--latency-ms", "0", "--json"]
        told = CliRunner().invoke(build_app(), ["backtest", *given])
        assert told.exit_code == 0, told.output
        found.append(json.loads(told.output.splitlines()[-1]))
    assert [one["settings"].pop("source") for one in found] == ["journal", "trades"]
    assert found[0] == found[1]
    assert len(found[0]["fills"]) >= 4
    job = Job(
        rule=RULES["crossings"], ticker="BTC", cash="USD", source="journal",
        settings={"coins": "5", "latency_ms": "0"},
        data_dir=str(tmp_path / "data"),
    )  # fmt: skip
    asked = json.loads(run_here(job))
    assert [one["time_us"] for one in asked["orders"]] == [
        one["time_us"] for one in found[0]["orders"]
    ]
