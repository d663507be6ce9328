"""Hooks of charts: making and ending them, the alerts that came, and the address they come to.

Promises: an alert is stored and answered with 202 at once; the hub's worker reads it after. A
hook's token is in the answer that makes it and in no other; an address that is unknown, ended or
not for the sender's network is 404. Another member's hooks are as unknown as none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.conf import settings
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fondaco.identity.selectors import member_of
from fondaco.office.api.open_door import NUMBER_MAX
from fondaco.office.api.scoped import ScopedView
from fondaco.office.api.signals import unfit
from fondaco.office.callers import address_of
from fondaco.robots.hub import selectors, services
from fondaco.robots.hub.messages import Unfit
from fondaco.robots.models import Hook, HookAlert

__all__ = ["HookAlerts", "HookIn", "Hooks", "OneHook", "ReplayAlert", "RotateHook", "address_url"]

NAME_MAX: Final = 64
SHOWN_MAX: Final = 200
UNKNOWN_TOLD: Final = 20  # fields that are named in an answer


class HookChange(serializers.Serializer):
    symbol = serializers.RegexField(
        r"^[A-Z0-9]{1,12}\Z", required=False, allow_blank=True, help_text="of alerts that name none"
    )
    template = serializers.CharField(required=False, allow_blank=True, max_length=300)
    addresses = serializers.CharField(
        required=False, allow_blank=True, max_length=2000, help_text="networks, one a line"
    )
    checks_position = serializers.BooleanField(required=False)


class HookBody(HookChange):
    name = serializers.CharField(max_length=NAME_MAX)


class AlertBody(serializers.Serializer):
    body = serializers.CharField(max_length=services.ALERT_BYTES_MAX)


def address_url(token: str) -> str:
    """Return where a hook's alerts are sent."""
    return f"{settings.BASE_URL}/api/v1/hooks/in/{token}/"


class HookView(ScopedView):
    """A token reads with the scope read and changes something with the scope trade."""

    member_wide = True
    writes = "trade"

    def handle_exception(self, exc: Exception) -> Response:
        answer: Response = super().handle_exception(unfit(exc) if isinstance(exc, Unfit) else exc)
        return answer

    def own(self, number: str) -> Hook:
        rows = Hook.objects.select_related("member").filter(revoked_at__isnull=True)
        member = member_of(self.request.user)
        row = rows.filter(pk=min(int(number), NUMBER_MAX), member=member).first()
        if row is None:
            raise Http404("No Hook matches the given query.")
        return row


def _checked(request: Request, shape: type[serializers.Serializer]) -> dict[str, Any]:
    body = shape(data=request.data)
    sent = request.data if isinstance(request.data, Mapping) else {}
    unknown = [name for name in sent if name not in body.fields]
    if unknown:
        said = f"This field is unknown; known are {', '.join(body.fields)}."
        raise ValidationError({str(name)[:NAME_MAX]: [said] for name in unknown[:UNKNOWN_TOLD]})
    body.is_valid(raise_exception=True)
    return {**body.validated_data}


class Hooks(HookView):
    @extend_schema(operation_id="hooks_list", responses=OpenApiTypes.OBJECT, tags=["hooks"])
    def get(self, request: Request) -> Response:
        """List the member's hooks."""
        rows = Hook.objects.filter(member=member_of(request.user), revoked_at__isnull=True)
        return Response({"hooks": [selectors.hook_words(row) for row in rows.order_by("pk")]})

    @extend_schema(request=HookBody, responses={201: OpenApiTypes.OBJECT}, tags=["hooks"])
    def post(self, request: Request) -> Response:
        """Make a hook; its address is shown here and never again."""
        fields = _checked(request, HookBody)
        member = member_of(request.user)
        row, token = services.add_hook(member, **fields, address=address_of(request))
        told = {**selectors.hook_words(row), "url": address_url(token)}
        return Response(told, status=status.HTTP_201_CREATED)


