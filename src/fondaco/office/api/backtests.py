"""Backtests for programs, of rules and of signal robots: /api/v1/robots/backtests/.

Promises: 201 leaves after the row is durable; what can't be run is 400 by its field, and nothing is
kept. A result is the JSON that `fondaco backtest --json` prints of the same. Another member's
backtest is as unknown as none.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
from django.db.models import Q
from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.identity.selectors import member_of
from fondaco.office.api.bodies import check_names
from fondaco.office.api.numbers import PlainDecimal
from fondaco.office.api.robots import RobotView
from fondaco.office.robots.backtests import (
    NAME_LETTERS_MAX,
    SIGNALS,
    SOURCES,
    Heard,
    Market,
    ask_of_rule,
    ask_of_signals,
)
from fondaco.robots.backtest.tape import Upload, Walk
from fondaco.robots.bots.backtest_rows import cancel_backtest, state_of
from fondaco.robots.hub.messages import KINDS, RATED
from fondaco.robots.models import Backtest, RobotKind
from fondaco.robots.rules.view import plain
from fondaco.robots.services import RobotRefused

__all__ = ["Backtests", "OneBacktest"]

WITHOUT_FILES: Final = ("file", "signals_file")
# Fields of the body; of a config only the whole is one.
OWN: Final = frozenset({"rule", "limits", "symbol", "file", "signals", "signals_file"})
HEARD: Final = ("symbol", "signals", "signals_file", "ratings", "interval")


def _money() -> PlainDecimal:
    return PlainDecimal(max_digits=30, decimal_places=8, min_value=0, required=False)


def _rate() -> PlainDecimal:
    most = Decimal("0.999999")
    return PlainDecimal(max_digits=7, decimal_places=6, min_value=0, max_value=most, required=False)


class FileForm(serializers.Serializer):
    """A file: its name says how it is packed; its content is text, or base64 of bytes."""

    name = serializers.CharField(max_length=NAME_LETTERS_MAX)
    text = serializers.CharField(required=False, trim_whitespace=False)
    base64 = serializers.CharField(required=False)


class SettingsForm(serializers.Serializer):
    """How the market is imitated; what isn't said is as on the page."""

    walk = serializers.ChoiceField(choices=[str(each) for each in Walk], required=False)
    cash = _money()
    coins = _money()
    latency_ms = serializers.IntegerField(min_value=0, max_value=600_000, required=False)
    maker_fee = _rate()
    taker_fee = _rate()
    depth = _money()
    queue = _money()


class BacktestForm(serializers.Serializer):
    """A rule, or a signal robot's config; on the house's journal, or a file."""

    rule = serializers.JSONField(required=False)
    limits = serializers.DictField(required=False, help_text="of a rule, as its robot has them")
    config = serializers.DictField(required=False)
    symbol = serializers.CharField(
        required=False, max_length=20, help_text="the coin of the tape, of several symbols"
    )
    signals = serializers.JSONField(
        required=False,
        help_text=f"{', '.join(SIGNALS)}, or a list as POST /api/v1/signals/ takes each; stored",
    )
    signals_file = FileForm(required=False)
    ratings = serializers.ChoiceField(choices=KINDS, required=False)
    interval = serializers.ChoiceField(choices=RATED, required=False)
    source = serializers.ChoiceField(choices=SOURCES, default="journal")
    file = FileForm(required=False)
    settings = SettingsForm(required=False)


class BacktestView(RobotView):
    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, RobotRefused):
            field = exc.field if exc.field in OWN else "config"
            text = str(exc) if field == "rule" else f"{str(exc).rstrip('.')}."
            exc = ValidationError({field: [text]})
        answer: Response = super().handle_exception(exc)
        return answer


class Backtests(BacktestView):
    form = BacktestForm

    @extend_schema(responses=OpenApiTypes.OBJECT, tags=["robots"], operation_id="backtests_list")
    def get(self, request: Request) -> Response:
        """List own backtests, the newest first, without what came of them."""
        rows = Backtest.objects.filter(member=member_of(request.user)).order_by("-pk")
        rows = rows.annotate(is_done=Q(result__gt="")).defer("result", *WITHOUT_FILES)
        return Response([backtest_words(row, is_done=row.is_done) for row in rows])

    @extend_schema(request=BacktestForm, responses={201: OpenApiTypes.OBJECT}, tags=["robots"])
    def post(self, request: Request) -> Response:
        """Ask for a backtest of a rule or of a signal robot; it runs after what waits before it."""
        asked = self._asked(request)
        member = member_of(request.user)
        market = Market(
            source=asked["source"],
            file=_file(asked, "file"),
            settings={
                name: f"{plain(told):f}" if isinstance(told, Decimal) else str(told)
                for name, told in asked.get("settings", {}).items()
            },
        )
        if "config" in asked:
            heard, symbol = _heard(asked), asked.get("symbol", "")
            try:
                row = ask_of_signals(member, asked["config"], symbol, heard, market)
            except RobotRefused as refusal:
                if refusal.field == "signals_file" and isinstance(asked.get("signals"), list):
                    raise RobotRefused(str(refusal), field="signals") from refusal
                raise
        else:
            try:
                row = ask_of_rule(member, self.rule_text(), market, asked.get("limits"))
            except RobotRefused as refusal:
                if refusal.field not in OWN:  # a word of the limits
                    raise RobotRefused(str(refusal), field="limits") from refusal
                raise
        return Response(
            backtest_words(row, is_done=False),
            status=status.HTTP_201_CREATED,
            headers={"Location": f"/api/v1/robots/backtests/{row.pk}/"},
        )

    def _asked(self, request: Request) -> dict[str, Any]:
        """Return what a body asks for, of one kind of robot and one tape."""
        form = BacktestForm(data=request.data)
        check_names(request, self.raw, form.fields)
        for name in ("file", "signals_file", "settings"):
            _check_part(request, name, form.fields[name].fields)
        form.is_valid(raise_exception=False)
        if form.errors:
            raise ValidationError({name: _flat(said) for name, said in form.errors.items()})
        asked = {**form.validated_data}
        if ("rule" in asked) == ("config" in asked):
            raise ValidationError({"rule": ["Send a rule, or the config of a signal robot."]})
        if "config" in asked and "limits" in asked:
            raise ValidationError({"limits": ["A signal robot has them in its config."]})
        for name in HEARD if "rule" in asked else ():
            if name in asked:
                raise ValidationError({name: ["It is for a signal robot; this is a rule."]})
        if "file" in asked and asked["source"] == "journal":
            text = 'Say of what it is: a "source" of trades, or of candles.'
            raise ValidationError({"source": [text]})
        return asked


