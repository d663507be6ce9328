"""Runs a rule over a tape: what the robot would have seen, decided, ordered and got.

Promises: virtual time only; an order reaches the market `latency_ms` after the tick that made the
robot decide, and the robot hears of it as much later; nothing is known before it happened. A time
that it waits for comes also between two ticks, as the worker's stamp brings it live. The rule
is looked at by the same evaluator, woken by the same index and matched by the same core as live.
The same tape, rule and settings give the same result to the byte.
"""

from __future__ import annotations

import heapq
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from fondaco.core.records import RobotTerms
from fondaco.house.robots import LIMITS, RobotConfig
from fondaco.journal.calendar import Calendar
from fondaco.robots.backtest.course import BacktestFault, Course, instrument_of, open_market
from fondaco.robots.backtest.floor import QUOTE
from fondaco.robots.backtest.market import News
from fondaco.robots.backtest.result import Result, Settings, ended_by, order_lines
from fondaco.robots.backtest.seen import Seen, watched
from fondaco.robots.backtest.tape import Beside, Tick
from fondaco.robots.rules.desk import STAMP_S
from fondaco.robots.rules.evaluator import hear, look
from fondaco.robots.rules.index import RuleIndex
from fondaco.robots.rules.plan import Figure, Plan, TickerOf, TimeOf
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
from fondaco.robots.rules.view import Number, View
from fondaco.robots.terms import terms_of

__all__ = ["Backtest", "BacktestFault"]

DECISIONS_MAX: Final = 10_000  # kept; the rest is counted
NOTICES_MAX: Final = 1_000
# Looks that found nothing to judge: whether they are made at all is the index's affair.
_PASSIVE: Final = frozenset({Code.AWAITING_ORDERS, Code.PAUSED})
STAMP_US: Final = int(STAMP_S * 1_000_000)
NEVER_US: Final = 1 << 62


class _Message(msgspec.Struct, frozen=True, order=True):
    """Something on its way: an order or a cancel to the market, or news to the robot."""

    due_us: int
    number: int
    wish: OrderWish | None = None
    cancel: str = ""
    news: News | None = None


