"""The page of a signal robot: money, switches, operations, and why it did what it did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from fondaco.identity.core_door import CommandRefused
from fondaco.identity.models import Member
from fondaco.link.answers import LinkError
from fondaco.office import writer
from fondaco.office.callers import address_of
from fondaco.office.robots import selectors, services
from fondaco.robots.hub import selectors as hub
from fondaco.robots.models import Robot
from fondaco.robots.services import RobotRefused

__all__ = ["signal_robot"]

DECISIONS_SHOWN: Final = 100


def signal_robot(request: HttpRequest, row: Robot, member: Member) -> HttpResponse:
    """Show a signal robot of the member's; a POST throws one of its switches."""
    if request.method == "POST":
        _switch(request, row, member)
        return redirect("robot", robot=row.pk)
    core = writer.core()
    shown = {
        "robot": row,
        "row": selectors.rows(core, [row])[0],
        "money": selectors.money(core, row),
        "limits": selectors.limits_of(row),
        "track": selectors.track_record(row),
        "operations": [
            {
                **each,
                "at": selectors.moment(each["started_us"]),
                "sold": not each["is_open"] or Decimal(each["proceeds"]) > 0,
            }
            for each in hub.operations(row.account_id, cash=settings.CASH)
        ],
        "decisions": [
            {
                **each,
                "at": dt.datetime.fromisoformat(each["time"]),
                "shown": selectors.code_text(each["reason"]),
            }
            for each in hub.decisions(row.account_id, cash=settings.CASH, limit=DECISIONS_SHOWN)
        ],
        "cash": settings.CASH,
        "sure": request.GET.get("sure", ""),
    }
    return render(request, "office/robots/signal.html", shown)


def _switch(request: HttpRequest, row: Robot, member: Member) -> None:
    core, address = writer.core(), address_of(request)
    acts: dict[str, Callable[[], object]] = {
        "on": lambda: services.change_signals(
            core, row, actor=member, active=True, address=address
        ),
        "off": lambda: services.change_signals(
            core, row, actor=member, active=False, address=address
        ),
        "kill": lambda: services.switch_kill(core, row, on=True, actor=member, address=address),
        "unkill": lambda: services.switch_kill(core, row, on=False, actor=member, address=address),
    }
    try:
        acts.get(request.POST.get("do", ""), lambda: None)()
    except (RobotRefused, CommandRefused, LinkError) as error:
        text = str(error)
        messages.error(request, f"{text[:1].upper()}{text[1:]}.")
