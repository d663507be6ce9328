"""Proofs as a Django app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["ProofsConfig"]


class ProofsConfig(AppConfig):
    name = "fondaco.office.proofs"
    label = "proofs"
    verbose_name = "Proofs of balance"
