"""Who asks the native API, and what they may.

Promises: every route takes a session, a bearer token or the signed style of an API key; whoever
sends a token or a key is answered by it alone. A stranger gets 401, a caller without the
permission or scope 403; a session's request that changes something needs its CSRF token. A key
reaches the account that it is bound to and no other. What staff do takes a session, or a token
with the scope `staff` of somebody who has a second factor.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from django.conf import settings
from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed, ParseError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from fondaco.identity import selectors, signatures, tokens
from fondaco.identity.models import AccessToken, ApiKey, Member
from fondaco.identity.permissions import Permission, may
from fondaco.identity.signing_in import has_second_factor
from fondaco.office.callers import address_of

if TYPE_CHECKING:
    from rest_framework.views import APIView  # it imports us

__all__ = [
    "Allowed",
    "Bearer",
    "Session",
    "Signed",
    "bound_account",
    "holds_staff_scope",
    "scopes_held",
]

REALM: Final = 'Bearer realm="fondaco"'
FORM: Final = "application/x-www-form-urlencoded"
PARAMETERS_MAX: Final = 64
OF_THE_MEMBER: Final = (
    "a key is bound to one account, and this concerns all of its member's: send a token "
    "(Authorization: Bearer), or sign in"
)
OF_STAFF: Final = (
    "this is for staff whose roles include it: of programs for a token with the scope staff, "
    "while its member has a second factor"
)
OF_PEOPLE: Final = "this is for signed-in people, not for programs"


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


class Signed(BaseAuthentication):
    """An API key in X-MBX-APIKEY and its signature over query and body, as the gateway takes it.

    Without a proof it is 401; with one, but outside of the receive window, 400.
    """

    def authenticate(self, request: Request) -> tuple[Member, ApiKey] | None:
        text = request.META.get("HTTP_X_MBX_APIKEY")
        if text is None:
            return None
        found = selectors.signing_key(text, address=address_of(request))
        query = request.META.get("QUERY_STRING", "").encode("latin-1")
        body = request._request.body  # noqa: SLF001 - the bytes as sent; Django keeps them
        split = signatures.split_signature(query, body)
        if found is None or split is None:
            raise AuthenticationFailed(
                "The API key is unknown, too old or not for here, or nothing is signed."
            )
        row, proof = found
        if not proof(*split):
            raise AuthenticationFailed("The signature is not the key's over this request.")
        form = body if request.content_type == FORM else b""
        sent = _signed_parameters(query, form)
        now_us = time.time_ns() // 1000
        unfit = signatures.unfit_window(sent.get("timestamp"), sent.get("recvWindow"), now_us)
        if unfit is not None:
            raise ParseError(f"{unfit.value}.")
        return row.account.member, row

    def authenticate_header(self, _request: Request) -> str:
        return REALM


def _signed_parameters(query: bytes, form: bytes) -> dict[str, str]:
    """Return what tells the time of a signed request; a name that stands twice is refused."""
    found: dict[str, str] = {}
    for raw in (query, form):
        try:
            pairs = parse_qsl(raw.decode("latin-1"), max_num_fields=PARAMETERS_MAX)
        except ValueError as error:
            raise ParseError(f"send at most {PARAMETERS_MAX} parameters.") from error
        for name, value in pairs:
            if name in {"timestamp", "recvWindow"} and found.setdefault(name, value) != value:
                raise ParseError(f"{name} stands there twice; send it once.")
    return found


def scopes_held(credential: AccessToken | ApiKey) -> frozenset[str]:
    """Return the names of what a token or key may do."""
    if isinstance(credential, AccessToken):
        return frozenset(credential.scopes.split())
    return frozenset(credential.scope_names)


def bound_account(request: Request) -> int:
    """Return the number of the account that the asking key is bound to; 0 = all of the member's."""
    return request.auth.account_id if isinstance(request.auth, ApiKey) else 0


class Allowed(BasePermission):
    """The permission that the view names; a view that names none is for every member.

    A token or key must have the view's scope, or the scope `staff` where the view names a
    permission. A key never reaches a view that says `member_wide`.
    """

    message = "your roles do not include this"

    def has_permission(self, request: Request, view: APIView) -> bool:
        if getattr(view, "is_public", False):
            return True
        wanted: Permission | None = getattr(view, "permission", None)
        member, credential = request.user, request.auth
        if not isinstance(member, Member):
            return False
        if isinstance(credential, AccessToken | ApiKey):
            if isinstance(credential, ApiKey) and getattr(view, "member_wide", False):
                self.message = OF_THE_MEMBER
                return False
            held = scopes_held(credential)
            if wanted is not None:
                self.message = OF_STAFF
                return holds_staff_scope(request) and may(member, wanted)
            scope = getattr(view, "scope", None)
            self.message = OF_PEOPLE
            if scope is not None:
                has = ", ".join(sorted(held)) or "none"
                self.message = f"this needs the scope {scope}; what was sent has {has}"
            return scope in held  # none named: not for programs
        return wanted is None or may(member, wanted)


def holds_staff_scope(request: Request) -> bool:
    """Return whether a token may do what staff do: its scope, and its member's second factor."""
    held = scopes_held(request.auth)
    return tokens.STAFF_SCOPE in held and (
        not settings.STAFF_MFA or has_second_factor(request.user)
    )
