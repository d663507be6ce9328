"""Members in the admin: roles, invites, who may sign in. Money, keys and accounts change elsewhere.

Promises: what a visitor may see and change is the table of identity.permissions; every change
goes through a service, which keeps the last admin and writes the security log.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldBooleanSwitchWidget,
)

from fondaco.identity import freezing, invites, selectors, services
from fondaco.identity.models import Account, ApiKey, Invite, Member, Role, SecurityEntry
from fondaco.identity.permissions import Permission, may
from fondaco.identity.services import IdentityConflict
from fondaco.link.address import writer_socket
from fondaco.link.answers import LinkError
from fondaco.link.blocking import BlockingClient

__all__ = ["AccountAdmin", "ApiKeyAdmin", "MemberAdmin", "ReadOnly", "SecurityEntryAdmin"]


class ReadOnly:
    """Rows that only services write; `seen_by` may look at them."""

    seen_by = Permission.SEE_MEMBERS

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, self.seen_by)

    def has_view_permission(self, request: HttpRequest, _obj: Model | None = None) -> bool:
        return may(request.user, self.seen_by)

    def has_add_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False


class MemberForm(forms.ModelForm):  # type: ignore[type-arg]
    """What staff may change of a member, as far as their permissions go."""

    roles = forms.MultipleChoiceField(
        choices=Role.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget, required=False
    )
    add_invite_uses = forms.IntegerField(
        min_value=0,
        max_value=1000,
        required=False,
        initial=0,
        label="Add invite uses",
        widget=UnfoldAdminIntegerFieldWidget,
    )
    is_active = forms.BooleanField(
        required=False,
        label="May sign in",
        widget=UnfoldBooleanSwitchWidget,
        help_text=(
            "Without it sessions and tokens end at once and all API keys are revoked for good. "
            "Open orders stay: freeze the member, too, to cancel them."
        ),
    )
    frozen = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Cancels all open orders and stops trading; money may still be withdrawn.",
    )

    class Meta:
        model = Member
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **kwargs)
        self.initial["roles"] = sorted(selectors.granted_roles(self.instance))
        self.initial["is_active"] = self.instance.is_active
        self.initial["frozen"] = self.instance.frozen_at is not None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        # Whoever isn't offered a field doesn't change it.
        wanted = set(cleaned.get("roles", self.initial["roles"]))
        active = cleaned.get("is_active", self.initial["is_active"])
        try:
            services.check_an_admin_stays(self.instance, roles=wanted, may_sign_in=active)
        except IdentityConflict as conflict:
            raise ValidationError(str(conflict)) from conflict
        return cleaned


@admin.register(Member)
class MemberAdmin(ReadOnly, ModelAdmin):
    form = MemberForm
    list_display = (
        "username",
        "email",
        "is_active",
        "frozen_at",
        "membership_until",
        "date_joined",
    )
    search_fields = ("username", "email")
    ordering = ("username",)
    known = (
        *("username", "email", "membership_until", "date_joined", "last_login", "invited_by"),
        *("invite_uses_left", "roles_held"),
    )
    readonly_fields = known

    def has_change_permission(self, request: HttpRequest, _obj: Model | None = None) -> bool:
        return bool(self._changeable(request))

    def get_fields(self, request: HttpRequest, _obj: Model | None = None) -> list[Any]:
        return [*self.known, *self._changeable(request)]

    def get_form(
        self,
        request: HttpRequest,
        obj: Member | None = None,
        change: bool = False,  # noqa: FBT001, FBT002 - Django's
        **kwargs: Any,  # noqa: ANN401 - Django's
    ) -> type[forms.ModelForm[Member]]:
        """Leave out of the form what the visitor may not change."""
        offered = self._changeable(request)
        left_out = [name for name in MemberForm.base_fields if name not in offered]
        shown = dict.fromkeys(left_out)
        kwargs["form"] = type("OfferedMemberForm", (MemberForm,), shown)
        kwargs["fields"] = ()
        form: type[forms.ModelForm[Member]] = super().get_form(request, obj, change, **kwargs)
        return form

    def save_model(
        self,
        request: HttpRequest,
        obj: Member,
        form: forms.ModelForm[Member],
        change: bool,  # noqa: ARG002, FBT001 - Django's
    ) -> None:
        asked = form.cleaned_data
        by: dict[str, Any] = {
            "actor": selectors.member_of(request.user),
            "address": str(request.META.get("REMOTE_ADDR", "")),
        }
        if "roles" in asked:
            services.set_roles(obj, asked["roles"], **by)
        if "is_active" in asked:
            services.allow_sign_in(obj, allowed=asked["is_active"], **by)
        if "frozen" in asked:
            self._set_frozen(request, obj, frozen=asked["frozen"], by=by)
        if asked.get("add_invite_uses"):
            invites.add_uses(obj.invite, asked["add_invite_uses"], **by)

    def _set_frozen(
        self, request: HttpRequest, member: Member, *, frozen: bool, by: dict[str, Any]
    ) -> None:
        try:
            with BlockingClient(writer_socket(settings.DATA), role="office") as core:
                freezing.set_frozen(core, member, frozen=frozen, **by)
        except LinkError as error:
            text = f"The house did not answer ({error}): look whether it was done, and save again."
            self.message_user(request, text, level=messages.ERROR)

    @admin.display(description="invite uses left")
    def invite_uses_left(self, member: Member) -> int:
        return Invite.objects.get(member=member).uses_left

    @admin.display(description="roles")
    def roles_held(self, member: Member) -> str:
        return ", ".join(sorted(selectors.granted_roles(member)))

    def _changeable(self, request: HttpRequest) -> list[str]:
        asks = {
            "roles": Permission.SET_ROLES,
            "is_active": Permission.FORBID_SIGN_IN,
            "frozen": Permission.FREEZE,
            "add_invite_uses": Permission.ADD_INVITE_USES,
        }
        return [name for name, permission in asks.items() if may(request.user, permission)]


@admin.register(Account)
class AccountAdmin(ReadOnly, ModelAdmin):
    list_display = ("number", "member", "kind", "name", "opened_at")
    search_fields = ("number", "member__username")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly, ModelAdmin):
    bounds = ("number", "account", "label", "scopes", "addresses", "expires_at")
    list_display = (*bounds, "granted_at", "revoked_at")
    fields = (*bounds, "created_at", "granted_at", "revoked_at")
    search_fields = ("account__number", "account__member__username")


@admin.register(SecurityEntry)
class SecurityEntryAdmin(ReadOnly, ModelAdmin):
    seen_by = Permission.SEE_SECURITY_LOG
    list_display = ("number", "at", "action", "actor", "subject", "address", "details")
    list_filter = ("action",)
    ordering = ("-number",)
    search_fields = ("subject__username", "actor__username")
