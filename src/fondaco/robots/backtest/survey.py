"""A first reading of a tape: how fine its numbers are, and how much a trade usually is.

Promises: the steps that it proposes hold every price of the file exactly, within the 8 decimals
that money has here; it reads the whole file, so that whatever can't be read is said before a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from fondaco.robots.backtest.journal_tape import Past, open_past, read_past
from fondaco.robots.backtest.tape import (
    Beside,
    Source,
    TapeFault,
    Tick,
    Walk,
    read_candles,
    read_trades,
    walk,
)

__all__ = [
    "OpenTape",
    "Survey",
    "open_file",
    "open_journal",
    "survey_candles",
    "survey_ticks",
    "survey_trades",
]

DECIMALS_MAX: Final = 8  # of an asset; a lot at a tick must be a whole unit of it
OFFERED_DEPTHS: Final = 200  # on both sides of the book, at most
FITS: Final = 1 << 59
FEE_IN_QUOTE_BELOW: Final = 1_000  # units of the coin a lot, as house.markets has it
TYPICAL_DEPTH: Final = 10  # mean trades that stand at a price, if nothing else is said


OnRows = Callable[[int], None]


def _unheard(rows: int) -> None:
    """Tell nobody how far the reading is."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is like."""

    rows: int
    tick: Decimal
    lot: Decimal
    depth: Decimal  # ten times the mean quantity of a tick, in whole lots, at least one
    interval_us: int  # of candles: the least time between two; 0 for trades
    dearest: Decimal  # price


class OpenTape(NamedTuple):
    """A tape that was read once, and its ticks to be read again."""

    source: str
    survey: Survey
    ticks: Iterator[Tick]
    length: int
    walk: str | None
    past: Past | None = None  # of a house's own

    @property
    def beside(self) -> Beside:
        """Return it as a market that a rule only reads."""
        return Beside(self.survey.tick, self.survey.lot, self.ticks)

    @property
    def decimals(self) -> tuple[int, int]:
        """Return those of coin and cash: the house's, or as a house would have them."""
        if self.past is not None:
            return self.past.decimals
        survey = self.survey
        # What the crowd of a backtest offers at once must fit into the core's numbers.
        offered = survey.dearest * survey.depth * OFFERED_DEPTHS
        least = _places(survey.tick) + _places(survey.lot)
        fits = (
            places for places in range(DECIMALS_MAX, least, -1) if offered.scaleb(places) < FITS
        )
        return self._coin_decimals, next(fits, least)

    def check_offered(self, name: str, amount: Decimal) -> None:
        """Raise TapeFault for a depth or a queue that the crowd couldn't offer."""
        coin, cash = self.decimals
        most = Decimal(FITS) / OFFERED_DEPTHS
        bound = min(most.scaleb(-coin), most.scaleb(-cash) / self.survey.dearest)
        if amount > bound:
            raise TapeFault(f"{name} is {amount:f}; on this tape it is at most {int(bound)}")

    @property
    def _coin_decimals(self) -> int:
        """Return 0 for a file of whole shares."""
        return DECIMALS_MAX if _places(self.survey.lot) else 0

    @property
    def fee_in_quote(self) -> bool:
        """Return whether a buy's fee is in cash, as a house decides it."""
        if self.past is not None:
            return self.past.fee_in_quote
        return self.survey.lot.scaleb(self._coin_decimals) < FEE_IN_QUOTE_BELOW


def open_file(
    path: Source,
    kind: str,
    way: Walk,
    on_rows: OnRows = _unheard,
    *,
    places: int | None = None,
) -> OpenTape:
    """Survey a file of "trades" or "candles"; raises TapeFault or OSError.

    With `places` its prices are rounded to so many decimals.
    """
    if kind == "trades":
        survey = survey_trades(path, on_rows, places=places)
        return OpenTape(kind, survey, read_trades(path, places=places), survey.rows, None)
    survey = survey_candles(path, on_rows, places=places)
    ticks = (
        tick
        for bar in read_candles(path, places=places)
        for tick in walk(bar, survey.interval_us, way, survey.lot)
    )
    per_row = 1 if way is Walk.CLOSE else 4
    return OpenTape(kind, survey, ticks, survey.rows * per_row, str(way))


