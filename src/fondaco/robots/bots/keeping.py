"""Puts what a desk has gathered into rows, and what it saw into a checkpoint.

Promises: bytes of decisions and orders are those that a backtest writes for the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec
from django.db import transaction

from fondaco.robots.backtest.market import Position
from fondaco.robots.backtest.result import encode
from fondaco.robots.bots import services
from fondaco.robots.bots.services import NOTICE, Kept
from fondaco.robots.models import RuleCheckpoint
from fondaco.robots.paper.hands import PaperHands
from fondaco.robots.rules import state as states
from fondaco.robots.rules.desk import Bot, Changes, Desk
from fondaco.robots.rules.live import LiveHands, Sending
from fondaco.robots.rules.sight import Standing
from fondaco.robots.rules.state import CLOSED, OrderStatus

if TYPE_CHECKING:
    from fondaco.robots.bots.roster import Roster

__all__ = ["Seen", "keep", "keep_checkpoint", "keep_newest", "read_seen"]

GLANCED_MAX: Final = 500  # at a time, of many bots in turn: some 50 ms


class Seen(msgspec.Struct, frozen=True):
    """What a desk saw: followed markets by ticker, balances by account, and which runs it had."""

    markets: dict[str, Standing]
    balances: dict[int, dict[int, tuple[int, int]]]
    runs: list[int] = []


def keep(desk: Desk, roster: Roster, confirm: Callable[[], None]) -> None:
    """Keep what has come of the bots since the last time; raises what `confirm` does.

    The first that is kept of a bot comes with a checkpoint, so that who takes up goes on from there
    and misses nothing that happened to it since.
    """
    if roster.is_beginning():
        keep_checkpoint(desk, roster, confirm)
        return
    _keep(desk, roster, confirm)


def _keep(desk: Desk, roster: Roster, confirm: Callable[[], None]) -> None:
    found = []
    for name, bot in desk.dirty.items():
        found.append(_kept(bot, roster.runs[name], began=roster.began(name)))
    if found:
        services.keep(found, seq=desk.seq, confirm=confirm)
        for bot in desk.dirty.values():
            bot.changed = Changes()
            bot.orders = {
                each: line
                for each, line in bot.orders.items()
                if OrderStatus(line.status) not in CLOSED
            }
        desk.dirty.clear()


def _kept(bot: Bot, run: int, began: tuple[int, int] | None) -> Kept:
    hands = bot.hands
    outbox = msgspec.json.encode(hands.outbox).decode() if isinstance(hands, LiveHands) else "[]"
    position = None
    if isinstance(hands, PaperHands) and hands.is_changed:
        position = msgspec.msgpack.encode(hands.dump())
    decisions = [
        (one.time_us, str(one.code), encode(one).decode()) for one in bot.changed.decisions
    ]
    decisions += [(time_us, NOTICE, text) for time_us, text in bot.changed.notices]
    return Kept(
        run=run,
        state=states.encode(bot.state).decode(),
        outbox=outbox,
        position=position,
        began=began,
        decisions=tuple(decisions),
        orders=tuple(
            (
                name,
                line.time_us,
                OrderStatus(line.status) not in CLOSED,
                encode(line).decode(),
            )
            for name, line in bot.changed.orders.items()
        ),
    )


def keep_checkpoint(desk: Desk, roster: Roster, confirm: Callable[[], None]) -> None:
    """Keep what the desk sees now with all that came of it, paper exchanges too."""
    for name, bot in desk.bots.items():
        if isinstance(bot.hands, PaperHands) and bot.hands.is_changed and bot.is_in:
            desk.dirty[name] = bot
    with transaction.atomic():
        _keep(desk, roster, confirm)
        if desk.bots:
            _keep_seen(desk, roster, confirm)


def keep_newest(desk: Desk, roster: Roster, confirm: Callable[[], None]) -> None:
    """Keep what bots that wait see now, beside their decisions; raises what `confirm` does."""
    services.keep_newest(
        {
            roster.runs[name]: msgspec.json.encode(decision).decode()
            for name, decision in desk.glance(GLANCED_MAX)
        },
        confirm=confirm,
    )


def _keep_seen(desk: Desk, roster: Roster, confirm: Callable[[], None]) -> None:
    markets = {
        ticker: market.standing(desk.seq)
        for ticker, market in desk.sight.tickers.items()
        if market.seq >= 0
    }
    balances = {
        bot.account: bot.hands.balances
        for bot in desk.bots.values()
        if isinstance(bot.hands, LiveHands)
    }
    seen = Seen(markets, balances, roster.seen())
    services.keep_checkpoint(
        seq=desk.seq,
        time_us=desk.time_us,
        seen=msgspec.msgpack.encode(seen),
        confirm=confirm,
    )


def read_seen(row: RuleCheckpoint) -> Seen:
    """Return what a checkpoint holds."""
    return msgspec.msgpack.decode(bytes(row.seen), type=Seen)


def read_position(found: bytes) -> Position | None:
    """Return a paper exchange as it was kept."""
    return msgspec.msgpack.decode(bytes(found), type=Position) if found else None


def read_outbox(text: str) -> list[Sending]:
    """Return what was to be told to the core."""
    return msgspec.json.decode(text, type=list[Sending])
