"""Limits of rule bots on paper and in backtests: kept by the core there, in the words of live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from fondaco.core.records import (
    AccountBody,
    AccountKind,
    Command,
    RobotTerms,
    Side,
    pack,
    pack_body,
)
from fondaco.house.robots import RobotConfig
from fondaco.robots.backtest.market import Position
from fondaco.robots.backtest.run import Backtest, BacktestFault
from fondaco.robots.paper.hands import PaperHands, Terms
from fondaco.robots.rules.desk import Bot
from fondaco.robots.rules.live import LiveHands
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.reasons import tell
from fondaco.robots.rules.validation import read_rule
from fondaco.robots.terms import terms_of
from tests.robots.rule_house import CROWD, RuleHouse, order
from tests.robots.rule_lives import Lived
from tests.robots.test_backtest import SETTINGS, D, call, last, rule, ticks

OTHER = 19
DAY_US = 86_400_000_000
MARKET = '"kind": "MARKET", "intent": '
# It sells what it begins with at a loss, and buys again.
SELLS = rule(MARKET + '"SELL", "shares": 5', last("lt", "95"), rule(MARKET + '"BUY", "shares": 1'))
TAPE = ["1 100 50 buy", "2 94 50 sell", "3 94 50 buy"]
# It buys at 21.01, sells at 20.40, and buys again.
LOSES = """{"$do": {"$order": {"kind": "MARKET", "intent": "BUY", "shares": 10, "ticker": "BTC"}},
    "$then": {"$when": {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": 20.60, "type":
    "lt"}}, "$do": {"$order": {"kind": "MARKET", "intent": "SELL", "shares": 10}}, "$then": {"$do":
    {"$order": {"kind": "MARKET", "intent": "BUY", "shares": 1}}}}}"""
REFUSED = [
    ({"day_stop_loss": "6"}, "did not buy: lost 6.10 today, limit 6.00"),
    ({"month_stop_loss": "6"}, "did not buy: lost 6.10 this month, limit 6.00"),
    ({"order_notional_max": "210"}, "did not buy: worth 210.10, at most 210.00"),
    ({"orders_day_max": 2}, "did not buy: at most 2 a day"),
    ({"month_sell_cap": "200"},
     "did not sell: sold 0.00 this month and would sell 204.00, cap 200.00"),
]  # fmt: skip


def backtested(limits: dict[str, Any], *tape: str) -> tuple[Backtest, list[str]]:
    """Run the rule that loses within limits; return what it told."""
    plan = plan_rule(read_rule(SELLS))
    settings = msgspec.structs.replace(SETTINGS, depth=D(50), taker_fee=D(0))
    test = Backtest(plan, settings, limits=RobotConfig(**limits))
    result = test.run(ticks(*tape))
    assert result.settings.limits == {name: str(each) for name, each in limits.items()}
    return test, [tell(plan, one) for one in result.decisions]


@pytest.mark.parametrize(
    ("limits", "within", "said"),
    [
        ({"day_stop_loss": "30.01"}, {"day_stop_loss": "31"}, "lost 30.05 today, limit 30.01"),
        ({"orders_day_max": 1}, {"orders_day_max": 2}, "at most 1 a day"),
        ({"order_notional_max": "469"}, {"order_notional_max": "470"}, "worth 470.00, at most"),
        ({"month_sell_cap": "469"}, {"month_sell_cap": "470"}, "would sell 470.00, cap 469.00"),
    ],
)
def test_a_backtest_keeps_limits(limits: dict[str, Any], within: dict[str, Any], said: str) -> None:
    """Coins that it begins with were bought at the first price; within its limits it goes on."""
    tape = [TAPE[0], "2 94 50 sell" if "day_stop_loss" not in limits else "2 93.99 50 sell"]
    _, told = backtested(limits, *tape, TAPE[2])
    assert said in told[-1]
    assert backtested(within, *TAPE)[1][-1] == "step 2 is done"


def test_a_day_that_begins_gives_its_limits_anew() -> None:
    """What was lost on one day stops nothing on the next; without limits nobody counts days."""
    assert "lost 30.00 today" in backtested({"day_stop_loss": "30"}, *TAPE)[1][-1]
    waits = SELLS.replace('"$then": {', '"$then": {"$when": ' + last("gt", "95") + ", ")
    settings = msgspec.structs.replace(SETTINGS, depth=D(50))
    limits = RobotConfig(day_stop_loss="30", orders_day_max=1)
    for second, status in (("80000", "REJECTED"), ("90000", "FILLED")):
        run = Backtest(plan_rule(read_rule(waits)), settings, limits=limits)
        result = run.run(ticks(*TAPE[:2], f"{second} 96 50 buy"))
        assert [line.status for line in result.orders] == ["FILLED", status]
    assert backtested({}, *TAPE)[0].market.day() == (0, 0)


def test_an_amount_finer_than_the_cash_is_refused() -> None:
    """It is told with its name and the places that the tape's cash has."""
    with pytest.raises(BacktestFault, match=r"limits\.day_stop_loss is 0\.0001; it has at most 3"):
        backtested({"day_stop_loss": "0.0001"}, *TAPE)


