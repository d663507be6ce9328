"""The form of a backtest: what runs, what it hears, on what, and how the market is imitated."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django import forms
from django.core.files.uploadedfile import UploadedFile

from fondaco.house.robots import LEVELS, LIMITS, RobotConfig
from fondaco.office.robots.backtests import (
    FILE_BYTES_MAX,
    NAME_LETTERS_MAX,
    SETTINGS,
    Heard,
    Market,
)
from fondaco.office.robots.forms import LIMIT_LABELS, RULE_LETTERS_MAX
from fondaco.robots.backtest.tape import Upload, Walk
from fondaco.robots.hub.messages import RATED
from fondaco.robots.models import RobotKind

__all__ = ["RATING_LABELS", "BacktestForm"]

DETAILS: Final = ("latency_ms", "maker_fee", "taker_fee", "depth", "queue")
ROBOT: Final = (
    *("symbols", "symbol", "buy_on", "sell_on", "operation_amount", "operation_stop_loss"),
)
RATING_LABELS: Final = {
    "technical_ratings": "technical ratings",
    "technical_ratings_v1": "technical ratings, version 1",
    "robot": "crossing averages",
}


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


def _text(label: str, help_text: str = "", *, mode: str = "decimal") -> forms.CharField:
    """Return a field whose text is read where configs are, which say what is wrong."""
    return forms.CharField(
        label=label,
        max_length=400,
        required=False,
        help_text=help_text,
        widget=forms.TextInput(attrs={"inputmode": mode}),
    )


def _level(label: str, name: str) -> forms.ChoiceField:
    plain, strong = LEVELS[name]
    said = [(plain, f"{plain} or stronger"), (strong, f"{strong} alone")]
    return forms.ChoiceField(label=label, choices=said, initial=strong)


def _file(label: str, help_text: str) -> forms.FileField:
    return forms.FileField(label=label, required=False, help_text=help_text)


class BacktestForm(forms.Form):
    """A robot on the house's own past, or on a file of trades or candles."""

    kind = forms.ChoiceField(
        label="What runs",
        choices=[(RobotKind.RULE, "a rule"), (RobotKind.SIGNAL, "a signal robot")],
        initial=RobotKind.RULE,
    )
    rule = forms.CharField(
        label="The rule as JSON",
        max_length=RULE_LETTERS_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"}),
    )
    symbols = _text("Symbols", "The coins that it trades, like BTC or BTC, ETH.", mode="text")
    symbol = _text("Coin of the tape", "Left out: its only symbol.", mode="text")
    buy_on = _level("Buys at a signal of", "buy_on")
    sell_on = _level("Sells at a signal of", "sell_on")
    operation_amount = _text(
        "An operation buys for", "Left out: the free cash, shared by the symbols."
    )
    operation_stop_loss = _text("An operation may lose", "Left out: it has no stop.")
    day_stop_loss, month_stop_loss, month_sell_cap, orders_day_max, order_notional_max = (
        _text(label) for label in LIMIT_LABELS.values()
    )
    signals = forms.ChoiceField(
        label="Signals",
        choices=[
            ("stored", "that came in to this house"),
            ("file", "of a file"),
            ("ratings", "of the house's own analysis"),
        ],
        initial="stored",
        help_text="The house's are heard when they came in, a file's at their own times.",
    )
    signals_file = _file(
        "File of signals",
        "JSON as the API takes signals, or CSV with a header: timestamp, summary, and symbol if it "
        "isn't BTC; also packed as .gz or .xz.",
    )
    ratings = forms.ChoiceField(
        label="Analysis", choices=list(RATING_LABELS.items()), initial=next(iter(RATING_LABELS))
    )
    interval = forms.ChoiceField(
        label="Of candles of", choices=[(each, each) for each in RATED], initial="1h"
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
    file = _file(
        "File",
        "CSV with a header, also packed as .gz or .xz; at most 1.9 MB and 600,000 rows. "
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
        help_text="Nobody knows the inside of a candle, so choose.",
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

    def of(self, *names: str) -> list[forms.BoundField]:
        """Return some fields."""
        return [self[name] for name in names]

    @property
    def parts(self) -> dict[str, list[forms.BoundField]]:
        """Return the fields as they stand together on the page."""
        return {
            "kind": self.of("kind"),
            "rule": self.of("rule"),
            "robot": self.of(*ROBOT),
            "limits": self.of(*LIMITS),
            "signals": self.of("signals"),
            "signals_file": self.of("signals_file"),
            "ratings": self.of("ratings", "interval"),
            "source": self.of("source"),
            "file": self.of("file"),
            "walk": self.of("walk"),
            "money": self.of("cash", "coins"),
            "details": self.of(*DETAILS),
        }

    @property
    def has_limits(self) -> bool:
        """Tell whether a limit is set, or wrong."""
        return any(name in self.errors or self[name].value() for name in LIMITS)

    @property
    def has_details(self) -> bool:
        """Tell whether something is wrong with a field that most leave."""
        return any(name in self.errors for name in DETAILS)

    @property
    def is_of_signals(self) -> bool:
        return bool(self.cleaned_data["kind"] == RobotKind.SIGNAL)

    @property
    def config(self) -> dict[str, Any]:
        """Return a signal robot's config as it was typed."""
        typed = {
            name: self.cleaned_data[name]
            for name in RobotConfig.__struct_fields__
            if self.cleaned_data[name]
        }
        return {**typed, "symbols": str(typed.get("symbols", "")).replace(",", " ").split()}

    @property
    def limits(self) -> dict[str, Any]:
        """Return the limits that were typed."""
        return {name: self.cleaned_data[name] for name in LIMITS if self.cleaned_data[name]}

    @property
    def heard(self) -> Heard:
        """Return what a signal robot is to hear."""
        asked = self.cleaned_data
        return Heard(
            signals=asked["signals"],
            file=asked["signals_file"],
            ratings=asked["ratings"],
            interval=asked["interval"],
        )

    @property
    def market(self) -> Market:
        """Return what it runs on."""
        asked = self.cleaned_data
        figures = {name: str(asked[name]) for name in SETTINGS if asked[name] is not None}
        return Market(source=asked["source"], file=asked["file"], settings=figures)

    def clean_file(self) -> Upload | None:
        return _upload(self.cleaned_data["file"])

    def clean_signals_file(self) -> Upload | None:
        return _upload(self.cleaned_data["signals_file"])


def _upload(file: UploadedFile[Any] | None) -> Upload | None:
    """Return a file that was sent, read as far as is needed to see that it is too large."""
    if file is None:
        return None
    return Upload(str(file.name or "file")[-NAME_LETTERS_MAX:], file.read(FILE_BYTES_MAX + 1))
