"""Staff sign in by more than a password.

Promises: a moderator or admin without a second factor reaches nothing but the pages on which one
is set up, and sign-out; programs get 403 that says why. A house file may say `staff_mfa = false`
on loopback.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect

from fondaco.identity.models import Member
from fondaco.identity.signing_in import has_second_factor

__all__ = ["StaffGate"]

FREE: Final = ("/account/", "/login", "/logout", "/static/")
SENTENCE: Final = "Staff need a second factor: set up an authenticator app or a passkey first."


class StaffGate:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        member = request.user
        if (
            not settings.STAFF_MFA
            or not isinstance(member, Member)
            or not member.is_staff
            or request.path.startswith(FREE)
            or has_second_factor(member)
        ):
            return self._get_response(request)
        if request.path.startswith("/api/"):
            return JsonResponse({"error": SENTENCE}, status=403)
        messages.warning(request, SENTENCE)
        return redirect("mfa_index")
