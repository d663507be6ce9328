"""Robots' accounts, naively: a list of all that a robot ever did, added up anew at each question.

Written from the design and the records alone. Nothing is kept that can be counted: profit, cost,
what was sold and how many orders came in follow from the list each time they matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from fondaco.core.records import (
    ASSET_TOTAL_MAX,
    AccountBody,
    AccountKind,
    AssetBody,
    Event,
    Execution,
    Flag,
    OrderStatus,
    OrderType,
    Period,
    Reason,
    RobotTerms,
    Side,
    Stopped,
)
from tests.twin.market import BOOK_MARKET, STOPS, Order, Refusal

if TYPE_CHECKING:
    from tests.twin.exchange import Twin

__all__ = ["Deed", "Limits", "Robot", "check_terms"]

DAY_US: Final = 86_400_000_000
LARGEST: Final = (1 << 63) - 1
Words = dict[str, int]


class Deed(NamedTuple):
    """Something that a robot did, or that was done to it."""

    kind: str  # "order", "buy", "sell", "in", "out"
    day: int  # how many days were rolled before it
    month: int
    instrument: int = 0
    asset: int = 0  # the coin
    lots: int = 0
    units: int = 0  # of the coin that it got, or gave
    quote: int = 0  # before the fee
    cash: int = 0  # what the coin cost with the fee, or brought without


class Sum(NamedTuple):
    """What deeds add up to."""

    bought_lots: int = 0
    bought_quote: int = 0
    sold_lots: int = 0
    sold_quote: int = 0
    profit: int = 0


@dataclass
class Robot:
    """One robot's account."""

    account: int
    terms: RobotTerms
    killed: int = 0
    fence: int = 0
    owner: tuple[int, int] = (0, 0)
    until_us: int = 0
    exits: set[int] = field(default_factory=set)
    deeds: list[Deed] = field(default_factory=list)


