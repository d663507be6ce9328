"""How members sign in: what django-allauth asks of the house.

Promises: nobody signs up by it; every success and failure of a known member, every sign-out and
every change of a password or second factor is an entry of the security log; the secrets of second
factors are sealed by identity.seal. Wrong passwords are counted by address and by name
(ACCOUNT_RATE_LIMITS).
"""

from __future__ import annotations

import base64
import logging
from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from fondaco.identity import seal
from fondaco.identity.models import Member
from fondaco.identity.security_log import Action, note

__all__ = ["AccountAdapter", "SecondFactorAdapter", "has_second_factor"]

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
