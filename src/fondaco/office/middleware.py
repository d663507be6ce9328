"""What stands around every page: the Content-Security-Policy header, and what is sent too much.

Promises: every answer of the office carries the policy of the settings, unless a view set one of
its own (Django brings its own middleware for it from release 6.0 on; until then this one does).
A request whose body was over the limit, and so was left out, reaches no view: a page says so.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

__all__ = ["BodyLimit", "ContentSecurityPolicy"]

HEADER = "Content-Security-Policy"
TOO_LARGE = "fondaco.too_large"  # as asgi marks it


class BodyLimit:
    """Stands innermost, so that the page has the session of who asked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.META.get(TOO_LARGE):
            return render(request, "413.html", status=413)
        return self._get_response(request)


class ContentSecurityPolicy:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        policy: dict[str, list[str]] = settings.CONTENT_SECURITY_POLICY
        self._value = "; ".join(f"{name} {' '.join(values)}" for name, values in policy.items())

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response.headers.setdefault(HEADER, self._value)
        return response