class OneBacktest(BacktestView):
    @extend_schema(responses=OpenApiTypes.OBJECT, tags=["robots"], operation_id="backtests_one")
    def get(self, request: Request, number: str) -> HttpResponse:
        """Show a backtest with what came of it; `result` is null until it is done."""
        row = _own(request, number)
        words = backtest_words(row, is_done=bool(row.result), whole=True)
        body = msgspec.json.encode(words).removesuffix(b"}")
        result = row.result.encode() or b"null"  # to the byte as it was kept
        return HttpResponse(body + b',"result":' + result + b"}", content_type="application/json")

    @extend_schema(responses={204: None}, tags=["robots"])
    def delete(self, request: Request, number: str) -> Response:
        """Give up a backtest that waits or runs; 409 if it is through."""
        row = _own(request, number)
        if not cancel_backtest(row.pk):
            return Response({"error": "It is through already."}, status=status.HTTP_409_CONFLICT)
        return Response(status=status.HTTP_204_NO_CONTENT)


def backtest_words(row: Backtest, *, is_done: bool, whole: bool = False) -> dict[str, Any]:
    """Return a backtest as the API shows it, without its result."""
    found: dict[str, Any] = {
        "number": row.pk,
        "kind": str(RobotKind.SIGNAL if row.signals else RobotKind.RULE),
        "state": state_of(row, is_done=is_done),
        "fault": row.fault,
        "asked_at": row.asked_at.isoformat(),
        "symbol": row.ticker,
        "source": row.source,
        "file": row.file_name,
        "settings": row.settings,
    }
    if row.signals:
        found |= {"signals": row.signals, "signals_file": row.signals_name}
        found |= {"ratings": row.ratings, "interval": row.interval}
    if whole:
        of_rule = {"rule": row.rule, "limits": row.config}
        found |= {"config": row.config} if row.signals else of_rule
    return found


def _own(request: Request, number: str) -> Backtest:
    """Return a backtest of the member's, or 404."""
    rows = Backtest.objects.filter(pk=int(number), member=member_of(request.user))
    row = rows.defer(*WITHOUT_FILES).first()
    if row is None:
        raise Http404("No Backtest matches the given query.")
    return row


def _check_part(request: Request, name: str, known: Mapping[str, object]) -> None:
    """Refuse what a part of a body says that nobody knows."""
    part = request.data.get(name) if isinstance(request.data, Mapping) else None
    for key in part if isinstance(part, Mapping) else ():
        if key not in known:
            text = f"{str(key)[:64]} is unknown; known are {', '.join(known)}."
            raise ValidationError({name: [text]})


def _flat(said: Any) -> list[str]:  # noqa: ANN401 - a list, or of a part by its fields
    if isinstance(said, Mapping):
        return [f"{key}: {text}" for key, texts in said.items() for text in texts]
    return list(said)


def _file(asked: Mapping[str, Any], name: str) -> Upload | None:
    """Return a file of a body. Raises ValidationError."""
    told = asked.get(name)
    if told is None:
        return None
    if ("text" in told) == ("base64" in told):
        raise ValidationError({name: ["Send its text, or its bytes as base64."]})
    if "text" in told:
        return Upload(told["name"], told["text"].encode())
    try:
        return Upload(told["name"], base64.b64decode(told["base64"], validate=True))
    except (binascii.Error, ValueError) as error:
        raise ValidationError({name: ["base64: found what is no base64."]}) from error


def _heard(asked: Mapping[str, Any]) -> Heard:
    """Return what a signal robot is to hear. Raises ValidationError."""
    signals, file = asked.get("signals", "stored"), _file(asked, "signals_file")
    if isinstance(signals, list):
        signals, file = "file", Upload("signals", msgspec.json.encode(signals))
    if signals not in SIGNALS:
        text = f"Give one of {', '.join(SIGNALS)}, or a list of signals."
        raise ValidationError({"signals": [text]})
    if signals == "ratings" and not {"ratings", "interval"} <= set(asked):
        raise ValidationError({"ratings": ["Say which, and the interval of its candles."]})
    return Heard(
        signals=signals,
        file=file,
        ratings=asked.get("ratings", ""),
        interval=asked.get("interval", ""),
    )
