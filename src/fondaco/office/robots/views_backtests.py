"""The pages of backtests: asking for one, and what came of it.

Promises: views only translate; what is another member's is 404, as what isn't there.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from fondaco.identity.models import Member
from fondaco.identity.selectors import member_of
from fondaco.office.robots import told_backtests as told
from fondaco.office.robots.backtests import ask_of_rule, ask_of_signals
from fondaco.office.robots.forms_backtests import BacktestForm
from fondaco.office.robots.selectors import moment
from fondaco.office.robots.services import limits_of
from fondaco.office.robots.views import own_robot, page
from fondaco.robots.bots.backtest_rows import (
    REPEATABLE,
    cancel_backtest,
    repeat_backtest,
    state_of,
)
from fondaco.robots.hub.selectors import client_of
from fondaco.robots.models import Backtest, Robot, RobotKind
from fondaco.robots.rules.state import Decision
from fondaco.robots.services import RobotRefused

__all__ = ["backtest", "backtests"]

LINES_SHOWN: Final = 100  # of a backtest's fills, operations and decisions
LINES_OPEN: Final = 20  # a longer table is folded
ROBOTS_OFFERED: Final = 20


@require_http_methods(["GET", "HEAD", "POST"])
@page
def backtests(request: HttpRequest) -> HttpResponse:
    """Ask for a backtest; a POST leads to its page."""
    member = member_of(request.user)
    data = request.POST.copy() if request.method == "POST" else None
    if data is not None:
        _fill_in(data)
        form = BacktestForm(data, request.FILES)
    else:
        form = BacktestForm(initial=_settings_of(member, request.GET.get("robot", "")))
    if form.is_valid():
        row = _ask(form, member)
        if row is not None:
            return redirect("robot-backtest", number=row.pk)
    rows = Backtest.objects.filter(member=member)
    rows = rows.defer("rule", "config", "file", "signals_file", "result")
    rows = rows.annotate(is_done=Q(result__gt="")).order_by("-pk")
    own = Robot.objects.filter(member=member, closed_at=None).order_by("-account_id")
    shown = {
        "form": form,
        "parts": form.parts,
        "rows": [{"row": row, "state": state_of(row, is_done=row.is_done)} for row in rows],
        "robots": own.values_list("pk", flat=True)[:ROBOTS_OFFERED],
    }
    status = 400 if form.is_bound else 200
    return render(request, "office/robots/backtests.html", shown, status=status)


def _fill_in(data: QueryDict) -> None:
    """Fill in what the builder, which asks for less, did not send."""
    for name, field in BacktestForm.base_fields.items():
        if field.initial is not None:
            data.setdefault(name, str(field.initial))


def _settings_of(member: Member, name: str) -> dict[str, Any]:
    """Return what the form begins with: a robot's settings, or the newest rule."""
    if not name:
        return {"rule": told.first_rule(member)}
    client = client_of(member, name)
    if client is None:
        bot = own_robot(member, name)
        return {**limits_of(bot), "rule": bot.rule}
    amounts = {key: "" if str(told) == "0" else told for key, told in client.config.items()}
    symbols = list(client.config.get("symbols", []))
    return {
        **amounts,
        "kind": RobotKind.SIGNAL,
        "symbols": ", ".join(symbols),
        "symbol": symbols[0] if len(symbols) > 1 else "",
        "rule": told.first_rule(member),
    }


def _ask(form: BacktestForm, member: Member) -> Backtest | None:
    """Ask for what a form says; a refusal stands at its field."""
    asked = form.cleaned_data
    try:
        if form.is_of_signals:
            return ask_of_signals(member, form.config, asked["symbol"], form.heard, form.market)
        return ask_of_rule(member, asked["rule"], form.market, form.limits)
    except RobotRefused as refusal:
        text = str(refusal)
        first, gap, rest = text.partition(" ")
        if first == refusal.field and first in form.fields:
            text = f"{form.fields[first].label}{gap}{rest}."
        form.add_error(refusal.field if refusal.field in form.fields else None, text)
        return None


@require_http_methods(["GET", "HEAD", "POST"])
@page
def backtest(request: HttpRequest, number: str) -> HttpResponse:
    """Show what came of a backtest; a POST gives up one that runs, or repeats one that failed."""
    member = member_of(request.user)
    rows = Backtest.objects.filter(pk=int(number), member=member).defer("file", "signals_file")
    row = rows.annotate(has_files=REPEATABLE).first()
    if row is None:
        raise Http404("You have no backtest of that number.")
    if request.method == "POST":
        acts = {"cancel": cancel_backtest, "again": repeat_backtest}
        asked = request.POST.get("do", "")
        if asked in acts and not acts[asked](row.pk):
            messages.error(request, "It was through already; this is what came of it.")
        return redirect("robot-backtest", number=row.pk)
    shown: dict[str, Any] = {"row": row, "state": state_of(row, is_done=bool(row.result))}
    if row.signals:
        shown |= {"heard": told.heard_words(row), "config": told.config_words(row.config)}
    if row.result:
        shown |= _result(row)
    return render(request, "office/robots/backtest.html", shown)


def _result(row: Backtest) -> dict[str, Any]:
    """Return what came of a backtest, as its page shows it."""
    result = msgspec.json.decode(row.result)
    kept = result["decisions"]
    shown: dict[str, Any] = {
        "result": result,
        "figures": told.figures_of(result),
        "end_text": told.end_words(result),
        "charts": told.charts(result),
        "tape": told.tape_words(result, row.file_name),
        "costs": told.cost_words(result),
        "periods": told.periods(result),
        "fills": [
            {**fill, "at": moment(fill["time_us"])} for fill in result["fills"][:LINES_SHOWN]
        ],
        "decisions_count": len(kept) + result["decisions_left_out"],
        "lines_open": LINES_OPEN,
    }
    if row.signals:
        operations = told.operations_of(result)
        return shown | {
            "signals": told.signals_words(result),
            "decisions": told.told_judged(kept[:LINES_SHOWN]),
            "reasons": told.reasons_of(kept),
            "operations": operations[:LINES_SHOWN],
            "operations_count": len(operations),
        }
    decisions = msgspec.convert(kept[:LINES_SHOWN], list[Decision], strict=False)
    return shown | {"decisions": told.told_decisions(row.rule, decisions)}
