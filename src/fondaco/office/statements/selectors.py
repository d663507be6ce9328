"""A month of a member, worked out from the postings and trades of history.

Promises: opening + postings = closing for each asset, over all accounts of the member, the one
that holds withdrawals included; closing is the sum of all postings up to the end, so it equals the
ledger's balance at the journal position that the statement names. Months are of UTC.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

import msgspec
from django.db.models import Q, Sum

from fondaco.core import records
from fondaco.core.money import format_units
from fondaco.identity.models import Account, Member
from fondaco.office.statements.profit import Fill, Realised, average_cost, fifo
from fondaco.projections import selectors as history
from fondaco.projections.models import Posting, Trade

__all__ = [
    "AssetLine",
    "Gain",
    "Line",
    "Statement",
    "fifo_of_year",
    "months",
    "statement",
]

US_PER_S: Final = 1_000_000
FEES: Final = records.ACCOUNT_FEES


class AssetLine(msgspec.Struct, frozen=True, kw_only=True):
    """One asset in units: opening + credits - debits = closing; fees are part of the debits."""

    asset: int
    code: str
    decimals: int
    opening: int
    credits: int
    debits: int
    fees: int
    closing: int

    def text(self, name: str) -> str:
        return format_units(getattr(self, name), self.decimals)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One posting as one account of the member sees it."""

    time_us: int
    seq: int
    account: int
    kind: str
    code: str
    amount: str  # signed
    balance: str  # of all the member's accounts, after it
    entry: int


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """Realised profit of an instrument in a month."""

    symbol: str
    quote: str
    gain: str
    uncovered: str
    base: str


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    month: str
    seq: int  # the journal position up to which history reaches
    assets: list[AssetLine]
    lines: list[Line]
    gains: list[Gain]


def micros(day: dt.date) -> int:
    """Return the first microsecond of a day of UTC."""
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp()) * US_PER_S


def months(member: Member) -> list[dt.date]:
    """Return the months since a member's first account, newest first."""
    first = Account.objects.filter(member=member).order_by("number").first()
    if first is None:
        return []
    seq_us = history.cursor().time_us
    last = dt.datetime.fromtimestamp(seq_us / US_PER_S, tz=dt.UTC).date().replace(day=1)
    begin = min(first.created_at.date().replace(day=1), last)
    found = []
    while last >= begin:
        found.append(last)
        last = (last - dt.timedelta(days=1)).replace(day=1)
    return found


def statement(accounts: Sequence[int], month: dt.date) -> Statement:
    """Return the statement of all these accounts together."""
    start = month.replace(day=1)
    end = (start + dt.timedelta(days=32)).replace(day=1)
    reached = history.cursor()
    opening = _sums(accounts, micros(start))
    own = set(accounts)
    rows = list(
        Posting.objects.filter(
            Q(credit_account__in=own) | Q(debit_account__in=own),
            time_us__gte=micros(start),
            time_us__lt=micros(end),
            id__lt=(reached.seq + 1) << 20,
        ).order_by("id")
    )
    return Statement(
        month=f"{start:%Y-%m}",
        seq=reached.seq,
        assets=_asset_lines(own, opening, rows),
        lines=_lines(own, opening, rows),
        gains=_gains(own, micros(start), micros(end)),
    )


def _sums(accounts: Sequence[int], before_us: int) -> dict[int, int]:
    """Return what the accounts had of each asset before a moment."""
    found: dict[int, int] = {}
    for field, sign in (("credit_account__in", 1), ("debit_account__in", -1)):
        rows = Posting.objects.filter(**{field: accounts}, time_us__lt=before_us)
        for asset, amount in rows.values_list("asset").annotate(Sum("amount")):
            found[asset] = found.get(asset, 0) + sign * int(amount)
    return found


