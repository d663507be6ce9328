"""What a robot is told to do: its limits, and of one by signals its levels and symbols.

Promises: read_config() gives a whole RobotConfig, its amounts exact decimal text, or ConfigFault
with the field, what was found and what to write; the house file and the API read by it alike. It
does not ask whether a symbol has a market: that may come and go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from fondaco.core.records import ASSET_TOTAL_MAX

__all__ = ["LEVELS", "LIMITS", "SYMBOLS_MAX", "ConfigFault", "RobotConfig", "read_config"]

SYMBOLS_MAX: Final = 32  # of one robot
LEVELS: Final = {"buy_on": ("BUY", "STRONG_BUY"), "sell_on": ("SELL", "STRONG_SELL")}
LIMITS: Final = (  # that the core keeps of every robot
    *("day_stop_loss", "month_stop_loss", "month_sell_cap", "orders_day_max"),
    "order_notional_max",
)
ORDERS_MAX: Final = 1_000_000  # of a day: more is no limit
DIGITS_MAX: Final = 18  # of an amount, before the point and behind it
_CODE: Final = re.compile(r"[A-Z0-9]{1,12}\Z")
_PLAIN: Final = re.compile(r"\d{1,18}(\.\d{1,18})?\Z")


class ConfigFault(ValueError):
    """A field that can't stand; `field` names it, the text is one sentence without its name."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


class RobotConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Amounts are decimal text in the house's cash; "0" is none."""

    buy_on: str = "STRONG_BUY"
    sell_on: str = "STRONG_SELL"
    operation_stop_loss: str = "0"  # what one operation may lose
    day_stop_loss: str = "0"
    month_stop_loss: str = "0"
    month_sell_cap: str = "0"
    orders_day_max: int = 0  # how many orders of a day are accepted; exits count, and pass
    order_notional_max: str = "0"  # what one order may be worth
    operation_amount: str = "0"  # what one operation buys for; 0: the free cash by its symbols
    symbols: tuple[str, ...] = ()

    def weight(self, field: str) -> int:
        """Return 1 or 2: the least weight of a signal that this level acts on."""
        return LEVELS[field].index(getattr(self, field)) + 1


def read_config(
    found: Mapping[str, Any],
    *,
    decimals: int,
    known: tuple[str, ...] = RobotConfig.__struct_fields__,
) -> RobotConfig:
    """Return the config that a mapping says, amounts in at most so many decimals.

    Levels come as names or as 1 (plain) and 2 (strong), amounts as numbers or as text. Raises
    ConfigFault.
    """
    for name in found:
        if name not in known:
            raise ConfigFault(str(name), f"is unknown; known are {', '.join(known)}")
    told: dict[str, Any] = {}
    for name, value in found.items():
        if name in LEVELS:
            told[name] = _level(name, value)
        elif name == "symbols":
            told[name] = _symbols(value)
        elif name == "orders_day_max":
            told[name] = _count(name, value)
        else:
            told[name] = _amount(name, value, decimals)
    return RobotConfig(**told)


def _level(name: str, value: object) -> str:
    plain, strong = LEVELS[name]
    by_weight = {1: plain, 2: strong, plain: plain, strong: strong, "1": plain, "2": strong}
    if isinstance(value, bool | float) or not isinstance(value, int | str):
        value = ""
    if value not in by_weight:
        raise ConfigFault(name, f"must be {plain} or 1, {strong} or 2")
    return by_weight[value]


def _symbols(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise ConfigFault("symbols", 'must be a list of asset codes like ["BTC"]')
    for each in value:
        if not _CODE.match(each):
            raise ConfigFault("symbols", f'"{each}" must be 1 to 12 capitals or digits')
    if len(value) > SYMBOLS_MAX or len(set(value)) < len(value):
        raise ConfigFault("symbols", f"must be at most {SYMBOLS_MAX} codes, none of them twice")
    return tuple(value)


def _count(name: str, value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= ORDERS_MAX:
        raise ConfigFault(name, f"must be a whole number up to {ORDERS_MAX}, 0 for none")
    return value


def _amount(name: str, value: object, decimals: int) -> str:
    said = "must be a plain amount, 0 for none"
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ConfigFault(name, said)
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    # Before it is written out: of a few letters with an exponent that would be as long as it says.
    if not found.is_finite() or not -DIGITS_MAX <= found.adjusted() < DIGITS_MAX:
        raise ConfigFault(name, said)
    text = format(found, "f")
    if not _PLAIN.match(text):
        raise ConfigFault(name, said)
    if found.scaleb(decimals) > ASSET_TOTAL_MAX:
        most = Decimal(ASSET_TOTAL_MAX).scaleb(-decimals).to_integral_value(ROUND_FLOOR)
        raise ConfigFault(name, f"must be at most {most:f}")
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > decimals:
        raise ConfigFault(name, f"has more than {decimals} decimals")
    return f"{int(whole)}.{fraction}" if fraction else str(int(whole))
