"""Statements as rows of a file, for the pages and for programs alike."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Sequence

from django.http import HttpResponse

from fondaco.core.money import format_units
from fondaco.office.statements import selectors
from fondaco.projections.selectors import asset_codes, instruments

__all__ = ["csv_file", "fifo_rows", "statement_rows", "when"]


def when(time_us: int) -> str:
    """Return a time as ISO 8601 in UTC, to the microsecond."""
    seconds, micros = divmod(time_us, selectors.US_PER_S)
    moment = dt.datetime.fromtimestamp(seconds, tz=dt.UTC).replace(microsecond=micros)
    return moment.isoformat(timespec="microseconds")


def csv_file(name: str, rows: Iterable[Iterable[object]]) -> HttpResponse:
    """Answer rows as a file of that name."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def statement_rows(found: selectors.Statement) -> list[tuple[object, ...]]:
    """Return opening, every posting, closing, fees, realised profit."""
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
    return rows


def fifo_rows(accounts: Sequence[int], year: int) -> list[tuple[object, ...]]:
    """Return the tax export: each sale of a year by the lots that it used up, oldest first."""
    codes = asset_codes()
    terms = {row.number: row for row in instruments()}
    rows: list[tuple[object, ...]] = [
        ("symbol", "sold", "acquired", "quantity", "proceeds", "cost", "gain", "quote", "uncovered")
    ]
    for sale in selectors.fifo_of_year(accounts, year):
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
    return rows
