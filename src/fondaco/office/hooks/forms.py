"""Forms of the hooks' pages: how a hook reads its alerts, and an alert by hand."""

from __future__ import annotations

from typing import Final

from django import forms

from fondaco.office.forms import seen
from fondaco.robots.hub.alerts import TEMPLATE_MAX
from fondaco.robots.hub.services import ALERT_BYTES_MAX

__all__ = ["AlertForm", "HookForm", "NewHookForm"]

NETWORKS_MAX: Final = 2000


class HookForm(forms.Form):
    """How a hook reads its alerts, and from where it takes them."""

    symbol = forms.RegexField(
        r"^[A-Z0-9]{1,12}\Z",
        label="Symbol",
        required=False,
        help_text="Of alerts that name none, like BTC.",
        error_messages={"invalid": "Write a coin's code: 1 to 12 capitals or digits."},
    )
    template = forms.CharField(
        label="Template of a text",
        required=False,
        max_length=TEMPLATE_MAX,
        help_text="Where the words stand in an alert that is not JSON: {summary}, {symbol}, {key}, "
        "{time}, {interval}, {price}, {expected_position}, {any}. Empty: the first word is the "
        "summary, the second the symbol.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
    )
    addresses = forms.CharField(
        label="Only from",
        required=False,
        max_length=NETWORKS_MAX,
        help_text="Addresses or networks, one a line. Empty: from anywhere.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    checks_position = forms.BooleanField(
        label="Refuse an alert that expects another position than mine", required=False
    )


class NewHookForm(HookForm):
    name = forms.CharField(
        label="Name", max_length=64, help_text="For you, like the chart's.", validators=[seen]
    )
    field_order = ("name",)


class AlertForm(forms.Form):
    """An alert that was lost on its way."""

    body = forms.CharField(
        label="The alert as the chart would send it",
        max_length=ALERT_BYTES_MAX,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
