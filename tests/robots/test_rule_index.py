"""The index of waiting rules against its naive twin, which looks at every bot every time."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fondaco.core.records import Event, pack
from fondaco.robots.rules import evaluator
from fondaco.robots.rules import index as index_module
from fondaco.robots.rules.desk import Bot, Desk
from fondaco.robots.rules.evaluator import hear, look
from fondaco.robots.rules.index import Bound, RuleIndex
from fondaco.robots.rules.plan import Plan, TickerOf, plan_rule
from fondaco.robots.rules.sight import Sight
from fondaco.robots.rules.state import Code, Outcome, State
from fondaco.robots.rules.validation import read_rule
from fondaco.robots.rules.view import Quote, View
from tests.robots.idle import Idle, sight_of_aaa
from tests.robots.rule_documents import (
    anything_happens,
    crossings,
    documents,
    happen,
    moves,
    opened,
    prices,
    update_of,
    view_of,
    watchers,
)
from tests.robots.rule_twin import Market

SETTINGS = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
stories = st.one_of(
    st.tuples(
        st.lists(st.one_of(documents(), crossings()), min_size=1, max_size=5),
        st.one_of(anything_happens, prices),
    ),
    st.tuples(st.lists(watchers(), min_size=1, max_size=5), moves),
)


@pytest.fixture(autouse=True)
def few_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a rule have so few open orders that some have too many."""
    monkeypatch.setattr(evaluator, "OPEN_ORDERS_MAX", 2)


class Bots:
    """A few bots, their last outcomes, and the index over them."""

    def __init__(self, texts: list[str], market: Market) -> None:
        self.plans: dict[str, Plan] = {}
        self.last: dict[str, Outcome] = {}
        self.market = market
        self.index = RuleIndex()
        self.counts: Counter[str] = Counter()
        for number, text in enumerate(texts):
            bot = f"bot{number}"
            self.plans[bot] = plan_rule(read_rule(text))
            self.take(bot, self.seen(bot, State()))

    def seen(self, bot: str, state: State) -> Outcome:
        return look(self.plans[bot], state, view_of(self.market, self.plans[bot]), bot)

    def take(self, bot: str, outcome: Outcome) -> None:
        """Keep an outcome and place the bot; without decisions nothing had been waited for."""
        if outcome.decisions:
            self.last[bot] = outcome
        self.index.place(bot, self.plans[bot], outcome, self.market.time_us)

    def tell(self, happening: Any) -> set[str]:
        """Tell the index what happened; return whom it wakes."""
        woken = set(self.index.advanced(self.market.time_us))
        if happening[0] == "quote":
            woken.update(self.index.changed(TickerOf(*happening[1:3]), happening[3]))
        elif happening[0] == "figure":
            figures = {f for plan in self.plans.values() for f in plan.figures}
            for figure in figures:
                if figure.name == happening[1]:
                    woken.update(self.index.changed(figure, happening[2]))
        elif happening[0] == "own":
            woken.update(self.plans)
        return woken

    def step(self, happening: Any) -> None:
        """Let something happen; everyone not woken must decide just as before."""
        happen(self.market, happening)
        if happening[0] == "hear":
            self.hear(happening)
        woken = self.tell(happening)
        for bot in self.plans:
            before = self.last[bot]
            now = self.seen(bot, before.state)
            if bot in woken:
                self.counts["woken"] += 1
                self.take(bot, now)
                continue
            self.counts["left"] += 1
            self.counts[f"left {before.decisions[-1].code}"] += 1
            assert now.state == before.state
            assert (now.orders, now.cancels, now.notices) == ((), (), ())
            if before.state.phase == "WAITING" and before.state.resume_us <= self.market.time_us:
                assert now.decisions[-1].code == before.decisions[-1].code
                assert truths(now) == truths(before)

    def hear(self, happening: Any) -> None:
        """Give the news to each bot that has such an order."""
        for bot, before in list(self.last.items()):
            orders = before.state.orders
            if not orders:
                continue
            one = orders[-1 - happening[1] % len(orders)]
            update = update_of(one.client_order_id, happening[2])
            plan = self.plans[bot]
            now = hear(plan, before.state, update, view_of(self.market, plan), bot)
            if now.decisions:
                self.take(bot, now)
            else:  # only the order's status is new
                self.last[bot] = Outcome(now.state, before.decisions)
            if now.state.phase == "WAITING":  # its own numbers may be others
                self.take(bot, self.seen(bot, now.state))


def truths(outcome: Outcome) -> list[bool | None]:
    return [one.truth for one in outcome.decisions[-1].looks]


