"""API keys, tokens and sessions for programs: what the profile's pages do.

Promises: a secret is in the answer that makes it and in no other; making and revoking asks for the
person (api.proving); another member's is as unknown as none. A key of one account reaches none of
it, and a token makes nothing that may more than itself.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from fondaco.core.records import Scope
from fondaco.identity import tokens
from fondaco.identity.models import AccessToken, ApiKey
from fondaco.identity.selectors import member_of
from fondaco.office.api.faults import writer_asked
from fondaco.office.api.proving import check_scopes, prove
from fondaco.office.api.scoped import ScopedView
from fondaco.office.callers import address_of
from fondaco.office.members import services
from fondaco.office.members.forms import KeyForm, TokenForm

__all__ = ["Keys", "OneKey", "OneSession", "OneToken", "Sessions", "Tokens"]

SCOPES = [str(scope.name).lower() for scope in Scope]


class CredentialBody(serializers.Serializer):
    """What keys and tokens have alike; `password` or `code` where the person is asked for."""

    label = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    days = serializers.IntegerField(required=False, allow_null=True, default=None)
    addresses = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, default=list
    )
    password = serializers.CharField(required=False, write_only=True)
    code = serializers.CharField(required=False, write_only=True)


class KeyBody(CredentialBody):
    account = serializers.IntegerField()
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES), allow_empty=False)
    public_key = serializers.CharField(required=False, allow_blank=True, default="")


class TokenBody(CredentialBody):
    scopes = serializers.ListField(child=serializers.ChoiceField(tokens.SCOPES), allow_empty=False)


class KeyWords(serializers.Serializer):
    id = serializers.IntegerField()
    key = serializers.CharField(help_text="its beginning; whole in the answer that makes it")
    secret = serializers.CharField(required=False, help_text="only in the answer that makes it")
    account = serializers.IntegerField()
    label = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    addresses = serializers.ListField(child=serializers.CharField())
    expires_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)


class TokenWords(serializers.Serializer):
    id = serializers.IntegerField()
    prefix = serializers.CharField()
    token = serializers.CharField(required=False, help_text="only in the answer that makes it")
    label = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    addresses = serializers.ListField(child=serializers.CharField())
    expires_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)


class SessionWords(serializers.Serializer):
    id = serializers.IntegerField()
    address = serializers.CharField()
    browser = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    is_this = serializers.BooleanField()


class PersonBody(serializers.Serializer):
    """One of the two, unless the browser has just given it on the page."""

    password = serializers.CharField(required=False)
    code = serializers.CharField(required=False)


def _when(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _bounds(row: ApiKey | AccessToken) -> dict[str, Any]:
    return {
        "label": row.label,
        "addresses": row.addresses.splitlines(),
        "expires_at": _when(row.expires_at),
        "created_at": _when(row.created_at),
        "revoked_at": _when(row.revoked_at),
    }


def key_words(row: ApiKey) -> dict[str, Any]:
    return {
        "id": row.pk,
        "key": f"{row.key[:8]}…",
        "account": row.account_id,
        "scopes": row.scope_names,
        **_bounds(row),
    }


def token_words(row: AccessToken) -> dict[str, Any]:
    return {"id": row.pk, "prefix": row.prefix, "scopes": row.scopes.split(), **_bounds(row)}


def _checked(request: Request, shape: type[CredentialBody]) -> dict[str, Any]:
    """Return the fields as the page's form takes them."""
    body = shape(data=request.data)
    body.is_valid(raise_exception=True)
    fields: dict[str, Any] = {**body.validated_data}
    check_scopes(request, set(fields["scopes"]))
    fields["addresses"] = "\n".join(fields["addresses"])
    return fields


class CredentialView(ScopedView):
    member_wide = True
    writes = "withdraw"  # what may take money out may, with the person, make what may


