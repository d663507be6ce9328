"""The technical ratings that traders know: 26 votes on a candle, in two groups, and their mean.

15 moving averages and 11 oscillators vote 1, 0 or -1. A group's rating is the mean of the votes
that it has; the whole is the mean of the two groups' means. Two published rule sets differ in four
votes: `v3` (2024, the default) and `v1` (2020). The indicators are TA-Lib's; here is the voting.
Sources: the public library TradingView/TechnicalRating and TradingView's help page 43000614331.

Promises: a bar's rating depends on it and the bars before it, never on later ones, and a Stream
gives to the bit what rate() gives over the bars that it keeps. A vote whose indicator is still
warming up is absent, not neutral. A cross is strict: what was equal before has not crossed. It does
not smooth, remember or act.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import talib

from fondaco.robots.signals.candles import Bars, Candle, Column, Columns, TooFewBars
from fondaco.robots.signals.labels import Signal

__all__ = ["KEPT_BARS", "WARM_UP_BARS", "Rating", "Ratings", "RuleSet", "Stream", "rate", "votes"]

# What a Stream keeps. An EMA of 200 has forgotten its seed to 3 parts in a million by then, and a
# rating costs one or two milliseconds; a longer past would make live and replay differ less than a
# price's last digit.
KEPT_BARS: Final = 1500
WARM_UP_BARS: Final = 10  # before, no vote is there at all


class RuleSet(Enum):
    """Which of the two published rule sets votes."""

    V1 = "v1"
    V3 = "v3"


class Rating(msgspec.Struct, frozen=True):
    """One bar's rating; None where no vote of a group is there yet."""

    whole: float
    averages: float | None
    oscillators: float | None
    signal: Signal


class Ratings(msgspec.Struct, frozen=True):
    """A series of ratings, NaN where there is none."""

    whole: Column
    averages: Column
    oscillators: Column

    def at(self, place: int) -> Rating:
        """Return one bar's rating.

        Raises:
            TooFewBars: no vote is there yet.
        """
        whole = float(self.whole[place])
        if np.isnan(whole):
            raise TooFewBars(
                f"bar {place} has no rating: the first votes need {WARM_UP_BARS} bars before"
            )
        averages, oscillators = float(self.averages[place]), float(self.oscillators[place])
        return Rating(
            whole=whole,
            averages=None if np.isnan(averages) else averages,
            oscillators=None if np.isnan(oscillators) else oscillators,
            signal=label(whole),
        )


def label(rating: float) -> Signal:
    """Return the word for a rating of -1 to 1."""
    if rating < -0.5:
        return Signal.STRONG_SELL
    if rating < -0.1:
        return Signal.SELL
    if rating <= 0.1:
        return Signal.NEUTRAL
    return Signal.BUY if rating <= 0.5 else Signal.STRONG_BUY


def rate(bars: Columns, rule_set: RuleSet = RuleSet.V3) -> Ratings:
    """Return the rating of every bar of a series."""
    averages, oscillators = votes(bars, rule_set)
    means = [_mean(list(group.values())) for group in (averages, oscillators)]
    return Ratings(whole=_mean(means), averages=means[0], oscillators=means[1])


