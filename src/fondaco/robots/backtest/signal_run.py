"""Runs a signal robot over a tape: how it would have judged each signal, and what came of it.

Promises: the verdict is the hub's own (hub.judging), an operation goes by the hub's own steps
(hub.steps, hub.recalling), and the house's core keeps the robot's limits, in virtual time: a
command reaches the market `latency_ms` after it was sent, and its answer comes as much later. A
signal is judged when all trades up to its time have happened. While a command is under way the
robot is busy: a signal is tried again for LOCK_WAIT_US, then it is LOCKED, as in a house. The same
tape, signals and settings give the same result to the byte.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

import msgspec

from fondaco.core import client_ids
from fondaco.core.money import parse_units
from fondaco.core.records import Command, Event, OrderType, Side, unpack
from fondaco.core.records import OrderStatus as CoreStatus
from fondaco.core.records import Reason as CoreReason
from fondaco.house.robots import RobotConfig
from fondaco.journal.calendar import Calendar
from fondaco.robots.backtest.course import Course, open_market
from fondaco.robots.backtest.floor import BASE, QUOTE, ROBOT
from fondaco.robots.backtest.result import OrderLine, Settings
from fondaco.robots.backtest.signal_file import Signal
from fondaco.robots.backtest.signal_result import Judged, OperationLine, SignalResult, judged
from fondaco.robots.backtest.signal_tape import Rater
from fondaco.robots.backtest.tape import Tick
from fondaco.robots.hub.following import (
    Market,
    configure,
    day_ends_us,
    follow,
    forget,
    look_of,
    month_ends_us,
)
from fondaco.robots.hub.judging import (
    LOCKED,
    OPERATION_OPEN,
    TRIGGERED,
    Client,
    Look,
    Reason,
    Verdict,
    judge,
)
from fondaco.robots.hub.recalling import Past, hear, name_of, recall
from fondaco.robots.hub.refusals import Ended
from fondaco.robots.hub.steps import Status, Step, Steps, act, client_id, give_up
from fondaco.robots.terms import terms_of

__all__ = ["SignalBacktest"]

DECISIONS_MAX: Final = 10_000  # kept; the rest is counted
LOCK_WAIT_US: Final = 1_000_000
LOCK_TURN_US: Final = 50_000
RETRY_US: Final = 250_000
RETRY_US_MAX: Final = 15_000_000
_ORDERS: Final = {int(Event.ORDER), int(Event.FILL), int(Event.CANCEL)}
_STANDS: Final = {int(Event.BALANCE), int(Event.ROBOT)}


class Operation(msgspec.Struct, kw_only=True):
    """What models.Operation has a row for."""

    id: str
    account: int
    available: int
    started_us: int
    status: int
    is_selling: bool
    sell_signal: int
    instrument: int = 1
    spent: int = 0
    bought: int = 0
    bought_lots: int = 0
    stop_ticks: int = 0
    sold_lots: int = 0
    proceeds: int = 0
    tries: int = 0
    note: str = ""
    buy_us: int = 0
    closed_us: int = 0
    is_paper: bool = False


class _Going(msgspec.Struct):
    """Steps under way: what triggered them, and the command that is to be answered."""

    step: Step
    steps: Steps
    look: Look | None


class SignalBacktest(Course):
    """One signal robot on one tape."""

    def __init__(
        self,
        config: RobotConfig,
        settings: Settings,
        *,
        account: int = ROBOT,
        first_signal: int = 1,
        time_zone: str = "UTC",
    ) -> None:
        """Open the market; account and the first signal's number are what order ids are made of.

        Raises:
            BacktestFault: the core refuses the market or the limits.
        """

        def units(text: str) -> int:
            return parse_units(text, self.decimals[1])

        places = settings.decimals
        assert places is not None, "a tape says what coin and cash are counted in"
        self.decimals = places
        terms = terms_of(config, cash=QUOTE, decimals=places[1])
        super().__init__(settings, open_market(settings, terms))
        self.account = account
        self.client = Client(ROBOT, "backtest", 0)
        configure(self.client, config, units)
        body = self.market.instrument.body()
        self.seen = Market(settings.base, body, places[0])
        self.calendar = Calendar(time_zone)
        self.period = (0, 0)
        self.day_ends_us = 0
        self.signals = self.signals_before = 0
        self.numbered_from = first_signal - 1
        self.expected = 0
        self.step: Step | None = None  # the open operation
        self.going: _Going | None = None
        self.retry_us = RETRY_US
        self.due: list[tuple[int, int, Callable[[int], None]]] = []
        self.sent = 0
        self.unheard: list[bytes] = []
        self.past: dict[str, dict[str, int]] = {}  # newest word on each order
        self.fees: dict[str, dict[int, int]] = {}
        self.kept: list[tuple[Look, Verdict | Ended, int]] = []
        self.left_out = 0
        self.operations: list[Operation] = []
        self.purchases: dict[str, Operation] = {}  # at the end: by id, and by signal
        self.sales: dict[int, Operation] = {}
        self.rater: Rater | None = None
        self.client.cash = self.market.free[QUOTE]
        self.client.coins[BASE] = self.client.free[BASE] = self.market.free[BASE]

    def run(
        self,
        tape: Iterable[Tick],
        signals: Iterable[Signal] | Rater,
        on_ticks: Callable[[int], None] | None = None,
    ) -> SignalResult:
        """Run the whole tape; raises BacktestFault if it is empty."""
        if isinstance(signals, Rater):
            self.rater = signals
        else:
            for one in signals:
                self._expect(one)
        course = self._course(tape, on_ticks)
        open_now = self.step is not None and self.step.is_open
        self.purchases = {op.id: op for op in self.operations}
        self.sales = {op.sell_signal: op for op in self.operations}
        return SignalResult(
            **self._figures(*course),
            state="ORDERED" if open_now else "WAITING",
            step=1 if open_now else 0,
            decisions=tuple(self._judged(*one) for one in self.kept),
            decisions_left_out=self.left_out,
            notices=(),
            signals=self.signals,
            signals_before=self.signals_before,
            signals_after=self.expected - self.signals_before - self.signals,
            operations=tuple(self._operation_line(op) for op in self.operations),
        )

    # -- time

    def _at(self, due_us: int, act_then: Callable[[int], None]) -> None:
        self.sent += 1
        heapq.heappush(self.due, (due_us, self.sent, act_then))

    def _expect(self, one: Signal) -> None:
        """Have a signal be judged after the trades of its own time."""
        self.expected += 1
        self._at(one.time_us + 1, lambda now_us: self._signal(one, now_us - 1))

    def _pass_over(self, time_us: int) -> None:
        """Judge no signal from before the tape: nobody knows what its coin was worth."""
        while self.due and self.due[0][0] <= time_us:
            heapq.heappop(self.due)
            self.signals_before += 1

    def _deliver(self, time_us: int) -> None:
        while self.due and self.due[0][0] <= time_us:
            due_us, _, act_then = heapq.heappop(self.due)
            self._roll(due_us)
            act_then(due_us)

    def _tick(self, tick: Tick) -> None:
        time_us = tick.time_us
        if not self.ticks:
            self._pass_over(time_us)
        if self.rater is not None:
            for one in self.rater.take(tick):
                self._expect(one)
        self._deliver(time_us)
        self._roll(time_us)
        ticks = self.seen.price_ticks = self._ticks_of(tick.price)
        if self.ticks == 0:
            self.market.value_coins(time_us, ticks)
            self._take_in(self.market.take_own())
        if self.market.open:
            lots = max(1, int(tick.quantity / self.settings.lot))
            self.market.trade(time_us, ticks, lots, buys=tick.buys)
            self._tell_later(time_us)
        else:
            self.market.quote_from(ticks, buys=tick.buys)
        if not self.latency_us:
            self._deliver(time_us)
        self._mark(tick.price)

    def _finish(self, time_us: int) -> None:
        self._deliver(time_us + 1)  # a signal of the last tick's own time, too

    def _roll(self, time_us: int) -> None:
        """Tell the core of a new day before anything else happens in it."""
        if time_us < self.day_ends_us:
            return
        today = self.calendar.day_of(time_us)
        self.day_ends_us = today.ends_us
        self.market.roll(time_us, today.day, today.month)
        self._take_in(self.market.take_own())

    # -- signals

    def _signal(self, one: Signal, now_us: int) -> None:
        """Judge a signal, and set going what it triggers; a busy robot is waited for."""
        if self.going is not None and now_us < one.time_us + LOCK_WAIT_US:
            self._at(now_us + LOCK_TURN_US + 1, lambda then_us: self._signal(one, then_us - 1))
            return
        self.signals += 1
        look_number = self.signals + self.numbered_from
        today = self.calendar.day_of(now_us)
        forget(self.client, self.period, today)
        market = self.seen if one.symbol == self.seen.symbol else None
        look = look_of(market, look_number, one.symbol, one.strength, now_us=now_us)
        verdict = judge(self.client, look)
        step: Step | None = None
        if verdict[0] == TRIGGERED:
            begun = LOCKED if self.going is not None else self._begin(look, verdict)
            if isinstance(begun, Step):
                step = begun
            else:
                verdict = begun
        self._keep(look, verdict)
        if step is not None:
            self._drive(step, now_us, look)

    def _keep(self, look: Look, verdict: Verdict) -> None:
        ends = {int(Reason.DAY_STOP): day_ends_us, int(Reason.MONTH_STOP): month_ends_us}
        if verdict[0] in ends:
            until_us = ends[verdict[0]](self.calendar, look.now_us)
            self.client.locked_until_us = max(self.client.locked_until_us, until_us)
        if len(self.kept) < DECISIONS_MAX:
            self.kept.append((look, verdict, look.price_ticks))
        else:
            self.left_out += 1

    def _begin(self, look: Look, verdict: Verdict) -> Step | Verdict:
        """Begin an operation, or have the open one sell; else return why there is none."""
        sells = look.side == Side.SELL
        step = self.step
        if sells and step is not None:
            if step.is_unsure or step.op.status == Status.AWAITING_SELL:
                if step.op.is_selling:
                    return OPERATION_OPEN
                step.op.is_selling, step.op.sell_signal = True, look.signal
                return step
            step.now_us = look.now_us
            give_up(step)
            self._correct(step)
            self._forget()
        op = Operation(
            id=f"{look.signal}-{self.account}",
            account=ROBOT,
            available=0 if sells else verdict[1],
            started_us=look.now_us,
            status=Status.AWAITING_SELL if sells else Status.AWAITING_BUY,
            is_selling=sells,
            sell_signal=look.signal if sells else 0,
        )
        self.operations.append(op)
        self.step = Step(op, self.client, self.seen)
        self.client.open.add(look.symbol)
        return self.step

    def _forget(self) -> None:
        self.step = None
        self.retry_us = RETRY_US
        self.client.open.discard(self.seen.symbol)

    # -- an operation

    def _drive(self, step: Step, now_us: int, look: Look | None = None) -> None:
        """Take an operation on: its first command is sent now."""
        if step.is_unsure:
            recall(step, lambda suffix: self._past(step, suffix))
        step.now_us = now_us
        self.going = _Going(step, act(step, 0), look)
        self._go_on(now_us, None)

    def _go_on(self, now_us: int, answer: bytes | None) -> None:
        going = self.going
        assert going is not None, "an answer is of what is under way"
        try:
            record = next(going.steps) if answer is None else going.steps.send(answer)
        except StopIteration:
            self._rest(going, now_us)
            return
        self._at(now_us + self.latency_us, lambda then_us: self._submit(record, then_us))
        self._now(now_us)

    def _now(self, now_us: int) -> None:
        """Without latency what was sent arrives at once."""
        if not self.latency_us:
            self._deliver(now_us)

    def _submit(self, record: bytes, now_us: int) -> None:
        """Let a command reach the market."""
        self._note_order(record, now_us)
        self.market.submit(now_us, record)
        told = self._told_now()
        self._at(now_us + self.latency_us, lambda then_us: self._answer(told, then_us))
        self._now(now_us)

    def _answer(self, told: list[bytes], now_us: int) -> None:
        self._take_in(told)
        self._go_on(now_us, b"".join(told))

    def _rest(self, going: _Going, now_us: int) -> None:
        """Keep what steps came to, hear what happened meanwhile, and come back where it's due."""
        self.going = None
        step = going.step
        self._correct(step)
        unheard, self.unheard = self.unheard, []
        if not step.is_open:
            self._forget()
        elif step.is_unsure or step.wants_more:
            self._again(now_us + self.retry_us)
            self.retry_us = min(self.retry_us * 2, RETRY_US_MAX)
        else:
            self.retry_us = RETRY_US
        self._hear(unheard, now_us)

    def _again(self, due_us: int) -> None:
        step = self.step

        def go(now_us: int) -> None:
            if self.going is not None or step is None or self.step is not step:
                return
            if step.is_unsure or step.needs_act:
                self._drive(step, now_us)

        self._at(due_us, go)

    def _correct(self, step: Step) -> None:
        """Have a decision say what it has come to be: the core's refusal is nearer to the truth."""
        if step.ended is None:
            return
        for place, (look, _, price) in enumerate(self.kept):
            if look.signal == step.signal:
                self.kept[place] = (look, step.ended, price)

    # -- what the core tells

    def _tell_later(self, time_us: int) -> None:
        told = self._told_now()
        if told:
            self._at(time_us + self.latency_us, lambda now_us: self._told(told, now_us))

    def _told_now(self) -> list[bytes]:
        """Return what the core says of the robot; its own trades are seen by all at once."""
        told = self.market.take_own()
        for event in told:
            kind = int.from_bytes(event[:2], "little")
            if kind == Event.FILL:
                self.seen.price_ticks = unpack(event)["last_price_ticks"]
            elif kind == Event.REFUSED and unpack(event)["command"] == Command.ROBOT_ORDER:
                reason = CoreReason(unpack(event)["reason"]).name
                self._set_status(next(reversed(self.orders)), "REJECTED", reason)
        return told

    def _told(self, told: list[bytes], now_us: int) -> None:
        self._take_in(told)
        if self.going is None:
            unheard, self.unheard = self.unheard, []
            self._hear(unheard, now_us)

    def _take_in(self, told: list[bytes]) -> None:
        """Know what the core has said of the robot; what orders did is heard when it rests."""
        for record in told:
            kind = int.from_bytes(record[:2], "little")
            if kind in _STANDS:
                period = follow(self.client, kind, memoryview(record).cast("q"), QUOTE)
                self.period = period or self.period
            elif kind in _ORDERS:
                self._note_news(kind, record)
                self.unheard.append(record)

    def _hear(self, unheard: list[bytes], now_us: int) -> None:
        for record in unheard:
            words = unpack(record)
            pk, suffix = name_of(words)
            step = self.step
            if step is None or step.op.id != pk:
                continue
            if hear(step, int.from_bytes(record[:2], "little"), words, suffix):
                if step.is_open:
                    self._again(now_us)
                else:
                    self._forget()

    def _note_news(self, kind: int, record: bytes) -> None:
        words = unpack(record)
        name = "-".join(name_of(words))
        self.past[name] = words
        self._set_status(name, CoreStatus(words["status"]).name)
        if kind == Event.FILL:
            fees = self.fees.setdefault(name, {})
            fees[words["fee_asset"]] = fees.get(words["fee_asset"], 0) + words["fee"]

    def _set_status(self, name: str, status: str, reason: str = "") -> None:
        line = self.orders.get(name)
        if line is not None:
            self.orders[name] = msgspec.structs.replace(line, status=status, reason=reason)

    def _past(self, step: Step, suffix: str) -> Past | None:
        name = client_id(step.op, suffix)
        words = self.past.get(name)
        if words is None:
            return None
        return Past(
            words["status"],
            words["filled_lots"],
            words["filled_quote"],
            words["time_us"],
            words["working_us"],
            self.fees.get(name, {}),
        )

    # -- what is told of it

    def _note_order(self, record: bytes, time_us: int) -> None:
        words = unpack(record)
        if words["kind"] != Command.ROBOT_ORDER:
            return
        name = client_ids.decode(tuple(words[f"client_order_id_{place}"] for place in range(4)))  # type: ignore[arg-type]
        one = self.settings
        lots, spend, stop = (
            words[each] for each in ("quantity_lots", "quote_quantity", "stop_price_ticks")
        )
        self.orders[name] = OrderLine(
            client_order_id=name,
            time_us=time_us,
            ticker=one.base,
            kind=OrderType(words["order_type"]).name,
            side=Side(words["side"]).name,
            price=None,
            stop=stop * one.tick if stop else None,
            quantity=lots * one.lot if lots else None,
            spend=Decimal(spend).scaleb(-self.decimals[1]) if spend else None,
            time_in_force=None,
            status="SENT",
        )

    def _judged(self, look: Look, verdict: Verdict | Ended, price_ticks: int) -> Judged:
        price = price_ticks * self.settings.tick if price_ticks else None
        return judged(look, verdict, price, self.decimals, self._begun(look))

    def _begun(self, look: Look) -> Operation | None:
        """Return the operation that a signal began, or had sell."""
        if look.side == Side.SELL:
            return self.sales.get(look.signal)
        return self.purchases.get(f"{look.signal}-{self.account}")

    def _operation_line(self, op: Operation) -> OperationLine:
        coin, cash = self.decimals
        return OperationLine(
            id=op.id,
            status=Status(op.status).name,
            note=op.note,
            started_us=op.started_us,
            buy_us=op.buy_us or None,
            closed_us=op.closed_us or None,
            available=Decimal(op.available).scaleb(-cash),
            spent=Decimal(op.spent).scaleb(-cash),
            bought=Decimal(op.bought).scaleb(-coin),
            stop=op.stop_ticks * self.settings.tick if op.stop_ticks else None,
            proceeds=Decimal(op.proceeds).scaleb(-cash),
        )
