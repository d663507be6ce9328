"""The house's own state for programs of staff: maintenance."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fondaco.identity import maintenance
from fondaco.identity.permissions import Permission
from fondaco.identity.selectors import member_of
from fondaco.office import writer
from fondaco.office.api.faults import writer_asked
from fondaco.office.callers import address_of

__all__ = ["Maintenance"]


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
