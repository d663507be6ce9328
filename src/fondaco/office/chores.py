"""What the office does by itself, beside the projector: payments, withdrawals, keys, notices.

Promises: each chore may be called at any time, by several processes at once, and goes on where it
stopped; one that fails is told on stderr and tried again at the next turn. It ends at `stop`.
What sends to the outside runs apart, so that a slow receiver holds up no money.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections

from fondaco.core.records import AssetBody
from fondaco.identity import services as identity
from fondaco.identity.core_door import CommandRefused
from fondaco.link.answers import LinkError
from fondaco.office import writer
from fondaco.office.billing.deliveries import deliver_due
from fondaco.office.billing.reminders import send_reminders, tell_ended
from fondaco.office.brokerage.alerts import watch_reports
from fondaco.office.brokerage.robots import follow_robots
from fondaco.office.notices.gathering import gather
from fondaco.office.notices.sending import forget_old, send_due
from fondaco.office.selectors import house_time
from fondaco.office.treasury import services as treasury
from fondaco.projections.selectors import asset_codes
from fondaco.robots import services as robots
from fondaco.strategies.retention import drop_old

__all__ = ["run", "turn"]

TURN_S: Final = 1.0
Chore = Callable[[], object]
EXPECTED: Final = (DatabaseError, OSError, LinkError, CommandRefused)


def run(stop: threading.Event) -> None:
    """Do what is due, every TURN_S, until told to stop."""
    threading.Thread(target=_repeat, args=(stop, sending), name="sending", daemon=True).start()
    _repeat(stop, chores)


def _repeat(stop: threading.Event, found: Callable[[], list[Chore]]) -> None:
    try:
        while not stop.wait(TURN_S):
            close_old_connections()
            turn(found())
    finally:
        connections.close_all()


def turn(due: list[Chore]) -> None:
    """Do what is due once."""
    for chore in due:
        try:
            chore()
        except EXPECTED as error:
            print(f"fondaco: {chore.__name__}: {error}", file=sys.stderr)  # noqa: T201


def sending() -> list[Chore]:
    """Return what sends to the outside."""
    return [send_due, send_reminders, forget_old]


def chores() -> list[Chore]:
    """Return what else there is to do in this house."""
    found: list[Chore] = [finish_money, finish_robots, end_keys, tell_ended, gather, drop_old]
    found += [watch_late, follow_robots]
    if settings.PAYMENTS.provider == "sandbox":
        found.append(deliver_due)
    return found


def watch_late() -> None:
    """Tell whose strategy is late, and whose is back, by the house's time."""
    watch_reports(clock=house_time)


def end_keys() -> None:
    """Revoke the API keys whose time is over, or whose member may not sign in."""
    identity.revoke_ended(writer.core())


def finish_money() -> None:
    """Send again money commands without an answer, and settle withdrawals that are due."""
    treasury.resume(writer.core())


def finish_robots() -> None:
    """Go on with the opening of robots that a crash or a lost answer left half done."""
    for number, (code, decimals) in asset_codes().items():
        if code == settings.CASH:
            cash = AssetBody(number=number, code=code, decimals=decimals)
            robots.resume(writer.core(), cash)
