"""An alert of a chart, as JSON or as a line of text, read as a signal.

Promises: read_alert() gives an Alert or Unfit; a hook's template says where the words of a text
stand ("{summary} {symbol} at {price}, {time}"), without one its first word is the summary and the
second the symbol. Names that charts use for things ("action", "ticker", "order_id") are known, and
how they write tickers and times. Nothing is cut: a word that is too long is refused. One
that says the interval of its bar says with `time` when the bar opened: it is as old as its close.
Nothing of a text is run: a template is names between literals.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from fondaco.robots.hub.messages import SUMMARIES, SYMBOL, Unfit, read_time
from fondaco.robots.hub.templates import PLACES_MAX, WORD_MAX, names_of, read_text

__all__ = ["NAMES", "TEMPLATE_MAX", "Alert", "check_template", "read_alert", "untimely"]

TEMPLATE_MAX: Final = 300
EXPECTED: Final = 'send {"summary": "BUY", "symbol": "BTC"}, or a text like "buy BTC"'
AHEAD_S_MAX: Final = 60  # of another's clock before ours
# Our name -> what charts call it, in the order in which they are looked for.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "summary": ("summary", "action", "signal", "side", "order_action"),
    "symbol": ("symbol", "ticker"),
    "time": ("time", "timestamp", "timenow"),
    "interval": ("interval", "timeframe"),
    "key": ("key", "id", "order_id", "alert_id"),
    "expected_position": ("expected_position", "prev_market_position"),
}
_WORDS: Final = {
    **SUMMARIES,
    "LONG": 1,
    "SHORT": -1,
    "EXIT": -1,
    "CLOSE": -1,
    "FLAT": -1,
}
POSITIONS: Final = {"flat": False, "none": False, "long": True}
# Seconds of an interval's unit; a chart's "60" is minutes, its "D" a day.
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "mo": 31 * 86_400}
_INTERVAL: Final = re.compile(r"(\d{0,4}) ?(S|s|m|H|h|D|d|W|w|M|)\Z", re.ASCII)
_CODE: Final = re.compile(r"[A-Z0-9]{1,12}\Z")
_EPOCH: Final = re.compile(r"(\d{9,10})(\d{3})?\Z", re.ASCII)  # in seconds, or in milliseconds
_PERPETUAL: Final = ".P"  # how charts mark a future without an end
# In what a ticker is priced that is not in the cash; its coin has two letters at least.
_PRICED: Final = re.compile(r"[A-Z0-9]{2,}?(USDT|USDC|USD|EUR)\Z")


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert says. `timestamp_us` 0: no time; `is_long` None: it expects no position."""

    symbol: str
    strength: int
    timestamp_us: int = 0
    key: str = ""
    is_long: bool | None = None
    bar_us: int = 0  # how long the bar is that began at `timestamp_us`; 0: that is a moment


def check_template(template: str) -> None:
    """Raise Unfit for a template that can't be read by."""
    if len(template) > TEMPLATE_MAX or not template.isprintable():
        raise Unfit("template", f"must have at most {TEMPLATE_MAX} printable characters")
    names = names_of(template)
    if len(names) > PLACES_MAX:
        raise Unfit("template", f"has {len(names)} places, at most {PLACES_MAX}")
    known = {*NAMES, "price", "any"}
    for name in names:
        if name not in known:
            raise Unfit("template", f"{{{name}}} is unknown; known are {', '.join(sorted(known))}")
    if template and "summary" not in names:
        raise Unfit("template", "must have a place for {summary}")
    if re.search(r"\}\{", template) or len({*names} - {"any"}) < len(
        [name for name in names if name != "any"]
    ):
        raise Unfit("template", "must have each place once, with something between two")


def read_alert(body: str, *, template: str, symbol: str, cash: str) -> Alert:
    """Return what an alert says; `symbol` is the hook's own, of alerts that name none.

    A ticker is taken as charts write it: "EXCHANGE:BTCUSD" and "BTCUSD.P" mean BTC where the cash
    is USD. Raises Unfit.
    """
    words = _json_words(body) if body.lstrip().startswith("{") else _text_words(body, template)
    if "summary" not in words:
        raise Unfit("summary", f"is missing; {EXPECTED}")
    said = words["summary"].upper().replace(" ", "_")
    if said not in _WORDS:
        raise Unfit("summary", f'"{said[:32]}" must be one of {", ".join(_WORDS)}')
    found = _symbol_of(words.get("symbol", ""), cash, symbol) or symbol or SYMBOL
    position = words.get("expected_position", "").lower()
    if position and position not in POSITIONS:
        raise Unfit("expected_position", f'"{position[:32]}" must be flat or long')
    return Alert(
        symbol=found,
        strength=_WORDS[said],
        timestamp_us=_time_us(words["time"]) if words.get("time") else 0,
        bar_us=_interval_us(words["interval"]) if words.get("interval") else 0,
        key=words.get("key", ""),
        is_long=POSITIONS[position] if position else None,
    )


