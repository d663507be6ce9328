"""Bugs planted in the twin, each of a kind that real exchanges had; the harness must see each.

A planted exchange has the core's doors (apply, boundaries, query) and is put on trial against the
sound twin. None of them touches src.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from fondaco.core.records import (
    ACCOUNT_FEES,
    Cause,
    InstrumentBody,
    OrderStatus,
    OrderType,
    Side,
    VenueStatus,
)
from tests.twin import exchange
from tests.twin.answers import answer
from tests.twin.exchange import Twin
from tests.twin.limits import Limits, Robot
from tests.twin.market import Market, Order, OrderList, Walk, triggers
from tests.twin.outside import AGENCY, Outside
from tests.twin.stops import Stops

__all__ = [
    "LIST_PLANTS",
    "OUTSIDE_PLANTS",
    "PLANTS",
    "RARE_ROBOT_PLANTS",
    "ROBOT_PLANTS",
    "STOP_PLANTS",
    "PlantedTwin",
]


class PlantedTwin(Twin):
    """A twin with the core's doors; a subclass plants a bug in it."""

    def query(self, record: bytes) -> bytes:
        """Answer a question."""
        return answer(self, record)


def _planted(market: type[Market]) -> type[PlantedTwin]:
    return type(market.__name__, (PlantedTwin,), {"market_class": market})


class _LastInFirstOut(Market):
    def side(self, instrument: int, side: int) -> list[Order]:
        found = super().side(instrument, side)
        if side != Side.BUY:
            return found
        return sorted(found, key=lambda order: (-order.price, -order.order_id))


class _HoldNotReleased(Market):
    def take_out(self, order: Order) -> None:
        owed = order.held
        super().take_out(order)
        if order.status == OrderStatus.EXPIRED_IN_MATCH and order.side == Side.BUY:
            asset, _ = self.obligation(order, 0)
            self.ledger.move(order.account, asset, free=-owed, held=owed, cause=Cause.ORDER)


class _FeeFromNowhere(Market):
    def trade(self, taker: Order, maker: Order, lots: int) -> None:
        super().trade(taker, maker, lots)
        if maker.side == Side.SELL and lots == 13:
            quote = self.instruments[maker.instrument].quote
            self.ledger.move(ACCOUNT_FEES, quote, free=1, cause=Cause.TRADE)


class _StaleDepth(Market):
    def level_lots(self, instrument: int, side: int, price: int) -> int:
        lots = super().level_lots(instrument, side, price)
        return lots + (lots == 21)


class _PreventionForgotten(Market):
    def walk(self, order: Order, lots: int) -> Walk:
        found = super().walk(order, lots)
        return found if len(found.steps) < 2 else found._replace(stopped=False)


class _PriceOfTheTaker(Market):
    def affordable(self, order: Order, worth: int, lots_max: int) -> tuple[int, bool]:
        lots, ran_out = super().affordable(order, worth, lots_max)
        return max(1, lots - (order.side == Side.SELL)), ran_out


class _DuplicateAfterADay(PlantedTwin):
    def check_retry(self, order: Order) -> None:
        day, exchange.DAY_US = exchange.DAY_US, exchange.DAY_US + 1  # type: ignore[misc]
        try:
            super().check_retry(order)
        finally:
            exchange.DAY_US = day  # type: ignore[misc]


class _EntryTwice(PlantedTwin):
    def move(self, words: dict[str, int], debit: int, credit: int, cause: Cause) -> None:
        super().move(words, debit, credit, cause)
        if cause == Cause.TRANSFER:
            del self.entries[words["entry"]]


class _ReduceLosesItsPlace(PlantedTwin):
    def reduce_order(self, words: dict[str, int]) -> None:
        order = self.find_open(words)
        super().reduce_order(words)
        others = [o for o in self.market.orders.values() if o.price == order.price]
        if others[-1] is not order and others[-1].side == order.side:
            order.filled_quote += 1


