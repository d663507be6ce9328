"""Members in the admin: to look at and to switch off. Money, keys and accounts change elsewhere."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from fondaco.identity.models import Account, ApiKey, Member, RoleGrant

__all__ = ["AccountAdmin", "ApiKeyAdmin", "MemberAdmin"]


class _ReadOnly:
    """Rows that only services write, in step with the core."""

    def has_add_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        return False


class RoleInline(_ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = RoleGrant
    extra = 0


@admin.register(Member)
class MemberAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("username", "email", "is_active", "membership_until", "date_joined")
    search_fields = ("username", "email")
    fields = ("username", "email", "is_active", "membership_until", "date_joined", "last_login")
    readonly_fields = ("username", "email", "date_joined", "last_login")
    inlines = (RoleInline,)

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        return False


@admin.register(Account)
class AccountAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("number", "member", "kind", "name", "opened_at")
    search_fields = ("number", "member__username")


@admin.register(ApiKey)
class ApiKeyAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("number", "account", "label", "scopes", "granted_at", "revoked_at")
    fields = ("number", "account", "label", "scopes", "created_at", "granted_at", "revoked_at")
    search_fields = ("account__number", "account__member__username")
