"""The house's own state for programs of staff: maintenance, and how its feeds stand."""

from __future__ import annotations

import time
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fondaco.identity import maintenance
from fondaco.identity.permissions import Permission
from fondaco.identity.selectors import member_of
from fondaco.office import writer
from fondaco.office.api.faults import writer_asked
from fondaco.office.callers import address_of
from fondaco.robots import selectors
from fondaco.robots.models import FeedState
from fondaco.robots.services import SET_ASIDE_MAX

__all__ = ["Feeds", "Maintenance"]

ASIDE_DEFAULT: Final = 20
COUNTERS: Final = (
    *("received", "current", "older", "duplicate", "set_aside", "filled", "reconnects"),
)


class MaintenanceBody(serializers.Serializer):
    maintenance = serializers.BooleanField()


class Maintenance(APIView):
    """POST {"maintenance": true} lets members only cancel and withdraw; false opens the house."""

    permission = Permission.MAINTENANCE

    @extend_schema(request=MaintenanceBody, responses=MaintenanceBody)
    def post(self, request: Request) -> Response:
        body = MaintenanceBody(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data["maintenance"]
        actor = member_of(request.user)
        with writer_asked():
            maintenance.set_maintenance(
                writer.core(), maintenance=wanted, actor=actor, address=address_of(request)
            )
        return Response({"maintenance": wanted})


class AsideWords(serializers.Serializer):
    received_at = serializers.IntegerField(help_text="Unix, milliseconds")
    fault = serializers.ChoiceField(
        choices=["BODY", "PRICE", "AVAILABILITY", "TIME", "REFUSED", "LISTING"]
    )
    reason = serializers.CharField()
    payload = serializers.CharField(help_text="its beginning, as it was sent")


class FeedWords(serializers.Serializer):
    name = serializers.CharField(help_text="the client id at the broker")
    topic = serializers.CharField()
    address = serializers.CharField(help_text="of the broker, without the password")
    is_connected = serializers.BooleanField()
    fault = serializers.CharField(allow_blank=True, help_text="why it isn't connected")
    received = serializers.IntegerField(help_text="messages since the feed was first followed")
    current = serializers.IntegerField(help_text="of them became the price")
    older = serializers.IntegerField(help_text="were older than the price")
    duplicate = serializers.IntegerField(help_text="had come before")
    set_aside = serializers.IntegerField(help_text="could not be taken")
    filled = serializers.IntegerField(help_text="filled an order")
    reconnects = serializers.IntegerField()
    last_message_time = serializers.IntegerField(
        allow_null=True, help_text="the newest price's own time; Unix, milliseconds"
    )
    updated_at = serializers.IntegerField(help_text="when this was counted")
    newest_set_aside = AsideWords(many=True)


class Feeds(APIView):
    """How each price feed stands, what came of its messages, and the newest that were set aside."""

    permission = Permission.SEE_MEMBERS

    @extend_schema(
        parameters=[OpenApiParameter("limit", int, description="set aside, 0 to 1000, or 20")],
        responses=FeedWords(many=True),
    )
    def get(self, request: Request) -> Response:
        text = str(request.query_params.get("limit", ASIDE_DEFAULT))
        if not text.isdecimal() or int(text[:9]) > SET_ASIDE_MAX:
            raise ValidationError({"limit": [f"Give a number from 0 to {SET_ASIDE_MAX}."]})
        now_us = time.time_ns() // 1000
        return Response([_feed_words(feed, now_us, int(text)) for feed in selectors.feeds()])


def _feed_words(feed: FeedState, now_us: int, limit: int) -> dict[str, Any]:
    is_connected = selectors.is_followed(feed, now_us)
    fault = feed.fault
    if feed.is_connected and not is_connected:
        fault = "nobody follows it: its process has not told anything for a while"
    return {
        "name": feed.name,
        "topic": feed.topic,
        "address": feed.address,
        "is_connected": is_connected,
        "fault": fault,
        **{name: getattr(feed, name) for name in COUNTERS},
        "last_message_time": feed.message_us // 1000 or None,
        "updated_at": feed.updated_us // 1000,
        "newest_set_aside": [
            {
                "received_at": each.received_us // 1000,
                "fault": each.fault,
                "reason": each.reason,
                "payload": each.payload,
            }
            for each in selectors.messages_aside(feed.name, limit)
        ],
    }
