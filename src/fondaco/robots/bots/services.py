"""Every write of rule bots' runs: beginning one, keeping what came of it, giving one up.

Promises: what a bot remembers, decided and ordered is one transaction with the seq up to which it
is true, so a restart between any two of its steps loses and doubles nothing; who has lost the lease
writes nothing. A run is never begun anew: another rule or another mode is another run, with order
ids of its own. The newest DECISIONS_MAX of a run are kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from django.db import transaction
from django.db.models import Q

from fondaco.robots.backtest.result import OrderLine, encode
from fondaco.robots.models import (
    Robot,
    RobotMode,
    RobotRun,
    RuleCheckpoint,
    RuleDecision,
    RuleOrder,
)
from fondaco.robots.rules.evaluator import PREFIX
from fondaco.robots.rules.state import CLOSED

__all__ = [
    "DECISIONS_MAX",
    "Kept",
    "begin_run",
    "keep",
    "keep_checkpoint",
    "keep_lines",
    "keep_newest",
    "left_open",
    "open_lines",
    "prefix_of",
    "tell_fault",
]

DECISIONS_MAX: Final = 10_000  # of a run; older ones go
_DROPPED_EVERY: Final = 200
NOTICE: Final = "NOTICE"
FAULT_LETTERS_MAX: Final = 500


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What has come of one run since it was kept last."""

    run: int
    state: str
    outbox: str
    position: bytes | None  # None: as before
    began: tuple[int, int] | None  # seq and time, when it has just begun
    decisions: tuple[tuple[int, str, str], ...]  # time, code, JSON or a notice's text
    orders: tuple[tuple[str, int, bool, str], ...]  # id, time, open, JSON


def prefix_of(robot: Robot, number: int) -> str:
    """Return what the client order ids of a run begin with: of the account's runs its own."""
    own = robot.pk if PREFIX.fullmatch(robot.pk) else f"a{robot.account_id}"
    return own if number == 1 else f"{own[:17]}-r{number}"


@transaction.atomic
def begin_run(
    robot: Robot, *, mode: str = RobotMode.LIVE, terms: Mapping[str, str] | None = None
) -> RobotRun:
    """Begin a run of a robot; the one before is over."""
    row = Robot.objects.select_for_update().filter(pk=robot.pk)
    row.update(changed_us=time.time_ns() // 1000)
    last = RobotRun.objects.filter(robot=robot).order_by("-number").first()
    if last is not None and last.mode == RobotMode.PAPER and last.state.isdigit():
        row.filter(locked_until_us=int(last.state)).update(locked_until_us=0)  # paper's own loss
    RobotRun.objects.filter(robot=robot, is_over=False).update(is_over=True)
    return RobotRun.objects.create(
        robot=robot,
        number=1 if last is None else last.number + 1,
        mode=mode,
        terms=dict(terms or {}),
    )


@transaction.atomic
def keep(found: Iterable[Kept], *, seq: int, confirm: Callable[[], None]) -> None:
    """Keep what came of runs, true up to a seq; a run that is gone is passed over.

    Raises what `confirm` does, if another has taken over; then nothing is kept.
    """
    confirm()
    for one in found:
        run = RobotRun.objects.select_for_update().filter(pk=one.run).first()
        if run is None:
            continue
        decisions = [
            RuleDecision(
                run=run, number=run.told + place, seq=seq, time_us=time_us, code=code, text=text
            )
            for place, (time_us, code, text) in enumerate(one.decisions, 1)
        ]
        changes: dict[str, Any] = {"state": one.state, "outbox": one.outbox, "seq": seq}
        if one.position is not None:
            changes["position"] = one.position
        if one.began is not None:
            changes["began_seq"], changes["began_us"] = one.began
        if decisions:
            changes["told"] = run.told + len(decisions)
        RobotRun.objects.filter(pk=run.pk).update(**changes)
        RuleDecision.objects.bulk_create(decisions)
        if decisions and changes["told"] // _DROPPED_EVERY != run.told // _DROPPED_EVERY:
            old = RuleDecision.objects.filter(run=run, number__lte=changes["told"] - DECISIONS_MAX)
            old.delete()
        RuleOrder.objects.bulk_create(
            [
                RuleOrder(
                    run=run, client_order_id=name, time_us=time_us, is_open=is_open, line=line
                )
                for name, time_us, is_open, line in one.orders
            ],
            update_conflicts=True,
            unique_fields=["run", "client_order_id"],
            update_fields=["is_open", "line"],
        )


@transaction.atomic
def keep_checkpoint(*, seq: int, time_us: int, seen: bytes, confirm: Callable[[], None]) -> None:
    """Keep what was seen of the markets, after all that came of it is kept; as keep()."""
    confirm()
    RuleCheckpoint.objects.update_or_create(
        pk=1, defaults={"seq": seq, "time_us": time_us, "seen": seen}
    )


@transaction.atomic
def keep_newest(found: Mapping[int, str], *, confirm: Callable[[], None]) -> None:
    """Keep what runs that wait saw last, decisions as JSON by run; as keep()."""
    if not found:
        return
    confirm()
    rows = [RobotRun(pk=run, newest=text) for run, text in found.items()]
    RobotRun.objects.bulk_update(rows, ["newest"], batch_size=100)


def open_lines(run: int) -> list[OrderLine]:
    """Return the orders of a run that are not over, as they were kept."""
    rows = RuleOrder.objects.filter(run=run, is_open=True).order_by("pk")
    return [msgspec.json.decode(row.line, type=OrderLine) for row in rows]


@transaction.atomic
def keep_lines(run: int, lines: Iterable[OrderLine]) -> None:
    """Keep how orders of a run that is over have ended; it may be said twice."""
    for line in lines:
        row = RuleOrder.objects.filter(run=run, client_order_id=line.client_order_id)
        row.update(is_open=line.status not in CLOSED, line=encode(line).decode())


def left_open() -> dict[int, int]:
    """Return the account of each live run that is over and has orders that are not."""
    is_over = Q(is_over=True) | Q(robot__closed_at__isnull=False)
    runs = RobotRun.objects.filter(is_over, mode=RobotMode.LIVE, orders__is_open=True)
    return dict(runs.values_list("pk", "robot__account_id"))


def tell_fault(run: int, text: str) -> None:
    """Note why a run can't work; "" if it can."""
    RobotRun.objects.filter(pk=run).update(fault=text[:FAULT_LETTERS_MAX])