def open_journal(data: Path, *, base: str, quote: str, on_rows: OnRows = _unheard) -> OpenTape:
    """Survey a house's own trades; raises TapeFault, JournalDamaged or OSError."""
    past = open_past(data, base=base, quote=quote)
    survey = survey_ticks(Path(f"{base}/{quote} of this house"), read_past(data, past), on_rows)
    depth = max(past.lot, survey.depth // past.lot * past.lot)
    survey = msgspec.structs.replace(survey, tick=past.tick, lot=past.lot, depth=depth)
    return OpenTape("journal", survey, read_past(data, past), survey.rows, None, past)


def survey_trades(path: Source, on_rows: OnRows = _unheard, *, places: int | None = None) -> Survey:
    """Read a file of trades; raises TapeFault or OSError."""
    return survey_ticks(path, read_trades(path, places=places), on_rows)


def survey_ticks(path: Source, ticks: Iterable[Tick], on_rows: OnRows = _unheard) -> Survey:
    """Read a tape that was opened otherwise; raises TapeFault if it has no trade."""
    rows = ((tick.time_us, (tick.price,), tick.quantity) for tick in ticks)
    found = _survey(path, rows, on_rows, ticks_per_row=1)
    return msgspec.structs.replace(found, interval_us=0)


def survey_candles(
    path: Source, on_rows: OnRows = _unheard, *, places: int | None = None
) -> Survey:
    """Read a file of candles; raises TapeFault or OSError."""
    rows = (
        (bar.open_us, (bar.open, bar.high, bar.low, bar.close), bar.volume)
        for bar in read_candles(path, places=places)
    )
    found = _survey(path, rows, on_rows, ticks_per_row=4)
    if found.rows < 2:
        raise TapeFault(f"{path}: found one candle; two say how long one lasts")
    return found


def _survey(
    path: Source,
    rows: Iterable[tuple[int, tuple[Decimal, ...], Decimal]],
    on_rows: OnRows,
    *,
    ticks_per_row: int,
) -> Survey:
    count = price_places = quantity_places = 0
    price_step = quantity_step = Decimal(1)
    total = dearest = Decimal(0)
    last_us = -1
    interval_us = 0
    for time_us, prices, quantity in rows:
        count += 1
        dearest = max(dearest, *prices)
        for price in prices:
            if price % price_step:
                price_places = max(price_places, _places(price))
                if price_places > DECIMALS_MAX:
                    raise TapeFault(
                        f"{path}, line {count + 1}: price {price:f} has {price_places} decimals,"
                        f" and {DECIMALS_MAX} are the most; --round {DECIMALS_MAX} rounds what"
                        " binary fractions have left in it"
                    )
                price_step = _step(price_places)
        if quantity % quantity_step:
            quantity_places = max(quantity_places, _places(quantity))
            quantity_step = _step(quantity_places)
        total += quantity
        step_us = time_us - last_us
        if last_us >= 0 and step_us > 0 and (interval_us == 0 or step_us < interval_us):
            interval_us = step_us
        last_us = time_us
        if not count & 0xFFF:
            on_rows(count)
    if not count:
        raise TapeFault(f"{path}: found no trade or candle")
    tick = Decimal(1).scaleb(-price_places)
    lot = Decimal(1).scaleb(-min(quantity_places, DECIMALS_MAX - price_places))
    typical = total * TYPICAL_DEPTH / (count * ticks_per_row)
    depth = max(lot, typical // lot * lot)
    return Survey(
        rows=count, tick=tick, lot=lot, depth=depth, interval_us=interval_us, dearest=dearest
    )


def _step(places: int) -> Decimal:
    """Return the step that tells whether a number is finer, as far as that matters."""
    return Decimal(1).scaleb(-min(places, DECIMALS_MAX + 1))


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "the tape's numbers are finite"
    return max(0, -exponent)
