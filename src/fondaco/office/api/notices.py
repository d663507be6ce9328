"""Notices for programs: what the page of notices does, under /api/v1."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.identity.selectors import member_of
from fondaco.office.api.scoped import ScopedView
from fondaco.office.callers import address_of
from fondaco.office.notices import selectors, services
from fondaco.office.notices.kinds import CHOOSABLE, Kind
from fondaco.office.notices.outside import URL_MAX
from fondaco.office.notices.services import NoticeRefused
from fondaco.office.notices.views import own_delivery, own_endpoint

__all__ = [
    "Choices",
    "Deliveries",
    "OneWebhook",
    "ReplayDelivery",
    "TestWebhook",
    "Webhooks",
]


class ChoiceBody(serializers.Serializer):
    """How to hear of one kind."""

    kind = serializers.ChoiceField([kind.value for kind in CHOOSABLE])
    mail = serializers.BooleanField()
    webhook = serializers.BooleanField()


class ChoicesBody(serializers.Serializer):
    """How to hear of some kinds; the others stay as they are."""

    choices = ChoiceBody(many=True, allow_empty=False, max_length=len(CHOOSABLE))


class WebhookBody(serializers.Serializer):
    """Where a new webhook goes."""

    url = serializers.CharField(max_length=URL_MAX)


class NoticeView(ScopedView):
    """A token reads with the scope read and changes something with the scope trade."""

    member_wide = True
    writes = "trade"

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, NoticeRefused):
            return Response({"error": str(exc)}, status=status.HTTP_409_CONFLICT)
        answer: Response = super().handle_exception(exc)
        return answer


class Choices(NoticeView):
    """GET how one hears of each kind; PUT {"choices":[{"kind","mail","webhook"}]} changes it."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response(_choices(request))

    @extend_schema(request=ChoicesBody, responses=OpenApiTypes.OBJECT)
    def put(self, request: Request) -> Response:
        body = ChoicesBody(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = {
            Kind(each["kind"]): (each["mail"], each["webhook"])
            for each in body.validated_data["choices"]
        }
        services.choose(member_of(request.user), wanted)
        return Response(_choices(request))


def _choices(request: Request) -> dict[str, Any]:
    found = selectors.choices(member_of(request.user))
    return {
        "choices": [
            {
                "kind": wish.kind.value,
                "title": wish.title,
                "mail": wish.by_mail or wish.always_mailed,
                "webhook": wish.by_webhook,
            }
            for wish in found
        ]
    }


class Webhooks(NoticeView):
    """GET one's webhooks; POST {"url"} adds one and answers its secret, this once."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        rows = selectors.endpoints(member_of(request.user))
        return Response({"webhooks": [selectors.endpoint_words(row) for row in rows]})

    @extend_schema(request=WebhookBody, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        body = WebhookBody(data=request.data)
        body.is_valid(raise_exception=True)
        member = member_of(request.user)
        row, secret = services.add_endpoint(
            member, body.validated_data["url"], address=address_of(request)
        )
        words = {**selectors.endpoint_words(row), "secret": secret}
        return Response(words, status=status.HTTP_201_CREATED)


class OneWebhook(NoticeView):
    """DELETE removes a webhook."""

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, number: str) -> Response:
        row = own_endpoint(member_of(request.user), number)
        services.remove_endpoint(row, address=address_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class TestWebhook(NoticeView):
    """POST sends a test to a webhook."""

    @extend_schema(request=None, responses={202: OpenApiTypes.OBJECT})
    def post(self, request: Request, number: str) -> Response:
        row = services.test(own_endpoint(member_of(request.user), number))
        return Response(selectors.delivery_words(row), status=status.HTTP_202_ACCEPTED)


class Deliveries(NoticeView):
    """GET the last deliveries, newest first."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        rows = selectors.deliveries(member_of(request.user))
        return Response({"deliveries": [selectors.delivery_words(row) for row in rows]})


class ReplayDelivery(NoticeView):
    """POST sends a delivery again, under the same id."""

    @extend_schema(request=None, responses={202: OpenApiTypes.OBJECT})
    def post(self, request: Request, number: str) -> Response:
        row = services.replay(own_delivery(member_of(request.user), number))
        return Response(selectors.delivery_words(row), status=status.HTTP_202_ACCEPTED)
