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
from fondaco.identity.models import Member
from fondaco.office.robots import services
from fondaco.office.templatetags.figures import figure_text
from fondaco.projections.selectors import InstrumentRow, asset_codes, instruments
from fondaco.robots import services as robots
from fondaco.robots.bots import selectors as bots
from fondaco.robots.hub.selectors import told_to_client
from fondaco.robots.models import Robot, RobotKind, RobotMode, RobotRun
from fondaco.robots.rules.plan import Plan, plan_rule
from fondaco.robots.rules.reasons import tell
from fondaco.robots.rules.state import Decision
from fondaco.robots.rules.validation import read_rule
from fondaco.robots.rules.view import money as text_of
from fondaco.robots.rules.view import plain
from fondaco.strategies.models import Strategy

__all__ = [
    "allotment_of",
    "charts",
    "code_text",
    "cost_words",
    "end_words",
    "figures_of",
    "first_rule",
    "limits_of",
    "moment",
    "money",
    "newest",
    "paper_money",
    "paper_profit",
    "periods",
    "rows",
    "tape_words",
    "told_decisions",
    "track_record",
]

WIDTH: Final = 1000
MARK_WIDTH: Final = 12  # on a chart; as much has at most one mark of each side
DAYS_SHOWN: Final = 62  # past it months
WALKS: Final = {
    "shape": "open, low, high, close if it rose, the high first if it fell",
    "ohlc": "open, high, low, close",
    "olhc": "open, low, high, close",
    "close": "by its close alone",
}
COIN, CASH = 1, 2  # assets of a paper exchange
EXAMPLE: Final = """{
  "$when": {"$comparison": {
    "itemA": {"$ticker": "COIN"},
    "itemB": {"$indicator": {
      "name": "SMA", "ticker": "COIN", "interval": "1m", "parameters": {"timeperiod": 10}}},
    "type": "crosses_above"}},
  "$do": {"$order": {"kind": "MARKET", "intent": "BUY", "spend": {"$cash": "free"}}},
  "$then": {
    "$when": {"$comparison": {
      "itemA": {"$ticker": "COIN"},
      "itemB": {"$indicator": {
        "name": "SMA", "ticker": "COIN", "interval": "1m", "parameters": {"timeperiod": 10}}},
      "type": "crosses_below"}},
    "$do": {"$order": {"kind": "MARKET", "intent": "SELL", "shares": {"$position": "COIN"}}}
  },
  "$repeat": {"times": 100, "pause_s": 60}
}"""
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
    reason, reason_ms = _newest_reason(robot, run)
    killed = bool(words.get("killed"))
    text = "killed: only reduces" if killed else "off"
    if robot.is_active and not killed:
        text = "on" if robot.kind != RobotKind.RULE else _phase(run)
    mode = run.mode if run is not None else "live"
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
        # The ledger knows no paper money: a run on paper tells of it on its own page.
        "day_profit": _cash(words, "day_profit", places) if mode == RobotMode.LIVE else "",
        "month_profit": _cash(words, "month_profit", places) if mode == RobotMode.LIVE else "",
        "reason": reason,
        "reason_at": moment(reason_ms * 1000),
    }


def _phase(run: RobotRun | None) -> str:
    """Return how far a bot that is on has come, in a word."""
    if run is None or not run.state:
        return "can't start" if run is not None and run.fault else "is starting"
    return PHASES[bots.state_of(run).phase]


def track_record(robot: Robot) -> Strategy | None:
    """Return what shows a robot's equity over time; None before its first minute is over."""
    return Strategy.objects.filter(account__robot=robot.pk).first()


def first_rule(member: Member) -> str:
    """Return the rule that a backtest begins with: of the newest own bot, else an example."""
    own = Robot.objects.filter(member=member, kind=RobotKind.RULE, closed_at=None)
    newest = own.order_by("-account_id").first()
    if newest is not None and newest.rule:
        return str(newest.rule)
    return EXAMPLE.replace("COIN", next(iter(services.markets()), "BTC"))


