"""Seeded flows of robots: many workers that race for the same accounts, with limits near at hand.

Each of the 32 workers acts on what it was told last: it asks for a robot's lock, sends orders under
the fence that it got, however old that has become, and unlocks late. Now and then all 32 come at
once, holders of old fences among them. Days and months roll, terms
change, staff pulls the kill switch; robots also send plain orders, and money comes and goes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random
from typing import Final

from fondaco.core.bodies import RobotTerms
from fondaco.core.records import (
    AccountBody,
    AccountKind,
    Command,
    Event,
    Flag,
    OrderType,
    Side,
    pack,
    pack_body,
    unpack,
)
from tests.property.flows import ACCOUNTS, EDGES, Flow, OpenOrder
from tests.property.lists import new_list

__all__ = ["ROBOTS", "WORKERS", "RobotFlow"]

WORKERS: Final = 32
SECOND_US: Final = 1_000_000
ROBOTS: Final = {30: 1, 31: 5, 32: 6}  # account -> member; the first is ann's, who trades herself
CASH: Final = {30: 2, 31: 2, 32: 3}


class RobotFlow(Flow):
    """A flow in which half of all orders are robots', and with lists a third of these two legs."""

    def __init__(
        self,
        random: Random,
        orders: Callable[[], list[OpenOrder]],
        *,
        money: int = 10_000_000,
        lists: bool = False,
    ) -> None:
        """Let the workers know nothing yet."""
        super().__init__(random, orders, money=money)
        self.fences: dict[tuple[int, int], int] = {}  # (worker, account) -> fence as told
        self.day = self.month = 0
        self.rushing: list[bytes] = []  # what is left of a rush
        self.choices |= {self.cancel_all: 0.7, self.maintain: 0.1, self.pass_time: 1}
        self.choices |= {
            self.robot_order: 40, self.robot_list: 8, self.lock: 9, self.unlock: 4, self.kill: 1.5,
            self.roll: 2.5, self.change_terms: 2, self.spoil_robot: 2, self.fund: 4, self.rush: 3,
            self.squeeze: 1.5, self.sink: 1.5,
        }  # fmt: skip
        if lists:
            self.choices |= {self.robot_list: 20, self.order_list: 15, self.cancel_list: 4}
        self._makers = list(self.choices)
        self._weights = list(self.choices.values())

    def opening(self) -> list[bytes]:
        """Return the house, and its robots."""
        run = super().opening()
        for account in ROBOTS:
            coins = [(CASH[account], self.money)]  # coin comes later, at the price that it has
            if account == 31:
                coins.append((1, 20_000))
            body = self.body(account, opening=coins)
            run.append(pack_body(Command.OPEN_ACCOUNT, body, account=account))
        return [*run, pack(Command.ROLL, day=self.day, month=self.month)]

    def body(self, account: int, opening: list[tuple[int, int]] | None = None) -> AccountBody:
        """Return what a robot's account is, with fresh terms."""
        return AccountBody(
            member=ROBOTS.get(account, 9),
            kind=AccountKind.ROBOT,
            opening=opening or [],
            robot=self.terms_of(account),
        )

    def terms_of(self, account: int) -> RobotTerms:
        """Return limits that are soon reached, or none."""
        random = self.random
        scale = 1_000 if CASH.get(account) == 2 else 100  # about a lot
        return RobotTerms(
            cash=CASH.get(account, 2),
            day_loss_max=random.choice((0, 1, scale // 10, scale)),
            month_loss_max=random.choice((0, scale // 5, 2 * scale)),
            month_sell_cap=random.choice((0, 10 * scale, 60 * scale)),
            order_notional_max=random.choice((0, 0, 20 * scale)),
            orders_day_max=random.choice((0, 5, 40)),
        )

    def note(self, command: bytes, events: list[bytes]) -> None:
        """Let a worker read the fence that it was given."""
        if command[0] | command[1] << 8 != Command.LOCK_ROBOT or not events:
            return
        if events[0][0] | events[0][1] << 8 == Event.ROBOT:
            asked, told = unpack(command), unpack(events[0])
            key = asked["owner_0"], told["account"]
            self.fences.pop(key, None)  # the newest stands last
            self.fences[key] = told["fence"]

    # ---- orders

    def who(self) -> dict[str, int]:
        """Return an account, now and then a robot's."""
        if self.random.random() < 0.1:
            return {"account": self.random.choice(list(ROBOTS)), "key": 0}
        return super().who()

    def worker(self) -> tuple[int, int]:
        """Return one of the workers and the robot at which it works now."""
        return self.random.randrange(1, WORKERS + 1), self.random.choice((30, 30, 30, 31, 32))

    def robot_order(self) -> bytes:
        """Return an order of a worker."""
        maker = self.random.choice((self.limit, self.limit, self.market, self.stop))
        return self.by_worker(Command.ROBOT_ORDER, maker())

    def robot_list(self) -> bytes:
        """Return a list of a worker."""
        terms = {"key": 0, **unpack(self.limit())}
        return self.by_worker(Command.ROBOT_LIST, new_list(self.random, terms))

    def by_worker(self, kind: Command, record: bytes) -> bytes:
        """Return an order or a list of a worker under the fence that it knows, perhaps an exit."""
        random = self.random
        known = list(self.fences)[-6:] or [self.worker()]
        newest = {account: (worker, account) for worker, account in known}
        late = random.random() < 0.2
        worker, account = random.choice(known if late else list(newest.values()))
        words = list(struct.unpack(f"<{len(record) // 8}q", record))
        words[3], words[4] = account, 0
        if random.random() < 0.95:
            words[5] = 3 if CASH[account] == 3 else random.choice((1, 1, 2))
        flags = Flag.EXIT if words[6] == Side.SELL and random.random() < 0.2 else 0
        if random.random() < 0.02:
            flags = random.choice((1, 2, 3, -1))
        words += [self.fences.get((worker, account), 0), flags]
        words[0] = kind | 1 << 16 | 8 * len(words) << 32
        return struct.pack(f"<{len(words)}q", *words)

    def next(self) -> bytes:
        """Return another command: first those of a rush, so that they come together."""
        return self.rushing.pop() if self.rushing else super().next()

    def burst(self) -> list[bytes]:
        """Return all that is left of a rush, mostly: the rest comes in the next batches."""
        if not self.rushing or self.random.random() < 0.2:
            return []
        rest, self.rushing = self.rushing[::-1], []
        return rest

    def rush(self) -> bytes:
        """Return the first of up to 32 orders at which workers arrive at once, mostly to sell.

        Most hold the newest fence, others an older one; in some rushes the lock changes hands on
        the way, so that who held the newest until then is late, too.
        """
        random = self.random
        account = random.choice(list(ROBOTS))
        fences = [0, *(fence for (_, whose), fence in self.fences.items() if whose == account)]
        size = random.choice((3, 6, 6, WORKERS))
        change = random.randrange(2 * size)  # at which of them another gets the lock
        came = []
        for place in range(size):
            if place == change:
                owner = {"owner_0": random.randrange(1, WORKERS + 1), "owner_1": 7, "force": 1}
                came.append(pack(Command.LOCK_ROBOT, account=account, ttl_us=SECOND_US, **owner))
                fences.append(fences[-1] + 1)
                continue
            fence = fences[-1] if random.random() < 0.7 else random.choice(fences[-6:])
            came.append(self.rushed(account, fence))
        self.rushing += came[:0:-1]
        return came[0]

    def rushed(self, account: int, fence: int) -> bytes:
        """Return one order of a rush."""
        random = self.random
        words = {
            "account": account,
            "instrument": 3 if CASH[account] == 3 else 1,
            "side": Side.SELL if random.random() < 0.9 else Side.BUY,
            "quantity_lots": random.randrange(2, 9),
            "order_type": OrderType.MARKET,
            "fence": fence,
        }
        if random.random() < 0.8:
            words |= {"order_type": OrderType.LIMIT, "time_in_force": 1}
            words["price_ticks"] = random.randrange(100, 105)
        return pack(Command.ROBOT_ORDER, **words)

    def squeeze(self) -> bytes:
        """Return a stop sale of a robot, before tighter terms and a fall that reaches it."""
        account = self.random.choice((30, 31))
        fallen, buyer, seller = self.random.randrange(94, 99), *self.random.sample(ACCOUNTS[:5], 2)
        tight = {name: self.random.choice((0, 1, 500)) for name in ("sell_cap", "notional")}
        body = AccountBody(
            member=ROBOTS[account],
            kind=AccountKind.ROBOT,
            robot=RobotTerms(
                cash=CASH[account],
                month_sell_cap=tight["sell_cap"],
                order_notional_max=tight["notional"],
            ),
        )
        fall = {"instrument": 1, "order_type": OrderType.LIMIT, "price_ticks": fallen}
        fall |= {"time_in_force": 1}
        stop = {"order_type": OrderType.STOP_LOSS, "stop_price_ticks": fallen, "side": Side.SELL}
        self.rushing += [
            pack(Command.NEW_ORDER, account=seller, side=Side.SELL, quantity_lots=60, **fall),
            pack(Command.NEW_ORDER, account=buyer, side=Side.BUY, quantity_lots=90, **fall),
            pack_body(Command.CONFIGURE_ACCOUNT, body, account=account),
        ]
        return pack(Command.NEW_ORDER, account=account, instrument=1, quantity_lots=2, **stop)

    def sink(self) -> bytes:
        """Return a robot's bid, before its own sale at a loss that sets off a stop of another."""
        account, price = self.random.choice((30, 31)), self.random.randrange(94, 99)
        buyer, seller, stopper = self.random.sample(ACCOUNTS[:5], 3)
        terms = RobotTerms(cash=CASH[account], day_loss_max=1)
        body = AccountBody(member=ROBOTS[account], kind=AccountKind.ROBOT, robot=terms)
        waits = {"instrument": 1, "order_type": OrderType.LIMIT, "time_in_force": 1}
        fall = waits | {"price_ticks": price}
        bid = waits | {"account": account, "side": Side.BUY, "price_ticks": price - 1}
        stop = {"order_type": OrderType.STOP_LOSS, "stop_price_ticks": price - 1}
        market = {"instrument": 1, "order_type": OrderType.MARKET}
        bought = {"account": buyer, "side": Side.BUY}
        self.rushing += [
            pack(Command.NEW_ORDER, account=account, side=Side.SELL, quantity_lots=2, **market),
            pack(
                Command.NEW_ORDER, account=stopper, instrument=1, side=Side.SELL,
                quantity_lots=20, **stop,
            ),
            pack(Command.NEW_ORDER, **bought, quantity_lots=1, **waits, price_ticks=price - 1),
            pack(Command.NEW_ORDER, **bid, quantity_lots=5),
            pack(Command.NEW_ORDER, **bought, quantity_lots=60, **fall),
            pack(Command.NEW_ORDER, account=seller, side=Side.SELL, quantity_lots=60, **fall),
        ]  # fmt: skip
        return pack_body(Command.CONFIGURE_ACCOUNT, body, account=account)

    def lock(self) -> bytes:
        """Return a worker's wish for a lock, seldom by force."""
        worker, account = self.worker()
        words = {"owner_0": worker, "owner_1": 7, "force": int(self.random.random() < 0.1)}
        if self.random.random() < 0.03:
            account = self.random.choice(ACCOUNTS)
        ttl_us = self.random.choice((1, 2, 5, 20)) * SECOND_US
        return pack(Command.LOCK_ROBOT, account=account, ttl_us=ttl_us, **words)

    def unlock(self) -> bytes:
        """Return a worker's unlock, perhaps a late one, or that of staff."""
        if self.random.random() < 0.1 or not self.fences:
            return pack(Command.UNLOCK_ROBOT, account=self.worker()[1], fence=0)
        key = self.random.choice(list(self.fences)[-8:])
        return pack(Command.UNLOCK_ROBOT, account=key[1], fence=self.fences[key])

    # ---- the house

    def kill(self) -> bytes:
        """Return the kill switch, mostly turned off again."""
        on = self.random.choice((0, 0, 1))
        return pack(Command.KILL_ROBOT, account=self.random.choice(list(ROBOTS)), on=on)

    def roll(self) -> bytes:
        """Return midnight, sometimes of a month's last day; seldom the day that it is."""
        fate = self.random.random()
        if fate < 0.9:
            self.day += 1
        if fate < 0.3:
            self.month += 1
        return pack(Command.ROLL, day=self.day, month=self.month)

    def pass_time(self) -> bytes:
        """Return ADVANCE: days are roll()'s, and never come again."""
        return pack(Command.ADVANCE)

    def change_terms(self) -> bytes:
        """Return other terms for a robot, sometimes such as can't be, or frozen."""
        account = self.random.choice(list(ROBOTS))
        body = self.body(account)
        fate = self.random.random()
        if fate < 0.1:
            terms = RobotTerms(cash=self.random.choice((1, 9, 5 - CASH[account])))
            body = AccountBody(member=ROBOTS[account], kind=AccountKind.ROBOT, robot=terms)
        elif fate < 0.25:
            member = ROBOTS[account]
            body = AccountBody(member=member, kind=AccountKind.ROBOT, frozen=fate < 0.15)
        elif fate < 0.28:
            account = self.random.choice((*ACCOUNTS, 99))
            terms = RobotTerms(cash=2, day_loss_max=-1)
            body = AccountBody(member=9, robot=terms)
            return pack_body(Command.OPEN_ACCOUNT, body, account=50 + account)
        return pack_body(Command.CONFIGURE_ACCOUNT, body, account=account)

    def transfer(self) -> bytes:
        """Return a transfer, often to a robot or from one."""
        if self.random.random() < 0.4:
            return super().transfer()
        pair = [self.random.choice(list(ROBOTS)), self.random.choice(ACCOUNTS)]
        self.random.shuffle(pair)
        self.entry += 1
        words = {"asset": self.random.choice((1, 2, 3)), "amount": self.amount() // 50}
        return pack(
            Command.TRANSFER, account=pair[0], to_account=pair[1], entry=self.entry, **words
        )

    def fund(self) -> bytes:
        """Return some lots of coin for a robot."""
        account, giver = self.random.choice(list(ROBOTS)), self.random.choice(ACCOUNTS[:5])
        asset, lot = self.random.choice(((1, 1000), (3, 1)))
        self.entry += 1
        words = {"asset": asset, "amount": lot * self.random.randrange(5, 60)}
        return pack(Command.TRANSFER, account=giver, to_account=account, entry=self.entry, **words)

    def spoil_robot(self) -> bytes:
        """Return a robot's command with a word replaced by an edge."""
        makers = (
            self.robot_order,
            self.robot_list,
            self.lock,
            self.unlock,
            self.kill,
            self.transfer,
        )
        record = bytearray(self.random.choice(makers)())
        place = self.random.randrange(3, len(record) // 8)
        struct.pack_into("<q", record, 8 * place, self.random.choice(EDGES))
        return bytes(record)
