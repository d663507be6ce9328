"""The hub with a core of its own and no processes: members, robots, a market, and history at hand.

Promises: commands go to the compiled core one by one; the hub hears every event by its own reading
of a subscription; what history would tell is read from the same events. Nothing waits for a clock.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from fondaco.core import client_ids, records
from fondaco.core.records import Command, Event, Query
from fondaco.house import file
from fondaco.identity import services as identity
from fondaco.identity.models import Account
from fondaco.journal.calendar import Calendar
from fondaco.link.blocking import Commit
from fondaco.robots import services as robots
from fondaco.robots.bots import services as bots
from fondaco.robots.hub import operations, papers, services
from fondaco.robots.hub.locks import NoKeys
from fondaco.robots.hub.messages import Incoming
from fondaco.robots.hub.roster import Roster
from fondaco.robots.hub.worker import Hub
from fondaco.robots.models import Decision, Operation, Robot, RobotMode, RobotRun
from fondaco.robots.paper.exchange import PaperExchange, PaperState
from tests.robots.real_core import RealCore

__all__ = ["START_US", "HubField"]

START_US: Final = 1_760_000_000_000_000
HOUSE: Final = """
[house]
name = "Rialto"
cash = "USDT"
clock = "test"
time_zone = "{time_zone}"
[[instruments]]
symbol = "BTCUSDT"
base = "BTC"
quote = "USDT"
market = "book"
tick_size = "0.01"
lot_size = "0.00001"
maker_fee = "0.001"
taker_fee = "0.002"
[[members]]
username = "ann"
email = "ann@example.com"
balances = {{ USDT = "10000000", BTC = "1000" }}
[[members]]
username = "bob"
email = "bob@example.com"
balances = {{ USDT = "10000000", BTC = "1000" }}
{robots}
"""


class Heard:
    """A subscription that tells what the core has told since the last time."""

    def __init__(self, core: RealCore) -> None:
        self._core = core
        self._at = len(core.told)
        self.writer_seq = core.exchange.seq

    def waiting(self, _limit: int, _timeout_s: float) -> list[Commit]:
        found = self._core.told[self._at :]
        self._at = len(self._core.told)
        return [Commit(self._core.exchange.seq, found)]


class History:
    """What projections would tell, from the core's events."""

    def __init__(self, core: RealCore) -> None:
        self._core = core

    def cursor(self) -> Any:
        return type("Cursor", (), {"seq": self._core.exchange.seq})

    def order_by_client_id(self, account: int, words: Any) -> Any:
        found = None
        for each in self.events(Event.ORDER, Event.FILL, Event.CANCEL):
            ours = tuple(each[f"client_order_id_{place}"] for place in range(4))
            if each["account"] == account and ours == tuple(words):
                found = type("Row", (), {**each, "updated_us": each["time_us"]})
        return found

    def my_trades(self, _account: int, _instrument: int, *, order_id: int, limit: int) -> list[Any]:
        assert limit
        return [
            type("Fill", (), each)
            for each in self.events(Event.FILL)
            if each["order_id"] == order_id
        ]

    def trades(self, instrument: int, *, from_id: int, limit: int) -> list[Any]:
        return [
            type("Trade", (), each)
            for each in self.events(Event.TRADE)
            if each["instrument"] == instrument and each["trade_id"] >= from_id
        ][:limit]

    def events(self, *kinds: int) -> list[dict[str, int]]:
        return [
            records.unpack(record)
            for record in records.split(self._core.told)
            if int.from_bytes(record[:2], "little") in kinds
        ]