class Keys(CredentialView):
    """The member's API keys."""

    @extend_schema(responses=KeyWords(many=True))
    def get(self, request: Request) -> Response:
        """List the member's API keys, newest first."""
        rows = ApiKey.objects.filter(account__member=member_of(request.user)).order_by("-pk")
        return Response([key_words(row) for row in rows])

    @extend_schema(request=KeyBody, responses={201: KeyWords})
    def post(self, request: Request) -> Response:
        """Grant an API key; its secret is shown here and never again."""
        member = member_of(request.user)
        fields = _checked(request, KeyBody)
        fields["scopes"] = [Scope[name.upper()].value for name in fields["scopes"]]
        form = KeyForm(member, fields)
        if not form.is_valid():
            raise ValidationError(form.errors)
        prove(request)
        with writer_asked():
            row, secret = services.make_key(member, form.cleaned_data, request)
        words = {**key_words(row), "key": row.key}
        if secret:
            words["secret"] = secret
        return Response(words, status=status.HTTP_201_CREATED)


class OneKey(CredentialView):
    @extend_schema(request=PersonBody, responses={204: None})
    def delete(self, request: Request, number: int) -> Response:
        """Revoke an API key for good."""
        member = member_of(request.user)
        row = ApiKey.objects.filter(pk=number, account__member=member).first()
        if row is None:
            raise Http404("You have no API key of that number.")
        prove(request)
        with writer_asked():
            services.revoke_own_key(member, row, request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class Tokens(CredentialView):
    """The member's bearer tokens."""

    @extend_schema(responses=TokenWords(many=True))
    def get(self, request: Request) -> Response:
        """List the member's tokens, newest first."""
        rows = member_of(request.user).tokens.order_by("-pk")
        return Response([token_words(row) for row in rows])

    @extend_schema(request=TokenBody, responses={201: TokenWords})
    def post(self, request: Request) -> Response:
        """Make a token; its text is shown here and never again."""
        member = member_of(request.user)
        form = TokenForm(member, _checked(request, TokenBody))
        if not form.is_valid():
            raise ValidationError(form.errors)
        prove(request)
        asked = form.cleaned_data
        row, text = tokens.make(
            member,
            scopes=asked["scopes"],
            label=asked["label"],
            addresses=asked["addresses"],
            expires_at=services.in_days(asked["days"]),
            address=address_of(request),
        )
        return Response({**token_words(row), "token": text}, status=status.HTTP_201_CREATED)


class OneToken(CredentialView):
    @extend_schema(request=PersonBody, responses={204: None})
    def delete(self, request: Request, number: int) -> Response:
        """Revoke a token for good."""
        member = member_of(request.user)
        row = AccessToken.objects.filter(pk=number, member=member).first()
        if row is None:
            raise Http404("You have no token of that number.")
        prove(request)
        tokens.revoke(row, actor=member, address=address_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class Sessions(CredentialView):
    """Where the member is signed in."""

    @extend_schema(responses=SessionWords(many=True))
    def get(self, request: Request) -> Response:
        """List where the member is signed in, last seen first."""
        rows = UserSession.objects.purge_and_list(member_of(request.user))
        rows.sort(key=lambda row: row.last_seen_at, reverse=True)
        here = request._request.session.session_key  # noqa: SLF001 - Django's
        return Response(
            [
                {
                    "id": row.pk,
                    "address": row.ip,
                    "browser": row.user_agent,
                    "created_at": _when(row.created_at),
                    "last_seen_at": _when(row.last_seen_at),
                    "is_this": row.session_key == here,
                }
                for row in rows
            ]
        )


class OneSession(CredentialView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, number: int) -> Response:
        """End a session of the member."""
        member = member_of(request.user)
        found = UserSession.objects.purge_and_list(member)
        rows = [row for row in found if row.pk == int(number)]
        if not rows:
            raise Http404("You have no session of that number.")
        services.end_sessions_noted(member, len(rows), address_of(request))
        end_sessions(request._request, rows)  # noqa: SLF001 - allauth wants Django's
        return Response(status=status.HTTP_204_NO_CONTENT)
