"""Every read of rule bots' runs: how one stands, its orders, and its reasons in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from fondaco.identity.models import Member
from fondaco.robots.bots.services import NOTICE
from fondaco.robots.models import Robot, RobotKind, RobotRun, RuleDecision, RuleOrder
from fondaco.robots.rules import state as states
from fondaco.robots.rules.plan import Plan, plan_rule
from fondaco.robots.rules.reasons import tell
from fondaco.robots.rules.state import Decision, State
from fondaco.robots.rules.validation import RuleError, read_rule

__all__ = [
    "ORDERS_SHOWN",
    "bot_of",
    "current_run",
    "current_runs",
    "decision_words",
    "decisions",
    "newest_words",
    "order_words",
    "orders",
    "plan_of",
    "state_of",
]

ORDERS_SHOWN: Final = 100
DECISIONS_SHOWN: Final = 100


def bot_of(member: Member, name: str) -> Robot | None:
    """Return a rule bot of the member that is not closed."""
    rows = Robot.objects.select_related("member", "account")
    return rows.filter(pk=name, member=member, kind=RobotKind.RULE, closed_at=None).first()


def current_run(robot: Robot) -> RobotRun | None:
    """Return the run that a robot is at."""
    return RobotRun.objects.filter(robot=robot, is_over=False).order_by("-number").first()


def current_runs(robots: Iterable[Robot]) -> dict[str, RobotRun]:
    """Return the runs that robots are at, by the robot."""
    rows = RobotRun.objects.filter(robot__in=list(robots), is_over=False)
    return {run.robot_id: run for run in rows.select_related("robot").order_by("number")}


def plan_of(robot: Robot) -> Plan | None:
    """Return the plan of a robot's rule, None if it can't be read."""
    try:
        return plan_rule(read_rule(robot.rule))
    except RuleError:
        return None


def state_of(run: RobotRun | None) -> State:
    """Return where a run stands; one that has not begun is at its beginning."""
    return states.decode(run.state.encode()) if run is not None and run.state else State()


def orders(run: RobotRun, limit: int = ORDERS_SHOWN) -> list[dict[str, Any]]:
    """Return the orders of a run, newest first, amounts as text."""
    rows = RuleOrder.objects.filter(run=run).order_by("-pk")[:limit]
    return [order_words(row) for row in rows]


def order_words(row: RuleOrder) -> dict[str, Any]:
    """Return an order as the API shows it."""
    found: dict[str, Any] = msgspec.json.decode(row.line)
    return found


def decisions(run: RobotRun, limit: int = DECISIONS_SHOWN) -> list[RuleDecision]:
    """Return what a run decided, newest first."""
    return list(RuleDecision.objects.filter(run=run).order_by("-number")[:limit])


def decision_words(row: RuleDecision, plan: Plan | None) -> dict[str, Any]:
    """Return a decision as the API shows it: time, step, code, reason, and the numbers used."""
    if row.code == NOTICE:
        return {"time": row.time_us // 1000, "step": None, "code": NOTICE, "reason": row.text}
    found = msgspec.json.decode(row.text, type=Decision)
    looks = [
        {"path": one.path, "a": _number(one.a), "b": _number(one.b), "truth": one.truth}
        for one in found.looks
    ]
    reason = found.detail or found.code
    if plan is not None and found.step < len(plan.steps):
        reason = tell(plan, found)
    return {
        "time": found.time_us // 1000,
        "step": found.step,
        "code": str(found.code),
        "reason": reason,
        "looks": looks,
    }


def newest_words(run: RobotRun, plan: Plan | None) -> dict[str, Any] | None:
    """Return what a rule that waits saw last; None where what it decided since says more."""
    if not run.newest or plan is None:
        return None
    state, found = state_of(run), msgspec.json.decode(run.newest, type=Decision)
    told = RuleDecision.objects.filter(run=run).order_by("-number").first()
    if state.phase != "WAITING" or found.step != state.step:
        return None
    if told is not None and told.time_us > found.time_us:
        return None
    row = RuleDecision(run=run, time_us=found.time_us, code=str(found.code), text=run.newest)
    return decision_words(row, plan)


def _number(number: object) -> str | None:
    return (
        None if number is None else f"{number:f}" if not isinstance(number, float) else repr(number)
    )
