"""The pages and files of statements: a member's own, nobody else's."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from fondaco.identity.models import Account
from fondaco.identity.selectors import member_of
from fondaco.office.statements import selectors
from fondaco.office.statements.files import csv_file, fifo_rows, statement_rows, when

__all__ = ["fifo_csv", "statement", "statement_csv", "statements"]

SHOWN_MAX: Final = 1000  # lines on the page; the file has all


def _accounts(request: HttpRequest) -> list[int]:
    member = member_of(request.user)
    rows = Account.objects.filter(member=member, opened_at__isnull=False).order_by("number")
    return list(rows.values_list("number", flat=True))


def _statement(request: HttpRequest, month: str) -> selectors.Statement:
    year, number = month.split("-")
    return selectors.statement(_accounts(request), dt.date(int(year), int(number), 1))


@require_safe
@never_cache
@login_required
def statements(request: HttpRequest) -> HttpResponse:
    found = selectors.months(member_of(request.user))
    years = sorted({month.year for month in found}, reverse=True)
    return render(request, "office/statements/list.html", {"months": found, "years": years})


@require_safe
@never_cache
@login_required
def statement(request: HttpRequest, month: str) -> HttpResponse:
    found = _statement(request, month)
    lines = [
        {
            "code": line.code,
            **{
                name: line.text(name)
                for name in ("opening", "credits", "debits", "fees", "closing")
            },
        }
        for line in found.assets
    ]
    shown = {
        "month": found.month,
        "seq": found.seq,
        "assets": lines,
        "lines": [
            {
                "time": when(line.time_us)[:19].replace("T", " "),
                "account": line.account,
                "kind": line.kind,
                "code": line.code,
                "amount": line.amount,
                "balance": line.balance,
            }
            for line in found.lines[:SHOWN_MAX]
        ],
        "more": max(0, len(found.lines) - SHOWN_MAX),
        "gains": found.gains,
    }
    return render(request, "office/statements/month.html", shown)


@require_safe
@never_cache
@login_required
def statement_csv(request: HttpRequest, month: str) -> HttpResponse:
    """Answer a statement as a file: opening, every posting, closing, fees, realised profit."""
    found = _statement(request, month)
    return csv_file(f"statement-{found.month}.csv", statement_rows(found))


@require_safe
@never_cache
@login_required
def fifo_csv(request: HttpRequest, year: str) -> HttpResponse:
    """Answer the tax export: each sale of a year by the lots that it used up, oldest first."""
    rows = fifo_rows(_accounts(request), int(year))
    return csv_file(f"fifo-tax-{year}.csv", rows)
