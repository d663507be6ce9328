"""Our own clients as a Django app: their tables live beside the office's."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["RobotsConfig"]


class RobotsConfig(AppConfig):
    name = "fondaco.robots"
    label = "robots"
    verbose_name = "Robots"
