"""Purchases and events in the admin, to read."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from fondaco.office.billing.models import Ending, PaymentEvent, Purchase

__all__: list[str] = []


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # of any model
    """Rows that only services write."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django\'s
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 - Django\'s
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 - Django\'s
        return False


@admin.register(Purchase)
class PurchaseAdmin(ReadOnly):
    list_display = ("id", "member", "provider", "session", "created_at", "paid_at")


@admin.register(Ending)
class EndingAdmin(ReadOnly):
    list_display = ("payment_intent", "cause", "restored", "recorded_at")


@admin.register(PaymentEvent)
class PaymentEventAdmin(ReadOnly):
    list_display = ("event", "kind", "provider", "received_at")