class Limits:
    """All robots."""

    def __init__(self, twin: Twin) -> None:
        """Stand beside the twin's market."""
        self.twin = twin
        self.market = twin.market
        self.robots: dict[int, Robot] = {}
        self.days = 0  # rolled so far
        self.months = 0
        self.changed: dict[int, dict[int, None]] = {}

    def __getstate__(self) -> dict[str, object]:
        """Leave the twin out of what is kept of it."""
        return {name: value for name, value in vars(self).items() if name != "twin"}

    # ---- adding up

    def do(self, account: int, kind: str, **more: int) -> None:
        """Write a deed down."""
        self.robots[account].deeds.append(Deed(kind, self.days, self.months, **more))
        self.touch(account, more.get("instrument", 0))

    def position(self, robot: Robot, asset: int) -> tuple[int, int]:
        """Return how many units of a coin a robot has, and what they cost."""
        units, cost, _ = self.follow(robot, asset)
        return units, cost

    def follow(self, robot: Robot, asset: int) -> tuple[int, int, list[int]]:
        """Follow a coin through all deeds; return units, cost, and the profit of each deed."""
        units = cost = 0
        profits = []
        for deed in robot.deeds:
            profit = 0
            if deed.asset == asset and deed.kind in {"buy", "in"}:
                units += deed.units
                cost = bounded(cost + deed.cash)
            elif deed.asset == asset:
                part = cost if deed.units >= units else cost * deed.units // units
                units -= deed.units
                cost -= part
                profit = deed.cash - part if deed.kind == "sell" else 0
            profits.append(profit)
        return units, cost, profits

    def sum_of(self, robot: Robot, number: int, period: Period) -> Sum:
        """Add up what a robot did on an instrument in the present day or month."""
        base = self.market.instruments[number].base
        profits = self.follow(robot, base)[2]
        found = Sum()
        for deed, profit in zip(robot.deeds, profits, strict=True):
            if deed.instrument != number or not self.is_now(deed, period):
                continue
            if deed.kind == "buy":
                lots = bounded(found.bought_lots + deed.lots)
                quote = bounded(found.bought_quote + deed.quote)
                found = found._replace(bought_lots=lots, bought_quote=quote)
            elif deed.kind == "sell":
                found = found._replace(
                    sold_lots=bounded(found.sold_lots + deed.lots),
                    sold_quote=bounded(found.sold_quote + deed.quote),
                    profit=bounded(found.profit + profit),
                )
        return found

    def is_now(self, deed: Deed, period: Period) -> bool:
        """Whether a deed is of the present day or month."""
        if period == Period.DAY:
            return deed.day == self.days
        return deed.month == self.months

    def traded(self, robot: Robot, period: Period) -> list[int]:
        """Return the instruments on which a robot traded in the present day or month."""
        deeds = [deed for deed in robot.deeds if deed.kind in {"buy", "sell"}]
        return sorted({deed.instrument for deed in deeds if self.is_now(deed, period)})

    def profit(self, robot: Robot, period: Period) -> int:
        """Return what a robot has won, or lost if below zero."""
        numbers = self.traded(robot, period)
        return bounded(sum(self.sum_of(robot, n, period).profit for n in numbers))

    def sold(self, robot: Robot) -> int:
        """Return what a robot's sales of the month brought."""
        numbers = self.traded(robot, Period.MONTH)
        return bounded(sum(self.sum_of(robot, n, Period.MONTH).sold_quote for n in numbers))

    def orders_today(self, robot: Robot) -> int:
        """Return how many orders came in today."""
        orders = [deed for deed in robot.deeds if deed.kind == "order"]
        return sum(self.is_now(deed, Period.DAY) for deed in orders)

    def stopped(self, robot: Robot) -> int:
        """Return which loss limits are reached."""
        found = 0
        for bit, period, most in (
            (Stopped.DAY, Period.DAY, robot.terms.day_loss_max),
            (Stopped.MONTH, Period.MONTH, robot.terms.month_loss_max),
        ):
            if most and self.profit(robot, period) <= -most:
                found |= bit
        return found

    # ---- accounts

    def open(self, account: int, terms: RobotTerms) -> None:
        """Take in an account with terms."""
        self.robots[account] = Robot(account, terms)
        self.touch(account)

    def check_change(self, account: int, body: AccountBody, assets: dict[int, AssetBody]) -> None:
        """Refuse terms that can't take the place of the present ones."""
        if body.robot is not None:
            check_terms(body, assets)
            robot = self.robots.get(account)
            if robot is None or robot.terms.cash != body.robot.cash:
                raise Refusal(Reason.DEFINITION_CONFLICT)

    def change(self, account: int, terms: RobotTerms) -> None:
        """Replace the terms."""
        self.robots[account].terms = terms
        self.touch(account)

    def books(self, robot: Robot) -> list[int]:
        """Return the books on which a robot may trade."""
        return [
            number
            for number, body in sorted(self.market.instruments.items())
            if body.market == BOOK_MARKET and body.quote == robot.terms.cash
        ]

    def book_of(self, robot: Robot, asset: int) -> int:
        """Return the first book of a coin, or 0."""
        books = [n for n in self.books(robot) if self.market.instruments[n].base == asset]
        return books[0] if books else 0

    def moved(self, account: int, asset: int, amount: int) -> None:
        """An amount came, or went if below zero, without a trade."""
        robot = self.robots.get(account)
        if robot is None or asset == robot.terms.cash:
            return
        number = self.book_of(robot, asset)
        value = 0
        if number:
            body = self.market.instruments[number]
            last = self.market.last_price.get(number, 0)
            value = amount * last * body.quote_per_lot_tick // body.base_per_lot
        if amount > 0:
            self.do(account, "in", asset=asset, units=amount, cash=value)
        else:
            self.do(account, "out", asset=asset, units=-amount)
        self.touch(account, number)

    # ---- orders

    def named(self, account: int) -> Robot:
        """Return a robot, or refuse."""
        if account in self.robots:
            return self.robots[account]
        known = account in self.twin.accounts
        raise Refusal(Reason.NOT_ROBOT if known else Reason.UNKNOWN_ACCOUNT)

    def check_sender(self, words: Words) -> None:
        """Refuse an order or a list of a robot of who may not send it."""
        robot = self.named(words["account"])
        if words["fence"] != robot.fence:
            raise Refusal(Reason.STALE_FENCE, robot.fence)
        if words["flags"] not in {0, Flag.EXIT}:
            raise Refusal(Reason.INVALID_FLAGS)
        if words["flags"] and words["side"] == Side.BUY:
            raise Refusal(Reason.INVALID_FLAGS)

    def admit(self, order: Order, lots: int, *, is_exit: bool) -> None:
        """Refuse an order that passes a limit; count one that doesn't."""
        robot = self.robots.get(order.account)
        if robot is None:
            return
        self.absorb()
        self.check(robot, order, lots, is_exit=is_exit, is_new=True)
        self.do(order.account, "order")
        if is_exit:
            robot.exits.add(order.order_id)

    def admit_list(self, legs: list[Order], lots: int, *, is_exit: bool) -> None:
        """Refuse a list whose larger leg passes a limit; count its orders."""
        account = legs[0].account
        robot = self.robots.get(account)
        if robot is None:
            return
        self.absorb()
        larger = max(legs, key=lambda leg: self.worth(leg, lots, is_new=True))
        self.check(robot, larger, lots, is_exit=is_exit, is_new=True, orders=len(legs))
        for leg in legs:
            self.do(account, "order")
            if is_exit:
                robot.exits.add(leg.order_id)

    def is_over(self, stop: Order) -> bool:
        """Whether a stop that was reached passes a limit."""
        robot = self.robots.get(stop.account)
        if robot is None:
            return False
        self.absorb()
        is_exit = stop.order_id in robot.exits
        try:
            self.check(robot, stop, stop.remaining, is_exit=is_exit, is_new=False)
        except Refusal:
            return True
        return False

    def check(
        self,
        robot: Robot,
        order: Order,
        lots: int,
        *,
        is_exit: bool,
        is_new: bool,
        orders: int = 1,
    ) -> None:
        """Refuse an order that passes a limit."""
        terms = robot.terms
        if order.instrument not in self.books(robot):
            raise Refusal(Reason.NOT_ROBOT_MARKET, terms.cash)
        if order.side == Side.BUY:
            self.check_buy(robot)
        if is_exit:
            return
        most = terms.orders_day_max
        if is_new and most and self.orders_today(robot) + orders > most:
            raise Refusal(Reason.TOO_MANY_ORDERS_TODAY, most)
        worth = self.worth(order, lots, is_new=is_new)
        if terms.order_notional_max and worth > terms.order_notional_max:
            raise Refusal(Reason.NOTIONAL_TOO_LARGE, bounded(worth), terms.order_notional_max)
        if order.side == Side.SELL and terms.month_sell_cap:
            brings = worth + self.open_sells(robot, order)
            if self.sold(robot) + brings > terms.month_sell_cap:
                details = (self.sold(robot), bounded(brings), terms.month_sell_cap)
                raise Refusal(Reason.SELL_CAP, *details)

    def check_buy(self, robot: Robot) -> None:
        """Refuse to buy while killed or after a loss."""
        terms, stopped = robot.terms, self.stopped(robot)
        if robot.killed:
            raise Refusal(Reason.REDUCE_ONLY)
        if stopped & Stopped.MONTH:
            loss = -self.profit(robot, Period.MONTH)
            raise Refusal(Reason.MONTH_STOP, loss, terms.month_loss_max)
        if stopped & Stopped.DAY:
            raise Refusal(Reason.DAY_STOP, -self.profit(robot, Period.DAY), terms.day_loss_max)

    def worth(self, order: Order, lots: int, *, is_new: bool) -> int:
        """Return what an order may bring or cost: what it meets now, the rest at its price."""
        body = self.market.instruments[order.instrument]
        if is_new and order.order_type in STOPS:
            return lots * (order.price or order.stop_price) * body.quote_per_lot_tick
        walk = self.market.walk(order, lots)
        rest = lots - sum(step.lots for step in walk.steps)
        price = 0 if order.order_type == OrderType.MARKET else order.price
        return walk.worth(body) + rest * price * body.quote_per_lot_tick

    def open_sells(self, robot: Robot, but: Order) -> int:
        """Return what the other open sales may bring, exits left out; of a list the larger leg."""
        brings: dict[tuple[str, int], int] = {}
        for order in self.market.orders.values():
            mine = order.account == robot.account and order.order_id != but.order_id
            counts = order.side == Side.SELL and order.order_id not in robot.exits
            if mine and counts and order.instrument in self.books(robot):
                unit = self.market.instruments[order.instrument].quote_per_lot_tick
                worth = order.remaining * (order.price or order.stop_price) * unit
                key = ("list", order.list_id) if order.list_id else ("order", order.order_id)
                brings[key] = max(worth, brings.get(key, 0))
        return sum(brings.values())

    # ---- trades

    def absorb(self) -> None:
        """Write down the trades that the market made since it was last asked."""
        for trade in self.market.trades:
            body = self.market.instruments[trade.instrument]
            told = {"instrument": body.number, "asset": body.base, "lots": trade.lots}
            told["quote"] = trade.quote
            units = trade.lots * body.base_per_lot
            if trade.buyer in self.robots:
                fee = trade.buyer_fee
                got = units if body.fee_in_quote else units - fee
                paid = trade.quote + (fee if body.fee_in_quote else 0)
                self.do(trade.buyer, "buy", units=got, cash=paid, **told)
            if trade.seller in self.robots:
                got = trade.quote - trade.seller_fee
                self.do(trade.seller, "sell", units=units, cash=got, **told)
        self.market.trades.clear()

    # ---- the end of a command

    def touch(self, account: int, instrument: int = 0) -> None:
        """Note that this command changes a robot."""
        numbers = self.changed.setdefault(account, {})
        if instrument:
            numbers[instrument] = None

    def enforce(self, first: int) -> None:
        """Let the open buys expire of those who have lost too much."""
        self.absorb()
        for account in self.changed:
            robot = self.robots[account]
            if self.stopped(robot):
                for number in sorted(self.books(robot), key=lambda n: (n != first, n)):
                    self.expire_buys(account, number)

    def expire_buys(self, account: int, number: int) -> None:
        """Let an account's open buys on an instrument expire, oldest first."""
        mine = [o for o in self.market.orders.values() if o.account == account]
        for order in sorted(mine, key=lambda order: order.order_id):
            if order.instrument == number and order.side == Side.BUY:
                order.status = OrderStatus.EXPIRED
                self.market.report(order, Execution.EXPIRED)
                self.market.take_out(order)

    def tell(self) -> None:
        """Tell what this command changed of robots."""
        for account, numbers in self.changed.items():
            robot = self.robots[account]
            for number in numbers:
                for period in Period:
                    self.tell_summary(robot, number, period)
            self.tell_robot(robot)
        self.changed.clear()

    def tell_robot(self, robot: Robot) -> None:
        """Say ROBOT."""
        self.market.emit(
            Event.ROBOT,
            account=robot.account,
            cash=robot.terms.cash,
            killed=robot.killed,
            fence=robot.fence,
            locked_until_us=robot.until_us,
            stopped=self.stopped(robot),
            day=self.twin.day,
            month=self.twin.month,
            orders_day=self.orders_today(robot),
            day_profit=self.profit(robot, Period.DAY),
            month_profit=self.profit(robot, Period.MONTH),
            month_sold=self.sold(robot),
        )

    def tell_summary(self, robot: Robot, number: int, period: Period, *, closed: int = 0) -> None:
        """Say SUMMARY."""
        position, cost = self.position(robot, self.market.instruments[number].base)
        self.market.emit(
            Event.SUMMARY,
            account=robot.account,
            instrument=number,
            period=period,
            number=self.twin.day if period == Period.DAY else self.twin.month,
            is_closed=closed,
            **self.sum_of(robot, number, period)._asdict(),
            position=position,
            cost=cost,
        )

    # ---- commands

    def roll(self, words: Words) -> None:
        """End the day, and perhaps the month."""
        ends = []
        if words["day"] != self.twin.day:
            ends.append(Period.DAY)
        if words["month"] != self.twin.month:
            ends.append(Period.MONTH)
        for _, robot in sorted(self.robots.items()):
            seen = {number for period in Period for number in self.traded(robot, period)}
            for number in sorted(seen):
                for period in ends:
                    if number in self.traded(robot, period):
                        self.tell_summary(robot, number, period, closed=1)
        if ends:
            for account in sorted(self.robots):
                self.touch(account)
        self.days += Period.DAY in ends
        self.months += Period.MONTH in ends

    def lock(self, words: Words) -> None:
        """Give the lock to who asks, if it is free."""
        robot, now_us = self.named(words["account"]), self.twin.time_us
        owner = (words["owner_0"], words["owner_1"])
        if owner == (0, 0) or not 0 < words["ttl_us"] <= DAY_US or words["force"] not in {0, 1}:
            raise Refusal(Reason.INVALID_DEFINITION)
        is_mine = robot.until_us > now_us and robot.owner == owner
        if robot.until_us > now_us and not is_mine and not words["force"]:
            raise Refusal(Reason.LOCK_HELD, robot.until_us)
        robot.fence += not is_mine
        robot.owner, robot.until_us = owner, now_us + words["ttl_us"]
        self.touch(robot.account)

    def unlock(self, words: Words) -> None:
        """Take the lock from its holder."""
        robot = self.named(words["account"])
        if words["fence"] not in {0, robot.fence}:
            raise Refusal(Reason.STALE_FENCE, robot.fence)
        robot.fence += words["fence"] == 0
        robot.owner, robot.until_us = (0, 0), 0
        self.touch(robot.account)

    def kill(self, words: Words) -> None:
        """Turn the switch."""
        robot = self.named(words["account"])
        if words["on"] not in {0, 1}:
            raise Refusal(Reason.INVALID_DEFINITION)
        robot.killed = words["on"]
        mine = [o for o in self.market.orders.values() if o.account == robot.account]
        if robot.killed:
            for order in sorted(mine, key=lambda order: (order.instrument, order.order_id)):
                self.twin.cancel(order, [0, 0, 0, 0])
        self.touch(robot.account)


def check_terms(body: AccountBody, assets: dict[int, AssetBody]) -> None:
    """Refuse terms that no robot can have."""
    terms = body.robot
    if terms is None:
        return
    if terms.cash not in assets:
        raise Refusal(Reason.UNKNOWN_ASSET)
    limits = [terms.day_loss_max, terms.month_loss_max, terms.month_sell_cap]
    limits += [terms.order_notional_max, terms.orders_day_max]
    if body.kind != AccountKind.ROBOT or not all(0 <= n <= ASSET_TOTAL_MAX for n in limits):
        raise Refusal(Reason.INVALID_DEFINITION)


def bounded(amount: int) -> int:
    """Return an amount within what a word holds."""
    return sorted((-LARGEST, amount, LARGEST))[1]
