"""The paths of the hooks' pages."""

from __future__ import annotations

from django.urls import re_path

from fondaco.office.hooks import views

__all__ = ["urlpatterns"]

urlpatterns = [
    re_path(r"^hooks/?\Z", views.hooks, name="hooks"),
    re_path(r"^hooks/(?P<number>[0-9]{1,18})/?\Z", views.hook, name="hook"),
]
