"""What does a tick cost ten thousand waiting rules, and a backtest a year of minute candles?

    python -m bench.robots_bench [--rounds 5] [--ticks 20000] [--days 365] [--short]

Waiting: rules that no tick concerns, and ten that cross the market again and again; each tick is
told to the index, and whoever is woken is looked at and placed again. Of the others some wait for a
price far away, some for it to pass its own average (one of 500, which is far away and moves every
100 ticks), and some have seen their price and have no cash to buy. The peer looks at every rule at
every tick. Desk: the same bots at a desk as a worker has it, fed with the events of trades, whose
averages move as their candles close. The bar: a tick beside 10,000 costs at most FLAT_MAX times one
beside 1; over it, the program ends with status 1.

Backtest: the same file of seeded minute candles, read, walked by `shape` and traded by one rule,
against a bare loop over the same bars that decides the same on floats, without an exchange, money
or fees. (backtesting.py would be the peer, but its licence, AGPL-3.0, keeps it out of here.)
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

from fondaco.core.records import Event, pack
from fondaco.robots.backtest.result import Result, Settings
from fondaco.robots.backtest.run import Backtest
from fondaco.robots.backtest.survey import survey_candles
from fondaco.robots.backtest.tape import Bar, Tick, Walk, read_candles, walk
from fondaco.robots.rules.desk import Bot, Desk
from fondaco.robots.rules.evaluator import look
from fondaco.robots.rules.index import RuleIndex
from fondaco.robots.rules.plan import Figure, Plan, TickerOf, plan_rule
from fondaco.robots.rules.state import State
from fondaco.robots.rules.validation import read_rule
from fondaco.robots.rules.view import Quote, View
from tests.robots.idle import Idle, sight_of_aaa

WAITS = """{{"$when": {{"$comparison": {{"itemA": {{"$ticker": "AAA"}}, "itemB": {line},
"type": "{kind}"}}}}, "$do": {{"$notify": "there"}}, "$repeat": {{"times": 10000}}}}"""
AVERAGE = """{{"$indicator": {{"name": "SMA", "ticker": "AAA", "interval": "1m", "parameters":
{{"timeperiod": {period}}}}}}}"""
POOR = """{{"$when": {{"$comparison": {{"itemA": {{"$ticker": "AAA"}}, "itemB": {line},
"type": "gt"}}}}, "$do": {{"$order": {{"kind": "MARKET", "intent": "BUY",
"spend": {{"$cash": "free"}}}}}}}}"""
TRADES = """{"$when": {"$comparison": {"itemA": {"$ticker": "AAA"}, "itemB": 98,
"type": "crosses_below"}}, "$do": {"$order": {"kind": "MARKET", "intent": "BUY", "shares": 10}},
"$then": {"$when": {"$comparison": {"itemA": {"$ticker": "AAA"}, "itemB": 102,
"type": "crosses_above"}}, "$do": {"$order": {"kind": "MARKET", "intent": "SELL", "shares": 9}}},
"$repeat": {"times": 10000}}"""
NEAR = 10
CROWDS = (1, 100, 1_000, 10_000)
FLAT_MAX = 1.5
AVERAGES = 500
CLOSES_EVERY = 100  # ticks
MINUTE_US = 60_000_000
START_US = 2 * AVERAGES * MINUTE_US
LAST = TickerOf("AAA", "last")


def constant(number: int) -> str:
    """Wait for a price of its own, far away."""
    return WAITS.format(line=Decimal(200) + Decimal(number) / 100, kind="gte")


def average(number: int) -> str:
    """Wait for the price to pass its average, which is far away."""
    line = AVERAGE.format(period=AVERAGES + number % AVERAGES)
    return WAITS.format(line=line, kind="crosses_above" if number % 2 else "gt")


def poor(number: int) -> str:
    """Have seen the price that it waited for, and have nothing to spend."""
    return POOR.format(line=Decimal(number) / 1000)


def near(number: int) -> str:
    """Cross the market's price again and again."""
    return WAITS.format(line=Decimal(99) + Decimal(number) / 5, kind="crosses_above")


