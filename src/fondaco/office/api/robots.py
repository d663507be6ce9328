"""A member's robots of both kinds for programs: /api/v1/robots/.

Promises: 201 leaves after the account and its allotment are durable; a rule that isn't right is 400
with its place as a JSON path, a config that isn't with its word; numbers in a rule are read as they
were written, never as floats. Another member's robot is as unknown as none.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from django.conf import settings
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.identity.models import Member
from fondaco.identity.selectors import member_of
from fondaco.office import writer
from fondaco.office.api.bodies import check_names
from fondaco.office.api.faults import writer_asked
from fondaco.office.api.numbers import PlainDecimal
from fondaco.office.api.scoped import ScopedView
from fondaco.office.callers import address_of
from fondaco.office.robots import selectors as overview
from fondaco.office.robots import services
from fondaco.robots.bots import selectors
from fondaco.robots.bots.services import prefix_of
from fondaco.robots.hub import selectors as hub
from fondaco.robots.models import Robot, RobotKind, RobotMode
from fondaco.robots.rules.model import schema
from fondaco.robots.services import RobotRefused

__all__ = ["OneRobot", "Overview", "RobotKill", "Robots", "RuleSchema", "own_robot", "robot_words"]

ROBOTS_SHOWN: Final = 1000
DECISIONS_SHOWN: Final = 100


def _allotment() -> serializers.DictField:
    amount = PlainDecimal(max_digits=30, decimal_places=18, min_value=0)
    return serializers.DictField(child=amount, required=False)


class NewRobot(serializers.Serializer):
    """What a new robot of either kind has."""

    id = serializers.CharField(max_length=64)
    kind = serializers.ChoiceField(choices=RobotKind.values, default=RobotKind.RULE.value)
    allotment = _allotment()
    active = serializers.BooleanField(default=True)
    mode = serializers.ChoiceField(choices=RobotMode.values, default=RobotMode.LIVE.value)


class RobotForm(NewRobot):
    """A rule bot; `rule` is the rule's document, or its text."""

    rule = serializers.JSONField()
    limits = serializers.DictField(required=False)


class SignalRobotForm(NewRobot):
    """A signal robot; `config` is as in the house file, and has its limits, too."""

    config = serializers.DictField()


class Change(serializers.Serializer):
    """What may be another of either kind: a new mode begins a new run."""

    allotment = _allotment()
    active = serializers.BooleanField(required=False)
    mode = serializers.ChoiceField(choices=RobotMode.values, required=False)


class RobotChange(Change):
    """Of a rule bot: a new rule begins a new run, too."""

    rule = serializers.JSONField(required=False)
    limits = serializers.DictField(required=False)


class SignalRobotChange(Change):
    """Of a signal robot: what `config` doesn't name stays."""

    config = serializers.DictField(required=False)


def _either(
    name: str, rule: type[serializers.Serializer], signal: type[serializers.Serializer]
) -> PolymorphicProxySerializer:
    """Return what the schema tells of a body that is of one kind or the other."""
    return PolymorphicProxySerializer(
        component_name=name, serializers=[rule, signal], resource_type_field_name=None
    )


class KillForm(serializers.Serializer):
    on = serializers.BooleanField(default=True)


class RobotView(ScopedView):
    """A token reads with the scope read and changes something with the scope trade."""

    member_wide = True
    writes = "trade"

    def initialize_request(self, request: Any, *args: Any, **more: Any) -> Request:  # noqa: ANN401 - DRF's
        self.raw = bytes(request.body) if request.method in {"POST", "PATCH"} else b""
        made: Request = super().initialize_request(request, *args, **more)
        return made

    def initial(self, request: Request, *args: Any, **more: Any) -> None:  # noqa: ANN401 - DRF's
        super().initial(request, *args, **more)
        try:
            msgspec.json.decode(self.raw or b"{}")
        except RecursionError as error:  # other parsers would stumble over it
            raise ValidationError({"rule": ["$: its brackets nest too deep"]}) from error
        except msgspec.DecodeError:
            pass  # told by whoever reads it

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, RobotRefused):
            text = str(exc)
            said = text if exc.field == "rule" else f"{text[:1].upper()}{text[1:]}."
            if isinstance(exc, services.ConfigRefused):
                said = f"{text}."  # it begins with the word as it is written
            if not exc.field:
                return Response({"error": said}, status=status.HTTP_409_CONFLICT)
            exc = ValidationError({exc.field: [said]})
        answer: Response = super().handle_exception(exc)
        return answer

    def asked(self, request: Request, form: type[serializers.Serializer]) -> dict[str, Any]:
        """Return what a body asks for, by a form that knows all that it may say."""
        found = form(data=request.data)
        check_names(request, self.raw, found.fields)
        found.is_valid(raise_exception=True)
        return {**found.validated_data}

    def rule_text(self) -> str:
        """Return the rule as it was written."""
        try:
            found = msgspec.json.decode(self.raw, type=dict[str, msgspec.Raw])["rule"]
            text = bytes(found)
            if text.startswith(b'"'):
                return msgspec.json.decode(text, type=str)
            return text.decode()
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
            raise ValidationError({"rule": ["Send the rule as JSON."]}) from error


