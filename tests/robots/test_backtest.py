"""Backtests: the imitated market by tables, the run against naive ones, and the command."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from fondaco.cli.main import build_app
from fondaco.core.records import Query, pack, split, unpack
from fondaco.robots.backtest import run as run_module
from fondaco.robots.backtest.figures import Figures
from fondaco.robots.backtest.floor import Instrument
from fondaco.robots.backtest.market import Market
from fondaco.robots.backtest.result import Result, Settings, encode
from fondaco.robots.backtest.run import Backtest, BacktestFault
from fondaco.robots.backtest.tape import Bar, TapeFault, Tick, Walk, read_trades, walk
from fondaco.robots.rules.plan import Figure, plan_rule
from fondaco.robots.rules.state import OrderWish
from fondaco.robots.rules.validation import read_rule
from tests.robots.test_rules import SEED

D = Decimal
SECOND_US = 1_000_000
SETTINGS = Settings(
    source="trades",
    walk=None,
    interval_s=None,
    base="AAA",
    quote="USD",
    tick=D("0.01"),
    lot=D("0.1"),
    maker_fee=D(0),
    taker_fee=D("0.001"),
    latency_ms=0,
    depth=D(5),
    queue=D(3),
    cash=D(1000),
    coins=D(10),
)


def ticks(*rows: str) -> list[Tick]:
    """Read "second price quantity buy|sell" lines."""
    found = []
    for row in rows:
        second, price, quantity, side = row.split()
        found.append(Tick(int(D(second) * SECOND_US), D(price), D(quantity), side == "buy"))
    return found


def run(text: str, tape: list[Tick], **changes: Any) -> Result:
    changed = msgspec.structs.replace(SETTINGS, **changes)
    return Backtest(plan_rule(read_rule(text)), changed).run(tape)


def rule(order: str, when: str = "", then: str = "") -> str:
    condition = f'"$when": {when},' if when else ""
    more = f', "$then": {then}' if then else ""
    return f'{{{condition} "$do": {{"$order": {{"ticker": "AAA", {order}}}}}{more}}}'


def last(kind: str, price: str) -> str:
    return (
        f'{{"$comparison": {{"itemA": {{"$ticker": "AAA"}}, "itemB": {price}, "type": "{kind}"}}}}'
    )


BID_100 = '"kind": "LIMIT", "intent": "BUY", "bid": 100, "shares": 2'


def fills(result: Result) -> list[str]:
    return [f"{one.time_us / SECOND_US:g} {one.quantity} at {one.price}" for one in result.fills]


# -- the market, told ----------------------------------------------------------------------------


def test_a_resting_order_waits_for_the_queue_before_it() -> None:
    """3 stand before a bid of 2 at the best price: 3 sold fill none, the next 1.5 fill 1.5."""
    tape = ticks("1 100 1 sell", "2 100 3 sell", "3 100 1.5 sell", "4 100.01 9 buy", "5 100 9 sell")
    assert fills(run(rule(BID_100), tape)) == ["3 1.5 at 100.00", "5 0.5 at 100.00"]


def test_a_better_price_has_no_queue_and_is_reached_first() -> None:
    """A bid above the best stands alone, and a trade below fills it at its own price."""
    tape = ticks("1 99 1 sell", "2 101 1 buy", "3 99.5 1 sell", "4 99 9 sell")
    late = rule(BID_100, last("eq", "101"))
    assert fills(run(late, tape)) == ["3 1.0 at 100.00", "4 1.0 at 100.00"]


def test_a_buyer_below_a_resting_bid_means_that_it_was_filled() -> None:
    """If somebody buys at 99.90, whoever sold to them would have sold to the bid at 100."""
    tape = ticks("1 100 1 sell", "2 100.05 1 buy", "3 99.90 9 buy")
    result = run(rule(BID_100), tape, queue=D(0))
    assert fills(result) == ["3 2.0 at 100.00"]
    assert result.fills[0].maker


def test_a_market_order_walks_the_depth_tick_by_tick() -> None:
    """5 stand at the best price and at each next tick: 12 cost three prices, and the fee."""
    tape = ticks("1 10 1 buy", "2 10 1 buy")
    result = run(rule('"kind": "MARKET", "intent": "BUY", "shares": 12'), tape)
    assert fills(result) == ["1 5.0 at 10.00", "1 5.0 at 10.01", "1 2.0 at 10.02"]
    # The fee is taken from what is received, rounded down to a lot's unit: 0.1 % of 5 is less.
    assert result.cash == 1000 - D("120.09")
    assert result.coins == 22


def test_latency_delays_orders_and_news() -> None:
    """Decided at second 1, the order meets the market of second 1.5, and the news is as late."""
    tape = ticks("1 10 1 buy", "1.4 11 1 buy", "1.6 12 1 buy", "2.1 13 1 buy")
    then = rule('"kind": "MARKET", "intent": "SELL", "shares": 1')
    buy = rule('"kind": "MARKET", "intent": "BUY", "shares": 1', "", then)
    result = run(buy, tape, latency_ms=500)
    # Bought at 11, the price at 1.5; heard of at 2.0, when the sale leaves, too late for the tape.
    assert fills(result) == ["1.5 1.0 at 11.00"]
    assert [line.status for line in result.orders] == ["FILLED", "SENT"]


def test_what_the_core_refuses_is_a_reason_and_ends_the_rule() -> None:
    """Too dear, off the tick, a maker that would take, a market without a price: all are told."""
    cases = {
        '"kind": "LIMIT", "intent": "BUY", "bid": 100, "shares": 11': "INSUFFICIENT_BALANCE",
        '"kind": "LIMIT", "intent": "BUY", "bid": 100.001, "shares": 1': "price 100.001 is not",
        '"kind": "LIMIT", "intent": "BUY", "bid": 100, "shares": 0.05': "quantity 0.05 is not",
        '"kind": "LIMIT_MAKER", "intent": "BUY", "bid": 101, "shares": 1': "WOULD_MATCH",
        '"kind": "MARKET", "intent": "SELL", "shares": 11': "INSUFFICIENT_BALANCE",
    }
    for order, reason in cases.items():
        result = run(rule(order), ticks("1 100 1 buy"))
        [line] = result.orders
        assert (line.status, reason in line.reason) == ("REJECTED", True), (order, line.reason)
        assert result.state == "DONE"
        assert (result.cash, result.coins) == (D(1000), D(10))


def test_s2_10_the_seeds_rule_in_a_backtest() -> None:
    """The seed's rule takes 100 at 20.55; its offer at 20.90 rests and is lifted: 35 earned."""
    seed = SEED.replace("STOCKA", "AAA")
    tape = ticks(
        "1 20.50 50 buy", "2 20.55 500 buy", "3 20.56 500 sell", "4 20.99 500 buy",
        "5 21.00 900 buy", "6 21.02 900 buy",
    )  # fmt: skip
    result = run(seed, tape, cash=D(5000), coins=D(0), depth=D(1000), taker_fee=D(0))
    assert result.state == "DONE"
    assert [(one.side, one.quantity, one.price) for one in result.fills] == [
        ("BUY", D("100.0"), D("20.55")),
        ("SELL", D("100.0"), D("20.90")),
    ]
    assert result.profit == D("35.00")
    assert (result.cash, result.coins) == (D("5035.00"), D(0))