class HubField:
    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, robot_lines: str, *, time_zone: str = "UTC"
    ) -> None:
        self.core = RealCore(START_US)
        self.house = file.loads(HOUSE.format(robots=robot_lines, time_zone=time_zone))
        identity.apply_house(self.house, self.core)
        robots.apply_house(self.house, self.core)
        self.history = History(self.core)
        monkeypatch.setattr(operations, "history", self.history)
        monkeypatch.setattr(papers, "history", self.history)
        spots = Account.objects.filter(kind=records.AccountKind.SPOT).order_by("pk")
        self.ann, self.bob = (row.pk for row in spots[:2])
        self._number = 0
        self.start()

    def start(self) -> Hub:
        """Begin with a new worker, as after a crash: nothing but the tables is left."""
        core: Any = self.core
        self.hub = Hub(self.house, Path("nowhere"), threading.Event(), NoKeys(), core=core)
        self.hub.look_s = self.hub.refresh_s = 0.0
        self.heard: Any = Heard(self.core)
        roster = Roster(self.house, core)
        roster.load()
        self.hub.follow(roster)
        roster.seq = self.core.exchange.seq
        return self.hub

    def on_paper(self, robot: str, **money: str) -> RobotRun:
        """Put a robot on paper with this money, by asset."""
        return bots.begin_run(Robot.objects.get(pk=robot), mode=RobotMode.PAPER, terms=money)

    def on_paper_now(self, robot: str, asset: int) -> tuple[int, int]:
        """Return what a robot has on paper of an asset, free and held, as its row says."""
        run = RobotRun.objects.get(robot=robot, is_over=False)
        state = msgspec.msgpack.decode(bytes(run.position), type=PaperState)
        asked = records.pack(Query.BALANCES, account=state.account)
        exchange = PaperExchange({}, {})
        for record in records.split(bytes(exchange.query(state, asked).records)):
            words = records.unpack(record)
            if words["asset"] == asset:
                return words["free"], words["held"]
        return 0, 0

    def stop(self) -> None:
        """Let go of the shares, as a worker that ends."""
        self.hub.shares.release()

    def roll(self, time_us: int) -> None:
        """Move the clock; the first command of a day tells the core of it, as the journal does."""
        self.core.time_us = time_us
        today = Calendar(self.house.house.time_zone).day_of(time_us)
        if today.day > self.core.exchange.day():
            self.core.submit(records.pack(Command.ROLL, day=today.day, month=today.month))

    # ---- the market

    def order(self, account: int, side: int, price_ticks: int, lots: int) -> None:
        self.core.submit(
            records.pack(
                Command.NEW_ORDER,
                account=account,
                instrument=1,
                side=side,
                order_type=records.OrderType.LIMIT,
                time_in_force=records.TimeInForce.GTC,
                price_ticks=price_ticks,
                quantity_lots=lots,
            )
        )

    def cancel_all(self) -> bytes:
        """Return the command that takes ann out of the market."""
        return records.pack(Command.CANCEL_ALL, account=self.ann, instrument=0)

    def quote(self, bid: int, ask: int, lots: int = 1_000_000) -> None:
        """Have ann stand on both sides, at prices in whole units of cash."""
        self.core.submit(self.cancel_all())
        self.order(self.ann, 1, bid * 100, lots)
        self.order(self.ann, 2, ask * 100, lots)

    def trade(self, price: int) -> None:
        self.core.submit(self.cancel_all())
        self.order(self.ann, 2, price * 100, 1)
        self.order(self.bob, 1, price * 100, 1)

    # ---- signals

    def signal(self, strength: int) -> int:
        """Take a signal; return its number."""
        self._number += 1
        incoming = Incoming(symbol="BTC", strength=strength, timestamp_us=self._number)
        return services.take_signal(incoming, source="test")[0].pk

    def turn(self, times: int = 3) -> None:
        for _ in range(times):
            self.hub.turn(self.heard)

    def reasons(self, signal: int) -> dict[str, str]:
        """Return what was decided for each client at a signal."""
        from fondaco.robots.hub.judging import Reason

        names = dict(Robot.objects.values_list("account_id", "pk"))
        rows = Decision.objects.filter(signal=signal).order_by("pk")
        found = {names[row.account]: Reason(row.reason).name for row in rows}
        assert len(found) == len(rows), "a client was judged twice"
        return found

    def operations(self) -> list[tuple[str, int, str]]:
        rows = Operation.objects.order_by("started_us", "pk")
        return [(row.robot, row.status, row.note) for row in rows]

    def buys(self, robot: str) -> int:
        """Return how many buying orders of a robot the core has taken."""
        account = Robot.objects.get(pk=robot).account_id
        taken = self.history.events(Event.ORDER, Event.FILL)
        return len(
            {each["order_id"] for each in taken if (each["account"], each["side"]) == (account, 1)}
        )

    def client_ids(self, robot: str) -> set[str]:
        account = Robot.objects.get(pk=robot).account_id
        return {
            client_ids.decode(tuple(each[f"client_order_id_{place}"] for place in range(4)))  # type: ignore[arg-type]
            for each in self.history.events(Event.ORDER, Event.FILL)
            if each["account"] == account
        }

    def summaries(self, account: int) -> list[dict[str, int]]:
        answer = self.core.query(records.pack(Query.ROBOTS, account=account))
        return [
            records.unpack(record)
            for record in records.split(bytes(answer.records))
            if int.from_bytes(record[:2], "little") == Event.SUMMARY
        ]
