"""What of ratings and signals the house tells to everybody, for the streams of its edges.

Promises: ratings of its own analysis, and signals that are for every client; never a signal that
is one member's. Nothing of who sent a signal, nor of the analysis sent along. Each call is a few
short queries, however many listen, and brings at most so many rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from fondaco.robots.hub.messages import KINDS, RATED
from fondaco.robots.hub.selectors import NAMES, moment, rating_words
from fondaco.robots.models import Rating, Signal

__all__ = ["Marks", "Now", "marks", "now", "since"]

EVERYBODY: Final = 0
SIGNALS_TOLD: Final = 20  # of a book, to who begins to listen
ROWS_MAX: Final = 2_000  # of a look; what is left comes by the next
LATE_ROWS: Final = 100  # a signal may be committed after one of a higher number


class Marks(NamedTuple):
    """Up to which rows of each table was told."""

    rating: int
    signal: int


class Now(NamedTuple):
    """What is known of one book: the newest rating of each kind and interval, signals newest first.

    A rating has the words of GET /api/v1/ratings/, a signal those of signal_words().
    """

    ratings: list[dict[str, Any]]
    signals: list[dict[str, Any]]


def marks() -> Marks:
    """Return that all was told that is there."""
    newest = [
        model.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        for model in (Rating, Signal)
    ]
    return Marks(*newest)


def now(symbol: str, base: str) -> Now:
    """Return what is known of a book; `base` is what signals call it, "" where none mean it."""
    rows = Rating.objects.filter(symbol=symbol)
    found = (
        rows.filter(interval=interval, kind=kind).order_by("-bar_us").first()
        for interval in RATED
        for kind in KINDS
    )
    signals = Signal.objects.filter(symbol=base, member=EVERYBODY).order_by("-pk")
    return Now(
        [rating_words(row) for row in found if row is not None],
        [signal_words(row) for row in signals[:SIGNALS_TOLD]] if base else [],
    )


def since(told: Marks, symbols: Iterable[str], bases: Iterable[str]) -> tuple[Marks, Now]:
    """Return what came after, oldest first, of some books; of signals also the last LATE_ROWS."""
    ratings = list(Rating.objects.filter(pk__gt=told.rating).order_by("pk")[:ROWS_MAX])
    signals = list(
        Signal.objects.filter(pk__gt=told.signal - LATE_ROWS).order_by("pk")[: ROWS_MAX + LATE_ROWS]
    )
    reached = Marks(
        ratings[-1].pk if ratings else told.rating,
        max(told.signal, signals[-1].pk) if signals else told.signal,
    )
    wanted, called = frozenset(symbols), frozenset(bases)
    return reached, Now(
        [rating_words(row) for row in ratings if row.symbol in wanted],
        [signal_words(row) for row in signals if row.member == EVERYBODY and row.symbol in called],
    )


def signal_words(row: Signal) -> dict[str, Any]:
    """Return a signal as everybody hears it; `source` is the house's own analysis, or empty."""
    own = row.source.split(" ")[0] in KINDS
    return {
        "id": row.pk,
        "symbol": row.symbol,
        "summary": NAMES[row.strength],
        "time": moment(row.timestamp_us),
        "received": moment(row.received_us),
        "source": row.source if own else "",
    }
