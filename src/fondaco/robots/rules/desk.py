"""Runs rule bots on the events of a house: wakes them, looks, hears, and gathers what comes of it.

One desk serves many bots. It is handed the commits of the house in their order; after each command
it tells the index what has changed, looks at the bots that this wakes, and lets each hear how its
orders stand. What came of it waits in the bot (`changed`) until the caller has stored it: state,
decisions and orders together with the seq up to which all is in them. Only then `to_send()` gives
the commands that are due, one a bot at a time.

How a bot trades is its hands' affair: on the house itself (live), or in an exchange of its own
(paper). The rule, its looks and its reasons are the same.

Promises: a function of the events and of when bots were added, so a run that is read again from the
journal decides the same to the byte. Time is the events' own. A bot acts on nothing that is in its
state already. It has no clock, network or database.
"""

from __future__ import annotations

import struct
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final, Protocol, runtime_checkable

import msgspec

from fondaco.core.records import Event, unpack
from fondaco.house.robots import RobotConfig
from fondaco.robots.backtest.result import OrderLine, ended_by, order_lines
from fondaco.robots.rules.evaluator import hear, look
from fondaco.robots.rules.index import RuleIndex
from fondaco.robots.rules.plan import Figure, Plan, TickerOf
from fondaco.robots.rules.sight import Sight, Traded
from fondaco.robots.rules.state import (
    SINGLE,
    Code,
    Decision,
    OrderStatus,
    OrderUpdate,
    OrderWish,
    Outcome,
    State,
)
from fondaco.robots.rules.view import View

__all__ = [
    "STAMP_S",
    "Bot",
    "Changes",
    "Desk",
    "Hands",
    "Heard",
    "Holdings",
    "line_after",
    "rejected",
]

# Looks that found nothing to judge: whether they are made at all is the index's affair.
PASSIVE: Final = frozenset({Code.AWAITING_ORDERS, Code.PAUSED})
WAITS: Final = frozenset(
    {Code.CONDITION_FALSE, Code.CONDITION_UNKNOWN, Code.AMOUNT_UNKNOWN, Code.AMOUNT_ZERO}
)
STAMP_S: Final = 0.5  # how soon after another a stamp may tell the time to who waits for it
_HEAD: Final = struct.Struct("<4q")
_DEFINITIONS: Final = frozenset({int(Event.ASSET), int(Event.INSTRUMENT)})
_OWN: Final = frozenset(
    {int(each) for each in (Event.BALANCE, Event.ORDER, Event.FILL, Event.CANCEL, Event.REFUSED)}
)


class Holdings(msgspec.Struct, frozen=True):
    """What a bot has."""

    cash_total: Decimal
    cash_free: Decimal
    positions_total: Mapping[str, Decimal]
    positions_free: Mapping[str, Decimal]


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """How an order of a bot stands; what was filled and got so far; whether a leg has acted."""

    client_order_id: str
    status: OrderStatus
    reason: str = ""
    filled: Decimal | None = None
    amount: Decimal | None = None
    acts: bool = False


def rejected(wish: OrderWish, reason: str) -> list[Heard]:
    """Return the news that an order can't be, of an OCO both legs."""
    return [
        Heard(client_order_id=name, status=OrderStatus.REJECTED, reason=reason) for name in wish.ids
    ]


def line_after(line: OrderLine, heard: Heard) -> OrderLine:
    """Return the line of an order after news of it."""
    return msgspec.structs.replace(
        line,
        status=str(heard.status),
        reason=heard.reason or line.reason,
        filled=line.filled if heard.filled is None else heard.filled,
        amount=line.amount if heard.amount is None else heard.amount,
    )


class Hands(Protocol):
    """How a bot trades."""

    @property
    def instrument(self) -> int:
        """The number of the instrument whose trades it may have to hear of; 0: of none."""

    @property
    def is_listening(self) -> bool:
        """Whether it has to hear of them now."""

    @property
    def is_wishing(self) -> bool:
        """Whether it has, or will have, something to tell the core."""

    def holdings(self, sight: Sight, plan: Plan) -> Holdings:
        """Return what it has now."""

    def place(self, sight: Sight, wish: OrderWish, time_us: int) -> Iterable[Heard]:
        """Take an order; what is known of it at once is returned."""

    def cancel(self, sight: Sight, client_order_id: str, time_us: int) -> Iterable[Heard]:
        """Take a cancel likewise."""

    def own(self, sight: Sight, kind: int, record: bytes) -> Iterable[Heard]:
        """Take an event of its account; return the news of orders, if it is that."""

    def trade(self, sight: Sight, trades: Iterable[Traded], time_us: int) -> Iterable[Heard]:
        """Take what one command traded of its instrument, in its order."""

    def switch(self, *, killed: bool, seq: int, time_us: int) -> Iterable[Heard]:
        """Take that its kill switch was thrown, where the house's core doesn't do what follows."""


