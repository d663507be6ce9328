"""Addresses of the native API; each with and without the slash at its end."""

from __future__ import annotations

from django.urls import re_path

from fondaco.office.api.members import MemberRoles, Oneself

__all__ = ["urlpatterns"]

urlpatterns = [
    re_path(r"^api/v1/members/me/?\Z", Oneself.as_view()),
    re_path(r"^api/v1/members/(?P<number>[0-9]{1,18})/roles/?\Z", MemberRoles.as_view()),
]
