"""Forms of the members' pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from fondaco.identity.models import Member

__all__ = ["JoinForm"]


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