def run(story: tuple[list[str], list[Any]], counts: Counter[str]) -> None:
    """Run a story to its end."""
    texts, day = story
    bots = Bots(texts, opened())
    for happening in day:
        bots.step(happening)
    counts.update(bots.counts)


def test_for_whom_it_leaves_alone_nothing_changed() -> None:
    """Any bots, any day: a bot that isn't woken decides the same as before, and wishes nothing.

    Bots are woken and left alone, both many times, those whose orders can't be placed, too.
    """
    counts: Counter[str] = Counter()

    @SETTINGS
    @given(stories)
    def compare(story: tuple[list[str], list[Any]]) -> None:
        run(story, counts)

    compare()
    blocked = [f"left {code}" for code in (Code.AMOUNT_UNKNOWN, Code.AMOUNT_ZERO)]
    assert min(counts["woken"], counts["left"]) > 1_000, counts
    assert min(counts[name] for name in blocked) > 20, counts


def _lenient(kind: str, value: Any, line: Any) -> list[Bound]:
    """A planted bug: a price that is reached exactly wakes nobody."""
    return [bound._replace(strict=True) for bound in _bounds_of_order(kind, value, line)]


_bounds_of_order = index_module._bounds_of_order
_follow = RuleIndex._follow
_place = RuleIndex.place


def _first_place(index: RuleIndex, pair: Any, a: Any, b: Any) -> None:
    """A planted bug: a pair stays where it was placed first, though its line moves."""
    known = index.__dict__.setdefault("first", {})
    _follow(index, pair, a, known.setdefault(pair, b))


def _without_amounts(index: RuleIndex, bot: str, plan: Plan, outcome: Outcome, at: int) -> None:
    """A planted bug: what an order that can't be placed hangs on is forgotten."""
    _place(index, bot, plan, msgspec.structs.replace(outcome, amounts=()), at)


def _for_ever_unknown(index: RuleIndex, planned: Any, look: Any, side: int) -> Any:
    """A planted bug: what isn't known is not waited for."""
    return [wait for wait in _waits_of(index, planned, look, side) if wait[1] is not None]


_waits_of = RuleIndex._waits_of


@pytest.mark.parametrize(
    ("where", "name", "planted"),
    [
        (index_module, "_bounds_of_order", _lenient),
        (index_module, "_bounds_of_side", lambda line, side: [Bound(line, side < 0, strict=True)]),
        (index_module, "_bounds_of_any", lambda _value: []),
        (index_module, "_sign_of", lambda a, b: Decimal(1) if a > b else Decimal(-1)),
        (RuleIndex, "_follow", _first_place),
        (RuleIndex, "_waits_of", _for_ever_unknown),
        (RuleIndex, "place", _without_amounts),
    ],
)
def test_a_planted_bug_is_noticed(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, planted: Any
) -> None:
    """A bound off by its edge, a line that isn't moved, amounts forgotten: each is found."""
    monkeypatch.setattr(where, name, planted)

    @settings(SETTINGS, phases=[Phase.generate], derandomize=True, max_examples=1_000)
    @given(stories)
    def hunt(story: tuple[list[str], list[Any]]) -> None:
        run(story, Counter())

    with pytest.raises(AssertionError):
        hunt()


WAITS = """{{"$when": {{"$comparison": {{"itemA": {{"$ticker": "AAA"}}, "itemB": {line},
"type": "gte"}}}}, "$do": {{"$notify": "there"}}}}"""


def test_only_the_bots_that_a_price_concerns_are_woken() -> None:
    """Of ten thousand bots that wait, each for a price of its own, a tick wakes exactly its own."""
    index = RuleIndex()
    plan_of = {}
    for number in range(10_000):
        bot = f"bot{number:05}"
        plan_of[bot] = plan_rule(read_rule(WAITS.format(line=1_000 + number)))
        view = View(time_us=1, quotes={"AAA": Quote(last=Decimal(500))})
        index.place(bot, plan_of[bot], look(plan_of[bot], State(), view, bot), 1)
    last = TickerOf("AAA", "last")
    assert index.changed(last, Decimal("999.99")) == []
    assert index.advanced(10**15) == []
    assert index.changed(last, Decimal(1_002)) == ["bot00000", "bot00001", "bot00002"]
    assert index.changed(last, Decimal(1_002)) == []  # woken ones are placed again by their look
    assert len(index.changed(last, None)) == 9_997  # nobody knows the price: all are concerned


AVERAGE = {"$indicator": {"name": "SMA", "ticker": "AAA", "interval": "1m"}}
SELLS = {"$order": {"kind": "MARKET", "intent": "SELL", "shares": {"$position": "AAA"}}}


