"""The open operations of one worker: driven by commands, by events, and found again by history.

Promises: an operation acts only under its client's lock; what it did is written before the lock is
given back. One that waits (for somebody to trade with, for a lock, for the writer) is tried again
ever later up to RETRY_S_MAX; one whose answer was lost waits until history tells what became of it,
and never sends another order instead. An operation that can't go on holds up no other.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import attrgetter
from typing import Final

from django.db import connection, transaction

from fondaco.core import client_ids, records
from fondaco.core.records import OrderStatus
from fondaco.identity import core_door
from fondaco.link.answers import LinkError, Overloaded
from fondaco.projections import selectors as history
from fondaco.robots.hub.locks import Held, Locks
from fondaco.robots.hub.papers import Papers
from fondaco.robots.hub.recalling import Past, hear, name_of, recall
from fondaco.robots.hub.roster import SHARES, Roster
from fondaco.robots.hub.steps import Step, Steps, act, client_id, give_up
from fondaco.robots.models import Decision, Operation

__all__ = ["RETRY_S_MAX", "Operations", "new_operation", "save_all"]

RETRY_S: Final = 0.25
RETRY_S_MAX: Final = 15.0
BATCH_MAX: Final = 500  # operations under lock at once: far less than a lock's time
FILLS_MAX: Final = 1000
PAPER_OVER: Final = "PAPER_OVER"  # note: the robot has been taken off paper
FIELDS: Final = (
    *("status", "fence", "spent", "bought", "bought_lots", "stop_ticks", "sold_lots"),
    *("proceeds", "tries", "is_selling", "sell_signal", "note", "buy_us", "closed_us"),
)
Status: Final = Operation.Status
# A signal may trigger thousands: one prepared statement for all is 20 times what the ORM's are.
_TABLE: Final = Operation._meta.db_table  # noqa: SLF001
_COLUMNS: Final = tuple(field.attname for field in Operation._meta.concrete_fields)  # noqa: SLF001
_DEFAULTS: Final = tuple(field.get_default() for field in Operation._meta.concrete_fields)  # noqa: SLF001
_MAKE: Final[Callable[..., Operation]] = Operation
_INSERT: Final = (
    f"INSERT INTO {_TABLE} ({', '.join(_COLUMNS)}) "  # noqa: S608 - its own names
    f"VALUES ({', '.join(['%s'] * len(_COLUMNS))})"
)
# A worker that stood still past the end of its share comes too late to write.
_UPDATE: Final = (
    f"UPDATE {_TABLE} SET {', '.join(f'{name} = %s' for name in FIELDS)} "  # noqa: S608
    "WHERE id = %s AND fence <= %s"
)
_CORRECT: Final = (
    f"UPDATE {Decision._meta.db_table} SET reason = %s, had = %s, needed = %s, refused = %s "  # noqa: S608, SLF001
    "WHERE signal = %s AND account = %s"
)
_ROW: Final = attrgetter(*_COLUMNS)
_CHANGED: Final = attrgetter(*FIELDS, "id", "fence")


def new_operation(**said: int | str | bool) -> Operation:
    """Return an operation that is not stored yet; fields in their places are quicker than named."""
    return _MAKE(*map(said.get, _COLUMNS, _DEFAULTS))


def save_all(ops: Iterable[Operation]) -> None:
    """Write operations, all or none: new ones whole, others as far as they change."""
    new: list[Operation] = []
    old: list[Operation] = []
    for op in ops:
        (new if op._state.adding else old).append(op)  # noqa: SLF001
    with transaction.atomic(), connection.cursor() as cursor:
        if new:
            cursor.executemany(_INSERT, [_ROW(op) for op in new])
        if old:
            cursor.executemany(_UPDATE, [_CHANGED(op) for op in old])
    for op in new:
        op._state.adding, op._state.db = False, connection.alias  # noqa: SLF001


def _end_paper(step: Step) -> None:
    op = step.op
    op.status = Status.CLOSED if op.bought_lots else Status.FAILED
    op.note, op.closed_us = PAPER_OVER, step.now_us


class Operations:
    def __init__(
        self, papers: Papers, roster: Roster, locks: Locks, now_us: Callable[[], int]
    ) -> None:
        self._papers = papers
        papers.on_order, papers.is_live, papers.on_end = self.hear, self.is_live, self.end_paper
        self._roster = roster
        self._locks = locks
        self._now_us = now_us
        self._steps: dict[str, Step] = {}
        self._of_account: dict[int, set[str]] = {}
        self._due: list[tuple[float, str]] = []
        self._delays: dict[str, float] = {}
        self._touched: set[str] = set()

    # ---- which

    def load(self, shares: Iterable[int]) -> None:
        """Take up the open operations of these shares; history tells how far each is."""
        wanted = set(shares)
        for op in Operation.objects.filter(status__lte=Status.AWAITING_SELL).order_by("started_us"):
            if op.account % SHARES in wanted and op.pk not in self._steps:
                step = self.add(op)
                if step is not None:
                    step.is_unsure = True
                    self._wait(step, 0)

    def drop(self, shares: Iterable[int]) -> None:
        """Let go of the operations of shares that are another's now."""
        gone = set(shares)
        for pk in [pk for pk, step in self._steps.items() if step.op.account % SHARES in gone]:
            self._forget(self._steps[pk])

    def add(self, op: Operation) -> Step | None:
        """Know an operation; None where its client or its market is gone."""
        client = self._roster.clients.get(op.account)
        market = self._roster.markets.get(op.symbol)
        if client is None or market is None:
            return None
        step = Step(op, client, market)
        self._steps[op.pk] = step
        self._of_account.setdefault(op.account, set()).add(op.pk)
        client.open.add(op.symbol)
        return step

    def of(self, account: int, symbol: str) -> Step | None:
        """Return the open operation of a client on a symbol."""
        for pk in self._of_account.get(account, ()):
            if self._steps[pk].op.symbol == symbol:
                return self._steps[pk]
        return None

    def is_live(self, account: int) -> bool:
        """Tell whether a client has an open operation in the house."""
        return any(not self._steps[pk].op.is_paper for pk in self._of_account.get(account, ()))

    def end_paper(self, account: int) -> None:
        """End the operations of a client whose run on paper is over."""
        for step in [self._steps[pk] for pk in self._of_account.get(account, ())]:
            if step.op.is_paper:
                step.now_us = self._now_us()
                _end_paper(step)
                save_all([step.op])
                self._forget(step)

    def give_up(self, step: Step) -> None:
        """End an operation that has bought nothing yet."""
        step.now_us = self._now_us()
        give_up(step)
        self._save([step])
        self._forget(step)

    def _forget(self, step: Step) -> None:
        op = step.op
        self._steps.pop(op.pk, None)
        self._delays.pop(op.pk, None)
        rest = self._of_account.get(op.account, set())
        rest.discard(op.pk)
        if not rest:
            self._of_account.pop(op.account, None)
        if not any(self._steps[pk].op.symbol == op.symbol for pk in rest):
            step.client.open.discard(op.symbol)

    # ---- doing

    def drive(self, steps: Iterable[Step], held: Mapping[int, Held]) -> None:
        """Take operations on as far as they go now, each under its client's lock; write it down."""
        going: list[tuple[Step, Steps, bytes]] = []
        done = list(steps)
        now_us = self._now_us()
        for step in done:
            step.now_us = now_us
            step.op.fence = held[step.op.account].fence
            acting = act(step, 0 if step.op.is_paper else step.op.fence)
            try:
                going.append((step, acting, next(acting)))
            except StopIteration:
                continue
        while going:
            answers = self._submit([record for _, _, record in going])
            self._roster.take(
                b"".join(
                    each
                    for (step, _, _), each in zip(going, answers, strict=True)
                    if isinstance(each, bytes) and not step.op.is_paper
                )
            )
            after = []
            for (step, acting, _), answer in zip(going, answers, strict=True):
                try:
                    after.append((step, acting, acting.send(answer)))
                except StopIteration:
                    continue
            going = after
        self._write(done)

    def _submit(self, commands: list[bytes]) -> list[bytes | LinkError]:
        try:
            return self._papers.submit_many(commands)
        except Overloaded as error:
            return [error] * len(commands)

    def _save(self, steps: list[Step]) -> None:
        """Write operations, and at their decisions what those have come to be: all or nothing."""
        corrected = [
            (*step.ended, step.signal, step.op.account) for step in steps if step.ended is not None
        ]
        with transaction.atomic():
            save_all([step.op for step in steps])
            self._papers.save([step.op.account for step in steps if step.op.is_paper])
            if corrected:
                with connection.cursor() as cursor:
                    cursor.executemany(_CORRECT, corrected)

    def _write(self, steps: list[Step]) -> None:
        self._save(steps)
        for step in steps:
            if not step.is_open:
                self._forget(step)
            elif step.is_unsure or step.wants_more:
                self._wait(step, self._delays.get(step.op.pk, RETRY_S))
            else:
                self._delays.pop(step.op.pk, None)

    def _wait(self, step: Step, delay_s: float) -> None:
        heapq.heappush(self._due, (time.monotonic() + delay_s, step.op.pk))
        self._delays[step.op.pk] = min(max(delay_s, RETRY_S) * 2, RETRY_S_MAX)

    def turn(self) -> None:
        """Go on with what is due."""
        for pk in self._touched:
            step = self._steps.get(pk)
            if step is not None:
                self._wait(step, 0)
        self._touched.clear()
        due: dict[str, Step] = {}
        while self._due and self._due[0][0] <= time.monotonic() and len(due) < BATCH_MAX:
            step = self._steps.get(heapq.heappop(self._due)[1])
            if step is not None:
                due[step.op.pk] = step
        unsure = [step for step in due.values() if step.is_unsure]
        if unsure:
            self._ask_history(unsure)
        ready = [step for step in due.values() if step.needs_act and not step.is_unsure]
        if ready:
            self._act(ready)

    def _act(self, ready: list[Step]) -> None:
        held = self._locks.take({step.op.account: step.op.robot for step in ready})
        try:
            for step in ready:
                if step.op.account not in held:
                    self._wait(step, self._delays.get(step.op.pk, RETRY_S))
            self.drive([step for step in ready if step.op.account in held], held)
        finally:
            self._locks.release(list(held.values()))

    # ---- hearing

    def hear(self, record: bytes) -> None:
        """Take note of what an order of a client's did; stops trade without being asked."""
        account = records.HEAD.unpack_from(record)[3]
        if account not in self._of_account:
            return
        words = records.unpack(record)
        pk, suffix = name_of(words)
        step = self._steps.get(pk)
        if step is None:
            return
        if step.is_unsure:
            step.unsure_seq = records.HEAD.unpack_from(record)[1]
        if not hear(step, core_door.kind_of(record), words, suffix):
            return
        is_over = OrderStatus(words["status"]) is OrderStatus.FILLED
        if is_over or step.op.is_paper:  # history knows no paper, so what it did is written now
            self._save([step])
        if is_over and not step.is_open:
            self._forget(step)
        else:
            self._touched.add(pk)

    # ---- finding again

    def _ask_history(self, steps: list[Step]) -> None:
        """Learn what became of operations whose answers were lost, once history reaches so far."""
        steps = self._are_told(steps)
        with transaction.atomic():
            for step in steps:
                step.now_us, step.unsure_seq = self._now_us(), 0
                if not step.op.is_paper:
                    recall(step, partial(self._past, step.op))
                elif step.op.account in self._papers:
                    recall(step, partial(self._past_on_paper, step.op))
                else:  # it went live while nobody looked
                    _end_paper(step)
            save_all([step.op for step in steps])
            paper = [step.op.account for step in steps if step.op.is_paper]
            self._papers.confirm(paper)
        for step in steps:
            if not step.is_open:
                self._forget(step)
        self._papers.catch_up(paper)

    def _are_told(self, steps: Iterable[Step]) -> list[Step]:
        """Return those of whom history tells all that we know; the others wait.

        It follows a busy house at a distance: it need only have come to where the answer was lost,
        and to what was heard of the operation since. It must not know more than we do of what the
        client has.
        """
        seq, found = history.cursor().seq, []
        for step in steps:
            step.unsure_seq = step.unsure_seq or self._roster.seq
            if step.unsure_seq > seq:
                self._wait(step, RETRY_S)
            elif seq > self._roster.seq:
                self._wait(step, 0)
            else:
                found.append(step)
        return found

    def _past_on_paper(self, op: Operation, suffix: str) -> Past | None:
        return self._papers.past(op.account, client_id(op, suffix))

    def _past(self, op: Operation, suffix: str) -> Past | None:
        words = client_ids.encode(client_id(op, suffix))
        row = history.order_by_client_id(op.account, words)
        if row is None:
            return None
        return Past(
            row.status,
            row.filled_lots,
            row.filled_quote,
            row.updated_us,
            row.working_us,
            self._fees(op, row),
        )

    def _fees(self, op: Operation, row: history.OrderRow) -> dict[int, int]:
        fees: dict[int, int] = {}
        for fill in history.my_trades(
            op.account, op.instrument, order_id=row.order_id, limit=FILLS_MAX
        ):
            fees[fill.fee_asset] = fees.get(fill.fee_asset, 0) + fill.fee
        return fees
