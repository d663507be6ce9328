"""The worker of rule bots without processes: lives that end where a test says, over kept rows.

A script of trades runs against the exchange itself; a worker's whole loop serves it, and is killed
before or after any write or command. The next life begins from the rows alone. All in one thread,
nothing waits: the script goes on when the worker has nothing more to read, twice in a row, so what
a life decided is told before the market moves on. A worker may also lose an answer; what it sent
then comes in with the next that it sends, and before it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any

import msgspec
import pytest
from django.db import transaction

from fondaco.core import records
from fondaco.core.records import Command, Event, OrderType, SelfTrade, Side, TimeInForce, pack
from fondaco.house import file
from fondaco.house.robots import RobotConfig
from fondaco.identity import services as identity
from fondaco.identity.models import Account, Member
from fondaco.link.answers import LinkError, Unanswered
from fondaco.link.blocking import Commit
from fondaco.projections.bars import Bar
from fondaco.projections.selectors import OrderRow
from fondaco.robots import holding, lease
from fondaco.robots import services as robots
from fondaco.robots.bots import history, services, worker
from fondaco.robots.bots.worker import RuleWorker
from fondaco.robots.models import Robot, RobotKind, RobotRun, RuleDecision, RuleOrder
from fondaco.robots.rules.commands import id_of
from tests.robots.real_core import RealCore

START_US = 1_700_000_000_000_000
MINUTE_US = 60_000_000
# Otherwise when something is told twice.
NUMBERED = frozenset({"seq", "order_id", "list_id", "other_order_id", "trade_id"})
CASH = records.AssetBody(number=2, code="USD", decimals=8)
HOUSE = """
[house]
name = "Lives"
cash = "USD"
[[instruments]]
symbol = "BTCUSD"
base = "BTC"
quote = "USD"
market = "book"
tick_size = "0.01"
lot_size = "0.1"
taker_fee = "0.001"
max_open_orders = 0
[[members]]
username = "ann"
email = "ann@example.com"
balances = { USD = "1000000", BTC = "1000" }
[[members]]
username = "bob"
email = "bob@example.com"
balances = { USD = "1000000000", BTC = "1000000" }
[[members]]
username = "cat"
email = "cat@example.com"
balances = { USD = "1000000000", BTC = "1000000" }
"""


class Killed(BaseException):
    """The process is no more."""


class House(RealCore):
    """The exchange with the commits that it has given, and the bots' rows."""

    def __init__(
        self, rules: dict[str, tuple[str, str]], config: RobotConfig | None = None
    ) -> None:
        """Open the house with these bots, mode and rule by name, all within the same limits."""
        super().__init__(START_US)
        self.commits: list[Commit] = []
        self.underway: list[bytes] = []  # told, and not yet read by the writer
        self.trades: list[tuple[int, int, int, int]] = []  # seq, time, ticks, lots
        declared = file.loads(HOUSE)
        identity.apply_house(declared, self)
        robots.apply_house(declared, self)
        self.bob, self.cat = (
            Account.objects.get(member__username=name).pk for name in ("bob", "cat")
        )
        self.move(2040, 10)
        for name, (mode, rule) in rules.items():
            robot = robots.open_robot(
                self, member=Member.objects.get(username="ann"), cash=CASH, id=name,
                kind=RobotKind.RULE, rule=rule, config=config,
                allotment={1: 20 * 10**8, 2: 10_000 * 10**8} if mode == "live" else {},
            )  # fmt: skip
            terms = {"cash": "10000", "coins": "20", "depth": "100", "queue": "3"}
            services.begin_run(robot, mode=mode, terms=terms)

    def submit(self, record: bytes) -> bytes:
        events = super().submit(record)
        self.commits.append(Commit(self.exchange.seq, events))
        for event in records.split(events):
            if int.from_bytes(event[:2], "little") == Event.TRADE:
                told = records.unpack(event)
                if told["instrument"] == 1:
                    self.trades.append(
                        (told["seq"], told["time_us"], told["price_ticks"], told["quantity_lots"])
                    )
        return events

    def order(
        self,
        account: int,
        side: Side,
        ticks: int,
        lots: int,
        force: TimeInForce,
        *,
        instrument: int = 1,
    ) -> None:
        self.submit(
            pack(
                Command.NEW_ORDER,
                account=account,
                instrument=instrument,
                side=side,
                order_type=OrderType.LIMIT,
                time_in_force=force,
                self_trade=SelfTrade.NONE,
                price_ticks=ticks,
                quantity_lots=lots,
            )
        )

    def move(self, ticks: int, lots: int, buys: bool = True) -> None:
        """Let the crowd trade at a price, and stand there with depth on both sides after it."""
        self.time_us += 7_000_000
        for account in (self.bob, self.cat):
            self.submit(pack(Command.CANCEL_ALL, account=account, instrument=1))
        sides = (Side.SELL, Side.BUY) if buys else (Side.BUY, Side.SELL)
        self.order(self.bob, sides[0], ticks, lots, TimeInForce.GTC)
        self.order(self.cat, sides[1], ticks, lots, TimeInForce.IOC)
        self.submit(pack(Command.CANCEL_ALL, account=self.bob, instrument=1))
        self.order(self.cat, Side.BUY, ticks - 1, 70, TimeInForce.GTC)
        self.order(self.bob, Side.SELL, ticks + 1, 70, TimeInForce.GTC)

    def steps(
        self, prices: list[tuple[int, int, bool]], switches: dict[int, int]
    ) -> list[Callable[[], None]]:
        """Return what happens, one after the other."""
        found: list[Callable[[], None]] = []
        for place, price in enumerate(prices):
            if place in switches:
                found.append(partial(self.switch, switches[place]))
            found.append(partial(self.move, *price))
        return found

    def switch(self, on: int) -> None:
        """Throw the kill switch of every bot."""
        for robot in Robot.objects.order_by("pk"):
            self.submit(pack(Command.KILL_ROBOT, account=robot.account_id, on=on))

    def minutes(self, begin_us: int, seq: int) -> list[Bar]:
        """Return the minutes up to a seq, as a projection has them."""
        found: dict[int, list[tuple[int, int]]] = {}
        for at, time_us, ticks, lots in self.trades:
            if at <= seq and time_us >= begin_us:
                found.setdefault(time_us - time_us % MINUTE_US, []).append((ticks, lots))
        return [
            Bar(
                start_us=start_us,
                open_ticks=rows[0][0],
                close_ticks=rows[-1][0],
                high_ticks=max(row[0] for row in rows),
                low_ticks=min(row[0] for row in rows),
                volume_lots=sum(row[1] for row in rows),
                volume_quote=0,
                taker_buy_lots=0,
                taker_buy_quote=0,
                trades=len(rows),
                first_trade_id=0,
                last_trade_id=0,
            )
            for start_us, rows in found.items()
        ]

    def past_orders(self, account: int, names: Iterable[str], *, seq: int) -> dict[str, OrderRow]:
        """Return orders of an account as a projection has them, that is at the house's seq."""
        assert seq <= self.exchange.seq
        wanted, found = set(names), {}
        for record in records.split(self.told):
            if int.from_bytes(record[:2], "little") in {Event.ORDER, Event.FILL, Event.CANCEL}:
                told = records.unpack(record)
                told |= {"updated_seq": told["seq"], "updated_us": told["time_us"]}
                if told["account"] == account and id_of(told) in wanted:
                    columns = {name: told[name] for name in OrderRow.__struct_fields__}
                    found[id_of(told)] = OrderRow(**columns)
        return found

    def open_orders(self, robot: str) -> list[str]:
        """Return the client order ids that a robot has open."""
        account = Robot.objects.get(pk=robot).account_id
        asked = pack(records.Query.OPEN_ORDERS, account=account, instrument=1)
        return [id_of(records.unpack(one)) for one in records.split(self.query(asked).records)]

    def sent(self) -> dict[int, list[dict[str, int]]]:
        """Return what the core did for each bot: accepted orders, fills and cancels."""
        crowd = {self.bob, self.cat}
        found: dict[int, list[dict[str, int]]] = {}
        for record in records.split(self.told):
            if int.from_bytes(record[:2], "little") not in {Event.ORDER, Event.FILL, Event.CANCEL}:
                continue
            told = records.unpack(record)
            if told["account"] not in crowd:
                kept = {name: each for name, each in told.items() if name not in NUMBERED}
                found.setdefault(told["account"], []).append(kept)
        return found