RULES: dict[str, Callable[[int], str]] = {
    "a price": constant,
    "price against its average": average,
    "a true condition, no cash": poor,
}


def prices(count: int, chance: Random) -> list[Decimal]:
    """A walk around 100 in cents that stays within 90 and 110."""
    cents, found = 10_000, []
    for _ in range(count):
        cents = min(max(cents + chance.randint(-5, 5), 9_000), 11_000)
        found.append(Decimal(cents) / 100)
    return found


over: list[float] = []


def mark(spent: dict[int, float]) -> str:
    """Return how a tick beside the largest crowd compares with one beside the least."""
    ratio = spent[CROWDS[-1]] / spent[CROWDS[0]]
    if ratio > FLAT_MAX:
        over.append(ratio)
    return f"{ratio:.2f}{', over the bar' if ratio > FLAT_MAX else ''}"


class Waiting:
    """So many rules that no tick concerns, and NEAR that cross the price again and again."""

    def __init__(self, rule: Callable[[int], str], far: int) -> None:
        """Plan and place them all."""
        self.index = RuleIndex()
        self.plans: dict[str, Plan] = {}
        self.states: dict[str, State] = {}
        self.figures: dict[Figure, float] = {}
        for number in range(far):
            self.add(f"far{number}", rule(number))
        for number in range(NEAR):
            self.add(f"near{number}", near(number))
        self.averages = sorted(self.figures)

    def add(self, bot: str, text: str) -> None:
        self.plans[bot] = plan_rule(read_rule(text))
        self.states[bot] = State()
        for figure in self.plans[bot].figures:
            self.figures[figure] = 150.0 + dict(figure.parameters)["timeperiod"] / 10
        self.look(bot, Decimal(100), 1)

    def look(self, bot: str, price: Decimal, time_us: int) -> None:
        outcome = look(self.plans[bot], self.states[bot], self.view(price, time_us), bot)
        self.states[bot] = outcome.state
        self.index.place(bot, self.plans[bot], outcome, time_us)

    def view(self, price: Decimal, time_us: int) -> View:
        return View(time_us=time_us, quotes={"AAA": Quote(last=price)}, figures=self.figures)

    def tick(self, price: Decimal, time_us: int) -> int:
        """Tell the index, and look at whom it wakes; returns how many."""
        woken = self.index.advanced(time_us) + self.index.changed(LAST, price)
        for bot in woken:
            self.look(bot, price, time_us)
        return len(woken)

    def close(self, price: Decimal, time_us: int) -> int:
        """Let a candle close: all averages move; returns how many are woken."""
        count = 0
        for figure in self.averages:
            self.figures[figure] += 0.25 if time_us % 2 else -0.25
            for bot in self.index.changed(figure, self.figures[figure]):
                self.look(bot, price, time_us)
                count += 1
        return count

    def look_at_all(self, price: Decimal, time_us: int) -> None:
        view = self.view(price, time_us)
        for bot, plan in self.plans.items():
            self.states[bot] = look(plan, self.states[bot], view, bot).state


