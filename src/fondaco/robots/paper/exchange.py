"""The exchange of robots by signals on paper: the house's own core, beside the house's books.

One Exchange serves many robots in turn: each has a state of its own, which is the core's dump, some
kilobytes. It knows the house's instruments by the house's numbers, so a command for the house is
one for paper, and so are its events.

- An order that takes finds what stands in the house's book at that moment, level by level, put
  there for this one order and removed after it. The house's book is as it was.
- A stop is judged by the house's last trade: before it is placed the crowd trades at that price,
  and a trade of the house that reaches it is one of the crowd at its price. What it sets off finds
  the house's bids of that moment, none of them better than the trade.

Promises: every match, hold, fee, limit and refusal is the core's; given the same calls it does the
same. It has no clock and asks nobody: the caller says what time it is and what the book holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    HEAD,
    AccountBody,
    AccountKind,
    AssetBody,
    Command,
    Event,
    InstrumentBody,
    Query,
    Reason,
    RobotTerms,
    Side,
    TimeInForce,
    pack,
    pack_body,
    split,
    unpack,
)
from fondaco.link.answers import Answer
from fondaco.robots.backtest.floor import CROWD_FUNDS, crowd_order, kind_of

__all__ = ["Book", "PaperExchange", "PaperState", "Stop", "book_of"]

CROWD: Final = (1 << 40) - 1  # account numbers far from the house's: one that trades ...
OTHER: Final = (1 << 40) - 2  # ... and one that it trades with
GIVEN: Final = 1 << 32  # entries of what a robot is given; the crowd's are two an asset
CROWD_MEMBER: Final = 1
ROBOT_MEMBER: Final = 2
LEVELS_MAX: Final = 1_000  # of the house's book that one order may walk
_KINDS: Final = frozenset(
    {Event.ORDER, Event.FILL, Event.CANCEL, Event.BALANCE, Event.ROBOT, Event.REFUSED}
)
Level = tuple[int, int]  # price in ticks, lots


class Book(NamedTuple):
    """What stands in a book of the house, best first, and its last trade; 0: none yet."""

    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    last_ticks: int = 0
    last_trade: int = 0


class Stop(NamedTuple):
    """A stop that waits: where it sells, and up to which trade of the house it has waited."""

    ticks: int
    last_trade: int


class PaperState(msgspec.Struct, kw_only=True):
    """One robot's exchange between its turns, and the stop that it has on each instrument."""

    account: int
    exchange: bytes
    stops: dict[int, Stop] = {}


def book_of(answer: bytes) -> Book:
    """Return the book that a Query.DEPTH answered."""
    sides: dict[int, list[Level]] = {int(Side.BUY): [], int(Side.SELL): []}
    last_ticks = last_trade = 0
    for record in split(answer):
        kind, words = kind_of(record), unpack(record)
        if kind == Query.BOOK_ANSWER:
            last_ticks, last_trade = words["last_price_ticks"], words["last_trade_id"]
        elif kind == Event.LEVEL:
            sides[words["side"]].append((words["price_ticks"], words["quantity_lots"]))
    bids, asks = (tuple(sides[int(side)]) for side in (Side.BUY, Side.SELL))
    return Book(bids, asks, last_ticks, last_trade)


