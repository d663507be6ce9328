"""The pages of robots: one's own, the rule builder, and the whole house for staff.

Promises: views only translate; what is another member's is 404, as what isn't there. Whatever moves
money or rights is a command to the core.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from fondaco.identity.models import Member
from fondaco.identity.permissions import Permission, may
from fondaco.identity.selectors import member_of
from fondaco.office import writer
from fondaco.office.callers import address_of
from fondaco.office.robots import selectors, services
from fondaco.office.robots.doing import done, told
from fondaco.office.robots.forms import (
    LimitsForm,
    RobotForm,
    RuleForm,
)
from fondaco.office.robots.views_signals import signal_robot
from fondaco.robots.bots import selectors as bots
from fondaco.robots.hub.selectors import client_of
from fondaco.robots.models import Robot, RobotMode
from fondaco.robots.rules.model import schema
from fondaco.robots.services import RobotRefused

__all__ = ["builder", "own_robot", "robot", "robots", "rule", "staff"]

View = Callable[..., HttpResponse]
ROBOTS_SHOWN: Final = 1000
PAGE_ROBOTS: Final = 50  # of the house, for staff
SEARCH_LETTERS_MAX: Final = 64
FIELDS: Final = {"allotment": "cash"}


def page(view: View) -> View:
    """Make a view one for signed-in members that no cache keeps."""
    return never_cache(login_required(view))


def own_robot(member: Member, name: str) -> Robot:
    """Return a rule bot of the member, or 404."""
    found = bots.bot_of(member, name)
    if found is None:
        raise Http404("You have no rule bot of that name.")
    return found


@require_safe
@page
def robots(request: HttpRequest) -> HttpResponse:
    """Show a member's robots with how each stands."""
    found = Robot.objects.select_related("member").filter(
        member=member_of(request.user), closed_at=None
    )
    shown = selectors.rows(writer.core(), found.order_by("pk")[:ROBOTS_SHOWN])
    return render(request, "office/robots/list.html", {"rows": shown, "cash": settings.CASH})


@require_http_methods(["GET", "HEAD", "POST"])
@page
def builder(request: HttpRequest) -> HttpResponse:
    """Build a rule; a POST opens a bot with it."""
    form = RobotForm(request.POST or None, initial={"mode": RobotMode.PAPER, "cash": 1000})
    if form.is_valid():
        asked = form.cleaned_data

        def make() -> None:
            services.open_rule(
                writer.core(),
                member=member_of(request.user),
                id=asked["id"],
                rule=asked["rule"],
                allotment={settings.CASH: asked["cash"]},
                mode=asked["mode"],
                limits=form.said,
                address=address_of(request),
            )

        if done(form, make, FIELDS):
            messages.success(request, f"{asked['id']} is at work.")
            return redirect("robot", robot=asked["id"])
    return _builder(request, form, title="A new rule bot", button="Set it to work", tab="new")


@require_http_methods(["GET", "HEAD", "POST"])
@page
def rule(request: HttpRequest, robot: str) -> HttpResponse:
    """Change a bot's rule; a POST begins another run with it."""
    member = member_of(request.user)
    row = own_robot(member, robot)
    form = RuleForm(request.POST or None, initial={"rule": row.rule})
    if form.is_valid():
        text = form.cleaned_data["rule"]

        def change() -> None:
            services.change(
                writer.core(), row, actor=member, rule=text, address=address_of(request)
            )

        if done(form, change):
            messages.success(request, f"{row.pk} follows its new rule.")
            return redirect("robot", robot=row.pk)
    title = f"The rule of {row.pk}"
    return _builder(request, form, title=title, button="Save, and begin anew", tab="")


def _builder(
    request: HttpRequest, form: Form, *, title: str, button: str, tab: str
) -> HttpResponse:
    shown = {
        "form": form,
        "title": title,
        "button": button,
        "tab": tab,
        "schema": schema(),
        "cash": settings.CASH,
        "rule": form["rule"].value() or "",
        "ticker": next(iter(services.markets()), ""),
    }
    return render(
        request, "office/robots/builder.html", shown, status=400 if form.is_bound else 200
    )


