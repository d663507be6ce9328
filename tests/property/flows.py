"""Seeded flows of commands: a small busy market, with every command, fault and edge in it.

A Flow knows what was sent before and which orders are open, so that it cancels, reduces, repeats
and collides on purpose. The same seed gives the same flow for the same answers.

Records come unstamped; stamp() gives them seq and time, as the sequencer would.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from random import Random
from typing import Final, NamedTuple

import msgspec

from fondaco.core.records import (
    ACCOUNT_FIRST,
    AccountBody,
    AccountKind,
    AssetBody,
    Command,
    InstrumentBody,
    InstrumentStatus,
    OrderType,
    SelfTrade,
    Side,
    TimeInForce,
    pack,
    pack_body,
)
from tests.property import lists

__all__ = ["START_US", "DeepFlow", "Flow", "ListFlow", "OpenOrder", "StopFlow", "stamp"]

START_US: Final = 1_700_000_000_000_000
DAY_US: Final = 86_400_000_000
ASSETS: Final = (1, 2, 3)
ACCOUNTS: Final = tuple(range(ACCOUNT_FIRST, ACCOUNT_FIRST + 6))
MEMBERS: Final = dict(zip(ACCOUNTS, (1, 1, 2, 3, 4, 4), strict=True))
KEYS: Final = (7, 8)  # of the first two accounts
EDGES: Final = (0, -1, 1, 2, 1 << 31, (1 << 31) - 1, 1 << 40, 1 << 61, 1 << 62, (1 << 63) - 1)
WORD_EDGES: Final = (*EDGES, -(1 << 63), -(1 << 62), 3, 4, 5, 6, 7, 8, 99, 1 << 32)

INSTRUMENTS: Final = (
    InstrumentBody(
        number=1,
        symbol="AAABBB",
        base=1,
        quote=2,
        tick_size="0.01",
        lot_size="0.00001",
        base_per_lot=1000,
        quote_per_lot_tick=10,
        maker_fee_ppm=1_000,
        taker_fee_ppm=2_000,
        max_open_orders=40,
    ),
    InstrumentBody(
        number=2,
        symbol="CCCBBB",
        base=3,
        quote=2,
        tick_size="0.00000007",
        lot_size="1",
        base_per_lot=1,
        quote_per_lot_tick=7,
        maker_fee_ppm=0,
        taker_fee_ppm=33_333,
        fee_in_quote=True,
        max_open_orders=40,
    ),
    InstrumentBody(
        number=3,
        symbol="AAACCC",
        base=1,
        quote=3,
        tick_size="200000",
        lot_size="0.000005",
        base_per_lot=500,
        quote_per_lot_tick=1,
        maker_fee_ppm=5_000,
        taker_fee_ppm=999,
        min_notional=300,
        max_notional=3_000,
        price_ticks_min=95,
        price_ticks_max=105,
        quantity_lots_min=2,
        quantity_lots_max=25,
        max_open_orders=3,
    ),
)


class OpenOrder(NamedTuple):
    """What a flow must know of an open order."""

    order_id: int
    account: int
    instrument: int
    remaining: int
    client_id: tuple[int, int, int, int]
    list_id: int = 0


def stamp(record: bytes, seq: int, time_us: int) -> bytes:
    """Return the record with its seq and time, as the sequencer writes them."""
    return record[:8] + struct.pack("<2q", seq, time_us) + record[24:]


def name(number: int) -> dict[str, int]:
    """Return the four words of a client order id; 0 = none."""
    return told(lists.client_id(number))


def told(client_id: Iterable[int]) -> dict[str, int]:
    """Return the four words by name."""
    return {f"client_order_id_{place}": word for place, word in enumerate(client_id)}


class Flow:
    """Commands, one after another."""

    def __init__(
        self, random: Random, orders: Callable[[], list[OpenOrder]], *, money: int = 10_000_000
    ) -> None:
        """Ask `orders` for the open orders whenever one is needed."""
        self.random = random
        self.orders = orders
        self.money = money
        self.sent_orders: list[bytes] = []
        self.sent_at: list[tuple[bytes, int]] = []
        self.sent_money: list[bytes] = []
        self.entry = 0
        self.bodies = {body.number: body for body in INSTRUMENTS}
        self.choices: dict[Callable[[], bytes], float] = {
            self.limit: 34,
            self.limit_maker: 6,
            self.market: 10,
            self.stop: 9,
            self.order_list: 4,
            self.cancel_list: 1,
            self.cancel: 14,
            self.reduce: 7,
            self.cancel_all: 2,
            self.repeat_order: 5,
            self.deposit: 4,
            self.withdraw: 3,
            self.transfer: 3,
            self.repeat_money: 2,
            self.redefine: 2.5,
            self.reopen: 0.5,
            self.configure: 1,
            self.grant: 1.5,
            self.revoke: 1,
            self.maintain: 0.6,
            self.pass_time: 2,
            self.spoiled: 3,
        }
        self._makers = list(self.choices)
        self._weights = list(self.choices.values())

    # ---- what the house begins with

    def opening(self) -> list[bytes]:
        """Return the commands that define the house."""
        assets = [
            AssetBody(number=number, code=code * 3, decimals=decimals)
            for number, code, decimals in ((1, "A", 8), (2, "B", 8), (3, "C", 0))
        ]
        run = [pack_body(Command.DEFINE_ASSET, asset) for asset in assets]
        run += [pack_body(Command.DEFINE_INSTRUMENT, body) for body in INSTRUMENTS]
        for account in ACCOUNTS:
            opening = [
                (asset, self.random.randrange(self.money // 20, self.money)) for asset in ASSETS
            ]
            if account == ACCOUNTS[-1]:
                opening = []
            body = AccountBody(member=MEMBERS[account], kind=AccountKind.SPOT, opening=opening)
            run.append(pack_body(Command.OPEN_ACCOUNT, body, account=account))
        for key, account in zip(KEYS, ACCOUNTS, strict=False):
            run.append(pack(Command.GRANT_KEY, account=account, key_number=key, scopes=3))
        return run

    def next(self) -> bytes:
        """Return another command."""
        (make,) = self.random.choices(self._makers, self._weights)
        record = make()
        if make in {self.limit, self.limit_maker, self.market, self.stop, self.order_list}:
            self.sent_orders.append(record)
        if make in {self.deposit, self.withdraw, self.transfer}:
            self.sent_money.append(record)
        return record

    def note(self, command: bytes, events: list[bytes]) -> None:
        """Be told what came of a command: who acts on answers says so in a subclass."""

    def burst(self) -> list[bytes]:
        """Return what comes with the last command: of those who rush, in a subclass."""
        return []

    def batch(self, now_us: int) -> tuple[int, list[bytes]]:
        """Return how much later the next batch comes, and its commands."""
        random = self.random
        if self.sent_at and random.random() < 0.02:
            record, sent_us = random.choice(self.sent_at[-30:])
            due_us = sent_us + DAY_US + random.choice((-1, 0, 1))  # when its id is free again
            if due_us >= now_us:
                return due_us - now_us, [record]
        elapsed_us = self.elapsed_us()
        records = [self.next() for _ in range(random.choice((1, 1, 1, 2, 4)))]
        sent = self.sent_orders[-1:]
        if sent and records[-1] is sent[0]:
            self.sent_at.append((sent[0], now_us + elapsed_us))
        return elapsed_us, records + self.burst()

    def elapsed_us(self) -> int:
        """Return how much later the next batch comes."""
        if self.random.random() < 0.97:
            return self.random.randrange(2_000_000)
        return self.random.choice((0, DAY_US // 2, DAY_US - 1, DAY_US, DAY_US + 1))

    # ---- orders

    def who(self) -> dict[str, int]:
        """Return an account and perhaps a key."""
        if self.random.random() < 0.01:
            return {"account": self.random.choice((0, 1, 2, 15, 99)), "key": 0}
        account = self.random.choice(ACCOUNTS)
        key = 0
        if self.random.random() < 0.06:
            key = self.random.choice((*KEYS, 9))
        return {"account": account, "key": key}

    def terms(self) -> dict[str, int]:
        """Return what all orders have."""
        random = self.random
        number = random.choices((1, 2, 3, 4), (50, 30, 19, 1))[0]
        client = 0 if random.random() < 0.5 else random.randrange(1, 60)
        words = {
            **self.who(),
            "instrument": number,
            "side": random.choice((Side.BUY, Side.SELL)),
            "self_trade": random.choice((0, *SelfTrade, SelfTrade.NONE, SelfTrade.NONE)),
            "quantity_lots": random.choice((1, 2, 3, 5, 8, 13, 20, random.randrange(1, 30))),
            **name(client),
        }
        if random.random() < 0.02:
            words["quantity_lots"] = random.choice(EDGES)
        return words

    def price(self, side: int) -> int:
        """Return a price around 100, often one that meets the other side."""
        if self.random.random() < 0.015:
            return self.random.choice(EDGES)
        if self.random.random() < 0.03:  # far from where anybody trades
            return (
                self.random.choice((1, 3, 50))
                if side == Side.BUY
                else 10 ** self.random.randrange(3, 10)
            )
        lean = -1 if side == Side.BUY else 1
        return 100 + lean * self.random.randrange(-2, 5)

    def limit(self) -> bytes:
        """Return a LIMIT order."""
        words = self.terms()
        times = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)
        kind = OrderType.LIMIT
        if self.random.random() < 0.01:
            kind = self.random.choice(list(OrderType))
        return pack(
            Command.NEW_ORDER,
            **words,
            order_type=kind,
            time_in_force=self.random.choices(times, (75, 12, 13))[0],
            price_ticks=self.price(words["side"]),
        )

    def limit_maker(self) -> bytes:
        """Return a LIMIT_MAKER order."""
        words = self.terms()
        return pack(
            Command.NEW_ORDER,
            **words,
            order_type=OrderType.LIMIT_MAKER,
            time_in_force=self.random.choice((0, TimeInForce.GTC)),
            price_ticks=self.price(words["side"]),
        )

    def market(self) -> bytes:
        """Return a MARKET order, by quantity or by quote quantity."""
        words = self.terms()
        if self.random.random() < 0.45:
            words["quantity_lots"] = 0
            worth = self.bodies[min(words["instrument"], 3)].quote_per_lot_tick * 100
            words["quote_quantity"] = self.random.randrange(1, worth * 40)
            if self.random.random() < 0.05:
                words["quote_quantity"] = self.random.choice(EDGES)
        return pack(Command.NEW_ORDER, **words, order_type=OrderType.MARKET)

    def stop(self) -> bytes:
        """Return a stop of any of the four types, near the market, sometimes with a wrong word."""
        random = self.random
        words = self.terms()
        limits = (OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT)
        kind = random.choice((OrderType.STOP_LOSS, OrderType.TAKE_PROFIT, *limits))
        rises = (words["side"] == Side.BUY) == (kind < OrderType.TAKE_PROFIT)
        away = random.randrange(1, 7) if random.random() < 0.8 else -random.randrange(7)
        stop = 100 + away if rises else 100 - away
        words |= {"order_type": kind, "stop_price_ticks": stop}
        if kind in limits:
            times = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)
            words["time_in_force"] = random.choices(times, (60, 20, 20))[0]
            words["price_ticks"] = self.price(words["side"])
        if random.random() < 0.04:
            wrong = ("stop_price_ticks", "price_ticks", "time_in_force", "quote_quantity")
            words[random.choice(wrong)] = random.choice((0, 1, *EDGES))
        return pack(Command.NEW_ORDER, **words)

    def order_list(self) -> bytes:
        """Return a list of two orders."""
        return lists.new_list(self.random, self.terms())

    def cancel_list(self) -> bytes:
        """Return a cancel of a list."""
        return lists.cancel_list(self.random, self.orders(), self.who())

    def repeat_order(self) -> bytes:
        """Return an order that was sent before, or one with its client id and other terms."""
        if not self.sent_orders:
            return self.limit()
        if self.random.random() < 0.6:
            return self.random.choice(self.sent_orders[-60:])
        record = self.random.choice(self.sent_orders[-10:])
        words = list(struct.unpack(f"<{len(record) // 8}q", record))
        at = 8 if words[0] & 0xFFFF == Command.NEW_LIST else 11
        if self.random.choice((True, False)):
            words[at] = words[at] % 50 + 1  # another quantity
        else:
            words[5] = words[5] % 3 + 1  # another instrument
        return struct.pack(f"<{len(words)}q", *words)

    def open_order(self) -> OpenOrder | None:
        """Return one of the open orders, or none."""
        found = self.orders()
        return self.random.choice(found) if found else None

    def cancel(self) -> bytes:
        """Return a cancel: by order id, by client id, by both, of another's order, of none."""
        order = self.open_order()
        fate = self.random.random()
        ids = {f"cancel_id_{key[-1]}": word for key, word in name(self.random.randrange(9)).items()}
        words: dict[str, int] = {"instrument": 1, **ids}
        if order is None or fate < 0.05:
            words |= {**self.who(), "order_id": self.random.randrange(400)}
            return pack(Command.CANCEL_ORDER, **words)
        words |= {"account": order.account, "instrument": order.instrument}
        if fate < 0.45:
            words["order_id"] = order.order_id
        elif fate < 0.8:
            words |= told(order.client_id)
        elif fate < 0.9:
            words |= {"order_id": order.order_id, **told(order.client_id)}
        elif fate < 0.93:
            words |= {"order_id": order.order_id, **name(self.random.randrange(60))}
        elif fate < 0.96:
            words |= {"order_id": order.order_id, "instrument": order.instrument % 3 + 1}
        else:
            words |= {"order_id": order.order_id, **self.who()}
        return pack(Command.CANCEL_ORDER, **words)

    def reduce(self) -> bytes:
        """Return a reduction of an open order, sometimes an impossible one."""
        order = self.open_order()
        if order is None:
            return self.limit()
        low = -1 if self.random.random() < 0.1 else 1
        lots = self.random.randint(low, max(1, order.remaining))
        account = order.account if self.random.random() < 0.95 else self.random.choice(ACCOUNTS)
        return pack(
            Command.REDUCE_ORDER,
            account=account,
            instrument=order.instrument,
            order_id=order.order_id,
            remaining_lots=lots,
        )

    def cancel_all(self) -> bytes:
        """Return a cancel of everything."""
        return pack(Command.CANCEL_ALL, **self.who(), instrument=self.random.randrange(5))

    # ---- money

    def amount(self) -> int:
        """Return an amount, sometimes a mad one."""
        if self.random.random() < 0.08:
            return self.random.choice(EDGES)
        return self.random.randrange(1, self.money // 10)

    def row(self) -> dict[str, int]:
        """Return the words of a money command; rows are new, or used before."""
        self.entry += 1
        entry = self.entry if self.random.random() < 0.93 else self.random.randrange(0, self.entry)
        asset = self.random.choice((*ASSETS, *ASSETS, *ASSETS, *ASSETS, 0, 9))
        return {**self.who(), "asset": asset, "amount": self.amount(), "entry": entry}

    def deposit(self) -> bytes:
        """Return a deposit."""
        return pack(Command.DEPOSIT, **self.row())

    def withdraw(self) -> bytes:
        """Return a withdrawal."""
        return pack(Command.WITHDRAW, **self.row())

    def transfer(self) -> bytes:
        """Return a transfer, sometimes to oneself, to the house or to nobody."""
        to = self.random.choice((*ACCOUNTS, *ACCOUNTS, 1, 2, 99))
        return pack(Command.TRANSFER, **self.row(), to_account=to)

    def repeat_money(self) -> bytes:
        """Return a money command that was sent before, as it was or with another amount."""
        if not self.sent_money:
            return self.deposit()
        record = self.random.choice(self.sent_money[-40:])
        if self.random.random() < 0.75:
            return record
        words = list(struct.unpack(f"<{len(record) // 8}q", record))
        place = self.random.choice((3, 5, 6))  # account, asset or amount
        words[place] = words[place] % 1_000_000 + 1
        return struct.pack(f"<{len(words)}q", *words)

    # ---- the house

    def redefine(self) -> bytes:
        """Return an instrument with other fees, filters or status, or an impossible change."""
        random = self.random
        body = random.choice(list(self.bodies.values()))
        fees = (0, 1, 999, 1_000, 2_500, 33_333, 250_000)
        status = InstrumentStatus.TRADING
        if random.random() < 0.12:
            status = random.choice(list(InstrumentStatus))
        changes: dict[str, object] = {
            "maker_fee_ppm": random.choice(fees),
            "taker_fee_ppm": random.choice(fees),
            "status": int(status),
            "max_open_orders": random.choice((0, 3, 10, 40, 40)),
            "stop_band_ppm": random.choice((0, 50_000, 50_000, 999_999)),
            "min_notional": random.choice((0, 0, body.min_notional)),
        }
        fate = random.random()
        if fate < 0.05:
            changes[random.choice(("base_per_lot", "quote_per_lot_tick", "base", "market"))] = 2
        elif fate < 0.08:
            number = random.choice((4, 5, 4096, 4097, 0))
            changes |= {"number": number, "symbol": "DDDEEE", "market": random.choice((1, 2, 3))}
        elif fate < 0.12:
            changes[random.choice(("maker_fee_ppm", "min_notional", "price_ticks_min"))] = -1
        changed = msgspec.structs.replace(body, **changes)
        if fate >= 0.12:
            self.bodies[body.number] = changed
        return pack_body(Command.DEFINE_INSTRUMENT, changed)

    def reopen(self) -> bytes:
        """Return OPEN_ACCOUNT of an account that exists, or of a wrong one."""
        account = self.random.choice((*ACCOUNTS, 0, 3, 15, 1 << 40))
        body = AccountBody(member=9, opening=[(self.random.choice((1, 9)), self.amount())])
        return pack_body(Command.OPEN_ACCOUNT, body, account=account)

    def configure(self) -> bytes:
        """Return an account frozen or thawed."""
        account = self.random.choice((*ACCOUNTS, *ACCOUNTS, 3, 99))
        frozen = self.random.random() < 0.2
        body = AccountBody(member=MEMBERS.get(account, 0), frozen=frozen)
        return pack_body(Command.CONFIGURE_ACCOUNT, body, account=account)

    def grant(self) -> bytes:
        """Return a key granted, or granted anew."""
        place = self.random.randrange(len(KEYS))
        account = ACCOUNTS[place] if self.random.random() < 0.9 else 99
        scopes = self.random.choice((1, 2, 3, 3, 3, 7, 0, 8))
        return pack(Command.GRANT_KEY, account=account, key_number=KEYS[place], scopes=scopes)

    def revoke(self) -> bytes:
        """Return a key revoked, or one that never was."""
        return pack(Command.REVOKE_KEY, key_number=self.random.choice((*KEYS, 9)))

    def maintain(self) -> bytes:
        """Return the house opened again, seldom closed, or something that is neither."""
        maintenance = self.random.choice((0, 0, 0, 0, 0, 0, 1, 2))
        return pack(Command.CONFIGURE_HOUSE, maintenance=maintenance)

    def pass_time(self) -> bytes:
        """Return ADVANCE or ROLL."""
        if self.random.random() < 0.5:
            return pack(Command.ADVANCE)
        return pack(Command.ROLL, day=self.random.randrange(99), month=self.random.randrange(9))

    def spoiled(self) -> bytes:
        """Return a command with one or two words replaced by edges, its framing still sound."""
        makers: tuple[Callable[[], bytes], ...] = (
            *(self.limit, self.market, self.order_list, self.cancel, self.cancel_list),
            *(self.reduce, self.deposit, self.transfer),
        )
        if self.random.random() < 0.15:
            makers = (
                *(self.redefine, self.configure, self.reopen),
                *(self.revoke, self.grant, self.maintain),
            )
        record = bytearray(self.random.choice(makers)())
        if self.random.random() < 0.1:  # a record of another length than its kind has
            record += bytes(8)
            struct.pack_into("<I", record, 4, len(record))
        for _ in range(self.random.choice((1, 1, 2))):
            place = self.random.randrange(3, len(record) // 8)
            struct.pack_into("<q", record, 8 * place, self.random.choice(WORD_EDGES))
        return bytes(record)


class StopFlow(Flow):
    """A flow of many stops at few prices: one trade reaches more than one command may run."""

    def __init__(
        self, random: Random, orders: Callable[[], list[OpenOrder]], *, money: int = 10**8
    ) -> None:
        """Give people more money and mostly stops to spend it on."""
        super().__init__(random, orders, money=money)
        self.choices |= {self.stop: 70, self.market: 4, self.limit: 30, self.cancel_all: 0.1}
        self.choices |= {self.maintain: 0.3, self.redefine: 1.5, self.reopen: 0.1}
        self._makers = list(self.choices)
        self._weights = list(self.choices.values())

    def terms(self) -> dict[str, int]:
        """Return what all orders have, mostly on one instrument."""
        words = super().terms()
        if self.random.random() < 0.8:
            words["instrument"] = 1
        return words


class ListFlow(StopFlow):
    """A flow of lists near the market: legs trade, fire, wait and end all the time."""

    def __init__(
        self, random: Random, orders: Callable[[], list[OpenOrder]], *, money: int = 10**8
    ) -> None:
        """Make lists of half of what stops were."""
        super().__init__(random, orders, money=money)
        self.choices |= {self.stop: 8, self.market: 8, self.limit: 40, self.reduce: 4}
        self.choices |= {self.order_list: 45, self.cancel_list: 6, self.repeat_order: 12}
        self._makers = list(self.choices)
        self._weights = list(self.choices.values())


class DeepFlow(Flow):
    """A flow that fills a book with hundreds of levels, and empties it again by sweeps.

    Ladders split and join their blocks only there; slabs, indexes and rings grow only there.
    """

    SPREAD: Final = 400

    def __init__(
        self, random: Random, orders: Callable[[], list[OpenOrder]], *, money: int = 10**12
    ) -> None:
        """Take away limits and most of what isn't about books."""
        super().__init__(random, orders, money=money)
        self.sweeping = False
        self.choices = {self.limit: 60, self.cancel: 25, self.reduce: 8, self.market: 3}
        self._makers = list(self.choices)
        self._weights = list(self.choices.values())

    def opening(self) -> list[bytes]:
        """Return the house, its first instrument without a limit of open orders."""
        first = msgspec.structs.replace(INSTRUMENTS[0], max_open_orders=0)
        return [*super().opening(), pack_body(Command.DEFINE_INSTRUMENT, first)]

    def who(self) -> dict[str, int]:
        """Return an account, always a good one."""
        return {"account": self.random.choice(ACCOUNTS[:5]), "key": 0}

    def terms(self) -> dict[str, int]:
        """Return what all orders have, at one instrument; now and then a sweep."""
        self.sweeping = self.random.random() < 0.004
        lots = 2_000 if self.sweeping else self.random.randrange(1, 9)
        side = self.random.choice((Side.BUY, Side.SELL))
        client = self.random.randrange(1, 10_000)
        words = {**self.who(), "instrument": 1, "side": side, "quantity_lots": lots}
        return {**words, **name(client)}

    def price(self, side: int) -> int:
        """Return a price far and wide on its own side, or one that sweeps the other."""
        distance = self.random.randrange(1, self.SPREAD)
        lean = 1 if (side == Side.SELL) != self.sweeping else -1
        return 1_000 + lean * distance

    def elapsed_us(self) -> int:
        """Return some seconds."""
        return self.random.randrange(2_000_000)
