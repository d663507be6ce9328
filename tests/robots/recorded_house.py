"""A house whose crowd trades a recording as a backtest's does, so that both must come to the same.

The crowd is written anew here, on the house's own book: it prints each recorded trade, takes first
what a bot has resting there, stands with depth for what takes and for stops that are set off, and
before an order that joins a quoted price. What can't be put alike is refused by an assertion: a
trade that a bot's better offer takes up whole is at that offer's price in a house.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from fondaco.core.records import (
    HEAD,
    AccountBody,
    Command,
    Event,
    Query,
    Side,
    TimeInForce,
    pack,
    pack_body,
    split,
    unpack,
)
from fondaco.robots.backtest.tape import Tick
from fondaco.robots.rules.commands import id_of
from fondaco.robots.rules.live import LiveHands
from tests.robots.rule_house import CROWD, NO_ORDER, QUEUE, ROBOT, RuleHouse, order

STANDING = 19  # stands before a bot's orders
LEVELS = 30
NEWS = {int(one) for one in (Event.ORDER, Event.FILL, Event.CANCEL, Event.REFUSED)}
TICK, LOT = Decimal("0.01"), Decimal("0.1")


class RecordedHouse(RuleHouse):
    """One market with one bot, and the crowd of a recording."""

    def __init__(self, *, depth: int, queue: int, latency_us: int = 0, **options: Any) -> None:
        """Open it; depth and queue are lots.

        With latency a command arrives so much later, and so does the news of it; trades and
        balances are seen at once. One thing of a bot is on its way at a time.
        """
        self.latency_us = latency_us
        self.due: list[tuple[int, int, str, bytes]] = []
        self.sent = 0
        super().__init__(None, rich=10**18, **options)
        self.depth, self.queue = depth, queue
        self.bid = self.ask = 0
        self.is_crowded = False  # some of the crowd may be left in the book
        self.ahead: dict[str, int] = {}
        account = AccountBody(member=4, opening=[(1, 10**18), (2, 10**18)])
        self.commit_only(pack_body(Command.OPEN_ACCOUNT, account, account=STANDING))

    # -- the recording

    def tick(self, tick: Tick) -> None:
        """Let the time pass, and then one recorded trade happen."""
        self.wait(tick.time_us)
        price, lots = int(tick.price / TICK), int(tick.quantity / LOT)
        self._quote(price, buys=tick.buys)
        resting, stops = self._open_orders()
        other = Side.BUY if tick.buys else Side.SELL
        worse = 1 if tick.buys else -1
        assert (other, price) not in resting, "a bid where somebody buys can't be in a house"
        # The market has come to what is better than a price: there the other side took.
        passed = sum(
            left
            for (side, at), left in resting.items()
            if side == other and (at - price) * worse > 0
        )
        taker = Side.BUY if tick.buys is not bool(passed) else Side.SELL
        maker = Side.SELL if taker == Side.BUY else Side.BUY
        assert lots > passed, f"a bot took up a trade of {lots} lots at {price}"
        before = [order(QUEUE, maker, price, lots - passed)]
        for side in stops:
            before += self._levels(side, [*resting, (maker, price)])
        self.commit_only(*before)
        self.clock.advance(tick.time_us - self.clock.now_us())
        told = self.commit_only(order(CROWD, taker, price, lots, TimeInForce.IOC))
        self.is_crowded = bool(resting or stops)
        printed = [one["price_ticks"] for one in map(unpack, split(told)) if _is_trade(one)]
        assert price in printed, f"a bot took up a trade of {lots} lots at {price}: {printed}"
        self._clear()
        self.pump()

    def _quote(self, price: int, *, buys: bool) -> None:
        if buys:
            self.ask, self.bid = price, min(self.bid or price - 1, price - 1)
        else:
            self.bid, self.ask = price, max(self.ask, price + 1)

    def _open_orders(self) -> tuple[dict[tuple[int, int], int], set[int]]:
        """Return the lots that a bot has resting, by side and price, and the sides of its stops."""
        found = self.sequencer.query(pack(Query.OPEN_ORDERS, account=ROBOT, instrument=1))
        resting: dict[tuple[int, int], int] = {}
        stops: set[int] = set()
        for one in map(unpack, split(found)):
            place = one["side"], one["price_ticks"]
            if one["stop_price_ticks"] and not one["working_us"]:
                stops.add(one["side"])
            else:
                left = one["quantity_lots"] - one["filled_lots"]
                resting[place] = resting.get(place, 0) + left
        return resting, stops

    def _levels(self, side: int, resting: Iterable[tuple[int, int]]) -> list[bytes]:
        """Return depth for an order of a side that takes, out of reach of what the bot rests."""
        own = [at for each, at in resting if each == side]
        if side == Side.BUY:
            best = max([self.ask, *(at + 1 for at in own)])
            return [order(CROWD, Side.SELL, best + at, self.depth) for at in range(LEVELS)]
        best = min([self.bid, *(at - 1 for at in own)])
        return [order(CROWD, Side.BUY, best - at, self.depth) for at in range(LEVELS) if best > at]

    def _clear(self) -> None:
        """Take back what was there for one trade or order, and what stood before orders gone."""
        if not self.is_crowded:
            return
        self.is_crowded = False
        accounts = (CROWD, QUEUE)
        self.commit_only(*[pack(Command.CANCEL_ALL, account=one, instrument=1) for one in accounts])
        if not self.ahead:
            return
        found = self.sequencer.query(pack(Query.OPEN_ORDERS, account=ROBOT, instrument=1))
        alive = {id_of(unpack(one)) for one in split(found)}
        for name in [each for each in self.ahead if each not in alive]:
            number = self.ahead.pop(name)
            self.commit_only(
                pack(Command.CANCEL_ORDER, account=STANDING, instrument=1, order_id=number)
            )

    # -- what takes its time

    def commit_only(self, *records: bytes) -> bytes:
        """Commit commands; with latency the desk hears later of what became of the bot's orders."""
        if not self.latency_us:
            return super().commit_only(*records)
        events = self.sequencer.commit(list(records)).events
        told = {True: b"", False: b""}
        for event in split(events):
            kind, _, _, account = HEAD.unpack_from(event)[:4]
            told[account == ROBOT and kind & 0xFFFF in NEWS] += event
        self.desk.take(self.sequencer.seq, told[False])
        if told[True]:
            self._later("news", told[True])
        return bytes(events)

    def _later(self, kind: str, what: bytes) -> None:
        self.sent += 1
        heapq.heappush(self.due, (self.clock.now_us() + self.latency_us, self.sent, kind, what))

    def wait(self, until_us: int) -> None:
        """Let arrive what is due by then, and be told what time it is before."""
        while True:
            due_us = self.due[0][0] if self.due else 1 << 62
            stamp_us = self.next_stamp_us()
            if stamp_us < min(due_us, until_us):
                self.stamp(stamp_us)
            elif due_us <= until_us:
                self._arrive()
            else:
                return

    def _arrive(self) -> None:
        due_us, _, kind, what = heapq.heappop(self.due)
        self.clock.advance(due_us - self.clock.now_us())
        if kind == "command":
            self.before_order(what)
            self.commit_only(what)
        else:
            # Another's command tells what time it is; then the bot hears.
            nothing = pack(Command.REDUCE_ORDER, account=QUEUE, instrument=1, order_id=NO_ORDER)
            now = self.sequencer.commit([nothing]).events
            self.desk.take(self.sequencer.seq, now + what)
        self.pump()

    # -- the bot's orders

    def before_order(self, command: bytes) -> None:
        """Stand there with depth for an order that takes, and before one that joins a price."""
        self._clear()
        self.is_crowded = True
        words = unpack(command)
        if words["kind"] == Command.NEW_LIST:
            price, name = words["profit_price_ticks"], id_of_list(words)
        elif words["kind"] == Command.NEW_ORDER and not words["stop_price_ticks"]:
            price, name = words["price_ticks"], id_of(words)
        else:
            return
        side = words["side"]
        is_buy = side == Side.BUY
        if not price or (price >= self.ask if is_buy else price <= self.bid):
            self.commit_only(*self._levels(side, self._open_orders()[0]))
        elif self.queue and (price <= self.bid if is_buy else price >= self.ask):
            self.commit_only(order(STANDING, Side(side), price, self.queue))
            self.ahead[name] = self.sequencer.seq

    def pump(self) -> None:
        if self.latency_us:
            for bot in self.desk.bots.values():
                assert isinstance(bot.hands, LiveHands)
                command = bot.hands.next_command(self.desk.sight)
                if command is not None:
                    self._later("command", command)
        else:
            super().pump()
        self._clear()


def id_of_list(words: dict[str, int]) -> str:
    """Return the id of the limit leg of a pair."""
    return id_of({f"client_order_id_{at}": words[f"profit_client_id_{at}"] for at in range(4)})


def _is_trade(words: dict[str, int]) -> bool:
    return words["kind"] == Event.TRADE
