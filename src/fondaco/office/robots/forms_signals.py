"""Forms of signal robots: what one is told, a new one, and its allotment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from django import forms

from fondaco.house.robots import LEVELS, ConfigFault, read_config
from fondaco.office.robots.forms import LIMIT_LABELS, LimitsForm, NewRobotForm

__all__ = ["AllotmentForm", "NewSignalsForm", "SignalsForm"]

AMOUNTS: Final = ("operation_amount", "operation_stop_loss")
LIMIT_HINTS: Final = {
    "day_stop_loss": "Once it has, it buys no more until the day is over.",
    "month_stop_loss": "Likewise until the month is over.",
    "month_sell_cap": "Sales at a stop are no part of it.",
    "orders_day_max": "Sales at a stop count, and are never refused.",
}


def _level(name: str, label: str) -> forms.ChoiceField:
    plain, strong = LEVELS[name]
    return forms.ChoiceField(
        label=label, choices=[(plain, f"{plain} or {strong}"), (strong, f"{strong} alone")]
    )


class SignalsForm(LimitsForm):
    """The config of a signal robot, every word of it, as read_config() reads them."""

    symbols = forms.MultipleChoiceField(
        label="Symbols",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="It acts on signals of these, by the order book of each.",
    )
    buy_on = _level("buy_on", "Buys at a signal of")
    sell_on = _level("sell_on", "Sells at a signal of")
    operation_amount, operation_stop_loss = (
        forms.CharField(
            label=label,
            max_length=40,
            required=False,
            help_text=hint,
            widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        )
        for label, hint in (
            ("An operation buys for", "Left out: its free cash by the symbols without one."),
            ("An operation may lose", "What it bought is sold by a stop there."),
        )
    )

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - Django's
        symbols: Mapping[str, str],
        cash: str,
        decimals: int,
        **words: Any,  # noqa: ANN401 - Django's
    ) -> None:
        """Make it for these symbols, by their labels, and for amounts of the house's cash."""
        super().__init__(*args, **words)
        self.decimals = decimals
        for name, hint in LIMIT_HINTS.items():
            self.fields[name].help_text = hint
        field = self.fields["symbols"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = list(symbols.items())
        known = ", ".join(symbols) or "none"
        field.error_messages["invalid_choice"] = (
            f"There is no order book of %(value)s in {cash}; there are {known}."
        )

    def clean(self) -> dict[str, Any]:
        """Say of every amount at once what is wrong with it."""
        found = super().clean() or {}
        for name in (*AMOUNTS, *LIMIT_LABELS):
            try:
                read_config({name: found.get(name) or "0"}, decimals=self.decimals)
            except ConfigFault as fault:
                text = str(fault)
                self.add_error(name, f"{text[:1].upper()}{text[1:]}.")
        return found

    @staticmethod
    def initial_of(config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a config as the form begins with it: what is none is empty."""
        return {name: "" if str(value) == "0" else value for name, value in config.items()}

    @property
    def chosen(self) -> list[forms.BoundField]:
        """Return the field of the symbols."""
        return [self["symbols"]]

    @property
    def levels(self) -> list[forms.BoundField]:
        """Return the fields of what sets it going, and for how much."""
        return [self[name] for name in ("buy_on", "sell_on", *AMOUNTS)]

    @property
    def config(self) -> dict[str, Any]:
        """Return the config as it is to be."""
        amounts = {name: self.cleaned_data[name] or "0" for name in (*AMOUNTS, *LIMIT_LABELS)}
        chosen = {name: self.cleaned_data[name] for name in ("symbols", "buy_on", "sell_on")}
        return {**chosen, **amounts}


class NewSignalsForm(SignalsForm, NewRobotForm):
    """A new signal robot."""

    def __init__(self, *args: Any, **words: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **words)
        self.fields["symbols"].required = True
        self.fields["symbols"].error_messages["required"] = "Choose one at least."


class AllotmentForm(forms.Form):
    """What a robot is to have been given, of each of some assets; an empty one stays."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - Django's
        assets: Sequence[tuple[str, int]],
        hints: Mapping[str, str],
        **words: Any,  # noqa: ANN401 - Django's
    ) -> None:
        """Make it for assets, each a code with its decimals."""
        super().__init__(*args, **words)
        for code, decimals in assets:
            self.fields[code] = forms.DecimalField(
                label=code,
                max_digits=30,
                decimal_places=decimals,
                min_value=0,
                required=False,
                help_text=hints.get(code, ""),
            )

    @property
    def said(self) -> dict[str, Decimal]:
        """Return the amounts that are said."""
        return {code: value for code, value in self.cleaned_data.items() if value is not None}
