"""Strategies as a Django app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["StrategiesConfig"]


class StrategiesConfig(AppConfig):
    name = "fondaco.strategies"
    label = "strategies"
    verbose_name = "Strategies"