def own_robot(member: Member, name: str) -> Robot:
    """Return a robot of the member that is not closed, of either kind, or 404."""
    rows = Robot.objects.select_related("member", "account")
    found = rows.filter(pk=name, member=member, closed_at=None).first()
    if found is None:
        raise Http404("No Robot matches the given query.")
    return found


def robot_words(robot: Robot, *, whole: bool = True) -> dict[str, Any]:
    """Return a robot as the API shows it."""
    words = _signal_words if robot.kind == RobotKind.SIGNAL else _rule_words
    return words(robot, whole=whole)


def _signal_words(robot: Robot, *, whole: bool) -> dict[str, Any]:
    run = selectors.current_run(robot)
    found: dict[str, Any] = {
        "id": robot.pk,
        "kind": str(robot.kind),
        "active": robot.is_active,
        "mode": run.mode if run is not None else RobotMode.LIVE.value,
        "run": run.number if run is not None else 1,
        "account": robot.account_id,
        "fault": run.fault if run is not None else "",
    }
    if whole:
        found["config"] = robot.config
        found["allotment"] = overview.allotment_of(robot, run, None)
        found["operations"] = hub.operations(robot.account_id, cash=settings.CASH)
        found["decisions"] = hub.decisions(
            robot.account_id, cash=settings.CASH, limit=DECISIONS_SHOWN
        )
    return found


def _rule_words(robot: Robot, *, whole: bool) -> dict[str, Any]:
    run = selectors.current_run(robot)
    state = selectors.state_of(run)
    found: dict[str, Any] = {
        "id": robot.pk,
        "kind": str(robot.kind),
        "state": state.phase,
        "step": state.step,
        "active": robot.is_active,
        "mode": run.mode if run is not None else RobotMode.LIVE.value,
        "run": run.number if run is not None else 1,
        "account": robot.account_id,
        "prefix": prefix_of(robot, run.number if run is not None else 1),
        "began": None,
        "fault": run.fault if run is not None else "",
        "ended": str(state.ended) if state.ended is not None else None,
    }
    if run is not None and run.began_seq:
        found["began"] = {"seq": run.began_seq, "time_us": run.began_us}
    if whole:
        plan = selectors.plan_of(robot)
        found["rule"] = robot.rule
        found["newest"] = selectors.newest_words(run, plan) if run is not None else None
        found["limits"] = services.limits_of(robot)
        found["allotment"] = overview.allotment_of(robot, run, plan)
        found["orders"] = selectors.orders(run) if run is not None else []
        found["decisions"] = (
            [selectors.decision_words(row, plan) for row in selectors.decisions(run)]
            if run is not None
            else []
        )
    return found


