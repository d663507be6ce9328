"""Feeds and venues in the admin, to look at only: what was set aside, and what is disputed."""

from __future__ import annotations

import datetime as dt

from django.contrib import admin
from unfold.admin import ModelAdmin

from fondaco.identity.admin import ReadOnly
from fondaco.robots.models import FeedState, SetAsideMessage, VenueDispute

__all__: list[str] = []


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
        return dt.datetime.fromtimestamp(message.received_us / 1_000_000, dt.UTC)


@admin.register(VenueDispute)
class VenueDisputeAdmin(ReadOnly, ModelAdmin):
    list_display = ("venue_order", "venue", "reason", "filled_base", "filled_quote", "is_final")
    list_filter = ("venue", "reason")
