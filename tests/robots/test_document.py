"""S0-10: the client document's summaries, each value of each coin, against the trades."""

from __future__ import annotations

import datetime as dt
import inspect
from fractions import Fraction
from types import ModuleType
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fondaco.core import records
from fondaco.core.records import Command, Event, OrderType, Side, TimeInForce
from fondaco.identity import core_door
from fondaco.identity.models import Account, Member
from fondaco.projections.selectors import InstrumentRow
from fondaco.robots.hub import document
from fondaco.robots.models import Robot
from tests.robots.hub_field import HubField

pytestmark = pytest.mark.django_db
ZONE: Final = "Asia/Kathmandu"
CHOSEN: Final = ("BTC", "ETH", "XRP")  # of which XRP has no market
MORE: Final = """
[[members.robots]]
id = "robot-1"
config = { buy_on = 2, sell_on = 1, symbols = ["BTC", "ETH", "XRP"] }
allotment = { USDT = "1000000" }
[[assets]]
code = "ETH"
decimals = 6
[[instruments]]
symbol = "ETHUSDT"
base = "ETH"
quote = "USDT"
market = "book"
tick_size = "0.05"
lot_size = "0.0003"
maker_fee = "0.0013"
taker_fee = "0.0017"
[[members]]
username = "eve"
email = "eve@example.com"
balances = { USDT = "100000000", BTC = "10000", ETH = "10000" }
"""
Step = tuple[str, str, int, int]  # what, coin, about which price in ticks, lots
STEPS: Final = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(("buy", "buy", "sell", "rest to buy", "rest to sell")),
            st.sampled_from(("BTC", "ETH")),
            st.integers(30_000, 60_000),
            st.integers(1, 4_000),
        ),
        st.tuples(st.just("pass"), st.just(""), st.integers(1, 60), st.just(0)),
    ),
    min_size=3,
    max_size=12,
)


