"""What the office adds to signing in: a member who has no account yet gets one opened."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from fondaco.identity.models import Member
from fondaco.identity.signing_in import AccountAdapter
from fondaco.office.members import services

__all__ = ["OfficeAccountAdapter"]


class OfficeAccountAdapter(AccountAdapter):
    def post_login(
        self,
        request: HttpRequest,
        user: Member,
        **kwargs: Any,  # noqa: ANN401 - allauth's
    ) -> HttpResponse:
        services.open_first_account(user)
        return super().post_login(request, user, **kwargs)
