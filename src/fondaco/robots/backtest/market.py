"""The market of a backtest: the house's own core, in virtual time, with a crowd around the robot.

The recording says what was traded, not what stood in the book; so the crowd stands in, by rules
that are named here and shown in the result:

- A recorded trade is an order of the crowd: it takes, at its price and for its quantity, what the
  robot has resting there. What the robot offers at a better price than the trade's is always taken.
- Queue: a resting order that joins a price that was quoted already (not better than the best) has
  `queue` lots of the crowd before it, and price-time priority does the rest.
- Stops: a recorded trade that reaches one that waits is also a trade between two of the crowd, so
  that the core's own triggers see its price; what they set off finds the depth. So is the last
  trade, the robot's own taking too, when a stop comes in, so that the core judges it by that,
  unless the robot has an order at that price, or a better one, in its way.
- Depth: an order of the robot that takes finds `depth` lots at the best price and at each of the
  next ticks, but none that would meet what it has resting. The best prices are the last trade of
  each taker, kept one tick apart.

Promises: every match, hold, fee and refusal is the core's. Given the same calls it does the same.
It has no clock: the caller says what time it is.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from fondaco.core import client_ids
from fondaco.core.records import (
    AccountBody,
    AccountKind,
    Command,
    Event,
    Execution,
    OrderType,
    Query,
    RobotTerms,
    Side,
    TimeInForce,
    pack,
    pack_body,
    split,
    unpack,
)
from fondaco.core.records import OrderStatus as CoreStatus
from fondaco.robots.backtest.floor import (
    BASE,
    CROWD,
    QUEUE,
    QUOTE,
    ROBOT,
    Floor,
    Instrument,
    best_after,
    crowd_order,
    kind_of,
)
from fondaco.robots.rules.commands import STATUS, Steps, acts, id_of, id_words, record_of
from fondaco.robots.rules.model import OCO
from fondaco.robots.rules.refusals import WishRefused, why
from fondaco.robots.rules.state import CLOSED, OrderStatus, OrderWish
from fondaco.robots.rules.view import plain

__all__ = ["Fill", "Market", "News", "Position"]

LEVELS_MAX: Final = 100  # of depth that one order of the robot may walk
ZERO: Final = Decimal(0)


class Fill(msgspec.Struct, frozen=True):
    """One fill of the robot's; the fee in the asset that it got."""

    time_us: int
    client_order_id: str
    side: str
    price: Decimal
    quantity: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool


class News(msgspec.Struct, frozen=True):
    """How an order of the robot stands now; whether, as a leg of an OCO, it has acted."""

    client_order_id: str
    status: OrderStatus
    reason: str = ""
    acts: bool = False


class _Open(msgspec.Struct):
    """An order of the robot, and the crowd's order before it (0: none)."""

    side: Side
    price_ticks: int  # 0: none
    queue_order: int
    stop_lots: int = 0  # of a stop: it takes so much when it is set off
    stop_ticks: int = 0  # of a stop that waits
    is_rise: bool = False  # a rise sets it off

    def is_resting(self, side: Side) -> bool:
        """Return whether it stands in the book on this side."""
        return self.side == side and self.price_ticks > 0 and not self.stop_ticks

    def is_in_the_way(self, price_ticks: int) -> bool:
        """Return whether it rests where nobody else can trade at this price."""
        if not self.price_ticks or self.stop_ticks:
            return False
        if self.side == Side.BUY:
            return self.price_ticks >= price_ticks
        return self.price_ticks <= price_ticks

    def is_set_off(self, price_ticks: int) -> bool:
        """Return whether it waits for a stop that this price reaches."""
        if not self.stop_ticks:
            return False
        return price_ticks >= self.stop_ticks if self.is_rise else price_ticks <= self.stop_ticks