class Crowd:
    """Many bots of one rule, and how often one of them was looked at."""

    def __init__(self, rule: dict[str, Any], market: Market) -> None:
        self.plan = plan_rule(read_rule(json.dumps(rule)))
        self.market = market
        self.index = RuleIndex()
        for number in range(1_000):
            self.look(f"bot{number}")

    def look(self, bot: str) -> None:
        view = view_of(self.market, self.plan)
        self.index.place(bot, self.plan, look(self.plan, State(), view, bot), view.time_us)

    def woken(self, *happenings: Any) -> int:
        """Let things happen, and look at whom they wake; return how many looks that took."""
        count = 0
        for happening in happenings:
            happen(self.market, happening)
            source = TickerOf("AAA", "last")
            if happening[0] == "figure":
                [source] = self.plan.figures  # type: ignore[assignment]
            bots = self.index.changed(source, happening[-1])
            bots += self.index.advanced(self.market.time_us)
            count += len(bots)
            for bot in bots:
                self.look(bot)
        return count


def price(number: str) -> tuple[str, str, str, Decimal]:
    return "quote", "AAA", "last", Decimal(number)


def test_an_average_that_moves_wakes_only_whom_it_meets() -> None:
    """Neither prices below it nor the closes of its candles wake one of a thousand bots."""
    market = opened()
    market.figures["SMA"] = 2.5
    above = {"itemA": {"$ticker": "AAA"}, "itemB": AVERAGE, "type": "gt"}
    crowd = Crowd({"$when": {"$comparison": above}, "$do": {"$notify": "above"}}, market)
    below = price("2.125"), ("figure", "SMA", 2.375), price("2.375"), price("1")
    assert crowd.woken(*below, ("figure", "SMA", 2.25), price("2.25"), ("figure", "SMA", 2.5)) == 0
    assert crowd.woken(("figure", "SMA", float("nan"))) == 1_000
    assert crowd.woken(price("2"), ("figure", "SMA", float("nan")), price("2.25")) == 0
    assert crowd.woken(("figure", "SMA", 2.625), price("2.5")) == 1_000  # it is known again
    assert crowd.woken(price("2.625"), ("figure", "SMA", 2.5)) == 1_000


def test_a_true_condition_that_cannot_be_paid_waits_for_what_it_lacks() -> None:
    """A thousand bots with nothing to sell sleep until their condition or their own is another."""
    above = {"itemA": {"$ticker": "AAA"}, "itemB": 2, "type": "gte"}
    market = opened()
    market.own.clear()
    crowd = Crowd({"$when": {"$comparison": above}, "$do": SELLS}, market)
    assert crowd.woken(*(price(str(2 + number / 10)) for number in range(9))) == 0
    assert crowd.woken(price("1.9")) == 1_000
    asks = {**SELLS["$order"], "kind": "LIMIT", "ask": {"$ticker": "AAA"}}
    none = Crowd({"$do": {"$order": asks}}, market)
    assert none.woken(*(price(str(2 + number / 10)) for number in range(9))) == 0
    market.quotes["AAA", "last"] = None
    unknown = Crowd({"$do": {"$order": {**asks, "shares": "1"}}}, market)
    assert unknown.woken(("quote", "AAA", "last", None)) == 0
    assert len(unknown.index.changed(TickerOf("AAA", "last"), Decimal(2))) == 1_000


def test_who_has_too_many_orders_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """No price that leaves its condition and its amounts as they are wakes it."""
    monkeypatch.setattr(evaluator, "OPEN_ORDERS_MAX", 0)
    above = {"itemA": {"$ticker": "AAA"}, "itemB": 2, "type": "gte"}
    sells = {"$order": {**SELLS["$order"], "kind": "LIMIT", "ask": {"$ticker": "AAA"}}}
    crowd = Crowd({"$when": {"$comparison": above}, "$do": sells}, opened())
    assert crowd.woken(*(price(str(2 + number / 10)) for number in range(9))) == 0
    assert crowd.woken(price("1.9")) == 1_000


# -- the last 24 hours -----------------------------------------------------------------------------

day_items = st.sampled_from(
    [
        *[{"$ticker": {"symbol": "AAA", "field": one}} for one in ("volume", "change")],
        *[{"$ticker": {"symbol": "AAA", "field": one}} for one in ("volume", "last")],
    ]
)
day_rules = st.builds(
    lambda a, b, kind: json.dumps(
        {
            "$when": {"$comparison": {"itemA": a, "itemB": b, "type": kind}},
            "$do": {"$notify": "so"},
            "$repeat": {"times": 50},
        }
    ),
    day_items,
    st.one_of(st.sampled_from(["0", "0.5", "1", "2.5", "5", "10"]), day_items),
    st.sampled_from(["gt", "gte", "lt", "lte", "eq", "ne", "crosses_above", "crosses_below"]),
)
BEGAN_US = 1_700_000_000_000_000
gaps_s = st.sampled_from([0, 1, 20, 60, 3_000, 40_000, 86_339, 86_400, 100_000])
quiet_days = st.lists(
    st.tuples(gaps_s, st.one_of(st.none(), st.tuples(st.integers(95, 105), st.integers(1, 40)))),
    min_size=5,
    max_size=40,
)


