"""Stops of a backtest beside orders that rest, and set off by what the robot itself takes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from tests.robots.test_backtest import fills, run, ticks

D = Decimal


def at_once(*orders: dict[str, Any]) -> str:
    """Return a rule that places orders at its first look, one after the other."""
    first = {"ticker": "AAA", "then_after": "ACCEPTED"}
    return json.dumps({"$do": [{"$order": {**first, **one}} for one in orders]})


def bid(price: float, shares: str) -> dict[str, Any]:
    return {"kind": "LIMIT", "intent": "BUY", "bid": price, "shares": shares}


def stop(kind: str, price: float, shares: str) -> dict[str, Any]:
    return {"kind": kind, "intent": "SELL", "stop": price, "shares": shares}


def test_a_stop_that_comes_in_fills_nobody() -> None:
    """The core is shown the last trade before a bid comes to rest at its price."""
    text = at_once(bid(100, "2"), stop("STOP_LOSS", 99, "1"))
    tested = run(text, ticks("1 100 1 sell", "2 101 1 buy"), queue=D(0))
    assert fills(tested) == []
    assert [one.status for one in tested.orders] == ["NEW", "NEW"]


def test_a_trade_gives_no_more_than_was_traded() -> None:
    """A bid takes up the whole trade and stays: nobody traded at the stop's price, so it waits."""
    text = at_once(bid(100, "9"), stop("STOP_LOSS", 99, "1"))
    tested = run(text, ticks("1 101 1 buy", "2 98 4 sell", "3 98 1 sell"), queue=D(0))
    assert fills(tested) == ["2 4.0 at 100.00", "3 1.0 at 100.00"]
    tested = run(text, ticks("1 101 1 buy", "2 98 9.5 sell"), queue=D(0))
    assert fills(tested) == ["2 9.0 at 100.00", "2 1.0 at 98.00"]


def test_a_bid_where_somebody_buys_is_not_filled_for_a_stop() -> None:
    """The market has passed a bid above; the one at the price waits, and so does the stop."""
    text = at_once(bid(100, "1"), bid(99, "5"), stop("STOP_LOSS", 99.5, "1"))
    tested = run(text, ticks("1 101 1 buy", "2 99 4 buy"), queue=D(0))
    assert fills(tested) == ["2 1.0 at 100.00"]
    assert [one.status for one in tested.orders] == ["FILLED", "NEW", "NEW"]


def test_what_the_robot_takes_sets_a_stop_off_that_finds_the_depth() -> None:
    """It walks up to a profit's price, and sells there what its own stop says, at the best bid."""
    text = at_once(
        stop("TAKE_PROFIT", 100.01, "7"), {"kind": "MARKET", "intent": "BUY", "shares": "6"}
    )
    tested = run(text, ticks("1 100 1 buy", "2 100 1 buy"))
    assert fills(tested) == [
        *("1 5.0 at 100.00", "1 1.0 at 100.01"),
        *("1 5.0 at 99.99", "1 2.0 at 99.98"),
    ]
    assert [one.status for one in tested.orders] == ["FILLED", "FILLED"]


def test_a_stop_on_the_side_of_what_takes_finds_its_own_depth() -> None:
    """A purchase that walks sets another off: both are filled, each with depth of its own."""
    rise = {"kind": "STOP_LOSS", "intent": "BUY", "stop": 100.01, "shares": "1"}
    text = at_once(rise, {"kind": "MARKET", "intent": "BUY", "shares": "7"})
    tested = run(text, ticks("1 100 1 buy", "2 100 1 buy"), cash=D(5000))
    assert [one.status for one in tested.orders] == ["FILLED", "FILLED"]
    assert sum(one.quantity for one in tested.fills) == 8
