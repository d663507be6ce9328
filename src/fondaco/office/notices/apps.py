"""Notices as a Django app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["NoticesConfig"]


class NoticesConfig(AppConfig):
    name = "fondaco.office.notices"
    label = "notices"
    verbose_name = "Notices"
