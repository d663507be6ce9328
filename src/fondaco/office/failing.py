"""What is said when a page fails: to who asked, and to who runs the house.

Promises: a program that asks under /api/ hears JSON, a person a page. The operator reads the
traceback on stderr under the name of the route, never the address itself: tokens stand in some.
"""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

__all__ = ["WithoutAddress", "not_found", "server_error"]


class WithoutAddress(logging.Filter):
    """Passes on failures alone, each under the route that failed."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite a record of `django.request`; False of what is no failure of ours."""
        if not record.exc_info:
            return False
        request = getattr(record, "request", None)
        found = getattr(request, "resolver_match", None)
        record.msg = "fondaco: %s %s failed"
        record.args = (getattr(request, "method", "?"), f"/{found.route}" if found else "a page")
        return True


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address where nothing is."""
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": "Not found."}, status=404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what failed by our own fault."""
    if request.path.startswith("/api/"):
        text = "the house failed at this; whether it was done, a look at the state tells"
        return JsonResponse({"error": text}, status=500)
    return defaults.server_error(request)
