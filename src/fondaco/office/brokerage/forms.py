"""Forms of accounts and strategies: what a member calls them, and where a strategy trades."""

from __future__ import annotations

from typing import Any

from django import forms

from fondaco.identity.models import Member
from fondaco.strategies.models import NAME_LENGTH_MAX, SYMBOL_LENGTH_MAX, BrokerageAccount

__all__ = ["AccountForm", "StrategyForm"]


class AccountForm(forms.Form):
    name = forms.CharField(
        label="Name", max_length=NAME_LENGTH_MAX, help_text="As you know it, like its broker's."
    )


class StrategyForm(forms.Form):
    """The accounts to choose from are the member's own."""

    name = forms.CharField(label="Name", max_length=NAME_LENGTH_MAX)
    account = forms.ModelChoiceField(
        label="Account",
        queryset=BrokerageAccount.objects.none(),
        empty_label=None,
        help_text="Where it trades. Its wallet counts once, however many strategies use it.",
    )
    symbol = forms.CharField(
        label="Symbol",
        max_length=SYMBOL_LENGTH_MAX,
        required=False,
        help_text="What it trades, like XBTUSD.",
    )

    def __init__(self, member: Member, *args: Any, **more: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **more)
        field = self.fields["account"]
        assert isinstance(field, forms.ModelChoiceField), field
        rows = BrokerageAccount.objects.filter(member=member, archived_at__isnull=True)
        field.queryset = rows.order_by("name")
