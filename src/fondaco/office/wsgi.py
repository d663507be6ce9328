"""The office as a WSGI application, to be mounted beside the gateway or served alone."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

__all__ = ["application"]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fondaco.office.settings")
application = get_wsgi_application()
