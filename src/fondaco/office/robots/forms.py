"""Forms of the robots' pages: a rule with where it runs, and a backtest."""

from __future__ import annotations

from typing import Final

from django import forms

from fondaco.robots.models import RuleMode

__all__ = ["BacktestForm", "RobotForm", "RuleForm"]

RULE_LETTERS_MAX: Final = 40_000


class RuleForm(forms.Form):
    rule = forms.CharField(max_length=RULE_LETTERS_MAX, label="The rule as JSON")


class RobotForm(RuleForm):
    """A new rule bot."""

    id = forms.CharField(
        label="Name", max_length=24, help_text="1 to 24 letters, digits, _ or -; it stays."
    )
    mode = forms.ChoiceField(
        label="Runs", choices=[(RuleMode.PAPER, "on paper"), (RuleMode.LIVE, "live")]
    )
    cash = forms.DecimalField(
        label="Allotment of cash",
        max_digits=30,
        decimal_places=8,
        min_value=0,
        help_text="Live it moves from your account; on paper it is a figure.",
    )
    field_order = ("id", "mode", "cash", "rule")


class BacktestForm(RuleForm):
    """A rule on the house's own past."""

    rule = forms.CharField(
        label="The rule as JSON",
        max_length=RULE_LETTERS_MAX,
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"}),
    )
    cash = forms.DecimalField(
        label="Cash at the start", max_digits=30, decimal_places=8, min_value=0, initial=10_000
    )
    coins = forms.DecimalField(
        label="Coins at the start", max_digits=30, decimal_places=8, min_value=0, initial=0
    )
    latency_ms = forms.IntegerField(
        label="Latency, ms", min_value=0, max_value=600_000, initial=100
    )
    depth = forms.DecimalField(
        label="Depth",
        max_digits=30,
        decimal_places=8,
        min_value=0,
        required=False,
        help_text="What stands at each price, and before an order that joins one; "
        "left out: ten mean trades.",
    )