PLANTS: Final[dict[str, Callable[[], PlantedTwin]]] = {
    "last in, first out among equal bids": _planted(_LastInFirstOut),
    "hold not released when prevention ends a bid": _planted(_HoldNotReleased),
    "a fee from nowhere": _planted(_FeeFromNowhere),
    "a depth that is one off at 21 lots": _planted(_StaleDepth),
    "prevention forgotten after the first maker": _planted(_PreventionForgotten),
    "one lot less for a sale by quote quantity": _planted(_PriceOfTheTaker),
    "a client order id held a microsecond too long": _DuplicateAfterADay,
    "a transfer's row id accepted twice": _EntryTwice,
    "a reduced order that isn't as it was": _ReduceLosesItsPlace,
}


# Bugs of stops; found by flows that have many.


class _FiredTwice(Stops):
    def fire(self, order: Order) -> None:
        super().fire(order)
        if order.order_id in self.market.orders and order.order_id % 3 == 0:
            super().fire(order)


class _AmidTheAggressor(PlantedTwin):
    def work(self, order: Order, walk: Walk) -> None:
        if len(walk.steps) > 1:
            self.market.execute(order, Walk(walk.steps[:1], stopped=False))
            self.stops.run(order.instrument, 1)
            walk = self.market.walk(order, order.remaining)
        super().work(order, walk)


class _RefusedAndStillHeld(Stops):
    def release(self, order: Order) -> None:
        asset, owed = self.market.obligation(order, 0)[0], order.held
        refused = self.refused(order)
        super().release(order)
        if refused:
            self.market.ledger.move(order.account, asset, free=-owed, held=owed, cause=Cause.ORDER)


class _NewestFirst(Stops):
    def reached(self, number: int) -> list[Order]:
        return super().reached(number)[::-1]


class _OnlyTheLastPrice(Market):
    def reach(self, instrument: int, price: int) -> None:
        for order in self.orders.values():
            if order.instrument == instrument and not triggers(order, price):
                order.reached = False
        super().reach(instrument, price)


def _stops(stops: type[Stops]) -> type[PlantedTwin]:
    return type(stops.__name__, (PlantedTwin,), {"stops_class": stops})


STOP_PLANTS: Final[dict[str, Callable[[], PlantedTwin]]] = {
    "a stop fired twice": _stops(_FiredTwice),
    "a stop that fires before its aggressor is done": _AmidTheAggressor,
    "a hold not released when a triggered order is refused": _stops(_RefusedAndStillHeld),
    "the newest of the reached stops first": _stops(_NewestFirst),
    "a stop that is reached only by the last price": _planted(_OnlyTheLastPrice),
}


# Bugs of lists; found by flows that have many.


class _ALegLeftAlive(Market):
    """When a leg trades the other stays, without a hold."""

    def part(self, order: Order) -> None:
        if order.armed or not self.orders.get(order.order_id):
            super().part(order)


class _FiresBesideItsSibling(Stops):
    """A leg that fires leaves the other in the book, with what both held."""

    def fire(self, order: Order) -> None:
        other = self.market.sibling(order)
        if other is not None:
            order.held, other.held = 0, order.held + other.held
            order.list_id, kept = 0, order.list_id
            super().fire(order)
            order.list_id = kept
        else:
            super().fire(order)


class _HoldsTwice(Market):
    def list_owed(self, order: Order) -> int:
        other = self.sibling(order)
        more = 0 if other is None else self.obligation(other, other.remaining)[1]
        return super().list_owed(order) + (more if order.side == Side.SELL else 0)


class _DoneTooSoon(Market):
    def leave(self, order: Order) -> None:
        found: OrderList | None = self.lists.get(order.list_id)
        super().leave(order)
        if found is not None and found.list_id in self.lists and order is found.stop:
            del self.lists[found.list_id]


class _CancelsOneLeg(PlantedTwin):
    def cancel_order(self, words: dict[str, int]) -> None:
        order = self.find_open(words)
        self.cancel(order, [words[f"cancel_id_{place}"] for place in range(4)])
        other = self.market.sibling(order)
        if other is not None:
            other.held += order.held


