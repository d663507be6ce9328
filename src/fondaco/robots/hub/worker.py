"""The hub in a worker: each signal judged for this worker's clients, triggered ones set going.

Promises: every client of the house has one decision at each signal, with its reason, stored with
the mark of how far the share was judged, so that a crash neither judges twice nor leaves one out.
Clients are judged with all that was committed before. Who triggers is locked first; a busy lock is
waited for LOCK_WAIT_S, then the reason is LOCKED. An operation is stored before its first order.
What fails for one client is told on stderr and holds up no other.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from django.db import DatabaseError, close_old_connections, connection, connections, transaction

from fondaco.core.records import Side
from fondaco.house.declared import House
from fondaco.journal.calendar import Calendar
from fondaco.link.address import writer_socket
from fondaco.link.answers import LinkError
from fondaco.link.blocking import BlockingClient, Subscription
from fondaco.robots.hub import services
from fondaco.robots.hub.judging import (
    COIN_TOO_LOW,
    LOCKED,
    OPERATION_OPEN,
    SYMBOL_NOT_CHOSEN,
    TRIGGERED,
    Client,
    Look,
    Reason,
    Verdict,
    judge,
)
from fondaco.robots.hub.locks import Held, Keys, Locks, make_keys
from fondaco.robots.hub.operations import Operations, new_operation, save_all
from fondaco.robots.hub.papers import Papers
from fondaco.robots.hub.roster import Roster, share_of
from fondaco.robots.hub.shares import Shares
from fondaco.robots.hub.steps import Step
from fondaco.robots.models import Decision, HubCursor, Operation, Robot, Signal

__all__ = ["LOCK_WAIT_S", "Hub", "start"]

FORGET_S: Final = 60.0  # between two looks for what is old
LOCK_WAIT_S: Final = 1.0
LOCK_TURN_S: Final = 0.05
POLL_S: Final = 0.05
REFRESH_S: Final = 0.5  # how soon a switch to paper, or from it, is seen; signals see all at once
RETRY_S: Final = 1.0
CATCH_UP_S: Final = 2.0  # how long a signal waits for the events of what was committed before
TRIGGERED_MAX: Final = 1_000  # clients of one transaction that are locked at once
DECISIONS_MAX: Final = 20_000  # of one transaction: others of this machine have to write, too
SIGNALS_MAX: Final = 20  # judged before leases, alerts and waiting operations have their turn
ROWS_MAX: Final = 500  # named in one statement
COMMITS_MAX: Final = 500  # read before signals are looked for
INSERT: Final = (
    f"INSERT INTO {Decision._meta.db_table} "  # noqa: S608, SLF001 - its own name
    "(signal, account, time_us, side, reason, had, needed, price_ticks) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
)
INSERT_PAPER: Final = INSERT.replace(") VALUES (", ", is_paper) VALUES (%s, ")
AWAITING_BUY: Final = Operation.Status.AWAITING_BUY
AWAITING_SELL: Final = Operation.Status.AWAITING_SELL
Row = tuple[int, int, int, int, int, int, int, int]


def start(house: House, data_dir: Path, stop: threading.Event, *, redis_url: str) -> None:
    """Run the hub in a thread of its own, until `stop`."""
    hub = Hub(house, writer_socket(data_dir), stop, make_keys(redis_url))
    threading.Thread(target=hub.run, name="hub", daemon=True).start()


class LostShare(Exception):
    """A share is another worker's by now: what was judged for it is not stored."""


