"""Random rules and random days for them, for hypothesis: every word of the language occurs."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from fondaco.robots.rules.plan import Figure, Plan
from fondaco.robots.rules.state import OrderStatus, OrderUpdate
from fondaco.robots.rules.view import Quote, View
from tests.robots.rule_twin import Market

TICKERS = ("AAA", "BBB")
FIELDS = ("last", "bid", "ask", "volume", "change")
TIMES = ("minute_of_day", "weekday", "day", "month")
LOT = Decimal("0.1")
# Few values, close together, so that equal, above and below all happen often.
GRID = [Decimal(n) / 2 for n in range(1, 9)]
numbers = st.sampled_from(GRID).flatmap(lambda n: st.sampled_from([float(n), str(n)]))
tickers = st.sampled_from(TICKERS)
ticker_words = st.one_of(
    st.builds(lambda s: {"$ticker": s}, tickers),
    st.builds(
        lambda s, f: {"$ticker": {"symbol": s, "field": f}}, tickers, st.sampled_from(FIELDS)
    ),
)
own_words = st.one_of(
    st.builds(lambda s: {"$position": s}, tickers),
    st.builds(lambda s: {"$position": {"symbol": s, "field": "free"}}, tickers),
    st.builds(lambda f: {"$cash": f}, st.sampled_from(["total", "free"])),
)
other_words = st.one_of(
    st.builds(
        lambda n: {"$indicator": {"name": n, "ticker": "AAA", "interval": "1m"}},
        st.sampled_from(["RSI", "SMA"]),
    ),
    st.builds(
        lambda f: {"$time": f}, st.sampled_from(["minute_of_day", "weekday", "day", "month"])
    ),
)
words = st.one_of(ticker_words, ticker_words, own_words, other_words)
comparisons = st.builds(
    lambda a, b, kind, swap: {
        "$comparison": {"itemA": b if swap else a, "itemB": a if swap else b, "type": kind}
    },
    words,
    st.one_of(numbers, numbers, words),
    st.sampled_from(["gt", "gte", "lt", "lte", "eq", "ne", "crosses_above", "crosses_below"]),
    st.booleans(),
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(lambda c: {"$not": c}, inner),
        st.builds(lambda c: {"$and": c}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda c: {"$or": c}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=4,
)


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(["LIMIT", "MARKET", "STOP_LOSS", "TAKE_PROFIT_LIMIT", "LIMIT_MAKER", "OCO"])
    )
    intent = draw(st.sampled_from(["BUY", "SELL"]))
    amounts = st.one_of(numbers, ticker_words, own_words)
    order: dict[str, Any] = {"kind": kind, "intent": intent, "ticker": draw(tickers)}
    if kind == "MARKET" and draw(st.booleans()):
        order["spend"] = draw(amounts)
    else:
        order["shares"] = draw(amounts)
    if kind in {"LIMIT", "TAKE_PROFIT_LIMIT", "LIMIT_MAKER"}:
        order["bid" if intent == "BUY" else "ask"] = draw(amounts)
    if kind in {"STOP_LOSS", "TAKE_PROFIT_LIMIT", "OCO"}:
        order["stop"] = draw(amounts)
    if kind == "OCO":
        beyond = st.just("9" if intent == "SELL" else "0.1")  # of every number that a stop can be
        order["bid" if intent == "BUY" else "ask"] = draw(st.one_of(beyond, ticker_words))
        if draw(st.booleans()):
            order["stop_limit"] = draw(amounts)
    if draw(st.booleans()):
        order["then_after"] = draw(st.sampled_from(["FILLED", "ACCEPTED"]))
    return order


@st.composite
def actions(draw: st.DrawFn, names: list[str]) -> Any:
    found: list[Any] = []
    for _ in range(draw(st.integers(1, 3))):
        word = draw(st.sampled_from(["$order", "$order", "$notify", "$cancel"]))
        if word == "$order":
            order = draw(orders())
            if draw(st.booleans()):
                order["name"] = draw(st.sampled_from(["entry", "exit"]))
                names.append(order["name"])
            found.append({"$order": order})
        elif word == "$notify":
            found.append({"$notify": draw(st.sampled_from(["it is time", "look"]))})
        else:
            found.append({"$cancel": draw(st.sampled_from(["all", *names]))})
    return found[0] if len(found) == 1 and draw(st.booleans()) else found


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A valid rule of one to four steps."""
    names: list[str] = []
    root: dict[str, Any] = {}
    step = root
    count = draw(st.integers(1, 4))
    for number in range(count):
        if draw(st.integers(0, 5)):
            step["$when"] = draw(conditions)
        step["$do"] = draw(actions(names))
        if "$when" in step and not draw(st.integers(0, 4)):
            step["$else"] = draw(actions(names))
        if draw(st.booleans()):
            step["$repeat"] = {"times": draw(st.integers(2, 4))}
            if draw(st.booleans()):
                step["$repeat"]["pause_s"] = draw(st.sampled_from([0, 1, 60]))
        if number + 1 < count:
            step["$then"] = {}
            step = step["$then"]
    return json.dumps(root)