LIST_PLANTS: Final[dict[str, Callable[[], PlantedTwin]]] = {
    "a leg left alive": _planted(_ALegLeftAlive),
    "a leg that fires beside its sibling": _stops(_FiresBesideItsSibling),
    "a list that holds for both its legs": _planted(_HoldsTwice),
    "a list that is forgotten with its stop": _planted(_DoneTooSoon),
    "a cancel that leaves the other leg": _CancelsOneLeg,
}


# Bugs of robots' limits; found by flows that have robots, and workers that race for them.


class _ReadsBeforeTheBatch(Limits):
    """Check, then act: what open sales may bring is what it was before the batch came."""

    def __init__(self, twin: Twin) -> None:
        super().__init__(twin)
        self.read: dict[int, int] = {}

    def open_sells(self, robot: Robot, but: Order) -> int:
        return self.read.get(robot.account, 0)

    def look(self) -> None:
        nobody = Order(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (0, 0, 0, 0))
        for account, robot in self.robots.items():
            self.read[account] = super().open_sells(robot, nobody)


class _CheckThenAct(PlantedTwin):
    limits_class = _ReadsBeforeTheBatch

    def apply_one(self, record: bytes) -> list[bytes]:
        assert isinstance(self.limits, _ReadsBeforeTheBatch)
        if int.from_bytes(record[16:24], "little") != self.time_us:  # one time, one batch
            self.limits.look()
        return super().apply_one(record)


class _CountsNoOpenSales(Limits):
    def open_sells(self, robot: Robot, but: Order) -> int:
        return 0


class _LetsOpenBuysStand(Limits):
    def enforce(self, first: int) -> None:
        self.absorb()


class _AsksNoFence(Limits):
    def check_sender(self, words: dict[str, int]) -> None:
        robot = self.named(words["account"])
        if 0 < words["fence"] < robot.fence:
            words = {**words, "fence": robot.fence}
        super().check_sender(words)


class _StopsKnowNoLimit(Limits):
    def is_over(self, stop: Order) -> bool:
        return False


class _ProfitWithoutFees(Limits):
    def absorb(self) -> None:
        self.market.trades[:] = [t._replace(seller_fee=0) for t in self.market.trades]
        super().absorb()


class _Forgets(Limits):
    """Asks orders of some types of all limits but these."""

    forgotten: tuple[str, ...] = ()
    types = frozenset(OrderType)

    def check(self, robot: Robot, order: Order, lots: int, **how: Any) -> None:
        terms = robot.terms
        if order.order_type in self.types:
            robot.terms = msgspec.structs.replace(terms, **dict.fromkeys(self.forgotten, 0))
        try:
            super().check(robot, order, lots, **how)
        finally:
            robot.terms = terms


class _MarketSalesAreFree(_Forgets):
    forgotten = ("month_sell_cap",)
    types = frozenset({OrderType.MARKET})


class _NoNotional(_Forgets):
    forgotten = ("order_notional_max",)


class _NoCount(_Forgets):
    forgotten = ("orders_day_max",)


class _NoLoss(_Forgets):
    forgotten = ("day_loss_max", "month_loss_max")


class _KillsPurchasesOnly(Limits):
    def kill(self, words: dict[str, int]) -> None:
        robot = self.named(words["account"])
        if words["on"] != 1:
            super().kill(words)
            return
        robot.killed = 1
        for order in sorted(self.market.orders.values(), key=lambda o: (o.instrument, o.order_id)):
            if order.account == robot.account and order.side == Side.BUY:
                self.twin.cancel(order, [0, 0, 0, 0])
        self.touch(robot.account)


def _limits(limits: type[Limits]) -> type[PlantedTwin]:
    return type(limits.__name__, (PlantedTwin,), {"limits_class": limits})


class _BidsOutliveTheLimit(Stops):
    def before(self, number: int) -> None:
        """Leave the bids until the command's end."""


