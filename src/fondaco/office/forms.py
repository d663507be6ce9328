"""Forms of the first pages, and what every text that a person types must be."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from allauth.account.adapter import get_adapter
from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

__all__ = ["UNSEEN", "SignInForm", "said_twice", "seen"]

# Control characters but tab, line ends and NUL, which fields refuse by name; and those that turn
# the direction of what follows.
UNSEEN: Final = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def seen(text: str) -> None:
    """Validate a text that is shown to others: no character in it that no eye can see."""
    if unseen := UNSEEN.search(text):
        raise ValidationError(f"U+{ord(unseen[0]):04X} can't be seen: leave it out.")


def said_twice(text: str | bytes) -> str:
    """Return a name that an object of a JSON text has twice, empty where all are there once."""
    twice: list[str] = []

    def see(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice.append(next(name for name in found if names.count(name) > 1))
        return found

    try:
        json.loads(text, object_pairs_hook=see)
    except (ValueError, RecursionError):
        return ""  # told by whoever reads it
    return twice[0] if twice else ""


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
