"""Lists, naively: two orders checked one after the other, taken in together.

Written from docs/decisions/0106: both legs come in or neither does; the list holds the larger of
what its legs owe; when a leg acts the other ends (market.part), and a cancel ends both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fondaco.core.records import (
    LAYOUTS,
    Command,
    Event,
    Execution,
    Flag,
    ListStatus,
    OrderType,
    Reason,
    Side,
    TimeInForce,
)
from tests.twin import doors
from tests.twin.market import NO_ID, ClientId, Order, OrderList, Refusal, list_words

if TYPE_CHECKING:
    from tests.twin.exchange import Twin

__all__ = ["Lists"]

DAY_US: Final = 86_400_000_000
STOP_TYPES: Final = {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT}
PROFIT_TYPES: Final = {
    OrderType.LIMIT_MAKER,
    OrderType.TAKE_PROFIT,
    OrderType.TAKE_PROFIT_LIMIT,
}
Words = dict[str, int]


class Lists:
    """The commands about lists."""

    def __init__(self, twin: Twin) -> None:
        """Stand beside the twin's market."""
        self.twin = twin
        self.market = twin.market

    def __getstate__(self) -> dict[str, object]:
        """Leave the twin out of what is kept of it."""
        return {"market": self.market}

    def new_list(self, words: Words) -> None:
        """Accept a list."""
        twin, market = self.twin, self.market
        if words["instrument"] not in market.instruments:
            raise Refusal(Reason.UNKNOWN_INSTRUMENT)
        if twin.is_outside(words["instrument"]):
            raise Refusal(Reason.NOT_SUPPORTED)
        if "fence" in words:
            twin.limits.check_sender(words)
        if words["account"] not in twin.accounts:
            raise Refusal(Reason.UNKNOWN_ACCOUNT)
        account = twin.accounts[words["account"]]
        doors.check_account(account, words["account"], maintenance=twin.maintenance)
        if words["stop_type"] not in STOP_TYPES or words["profit_type"] not in PROFIT_TYPES:
            raise Refusal(Reason.INVALID_LIST)
        stop, profit = self.leg(words, "stop", -1), self.leg(words, "profit", 0)
        new = OrderList(
            list_id=twin.seq,
            account=words["account"],
            instrument=words["instrument"],
            client_id=named(words, "list"),
            created_us=twin.time_us,
            stop=stop,
            profit=profit,
            asked=(*stop.asked, *profit.asked),
        )
        for leg in (stop, profit):
            doors.check_shape(leg)
        self.check_retry(new)
        for leg in (stop, profit):
            twin.check_retry(leg)
            doors.check_terms(market, leg)
        self.check_pair(new)
        is_exit = words.get("flags") == Flag.EXIT
        twin.limits.admit_list([stop, profit], stop.quantity, is_exit=is_exit)
        self.take_in(new)
        twin.stops.run(new.instrument)

    def leg(self, words: Words, name: str, before: int) -> Order:
        """Return a leg as the order that it is."""
        spelled = dict.fromkeys(LAYOUTS[Command.NEW_ORDER], 0)
        for same in ("account", "instrument", "side", "self_trade", "quantity_lots"):
            spelled[same] = words[same]
        for ours, its in (
            ("order_type", "type"),
            ("time_in_force", "time_in_force"),
            ("price_ticks", "price_ticks"),
            ("stop_price_ticks", "trigger_ticks"),
        ):
            spelled[ours] = words[f"{name}_{its}"]
        order = self.twin.order_of(spelled)
        order.client_id = named(words, name)
        order.order_id = self.twin.seq + before
        order.list_id = self.twin.seq
        return order

    def check_retry(self, new: OrderList) -> None:
        """Refuse the client id of a list while it must not be used again."""
        if new.client_id == NO_ID:
            return
        for other in self.market.lists.values():
            if (other.account, other.client_id) == (new.account, new.client_id):
                same = other.asked == new.asked
                reason = Reason.DUPLICATE_ORDER if same else Reason.CLIENT_ORDER_ID_OPEN
                raise Refusal(reason, other.list_id)
        found = self.twin.accepted_lists.get((new.account, new.client_id, new.asked))
        if found is not None and self.twin.time_us - found[1] < DAY_US:
            raise Refusal(Reason.DUPLICATE_ORDER, found[0])

    def check_pair(self, new: OrderList) -> None:
        """Refuse legs that don't go together."""
        stop, profit = new.stop, new.profit
        if stop.client_id == profit.client_id != NO_ID:
            raise Refusal(Reason.CLIENT_ORDER_ID_OPEN, stop.order_id)
        gain = profit.stop_price or profit.price
        apart = gain - stop.stop_price if stop.side == Side.SELL else stop.stop_price - gain
        if apart <= 0:
            raise Refusal(Reason.LIST_PRICES, gain, stop.stop_price)
        most = self.market.instruments[new.instrument].max_open_orders
        mine = [
            order
            for order in self.market.orders.values()
            if (order.account, order.instrument) == (new.account, new.instrument)
        ]
        if most and len(mine) + 2 > most:
            raise Refusal(Reason.TOO_MANY_ORDERS, most)

    def take_in(self, new: OrderList) -> None:
        """Carry out a list that nothing stands against."""
        market = self.market
        if new.client_id != NO_ID:
            key = (new.account, new.client_id, new.asked)
            self.twin.accepted_lists[key] = (new.list_id, new.created_us)
        for leg in (new.stop, new.profit):
            if leg.price:
                leg.time_in_force = leg.time_in_force or TimeInForce.GTC
            self.twin.remember(leg)
            market.report(leg, Execution.NEW)
        market.lists[new.list_id] = new
        words = list_words(new, ListStatus.EXECUTING)
        market.emit(Event.LIST, account=new.account, **words)
        for leg in (new.stop, new.profit):
            market.orders[leg.order_id] = leg
        asset, _ = market.obligation(new.stop, new.stop.remaining)
        market.hold(new.stop, asset, market.list_owed(new.stop))
        if not new.profit.armed:
            market.rested += 1
            new.profit.place = market.rested
            market.touch(new.profit)

    def cancel_list(self, words: Words) -> None:
        """Cancel the legs that are open, the stop first."""
        if words["instrument"] not in self.market.instruments:
            raise Refusal(Reason.UNKNOWN_INSTRUMENT)
        if self.twin.is_outside(words["instrument"]):
            raise Refusal(Reason.NOT_SUPPORTED)
        wanted = named(words, "list")
        found = [
            one
            for one in self.market.lists.values()
            if (one.account, one.instrument) == (words["account"], words["instrument"])
            and words["list_id"] in {0, one.list_id}
            and wanted in {NO_ID, one.client_id}
            and (words["list_id"] or wanted != NO_ID)
        ]
        if not found:
            raise Refusal(Reason.UNKNOWN_ORDER, words["list_id"])
        ids = [words[f"cancel_id_{place}"] for place in range(4)]
        for leg in (found[0].stop, found[0].profit):
            if leg.order_id in self.market.orders:
                self.twin.cancel(leg, ids)


def named(words: Words, name: str) -> ClientId:
    """Return the four words of one of a list's client ids."""
    first, second, third, fourth = (words[f"{name}_client_id_{place}"] for place in range(4))
    return first, second, third, fourth
