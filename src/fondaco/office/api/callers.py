"""Who asks the native API, and what they may.

Promises: a stranger gets 401, a member without the permission 403; a session's request that
changes something needs its CSRF token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from fondaco.identity.permissions import Permission, may

if TYPE_CHECKING:
    from rest_framework.views import APIView

__all__ = ["Allowed", "Session"]


class Session(SessionAuthentication):
    """The cookie of a signed-in person."""

    def authenticate_header(self, _request: Request) -> str:
        """Make a stranger's refusal a 401 that says how to come in."""
        return 'Bearer realm="fondaco"'


class Allowed(BasePermission):
    """The permission that the view names; a view that names none is for every member."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        wanted: Permission | None = getattr(view, "permission", None)
        if not request.user.is_authenticated:
            return False
        return wanted is None or may(request.user, wanted)
