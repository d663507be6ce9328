"""Signals in and what they triggered: /api/v1/signals/.

Promises: 202 leaves after the commit that holds the signal; the same signal, or the same
Idempotency-Key of one sender, is answered with the first one's id. At an open door, from staff and
with a token that the house file declares it is for every client; any other member's is for their
own. A body that can't be read is 400, names the field, and nothing is stored.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.identity.models import AccessToken, Member
from fondaco.identity.permissions import Permission, may
from fondaco.office.api.open_door import NUMBER_MAX, OpenView, is_free, sees_all
from fondaco.robots.hub import selectors, services
from fondaco.robots.hub.messages import RATED, SUMMARIES, Unfit, read_signal

__all__ = ["OneSignal", "Ratings", "Signals", "unfit"]

KEY_MAX: Final = 255


class SignalForm(serializers.Serializer):
    summary = serializers.ChoiceField(choices=tuple(SUMMARIES))
    timestamp = serializers.CharField(help_text='like "20-07-2022 02:18:10", in UTC')
    symbol = serializers.CharField(required=False, default="BTC")
    analysed_data = serializers.ListField(child=serializers.DictField(), required=False)


class SignalTaken(serializers.Serializer):
    id = serializers.IntegerField()


def unfit(fault: Unfit) -> ValidationError:
    """Return a message's fault as the native routes say it."""
    text = str(fault)
    said = f"{text[:1].upper()}{text[1:]}."
    return ValidationError({fault.field: [said]} if fault.field else {"error": said})


class Signals(OpenView):
    writes = "signals"
    member_wide = True
    form = SignalForm

    @extend_schema(
        request=SignalForm,
        responses={202: SignalTaken},
        parameters=[OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)],
        tags=["signals"],
    )
    def post(self, request: Request) -> Response:
        """Take a signal; it is judged for every client soon after."""
        key = request.META.get("HTTP_IDEMPOTENCY_KEY", "")
        if len(key) > KEY_MAX:
            raise ValidationError({"Idempotency-Key": [f"Send at most {KEY_MAX} characters."]})
        try:
            incoming = read_signal(request.data)
        except Unfit as fault:
            raise unfit(fault) from fault
        member = reach(request)
        sender = request.user.pk if isinstance(request.user, Member) else 0
        row, _ = services.take_signal(
            incoming, source="api", member=member, key=f"{sender}\0{key}" if key else ""
        )
        return Response({"id": row.pk}, status=status.HTTP_202_ACCEPTED)


class OneSignal(OpenView):
    member_wide = True

    @extend_schema(responses=OpenApiTypes.OBJECT, tags=["signals"])
    def get(self, request: Request, number: str) -> Response:
        """Show a signal and whom it triggered; for staff and at an open door."""
        found: dict[str, Any] | None = None
        if sees_all(request):
            found = selectors.signal_words(min(int(number), NUMBER_MAX))
        if found is None:
            raise Http404("No Signal matches the given query.")
        return Response(found)


class Ratings(OpenView):
    @extend_schema(
        responses=OpenApiTypes.OBJECT,
        parameters=[OpenApiParameter("interval", str, description="1m by default")],
        tags=["signals"],
    )
    def get(self, request: Request, symbol: str) -> Response:
        """Show what the house's own analysis says of a book at its newest closed bar."""
        interval = request.query_params.get("interval", "1m")
        if not selectors.is_book(symbol):
            raise Http404(f"There is no market {symbol!r} with a book; only those are rated.")
        if interval not in RATED:
            raise ValidationError({"interval": [f"Give one of {', '.join(RATED)}."]})
        return Response({"ratings": selectors.ratings(symbol, interval)})


def reach(request: Request) -> int:
    """Return for whose clients a sender's signals are: 0 for everybody's, else the member's."""
    if is_free(request):
        return 0
    member = request.user
    assert isinstance(member, Member), "the door let a stranger in"
    if may(member, Permission.SEE_MEMBERS):
        return 0
    if isinstance(request.auth, AccessToken) and request.auth.is_declared:
        return 0
    return member.pk