class Life:
    """One worker's connection, from its beginning to its end."""

    def __init__(
        self,
        house: House,
        script: Iterator[Callable[[], object]],
        ends: Callable[[], bool],
        loses: Callable[[], bool],
    ) -> None:
        """Begin with the script as it stands; `ends` says at each turn whether it is the last.

        `loses` says of every answer whether it is lost.
        """
        self.house = house
        self.script = script
        self.ends = ends
        self.loses = loses
        self.stop = threading.Event()
        self.held = holding.Held(self.stop, "rules", 0)

    def die(self) -> None:
        """End here, if it is time; a dead process keeps nothing at its end."""
        if self.ends():
            self.held.lost.set()
            raise Killed

    # -- as a client of the writer

    def query(self, record: bytes) -> Any:
        return self.house.query(record)

    def arrive(self) -> None:
        """Let what was sent before come in."""
        while self.house.underway:
            self.house.submit(self.house.underway.pop(0))

    def submit(self, record: bytes) -> bytes:
        self.arrive()
        return self.house.submit(record)

    def submit_many(self, commands: list[bytes]) -> list[bytes | LinkError]:
        self.die()
        self.arrive()
        if self.loses():
            self.house.underway += commands
            return [Unanswered("the connection was lost") for _ in commands]
        answers = self.house.submit_many(commands)
        self.die()
        return answers

    @contextmanager
    def subscribe(self, from_seq: int) -> Iterator[Life]:
        self.from_seq = from_seq
        self.writer_seq = self.house.exchange.seq
        first = self.writer_seq + 1 if from_seq < 0 else from_seq
        self.read = sum(commit.last_seq < first for commit in self.house.commits)
        self.is_idle = False
        yield self

    def waiting(self, _limit: int, _timeout_s: float) -> list[Commit]:
        if self.read == len(self.house.commits):
            if not self.is_idle:
                self.is_idle = True
                return []
            self.is_idle = False
            step = next(self.script, None)
            if step is None:
                self.stop.set()
                return []
            step()
        found = self.house.commits[self.read :]
        self.read = len(self.house.commits)
        return found

    def serve(self) -> bool:
        """Live until killed or until the script is over; return whether that."""
        owner = lease.new_owner()
        fence = lease.take("rules", owner, ttl_us=1 << 40, now_us=0)
        assert fence is not None
        self.held = holding.Held(self.stop, "rules", fence)
        alive = RuleWorker(self, cash="USD", now_us=lambda: self.house.time_us)  # type: ignore[arg-type]
        try:
            alive.serve(self.held)
        except (Killed, Unanswered):
            return False
        finally:
            lease.release("rules", owner, fence=fence)
        return True


