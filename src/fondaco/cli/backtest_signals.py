"""The part of `fondaco backtest` for signal robots: reading one, and what it is fed with.

Promises: a robot is taken as a house file, the API or its client document has it; what concerns a
running house only is passed over. What can't be used is said in one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import msgspec
import typer

from fondaco.house.robots import ConfigFault, RobotConfig, read_config
from fondaco.robots.backtest.course import BacktestFault
from fondaco.robots.backtest.result import Settings
from fondaco.robots.backtest.signal_file import Signal, read_signals
from fondaco.robots.backtest.signal_result import Judged
from fondaco.robots.backtest.signal_tape import Rater
from fondaco.robots.backtest.tape import TapeFault

__all__ = ["SignalRobot", "print_judged", "read_signal_robot", "signals_of"]

ROBOT_BYTES_MAX: Final = 1 << 20
SHOWN_LETTERS_MAX: Final = 40
EXAMPLE: Final = '{"config": {"buy_on": "BUY", "symbols": ["BTC"]}, "allotment": {"USD": "1000"}}'


class SignalRobot(msgspec.Struct, frozen=True, kw_only=True):
    """A signal robot as it was given."""

    path: Path
    symbol: str  # the one that the tape is of
    told: dict[str, Any]  # its config
    allotment: dict[str, Decimal]

    def config(self, settings: Settings) -> RobotConfig:
        """Return the config, amounts in what the tape's cash is counted in; BacktestFault."""
        assert settings.decimals is not None, "every tape says so"
        try:
            return read_config(self.told, decimals=settings.decimals[1])
        except ConfigFault as error:
            raise BacktestFault(f"config.{error.field} {error}") from error


def read_signal_robot(path: Path, symbol: str | None, cash: str) -> SignalRobot | None:
    """Return the signal robot of a file, None if it is none; raises BacktestFault or OSError."""
    try:
        found = msgspec.json.decode(path.read_bytes()[: ROBOT_BYTES_MAX + 1])
    except (msgspec.DecodeError, RecursionError):
        return None  # whoever reads it as a rule says what is wrong
    if not isinstance(found, dict) or "rule" in found:
        return None
    config = found.get("config")
    if not isinstance(config, dict):
        _check_place(found)
        return None
    chosen = config.get("symbols")
    names = [one for one in chosen if isinstance(one, str)] if isinstance(chosen, list) else []
    if symbol is None and len(names) != 1:
        said = ", ".join(names) or "none"
        raise BacktestFault(f"its symbols are {said}; name the coin of the tape with --symbol")
    base = symbol or names[0]
    return SignalRobot(path=path, symbol=base, told=config, allotment=_money(found, base, cash))


def _check_place(found: Mapping[str, Any]) -> None:
    """Say where a config belongs that stands elsewhere; raises BacktestFault."""
    if "config" in found:
        text = msgspec.json.encode(found["config"]).decode()[:SHOWN_LETTERS_MAX]
        raise BacktestFault(f"its config is {text}; write an object like {EXAMPLE}")
    flat = [name for name in RobotConfig.__struct_fields__ if name in found]
    if flat:
        raise BacktestFault(
            f"found {', '.join(flat)} at the top; of a signal robot they stand under config:"
            f" {EXAMPLE}"
        )


def _money(found: Mapping[str, Any], base: str, cash: str) -> dict[str, Decimal]:
    """Return what it begins with: its allotment, or what its client document says it has."""
    told = found.get("allotment")
    if not isinstance(told, dict):
        coins = found.get("crypto")
        told = {cash: found["cash"]} if "cash" in found else {}
        for coin in coins if isinstance(coins, list) else ():
            if isinstance(coin, dict) and coin.get("symbol") == base:
                told[base] = coin.get("amount")
    money = {}
    for code, amount in told.items():
        if code not in {base, cash}:
            continue
        try:
            money[code] = Decimal(str(amount))
        except InvalidOperation as error:
            raise BacktestFault(f"it has {amount!r} {code}; write a number like 1000") from error
        if not money[code].is_finite() or money[code] < 0:
            raise BacktestFault(f"it has {amount} {code}; that is 0 or more")
    return money


def signals_of(
    robot: SignalRobot, signals: Path | None, ratings: str | None, interval: str
) -> list[Signal] | Rater:
    """Return what a robot is fed with; raises TapeFault, FiguresMissing or OSError."""
    if (signals is None) == (ratings is None):
        raise TapeFault(
            f"{robot.path} is a signal robot; give it --signals FILE, or --ratings KIND"
        )
    if signals is not None:
        return read_signals(signals)
    assert ratings is not None, "the one or the other"
    return Rater(ratings, interval, robot.symbol)


def print_judged(one: Judged) -> None:
    """Print a decision of a signal robot as a line."""
    moment = datetime.fromtimestamp(one.time_us / 1_000_000, UTC)
    typer.echo(f"{'decision':>10}  {moment:%Y-%m-%d %H:%M:%S}  {one.text}")