class Trader:
    """A robot that trades two coins with eve; its document, and what it should be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.field = HubField(monkeypatch, MORE, time_zone=ZONE)
        self.core: Any = self.field.core
        self.field.roll(self.core.time_us)
        self.robot = Robot.objects.get(pk="robot-1")
        self.account = 1_000
        self.before = 0  # of the events told
        eve = Member.objects.get(username="eve")
        self.eve = Account.objects.get(member=eve, kind=records.AccountKind.SPOT).pk
        self.codes: dict[int, tuple[str, int]] = {}
        self.rows: list[InstrumentRow] = []
        self.bodies: dict[str, records.InstrumentBody] = {}
        for kind, record in core_door.definitions(self.core):
            if kind == Event.ASSET:
                asset = msgspec.msgpack.decode(records.unpack_body(record), type=records.AssetBody)
                self.codes[asset.number] = asset.code, asset.decimals
            elif kind == Event.INSTRUMENT:
                body = msgspec.msgpack.decode(
                    records.unpack_body(record), type=records.InstrumentBody
                )
                words = {name: getattr(body, name) for name in InstrumentRow.__struct_fields__[:9]}
                self.rows.append(InstrumentRow(**words, status=0))
                self.bodies[self.codes[body.base][0]] = body

    # ---- what happens

    def begin(self) -> None:
        """Have the robot begin anew, with an account of its own and nothing traded."""
        self.account += 1
        self.before = len(self.core.told)
        self.robot.account_id = self.account
        cash = self.field.hub._roster.cash.number
        body = records.AccountBody(
            member=self.robot.member_id,
            kind=records.AccountKind.ROBOT,
            opening=[(cash, 10**14)],
            robot=records.RobotTerms(cash=cash),
        )
        self.core.submit(records.pack_body(Command.OPEN_ACCOUNT, body, account=self.account))

    def do(self, steps: list[Step]) -> None:
        for what, coin, value, lots in steps:
            if what == "pass":
                self.field.roll(self.core.time_us + value * 6 * 3_600_000_000)
                continue
            side = Side.BUY if "buy" in what else Side.SELL
            other = Side.SELL if side == Side.BUY else Side.BUY
            pair = [(self.eve, other, lots // 2 + 1), (self.eve, other, lots)]
            pair.append((self.account, side, lots))
            if what.startswith("rest"):
                pair.reverse()
            for place, (account, wanted, size) in enumerate(pair):
                self.order(account, coin, wanted, value + place, size)
            for account in (self.eve, self.account):
                self.core.submit(records.pack(Command.CANCEL_ALL, account=account, instrument=0))

    def order(self, account: int, coin: str, side: Side, ticks: int, lots: int) -> None:
        self.core.submit(
            records.pack(
                Command.NEW_ORDER,
                account=account,
                instrument=self.bodies[coin].number,
                side=side,
                order_type=OrderType.LIMIT,
                time_in_force=TimeInForce.GTC,
                price_ticks=ticks + (10 if side == Side.BUY else -10),
                quantity_lots=lots,
            )
        )

    # ---- what is told of it

    def told(self, module: ModuleType = document) -> dict[str, Any]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "asset_codes", lambda: self.codes)
            patch.setattr(module, "instruments", lambda: self.rows)
            found: dict[str, Any] = module.client_document(
                self.core, self.robot, cash="USDT", zone=ZoneInfo(ZONE), now_us=self.core.time_us
            )
        return found

    def wrong(self, module: ModuleType = document) -> list[str]:
        """Return which values of a document are not what the trades give."""
        told = self.told(module)
        today = dt.datetime.fromtimestamp(self.core.time_us // 1_000_000, ZoneInfo(ZONE))
        found = []
        for name, label, pattern in (
            ("monthly_summary", "month", "%m/%Y"),
            ("daily_summary", "day", "%d/%m/%Y"),
        ):
            summary = dict(told[name])
            when = summary.pop(label)
            found += differing(
                f"{name} {when}", summary, self.expected(f"{today:{pattern}}", pattern)
            )
            if when != f"{today:{pattern}}":
                found.append(f"{name} is of {when}")
        return found

    def expected(self, period: str, pattern: str) -> dict[str, Any]:
        """Return a period's summary from the trades alone, profit by average cost."""
        sums = {coin: [0, 0, 0, 0, 0] for coin in CHOSEN}  # bought, for, sold, for, profit
        has = {coin: [0, 0] for coin in CHOSEN}  # units and what they cost
        for record in records.split(self.core.told[self.before :]):
            if core_door.kind_of(record) != Event.TRADE:
                continue
            each = records.unpack(record)
            coin, body = next(
                (coin, body)
                for coin, body in self.bodies.items()
                if body.number == each["instrument"]
            )
            units, quote = each["quantity_lots"] * body.base_per_lot, each["quote_amount"]
            if each["buyer_account"] == self.account:
                is_coin = each["buyer_fee_asset"] == body.base  # a coarse coin's fee is in cash
                has[coin][0] += units - is_coin * each["buyer_fee"]
                has[coin][1] += quote + (not is_coin) * each["buyer_fee"]
                change = (units, quote, 0, 0, 0)
            else:
                cost = has[coin][1] * units // has[coin][0]
                has[coin][0] -= units
                has[coin][1] -= cost
                change = (0, 0, units, quote, quote - each["seller_fee"] - cost)
            day = dt.datetime.fromtimestamp(each["time_us"] // 1_000_000, ZoneInfo(ZONE))
            if f"{day:{pattern}}" == period:
                sums[coin] = [one + more for one, more in zip(sums[coin], change, strict=True)]
        cash = 10**8
        return {
            "amount_sold": Fraction(sum(each[3] for each in sums.values()), cash),
            "amount_bought": Fraction(sum(each[1] for each in sums.values()), cash),
            "profit": Fraction(sum(each[4] for each in sums.values()), cash),
            "crypto": {
                coin: coin_words(each, 10 ** (6 if coin == "ETH" else 8), cash)
                for coin, each in sums.items()
            },
        }


def coin_words(sums: list[int], scale: int, cash: int) -> dict[str, Fraction]:
    bought, spent, sold, proceeds, profit = sums
    return {
        "average_buy_value": Fraction(spent * scale, max(bought, 1) * cash),
        "average_sell_value": Fraction(proceeds * scale, max(sold, 1) * cash),
        "amount_sold": Fraction(sold, scale),
        "amount_bought": Fraction(bought, scale),
        "profit": Fraction(profit, cash),
    }


def differing(where: str, told: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Return the names whose values differ; an average may be rounded to its eighth decimal."""
    found = []
    coins = {each["symbol"]: {**each} for each in told["crypto"]}
    if len(coins) != len(told["crypto"]) or set(coins) != set(expected["crypto"]):
        return [f"{where}: coins {sorted(coins)}"]
    pairs = [(where, {**told, "crypto": 0}, {**expected, "crypto": 0})]
    for coin, words in coins.items():
        words.pop("symbol")
        pairs.append((f"{where} {coin}", words, expected["crypto"][coin]))
    for place, ours, theirs in pairs:
        if set(ours) != set(theirs):
            return [f"{place}: {sorted(ours)}"]
        for name, value in theirs.items():
            most = Fraction(1, 2 * 10**8) if name.startswith("average") else 0
            if abs(Fraction(ours[name]) - value) > most:
                found.append(f"{place} {name}: {ours[name]}, not {float(value)}")
    return found


@pytest.fixture
def trader(monkeypatch: pytest.MonkeyPatch) -> Trader:
    return Trader(monkeypatch)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_s0_10_every_value_of_a_summary_is_what_the_trades_give(
    trader: Trader, steps: list[Step]
) -> None:
    """S0-10: averages, amounts, profit; of each coin and in all; of the day and the month."""
    trader.begin()
    trader.do(steps)
    found = trader.wrong()
    assert not found, "\n".join(found)


# Two days of one month; in neither is anything the same as in the other, or of the other coin.
LIVED: Final[list[Step]] = [
    ("buy", "BTC", 40_000, 900),
    ("buy", "ETH", 50_000, 800),
    ("sell", "BTC", 43_000, 300),
    ("sell", "ETH", 48_000, 200),
    ("pass", "", 4, 0),
    ("buy", "BTC", 41_000, 70),
    ("rest to buy", "ETH", 52_000, 60),
    ("rest to sell", "BTC", 45_000, 50),
    ("sell", "ETH", 55_000, 40),
]
BUY_VALUE: Final = 'view.price(words["bought_quote"], bought, market.decimals)'
SELL_VALUE: Final = 'view.price(words["sold_quote"], sold, market.decimals)'


@pytest.mark.parametrize(
    ("right", "planted", "caught"),
    [
        (BUY_VALUE, SELL_VALUE, "average_buy_value"),
        (SELL_VALUE, BUY_VALUE, "average_sell_value"),
        ("_scaled(sold, market.decimals)", "_scaled(bought, market.decimals)", "amount_sold"),
        ("_scaled(bought, market.decimals)", "_scaled(sold, market.decimals)", "amount_bought"),
        ('view.money(words["profit"])', "view.money(0)", "profit"),
        ('sum(words["sold_quote"] for', 'sum(words["bought_quote"] for', "amount_sold"),
        ('sum(words["bought_quote"] for', 'sum(words["bought_lots"] for', "amount_bought"),
        ('sum(words["profit"] for', 'max(words["profit"] for', "profit"),
        ("summaries, Period.DAY, view", "summaries, Period.MONTH, view", "daily"),
        ("summaries, Period.MONTH, view", "summaries, Period.DAY, view", "monthly"),
        ("if symbol not in traded]", "]", "coins"),
    ],
)  # fmt: skip
def test_a_document_that_is_wrong_in_one_value_is_caught(
    trader: Trader, right: str, planted: str, caught: str
) -> None:
    """Planted: values of the other side, no profit, the largest for the sum, day for month."""
    trader.begin()
    trader.do(LIVED)
    source = inspect.getsource(document)
    assert source.count(right) >= 1, f"document.py has no more: {right}"
    module = ModuleType("planted")
    exec(source.replace(right, planted, 1), vars(module))
    found = trader.wrong(module)
    assert any(caught in each for each in found), found


def test_a_stretch_that_was_lived_touches_every_value(trader: Trader) -> None:
    """The planted faults have something to be seen by: no value is zero, both days differ."""
    trader.begin()
    trader.do(LIVED)
    found = trader.wrong()
    assert not found, "\n".join(found)
    told = trader.told()
    for name in ("monthly_summary", "daily_summary"):
        for coin in told[name]["crypto"]:
            values = [value for key, value in coin.items() if key != "symbol"]
            assert all(values) == (coin["symbol"] != "XRP")
    assert told["monthly_summary"]["profit"] != told["daily_summary"]["profit"]
