"""What the office adds to signing in: a first account, and a notice of a browser that is new."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from fondaco.identity.models import Member
from fondaco.identity.signing_in import AccountAdapter
from fondaco.office.callers import address_of
from fondaco.office.members import services
from fondaco.office.notices.services import know_device

__all__ = ["OfficeAccountAdapter"]

DEVICE_S: Final = 400 * 24 * 3600  # as long as browsers keep a cookie
DEVICE_CHARACTERS_MAX: Final = 100


class OfficeAccountAdapter(AccountAdapter):
    def post_login(
        self,
        request: HttpRequest,
        user: Member,
        **kwargs: Any,  # noqa: ANN401 - allauth's
    ) -> HttpResponse:
        services.open_first_account(user)
        answer = super().post_login(request, user, **kwargs)
        _know_browser(request, answer, user, is_told=not kwargs.get("signup"))
        return answer


def _know_browser(
    request: HttpRequest, answer: HttpResponse, member: Member, *, is_told: bool
) -> None:
    name = settings.DEVICE_COOKIE_NAME
    text = know_device(
        member,
        request.COOKIES.get(name, "")[:DEVICE_CHARACTERS_MAX],
        browser=request.headers.get("User-Agent", "unknown"),
        address=address_of(request),
        is_told=is_told,
    )
    answer.set_cookie(
        name,
        text,
        max_age=DEVICE_S,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
