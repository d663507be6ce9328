"""Which bots a desk has: takes in those of the rows, with what they need to see, and lets them go.

Promises: a bot is taken in at an entry of the journal that was made for it, so that its beginning
has a place in the order, and sees all that its rule names from there on; what its orders came to
before that, history says. A market that is followed already is not asked for again. What can't be
taken in is told with its run, and tried again. Of a run that is over nothing stays open in the
house, whoever ended it and however often its worker began anew; until then no other run of its
account is taken in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from fondaco.core.records import Event, Query, Side, pack, split, unpack
from fondaco.house.robots import RobotConfig
from fondaco.identity.core_door import kind_of
from fondaco.journal.calendar import Calendar
from fondaco.link.blocking import BlockingClient
from fondaco.projections.bars import INTERVALS
from fondaco.robots.backtest.figures import FiguresMissing
from fondaco.robots.backtest.result import OrderLine
from fondaco.robots.bots import history, keeping, services, unheard
from fondaco.robots.bots.history import Behind
from fondaco.robots.models import Robot, RobotKind, RobotMode, RobotRun, RuleDecision
from fondaco.robots.paper.hands import PaperHands, Terms
from fondaco.robots.rules import state as states
from fondaco.robots.rules.desk import Bot, Desk, Heard
from fondaco.robots.rules.live import LiveHands, Sending
from fondaco.robots.rules.plan import Plan, plan_rule
from fondaco.robots.rules.sight import Standing
from fondaco.robots.rules.state import Code, Decision
from fondaco.robots.rules.validation import RuleError, read_rule

__all__ = ["Roster"]

Stamp = Callable[[int], tuple[int, int]]
LEVELS: Final = 100_000
# What is wrong with the rows of one bot, which stops no other.
UNREADABLE: Final = (RuleError, FiguresMissing, ValueError, KeyError, msgspec.MsgspecError)


class Roster:
    """The runs that are at a desk."""

    def __init__(self, desk: Desk, client: BlockingClient, calendar: Calendar) -> None:
        """Begin with nobody; limits on paper are by days of the calendar."""
        self.runs: dict[str, int] = {}  # by the name of the bot
        self._desk = desk
        self._client = client
        self._calendar = calendar
        self._began: dict[str, int] = {}  # the seq after which a new bot begins
        self._late: set[str] = set()  # that had begun before they came, and no checkpoint has yet
        self._faults: dict[int, str] = {}
        self._live: dict[int, int] | None = None  # account by run, as of the last look
        self._over: dict[int, int] = {}  # likewise of runs that are over and may have orders open

    def is_beginning(self) -> bool:
        """Say whether something of a bot is to be kept for the first time since it came."""
        return any(name in self._desk.dirty for name in (*self._began, *self._late))

    def seen(self) -> list[int]:
        """Return, for a checkpoint of now, the runs that have heard all up to here."""
        self._late = {name for name in self._late if not self._desk.bots[name].is_in}
        return [run for name, run in self.runs.items() if name not in self._late]

    def began(self, name: str) -> tuple[int, int] | None:
        """Return once where and when a new bot has begun."""
        seq = self._began.get(name)
        if seq is None or not self._desk.bots[name].is_in:
            return None
        del self._began[name]
        return seq, self._desk.time_us

    # -- after a start

    def take_up(self, seen: keeping.Seen) -> None:
        """Go on with the runs that a checkpoint has seen all of. Raises Behind."""
        desk = self._desk
        for ticker, standing in seen.markets.items():
            if ticker in desk.sight.tickers:
                desk.sight.follow(ticker, msgspec.structs.replace(standing, seq=desk.seq))
        for run in self._wanted():
            if not run.state or run.pk not in seen.runs:
                continue  # it has not begun, or could not be read then: it comes in by look()
            balances = seen.balances.get(run.robot.account_id, {})
            try:
                plan = plan_rule(read_rule(run.robot.rule))
                if all(ticker in seen.markets for ticker in plan.tickers):
                    self._see(plan, desk.time_us)
                    self._add(run, plan, balances, desk.seq, max(run.seq, desk.seq))
            except UNREADABLE:
                continue  # look() tells of it
        desk.enter()

    # -- at work

    def look(self, stamp: Stamp) -> Iterator[tuple[int, str]]:
        """Take in and let go by the rows as they are; yield what can't be, with its run."""
        wanted = {self._name(run): run for run in self._wanted()}
        for name in [each for each in self._desk.bots if each not in wanted]:
            self._desk.remove(name)
            self.runs.pop(name, None)
            self._began.pop(name, None)
            self._late.discard(name)
        waits = self._wind_up(wanted.values(), stamp)
        for name, run in wanted.items():
            bot = self._desk.bots.get(name)
            try:
                if bot is None and run.mode == RobotMode.LIVE and run.robot.account_id in waits:
                    continue
                if bot is None:
                    self._take_in(run, stamp)
                else:
                    self._desk.set_active(name, active=run.robot.is_active)
                    self._desk.limit(name, _limits(run))
            except Behind:
                continue
            except UNREADABLE as error:
                if self._faults.get(run.pk) != str(error):
                    self._faults[run.pk] = str(error)
                    yield run.pk, str(error)
                continue
            if run.fault:
                self._faults.pop(run.pk, None)
                services.tell_fault(run.pk, "")
        self._desk.enter()

    def _wind_up(self, wanted: Iterable[RobotRun], stamp: Stamp) -> set[int]:
        """Cancel what runs that are over have open; return the accounts where that goes on."""
        live = {run.pk: run.robot.account_id for run in wanted if run.mode == RobotMode.LIVE}
        if self._live is None:
            self._over = services.left_open()
        else:
            self._over |= {run: self._live[run] for run in self._live.keys() - live.keys()}
        self._live = live
        for run, account in list(self._over.items()):
            with contextlib.suppress(Behind):
                sight = self._desk.sight
                if unheard.wind_up(self._client, sight, run=run, account=account, stamp=stamp):
                    del self._over[run]
        return set(self._over.values())

    def _wanted(self) -> list[RobotRun]:
        """Return the runs that should be at work; a robot without one gets its first."""
        robots = Robot.objects.filter(kind=RobotKind.RULE, closed_at=None, is_active=True)
        for robot in robots.exclude(runs__is_over=False):
            services.begin_run(robot)
        rows = RobotRun.objects.filter(
            is_over=False, robot__kind=RobotKind.RULE, robot__closed_at=None
        )
        return list(rows.select_related("robot").order_by("pk"))

    @staticmethod
    def _name(run: RobotRun) -> str:
        return f"{run.robot_id} {run.number}"

    def _take_in(self, run: RobotRun, stamp: Stamp) -> None:
        desk = self._desk
        plan = plan_rule(read_rule(run.robot.rule))
        account = run.robot.account_id
        _, time_us = stamp(account)
        for ticker in plan.tickers:
            market = desk.sight.tickers.get(ticker)
            if market is not None and market.seq < 0:
                desk.sight.follow(ticker, self._standing(ticker, time_us))
        self._see(plan, time_us)
        balances: dict[int, tuple[int, int]] = {}
        balances_seq, killed = 0, False
        if run.mode == RobotMode.LIVE:
            answer = self._client.query(pack(Query.BALANCES, account=account))
            balances_seq = answer.seq
            for record in split(bytes(answer.records)):
                words = unpack(record)
                balances[words["asset"]] = (words["free"], words["held"])
        else:
            balances_seq, killed = self._switch_of(account)
        begun, _ = stamp(account)
        is_late = bool(run.state)
        self._add(run, plan, balances, balances_seq, begun, killed=killed, is_late=is_late)
        if is_late:
            self._late.add(self._name(run))
        else:
            self._began[self._name(run)] = begun

    def _switch_of(self, account: int) -> tuple[int, bool]:
        """Ask the core whether the kill switch of a robot is on; return as of which seq."""
        answer = self._client.query(pack(Query.ROBOTS, account=account))
        told = (unpack(one) for one in split(bytes(answer.records)) if kind_of(one) == Event.ROBOT)
        return answer.seq, any(one["killed"] for one in told)

    def _standing(self, ticker: str, time_us: int) -> Standing:
        """Ask the core where a market stands; raises Behind."""
        market = self._desk.sight.tickers[ticker]
        number = market.body.number
        answer = self._client.query(pack(Query.DEPTH, instrument=number, limit=LEVELS))
        levels: dict[int, list[tuple[int, int]]] = {Side.BUY: [], Side.SELL: []}
        last = 0
        for record in split(bytes(answer.records)):
            words = unpack(record)
            if words["kind"] == Query.BOOK_ANSWER:
                last = words["last_price_ticks"]
            else:
                levels[words["side"]].append((words["price_ticks"], words["quantity_lots"]))
        return Standing(
            seq=answer.seq,
            last_ticks=last,
            bids=levels[Side.BUY],
            asks=levels[Side.SELL],
            minutes=history.past_minutes(market, seq=answer.seq, time_us=time_us),
        )

    def _see(self, plan: Plan, time_us: int) -> None:
        """Have the figures of a plan computed; raises Behind, FiguresMissing."""
        if not plan.figures:
            return
        desk = self._desk
        for ticker in plan.tickers:
            market = desk.sight.tickers.get(ticker)
            figures = [one for one in plan.figures if one.ticker == ticker]
            if market is None or not figures:
                continue
            # The market has taken all up to here; what it takes next comes on top.
            as_of, then_us = desk.seq, desk.time_us
            if market.seq > desk.seq:
                as_of, then_us = market.seq, time_us
            new = {one.interval for one in figures} - market.figures.intervals()
            past = {
                interval: history.past_candles(
                    market, INTERVALS[interval], seq=as_of, time_us=then_us
                )
                for interval in sorted(new)
            }
            desk.sight.add_figures(ticker, figures, past)

    def _add(
        self,
        run: RobotRun,
        plan: Plan,
        balances: dict[int, tuple[int, int]],
        balances_seq: int,
        after_seq: int,
        *,
        killed: bool = False,
        is_late: bool = False,
    ) -> None:
        """Put a run to the desk as it was kept; one that is late hears what it has missed."""
        name = self._name(run)
        orders = services.open_lines(run.pk)
        hands: LiveHands | PaperHands
        missed: Iterable[Heard] = ()
        if run.mode == RobotMode.PAPER:
            # What was kept is true up to the run's own seq, a new one to when it was asked.
            hands = self._paper_hands(run, plan, killed=killed, seq=run.seq or balances_seq)
            if is_late:
                missed = hands.switch(killed=killed, seq=balances_seq, time_us=self._desk.time_us)
                hands.seq = balances_seq
        else:
            outbox = keeping.read_outbox(run.outbox)
            if is_late:
                missed, outbox = self._missed(run, orders, outbox, after_seq)
            hands = LiveHands(
                run.robot.account_id,
                balances=balances,
                seq=balances_seq,
                outbox=outbox,
                tickers={order.client_order_id: order.ticker for order in orders},
            )
        bot = Bot(
            name,
            plan,
            hands,
            account=run.robot.account_id if run.mode == RobotMode.LIVE else 0,
            robot=run.robot.account_id if run.mode == RobotMode.PAPER else 0,
            prefix=services.prefix_of(run.robot, run.number),
            state=states.decode(run.state.encode()) if run.state else None,
            orders=orders,
            last=_last(run),
            active=run.robot.is_active,
            missed=missed,
        )
        self.runs[name] = run.pk
        self._desk.add(bot, after_seq=after_seq)

    def _missed(
        self, run: RobotRun, orders: Sequence[OrderLine], outbox: list[Sending], seq: int
    ) -> tuple[tuple[Heard, ...], list[Sending]]:
        """Return what a run's orders came to up to a seq, and what is still to be told."""
        names = [order.client_order_id for order in orders]
        rows = history.past_orders(run.robot.account_id, names, seq=seq)
        return unheard.news_of(orders, rows, self._desk.sight), unheard.untold(outbox, rows)

    def _paper_hands(self, run: RobotRun, plan: Plan, *, killed: bool, seq: int) -> PaperHands:
        sight = self._desk.sight
        seen = sight.tickers.get(plan.paper_ticker)
        if seen is None:
            named = ", ".join(plan.traded or plan.tickers) or "none"
            raise ValueError(f"on paper a rule trades one market; this names {named}")
        terms = {name: Decimal(text) for name, text in run.terms.items()}
        depth = terms.get("depth", seen.lot * 1000)
        return PaperHands(
            Terms(
                ticker=seen.ticker,
                cash=terms.get("cash", Decimal(10_000)),
                coins=terms.get("coins", Decimal(0)),
                depth=depth,
                queue=terms.get("queue", depth),
            ),
            seen,
            sight.codes[sight.cash_code],
            keeping.read_position(bytes(run.position)),
            killed=killed,
            seq=seq,
            limits=_limits(run),
            calendar=self._calendar,
        )


def _limits(run: RobotRun) -> RobotConfig:
    """Return the limits of a run's robot."""
    return msgspec.convert(run.robot.config, RobotConfig)


def _last(run: RobotRun) -> tuple[int, Code] | None:
    """Return step and code of the newest decision of a run."""
    row = (
        RuleDecision.objects.filter(run=run)
        .exclude(code=services.NOTICE)
        .order_by("-number")
        .first()
    )
    if row is None:
        return None
    found = msgspec.json.decode(row.text, type=Decision)
    return found.step, found.code
