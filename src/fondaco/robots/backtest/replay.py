"""A live run again, from the house's own files: what the robot saw, decided and ordered then.

Promises: it only reads. The robot begins after the entry of the journal at which it began, with the
trades that the house had then, imported ones too; it acts through nothing, and hears of its orders
what the house said of them. So its decisions and orders are those of the run, to the byte, up to
the first time that somebody switched it off.

Imported trades count from the robot's beginning on if they are older than it: a file of such that
was imported into a stopped house later is seen by the replay too early.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from fondaco.core.records import HEAD_WORDS, LAYOUTS, Event
from fondaco.journal.disk import ReadingDisk
from fondaco.journal.scan import Scan
from fondaco.journal.segments import EVENTS
from fondaco.projections.bars import INTERVALS, Bar, fold_bars, fold_trades
from fondaco.projections.imports import kept_files, rows_of
from fondaco.robots.backtest.beginning import candles_before, minutes_before
from fondaco.robots.backtest.result import OrderLine
from fondaco.robots.backtest.tape import TapeFault
from fondaco.robots.rules.desk import Bot, Desk
from fondaco.robots.rules.live import LiveHands
from fondaco.robots.rules.plan import Plan
from fondaco.robots.rules.sight import Sight, Standing
from fondaco.robots.rules.state import Decision

__all__ = ["Replay", "replay"]

_HEAD: Final = struct.Struct("<3q")
_TRADE: Final = struct.Struct(f"<{HEAD_WORDS + len(LAYOUTS[Event.TRADE])}q")
Trade = tuple[int, int, int, int, int, bool]  # time, id, ticks, lots, and what no bar here needs


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to."""

    account: int
    began_seq: int
    last_seq: int
    state: str
    step: int
    orders: tuple[OrderLine, ...]
    decisions: tuple[Decision, ...]
    notices: tuple[str, ...]


def replay(
    data: Path,
    plan: Plan,
    *,
    account: int,
    began_seq: int,
    prefix: str,
    cash: str,
    offset_s: Callable[[int], int] = lambda _time_us: 0,
) -> Replay:
    """Run a robot on the events of a house. Raises TapeFault, JournalDamaged, FiguresMissing."""
    desk = Desk(_Begun(_watch(data, plan, cash, began_seq), plan), offset_s)
    bot = Bot(prefix, plan, LiveHands(account), account=account, prefix=prefix)
    desk.add(bot, after_seq=began_seq)
    for last_seq, events in _commits(data):
        desk.take(last_seq, events)
    return Replay(
        account=account,
        began_seq=began_seq,
        last_seq=desk.seq,
        state=bot.state.phase,
        step=bot.state.step,
        orders=tuple(bot.changed.orders.values()),
        decisions=tuple(bot.changed.decisions),
        notices=tuple(text for _, text in bot.changed.notices),
    )


def _commits(data: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the house's commits: their last seq and their events."""
    directory = data / "events"
    if not directory.is_dir():
        raise TapeFault(f"{data}: no events/ here; give the data directory of a house")
    scan = Scan(ReadingDisk(), str(directory), kind=EVENTS, mark=None, house=None)
    if scan.segments:
        for batch in scan.batches(scan.segments[0]):
            yield batch.last_seq, bytes(batch.payload)


def _watch(data: Path, plan: Plan, cash: str, began_seq: int) -> _Watched:
    """Watch the markets of a plan from their first trade up to the robot's beginning."""
    watched = _Watched(cash, plan)
    time_us = 0
    for _, events in _commits(data):
        at = 0
        while at < len(events):
            word, seq, now_us = _HEAD.unpack_from(events, at)
            if seq > began_seq:
                watched.begin(data, began_seq, time_us)
                return watched
            time_us = max(time_us, now_us)
            watched.take(word & 0xFFFF, events, at, at + (word >> 32))
            at += word >> 32
    watched.begin(data, began_seq, time_us)
    return watched


class _Past:
    """The past of one market: its minutes, by the trades that made them."""

    def __init__(self, trades: Iterator[Trade]) -> None:
        self._minutes = fold_trades(trades, INTERVALS["1m"])
        self.newest_us = self._minutes[-1].start_us if self._minutes else -1

    def bars(self, unit: str, begin_us: int, end_us: int) -> list[Bar]:
        minutes = [bar for bar in self._minutes if begin_us <= bar.start_us < end_us]
        return minutes if unit == "1m" else fold_bars(minutes, INTERVALS[unit])

    def minutes(self, begin_us: int) -> list[Bar]:
        return [bar for bar in self._minutes if bar.start_us >= begin_us]

    def close_before(self, time_us: int) -> int:
        before = [bar for bar in self._minutes if bar.start_us < time_us]
        return before[-1].close_ticks if before else 0


class _Watched(Sight):
    """Sees the markets of a plan from their very beginning, and keeps their trades."""

    def __init__(self, cash: str, plan: Plan) -> None:
        super().__init__(cash)
        self._wanted = frozenset(plan.tickers)
        self._trades: dict[int, list[Trade]] = {}
        self.standings: dict[str, Standing] = {}
        self.pasts: dict[str, _Past] = {}

    def take(self, kind: int, events: bytes, at: int, end: int) -> None:
        """Take one event."""
        if kind == Event.LEVEL:
            self.level(events, at)
        elif kind == Event.TRADE and self.trade(events, at):
            words = _TRADE.unpack_from(events, at)
            number, trade_id, price, lots = words[HEAD_WORDS : HEAD_WORDS + 4]
            self._trades[number].append((words[2], trade_id, price, lots, 0, False))
        elif kind in {Event.ASSET, Event.INSTRUMENT}:
            self.define(kind, events[at:end])
            for ticker in self._wanted & self.tickers.keys():
                market = self.tickers[ticker]
                if market.seq < 0:
                    self.follow(ticker, Standing(seq=0))
                    self._trades[market.body.number] = []

    def begin(self, data: Path, seq: int, time_us: int) -> None:
        """Say where each market stood at a seq and its time, with what was imported before."""
        for ticker in self._wanted & self.tickers.keys():
            market = self.tickers[ticker]
            own = self._trades.pop(market.body.number)
            past = _Past(_with_imports(data, market.body.symbol, own, time_us))
            self.pasts[ticker] = past
            self.standings[ticker] = msgspec.structs.replace(
                market.standing(seq), minutes=minutes_before(past)
            )


def _with_imports(data: Path, symbol: str, own: list[Trade], until_us: int) -> Iterator[Trade]:
    """Yield the trades that a market had, in the order of their ids, as the projections do."""
    number = 0
    for file in kept_files(data, symbol):
        for time_us, price, lots, _, _ in rows_of(file):
            number += 1
            if time_us <= until_us:
                yield time_us, number, price, lots, 0, False
    yield from own


class _Begun(Sight):
    """Sees the markets of a plan from where a robot began."""

    def __init__(self, watched: _Watched, plan: Plan) -> None:
        super().__init__(watched.cash_code)
        self._watched = watched
        self._plan = plan

    def define(self, kind: int, record: bytes) -> None:
        super().define(kind, record)
        for ticker, standing in self._watched.standings.items():
            market = self.tickers.get(ticker)
            if market is None or market.seq >= 0:
                continue
            self.follow(ticker, standing)
            figures = [one for one in self._plan.figures if one.ticker == ticker]
            past = self._watched.pasts[ticker]
            candles = {
                interval: candles_before(
                    past, INTERVALS[interval], tick=market.tick, lot=market.lot
                )
                for interval in sorted({one.interval for one in figures})
            }
            self.add_figures(ticker, figures, candles)
