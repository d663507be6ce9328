"""History in the admin, to look at only: rows are rebuilt from the events."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from fondaco.projections.models import (
    ImportedFile,
    Instrument,
    Order,
    OrderList,
    Posting,
    Summary,
    Trade,
    VenueOrder,
)

__all__: list[str] = []


class ReadOnly(ModelAdmin):
    """No counting of whole tables, no writing."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        return False


@admin.register(Instrument)
class InstrumentAdmin(ReadOnly):
    list_display = ("number", "symbol", "tick_size", "lot_size", "status")


@admin.register(Order)
class OrderAdmin(ReadOnly):
    list_display = ("id", "account", "instrument", "side", "price_ticks", "quantity_lots", "status")
    search_fields = ("=id", "=account")


@admin.register(Trade)
class TradeAdmin(ReadOnly):
    list_display = ("instrument", "trade_id", "price_ticks", "quantity_lots", "time_us")
    search_fields = ("=buy_order_id", "=sell_order_id")


@admin.register(Posting)
class PostingAdmin(ReadOnly):
    list_display = ("seq", "index", "debit_account", "credit_account", "asset", "amount", "cause")
    search_fields = ("=debit_account", "=credit_account")


@admin.register(OrderList)
class OrderListAdmin(ReadOnly):
    list_display = ("id", "account", "instrument", "status")
    search_fields = ("=id", "=account")


@admin.register(Summary)
class SummaryAdmin(ReadOnly):
    list_display = ("account", "instrument", "period", "number", "profit", "is_closed")
    search_fields = ("=account",)


@admin.register(ImportedFile)
class ImportedFileAdmin(ReadOnly):
    list_display = ("name", "instrument", "rows")


@admin.register(VenueOrder)
class VenueOrderAdmin(ReadOnly):
    list_display = ("id", "instrument", "side", "limit_ticks", "quantity_lots", "status")