def test_a_cancel_takes_the_queue_along() -> None:
    """After $cancel nothing of the robot's or of the crowd before it stands in the book."""
    cancel = f'{{"$when": {last("gt", "101")}, "$do": {{"$cancel": "all"}}}}'
    text = rule(BID_100 + ', "then_after": "ACCEPTED"', "", cancel)
    test = Backtest(plan_rule(read_rule(text)), SETTINGS)
    result = test.run(ticks("1 100 1 sell", "2 102 1 buy", "3 100 9 sell"))
    assert [line.status for line in result.orders] == ["CANCELED"]
    book = split(test.market.exchange.query(pack(Query.DEPTH, instrument=1, limit=5)))
    assert len(book) == 1  # its head, no level
    assert result.fills == ()


def test_a_market_that_money_cannot_hold_is_refused() -> None:
    """A tick and a lot of 8 decimals each would need 16 of the cash: the core says no."""
    fine = D("0.00000001")
    with pytest.raises(BacktestFault, match="INVALID_DEFINITION"):
        run(rule(BID_100), ticks("1 100 1 buy"), tick=fine, lot=fine)


def test_a_stop_is_set_off_by_the_recorded_price() -> None:
    """A stop of 7 at 98 sleeps at 99 and 98.50, and sells into the depth below 98, once."""
    stop = rule('"kind": "STOP_LOSS", "intent": "SELL", "stop": 98, "shares": 7')
    tape = ticks("1 100 1 buy", "2 99 1 sell", "3 98.50 9 sell", "4 97.90 1 sell", "5 97 9 sell")
    result = run(stop, tape)
    assert fills(result) == ["4 5.0 at 97.90", "4 2.0 at 97.89"]
    assert result.state == "DONE"
    assert result.orders[0].status == "FILLED"


