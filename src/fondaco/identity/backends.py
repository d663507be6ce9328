"""Sign-in by user name or e-mail address.

Promises: letter case doesn't matter in either; an unknown name takes as long as a wrong password.
User names hold no "@" (identity.services refuses it), so that the two never meet.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from fondaco.identity.models import Member

__all__ = ["NameOrEmailBackend"]


class NameOrEmailBackend(ModelBackend):
    def authenticate(
        self,
        request: HttpRequest | None,  # noqa: ARG002 - Django's
        username: str | None = None,
        password: str | None = None,
        **_kwargs: Any,  # noqa: ANN401 - Django's
    ) -> Member | None:
        if username is None or password is None:
            return None
        field = "email__iexact" if "@" in username else "username__iexact"
        member = Member.objects.filter(**{field: username}).first()
        if member is None:
            Member().set_password(password)  # the time of one hash, as a known name takes
            return None
        if member.check_password(password) and self.user_can_authenticate(member):
            return member
        return None