class Robots(RobotView):
    form = RobotForm

    @extend_schema(responses=OpenApiTypes.OBJECT, tags=["robots"], operation_id="robots_list")
    def get(self, request: Request) -> Response:
        """List own robots of both kinds with how each stands."""
        rows = Robot.objects.filter(member=member_of(request.user), closed_at=None)
        found = rows.order_by("pk")[:ROBOTS_SHOWN]
        return Response([robot_words(row, whole=False) for row in found])

    @extend_schema(
        request=_either("NewRobot", RobotForm, SignalRobotForm),
        responses={201: OpenApiTypes.OBJECT},
        tags=["robots"],
    )
    def post(self, request: Request) -> Response:
        """Open a robot with its allotment: a rule bot looks at its rule at once."""
        sent = request.data
        kind = sent.get("kind", RobotKind.RULE.value) if isinstance(sent, dict) else ""
        is_signal = kind == RobotKind.SIGNAL.value
        if isinstance(sent, dict) and kind not in RobotKind.values:
            raise ValidationError({"kind": ["Must be rule or signal."]})
        asked = self.asked(request, SignalRobotForm if is_signal else RobotForm)
        words: dict[str, Any] = {
            "member": member_of(request.user),
            "id": asked["id"],
            "allotment": asked.get("allotment", {}),
            "active": asked["active"],
            "mode": asked["mode"],
            "address": address_of(request),
        }
        with writer_asked():
            core = writer.core()
            if is_signal:
                robot = services.open_signals(core, config=asked["config"], **words)
            else:
                limits = asked.get("limits")
                robot = services.open_rule(core, rule=self.rule_text(), limits=limits, **words)
        return Response(
            robot_words(robot),
            status=status.HTTP_201_CREATED,
            headers={"Location": f"/api/v1/robots/{robot.pk}/"},
        )


class Overview(RobotView):
    @extend_schema(responses=OpenApiTypes.OBJECT, tags=["robots"])
    def get(self, request: Request) -> Response:
        """List own robots of both kinds: state, profit of the day and month, newest reason."""
        found = Robot.objects.select_related("member").filter(
            member=member_of(request.user), closed_at=None
        )
        with writer_asked():
            rows = overview.rows(writer.core(), found.order_by("pk")[:ROBOTS_SHOWN])
        return Response({"cash": settings.CASH, "robots": rows})


class OneRobot(RobotView):
    form = RobotChange

    @extend_schema(responses=OpenApiTypes.OBJECT, tags=["robots"])
    def get(self, request: Request, robot: str) -> Response:
        """Show a robot: where it stands, what it did, and what it decided and why."""
        return Response(robot_words(own_robot(member_of(request.user), robot)))

    @extend_schema(
        request=_either("RobotChanges", RobotChange, SignalRobotChange),
        responses=OpenApiTypes.OBJECT,
        tags=["robots"],
    )
    def patch(self, request: Request, robot: str) -> Response:
        """Switch a robot on or off, or give it another rule, config, mode or allotment."""
        row = own_robot(member_of(request.user), robot)
        is_signal = row.kind == RobotKind.SIGNAL
        asked = self.asked(request, SignalRobotChange if is_signal else RobotChange)
        words: dict[str, Any] = {
            "actor": member_of(request.user),
            "active": asked.get("active"),
            "mode": asked.get("mode"),
            "allotment": asked.get("allotment"),
            "address": address_of(request),
        }
        with writer_asked():
            core = writer.core()
            if is_signal:
                services.change_signals(core, row, config=asked.get("config"), **words)
            else:
                rule = self.rule_text() if "rule" in asked else None
                services.change(core, row, rule=rule, limits=asked.get("limits"), **words)
        return Response(robot_words(row))

    @extend_schema(responses={204: None}, tags=["robots"])
    def delete(self, request: Request, robot: str) -> Response:
        """End a robot: its orders cancelled, all that it has given back; 409 if it can't yet."""
        row = own_robot(member_of(request.user), robot)
        with writer_asked():
            services.end(
                writer.core(),
                row,
                actor=member_of(request.user),
                address=address_of(request),
            )
        return Response(status=status.HTTP_204_NO_CONTENT)


class RobotKill(RobotView):
    form = KillForm

    @extend_schema(request=KillForm, responses=OpenApiTypes.OBJECT, tags=["robots"])
    def post(self, request: Request, robot: str) -> Response:
        """Throw a robot's kill switch: all its orders cancelled, from then on it only reduces."""
        row = own_robot(member_of(request.user), robot)
        on = self.asked(request, KillForm)["on"]
        with writer_asked():
            services.switch_kill(
                writer.core(),
                row,
                on=on,
                actor=member_of(request.user),
                address=address_of(request),
            )
        return Response(robot_words(row))


class RuleSchema(RobotView):
    @extend_schema(responses=OpenApiTypes.OBJECT, tags=["robots"])
    def get(self, _request: Request) -> Response:
        """Give the JSON schema of a rule, from which forms are made."""
        return Response(schema())
