"""Orders of the dealer and the agency market, under /api/v1; and the outside orders of a venue.

Promises: POST answers once the order is durable, with its address; the same client order id with
the same terms gives the first one again. GET shows it as it is now and why it waits. DELETE
cancels while it waits and is 409 after. Order books are the gateway's.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fondaco.core import client_ids
from fondaco.core.money import parse_units
from fondaco.core.records import Side
from fondaco.identity.models import Account, ApiKey, Member
from fondaco.identity.permissions import Permission
from fondaco.identity.selectors import member_of
from fondaco.office import writer
from fondaco.office.api.customers import asked_amount
from fondaco.office.api.faults import NotDone, writer_asked
from fondaco.office.api.numbers import PlainDecimal
from fondaco.office.api.open_door import OpenView
from fondaco.office.callers import address_of
from fondaco.office.orders import selectors, services
from fondaco.office.orders.services import OrderRefused, Terms
from fondaco.projections import selectors as history
from fondaco.projections.selectors import InstrumentRow

__all__ = ["OneOrder", "Orders", "SettleVenueOrder", "VenueOrders"]

NO_MARKET: Final = "There is no dealer or agency market of that name."
LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000


class NativeOrderForm(serializers.Serializer):
    symbol = serializers.CharField(max_length=24)
    side = serializers.ChoiceField(choices=["BUY", "SELL"])
    quantity = PlainDecimal(max_digits=30, decimal_places=18)
    upper_bound = PlainDecimal(
        max_digits=30, decimal_places=18, required=False, help_text="dealer market only"
    )
    lower_bound = PlainDecimal(
        max_digits=30, decimal_places=18, required=False, help_text="dealer market only"
    )
    client_order_id = serializers.CharField(max_length=36, required=False)
    customer_id = serializers.IntegerField(
        required=False, help_text="for whom; the asking member where none is named"
    )


class OrderWords(serializers.Serializer):
    id = serializers.IntegerField()
    symbol = serializers.CharField()
    market = serializers.CharField()
    side = serializers.CharField()
    status = serializers.CharField()
    quantity = serializers.CharField()
    filled_quantity = serializers.CharField()
    filled_quote = serializers.CharField()
    client_order_id = serializers.CharField(allow_blank=True)
    account = serializers.IntegerField()
    created_at = serializers.IntegerField(help_text="Unix, milliseconds")
    updated_at = serializers.IntegerField()
    wait = serializers.CharField(allow_null=True, help_text="why it waits")
    venue_order = serializers.CharField(allow_null=True, help_text="its id at the venue")
    upper_bound = serializers.CharField(required=False)
    lower_bound = serializers.CharField(required=False)
    reserved_price = serializers.CharField(required=False)


class PartWords(serializers.Serializer):
    order_id = serializers.IntegerField()
    customer_id = serializers.IntegerField()
    quantity = serializers.CharField()
    filled_quantity = serializers.CharField()


class DisputeWords(serializers.Serializer):
    reason = serializers.CharField(help_text="why the house doesn't take it")
    filled_quantity = serializers.CharField()
    filled_quote = serializers.CharField()
    is_final = serializers.BooleanField()
    reported_at = serializers.IntegerField(help_text="Unix, milliseconds")


class VenueOrderWords(serializers.Serializer):
    client_order_id = serializers.CharField()
    symbol = serializers.CharField()
    side = serializers.CharField()
    quantity = serializers.CharField()
    notional = serializers.CharField()
    status = serializers.CharField()
    filled_quantity = serializers.CharField()
    filled_quote = serializers.CharField()
    attempts = serializers.IntegerField()
    disputed = DisputeWords(required=False, help_text="what the venue says and can't be")
    parts = PartWords(many=True)


class OrdersView(OpenView):
    """What these views share."""

    def handle_exception(self, exc: Exception) -> Response:
        """Answer a refusal of the core as a 400 of its field, or a 409."""
        if isinstance(exc, services.Funds):
            return Response({"error": str(exc)}, status=status.HTTP_400_BAD_REQUEST)
        if isinstance(exc, OrderRefused) and exc.field:
            exc = ValidationError({exc.field: [f"{exc}."]})
        elif isinstance(exc, OrderRefused):
            return Response({"error": f"{exc}."}, status=status.HTTP_409_CONFLICT)
        elif isinstance(exc, selectors.HistoryBehind):
            exc = NotDone(str(exc))
        return super().handle_exception(exc)

    def key(self) -> int:
        """Return the number of the asking key, 0 if none asks."""
        credential = self.request.auth
        return credential.pk if isinstance(credential, ApiKey) else 0

    def accounts(self) -> list[int] | None:
        """Return the accounts that the asker looks at: theirs, or all where nobody is named."""
        request: Request = self.request
        if isinstance(request.auth, ApiKey):
            return [request.auth.account_id]
        if not isinstance(request.user, Member):
            return None
        return list(Account.objects.filter(member=request.user).values_list("pk", flat=True))

    def limit(self) -> int:
        """Return how many to show."""
        text = str(self.request.query_params.get("limit", LIMIT_DEFAULT))
        if not text.isdecimal() or not 1 <= int(text[:9]) <= LIMIT_MAX:
            raise ValidationError({"limit": [f"Give a number from 1 to {LIMIT_MAX}."]})
        return int(text)

    def one(self, number: int) -> dict[str, Any]:
        """Return an order that the asker may see. Raises Http404."""
        with writer_asked():
            found = selectors.order(writer.core(), min(number, (1 << 63) - 1))
        accounts = self.accounts()
        hidden = accounts is not None and found is not None and found["account"] not in accounts
        if isinstance(self.request.auth, ApiKey) or not self.is_trusted():
            found = None if hidden else found
        if found is None:
            raise Http404("No Order matches the given query.")
        return found


class Orders(OrdersView):
    form = NativeOrderForm

    @extend_schema(
        parameters=[
            OpenApiParameter("symbol", str, description="of this market only"),
            OpenApiParameter("limit", int, description="1 to 1000, 100 by default"),
        ],
        operation_id="api_v1_orders_list",
        responses=OrderWords(many=True),
    )
    def get(self, request: Request) -> Response:
        """List own orders of the dealer and agency markets, newest first, with why they wait."""
        symbol = str(request.query_params.get("symbol", ""))
        if symbol and selectors.market(symbol) is None:
            raise ValidationError({"symbol": [NO_MARKET]})
        limit = self.limit()
        with writer_asked():
            found = selectors.order_rows(writer.core(), self.accounts(), symbol=symbol, limit=limit)
        return Response(found)

    @extend_schema(request=NativeOrderForm, responses={201: OrderWords})
    def post(self, request: Request) -> Response:
        """Place an order on a dealer market (with bounds) or an agency market."""
        form = NativeOrderForm(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        market = selectors.market(asked["symbol"])
        if market is None:
            raise ValidationError({"symbol": [NO_MARKET]})
        terms = _terms(asked, market)
        account = self._account(asked)
        with writer_asked():
            number = services.place(
                writer.core(), account=account, key=self.key(), market=market, terms=terms
            )
            found = selectors.order(writer.core(), number)
        return Response(
            found,
            status=status.HTTP_201_CREATED,
            headers={"Location": f"/api/v1/orders/{number}/"},
        )

    def _account(self, asked: dict[str, Any]) -> Account:
        credential = self.request.auth
        if isinstance(credential, ApiKey) and "customer_id" not in asked:
            return credential.account
        if "customer_id" in asked:
            return self.theirs(max(asked["customer_id"], 0), "Customer")
        if not isinstance(self.request.user, Member):
            raise ValidationError({"customer_id": ["This field is required."]})
        return self.theirs(self.request.user.pk, "Customer")


def _terms(asked: dict[str, Any], market: InstrumentRow) -> Terms:
    """Return the terms of an order in the core's numbers. Raises ValidationError."""
    lots = asked_amount("quantity", f"{asked['quantity']:f}", market)
    upper = lower = 0
    bounds = [name for name in ("upper_bound", "lower_bound") if name in asked]
    if market.market == selectors.AGENCY and bounds:
        raise ValidationError({bounds[0]: ["An agency market has no bounds; leave it out."]})
    if market.market == selectors.DEALER:
        if "upper_bound" not in asked:
            raise ValidationError({"upper_bound": ["This field is required."]})
        upper = _ticks("upper_bound", asked["upper_bound"], market)
        lower = _ticks("lower_bound", asked.get("lower_bound", Decimal(0)), market)
    client_id = asked.get("client_order_id", "")
    try:
        if client_id:
            client_ids.encode(client_id)
    except ValueError as error:
        raise ValidationError({"client_order_id": [f"{error}."]}) from error
    return Terms(Side[asked["side"]], lots, upper, lower, client_id)