@require_http_methods(["GET", "HEAD", "POST"])
@page
def robot(request: HttpRequest, robot: str) -> HttpResponse:
    """Show a robot; a POST throws one of its switches."""
    member = member_of(request.user)
    client = client_of(member, robot)
    if client is not None:
        return signal_robot(request, client, member)
    row = own_robot(member, robot)
    if request.method == "POST":
        return _switch(request, row, member)
    run = bots.current_run(row)
    core = writer.core()
    plan = bots.plan_of(row)
    decisions = []
    for each in bots.decisions(run) if run is not None else []:
        told = bots.decision_words(each, plan)
        shown_code = selectors.code_text(told["code"])
        decisions.append({**told, "at": selectors.moment(each.time_us), "shown": shown_code})
    has, won = selectors.money(core, row), ""
    if run is not None and run.mode == RobotMode.PAPER and plan is not None:
        coin = plan.paper_ticker
        market = services.markets().get(coin)
        has = selectors.paper_money(run, coin, market)
        if market is not None:
            won = selectors.paper_profit(core, has, run, market.number)
    shown = {
        "robot": row,
        "run": run,
        "state": bots.state_of(run),
        "step": bots.state_of(run).step + 1,
        "steps": len(plan.steps) if plan is not None else 0,
        "track": selectors.track_record(row),
        "row": selectors.rows(core, [row])[0],
        "money": has,
        "paper_profit": won,
        "limits": selectors.limits_of(row),
        "limits_form": LimitsForm(initial=services.limits_of(row)),
        "orders": [
            {**each, "at": selectors.moment(each["time_us"])}
            for each in (bots.orders(run) if run is not None else [])
        ],
        "decisions": decisions,
        "newest": selectors.newest(run, plan),
        "cash": settings.CASH,
    }
    return render(request, "office/robots/robot.html", shown)


def _switch(request: HttpRequest, row: Robot, member: Member) -> HttpResponse:
    asked = request.POST.get("do", "")
    core, address = writer.core(), address_of(request)
    acts: dict[str, Callable[[], object]] = {
        "on": lambda: services.change(core, row, actor=member, active=True, address=address),
        "off": lambda: services.change(core, row, actor=member, active=False, address=address),
        "live": lambda: services.change(
            core, row, actor=member, mode=RobotMode.LIVE, address=address
        ),
        "paper": lambda: services.change(
            core, row, actor=member, mode=RobotMode.PAPER, address=address
        ),
        "kill": lambda: services.switch_kill(core, row, on=True, actor=member, address=address),
        "unkill": lambda: services.switch_kill(core, row, on=False, actor=member, address=address),
        "end": lambda: services.end(core, row, actor=member, address=address),
        "limits": lambda: services.change(
            core, row, actor=member, limits=_limits(request), address=address
        ),
    }
    if asked in acts and told(request, acts[asked]) and asked == "end":
        messages.success(request, f"{row.pk} has ended; what it had is on your account.")
        return redirect("robots")
    return redirect("robot", robot=row.pk)


def _limits(request: HttpRequest) -> dict[str, str]:
    """Return the limits that a page asks for. Raises RobotRefused."""
    form = LimitsForm(request.POST)
    if not form.is_valid():
        name, said = next(iter(form.errors.items()))
        raise RobotRefused(f"{name}: {str(said[0]).rstrip('.')}", field="limits")
    return form.said


# ---- staff


@require_http_methods(["GET", "HEAD", "POST"])
@page
def staff(request: HttpRequest) -> HttpResponse:
    """Show staff the house's robots, in pages, or those searched; a POST throws kill switches."""
    member = member_of(request.user)
    may_kill = may(member, Permission.MAINTENANCE)
    if not may(member, Permission.SEE_MEMBERS):
        raise PermissionDenied
    core = writer.core()
    rows = Robot.objects.select_related("member", "account").filter(closed_at=None).order_by("pk")
    if request.method == "POST":
        if not may_kill:
            raise PermissionDenied
        on = "kill" in request.POST
        name = request.POST.get("kill" if on else "unkill", "")
        chosen = list(rows if name == "*" else rows.filter(pk=name))
        address = address_of(request)
        told(
            request,
            lambda: services.switch_kills(core, chosen, on=on, actor=member, address=address),
        )
        return redirect(f"{reverse('staff-robots')}?{_place(request)}".rstrip("?"))
    search = request.GET.get("q", "").replace("\0", "").strip()[:SEARCH_LETTERS_MAX]
    found = rows
    if search:
        found = rows.filter(Q(pk__icontains=search) | Q(member__username__icontains=search))
    part = Paginator(found, PAGE_ROBOTS).get_page(request.GET.get("page"))
    shown = {
        "rows": selectors.rows(core, part.object_list),
        "part": part,
        "search": search,
        "cash": settings.CASH,
        "may_kill": may_kill,
        "has_robots": bool(part.paginator.count) or rows.exists(),
        "sure": request.GET.get("sure", ""),
    }
    return render(request, "office/robots/staff.html", shown)


def _place(request: HttpRequest) -> str:
    """Return the query of the page of robots that somebody looks at."""
    place = {name: request.GET[name] for name in ("q", "page") if request.GET.get(name)}
    return urlencode(place)
