"""Forms of the first pages."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import AuthenticationForm

__all__ = ["SignInForm"]


class SignInForm(AuthenticationForm):
    """Django's own, by user name or e-mail address."""

    username = forms.CharField(
        label="User name or e-mail",
        max_length=254,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "username"}),
    )
    error_messages = {  # noqa: RUF012 - Django's
        "invalid_login": "That name and password do not go together.",
        "inactive": "This member may not sign in.",
    }
