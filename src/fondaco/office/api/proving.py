"""Showing again that it is oneself, where a page asks for it: by password or second factor.

Promises: a browser that has just done so on the page needs no more; anyone else sends `password` or
`code` (of an authenticator app, or a recovery code) with the request. Wrong tries are counted by
the member, as on the page (office.callers).
"""

from __future__ import annotations

from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request

from fondaco.identity.selectors import member_of
from fondaco.identity.signing_in import ReauthenticateForm
from fondaco.office.api.callers import scopes_held
from fondaco.office.callers import is_proven

__all__ = ["check_scopes", "prove"]


def prove(request: Request) -> None:
    """Raise 400, 403 or TooManyTries unless the person behind a request has shown it is them."""
    member = member_of(request.user)
    asked = request._request  # noqa: SLF001 - allauth wants Django's
    if request.auth is None and did_recently_reauthenticate(asked):
        return
    fields = request.data if isinstance(request.data, dict) else {}
    password, code = (fields.get(name) or "" for name in ("password", "code"))
    if not (isinstance(password, str) and isinstance(code, str)) or not (password or code):
        raise PermissionDenied("Give your password, or a code of your second factor, again.")
    if password and not is_proven(asked, member, lambda: member.check_password(password)):
        raise ValidationError({"password": ["This is not your password."]})
    form = ReauthenticateForm({"code": code}, user=member)
    if not password and not is_proven(asked, member, form.is_valid):
        raise ValidationError({"code": ["This is no code of yours that is good now."]})


def check_scopes(request: Request, wanted: set[str]) -> None:
    """Raise 403 if a token would make a credential that may more than itself."""
    if request.auth is not None and not wanted <= scopes_held(request.auth):
        raise PermissionDenied("A token makes nothing that may more than it may itself.")
