"""A reader of the event stream that believes nothing and checks every invariant.

It keeps balances, open orders and levels from events alone (each carries the whole public state
after it), so that what clients were told, what the core answers and what the ledger sums to can
be held against each other after every step.

Checked: I1 sums, I2 no negative balance, I3 holds = open orders, I4 no crossed book, I5 price-time
priority, I6 fills within quantity and limits, I7 integers and fees to a named account; a stop
fires once, after a trade has reached it, oldest first, when no other order is at work, and a
reached one is left only at TRIGGERS_MAX or in a closed market.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from fondaco.core.records import (
    ACCOUNT_FEES,
    ACCOUNT_FIRST,
    HEAD_WORDS,
    LAYOUTS,
    Event,
    Execution,
    InstrumentBody,
    OrderStatus,
    OrderType,
    Query,
    Side,
    pack,
    split,
    unpack,
    unpack_body,
)
from tests.simulation.lists import ListReader
from tests.simulation.outside import Breach, OutsideReader, require
from tests.simulation.robots import RobotReader

__all__ = ["Breach", "Observer", "Seen", "require"]

PPM: Final = 1_000_000
TRIGGERS_MAX: Final = 16  # stops that run in one command
RISES: Final = {
    (Side.BUY, OrderType.STOP_LOSS),
    (Side.BUY, OrderType.STOP_LOSS_LIMIT),
    (Side.SELL, OrderType.TAKE_PROFIT),
    (Side.SELL, OrderType.TAKE_PROFIT_LIMIT),
}
OPEN: Final = {OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED}
OUTSIDE: Final = {Event.QUOTE, Event.VENUE_ORDER, Event.VENUE_PART, Event.POSTING}
ROBOTS: Final = {
    *(Event.ORDER, Event.TRADE, Event.POSTING, Event.ROBOT, Event.SUMMARY),
}
RESTING: Final = {OrderType.LIMIT, OrderType.LIMIT_MAKER}
STOPS: Final = {kind for _, kind in RISES}


class Exchange(Protocol):
    """What the observer asks of a core."""

    def query(self, record: bytes) -> bytes:
        """Answer a question."""


@dataclass
class Seen:
    """An open order as the events told it."""

    order_id: int
    account: int
    instrument: int
    side: int
    order_type: int
    price: int
    quantity: int
    filled: int
    client_id: tuple[int, int, int, int]
    rate_ppm: int = 0  # of the fee: of an order that stands in no book, the one it came in at
    fee_in_quote: bool = False
    stop_price: int = 0
    working_us: int = 0
    place: int = 0  # among all orders that began to work
    reached: bool = False  # a stop that a trade has reached
    list_id: int = 0

    @property
    def armed(self) -> bool:
        """Whether it is a stop that has not fired."""
        return self.order_type in STOPS and not self.working_us

    @property
    def remaining(self) -> int:
        """Lots still open."""
        return self.quantity - self.filled


def _place(kind: int, word: str) -> int:
    return HEAD_WORDS + LAYOUTS[kind].index(word)


_ORDER: Final = {word: _place(Event.ORDER, word) for word in LAYOUTS[Event.ORDER]}
_FILL: Final = {word: _place(Event.FILL, word) for word in LAYOUTS[Event.FILL]}


class Observer:
    """State from events."""

    def __init__(self) -> None:
        """Begin before the first event."""
        self.kinds: Counter[int] = Counter()
        self.balances: dict[tuple[int, int], tuple[int, int]] = {}
        self.orders: dict[int, Seen] = {}
        self.levels: dict[tuple[int, int, int], int] = {}
        self.book_seq: dict[int, int] = {}
        self.trade_id: dict[int, int] = {}
        self.instruments: dict[int, InstrumentBody] = {}
        self.outside = OutsideReader(self.instruments)
        self.robots = RobotReader(self.instruments, self.orders)
        self.lists = ListReader(self.orders)
        self.assets: set[int] = set()
        self.accounts: dict[int, int] = {}
        self.seq = 0
        self.time_us = 0
        self.trades = 0
        self.places = 0  # orders that began to work so far
        self.fired: Counter[int] = Counter()  # seq -> stops
        self.maintenance = False
        self._left: set[int] = set()  # stops that were reached and did not run yet
        self._changed: set[int] = set()  # accounts
        self._changed_books: set[int] = set()

    # ---- reading

    def take(self, events: bytes) -> None:
        """Read a run of events, in the order in which they were made."""
        for record in split(events):
            kind = record[0] | record[1] << 8
            self.kinds[kind] += 1
            words = struct.unpack_from(f"<{len(record) // 8}q", record)
            require(words[1] >= self.seq, "order of events", words[1], "after", self.seq)
            require(words[2] >= self.time_us, "time never goes back", words[2], self.time_us)
            if words[1] != self.seq:
                self.robots.end_of_command()
            self.seq, self.time_us = words[1], words[2]
            if kind in ROBOTS:
                getattr(self.robots, Event(kind).name.lower())(unpack(record))
            if kind in {Event.ORDER, Event.FILL, Event.CANCEL}:
                self._order(kind, words)
            elif kind == Event.LIST:
                self.lists.told(unpack(record))
            elif kind == Event.TRADE:
                self._trade(unpack(record))
            elif kind == Event.LEVEL:
                self._level(unpack(record))
            elif kind == Event.BALANCE:
                self._balance(unpack(record))
            elif kind in {Event.ASSET, Event.INSTRUMENT, Event.ACCOUNT}:
                self._definition(kind, record)
            elif kind == Event.HOUSE:
                self.maintenance = unpack(record)["maintenance"] == 1
            elif kind in OUTSIDE:
                self.outside.take(kind, unpack(record))

    def _order(self, kind: int, words: tuple[int, ...]) -> None:
        order_id = words[_ORDER["order_id"]]
        client = _ORDER["client_order_id_0"]
        status, execution = words[_ORDER["status"]], words[_ORDER["execution"]]
        quantity, filled = words[_ORDER["quantity_lots"]], words[_ORDER["filled_lots"]]
        number = words[_ORDER["instrument"]]
        self._changed.add(words[3])
        require(
            0 <= filled <= quantity or not quantity, "I6 fills within", order_id, filled, quantity
        )
        known = self.orders.get(order_id)
        if execution == Execution.NEW:
            require(known is None, "I12 an order is new once", order_id)
        elif known is None:
            raise Breach(f"an event about order {order_id}, which is not open")
        else:
            same = known.list_id == words[_ORDER["list_id"]]
            require(same, "I20 a leg stays in its list", known, words)
        if words[_ORDER["list_id"]]:
            self.lists.act(order_id, words[_ORDER["list_id"]], execution)
        if execution == Execution.TRIGGERED:
            assert known is not None
            self._trigger(known, words)
        if kind == Event.FILL:
            assert known is not None
            self._fill(known, words)
        elif known is not None:
            require(
                filled == known.filled, "I6 fills only by trades", order_id, filled, known.filled
            )
        if status not in OPEN:
            if known is not None:
                del self.orders[order_id]
            return
        working_us = words[_ORDER["working_us"]]
        if known is None or known.armed:
            self.places += 1
        self.orders[order_id] = Seen(
            order_id=order_id,
            account=words[3],
            instrument=number,
            side=words[_ORDER["side"]],
            order_type=words[_ORDER["order_type"]],
            price=words[_ORDER["price_ticks"]],
            quantity=quantity,
            filled=filled,
            client_id=words[client : client + 4],  # type: ignore[arg-type]
            rate_ppm=known.rate_ppm if known else self.instruments[number].taker_fee_ppm,
            fee_in_quote=known.fee_in_quote if known else self.instruments[number].fee_in_quote,
            stop_price=words[_ORDER["stop_price_ticks"]],
            working_us=working_us,
            place=known.place if known and not known.armed else self.places,
            reached=known.reached if known else False,
            list_id=words[_ORDER["list_id"]],
        )

    def _trigger(self, stop: Seen, words: tuple[int, ...]) -> None:
        """A stop fires."""
        require(stop.armed and stop.reached, "I13 a stop fires once, after it was reached", stop)
        require(words[_ORDER["working_us"]] == words[2], "it works from now on", words)
        mine = [o for o in self.orders.values() if o.instrument == stop.instrument]
        older = [o for o in mine if o.armed and o.reached and o.order_id < stop.order_id]
        require(not older, "the oldest stop fires first", stop, older)
        working = [order for order in mine if not order.armed]
        bids = [o.price for o in working if o.side == Side.BUY and o.remaining]
        asks = [o.price for o in working if o.side == Side.SELL and o.remaining]
        require(0 not in bids + asks, "a stop fires when no order is at work", stop, working)
        crossed = bids and asks and max(bids) >= min(asks)
        require(not crossed, "a stop fires when no order is at work", stop, working)
        self.fired[words[1]] += 1

    def _reach(self, number: int, price: int) -> None:
        """A trade at this price lets stops wait for their turn."""
        for order in self.orders.values():
            if order.instrument != number or not order.armed:
                continue
            rises = (order.side, order.order_type) in RISES
            if (price >= order.stop_price) if rises else (price <= order.stop_price):
                order.reached = True

    def _fill(self, known: Seen, words: tuple[int, ...]) -> None:
        lots, price = words[_FILL["last_lots"]], words[_FILL["last_price_ticks"]]
        require(words[_FILL["filled_lots"]] == known.filled + lots, "I6 filled adds up", words)
        require(lots > 0 and price > 0, "I6 a fill is of something", words)
        require(not known.armed, "a stop doesn't trade before it fires", known)
        if known.order_type in RESTING or (known.order_type in STOPS and known.price):
            good = price <= known.price if known.side == Side.BUY else price >= known.price
            require(good, "I6 price within the limit", known, price)
        if self.instruments[known.instrument].market != 1:
            self.outside.fill({name: words[place] for name, place in _FILL.items()})
            if known.order_type == OrderType.POOLED and known.side == Side.BUY:
                unit = known.price * self.instruments[known.instrument].quote_per_lot_tick
                require(words[_FILL["last_quote"]] <= lots * unit, "I6 within the limit", words)
        if words[_FILL["is_maker"]]:
            require(price == known.price, "I5 a trade is at the maker's price", known, price)
            self._priority(known, self.orders.get(words[_FILL["other_order_id"]]))

    def _priority(self, maker: Seen, taker: Seen | None) -> None:
        """No better or older order stands on the maker's side, but those prevention passes by."""
        sign = -1 if maker.side == Side.BUY else 1
        mine = (sign * maker.price, maker.place)
        for other in self.orders.values():
            if (other.instrument, other.side) != (maker.instrument, maker.side) or other is taker:
                continue
            if other.armed:
                continue
            require(
                (sign * other.price, other.place) >= mine, "I5 priority", maker, "before", other
            )

    def _trade(self, trade: dict[str, int]) -> None:
        number = trade["instrument"]
        body = self.instruments[number]
        require(
            trade["trade_id"] == self.trade_id.get(number, 1_000_000_000) + 1,
            "trade ids count up",
            trade,
        )
        self.trade_id[number] = trade["trade_id"]
        self.trades += 1
        if body.market != 1:
            self._outside_trade(trade, body)
            return
        self._reach(number, trade["price_ticks"])
        worth = trade["price_ticks"] * trade["quantity_lots"] * body.quote_per_lot_tick
        require(trade["quote_amount"] == worth, "I7 a trade is worth price x quantity", trade)
        base = trade["quantity_lots"] * body.base_per_lot
        buyer_is_taker = trade["taker_side"] == Side.BUY
        rates = (body.maker_fee_ppm, body.taker_fee_ppm)
        received = worth if body.fee_in_quote else base
        require(0 <= trade["buyer_fee"] <= received * rates[buyer_is_taker] // PPM, "I7 fee", trade)
        require(trade["seller_fee"] == worth * rates[not buyer_is_taker] // PPM, "I7 fee", trade)
        if not body.fee_in_quote:
            require(trade["buyer_fee"] == base * rates[buyer_is_taker] // PPM, "I7 fee", trade)

    def _outside_trade(self, trade: dict[str, int], body: InstrumentBody) -> None:
        """A trade with the house's inventory, or with the world by a venue."""
        order = self.orders[trade["buy_order_id"] or trade["sell_order_id"]]
        worth = trade["price_ticks"] * trade["quantity_lots"] * body.quote_per_lot_tick
        exact = trade["quote_amount"] == worth if body.market == 2 else True
        require(exact, "I7 a trade is worth price x quantity", trade)
        received = trade["quote_amount"]
        if order.side == Side.BUY and not order.fee_in_quote:
            received = trade["quantity_lots"] * body.base_per_lot
        fees = trade["buyer_fee"] + trade["seller_fee"]
        require(fees == received * order.rate_ppm // PPM, "I7 fee", trade, order)

    def _level(self, level: dict[str, int]) -> None:
        number = level["instrument"]
        require(level["book_seq"] > self.book_seq.get(number, 0), "book updates count up", level)
        require(level["quantity_lots"] >= 0, "a level is never negative", level)
        self.book_seq[number] = level["book_seq"]
        key = (number, level["side"], level["price_ticks"])
        self.levels[key] = level["quantity_lots"]
        if not level["quantity_lots"]:
            del self.levels[key]
        self._changed_books.add(number)

    def _balance(self, balance: dict[str, int]) -> None:
        key = (balance["account"], balance["asset"])
        free, held = self.balances.get(key, (0, 0))
        change = balance["free"] + balance["held"] - free - held
        require(change == balance["change"], "a balance changes by its change", balance, change)
        if balance["account"] >= ACCOUNT_FIRST or balance["account"] == ACCOUNT_FEES:
            require(balance["free"] >= 0 <= balance["held"], "I2 no negative balance", balance)
        self.balances[key] = (balance["free"], balance["held"])
        self._changed.add(balance["account"])

    def _definition(self, kind: int, record: bytes) -> None:
        body: Any = msgspec.msgpack.decode(unpack_body(record))
        if kind == Event.ASSET:
            self.assets.add(body["number"])
        elif kind == Event.INSTRUMENT:
            self.instruments[body["number"]] = msgspec.convert(body, InstrumentBody)
        else:
            account = struct.unpack_from("<q", record, 24)[0]
            self.accounts[account] = body["member"]
            self.robots.account(account, body["robot"])

    # ---- checking

    def check(self, exchange: Exchange, *, everything: bool = False) -> None:
        """Hold the core's answers against what the events told; of what changed, or of all."""
        accounts = set(self.accounts) if everything else self._changed & set(self.accounts)
        books = set(self.instruments) if everything else self._changed_books
        self._check_sums(exchange)
        self._check_stops()
        self.robots.end_of_command()
        self.robots.check(exchange, self.balances)
        self.lists.check(exchange, sorted(accounts))
        self._check_levels(exchange, books)
        for account in sorted(accounts):
            self._check_account(exchange, account)
        self._changed.clear()
        self._changed_books.clear()

    def _check_sums(self, exchange: Exchange) -> None:
        sums: dict[int, int] = dict.fromkeys(self.assets, 0)
        for (_, asset), (free, held) in self.balances.items():
            sums[asset] += free + held
        for record in split(exchange.query(pack(Query.TOTALS))):
            total = unpack(record)
            parts = [total[name] for name in ("members", "fees", "rounding", "inventory", "world")]
            require(sum(parts) == 0, "I1 the sum over all accounts is 0", total)
            require(sums[total["asset"]] == 0, "I1 told balances sum to 0", total["asset"], sums)

    def _check_stops(self) -> None:
        """No more stops that were reached are left, but at the limit or where nobody may trade."""
        most = max(self.fired.values(), default=0)
        left = {o.order_id: o for o in self.orders.values() if o.armed and o.reached}
        for order in left.values():
            is_open = self.instruments[order.instrument].status == 1 and not self.maintenance
            if is_open and order.order_id not in self._left:
                require(most == TRIGGERS_MAX, "a reached stop runs", order, self.fired)
        self._left = set(left)
        self.fired.clear()

    def _check_levels(self, exchange: Exchange, books: set[int]) -> None:
        for number in sorted(books):
            counted: dict[tuple[int, int, int], int] = {}
            for order in self.orders.values():
                book = self.instruments[number].market == 1
                if order.instrument == number and book and not order.armed:
                    key = (number, order.side, order.price)
                    counted[key] = counted.get(key, 0) + order.remaining
            told = {key: lots for key, lots in self.levels.items() if key[0] == number}
            require(told == counted, "levels are their orders", told, counted)
            bids = [price for _, side, price in counted if side == Side.BUY]
            asks = [price for _, side, price in counted if side == Side.SELL]
            crossed = bids and asks and max(bids) >= min(asks)
            require(not crossed, "I4 no crossed book", number, counted)
            answer = split(exchange.query(pack(Query.DEPTH, instrument=number, limit=1000)))
            head = unpack(answer[0])
            require(
                head["book_seq"] == self.book_seq.get(number, 0), "book_seq", head, self.book_seq
            )
            levels = [unpack(record) for record in answer[1:]]
            depth = {(number, w["side"], w["price_ticks"]): w["quantity_lots"] for w in levels}
            require(depth == counted, "depth is the orders", depth, counted)
            listed = [(w["side"], w["price_ticks"]) for w in levels]
            best = sorted(listed, key=lambda w: (w[0], -w[1] if w[0] == Side.BUY else w[1]))
            require(listed == best, "depth is best first", listed)

    def _check_account(self, exchange: Exchange, account: int) -> None:
        held: dict[int, int] = {}
        listed: dict[tuple[int, int], int] = {}  # of a list the larger leg counts
        mine = {order.order_id: order for order in self.orders.values() if order.account == account}
        for order in mine.values():
            asset, owed = self.obligation(order)
            if order.list_id:
                key = (order.list_id, asset)
                before, listed[key] = listed.get(key, 0), max(owed, listed.get(key, 0))
                owed = listed[key] - before
            held[asset] = held.get(asset, 0) + owed
        answered = exchange.query(pack(Query.BALANCES, account=account))
        for record in split(answered):
            words = unpack(record)
            key = (account, words["asset"])
            told = self.balances.get(key, (0, 0))
            require((words["free"], words["held"]) == told, "balance as told", words, told)
            require(words["held"] == held.pop(words["asset"], 0), "I3 held = orders", words, mine)
        require(not any(held.values()), "I3 held = orders", account, held)
        answered = exchange.query(pack(Query.OPEN_ORDERS, account=account))
        found = {words["order_id"]: words for words in map(unpack, split(answered))}
        require(set(found) == set(mine), "open orders as told", account, set(found) ^ set(mine))
        for order_id, words in found.items():
            told_lots = (mine[order_id].quantity, mine[order_id].filled)
            lots = (words["quantity_lots"], words["filled_lots"])
            require(lots == told_lots, "an order as told", words, told_lots)

    def obligation(self, order: Seen) -> tuple[int, int]:
        """Return the asset and the amount that an open order holds."""
        body = self.instruments[order.instrument]
        if order.side == Side.SELL:
            return body.base, order.remaining * body.base_per_lot
        notional = order.remaining * order.price * body.quote_per_lot_tick
        if order.armed and not order.price:
            notional = order.remaining * order.stop_price * body.quote_per_lot_tick
            notional += notional * body.stop_band_ppm // PPM
        ppm = max(body.maker_fee_ppm, body.taker_fee_ppm) if body.fee_in_quote else 0
        if body.market != 1:
            ppm = order.rate_ppm if order.fee_in_quote else 0
        return body.quote, notional + notional * ppm // PPM