def _newest_reason(robot: Robot, run: RobotRun | None) -> tuple[str, int]:
    """Return why a robot last did what it did, and when; nothing if it has decided nothing."""
    if robot.kind != RobotKind.RULE:
        return told_to_client(robot.account_id, cash=settings.CASH)
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
    records = split(bytes(core.query(pack(Query.DEPTH, instrument=number, limit=1)).records))
    answers = (unpack(one) for one in records if kind_of(one) == Query.BOOK_ANSWER)
    row = next(one for one in instruments() if one.number == number)
    last = sum(one["last_price_ticks"] for one in answers) * Decimal(row.tick_size)
    cash, coins = (Decimal(amount) for _, amount in has)
    began = (Decimal(run.terms.get(name, "0")) for name in ("cash", "coins"))
    cash_won, coins_won = (now - then for now, then in zip((cash, coins), began, strict=True))
    return text_of(cash_won + coins_won * last)


def allotment_of(robot: Robot, run: RobotRun | None, plan: Plan | None) -> dict[str, str]:
    """Return what a rule bot was given and has not given back, by asset; on paper its figures."""
    if run is not None and run.mode == RobotMode.PAPER:
        coin = plan.paper_ticker if plan is not None else ""
        words = {settings.CASH: run.terms.get("cash", "0"), coin: run.terms.get("coins", "0")}
        return {code: amount for code, amount in words.items() if code and Decimal(amount)}
    codes = asset_codes()
    given = robots.allotted(robot).items()
    named = [(*codes.get(asset, (str(asset), 0)), amount) for asset, amount in given if amount]
    return {code: _units(amount, places) for code, places, amount in named}


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


def told_decisions(rule: str, found: Sequence[Decision]) -> list[dict[str, Any]]:
    """Return the decisions of a backtest in words."""
    plan = plan_rule(read_rule(rule))
    return [
        {"at": moment(one.time_us), "shown": code_text(one.code), "reason": tell(plan, one)}
        for one in found
    ]


def tape_words(result: Mapping[str, Any], file_name: str) -> str:
    """Return what a backtest ran on."""
    one = result["settings"]
    of = f"of {file_name}" if file_name else "of this house"
    kind = "candles" if one["source"] == "candles" else "trades"
    first, last = (f"{moment(result[name]):%-d %b %Y, %H:%M}" for name in ("first_us", "last_us"))
    walked = f"; each candle goes {WALKS[one['walk']]}" if one["walk"] else ""
    return (
        f"{one['base']} in {one['quote']}, {result['ticks']:,} ticks from {kind} {of}, "
        f"{first} to {last} UTC{walked}."
    )


