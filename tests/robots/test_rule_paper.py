"""A rule bot on paper beside the house: by which price its stops are judged, what reaches it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from fondaco.core.records import Command, OrderType, SelfTrade, Side, TimeInForce, pack
from fondaco.robots.paper.hands import PaperHands, Terms
from fondaco.robots.rules.desk import Bot
from fondaco.robots.rules.state import Code
from tests.robots.rule_house import CROWD, QUEUE, RuleHouse, order

ORDER = '{"$do": {"$order": {"ticker": "BTC", "shares": 1, %s}}}'
# It buys, and when the price has moved on sells by a stop.
PROTECTED = """{"$do": {"$order": {"kind": "MARKET", "intent": "BUY", "ticker": "BTC",
    "shares": 1}}, "$then": {"$when": {"$comparison": {"itemA": {"$ticker": "BTC"}, "itemB": 20.50,
    "type": "ne"}}, "$do": {"$order": {"kind": "STOP_LOSS", "intent": "SELL", "shares": 1,
    "stop": 20.30}}}}"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RuleHouse]:
    """A house that has traded at 20.50, with offers beside that price."""
    made = RuleHouse(tmp_path / "data")
    quote(made, 2045, 2055)
    made.trade(2050, 10)
    yield made
    made.close()


def quote(house: RuleHouse, bid: int, ask: int) -> None:
    house.commit(
        pack(Command.CANCEL_ALL, account=CROWD, instrument=1),
        order(CROWD, Side.BUY, bid, 500),
        order(CROWD, Side.SELL, ask, 500),
    )


def start(house: RuleHouse, rule: str, queue: str = "0") -> Bot:
    sight = house.desk.sight
    sight.follow("BTC", house.standing())
    terms = Terms(
        ticker="BTC",
        cash=Decimal(10_000),
        coins=Decimal(10),
        depth=Decimal(100),
        queue=Decimal(queue),
    )
    hands = PaperHands(terms, sight.tickers["BTC"], sight.codes["USD"])
    return house.start(rule, hands=hands)


@pytest.mark.parametrize(
    ("price", "stop_at", "status", "reason"),
    [
        (2090, "20.70", "NEW", ""),
        (2020, "20.30", "REJECTED", "WOULD_TRIGGER: the last trade, 20.20, has reached the stop"),
        (2030, "20.30", "REJECTED", "WOULD_TRIGGER: the last trade, 20.30, has reached the stop"),
        (2031, "20.30", "NEW", ""),
    ],
)
def test_a_stop_is_judged_by_the_last_trade_of_the_house(
    house: RuleHouse, price: int, stop_at: str, status: str, reason: str
) -> None:
    """Not by what it bought at, nor by the offers that are left beside the last trade."""
    bot = start(house, PROTECTED.replace("20.30", stop_at))
    assert bot.orders["bot-1"].status == "FILLED"
    quote(house, price - 1, price + 1)
    house.trade(price, 10, buys=price > 2050)
    stop = bot.orders["bot-2"]
    assert (stop.status, stop.reason) == (status, reason)


def test_a_stop_that_comes_in_trades_with_no_order_of_its_own(house: RuleHouse) -> None:
    """What rests above the last trade and below the offers stays there."""
    bot = start(
        house,
        ORDER.replace("}}}", '}}, "$then": %s}')
        % (
            '"kind": "LIMIT", "intent": "BUY", "bid": 20.53, "then_after": "ACCEPTED"',
            ORDER % '"kind": "STOP_LOSS", "intent": "SELL", "stop": 20',
        ),
    )
    assert [line.status for line in bot.orders.values()] == ["NEW", "NEW"]
    assert bot.orders["bot-1"].filled == 0


def test_every_trade_of_a_command_reaches_it(house: RuleHouse) -> None:
    """Forty lots at its price are enough for queue and order, whatever trades after them."""
    bot = start(house, ORDER % '"kind": "LIMIT", "intent": "SELL", "ask": 20.55', queue="0.3")
    assert bot.orders["bot-1"].status == "NEW"
    quote(house, 2045, 2057)
    house.commit(order(QUEUE, Side.SELL, 2055, 40), order(QUEUE, Side.SELL, 2056, 1))
    house.commit(order(CROWD, Side.BUY, 2056, 41, TimeInForce.IOC))
    assert (bot.orders["bot-1"].status, bot.orders["bot-1"].filled) == ("FILLED", Decimal(1))
    assert bot.state.ended is Code.FINISHED


def test_a_stop_hears_of_prices_that_a_command_left_again(house: RuleHouse) -> None:
    """A sale goes down to it and sets off an order of another, which trades above it again."""
    bot = start(house, ORDER % '"kind": "STOP_LOSS", "intent": "SELL", "stop": 20.40')
    house.commit(
        order(QUEUE, Side.BUY, 2040, 1),
        pack(
            Command.NEW_ORDER, account=QUEUE, instrument=1, side=Side.BUY, time_in_force=0,
            order_type=OrderType.TAKE_PROFIT, self_trade=SelfTrade.NONE, quantity_lots=1,
            stop_price_ticks=2040,
        ),
    )  # fmt: skip
    assert bot.orders["bot-1"].status == "NEW"
    house.commit(order(QUEUE, Side.SELL, 2040, 501, TimeInForce.IOC))
    assert house.desk.sight.tickers["BTC"].last_ticks == 2055
    assert bot.orders["bot-1"].status == "FILLED"
