"""Forms of accounts and strategies: what a member calls them, and where a strategy trades."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from fondaco.identity.models import Member
from fondaco.strategies.models import NAME_LENGTH_MAX, SYMBOL_LENGTH_MAX, BrokerageAccount

__all__ = ["AccountForm", "StrategyForm"]

EVERY: Final = (
    (0, "whenever it likes: no alert"),
    (60, "every minute"),
    (300, "every 5 minutes"),
    (900, "every 15 minutes"),
    (3600, "every hour"),
    (86_400, "every day"),
)


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
    report_every_s = forms.TypedChoiceField(
        label="Reports",
        choices=EVERY,
        coerce=int,
        required=False,
        empty_value=None,
        initial=0,
        help_text="You are told when two in a row are missing, and when it is back.",
    )

    def __init__(self, member: Member, *args: Any, **more: Any) -> None:  # noqa: ANN401 - Django's
        super().__init__(*args, **more)
        field = self.fields["account"]
        assert isinstance(field, forms.ModelChoiceField), field
        rows = BrokerageAccount.objects.filter(member=member, robot="", archived_at__isnull=True)
        field.queryset = rows.order_by("name")
        every = int((self.initial or {}).get("report_every_s") or 0)
        choice = self.fields["report_every_s"]
        assert isinstance(choice, forms.TypedChoiceField), choice
        if every not in dict(EVERY):  # chosen by a program
            choice.choices = [*EVERY, (every, f"every {every:,} seconds")]
