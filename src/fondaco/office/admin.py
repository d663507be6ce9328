"""The admin's own words and rows; each app registers its rows in its own admin.py.

Promises: unfold's pages run under the house's one Content-Security-Policy: static/unfold/js/alpine
shadows their Alpine by its build without eval, static/admin.js says what that build can't, and
no page has a style of its own. Nothing here edits a balance.
"""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from auditlog.models import LogEntry
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from fondaco.identity.admin import ReadOnly
from fondaco.identity.permissions import Permission

__all__ = ["ChangeAdmin", "around_every_page", "put_rows_in_order"]


class ChangeAdmin(ReadOnly, ModelAdmin):
    """What django-auditlog has written down, to read."""

    seen_by = Permission.SEE_SECURITY_LOG
    list_display = ("timestamp", "content_type", "object_repr", "action", "actor", "remote_addr")
    list_select_related = ("content_type", "actor")
    list_filter = ("action", ("content_type", admin.RelatedOnlyFieldListFilter))
    search_fields = ("object_repr", "actor__username")
    date_hierarchy = "timestamp"
    fields = (
        *("timestamp", "content_type", "object_pk", "object_repr", "action"),
        *("what_changed", "actor", "remote_addr"),
    )
    show_full_result_count = False

    @admin.display(description="changes")
    def what_changed(self, entry: LogEntry) -> str:
        return "\n".join(
            f"{field}: {was} → {becomes}" for field, (was, becomes) in entry.changes_dict.items()
        )


def put_rows_in_order() -> None:
    """Take out what the libraries put in: sealed second factors, sessions, and groups.

    Nobody makes or removes another's second factor by hand, and roles are identity's.
    """
    for model in (Authenticator, EmailAddress, UserSession, Group, LogEntry):
        if admin.site.is_registered(model):
            admin.site.unregister(model)
    admin.site.register(LogEntry, ChangeAdmin)


def around_every_page(_request: HttpRequest) -> dict[str, Any]:
    """Keep unfold from writing its colours into the page; static/admin.css has the house's."""
    return {"colors": None}


admin.site.site_header = f"{settings.HOUSE_NAME}: office"
admin.site.site_title = settings.HOUSE_NAME
admin.site.index_title = "Office"
