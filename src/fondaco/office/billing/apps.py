"""Billing as a Django app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["BillingConfig"]


class BillingConfig(AppConfig):
    name = "fondaco.office.billing"
    label = "billing"
    verbose_name = "Membership"
