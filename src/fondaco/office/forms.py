"""Forms of the first pages."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.contrib.auth.forms import AuthenticationForm

__all__ = ["SignInForm"]


class SignInForm(AuthenticationForm):
    """Django's own, by user name or e-mail address; wrong tries are counted by allauth."""

    username = forms.CharField(
        label="User name or e-mail",
        max_length=254,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "username"}),
    )
    error_messages = {  # noqa: RUF012 - Django's
        "invalid_login": "That name and password do not go together.",
        "inactive": "This member may not sign in.",
    }

    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if name is not None and password:
            adapter = get_adapter(self.request)
            found = adapter.authenticate(self.request, username=name, password=password)
            self.user_cache = found
            if found is None:
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(found)
        return self.cleaned_data
