"""Every read of the robots' pages: rows with what the core says of each.

Promises: profit, limits and the kill switch are the core's of now; reasons are the newest kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from django.conf import settings

from fondaco.core.records import AccountKind, Event, Query, pack, split, unpack
from fondaco.identity.core_door import Core, kind_of
from fondaco.identity.models import Account, Member
from fondaco.office.robots import services
from fondaco.office.templatetags.figures import figure_text
from fondaco.projections.selectors import InstrumentRow, asset_codes, instruments
from fondaco.robots import services as robots
from fondaco.robots.bots import selectors as bots
from fondaco.robots.hub.selectors import Scales, told_to_client
from fondaco.robots.models import Robot, RobotKind, RobotMode, RobotRun
from fondaco.robots.paper.standing import core_of, stands
from fondaco.robots.rules.plan import Plan
from fondaco.robots.rules.view import money as text_of
from fondaco.robots.rules.view import plain
from fondaco.strategies.models import Strategy

__all__ = [
    "allotment_of",
    "code_of",
    "code_text",
    "decimals_of",
    "free_words",
    "limits_of",
    "moment",
    "money",
    "newest",
    "paper_money",
    "paper_profit",
    "rows",
    "signal_money",
    "track_record",
]

COIN, CASH = 1, 2  # assets of a paper exchange
ASKED_MAX: Final = 50  # robots that the core is asked for one by one
PHASES: Final = {"WAITING": "waits", "ORDERED": "has ordered", "DONE": "is done"}


def moment(time_us: int) -> datetime:
    """Return a time as pages show it."""
    return datetime.fromtimestamp(time_us / 1_000_000, UTC)


def rows(core: Core, found: Iterable[Robot]) -> list[dict[str, Any]]:
    """Return robots with what the core and their runs say."""
    shown = list(found)
    # The core tells of one at a time, or of all: who has a few asks for no more than those.
    asked = [row.account_id for row in shown] if len(shown) <= ASKED_MAX else [0]
    told: dict[int, dict[str, int]] = {}
    for account in asked:
        answer = core.query(pack(Query.ROBOTS, account=account))
        for record in split(bytes(answer.records)):
            if kind_of(record) == Event.ROBOT:
                words = unpack(record)
                told[words["account"]] = words
    decimals = {number: places for number, (_, places) in asset_codes().items()}
    scales = Scales(settings.CASH)
    runs = bots.current_runs(shown)
    paper = stands(runs.values())
    return [
        _row(
            robot,
            runs.get(robot.pk),
            told.get(robot.account_id, {}),
            decimals,
            paper=paper.get(robot.account_id),
            reason=_newest_reason(robot, runs.get(robot.pk), scales),
        )
        for robot in shown
    ]


def _row(
    robot: Robot,
    run: RobotRun | None,
    words: Mapping[str, int],
    decimals: Mapping[int, int],
    *,
    paper: Mapping[str, int] | None,
    reason: tuple[str, int],
) -> dict[str, Any]:
    """Return a robot's row; `words` are the core's, `paper` those of its own exchange."""
    places = decimals.get(words.get("cash", 0), 0)
    killed = bool(words.get("killed"))
    text = "killed: only reduces" if killed else "off"
    if robot.is_active and not killed:
        text = "on" if robot.kind != RobotKind.RULE else _phase(run)
        if run is not None and run.fault and robot.kind != RobotKind.RULE:
            text = "can't start"
    mode = run.mode if run is not None else "live"
    counted = words if mode == RobotMode.LIVE else paper
    return {
        "id": robot.pk,
        "kind": robot.kind,
        "is_rule": robot.kind == RobotKind.RULE,
        "is_active": robot.is_active,
        "killed": killed,
        "state_text": text,
        "mode": mode,
        "mode_text": "on paper" if mode == RobotMode.PAPER else "live",
        "member": robot.member.username,
        # The ledger knows no paper money: a rule on paper tells of it on its own page.
        "day_profit": _cash(counted, "day_profit", places) if counted is not None else "",
        "month_profit": _cash(counted, "month_profit", places) if counted is not None else "",
        "reason": reason[0],
        "reason_at": moment(reason[1] * 1000),
    }


def _phase(run: RobotRun | None) -> str:
    """Return how far a bot that is on has come, in a word."""
    if run is None or not run.state:
        return "can't start" if run is not None and run.fault else "is starting"
    return PHASES[bots.state_of(run).phase]


def track_record(robot: Robot) -> Strategy | None:
    """Return what shows a robot's equity over time; None before its first minute is over."""
    return Strategy.objects.filter(account__robot=robot.pk).first()


def _newest_reason(robot: Robot, run: RobotRun | None, scales: Scales) -> tuple[str, int]:
    """Return why a robot last did what it did, and when; nothing if it has decided nothing."""
    if robot.kind != RobotKind.RULE:
        return told_to_client(robot.account_id, scales)
    newest = bots.decisions(run, 1) if run is not None else []
    if not newest:
        return "", 0
    plan = bots.plan_of(robot)
    words = bots.newest_words(run, plan) if run is not None else None
    words = words or bots.decision_words(newest[0], plan)
    return words["reason"], words["time"]


def newest(run: RobotRun | None, plan: Plan | None) -> dict[str, Any] | None:
    """Return what a rule that waits saw last, and when."""
    words = bots.newest_words(run, plan) if run is not None else None
    return {**words, "at": moment(words["time"] * 1000)} if words is not None else None


