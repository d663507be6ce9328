"""A client as the older programs know it: one document of what it has, may, did and is doing.

Promises: exactly the keys of the seed's document, amounts as exact decimals; balances and summaries
are the core's of now, of a robot on paper its own exchange's; operations are the hub's. A day or a
month without trades has zeros for the chosen symbols. Days and months are the house's.
"""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from fondaco.core import records
from fondaco.core.records import Event, Period, Query
from fondaco.house.robots import RobotConfig
from fondaco.identity import core_door
from fondaco.identity.core_door import Asked, Core
from fondaco.projections.selectors import InstrumentRow, asset_codes, instruments
from fondaco.robots.models import Operation, Robot
from fondaco.robots.paper.standing import core_of

__all__ = ["client_document"]

Status: Final = Operation.Status
STATUS_NAMES: Final = {int(each): each.name for each in Status}


class Market(msgspec.Struct, frozen=True):
    """A symbol's book, and how its amounts are read."""

    symbol: str
    row: InstrumentRow
    decimals: int


class View:
    """What every part of the document is written with."""

    def __init__(self, cash: str, zone: ZoneInfo, now_us: int) -> None:
        self.codes = asset_codes()
        self.cash = next((number for number, (code, _) in self.codes.items() if code == cash), 0)
        self.cash_decimals = self.codes[self.cash][1] if self.cash else 0
        self.zone = zone
        self.today = dt.datetime.fromtimestamp(now_us // 1_000_000, self.zone).date()
        self.markets: dict[int, Market] = {}
        for row in instruments():
            if row.market == 1 and row.quote == self.cash:
                code, decimals = self.codes[row.base]
                self.markets[row.number] = Market(code, row, decimals)

    def money(self, units: int) -> Decimal:
        return _scaled(units, self.cash_decimals)

    def price(self, quote: int, coin: int, decimals: int) -> Decimal:
        """Return cash for one coin; 0 for none."""
        if not coin:
            return Decimal(0)
        return (_scaled(quote, self.cash_decimals) / _scaled(coin, decimals)).quantize(
            Decimal(1).scaleb(-max(self.cash_decimals, 8)), ROUND_HALF_EVEN
        )

    def moment(self, time_us: int) -> str:
        """Return a time as the document has it, by the house's clocks; "" for none."""
        if not time_us:
            return ""
        found = dt.datetime.fromtimestamp(time_us // 1_000_000, self.zone)
        return found.strftime("%Y-%m-%d %H:%M:%S")


def client_document(
    core: Core, robot: Robot, *, cash: str, zone: ZoneInfo, now_us: int
) -> dict[str, Any]:
    """Return the document of one client."""
    view = View(cash, zone, now_us)
    asked = core_of(core, robot, cash=cash)
    config = msgspec.convert(robot.config, RobotConfig)
    free, coins = _balances(asked, robot, view)
    chosen = list(config.symbols)
    summaries = _summaries(asked, robot)
    operations = Operation.objects.filter(
        account=robot.account_id, status__lte=Status.AWAITING_SELL
    ).order_by("started_us")
    return {
        "id": robot.pk,
        "active": robot.is_active,
        "locked": robot.is_locked or robot.locked_until_us > now_us,
        "cash": view.money(free),
        "crypto": [
            {"symbol": symbol, "amount": coins.get(symbol, Decimal(0))}
            for symbol in dict.fromkeys([*chosen, *coins])
        ],
        "config": {
            "buy_on": config.buy_on,
            "sell_on": config.sell_on,
            "operation_stop_loss": Decimal(config.operation_stop_loss),
            "day_stop_loss": Decimal(config.day_stop_loss),
            "month_stop_loss": Decimal(config.month_stop_loss),
            "month_sell_cap": Decimal(config.month_sell_cap),
            "symbols": chosen,
        },
        "monthly_summary": {
            "month": view.today.strftime("%m/%Y"),
            **_summary(summaries, Period.MONTH, view, chosen),
        },
        "daily_summary": {
            "day": view.today.strftime("%d/%m/%Y"),
            **_summary(summaries, Period.DAY, view, chosen),
        },
        "active_operations": [_operation(op, view) for op in operations],
    }


def _balances(core: Asked, robot: Robot, view: View) -> tuple[int, dict[str, Decimal]]:
    """Return the free cash and what there is of each coin, free and held."""
    answer = core.query(records.pack(Query.BALANCES, account=robot.account_id))
    free, coins = 0, {}
    for record in records.split(bytes(answer.records)):
        if core_door.kind_of(record) != Event.BALANCE:
            continue
        words = records.unpack(record)
        if words["asset"] == view.cash:
            free = words["free"]
        elif words["free"] or words["held"]:
            code, decimals = view.codes[words["asset"]]
            coins[code] = _scaled(words["free"] + words["held"], decimals)
    return free, coins


def _summaries(core: Asked, robot: Robot) -> list[dict[str, int]]:
    answer = core.query(records.pack(Query.ROBOTS, account=robot.account_id))
    return [
        records.unpack(record)
        for record in records.split(bytes(answer.records))
        if core_door.kind_of(record) == Event.SUMMARY
    ]


def _summary(
    summaries: list[dict[str, int]], period: Period, view: View, chosen: list[str]
) -> dict[str, Any]:
    number = (
        view.today.toordinal() - dt.date(1970, 1, 1).toordinal()
        if period is Period.DAY
        else (view.today.year - 1970) * 12 + view.today.month - 1
    )
    found = [
        words
        for words in summaries
        if (words["period"], words["number"]) == (period, number)
        and words["instrument"] in view.markets
    ]
    coins = [_coin(words, view) for words in found]
    traded = {coin["symbol"] for coin in coins}
    coins += [_no_coin(symbol) for symbol in chosen if symbol not in traded]
    return {
        "amount_sold": view.money(sum(words["sold_quote"] for words in found)),
        "amount_bought": view.money(sum(words["bought_quote"] for words in found)),
        "profit": view.money(sum(words["profit"] for words in found)),
        "crypto": coins,
    }


def _coin(words: dict[str, int], view: View) -> dict[str, Any]:
    market = view.markets[words["instrument"]]
    bought = words["bought_lots"] * market.row.base_per_lot
    sold = words["sold_lots"] * market.row.base_per_lot
    return {
        "symbol": market.symbol,
        "average_buy_value": view.price(words["bought_quote"], bought, market.decimals),
        "average_sell_value": view.price(words["sold_quote"], sold, market.decimals),
        "amount_sold": _scaled(sold, market.decimals),
        "amount_bought": _scaled(bought, market.decimals),
        "profit": view.money(words["profit"]),
    }


def _no_coin(symbol: str) -> dict[str, Any]:
    names = ("average_buy_value", "average_sell_value", "amount_sold", "amount_bought", "profit")
    return {"symbol": symbol, **dict.fromkeys(names, Decimal(0))}


def _operation(op: Operation, view: View) -> dict[str, Any]:
    market = view.markets[op.instrument]
    row = market.row
    stop = op.stop_ticks * row.quote_per_lot_tick
    paid = op.bought_lots * row.base_per_lot
    return {
        "id": op.pk,
        "status": STATUS_NAMES[op.status],
        "symbol": op.symbol,
        "start_time": view.moment(op.started_us),
        "buy_time": view.moment(op.buy_us),
        "crypto_amount_bought": _scaled(op.bought, market.decimals),
        "buy_quote": view.price(op.spent, paid, market.decimals),
        "stop_loss_quote": view.price(stop, row.base_per_lot, market.decimals),
        "available_amount": view.money(op.available),
        "operation_amount": view.money(op.spent),
    }


def _scaled(units: int, decimals: int) -> Decimal:
    """Return units as a decimal without needless zeros."""
    found = Decimal(units).scaleb(-decimals)
    return found.quantize(Decimal(1)) if found == found.to_integral() else found.normalize()
