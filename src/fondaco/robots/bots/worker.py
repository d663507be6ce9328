"""The worker's part that runs the rule bots: follows the house, keeps, then tells the core.

Promises: of several workers one runs the bots at a time (a lease; a hint only, for an order that
two tell is one by its client order id), and another takes up where the last one's rows end. What a
bot decided is kept before the core hears of its orders. One bot whose rule can't be read, or whose
numbers aren't there yet, stops nobody. A lost connection, to the writer or to the database, is made
again; it doesn't end the worker.

After a start it goes on from its own checkpoint of the markets, so what happened meanwhile is seen
in its order and nothing is decided otherwise than if there had been no pause.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from django.db import DatabaseError, close_old_connections, connections

from fondaco.core.records import HEAD, Command, Query, pack, split
from fondaco.house.declared import House
from fondaco.journal.calendar import Calendar
from fondaco.link.address import writer_socket
from fondaco.link.answers import LinkError, Unanswered
from fondaco.link.blocking import BlockingClient, Subscription
from fondaco.robots.bots import backtests, keeping, services
from fondaco.robots.bots.history import Behind
from fondaco.robots.bots.roster import Roster
from fondaco.robots.holding import Held, LeaseLost, while_held
from fondaco.robots.models import RuleCheckpoint
from fondaco.robots.rules.desk import STAMP_S, Desk
from fondaco.robots.rules.live import LiveHands
from fondaco.robots.rules.sight import Sight

__all__ = ["RuleWorker", "start"]

COMMITS_MAX: Final = 256  # taken at a time: what is kept once
POLL_S: Final = 0.05
LOOK_S: Final = 0.5  # how soon a new bot, or a switch, is seen
CHECKPOINT_S: Final = 10.0
NEWEST_S: Final = 5.0  # how old the numbers of a rule that waits are told, of few bots
RETRY_S: Final = 1.0
NO_ORDER: Final = 1 << 62


def start(house: House, data_dir: Path, stop: threading.Event) -> list[threading.Thread]:
    """Start the bots' thread and the backtests'; they end soon after `stop`."""
    worker = RuleWorker(
        BlockingClient(writer_socket(data_dir), role="worker"),
        cash=house.house.cash,
        time_zone=house.house.time_zone,
        # A test clock moves by itself alone: only the house knows what time it is.
        now_us=(lambda: 1 << 62) if house.house.clock == "test" else _now_us,
    )
    thread = threading.Thread(target=worker.run, args=(stop,), name="rules", daemon=True)
    thread.start()
    return [thread, backtests.start(house, data_dir, stop)]


def _now_us() -> int:
    return time.time_ns() // 1000


class RuleWorker:
    """Runs the rule bots of a house until told to stop."""

    def __init__(
        self,
        client: BlockingClient,
        *,
        cash: str,
        time_zone: str = "UTC",
        now_us: Callable[[], int] = _now_us,
    ) -> None:
        self._client = client
        self._cash = cash
        self._calendar = Calendar(time_zone)
        self._now_us = now_us
        self._stamped_s = 0.0

    def run(self, stop: threading.Event) -> None:
        """Run the bots whenever no other worker does."""
        try:
            while_held("rules", stop, self._hold)
        finally:
            self._client.close()
            connections.close_all()

    def _hold(self, held: Held) -> None:
        while not held.is_set():
            try:
                self.serve(held)
            except LeaseLost:
                return  # another goes on from what was kept last
            except (LinkError, OSError, DatabaseError) as error:
                self._note(str(error))
                connections.close_all()
                held.wait(RETRY_S)

    def serve(self, held: Held) -> None:
        """Follow until the connection or the lease is lost."""
        close_old_connections()
        desk, roster, from_seq = self._begin()
        with self._client.subscribe(from_seq) as subscription:
            goal = max(subscription.writer_seq if from_seq >= 0 else 0, self._settled(desk))
            while desk.seq < goal and not held.is_set():  # what happened while nobody looked
                self._follow(desk, subscription)
                keeping.keep(desk, roster, held.confirm)
            look_s = checkpoint_s = newest_s = 0.0
            newest_seq = -1
            try:
                while not held.is_set():
                    self._follow(desk, subscription)
                    if time.monotonic() >= look_s:
                        self._look(roster)
                        look_s = time.monotonic() + LOOK_S
                    keeping.keep(desk, roster, held.confirm)
                    self._tell(desk)
                    self._stamp(desk)
                    if time.monotonic() >= newest_s and desk.seq != newest_seq:
                        keeping.keep_newest(desk, roster, held.confirm)
                        newest_s, newest_seq = time.monotonic() + NEWEST_S, desk.seq
                    if time.monotonic() >= checkpoint_s:
                        keeping.keep_checkpoint(desk, roster, held.confirm)
                        checkpoint_s = time.monotonic() + CHECKPOINT_S
            finally:
                if not held.lost.is_set():
                    keeping.keep_checkpoint(desk, roster, held.confirm)

    # -- beginning

    def _begin(self) -> tuple[Desk, Roster, int]:
        """Return a desk as it was kept, and the seq to follow from; -1: from now, for nobody."""
        desk, roster = self._empty()
        kept = RuleCheckpoint.objects.filter(pk=1).first()
        if kept is None or not kept.seq:
            return desk, roster, -1
        desk.seq, desk.time_us = kept.seq, kept.time_us
        try:
            roster.take_up(keeping.read_seen(kept))
        except Behind as error:
            raise OSError(str(error)) from error
        if not desk.bots:
            return *self._empty(), -1
        return desk, roster, kept.seq + 1

    def _empty(self) -> tuple[Desk, Roster]:
        """Return a desk with nobody, and who brings bots to it."""
        sight = Sight(self._cash)
        for record in split(bytes(self._client.query(pack(Query.DEFINITIONS)).records)):
            sight.define(int.from_bytes(record[:2], "little"), record)
        desk = Desk(sight, self._calendar.offset_s)
        return desk, Roster(desk, self._client, self._calendar)

    # -- at work

    def _follow(self, desk: Desk, subscription: Subscription) -> None:
        for commit in subscription.waiting(COMMITS_MAX, POLL_S):
            desk.take(commit.last_seq, commit.events)

    def _look(self, roster: Roster) -> None:
        """Take in what people have changed: new bots, switches, ends."""
        for run, text in roster.look(self._stamp_for):
            services.tell_fault(run, text)
            self._note(f"run {run}: {text}")

    def _tell(self, desk: Desk) -> None:
        """Tell the core what bots wish; what it makes of it comes with its events.

        Raises Unanswered when an answer was lost: who begins again hears first what became of it,
        for a refusal that is heard after the same was told again would be taken for the next one's.
        """
        due: list[tuple[LiveHands, bytes]] = []
        for bot in desk.wishing():
            hands = bot.hands
            assert isinstance(hands, LiveHands), "only live hands have something to tell"
            command = hands.next_command(desk.sight)
            if command is not None:
                due.append((hands, command))
        if not due:
            return
        answers = self._client.submit_many([command for _, command in due])
        for (hands, _), answer in zip(due, answers, strict=True):
            if isinstance(answer, Unanswered):
                raise answer
            if isinstance(answer, LinkError):
                hands.is_sent = False  # it was not done, and is told again

    def _stamp(self, desk: Desk) -> None:
        """Have the house say what time it is, when a bot waits for a time that may have come."""
        due_us = desk.next_alarm_us()
        if due_us is None or self._now_us() < due_us:
            return
        if time.monotonic() >= self._stamped_s + STAMP_S:
            self._stamped_s = time.monotonic()
            account = next((bot.account for bot in desk.bots.values() if bot.account), 0)
            self._stamp_for(account)

    def _settled(self, desk: Desk) -> int:
        """Return the seq by which all that was told before is in the journal; 0 if nothing was."""
        wishing = desk.wishing()
        return self._stamp_for(wishing[0].account)[0] if wishing else 0

    def _stamp_for(self, account: int) -> tuple[int, int]:
        """Make an entry of the journal that changes nothing; return its seq and time."""
        record = pack(Command.REDUCE_ORDER, account=account, instrument=1, order_id=NO_ORDER)
        events = self._client.submit(record)
        _, seq, time_us, _, _ = HEAD.unpack_from(events)
        return seq, time_us

    def _note(self, text: str) -> None:
        print(f"fondaco: rules: {text}", file=sys.stderr, flush=True)  # noqa: T201