def _ticks(field: str, price: Decimal, market: InstrumentRow) -> int:
    whole, _, fraction = f"{price:f}".partition(".")
    try:
        return selectors.ticks_of(market, f"{whole}.{fraction.rstrip('0')}".rstrip("."))
    except ValueError as error:
        raise ValidationError({field: [f"{error}."]}) from error


class OneOrder(OrdersView):
    @extend_schema(operation_id="api_v1_orders_retrieve", responses=OrderWords)
    def get(self, _request: Request, number: int) -> Response:
        """Show one order as it is now."""
        return Response(self.one(int(number)))

    @extend_schema(responses=OrderWords)
    def delete(self, _request: Request, number: int) -> Response:
        """Cancel an order that waits; 409 if it is with the venue or done."""
        found = self.one(int(number))
        market = selectors.market(found["symbol"])
        assert market is not None, f"order {number} is of a market that isn't there"
        with writer_asked():
            services.cancel(
                writer.core(),
                account=found["account"],
                key=self.key(),
                instrument=market.number,
                order_id=found["id"],
            )
        return Response(self.one(int(number)))


class VenueOrders(OrdersView):
    permission = Permission.SEE_MEMBERS

    @extend_schema(
        parameters=[OpenApiParameter("limit", int, description="1 to 1000, 100 by default")],
        responses=VenueOrderWords(many=True),
    )
    def get(self, _request: Request, venue: str) -> Response:
        """List the outside orders of a venue, newest first, with the orders they are made of."""
        found = selectors.venue_orders(venue, limit=self.limit())
        if found is None:
            raise Http404("No Venue matches the given query.")
        return Response(found)


