"""Purchases and events in the admin, to read."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin

from fondaco.identity.admin import ReadOnly
from fondaco.identity.permissions import Permission
from fondaco.office.billing.models import Ending, PaymentEvent, Purchase

__all__: list[str] = []


@admin.register(Purchase)
class PurchaseAdmin(ReadOnly, ModelAdmin):
    seen_by = Permission.MOVE_MONEY
    list_display = ("id", "member", "provider", "session", "created_at", "paid_at")


@admin.register(Ending)
class EndingAdmin(ReadOnly, ModelAdmin):
    seen_by = Permission.MOVE_MONEY
    list_display = ("payment_intent", "cause", "restored", "recorded_at")


@admin.register(PaymentEvent)
class PaymentEventAdmin(ReadOnly, ModelAdmin):
    seen_by = Permission.MOVE_MONEY
    list_display = ("event", "kind", "provider", "received_at")