@st.composite
def crossings(draw: st.DrawFn) -> str:
    """A rule that waits for one crossing, again and again."""
    kind = draw(st.sampled_from(["crosses_above", "crosses_below"]))
    comparison = {"itemA": {"$ticker": "AAA"}, "itemB": draw(numbers), "type": kind}
    condition: dict[str, Any] = {"$comparison": comparison}
    if draw(st.booleans()):
        condition = {"$not": {"$not": condition}}
    return json.dumps({"$when": condition, "$do": {"$notify": "crossed"}, "$repeat": {"times": 20}})


MOVING = [
    {"$ticker": "AAA"},
    {"$ticker": {"symbol": "AAA", "field": "bid"}},
    {"$ticker": {"symbol": "AAA", "field": "ask"}},
    {"$indicator": {"name": "SMA", "ticker": "AAA", "interval": "1m"}},
    {"$indicator": {"name": "RSI", "ticker": "AAA", "interval": "1m"}},
]
KINDS = ["gt", "gte", "lt", "lte", "eq", "ne", "crosses_above", "crosses_below"]


@st.composite
def watchers(draw: st.DrawFn) -> str:
    """A rule of things that move: against each other, the bot's own, or as an order's amounts."""
    moving = st.sampled_from(MOVING)
    own = st.sampled_from([{"$position": "AAA"}, {"$cash": "free"}])
    a, b = draw(moving), draw(st.one_of(moving, moving, own))
    if draw(st.booleans()):
        a, b = b, a
    rule: dict[str, Any] = {
        "$when": {"$comparison": {"itemA": a, "itemB": b, "type": draw(st.sampled_from(KINDS))}},
        "$do": {"$notify": "so it is"},
        "$repeat": {"times": 20},
    }
    if draw(st.booleans()):
        amounts = st.one_of(own, st.sampled_from(MOVING[:3]))
        order = {"kind": "LIMIT", "intent": "SELL", "ticker": "AAA", "then_after": "ACCEPTED"}
        rule["$do"] = {"$order": {**order, "shares": draw(amounts), "ask": draw(amounts)}}
    if not draw(st.integers(0, 3)):
        del rule["$when"]
    return json.dumps(rule)


