"""Rule bots at work on a house's own events: they wake, order, hear, and go on after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fondaco.core.records import (
    AccountBody,
    AccountKind,
    Command,
    Event,
    RobotTerms,
    Side,
    pack,
    pack_body,
    split,
    unpack,
)
from fondaco.robots.rules import desk, evaluator
from fondaco.robots.rules import state as states
from fondaco.robots.rules.desk import Bot, Desk
from fondaco.robots.rules.live import LiveHands
from fondaco.robots.rules.plan import Plan, plan_rule
from fondaco.robots.rules.reasons import tell
from fondaco.robots.rules.state import Code, Outcome, State
from fondaco.robots.rules.validation import read_rule
from fondaco.robots.rules.view import View
from tests.robots.rule_house import CROWD, QUEUE, ROBOT, RuleHouse, order
from tests.robots.test_rules import SEED

RULE = SEED.replace("STOCKA", "BTC")
OTHER = 19


def stands(bot: Bot) -> tuple[int, str]:
    return bot.state.step, bot.state.phase


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RuleHouse]:
    """A house with a market, a crowd, and a bot's account with 10,000 of cash."""
    made = RuleHouse(tmp_path / "data")
    yield made
    made.close()


def test_the_seeds_rule_buys_and_sells(house: RuleHouse) -> None:
    """It buys when the last trade is at 20.55, sells at 21.00, and says why at each turn."""
    house.trade(2050, 10)
    bot = house.start(RULE)
    assert [one.code for one in bot.changed.decisions] == [Code.CONDITION_FALSE]
    house.commit(order(CROWD, Side.SELL, 2056, 2000))
    house.trade(2054, 10)
    assert stands(bot) == (0, "WAITING")
    house.trade(2055, 10)
    assert stands(bot) == (1, "WAITING")
    [bought] = bot.orders.values()
    assert (bought.status, bought.filled, bought.amount) == ("FILLED", Decimal(100), Decimal(2056))
    house.commit(order(CROWD, Side.BUY, 2095, 2000))
    house.trade(2100, 10, buys=False)
    house.trade(2101, 10, buys=False)
    assert stands(bot) == (1, "DONE")
    assert [line.status for line in bot.orders.values()] == ["FILLED", "FILLED"]
    told = [tell(bot.plan, one) for one in bot.changed.decisions]
    assert told[1] == "step 1 acts: BTC last 20.55 is at or above 20.55"
    assert told[-1] == "step 2 is done"


def test_a_refusal_keeps_its_numbers(tmp_path: Path) -> None:
    """Too little cash ends the rule with what it had and what was needed."""
    house = RuleHouse(tmp_path / "poor", cash=3)
    house.commit(order(CROWD, Side.SELL, 2140, 2000))
    house.trade(2100, 10)
    text = RULE.replace("20.60", "21.40").replace('"shares": 100', '"shares": 1', 1)
    bot = house.start(text)
    assert bot.state.ended is Code.ORDER_FAILED
    assert "cash 3.00, minimum 21.40" in bot.changed.decisions[-1].detail
    house.close()


class Keyed(RuleHouse):
    """A key of the bot's account has an order refused just before the bot's own arrives."""

    def before_order(self, command: bytes) -> None:
        told = self.commit_only(
            pack(Command.NEW_ORDER, account=ROBOT, key=5, instrument=1, side=Side.BUY)
        )
        assert [unpack(event)["key"] for event in split(told) if is_refusal(event)] == [5]


def is_refusal(event: bytes) -> bool:
    return int.from_bytes(event[:2], "little") == Event.REFUSED


def test_the_refusal_of_a_keys_order_is_not_the_bots(tmp_path: Path) -> None:
    """The bot's order fills and its rule goes on."""
    house = Keyed(tmp_path / "keyed")
    house.commit(order(CROWD, Side.SELL, 2056, 2000))
    house.trade(2050, 10)
    bot = house.start(RULE)
    house.trade(2055, 10)
    assert stands(bot) == (1, "WAITING")
    assert [line.status for line in bot.orders.values()] == ["FILLED"]
    house.close()


@pytest.mark.parametrize(
    "was, now, said",
    [
        ("20.60", "999999999999999999", "price 999999999999999999 is above 461168601842738"),
        ("20.60", "20.605", "price 20.605 is not a whole number of the tick 0.01"),
        ('"shares": 100', '"shares": 999999999999999999',
         "quantity 999999999999999999 is above 4611"),
        ('"shares": 100', '"shares": 0.05', "quantity 0.05 is not a whole number of the lot 0.1"),
        ('"kind": "LIMIT", "intent": "BUY", "bid": 20.60, "shares": 100',
         '"kind": "MARKET", "intent": "BUY", "spend": 999999999999999999',
         "spend 999999999999999999 is above 46116860184.27387903"),
    ],
)  # fmt: skip
def test_numbers_that_no_order_can_have_are_told_truly(
    house: RuleHouse, was: str, now: str, said: str
) -> None:
    """Too large is said to be too large, with the most there can be, and ends that bot alone."""
    house.trade(2100, 10)
    bot = house.start(RULE.replace(was, now, 1))
    assert bot.state.ended is Code.ORDER_FAILED
    assert said in bot.changed.decisions[-1].detail