class Backtest(Course):
    """One rule on one tape, and on those of other markets that it reads."""

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        *,
        prefix: str = "backtest",
        limits: RobotConfig | None = None,
        time_zone: str = "UTC",
        beside: Mapping[str, Beside] | None = None,
    ) -> None:
        """Open the market; the core keeps the limits of a config, by days of the time zone.

        The zone is the house's: $time is what clocks show there. Trades of `beside` that are as old
        as one of the tape come before it.

        Raises:
            BacktestFault: the rule trades more than one ticker, or reads one that isn't there, or
                the core refuses the market.
            FiguresMissing: the rule names an indicator, and TA-Lib isn't installed.
        """
        beside = beside or {}
        if set(plan.traded) - {settings.base}:
            raise BacktestFault(
                f"the rule trades {', '.join(plan.traded)}; a backtest trades {settings.base}"
            )
        others = [name for name in watched(plan) if name != settings.base]
        missing = [name for name in others if name not in beside]
        if missing:
            raise BacktestFault(f"the rule reads {', '.join(missing)}, of which there is no tape")
        self.plan = plan
        limits = limits or RobotConfig()
        said = {name: str(getattr(limits, name)) for name in LIMITS}
        settings = msgspec.structs.replace(
            settings,
            limits={name: text for name, text in said.items() if text != "0"},
            beside=tuple(others),
        )
        super().__init__(settings, open_market(settings, _terms(limits, settings)))
        self.market.tells = False  # it asks for nothing but news
        self.calendar = Calendar(time_zone)
        self.day_ends_us = 0
        self.prefix = prefix
        self.state = State()
        self.index = RuleIndex()
        self.own = Seen(plan, settings.base, tick=settings.tick, lot=settings.lot)
        self.source_last = TickerOf(settings.base, "last")
        self.reads_time = any(isinstance(one, TimeOf) for one in plan.operands)
        self.others = {
            name: Seen(plan, name, tick=beside[name].tick, lot=beside[name].lot) for name in others
        }
        self.seen = {settings.base: self.own, **self.others}
        self.timed = [one for one in self.seen.values() if one.day]  # what time alone changes
        self.figures: Mapping[Figure, float] = self.own.figures.values
        if self.others:
            self.figures = ChainMap(*(one.figures.values for one in self.seen.values()))
        self.aside = heapq.merge(
            *(_named(name, beside[name].ticks) for name in others),
            key=lambda each: each[0].time_us,
        )
        self.next_aside = next(self.aside, None)
        self.messages: list[_Message] = []
        self.sent = 0
        self.stamped_us = 0
        self.decisions: list[Decision] = []
        self.left_out = 0
        self.notices: list[str] = []

    def run(self, tape: Iterable[Tick], on_ticks: Callable[[int], None] | None = None) -> Result:
        """Run the whole tape; raises BacktestFault if it is empty."""
        course = self._course(tape, on_ticks)
        return Result(
            **self._figures(*course),
            state=self.state.phase,
            step=self.state.step,
            decisions=tuple(self.decisions),
            decisions_left_out=self.left_out,
            notices=tuple(self.notices),
        )

    # -- a tick

    def _tick(self, tick: Tick) -> None:
        """Let one recorded trade happen, and have the robot look if it concerns it."""
        time_us = tick.time_us
        ticks = self._ticks_of(tick.price)
        if self.ticks == 0:
            self.market.value_coins(time_us, ticks)
        self._deliver(time_us)
        self._roll(time_us)
        own: list[Tick] = []
        if self.market.open:
            lots = max(1, int(tick.quantity / self.settings.lot))
            before = len(self.market.fills)
            self._tell(time_us, self.market.trade(time_us, ticks, lots, buys=tick.buys))
            own = self._taken(before)
        else:
            self.market.quote_from(ticks, buys=tick.buys)
        woken = self._see(time_us, [tick, *own])
        if woken or self.ticks == 0:
            self._look(time_us)
        if not self.latency_us:
            self._deliver(time_us)
        self._mark(tick.price)

    def _look(self, time_us: int) -> None:
        self._take(look(self.plan, self.state, self._view(time_us), self.prefix), time_us)

    def _see(self, time_us: int, ticks: Sequence[Tick] = ()) -> bool:
        """Take a moment and its ticks into what the robot sees; returns whether it must look."""
        woken = bool(self.index.advanced(time_us, utc_offset_s=self._offset_s(time_us)))
        for each in self.timed:
            if each is not self.own:
                woken |= self._is_told(each.take(time_us, (), (0, 0)))
        own, best = self.own, (self.market.bid_ticks, self.market.ask_ticks)
        if own.reads_more:
            return self._is_told(own.take(time_us, ticks, best)) or woken
        if not ticks:
            return woken
        price = ticks[-1].price
        if own.last != price:
            own.last = price
            woken |= bool(self.index.changed(self.source_last, price))
        own.bid_ticks, own.ask_ticks = best
        return woken

    def _is_told(self, changes: Iterable[tuple[TickerOf | Figure, Number | None]]) -> bool:
        """Tell the index what changed; returns whether the robot must look."""
        woken = False
        for source, value in changes:
            woken |= bool(self.index.changed(source, value))
        return woken

    def _see_aside(self) -> None:
        """Let the next trade of another market happen."""
        assert self.next_aside is not None, "asked for by whoever calls"
        tick, name = self.next_aside
        self.next_aside = next(self.aside, None)
        self._roll(tick.time_us)
        woken = self._see(tick.time_us)
        if self._is_told(self.others[name].take_alone(tick)) or woken:
            self._look(tick.time_us)

    def _view(self, time_us: int) -> View:
        cash, cash_free, coins, coins_free = self.market.holdings()
        symbol = self.settings.base
        return View(
            time_us=time_us,
            quotes={name: one.quote() for name, one in self.seen.items()},
            figures=self.figures,
            cash_total=cash,
            cash_free=cash_free,
            positions_total={symbol: coins},
            positions_free={symbol: coins_free},
            utc_offset_s=self._offset_s(time_us),
        )

    def _offset_s(self, time_us: int) -> int:
        return self.calendar.offset_s(time_us) if self.reads_time else 0

    # -- the robot's wishes and news

    def _take(self, outcome: Outcome, time_us: int) -> None:
        """Keep what a look gave, and send what it wishes."""
        self.state = outcome.state
        for decision in outcome.decisions:
            if decision.code in _PASSIVE:
                continue
            last = self.decisions[-1] if self.decisions else None
            is_new = last is None or (last.step, last.code) != (decision.step, decision.code)
            if is_new or decision.code in SINGLE:
                if len(self.decisions) < DECISIONS_MAX:
                    self.decisions.append(decision)
                else:
                    self.left_out += 1
        self.notices += outcome.notices[: NOTICES_MAX - len(self.notices)]
        for wish in outcome.orders:
            self.orders.update({one.client_order_id: one for one in order_lines(wish, time_us)})
            self._send(time_us, wish=wish)
        for client_order_id in outcome.cancels:
            self._send(time_us, cancel=client_order_id)
        if outcome.decisions:
            self.index.place(self.prefix, self.plan, outcome, time_us)

    def _send(
        self,
        time_us: int,
        *,
        wish: OrderWish | None = None,
        cancel: str = "",
        news: News | None = None,
    ) -> None:
        self.sent += 1
        message = _Message(time_us + self.latency_us, self.sent, wish, cancel, news)
        heapq.heappush(self.messages, message)

    def _tell(self, time_us: int, news: list[News]) -> None:
        """Note how orders stand, and let the robot hear of it in its time."""
        for one in news:
            line = self.orders[one.client_order_id]
            self.orders[one.client_order_id] = msgspec.structs.replace(
                line, status=str(one.status), reason=one.reason or line.reason
            )
            other = ended_by(self.orders, line) if one.acts else None
            if other is not None:
                self.orders[line.pair] = other
            self._send(time_us, news=one)

    def _deliver(self, time_us: int) -> None:
        """Let arrive what is due by now, and come what is waited for before, in its order."""
        while True:
            message_us = self.messages[0].due_us if self.messages else NEVER_US
            stamp_us = self._stamp_us()
            aside_us = self.next_aside[0].time_us if self.next_aside is not None else NEVER_US
            if aside_us <= time_us and aside_us <= stamp_us and aside_us < message_us:
                self._see_aside()
            elif stamp_us < time_us and stamp_us < message_us:
                self.stamped_us = stamp_us
                self._roll(stamp_us)
                if self._see(stamp_us):
                    self._look(stamp_us)
            elif message_us <= time_us:
                self._arrive(heapq.heappop(self.messages))
            else:
                return

    def _stamp_us(self) -> int:
        """Return when somebody has to tell the robot what time it is, as the worker does."""
        due_us = self.index.next_alarm_us()
        for each in self.timed:
            falls_us = each.falls_us()
            if falls_us is not None and any(map(self.index.is_waited_for, each.day)):
                due_us = falls_us if due_us is None else min(due_us, falls_us)
        return NEVER_US if due_us is None else max(due_us, self.stamped_us + STAMP_US)

    def _arrive(self, message: _Message) -> None:
        now_us = message.due_us
        self._roll(now_us)
        if message.wish is not None:
            self._place(now_us, message.wish)
            return
        if message.cancel:
            self._tell(now_us, self.market.cancel(now_us, message.cancel))
        if self._see(now_us):
            self._look(now_us)
        if message.news is None:
            return
        one = message.news
        update = OrderUpdate(one.client_order_id, OrderStatus(one.status), one.reason, one.acts)
        view = self._view(now_us)
        self._take(hear(self.plan, self.state, update, view, self.prefix), now_us)
        if self.state.phase == "WAITING":
            # What it holds has changed, and only we know it.
            self._take(look(self.plan, self.state, view, self.prefix), now_us)

    def _roll(self, time_us: int) -> None:
        """Tell the core of a new day before anything else happens in it, if it keeps limits."""
        if time_us < self.day_ends_us or self.market.terms is None:
            return
        today = self.calendar.day_of(time_us)
        self.day_ends_us = today.ends_us
        self.market.roll(time_us, today.day, today.month)

    def _place(self, time_us: int, wish: OrderWish) -> None:
        """Let an order reach the market; what it takes is a trade there that all see."""
        before = len(self.market.fills)
        news = self.market.place(time_us, wish)
        own = self._taken(before)
        self._tell(time_us, news)
        if self._see(time_us, own):
            self._look(time_us)

    def _taken(self, before: int) -> list[Tick]:
        """Return what the robot took by its fills from so many on: trades that all see."""
        return [
            Tick(fill.time_us, fill.price, fill.quantity, fill.side == "BUY")
            for fill in self.market.fills[before:]
            if not fill.maker
        ]


def _named(name: str, ticks: Iterable[Tick]) -> Iterator[tuple[Tick, str]]:
    return ((tick, name) for tick in ticks)


def _terms(limits: RobotConfig, settings: Settings) -> RobotTerms | None:
    """Return the limits as the core takes them, None if there are none; raises BacktestFault."""
    if not settings.limits:
        return None
    places = instrument_of(settings).quote_decimals
    for name, text in settings.limits.items():
        if Decimal(text) != round(Decimal(text), places):
            raise BacktestFault(f"limits.{name} is {text}; it has at most {places} decimals")
    return terms_of(limits, cash=QUOTE, decimals=places)
