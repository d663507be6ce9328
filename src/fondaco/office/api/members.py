"""Members for programs: who one is, and roles."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fondaco.identity import selectors, services
from fondaco.identity.models import Member, Role
from fondaco.identity.permissions import Permission
from fondaco.office.callers import address_of

__all__ = ["MemberRoles", "Oneself"]


class RolesBody(serializers.Serializer):
    """Either all roles that the member shall have, or some to grant and some to revoke."""

    roles = serializers.ListField(child=serializers.ChoiceField(Role.choices), required=False)
    grant = serializers.ListField(child=serializers.ChoiceField(Role.choices), required=False)
    revoke = serializers.ListField(child=serializers.ChoiceField(Role.choices), required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs or ("roles" in attrs and len(attrs) > 1):
            raise serializers.ValidationError(
                {"roles": ['Send either "roles", or "grant" and "revoke".']}
            )
        return attrs


class MemberRoles(APIView):
    """POST changes the roles of a member: 409 for the last admin."""

    permission = Permission.SET_ROLES

    def post(self, request: Request, number: int) -> Response:
        body = RolesBody(data=request.data)
        body.is_valid(raise_exception=True)
        member = Member.objects.filter(pk=number).first()
        if member is None:
            raise Http404("No member has that number.")
        asked = body.validated_data
        wanted = set(asked.get("roles", selectors.granted_roles(member)))
        wanted = (wanted | set(asked.get("grant", ()))) - set(asked.get("revoke", ()))
        actor = selectors.member_of(request.user)
        services.set_roles(member, wanted, actor=actor, address=address_of(request))
        roles = sorted(selectors.granted_roles(member))
        return Response({"id": member.pk, "username": member.username, "roles": roles})


class Oneself(APIView):
    """GET tells who asks: a member, their roles and accounts."""

    scope = "read"

    def get(self, request: Request) -> Response:
        member = selectors.member_of(request.user)
        accounts = [
            {"number": row.number, "kind": row.kind.name.lower(), "name": row.name}
            for row in selectors.accounts_of(member.pk)
        ]
        return Response(
            {
                "id": member.pk,
                "username": member.username,
                "email": member.email,
                "email_confirmed": member.email_confirmed_at is not None,
                "roles": sorted(selectors.granted_roles(member)),
                "accounts": accounts,
                "invite_uses_left": member.invite.uses_left,
            }
        )
