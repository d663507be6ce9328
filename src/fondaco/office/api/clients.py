"""Clients of the hub, as its older callers know them: /api/v1/robots/clients/<id>/.

Promises: the document has exactly the seed's keys, its amounts are exact JSON numbers. PUT and
PATCH change `active` and `config` only: what the document has besides may be sent back by PUT and
changes nothing; PATCH refuses it by name, and both refuse what is no part of it. A client's member,
staff and an open door read it; staff and an open door lock it. Who is not to know of a client gets
404.
"""

from __future__ import annotations

import os
from typing import Any, Final

import msgspec
from django.conf import settings
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.core import records
from fondaco.core.records import AssetBody
from fondaco.house.robots import ConfigFault, RobotConfig, read_config
from fondaco.identity import core_door
from fondaco.identity.models import Member
from fondaco.identity.permissions import Permission
from fondaco.office import writer
from fondaco.office.api.bodies import check_names
from fondaco.office.api.faults import writer_asked
from fondaco.office.api.open_door import FormPage, OpenView, is_free, sees_all
from fondaco.office.callers import address_of
from fondaco.projections.selectors import asset_codes
from fondaco.robots import services as robots
from fondaco.robots.hub import selectors, services
from fondaco.robots.hub.document import client_document
from fondaco.robots.hub.locks import REDIS_URL, make_keys
from fondaco.robots.models import Robot

__all__ = ["ClientDecisions", "LockClient", "OneClient", "UnlockClient"]

SHOWN: Final = 100
UNTOLD: Final = ("operation_amount", "orders_day_max", "order_notional_max")  # of a config
CHANGED: Final = ("active", "config")
DOCUMENT: Final = (  # what a document has besides
    *("id", "locked", "cash", "crypto", "monthly_summary", "daily_summary"),
    "active_operations",
)
_encode: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode


class ExactJSON(JSONRenderer):
    """JSON in which a decimal is a number, digit for digit."""

    def render(
        self,
        data: Any,  # noqa: ANN401 - whatever a view answers
        accepted_media_type: str | None = None,  # noqa: ARG002 - DRF gives it
        renderer_context: Any = None,  # noqa: ANN401, ARG002 - DRF's own
    ) -> bytes:
        return b"" if data is None else _encode(data)


class ClientForm(serializers.Serializer):
    active = serializers.BooleanField(required=False)
    config = serializers.DictField(required=False)


class ClientView(OpenView):
    member_wide = True
    renderer_classes = (ExactJSON, FormPage)

    def initialize_request(self, request: Any, *args: Any, **more: Any) -> Request:  # noqa: ANN401 - DRF's
        self.raw = bytes(request.body) if request.method in {"PUT", "PATCH"} else b""
        made: Request = super().initialize_request(request, *args, **more)
        return made

    def client(self, text: str) -> Robot:
        """Return a client that the asker may know. Raises Http404."""
        rows = Robot.objects.select_related("member", "account").filter(closed_at__isnull=True)
        row = rows.filter(pk=text).first()
        if row is None or not (sees_all(self.request) or row.member == self.request.user):
            raise Http404("No Client matches the given query.")
        return row

    def actor(self) -> Member | None:
        return self.request.user if isinstance(self.request.user, Member) else None


