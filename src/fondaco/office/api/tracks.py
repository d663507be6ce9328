"""Track records for programs: what strategies and markets came to over a span, side by side."""

from __future__ import annotations

import time

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.identity.selectors import member_of
from fondaco.office.api.strategies import StrategyView
from fondaco.office.brokerage import tracks
from fondaco.strategies.tracks import BASES, PRESETS, SpanUnfit
from fondaco.strategies.words import time_text

__all__ = ["TrackRecords"]


class TrackRecords(StrategyView):
    @extend_schema(
        parameters=[
            OpenApiParameter(
                "of",
                str,
                many=True,
                required=True,
                description=f"strategy:<id> or market:<symbol>, at most {tracks.ASKED_MAX}",
            ),
            OpenApiParameter("span", str, enum=list(PRESETS), description="30d by default"),
            OpenApiParameter("from", OpenApiTypes.DATE, description="first day, instead of a span"),
            OpenApiParameter("to", OpenApiTypes.DATE, description="last day, counted"),
            OpenApiParameter("equity", str, enum=list(BASES), description="wallet by default"),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request) -> Response:
        """Tell statistics, months and curve of strategies and markets over one span."""
        now_us = time.time_ns() // 1000
        try:
            asked = tracks.asked_of(request.query_params, now_us=now_us)
            found = tracks.shown(member_of(request.user), asked)
        except SpanUnfit as refusal:
            text = str(refusal)
            said = f"{text[:1].upper()}{text[1:]}."
            raise ValidationError({refusal.field: [said]}) from refusal
        except tracks.Unknown as refusal:
            raise NotFound("You have no such strategy, or the house no such market.") from refusal
        if not found:
            raise ValidationError({"of": ["Give strategy:<id> or market:<symbol>."]})
        return Response(
            {
                "from": time_text(asked.span.start_us) if asked.span.start_us else None,
                "to": time_text(asked.span.end_us - 1),
                "equity": asked.basis,
                "records": [tracks.told(each) for each in found],
            }
        )
