"""Dashboard, brokerage accounts and strategies for programs: what their pages do, under /api/v1.

Promises: as the pages, these are for members whose membership lasts; a token's text is in the
answer that makes it and in no other; another member's is as unknown as none.
"""

from __future__ import annotations

import time
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.identity.selectors import member_of, passes_gate
from fondaco.office.api.scoped import ScopedView
from fondaco.office.brokerage.views import own_account, own_strategy
from fondaco.office.callers import address_of
from fondaco.strategies import selectors, services, words
from fondaco.strategies.history import FORMATS, HistoryUnfit
from fondaco.strategies.models import NAME_LENGTH_MAX, SYMBOL_LENGTH_MAX, BrokerageAccount
from fondaco.strategies.services import StrategyRefused

__all__ = [
    "BrokerageAccounts",
    "DashboardNow",
    "OneBrokerageAccount",
    "OneStrategy",
    "Strategies",
    "StrategyHistory",
    "StrategyToken",
]


TEXT_LENGTH_MAX: Final = 900_000  # a request has at most 1 MiB, and lines are escaped in it


class BrokerageAccountBody(serializers.Serializer):
    name = serializers.CharField(max_length=NAME_LENGTH_MAX)


class BrokerageAccountChange(serializers.Serializer):
    name = serializers.CharField(max_length=NAME_LENGTH_MAX, required=False)
    archived = serializers.BooleanField(required=False)


class StrategyBody(serializers.Serializer):
    """A strategy and the number of the account that it trades on."""

    name = serializers.CharField(max_length=NAME_LENGTH_MAX)
    account = serializers.IntegerField()
    symbol = serializers.CharField(
        max_length=SYMBOL_LENGTH_MAX, required=False, allow_blank=True, default=""
    )
    report_every_s = serializers.IntegerField(required=False, default=0, min_value=0)


class StrategyChange(serializers.Serializer):
    name = serializers.CharField(max_length=NAME_LENGTH_MAX, required=False)
    account = serializers.IntegerField(required=False)
    symbol = serializers.CharField(max_length=SYMBOL_LENGTH_MAX, required=False, allow_blank=True)
    report_every_s = serializers.IntegerField(required=False, min_value=0)
    archived = serializers.BooleanField(required=False)


class HistoryBody(serializers.Serializer):
    """A file's text, its format, and of trades the balance before the first."""

    format = serializers.ChoiceField(choices=FORMATS)
    text = serializers.CharField(max_length=TEXT_LENGTH_MAX, trim_whitespace=False)
    starting_balance = serializers.CharField(
        max_length=40, required=False, allow_blank=True, default=""
    )


class StrategyView(ScopedView):
    """A token reads with the scope read and changes something with the scope trade."""

    member_wide = True
    writes = "trade"

    def initial(self, request: Request, *args: Any, **more: Any) -> None:  # noqa: ANN401 - DRF's
        super().initial(request, *args, **more)
        if not passes_gate(member_of(request.user)):
            raise PermissionDenied("This needs a membership; see /memberships/checkout.")

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, StrategyRefused):
            text = str(exc)
            said = f"{text[:1].upper()}{text[1:]}."
            exc = ValidationError({exc.field: [said]} if exc.field else {"error": said})
        answer: Response = super().handle_exception(exc)
        return answer


def _checked(request: Request, shape: type[serializers.Serializer]) -> dict[str, Any]:
    body = shape(data=request.data)
    body.is_valid(raise_exception=True)
    return {**body.validated_data}


def _account(request: Request, number: int) -> BrokerageAccount:
    row = BrokerageAccount.objects.filter(pk=number, member=member_of(request.user)).first()
    if row is None:
        raise ValidationError({"account": ["You have no brokerage account of that number."]})
    return row


class DashboardNow(StrategyView):
    @extend_schema(
        parameters=[OpenApiParameter("hours", int, description="of the curve, at most 720")],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request) -> Response:
        """Tell equity, profit and loss of 24 hours, the hourly curve, and each strategy's last."""
        text = request.query_params.get("hours") or str(selectors.HOURS_SHOWN)
        hours = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
        if not 1 <= hours <= selectors.HOURS_SHOWN:
            raise ValidationError({"hours": [f"Give 1 to {selectors.HOURS_SHOWN}."]})
        now_us = time.time_ns() // 1000
        found = selectors.dashboard(member_of(request.user), now_us=now_us, hours=hours)
        return Response(words.dashboard_words(found))


