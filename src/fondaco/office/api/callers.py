"""Who asks the native API, and what they may.

Promises: a stranger gets 401, a member without the permission or scope 403; a session's request
that changes something needs its CSRF token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from fondaco.identity import tokens
from fondaco.identity.models import AccessToken, Member
from fondaco.identity.permissions import Permission, may
from fondaco.office.callers import address_of

if TYPE_CHECKING:
    from rest_framework.views import APIView

__all__ = ["Allowed", "Bearer", "Session"]

REALM = 'Bearer realm="fondaco"'


class Session(SessionAuthentication):
    """The cookie of a signed-in person."""

    def authenticate_header(self, _request: Request) -> str:
        """Make a stranger's refusal a 401 that says how to come in."""
        return REALM


class Bearer(BaseAuthentication):
    """`Authorization: Bearer <token>`; whoever sends it is answered by it alone."""

    def authenticate(self, request: Request) -> tuple[Member, AccessToken] | None:
        kind, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = tokens.find(text.strip(), address=address_of(request))
        if token is None:
            raise AuthenticationFailed("The token is unknown, revoked, too old or not for here.")
        return token.member, token

    def authenticate_header(self, _request: Request) -> str:
        return REALM


class Allowed(BasePermission):
    """The permission that the view names; a view that names none is for every member.

    A token must have the view's scope, and has no permission of staff.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        wanted: Permission | None = getattr(view, "permission", None)
        if not request.user.is_authenticated:
            return False
        if isinstance(request.auth, AccessToken):
            # What staff may do is done by people who have signed in with their second factor.
            scope = getattr(view, "scope", None)  # a view that names none is not for tokens
            return wanted is None and scope in request.auth.scopes.split()
        return wanted is None or may(request.user, wanted)
