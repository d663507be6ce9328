"""Robots' accounts: within which limits their orders come in, who holds them, what they earned.

Promises: each limit counts what is and what open orders may still do, inside the command that
asks, so no race passes one. Once a loss limit is reached the robot's open buys expire in the same
command and none comes in until the roll. Each lock has a fence above all before it, and an order
under an older one is refused. Realised profit is by average cost, all fees in it, to the unit; a
sum that would leave 64 bits stays at their end.

Plain Python: other accounts pass it by one flag. Commands and questions come from register.py and
answers.py; orders.py asks admit() and tells trades.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from fondaco.core.constants import ROBOT_HEAD, SUMMARY_HEAD
from fondaco.core.instrument import Instrument
from fondaco.core.outside import Outside
from fondaco.core.records import (
    ASSET_TOTAL_MAX,
    AccountBody,
    AccountKind,
    AssetBody,
    Command,
    Flag,
    Period,
    Reason,
    RobotTerms,
    Side,
    Stopped,
    unpack,
)

__all__ = ["Limits"]

BOOK: Final = 1  # InstrumentBody.market
WORD_MAX: Final = (1 << 63) - 1
LOCK_US_MAX: Final = 86_400_000_000
# As plain ints: reading them from the enumerations costs more than what is done with them.
BUY: Final = int(Side.BUY)
SELL: Final = int(Side.SELL)
STOPPED_DAY: Final = int(Stopped.DAY)
STOPPED_MONTH: Final = int(Stopped.MONTH)
DAY: Final = int(Period.DAY)
MONTH: Final = int(Period.MONTH)
Reasons = tuple[Reason, tuple[int, int, int]]


class Tally(msgspec.Struct, array_like=True):
    """What a robot did on an instrument in a period."""

    bought_lots: int = 0
    bought_quote: int = 0
    sold_lots: int = 0
    sold_quote: int = 0
    profit: int = 0


class Coin(msgspec.Struct, array_like=True):
    """What a robot has of an asset that isn't its cash, and what it cost."""

    units: int = 0
    cost: int = 0


NOTHING: Final = Tally()
NO_COIN: Final = Coin()


class Robot(msgspec.Struct, array_like=True):
    """A robot's account."""

    account: int
    terms: RobotTerms
    killed: int = 0
    fence: int = 0
    owner: tuple[int, int] = (0, 0)
    locked_until_us: int = 0
    orders_day: int = 0
    exits: set[int] = set()  # numbers of its exits that may be open
    coins: dict[int, Coin] = {}  # by asset
    days: dict[int, Tally] = {}  # by instrument
    months: dict[int, Tally] = {}