def desk_of(texts: list[str]) -> Desk:
    """A desk with a bot of each rule, on a market where nobody traded yet."""
    desk = Desk(sight_of_aaa())
    desk.time_us = BEGAN_US
    for place, text in enumerate(texts):
        desk.add(Bot(f"bot{place}", plan_rule(read_rule(text)), Idle()), after_seq=0)
    desk.enter()
    return desk


class NaiveDay:
    """Sees a market by its trades, all added anew at each look, and looks at every bot."""

    def __init__(self, texts: list[str]) -> None:
        self.plans = [plan_rule(read_rule(text)) for text in texts]
        self.states = [State() for _ in texts]
        self.trades: list[tuple[int, Decimal, Decimal]] = []
        self.states = [one.state for one in self.looks(BEGAN_US)]

    def view(self, time_us: int) -> View:
        if not self.trades:
            return View(time_us=time_us)
        last = self.trades[-1][1]
        inside = [
            (price, quantity)
            for at, price, quantity in self.trades
            if at // 60_000_000 > time_us // 60_000_000 - 1_440
        ]
        first = inside[0][0] if inside else last
        quote = Quote(
            last=last,
            volume=sum((quantity for _, quantity in inside), Decimal(0)),
            change=round((last - first) * 100 / first, 4),
        )
        return View(time_us=time_us, quotes={"AAA": quote})

    def looks(self, time_us: int) -> list[Outcome]:
        view = self.view(time_us)
        pairs = zip(self.plans, self.states, strict=True)
        return [look(plan, state, view, "bot") for plan, state in pairs]


def live_days(story: tuple[list[str], list[Any]], counts: Counter[str]) -> None:
    """Let a desk live the days; each time all bots must stand where the naive one's do."""
    texts, days = story
    naive = NaiveDay(texts)
    desk = desk_of(texts)
    for seq, (gap_s, trade) in enumerate(days, 2):
        alarm_us = desk.next_alarm_us() or 1 << 62
        time_us = desk.time_us + gap_s * 1_000_000
        for due_us in {(at // 60_000_000 + 1_440) * 60_000_000 for at, _, _ in naive.trades}:
            if desk.time_us < due_us < min(time_us, alarm_us):
                assert [one.state for one in naive.looks(due_us)] == naive.states
        if trade is None:
            event = pack(Event.REFUSED, seq=seq, time_us=time_us)
        else:
            cents, lots = trade
            naive.trades.append((time_us, Decimal(cents) / 100, Decimal(lots)))
            event = pack(
                Event.TRADE, seq=seq, time_us=time_us, instrument=1, trade_id=seq,
                price_ticks=cents, quantity_lots=lots, taker_side=1,
            )  # fmt: skip
        desk.take(seq, event)
        before = naive.states
        naive.states = [one.state for one in naive.looks(time_us)]
        counts["decided"] += before != naive.states and trade is None
        assert [desk.bots[f"bot{place}"].state for place in range(len(texts))] == naive.states


DAY_SETTINGS = settings(SETTINGS, max_examples=150)
day_stories = st.tuples(st.lists(day_rules, min_size=1, max_size=4), quiet_days)


def test_minutes_that_fall_out_wake_whom_they_concern() -> None:
    """Any days, busy or quiet: a desk decides as one that looks always, and asks to be woken."""
    counts: Counter[str] = Counter()

    @DAY_SETTINGS
    @given(day_stories)
    def compare(story: tuple[list[str], list[Any]]) -> None:
        live_days(story, counts)

    compare()
    assert counts["decided"] > 100, counts


@pytest.mark.parametrize("planted", ["no minute falls out", "nobody asks to be woken"])
def test_a_planted_standstill_is_noticed(monkeypatch: pytest.MonkeyPatch, planted: str) -> None:
    """A market that only trades move, or a desk that waits for them: each is found."""
    if planted == "no minute falls out":
        monkeypatch.setattr(Sight, "advance", lambda _self, _time_us: None)
    else:
        monkeypatch.setattr(RuleIndex, "is_waited_for", lambda _self, _source: False)

    @settings(DAY_SETTINGS, phases=[Phase.generate], derandomize=True, max_examples=500)
    @given(day_stories)
    def hunt(story: tuple[list[str], list[Any]]) -> None:
        live_days(story, Counter())

    with pytest.raises(AssertionError):
        hunt()