def figures_of(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a backtest came to, by name."""
    quote = result["settings"]["quote"]
    profit, fall = (text_of(Decimal(result[name])) for name in ("profit", "drawdown"))
    return [
        (f"Profit, {quote}", profit),
        ("Profit, %", result["profit_percent"]),
        ("Holding the coin, %", result["hold_percent"]),
        (f"Deepest fall, {quote}", fall),
        ("Deepest fall, %", result["drawdown_percent"]),
    ]


def end_words(result: Mapping[str, Any]) -> str:
    """Return where a backtest's rule stood when the tape was over."""
    if result["state"] == "DONE":
        return "was done"
    did = "waited for its orders" if result["state"] == "ORDERED" else "waited"
    return f"{did} in step {result['step'] + 1}"


def cost_words(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the rules by which the market was imitated, for whoever judges the figures."""
    one = result["settings"]
    base = one["base"]
    paid = "paid or received in cash" if one.get("fee_in_quote") else "received"
    return [
        ("Fees", f"maker {one['maker_fee']}, taker {one['taker_fee']}, of what is {paid}"),
        ("Latency", f"{one['latency_ms']} ms to the market, and as long back"),
        ("Depth", f"{one['depth']} {base} at the best price and at each tick beyond"),
        ("Queue", f"{one['queue']} {base} before an order that joins a price"),
        ("Began with", f"{one['cash']} {one['quote']}, {one['coins']} {base}"),
    ]


def periods(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the days of a backtest as rows, or the months where there are many days."""
    length, word = (7, "Month") if len(result["days"]) > DAYS_SHOWN else (10, "Day")
    rows: list[dict[str, Any]] = []
    before = Decimal(result["equity_first"])
    for day in result["days"]:
        name, equity = day["day"][:length], Decimal(day["equity"])
        if not rows or rows[-1]["name"] != name:
            rows.append({"name": name, "began": before, "fills": 0})
        row = rows[-1]
        profit = equity - row["began"]
        percent = f"{profit * 100 / row['began']:z.2f}" if row["began"] > 0 else ""
        fills = row["fills"] + day["fills"]
        row |= {"equity": text_of(equity), "profit": text_of(profit)}
        row |= {"percent": percent, "fills": fills}
        before = equity
    return {"word": word, "rows": rows}


def charts(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return price with the trades on it, equity and drawdown of a backtest as lines to draw."""
    points = result.get("curve") or []
    if not points:
        return []
    times = [time_us for time_us, _, _ in points]
    prices = [Decimal(price) for _, price, _ in points]
    equity = [Decimal(worth) for _, _, worth in points]
    peak, falls = equity[0], []
    for value in equity:
        peak = max(peak, value)
        falls.append((value - peak) * 100 / peak if peak > 0 else Decimal(0))
    quote = result["settings"]["quote"]
    fills = _thinned(result["fills"], times[0], times[-1])
    marks = [(fill["time_us"], Decimal(fill["price"]), fill) for fill in fills]
    count = len(result["fills"])
    traded = f"{count} fill{'s'[: count != 1]}" if fills else "nothing traded"
    if len(fills) < count:
        traded = f"{len(fills)} of {count} fills are marked"
    first, last, low, high, began, ended = (
        figure_text(Decimal(text_of(one)))
        for one in (prices[0], prices[-1], min(prices), max(prices), equity[0], equity[-1])
    )
    said = f"from {first} to {last}, between {low} and {high}"
    deepest = Decimal(result["drawdown_percent"])
    return [
        _chart("Price and trades", times, prices, 240, f"{said}; {traded}", marks),
        _chart("Equity", times, equity, 200, f"from {began} to {ended} {quote}"),
        _chart("Drawdown, %", times, falls, 120, f"the deepest fall is {deepest:.2f} %"),
    ]


def _thinned(
    fills: Sequence[Mapping[str, Any]], begin_us: int, end_us: int
) -> list[Mapping[str, Any]]:
    """Return the first buy and the first sell of each place of a chart that has room for one."""
    step_us = max(1, (end_us - begin_us) * MARK_WIDTH // WIDTH)
    kept: dict[tuple[int, str], Mapping[str, Any]] = {}
    for fill in fills:
        kept.setdefault(((fill["time_us"] - begin_us) // step_us, fill["side"]), fill)
    return list(kept.values())


def _chart(
    caption: str,
    times: Sequence[int],
    values: Sequence[Decimal],
    height: int,
    said: str,
    marks: Sequence[tuple[int, Decimal, Mapping[str, Any]]] = (),
) -> dict[str, Any]:
    prices = [price for _, price, _ in marks]
    low, high = min([*values, *prices]), max([*values, *prices])
    room = (high - low) or Decimal(1)
    begin, span = times[0], (times[-1] - times[0]) or 1

    def place(time_us: int, value: Decimal) -> tuple[float, float]:
        x = min(max((time_us - begin) * WIDTH / span, 0), WIDTH)
        return round(x, 1), round(float(10 + (high - value) / room * (height - 20)), 1)

    drawn = []
    for time_us, price, fill in marks:
        x, y = place(time_us, price)
        way = 1 if fill["side"] == "BUY" else -1  # a buy points up from below, a sell down
        drawn.append(
            {
                "points": f"{x},{y} {x - 6},{y + 16 * way} {x + 6},{y + 16 * way}",
                "side": fill["side"].lower(),
                "said": f"{fill['side']} {fill['quantity']} at {fill['price']}",
            }
        )
    places = (place(*point) for point in zip(times, values, strict=True))
    line = " ".join(f"{x},{y}" for x, y in places)
    return {"caption": caption, "points": line, "height": height, "said": said, "marks": drawn}
