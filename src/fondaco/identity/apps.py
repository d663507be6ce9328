"""Identity as a Django app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["IdentityConfig"]


class IdentityConfig(AppConfig):
    name = "fondaco.identity"
    label = "identity"
    verbose_name = "Members"
