"""Members for programs: oneself, one's invite and membership, and what staff do about others.

Promises: the services behind the pages and the admin, with the same permissions; no field but
those named can be set.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fondaco.identity import freezing, invites, security_log, selectors, services
from fondaco.identity.models import Member, Role
from fondaco.identity.permissions import Permission
from fondaco.identity.selectors import is_paid_up, member_of
from fondaco.office import writer
from fondaco.office.api.callers import bound_account
from fondaco.office.api.faults import NotDone, writer_asked
from fondaco.office.api.scoped import ScopedView
from fondaco.office.billing import selectors as billing
from fondaco.office.billing import services as memberships
from fondaco.office.billing.payments import AMOUNT_CENTS, CURRENCY, PaymentsDown
from fondaco.office.callers import address_of
from fondaco.office.members.services import send_confirmation

__all__ = [
    "Checkout",
    "Confirmation",
    "Freeze",
    "InviteUses",
    "MemberRoles",
    "Membership",
    "Oneself",
    "OwnInvite",
    "OwnLog",
    "SignIn",
    "Unfreeze",
]

LOG_ROWS = 200  # of one's own log, as on the page


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


class RolesWords(serializers.Serializer):
    id = serializers.IntegerField()
    username = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())


class OwnAccountWords(serializers.Serializer):
    number = serializers.IntegerField()
    kind = serializers.CharField()
    name = serializers.CharField()


class OneselfWords(RolesWords):
    email = serializers.CharField()
    email_confirmed = serializers.BooleanField()
    accounts = OwnAccountWords(many=True)
    invite_uses_left = serializers.IntegerField()


class UsesBody(serializers.Serializer):
    uses = serializers.IntegerField(min_value=1, max_value=1000)


class UsesWords(serializers.Serializer):
    uses_left = serializers.IntegerField()


class InviteWords(UsesWords):
    code = serializers.CharField()
    url = serializers.CharField()
    joined = serializers.ListField(child=serializers.CharField())


class PurchaseWords(serializers.Serializer):
    id = serializers.IntegerField()
    paid_at = serializers.DateTimeField()
    amount = serializers.CharField()
    currency = serializers.CharField()


class MembershipWords(serializers.Serializer):
    is_paid_up = serializers.BooleanField()
    until = serializers.DateField(allow_null=True)
    days = serializers.IntegerField()
    price = serializers.CharField()
    currency = serializers.CharField()
    purchases = PurchaseWords(many=True)


class CheckoutWords(serializers.Serializer):
    url = serializers.CharField(help_text="where the member pays")


class EntryWords(serializers.Serializer):
    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    action = serializers.CharField()
    actor = serializers.CharField(allow_null=True)
    address = serializers.CharField()
    details = serializers.CharField(help_text="JSON")
    digest = serializers.CharField()


class AllowedBody(serializers.Serializer):
    allowed = serializers.BooleanField()


class FrozenWords(serializers.Serializer):
    id = serializers.IntegerField()
    frozen = serializers.BooleanField()


class SignInWords(serializers.Serializer):
    id = serializers.IntegerField()
    allowed = serializers.BooleanField()


def _member(number: int) -> Member:
    member = Member.objects.filter(pk=number).first()
    if member is None:
        raise Http404("No member has that number.")
    return member


def _by(request: Request) -> dict[str, Any]:
    return {"actor": member_of(request.user), "address": address_of(request)}


# ---- oneself


class Oneself(ScopedView):
    @extend_schema(responses=OneselfWords)
    def get(self, request: Request) -> Response:
        """Tell who asks: a member, their roles and accounts; a key sees its own account."""
        member = member_of(request.user)
        accounts = [
            {"number": row.number, "kind": row.kind.name.lower(), "name": row.name}
            for row in selectors.accounts_of(member.pk)
            if bound_account(request) in {0, row.number}
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


class Confirmation(ScopedView):
    member_wide = True

    @extend_schema(request=None, responses={202: None})
    def post(self, request: Request) -> Response:
        """Send the mail that confirms the member's address, unless it is confirmed."""
        member = member_of(request.user)
        if member.email_confirmed_at is None:
            send_confirmation(member)
        return Response(status=status.HTTP_202_ACCEPTED)