FEW = GRID[1:5]
moves = st.lists(
    st.one_of(
        st.tuples(
            st.just("quote"),
            st.just("AAA"),
            st.sampled_from(["last", "bid", "ask"]),
            st.sampled_from([*FEW, *FEW, None]),
        ),
        st.tuples(
            st.just("figure"),
            st.sampled_from(["SMA", "SMA", "RSI"]),
            st.sampled_from([1.0, 1.25, 1.5, 2.0, float("nan")]),
        ),
        st.tuples(
            st.just("own"),
            st.sampled_from([("AAA", "total"), ("free",)]),
            st.sampled_from([Decimal(0), Decimal("0.05"), *FEW]),
        ),
        st.tuples(st.just("hear"), st.integers(0, 3), st.sampled_from(["NEW", "FILLED"])),
    ),
    min_size=20,
    max_size=60,
)
prices = st.lists(
    st.tuples(st.just("quote"), st.just("AAA"), st.just("last"), st.sampled_from(GRID[2:6])),
    min_size=20,
    max_size=60,
)
# TRIGGERED: a stop that was set off, and is as new as before; see update_of.
STATUSES = ["NEW"] * 2 + ["FILLED"] * 8 + ["PARTIALLY_FILLED", "CANCELED", "REJECTED"]
STATUSES += ["EXPIRED", "TRIGGERED"]
anything_happens = st.lists(
    st.one_of(
        st.tuples(
            st.just("quote"),
            tickers,
            st.one_of(st.just("last"), st.sampled_from(FIELDS)),
            st.one_of(st.none(), st.sampled_from(GRID), st.sampled_from(GRID)),
        ),
        st.tuples(
            st.just("figure"),
            st.sampled_from(["RSI", "SMA"]),
            st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.1, float("nan")]),
        ),
        st.tuples(st.just("time"), st.sampled_from([1, 30, 60, 3_600, 86_400])),
        st.tuples(
            st.just("own"),
            st.sampled_from(
                [("AAA", "total"), ("BBB", "total"), ("AAA", "free"), ("total",), ("free",)]
            ),
            st.one_of(st.just(Decimal(0)), st.just(Decimal("0.05")), st.sampled_from(GRID)),
        ),
        st.tuples(st.just("hear"), st.integers(0, 3), st.sampled_from(STATUSES)),
        st.tuples(st.just("hear"), st.integers(0, 3), st.sampled_from(STATUSES)),
    ),
    min_size=20,
    max_size=60,
)


# A rule and a day of it.
stories = st.one_of(
    st.tuples(documents(), anything_happens),
    st.tuples(documents(), anything_happens),
    st.tuples(crossings(), prices),
)


def opened() -> Market:
    """Return a market where most is known, so that days are not spent waiting."""
    market = Market()
    market.quotes = {(name, field): GRID[3] for name in TICKERS for field in FIELDS}
    market.own = dict.fromkeys([("AAA", "total"), ("AAA", "free"), ("free",)], GRID[3])
    market.figures = {"RSI": 2.0}
    return market


def happen(market: Market, happening: Any) -> None:
    """Let something of the list happen in the market, a millisecond later."""
    market.time_us += 1_000
    kind = happening[0]
    if kind == "quote":
        market.quotes[happening[1], happening[2]] = happening[3]
    elif kind == "figure":
        market.figures[happening[1]] = happening[2]
    elif kind == "time":
        market.time_us += happening[1] * 1_000_000
    elif kind == "own":
        market.own[happening[1]] = happening[2]


def update_of(order_id: str, status: str) -> OrderUpdate:
    """Return the news of an order that a "hear" brings."""
    acts = status in {"FILLED", "PARTIALLY_FILLED", "TRIGGERED"}
    stands = OrderStatus("NEW" if status == "TRIGGERED" else status)
    return OrderUpdate(order_id, stands, acts=acts)


def quote_of(market: Market, name: str) -> Quote:
    last, bid, ask, volume, change = (market.quotes.get((name, field)) for field in FIELDS)
    return Quote(last=last, bid=bid, ask=ask, volume=volume, change=change, lot=LOT)


def view_of(market: Market, plan: Plan) -> View:
    """Return the market as the evaluator sees it."""
    figures: dict[Figure, float] = {
        figure: market.figures[figure.name]
        for figure in plan.figures
        if figure.name in market.figures
    }
    own = market.own
    return View(
        time_us=market.time_us,
        quotes={name: quote_of(market, name) for name in TICKERS},
        figures=figures,
        cash_total=own.get(("total",), Decimal(0)),
        cash_free=own.get(("free",), Decimal(0)),
        positions_total={k[0]: v for k, v in own.items() if len(k) == 2 and k[1] == "total"},
        positions_free={k[0]: v for k, v in own.items() if len(k) == 2 and k[1] == "free"},
        utc_offset_s=market.offset_s,
    )
