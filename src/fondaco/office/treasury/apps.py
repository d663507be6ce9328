"""The treasury as a Django app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["TreasuryConfig"]


class TreasuryConfig(AppConfig):
    name = "fondaco.office.treasury"
    label = "treasury"
    verbose_name = "Money"
