"""What a robot by signals has on paper, for whoever asks as they would ask the house's core.

Promises: core_of() gives what answers for a robot, the house's core or its own exchange as its row
has it; of one that has not begun yet, what it will begin with. Nothing is written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Final

import msgspec

from fondaco.core import records
from fondaco.core.money import parse_units
from fondaco.core.records import AssetBody, Event
from fondaco.identity import core_door
from fondaco.link.answers import Answer
from fondaco.robots.models import Robot, RobotKind, RobotMode, RobotRun
from fondaco.robots.paper.exchange import PaperExchange, PaperState
from fondaco.robots.services import terms_of

__all__ = ["UNREADABLE", "core_of", "money_of", "run_of", "stands"]


UNREADABLE: Final = (ValueError, msgspec.MsgspecError)  # of another version of the core


class _OnPaper:
    def __init__(self, exchange: PaperExchange, state: PaperState) -> None:
        self._exchange = exchange
        self._state = state

    def query(self, record: bytes) -> Answer:
        return self._exchange.query(self._state, record)


def run_of(robot: Robot) -> RobotRun | None:
    """Return the run on paper that a robot by signals is at, None if it is live."""
    if robot.kind != RobotKind.SIGNAL:
        return None
    return RobotRun.objects.filter(robot=robot, is_over=False, mode=RobotMode.PAPER).first()


def money_of(run: RobotRun, assets: Iterable[AssetBody]) -> dict[int, int]:
    """Return what a run on paper begins with, (asset -> units). Raises ValueError."""
    known = {each.code: each for each in assets}
    unknown = [code for code in run.terms if code not in known]
    if unknown:
        raise ValueError(f"the house has no {unknown[0]}")
    return {
        known[code].number: parse_units(text, known[code].decimals)
        for code, text in run.terms.items()
    }


def _begun(exchange: PaperExchange, run: RobotRun) -> _OnPaper:
    state = msgspec.msgpack.decode(bytes(run.position), type=PaperState)
    found = _OnPaper(exchange, state)
    found.query(records.pack(records.Query.BALANCES, account=state.account))
    return found


def stands(runs: Iterable[RobotRun]) -> dict[int, dict[str, int]]:
    """Return by account how the robots by signals among these stand on paper, as Event.ROBOT says.

    One that has not begun yet is left out, and so is one of another version of the core.
    """
    exchange = PaperExchange({}, {})
    found = {}
    for run in runs:
        is_ours = run.robot.kind == RobotKind.SIGNAL and run.mode == RobotMode.PAPER
        if not is_ours or not run.position:
            continue
        account = run.robot.account_id
        asked = records.pack(records.Query.ROBOTS, account=account)
        with contextlib.suppress(*UNREADABLE):
            for record in records.split(bytes(_begun(exchange, run).query(asked).records)):
                if core_door.kind_of(record) == Event.ROBOT:
                    found[account] = records.unpack(record)
    return found


def core_of(core: core_door.Core, robot: Robot, *, cash: str) -> core_door.Asked:
    """Return what answers for a robot, in a house of this cash.

    For one whose exchange is of another version of the core, what it would begin anew with. Raises
    ValueError for money that can't be.
    """
    run = run_of(robot)
    if run is None:
        return core
    if run.position:
        with contextlib.suppress(*UNREADABLE):
            return _begun(PaperExchange({}, {}), run)
    assets: dict[int, AssetBody] = {}
    for kind, record in core_door.definitions(core):
        if kind == Event.ASSET:
            body = msgspec.msgpack.decode(records.unpack_body(record), type=AssetBody)
            assets[body.number] = body
    exchange = PaperExchange(assets, {})
    terms = terms_of(robot, next(each for each in assets.values() if each.code == cash))
    money = money_of(run, assets.values())
    return _OnPaper(exchange, exchange.open(robot.account_id, terms, money))
