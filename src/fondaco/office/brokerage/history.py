"""The page that takes a strategy's history from a file.

Promises: what doesn't fit is told by its line and nothing is stored; the same file again changes
nothing and says so.
"""

from __future__ import annotations

import time

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from fondaco.identity.selectors import member_of
from fondaco.office.brokerage.forms import HistoryForm
from fondaco.office.brokerage.views import own_strategy, page
from fondaco.office.callers import address_of
from fondaco.strategies import services
from fondaco.strategies.history import COLUMNS, HistoryUnfit
from fondaco.strategies.services import StrategyRefused

__all__ = ["strategy_import"]


@require_http_methods(["GET", "HEAD", "POST"])
@page
def strategy_import(request: HttpRequest, number: str) -> HttpResponse:
    """Ask for a file of history; a POST takes it."""
    row = own_strategy(member_of(request.user), number)
    form = HistoryForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        fields = form.cleaned_data
        try:
            done = services.import_history(
                row,
                fields["file"],
                kind=fields["kind"],
                start=fields["start"],
                now_us=time.time_ns() // 1000,
                address=address_of(request),
            )
        except HistoryUnfit as unfit:
            for line in unfit.lines:
                form.add_error("file", f"{line[:1].upper()}{line[1:]}.")
        except StrategyRefused as refusal:
            form.add_error(None, f"{refusal}.")
        else:
            known = done.reports - done.stored
            more = f"; {known} were there already" if known else ""
            messages.success(request, f"{done.stored} reports are imported{more}.")
            return redirect("strategy", number=row.pk)
    shown = {"form": form, "strategy": row, "columns": ", ".join(COLUMNS)}
    status = 400 if form.is_bound else 200
    return render(request, "office/brokerage/import.html", shown, status=status)
