"""The floor of a backtest's market: the house's own core, with a robot and a crowd of two accounts.

Promises: every match, hold, fee and refusal is the core's. What the robot has is as the core told
it last. Given the same calls it does the same. It has no clock: the caller says what time it is.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    ACCOUNT_FIRST,
    HEAD,
    AccountBody,
    AccountKind,
    AssetBody,
    Command,
    Event,
    InstrumentBody,
    OrderType,
    Query,
    Reason,
    RobotTerms,
    SelfTrade,
    Side,
    TimeInForce,
    pack,
    pack_body,
    split,
    unpack,
)

__all__ = [
    "BASE",
    "CROWD",
    "CROWD_FUNDS",
    "QUEUE",
    "QUOTE",
    "ROBOT",
    "Floor",
    "Instrument",
    "best_after",
    "crowd_order",
    "kind_of",
]

ROBOT: Final = ACCOUNT_FIRST
CROWD: Final = ACCOUNT_FIRST + 1
QUEUE: Final = ACCOUNT_FIRST + 2
CROWD_FUNDS: Final = 1 << 60  # units: two accounts of it leave room below the core's bound
BASE: Final = 1
QUOTE: Final = 2


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """What is traded: steps as decimals, rates in millionths."""

    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    maker_fee_ppm: int = 0
    taker_fee_ppm: int = 0
    # What an account can hold: the house's own, or as few as the steps need. Fees are cut to them.
    decimals: tuple[int, int] | None = None
    fee_in_quote: bool = False

    @property
    def base_decimals(self) -> int:
        return self.decimals[0] if self.decimals is not None else _places(self.lot)

    @property
    def quote_decimals(self) -> int:
        if self.decimals is not None:
            return self.decimals[1]
        return _places(self.lot) + _places(self.tick)

    def body(self) -> InstrumentBody:
        """Return the definition as the core takes it."""
        return InstrumentBody(
            number=1,
            symbol=f"{self.base}{self.quote}",
            base=BASE,
            quote=QUOTE,
            tick_size=f"{self.tick:f}",
            lot_size=f"{self.lot:f}",
            base_per_lot=int(self.lot.scaleb(self.base_decimals)),
            quote_per_lot_tick=int((self.tick * self.lot).scaleb(self.quote_decimals)),
            maker_fee_ppm=self.maker_fee_ppm,
            taker_fee_ppm=self.taker_fee_ppm,
            fee_in_quote=self.fee_in_quote,
            max_open_orders=0,
        )


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "a tick and a lot are finite"
    return max(0, -exponent)


class Floor:
    """One instrument, one robot, and the crowd's two accounts: who trades, and who stood before."""

    def __init__(
        self, instrument: Instrument, *, cash: Decimal, coins: Decimal, terms: RobotTerms | None
    ) -> None:
        """Open the exchange; `terms` are the limits of the robot, which the core keeps.

        Raises:
            ValueError: the core refuses the instrument or the funds.
        """
        self.instrument = instrument
        self.terms = terms
        self.exchange = Exchange()
        self.tells = terms is not None  # whether it keeps the robot's events for take_own()
        self.own: list[bytes] = []
        # Cash and coins of the robot, free and held, in units.
        self.free = {BASE: 0, QUOTE: 0}
        self.held = {BASE: 0, QUOTE: 0}
        self._holdings: tuple[Decimal, Decimal, Decimal, Decimal] | None = None
        decimals = (instrument.base_decimals, instrument.quote_decimals)
        self._define(
            pack_body(
                Command.DEFINE_ASSET, AssetBody(number=BASE, code="BASE", decimals=decimals[0])
            ),
            pack_body(
                Command.DEFINE_ASSET, AssetBody(number=QUOTE, code="QUOTE", decimals=decimals[1])
            ),
            pack_body(Command.DEFINE_INSTRUMENT, instrument.body()),
        )
        opening = [(BASE, _units(coins, decimals[0], instrument.base))]
        opening.append((QUOTE, _units(cash, decimals[1], instrument.quote)))
        crowd = [(BASE, CROWD_FUNDS), (QUOTE, CROWD_FUNDS)]
        self._define(
            _account(ROBOT, AccountKind.ROBOT, [pair for pair in opening if pair[1]], terms),
            _account(CROWD, AccountKind.SPOT, crowd),
            _account(QUEUE, AccountKind.SPOT, crowd),
        )

    def holdings(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Return cash total and free, coins total and free."""
        if self._holdings is None:
            quote, base = self.instrument.quote_decimals, self.instrument.base_decimals
            self._holdings = (
                Decimal(self.free[QUOTE] + self.held[QUOTE]).scaleb(-quote),
                Decimal(self.free[QUOTE]).scaleb(-quote),
                Decimal(self.free[BASE] + self.held[BASE]).scaleb(-base),
                Decimal(self.free[BASE]).scaleb(-base),
            )
        return self._holdings

    def roll(self, time_us: int, day: int, month: int) -> None:
        """Tell the core that a day has begun."""
        self.apply(time_us, pack(Command.ROLL, day=day, month=month))

    def day(self) -> tuple[int, int]:
        """Return the day and the month that the core was told last; of a robot with limits."""
        for record in split(self.exchange.query(pack(Query.ROBOTS, account=ROBOT))):
            if kind_of(record) == Event.ROBOT:
                words = unpack(record)
                return words["day"], words["month"]
        return 0, 0

    def value_coins(self, time_us: int, price_ticks: int) -> None:
        """Have the core count the coins that a robot with limits begins with at a price.

        So a sale of them is a profit or a loss against that, as it is where coins are allotted.
        """
        coins = self.free[BASE]
        if self.terms is None or not coins:
            return
        seller = crowd_order(QUEUE, Side.SELL, price_ticks, 1)
        buyer = crowd_order(CROWD, Side.BUY, price_ticks, 1, TimeInForce.IOC)
        entry = {"account": ROBOT, "asset": BASE, "amount": coins}
        out = pack(Command.WITHDRAW, entry=1, **entry)
        self.apply(time_us, seller, buyer, out, pack(Command.DEPOSIT, entry=2, **entry))

    def take_own(self) -> list[bytes]:
        """Return, and forget, the core's events of the robot since the last time."""
        own, self.own = self.own, []
        return own

    def load(
        self,
        exchange: bytes,
        free: dict[int, int],
        held: dict[int, int],
        terms: RobotTerms | None,
    ) -> None:
        """Go on from where another floor stood.

        Raises:
            ValueError: its exchange was another version's.
        """
        self.exchange.load(exchange)
        self.terms = terms
        self.free, self.held = dict(free), dict(held)
        self._holdings = None

    def _define(self, *records: bytes) -> None:
        for event in self.apply(max(1, self.exchange.time_us), *records):
            if kind_of(event) == Event.REFUSED:
                reason = Reason(unpack(event)["reason"]).name
                raise ValueError(f"the core refuses this market or these funds: {reason}")

    def apply(self, time_us: int, *records: bytes) -> list[bytes]:
        """Apply commands at a time; return their events."""
        batch = bytearray(b"".join(records))
        if not batch:
            return []
        now_us = max(time_us, self.exchange.time_us)
        self.exchange.stamp(batch, self.exchange.seq + 1, now_us)
        events = split(self.exchange.apply(bytes(batch)))
        for event in events:
            if self.tells and HEAD.unpack_from(event)[3] == ROBOT:
                self.own.append(event)
            if kind_of(event) == Event.BALANCE:
                words = unpack(event)
                if words["account"] == ROBOT:
                    self.free[words["asset"]] = words["free"]
                    self.held[words["asset"]] = words["held"]
                    self._holdings = None
        return events


def best_after(bid: int, ask: int, price: int, *, buys: bool) -> tuple[int, int]:
    """Return the best bid and ask after a trade, in ticks, from those before; 0 is none yet.

    They are the last trade of each taker, kept a tick apart.
    """
    if buys:
        return min(bid or price - 1, price - 1), price
    return price, max(ask, price + 1)


def crowd_order(
    account: int,
    side: Side,
    price: int,
    lots: int,
    time_in_force: TimeInForce = TimeInForce.GTC,
    order_type: OrderType = OrderType.LIMIT,
    *,
    instrument: int = 1,
) -> bytes:
    """Return an order of the crowd: CROWD trades, QUEUE stood before the robot."""
    return pack(
        Command.NEW_ORDER,
        account=account,
        instrument=instrument,
        side=side,
        order_type=order_type,
        time_in_force=time_in_force,
        self_trade=SelfTrade.NONE,
        price_ticks=price,
        quantity_lots=lots,
    )


def kind_of(event: bytes) -> int:
    """Return the kind of a record."""
    return int.from_bytes(event[:2], "little")


def _account(
    number: int,
    kind: AccountKind,
    opening: list[tuple[int, int]],
    terms: RobotTerms | None = None,
) -> bytes:
    body = AccountBody(member=number, kind=kind, opening=opening, robot=terms)
    return pack_body(Command.OPEN_ACCOUNT, body, account=number)


def _units(amount: Decimal, decimals: int, name: str) -> int:
    scaled = amount.scaleb(decimals)
    if scaled != scaled.to_integral_value() or scaled < 0:
        raise ValueError(f"{name} {amount}: it is 0 or more and has at most {decimals} decimals")
    if scaled > CROWD_FUNDS:
        most = int(Decimal(CROWD_FUNDS).scaleb(-decimals))
        raise ValueError(f"{name} {amount}: it is at most {most} here")
    return int(scaled)
