"""The office as a Django app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["OfficeConfig"]


class OfficeConfig(AppConfig):
    name = "fondaco.office"
    label = "office"
    verbose_name = "Office"

    def ready(self) -> None:
        from fondaco.office import audit  # its models are there only now

        audit.start()
