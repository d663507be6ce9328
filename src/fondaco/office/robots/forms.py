"""Forms of the robots' pages: a rule with where it runs, and limits."""

from __future__ import annotations

from typing import Final

from django import forms

from fondaco.robots.models import RobotMode

__all__ = [
    "LIMIT_LABELS",
    "RULE_LETTERS_MAX",
    "LimitsForm",
    "NewRobotForm",
    "RobotForm",
    "RuleForm",
]

RULE_LETTERS_MAX: Final = 40_000


class RuleForm(forms.Form):
    rule = forms.CharField(max_length=RULE_LETTERS_MAX, label="The rule as JSON")


LIMIT_LABELS: Final = {
    "day_stop_loss": "A day may lose",
    "month_stop_loss": "A month may lose",
    "month_sell_cap": "A month may sell for",
    "orders_day_max": "Orders of a day",
    "order_notional_max": "An order may be worth",
}


class LimitsForm(forms.Form):
    """The limits that the core keeps of a bot; services say what is wrong with one."""

    day_stop_loss, month_stop_loss, month_sell_cap, orders_day_max, order_notional_max = (
        forms.CharField(
            label=label,
            max_length=40,
            required=False,
            widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        )
        for label in LIMIT_LABELS.values()
    )

    @property
    def limits(self) -> list[forms.BoundField]:
        """Return the fields of the limits."""
        return [self[name] for name in LIMIT_LABELS]

    @property
    def said(self) -> dict[str, str]:
        """Return the limits as they are to be, 0 for none."""
        return {name: self.cleaned_data[name] or "0" for name in LIMIT_LABELS}


class NewRobotForm(forms.Form):
    """What is asked of every new robot."""

    id = forms.CharField(
        label="Name", max_length=24, help_text="1 to 24 letters, digits, _ or -; it stays."
    )
    mode = forms.ChoiceField(
        label="Runs", choices=[(RobotMode.PAPER, "on paper"), (RobotMode.LIVE, "live")]
    )
    cash = forms.DecimalField(
        label="Allotment of cash",
        max_digits=30,
        decimal_places=8,
        min_value=0,
        help_text="Live it moves from your account; on paper it is a figure.",
    )

    @property
    def asked(self) -> list[forms.BoundField]:
        """Return the fields of which robot it is to be."""
        return [self[name] for name in ("id", "mode", "cash")]


class RobotForm(RuleForm, LimitsForm, NewRobotForm):
    """A new rule bot."""

    field_order = ("id", "mode", "cash", "rule")
