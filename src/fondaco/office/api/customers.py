"""The customers' API, as its callers have always sent it: /api/customer/ and /api/order/.

Promises: bodies, statuses and texts of the older system; what it got wrong is refused: an amount
below or at zero, finer than a lot, or no number moves nothing. An order is answered as soon as it
is durable, whatever the venue takes.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.core.money import parse_units
from fondaco.core.records import AccountKind, Side
from fondaco.identity.models import Account, ApiKey
from fondaco.identity.permissions import Permission
from fondaco.office import writer
from fondaco.office.api.faults import writer_asked
from fondaco.office.api.numbers import PlainDecimal
from fondaco.office.api.open_door import OpenView, sees_all
from fondaco.office.orders import selectors, services
from fondaco.office.orders.services import Funds, OrderRefused, Terms
from fondaco.projections.selectors import InstrumentRow, asset_codes

__all__ = ["Customers", "OneCustomer", "PlaceOrder", "asked_amount"]

LISTED_MAX: Final = 1000
CENTS: Final = 2


class CustomerForm(serializers.Serializer):
    name = serializers.CharField(max_length=20)
    balance = PlainDecimal(max_digits=10, decimal_places=CENTS, min_value=0, default="100.00")


class CustomerWords(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    balance = serializers.CharField()


class CustomerWithCoins(CustomerWords):
    coins = serializers.DictField(child=serializers.CharField())


class CoinOrderForm(serializers.Serializer):
    crypto = serializers.CharField(max_length=12)
    amount = PlainDecimal(max_digits=30, decimal_places=18)
    customer_id = serializers.IntegerField()


class CoinOrderWords(serializers.Serializer):
    message = serializers.CharField()


def _customer(account: Account) -> dict[str, Any]:
    """Return what a customer has free now."""
    codes = asset_codes()
    member = account.member
    free = selectors.free_units(writer.core(), account.pk)
    told: dict[str, Any] = {"id": member.pk, "name": member.customer_name or member.username}
    told["balance"] = selectors.plain_units(0, 0, places=CENTS)
    told["coins"] = {}
    for asset, units in sorted(free.items()):
        code, decimals = codes[asset]
        if code == settings.CASH:
            told["balance"] = selectors.plain_units(units, decimals, places=CENTS)
        elif units:
            told["coins"][code] = selectors.plain_units(units, decimals)
    return told


class Customers(OpenView):
    form = CustomerForm

    @property
    def permission(self) -> Permission | None:
        """Customers are made by staff; each sees themselves."""
        return Permission.MOVE_MONEY if str(self.request.method) == "POST" else None

    @extend_schema(
        operation_id="api_customer_list",
        parameters=[OpenApiParameter("after", int, description="only ids above this one")],
        responses=CustomerWords(many=True),
        tags=["customers"],
    )
    def get(self, request: Request) -> Response:
        """List the customers by id, at most 1,000; a member sees themselves."""
        text = str(request.query_params.get("after", "0"))
        after = int(text) if text.isdecimal() and len(text) < 18 else 0
        rows = Account.objects.select_related("member").order_by("member_id")
        rows = rows.filter(opened_at__isnull=False, kind=AccountKind.SPOT.value)
        rows = rows.filter(member_id__gt=after, member__left_at__isnull=True)
        if not sees_all(request):
            rows = rows.filter(member=request.user)
        if isinstance(request.auth, ApiKey):
            rows = rows.filter(pk=request.auth.account_id)
        with writer_asked():
            found = [_customer(account) for account in rows[:LISTED_MAX]]
        return Response([{name: row[name] for name in ("id", "name", "balance")} for row in found])

    @extend_schema(request=CustomerForm, responses={201: CustomerWords}, tags=["customers"])
    def post(self, request: Request) -> Response:
        """Make a customer with an opening balance, 100.00 if none is given."""
        form = CustomerForm(data=request.data)
        form.is_valid(raise_exception=True)
        cash = {code: (number, places) for number, (code, places) in asset_codes().items()}
        if settings.CASH not in cash:
            raise ValidationError({"error": f"the house has no asset {settings.CASH} yet"})
        asset, decimals = cash[settings.CASH]
        name, balance = form.validated_data["name"], form.validated_data["balance"]
        try:
            amount = parse_units(str(balance), decimals)
        except ValueError as error:
            raise ValidationError({"balance": [f"{error}."]}) from error
        with writer_asked():
            try:
                account = services.open_customer(
                    writer.core(), name=name, asset=asset, amount=amount
                )
            except OrderRefused as refusal:
                raise ValidationError({refusal.field: [f"{refusal}."]}) from refusal
        told = selectors.plain_units(amount, decimals, places=CENTS)
        words = {"id": account.member_id, "name": name, "balance": told}
        return Response(words, status=status.HTTP_201_CREATED)


class OneCustomer(OpenView):
    @extend_schema(
        operation_id="api_customer_retrieve", responses=CustomerWithCoins, tags=["customers"]
    )
    def get(self, _request: Request, number: int) -> Response:
        """Show a customer's free balance and coins."""
        account = self.theirs(int(number), "Customer")
        with writer_asked():
            return Response(_customer(account))


class PlaceOrder(OpenView):
    form = CoinOrderForm

    @extend_schema(request=CoinOrderForm, responses=CoinOrderWords, tags=["customers"])
    def post(self, request: Request) -> Response:
        """Buy a coin outside: debited now, bought when its pool is worth the venue's minimum."""
        form = CoinOrderForm(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        account = self.theirs(max(asked["customer_id"], 0), "Customer")
        market = selectors.agency_market(asked["crypto"])
        if market is None:
            raise Http404("No Cryptocurrency matches the given query.")
        lots = asked_amount("amount", f"{asked['amount']:f}", market)
        key = request.auth.pk if isinstance(request.auth, ApiKey) else 0
        with writer_asked():
            try:
                number = services.place(
                    writer.core(),
                    account=account,
                    key=key,
                    market=market,
                    terms=Terms(Side.BUY, lots),
                )
            except Funds as refusal:
                return Response({"error": str(refusal)}, status=status.HTTP_400_BAD_REQUEST)
            except OrderRefused as refusal:
                if refusal.field:
                    raise ValidationError({"amount": [f"{refusal}."]}) from refusal
                return Response({"error": f"{refusal}."}, status=status.HTTP_409_CONFLICT)
        return Response(
            {"message": "Purchase order registered successfully."},
            headers={"Location": f"/api/v1/orders/{number}/"},
        )


def asked_amount(field: str, text: str, market: InstrumentRow) -> int:
    """Return an amount of a market's base as lots, above 0. Raises ValidationError."""
    decimals = asset_codes()[market.base][1]
    if text.startswith("-"):
        raise ValidationError({field: ["Ensure this value is greater than 0."]})
    whole, _, fraction = text.partition(".")
    text = f"{whole}.{fraction.rstrip('0')}".rstrip(".")
    try:
        lots = selectors.lots_of(market, parse_units(text, decimals))
    except ValueError as error:
        raise ValidationError({field: [f"{error}."]}) from error
    if lots == 0:
        raise ValidationError({field: ["Ensure this value is greater than 0."]})
    return lots