class SettleForm(serializers.Serializer):
    filled_quantity = PlainDecimal(
        max_digits=30, decimal_places=18, min_value=0, help_text="since its beginning"
    )
    filled_quote = PlainDecimal(max_digits=30, decimal_places=18, min_value=0)


class SettleVenueOrder(APIView):
    """End an outside order whose venue reports what the house can't take.

    Somebody has looked at the venue and says what members shall get of it: at most what was
    ordered, at the order's limit or better. What did not fill goes back to them. What the venue
    did beyond that is the house's own affair.
    """

    permission = Permission.MOVE_MONEY

    @extend_schema(request=SettleForm, responses={204: None})
    def post(self, request: Request, venue: str, name: str) -> Response:
        form = SettleForm(data=request.data)
        form.is_valid(raise_exception=True)
        found = selectors.disputed_order(venue, name)
        if found is None:
            raise Http404("No VenueOrder matches the given query.")
        row, market = found
        units = {}
        codes = history.asset_codes()
        for field, asset in (("filled_quantity", market.base), ("filled_quote", market.quote)):
            try:
                units[field] = parse_units(f"{form.validated_data[field]:f}", codes[asset][1])
            except ValueError as error:
                raise ValidationError({field: [f"{error}."]}) from error
        try:
            with writer_asked():
                services.settle(
                    writer.core(),
                    venue_order=row.pk,
                    client_id=name,
                    filled_base=units["filled_quantity"],
                    filled_quote=units["filled_quote"],
                    actor=member_of(request.user),
                    address=address_of(request),
                )
        except OrderRefused as error:
            return Response({"error": f"{error}."}, status=status.HTTP_409_CONFLICT)
        return Response(status=status.HTTP_204_NO_CONTENT)
