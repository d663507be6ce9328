"""A live run again, from the house's own events: what the robot saw, decided and ordered then.

Promises: it only reads. The robot begins after the entry of the journal at which it began, acts
through nothing, and hears of its orders what the house said of them; so its decisions and orders
are those of the run, to the byte, up to the first time that somebody switched it off.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from fondaco.journal.disk import ReadingDisk
from fondaco.journal.scan import Scan
from fondaco.journal.segments import EVENTS
from fondaco.robots.backtest.result import OrderLine
from fondaco.robots.backtest.tape import TapeFault
from fondaco.robots.rules.desk import Bot, Desk
from fondaco.robots.rules.live import LiveHands
from fondaco.robots.rules.plan import Plan
from fondaco.robots.rules.sight import Sight, Standing
from fondaco.robots.rules.state import Decision

__all__ = ["Replay", "replay"]


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
    directory = data / "events"
    if not directory.is_dir():
        raise TapeFault(f"{data}: no events/ here; give the data directory of a house")
    scan = Scan(ReadingDisk(), str(directory), kind=EVENTS, mark=None, house=None)
    desk = Desk(_Whole(cash, plan), offset_s)
    bot = Bot(prefix, plan, LiveHands(account), account=account, prefix=prefix)
    desk.add(bot, after_seq=began_seq)
    if scan.segments:
        for batch in scan.batches(scan.segments[0]):
            desk.take(batch.last_seq, bytes(batch.payload))
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


class _Whole(Sight):
    """Sees the markets of a plan from their very beginning."""

    def __init__(self, cash: str, plan: Plan) -> None:
        super().__init__(cash)
        self._plan = plan

    def define(self, kind: int, record: bytes) -> None:
        super().define(kind, record)
        for ticker in self._plan.tickers:
            market = self.tickers.get(ticker)
            if market is not None and market.seq < 0:
                self.follow(ticker, Standing(seq=0))
                figures = [one for one in self._plan.figures if one.ticker == ticker]
                self.add_figures(ticker, figures, {})
