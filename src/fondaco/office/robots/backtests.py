"""Asking for a backtest, by page or API: what can't be run is refused at once, by its field.

Promises: nothing is kept of what is refused. The head of a file is read here and all of it by the
worker; a signal robot's config is read as the house reads it. Texts are whole sentences but those
that begin with a place in a rule, or with the name of a config's field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

import msgspec
from django.conf import settings

from fondaco.house.robots import LIMITS, ConfigFault, RobotConfig, read_config
from fondaco.identity.models import Member
from fondaco.office.robots import services
from fondaco.projections.selectors import asset_codes
from fondaco.robots.backtest.signal_file import read_signals
from fondaco.robots.backtest.tape import TapeFault, Upload, read_candles, read_trades
from fondaco.robots.bots.backtest_rows import ask_backtest
from fondaco.robots.models import Backtest
from fondaco.robots.services import RobotRefused

__all__ = [
    "FILE_BYTES_MAX",
    "NAME_LETTERS_MAX",
    "SETTINGS",
    "SIGNALS",
    "SOURCES",
    "Heard",
    "Market",
    "ask_of_rule",
    "ask_of_signals",
]

FILE_BYTES_MAX: Final = 1_900_000  # an office takes requests of 2 MiB
NAME_LETTERS_MAX: Final = 100
HEAD_ROWS: Final = 200  # read at once; a worker reads them all
DECIMALS_MAX: Final = 8  # of a file's cash
SOURCES: Final = ("journal", "trades", "candles")
SIGNALS: Final = ("stored", "file", "ratings")
SETTINGS: Final = (
    *("walk", "cash", "coins", "latency_ms", "maker_fee", "taker_fee", "depth", "queue"),
)


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """What a robot runs on: the house's journal, or a file of trades or candles."""

    source: str = "journal"
    file: Upload | None = None
    settings: Mapping[str, str] = {}


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a signal robot hears: what the house has stored, a file, or ratings of the tape."""

    signals: str = "stored"
    file: Upload | None = None
    ratings: str = ""
    interval: str = ""


def ask_of_rule(
    member: Member, rule: str, market: Market, limits: Mapping[str, Any] | None = None
) -> Backtest:
    """Ask for the backtest of a rule within limits. Raises RobotRefused."""
    of_house = market.source == "journal"
    plan = services.read(rule, of_house=of_house)
    named = sorted({*plan.tickers, *plan.traded})
    ticker = plan.paper_ticker
    if not ticker:
        text = f"it trades {', '.join(plan.traded)}" if named else "it names none"
        raise RobotRefused(f"A backtest trades one market; {text}.", field="rule")
    if len(named) > 1 and not of_house:
        text = (
            f"A file has one market; the rule names {', '.join(named)}. The house's past has all."
        )
        raise RobotRefused(text, field="rule")
    if settings.CASH in named:
        raise RobotRefused(f"{settings.CASH} is the cash; name a coin.", field="rule")
    found = msgspec.to_builtins(_config(limits or {}, market, known=LIMITS))
    config = {name: found[name] for name in LIMITS if str(found[name]) != "0"}
    _check_tape(market)
    return ask_backtest(member, rule=rule, config=config, ticker=ticker, **_kept(market))


def ask_of_signals(
    member: Member, config: Mapping[str, Any], symbol: str, heard: Heard, market: Market
) -> Backtest:
    """Ask for the backtest of a signal robot on the book of a symbol, "" for its only one.

    Raises RobotRefused.
    """
    of_house = market.source == "journal"
    found = _config(config, market)
    ticker = _ticker(found.symbols, symbol)
    if of_house and ticker not in services.markets():
        known = ", ".join(sorted(services.markets())) or "none"
        text = f"There is no order book of {ticker} in {settings.CASH} here; there are {known}."
        raise RobotRefused(text, field="symbol" if symbol else "symbols")
    _check_signals(heard)
    _check_tape(market)
    return ask_backtest(
        member,
        config=msgspec.to_builtins(found),
        ticker=ticker,
        signals=heard.signals,
        ratings=heard.ratings if heard.signals == "ratings" else "",
        interval=heard.interval if heard.signals == "ratings" else "",
        signals_file=heard.file if heard.signals == "file" else None,
        **_kept(market),
    )


def _config(
    told: Mapping[str, Any],
    market: Market,
    known: tuple[str, ...] = RobotConfig.__struct_fields__,
) -> RobotConfig:
    """Read a config, or the limits of a rule, in the cash of a market. Raises RobotRefused."""
    decimals = _cash_decimals() if market.source == "journal" else DECIMALS_MAX
    try:
        return read_config(told, decimals=decimals, known=known)
    except ConfigFault as fault:
        raise RobotRefused(f"{fault.field} {fault}", field=fault.field) from fault


def _kept(market: Market) -> dict[str, Any]:
    of_house = market.source == "journal"
    file = None if of_house else market.file
    return {"source": market.source, "file": file, "settings": market.settings}


def _cash_decimals() -> int:
    found = dict(asset_codes().values())
    return found.get(settings.CASH, DECIMALS_MAX)


def _ticker(symbols: tuple[str, ...], symbol: str) -> str:
    """Return the coin that the tape is of. Raises RobotRefused."""
    if not symbols:
        raise RobotRefused("It needs a symbol to buy, like BTC.", field="symbols")
    listed = ", ".join(symbols)
    if not symbol and len(symbols) > 1:
        raise RobotRefused(f"Its symbols are {listed}; name one, a tape is of one.", field="symbol")
    ticker = symbol or symbols[0]
    if ticker not in symbols:
        text = f"{ticker} is none of the robot's symbols; they are {listed}."
        raise RobotRefused(text, field="symbol")
    if ticker == settings.CASH:
        raise RobotRefused(f"{ticker} is the cash; name a coin.", field="symbol")
    return ticker


def _check_tape(market: Market) -> None:
    if market.source == "journal":
        return
    read: Callable[..., Any] = read_trades if market.source == "trades" else read_candles

    def head(file: Upload) -> None:
        if not list(islice(read(file), HEAD_ROWS)):
            raise TapeFault(f"{file} has no rows below its header")

    _check_file(market.file, market.source, "file", head)


def _check_signals(heard: Heard) -> None:
    if heard.signals == "file":
        _check_file(
            heard.file, "signals", "signals_file", lambda file: read_signals(file, first=HEAD_ROWS)
        )


def _check_file(file: Upload | None, of: str, field: str, read: Callable[[Upload], object]) -> None:
    """Read the head of a file, so that what is wrong with it is said at once."""
    if file is None:
        raise RobotRefused(f"Choose the file of {of}.", field=field)
    if len(file.content) > FILE_BYTES_MAX:
        text = "The file is larger than 1.9 MB; pack it as .xz, or cut it."
        raise RobotRefused(text, field=field)
    try:
        read(file)
    except TapeFault as fault:
        raise RobotRefused(f"{fault}.", field=field) from fault
