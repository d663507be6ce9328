"""The pages of a signal robot: a new one, and one with its money, switches, settings and reasons.

Promises: views only translate; what is wrong stands at its field, and nothing has moved then. What
moves money, or can't be taken back, asks back first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from fondaco.identity.models import Member
from fondaco.identity.selectors import member_of
from fondaco.office import writer
from fondaco.office.callers import address_of
from fondaco.office.robots import selectors, services
from fondaco.office.robots.doing import done, told
from fondaco.office.robots.forms_signals import AllotmentForm, NewSignalsForm, SignalsForm
from fondaco.robots.bots.selectors import current_run
from fondaco.robots.hub import selectors as hub
from fondaco.robots.models import Robot, RobotMode
from fondaco.robots.services import PAPER_CASH

__all__ = ["new_signals", "signal_robot"]

DECISIONS_SHOWN: Final = 100
NEW: Final = {"mode": RobotMode.PAPER, "cash": 1000}
MOVES: Final = ("live", "paper", "allot")
DONE: Final = {
    "settings": "goes by its new settings",
    "live": "is live",
    "paper": "is on paper",
    "allot": "has its new allotment",
}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def new_signals(request: HttpRequest) -> HttpResponse:
    """Ask what a new signal robot is to be; a POST opens it."""
    symbols = {code: code for code in sorted(services.markets())}
    form = NewSignalsForm(
        request.POST or None,
        symbols=symbols,
        **_cash(),
        initial={**NEW, "symbols": list(symbols)[:1]},
    )
    if form.is_valid():
        asked = form.cleaned_data

        def make() -> None:
            services.open_signals(
                writer.core(),
                member=member_of(request.user),
                id=asked["id"],
                config=form.config,
                allotment={settings.CASH: asked["cash"]},
                mode=asked["mode"],
                address=address_of(request),
            )

        if done(form, make, {"allotment": "cash"}):
            messages.success(request, f"{asked['id']} listens for signals.")
            return redirect("robot", robot=asked["id"])
    shown = {"form": form, "cash": settings.CASH, "symbols": symbols}
    status = 400 if form.is_bound else 200
    return render(request, "office/robots/new_signals.html", shown, status=status)


def signal_robot(request: HttpRequest, row: Robot, member: Member) -> HttpResponse:
    """Show a signal robot of the member's; a POST throws a switch or changes what it is told."""
    asked = request.POST.get("do", "")
    settings_form = _settings(request, row, asked)
    allotment = _allotment(request, row, asked)
    act = _acts(request, row, member, settings_form, allotment).get(asked)
    form = {"settings": settings_form, **dict.fromkeys(MOVES, allotment)}.get(asked)
    if form is not None and act is not None:
        if form.is_valid() and done(form, act):
            messages.success(request, f"{row.pk} {DONE[asked]}.")
            return redirect("robot", robot=row.pk)
        return _page(request, row, settings_form, allotment, sure=asked, status=400)
    if request.method == "POST":
        if act is not None and told(request, act) and asked == "end":
            messages.success(request, f"{row.pk} has ended; what it had is on your account.")
            return redirect("robots")
        return redirect("robot", robot=row.pk)
    return _page(request, row, settings_form, allotment, sure=request.GET.get("sure", ""))


def _acts(
    request: HttpRequest, row: Robot, member: Member, asked: SignalsForm, allotment: AllotmentForm
) -> dict[str, Callable[[], object]]:
    """Return what a POST may ask for; what goes by a form is for when that is valid."""
    core, address = writer.core(), address_of(request)

    def change(words: Callable[[], dict[str, Any]]) -> Callable[[], object]:
        return lambda: services.change_signals(core, row, actor=member, address=address, **words())

    def kill(*, on: bool) -> Callable[[], object]:
        return lambda: services.switch_kill(core, row, on=on, actor=member, address=address)

    return {
        "on": change(lambda: {"active": True}),
        "off": change(lambda: {"active": False}),
        "kill": kill(on=True),
        "unkill": kill(on=False),
        "settings": change(lambda: {"config": asked.config}),
        "live": change(lambda: {"mode": RobotMode.LIVE, "allotment": allotment.said}),
        "paper": change(lambda: {"mode": RobotMode.PAPER, "allotment": allotment.said}),
        "allot": change(lambda: {"allotment": allotment.said}),
        "end": lambda: services.end(core, row, actor=member, address=address),
    }


def _cash() -> dict[str, Any]:
    places = dict(selectors.decimals_of([settings.CASH]))
    return {"cash": settings.CASH, "decimals": places.get(settings.CASH, 0)}


def _settings(request: HttpRequest, row: Robot, asked: str) -> SignalsForm:
    there = services.markets()
    own = [code for code in row.config.get("symbols", ()) if code not in there]
    symbols = {code: code for code in sorted(there)}
    symbols |= {code: f"{code} (there is no book of it now)" for code in own}
    return SignalsForm(
        request.POST if asked == "settings" else None,
        symbols=symbols,
        **_cash(),
        initial=SignalsForm.initial_of(row.config),
    )


def _allotment(request: HttpRequest, row: Robot, asked: str) -> AllotmentForm:
    """Return the form of an allotment: of cash and coins, as it is, or as it would be."""
    run = current_run(row)
    mode = run.mode if run is not None else RobotMode.LIVE
    wanted = asked or request.GET.get("sure", "")
    goes_on_paper = wanted == "paper" or (wanted != "live" and mode == RobotMode.PAPER)
    has = selectors.allotment_of(row, run, None)
    if wanted == "paper" and mode == RobotMode.LIVE:
        has = {settings.CASH: PAPER_CASH}
    codes = dict.fromkeys((settings.CASH, *row.config.get("symbols", ()), *has))
    hints = {} if goes_on_paper else selectors.free_words(writer.core(), row.member)
    return AllotmentForm(
        request.POST if asked in MOVES else None,
        assets=selectors.decimals_of(codes),
        hints=hints,
        initial=dict.fromkeys(codes, "0") | has,
    )


def _page(
    request: HttpRequest,
    row: Robot,
    settings_form: SignalsForm,
    allotment: AllotmentForm,
    *,
    sure: str,
    status: int = 200,
) -> HttpResponse:
    core = writer.core()
    run = current_run(row)
    mode = run.mode if run is not None else RobotMode.LIVE
    shown = {
        "robot": row,
        "run": run,
        "row": selectors.rows(core, [row])[0],
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
        "sure": "" if sure == mode else sure,
        "settings_form": settings_form,
        "allotment": allotment,
        **selectors.signal_money(core, row, run),
    }
    return render(request, "office/robots/signal.html", shown, status=status)