def test_a_stop_limit_rests_and_a_reached_stop_is_refused() -> None:
    """Set off, a stop limit rests at its limit; a stop that the price has passed is refused."""
    limit = '"kind": "STOP_LOSS_LIMIT", "intent": "SELL", "stop": 98, "ask": 99, "shares": 2'
    tape = ticks("1 100 1 buy", "2 97 9 sell", "3 98.99 9 buy", "4 99.01 9 buy")
    assert fills(run(rule(limit), tape)) == ["4 2.0 at 99.00"]
    late = run(rule(limit.replace('"stop": 98', '"stop": 101')), tape)
    said = "WOULD_TRIGGER: the last trade, 100.00, has reached the stop"
    assert (late.orders[0].status, late.orders[0].reason) == ("REJECTED", said)
    assert late.fills == ()


# -- candles and figures ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "rising", "falling"),
    [
        (Walk.SHAPE, [10, 8, 15, 12], [12, 15, 8, 10]),
        (Walk.OHLC, [10, 15, 8, 12], [12, 15, 8, 10]),
        (Walk.OLHC, [10, 8, 15, 12], [12, 8, 15, 10]),
        (Walk.CLOSE, [12], [10]),
    ],
)
def test_a_candle_is_walked_as_chosen(way: Walk, rising: list[int], falling: list[int]) -> None:
    """Each way visits the four prices in its order, within the candle, and shares its volume."""
    for opens, closes, wanted in ((10, 12, rising), (12, 10, falling)):
        bar = Bar(60_000_000, D(opens), D(15), D(8), D(closes), D(20))
        found = list(walk(bar, 60_000_000, way, D("0.1")))
        assert [int(tick.price) for tick in found] == wanted
        assert sum(tick.quantity for tick in found) == 20
        times = [tick.time_us for tick in found]
        assert times == sorted(times)
        assert 60_000_000 <= times[0] <= times[-1] < 120_000_000


class OnTicks(Backtest):
    """One that no time wakes between two ticks."""

    def _stamp_us(self) -> int:
        return 1 << 62


def test_a_figure_is_ta_libs_over_closed_candles(shared_data: Path) -> None:
    """On recorded trades a rule sees at each minute the average of the closed minutes, no more."""
    path = shared_data / "trades" / "binance_XRPETH_aggtrades.csv.gz"
    tape = list(read_trades(path))[:2_000]
    text = """{"$when": {"$comparison": {"itemA": {"$ticker": "AAA"}, "itemB": {"$indicator":
    {"name": "SMA", "ticker": "AAA", "interval": "1m", "parameters": {"timeperiod": 3}}},
    "type": "lt"}}, "$do": {"$notify": "below"}, "$repeat": {"times": 1000}}"""
    test = OnTicks(
        plan_rule(read_rule(text)),
        msgspec.structs.replace(SETTINGS, tick=D("0.00000001"), lot=D(1), depth=D(1), queue=D(1)),
    )
    result = test.run(tape)
    closes: dict[int, Decimal] = {}
    expected = 0
    for tick in tape:
        minute = tick.time_us // 60_000_000
        if closes:
            for flat in range(max(closes) + 1, minute):
                closes[flat] = closes[flat - 1]
        before = [closes[one] for one in (minute - 3, minute - 2, minute - 1) if one in closes]
        expected += len(before) == 3 and float(tick.price) < float(sum(before)) / 3 - 1e-12
        closes[minute] = tick.price
    # The same price twice is no second look, a price at the average is a matter of the last bit,
    # and two ticks in one microsecond are one look: so not more, and nearly as many.
    assert 0.5 * expected < len(result.notices) <= expected


