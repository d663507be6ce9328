"""The projections as a Django app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["ProjectionsConfig"]


class ProjectionsConfig(AppConfig):
    name = "fondaco.projections"
    label = "projections"
    verbose_name = "History"
