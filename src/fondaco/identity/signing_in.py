"""How members sign in: what django-allauth asks of the house.

Promises: nobody signs up by it; every success and failure of a known member, every sign-out and
every change of a password or second factor is an entry of the security log; the secrets of second
factors are sealed by identity.seal. Wrong passwords are counted by address and by name
(ACCOUNT_RATE_LIMITS). A code of an authenticator app is good in its half minute and those next
to it, once, and none that is older than the last one is good after it, at any edge (RFC 6238, 5.2).
"""

from __future__ import annotations

import base64
import logging
import time
from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base import forms
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from fondaco.identity import seal
from fondaco.identity.models import Member
from fondaco.identity.security_log import Action, note

__all__ = [
    "AccountAdapter",
    "AuthenticateForm",
    "ReauthenticateForm",
    "SecondFactorAdapter",
    "has_second_factor",
]

NOTED: Final = {
    "account/email/password_changed": Action.PASSWORD_CHANGED,
    "account/email/password_reset": Action.PASSWORD_CHANGED,
    "account/email/password_set": Action.PASSWORD_CHANGED,
    "mfa/email/totp_activated": Action.SECOND_FACTOR_ADDED,
    "mfa/email/totp_deactivated": Action.SECOND_FACTOR_REMOVED,
    "mfa/email/webauthn_added": Action.SECOND_FACTOR_ADDED,
    "mfa/email/webauthn_removed": Action.SECOND_FACTOR_REMOVED,
    "mfa/email/recovery_codes_generated": Action.RECOVERY_CODES_MADE,
}
_log = logging.getLogger(__name__)
BOUND_TO: Final = "a second factor"
PERIOD_S: Final = 30  # of a code, as apps have it by default
REACH: Final = 2  # periods before and after now in which a code that was good a moment ago began


def has_second_factor(member: Member) -> bool:
    """Return whether a member signs in by more than a password."""
    kinds = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    return bool(Authenticator.objects.filter(user=member, type__in=kinds).exists())


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - allauth's
        """Refuse: people join by an invite."""
        return False

    def post_login(
        self,
        request: HttpRequest,
        user: Member,
        **kwargs: Any,  # noqa: ANN401 - allauth's
    ) -> HttpResponse:
        note(Action.SIGNED_IN, actor=user, subject=user, address=self.get_client_ip(request))
        answer: HttpResponse = super().post_login(request, user, **kwargs)
        return answer

    def logout(self, request: HttpRequest) -> None:
        member = request.user
        if isinstance(member, Member):
            address = self.get_client_ip(request)
            note(Action.SIGNED_OUT, actor=member, subject=member, address=address)
        super().logout(request)

    def authentication_failed(self, request: HttpRequest, **credentials: str) -> None:
        name = credentials.get("username", "")
        field = "email__iexact" if "@" in name else "username__iexact"
        member = Member.objects.filter(**{field: name}).first()
        if member is not None:
            address = self.get_client_ip(request)
            note(Action.SIGN_IN_FAILED, actor=None, subject=member, address=address)

    def send_notification_mail(
        self,
        template_prefix: str,
        user: Member,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Write the change into the security log, and tell the member by mail."""
        if template_prefix in NOTED:
            address = self.get_client_ip(self.request)
            note(NOTED[template_prefix], actor=user, subject=user, address=address)
        try:
            super().send_notification_mail(template_prefix, user, context, email or user.email)
        except OSError as error:  # smtplib's errors are OSErrors, too
            _log.warning("the notice to member %s could not be sent: %s", user.pk, error)


class SecondFactorAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return base64.b64encode(seal.seal_secret(text, bound_to=BOUND_TO)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return seal.open_secret(base64.b64decode(encrypted_text), bound_to=BOUND_TO)

    def get_totp_issuer(self) -> str:
        return str(settings.HOUSE_NAME)


class AuthenticateForm(forms.AuthenticateForm):
    """allauth's form, whose codes are spent in the database instead of one edge's memory."""

    def clean_code(self) -> str:
        return spent_once(self, super().clean_code())


class ReauthenticateForm(forms.ReauthenticateForm):
    """The same where access is to be confirmed."""

    def clean_code(self) -> str:
        return spent_once(self, super().clean_code())


def spent_once(form: forms.BaseAuthenticateForm, code: str) -> str:
    """Return a code that was found right; raises ValidationError if it or a newer one was spent."""
    factor: Authenticator = form.authenticator
    if factor.type == Authenticator.Type.TOTP and not _spend(factor.pk, code):
        raise SecondFactorAdapter().validation_error("incorrect_code")
    return code


def _spend(number: int, code: str) -> bool:
    """Note the period of a code; return whether no code of it or a later one was spent before."""
    with transaction.atomic():
        factor = Authenticator.objects.select_for_update().get(pk=number)
        secret = decrypt(factor.data["secret"])
        now = int(time.time()) // PERIOD_S
        periods = range(now + REACH, now - REACH - 1, -1)
        digits = "".join(filter(str.isdigit, code))
        period = next((n for n in periods if format_hotp_value(hotp_value(secret, n)) == digits), 0)
        if period <= factor.data.get("spent", 0):
            return False
        factor.data["spent"] = period
        factor.save(update_fields=["data"])
        return True
