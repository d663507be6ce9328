"""Forms of the members' pages."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from fondaco.core.records import Scope
from fondaco.identity import tokens
from fondaco.identity.models import Member
from fondaco.identity.networks import networks_of
from fondaco.identity.selectors import accounts_of
from fondaco.office.forms import seen

__all__ = ["JoinForm", "KeyForm", "TokenForm"]


class JoinForm(forms.Form):
    """What a person says of themselves when they join; nothing else can be set by it."""

    username = forms.RegexField(
        regex=r"^[\w.+-]{1,150}\Z",
        label="User name",
        max_length=150,
        help_text="Others in the house see it. Letters, digits and . + - _",
        error_messages={"invalid": "Use letters, digits and . + - _ only."},
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = forms.CharField(
        label="Password",
        max_length=1024,
        strip=False,
        help_text="At least 8 characters; not one that many people use.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        password = cleaned.get("password")
        if password:
            person = Member(username=cleaned.get("username", ""), email=cleaned.get("email", ""))
            try:
                validate_password(password, person)
            except ValidationError as error:
                self.add_error("password", error)
        return cleaned


def _days_field() -> forms.IntegerField:
    return forms.IntegerField(
        min_value=1, max_value=3650, required=False, label="Days until it ends (empty: never)"
    )


def _addresses_field() -> forms.CharField:
    return forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}),
        required=False,
        max_length=4000,
        label="Only from these addresses",
        help_text="Addresses or networks, one a line; empty: from anywhere.",
    )


def _networks(text: str) -> str:
    try:
        return "\n".join(networks_of(text))
    except ValueError as error:
        raise ValidationError(f"{error}.") from error


class KeyForm(forms.Form):
    """A new API key: for which of the member's own accounts, and what it may do."""

    account = forms.TypedChoiceField(coerce=int, label="Account")
    label = forms.CharField(max_length=64, required=False, label="Name, for you", validators=[seen])
    scopes = forms.TypedMultipleChoiceField(
        choices=[(scope.value, scope.name.lower() if scope.name else "") for scope in Scope],
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        initial=[Scope.READ.value],
        label="It may",
    )
    public_key = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4}),
        required=False,
        max_length=1000,
        label="Ed25519 public key",
        help_text="In PEM. Empty: the house makes a secret for HMAC-SHA256 and shows it once.",
    )
    days = _days_field()
    addresses = _addresses_field()

    def __init__(self, member: Member, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **kwargs)
        choices = [(row.number, f"{row.name} ({row.number})") for row in accounts_of(member.pk)]
        self.fields["account"].choices = choices  # type: ignore[attr-defined]

    def clean_public_key(self) -> str:
        text = str(self.cleaned_data["public_key"]).strip()
        if text:
            try:
                key = load_pem_public_key(text.encode())
            except ValueError as error:
                raise ValidationError("This is no public key in PEM.") from error
            if not isinstance(key, Ed25519PublicKey):
                raise ValidationError("This is not an Ed25519 key.")
        return text

    def clean_addresses(self) -> str:
        return _networks(self.cleaned_data["addresses"])


class TokenForm(forms.Form):
    """A new bearer token of the member."""

    label = forms.CharField(max_length=64, required=False, label="Name, for you", validators=[seen])
    scopes = forms.MultipleChoiceField(
        choices=[(name, name) for name in tokens.SCOPES],
        widget=forms.CheckboxSelectMultiple,
        initial=["read"],
        label="It may",
    )
    days = _days_field()
    addresses = _addresses_field()

    def __init__(self, member: Member, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **kwargs)
        if not member.is_staff:
            offered = [(name, name) for name in tokens.SCOPES if name != tokens.STAFF_SCOPE]
            self.fields["scopes"].choices = offered  # type: ignore[attr-defined]

    def clean_addresses(self) -> str:
        return _networks(self.cleaned_data["addresses"])