def test_the_command_takes_the_limits_of_a_robots_file(tmp_path: Path) -> None:
    """As the API has them; one that can't be is told with its name."""
    robot, trades = tmp_path / "robot.json", tmp_path / "trades.csv"
    rows = ["1600000000000,100,50,false", "1600000001000,94,50,true", "1600000002000,94,50,false"]
    trades.write_text("\n".join(["ts_ms,price,qty,buyer_is_maker", *rows]), encoding="utf-8")
    for limits, status, said in (
        ({"orders_day_max": 1}, 0, "at most 1 a day"),
        ({"orders_day_max": -1}, 2, "limits.orders_day_max must be a whole number"),
        ({"orders_max": 1}, 2, "limits.orders_max is unknown; known are day_stop_loss"),
    ):
        body = {"id": "mine", "rule": json.loads(SELLS), "allotment": {"AAA": 10, "USD": 1000}}
        robot.write_text(json.dumps(body | {"limits": limits}), encoding="utf-8")
        done = call(str(robot), "--trades", str(trades), "--latency-ms", "0")
        assert (done.exit_code, said in done.output) == (status, True), done.output


# -- on paper --------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RuleHouse]:
    """A house where 21.00 was paid last, and a crowd sells at 21.01."""
    made = RuleHouse(tmp_path / "data")
    made.trade(2100, 10)
    made.commit(order(CROWD, Side.SELL, 2101, 1000))
    yield made
    made.close()


def falls(house: RuleHouse) -> None:
    """Let the price fall to 20.50, where the crowd buys at 20.40 and sells at 21.01 as before."""
    house.commit(order(CROWD, Side.BUY, 2040, 1000))
    house.trade(2050, 10, buys=False)


def on_paper(house: RuleHouse, config: RobotConfig, position: Position | None = None) -> PaperHands:
    sight = house.desk.sight
    sight.follow("BTC", house.standing())
    terms = Terms(ticker="BTC", cash=D(10_000), depth=D(100), queue=D(0))
    cash = sight.codes["USD"]
    return PaperHands(terms, sight.tickers["BTC"], cash, position, limits=config)


def told(bot: Bot) -> str:
    return tell(bot.plan, bot.changed.decisions[-1])


@pytest.mark.parametrize(("limits", "said"), REFUSED)
def test_paper_refuses_as_live_does(house: RuleHouse, limits: dict[str, Any], said: str) -> None:
    """Two bots of one rule and limits, one live and one on paper, end with the same words."""
    live, paper = both(house, LOSES, RobotConfig(**limits))
    falls(house)
    assert said in told(live)
    assert told(paper) == told(live)


STOPS = [{"kind": "STOP_LOSS", "stop": 20.60},
         {"kind": "STOP_LOSS_LIMIT", "stop": 20.60, "ask": 20.30}]  # fmt: skip
HELD_UP = [({"kind": "TAKE_PROFIT", "stop": 22}, "would sell 220.00, cap 1.00"),
           ({"kind": "OCO", "stop": 20.60, "ask": 22}, "would sell 220.00, cap 1.00")]  # fmt: skip


def protects(stop: dict[str, Any]) -> str:
    """Return a rule that buys at 21.01 and protects it by an order."""
    sells = {"intent": "SELL", "shares": 10, "then_after": "ACCEPTED", "ticker": "BTC"}
    bought = json.loads(LOSES)["$do"]
    return json.dumps({"$do": bought, "$then": {"$do": {"$order": sells | stop}}})


def both(house: RuleHouse, rule: str, config: RobotConfig) -> tuple[Bot, Bot]:
    """Set two bots of one rule and limits to work, one live and one on paper."""
    terms = terms_of(config, cash=2, decimals=8)
    body = AccountBody(member=1, kind=AccountKind.ROBOT, opening=[(2, 10_000 * 10**8)], robot=terms)
    house.commit(pack_body(Command.OPEN_ACCOUNT, body, account=OTHER))
    paper = house.start(rule, hands=on_paper(house, config), name="paper", prefix="bot")
    alive = LiveHands(OTHER, balances={2: (10_000 * 10**8, 0)}, seq=house.sequencer.seq)
    return house.start(rule, hands=alive, name="live", prefix="bot"), paper


def lines(bot: Bot) -> list[tuple[str, str, Any]]:
    return [(line.kind, line.status, line.filled) for line in bot.orders.values()]


@pytest.mark.parametrize("stop", STOPS)
def test_no_cap_notional_or_count_holds_up_a_stop_loss(
    house: RuleHouse, stop: dict[str, Any]
) -> None:
    """It comes in past all three and sells when it is set off, live, on paper and in a backtest."""
    limits: dict[str, Any] = {"month_sell_cap": "1", "orders_day_max": 1}
    live, paper = both(house, protects(stop), RobotConfig(**limits, order_notional_max="211"))
    assert lines(live)[1:] == lines(paper)[1:] == [(stop["kind"], "NEW", 0)]
    falls(house)
    assert lines(live)[1:] == lines(paper)[1:] == [(stop["kind"], "FILLED", 10)]
    alone = rule('"kind": "STOP_LOSS", "intent": "SELL", "shares": 5, "stop": 95')
    settings = msgspec.structs.replace(SETTINGS, depth=D(50))
    config = RobotConfig(month_sell_cap="1", order_notional_max="1", orders_day_max=1)
    tested = Backtest(plan_rule(read_rule(alone)), settings, limits=config).run(ticks(*TAPE))
    assert [(line.status, line.filled) for line in tested.orders] == [("FILLED", D(5))]


