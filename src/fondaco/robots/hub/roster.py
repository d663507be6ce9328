"""What a worker knows of its clients and their markets: rows, balances, losses, prices, kept fresh.

Promises: loaded once and then followed by the events of commits and by the rows that changed; a
client is known with every commit up to `seq`. Losses and sales of a day or a month that is over
count as none, by the house's calendar. It writes nothing and sends no command.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterable
from fractions import Fraction
from typing import Final

import msgspec

from fondaco.core import records
from fondaco.core.money import parse_units
from fondaco.core.records import Event, Query
from fondaco.house.declared import House
from fondaco.house.robots import RobotConfig
from fondaco.identity import core_door
from fondaco.identity.core_door import Core
from fondaco.journal.calendar import Calendar
from fondaco.robots.hub.following import (
    Market,
    configure,
    day_ends_us,
    follow,
    forget,
    look_of,
    month_ends_us,
)
from fondaco.robots.hub.judging import Client, Look
from fondaco.robots.hub.words import place_of
from fondaco.robots.models import Robot, RobotKind, RobotMode, RobotRun

__all__ = ["BOOK", "SHARES", "Market", "Roster", "share_of"]

SHARES: Final = 16  # pieces of work that workers share; each client is in one
BOOK: Final = 1  # InstrumentBody.market
SKEW_US: Final = 10_000_000  # how late the row of a change may be seen after its time
_ACCOUNT_AT: Final = 3  # of a head
_INSTRUMENT_AT: Final = place_of(Event.TRADE, "instrument")
_PRICE_AT: Final = place_of(Event.TRADE, "price_ticks")
_TRADE_AT: Final = place_of(Event.TRADE, "trade_id")
_KILLED_AT: Final = place_of(Event.ROBOT, "killed")
_ROBOT: Final = int(Event.ROBOT)
_TRADE: Final = int(Event.TRADE)
_CANCEL: Final = int(Event.CANCEL)  # ORDER, FILL and CANCEL come first
_OF_CLIENTS: Final = {
    int(kind) for kind in (Event.ORDER, Event.FILL, Event.CANCEL, Event.BALANCE, Event.ROBOT)
}
_STANDS: Final = {int(Event.BALANCE), _ROBOT}
_DEFINED: Final = {int(Event.ASSET), int(Event.INSTRUMENT)}
WORD: Final = records.WORD
OnOrder = Callable[[bytes], None]


def share_of(account: int) -> int:
    """Return the share that an account is in."""
    return account % SHARES


def _on_paper() -> dict[str, int]:
    """Return the runs of robots by signals that are on paper, by the robot."""
    runs = RobotRun.objects.filter(is_over=False, mode=RobotMode.PAPER)
    return dict(runs.filter(robot__kind=RobotKind.SIGNAL).values_list("robot_id", "pk"))


class Roster:
    def __init__(self, house: House, core: Core) -> None:
        self._house = house
        self.core = core
        self._calendar = Calendar(house.house.time_zone)
        self.assets: dict[int, records.AssetBody] = {}
        self.instruments: dict[int, records.InstrumentBody] = {}
        self.markets: dict[str, Market] = {}
        self._by_instrument: dict[int, Market] = {}
        self.clients: dict[int, Client] = {}
        self._ordered: list[Client] = []
        self._periods: dict[int, tuple[int, int]] = {}  # account -> day, month of its losses
        self._looked_us = 0  # when rows were looked at last
        self.seq = 0
        self.watched: Collection[int] = ()  # instruments whose trades robots on paper wait for
        self._trades: list[tuple[int, int, int]] = []  # of these: instrument, price, number
        self._kills: list[tuple[int, bool]] = []  # of robots on paper: account, on or off
        self._changed: set[int] = set()  # accounts whose paper may be another
        self.cash = records.AssetBody(number=0, code=house.house.cash, decimals=0)

    # ---- loading

    def load(self) -> None:
        """Learn the definitions and every client."""
        for kind, record in core_door.definitions(self.core):
            if kind in {Event.ASSET, Event.INSTRUMENT}:
                self._define(kind, record)
        self.refresh()

    def refresh(self) -> None:
        """Learn the clients whose rows have changed since the last time."""
        before_us, self._looked_us = self._looked_us, time.time_ns() // 1000
        rows = Robot.objects.filter(
            kind=RobotKind.SIGNAL,
            account__opened_at__isnull=False,
            changed_us__gte=min(before_us, self._looked_us) - SKEW_US,
        )
        runs: dict[str, int] | None = None
        for row in rows.iterator(2_000):
            if runs is None:
                runs = _on_paper()
            if row.closed_at is not None:
                self.clients.pop(row.account_id, None)
                self._ordered = []
                self._changed.add(row.account_id)
                continue
            client = self.clients.get(row.account_id)
            if client is None:
                client = Client(row.account_id, row.pk, row.member_id)
                self.clients[row.account_id] = client
                self._ordered = []
                self.ask(client)
            before, client.run = client.run, runs.get(row.pk, 0)
            if before or client.run:
                self._changed.add(client.account)
            try:
                self._configure(client, row)
            except (msgspec.ValidationError, ValueError) as error:
                client.is_active = False  # it holds up no other
                print(f"fondaco: robot {row.pk}: its config: {error}", file=sys.stderr)  # noqa: T201

    def _configure(self, client: Client, row: Robot) -> None:
        config = msgspec.convert(row.config, RobotConfig)
        client.is_active = row.is_active
        client.is_locked = row.is_locked
        client.locked_until_us = row.locked_until_us
        configure(client, config, self.cash_units)

    def ask(self, client: Client) -> None:
        """Ask the house's core how a client stands."""
        for kind in (Query.BALANCES, Query.ROBOTS):
            answer = self.core.query(records.pack(kind, account=client.account))
            self.take(bytes(answer.records))

    def cash_units(self, text: str) -> int:
        return parse_units(text, self.cash.decimals)

    # ---- following

    def take(self, events: bytes, on_order: OnOrder | None = None) -> None:
        """Follow a run of events; what a client's order did is handed to `on_order`.

        Most events are of other accounts: they are stepped over by their first words.
        """
        words = memoryview(events).cast("q")
        at, end = 0, len(words)
        clients = self.clients
        while at < end:
            word = words[at]
            kind, length = word & 0xFFFF, word >> 35
            if kind == _TRADE:
                number = words[at + _INSTRUMENT_AT]
                market = self._by_instrument.get(number)
                if market is not None:
                    market.price_ticks = words[at + _PRICE_AT]
                    if number in self.watched:
                        self._trades.append((number, market.price_ticks, words[at + _TRADE_AT]))
            elif kind in _OF_CLIENTS:
                client = clients.get(words[at + _ACCOUNT_AT])
                if client is not None:
                    if kind > _CANCEL:
                        self._take(client, kind, words[at : at + length])
                    elif on_order is not None:
                        on_order(events[at * WORD : (at + length) * WORD])
            elif kind in _DEFINED:
                self._define(kind, events[at * WORD : (at + length) * WORD])
            at += length

    def _take(self, client: Client, kind: int, words: memoryview[int]) -> None:
        """Take in a client's balance, or how its robot stands."""
        if client.is_paper:  # what it has in the house is nothing to it, but for the kill switch
            if kind == _ROBOT:
                self._kills.append((client.account, bool(words[_KILLED_AT])))
            return
        self._follow(client, kind, words)

    def _follow(self, client: Client, kind: int, words: memoryview[int]) -> None:
        period = follow(client, kind, words, self.cash.number)
        if period is not None:
            self._periods[client.account] = period

    # ---- paper

    def begin_paper(self, client: Client) -> None:
        """Forget what a client has in the house: from now on its own exchange tells."""
        self._forget(client)
        client.is_paper = True

    def end_paper(self, client: Client) -> None:
        """Forget what a client had on paper, and ask the house."""
        self._forget(client)
        client.is_paper = False
        self.ask(client)

    def _forget(self, client: Client) -> None:
        client.cash = client.day_loss = client.month_loss = client.month_sold = 0
        client.coins.clear()
        client.free.clear()

    def take_paper(self, client: Client, events: bytes) -> None:
        """Follow what a client's own exchange says."""
        words = memoryview(events).cast("q")
        at, end = 0, len(words)
        while at < end:
            word = words[at]
            kind, length = word & 0xFFFF, word >> 35
            if kind in _STANDS:
                self._follow(client, kind, words[at : at + length])
            at += length

    def take_trades(self) -> list[tuple[int, int, int]]:
        """Return, once, the trades that were watched: instrument, price in ticks, number."""
        found, self._trades = self._trades, []
        return found

    def take_kills(self) -> list[tuple[int, bool]]:
        """Return, once, what became of the kill switches of robots on paper."""
        found, self._kills = self._kills, []
        return found

    def take_changed(self) -> set[int]:
        """Return, once, the accounts of robots that are, or were, on paper and have changed."""
        found, self._changed = self._changed, set()
        return found

    def price_of(self, number: int) -> int:
        """Return the price that an instrument is known by, 0 for none."""
        market = self._by_instrument.get(number)
        return market.price_ticks if market is not None else 0

    # ---- definitions

    def _define(self, kind: int, record: bytes) -> None:
        raw = records.unpack_body(record)
        if kind == Event.ASSET:
            asset = msgspec.msgpack.decode(raw, type=records.AssetBody)
            self.assets[asset.number] = asset
            if asset.code == self.cash.code:
                self.cash = asset
            return
        body = msgspec.msgpack.decode(raw, type=records.InstrumentBody)
        self.instruments[body.number] = body
        known = self._by_instrument.get(body.number)
        if known is not None:
            known.body = body
        elif body.market == BOOK and body.quote == self.cash.number:
            coin = self.assets[body.base]
            market = Market(coin.code, body, coin.decimals, self._price(body))
            self._by_instrument[body.number] = market
            self.markets.setdefault(coin.code, market)

    def _price(self, body: records.InstrumentBody) -> int:
        """Return the last trade's price, the declared reference before any, 0 for neither."""
        asked = records.pack(Query.DEPTH, instrument=body.number, limit=1)
        for record in records.split(bytes(self.core.query(asked).records)):
            if core_door.kind_of(record) == Query.BOOK_ANSWER:
                last = records.unpack(record)["last_price_ticks"]
                if last:
                    return last
        for entry in self._house.instruments:
            if entry.symbol == body.symbol and entry.reference_price:
                return int(Fraction(entry.reference_price) / Fraction(body.tick_size))
        return 0

    # ---- asking

    def look(self, signal: int, symbol: str, strength: int, *, now_us: int) -> Look:
        """Return the look by which a signal is judged now."""
        return look_of(self.markets.get(symbol), signal, symbol, strength, now_us=now_us)

    def of_shares(self, shares: Iterable[int], *, member: int = 0) -> list[Client]:
        """Return the clients of these shares in the order of their accounts; 0: any member's."""
        if len(self._ordered) != len(self.clients):
            self._ordered = [self.clients[account] for account in sorted(self.clients)]
        wanted = set(shares)
        found = self._ordered
        if len(wanted) < SHARES:
            found = [client for client in found if client.account % SHARES in wanted]
        if member:
            found = [client for client in found if client.member == member]
        return found

    def forget_past(self, now_us: int) -> None:
        """Count no loss and no sale of a day or a month that is over."""
        today = self._calendar.day_of(now_us)
        for account, (day, month) in self._periods.items():
            if day == today.day and month == today.month:
                continue
            client = self.clients.get(account)
            if client is not None:
                forget(client, (day, month), today)
            self._periods[account] = today.day, today.month

    def day_ends_us(self, now_us: int) -> int:
        """Return the first moment of the next day where the house is."""
        return day_ends_us(self._calendar, now_us)

    def month_ends_us(self, now_us: int) -> int:
        """Return the first moment of the next month where the house is."""
        return month_ends_us(self._calendar, now_us)
