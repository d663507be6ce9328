"""The office as a Django app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["OfficeConfig"]


class OfficeConfig(AppConfig):
    name = "fondaco.office"
    label = "office"
    verbose_name = "Office"