class Limits:
    """All robots' accounts."""

    def __init__(self, outside: Outside, instruments: list[Instrument | None]) -> None:
        """Share the tables of all orders, and the list of instruments."""
        self.outside = outside
        self.waiting = outside.waiting
        self.orders = outside.waiting.orders
        self.events = outside.events
        self.instruments = instruments
        self.robots: dict[int, Robot] = {}
        self.day = 0  # of the house, as the last ROLL told it
        self.month = 0
        self._changed: dict[int, dict[int, None]] = {}  # account -> instruments, by first change
        self.commands: dict[int, Callable[[bytes], int]] = {
            Command.ROLL: self._roll,
            Command.LOCK_ROBOT: self._lock,
            Command.UNLOCK_ROBOT: self._unlock,
            Command.KILL_ROBOT: self._kill,
        }

    # -- accounts --------------------------------------------------------------------------------

    def check_terms(self, body: AccountBody, assets: dict[int, AssetBody]) -> int:
        """Return 0 if an account may have these terms, or the reason."""
        terms = body.robot
        if terms is None:
            return 0
        if terms.cash not in assets:
            return Reason.UNKNOWN_ASSET
        amounts = (
            terms.day_loss_max,
            terms.month_loss_max,
            terms.month_sell_cap,
            terms.order_notional_max,
            terms.orders_day_max,
        )
        sound = all(0 <= amount <= ASSET_TOTAL_MAX for amount in amounts)
        return 0 if sound and body.kind == AccountKind.ROBOT else Reason.INVALID_DEFINITION

    def open(self, account: int, terms: RobotTerms) -> None:
        """Take an account in that was opened with terms."""
        self.robots[account] = Robot(account=account, terms=terms)
        self.waiting.accounts.limit(self.waiting.accounts.find(account))
        self._touch(account)

    def check_change(self, account: int, body: AccountBody, assets: dict[int, AssetBody]) -> int:
        """Return 0 if an account's terms may be replaced by these, or the reason."""
        if body.robot is None:
            return 0
        reason = self.check_terms(body, assets)
        robot = self.robots.get(account)
        if reason == 0 and (robot is None or robot.terms.cash != body.robot.cash):
            return Reason.DEFINITION_CONFLICT
        return reason

    def change(self, account: int, terms: RobotTerms) -> None:
        """Replace the terms of a robot."""
        self.robots[account].terms = terms
        self._touch(account)

    def terms_of(self, account: int) -> RobotTerms | None:
        """Return the terms of an account, None if it is no robot's."""
        robot = self.robots.get(account)
        return None if robot is None else robot.terms

    def moved(self, account: int, asset: int, amount: int) -> None:
        """Take note that an amount came (or went, below zero) otherwise than by a trade."""
        robot = self.robots.get(account)
        if robot is None or asset == robot.terms.cash:
            return
        instrument = self._book_of(asset, robot.terms.cash)
        coin = robot.coins.setdefault(asset, Coin())
        if amount < 0:
            _take(coin, -amount)
        else:
            coin.units += amount
            if instrument is not None:
                price = instrument.last_price_ticks * instrument.body.quote_per_lot_tick
                coin.cost = bounded(coin.cost + price * amount // instrument.body.base_per_lot)
        self._touch(account, 0 if instrument is None else instrument.number)

    def _book_of(self, asset: int, cash: int) -> Instrument | None:
        """Return the first book of an asset for this cash."""
        for instrument in self._books(cash):
            if instrument.body.base == asset:
                return instrument
        return None

    def _books(self, cash: int) -> Iterable[Instrument]:
        """Yield the books whose quote is this asset, by number."""
        for instrument in self.instruments:
            if instrument is not None and instrument.body.market == BOOK:
                if instrument.body.quote == cash:
                    yield instrument

    # -- orders ----------------------------------------------------------------------------------

    def check_sender(self, account: int, side: int, fence: int, flags: int) -> int:
        """Return 0 if a ROBOT_ORDER or ROBOT_LIST is from who may send it, or the reason."""
        robot = self.robots.get(account)
        if robot is None:
            known = self.waiting.accounts.find(account)
            return Reason.NOT_ROBOT if known else Reason.UNKNOWN_ACCOUNT
        if fence != robot.fence:
            self.events.detail(robot.fence, 0, 0)
            return Reason.STALE_FENCE
        if flags not in {0, Flag.EXIT} or (flags == Flag.EXIT and side == BUY):
            return Reason.INVALID_FLAGS
        return 0

    def admit(
        self,
        account: int,
        instrument: Instrument,
        order_id: int,
        side: int,
        met: int,
        rest: int,
        is_exit: int,
        orders: int,
    ) -> int:
        """Return 0 and count an order (or so many of a list) that keeps to the limits, or why not.

        `met` and `rest` together are what it may bring or cost at most.
        """
        robot = self.robots[account]
        most = robot.terms.orders_day_max
        found = self._market_reason(robot, instrument) or self._buy_reason(robot, side)
        if found is None and most and robot.orders_day + orders > most and not is_exit:
            found = Reason.TOO_MANY_ORDERS_TODAY, (most, 0, 0)
        if found is None and not is_exit:
            found = self._worth_reason(robot, order_id, side, met + rest)
        if found is not None:
            self.events.detail(*found[1])
            return found[0]
        robot.orders_day += orders
        if is_exit:
            robot.exits.update(
                range(order_id - orders + 1, order_id + 1)
            )  # the stop leg's is before
        self._touch(account)
        return 0

    def is_over(
        self, account: int, instrument: Instrument, order_id: int, side: int, met: int, rest: int
    ) -> int:
        """Return 1 if a stop that was reached may not go on: a limit was reached meanwhile."""
        robot = self.robots[account]
        found = self._market_reason(robot, instrument) or self._buy_reason(robot, side)
        if found is None and order_id not in robot.exits:
            found = self._worth_reason(robot, order_id, side, met + rest)
        return 0 if found is None else 1

    def _market_reason(self, robot: Robot, instrument: Instrument) -> Reasons | None:
        cash = robot.terms.cash
        if instrument.body.market == BOOK and instrument.body.quote == cash:
            return None
        return Reason.NOT_ROBOT_MARKET, (cash, 0, 0)

    def _buy_reason(self, robot: Robot, side: int) -> Reasons | None:
        """Return why a robot may not buy now."""
        if side != BUY:
            return None
        if robot.killed:
            return Reason.REDUCE_ONLY, (0, 0, 0)
        stopped = self._stopped(robot)
        terms = robot.terms
        if stopped & STOPPED_MONTH:
            return Reason.MONTH_STOP, (-profit_of(robot.months), terms.month_loss_max, 0)
        if stopped & STOPPED_DAY:
            return Reason.DAY_STOP, (-profit_of(robot.days), terms.day_loss_max, 0)
        return None

    def _worth_reason(self, robot: Robot, order_id: int, side: int, worth: int) -> Reasons | None:
        """Return why an order is worth too much, alone or with the other sales of the month."""
        terms = robot.terms
        if terms.order_notional_max and worth > terms.order_notional_max:
            return Reason.NOTIONAL_TOO_LARGE, (bounded(worth), terms.order_notional_max, 0)
        if side != SELL or terms.month_sell_cap == 0:
            return None
        sold = sold_of(robot.months)
        may_bring = worth + self._open_sells(robot, order_id)
        if sold + may_bring > terms.month_sell_cap:
            return Reason.SELL_CAP, (sold, bounded(may_bring), terms.month_sell_cap)
        return None

    def _open_sells(self, robot: Robot, but: int) -> int:
        """Return what the open sales of a robot may bring, without its exits and that order.

        Of two legs of a list only one will sell: the larger counts.
        """
        total = 0
        largest: dict[int, int] = {}  # by list
        for instrument in self._books(robot.terms.cash):
            for slot in self.waiting.slots_of(robot.account, instrument.number):
                number, _, side, price, stop, lots, _ = self.waiting.terms(slot)
                if side == SELL and number != but and number not in robot.exits:
                    worth = (price or stop) * lots * instrument.body.quote_per_lot_tick
                    list_id = self.orders.lists.list_of(number)
                    if list_id:
                        before = largest.get(list_id, 0)
                        largest[list_id] = max(before, worth)
                        worth = largest[list_id] - before
                    total += worth
        return total

    def _stopped(self, robot: Robot) -> int:
        """Return which loss limits are reached, as bits of Stopped."""
        terms = robot.terms
        day = terms.day_loss_max and -profit_of(robot.days) >= terms.day_loss_max
        month = terms.month_loss_max and -profit_of(robot.months) >= terms.month_loss_max
        return (STOPPED_DAY if day else 0) | (STOPPED_MONTH if month else 0)

    # -- trades ----------------------------------------------------------------------------------

    def bought(self, account: int, instrument: Instrument, base: int, quote: int, fee: int) -> None:
        """Take note of a purchase of a robot: `base` units before the fee, for `quote`."""
        robot = self.robots[account]
        body = instrument.body
        coin = robot.coins.setdefault(body.base, Coin())
        coin.units += base if body.fee_in_quote else base - fee
        coin.cost = bounded(coin.cost + quote + (fee if body.fee_in_quote else 0))
        for tallies in (robot.days, robot.months):
            tally = tallies.setdefault(body.number, Tally())
            tally.bought_lots = bounded(tally.bought_lots + base // body.base_per_lot)
            tally.bought_quote = bounded(tally.bought_quote + quote)
        self._touch(account, body.number)

    def sold(self, account: int, instrument: Instrument, base: int, quote: int, fee: int) -> None:
        """Take note of a sale of a robot: `base` units for `quote`, less the fee."""
        robot = self.robots[account]
        body = instrument.body
        profit = quote - fee - _take(robot.coins.setdefault(body.base, Coin()), base)
        for tallies in (robot.days, robot.months):
            tally = tallies.setdefault(body.number, Tally())
            tally.sold_lots = bounded(tally.sold_lots + base // body.base_per_lot)
            tally.sold_quote = bounded(tally.sold_quote + quote)
            tally.profit = bounded(tally.profit + profit)
        self._touch(account, body.number)

    # -- the end of a command --------------------------------------------------------------------

    def _touch(self, account: int, instrument: int = 0) -> None:
        """Note that this command changes a robot, and what it has of an instrument."""
        changed = self._changed.setdefault(account, {})
        if instrument:
            changed[instrument] = None
        self.orders.robots.changed = 1

    def enforce(self, first: int) -> None:
        """Let the open buys expire of each changed robot that has reached a loss limit.

        Those on the instrument `first` first, if it isn't 0, then the others by number.
        """
        for account in self._changed:
            robot = self.robots[account]
            if self._stopped(robot):
                books = list(self._books(robot.terms.cash))
                books.sort(key=lambda book: book.number != first)
                for book in books:
                    self.outside.expire_buys(account, book)

    def tell(self) -> None:
        """Tell each changed robot, its summaries before it."""
        self.orders.robots.changed = 0
        changed, self._changed = self._changed, {}
        for account, instruments in changed.items():
            robot = self.robots[account]
            for number in instruments:
                self._tell_summary(robot, number, DAY)
                self._tell_summary(robot, number, MONTH)
            self._tell_robot(robot)

    def _tell_robot(self, robot: Robot) -> None:
        words = [
            robot.terms.cash,
            robot.killed,
            robot.fence,
            robot.locked_until_us,
            self._stopped(robot),
            self.day,
            self.month,
            robot.orders_day,
            profit_of(robot.days),
            profit_of(robot.months),
            sold_of(robot.months),
        ]
        self.events.put(ROBOT_HEAD, robot.account, words)

    def _tell_summary(self, robot: Robot, number: int, period: int, is_closed: int = 0) -> None:
        is_day = period == DAY
        tally = (robot.days if is_day else robot.months).get(number, NOTHING)
        instrument = self.instruments[number]
        assert instrument is not None, f"a robot has traded on instrument {number}"
        coin = robot.coins.get(instrument.body.base, NO_COIN)
        words = [
            number,
            period,
            self.day if is_day else self.month,
            is_closed,
            tally.bought_lots,
            tally.bought_quote,
            tally.sold_lots,
            tally.sold_quote,
            tally.profit,
            coin.units,
            coin.cost,
        ]
        self.events.put(SUMMARY_HEAD, robot.account, words)

    # -- commands --------------------------------------------------------------------------------

    def _roll(self, record: bytes) -> int:
        """Close the day, or the day and the month, of every robot, and begin new ones."""
        words = unpack(record)
        rolls_day, rolls_month = words["day"] != self.day, words["month"] != self.month
        for account in sorted(self.robots):
            robot = self.robots[account]
            for number in sorted(set(robot.days) | set(robot.months)):
                if rolls_day and number in robot.days:
                    self._tell_summary(robot, number, DAY, 1)
                if rolls_month and number in robot.months:
                    self._tell_summary(robot, number, MONTH, 1)
            if rolls_day:
                robot.days, robot.orders_day = {}, 0
                robot.exits = set(self._open_exits(robot))
            if rolls_month:
                robot.months = {}
            if rolls_day or rolls_month:
                self._touch(account)
        self.day, self.month = words["day"], words["month"]
        return 0

    def _named(self, account: int) -> Robot | Reason:
        """Return a robot, or why there is none."""
        robot = self.robots.get(account)
        if robot is not None:
            return robot
        return Reason.NOT_ROBOT if self.waiting.accounts.find(account) else Reason.UNKNOWN_ACCOUNT

    def _lock(self, record: bytes) -> int:
        words = unpack(record)
        robot = self._named(words["account"])
        if not isinstance(robot, Robot):
            return robot
        owner = (words["owner_0"], words["owner_1"])
        sound = any(owner) and 1 <= words["ttl_us"] <= LOCK_US_MAX and words["force"] in {0, 1}
        if not sound:
            return Reason.INVALID_DEFINITION
        now_us = self.events.time_us
        is_held = robot.locked_until_us > now_us
        if is_held and robot.owner != owner and not words["force"]:
            self.events.detail(robot.locked_until_us, 0, 0)
            return Reason.LOCK_HELD
        if not is_held or robot.owner != owner:
            robot.fence += 1
        robot.owner = owner
        robot.locked_until_us = now_us + words["ttl_us"]
        self._touch(robot.account)
        return 0

    def _unlock(self, record: bytes) -> int:
        words = unpack(record)
        robot = self._named(words["account"])
        if not isinstance(robot, Robot):
            return robot
        if words["fence"] == 0:
            robot.fence += 1  # who held it may not act any more
        elif words["fence"] != robot.fence:
            self.events.detail(robot.fence, 0, 0)
            return Reason.STALE_FENCE
        robot.owner, robot.locked_until_us = (0, 0), 0
        self._touch(robot.account)
        return 0

    def _kill(self, record: bytes) -> int:
        words = unpack(record)
        robot = self._named(words["account"])
        if not isinstance(robot, Robot):
            return robot
        if words["on"] not in {0, 1}:
            return Reason.INVALID_DEFINITION
        robot.killed = words["on"]
        if robot.killed:
            for instrument in self.instruments:
                if instrument is not None:
                    self.outside.cancel_anywhere(instrument, robot.account)
        self._touch(robot.account)
        return 0

    # -- questions -------------------------------------------------------------------------------

    def answer(self, account: int) -> None:
        """Tell one robot, or all of them by number, with their summaries."""
        for number in sorted(self.robots) if account == 0 else [account]:
            robot = self.robots.get(number)
            if robot is not None:
                self._tell_robot(robot)
                for instrument in sorted(self._seen(robot)):
                    self._tell_summary(robot, instrument, DAY)
                    self._tell_summary(robot, instrument, MONTH)

    def _seen(self, robot: Robot) -> set[int]:
        """Return the instruments on which a robot did something, or has the coin."""
        found = set(robot.days) | set(robot.months)
        for asset, coin in robot.coins.items():
            instrument = self._book_of(asset, robot.terms.cash)
            if coin.units and instrument is not None:
                found.add(instrument.number)
        return found

    # -- dump ------------------------------------------------------------------------------------

    def dump(self) -> list[Any]:
        """Return all robots, by number, for msgspec; exits that are closed left out."""
        found = []
        for account in sorted(self.robots):
            robot = self.robots[account]
            exits = self._open_exits(robot)
            tables = (robot.coins, robot.days, robot.months)
            words = [account, robot.terms, robot.killed, robot.fence, robot.owner]
            words += [robot.locked_until_us, robot.orders_day, exits]
            found.append([*words, *(dict(sorted(table.items())) for table in tables)])
        return found

    def _open_exits(self, robot: Robot) -> list[int]:
        return [n for n in sorted(robot.exits) if self.waiting.open_orders.is_open(n)]

    def load(self, robots: list[Robot]) -> None:
        """Take back what dump() gave; the accounts stand already."""
        self.robots = {robot.account: robot for robot in robots}
        self._changed = {}
        for account in self.robots:
            self.waiting.accounts.limit(self.waiting.accounts.find(account))


def bounded(amount: int) -> int:
    """Return an amount, or the end of 64 bits that it would pass."""
    return max(-WORD_MAX, min(WORD_MAX, amount))


def profit_of(tallies: dict[int, Tally]) -> int:
    """Return the profit of all instruments."""
    return bounded(sum(tally.profit for tally in tallies.values()))


def sold_of(tallies: dict[int, Tally]) -> int:
    """Return what was sold on all instruments, in quote."""
    return bounded(sum(tally.sold_quote for tally in tallies.values()))


def _take(coin: Coin, units: int) -> int:
    """Take units out of what a robot has of a coin; return their part of its cost."""
    cost = coin.cost if units >= coin.units else coin.cost * units // coin.units
    coin.units -= units
    coin.cost -= cost
    return cost