class BrokerageAccounts(StrategyView):
    @extend_schema(operation_id="brokerage_accounts_list", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """List the member's brokerage accounts by name."""
        rows = selectors.accounts(member_of(request.user))
        return Response({"accounts": [words.account_words(row) for row in rows]})

    @extend_schema(request=BrokerageAccountBody, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        """Make a brokerage account."""
        fields = _checked(request, BrokerageAccountBody)
        row = services.add_account(member_of(request.user), fields["name"])
        return Response(words.account_words(row), status=status.HTTP_201_CREATED)


class OneBrokerageAccount(StrategyView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, number: str) -> Response:
        return Response(words.account_words(own_account(member_of(request.user), number)))

    @extend_schema(request=BrokerageAccountChange, responses=OpenApiTypes.OBJECT)
    def patch(self, request: Request, number: str) -> Response:
        """Rename an account, put it away or take it back."""
        row = own_account(member_of(request.user), number)
        fields = _checked(request, BrokerageAccountChange)
        if "name" in fields:
            services.edit_account(row, fields["name"])
        if "archived" in fields:
            services.archive_account(row, archived=fields["archived"], address=address_of(request))
        return Response(words.account_words(row))


class Strategies(StrategyView):
    @extend_schema(operation_id="strategies_list", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """List the member's strategies by name, each with its last report."""
        rows = selectors.strategies(member_of(request.user))
        return Response({"strategies": [words.strategy_words(row) for row in rows]})

    @extend_schema(request=StrategyBody, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        """Make a strategy; its token is shown here and never again."""
        fields = _checked(request, StrategyBody)
        account = _account(request, fields.pop("account"))
        row, token = services.add_strategy(account, **fields, address=address_of(request))
        told = {**words.strategy_words(row), "token": token}
        return Response(told, status=status.HTTP_201_CREATED)


class OneStrategy(StrategyView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, number: str) -> Response:
        """Tell a strategy with its hours of the last 30 days and its newest reports."""
        row = own_strategy(member_of(request.user), number)
        curve = selectors.curve(row, now_us=time.time_ns() // 1000)
        reports = [words.report_words(each, each.created_us) for each in selectors.reports(row)]
        told = {**words.strategy_words(row), "hourly": words.curve_words(curve)}
        return Response({**told, "reports": reports})

    @extend_schema(request=StrategyChange, responses=OpenApiTypes.OBJECT)
    def patch(self, request: Request, number: str) -> Response:
        """Change a strategy's name, account, symbol or interval, put it away or take it back."""
        row = own_strategy(member_of(request.user), number)
        fields = _checked(request, StrategyChange)
        archived = fields.pop("archived", None)
        if fields:
            account = _account(request, fields.get("account", row.account_id))
            name, symbol = fields.get("name", row.name), fields.get("symbol", row.symbol)
            every = fields.get("report_every_s")
            services.edit_strategy(
                row, account=account, name=name, symbol=symbol, report_every_s=every
            )
        if archived is not None:
            services.archive_strategy(row, archived=archived, address=address_of(request))
        return Response(words.strategy_words(row))


class StrategyHistory(StrategyView):
    @extend_schema(request=HistoryBody, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request, number: str) -> Response:
        """Import history; what doesn't fit is told by its line, what is stored already stays."""
        row = own_strategy(member_of(request.user), number)
        fields = _checked(request, HistoryBody)
        try:
            done = services.import_history(
                row,
                fields["text"],
                kind=fields["format"],
                start=fields["starting_balance"],
                now_us=time.time_ns() // 1000,
                address=address_of(request),
            )
        except HistoryUnfit as unfit:
            raise ValidationError({"text": unfit.lines}) from unfit
        return Response(words.imported_words(done), status=status.HTTP_201_CREATED)


class StrategyToken(StrategyView):
    @extend_schema(request=None, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request, number: str) -> Response:
        """Make a new token, shown here and never again; the one before ends."""
        row = own_strategy(member_of(request.user), number)
        token = services.make_token(row, address=address_of(request))
        return Response({"id": row.pk, "token": token}, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, number: str) -> Response:
        """Revoke the token."""
        row = own_strategy(member_of(request.user), number)
        services.revoke_token(row, address=address_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
