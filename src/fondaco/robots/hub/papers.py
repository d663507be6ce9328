"""One worker's robots on paper: judged as all others, trading in exchanges of their own.

Promises: no order of theirs reaches the house; its trades, books, clock and kill switches hold for
them. What a robot's exchange came to is written with its operations, all or nothing, and only over
what this worker has read or written last: of two workers one is told LostPaper and begins anew.
After a start the house's trades since are looked at before anything else is done for an operation.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from django.db import DatabaseError, connection, transaction

from fondaco.core import client_ids, records
from fondaco.core.records import HEAD, Event, Query
from fondaco.identity import core_door
from fondaco.journal.calendar import Calendar
from fondaco.link.answers import Invalid, LinkError
from fondaco.projections import selectors as history
from fondaco.robots.hub.judging import Client
from fondaco.robots.hub.locks import Many
from fondaco.robots.hub.recalling import Past
from fondaco.robots.hub.roster import BOOK, SHARES, Roster
from fondaco.robots.models import Robot, RobotRun
from fondaco.robots.paper.exchange import (
    LEVELS_MAX,
    Book,
    PaperExchange,
    PaperState,
    Stop,
    book_of,
)
from fondaco.robots.paper.standing import UNREADABLE, money_of
from fondaco.robots.services import terms_of

__all__ = ["LostPaper", "Papers"]

PAGE: Final = 1_000
NOTE_S: Final = 300.0  # between two times that is written up to which trade stops have waited
NO_STOP: Final = Stop(0, 0)
FAULT_LETTERS_MAX: Final = 500
_ACCOUNT_AT: Final = 3  # of a head
_ORDERS: Final = frozenset({int(Event.ORDER), int(Event.FILL), int(Event.CANCEL)})
_UPDATE: Final = (
    f"UPDATE {RobotRun._meta.db_table} "  # noqa: S608, SLF001 - its own name
    "SET position = %s, seq = seq + 1 WHERE id = %s AND seq = %s AND NOT is_over"
)
OnOrder = Callable[[bytes], None]


class LostPaper(DatabaseError):
    """Another worker has written what came of a robot: nothing of ours is."""


class Paper:
    """One robot on paper; `version` is of its row."""

    __slots__ = ("client", "is_caught_up", "is_changed", "run", "state", "version")

    def __init__(self, client: Client, run: RobotRun, state: PaperState) -> None:
        self.client = client
        self.run = run.pk
        self.version = run.seq
        self.state = state
        self.is_changed = False
        self.is_caught_up = not state.stops


class Papers:
    """The robots on paper of some shares."""

    def __init__(
        self, core: Many, roster: Roster, calendar: Calendar, now_us: Callable[[], int]
    ) -> None:
        self._core = core
        self._roster = roster
        self._calendar = calendar
        self._now_us = now_us
        self._exchange = PaperExchange(roster.assets, roster.instruments)
        self._papers: dict[int, Paper] = {}
        self._waiting: set[int] = set()  # accounts that have a live operation to end first
        self._stops: dict[int, dict[int, int]] = {}  # instrument -> account -> its stop's price
        self._highest: dict[int, int] = {}  # of an instrument's stops
        self._latest: dict[int, int] = {}  # the newest trade that was looked at
        self._noted_s = time.monotonic()
        self.on_order: OnOrder = lambda _record: None
        self.is_live: Callable[[int], bool] = lambda _account: False
        self.on_end: Callable[[int], None] = lambda _account: None

    def __contains__(self, account: int) -> bool:
        return account in self._papers

    # ---- which

    def load(self, shares: Iterable[int]) -> None:
        """Take up the robots on paper of these shares."""
        wanted = set(shares)
        for account, client in list(self._roster.clients.items()):
            if client.run and account % SHARES in wanted and account not in self._papers:
                self._waiting.add(account)
        self._begin_waiting()

    def drop(self, shares: Iterable[int]) -> None:
        """Let go of the robots of shares that are another's now."""
        gone = set(shares)
        for account in [each for each in self._papers if each % SHARES in gone]:
            self._let_go(account)
        self._waiting = {each for each in self._waiting if each % SHARES not in gone}

    def refresh(self, held: set[int]) -> None:
        """Follow what people have changed: which robots are on paper, and their limits."""
        for account in self._roster.take_changed():
            client = self._roster.clients.get(account)
            paper = self._papers.get(account)
            run = client.run if client is not None else 0
            if paper is not None and paper.run != run:
                self.on_end(account)
                self._let_go(account)
                paper = None
            if run and paper is None and account % SHARES in held:
                self._waiting.add(account)
            elif paper is not None:
                self._configure(paper, Robot.objects.get(account=account))
        self._begin_waiting()

    def _begin_waiting(self) -> None:
        for account in list(self._waiting):
            if self.is_live(account):
                continue
            self._waiting.discard(account)
            client = self._roster.clients.get(account)
            if client is not None and client.run:
                self._begin(client)

    def _begin(self, client: Client) -> None:
        """Take a robot up where it was, or open what it has on paper."""
        run = RobotRun.objects.select_related("robot").get(pk=client.run)
        try:
            if run.position:
                state = msgspec.msgpack.decode(bytes(run.position), type=PaperState)
                self._exchange.query(state, records.pack(Query.BALANCES, account=client.account))
            else:
                self.on_end(client.account)  # what is open is of a run before
                state = self._open(run)
        except UNREADABLE as error:
            client.is_active = False  # it holds up no other
            text = f"{error}; begin it anew" if run.position else str(error)
            RobotRun.objects.filter(pk=run.pk).update(fault=text[:FAULT_LETTERS_MAX])
            print(f"fondaco: robot {client.robot} on paper: {text}", file=sys.stderr)  # noqa: T201
            return
        paper = Paper(client, run, state)
        self._papers[client.account] = paper
        self._roster.begin_paper(client)
        for kind in (Query.BALANCES, Query.ROBOTS):
            asked = records.pack(kind, account=client.account)
            self._roster.take_paper(client, self._exchange.query(state, asked).records)
        if not run.position:
            paper.is_changed = True
            self.save([client.account])
            RobotRun.objects.filter(pk=run.pk).update(began_us=self._now_us(), fault="")
        self._configure(paper, run.robot)
        self._roster.ask(client)  # whether the house's kill switch is on
        self._take_kills()
        self._listen(paper)

    def _open(self, run: RobotRun) -> PaperState:
        """Open what a robot begins with, its coins at the price of their books; see _begin()."""
        money = money_of(run, self._roster.assets.values())
        terms = terms_of(run.robot, self._roster.cash)
        books = {
            body.base: number
            for number, body in sorted(self._roster.instruments.items(), reverse=True)
            if body.market == BOOK and body.quote == terms.cash and body.base in money
        }
        kept = {asset: units for asset, units in money.items() if asset not in books}
        state = self._exchange.open(run.robot.account_id, terms, kept)
        for asset, number in books.items():
            if money[asset]:
                ticks = self._roster.price_of(number)
                self._exchange.give(state, number, money[asset], ticks, self._now_us())
        return state

    def _let_go(self, account: int) -> None:
        paper = self._papers.pop(account)
        if self._roster.clients.get(account) is paper.client:
            self._roster.end_paper(paper.client)
        for number in list(self._stops):
            self._unlisten(number, account)

    def _configure(self, paper: Paper, robot: Robot) -> None:
        try:
            terms = terms_of(robot, self._roster.cash)
        except UNREADABLE:
            return  # the roster has told of it, and the robot acts on nothing
        if terms != self._exchange.terms_of(paper.state):
            self._heard(paper, self._exchange.configure(paper.state, terms, self._now_us()))
            self.save([paper.client.account])

    # ---- trading

    def submit_many(self, commands: Sequence[bytes]) -> list[bytes | LinkError]:
        """Send each command where its robot trades; the answers in their order."""
        if not self._papers:
            return self._core.submit_many(commands)
        papers = [self._papers.get(HEAD.unpack_from(each)[_ACCOUNT_AT]) for each in commands]
        house = [each for each, paper in zip(commands, papers, strict=True) if paper is None]
        answers = iter(self._core.submit_many(house) if house else ())
        return [
            next(answers) if paper is None else self._submit(paper, each)
            for each, paper in zip(commands, papers, strict=True)
        ]

    def _submit(self, paper: Paper, record: bytes) -> bytes | LinkError:
        number = records.unpack(record).get("instrument", 0)
        try:
            book = self._book(number)
        except LinkError as error:
            return error
        now_us = self._roll(paper)
        try:
            events = self._exchange.submit(paper.state, record, book, now_us)
        except ValueError as error:
            return Invalid(str(error))
        self._heard(paper, events)
        return events

    def _book(self, number: int) -> Book:
        """Return the house's book as it is now."""
        asked = records.pack(Query.DEPTH, instrument=number, limit=LEVELS_MAX)
        found = book_of(bytes(self._roster.core.query(asked).records))
        last = found.last_ticks or self._roster.price_of(number)
        return found._replace(last_ticks=last)

    def _roll(self, paper: Paper) -> int:
        """Tell a robot's exchange what day it is, before anything else happens in it."""
        now_us = self._now_us()
        today = self._calendar.day_of(now_us)
        self._heard(paper, self._exchange.roll(paper.state, now_us, today.day, today.month))
        return now_us

    def _heard(self, paper: Paper, events: bytes) -> None:
        """Know what a robot's exchange has said of it."""
        if events:
            paper.is_changed = True
            self._roster.take_paper(paper.client, events)
            self._listen(paper)

    # ---- the house's trades and switches

    def turn(self) -> None:
        """Let what the house has traded, and its kill switches, reach the robots on paper."""
        self._take_kills()
        for number, ticks, trade in self._roster.take_trades():
            self._latest[number] = trade
            if ticks > self._highest.get(number, 0):
                continue
            for account, stop in list(self._stops[number].items()):
                paper = self._papers[account]
                if ticks <= stop and trade > paper.state.stops[number].last_trade:
                    self._reach(paper, number, ticks, trade)
        if time.monotonic() >= self._noted_s + NOTE_S:
            self._noted_s = time.monotonic()
            self._note_trades()
        self._begin_waiting()

    def _take_kills(self) -> None:
        for account, killed in self._roster.take_kills():
            paper = self._papers.get(account)
            if paper is not None and paper.client.is_killed != killed:
                self._tell(paper, self._exchange.kill(paper.state, self._now_us(), on=killed))

    def _note_trades(self) -> None:
        """Write down up to which trade stops have waited, so that a start has few to read."""
        changed = []
        for number, trade in self._latest.items():
            for account in self._stops.get(number, ()):
                paper = self._papers[account]
                ticks, last = paper.state.stops[number]
                if last < trade:
                    paper.state.stops[number] = Stop(ticks, trade)
                    paper.is_changed = True
                    changed.append(account)
        with transaction.atomic():
            self.save(changed)

    def _reach(self, paper: Paper, number: int, ticks: int, trade: int) -> None:
        """Let a trade of the house reach a robot's stop."""
        book = self._book(number)
        now_us = self._roll(paper)
        try:
            events = self._exchange.trade(paper.state, number, ticks, trade, book, now_us)
        except ValueError as error:  # it holds up no other
            print(f"fondaco: robot {paper.client.robot} on paper: {error}", file=sys.stderr)  # noqa: T201
            return
        paper.is_changed = True
        self._tell(paper, events)

    @transaction.atomic
    def _tell(self, paper: Paper, events: bytes) -> None:
        """Have operations hear what a robot's exchange did; all of it is written, or nothing."""
        self._heard(paper, events)
        for record in records.split(events):
            if core_door.kind_of(record) in _ORDERS:
                self.on_order(record)
        self.save([paper.client.account])

    def _listen(self, paper: Paper) -> None:
        """Hear of the trades that a robot's stops wait for."""
        account = paper.client.account
        for number in [each for each in self._stops if each not in paper.state.stops]:
            self._unlisten(number, account)
        if not paper.is_caught_up:
            return
        for number, stop in paper.state.stops.items():
            stops = self._stops.setdefault(number, {})
            if stops.get(account) != stop.ticks:
                stops[account] = stop.ticks
                self._highest[number] = max(stops.values())
        self._roster.watched = self._stops.keys()

    def _unlisten(self, number: int, account: int) -> None:
        stops = self._stops[number]
        if stops.pop(account, None) is None:
            return
        if stops:
            self._highest[number] = max(stops.values())
        else:
            del self._stops[number], self._highest[number]
        self._roster.watched = self._stops.keys()

    def lock_until(self, accounts: Iterable[int], until_us: int) -> None:
        """Note that a loss on paper has locked these robots: the lock ends with the run."""
        runs = [paper.run for each in accounts if (paper := self._papers.get(each)) is not None]
        RobotRun.objects.filter(pk__in=runs).update(state=str(until_us))

    # ---- finding again

    def past(self, account: int, client_id: str) -> Past | None:
        """Return an order that stands in a robot's exchange; what was done is in its operation."""
        words = client_ids.encode(client_id)
        asked = records.pack(Query.OPEN_ORDERS, account=account, instrument=0)
        answer = self._exchange.query(self._papers[account].state, asked)
        for record in records.split(bytes(answer.records)):
            if core_door.kind_of(record) != Event.ORDER:
                continue
            found = records.unpack(record)
            if tuple(found[f"client_order_id_{place}"] for place in range(4)) == words:
                return Past(found["status"], 0, 0, found["time_us"], found["working_us"], {})
        return None

    def catch_up(self, accounts: Iterable[int]) -> None:
        """Look at the trades since robots' stops were last seen to, up to the roster's seq."""
        late = [
            paper
            for account in dict.fromkeys(accounts)
            if (paper := self._papers.get(account)) is not None and not paper.is_caught_up
        ]
        waiting: dict[int, list[Paper]] = {}
        for paper in late:
            paper.is_caught_up = True
            for number in paper.state.stops:
                waiting.setdefault(number, []).append(paper)
        for number, papers in waiting.items():
            self._read_since(number, papers)
        for paper in late:
            self._listen(paper)

    def _read_since(self, number: int, papers: list[Paper]) -> None:
        """Let the trades of a book reach the stops of these robots, each trade read once."""
        last = min(paper.state.stops[number].last_trade for paper in papers)
        highest = max(paper.state.stops[number].ticks for paper in papers)
        while page := history.trades(number, from_id=last + 1, limit=PAGE):
            rows = [row for row in page if row.seq <= self._roster.seq]
            for row in rows:
                if row.price_ticks > highest:
                    continue
                for paper in papers:
                    stop = paper.state.stops.get(number, NO_STOP)
                    if row.price_ticks <= stop.ticks and row.trade_id > stop.last_trade:
                        self._reach(paper, number, row.price_ticks, row.trade_id)
                highest = max(paper.state.stops.get(number, NO_STOP).ticks for paper in papers)
            if len(rows) < PAGE:
                return
            last = rows[-1].trade_id

    def confirm(self, accounts: Iterable[int]) -> None:
        """Raise LostPaper if a robot's row is another worker's, in the caller's transaction."""
        for account in accounts:
            if account in self._papers:
                self._papers[account].is_changed = True
        self.save(accounts)

    # ---- keeping

    def save(self, accounts: Iterable[int]) -> None:
        """Write what robots' exchanges came to, in the caller's transaction. Raises LostPaper."""
        changed = [
            paper
            for account in set(accounts)
            if (paper := self._papers.get(account)) is not None and paper.is_changed
        ]
        if not changed:
            return
        with connection.cursor() as cursor:
            for paper in changed:
                position = msgspec.msgpack.encode(paper.state)
                cursor.execute(_UPDATE, (position, paper.run, paper.version))
                paper.is_changed = False
                if cursor.rowcount == 1:
                    paper.version += 1
                elif not RobotRun.objects.filter(pk=paper.run, is_over=True).exists():
                    raise LostPaper(f"robot {paper.client.robot} on paper is another's by now")
