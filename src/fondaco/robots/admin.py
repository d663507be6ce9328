"""Feeds, venues and the hub in the admin, to look at only: what came, and what was decided why."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import Any, Final

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from fondaco.core.records import Reason as CoreReason
from fondaco.identity.admin import ReadOnly
from fondaco.robots.hub.judging import Reason
from fondaco.robots.hub.messages import SUMMARIES
from fondaco.robots.models import (
    Decision,
    FeedState,
    Hook,
    HookAlert,
    Operation,
    Robot,
    SetAsideMessage,
    Signal,
    VenueDispute,
)

__all__: list[str] = []

COUNTED_MAX: Final = 10_000  # rows of a list; a house writes a decision a client at each signal
WORDS: Final = {strength: word for word, strength in SUMMARIES.items()}
SIDES: Final = {0: "", 1: "BUY", 2: "SELL"}


def moment(time_us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(time_us / 1_000_000, dt.UTC)


class Newest(Paginator):  # type: ignore[type-arg]
    """Pages of the newest rows; a table of many millions is not counted."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows[:COUNTED_MAX].count())


class OfTheHub(ReadOnly, ModelAdmin):
    """Rows by the newest; those of a robot's account are shown with its client id."""

    show_full_result_count = False
    paginator = Newest
    list_per_page = 50
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        robot = Robot.objects.filter(account=OuterRef("account")).values("pk")[:1]
        rows: QuerySet[Any] = super().get_queryset(request)
        is_a_robot_s = hasattr(self.model, "account")
        return rows.annotate(client_id=Subquery(robot)) if is_a_robot_s else rows

    @admin.display(description="robot")
    def client(self, row: Any) -> str:  # noqa: ANN401 - annotated above
        return row.client_id or f"account {row.account}"


@admin.register(Signal)
class SignalAdmin(OfTheHub):
    list_display = ("id", "received_at", "symbol", "summary", "said_at", "source", "reach")
    search_fields = ("=id", "=symbol", "source")

    @admin.display(description="received")
    def received_at(self, signal: Signal) -> dt.datetime:
        return moment(signal.received_us)

    @admin.display(description="its own time")
    def said_at(self, signal: Signal) -> dt.datetime:
        return moment(signal.timestamp_us)

    @admin.display
    def summary(self, signal: Signal) -> str:
        return WORDS[signal.strength]

    @admin.display(description="for")
    def reach(self, signal: Signal) -> str:
        return f"member {signal.member}" if signal.member else "everybody"


@admin.register(Decision)
class DecisionAdmin(OfTheHub):
    list_display = ("id", "decided_at", "client", "signal", "operation", "why", "had", "needed")
    search_fields = ("=account", "=signal")
    search_help_text = "The number of a robot's account, or of a signal."

    @admin.display(description="time")
    def decided_at(self, decision: Decision) -> dt.datetime:
        return moment(decision.time_us)

    @admin.display
    def operation(self, decision: Decision) -> str:
        return SIDES[decision.side]

    @admin.display(description="reason")
    def why(self, decision: Decision) -> str:
        name = Reason(decision.reason).name
        return f"{name} ({CoreReason(decision.refused).name})" if decision.refused else name


@admin.register(Operation)
class OperationAdmin(OfTheHub):
    list_display = ("id", "begun_at", "client", "symbol", "status", "spent", "proceeds", "note")
    list_filter = ("status",)
    search_fields = ("=id", "=robot", "=account")
    ordering = ("-started_us",)

    @admin.display(description="begun")
    def begun_at(self, operation: Operation) -> dt.datetime:
        return moment(operation.started_us)


@admin.register(Hook)
class HookAdmin(OfTheHub):
    list_display = ("id", "name", "member", "symbol", "addresses", "created_at", "revoked_at")
    list_select_related = ("member",)
    search_fields = ("name", "member__username")
    exclude = ("digest",)


@admin.register(HookAlert)
class HookAlertAdmin(OfTheHub):
    list_display = ("id", "received_at", "hook", "state", "reason", "signal", "is_replay")
    list_select_related = ("hook", "hook__member")
    list_filter = ("state",)
    search_fields = ("=signal", "hook__name", "hook__member__username")
    exclude = ("dedupe",)

    @admin.display(description="received")
    def received_at(self, alert: HookAlert) -> dt.datetime:
        return moment(alert.received_us)


@admin.register(FeedState)
class FeedStateAdmin(ReadOnly, ModelAdmin):
    list_display = ("name", "topic", "is_connected", "fault", "received", "current", "set_aside")


@admin.register(SetAsideMessage)
class SetAsideMessageAdmin(ReadOnly, ModelAdmin):
    list_display = ("received_at", "feed", "fault", "reason")
    list_filter = ("feed", "fault")
    search_fields = ("reason", "payload")
    show_full_result_count = False

    @admin.display(description="received", ordering="id")
    def received_at(self, message: SetAsideMessage) -> dt.datetime:
        return moment(message.received_us)


@admin.register(VenueDispute)
class VenueDisputeAdmin(ReadOnly, ModelAdmin):
    list_display = ("venue_order", "venue", "reason", "filled_base", "filled_quote", "is_final")
    list_filter = ("venue", "reason")
