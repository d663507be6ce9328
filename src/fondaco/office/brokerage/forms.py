"""Forms of accounts and strategies: what a member calls them, and where a strategy trades."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.files.uploadedfile import UploadedFile

from fondaco.identity.models import Member
from fondaco.office.forms import seen
from fondaco.strategies.models import NAME_LENGTH_MAX, SYMBOL_LENGTH_MAX, BrokerageAccount

__all__ = ["FILE_BYTES_MAX", "AccountForm", "HistoryForm", "StrategyForm"]

EVERY: Final = (
    (0, "whenever it likes: no alert"),
    (60, "every minute"),
    (300, "every 5 minutes"),
    (900, "every 15 minutes"),
    (3600, "every hour"),
    (86_400, "every day"),
)


FILE_BYTES_MAX: Final = 1_900_000  # an office takes requests of 2 MiB


class AccountForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=NAME_LENGTH_MAX,
        validators=[seen],
        help_text="As you know it, like its broker's.",
    )


class StrategyForm(forms.Form):
    """The accounts to choose from are the member's own."""

    name = forms.CharField(label="Name", max_length=NAME_LENGTH_MAX, validators=[seen])
    account = forms.ModelChoiceField(
        label="Account",
        queryset=BrokerageAccount.objects.none(),
        empty_label=None,
        help_text="Where it trades. Its wallet counts once, however many strategies use it.",
    )
    symbol = forms.CharField(
        label="Symbol",
        max_length=SYMBOL_LENGTH_MAX,
        validators=[seen],
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


class HistoryForm(forms.Form):
    """A file with what a strategy did before it reported here."""

    kind = forms.ChoiceField(
        label="Format",
        choices=[
            ("csv", "CSV: a line a report"),
            ("freqtrade", "freqtrade: backtest result or trades, JSON or CSV"),
            ("hummingbot", "hummingbot: trades CSV"),
        ],
    )
    start = forms.CharField(
        label="Balance before the first trade",
        max_length=40,
        required=False,
        help_text="In USD; for trades. A backtest result brings its own.",
    )
    file = forms.FileField(label="File", help_text="Text in UTF-8, at most 1.9 MB.")

    def clean_file(self) -> str:
        """Return the file's text."""
        file = self.cleaned_data["file"]
        assert isinstance(file, UploadedFile), file
        if file.size is None or file.size > FILE_BYTES_MAX:
            raise forms.ValidationError("The file is larger than 1.9 MB; send it in pieces.")
        try:
            return str(file.read().decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise forms.ValidationError(
                f"The file is no text in UTF-8: byte {error.start} is no character."
            ) from error
