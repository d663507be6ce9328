"""Pairs of a rule (OCO): one leg acts and the other ends, in backtests and in the house."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from fondaco.robots.backtest.floor import Instrument
from fondaco.robots.backtest.market import Market, Position
from fondaco.robots.backtest.run import Backtest
from fondaco.robots.rules.desk import Bot
from fondaco.robots.rules.evaluator import look
from fondaco.robots.rules.live import LiveHands, command_of
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.reasons import tell
from fondaco.robots.rules.state import Code, OrderWish, State
from fondaco.robots.rules.validation import read_rule
from fondaco.robots.rules.view import View
from tests.robots.rule_house import BASE, RuleHouse
from tests.robots.test_backtest import SETTINGS, check_money, fills, last, rule, ticks

D = Decimal
PAIR = '"kind": "OCO", "intent": "SELL", "ask": 105, "stop": 95, "shares": 7'
TOLD = [
    # By its limit, in parts behind the queue: the stop is ended by the first.
    (PAIR, ["1 100 1 buy", "2 104 9 buy", "3 105 4 buy", "4 105 2 buy", "5 105 9 buy",
            "6 90 9 sell"],
     ["3 1.0 at 105.00", "4 2.0 at 105.00", "5 4.0 at 105.00"], ["FILLED", "EXPIRED"]),
    # By its stop, into the depth; what comes to the limit then finds nothing.
    (PAIR, ["1 100 1 buy", "2 96 9 sell", "3 95 1 sell", "4 106 90 buy"],
     ["3 5.0 at 95.00", "3 2.0 at 94.99"], ["EXPIRED", "FILLED"]),
    # By its stop, which then rests at its own limit.
    (PAIR + ', "stop_limit": 97', ["1 100 1 buy", "2 94 9 sell", "3 106 1 buy", "4 98 9 buy"],
     ["3 1.0 at 97.00", "4 6.0 at 97.00"], ["EXPIRED", "FILLED"]),
    # A buy, both ways.
    (BUYING := '"kind": "OCO", "intent": "BUY", "bid": 95, "stop": 105, "shares": 2',
     ["1 100 1 buy", "2 94 9 sell", "3 106 9 buy"], ["2 2.0 at 95.00"], ["FILLED", "EXPIRED"]),
    (BUYING, ["1 100 1 buy", "2 105 9 buy", "3 94 9 sell"], ["2 2.0 at 105.00"],
     ["EXPIRED", "FILLED"]),
]  # fmt: skip


@pytest.mark.parametrize(("order", "tape", "filled", "statuses"), TOLD)
def test_one_leg_of_a_pair_acts_and_the_other_ends(
    order: str, tape: list[str], filled: list[str], statuses: list[str]
) -> None:
    """Whichever is reached first; the lines say which, and nothing stays in the book."""
    test = Backtest(plan_rule(read_rule(rule(order))), SETTINGS)
    result = test.run(ticks(*tape))
    assert fills(result) == filled
    assert [line.status for line in result.orders] == statuses
    names = [line.client_order_id for line in result.orders]
    acting = names[statuses.index("FILLED")]
    assert [line.reason for line in result.orders if line.client_order_id != acting] == [
        f"ended by {acting}"
    ]
    assert [line.pair for line in result.orders] == names[::-1]
    assert Code.LEG_ACTED in [one.code for one in result.decisions]
    assert (result.state, test.market.open) == ("DONE", {})
    check_money(test)


def test_a_pair_is_cancelled_whole_and_holds_once() -> None:
    """While it stands as much is held as one leg needs; $cancel of its name ends both."""
    cancel = f'{{"$when": {last("gt", "101")}, "$do": {{"$cancel": "out"}}}}'
    text = rule(PAIR + ', "name": "out", "then_after": "ACCEPTED"', "", cancel)
    test = Backtest(plan_rule(read_rule(text)), SETTINGS)
    assert test.run(ticks("1 100 1 sell")).state == "WAITING"
    assert test.market.holdings()[2:] == (D(10), D(3))
    result = Backtest(plan_rule(read_rule(text)), SETTINGS)
    lines = result.run(ticks("1 100 1 sell", "2 102 1 buy", "3 90 9 sell")).orders
    assert [line.status for line in lines] == ["CANCELED", "CANCELED"]
    assert result.market.holdings()[2:] == (D(10), D(10))
    assert result.market.open == {}


def test_a_stop_that_was_set_off_while_its_cancel_was_on_its_way_is_cancelled_too() -> None:
    """The pair is none any more when the cancel comes: each leg is cancelled by its own id."""
    cancel = f'{{"$when": {last("gt", "101")}, "$do": {{"$cancel": "out"}}}}'
    text = rule(PAIR + ', "stop_limit": 97, "name": "out", "then_after": "ACCEPTED"', "", cancel)
    settings = msgspec.structs.replace(SETTINGS, latency_ms=2_000)
    test = Backtest(plan_rule(read_rule(text)), settings)
    result = test.run(ticks("1 100 1 sell", "9 102 1 buy", "10 94 9 sell", "20 98 9 buy"))
    assert [line.status for line in result.orders] == ["EXPIRED", "CANCELED"]
    assert fills(result) == []
    assert test.market.open == {}


def test_a_market_taken_up_knows_its_stops() -> None:
    """A position keeps what a stop waits for, also one that was written before stops were known."""
    instrument = Instrument(base="AAA", quote="USD", tick=D("0.01"), lot=D("0.1"))
    wish = OrderWish(
        "a-1", "AAA", "OCO", "SELL", D(1), None, D(105), D(95), None, stop_id="a-2"
    )  # fmt: skip
    ends = []
    for is_taken_up in (False, True):
        market = Market(instrument, cash=D(100), coins=D(5), depth=50, queue=10)
        market.trade(1, 10_000, 5, buys=True)
        market.place(2, wish)
        if is_taken_up:
            kept = msgspec.msgpack.encode(market.position())
            market = Market(instrument, cash=D(100), coins=D(5), depth=50, queue=10)
            market.take_up(msgspec.msgpack.decode(kept, type=Position))
        news = market.trade(3, 9_400, 5, buys=False)
        ends.append((news, market.fills, market.exchange.state_hash()))
        assert [(one.client_order_id, str(one.status), one.acts) for one in news] == [
            ("a-2", "FILLED", True),
            ("a-1", "EXPIRED", False),
        ]
    assert ends[0] == ends[1]


# -- in the house --------------------------------------------------------------------------------

LIVE_PAIR = """{"$do": {"$order": {"kind": "OCO", "intent": "SELL", "ticker": "BTC", "ask": 21,
    "stop": 20, "shares": 3, "name": "out"}}}"""


def lines_of(bot: Bot) -> list[tuple[str, str, str]]:
    return [(line.kind, line.status, line.reason) for line in bot.orders.values()]


def test_a_pair_that_was_sent_twice_is_one(tmp_path: Path) -> None:
    """Both legs stand once, under the ids that follow from the run, and hold once."""
    house = RuleHouse(tmp_path / "data", coins=5)
    house.trade(2050, 10)
    bot = house.start(LIVE_PAIR)
    hands = bot.hands
    assert isinstance(hands, LiveHands)
    assert lines_of(bot) == [("LIMIT_MAKER", "NEW", ""), ("STOP_LOSS", "NEW", "")]
    assert list(bot.orders) == ["bot-1", "bot-2"]
    before = house.sequencer.seq
    house.commit_only(command_of(house.desk.sight, hands.account, wish_of(bot), 0))
    assert house.sequencer.seq == before + 2
    assert lines_of(bot) == [("LIMIT_MAKER", "NEW", ""), ("STOP_LOSS", "NEW", "")]
    assert (hands.balances[1], bot.state.phase) == ((2 * BASE, 3 * BASE), "ORDERED")
    house.close()


def test_a_stop_that_meets_nobody_ends_the_pair(tmp_path: Path) -> None:
    """Set off, it ends the other leg; with nobody to buy it expires, and the rule says all that."""
    house = RuleHouse(tmp_path / "data", coins=5)
    house.trade(2050, 10)
    bot = house.start(LIVE_PAIR)
    house.trade(1999, 10)
    assert lines_of(bot) == [
        ("LIMIT_MAKER", "EXPIRED", "ended by bot-2"),
        ("STOP_LOSS", "EXPIRED", ""),
    ]
    assert [tell(bot.plan, one) for one in bot.changed.decisions] == [
        "step 1 acts",
        "step 1 hears of its pair: the stop bot-2 acts, so the limit bot-1 is ended",
        "step 1 ends: bot-2 is EXPIRED",
    ]
    house.close()


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ('"stop": 20', '"stop": 20.50', "WOULD_TRIGGER: the last trade, 20.50, has reached the"),
        ('"ask": 21,\n    "stop": 20', '"ask": 4, "stop": {"$position": "BTC"}',
         "LIST_PRICES: limit price 4.00, stop 5.00"),
        ('"shares": 3', '"shares": 6', "INSUFFICIENT_BALANCE: BTC 5, minimum 6"),
        ('"stop": 20', '"stop": 20.005', "stop 20.005 is not a whole number of the tick 0.01"),
    ],
)  # fmt: skip
def test_a_pair_is_refused_whole_with_its_numbers(
    tmp_path: Path, was: str, now: str, said: str
) -> None:
    """One reason for both legs, and nothing is held."""
    house = RuleHouse(tmp_path / "data", coins=5)
    house.trade(2050, 10)
    bot = house.start(LIVE_PAIR.replace(was, now, 1))
    assert bot.state.ended is Code.ORDER_FAILED
    assert {line.status for line in bot.orders.values()} == {"REJECTED"}
    assert all(said in line.reason for line in bot.orders.values())
    assert len(bot.orders) == 2
    hands = bot.hands
    assert isinstance(hands, LiveHands)
    assert hands.balances[1] == (5 * BASE, 0)
    house.close()


def wish_of(bot: Bot) -> OrderWish:
    """Return the first wish of a rule, as it is made again."""
    [wish] = look(bot.plan, State(), View(time_us=1), bot.prefix).orders
    return wish