@runtime_checkable
class Limited(Protocol):
    """Hands whose limits are not the house's to keep."""

    def limit(self, config: RobotConfig, time_us: int) -> Iterable[Heard]:
        """Keep these limits from now on; return what that has ended."""


class Changes(msgspec.Struct):
    """What has come of a bot since it was stored."""

    decisions: list[Decision] = []
    notices: list[tuple[int, str]] = []
    orders: dict[str, OrderLine] = {}


class Bot:
    """One rule at work: its plan, its mind, its hands."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        hands: Hands,
        *,
        account: int = 0,
        robot: int = 0,
        prefix: str = "",
        state: State | None = None,
        orders: Iterable[OrderLine] = (),
        last: tuple[int, Code] | None = None,
        active: bool = True,
        missed: Iterable[Heard] = (),
    ) -> None:
        """Take a bot as it was stored; `last` is the step and code of its newest decision.

        `account` is where it trades, 0 on paper; there `robot` is the one whose switch it obeys.
        `missed` is news from before it comes in, which it hears then.
        """
        self.name = name
        self.plan = plan
        self.hands = hands
        self.account = account
        self.robot = robot
        self.prefix = prefix or name
        self.state = state or State()
        self.orders = {order.client_order_id: order for order in orders}  # not over yet
        self.last = last
        self.active = active
        self.missed = tuple(missed)
        self.is_in = False  # it has been looked at since it came to this desk
        self.changed = Changes()


class Desk:
    """The bots of one worker."""

    def __init__(self, sight: Sight, offset_s: Callable[[int], int] = lambda _time_us: 0) -> None:
        """Begin empty; `offset_s` is the house's time zone at a time."""
        self.sight = sight
        self.index = RuleIndex()
        self.bots: dict[str, Bot] = {}
        self.seq = 0
        self.time_us = 0
        self.dirty: dict[str, Bot] = {}
        self._offset_s = offset_s
        self._by_account: dict[int, Bot] = {}
        self._by_robot: dict[int, Bot] = {}
        self._entering: list[tuple[int, str]] = []
        self._own_changed: dict[str, None] = {}
        self._news: deque[tuple[Bot, Heard]] = deque()
        self._traders: dict[int, dict[str, None]] = {}  # bots whose hands hear of trades
        self._traded: dict[int, list[Traded]] = {}  # by the command at hand, what some hear of
        self._named: Counter[Figure] = Counter()  # in how many rules each is
        self._wishing: dict[str, None] = {}  # bots that may have something to tell the core
        self._glanced = 0

    # -- bots

    def add(self, bot: Bot, *, after_seq: int) -> None:
        """Take a bot in; it is looked at when all up to `after_seq` has happened."""
        self.bots[bot.name] = bot
        self._named.update(bot.plan.figures)
        if bot.account:
            self._by_account[bot.account] = bot
        if bot.robot:
            self._by_robot[bot.robot] = bot
        self._wishing[bot.name] = None
        if bot.hands.instrument:
            self._listen(bot)
        self._entering.append((after_seq, bot.name))

    def remove(self, name: str) -> None:
        """Let a bot go, and the figures that no other one names."""
        bot = self.bots.pop(name, None)
        if bot is None:
            return
        self.index.remove(name)
        self._by_account.pop(bot.account, None)
        if self._by_robot.get(bot.robot) is bot:
            del self._by_robot[bot.robot]
        self.dirty.pop(name, None)
        self._own_changed.pop(name, None)
        for listening in self._traders.values():
            listening.pop(name, None)
        self._named.subtract(bot.plan.figures)
        unnamed = [figure for figure in bot.plan.figures if not self._named[figure]]
        for figure in unnamed:
            del self._named[figure]
        self.sight.drop_figures(unnamed)

    def set_active(self, name: str, *, active: bool) -> None:
        """Switch a bot on or off; one that is off hears of its orders and looks at nothing."""
        bot = self.bots[name]
        if bot.active == active:
            return
        bot.active = active
        if not active:
            self.index.remove(name)
        elif bot.is_in:
            self._look(bot)
            self._hear_all()

    def limit(self, name: str, config: RobotConfig) -> None:
        """Have a bot on paper be kept within these limits; it hears of what that ends."""
        bot = self.bots[name]
        if not bot.is_in or not isinstance(bot.hands, Limited):
            return
        for heard in bot.hands.limit(config, self.time_us):
            self._tell(bot, heard)
        self._listen(bot)
        self._hear_all()

    def _listen(self, bot: Bot) -> None:
        """Have a bot's hands hear of the trades of their instrument while they have orders."""
        listening = self._traders.setdefault(bot.hands.instrument, {})
        if bot.hands.is_listening:
            listening[bot.name] = None
        else:
            listening.pop(bot.name, None)

    def wishing(self) -> list[Bot]:
        """Return the bots that have something to tell the core now."""
        wishing, self._wishing = self._wishing, {}
        found = []
        for name in wishing:
            bot = self.bots.get(name)
            if bot is not None and bot.hands.is_wishing:
                found.append(bot)
                self._wishing[name] = None
        return found

    def glance(self, limit: int) -> Iterator[tuple[str, Decision]]:
        """Tell what so many bots that wait would see now, in turn; nothing comes of it."""
        waiting = [
            bot
            for bot in self.bots.values()
            if bot.is_in and bot.active and bot.state.phase == "WAITING"
        ]
        first = self._glanced if self._glanced < len(waiting) else 0
        self._glanced = first + limit
        for bot in waiting[first : first + limit]:
            outcome = look(bot.plan, bot.state, self._view(bot), bot.prefix)
            if outcome.decisions and outcome.decisions[0].code in WAITS:
                yield bot.name, outcome.decisions[0]

    # -- what happens

    def take(self, last_seq: int, events: bytes) -> None:
        """Take one commit: all its events, command by command."""
        at = 0
        while at < len(events):
            word, seq, time_us, account = _HEAD.unpack_from(events, at)
            if seq != self.seq:
                self._finish()
                self.seq = seq - 1
                self.enter()
                self.seq = seq
            self.time_us = max(self.time_us, time_us)
            self._event(word & 0xFFFF, account, events, at, at + (word >> 32))
            at += word >> 32
        self._finish()
        self.seq = max(self.seq, last_seq)
        self.enter()

    def enter(self) -> None:
        """Look at the bots whose beginning has come."""
        if not self._entering:
            return
        waiting = [entry for entry in self._entering if entry[0] > self.seq]
        due = sorted(name for after_seq, name in self._entering if after_seq <= self.seq)
        if not due:
            return
        self._entering = waiting
        self._see()
        bots = [self.bots[name] for name in due if name in self.bots]
        for bot in bots:
            bot.is_in = True
            for heard in bot.missed:
                self._tell(bot, heard)
            bot.missed = ()
        if self._news:
            self._hear_all()
        for bot in bots:
            self._look(bot)
        self._hear_all()

    def _event(self, kind: int, account: int, events: bytes, at: int, end: int) -> None:
        if kind == Event.LEVEL:
            self.sight.level(events, at)
        elif kind == Event.TRADE:
            instrument = self.sight.trade(events, at)
            if self._traders.get(instrument):
                trade = self.sight.markets[instrument].traded()
                self._traded.setdefault(instrument, []).append(trade)
        elif kind in _OWN:
            bot = self._by_account.get(account)
            if bot is not None and (bot.is_in or kind == Event.BALANCE):
                self._own_changed[bot.name] = None
                for heard in bot.hands.own(self.sight, kind, events[at:end]):
                    self._tell(bot, heard)
        elif kind == Event.ROBOT:
            bot = self._by_robot.get(account)
            if bot is not None:
                self._switch(bot, unpack(events[at:end]))
        elif kind in _DEFINITIONS:
            self.sight.define(kind, events[at:end])

    def _switch(self, bot: Bot, told: dict[str, int]) -> None:
        """Let a bot that trades elsewhere obey the house's kill switch."""
        killed, seq = bool(told["killed"]), told["seq"]
        for heard in bot.hands.switch(killed=killed, seq=seq, time_us=self.time_us):
            self._tell(bot, heard)
        if bot.hands.instrument:
            self._listen(bot)

    def _finish(self) -> None:
        """Do what follows from one command."""
        for instrument, trades in self._traded.items():
            for name in list(self._traders[instrument]):
                bot = self.bots[name]
                if not bot.is_in:
                    continue  # it knows of this: it was kept later
                for heard in bot.hands.trade(self.sight, trades, self.time_us):
                    self._tell(bot, heard)
                self._listen(bot)
        self._traded.clear()
        self._see()
        self._hear_all()

    def _see(self) -> None:
        """Look at whom the time, and what has changed of the markets, concerns."""
        self.sight.advance(self.time_us)
        offset_s = self._offset_s(self.time_us)
        woken = dict.fromkeys(self.index.advanced(self.time_us, utc_offset_s=offset_s))
        for source, value in self.sight.changes():
            woken.update(dict.fromkeys(self.index.changed(source, value)))
        for name in sorted(woken):
            self._look(self.bots[name])

    def next_alarm_us(self) -> int | None:
        """Return when to tell the time, if nothing happens: a bot may decide otherwise then.

        That is a time that it waits for, or the end of a minute's 24 hours in a market whose
        volume or change it waits for.
        """
        found = [self.index.next_alarm_us()]
        for ticker, market in self.sight.tickers.items():
            if self.index.is_waited_for(TickerOf(ticker, "volume")) or self.index.is_waited_for(
                TickerOf(ticker, "change")
            ):
                found.append(market.window.next_us())
        return min((one for one in found if one is not None), default=None)

    def _hear_all(self) -> None:
        """Let each bot hear its news, and look again if its own numbers may be others."""
        while self._news:
            # The last word on each order counts, as of one command.
            latest: dict[tuple[str, str], tuple[Bot, Heard]] = {}
            while self._news:
                bot, heard = self._news.popleft()
                before = latest.get((bot.name, heard.client_order_id))
                if before is not None and before[1].acts:
                    heard = msgspec.structs.replace(heard, acts=True)
                latest[bot.name, heard.client_order_id] = (bot, heard)
            for bot, heard in latest.values():
                self._own_changed[bot.name] = None
                update = OrderUpdate(heard.client_order_id, heard.status, heard.reason, heard.acts)
                view = self._view(bot)
                rule = (bot.plan, bot.state, update, view, bot.prefix)
                self._take(bot, hear(*rule, is_active=bot.active))
                if bot.state.phase == "WAITING":
                    self._own_changed.pop(bot.name)
                    self._look(bot)
        changed, self._own_changed = self._own_changed, {}
        for name in changed:
            bot = self.bots[name]
            if bot.is_in and bot.state.phase == "WAITING":
                self._look(bot)
        if self._news:
            self._hear_all()

    def _look(self, bot: Bot) -> None:
        if bot.active:
            self._take(bot, look(bot.plan, bot.state, self._view(bot), bot.prefix))

    def _view(self, bot: Bot) -> View:
        has = bot.hands.holdings(self.sight, bot.plan)
        return View(
            time_us=self.time_us,
            quotes=self.sight.quotes,
            figures=self.sight.figures,
            cash_total=has.cash_total,
            cash_free=has.cash_free,
            positions_total=has.positions_total,
            positions_free=has.positions_free,
            utc_offset_s=self._offset_s(self.time_us),
        )

    def _take(self, bot: Bot, outcome: Outcome) -> None:
        """Keep what a look gave, and hand on what it wishes."""
        if outcome.state != bot.state:
            self.dirty[bot.name] = bot
        bot.state = outcome.state
        for decision in outcome.decisions:
            if decision.code in PASSIVE:
                continue
            if bot.last != (decision.step, decision.code) or decision.code in SINGLE:
                bot.changed.decisions.append(decision)
                self.dirty[bot.name] = bot
            bot.last = (decision.step, decision.code)
        if outcome.notices:
            bot.changed.notices += [(self.time_us, text) for text in outcome.notices]
            self.dirty[bot.name] = bot
        for wish in outcome.orders:
            for line in order_lines(wish, self.time_us):
                bot.orders[line.client_order_id] = bot.changed.orders[line.client_order_id] = line
            for heard in bot.hands.place(self.sight, wish, self.time_us):
                self._tell(bot, heard)
        for client_order_id in outcome.cancels:
            for heard in bot.hands.cancel(self.sight, client_order_id, self.time_us):
                self._tell(bot, heard)
        if outcome.orders or outcome.cancels:
            self._wishing[bot.name] = None
        if bot.hands.instrument and (outcome.orders or outcome.cancels):
            self._listen(bot)
        if outcome.decisions and bot.active:
            self.index.place(bot.name, bot.plan, outcome, self.time_us)

    def _tell(self, bot: Bot, heard: Heard) -> None:
        """Note how an order stands; the bot hears of it when the command is through."""
        self.dirty[bot.name] = bot
        line = bot.orders.get(heard.client_order_id)
        if line is not None:
            line = line_after(line, heard)
            bot.orders[heard.client_order_id] = bot.changed.orders[heard.client_order_id] = line
            if heard.acts:
                other = ended_by(bot.orders, line)
                if other is not None:
                    bot.orders[line.pair] = bot.changed.orders[line.pair] = other
        self._news.append((bot, heard))
