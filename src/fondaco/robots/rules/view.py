"""What a rule sees when it is looked at: the market, its own holdings, and the time.

Promises: prices, quantities and cash are exact decimals; only figures (indicators) are floats, and
a float never becomes part of an order. What isn't known yet is None, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from fondaco.robots.rules.plan import CashOf, Figure, Operand, PositionOf, TickerOf

__all__ = ["ZERO", "Number", "Quote", "View", "money", "number_of", "plain", "time_of"]

Number = Decimal | float
ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)
MINUTE_S: Final = 60
DAY_S: Final = 86_400
THURSDAY: Final = 4  # 1970-01-01; Monday is 1


class Quote(msgspec.Struct, frozen=True):
    """One ticker: last trade, best prices, volume (base) and change (percent) of 24 hours.

    `lot` and `tick` are the steps of a quantity and a price: amounts that a rule takes from its
    holdings are rounded down to the lot.
    """

    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    volume: Decimal | None = None
    change: Decimal | None = None
    lot: Decimal = Decimal("0.00000001")
    tick: Decimal = Decimal("0.00000001")


class View(msgspec.Struct, frozen=True):
    """Everything that one look at a rule may read; time in microseconds since 1970, UTC.

    `utc_offset_s` is the house's time zone at that moment: $time but unix_s speaks local time.
    """

    time_us: int
    quotes: Mapping[str, Quote] = {}
    figures: Mapping[Figure, float] = {}
    cash_total: Decimal = ZERO
    cash_free: Decimal = ZERO
    positions_total: Mapping[str, Decimal] = {}
    positions_free: Mapping[str, Decimal] = {}
    utc_offset_s: int = 0


def number_of(operand: Operand, view: View) -> Number | None:
    """Return what an operand is at this moment; None if that isn't known yet."""
    if isinstance(operand, Decimal):
        return operand
    if isinstance(operand, TickerOf):
        quote = view.quotes.get(operand.symbol)
        known: Decimal | None = getattr(quote, operand.field) if quote is not None else None
        return None if known is None else plain(known)
    if isinstance(operand, Figure):
        figure = view.figures.get(operand)
        return None if figure is None or math.isnan(figure) else figure
    if isinstance(operand, PositionOf):
        of = view.positions_free if operand.field == "free" else view.positions_total
        return plain(of.get(operand.symbol, ZERO))
    if isinstance(operand, CashOf):
        return plain(view.cash_free if operand.field == "free" else view.cash_total)
    return Decimal(time_of(operand.field, view.time_us, view.utc_offset_s))


def plain(number: Decimal) -> Decimal:
    """Return a number without zeros at its end: a decision shows it alike, however it came."""
    shortest = number.normalize()
    exponent = shortest.as_tuple().exponent
    assert isinstance(exponent, int), "what a rule sees is finite"
    return shortest.quantize(_ONE) if exponent > 0 else shortest


def money(amount: Decimal, places: int = 2) -> str:
    """Return an amount of cash as text: exact, with so many places at least."""
    shown = plain(amount)
    return f"{shown:.{places}f}" if shown == round(shown, places) else f"{shown:f}"


def time_of(field: str, time_us: int, utc_offset_s: int) -> int:
    """Return one field of $time: weekday is 1 for Monday, minute_of_day counts from midnight."""
    if field == "unix_s":
        return time_us // 1_000_000
    local_s = time_us // 1_000_000 + utc_offset_s
    if field == "minute_of_day":
        return local_s % DAY_S // MINUTE_S
    days = local_s // DAY_S
    if field == "weekday":
        return (days + THURSDAY - 1) % 7 + 1
    month, day = _month_and_day(days)
    return day if field == "day" else month


def _month_and_day(days: int) -> tuple[int, int]:
    """Return month and day of the civil date that lies `days` after 1970-01-01.

    Counted in years that begin with March, as in H. Hinnant's "chrono-compatible low-level date
    algorithms".
    """
    of_era = (days + 719_468) % 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    return shifted + 3 if shifted < 10 else shifted - 9, of_year - (153 * shifted + 2) // 5 + 1
