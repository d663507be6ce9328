"""A reader of what is told of robots, which believes nothing: it adds up by itself.

From orders, postings and trades alone it keeps each robot's position, cost, profit and orders, and
holds every ROBOT and SUMMARY, each accepted order and each trade against them. What a limit is
asked about is always its own sum, never the core's; `looks` counts how often each was asked.

Checked: I13 an order under an old fence is refused and no lock has two holders; I19 no purchase
comes in or trades after a loss limit or the kill switch, which leaves no order that was open before
it; no sale passes the cap, at each trade and with all that is open; no order is worth more than its
notional or past the day's count; S0-7 exits are free of these three; S0-10 summaries are the sums
of the trades, a closed one is the last of its period.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from fondaco.core.records import (
    HEAD_WORDS,
    LAYOUTS,
    Command,
    Event,
    Execution,
    Flag,
    InstrumentBody,
    Period,
    Query,
    Reason,
    RobotTerms,
    Side,
    Stopped,
    numbers_of,
    pack,
    split,
    unpack,
)
from tests.simulation.outside import require

__all__ = ["LOOKS", "RobotReader"]

SUMS: Final = ("bought_lots", "bought_quote", "sold_lots", "sold_quote", "profit")
SENT: Final = (Command.ROBOT_ORDER, Command.ROBOT_LIST)
BYTES: Final[dict[int, int]] = {
    kind: 8 * (HEAD_WORDS + len(LAYOUTS[kind])) for kind in (*SENT, Command.KILL_ROBOT)
}
REFUSALS: Final = {r for r in Reason if Reason.NOT_ROBOT <= r <= Reason.INVALID_FLAGS}
# What a look held a limit against, and each refusal that robots have.
LOOKS: Final = (
    "purchase under a loss limit",
    "trade under a sell cap",
    "sale under a sell cap",
    "order under a notional",
    "order under a day's count",
    "kill",
    "rush under several fences",
    *(f"refused {reason.name}" for reason in sorted(REFUSALS)),
)
LIMITS: Final = {Reason.SELL_CAP, Reason.TOO_MANY_ORDERS_TODAY}  # that hold up no exit
RUSH: Final = 16  # orders to one robot in a batch
WORD_MAX: Final = (1 << 63) - 1
Words = dict[str, int]


class Order(Protocol):
    """What the observer knows of an open order."""

    order_id: int
    account: int
    instrument: int
    side: int
    price: int
    stop_price: int
    list_id: int

    @property
    def remaining(self) -> int:
        """Lots still open."""


def word(amount: int) -> int:
    """Return what a word of an event says of a sum: one that would leave it stays at its end."""
    return max(-WORD_MAX, min(WORD_MAX, amount))


@dataclass
class Robot:
    """A robot as it was seen."""

    terms: RobotTerms
    coins: dict[int, list[int]] = field(default_factory=dict)  # asset -> units, cost
    sums: dict[tuple[int, int], Counter[str]] = field(default_factory=dict)  # instrument, period
    told: Words = field(default_factory=dict)  # the last ROBOT
    killed: int = 0  # as the last command that was carried out says
    killed_seq: int = 0  # when the switch was last turned on
    fences: list[tuple[int, int]] = field(default_factory=list)  # seq of the command, fence
    holder: tuple[int, int, int] = (0, 0, 0)  # owner, until
    exits: set[int] = field(default_factory=set)
    reached_by: int = 0  # the order whose sweep reached a loss limit
    orders_day: int = 0
    sold_not_by_exits: int = 0  # in the month
    sells_max: int = 0  # the cap when a sale last came in: what is open can't bring more; 0 = none

    def sum_of(self, instrument: int, period: int) -> Counter[str]:
        """Return what it did on an instrument in the present day or month."""
        return self.sums.setdefault((instrument, period), Counter())

    def profit(self, period: int) -> int:
        """Return its profit of the present day or month."""
        return word(
            sum(words["profit"] for (_, each), words in self.sums.items() if each == period)
        )

    def stopped(self) -> int:
        """Return which loss limits its trades have reached, as bits of Stopped."""
        day, month = self.terms.day_loss_max, self.terms.month_loss_max
        reached = (
            day and -self.profit(Period.DAY) >= day,
            month and -self.profit(Period.MONTH) >= month,
        )
        return sum(bit for bit, over in zip(Stopped, reached, strict=True) if over)


class RobotReader:
    """All robots."""

    def __init__(self, instruments: dict[int, InstrumentBody], orders: dict[int, Any]) -> None:
        """Share what the observer knows of instruments and open orders."""
        self.instruments = instruments
        self.orders: dict[int, Order] = orders
        self.robots: dict[int, Robot] = {}
        self.last_price: dict[int, int] = {}
        self.looks: Counter[str] = Counter()
        # Of the present command, or batch:
        self.new: dict[int, int] = {}  # orders of robots that came in: number -> account
        self.fired: dict[int, int] = {}  # and stops that fired
        self.worths: Counter[int] = Counter()  # what each order traded, in quote
        self.kills: dict[tuple[int, int], int] = {}  # of the batch: seq, account -> on

    # ---- reading

    def account(self, account: int, terms: dict[str, int] | None) -> None:
        """Read the terms of an account."""
        if terms is not None:
            known = self.robots.setdefault(account, Robot(RobotTerms(**terms)))
            known.terms = RobotTerms(**terms)

    def book_of(self, robot: Robot, asset: int) -> InstrumentBody | None:
        """Return the first book of a coin for the robot's cash."""
        for _, body in sorted(self.instruments.items()):
            if (body.base, body.quote, body.market) == (asset, robot.terms.cash, 1):
                return body
        return None

    def posting(self, words: Words) -> None:
        """Coin comes at the last price, and goes with its part of the cost."""
        for name, sign in (("debit_account", -1), ("credit_account", 1)):
            robot = self.robots.get(words[name])
            asset, amount = words["asset"], words["amount"]
            if robot is None or asset == robot.terms.cash:
                continue
            if sign < 0:
                self.give(robot, asset, amount)
                continue
            body, coin = self.book_of(robot, asset), robot.coins.setdefault(asset, [0, 0])
            coin[0] += amount
            if body is not None:
                unit = self.last_price.get(body.number, 0) * body.quote_per_lot_tick
                coin[1] = word(coin[1] + amount * unit // body.base_per_lot)

    def give(self, robot: Robot, asset: int, units: int) -> int:
        """Take units away; return what they had cost."""
        coin = robot.coins.setdefault(asset, [0, 0])
        require(coin[0] >= units, "a robot has what it gives", coin, units)
        cost = coin[1] if coin[0] == units else coin[1] * units // coin[0]
        coin[0] -= units
        coin[1] -= cost
        return cost

    def order(self, words: Words) -> None:
        """Read an ORDER."""
        account, order_id = words["account"], words["order_id"]
        robot, is_sale = self.robots.get(account), words["side"] == Side.SELL
        if robot is None:
            return
        cap = robot.terms.month_sell_cap
        if words["execution"] == Execution.NEW:
            self.new[order_id] = account
            robot.orders_day += 1
            if not is_sale:
                self.check_purchase(robot, words)
            elif order_id not in robot.exits:
                robot.sells_max = cap
        elif words["execution"] == Execution.TRIGGERED:
            self.fired[order_id] = account  # its limits are asked next: it may still expire
            if is_sale and order_id not in robot.exits and robot.sells_max:
                robot.sells_max = max(cap, robot.sells_max) if cap else 0

    def check_purchase(self, robot: Robot, words: Words) -> None:
        """I19: who has lost too much, or is killed, buys no more."""
        self.looks["purchase under a loss limit"] += bool(
            robot.terms.day_loss_max or robot.terms.month_loss_max
        )
        require(not robot.stopped(), "I19 no purchase after a loss limit", words, robot)
        require(not robot.killed, "I19 no purchase after the switch", words, robot)

    def trade(self, words: Words) -> None:
        """Read a TRADE: who buys first, if a robot trades with itself."""
        self.last_price[words["instrument"]] = words["price_ticks"]
        body, quote, lots = (
            self.instruments[words["instrument"]],
            words["quote_amount"],
            words["quantity_lots"],
        )
        units = lots * body.base_per_lot
        aggressor = words["buy_order_id" if words["taker_side"] == Side.BUY else "sell_order_id"]
        self.worths.update({words["buy_order_id"]: quote, words["sell_order_id"]: quote})
        buyer = self.robots.get(words["buyer_account"])
        if buyer is not None:
            spared = not buyer.stopped() or buyer.reached_by == aggressor
            require(spared, "I19 no purchase after a loss limit", words)
            require(not buyer.killed, "I19 no purchase after the switch", words)
            fee, in_base = words["buyer_fee"], words["buyer_fee_asset"] == body.base
            coin = buyer.coins.setdefault(body.base, [0, 0])
            coin[0] += units - (fee if in_base else 0)
            coin[1] = word(coin[1] + quote + (0 if in_base else fee))
            self.count(buyer, body, bought_lots=lots, bought_quote=quote)
        seller = self.robots.get(words["seller_account"])
        if seller is not None:
            profit = quote - words["seller_fee"] - self.give(seller, body.base, units)
            was_stopped = seller.stopped()
            self.count(seller, body, sold_lots=lots, sold_quote=quote, profit=profit)
            if seller.stopped() and not was_stopped:
                seller.reached_by = aggressor
            if words["sell_order_id"] not in seller.exits:
                seller.sold_not_by_exits += quote
                self.check_cap(seller, words)

    def count(self, robot: Robot, body: InstrumentBody, **more: int) -> None:
        """Add to a robot's day and month."""
        for period in Period:
            total = robot.sum_of(body.number, period)
            for name, amount in more.items():
                total[name] = word(total[name] + amount)

    def check_cap(self, robot: Robot, words: Words) -> None:
        """I19: a sale that comes in or fires keeps to the cap; one that stands, to its own time's.

        When it came in, the sales of the month and all that was open fitted under the cap; since
        then what is open has only turned into sales, unless others came in under another cap.
        """
        order_id = words["sell_order_id"]
        is_fresh = order_id in self.new or order_id in self.fired
        most = robot.terms.month_sell_cap if is_fresh else robot.sells_max
        if most:
            self.looks["trade under a sell cap"] += 1
            sold = robot.sold_not_by_exits
            require(sold <= most, "I19 a trade past the sell cap", sold, most, words)

    def robot(self, words: Words) -> None:
        """Read a ROBOT."""
        robot = self.robots[words["account"]]
        told, terms = robot.told, robot.terms
        if told and words["day"] != told["day"]:
            self.roll(robot, Period.DAY)
            robot.orders_day = 0
        if told and words["month"] != told["month"]:
            self.roll(robot, Period.MONTH)
            robot.sold_not_by_exits = 0
        day, month = robot.profit(Period.DAY), robot.profit(Period.MONTH)
        mine = (day, month, robot.orders_day)
        named = (words["day_profit"], words["month_profit"], words["orders_day"])
        require(mine == named, "S0-10 a robot's figures are its trades'", mine, words)
        require(words["stopped"] == robot.stopped(), "loss limits as they are", words, terms)
        require(words["fence"] >= told.get("fence", 0), "fences count up", words, told)
        if words["fence"] != told.get("fence", 0):
            robot.fences.append((words["seq"], words["fence"]))
        self.switch(robot, words)
        if robot.stopped() or robot.killed:
            mine_open = [o for o in self.orders.values() if o.account == words["account"]]
            buys = [order for order in mine_open if order.side == Side.BUY]
            require(not buys, "I19 a stopped robot has no open purchase", words, buys)
            left = [o for o in mine_open if robot.killed and o.order_id < robot.killed_seq]
            require(not left, "I19 the switch leaves no order that was open", words, left)
        robot.told = words

    def switch(self, robot: Robot, words: Words) -> None:
        """Take the kill switch from the command that turned it, not from what the core says."""
        on = self.kills.get((words["seq"], words["account"]))
        if on is not None:
            robot.killed = on
            self.looks["kill"] += on
            robot.killed_seq = words["seq"] if on else robot.killed_seq
        require(words["killed"] == robot.killed, "the switch stands as it was turned", words)

    def roll(self, robot: Robot, period: Period) -> None:
        """Begin another day or month."""
        for key in [key for key in robot.sums if key[1] == period]:
            del robot.sums[key]

    def summary(self, words: Words) -> None:
        """Read a SUMMARY."""
        robot = self.robots[words["account"]]
        total = robot.sum_of(words["instrument"], words["period"])
        mine = {name: total[name] for name in SUMS}
        named = {name: words[name] for name in SUMS}
        require(mine == named, "S0-10 a summary is the sum of its trades", mine, words)
        coin = robot.coins.get(self.instruments[words["instrument"]].base, [0, 0])
        require([words["position"], words["cost"]] == coin, "S0-10 average cost", coin, words)

    # ---- commands, when their events were read

    def note(self, command: bytes, seq: int, events: list[bytes]) -> None:
        """Hold what a command asked against what came of it."""
        kind = command[0] | command[1] << 8
        if not events:
            return
        first = events[0][0] | events[0][1] << 8
        if first == Event.REFUSED:
            reason = unpack(events[0])["reason"]
            if reason in REFUSALS:
                self.looks[f"refused {Reason(reason).name}"] += 1
            if kind in SENT and reason in LIMITS:
                asked = unpack(command)
                require(asked["flags"] != Flag.EXIT, "S0-7 no limit holds up an exit", asked)
        if kind in SENT and first == Event.ORDER:
            self.sent(unpack(command), seq)
        elif kind == Command.LOCK_ROBOT and first == Event.ROBOT:
            self.locked(unpack(command), unpack(events[0]))
        elif kind == Command.UNLOCK_ROBOT and first == Event.ROBOT:
            self.robots[unpack(events[0])["account"]].holder = (0, 0, 0)

    def sent(self, asked: Words, seq: int) -> None:
        """I13: an order that came in was under the newest fence."""
        robot = self.robots[asked["account"]]
        newest = [fence for at, fence in robot.fences if at < seq]
        require(asked["fence"] == max(newest, default=0), "I13 a late holder is refused", asked)

    def locked(self, asked: Words, told: Words) -> None:
        """I13: who got the lock found it free, or had it, or took it by force."""
        robot = self.robots[asked["account"]]
        owner = (asked["owner_0"], asked["owner_1"])
        held = robot.holder[2] > told["time_us"] and robot.holder[:2] != owner
        require(not held or asked["force"] == 1, "I13 a lock has one holder", asked, robot.holder)
        robot.holder = (*owner, told["locked_until_us"])

    def before_batch(self, commands: list[bytes], seqs: list[int]) -> None:
        """Know a batch's exits, and where the switch is turned, before its events are read."""
        self.kills.clear()
        fences: dict[int, list[int]] = {}
        for command, seq in zip(commands, seqs, strict=True):
            kind = command[0] | command[1] << 8
            if len(command) == BYTES.get(kind):
                words = unpack(command)
                robot = self.robots.get(words["account"])
                if kind == Command.KILL_ROBOT:
                    self.kills[seq, words["account"]] = words["on"]
                    continue
                fences.setdefault(words["account"], []).append(words["fence"])
                if robot is not None and words["flags"] == Flag.EXIT:
                    robot.exits |= set(range(seq - numbers_of(command) + 1, seq + 1))
        rushes = [each for each in fences.values() if len(each) >= RUSH and len(set(each)) > 1]
        self.looks["rush under several fences"] += len(rushes)

    # ---- checking

    def end_of_command(self) -> None:
        """I19: after an order came in or fired, its robot's limits hold with all that is open."""
        for order_id, account in (self.new | self.fired).items():
            robot, order = self.robots[account], self.orders.get(order_id)
            is_at_work = order_id in self.new or order is not None or self.worths[order_id]
            if order_id not in robot.exits and is_at_work:
                self.check_limits(account, robot, order_id, order)
        self.new.clear()
        self.fired.clear()
        self.worths.clear()

    def check_limits(self, account: int, robot: Robot, order_id: int, order: Order | None) -> None:
        """Hold an order that is no exit, and came in or fired, against its robot's limits."""
        terms = robot.terms
        if terms.orders_day_max and order_id in self.new:
            self.looks["order under a day's count"] += 1
            require(robot.orders_day <= terms.orders_day_max, "I19 orders of a day", robot, order)
        if terms.order_notional_max:
            self.looks["order under a notional"] += 1
            worth = self.worths[order_id] + (0 if order is None else self.open_worth(order))
            most = terms.order_notional_max
            require(worth <= most, "I19 an order's notional", worth, most, order_id, order)
        if terms.month_sell_cap and order is not None and order.side == Side.SELL:
            self.looks["sale under a sell cap"] += 1
            brings = robot.sold_not_by_exits + self.open_sells(account, robot)
            require(brings <= terms.month_sell_cap, "I19 the sell cap", brings, robot)

    def open_worth(self, order: Order) -> int:
        """Return what is open of an order at its price, or at a stop's."""
        unit = self.instruments[order.instrument].quote_per_lot_tick
        return order.remaining * (order.price or order.stop_price) * unit

    def open_sells(self, account: int, robot: Robot) -> int:
        """Return what a robot's open sales may bring, exits left out; of a list the larger leg."""
        brings: dict[tuple[int, int], int] = {}
        for order in self.orders.values():
            mine = order.account == account and order.side == Side.SELL
            body = self.instruments[order.instrument]
            if mine and order.order_id not in robot.exits and body.quote == robot.terms.cash:
                key = (order.list_id, 0 if order.list_id else order.order_id)
                brings[key] = max(self.open_worth(order), brings.get(key, 0))
        return sum(brings.values())

    def check(self, exchange: Any, balances: dict[tuple[int, int], tuple[int, int]]) -> None:
        """Hold the core's answer against what was told, and positions against balances."""
        for account, robot in self.robots.items():
            records = split(exchange.query(pack(Query.ROBOTS, account=account)))
            answered = unpack(records[0])
            same = {name: answered[name] for name in LAYOUTS[Event.ROBOT]}
            told = {name: robot.told[name] for name in LAYOUTS[Event.ROBOT]}
            require(same == told, "a robot is answered as told", same, told)
            for record in records[1:]:
                self.summary(unpack(record))
            for asset, (units, _) in robot.coins.items():
                has = sum(balances.get((account, asset), (0, 0)))
                require(units == has, "a robot's position is its balance", account, units, has)
