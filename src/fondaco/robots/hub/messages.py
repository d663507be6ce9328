"""A signal as it comes, by HTTP or by topic, read and checked.

Promises: read_signal() gives an Incoming, or Unfit with the field at fault and what to write; both
spellings of the older senders are taken ("0NE_MINUTE", "metric" for "indicator"). A time without a
zone is UTC. It keeps of the analysis what it was sent, within ANALYSIS_BYTES_MAX.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

__all__ = [
    "ANALYSIS_BYTES_MAX",
    "KINDS",
    "RATED",
    "SUMMARIES",
    "SYMBOL",
    "Incoming",
    "Unfit",
    "read_signal",
    "read_time",
]

SYMBOL: Final = "BTC"  # of a signal that names none
SUMMARIES: Final = {"STRONG_BUY": 2, "BUY": 1, "NEUTRAL": 0, "SELL": -1, "STRONG_SELL": -2}
# What the house rates its own books by, at each closed bar of each of these intervals.
KINDS: Final = ("technical_ratings", "technical_ratings_v1", "robot")
RATED: Final = ("1m", "5m", "15m", "30m", "1h", "6h", "1d")  # as signals name them
ANALYSIS_BYTES_MAX: Final = 1 << 16
ENTRIES_MAX: Final = 64
SCORE_MAX: Final = 1_000_000
INTERVALS: Final = frozenset(
    {
        *("0NE_MINUTE", "ONE_MINUTE", "FIVE_MINUTES", "FIFTEEN_MINUTES", "THIRTY_MINUTES"),
        *("ONE_HOUR", "SIX_HOURS", "ONE_DAY"),
    }
)
INDICATORS: Final = frozenset({"SIMPLE_MOVING_AVERAGE", "EXPONENTIAL_MOVING_AVERAGE"})
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_CODE: Final = re.compile(r"[A-Z0-9]{1,12}\Z")
_SEEDS_TIME: Final = "%d-%m-%Y %H:%M:%S"


class Unfit(ValueError):
    """A message that can't be taken; `field` names what is at fault, "" the whole."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A signal in our words. `strength` is from 2 (STRONG_BUY) to -2 (STRONG_SELL)."""

    symbol: str
    strength: int
    timestamp_us: int
    analysis: str = "[]"  # JSON, as sent


def read_signal(body: object) -> Incoming:
    """Return the signal that a decoded JSON body says. Raises Unfit."""
    if not isinstance(body, Mapping):
        raise Unfit("", "send a JSON object with summary and timestamp")
    symbol = body.get("symbol", SYMBOL)
    if not isinstance(symbol, str) or not _CODE.match(symbol):
        raise Unfit("symbol", "must be an asset's code: 1 to 12 capitals or digits")
    analysed = body.get("analysed_data", [])
    if not isinstance(analysed, list) or len(analysed) > ENTRIES_MAX:
        raise Unfit("analysed_data", f"must be a list of at most {ENTRIES_MAX} objects")
    found = Incoming(
        symbol=symbol,
        strength=SUMMARIES[_word(body, "summary", SUMMARIES, "summary", "")],
        timestamp_us=_time(body, "timestamp", ""),
        analysis=msgspec.json.encode(analysed).decode(),
    )
    for place, entry in enumerate(analysed):
        _check_interval(entry, f"[{place}]")
    if len(found.analysis) > ANALYSIS_BYTES_MAX:
        raise Unfit("analysed_data", f"has more than {ANALYSIS_BYTES_MAX} bytes")
    return found


def _check_interval(entry: object, place: str) -> None:
    if not isinstance(entry, Mapping):
        raise Unfit("analysed_data", f"{place} must be an object")
    _word(entry, "interval", INTERVALS, "analysed_data", f"{place}.")
    _word(entry, "summary", SUMMARIES, "analysed_data", f"{place}.")
    _time(entry, "timestamp", f"{place}.")
    analysis = entry.get("analysis", [])
    if not isinstance(analysis, list) or len(analysis) > ENTRIES_MAX:
        raise Unfit("analysed_data", f"{place}.analysis must be a list of at most {ENTRIES_MAX}")
    for number, part in enumerate(analysis):
        _check_part(part, f"{place}.analysis[{number}]")


def _check_part(part: object, place: str) -> None:
    """Check one indicator's word: {"metric", "indicator"} or {"indicator", "summary"}."""
    if not isinstance(part, Mapping):
        raise Unfit("analysed_data", f"{place} must be an object")
    name, said = ("indicator", "summary")
    if "metric" in part:
        name, said = ("metric", "summary" if "summary" in part else "indicator")
    _word(part, name, INDICATORS, "analysed_data", f"{place}.")
    _word(part, said, SUMMARIES, "analysed_data", f"{place}.")
    score = part.get("score", {})
    if not isinstance(score, Mapping):
        raise Unfit("analysed_data", f"{place}.score must be an object with buy and sell")
    for side in ("buy", "sell"):
        value = score.get(side, 0)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= SCORE_MAX:
            raise Unfit("analysed_data", f"{place}.score.{side} must be a whole number from 0")


def _word(
    body: Mapping[str, Any],
    name: str,
    known: Mapping[str, int] | frozenset[str],
    field: str,
    place: str,
) -> str:
    """Return the word under a name, which must be among the known."""
    value = body.get(name)
    if not isinstance(value, str) or value not in known:
        what = f"{place}{name} " if place else ""
        missing = "This field is required: " if value is None and not place else ""
        raise Unfit(field, f"{missing}{what}must be one of {', '.join(sorted(known))}")
    return value


def _time(body: Mapping[str, Any], name: str, place: str) -> int:
    value = body.get(name)
    found = _us_of(value) if isinstance(value, str) else -1
    if found < 0:
        what = f"{place}{name} " if place else ""
        raise Unfit(
            "analysed_data" if place else name,
            f'{what}must be a time like "20-07-2022 02:18:10", in UTC',
        )
    return found


def read_time(text: str, field: str) -> int:
    """Return a time in microseconds; without a zone it is in UTC. Raises Unfit."""
    found = _us_of(text)
    if found < 0:
        raise Unfit(field, f'"{text[:40]}" must be a time like "20-07-2022 02:18:10", in UTC')
    return found


def _us_of(text: str) -> int:
    """Return a time in microseconds, -1 for a text that is none or before 1970."""
    try:
        moment = dt.datetime.strptime(text, _SEEDS_TIME).replace(tzinfo=dt.UTC)
    except ValueError:
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            return -1
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    try:
        since = moment - EPOCH
    except OverflowError:
        return -1
    found = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return max(found, -1)
