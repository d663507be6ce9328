"""Which bots a desk has: takes in those of the rows, with what they need to see, and lets them go.

Promises: a bot is taken in at an entry of the journal that was made for it, so that its beginning
has a place in the order, and sees all that its rule names from there on. A market that is followed
already is not asked for again. What can't be taken in is told with its run, and tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

import msgspec

from fondaco.core.records import Command, Event, Query, Side, pack, split, unpack
from fondaco.house.robots import RobotConfig
from fondaco.identity.core_door import kind_of
from fondaco.journal.calendar import Calendar
from fondaco.link.blocking import BlockingClient
from fondaco.projections.bars import INTERVALS
from fondaco.robots.backtest.figures import FiguresMissing
from fondaco.robots.backtest.result import OrderLine
from fondaco.robots.bots import history, keeping, services
from fondaco.robots.bots.history import Behind
from fondaco.robots.models import Robot, RobotKind, RobotMode, RobotRun, RuleDecision, RuleOrder
from fondaco.robots.paper.hands import PaperHands, Terms
from fondaco.robots.rules import state as states
from fondaco.robots.rules.desk import Bot, Desk
from fondaco.robots.rules.live import LiveHands
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
        self._began: dict[str, int] = {}  # the seq after which a bot begins
        self._faults: dict[int, str] = {}

    def is_beginning(self) -> bool:
        """Say whether a new bot has looked for the first time, and nothing of it is kept yet."""
        bots = self._desk.bots
        return any(name in bots and bots[name].is_in for name in self._began)

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
            balances = seen.balances.get(run.robot.account_id)
            if not run.state or (run.mode == RobotMode.LIVE and balances is None):
                continue  # it has not begun, or came later than the checkpoint
            try:
                plan = plan_rule(read_rule(run.robot.rule))
                if all(ticker in seen.markets for ticker in plan.tickers):
                    self._see(plan, desk.time_us)
                    self._add(run, plan, balances or {}, desk.seq, max(run.seq, desk.seq))
            except UNREADABLE:
                continue  # look() tells of it
        desk.enter()

    # -- at work

    def look(self, stamp: Stamp) -> Iterator[tuple[int, str]]:
        """Take in and let go by the rows as they are; yield what can't be, with its run."""
        wanted = {self._name(run): run for run in self._wanted()}
        for name in [each for each in self._desk.bots if each not in wanted]:
            account = self._desk.bots[name].account
            self._desk.remove(name)
            if account:  # what it told last may have come in after all else was cancelled
                self._client.submit(pack(Command.CANCEL_ALL, account=account, instrument=0))
            self.runs.pop(name, None)
            self._began.pop(name, None)
        for name, run in wanted.items():
            bot = self._desk.bots.get(name)
            try:
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
        self._desk.enter()

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
        self._add(run, plan, balances, balances_seq, begun, killed=killed)
        if not run.state:
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
    ) -> None:
        """Put a run to the desk as it was kept."""
        name = self._name(run)
        rows = RuleOrder.objects.filter(run=run, is_open=True).order_by("pk")
        orders = [msgspec.json.decode(row.line, type=OrderLine) for row in rows]
        hands: LiveHands | PaperHands
        if run.mode == RobotMode.PAPER:
            # What was kept is true up to the run's own seq, a new one to when it was asked.
            hands = self._paper_hands(run, plan, killed=killed, seq=run.seq or balances_seq)
        else:
            hands = LiveHands(
                run.robot.account_id,
                balances=balances,
                seq=balances_seq,
                outbox=keeping.read_outbox(run.outbox),
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
        )
        self.runs[name] = run.pk
        self._desk.add(bot, after_seq=after_seq)

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
