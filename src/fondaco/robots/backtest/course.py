"""The course of a backtest, whatever robot runs: ticks in, and how its money fares at each.

Promises: drawdown and equity are marked at every tick; days are UTC; the curve stays even and
bounded however long the tape is. What the robot does at a tick is its own class's affair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

import msgspec

from fondaco.core.records import RobotTerms
from fondaco.robots.backtest.floor import Instrument
from fondaco.robots.backtest.market import Market
from fondaco.robots.backtest.result import Day, OrderLine, Point, Settings
from fondaco.robots.backtest.tape import Tick
from fondaco.robots.rules.view import ZERO, plain

__all__ = ["BacktestFault", "Course", "instrument_of", "open_market"]

CURVE_MAX: Final = 1_024  # points; past it every other goes
DAY_US: Final = 86_400_000_000
HUNDRED: Final = Decimal(100)
_PERCENT: Final = Decimal("0.0001")


class BacktestFault(ValueError):
    """A robot, a setting or a tape that no backtest can be made of: one sentence."""


class Course(ABC):
    """One robot on one tape."""

    def __init__(self, settings: Settings, market: Market) -> None:
        self.settings = settings
        self.market = market
        self.latency_us = settings.latency_ms * 1000
        self.orders: dict[str, OrderLine] = {}
        self.days: list[Day] = []
        self.curve: list[Point] = []
        self.curve_every = 1  # ticks
        self.ticks = 0
        self.peak = self.low = self.drawdown = Decimal(0)
        self.drawdown_percent = Decimal(0)

    @abstractmethod
    def _tick(self, tick: Tick) -> None:
        """Let one recorded trade happen, and the robot do what it does."""

    @abstractmethod
    def _deliver(self, time_us: int) -> None:
        """Let arrive what is due by now."""

    def _finish(self, time_us: int) -> None:
        """Let arrive what is due by the last tick."""
        self._deliver(time_us)

    def _course(
        self, tape: Iterable[Tick], on_ticks: Callable[[int], None] | None = None
    ) -> tuple[Tick, Tick, Decimal]:
        """Run the whole tape; return its first and last tick, and what all was worth at first."""
        first: Tick | None = None
        tick: Tick | None = None
        equity_first = price = ZERO
        day = -1
        fills = 0
        for tick in tape:
            if first is None:
                first = tick
                equity_first = self.peak = self.low = self._worth(tick.price)
                day = tick.time_us // DAY_US
            if tick.time_us // DAY_US != day:
                fills = self._end_day(day, price, equity_first, fills)
                day = tick.time_us // DAY_US
            price = tick.price
            self._tick(tick)
            if not self.ticks % self.curve_every:
                self._note_point(tick)
            self.ticks += 1
            if on_ticks is not None and not self.ticks & 0xFFF:
                on_ticks(self.ticks)
        if first is None or tick is None:
            raise BacktestFault("the tape has no tick")
        self._finish(tick.time_us)
        self._end_day(day, tick.price, equity_first, fills)
        self.curve.append(Point(tick.time_us, tick.price, self._worth(tick.price)))
        return first, tick, equity_first

    # -- the account

    def _equity(self, price: Decimal) -> Decimal:
        cash, _, coins, _ = self.market.holdings()
        return cash + coins * price

    def _worth(self, price: Decimal) -> Decimal:
        """Return the equity as it is told."""
        return plain(self._equity(price))

    def _mark(self, price: Decimal) -> None:
        """Follow the peak of the equity and the deepest fall from it."""
        equity = self._equity(price)
        if equity > self.peak:
            self.peak = self.low = equity
        elif equity < self.low:
            self.low = equity
            fall = self.peak - equity
            self.drawdown = max(self.drawdown, fall)
            if self.peak > 0:
                self.drawdown_percent = max(self.drawdown_percent, fall * HUNDRED / self.peak)

    def _note_point(self, tick: Tick) -> None:
        """Take a tick into the curve, which stays even and bounded however long the tape is."""
        self.curve.append(Point(tick.time_us, tick.price, self._worth(tick.price)))
        if len(self.curve) >= CURVE_MAX:
            del self.curve[1::2]
            self.curve_every *= 2

    def _end_day(self, day: int, price: Decimal, equity_first: Decimal, fills: int) -> int:
        """Write the line of a day that ended at a price; returns how many fills there were then."""
        equity = self._worth(price)
        before = self.days[-1].equity if self.days else equity_first
        count = len(self.market.fills)
        text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()
        profit = plain(equity - before)
        self.days.append(Day(day=text, equity=equity, profit=profit, fills=count - fills))
        return count

    def _figures(self, first: Tick, last: Tick, equity_first: Decimal) -> dict[str, Any]:
        """Return what every result has, by the names of its fields."""
        cash, _, coins, _ = self.market.holdings()
        equity = self._worth(last.price)
        fees: dict[str, Decimal] = {}
        for fill in self.market.fills:
            if fill.fee:
                fees[fill.fee_asset] = fees.get(fill.fee_asset, Decimal(0)) + fill.fee
        filled = {name: self.market.filled.get(name, (ZERO, ZERO)) for name in self.orders}
        orders = tuple(
            msgspec.structs.replace(
                line, filled=plain(filled[name][0]), amount=plain(filled[name][1])
            )
            for name, line in self.orders.items()
        )
        return {
            "settings": self.settings,
            "first_us": first.time_us,
            "last_us": last.time_us,
            "ticks": self.ticks,
            "cash": plain(cash),
            "coins": plain(coins),
            "last_price": last.price,
            "equity_first": equity_first,
            "equity": equity,
            "profit": plain(equity - equity_first),
            "profit_percent": _percent(equity - equity_first, equity_first),
            "hold_percent": _percent(last.price - first.price, first.price),
            "drawdown": plain(self.drawdown),
            "drawdown_percent": plain(self.drawdown_percent.quantize(_PERCENT, ROUND_HALF_EVEN)),
            "fees": {asset: plain(fee) for asset, fee in fees.items()},
            "orders": orders,
            "fills": tuple(self.market.fills),
            "days": tuple(self.days),
            "curve": tuple(self.curve),
        }

    def _ticks_of(self, price: Decimal) -> int:
        ticks = price / self.settings.tick
        whole = int(ticks)
        if ticks != whole:
            raise BacktestFault(
                f"a price of the tape is {price}, off the tick {self.settings.tick}"
            )
        return whole


def instrument_of(settings: Settings) -> Instrument:
    """Return what a backtest trades."""
    return Instrument(
        base=settings.base,
        quote=settings.quote,
        tick=settings.tick,
        lot=settings.lot,
        maker_fee_ppm=int(settings.maker_fee * 1_000_000),
        taker_fee_ppm=int(settings.taker_fee * 1_000_000),
        decimals=settings.decimals,
        fee_in_quote=settings.fee_in_quote,
    )


def open_market(settings: Settings, terms: RobotTerms | None = None) -> Market:
    """Open the market of a backtest, with a robot of these limits; raises BacktestFault."""
    try:
        return Market(
            instrument_of(settings),
            cash=settings.cash,
            coins=settings.coins,
            depth=int(settings.depth / settings.lot),
            queue=int(settings.queue / settings.lot),
            terms=terms,
        )
    except ValueError as error:
        raise BacktestFault(str(error)) from error


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    return (
        plain((part * HUNDRED / whole).quantize(_PERCENT, ROUND_HALF_EVEN))
        if whole > 0
        else Decimal(0)
    )