@pytest.mark.parametrize(("order_words", "said"), HELD_UP)
def test_a_sale_that_takes_a_profit_is_no_exit(
    house: RuleHouse, order_words: dict[str, Any], said: str
) -> None:
    """Alone or in a pair with a stop it keeps to the cap, and is told why."""
    live, paper = both(house, protects(order_words), RobotConfig(month_sell_cap="1"))
    assert said in told(live)
    assert told(paper) == told(live)


def test_a_stop_loss_stands_though_the_fence_is_another(house: RuleHouse) -> None:
    """The core refuses it once, tells the fence, and takes it when it is sent again."""
    body = AccountBody(
        member=1, kind=AccountKind.ROBOT, opening=[(1, 10**10)], robot=RobotTerms(cash=2)
    )
    house.commit(pack_body(Command.OPEN_ACCOUNT, body, account=OTHER))
    house.commit(pack(Command.UNLOCK_ROBOT, account=OTHER))
    hands = LiveHands(OTHER, balances={1: (10**10, 0)}, seq=house.sequencer.seq)
    stop = {"intent": "SELL", "shares": 10, "ticker": "BTC", **STOPS[0]}
    bot = house.start(json.dumps({"$do": {"$order": stop}}), hands=hands)
    assert lines(bot) == [("STOP_LOSS", "NEW", 0)]
    assert (hands.fence, hands.outbox) == (1, [])
    falls(house)
    assert lines(bot) == [("STOP_LOSS", "FILLED", 10)]


def test_limits_on_paper_change_and_are_kept(house: RuleHouse) -> None:
    """Others hold from when they are set; what is dumped is taken up with them, unchanged."""
    hands = on_paper(house, RobotConfig())
    bot = house.start(LOSES, hands=hands, name="paper")
    assert [line.status for line in bot.orders.values()] == ["FILLED"]
    assert list(hands.limit(RobotConfig(day_stop_loss="6"), house.desk.time_us)) == []
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(hands.dump()), type=Position)
    again = on_paper(house, RobotConfig(day_stop_loss="6"), kept)
    assert not again.is_changed
    assert again.dump() == kept
    bot.hands = again
    falls(house)
    assert "lost 6.10 today, limit 6.00" in told(bot)


def test_a_limit_that_ends_open_buys_is_heard_of(house: RuleHouse) -> None:
    """As the core does it live: who has lost more than is allowed now has no buy that waits."""
    rests = LOSES.replace('"MARKET", "intent": "BUY", "shares": 1}', '"LIMIT", "bid": 5, "intent": '
                          '"BUY", "shares": 1}')  # fmt: skip
    hands = on_paper(house, RobotConfig())
    bot = house.start(rests, hands=hands, name="paper")
    falls(house)
    assert [line.status for line in bot.orders.values()][-1] == "NEW"
    house.desk.limit("paper", RobotConfig(day_stop_loss="6"))
    assert [line.status for line in bot.orders.values()][-1] == "EXPIRED"
    assert not hands.market.open
    assert bot.state.phase != "ORDERED"


def test_a_run_of_before_goes_on_without(house: RuleHouse) -> None:
    """A position that was kept when paper had no limits is taken up, and has none."""
    hands = on_paper(house, RobotConfig())
    kept = msgspec.structs.replace(hands.dump(), terms=None)
    again = on_paper(house, RobotConfig(day_stop_loss="6"), kept)
    assert again.market.terms is None
    assert house.start(LOSES, hands=again, name="paper").state.step == 1


@pytest.mark.django_db
def test_a_robots_own_limits_hold_on_paper_over_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker hands them over; killed at any write it goes on with what was counted."""
    buys = """{"$do": {"$order": {"kind": "MARKET", "intent": "BUY", "ticker": "BTC", "shares": 1}},
        "$repeat": {"times": 9}}"""
    rules = {"live-buys": ("live", buys), "paper-buys": ("paper", buys)}
    steps = [(2050, 9, True)] * 6
    config = RobotConfig(orders_day_max=3)
    whole = Lived(monkeypatch, rules, steps, config=config)
    found = Lived(monkeypatch, rules, steps, config=config, chance=Random(3))
    assert (found.rows, bool(found.kills)) == (whole.rows, True)
    for name in rules:
        lines = [json.loads(line) for _, _, _, line in whole.rows[name]["orders"]]
        assert [line["status"] for line in lines] == ["FILLED"] * 3 + ["REJECTED"]
        assert lines[-1]["reason"] == "TOO_MANY_ORDERS_TODAY: at most 3 a day"
