"""Every read of the backtests' pages: what a backtest came to, in words, rows and charts.

Promises: figures are the result's own, only worded; of very many lines each kind says its count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from fondaco.identity.models import Member
from fondaco.office.robots import services
from fondaco.office.robots.forms import LIMIT_LABELS
from fondaco.office.robots.forms_backtests import RATING_LABELS
from fondaco.office.robots.selectors import code_text, moment
from fondaco.office.templatetags.figures import figure_text
from fondaco.robots.models import Backtest, Robot, RobotKind
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.reasons import tell
from fondaco.robots.rules.state import Decision
from fondaco.robots.rules.validation import read_rule
from fondaco.robots.rules.view import money as text_of

__all__ = [
    "charts",
    "config_words",
    "cost_words",
    "end_words",
    "figures_of",
    "first_rule",
    "heard_words",
    "operations_of",
    "periods",
    "reasons_of",
    "signals_words",
    "tape_words",
    "told_decisions",
    "told_judged",
]

WIDTH: Final = 1000
MARK_WIDTH: Final = 12  # on a chart; as much has at most one mark of each side
DAYS_SHOWN: Final = 62  # past it months
OPERATIONS: Final = {
    "AWAITING_BUY": "is buying",
    "AWAITING_SELL": "is open",
    "CLOSED": "closed",
    "FAILED": "bought nothing",
}
NOTES: Final = {"SIGNAL": "by a signal", "STOP_LOSS": "by its stop"}
WALKS: Final = {
    "shape": "open, low, high, close if it rose, the high first if it fell",
    "ohlc": "open, high, low, close",
    "olhc": "open, low, high, close",
    "close": "by its close alone",
}
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


def told_decisions(rule: str, found: Sequence[Decision]) -> list[dict[str, Any]]:
    """Return the decisions of a backtest in words."""
    plan = plan_rule(read_rule(rule))
    return [
        {"at": moment(one.time_us), "shown": code_text(one.code), "reason": tell(plan, one)}
        for one in found
    ]


def told_judged(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the decisions of a signal robot in words, with the price that they were made at."""
    return [
        {
            "at": moment(one["time_us"]),
            "shown": code_text(one["reason"]),
            "reason": one["text"],
            "price": one["numbers"].get("price", ""),
        }
        for one in found
    ]


def reasons_of(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Return how often a signal robot decided by each reason, the most frequent first."""
    return [(code_text(name), n) for name, n in Counter(r["reason"] for r in found).most_common()]


def operations_of(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the operations of a signal robot as rows; what one brought, once it is over."""
    rows = []
    for one in result["operations"]:
        spent, proceeds = Decimal(one["spent"]), Decimal(one["proceeds"])
        is_over = one["status"] == "CLOSED" and spent > 0
        how = NOTES.get(one["note"], code_text(one["note"]))
        rows.append(
            {
                "at": moment(one["started_us"]),
                "state": OPERATIONS[one["status"]],
                "is_open": one["status"] in {"AWAITING_BUY", "AWAITING_SELL"},
                "how": how,
                "bought": text_of(Decimal(one["bought"])) if spent else "",
                "spent": text_of(spent) if spent else "",
                "stop": text_of(Decimal(one["stop"])) if one["stop"] is not None else "",
                "proceeds": text_of(proceeds) if proceeds else "",
                "brought": text_of(proceeds - spent) if is_over else "",
            }
        )
    return rows


def signals_words(result: Mapping[str, Any]) -> str:
    """Return how many signals were judged, and how many lay outside the tape."""
    said = f"{result['signals']:,} judged"
    for name, where in (("signals_before", "before its begin"), ("signals_after", "after its end")):
        if result[name]:
            said += f", {result[name]:,} {where} not"
    return said


def heard_words(row: Backtest) -> str:
    """Return what the robot of a backtest hears."""
    if row.signals == "ratings":
        rating = RATING_LABELS.get(row.ratings, row.ratings)
        return f"the house's {rating} of {row.interval} candles"
    of = f"of {row.signals_name}" if row.signals == "file" else "that came in to this house"
    return f"the signals {of}"


def config_words(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a signal robot was told, by name."""
    labels = {"operation_amount": "An operation buys for"}
    labels |= {"operation_stop_loss": "An operation may lose", **LIMIT_LABELS}
    limits = [(label, str(config.get(name, "0"))) for name, label in labels.items()]
    return [
        ("Symbols", ", ".join(config["symbols"])),
        ("Buys at a signal of", _level(config["buy_on"])),
        ("Sells at a signal of", _level(config["sell_on"])),
        *((label, text) for label, text in limits if text != "0"),
    ]


def _level(name: str) -> str:
    return name if name.startswith("STRONG") else f"{name} or stronger"


def tape_words(result: Mapping[str, Any], file_name: str) -> str:
    """Return what a backtest ran on."""
    one = result["settings"]
    of = f"of {file_name}" if file_name else "of this house"
    kind = "candles" if one["source"] == "candles" else "trades"
    first, last = (f"{moment(result[name]):%-d %b %Y, %H:%M}" for name in ("first_us", "last_us"))
    walked = f"; each candle goes {WALKS[one['walk']]}" if one["walk"] else ""
    others = one.get("beside")  # absent of results from before
    read = f"; the rule read {' and '.join(others)}, too" if others else ""
    return (
        f"{one['base']} in {one['quote']}, {result['ticks']:,} ticks from {kind} {of}, "
        f"{first} to {last} UTC{walked}{read}."
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
    """Return where a backtest's robot stood when the tape was over."""
    if "operations" in result:
        return "an operation was open" if result["state"] == "ORDERED" else "nothing was open"
    if result["state"] == "DONE":
        return "was done"
    did = "waited for its orders" if result["state"] == "ORDERED" else "waited"
    return f"{did} in step {result['step'] + 1}"


def cost_words(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the rules by which the market was imitated, for whoever judges the figures."""
    one = result["settings"]
    base = one["base"]
    paid = "paid or received in cash" if one.get("fee_in_quote") else "received"
    limits = [(LIMIT_LABELS[name], text) for name, text in one.get("limits", {}).items()]
    return [
        ("Fees", f"maker {one['maker_fee']}, taker {one['taker_fee']}, of what is {paid}"),
        ("Latency", f"{one['latency_ms']} ms to the market, and as long back"),
        ("Depth", f"{one['depth']} {base} at the best price and at each tick beyond"),
        ("Queue", f"{one['queue']} {base} before an order that joins a price"),
        ("Began with", f"{one['cash']} {one['quote']}, {one['coins']} {base}"),
        *limits,
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


def first_rule(member: Member) -> str:
    """Return the rule that a backtest begins with: of the newest own bot, else an example."""
    own = Robot.objects.filter(member=member, kind=RobotKind.RULE, closed_at=None)
    newest = own.order_by("-account_id").first()
    if newest is not None and newest.rule:
        return str(newest.rule)
    return EXAMPLE.replace("COIN", next(iter(services.markets()), "BTC"))