class OneHook(HookView):
    @extend_schema(responses=OpenApiTypes.OBJECT, tags=["hooks"])
    def get(self, _request: Request, number: str) -> Response:
        return Response(selectors.hook_words(self.own(number)))

    @extend_schema(request=HookChange, responses=OpenApiTypes.OBJECT, tags=["hooks"])
    def patch(self, request: Request, number: str) -> Response:
        """Change how a hook reads its alerts and from where it takes them."""
        row = self.own(number)
        services.edit_hook(row, **_checked(request, HookChange))
        return Response(selectors.hook_words(row))

    @extend_schema(request=None, responses={204: None}, tags=["hooks"])
    def delete(self, request: Request, number: str) -> Response:
        """End a hook."""
        services.remove_hook(self.own(number), address=address_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class RotateHook(HookView):
    @extend_schema(request=None, responses={201: OpenApiTypes.OBJECT}, tags=["hooks"])
    def post(self, request: Request, number: str) -> Response:
        """Give a hook a new address, shown here once; the one before ends."""
        row = self.own(number)
        token = services.rotate_hook(row, address=address_of(request))
        told = {**selectors.hook_words(row), "url": address_url(token)}
        return Response(told, status=status.HTTP_201_CREATED)


class HookAlerts(HookView):
    @extend_schema(
        responses=OpenApiTypes.OBJECT,
        parameters=[OpenApiParameter("limit", int, description="1 to 200, 200 by default")],
        tags=["hooks"],
    )
    def get(self, request: Request, number: str) -> Response:
        """Show the newest alerts of a hook, and what became of each."""
        hook = self.own(number)
        text = str(request.query_params.get("limit", SHOWN_MAX))
        if not (text.isdecimal() and len(text) < 10 and 1 <= int(text) <= SHOWN_MAX):
            raise ValidationError({"limit": [f"Give a number from 1 to {SHOWN_MAX}."]})
        rows = HookAlert.objects.filter(hook=hook).order_by("-id")[: int(text)]
        return Response({"alerts": [selectors.alert_words(row) for row in rows]})

    @extend_schema(request=AlertBody, responses={202: OpenApiTypes.OBJECT}, tags=["hooks"])
    def post(self, request: Request, number: str) -> Response:
        """Take by hand an alert that was lost on its way."""
        hook = self.own(number)
        row = services.take_alert(hook, _checked(request, AlertBody)["body"], is_replay=True)
        return Response(selectors.alert_words(row), status=status.HTTP_202_ACCEPTED)


class ReplayAlert(HookView):
    @extend_schema(request=None, responses={202: OpenApiTypes.OBJECT}, tags=["hooks"])
    def post(self, _request: Request, number: str, alert: str) -> Response:
        """Read an alert once more, as a new one."""
        found = HookAlert.objects.select_related("hook").filter(hook=self.own(number))
        row = found.filter(pk=min(int(alert), NUMBER_MAX)).first()
        if row is None:
            raise Http404("No Alert matches the given query.")
        again = services.replay_alert(row)
        return Response(selectors.alert_words(again), status=status.HTTP_202_ACCEPTED)


class HookIn(APIView):
    """Where alerts come in. The address is the credential.

    An edge stores alerts before they are here (office.hooks.intake); what it doesn't take, this
    answers.
    """

    is_public = True
    authentication_classes: ClassVar[list[type[BaseAuthentication]]] = []
    parser_classes = ()  # a body is taken as it is

    @extend_schema(request=OpenApiTypes.STR, responses={202: OpenApiTypes.OBJECT}, tags=["hooks"])
    def post(self, request: Request, token: str) -> Response:
        """Take an alert."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        hook = services.hooks_at([digest]).get(digest)
        if hook is None or not services.is_open_to(hook, address_of(request)):
            raise Http404("No Hook matches the given query.")
        raw = request._request.body  # noqa: SLF001 - the bytes as sent; Django keeps them
        text = services.alert_text(raw)
        if text is None:
            raise ValidationError(
                {"error": f"Send an alert of 1 to {services.ALERT_BYTES_MAX} bytes."}
            )
        row = services.take_alert(hook, text)
        return Response({"alert": row.pk}, status=status.HTTP_202_ACCEPTED)