class OneClient(ClientView):
    form = ClientForm

    @extend_schema(responses=OpenApiTypes.OBJECT, tags=["robots"])
    def get(self, _request: Request, client: str) -> Response:
        """Show a client's document."""
        return self._told(self.client(client))

    @extend_schema(request=ClientForm, responses=OpenApiTypes.OBJECT, tags=["robots"])
    def put(self, request: Request, client: str) -> Response:
        """Replace a client's switch and config."""
        return self._change(request, client, merges=False)

    @extend_schema(request=ClientForm, responses=OpenApiTypes.OBJECT, tags=["robots"])
    def patch(self, request: Request, client: str) -> Response:
        """Change a client's switch, or single words of its config."""
        return self._change(request, client, merges=True)

    def _change(self, request: Request, text: str, *, merges: bool) -> Response:
        row = self.client(text)
        if not (is_free(request) or row.member == request.user):
            raise Http404("No Client matches the given query.")
        sent = request.data
        active = sent.get("active") if isinstance(sent, dict) else None
        if not isinstance(sent, dict):
            raise ValidationError({"error": "Send a JSON object with active or config."})
        if merges:
            check_names(request, self.raw, CHANGED, DOCUMENT)
        else:  # a whole document may be sent back
            check_names(request, self.raw, CHANGED + DOCUMENT)
        if active is not None and not isinstance(active, bool):
            raise ValidationError({"active": ["Must be true or false."]})
        cash = _cash()
        config = None
        if "config" in sent:
            config = _config(sent["config"], row, cash.decimals, merges=merges)
        with writer_asked():
            robots.configure(
                writer.core(),
                row,
                cash=cash,
                config=config,
                is_active=active,
                actor=self.actor(),
                address=address_of(request),
            )
            return self._told(row)

    def _told(self, row: Robot) -> Response:
        with writer_asked():
            core = writer.core()
            found = client_document(
                core,
                row,
                cash=settings.CASH,
                zone=settings.HOUSE_ZONE,
                now_us=int(core.status()["time_us"]),
            )
        return Response(found)


class ClientDecisions(ClientView):
    @extend_schema(
        parameters=[
            OpenApiParameter("limit", int, description="at most 500, 100 by default"),
            OpenApiParameter("before", int, description="only decisions older than this id"),
        ],
        responses=OpenApiTypes.OBJECT,
        tags=["robots"],
    )
    def get(self, request: Request, client: str) -> Response:
        """Tell a client's decisions, newest first, each with its reason and numbers."""
        row = self.client(client)
        found = {"limit": SHOWN, "before": 0}
        for name in found:
            text = request.query_params.get(name)
            if text is None:
                continue
            if not (text.isascii() and text.isdigit() and len(text) < 18):
                raise ValidationError({name: ["Must be a whole number."]})
            found[name] = int(text)
        told = selectors.decisions(row.account_id, cash=settings.CASH, **found)
        return Response(told)


class LockClient(ClientView):
    permission = Permission.FREEZE
    staff_writes = True

    @extend_schema(request=None, responses=OpenApiTypes.OBJECT, tags=["robots"])
    def post(self, request: Request, client: str) -> Response:
        """Lock a client: nothing triggers it until it is unlocked."""
        row = self.client(client)
        services.lock_client(row, actor=self.actor(), address=address_of(request))
        return Response({"id": row.pk, "locked": True})


class UnlockClient(ClientView):
    permission = Permission.FREEZE
    staff_writes = True

    @extend_schema(request=None, responses=OpenApiTypes.OBJECT, tags=["robots"])
    def post(self, request: Request, client: str) -> Response:
        """Unlock a client, also from a holder that has died."""
        row = self.client(client)
        with writer_asked():
            command = records.pack(records.Command.UNLOCK_ROBOT, account=row.account_id)
            core_door.submit(writer.core(), command)
            make_keys(os.environ.get(REDIS_URL, "")).void(row.pk)
        services.unlock_client(row, actor=self.actor(), address=address_of(request))
        return Response({"id": row.pk, "locked": False})


def _cash() -> AssetBody:
    for number, (code, decimals) in asset_codes().items():
        if code == settings.CASH:
            return AssetBody(number=number, code=code, decimals=decimals)
    raise ValidationError({"error": f"The house has no asset {settings.CASH} yet."})


def _config(sent: object, row: Robot, decimals: int, *, merges: bool) -> RobotConfig:
    """Return the config that a body asks for. Raises ValidationError."""
    if not isinstance(sent, dict):
        raise ValidationError({"config": ["Must be an object."]})
    kept = row.config  # of a whole document all but what it never tells
    if not merges:
        kept = {name: kept[name] for name in UNTOLD if name in kept}
    try:
        return read_config({**kept, **sent}, decimals=decimals)
    except ConfigFault as fault:
        raise ValidationError({"config": [f"{fault.field} {fault}."]}) from fault
