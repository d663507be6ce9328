"""Every read of the robots' pages: rows with what the core says of each, and a backtest's charts.

Promises: profit, limits and the kill switch are the core's of now; reasons are the newest kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from django.conf import settings

from fondaco.core.records import Event, Query, pack, split, unpack
from fondaco.identity.core_door import Core, kind_of
from fondaco.projections.selectors import InstrumentRow, asset_codes
from fondaco.robots import services as robots
from fondaco.robots.bots import selectors as bots
from fondaco.robots.models import Robot, RobotKind, RuleRun
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.reasons import tell
from fondaco.robots.rules.state import Decision
from fondaco.robots.rules.validation import read_rule
from fondaco.robots.rules.view import plain

__all__ = ["charts", "limits_of", "moment", "money", "paper_money", "rows", "told_decisions"]

WIDTH: Final = 1000
COIN, CASH = 1, 2  # assets of a paper exchange
PHASES: Final = {"WAITING": "waits", "ORDERED": "has ordered", "DONE": "is done"}


def moment(time_us: int) -> datetime:
    """Return a time as pages show it."""
    return datetime.fromtimestamp(time_us / 1_000_000, UTC)


def rows(core: Core, found: Iterable[Robot]) -> list[dict[str, Any]]:
    """Return robots with what the core and their runs say."""
    told: dict[int, dict[str, int]] = {}
    for record in split(bytes(core.query(pack(Query.ROBOTS)).records)):
        if kind_of(record) == Event.ROBOT:
            words = unpack(record)
            told[words["account"]] = words
    decimals = {number: places for number, (_, places) in asset_codes().items()}
    return [_row(robot, told.get(robot.account_id, {}), decimals) for robot in found]


def _row(robot: Robot, words: Mapping[str, int], decimals: Mapping[int, int]) -> dict[str, Any]:
    places = decimals.get(words.get("cash", 0), 0)
    run = bots.current_run(robot) if robot.kind == RobotKind.RULE else None
    newest = bots.decisions(run, 1) if run is not None else []
    killed = bool(words.get("killed"))
    text = "killed: only reduces" if killed else "off"
    if robot.is_active and not killed:
        text = "on" if robot.kind != RobotKind.RULE else PHASES[bots.state_of(run).phase]
    return {
        "id": robot.pk,
        "kind": robot.kind,
        "is_rule": robot.kind == RobotKind.RULE,
        "is_active": robot.is_active,
        "killed": killed,
        "state_text": text,
        "mode": run.mode if run is not None else "live",
        "member": robot.member.username,
        "day_profit": _units(words.get("day_profit", 0), places),
        "month_profit": _units(words.get("month_profit", 0), places),
        "reason": bots.decision_words(newest[0], bots.plan_of(robot))["reason"] if newest else "",
    }


def _units(amount: int, places: int) -> str:
    return f"{plain(Decimal(amount).scaleb(-places)):f}"


def money(core: Core, robot: Robot) -> list[tuple[str, str]]:
    """Return what a robot has, free and in orders, by asset."""
    codes = asset_codes()
    found = []
    for asset, free, held in robots.balances(core, robot.account_id):
        code, places = codes.get(asset, (str(asset), 0))
        found.append((f"{code} free", _units(free, places)))
        if held:
            found.append((f"{code} in orders", _units(held, places)))
    return found


def paper_money(run: RuleRun, coin: str, market: InstrumentRow | None) -> list[tuple[str, str]]:
    """Return what a bot on paper has."""
    if not run.position or market is None:
        cash, coins = run.terms.get("cash", "0"), run.terms.get("coins", "0")
        return [(f"{settings.CASH} on paper", cash), (f"{coin} on paper", coins)]
    position = msgspec.msgpack.decode(bytes(run.position))
    lot, tick = (_places(text) for text in (market.lot_size, market.tick_size))
    amounts = {}
    for asset, places in ((COIN, lot), (CASH, lot + tick)):
        units = position["free"][asset] + position["held"][asset]
        amounts[asset] = _units(units, places)
    return [(f"{settings.CASH} on paper", amounts[CASH]), (f"{coin} on paper", amounts[COIN])]


def _places(text: str) -> int:
    return len(text.partition(".")[2])


def limits_of(robot: Robot) -> str:
    """Return a robot's limits in words."""
    names = {
        "operation_stop_loss": "an operation may lose",
        "day_stop_loss": "a day may lose",
        "month_stop_loss": "a month may lose",
        "month_sell_cap": "a month may sell",
    }
    said = [
        f"{text} {robot.config[name]}"
        for name, text in names.items()
        if str(robot.config.get(name, "0")) not in {"", "0"}
    ]
    return ", ".join(said)


def told_decisions(rule: str, found: Sequence[Decision]) -> list[dict[str, Any]]:
    """Return the decisions of a backtest in words."""
    plan = plan_rule(read_rule(rule))
    return [
        {"at": moment(one.time_us), "code": str(one.code), "reason": tell(plan, one)}
        for one in found
    ]


def charts(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return equity, drawdown and the trades of a backtest as lines to draw."""
    days = result["days"]
    equity = [Decimal(result["equity_first"]), *(Decimal(day["equity"]) for day in days)]
    peak, falls = equity[0], []
    for value in equity:
        peak = max(peak, value)
        falls.append((value - peak) * 100 / peak if peak > 0 else Decimal(0))
    fills = result["fills"]
    prices = [Decimal(fill["price"]) for fill in fills]
    quote = result["settings"]["quote"]
    found = [
        _chart("Equity", equity, 220, f"from {equity[0]:f} to {equity[-1]:f} {quote}"),
        _chart("Drawdown, %", falls, 120, f"the deepest at a day's end is {min(falls):.2f} %"),
    ]
    if fills:
        chart = _chart("Trades", prices, 220, f"{len(fills)} fills, by their prices")
        places = [pair.split(",") for pair in chart["points"].split()]
        chart["marks"] = [
            {
                "x": x,
                "y": y,
                "side": fill["side"],
                "said": f"{fill['side']} {fill['quantity']} at {fill['price']}",
            }
            for (x, y), fill in zip(places, fills, strict=True)
        ]
        found.append(chart)
    return found


def _chart(caption: str, values: Sequence[Decimal], height: int, said: str) -> dict[str, Any]:
    low, high = min(values), max(values)
    room = (high - low) or Decimal(1)
    step = Decimal(WIDTH) / max(1, len(values) - 1)
    points = " ".join(
        f"{step * place:.1f},{10 + (high - value) / room * (height - 20):.1f}"
        for place, value in enumerate(values)
    )
    return {"caption": caption, "points": points, "height": height, "said": said, "marks": []}
