"""The admin's own words; each app registers its rows in its own admin.py."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin

__all__: list[str] = []

admin.site.site_header = f"{settings.HOUSE_NAME}: office"
admin.site.site_title = settings.HOUSE_NAME
admin.site.index_title = "Office"