class Hub:
    def __init__(
        self,
        house: House,
        writer: Path,
        stop: threading.Event,
        keys: Keys,
        *,
        core: BlockingClient | None = None,
    ) -> None:
        """Prepare; `core` stands for the connection in tests and measurements."""
        self._house = house
        self._stop = stop
        self._client = core or BlockingClient(writer, role="hub")
        self._locks = Locks(self._client, keys, succeeds=True)
        self._calendar = Calendar(house.house.time_zone)
        self._is_test_clock = house.house.clock == "test"
        self.look_s = POLL_S  # between two looks into the tables, however busy the market is
        self._look_at_s = 0.0
        self.refresh_s = REFRESH_S
        self._refresh_at_s = 0.0
        self._forget_at_s = 0.0
        self.shares = Shares()

    def run(self) -> None:
        """Work until told to stop; what breaks the connection or the database is tried again."""
        try:
            while not self._stop.is_set():
                try:
                    close_old_connections()
                    self._client.wait_until_connected(RETRY_S)
                    self._work()
                except (LinkError, DatabaseError, OSError) as error:
                    print(f"fondaco: hub: {error}", file=sys.stderr)  # noqa: T201
                    connections.close_all()
                    self._stop.wait(RETRY_S)
        except BaseException as error:
            if not self._stop.is_set():  # a fault of ours: say it, and let the worker begin anew
                print(f"fondaco: hub: {error!r}", file=sys.stderr)  # noqa: T201
                os._exit(1)
            raise
        finally:
            self._end()

    def _end(self) -> None:
        try:
            self.shares.release()
        except DatabaseError as error:  # then they run out by themselves
            print(f"fondaco: hub: {error}", file=sys.stderr)  # noqa: T201
        finally:
            self._client.close()
            connections.close_all()

    def now_us(self) -> int:
        """Return the house's time."""
        if self._is_test_clock:
            return int(self._client.status()["time_us"])
        return time.time_ns() // 1000

    # ---- one connection

    def _work(self) -> None:
        roster = Roster(self._house, self._client)
        roster.load()
        self.follow(roster)
        while not roster.clients:  # a house without robots: its events are nothing to us
            if self._stop.is_set():
                return
            self.turn(None)
            roster.refresh()
        with self._client.subscribe(-1) as subscription:
            roster = Roster(self._house, self._client)
            roster.load()
            self.follow(roster)
            self._load(set(self.shares.fences))  # those that are lost by now go at the first turn
            self._roster.seq = subscription.writer_seq
            while not self._stop.is_set():
                self.turn(subscription)

    def follow(self, roster: Roster) -> None:
        """Work with these clients from now on."""
        self._roster = roster
        self._papers = Papers(self._client, roster, self._calendar, self.now_us)
        self._operations = Operations(self._papers, roster, self._locks, self.now_us)

    def _load(self, shares: set[int]) -> None:
        self._operations.load(shares)
        self._papers.load(shares)

    def turn(self, subscription: Subscription | None) -> None:
        """Do once what there is to do."""
        came, went = self.shares.turn()
        self._operations.drop(went)
        self._papers.drop(went)
        if came:
            self._locks.begin_anew()
            self._load(came)
        if subscription is None:
            self._stop.wait(POLL_S)
        else:
            self._follow(subscription, POLL_S)
        held = self.shares.held
        if not held or time.monotonic() < self._look_at_s:
            return
        self._look_at_s = time.monotonic() + self.look_s
        if time.monotonic() >= self._refresh_at_s:
            self._refresh_at_s = time.monotonic() + self.refresh_s
            self._refresh(held)
        if 0 in held:
            self._care()
        for _ in range(SIGNALS_MAX):
            pending = self._pending(held)
            if pending is None:
                break
            self._refresh(held)
            if subscription is not None:
                self._catch_up(subscription)
            try:
                self.judge_signal(*pending)
            except LostShare as lost:
                print(f"fondaco: hub: {lost}", file=sys.stderr)  # noqa: T201
                return
        self._operations.turn()

    def _refresh(self, held: set[int]) -> None:
        """Follow what people have changed."""
        self._roster.refresh()
        self._papers.refresh(held)

    def _care(self) -> None:
        """Do what one worker of all does: read alerts, and let go of what is old."""
        settings = self._house.house
        services.settle_alerts(settings.cash, settings.signal_age_s_max)
        if time.monotonic() >= self._forget_at_s:
            self._forget_at_s = time.monotonic() + FORGET_S
            services.forget_old(services.wall_us())

    def _follow(self, subscription: Subscription, timeout_s: float) -> None:
        commits = subscription.waiting(COMMITS_MAX, timeout_s)
        for commit in commits:
            self._roster.take(commit.events, self._operations.hear)
            self._roster.seq = commit.last_seq
        self._papers.turn()

    def _catch_up(self, subscription: Subscription) -> None:
        """Know every commit that was before now."""
        seq = int(self._client.status()["seq"])
        deadline = time.monotonic() + CATCH_UP_S
        while self._roster.seq < seq and time.monotonic() < deadline:
            self._follow(subscription, LOCK_TURN_S)

    # ---- judging

    def _pending(self, held: set[int]) -> tuple[Signal, list[int]] | None:
        """Return the oldest signal that a share of ours has not judged, and those shares."""
        done = dict.fromkeys(held, 0)
        done.update(HubCursor.objects.filter(share__in=held).values_list("share", "signal"))
        least = min(done.values())
        row = Signal.objects.filter(pk__gt=least).order_by("pk").first()
        if row is None:
            return None
        return row, [share for share, signal in done.items() if signal < row.pk]

    def judge_signal(self, signal: Signal, shares: list[int]) -> None:
        """Judge a signal for all clients of some shares, and set going whom it triggers."""
        now_us = self.now_us()
        roster = self._roster
        roster.forget_past(now_us)
        look = roster.look(signal.pk, signal.symbol, signal.strength, now_us=now_us)
        look = look._replace(too_late=self._too_late(signal))
        clients = roster.of_shares(shares, member=signal.member)
        done = self._done_in_part(signal, shares)
        if done:
            clients = [
                each for each in clients if each.account > done.get(share_of(each.account), 0)
            ]
        rows: list[Row] = []
        triggered: list[Client] = []
        left = len(clients)
        number, side, ticks = look.signal, look.side, look.price_ticks
        for client in clients:
            left -= 1
            verdict = judge(client, look)
            if verdict[0] != TRIGGERED:
                reason, had, needed = verdict
                if reason == COIN_TOO_LOW and look.symbol in client.open:
                    self._end_purchase(client, look)
                rows.append((number, client.account, now_us, side, reason, had, needed, ticks))
            else:
                triggered.append(client)
            if left and (len(triggered) == TRIGGERED_MAX or len(rows) == DECISIONS_MAX):
                self._store_and_start(look, rows, triggered, shares, is_last=False)
                rows, triggered = [], []
        self._store_and_start(look, rows, triggered, shares, is_last=True)

    def _end_purchase(self, client: Client, look: Look) -> None:
        """End a purchase that waits for somebody to buy from: a signal says to sell by now."""
        step = self._operations.of(client.account, look.symbol)
        if step is None or step.op.status != AWAITING_BUY:
            return
        if step.is_unsure:  # what it has bought by what history tells is sold
            step.op.is_selling, step.op.sell_signal = True, look.signal
        else:
            self._operations.give_up(step)

    def _too_late(self, signal: Signal) -> Verdict | None:
        """Return the verdict for all on a signal that waited for too long, as without a worker."""
        age_s_max = self._house.house.signal_age_s_max
        age_s = (services.wall_us() - signal.received_us) // 1_000_000
        if age_s_max and age_s > age_s_max:
            return int(Reason.TOO_LATE), age_s, age_s_max
        return None

    def _done_in_part(self, signal: Signal, shares: list[int]) -> dict[int, int]:
        """Return up to which account of a share this was judged before a crash cut it short."""
        rows = HubCursor.objects.filter(share__in=shares, part_signal=signal.pk)
        return dict(rows.values_list("share", "part_account"))

    def _store_and_start(
        self,
        look: Look,
        rows: list[Row],
        triggered: list[Client],
        shares: list[int],
        *,
        is_last: bool,
    ) -> None:
        held = self._lock(triggered)
        try:
            started: list[Step] = []
            for client in triggered:
                verdict = LOCKED
                if client.account in held:
                    verdict = judge(client, look)  # it may have changed while we waited
                if verdict[0] == TRIGGERED:
                    step = self._operation(client, look, verdict)
                    if isinstance(step, Step):
                        started.append(step)
                    else:
                        verdict = step
                rows.append(row_of(client, look, verdict))
            self._store(look, rows, started, shares, is_last=is_last)
            self._operations.drive(started, held)
        finally:
            self._locks.release(list(held.values()))

    def _lock(self, triggered: Sequence[Client]) -> dict[int, Held]:
        """Lock clients, waiting a moment for those that are busy."""
        wanted = {client.account: client.robot for client in triggered}
        held: dict[int, Held] = {}
        deadline = time.monotonic() + LOCK_WAIT_S
        while wanted:
            held |= self._locks.take(wanted)
            wanted = {account: robot for account, robot in wanted.items() if account not in held}
            if not wanted or time.monotonic() >= deadline:
                break
            self._stop.wait(LOCK_TURN_S)
        return held

    def _operation(self, client: Client, look: Look, verdict: Verdict) -> Step | Verdict:
        """Begin an operation, or have the open one sell; else return why there is none."""
        sells = look.side == Side.SELL
        if sells:
            step = self._operations.of(client.account, look.symbol)
            if step is not None and (step.is_unsure or step.op.status == AWAITING_SELL):
                if step.op.is_selling:  # an earlier signal, or its stop, is at it already
                    return OPERATION_OPEN
                # Whether an unsure one has bought, history tells before anything is sold.
                step.op.is_selling, step.op.sell_signal = True, look.signal
                return step
            if step is not None:
                self._operations.give_up(step)
        market = self._roster.markets[look.symbol]
        status = AWAITING_SELL if sells else AWAITING_BUY
        begun = self._operations.add(
            new_operation(
                id=f"{look.signal}-{client.account}",
                account=client.account,
                robot=client.robot,
                symbol=look.symbol,
                instrument=market.body.number,
                status=status,
                available=0 if sells else verdict[1],
                is_selling=sells,
                sell_signal=look.signal if sells else 0,
                started_us=look.now_us,
                is_paper=client.is_paper,
            )
        )
        return SYMBOL_NOT_CHOSEN if begun is None else begun

    def _store(
        self, look: Look, rows: list[Row], started: list[Step], shares: list[int], *, is_last: bool
    ) -> None:
        """Write decisions, operations and how far the shares are, all or nothing."""
        with transaction.atomic():
            lost = self.shares.lost(shares)
            if lost:
                raise LostShare(f"shares {lost} are another worker's by now")
            paper = [(*row, True) for row in rows if row[1] in self._papers]
            house = rows if not paper else [row for row in rows if row[1] not in self._papers]
            with connection.cursor() as cursor:
                cursor.executemany(INSERT, house)
                if paper:
                    cursor.executemany(INSERT_PAPER, paper)
            save_all(step.op for step in started)
            for reason, until_us in (
                (Reason.DAY_STOP, self._roster.day_ends_us),
                (Reason.MONTH_STOP, self._roster.month_ends_us),
            ):
                stopped = [row[1] for row in rows if row[4] == reason]
                if stopped:
                    self._lock_until(stopped, until_us(look.now_us))
            mark = {"signal": look.signal} if is_last else _part(look, rows)
            HubCursor.objects.bulk_create(
                [HubCursor(share=share, **mark) for share in shares],
                update_conflicts=True,
                unique_fields=["share"],
                update_fields=list(mark),
            )

    def _lock_until(self, accounts: list[int], until_us: int) -> None:
        """Lock clients that have reached a loss limit; it ends by itself."""
        for first in range(0, len(accounts), ROWS_MAX):
            part = accounts[first : first + ROWS_MAX]
            Robot.objects.filter(account_id__in=part, locked_until_us__lt=until_us).update(
                locked_until_us=until_us, changed_us=services.wall_us()
            )
            self._papers.lock_until(part, until_us)
        for account in accounts:
            client = self._roster.clients[account]
            client.locked_until_us = max(client.locked_until_us, until_us)


def _part(look: Look, rows: list[Row]) -> dict[str, int]:
    """Return the mark of a piece: clients are judged in the order of their accounts."""
    return {"part_signal": look.signal, "part_account": max(row[1] for row in rows)}


def row_of(client: Client, look: Look, verdict: Verdict) -> Row:
    """Return the row of a decision."""
    return (
        look.signal,
        client.account,
        look.now_us,
        look.side,
        *verdict,
        look.price_ticks,
    )
