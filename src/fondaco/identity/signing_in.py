"""How members sign in: what django-allauth asks of the house.

Promises: nobody signs up by it; every success and failure of a known member, every sign-out and
every change of a password or second factor is an entry of the security log; the secrets of second
factors are sealed by identity.seal. Wrong passwords are counted by address and by name
(ACCOUNT_RATE_LIMITS). Once an authenticator app is set up, each of its codes is good at its own
half minute and the two beside it, for one use at one of the edges; a newer one ends those before
it (RFC 6238, 5.2).
"""

from __future__ import annotations

import base64
import logging
import time
from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa import app_settings
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
SPENT: Final = "spent"  # in the row of an app: the period of the last code that was taken


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
        _refuse_spent(self)
        return _spend(self, super().clean_code())


class ReauthenticateForm(forms.ReauthenticateForm):
    """The same where access is to be confirmed."""

    def clean_code(self) -> str:
        _refuse_spent(self)
        return _spend(self, super().clean_code())


def _refuse_spent(form: forms.BaseAuthenticateForm) -> None:
    """Have the form find a spent code wrong, and count it as a wrong one."""
    code = form.cleaned_data["code"]
    app = Authenticator.objects.filter(user=form.user, type=Authenticator.Type.TOTP).first()
    if app is not None and 0 < _period_of(app, code) <= app.data.get(SPENT, 0):
        form.cleaned_data["code"] = ""


def _spend(form: forms.BaseAuthenticateForm, code: str) -> str:
    """Note the period of a right code; raises ValidationError if another request was first."""
    if form.authenticator.type != Authenticator.Type.TOTP:
        return code
    with transaction.atomic():
        app = Authenticator.objects.select_for_update().filter(pk=form.authenticator.pk).first()
        if app is not None and (period := _period_of(app, code)) > app.data.get(SPENT, 0):
            app.data[SPENT] = period
            app.save(update_fields=["data"])
            return code
    raise SecondFactorAdapter().validation_error("incorrect_code")


def _period_of(factor: Authenticator, code: str) -> int:
    """Return the newest period around now whose code of an app this is, 0 if of none."""
    secret = decrypt(factor.data["secret"])
    now = int(time.time()) // app_settings.TOTP_PERIOD
    reach = app_settings.TOTP_TOLERANCE + 1  # one more: it was found right a moment ago
    for period in range(now + reach, now - reach - 1, -1):
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, period))):
            return period
    return 0