def _asset_lines(
    own: set[int], opening: dict[int, int], rows: Sequence[Posting]
) -> list[AssetLine]:
    came: dict[int, int] = {}
    went: dict[int, int] = {}
    fees: dict[int, int] = {}
    for row in rows:
        if row.credit_account in own:
            came[row.asset] = came.get(row.asset, 0) + row.amount
        if row.debit_account in own:
            went[row.asset] = went.get(row.asset, 0) + row.amount
            if row.credit_account == FEES:
                fees[row.asset] = fees.get(row.asset, 0) + row.amount
    codes = history.asset_codes()
    lines = []
    for asset in sorted({*opening, *came, *went}):
        code, decimals = codes[asset]
        begin, plus, minus = opening.get(asset, 0), came.get(asset, 0), went.get(asset, 0)
        lines.append(
            AssetLine(
                asset=asset,
                code=code,
                decimals=decimals,
                opening=begin,
                credits=plus,
                debits=minus,
                fees=fees.get(asset, 0),
                closing=begin + plus - minus,
            )
        )
    return lines


def _lines(own: set[int], opening: dict[int, int], rows: Sequence[Posting]) -> list[Line]:
    codes = history.asset_codes()
    balance = dict(opening)
    lines = []
    for row in rows:
        code, decimals = codes[row.asset]
        kind = records.Cause(row.cause).name.lower()
        if row.credit_account == FEES:
            kind = "fee"
        for account, sign in ((row.debit_account, -1), (row.credit_account, 1)):
            if account not in own:
                continue
            balance[row.asset] = balance.get(row.asset, 0) + sign * row.amount
            lines.append(
                Line(
                    time_us=row.time_us,
                    seq=row.seq,
                    account=account,
                    kind=kind,
                    code=code,
                    amount=format_units(sign * row.amount, decimals),
                    balance=format_units(balance[row.asset], decimals),
                    entry=row.entry,
                )
            )
    return lines


def fills(own: set[int], before_us: int) -> list[Fill]:
    """Return every fill of the accounts before a moment, oldest first."""
    terms = {row.number: row for row in history.instruments()}
    found: list[tuple[tuple[int, int, int], Fill]] = []
    for is_buy, party in ((True, "buyer"), (False, "seller")):
        rows = Trade.objects.filter(**{f"{party}_account__in": own}, time_us__lt=before_us)
        for row in rows.iterator():
            instrument = terms[row.instrument]
            fee: int = getattr(row, f"{party}_fee")
            fee_asset: int = getattr(row, f"{party}_fee_asset")
            sign = -1 if is_buy else 1
            base = row.quantity_lots * instrument.base_per_lot
            quote = row.quote_amount
            if fee_asset == instrument.quote:
                quote -= sign * fee
            else:
                base += sign * fee
            fill = Fill(
                time_us=row.time_us,
                instrument=row.instrument,
                is_buy=is_buy,
                base=base,
                quote=quote,
            )
            found.append(((row.seq, row.id, 0 if is_buy else 1), fill))
    found.sort(key=lambda pair: pair[0])
    return [fill for _, fill in found]


def _gains(own: set[int], start_us: int, end_us: int) -> list[Gain]:
    sums: dict[int, list[int]] = {}
    for sale in average_cost(fills(own, end_us)):
        if sale.time_us >= start_us:
            pair = sums.setdefault(sale.instrument, [0, 0])
            pair[0] += sale.gain
            pair[1] += sale.uncovered
    codes = history.asset_codes()
    terms = {row.number: row for row in history.instruments()}
    found = []
    for number in sorted(sums):
        instrument = terms[number]
        base, quote = codes[instrument.base], codes[instrument.quote]
        found.append(
            Gain(
                symbol=instrument.symbol,
                base=base[0],
                quote=quote[0],
                gain=format_units(sums[number][0], quote[1]),
                uncovered=format_units(sums[number][1], base[1]),
            )
        )
    return found


def fifo_of_year(accounts: Sequence[int], year: int) -> list[Realised]:
    """Return the sales of a year of UTC, split by lots."""
    start, end = micros(dt.date(year, 1, 1)), micros(dt.date(year + 1, 1, 1))
    return [sale for sale in fifo(fills(set(accounts), end)) if sale.time_us >= start]