def test_a_gap_longer_than_what_is_kept_is_flat() -> None:
    """After years without a trade the figures are of flat candles, as if each had been made."""
    asked = Figure("SUM", "AAA", "1m", (("timeperiod", 30),), "real")
    volume = Figure("OBV", "AAA", "1m", (), "real")
    figures = Figures([asked, volume])
    for minute, price in ((0, 5), (1, 6), (2, 7)):
        list(figures.take(minute * 60 * SECOND_US, D(price), D(3)))
    years = 3 * 366 * 1440
    assert list(figures.take(years * 60 * SECOND_US, D(9), D(1))) == [asked, volume]
    assert figures.values[asked] == 30 * 7
    [series] = figures._series.values()
    assert len(series.bars) == series.bars.kept_max
    assert series.bars.last is not None
    assert series.bars.last.open_ms == (years - 1) * 60_000


# -- against naive ones ---------------------------------------------------------------------------

STOPS = rule(
    '"kind": "MARKET", "intent": "BUY", "shares": 2',
    last("crosses_above", "10"),
    rule('"kind": "STOP_LOSS", "intent": "SELL", "stop": 9.90, "shares": 2', last("gt", "9.95")),
)
RULES = [
    rule('"kind": "MARKET", "intent": "BUY", "spend": {"$cash": "free"}', last("lt", "9.9"),
         rule('"kind": "LIMIT", "intent": "SELL", "ask": 10.10, "shares": {"$position": "AAA"}')
         [:-1] + ', "$repeat": {"times": 3}}'),
    rule('"kind": "LIMIT", "intent": "BUY", "bid": {"$ticker": {"symbol": "AAA", "field": "bid"}},'
         ' "shares": 3', last("crosses_below", "10"),
         rule('"kind": "MARKET", "intent": "SELL", "shares": 3', last("crosses_above", "10")))
    [:-1] + ', "$repeat": {"times": 50, "pause_s": 2}}',
    rule('"kind": "LIMIT", "intent": "SELL", "ask": 10.05, "shares": 4, "then_after": "ACCEPTED",'
         ' "name": "exit"', "",
         f'{{"$when": {last("lt", "9.95")}, "$do": [{{"$cancel": "exit"}}, {{"$notify": "off"}}]}}')
    [:-1] + ', "$repeat": {"times": 20}}',
    STOPS[:-1] + ', "$repeat": {"times": 9}}',
    rule('"kind": "MARKET", "intent": "BUY", "shares": 3', last("lt", "10"),
         rule('"kind": "OCO", "intent": "SELL", "ask": 10.06, "stop": 9.92, "shares": 3',
              last("gt", "9.95")))[:-1] + ', "$repeat": {"times": 30}}',
]  # fmt: skip
# Its own taking is the last price that it saw, the tape's is another.
STOPPED_LAST = (
    RULES[3],
    [(0, 0, 1, False), (0, 0, 1, False), (0, 0, 1, False), (0, -1, 1, False), (0, 2, 1, False)],
)
tapes = st.lists(
    st.tuples(st.integers(0, 1_500), st.integers(-8, 8), st.integers(1, 60), st.booleans()),
    min_size=5,
    max_size=120,
)


def tape_of(steps: list[tuple[int, int, int, bool]]) -> list[Tick]:
    """A walk around 10: milliseconds since the last, cents, tenths, who took."""
    time_us, cents, found = SECOND_US, 1_000, []
    for wait_ms, step, tenths, buys in steps:
        time_us += wait_ms * 1_000
        cents = min(max(cents + step, 950), 1_050)
        found.append(Tick(time_us, D(cents) / 100, D(tenths) / 10, buys))
    return found


def check_money(test: Backtest) -> None:
    """Sums over all accounts are zero, and the robot holds what its open orders need."""
    totals = split(test.market.exchange.query(pack(Query.TOTALS)))
    for record in totals:
        words = unpack(record)
        names = ("members", "fees", "rounding", "inventory", "world")
        assert sum(words[name] for name in names) == 0
    assert min(*test.market.free.values(), *test.market.held.values()) >= 0
    if not test.market.open:
        assert set(test.market.held.values()) == {0}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(STOPPED_LAST[0], STOPPED_LAST[1], 0)