@pytest.mark.parametrize(
    ("limits", "within", "said"),
    [
        ({"order_notional_max": 2060 * 10**8}, True, ""),
        (
            {"order_notional_max": 2060 * 10**8 - 1},
            False,
            "did not buy: worth 2060.00, at most 2059.99999999",
        ),
        ({"orders_day_max": 1}, True, ""),
        ({"orders_day_max": 1}, False, "did not buy: at most 1 a day"),
    ],
)
def test_a_limit_is_told_with_its_numbers(
    house: RuleHouse, limits: dict[str, int], within: bool, said: str
) -> None:
    """At its bound an order goes through; past it the core refuses, and the reason says by what."""
    house.trade(2100, 10)
    terms = RobotTerms(cash=2, **limits)
    body = AccountBody(member=1, kind=AccountKind.ROBOT, robot=terms)
    other = pack_body(
        Command.OPEN_ACCOUNT,
        msgspec.structs.replace(body, opening=[(2, 10_000 * 10**8)]),
        account=OTHER,
    )
    house.commit(other)
    if "orders_day_max" in limits and not within:
        house.commit(order(OTHER, Side.BUY, 1, 1))
    has = {2: (10_000 * 10**8, 0)}
    bot = house.start(RULE, hands=LiveHands(OTHER, balances=has, seq=house.sequencer.seq))
    if within:
        assert stands(bot) == (0, "ORDERED")
    else:
        assert bot.state.ended is Code.ORDER_FAILED
        assert said in tell(bot.plan, bot.changed.decisions[-1])


def test_what_a_rule_that_waits_sees_now_is_told_and_changes_nothing(house: RuleHouse) -> None:
    """A glance has the numbers of now, where the decision that is kept has its first ones."""
    house.trade(2050, 10)
    bot = house.start(RULE)
    house.start(RULE, name="other")
    house.trade(2054, 10)
    kept = states.encode(bot.state), list(bot.changed.decisions)
    [(name, seen)] = house.desk.glance(1)
    assert (name, tell(bot.plan, seen)) == ("bot", "step 1 waits: BTC last 20.54 is below 20.55")
    assert tell(bot.plan, kept[1][-1]) == "step 1 waits: BTC last 20.5 is below 20.55"
    assert [one for one, _ in house.desk.glance(1)] == ["other"]
    assert [one for one, _ in house.desk.glance(9)] == ["bot", "other"]
    assert (states.encode(bot.state), bot.changed.decisions) == kept
    house.desk.set_active("bot", active=False)
    assert [one for one, _ in house.desk.glance(9)] == ["other"]


WAY = [2050, 2054, 2055, 2057, 2080, 2099, 2100, 2103]


@pytest.mark.parametrize("restart", range(len(WAY) + 1))
def test_a_restart_at_any_point_changes_nothing(tmp_path: Path, restart: int) -> None:
    """A bot that is taken up from what was stored decides and orders as one that went on."""
    told: list[list[str]] = []
    for place in (restart, -1):
        house = RuleHouse(tmp_path / f"data{place}")
        house.trade(2040, 10)
        bot = house.start(RULE)
        decisions = list(bot.changed.decisions)
        orders = dict(bot.orders)
        for number, price in enumerate([*WAY, 0]):
            if number == place:
                assert isinstance(bot.hands, LiveHands)
                kept: dict[str, Any] = {
                    "state": states.decode(states.encode(bot.state)),
                    "last": bot.last,
                    "orders": list(bot.orders.values()),
                }
                house.desk = Desk(house.new_sight())
                bot = house.start(RULE, **kept)
                decisions += bot.changed.decisions
            if price:
                bot.changed.decisions.clear()
                house.commit(pack(Command.CANCEL_ALL, account=QUEUE, instrument=1))
                house.trade(price, 10)
                house.commit(order(QUEUE, Side.SELL, price + 2, 2000))
                house.commit(order(QUEUE, Side.BUY, price - 2, 2000))
                decisions += bot.changed.decisions
            orders.update(bot.orders)
        assert bot.state.phase == "DONE"
        told.append([repr(one) for one in (*decisions, *orders.values())])
        house.close()
    assert told[0] == told[1]


