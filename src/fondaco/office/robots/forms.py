"""Forms of the robots' pages: a rule with where it runs, and a backtest."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from django import forms
from django.core.files.uploadedfile import UploadedFile

from fondaco.robots.backtest.tape import TapeFault, Upload, Walk, read_candles, read_trades
from fondaco.robots.models import RobotMode

__all__ = ["LIMIT_LABELS", "BacktestForm", "LimitsForm", "RobotForm", "RuleForm"]

RULE_LETTERS_MAX: Final = 40_000
FILE_BYTES_MAX: Final = 1_900_000  # an office takes requests of 2 MiB
NAME_LETTERS_MAX: Final = 100
DETAILS: Final = ("latency_ms", "maker_fee", "taker_fee", "depth", "queue")
HEAD_ROWS: Final = 200  # read at once; a worker reads them all


def _amount(label: str, *, initial: int | None = None, help_text: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        max_digits=30,
        decimal_places=8,
        min_value=0,
        initial=initial,
        required=initial is not None,
        help_text=help_text,
    )


def _rate(label: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        max_digits=7,
        decimal_places=6,
        min_value=0,
        max_value=Decimal("0.999999"),
        required=False,
        help_text="0.001 is 0.1 %. Left out: this house's, and 0.001 for a file.",
    )


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


class RobotForm(RuleForm, LimitsForm):
    """A new rule bot."""

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
    field_order = ("id", "mode", "cash", "rule")

    @property
    def asked(self) -> list[forms.BoundField]:
        """Return the fields that stand beside the rule."""
        return [self[name] for name in ("id", "mode", "cash")]


class BacktestForm(RuleForm):
    """A rule on the house's own past, or on a file of trades or candles."""

    rule = forms.CharField(
        label="The rule as JSON",
        max_length=RULE_LETTERS_MAX,
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"}),
    )
    source = forms.ChoiceField(
        label="On",
        choices=[
            ("journal", "the trades of this house"),
            ("trades", "a file of trades"),
            ("candles", "a file of candles"),
        ],
        initial="journal",
    )
    file = forms.FileField(
        label="File",
        required=False,
        help_text="For a file of trades or candles: CSV with a header, also packed as .gz or .xz; "
        "at most 1.9 MB and 600,000 rows. "
        "Trades: ts_ms, price, qty, buyer_is_maker. "
        "Candles: ts_ms, open, high, low, close, volume.",
    )
    walk = forms.ChoiceField(
        label="Within a candle the price goes",
        choices=[
            (Walk.SHAPE, "open, low, high, close if it rose; the high first if it fell"),
            (Walk.OHLC, "open, high, low, close"),
            (Walk.OLHC, "open, low, high, close"),
            (Walk.CLOSE, "close alone"),
        ],
        initial=Walk.SHAPE,
        help_text="For a file of candles: nobody knows their inside, so choose.",
    )
    cash = _amount("Cash at the start", initial=10_000)
    coins = _amount("Coins at the start", initial=0)
    latency_ms = forms.IntegerField(
        label="Latency, ms",
        min_value=0,
        max_value=600_000,
        initial=100,
        help_text="From robot to market, and as long back.",
    )
    maker_fee = _rate("Fee of a maker")
    taker_fee = _rate("Fee of a taker")
    depth = _amount(
        "Depth",
        help_text="What stands at each price for an order that takes. Left out: ten mean trades.",
    )
    queue = _amount(
        "Queue", help_text="What stands before an order that joins a price. Left out: the depth."
    )

    @property
    def details(self) -> list[forms.BoundField]:
        """Return the fields that most leave as they are."""
        return [self[name] for name in DETAILS]

    @property
    def asked(self) -> list[forms.BoundField]:
        """Return the others."""
        return [field for field in self.visible_fields() if field.name not in DETAILS]

    @property
    def has_details(self) -> bool:
        """Tell whether something is wrong with a field that most leave."""
        return any(name in self.errors for name in DETAILS)

    def clean(self) -> dict[str, Any]:
        """Read the head of a file, so that what is wrong with it is said at once."""
        found = super().clean() or {}
        source, file = found.get("source"), found.get("file")
        if source in {"trades", "candles"} and "file" not in self.errors:
            if file is None:
                self.add_error("file", f"Choose the file of {source}.")
            else:
                assert isinstance(file, UploadedFile), file
                self._read(str(source), str(file.name or source), file.size or 0, file.read)
        return found

    def _read(self, source: str, name: str, size: int, read: Callable[[], bytes]) -> None:
        if size > FILE_BYTES_MAX:
            self.add_error("file", "The file is larger than 1.9 MB; pack it as .xz, or cut it.")
            return
        upload = Upload(name[-NAME_LETTERS_MAX:], read())
        rows = read_trades(upload) if source == "trades" else read_candles(upload)
        try:
            if not list(islice(rows, HEAD_ROWS)):
                self.add_error("file", f"{upload} has no rows below its header.")
        except TapeFault as fault:
            self.add_error("file", f"{fault}.")
        self.cleaned_data["file"] = upload