@given(st.sampled_from(RULES), tapes, st.sampled_from([0, 100, 700]))
def test_money_equity_and_drawdown_are_the_fills(
    text: str, steps: list[tuple[int, int, int, bool]], latency_ms: int
) -> None:
    """On any tape: sums are zero, and cash, coins, equity and days follow from the fills alone."""
    tape = tape_of(steps)
    test = Backtest(
        plan_rule(read_rule(text)), msgspec.structs.replace(SETTINGS, latency_ms=latency_ms)
    )
    result = test.run(tape)
    check_money(test)
    cash, coins = SETTINGS.cash, SETTINGS.coins
    for fill in result.fills:
        assert fill.amount == fill.price * fill.quantity
        sign = 1 if fill.side == "BUY" else -1
        cash -= sign * fill.amount + (fill.fee if fill.fee_asset == "USD" else 0)
        coins += sign * fill.quantity - (fill.fee if fill.fee_asset == "AAA" else 0)
        arrived = [t.time_us for t in tape]
        assert arrived[0] + latency_ms * 1_000 <= fill.time_us <= arrived[-1]
    assert (result.cash, result.coins) == (cash, coins)
    assert result.equity == cash + coins * tape[-1].price
    assert result.profit == sum(day.profit for day in result.days)
    assert sum(day.fills for day in result.days) == len(result.fills)
    for line in result.orders:
        got = sum(f.quantity for f in result.fills if f.client_order_id == line.client_order_id)
        assert line.filled == got
        assert line.quantity is None or got <= line.quantity
    # The drawdown, the slow way: from what was held after each tick.
    assert result.drawdown == slow_drawdown(result, tape)


def slow_drawdown(result: Result, tape: list[Tick]) -> Decimal:
    peak, deepest = result.equity_first, D(0)
    for place, tick in enumerate(tape):
        following = tape[place + 1].time_us if place + 1 < len(tape) else tick.time_us
        if following == tick.time_us and place + 1 < len(tape):
            return result.drawdown  # two ticks at once: which fills lay between can't be told
        cash, coins = SETTINGS.cash, SETTINGS.coins
        for fill in result.fills:
            if fill.time_us <= tick.time_us:
                sign = 1 if fill.side == "BUY" else -1
                cash -= sign * fill.amount + (fill.fee if fill.fee_asset == "USD" else 0)
                coins += sign * fill.quantity - (fill.fee if fill.fee_asset == "AAA" else 0)
        equity = cash + coins * tick.price
        peak = max(peak, equity)
        deepest = max(deepest, peak - equity)
    return deepest


class EveryTick(Backtest):
    """The naive twin: it looks at the rule at every tick."""

    def _see(self, time_us: int, ticks: Sequence[Tick] = ()) -> bool:
        super()._see(time_us, ticks)
        return True


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(RULES), tapes, st.sampled_from([0, 100, 700]))
def test_looking_at_every_tick_gives_the_same_bytes(
    text: str, steps: list[tuple[int, int, int, bool]], latency_ms: int
) -> None:
    """With the index and without it, a backtest is the same to the byte."""
    changed = msgspec.structs.replace(SETTINGS, latency_ms=latency_ms)
    results = [
        encode(kind(plan_rule(read_rule(text)), changed).run(tape_of(steps)))
        for kind in (Backtest, EveryTick)
    ]
    assert results[0] == results[1]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(RULES), tapes, st.sampled_from([0, 100, 700]), st.data())
def test_the_future_changes_nothing(
    text: str, steps: list[tuple[int, int, int, bool]], latency_ms: int, data: st.DataObject
) -> None:
    """What was decided and filled up to a tick is the same whatever came after it."""
    tape = tape_of(steps)
    cut = data.draw(st.integers(1, len(tape)))
    whole = run(text, tape, latency_ms=latency_ms)
    part = run(text, tape[:cut], latency_ms=latency_ms)
    assert whole.fills[: len(part.fills)] == part.fills
    assert whole.decisions[: len(part.decisions)] == part.decisions
    wished = [line.client_order_id for line in part.orders]
    assert [line.client_order_id for line in whole.orders][: len(wished)] == wished


