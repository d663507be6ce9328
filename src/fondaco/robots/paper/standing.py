"""What a robot by signals has on paper, for whoever asks as they would ask the house's core.

Promises: core_of() gives what answers for a robot, the house's core or its own exchange as its row
has it; of one that has not begun yet, what it will begin with. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from fondaco.core import records
from fondaco.core.money import parse_units
from fondaco.core.records import AssetBody, Event
from fondaco.identity import core_door
from fondaco.link.answers import Answer
from fondaco.robots.models import Robot, RobotKind, RobotMode, RobotRun
from fondaco.robots.paper.exchange import PaperExchange, PaperState
from fondaco.robots.services import terms_of

__all__ = ["Asked", "core_of", "money_of", "run_of"]


class Asked(Protocol):
    """What answers questions: a client of the house's core, or a robot's exchange."""

    def query(self, record: bytes) -> core_door.Answer: ...


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


def core_of(core: core_door.Core, robot: Robot, *, cash: str) -> Asked:
    """Return what answers for a robot, in a house of this cash.

    Raises ValueError: what it has is of another version of the core, or can't be.
    """
    run = run_of(robot)
    if run is None:
        return core
    if run.position:
        state = msgspec.msgpack.decode(bytes(run.position), type=PaperState)
        found = _OnPaper(PaperExchange({}, {}), state)
        found.query(records.pack(records.Query.BALANCES, account=state.account))
        return found
    assets: dict[int, AssetBody] = {}
    for kind, record in core_door.definitions(core):
        if kind == Event.ASSET:
            body = msgspec.msgpack.decode(records.unpack_body(record), type=AssetBody)
            assets[body.number] = body
    exchange = PaperExchange(assets, {})
    terms = terms_of(robot, next(each for each in assets.values() if each.code == cash))
    money = money_of(run, assets.values())
    return _OnPaper(exchange, exchange.open(robot.account_id, terms, money))
