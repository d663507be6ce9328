"""What stands around every page: the Content-Security-Policy header, and a limit on sign-ins.

Promises: every answer of the office carries the policy of the settings, unless a view set one of
its own (Django brings its own middleware for it from release 6.0 on; until then this one does).
Every door that takes a password counts the tries, and answers 429 with Retry-After past the limit.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from fondaco.office.attempts import Attempts

__all__ = ["ContentSecurityPolicy", "SignInLimit"]

HEADER = "Content-Security-Policy"
PASSWORD_DOORS = frozenset({"/login", "/admin/login"})


class ContentSecurityPolicy:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        policy: dict[str, list[str]] = settings.CONTENT_SECURITY_POLICY
        self._value = "; ".join(f"{name} {' '.join(values)}" for name, values in policy.items())

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response.headers.setdefault(HEADER, self._value)
        return response


class SignInLimit:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._attempts = Attempts()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_try = request.method == "POST" and request.path.rstrip("/") in PASSWORD_DOORS
        if not (is_try and settings.RATE_LIMITS):
            return self._get_response(request)
        address, name = request.META.get("REMOTE_ADDR", ""), request.POST.get("username", "")
        wait_s = self._attempts.take(address, name)
        if wait_s:
            text = f"Too many tries to sign in; try again in {wait_s} s.\n"
            headers = {"Retry-After": str(wait_s)}
            kind = "text/plain; charset=utf-8"
            return HttpResponse(text, status=429, headers=headers, content_type=kind)
        response = self._get_response(request)
        if response.status_code == 302:
            self._attempts.succeeded(address, name)
        return response