def test_a_planted_look_ahead_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A market that deals at the price of the tick to come fails the test of the future."""
    honest = run_module.Backtest.run

    def peeking(self: Backtest, tape: Any, on_ticks: Any = None) -> Result:
        rows = list(tape)
        seen = [a._replace(price=b.price) for a, b in zip(rows, [*rows[1:], rows[-1]], strict=True)]
        return honest(self, seen, on_ticks)

    monkeypatch.setattr(run_module.Backtest, "run", peeking)
    tape = ticks("1 10 1 buy", "2 9.8 9 sell", "3 10.2 9 buy", "4 9.7 9 sell", "5 10.3 9 buy")
    parts = [run(RULES[0], tape[:cut]) for cut in range(1, 6)]
    assert any(parts[-1].decisions[: len(part.decisions)] != part.decisions for part in parts)


def test_the_market_does_the_same_for_the_same_calls() -> None:
    """Two markets with the same calls end in the same state of the core."""
    hashes = set()
    for _ in range(2):
        instrument = Instrument(base="AAA", quote="USD", tick=D("0.01"), lot=D("0.1"))
        market = Market(instrument, cash=D(100), coins=D(1), depth=50, queue=10)
        market.trade(1, 1_000, 5, buys=True)
        wish = OrderWish("a-1", "AAA", "LIMIT", "BUY", D(1), None, D("9.99"), None, "GTC")
        market.place(2, wish)
        market.trade(3, 998, 50, buys=False)
        hashes.add(market.exchange.state_hash())
        assert [fill.price for fill in market.fills] == [D("9.99")]
    assert len(hashes) == 1


# -- the command -----------------------------------------------------------------------------------

TRADES = "ts_ms,price,qty,buyer_is_maker\n" + "".join(
    f"{1_600_000_000_000 + n * 1000},{20 + n % 30 / 10},{5 + n % 3},{str(n % 2 == 1).lower()}\n"
    for n in range(200)
)
CANDLES = "ts_ms,open,high,low,close,volume\n" + "".join(
    f"{1_600_000_000_000 + n * 60_000},20,{21 + n % 3},19.5,{20 + n % 2},12\n" for n in range(200)
)


def call(*arguments: str) -> Any:
    return CliRunner().invoke(build_app("backtest"), ["backtest", *arguments])


def test_the_command_prints_the_same_bytes_twice(tmp_path: Path) -> None:
    """Two processes, other hash seeds, another folder: one JSON object, equal to the byte."""
    printed = []
    for seed, name in (("1", "a"), ("2", "b")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "robot.json").write_text(SEED, encoding="utf-8")
        with gzip.open(folder / "trades.csv.gz", "wt", encoding="utf-8") as file:
            file.write(TRADES)
        done = subprocess.run(
            [
                sys.executable, "-m", "fondaco", "backtest", str(folder / "robot.json"),
                "--trades", str(folder / "trades.csv.gz"), "--json",
            ],
            check=True,
            capture_output=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )  # fmt: skip
        printed.append(done.stdout)
    assert printed[0] == printed[1]
    result = json.loads(printed[0])
    assert result["settings"]["lot"] == "1"
    assert result["fills"]
    assert result["state"] == "DONE"


def test_candles_and_a_robots_file_are_read(tmp_path: Path) -> None:
    """A robot's own file gives its allotment; the walk is chosen and shown."""
    body = {"id": "mine", "kind": "rule", "rule": json.loads(SEED), "active": True,
            "allotment": {"USD": "2500", "STOCKA": "7"}}  # fmt: skip
    (tmp_path / "robot.json").write_text(json.dumps(body), encoding="utf-8")
    (tmp_path / "candles.csv").write_text(CANDLES, encoding="utf-8")
    done = call(
        str(tmp_path / "robot.json"), "--candles", str(tmp_path / "candles.csv"),
        "--walk", "ohlc", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout.splitlines()[-1])
    shown = result["settings"]
    assert (shown["cash"], shown["coins"], shown["walk"]) == ("2500", "7", "ohlc")
    assert (shown["interval_s"], result["ticks"]) == (60, 800)
    assert result["orders"][0]["client_order_id"] == "mine-1"
    people = call(str(tmp_path / "robot.json"), "--candles", str(tmp_path / "candles.csv"))
    assert people.exit_code == 0
    assert "STOCKA in USD, 800 ticks of candles, walked by shape" in people.stdout
    assert "step 1 acts: STOCKA last " in people.stdout