def live(
    patch: pytest.MonkeyPatch,
    house: House,
    *script: Callable[[], object],
    ends: Callable[[], bool] = lambda: False,
    checkpoint_s: float = 0.0,
) -> Life:
    """Let one worker serve the house while these things happen, and end in good order."""
    life = Life(house, iter(script), ends, lambda: False)
    with patch.context() as within:
        _set_up(within, house, [life], checkpoint_s)
        life.serve()
    return life


def rows() -> dict[str, Any]:
    """Return all that is kept of the bots, but when it was kept."""
    runs: dict[str, Any] = {}
    for run in RobotRun.objects.order_by("pk"):
        position = bytes(run.position)
        runs[run.robot_id] = {
            "state": run.state,
            "outbox": run.outbox,
            "fault": run.fault,
            "position": msgspec.msgpack.decode(position) if position else None,
            "decisions": list(
                RuleDecision.objects.filter(run=run)
                .order_by("number")
                .values_list("number", "time_us", "code", "text")
            ),
            "orders": list(
                RuleOrder.objects.filter(run=run)
                .order_by("pk")
                .values_list("client_order_id", "time_us", "is_open", "line")
            ),
        }
    return runs


class Lived:
    """What came of a script: rows, what the core did, and how often the worker was killed."""

    def __init__(
        self,
        patch: pytest.MonkeyPatch,
        rules: dict[str, tuple[str, str]],
        prices: list[tuple[int, int, bool]],
        *,
        chance: Random | None = None,
        checkpoint_s: float = 0.0,
        switches: dict[int, int] | None = None,
        begins_killed: bool = False,
        config: RobotConfig | None = None,
        lossy: Random | None = None,
    ) -> None:
        """Live the script; with a chance killed at any of its turns, and followed by another.

        With `lossy` some answers are lost, and then it begins again.
        `switches` throw every bot's kill switch, on (1) or off (0), before the price at a place.
        """
        self.turns = self.kills = self.lost = 0

        def ends() -> bool:
            self.turns += 1
            is_last = chance is not None and chance.random() < 0.2
            self.kills += is_last
            return is_last

        def loses() -> bool:
            is_lost = lossy is not None and lossy.random() < 0.7
            self.lost += is_lost
            return is_lost

        with transaction.atomic(), patch.context() as within:
            house = House(rules, config)
            if begins_killed:
                house.switch(1)
            script = iter(house.steps(prices, switches or {}))
            lives = [Life(house, script, ends, loses)]
            _set_up(within, house, lives, checkpoint_s)
            while not lives[-1].serve():
                lives.append(Life(house, script, ends, loses))
            self.rows, self.sent = rows(), house.sent()
            transaction.set_rollback(True)


