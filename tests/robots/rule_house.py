"""A house without processes for rule bots: a real sequencer and core, a desk, and a crowd.

Everything that the bots wish is a command of the same journal, so a test can read the whole run
again from the house's own events.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    AccountBody,
    AccountKind,
    AssetBody,
    Command,
    Event,
    InstrumentBody,
    OrderType,
    Query,
    RobotTerms,
    SelfTrade,
    Side,
    TimeInForce,
    pack,
    pack_body,
    split,
    unpack,
)
from fondaco.journal.calendar import Calendar
from fondaco.journal.clock import TestClock
from fondaco.journal.recovery import open_sequencer
from fondaco.robots.backtest.tape import Bar
from fondaco.robots.rules.desk import STAMP_S, Bot, Desk
from fondaco.robots.rules.live import LiveHands
from fondaco.robots.rules.plan import plan_rule
from fondaco.robots.rules.sight import Sight, Standing
from fondaco.robots.rules.validation import read_rule

START_US = 1_700_000_000_000_000
ROBOT, CROWD, QUEUE = 16, 17, 18
BASE = 10**8
NO_ORDER = 1 << 62
STAMP_US = int(STAMP_S * 1_000_000)


def definitions(
    cash: int = 10_000, coins: int = 0, fee_ppm: int = 0, rich: int = 10**15
) -> list[bytes]:
    """BTC in USD by cents and tenths of a coin, a bot with cash and coins, and a crowd."""
    body = InstrumentBody(
        number=1, symbol="BTCUSD", base=1, quote=2, tick_size="0.01", lot_size="0.1",
        base_per_lot=10_000_000, quote_per_lot_tick=100_000, taker_fee_ppm=fee_ppm,
        max_open_orders=0,
    )  # fmt: skip
    opening = [pair for pair in ((1, coins * BASE), (2, cash * BASE)) if pair[1]]
    terms = RobotTerms(cash=2)  # no limit of them is set
    robot = AccountBody(member=1, kind=AccountKind.ROBOT, opening=opening, robot=terms)
    crowd = [(1, rich), (2, rich)]
    return [
        pack_body(Command.DEFINE_ASSET, AssetBody(number=1, code="BTC", decimals=8)),
        pack_body(Command.DEFINE_ASSET, AssetBody(number=2, code="USD", decimals=8)),
        pack_body(Command.DEFINE_INSTRUMENT, body),
        pack_body(Command.OPEN_ACCOUNT, robot, account=ROBOT),
        pack_body(Command.OPEN_ACCOUNT, AccountBody(member=2, opening=crowd), account=CROWD),
        pack_body(Command.OPEN_ACCOUNT, AccountBody(member=3, opening=crowd), account=QUEUE),
    ]


def order(
    account: int, side: Side, price: int, lots: int, in_force: TimeInForce = TimeInForce.GTC
) -> bytes:
    return pack(
        Command.NEW_ORDER, account=account, instrument=1, side=side, order_type=OrderType.LIMIT,
        time_in_force=in_force, self_trade=SelfTrade.NONE, price_ticks=price, quantity_lots=lots,
    )  # fmt: skip


class Committed(NamedTuple):
    """What came of a batch."""

    events: bytes


class Unjournaled:
    """The core as a sequencer has it, without its files."""

    def __init__(self, clock: TestClock) -> None:
        self.clock = clock
        self.exchange = Exchange()

    @property
    def seq(self) -> int:
        return self.exchange.seq

    def commit(self, records: list[bytes]) -> Committed:
        batch = bytearray().join(records)
        self.exchange.stamp(batch, self.exchange.seq + 1, self.clock.now_us())
        return Committed(bytes(self.exchange.apply(bytes(batch))))

    def query(self, record: bytes) -> bytes:
        return bytes(self.exchange.query(record))

    def close(self) -> None:
        """Nothing is open."""


class RuleHouse:
    """One house whose bots act as soon as they are told something."""

    def __init__(self, data: Path | None, *, time_zone: str = "UTC", **money: int) -> None:
        """Open it anew, or go on with what is there; without a path it keeps no journal."""
        self.data = data
        self.clock = TestClock(START_US)
        self.sequencer: Any = (
            Unjournaled(self.clock)
            if data is None
            else open_sequencer(data, self.clock, preallocate_bytes=4096)
        )
        self.first: Any = None
        self.printed: list[tuple[int, int, int]] = []  # trades: time, ticks, lots
        if self.sequencer.seq == 0:
            self.first = self.sequencer.commit(definitions(**money))
        self.desk = Desk(self.new_sight(), Calendar(time_zone).offset_s)
        self.stamped_us = 0

    def new_sight(self) -> Sight:
        sight = Sight("USD")
        for record in split(self.sequencer.query(pack(Query.DEFINITIONS))):
            sight.define(int.from_bytes(record[:2], "little"), record)
        return sight

    # -- bots

    def standing(self) -> Standing:
        """Ask the core where the market stands."""
        levels: dict[int, list[tuple[int, int]]] = {Side.BUY: [], Side.SELL: []}
        last = 0
        for record in split(self.sequencer.query(pack(Query.DEPTH, instrument=1, limit=1000))):
            words = unpack(record)
            if words["kind"] == Query.BOOK_ANSWER:
                last = words["last_price_ticks"]
            else:
                levels[words["side"]].append((words["price_ticks"], words["quantity_lots"]))
        return Standing(
            seq=self.sequencer.seq,
            last_ticks=last,
            bids=levels[Side.BUY],
            asks=levels[Side.SELL],
            minutes=[
                (bar.open_us, int(bar.open * 100), int(bar.close * 100), int(bar.volume * 10))
                for bar in self.minutes()
            ],
        )

    def minutes(self) -> list[Bar]:
        """Return the minutes so far, as a projection would have them."""
        found: list[Bar] = []
        for time_us, ticks, lots in self.printed:
            open_us, price = time_us - time_us % 60_000_000, Decimal(ticks) / 100
            volume = Decimal(lots) / 10
            if found and found[-1].open_us == open_us:
                bar = found.pop()
                high, low = max(bar.high, price), min(bar.low, price)
                found.append(Bar(open_us, bar.open, high, low, price, bar.volume + volume))
            else:
                found.append(Bar(open_us, price, price, price, price, volume))
        return found

    def candles(self, interval: str) -> list[Bar]:
        """Return the candles so far."""
        assert interval == "1m", "another length is for a house with projections"
        return self.minutes()

    def live_hands(self) -> LiveHands:
        found = {}
        for record in split(self.sequencer.query(pack(Query.BALANCES, account=ROBOT))):
            words = unpack(record)
            found[words["asset"]] = (words["free"], words["held"])
        return LiveHands(ROBOT, balances=found, seq=self.sequencer.seq)

    def start(self, text: str, *, hands: Any = None, name: str = "bot", **stored: Any) -> Bot:
        """Set a bot to work from now on."""
        plan = plan_rule(read_rule(text))
        self.desk.sight.follow("BTC", self.standing())
        hands = hands or self.live_hands()
        self.desk.seq = max(self.desk.seq, self.sequencer.seq)
        self.desk.time_us = max(self.desk.time_us, self.clock.now_us())
        bot = Bot(name, plan, hands, account=getattr(hands, "account", 0), **stored)
        if plan.figures:
            intervals = sorted({one.interval for one in plan.figures})
            past = {interval: self.candles(interval) for interval in intervals}
            self.desk.sight.add_figures("BTC", plan.figures, past)
        self.desk.add(bot, after_seq=self.sequencer.seq)
        self.desk.enter()
        self.pump()
        return bot

    # -- what happens

    def commit(self, *records: bytes) -> bytes:
        """Commit commands, tell the desk, and let the bots act until they rest."""
        events = self.commit_only(*records)
        self.pump()
        return events

    def commit_only(self, *records: bytes) -> bytes:
        committed = self.sequencer.commit(list(records))
        for event in split(committed.events):
            if int.from_bytes(event[:2], "little") == Event.TRADE:
                words = unpack(event)
                self.printed.append(
                    (words["time_us"], words["price_ticks"], words["quantity_lots"])
                )
        self.desk.take(self.sequencer.seq, committed.events)
        return bytes(committed.events)

    def pump(self) -> None:
        """Send what bots have to tell, one after the other."""
        moved = True
        while moved:
            moved = False
            for bot in list(self.desk.bots.values()):
                if isinstance(bot.hands, LiveHands):
                    command = bot.hands.next_command(self.desk.sight)
                    if command is not None:
                        self.before_order(command)
                        self.commit_only(command)
                        moved = True

    def before_order(self, command: bytes) -> None:
        """What the crowd does before a bot's order comes in; nothing here."""

    def wait(self, until_us: int) -> None:
        """Tell bots the times that they wait for before `until_us`, as the worker does."""
        while (due_us := self.next_stamp_us()) < until_us:
            self.stamp(due_us)

    def next_stamp_us(self) -> int:
        """Return when the worker would tell the time."""
        due_us = self.desk.next_alarm_us()
        return 1 << 62 if due_us is None else max(due_us, self.stamped_us + STAMP_US)

    def stamp(self, due_us: int) -> None:
        """Tell the time."""
        self.clock.advance(due_us - self.clock.now_us())
        self.stamped_us = due_us
        self.commit(pack(Command.REDUCE_ORDER, account=QUEUE, instrument=1, order_id=NO_ORDER))

    def trade(self, price: int, lots: int, *, buys: bool = True) -> None:
        """Have the crowd trade with itself."""
        sides = (Side.SELL, Side.BUY) if buys else (Side.BUY, Side.SELL)
        self.clock.advance(1_000_000)
        self.commit(
            order(QUEUE, sides[0], price, lots),
            order(CROWD, sides[1], price, lots, TimeInForce.IOC),
        )

    def close(self) -> None:
        self.sequencer.close()