class _AListIsNoExit(Limits):
    def admit_list(self, legs: list[Order], lots: int, *, is_exit: bool) -> None:
        super().admit_list(legs, lots, is_exit=False)


class _AListAsksNoFence(Limits):
    def check_sender(self, words: dict[str, int]) -> None:
        robot = self.named(words["account"])
        super().check_sender({**words, "fence": robot.fence} if "stop_type" in words else words)


ROBOT_PLANTS: Final[dict[str, Callable[[], PlantedTwin]]] = {
    "check-then-act on the sell cap": _CheckThenAct,
    "a sell cap that forgets open sales": _limits(_CountsNoOpenSales),
    "open buys that outlive a loss limit": _limits(_LetsOpenBuysStand),
    "a late holder that may act": _limits(_AsksNoFence),
    "profit without its fees": _limits(_ProfitWithoutFees),
    "sales at market that are free of the cap": _limits(_MarketSalesAreFree),
    "a kill switch that leaves sales open": _limits(_KillsPurchasesOnly),
    "an order's notional forgotten": _limits(_NoNotional),
    "a day's count of orders forgotten": _limits(_NoCount),
    "a purchase that no loss refuses": _limits(_NoLoss),
}
# Seldom enough that the machine's few steps needn't see it.
RARE_ROBOT_PLANTS: Final[dict[str, Callable[[], PlantedTwin]]] = {
    "a stop that knows no limit": _limits(_StopsKnowNoLimit),
    "bids that a stop meets after a loss limit": _stops(_BidsOutliveTheLimit),
    "a list of exits that limits hold up": _limits(_AListIsNoExit),
    "a list of a late holder": _limits(_AListAsksNoFence),
}


# Bugs of the dealer and agency markets; found by flows that have such markets.


class _SentTwice(Outside):
    def venue_sent(self, words: dict[str, int]) -> None:
        venue = self.named(words["venue_order"])
        if venue.words["status"] in {VenueStatus.PENDING, VenueStatus.UNKNOWN}:
            venue.words["status"] = int(VenueStatus.PENDING)
        super().venue_sent(words)


class _AvailabilityNotShared(Outside):
    def meet(self, body: InstrumentBody, words: dict[str, int], side: Side) -> tuple[int, int]:
        total, wait = 0, 0
        for order in self.orders(body.number, side):
            others = {k: o for k, o in self.market.orders.items() if o.order_id != order.order_id}
            kept, self.market.orders = self.market.orders, {order.order_id: order}
            filled, wait = super().meet(body, words, side)
            remaining, self.market.orders = self.market.orders, kept
            self.market.orders = {**others, **remaining}
            total += filled
        return total, wait


class _SurplusNotReturned(Outside):
    def hold(self, order: Order, lots: int) -> None:
        filled = order.filled and lots
        if filled and order.order_type == OrderType.BOUNDED and order.side == Side.BUY:
            _, whole = self.owed(order, lots + 1)
            self.ledger.move(
                order.account,
                self.market.instruments[order.instrument].quote,
                free=order.held - whole,
                held=whole - order.held,
                cause=Cause.ORDER,
            )
            order.held = whole
            return
        super().hold(order, lots)


class _SymbolsMixed(Outside):
    def pool(self, number: int, side: int) -> list[Order]:
        found = super().pool(number, side)
        for other, body in self.market.instruments.items():
            if other != number and body.market == AGENCY:
                found += super().pool(other, side)
        return found


def _outside(outside: type[Outside]) -> type[PlantedTwin]:
    return type(outside.__name__, (PlantedTwin,), {"outside_class": outside})


OUTSIDE_PLANTS: Final[dict[str, Callable[[], PlantedTwin]]] = {
    "a venue order sent twice": _outside(_SentTwice),
    "a message's availability given to each order": _outside(_AvailabilityNotShared),
    "a fill's surplus kept on hold": _outside(_SurplusNotReturned),
    "coins mixed in one pool": _outside(_SymbolsMixed),
}
