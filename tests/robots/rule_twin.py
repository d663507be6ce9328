"""A naive twin of the rules: it walks the document, keeps a mutable mind, and shares no code.

It is the oracle of the evaluator and of the index. Speed and bounds are not its concern.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

Json = dict[str, Any]
OVER = {"FILLED", "CANCELED", "EXPIRED", "REJECTED"}


class Market:
    """What the twin sees: figures by name, everything else by its words."""

    def __init__(self) -> None:
        """Begin where nothing is known."""
        self.time_us = 1_700_000_000_000_000
        self.quotes: dict[tuple[str, str], Decimal | None] = {}
        self.figures: dict[str, float] = {}
        self.own: dict[tuple[str, ...], Decimal] = {}
        self.offset_s = 0


class Twin:
    """One rule and all that it remembers."""

    def __init__(self, text: str, prefix: str) -> None:
        """Take the rule's document."""
        self.root: Json = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        self.prefix = prefix
        self.chain: list[Json] = [self.root]
        while "$then" in self.chain[-1]:
            self.chain.append(self.chain[-1]["$then"])
        self.at = 0
        self.phase = "WAITING"
        self.branch = "$do"
        self.sides: dict[str, int] = {}
        self.begun: dict[int, int] = {}
        self.wake_us = 0
        self.count = 0
        self.orders: list[Json] = []

    def look(self, market: Market) -> Json:
        """Look once; returns what came of it, in words."""
        self.out: Json = {"codes": [], "orders": [], "cancels": [], "notices": [], "looks": []}
        self.go(market)
        return self.out

    def go(self, market: Market) -> None:
        if self.phase == "DONE":
            self.out["codes"] = self.out["codes"] or [self.ended]
        elif self.phase == "ORDERED":
            self.out["codes"] = self.out["codes"] or ["AWAITING_ORDERS"]
        elif market.time_us < self.wake_us:
            self.out["codes"] = self.out["codes"] or ["PAUSED"]
        else:
            self.wake_us = 0
            self.decide(market)

    def decide(self, market: Market) -> None:
        step = self.chain[self.at]
        self.out["looks"] = []
        truth = self.judge(step["$when"], "", market) if "$when" in step else True
        if truth is None:
            self.out["codes"].append("CONDITION_UNKNOWN")
        elif truth:
            self.act(step, "$do", market)
        elif "$else" in step:
            self.act(step, "$else", market)
        else:
            self.out["codes"].append("CONDITION_FALSE")

    def judge(self, condition: Json, place: str, market: Market) -> bool | None:
        [(word, inside)] = condition.items()
        if word == "$comparison":
            truth = self.compare(inside, place, market)
            self.out["looks"].append(truth)
            return truth
        if word == "$not":
            found = self.judge(inside, place + "n", market)
            return found if found is None else not found
        found_all = [
            self.judge(each, f"{place}{word}{number}", market) for number, each in enumerate(inside)
        ]
        as_numbers = [0.5 if found is None else float(found) for found in found_all]
        joined = min(as_numbers) if word == "$and" else max(as_numbers)
        return {0.0: False, 0.5: None, 1.0: True}[joined]

    def compare(self, comparison: Json, place: str, market: Market) -> bool | None:
        a = self.number(comparison["itemA"], market)
        b = self.number(comparison["itemB"], market)
        if a is None or b is None:
            return None
        kind = comparison["type"]
        difference = Fraction(a) - Fraction(b)
        if kind.startswith("crosses"):
            before = self.sides.get(place, 0)
            now = (difference > 0) - (difference < 0) or before
            self.sides[place] = now
            return (before, now) == ((-1, 1) if kind == "crosses_above" else (1, -1))
        return {
            "gt": difference > 0,
            "gte": difference >= 0,
            "lt": difference < 0,
            "lte": difference <= 0,
            "eq": difference == 0,
            "ne": difference != 0,
        }[kind]

    def number(self, item: Any, market: Market) -> Decimal | float | int | None:
        if isinstance(item, (Decimal, str)):
            return Decimal(item)
        [(word, inside)] = item.items()
        if word == "$ticker":
            if isinstance(inside, str):
                inside = {"symbol": inside}
            return market.quotes.get((inside["symbol"], inside.get("field", "last")))
        if word == "$indicator":
            found = market.figures.get(inside["name"])
            return None if found is None or found != found else found
        if word == "$position":
            if isinstance(inside, str):
                inside = {"symbol": inside}
            return market.own.get((inside["symbol"], inside.get("field", "total")), Decimal(0))
        if word == "$cash":
            return market.own.get((inside,), Decimal(0))
        if inside == "unix_s":
            return market.time_us // 1_000_000
        local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            seconds=market.time_us // 1_000_000 + market.offset_s
        )
        return {
            "minute_of_day": local.hour * 60 + local.minute,
            "weekday": local.isoweekday(),
            "day": local.day,
            "month": local.month,
        }[inside]

    def act(self, step: Json, branch: str, market: Market) -> None:
        actions = step[branch] if isinstance(step[branch], list) else [step[branch]]
        wished = []
        for action in actions:
            if "$order" in action:
                order = action["$order"]
                wish: Json = {}
                for name in ("shares", "spend", "bid", "ask", "stop", "stop_limit"):
                    if name in order:
                        amount = self.number(order[name], market)
                        if amount is None:
                            self.out["codes"].append("AMOUNT_UNKNOWN")
                            return
                        if name == "shares" and isinstance(order[name], dict):
                            amount = Decimal(int(Fraction(amount) * 10)) / 10  # lots of 0.1
                        if amount <= 0:
                            self.out["codes"].append("AMOUNT_ZERO")
                            return
                        wish[name] = amount
                wished.append((order, wish))
        open_before = [order for order in self.orders if order["status"] not in OVER]
        self.out["codes"].append("TRIGGERED" if branch == "$do" else "OTHERWISE")
        self.branch = branch
        for action in actions:
            if "$order" in action:
                order, wish = wished.pop(0)
                legs = [f"{self.prefix}-{self.count + 1}", f"{self.prefix}-{self.count + 2}"]
                legs = legs if order["kind"] == "OCO" else legs[:1]
                self.count += len(legs)
                wish["id"] = legs[0]
                if len(legs) > 1:
                    wish["stop_id"] = legs[1]
                for leg in legs:
                    self.orders.append(
                        {
                            "id": leg,
                            "legs": legs,
                            "name": order.get("name", ""),
                            "after": order.get("then_after", "FILLED"),
                            "status": "SENT",
                            "waited": True,
                        }
                    )
                self.out["orders"].append(wish)
            elif "$cancel" in action:
                told = set(self.out["cancels"])
                for order in open_before:
                    others = [leg for leg in order["legs"] if leg != order["id"]]
                    if action["$cancel"] in ("all", order["name"]) and not told & set(others):
                        self.out["cancels"].append(order["id"])
                        told.add(order["id"])
            else:
                self.out["notices"].append(action["$notify"])
        self.sides = {}
        if any(order["waited"] for order in self.orders):
            self.phase = "ORDERED"
        else:
            self.go_on(market)

    def go_on(self, market: Market) -> None:
        self.sides = {}
        self.phase = "WAITING"
        if self.branch == "$do" and self.at + 1 < len(self.chain):
            self.at += 1
            self.go(market)
            return
        for place in reversed(range(self.at + 1)):
            repeat = self.chain[place].get("$repeat")
            if repeat and self.begun.get(place, 0) + 1 < repeat["times"]:
                self.begun[place] = self.begun.get(place, 0) + 1
                self.begun = {key: n for key, n in self.begun.items() if key <= place}
                self.at = place
                self.out["codes"].append("ROUND_OVER")
                self.wake_us = market.time_us + (int(repeat.get("pause_s", 0)) * 1_000_000 or 1)
                return
        self.end("FINISHED")

    def end(self, code: str) -> None:
        self.phase = "DONE"
        self.ended = code
        self.out["codes"].append(code)

    def act_alone(self, order: Json) -> None:
        """Let a leg of two act: it says so once, and the other is over."""
        if len(order["legs"]) < 2 or order.get("acted"):
            return
        order["acted"] = True
        self.out["codes"].append("LEG_ACTED")
        for other in self.orders:
            if other["id"] in order["legs"] and other is not order and other["status"] not in OVER:
                other["status"] = "EXPIRED"

    def hear(self, order_id: str, status: str, market: Market) -> Json:
        """Take news of an order."""
        self.out = {"codes": [], "orders": [], "cancels": [], "notices": [], "looks": []}
        for order in self.orders:
            if order["id"] == order_id and order["status"] not in OVER:
                order["status"] = "NEW" if status == "TRIGGERED" else status
                if status in {"FILLED", "PARTIALLY_FILLED", "TRIGGERED"}:
                    self.act_alone(order)
                break
        else:
            return self.out
        waited = [order for order in self.orders if order["waited"]]
        if self.phase != "ORDERED":
            return self.out
        together = [
            (order["after"], {each["status"] for each in waited if each["legs"] == order["legs"]})
            for order in waited
        ]
        fatal = [
            after
            for after, statuses in together
            if (statuses <= OVER - {"FILLED"} if after == "FILLED" else "REJECTED" in statuses)
        ]
        reached = [
            "FILLED" in statuses or (after == "ACCEPTED" and "SENT" not in statuses)
            for after, statuses in together
        ]
        if fatal:
            self.end("ORDER_FAILED")
        elif all(reached):
            for order in waited:
                order["waited"] = False
            self.go_on(market)
        return self.out