def _set_up(
    patch: pytest.MonkeyPatch, house: House, lives: list[Life], checkpoint_s: float
) -> None:
    """Let writes be a worker's last, its turns be soon, and the past be the house's trades."""

    def mortal(write: Callable[..., None]) -> Callable[..., None]:
        def written(*given: Any, **named: Any) -> None:
            lives[-1].die()
            write(*given, **named)
            lives[-1].die()

        return written

    patch.setattr(services, "keep", mortal(services.keep))
    patch.setattr(services, "keep_checkpoint", mortal(services.keep_checkpoint))
    patch.setattr(worker, "LOOK_S", 0.0)
    patch.setattr(worker, "STAMP_S", 0.0)
    patch.setattr(worker, "CHECKPOINT_S", checkpoint_s)

    class Past:
        """The house's own trades up to a seq, where the projections' would be."""

        def __init__(self, _number: int, *, seq: int, time_us: int) -> None:
            self._minutes = house.minutes(0, seq)
            self.newest_us = self._minutes[-1].start_us if self._minutes else -1

        def bars(self, _unit: str, begin_us: int, end_us: int) -> list[Bar]:
            return [bar for bar in self._minutes if begin_us <= bar.start_us < end_us]

        def minutes(self, begin_us: int) -> list[Bar]:
            return self.bars("1m", begin_us, 1 << 62)

        def close_before(self, time_us: int) -> int:
            before = self.bars("1m", 0, time_us)
            return before[-1].close_ticks if before else 0

    patch.setattr(history, "Projected", Past)
    patch.setattr(history, "past_orders", house.past_orders)
