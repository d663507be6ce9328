"""The form of a backtest: what runs, on what, and how the market is imitated."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from django import forms
from django.core.files.uploadedfile import UploadedFile

from fondaco.office.robots.forms import RULE_LETTERS_MAX, RuleForm
from fondaco.robots.backtest.tape import TapeFault, Upload, Walk, read_candles, read_trades

__all__ = ["BacktestForm"]

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
