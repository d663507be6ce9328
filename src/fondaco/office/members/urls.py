"""Addresses of the members' pages; each with and without the slash at its end."""

from __future__ import annotations

from django.urls import re_path

from fondaco.office.members import views

__all__ = ["urlpatterns"]

urlpatterns = [
    re_path(r"^invite/(?P<code>[^/]{1,64})/?\Z", views.invitation, name="invitation"),
    re_path(r"^profile/invites/?\Z", views.own_invite, name="own-invite"),
]