def untimely(said_us: int, came_us: int, age_s_max: int, *, bar_us: int = 0) -> str:
    """Return why an alert's own time is too old when it comes, or ahead of ours; "" for neither.

    `age_s_max` 0: any age is good. Of a bar the close counts, and nothing before it is old.
    """
    age_s = (came_us - said_us - bar_us) // 1_000_000
    if age_s_max and age_s > age_s_max:
        since = " since its bar closed" if bar_us else " old"
        return f"TOO_LATE: {age_s} s{since} when it came, at most {age_s_max} s"
    if said_us - came_us > AHEAD_S_MAX * 1_000_000:
        ahead_s = (said_us - came_us) // 1_000_000
        return f"time is {ahead_s} s ahead of the house's clock, at most {AHEAD_S_MAX} s"
    return ""


def _symbol_of(ticker: str, cash: str, own: str) -> str:
    """Return the coin that a ticker means, "" for none; `own` is what the hook's owner says."""
    named = ticker.rpartition(":")[2].upper().removesuffix(_PERPETUAL)
    if named.endswith(cash) and len(named) > len(cash):
        named = named.removesuffix(cash)
    elif named != own and (priced := _PRICED.match(named)) is not None:
        coin = named.removesuffix(priced[1])
        raise Unfit(
            "symbol",
            f'"{ticker[:32]}" is priced in {priced[1]}, and the house\'s cash is {cash}; '
            f"send {coin} or {coin}{cash}, if that is meant",
        )
    if named and not _CODE.match(named):
        raise Unfit("symbol", f'"{ticker[:32]}" must be an asset\'s code, or a ticker in {cash}')
    return named


def _time_us(text: str) -> int:
    """Return a time as charts write it, epoch seconds and milliseconds, too."""
    match = _EPOCH.match(text)
    if match is not None:
        return (int(match[1]) * 1_000 + int(match[2] or 0)) * 1_000
    return read_time(text, "time")


def _interval_us(text: str) -> int:
    match = _INTERVAL.match(text)
    if match is None or not any(match.groups()) or match[1] in {"0", "00", "000", "0000"}:
        raise Unfit("interval", f'"{text[:32]}" must be like 60 (minutes), 15m, 4h, D or 1W')
    unit = "mo" if match[2] == "M" else match[2].lower() or "m"
    return int(match[1] or 1) * _UNITS[unit] * 1_000_000


def _json_words(body: str) -> dict[str, str]:
    try:
        found = msgspec.json.decode(body)
        json.loads(body, object_pairs_hook=_once, parse_int=str)  # the other reader keeps the last
    except (msgspec.DecodeError, json.JSONDecodeError, RecursionError) as error:
        raise Unfit("", _half_of(body) or f"the body is not JSON: {error}") from error
    words: dict[str, str] = {}
    for name, spellings in NAMES.items():
        value = next((found[each] for each in spellings if found.get(each) is not None), None)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise Unfit(name, "must be text")
        words[name] = str(value)
        if "\0" in words[name]:
            raise Unfit(name, "has a NUL character; leave it out")
        if len(words[name]) > WORD_MAX:
            raise Unfit(name, f"has {len(words[name])} characters, at most {WORD_MAX}")
    if all(found.get(each) is None for each in ("time", "timestamp")):
        words.pop("interval", None)  # `timenow` is the moment, whatever the bar
    if "key" in words and "key" not in found and "time" in words:
        # A chart's order id ("Long") comes back with its next trade: it is one at its time.
        words["key"] = f"{words['key']} at {words['time']}"
    return words


def _half_of(body: str) -> str:
    """Return what to do about half a character in a body, "" for none.

    JSON writes one beyond the first 65,536 as two halves, and half of it alone means nothing.
    """
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        found = ascii(error.object[error.start])[1:-1]
        return f"the body has {found}, half of a character; send both halves or the character"
    except (ValueError, RecursionError):
        pass
    return ""


def _once(pairs: list[tuple[str, object]]) -> None:
    """Raise Unfit for an object that says a name twice: which one is meant?"""
    said = set()
    for name, _ in pairs:
        if name in said:
            raise Unfit("", f'the body says "{name[:32]}" twice; say it once')
        said.add(name)


def _text_words(body: str, template: str) -> dict[str, str]:
    text = " ".join(body.split())
    if not template:
        if text.startswith("["):
            raise Unfit("", f"the body is a list; {EXPECTED}")
        first, _, rest = text.partition(" ")
        return {"summary": first, "symbol": rest.partition(" ")[0]}
    words = read_text(template, text)
    if words is None:
        fit = f"each place is a run of at most {WORD_MAX} characters without a space"
        raise Unfit("", f'the text doesn\'t fit the template "{template}"; {fit}')
    return words