@pytest.mark.parametrize(
    ("robot", "tape", "options", "says"),
    [
        (SEED, TRADES, ["--candles", "x"], "give one tape"),
        (SEED.replace("gte", "over", 1), TRADES, [], "$.$when.$comparison.type"),
        ("[]", TRADES, [], "not a robot"),
        ('{"rule": {"$do": {"$notify": "a"}}, "id": "a b"}', TRADES, [], "its id is 'a b'"),
        ('{"rule": 3}', TRADES, [], "$: Expected"),
        ("{", TRADES, [], "not a robot"),
        (SEED.replace("STOCKA", "STOCKB", 1), TRADES, [], "order needs a ticker"),
        ('{"$do": {"$notify": "a"}}', TRADES, [], "names no ticker"),
        (SEED, "", [], "it needs ts_ms or"),
        (SEED, TRADES.splitlines()[0], [], "no trade or candle"),
        (SEED, TRADES + "x,1,1,true\n", [], "line 202"),
        (SEED, TRADES + "1,1,1,true\n", [], "the time goes back"),
        (SEED, TRADES + "1600000900000,NaN,1,true\n", [], "above 0"),
        (SEED, TRADES + "1600000900000,1,1,yes\n", [], "true or false"),
        (SEED, TRADES + "1600000900000,1.123456789,1,true\n", [], "line 202: price 1."),
        (SEED, TRADES + "-1,1,1,true\n", [], "line 202: found time '-1'; it is milliseconds since"),
        (SEED, TRADES + "9" * 5000 + ",1,1,true\n", [], "line 202: found time '9999"),
        (SEED, TRADES + "1600000900000,x,1,true\n", [], "found 'x'; write a number like 20.55"),
        (SEED, TRADES + "1600000900000," + "1" * 140_000, [], "line 202: it is no CSV with one"),
        (SEED, TRADES + "1600000900000,\udcff,1,true\n", [], "line 202: found bytes that are no"),
        (SEED, TRADES, ["--cash", "much"], "fondaco: --cash is 'much'; write a number"),
        (SEED, TRADES, ["--depth", "-1"], "fondaco: --depth is -1; it is from 0"),
        (SEED, TRADES, ["--taker-fee", "1"], "fondaco: --taker-fee is 1; it is below 1"),
        (SEED, TRADES, ["--cash", "0.123456789"], "fondaco: --cash is 0.123456789; it has at most"),
        (SEED, TRADES, ["--time-zone", "Mars/Base"], "--time-zone is 'Mars/Base', which is none"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(
    tmp_path: Path, robot: str, tape: str, options: list[str], says: str
) -> None:
    """Status 2 and, as the one line of stderr, the place and what to do; nothing on stdout."""
    (tmp_path / "robot.json").write_text(robot, encoding="utf-8")
    (tmp_path / "trades.csv").write_bytes(tape.encode("utf-8", "surrogateescape"))
    done = call(
        str(tmp_path / "robot.json"), "--trades", str(tmp_path / "trades.csv"), "--json", *options
    )
    assert done.exit_code == 2, done.output
    [sentence] = done.stderr.splitlines()
    assert says in sentence
    assert done.stdout == ""


def test_an_indicator_without_ta_lib_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the extra isn't installed, a rule with an indicator says which to install."""
    monkeypatch.setitem(sys.modules, "fondaco.robots.signals.figures", None)
    item = '{"$indicator": {"name": "RSI", "ticker": "STOCKA"}}'
    robot = SEED.replace('{"$ticker": "STOCKA"}', item, 1)
    (tmp_path / "robot.json").write_text(robot, encoding="utf-8")
    (tmp_path / "trades.csv").write_text(TRADES, encoding="utf-8")
    done = call(str(tmp_path / "robot.json"), "--trades", str(tmp_path / "trades.csv"))
    assert done.exit_code == 2
    assert "install TA-Lib with `pip install fondaco[ta]`" in done.stderr


def test_a_compressed_file_that_is_none_is_named(tmp_path: Path) -> None:
    """A file whose name promises gzip or xz and whose bytes don't: line 1, and what to do."""
    whole = gzip.compress(TRADES.encode())
    for name, content, said in (
        ("trades.csv.gz", TRADES.encode(), "line 1: it can't be unpacked as .gz; pack it again"),
        ("trades.csv.xz", TRADES.encode(), "line 1: it can't be unpacked as .xz; pack it again"),
        ("trades.csv.gz", whole[:-9], "the packed file ends too early; pack or copy it again"),
        ("trades.csv.gz", whole[:20] + b"\xff" * 20 + whole[40:], "it can't be unpacked as .gz"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(TapeFault, match=said):
            list(read_trades(path))