class PaperExchange:
    """The exchange in which robots take turns."""

    def __init__(
        self, assets: Mapping[int, AssetBody], instruments: Mapping[int, InstrumentBody]
    ) -> None:
        """Take the house's definitions, by number; later ones may join them."""
        self._assets = assets
        self._instruments = instruments
        self._exchange = Exchange()

    # -- a robot's state

    def open(self, account: int, terms: RobotTerms, money: Mapping[int, int]) -> PaperState:
        """Open a robot's account with this money, (asset -> units).

        Raises:
            ValueError: the core refuses the terms or the money.
        """
        self._exchange = Exchange()
        opening = [(asset, units) for asset, units in money.items() if units]
        body = AccountBody(
            member=ROBOT_MEMBER, kind=AccountKind.ROBOT, opening=opening, robot=terms
        )
        commands = [
            pack_body(Command.DEFINE_ASSET, self._assets[asset])
            for asset in sorted({terms.cash, *money})
        ]
        crowd = AccountBody(
            member=CROWD_MEMBER, kind=AccountKind.SPOT, opening=[(terms.cash, CROWD_FUNDS)]
        )
        commands += [
            pack_body(Command.OPEN_ACCOUNT, crowd, account=each) for each in (CROWD, OTHER)
        ]
        self._do(0, [*commands, pack_body(Command.OPEN_ACCOUNT, body, account=account)])
        return PaperState(account=account, exchange=self._exchange.dump())

    def give(self, state: PaperState, number: int, units: int, ticks: int, now_us: int) -> None:
        """Give a robot the coin of an instrument; it counts as bought at a price, as in the house.

        Raises:
            ValueError: the core refuses it.
        """
        self._load(state)
        body = self._instruments[number]
        self._define(body, now_us)
        coin = {"account": state.account, "asset": body.base, "amount": units}
        deposit = pack(Command.DEPOSIT, entry=GIVEN + body.base, **coin)
        self._do(now_us, [*self._print(number, ticks, ()), deposit])
        state.exchange = self._exchange.dump()

    def configure(self, state: PaperState, terms: RobotTerms, now_us: int) -> bytes:
        """Give a robot other limits; return what its exchange says of it."""
        self._load(state)
        body = AccountBody(member=ROBOT_MEMBER, kind=AccountKind.ROBOT, robot=terms)
        command = pack_body(Command.CONFIGURE_ACCOUNT, body, account=state.account)
        return self._act(state, now_us, [command])

    def terms_of(self, state: PaperState) -> RobotTerms | None:
        """Return the limits that a robot has there."""
        self._load(state)
        found: RobotTerms | None = self._exchange.limits.terms_of(state.account)
        return found

    def query(self, state: PaperState, record: bytes) -> Answer:
        """Answer a question about a robot as the house's core would.

        Raises:
            ValueError: its state is of another version of the core.
        """
        self._load(state)
        return Answer(self._exchange.seq, bytes(self._exchange.query(record)))

    # -- what happens

    def roll(self, state: PaperState, now_us: int, day: int, month: int) -> bytes:
        """Tell a robot's exchange that a day has begun, if it has not heard of it."""
        self._load(state)
        if day <= self._exchange.day():
            return b""
        return self._act(state, now_us, [pack(Command.ROLL, day=day, month=month)])

    def submit(self, state: PaperState, record: bytes, book: Book, now_us: int) -> bytes:
        """Take a command of a robot, for a book that stands so; return its events."""
        self._load(state)
        words = unpack(record)
        commands: list[bytes] = [record]
        number = words.get("instrument", 0)
        if words["kind"] == Command.ROBOT_ORDER and number in self._instruments:
            self._define(self._instruments[number], now_us)
            if words["stop_price_ticks"]:
                commands = [*self._print(number, book.last_ticks, ()), record]
            else:
                commands = [*self._depth(number, words, book), record, self._clear(number)]
        return self._act(state, now_us, commands, (number, book.last_trade))

    def trade(
        self, state: PaperState, number: int, ticks: int, trade: int, book: Book, now_us: int
    ) -> bytes:
        """Let a trade of the house reach a robot's stop; return its events."""
        self._load(state)
        lots = sum(each for _, each in book.bids)
        bids = tuple((min(price, ticks), each) for price, each in book.bids)
        commands = self._print(number, ticks, bids if lots else ())
        return self._act(state, now_us, [*commands, self._clear(number)], (number, trade))

    def kill(self, state: PaperState, now_us: int, *, on: bool) -> bytes:
        """Throw a robot's kill switch, or take it back; return its events."""
        self._load(state)
        command = pack(Command.KILL_ROBOT, account=state.account, on=int(on))
        return self._act(state, now_us, [command])

    # -- the crowd

    def _define(self, body: InstrumentBody, now_us: int) -> None:
        """Make an instrument what it is in the house, with a crowd that trades on it."""
        known = self._exchange.register.instrument(body.number)
        # How many orders an account may have is for members: the crowd lays a whole book.
        wanted = msgspec.structs.replace(body, max_open_orders=0)
        if known is not None and known.body == wanted:
            return
        commands = []
        if body.base not in self._exchange.register.assets:
            commands.append(pack_body(Command.DEFINE_ASSET, self._assets[body.base]))
        commands.append(pack_body(Command.DEFINE_INSTRUMENT, wanted))
        if known is None:  # of a coin with two books the crowd has enough: an entry is made once
            funds = {"asset": body.base, "amount": CROWD_FUNDS}
            commands += [
                pack(Command.DEPOSIT, account=account, entry=2 * body.base + place, **funds)
                for place, account in enumerate((CROWD, OTHER))
            ]
        self._do(now_us, commands)

    def _depth(self, number: int, words: Mapping[str, int], book: Book) -> Iterator[bytes]:
        """Yield the crowd's orders that an order at the market may take."""
        body = self._instruments[number]
        buys = words["side"] == Side.BUY
        lots, spend = words["quantity_lots"], words["quote_quantity"]
        for price, open_lots in book.asks if buys else book.bids:
            if lots <= 0 and spend <= 0:
                return
            side = Side.SELL if buys else Side.BUY
            yield from self._orders(number, side, price, open_lots)
            lots -= open_lots
            spend -= open_lots * price * body.quote_per_lot_tick

    def _print(self, number: int, ticks: int, bids: tuple[Level, ...]) -> list[bytes]:
        """Return a trade of the crowd at a price, with bids that stand behind it."""
        if not ticks:
            return []
        body = self._instruments[number]
        worth = ticks * body.quote_per_lot_tick
        lots = max(body.quantity_lots_min, -(-body.min_notional // worth), 1)
        found = [crowd_order(OTHER, Side.BUY, ticks, lots, instrument=number)]
        for price, open_lots in bids:
            found += self._orders(number, Side.BUY, price, open_lots)
        # Of another account than the bids: it takes the first of its price, which is the print's.
        ioc = TimeInForce.IOC
        return [*found, crowd_order(CROWD, Side.SELL, ticks, lots, ioc, instrument=number)]

    def _orders(self, number: int, side: Side, price: int, lots: int) -> Iterator[bytes]:
        """Yield a level as orders, none of them larger than one may be."""
        most = self._instruments[number].quantity_lots_max or lots
        while lots > 0:
            yield crowd_order(CROWD, side, price, min(lots, most), instrument=number)
            lots -= most

    def _clear(self, number: int) -> bytes:
        return pack(Command.CANCEL_ALL, account=CROWD, instrument=number)

    # -- the core

    def _load(self, state: PaperState) -> None:
        self._exchange.load(state.exchange)

    def _act(
        self,
        state: PaperState,
        now_us: int,
        commands: list[bytes],
        seen: tuple[int, int] = (0, 0),
    ) -> bytes:
        """Apply commands, keep the state, and return the robot's own events.

        `seen` is an instrument and the last trade of the house that they have taken in.
        """
        own = [
            event
            for event in self._apply(now_us, commands)
            if HEAD.unpack_from(event)[3] == state.account and kind_of(event) in _KINDS
        ]
        state.exchange = self._exchange.dump()
        asked = pack(Query.OPEN_ORDERS, account=state.account, instrument=0)
        stops = {}
        for record in split(bytes(self._exchange.query(asked))):
            if kind_of(record) == Event.ORDER:
                words = unpack(record)
                number = words["instrument"]
                before = state.stops.get(number)
                last = before.last_trade if before is not None else 0
                last = max(last, seen[1]) if number == seen[0] else last
                stops[number] = Stop(words["stop_price_ticks"], last)
        state.stops = stops
        return b"".join(own)

    def _do(self, now_us: int, commands: list[bytes]) -> None:
        """Apply commands that must be taken. Raises ValueError."""
        for event in self._apply(now_us, commands):
            if kind_of(event) == Event.REFUSED:
                reason = Reason(unpack(event)["reason"])
                if reason is not Reason.DUPLICATE_ENTRY:
                    raise ValueError(f"the core refuses what there is to be: {reason.name}")

    def _apply(self, now_us: int, commands: list[bytes]) -> list[bytes]:
        batch = bytearray(b"".join(commands))
        if not batch:
            return []
        exchange = self._exchange
        exchange.stamp(batch, exchange.seq + 1, max(now_us, exchange.time_us, 1))
        return split(bytes(exchange.apply(bytes(batch))))
