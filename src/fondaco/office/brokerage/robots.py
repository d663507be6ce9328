"""Robots of the house beside strategies that run elsewhere: each is one, told by the ledger.

Promises: a robot that opens is followed from its first posting on, one that is closed is put away
with its record; the work of a turn has a bound, and several processes may do it at once.
"""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import IntegrityError

from fondaco.robots.models import Robot
from fondaco.strategies import ledger, services
from fondaco.strategies.models import BrokerageAccount, LedgerState

__all__ = ["follow_robots"]

AT_ONCE_MAX: Final = 50  # accounts a turn; who waited longest comes first


def follow_robots() -> int:
    """Follow the accounts of robots through the minutes that are over; return the reports made."""
    house = ledger.house_of(settings.CASH)
    if house is None:
        return 0
    known = BrokerageAccount.objects.exclude(robot="")
    for robot in Robot.objects.filter(closed_at__isnull=True).exclude(pk__in=known.values("robot")):
        try:
            services.add_robot(robot.member, robot.pk, number=robot.account_id)
        except IntegrityError:
            continue  # another process did
    live = known.filter(archived_at__isnull=True)
    due = LedgerState.objects.filter(account__in=live, minute_us__lt=house.end_us)
    told = 0
    for state in due.select_related("account").order_by("minute_us", "pk")[:AT_ONCE_MAX]:
        told += ledger.follow(state, house)
    closed = Robot.objects.filter(closed_at__isnull=False, pk__in=live.values("robot"))
    for robot_id in closed.values_list("pk", flat=True):
        services.end_robot(robot_id)
    return told
