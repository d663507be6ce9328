"""The document of a rule: one model, from which the JSON schema and the builder's form are made.

A rule is a step. A step waits until `$when` is true, does `$do`, and hands on to `$then`. The keys
with a dollar sign are the language's words; of the words in one object exactly one may stand, but
in a step. Numbers are exact: they are read as decimals, in JSON as numbers or in quotes.

Promises: what this model takes is well formed; whether it makes sense, `validation` says. The
seed's own document parses unchanged.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, field

__all__ = [
    "OCO",
    "Action",
    "Comparison",
    "Condition",
    "Indicator",
    "Item",
    "Order",
    "PositionField",
    "Repeat",
    "Step",
    "TickerField",
    "Value",
    "schema",
]

CONDITIONS_MAX: Final = 32  # in one $and or $or
ACTIONS_MAX: Final = 8  # in one $do or $else
TIMES_MAX: Final = 10_000
PAUSE_S_MAX: Final = 31 * 86_400
NOTICE_CHARACTERS_MAX: Final = 500
OCO: Final = "OCO"  # of an order's kinds the one that is two: one cancels the other

_ONE: Final = {"minProperties": 1, "maxProperties": 1}
# In patterns: `$` of Python also stands before a last line feed; of JSON schema it doesn't.
Number = Annotated[
    Decimal,
    Meta(
        description='a number, like 20.55 or "20.55"',
        extra_json_schema={"type": ["number", "string"]},
    ),
]
Symbol = Annotated[
    str,
    Meta(
        pattern="^[A-Z0-9]{1,20}$(?!\n)",
        description='a ticker: 1 to 20 capital letters or digits, like "BTC"',
    ),
]
Name = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z0-9_-]{1,20}$(?!\n)",
        description='a name: 1 to 20 letters, digits, _ or -, like "entry"',
    ),
]

Interval = Literal[
    "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"
]  # the house's own bars


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An object of the language: an unknown word is an error, never ignored."""


class TickerField(Strict, frozen=True):
    """One figure of a ticker: volume of 24 hours in the base, change over 24 hours in percent."""

    symbol: Symbol
    field: Literal["last", "bid", "ask", "volume", "change"] = "last"


class Indicator(Strict, frozen=True):
    """A figure of TA-Lib over the closed candles of a ticker: a float, never part of an order."""

    name: Annotated[
        str,
        Meta(pattern="^[A-Z0-9_]{2,20}$(?!\n)", description='a function of TA-Lib, like "RSI"'),
    ]
    ticker: Symbol
    interval: Interval = "1h"
    parameters: Annotated[
        dict[str, float], Meta(max_length=8, description="parameters of the function by name")
    ] = field(default_factory=dict)
    output: str | None = None


class PositionField(Strict, frozen=True):
    """How much of a coin the bot has; `free` leaves out what its orders hold."""

    symbol: Symbol
    field: Literal["total", "free"] = "total"


class Value(Strict, frozen=True):
    """Where a number comes from; exactly one word."""

    ticker: Symbol | TickerField | None = field(default=None, name="$ticker")
    indicator: Indicator | None = field(default=None, name="$indicator")
    position: Symbol | PositionField | None = field(default=None, name="$position")
    cash: Literal["total", "free"] | None = field(default=None, name="$cash")
    time: Literal["minute_of_day", "weekday", "day", "month", "unix_s"] | None = field(
        default=None, name="$time"
    )


Item = Number | Annotated[Value, Meta(extra_json_schema=_ONE)]


class Comparison(Strict, frozen=True):
    """Two items and how they are compared."""

    item_a: Item = field(name="itemA")
    item_b: Item = field(name="itemB")
    type: Literal["gt", "gte", "lt", "lte", "eq", "ne", "crosses_above", "crosses_below"]


class Condition(Strict, frozen=True):
    """What is true, false or not yet known; exactly one word."""

    comparison: Comparison | None = field(default=None, name="$comparison")
    all_of: Annotated[list[_Condition], Meta(min_length=1, max_length=CONDITIONS_MAX)] | None = (
        field(default=None, name="$and")
    )
    any_of: Annotated[list[_Condition], Meta(min_length=1, max_length=CONDITIONS_MAX)] | None = (
        field(default=None, name="$or")
    )
    negated: _Condition | None = field(default=None, name="$not")


_Condition = Annotated[Condition, Meta(extra_json_schema=_ONE)]


class Order(Strict, frozen=True):
    """An order to place; `bid` is a buy's limit price, `ask` a sell's, `shares` the quantity.

    An OCO is two of one quantity, of which one ends the other: the limit leg rests at `bid` or
    `ask`, the stop leg waits for `stop` and then trades at the market, or up to `stop_limit`.
    """

    kind: Literal[
        "LIMIT",
        "MARKET",
        "LIMIT_MAKER",
        "STOP_LOSS",
        "STOP_LOSS_LIMIT",
        "TAKE_PROFIT",
        "TAKE_PROFIT_LIMIT",
        "OCO",
    ]
    intent: Literal["BUY", "SELL"]
    ticker: Symbol | None = None
    shares: Item | None = None
    spend: Item | None = None
    bid: Item | None = None
    ask: Item | None = None
    stop: Item | None = None
    stop_limit: Item | None = None
    time_in_force: Literal["GTC", "IOC", "FOK"] | None = None
    name: Name | None = None
    then_after: Literal["FILLED", "ACCEPTED"] = "FILLED"


class Action(Strict, frozen=True):
    """Something to do; exactly one word."""

    order: Order | None = field(default=None, name="$order")
    cancel: (
        Annotated[Name, Meta(description='the name of an order of this rule, or "all"')] | None
    ) = field(default=None, name="$cancel")
    notify: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=NOTICE_CHARACTERS_MAX,
                pattern="^[^\\x00]*$",
                description=f"a text of 1 to {NOTICE_CHARACTERS_MAX} characters, none of them NUL",
            ),
        ]
        | None
    ) = field(default=None, name="$notify")


_Action = Annotated[Action, Meta(extra_json_schema=_ONE)]
Actions = _Action | Annotated[list[_Action], Meta(min_length=1, max_length=ACTIONS_MAX)]


class Repeat(Strict, frozen=True):
    """How often a step, with all that follows it, is gone through, and the least time between."""

    times: Annotated[
        int, Meta(ge=1, le=TIMES_MAX, description=f"a whole number from 1 to {TIMES_MAX}")
    ]
    pause_s: Annotated[
        int, Meta(ge=0, le=PAUSE_S_MAX, description=f"seconds, from 0 to {PAUSE_S_MAX}")
    ] = 0


class Step(Strict, frozen=True):
    """One step of a rule; without `$when` it begins at once."""

    do: Actions = field(name="$do")
    when: _Condition | None = field(default=None, name="$when")
    otherwise: Actions | None = field(default=None, name="$else")
    then: Step | None = field(default=None, name="$then")
    repeat: Repeat | None = field(default=None, name="$repeat")


def schema() -> dict[str, Any]:
    """Return the JSON schema of a rule."""
    return msgspec.json.schema(Step)