class OwnLog(ScopedView):
    member_wide = True

    @extend_schema(responses=EntryWords(many=True))
    def get(self, request: Request) -> Response:
        """List what the security log holds about the member, newest first."""
        entries = security_log.of_member(member_of(request.user), LOG_ROWS)
        return Response(
            [
                {
                    "number": entry.number,
                    "at": entry.at,
                    "action": entry.action,
                    "actor": None if entry.actor is None else entry.actor.username,
                    "address": entry.address,
                    "details": entry.details,
                    "digest": entry.digest,
                }
                for entry in entries
            ]
        )


class OwnInvite(ScopedView):
    @extend_schema(responses=InviteWords)
    def get(self, request: Request) -> Response:
        """Tell the member's invite and who joined by it."""
        member = member_of(request.user)
        code = member.invite.code
        return Response(
            {
                "code": code,
                "url": settings.BASE_URL + reverse("invitation", kwargs={"code": code}),
                "uses_left": member.invite.uses_left,
                "joined": [each.username for each in selectors.joined_by(member)],
            }
        )


class Membership(ScopedView):
    @extend_schema(responses=MembershipWords)
    def get(self, request: Request) -> Response:
        """Tell whether the member has paid, until when, and what it costs."""
        member = member_of(request.user)
        return Response(
            {
                "is_paid_up": is_paid_up(member),
                "until": member.membership_until,
                "days": memberships.PERIOD_DAYS,
                "price": _money(AMOUNT_CENTS),
                "currency": CURRENCY,
                "purchases": [
                    {
                        "id": row.pk,
                        "paid_at": row.paid_at,
                        "amount": _money(row.amount_cents),
                        "currency": row.currency,
                    }
                    for row in billing.purchases(member)
                ],
            }
        )


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


class Checkout(ScopedView):
    member_wide = True

    @extend_schema(request=None, responses={201: CheckoutWords})
    def post(self, request: Request) -> Response:
        """Open a checkout of one period of membership; a person pays on its page."""
        try:
            purchase = memberships.open_checkout(member_of(request.user), memberships.provider())
        except PaymentsDown as error:
            raise NotDone("The payment page can't be opened just now. Try again later.") from error
        return Response({"url": purchase.url}, status=status.HTTP_201_CREATED)


# ---- staff


class MemberRoles(APIView):
    permission = Permission.SET_ROLES

    @extend_schema(request=RolesBody, responses=RolesWords)
    def post(self, request: Request, number: int) -> Response:
        """Change the roles of a member: 409 for the last admin."""
        body = RolesBody(data=request.data)
        body.is_valid(raise_exception=True)
        member = _member(number)
        asked = body.validated_data
        wanted = set(asked.get("roles", selectors.granted_roles(member)))
        wanted = (wanted | set(asked.get("grant", ()))) - set(asked.get("revoke", ()))
        services.set_roles(member, wanted, **_by(request))
        roles = sorted(selectors.granted_roles(member))
        return Response({"id": member.pk, "username": member.username, "roles": roles})


class InviteUses(APIView):
    permission = Permission.ADD_INVITE_USES

    @extend_schema(request=UsesBody, responses=UsesWords)
    def post(self, request: Request, number: int) -> Response:
        """Let a member's invite be used so many times more."""
        body = UsesBody(data=request.data)
        body.is_valid(raise_exception=True)
        invite = _member(number).invite
        invites.add_uses(invite, body.validated_data["uses"], **_by(request))
        invite.refresh_from_db()
        return Response({"uses_left": invite.uses_left})


class Freeze(APIView):
    permission = Permission.FREEZE
    frozen = True

    @extend_schema(request=None, responses=FrozenWords)
    def post(self, request: Request, number: int) -> Response:
        """Freeze a member (orders cancelled, no trading, may withdraw), or let them trade again."""
        member = _member(number)
        with writer_asked():
            freezing.set_frozen(writer.core(), member, frozen=self.frozen, **_by(request))
        return Response({"id": member.pk, "frozen": member.frozen_at is not None})


class Unfreeze(Freeze):
    frozen = False


class SignIn(APIView):
    permission = Permission.FORBID_SIGN_IN

    @extend_schema(request=AllowedBody, responses=SignInWords)
    def post(self, request: Request, number: int) -> Response:
        """Let a member sign in, or no longer: 409 for the last admin.

        Without it sessions and tokens end and API keys are revoked for good; open orders stay
        until the member is frozen.
        """
        body = AllowedBody(data=request.data)
        body.is_valid(raise_exception=True)
        member = _member(number)
        services.allow_sign_in(member, allowed=body.validated_data["allowed"], **_by(request))
        return Response({"id": member.pk, "allowed": member.is_active})