def _cash(words: Mapping[str, int], name: str, places: int) -> str:
    return text_of(Decimal(words.get(name, 0)).scaleb(-places), min(2, places))


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


def paper_profit(core: Core, has: Sequence[tuple[str, str]], run: RobotRun, number: int) -> str:
    """Return what a bot on paper has won since its start, at the last trade of its market."""
    last = _last(core, next(one for one in instruments() if one.number == number))
    cash, coins = (Decimal(amount) for _, amount in has)
    began = (Decimal(run.terms.get(name, "0")) for name in ("cash", "coins"))
    cash_won, coins_won = (now - then for now, then in zip((cash, coins), began, strict=True))
    return text_of(cash_won + coins_won * last)


def allotment_of(robot: Robot, run: RobotRun | None, plan: Plan | None) -> dict[str, str]:
    """Return what a robot was given and has not given back, by asset; on paper its figures."""
    if run is not None and run.mode == RobotMode.PAPER and robot.kind == RobotKind.SIGNAL:
        return {code: amount for code, amount in run.terms.items() if Decimal(amount)}
    if run is not None and run.mode == RobotMode.PAPER:
        coin = plan.paper_ticker if plan is not None else ""
        words = {settings.CASH: run.terms.get("cash", "0"), coin: run.terms.get("coins", "0")}
        return {code: amount for code, amount in words.items() if code and Decimal(amount)}
    codes = asset_codes()
    given = robots.allotted(robot).items()
    named = [(*codes.get(asset, (str(asset), 0)), amount) for asset, amount in given if amount]
    return {code: _units(amount, places) for code, places, amount in named}


def decimals_of(codes: Iterable[str]) -> list[tuple[str, int]]:
    """Return assets by their codes with their decimals, those that the house has."""
    there = dict(asset_codes().values())
    return [(code, there[code]) for code in codes if code in there]


def code_of(asset: int) -> str:
    """Return the code of an asset."""
    return asset_codes().get(asset, (str(asset), 0))[0]


def free_words(core: Core, member: Member) -> dict[str, str]:
    """Return what a member's own account has free, by asset, in words."""
    spot = Account.objects.filter(member=member, kind=AccountKind.SPOT.value).first()
    if spot is None:
        return {}
    codes = asset_codes()
    found = robots.balances(core, spot.pk)
    named = [(*codes.get(asset, (str(asset), 0)), free) for asset, free, _ in found]
    amounts = {code: Decimal(free).scaleb(-places) for code, places, free in named}
    return {
        code: f"Your own account has {figure_text(plain(amount))} free."
        for code, amount in amounts.items()
    }


def signal_money(core: Core, robot: Robot, run: RobotRun | None) -> dict[str, Any]:
    """Return what a signal robot has, and on paper what it won: the money of its page."""
    if run is None or run.mode == RobotMode.LIVE:
        return {"money": money(core, robot)}
    codes = asset_codes()
    try:
        asked = core_of(core, robot, cash=settings.CASH)
    except ValueError:  # the worker tells why at the run
        return {"money": []}
    won = {code: -Decimal(text) for code, text in run.terms.items()}
    found = []
    for asset, free, held in robots.balances(asked, robot.account_id):
        code, places = codes[asset]
        found.append((f"{code} on paper", _units(free + held, places)))
        won[code] = won.get(code, Decimal(0)) + Decimal(free + held).scaleb(-places)
    there = services.markets()
    coins = {code: amount for code, amount in won.items() if amount and code != settings.CASH}
    if not all(code in there for code in coins):
        return {"money": found}  # nobody knows what that is worth
    worth = sum((amount * _last(core, there[code]) for code, amount in coins.items()), Decimal(0))
    return {"money": found, "paper_profit": text_of(won.get(settings.CASH, Decimal(0)) + worth)}


def _last(core: Core, market: InstrumentRow) -> Decimal:
    """Return the price of a market's last trade."""
    asked = core.query(pack(Query.DEPTH, instrument=market.number, limit=1))
    answers = [
        unpack(one) for one in split(bytes(asked.records)) if kind_of(one) == Query.BOOK_ANSWER
    ]
    return sum(one["last_price_ticks"] for one in answers) * Decimal(market.tick_size)


def paper_money(run: RobotRun, coin: str, market: InstrumentRow | None) -> list[tuple[str, str]]:
    """Return what a bot on paper has, cash first."""
    if not run.position or market is None:
        cash, coins = run.terms.get("cash", "0"), run.terms.get("coins", "0")
        found = [(f"{settings.CASH} on paper", cash), (f"{coin} on paper", coins)]
        return found[: 2 if coin else 1]
    position = msgspec.msgpack.decode(bytes(run.position))
    lot, tick = (_places(text) for text in (market.lot_size, market.tick_size))
    coin_places, cash_places = position.get("decimals") or (lot, lot + tick)
    amounts = {}
    for asset, places in ((COIN, coin_places), (CASH, cash_places)):
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
        "order_notional_max": "an order may be worth",
    }
    said = [
        f"{text} {robot.config[name]} {settings.CASH}"
        for name, text in names.items()
        if str(robot.config.get(name, "0")) not in {"", "0"}
    ]
    if orders := robot.config.get("orders_day_max"):
        said.append(f"a day may have {orders} order{'s'[: orders != 1]}")
    return ", ".join(said)


def code_text(code: str) -> str:
    """Return a decision's code as a person reads it."""
    return str(code).lower().replace("_", " ")
