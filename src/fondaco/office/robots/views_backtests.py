"""The pages of backtests: asking for one, and what came of it.

Promises: views only translate; what is another member's is 404, as what isn't there.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from fondaco.identity.selectors import member_of
from fondaco.office.robots import services
from fondaco.office.robots import told_backtests as told
from fondaco.office.robots.forms_backtests import BacktestForm
from fondaco.office.robots.selectors import moment
from fondaco.office.robots.views import own_robot, page
from fondaco.robots.bots.services import ask_backtest, cancel_backtest, repeat_backtest
from fondaco.robots.models import RuleBacktest
from fondaco.robots.rules.state import Decision
from fondaco.robots.services import RobotRefused

__all__ = ["backtest", "backtests"]

LINES_SHOWN: Final = 100  # of a backtest's fills, and of its decisions
LINES_OPEN: Final = 20  # a longer table is folded
BACKTEST_SETTINGS: Final = (
    *("walk", "cash", "coins", "latency_ms", "maker_fee", "taker_fee", "depth", "queue"),
)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def backtests(request: HttpRequest) -> HttpResponse:
    """Ask for a backtest; a POST leads to its page."""
    member = member_of(request.user)
    named = request.GET.get("robot")
    first = own_robot(member, named).rule if named else told.first_rule(member)
    initial = {"rule": first}
    data = request.POST.copy() if request.method == "POST" else None
    if data is not None:  # from the builder, which asks for less
        for name, field in BacktestForm.base_fields.items():
            if field.initial is not None:
                data.setdefault(name, str(field.initial))
    form = BacktestForm(data, request.FILES or None, initial=initial)
    if form.is_valid():
        asked = form.cleaned_data
        made: list[RuleBacktest] = []

        def ask() -> None:
            of_house = asked["source"] == "journal"
            plan = services.read(asked["rule"], of_house=of_house)
            named = sorted({*plan.tickers, *plan.traded})
            if len(named) != 1:
                text = f"it names {', '.join(named)}" if named else "it names none"
                raise RobotRefused(f"A backtest has one market; {text}.", field="rule")
            if named[0] == settings.CASH:
                raise RobotRefused(f"{named[0]} is the cash; name a coin.", field="rule")
            made.append(
                ask_backtest(
                    member,
                    rule=asked["rule"],
                    ticker=named[0],
                    source=asked["source"],
                    file=None if of_house else asked["file"],
                    settings={
                        name: str(asked[name])
                        for name in BACKTEST_SETTINGS
                        if asked[name] is not None
                    },
                )
            )

        try:
            ask()
        except RobotRefused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        else:
            return redirect("robot-backtest", number=made[0].pk)
    rows = RuleBacktest.objects.filter(member=member).defer("rule", "file", "result")
    rows = rows.annotate(is_done=Q(result__gt="")).order_by("-pk")
    shown = {"form": form, "rows": rows}
    status = 400 if form.is_bound else 200
    return render(request, "office/robots/backtests.html", shown, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def backtest(request: HttpRequest, number: str) -> HttpResponse:
    """Show what came of a backtest; a POST gives up one that runs, or repeats one that failed."""
    member = member_of(request.user)
    rows = RuleBacktest.objects.filter(pk=int(number), member=member).defer("file")
    row = rows.annotate(has_tape=Q(source="journal") | ~Q(file=b"")).first()
    if row is None:
        raise Http404("You have no backtest of that number.")
    if request.method == "POST":
        acts = {"cancel": cancel_backtest, "again": repeat_backtest}
        asked = request.POST.get("do", "")
        if asked in acts and not acts[asked](row.pk):
            messages.error(request, "It was through already; this is what came of it.")
        return redirect("robot-backtest", number=row.pk)
    shown: dict[str, Any] = {"row": row, "result": None}
    if row.result:
        result = msgspec.json.decode(row.result)
        decisions = msgspec.convert(result["decisions"], list[Decision], strict=False)
        shown |= {
            "result": result,
            "figures": told.figures_of(result),
            "rule_text": told.end_words(result),
            "charts": told.charts(result),
            "tape": told.tape_words(result, row.file_name),
            "costs": told.cost_words(result),
            "periods": told.periods(result),
            "fills": [
                {**fill, "at": moment(fill["time_us"])} for fill in result["fills"][:LINES_SHOWN]
            ],
            "decisions": told.told_decisions(row.rule, decisions[:LINES_SHOWN]),
            "decisions_count": len(decisions) + result["decisions_left_out"],
            "lines_open": LINES_OPEN,
        }
    return render(request, "office/robots/backtest.html", shown)