class Position(msgspec.Struct, frozen=True):
    """Where a market stands: all that another one needs to go on from there."""

    exchange: bytes
    bid_ticks: int
    ask_ticks: int
    last: tuple[int, bool] | None
    free: dict[int, int]
    held: dict[int, int]
    open: dict[str, tuple[int, int, int, int]]
    filled: dict[str, tuple[Decimal, Decimal]]
    killed: bool = False  # on paper
    decimals: tuple[int, int] | None = None  # of what is free and held, as of Instrument
    terms: RobotTerms | None = None  # limits; None: of a robot that was opened without


class Market(Floor):
    """One instrument, one robot, and the crowd."""

    def __init__(
        self,
        instrument: Instrument,
        *,
        cash: Decimal,
        coins: Decimal,
        depth: int,
        queue: int,
        terms: RobotTerms | None = None,
    ) -> None:
        """Open the exchange; depth and queue are lots, `terms` the limits that the core keeps.

        Raises:
            ValueError: the core refuses the instrument or the funds.
        """
        super().__init__(instrument, cash=cash, coins=coins, terms=terms)
        self.depth = depth
        self.queue = queue
        self.bid_ticks = 0
        self.ask_ticks = 0
        self.last: tuple[int, bool] | None = None  # price and whether its taker bought
        self.fills: list[Fill] = []
        self.filled: dict[str, tuple[Decimal, Decimal]] = {}  # by order: quantity and amount
        self.open: dict[str, _Open] = {}

    # -- where it stands

    def position(self) -> Position:
        """Return where it stands; fills and closed orders are the caller's to keep."""
        return Position(
            exchange=self.exchange.dump(),
            bid_ticks=self.bid_ticks,
            ask_ticks=self.ask_ticks,
            last=self.last,
            free=dict(self.free),
            held=dict(self.held),
            open={
                name: (each.side, each.price_ticks, each.queue_order, each.stop_lots)
                for name, each in self.open.items()
            },
            filled={name: each for name, each in self.filled.items() if name in self.open},
            decimals=self.instrument.decimals,
            terms=self.terms,
        )

    def take_up(self, position: Position) -> None:
        """Go on from where another market stood.

        Raises:
            ValueError: its exchange was another version's.
        """
        self.load(position.exchange, position.free, position.held, position.terms)
        self.instrument = msgspec.structs.replace(self.instrument, decimals=position.decimals)
        self.bid_ticks, self.ask_ticks = position.bid_ticks, position.ask_ticks
        self.last = position.last
        self.open = {
            name: _Open(Side(side), price, queue, lots)
            for name, (side, price, queue, lots) in position.open.items()
        }
        self.filled = dict(position.filled)
        orders = pack(Query.OPEN_ORDERS, account=ROBOT, instrument=1)
        for words in map(unpack, split(self.exchange.query(orders))):
            each = self.open[id_of(words)]
            if each.stop_lots and not words["working_us"]:
                each.stop_ticks = words["stop_price_ticks"]
                each.is_rise = _is_rise(words["side"], words["order_type"])

    # -- what happens

    def trade(self, time_us: int, price_ticks: int, lots: int, *, buys: bool) -> list[News]:
        """Let a recorded trade happen; returns what it did to the robot's orders."""
        self.quote_from(price_ticks, buys=buys)
        news: list[News] = []
        if not self.open:
            return news
        sets_off = any(each.is_set_off(price_ticks) for each in self.open.values())
        for taker in (Side.SELL, Side.BUY):
            # Its own taker reaches what rests at the price itself; the other only what is better.
            own = buys == (taker == Side.BUY)
            worse = 1 if taker == Side.SELL else -1
            limit = price_ticks if own else price_ticks + worse
            if any(self._is_reached(each, _other(taker), limit) for each in self.open.values()):
                news += self._take(time_us, limit, lots, taker, prints=own and sets_off)
        if any(each.is_set_off(price_ticks) for each in self.open.values()):
            news += self._print(time_us, price_ticks, buys=buys)
        return news

    def _print(self, time_us: int, price_ticks: int, *, buys: bool) -> list[News]:
        """Have the crowd trade a lot at a price, unless it would trade with the robot."""
        if any(each.is_in_the_way(price_ticks) for each in self.open.values()):
            return []
        taker = Side.BUY if buys else Side.SELL
        return self._take(time_us, price_ticks, 1, taker, prints=True)

    def _take(
        self, time_us: int, price_ticks: int, lots: int, taker: Side, *, prints: bool
    ) -> list[News]:
        """Have the crowd take what the robot has resting up to a price; what is left may print.

        Depth stands there for the stops that such a trade may set off.
        """
        maker = _other(taker)
        records = [crowd_order(CROWD, maker, price_ticks, lots)] if prints else []
        for side in (Side.BUY, Side.SELL):
            needed = self._waiting_lots(side)
            if needed:
                # Nobody offers where somebody else still bids.
                beyond = price_ticks if prints and maker == side else 0
                records += self._depth_for(side, 0, needed, 0, beyond=beyond)
        news = self._send(
            time_us, *records, crowd_order(QUEUE, taker, price_ticks, lots, TimeInForce.IOC)
        )
        if records:
            self._send(time_us, pack(Command.CANCEL_ALL, account=CROWD, instrument=1))
        return news

    def _show_last(self, time_us: int) -> list[News]:
        """Have the core know the last trade, by which it judges a stop that comes in."""
        assert self.last is not None, "a stop before the first trade is refused"
        price_ticks, buys = self.last
        book = split(self.exchange.query(pack(Query.DEPTH, instrument=1, limit=1)))
        if unpack(book[0])["last_price_ticks"] == price_ticks:
            return []
        # The best prices are as that trade left them: quotes may come from elsewhere.
        quoted = self.bid_ticks, self.ask_ticks
        self.quote_from(price_ticks, buys=buys)
        news = self._print(time_us, price_ticks, buys=buys)
        self.bid_ticks, self.ask_ticks = quoted
        return news

    def quote_from(self, price_ticks: int, *, buys: bool) -> None:
        """Take the best prices from a recorded trade; enough while the robot has no order."""
        self.last = (price_ticks, buys)
        best = best_after(self.bid_ticks, self.ask_ticks, price_ticks, buys=buys)
        self.bid_ticks, self.ask_ticks = best

    def place(self, time_us: int, wish: OrderWish) -> list[News]:
        """Take an order of the robot; an OCO is two."""
        try:
            record = self._record(wish)
        except WishRefused as refused:
            return [News(name, OrderStatus.REJECTED, str(refused)) for name in wish.ids]
        words = unpack(record)
        side, lots = Side(words["side"]), words["quantity_lots"]
        news: list[News] = []
        if wish.stop is not None:
            news += self._show_last(time_us)
        if wish.stop is not None and wish.kind != OCO:
            self.open[wish.client_order_id] = _stop_of(words)
            return news + self._send(time_us, record, places=wish.ids)
        price = words["profit_price_ticks"] if wish.kind == OCO else words["price_ticks"]
        taking = price == 0 or (
            (price >= self.ask_ticks > 0) if side == Side.BUY else price <= self.bid_ticks
        )
        queue_order = 0
        if taking:
            spend = words.get("quote_quantity", 0)
            news += self._send(time_us, *self._offered(side, price, lots, spend))
        else:
            if self.last is not None and self.last[0] == price:
                news += self._show_last(time_us)  # while nothing of the robot is in the way
            if (price <= self.bid_ticks) if side == Side.BUY else (price >= self.ask_ticks):
                queue_order = self._queue(time_us, side, price)
        self.open[wish.client_order_id] = _Open(side, price, queue_order)
        if wish.kind == OCO:
            self.open[wish.stop_id] = _stop_of(words)
        news += self._send(time_us, record, places=wish.ids)
        if taking:
            self._send(time_us, pack(Command.CANCEL_ALL, account=CROWD, instrument=1))
        return news

    def limit(self, time_us: int, terms: RobotTerms) -> list[News]:
        """Have the core keep other limits; they may end what the robot has open.

        A robot that was opened without any can't have them.
        """
        assert self.terms is not None, "an account without limits stays so"
        self.terms = terms
        body = AccountBody(member=ROBOT, kind=AccountKind.ROBOT, robot=terms)
        return self._send(time_us, pack_body(Command.CONFIGURE_ACCOUNT, body, account=ROBOT))

    def cancel(self, time_us: int, client_order_id: str) -> list[News]:
        """Cancel an order of the robot; one that is over already gives no news."""
        if client_order_id not in self.open:
            return []
        words = id_words(client_ids.encode(client_order_id))
        return self._send(time_us, pack(Command.CANCEL_ORDER, account=ROBOT, instrument=1, **words))

    def submit(self, time_us: int, record: bytes) -> None:
        """Take a command of the robot as it would send it to the house; take_own() answers."""
        words = unpack(record)
        if words["kind"] != Command.ROBOT_ORDER:
            self._send(time_us, record)
            return
        side, price, lots = Side(words["side"]), words["price_ticks"], words["quantity_lots"]
        name = id_of(words)
        if words["stop_price_ticks"]:
            if self.last is not None:
                self._show_last(time_us)
            self.open[name] = _stop_of(words)
            self._send(time_us, record, places=(name,))
            return
        self._send(time_us, *self._offered(side, price, lots, words["quote_quantity"]))
        self.open[name] = _Open(side, price, 0)
        self._send(time_us, record, places=(name,))
        self._send(time_us, pack(Command.CANCEL_ALL, account=CROWD, instrument=1))

    # -- orders

    def _is_reached(self, order: _Open, side: Side, limit: int) -> bool:
        if not order.is_resting(side):
            return False
        return order.price_ticks >= limit if side == Side.BUY else order.price_ticks <= limit

    def _queue(self, time_us: int, side: Side, price: int) -> int:
        """Have the crowd stand before the robot; returns its order."""
        if not self.queue:
            return 0
        record = crowd_order(QUEUE, side, price, self.queue, order_type=OrderType.LIMIT_MAKER)
        self._send(time_us, record)
        return self.exchange.seq

    def _waiting_lots(self, side: Side) -> int:
        """Return how much the stops of a side will take that wait."""
        waiting = (each for each in self.open.values() if each.stop_ticks)
        return sum(each.stop_lots for each in waiting if each.side == side)

    def _offered(self, side: Side, price: int, lots: int, spend: int) -> list[bytes]:
        """Return depth for an order of the robot that takes, and for the stops it may set off."""
        more, across = self._waiting_lots(side), self._waiting_lots(_other(side))
        found = self._depth_for(side, 0 if more else price, lots + more, spend)
        return found + self._depth_for(_other(side), 0, across, 0) if across else found

    def _depth_for(
        self, side: Side, price: int, lots: int, spend: int, *, beyond: int = 0
    ) -> list[bytes]:
        """Return the crowd's orders that an order of the robot may take, beyond a price."""
        apart = [each.price_ticks for each in self.open.values() if each.is_resting(side)]
        apart += [beyond] if beyond else []
        if side == Side.BUY:
            best, step, crowd = max([self.ask_ticks, *(at + 1 for at in apart)]), 1, Side.SELL
        else:
            best, step, crowd = min([self.bid_ticks, *(at - 1 for at in apart)]), -1, Side.BUY
        found: list[bytes] = []
        per_lot = self.instrument.body().quote_per_lot_tick
        for place in range(LEVELS_MAX):
            at = best + step * place
            if at < 1 or (price and (at > price if side == Side.BUY else at < price)):
                break
            found.append(crowd_order(CROWD, crowd, at, self.depth))
            if spend > 0:
                spend -= self.depth * at * per_lot
            else:
                lots -= self.depth
            if lots <= 0 and spend <= 0:
                break
        return found

    def _record(self, wish: OrderWish) -> bytes:
        """Return an order as a command; raises WishRefused, also where there is no price yet."""
        buys = wish.intent == "BUY"
        if wish.kind == "MARKET" and not (self.ask_ticks if buys else self.bid_ticks):
            raise WishRefused("there was no trade yet, so no price to take")
        steps = Steps(self.instrument.tick, self.instrument.lot, self.instrument.quote_decimals)
        fence = None if self.terms is None else 0  # nobody locks it
        record = record_of(wish, steps, account=ROBOT, instrument=1, fence=fence)
        if wish.stop is not None and self.last is None:
            raise WishRefused("there was no trade yet, so nothing to measure a stop by")
        return record

    def _send(self, time_us: int, *records: bytes, places: tuple[str, ...] = ()) -> list[News]:
        """Apply commands; note the robot's fills and return the news of its orders.

        `places` are the ids of the robot's orders that are among the commands.
        """
        news: dict[str, News] = {}
        for event in self.apply(time_us, *records):
            kind = kind_of(event)
            if kind not in {Event.ORDER, Event.FILL, Event.CANCEL, Event.REFUSED}:
                continue
            words = unpack(event)
            if words["account"] != ROBOT:
                continue
            if kind == Event.REFUSED:
                reason = why(words, named=self._named, quote=QUOTE, tick=self.instrument.tick)
                news.update({name: News(name, OrderStatus.REJECTED, reason) for name in places})
                continue
            name = id_of(words)
            if kind == Event.FILL:
                self._note_fill(time_us, name, words)
            if words["execution"] == Execution.TRIGGERED and name in self.open:
                self.open[name].stop_ticks = 0
            acted = acts(kind, words) or (name in news and news[name].acts)
            news[name] = News(name, STATUS[CoreStatus(words["status"])], acts=acted)
        for one in news.values():
            if one.status in CLOSED:
                self._close(time_us, one.client_order_id)
        return list(news.values())

    def _named(self, number: int) -> tuple[str, int] | None:
        one = self.instrument
        named = {BASE: (one.base, one.base_decimals), QUOTE: ("cash", one.quote_decimals)}
        return named.get(number)

    def _close(self, time_us: int, client_order_id: str) -> None:
        closed = self.open.pop(client_order_id, None)
        if closed is not None and closed.queue_order:
            order = closed.queue_order
            cancel = pack(Command.CANCEL_ORDER, account=QUEUE, instrument=1, order_id=order)
            self.apply(time_us, cancel)

    def _note_fill(self, time_us: int, name: str, words: dict[str, int]) -> None:
        one = self.instrument
        decimals = {BASE: one.base_decimals, QUOTE: one.quote_decimals}
        asset = words["fee_asset"]
        quantity = words["last_lots"] * one.lot
        amount = Decimal(words["last_quote"]).scaleb(-one.quote_decimals)
        before = self.filled.get(name, (ZERO, ZERO))
        self.filled[name] = (before[0] + quantity, before[1] + amount)
        if not words["is_maker"]:
            self.last = (words["last_price_ticks"], words["side"] == Side.BUY)
        self.fills.append(
            Fill(
                time_us=time_us,
                client_order_id=name,
                side=Side(words["side"]).name,
                price=words["last_price_ticks"] * one.tick,
                quantity=quantity,
                amount=plain(amount),
                fee=plain(Decimal(words["fee"]).scaleb(-decimals.get(asset, 0))),
                fee_asset={BASE: one.base, QUOTE: one.quote}.get(asset, ""),
                maker=bool(words["is_maker"]),
            )
        )


def _other(side: Side) -> Side:
    return Side.SELL if side == Side.BUY else Side.BUY


def _stop_of(words: dict[str, int]) -> _Open:
    """Return the stop that the command of an order or of a list brings in."""
    kind, limit, trigger = "order_type", "price_ticks", "stop_price_ticks"
    if words["kind"] == Command.NEW_LIST:
        kind, limit, trigger = "stop_type", "stop_price_ticks", "stop_trigger_ticks"
    side = Side(words["side"])
    is_rise = _is_rise(side, words[kind])
    return _Open(side, words[limit], 0, words["quantity_lots"], words[trigger], is_rise)


def _is_rise(side: int, order_type: int) -> bool:
    """Return whether a rise sets a stop off: a buy's loss, a sale's profit."""
    stops_a_loss = order_type in {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT}
    return (side == Side.BUY) is stops_a_loss