def test_what_was_sent_twice_is_one_order(house: RuleHouse) -> None:
    """A wish that is told again after its answer was lost is refused by its id, and goes on."""
    house.trade(2050, 10)
    bot = house.start(RULE)
    house.commit_only(order(QUEUE, Side.SELL, 2055, 10), order(CROWD, Side.BUY, 2055, 10))
    hands = bot.hands
    assert isinstance(hands, LiveHands)
    assert len(hands.outbox) == 1
    command = hands.next_command(house.desk.sight)
    assert command is not None
    house.commit_only(command)
    before = house.sequencer.seq
    house.commit_only(command)
    assert house.sequencer.seq == before + 1
    assert [line.status for line in bot.orders.values()] == ["NEW"]
    assert bot.state.phase == "ORDERED"
    assert hands.balances[2][1] == 100 * 2060 * 10**6


def test_one_that_is_off_hears_and_looks_at_nothing(house: RuleHouse) -> None:
    """Switched off it does nothing at its price; switched on it looks at once."""
    house.trade(2050, 10)
    bot = house.start(RULE)
    house.desk.set_active("bot", active=False)
    house.trade(2060, 10)
    assert bot.state.placed == 0
    house.desk.set_active("bot", active=True)
    assert bot.state.placed == 1
    assert bot.orders["bot-1"].price == Decimal("20.60")


def test_one_that_is_off_goes_on_when_it_is_on_again(house: RuleHouse) -> None:
    """Its order that fills meanwhile is told, and the step after it waits for the switch."""
    house.trade(2050, 10)
    bot = house.start(
        """{"$do": {"$order": {"kind": "LIMIT", "intent": "BUY", "ticker": "BTC", "bid": 20.40,
        "shares": 1}}, "$then": {"$do": {"$order": {"kind": "MARKET", "intent": "BUY",
        "ticker": "BTC", "shares": 1}}}}"""
    )
    house.commit(order(CROWD, Side.SELL, 2060, 100))
    house.desk.set_active("bot", active=False)
    house.commit(order(QUEUE, Side.SELL, 2040, 10))
    assert bot.orders["bot-1"].status == "FILLED"
    assert (stands(bot), list(bot.orders)) == ((1, "WAITING"), ["bot-1"])
    house.trade(2055, 10)
    assert list(bot.orders) == ["bot-1"]
    house.desk.set_active("bot", active=True)
    house.pump()
    assert bot.orders["bot-2"].status == "FILLED"
    assert bot.state.ended is Code.FINISHED


def averages(*periods: int) -> str:
    each = ", ".join(
        f"""{{"$comparison": {{"itemA": {{"$ticker": "BTC"}}, "itemB": {{"$indicator": {{"name":
        "SMA", "ticker": "BTC", "interval": "1m", "parameters": {{"timeperiod": {period}}}}}}},
        "type": "gt"}}}}"""
        for period in periods
    )
    return f"""{{"$when": {{"$and": [{each}]}}, "$do": {{"$notify": "above"}}}}"""


def test_figures_go_with_the_last_rule_that_names_them(house: RuleHouse) -> None:
    """Those that another bot reads stay; without any no candle is kept."""
    house.trade(2050, 10)
    house.start(averages(2, 3), name="two")
    plan = plan_rule(read_rule(averages(3, 4)))
    house.desk.sight.add_figures("BTC", plan.figures, {})
    house.desk.add(Bot("three", plan, house.live_hands()), after_seq=0)
    house.desk.enter()
    sight = house.desk.sight
    assert len(sight.figures) == 3
    house.desk.remove("two")
    assert set(sight.figures) == set(sight.tickers["BTC"].figures.values) == set(plan.figures)
    house.desk.remove("three")
    assert not sight.figures
    assert not sight.tickers["BTC"].figures.intervals()
    house.clock.advance(60_000_000)
    house.trade(2060, 10)


def test_one_that_cannot_pay_sleeps_until_its_own_cash_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trades and transfers of others look at it no more; its own cash does, and it buys."""
    house = RuleHouse(tmp_path / "poor", cash=0)
    house.trade(2050, 10)
    spends = '{"kind": "MARKET", "intent": "BUY", "spend": {"$cash": "free"}, "ticker": "BTC"}'
    bot = house.start(f'{{"$do": {{"$order": {spends}}}}}')
    assert bot.changed.decisions[-1].code is Code.AMOUNT_ZERO
    looks: list[str] = []
    seen = evaluator.look

    def counted(plan: Plan, state: State, view: View, prefix: str) -> Outcome:
        looks.append(prefix)
        return seen(plan, state, view, prefix)

    monkeypatch.setattr(desk, "look", counted)
    for price in range(2040, 2060):
        house.trade(price, 10)
    house.commit(pack(Command.DEPOSIT, account=QUEUE, asset=2, amount=10**8, entry=1))
    assert looks == []
    house.commit(order(CROWD, Side.SELL, 2060, 2000))
    house.commit(pack(Command.DEPOSIT, account=bot.account, asset=2, amount=10**11, entry=2))
    assert looks
    assert [line.status for line in bot.orders.values()] == ["FILLED"]
    house.close()
