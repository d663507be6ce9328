"""The admin's own words; each app registers its rows in its own admin.py."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group

__all__ = ["hide_rows_of_others"]


def hide_rows_of_others() -> None:
    """Take out what the libraries put in: sealed second factors, sessions, and groups.

    Nobody makes or removes another's second factor by hand, and roles are identity's.
    """
    for model in (Authenticator, EmailAddress, UserSession, Group):
        if admin.site.is_registered(model):
            admin.site.unregister(model)


admin.site.site_header = f"{settings.HOUSE_NAME}: office"
admin.site.site_title = settings.HOUSE_NAME
admin.site.index_title = "Office"