def _mean(columns: list[Column]) -> Column:
    """Return the mean of what is there, bar by bar; NaN where nothing is."""
    table = np.array(columns)
    there = ~np.isnan(table)
    count = there.sum(axis=0)
    total = np.where(there, table, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


class Stream:
    """The rating of a growing series: one closed bar in, its rating out."""

    def __init__(
        self,
        candles: Iterable[Candle] = (),
        *,
        interval_ms: int | None,
        rule_set: RuleSet = RuleSet.V3,
        kept_bars: int = KEPT_BARS,
    ) -> None:
        """Take the past; see Bars for what is refused."""
        self.rule_set = rule_set
        self.bars = Bars(candles, interval_ms=interval_ms, kept_max=kept_bars)

    def add(self, candle: Candle) -> Rating:
        """Take the next closed bar and return its rating.

        Raises:
            BadBar, Gap: the bar was refused, nothing changed.
            TooFewBars: the bar was taken; no vote is there yet.
        """
        self.bars.add(candle)
        return rate(self.bars.columns(), self.rule_set).at(-1)


def votes(
    bars: Columns, rule_set: RuleSet = RuleSet.V3
) -> tuple[dict[str, Column], dict[str, Column]]:
    """Return the votes of the moving averages and of the oscillators, by name."""
    return _averages(bars, rule_set), _oscillators(bars, rule_set)


# -- small words ---------------------------------------------------------------------------------

_Mask = npt.NDArray[np.bool_]


def _before(column: Column, bars: int = 1) -> Column:
    """Return the column as it stood some bars ago."""
    shifted = np.full_like(column, np.nan)
    shifted[bars:] = column[: max(0, len(column) - bars)]
    return shifted


def _vote(buys: _Mask, sells: _Mask, *needs: Column) -> Column:
    """Return 1, -1 or 0 a bar; NaN where one of the columns needed isn't there yet."""
    found = np.where(buys, 1.0, np.where(sells, -1.0, 0.0))
    for column in needs:
        found[np.isnan(column)] = np.nan
    return found


def _mean_of_3(column: Column) -> Column:
    """Return each window's own mean: a rolling sum leaves noise, and noise would decide ties."""
    return (_before(column, 2) + _before(column) + column) / 3


def _middle(bars: Columns, length: int) -> Column:
    """Return the middle between the highest high and the lowest low of the last bars."""
    return (talib.MAX(bars.high, length) + talib.MIN(bars.low, length)) / 2


def _wilder(column: Column, period: int) -> Column:
    """Return Wilder's average: seeded by the mean of the first period, then 1/period of each new.

    TA-Lib's EMA of 2 x period - 1 has the same weight; its own seed is laid before the column.
    """
    there = np.flatnonzero(~np.isnan(column))
    smoothed = np.full_like(column, np.nan)
    if len(there) < period:
        return smoothed
    first = int(there[0]) + period - 1
    seed = column[first - period + 1 : first + 1].mean()
    run = np.concatenate((np.full(2 * period - 1, seed), column[first + 1 :]))
    smoothed[first:] = talib.EMA(run, 2 * period - 1)[2 * period - 2 :]
    return smoothed


# -- moving averages -----------------------------------------------------------------------------


def _averages(bars: Columns, rule_set: RuleSet) -> dict[str, Column]:
    close, volume = bars.close, bars.volume
    lines: dict[str, Column] = {}
    for length in (10, 20, 30, 50, 100, 200):
        lines[f"SMA{length}"] = talib.SMA(close, length)
        lines[f"EMA{length}"] = talib.EMA(close, length)
    lines["HMA9"] = talib.WMA(2 * talib.WMA(close, 4) - talib.WMA(close, 9), 3)
    with np.errstate(invalid="ignore", divide="ignore"):
        weighted = talib.SMA(close * volume, 20) / talib.SMA(volume, 20)
    # 20 bars without a trade: no vote. The sums, being rolling, leave noise there and not 0.
    lines["VWMA20"] = np.where(talib.MAX(volume, 20) > 0, weighted, np.nan)
    found = {name: _vote(line < close, line > close, line) for name, line in lines.items()}
    found["Ichimoku"] = _ichimoku(bars, rule_set)
    return found


def _ichimoku(bars: Columns, rule_set: RuleSet) -> Column:
    close = bars.close
    conversion, base, lead_2 = (_middle(bars, length) for length in (9, 26, 52))
    lead_1 = (conversion + base) / 2
    if rule_set is RuleSet.V3:
        lead_1, lead_2_then = _before(lead_1, 26), _before(lead_2, 26)
        return _vote(
            (lead_1 > lead_2_then) & (base > lead_1) & (conversion > base) & (close > conversion),
            (lead_1 < lead_2_then) & (base < lead_1) & (conversion < base) & (close < conversion),
            lead_2,
        )
    was = _before(close)
    return _vote(
        (lead_1 > lead_2)
        & (close > lead_1)
        & (close < base)
        & (was < conversion)
        & (close > conversion),
        (lead_1 < lead_2)
        & (close < lead_2)
        & (close > base)
        & (was > conversion)
        & (close < conversion),
        lead_2,
    )


# -- oscillators ---------------------------------------------------------------------------------


def _oscillators(bars: Columns, rule_set: RuleSet) -> dict[str, Column]:
    high, low, close = bars.high, bars.low, bars.close
    rsi = talib.RSI(close, 14)
    ema_50 = talib.EMA(close, 50)
    macd = talib.EMA(close, 12) - talib.EMA(close, 26)
    macd_signal = talib.EMA(macd, 9)
    ultimate = talib.ULTOSC(high, low, close, 7, 14, 28)
    momentum = talib.MOM(close, 10)
    momentum_was = _before(momentum)
    below = close < ema_50
    above = close > ema_50
    return {
        "RSI": _turns(rsi, 30, 70),
        "Stochastic": _stochastic(high, low, close, rule_set),
        "CCI": _turns(talib.CCI(close, close, close, 20), -100, 100),
        "ADX": _adx(bars, rule_set),
        "Awesome": _awesome(bars),
        "Momentum": _vote(momentum > momentum_was, momentum < momentum_was, momentum_was),
        "MACD": _vote(macd > macd_signal, macd < macd_signal, macd_signal),
        "StochRSI": _stochastic(rsi, rsi, rsi, rule_set, below=below, above=above, trend=ema_50),
        "Williams": _turns(talib.WILLR(high, low, close, 14), -80, -20),
        "BullBear": _bull_bear(bars, ema_50),
        "Ultimate": _vote(ultimate > 70, ultimate < 30, ultimate),
    }


def _turns(line: Column, low: float, high: float) -> Column:
    """Vote for a line that is below its low and rising, against one above its high and falling."""
    was = _before(line)
    return _vote((line < low) & (line > was), (line > high) & (line < was), was)


def _stochastic(
    high: Column,
    low: Column,
    close: Column,
    rule_set: RuleSet,
    *,
    below: _Mask | None = None,
    above: _Mask | None = None,
    trend: Column | None = None,
) -> Column:
    """Vote by K and D of 14, 3, 3; with a trend only where the close is on its other side."""
    lowest, highest = talib.MIN(low, 14), talib.MAX(high, 14)
    with np.errstate(invalid="ignore", divide="ignore"):  # 14 equal bars: no vote
        k = _mean_of_3(100 * (close - lowest) / (highest - lowest))
    d = _mean_of_3(k)
    k_was, d_was = _before(k), _before(d)
    buys = (k < 20) & (d < 20) & (k > d)
    sells = (k > 80) & (d > 80) & (k < d)
    if rule_set is RuleSet.V1:
        buys &= k_was < d_was
        sells &= k_was > d_was
    needs = [k_was, d_was, k, d]
    if below is not None and above is not None and trend is not None:
        buys &= below
        sells &= above
        needs.append(trend)
    return _vote(buys, sells, *needs)


def _adx(bars: Columns, rule_set: RuleSet) -> Column:
    """Vote by Wilder's directional movement of 14, smoothed by 14.

    TA-Lib's own seeds its sums with 13 bars, which shows in the first fifty; Wilder's has 14.
    """
    up = bars.high - _before(bars.high)
    down = _before(bars.low) - bars.low
    moved_up = np.where((up > down) & (up > 0), up, 0.0)
    moved_down = np.where((down > up) & (down > 0), down, 0.0)
    moved_up[np.isnan(up)] = moved_down[np.isnan(up)] = np.nan
    span = _wilder(talib.TRANGE(bars.high, bars.low, bars.close), 14)
    with np.errstate(invalid="ignore", divide="ignore"):  # no movement at all: no vote
        plus = 100 * _wilder(moved_up, 14) / span
        minus = 100 * _wilder(moved_down, 14) / span
        adx = _wilder(100 * np.abs(plus - minus) / (plus + minus), 14)
    if rule_set is RuleSet.V3:
        rising = adx > _before(adx)
        return _vote(
            (adx > 20) & rising & (plus > minus), (adx > 20) & rising & (plus < minus), adx
        )
    plus_was, minus_was = _before(plus), _before(minus)
    return _vote(
        (adx > 20) & (plus > minus) & (plus_was < minus_was),
        (adx > 20) & (plus < minus) & (plus_was > minus_was),
        adx,
    )


def _awesome(bars: Columns) -> Column:
    """Vote by the zero cross or the saucer of the awesome oscillator of 5 and 34."""
    middle = (bars.high + bars.low) / 2
    now = talib.SMA(middle, 5) - talib.SMA(middle, 34)
    was, was_2 = _before(now), _before(now, 2)
    return _vote(
        ((now > 0) & (was < 0)) | ((now > 0) & (was > 0) & (now > was) & (was_2 > was)),
        ((now < 0) & (was > 0)) | ((now < 0) & (was < 0) & (now < was) & (was_2 < was)),
        was,
    )


def _bull_bear(bars: Columns, ema_50: Column) -> Column:
    ema_13 = talib.EMA(bars.close, 13)
    bull, bear = bars.high - ema_13, bars.low - ema_13
    bear_was, bull_was = _before(bear), _before(bull)
    return _vote(
        (bars.close > ema_50) & (bear < 0) & (bear > bear_was),
        (bars.close < ema_50) & (bull > 0) & (bull < bull_was),
        bear_was,
        ema_50,
    )
