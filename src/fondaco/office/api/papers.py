"""Statements, the tax export and proofs of balance for programs.

Promises: the same rows as the pages' files; a key gets those of its own account alone. A branch is
of all the member's accounts, so no key gets one. Proofs are public, as on their page.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.identity.models import Account
from fondaco.identity.permissions import Permission
from fondaco.identity.selectors import member_of
from fondaco.office import writer
from fondaco.office.api.callers import bound_account
from fondaco.office.api.faults import Conflict, writer_asked
from fondaco.office.api.scoped import ScopedView
from fondaco.office.proofs import selectors as proofs
from fondaco.office.proofs import services as publishing
from fondaco.office.statements import selectors
from fondaco.office.statements.files import csv_file, fifo_rows, statement_rows, when

__all__ = ["Branch", "MonthFile", "MonthStatement", "Proofs", "Statements", "TaxFile"]

MONTH = OpenApiParameter("month", str, OpenApiParameter.PATH, pattern="^20[0-9]{2}-[0-9]{2}$")
YEAR = OpenApiParameter("year", str, OpenApiParameter.PATH, pattern="^20[0-9]{2}$")
SEQ = OpenApiParameter("seq", int, OpenApiParameter.PATH)
CSV = {(200, "text/csv"): OpenApiTypes.STR}


class MonthsWords(serializers.Serializer):
    months = serializers.ListField(child=serializers.CharField())
    years = serializers.ListField(child=serializers.IntegerField())


class AssetWords(serializers.Serializer):
    """opening + credits - debits = closing; fees are part of the debits."""

    asset = serializers.CharField()
    opening = serializers.CharField()
    credits = serializers.CharField()
    debits = serializers.CharField()
    fees = serializers.CharField()
    closing = serializers.CharField()


class PostingWords(serializers.Serializer):
    time = serializers.DateTimeField()
    seq = serializers.IntegerField()
    account = serializers.IntegerField()
    kind = serializers.CharField()
    asset = serializers.CharField()
    amount = serializers.CharField(help_text="signed")
    balance = serializers.CharField()
    entry = serializers.IntegerField(allow_null=True)


class GainWords(serializers.Serializer):
    symbol = serializers.CharField()
    quote = serializers.CharField()
    gain = serializers.CharField()
    uncovered = serializers.CharField()
    base = serializers.CharField()


class StatementWords(serializers.Serializer):
    month = serializers.CharField()
    seq = serializers.IntegerField(help_text="the journal position that history reaches")
    assets = AssetWords(many=True)
    postings = PostingWords(many=True)
    realised_profit = GainWords(many=True)


class TotalWords(serializers.Serializer):
    asset = serializers.CharField()
    total = serializers.CharField()


class ProofWords(serializers.Serializer):
    seq = serializers.IntegerField()
    made_at = serializers.CharField()
    root = serializers.CharField()
    totals = TotalWords(many=True)


class ProofsWords(serializers.Serializer):
    proofs = ProofWords(many=True)


class PublishedWords(serializers.Serializer):
    seq = serializers.IntegerField()
    root = serializers.CharField()


def _accounts(request: Request) -> list[int]:
    only = bound_account(request)
    if only:
        return [only]
    rows = Account.objects.filter(member=member_of(request.user), opened_at__isnull=False)
    return list(rows.order_by("number").values_list("number", flat=True))


def _statement(request: Request, month: str) -> selectors.Statement:
    year, number = month.split("-")
    return selectors.statement(_accounts(request), dt.date(int(year), int(number), 1))


class Statements(ScopedView):
    @extend_schema(operation_id="statements_list", responses=MonthsWords)
    def get(self, request: Request) -> Response:
        """List the months and years of which there are statements, newest first."""
        found = selectors.months(member_of(request.user))
        years = sorted({month.year for month in found}, reverse=True)
        return Response({"months": [f"{month:%Y-%m}" for month in found], "years": years})


class MonthStatement(ScopedView):
    @extend_schema(parameters=[MONTH], responses=StatementWords)
    def get(self, request: Request, month: str) -> Response:
        """Tell a month: opening, every posting, closing, fees, realised profit."""
        found = _statement(request, month)
        names = ("opening", "credits", "debits", "fees", "closing")
        return Response(
            {
                "month": found.month,
                "seq": found.seq,
                "assets": [
                    {"asset": line.code, **{name: line.text(name) for name in names}}
                    for line in found.assets
                ],
                "postings": [_posting(line) for line in found.lines],
                "realised_profit": [msgspec.to_builtins(gain) for gain in found.gains],
            }
        )


def _posting(line: selectors.Line) -> dict[str, Any]:
    return {
        "time": when(line.time_us),
        "seq": line.seq,
        "account": line.account,
        "kind": line.kind,
        "asset": line.code,
        "amount": line.amount,
        "balance": line.balance,
        "entry": line.entry or None,
    }


class MonthFile(ScopedView):
    @extend_schema(parameters=[MONTH], responses=CSV)
    def get(self, request: Request, month: str) -> HttpResponse:
        """Answer a month as a file."""
        found = _statement(request, month)
        return csv_file(f"statement-{found.month}.csv", statement_rows(found))


class TaxFile(ScopedView):
    @extend_schema(parameters=[YEAR], responses=CSV)
    def get(self, request: Request, year: str) -> HttpResponse:
        """Answer the tax export of a year: each sale by the lots that it used up."""
        return csv_file(f"fifo-tax-{year}.csv", fifo_rows(_accounts(request), int(year)))


class Proofs(ScopedView):
    @property
    def is_public(self) -> bool:
        """Everybody sees what was published."""
        return str(self.request.method) in {"GET", "HEAD"}

    @property
    def permission(self) -> Permission | None:
        """Staff publish."""
        return Permission.MOVE_MONEY if str(self.request.method) == "POST" else None

    @extend_schema(responses=ProofsWords)
    def get(self, _request: Request) -> Response:
        """List the published proofs, newest first."""
        return Response({"proofs": proofs.published()})

    @extend_schema(request=None, responses={201: PublishedWords})
    def post(self, request: Request) -> Response:
        """Publish what the house owes now; by staff."""
        member = member_of(request.user)
        try:
            with writer_asked():
                proof = publishing.publish(writer.core(), by=member)
        except publishing.ProofRefused as refusal:
            raise Conflict(str(refusal)) from refusal
        return Response({"seq": proof.seq, "root": proof.root}, status=status.HTTP_201_CREATED)


class Branch(ScopedView):
    member_wide = True

    @extend_schema(parameters=[SEQ], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, seq: int) -> HttpResponse:
        """Answer the member's branch of a proof, for `fondaco verify-balance`."""
        found = proofs.branch(member_of(request.user), int(seq))
        if found is None:
            raise Http404("There is no proof of that position.")
        response = HttpResponse(found, content_type="application/json")
        response.headers["Content-Disposition"] = f'attachment; filename="balance-{seq}.json"'
        return response