def waiting_table(name: str, rounds: int, ticks: int) -> None:
    """Print what a tick costs by the number of rules that it doesn't concern."""
    walked = prices(ticks, Random(1))
    crowds = {far: Waiting(RULES[name], far) for far in CROWDS}
    times: dict[int, list[float]] = {far: [] for far in crowds}
    closes: dict[int, list[float]] = {far: [] for far in crowds}
    woken: dict[int, int] = {}
    now_us = 1
    for _ in range(rounds):
        for far, crowd in crowds.items():
            count = closing_ns = 0
            began = time.process_time_ns()
            for place, price in enumerate(walked, 1):
                count += crowd.tick(price, now_us + place)
                if crowd.averages and not place % CLOSES_EVERY:
                    at_ns = time.process_time_ns()
                    count += crowd.close(price, now_us + place // CLOSES_EVERY)
                    closing_ns += time.process_time_ns() - at_ns
            spent_ns = time.process_time_ns() - began - closing_ns
            times[far].append(spent_ns / ticks / 1000)
            moved = ticks // CLOSES_EVERY * max(1, len(crowd.averages))
            closes[far].append(closing_ns / moved / 1000)
            woken[far] = count
        now_us += ticks
    print(
        f"\n| rules that wait for {name} | us a tick, median | least to most | woken a tick |"
        " us an average that moves | looking at all |"
    )
    print("|---|---|---|---|---|---|")
    for far, crowd in crowds.items():
        few = walked[: max(5, 20_000 // (far + 1))]
        began = time.process_time_ns()
        for place, price in enumerate(few):
            crowd.look_at_all(price, now_us + place)
        naive_us = (time.process_time_ns() - began) / len(few) / 1000
        moves = f"{statistics.median(closes[far]):.2f}" if crowd.averages else ""
        print(
            f"| {far:,} + {NEAR} | {statistics.median(times[far]):.2f} |"
            f" {min(times[far]):.2f} to {max(times[far]):.2f} |"
            f" {woken[far] / ticks:.2f} | {moves} | {naive_us:,.1f} |"
        )
    flat = mark({far: statistics.median(found) for far, found in times.items()})
    print(f"\nBeside {CROWDS[-1]:,}: {flat} times beside {CROWDS[0]}.")


def desk_of(rule: Callable[[int], str], far: int) -> Desk:
    """A desk as a worker has it, on one market, with so many bots that wait and NEAR near."""
    sight = sight_of_aaa(last_ticks=10_000)
    plans = [plan_rule(read_rule(rule(number))) for number in range(far)]
    plans += [plan_rule(read_rule(near(number))) for number in range(NEAR)]
    flat = (Decimal(200),) * 4
    past = {"1m": [Bar(at * MINUTE_US, *flat, Decimal(1)) for at in range(2 * AVERAGES)]}
    for plan in plans:
        if plan.figures:
            sight.add_figures("AAA", plan.figures, past)
            past = {}
    desk = Desk(sight)
    for number, plan in enumerate(plans):
        desk.add(Bot(f"bot{number}", plan, Idle()), after_seq=0)
    desk.enter()
    return desk


def desk_table(name: str, rounds: int, ticks: int) -> None:
    """Print what a trade's event costs a whole desk by the number of bots it doesn't concern."""
    walked = prices(ticks, Random(1))
    desks = {far: desk_of(RULES[name], far) for far in CROWDS}
    times: dict[int, list[float]] = {far: [] for far in desks}
    seq = 1
    for _ in range(rounds):
        events = [
            pack(
                Event.TRADE, seq=seq + place, time_us=START_US + (seq + place) * 10_000,
                instrument=1, trade_id=seq + place, price_ticks=int(price * 100), quantity_lots=1,
                taker_side=1,
            )
            for place, price in enumerate(walked)
        ]  # fmt: skip
        for far, desk in desks.items():
            desk.dirty.clear()
            began = time.process_time_ns()
            for place, event in enumerate(events):
                desk.take(seq + place, event)
            times[far].append((time.process_time_ns() - began) / ticks / 1000)
        seq += ticks
    print(f"\n| rule bots at a desk, {name} | us a trade, median | least to most |")
    print("|---|---|---|")
    for far, found in times.items():
        median = statistics.median(found)
        print(f"| {far:,} + {NEAR} | {median:.1f} | {min(found):.1f} to {max(found):.1f} |")
    flat = mark({far: statistics.median(found) for far, found in times.items()})
    print(f"\nBeside {CROWDS[-1]:,}: {flat} times beside {CROWDS[0]}.")


def write_candles(path: Path, days: int) -> None:
    """Write so many days of seeded minute candles around 100."""
    chance = Random(2)
    cents = 10_000
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["ts_ms", "open", "high", "low", "close", "volume"])
        for minute in range(days * 1440):
            opens = cents
            cents = min(max(cents + chance.randint(-12, 12), 9_000), 11_000)
            high = max(opens, cents) + chance.randint(0, 6)
            low = min(opens, cents) - chance.randint(0, 6)
            figures = [f"{one / 100:.2f}" for one in (opens, high, low, cents)]
            rows.writerow([minute * 60_000, *figures, chance.randint(50, 500)])


def bare_loop(path: Path) -> tuple[int, int]:
    """Decide the same on floats, as a script would; returns ticks and orders."""
    ticks = orders = side = 0
    holds = False
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            opens, high, low, close = (float(row[n]) for n in ("open", "high", "low", "close"))
            way = (opens, low, high, close) if close >= opens else (opens, high, low, close)
            for price in way:
                ticks += 1
                line = 102.0 if holds else 98.0
                now = 1 if price > line else -1 if price < line else side
                if side and now != side and (now == 1) is holds:
                    orders += 1
                    holds = not holds
                    now = 0
                side = now
    return ticks, orders


def tape(path: Path, interval_us: int, lot: Decimal) -> Iterator[Tick]:
    for bar in read_candles(path):
        yield from walk(bar, interval_us, Walk.SHAPE, lot)


def run_backtest(path: Path) -> Result:
    """Survey and run, as the command does."""
    survey = survey_candles(path)
    settings = Settings(
        source="candles", walk="shape", interval_s=60, base="AAA", quote="USD", tick=survey.tick,
        lot=survey.lot, maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"), latency_ms=100,
        depth=survey.depth, queue=survey.depth, cash=Decimal(1_000_000), coins=Decimal(0),
    )  # fmt: skip
    return Backtest(plan_rule(read_rule(TRADES)), settings).run(
        tape(path, survey.interval_us, survey.lot)
    )


def backtest_table(rounds: int, days: int) -> None:
    """Print how long a backtest takes, beside the bare loop."""
    times: dict[str, list[float]] = {"bare loop on floats": [], "backtest, reading twice": []}
    found: dict[str, tuple[int, int]] = {}
    bare, ours = times
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candles.csv"
        write_candles(path, days)
        for _ in range(rounds):
            began = time.process_time()
            found[bare] = bare_loop(path)
            times[bare].append(time.process_time() - began)
            began = time.process_time()
            result = run_backtest(path)
            times[ours].append(time.process_time() - began)
            found[ours] = result.ticks, len(result.orders)
    print(f"\n| {days * 1440:,} minute candles | s, median | least to most | ticks/s | orders |")
    print("|---|---|---|---|---|")
    for name, took in times.items():
        median = statistics.median(took)
        ticks, orders = found[name]
        print(
            f"| {name} | {median:.2f} | {min(took):.2f} to {max(took):.2f} |"
            f" {ticks / median:,.0f} | {orders} |"
        )
    ratio = statistics.median(
        took / base for took, base in zip(times[ours], times[bare], strict=True)
    )
    print(f"\n{ratio:.1f} times the bare loop (the median of the rounds).")


def main() -> int:
    """Read the options and print the tables; returns 1 if a bar isn't kept."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--ticks", type=int, default=20_000)
    options.add_argument("--days", type=int, default=365)
    options.add_argument("--short", action="store_true", help="2 rounds, 2,000 ticks, 30 days")
    given = options.parse_args()
    if given.short:
        given.rounds, given.ticks, given.days = 2, 2_000, 30
    for table in (waiting_table, desk_table):
        for name in RULES:
            table(name, given.rounds, given.ticks)
            sys.stdout.flush()
    backtest_table(given.rounds, given.days)
    print(
        f"\nProcess time; {given.rounds} interleaved rounds of {given.ticks:,} ticks, seed 1;"
        f" candles of seed 2. Bar: beside {CROWDS[-1]:,} rules a tick costs at most {FLAT_MAX}"
        f" times one beside {CROWDS[0]}; {'not kept' if over else 'kept'}."
    )
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
