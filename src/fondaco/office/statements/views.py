"""The pages and files of statements: a member's own, nobody else's."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable
from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from fondaco.core.money import format_units
from fondaco.identity.models import Account
from fondaco.identity.selectors import member_of
from fondaco.office.statements import selectors
from fondaco.projections.selectors import asset_codes, instruments

__all__ = ["fifo_csv", "statement", "statement_csv", "statements"]

SHOWN_MAX: Final = 1000  # lines on the page; the file has all


def when(time_us: int) -> str:
    """Return a time as ISO 8601 in UTC, to the microsecond."""
    seconds, micros = divmod(time_us, selectors.US_PER_S)
    moment = dt.datetime.fromtimestamp(seconds, tz=dt.UTC).replace(microsecond=micros)
    return moment.isoformat(timespec="microseconds")


def _accounts(request: HttpRequest) -> list[int]:
    member = member_of(request.user)
    rows = Account.objects.filter(member=member, opened_at__isnull=False).order_by("number")
    return list(rows.values_list("number", flat=True))


def _statement(request: HttpRequest, month: str) -> selectors.Statement:
    year, number = month.split("-")
    return selectors.statement(_accounts(request), dt.date(int(year), int(number), 1))


def _file(name: str, rows: Iterable[Iterable[object]]) -> HttpResponse:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


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
    head = ("row", "time", "seq", "account", "kind", "asset", "amount", "balance", "entry")
    rows: list[tuple[object, ...]] = [head]
    for asset in found.assets:
        begin = asset.text("opening")
        rows.append(("opening", "", "", "", "", asset.code, begin, begin, ""))
    rows += [
        (
            "posting",
            when(line.time_us),
            line.seq,
            line.account,
            line.kind,
            line.code,
            line.amount,
            line.balance,
            line.entry or "",
        )
        for line in found.lines
    ]
    for asset in found.assets:
        end = asset.text("closing")
        rows.append(("closing", "", found.seq, "", "", asset.code, end, end, ""))
        if asset.fees:
            rows.append(("fees", "", "", "", "", asset.code, asset.text("fees"), "", ""))
    rows += [
        ("realised profit", "", "", "", gain.symbol, gain.quote, gain.gain, "", "")
        for gain in found.gains
    ]
    return _file(f"statement-{found.month}.csv", rows)


@require_safe
@never_cache
@login_required
def fifo_csv(request: HttpRequest, year: str) -> HttpResponse:
    """Answer the tax export: each sale of a year by the lots that it used up, oldest first."""
    codes = asset_codes()
    terms = {row.number: row for row in instruments()}
    rows: list[tuple[object, ...]] = [
        ("symbol", "sold", "acquired", "quantity", "proceeds", "cost", "gain", "quote", "uncovered")
    ]
    for sale in selectors.fifo_of_year(_accounts(request), int(year)):
        instrument = terms[sale.instrument]
        base, quote = codes[instrument.base][1], codes[instrument.quote]
        rows.append(
            (
                instrument.symbol,
                when(sale.time_us),
                when(sale.acquired_us) if sale.acquired_us else "",
                format_units(sale.quantity, base),
                format_units(sale.proceeds, quote[1]),
                format_units(sale.cost, quote[1]),
                format_units(sale.gain, quote[1]),
                quote[0],
                format_units(sale.uncovered, base),
            )
        )
    return _file(f"fifo-tax-{year}.csv", rows)
