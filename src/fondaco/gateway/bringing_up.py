"""How an edge comes up: definitions, subscription, mirrors; and whether it is ready.

Promises: it subscribes from the projections' cursor, so that everything newer is in memory; it is
ready when it has seen, and the projections have taken, what the writer had when it began. Markets
that are defined later are brought up the same way. It waits for what is slow and raises what is
wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import msgspec

from fondaco.core.records import HEAD, AccountBody, Event, Query, pack, split, unpack_body
from fondaco.gateway.auth import Keys
from fondaco.gateway.edge import Edge, Market
from fondaco.gateway.faults import Fault
from fondaco.gateway.feed import Feed
from fondaco.gateway.tape import DAY_MINUTES, RECENT_MAX
from fondaco.projections import candles, selectors
from fondaco.projections.bars import INTERVALS, MINUTE_US, Bar
from fondaco.projections.reading import together
from fondaco.projections.selectors import TradeRow

__all__ = ["BringingUp"]

BEHIND_MAX: Final = 200_000  # commands: as far as the projections may be behind a trading house
POLL_S: Final = 0.1
KEY_POLLS: Final = 50  # a granted key's row is marked a moment after the event
DEFINITIONS: Final = (int(Event.ASSET), int(Event.INSTRUMENT), int(Event.HOUSE))


class BringingUp:
    def __init__(self, edge: Edge, keys: Keys) -> None:
        self._edge = edge
        self._keys = keys
        self._tasks: set[asyncio.Task[None]] = set()
        self._stage = "the gateway has not started"
        self._begun_seq = 0
        self._loading = 0
        self.failure: BaseException | None = None

    async def run(self, feed: Feed) -> None:
        """Bring everything up to where the writer is now."""
        edge = self._edge
        self._stage = "the API keys are being read"
        await self._keys.reload(at_once=True)
        self._stage = "the definitions are being read"
        answer = await self._patiently(pack(Query.DEFINITIONS))
        self._begun_seq = answer.seq
        for record in split(answer.records):
            kind = int.from_bytes(record[:2], "little")
            if kind in DEFINITIONS:
                edge.define(kind, record)
            elif kind == Event.ACCOUNT:
                self.take_account(record)
        cursor = await self._near_cursor()
        edge.seq = edge.overlay.cursor = cursor.seq
        edge.time_us = cursor.time_us
        edge.writer.subscribe(cursor.seq + 1, feed.take, edge.overlay.advance)
        self._stage = ""
        await asyncio.gather(*(self._load(market) for market in list(edge.markets.values())))

    async def _patiently(self, question: bytes) -> Any:  # noqa: ANN401 - link's Answer
        """Ask the writer until it answers."""
        while True:
            try:
                return await self._edge.query(question)
            except Fault as fault:
                if fault.status != 503:
                    raise
            await asyncio.sleep(POLL_S)

    async def _near_cursor(self) -> selectors.CursorRow:
        """Return the projections' cursor once memory can hold what is newer."""
        while True:
            cursor = await self._edge.read(selectors.cursor)
            behind = self._begun_seq - cursor.seq
            if behind <= BEHIND_MAX:
                return cursor
            self._stage = f"the projections are {behind} commands behind"
            await asyncio.sleep(POLL_S)

    def begin_market(self, market: Market) -> None:
        """Bring up a market that was defined just now."""
        self.spawn(self._load(market))

    async def _load(self, market: Market) -> None:
        self._loading += 1
        try:
            if market.instrument.is_book:
                await self._load_depth(market)
            else:
                await self._edge.load_outside(market, self._patiently)
            trades, minutes = await self._edge.read(
                _past, market.instrument.number, self._edge.now_us()
            )
            market.tape.load(trades, minutes)
        finally:
            self._loading -= 1

    async def _load_depth(self, market: Market) -> None:
        question = pack(Query.DEPTH, instrument=market.instrument.number, limit=1 << 30)
        market.depth.load((await self._patiently(question)).records)

    def reload_depths(self) -> None:
        """Load anew the books whose mirror noticed a gap."""
        for market in self._edge.markets.values():
            is_lost = market.instrument.is_book and not market.depth.loaded
            if is_lost and not self._loading:
                self.spawn(self._reload(market))

    async def _reload(self, market: Market) -> None:
        self._loading += 1
        try:
            await self._load_depth(market)
        finally:
            self._loading -= 1

    def take_account(self, record: bytes) -> None:
        """Take an ACCOUNT record: the user streams of a frozen one end."""
        body = msgspec.msgpack.decode(unpack_body(record), type=AccountBody)
        self._keys.freeze(HEAD.unpack_from(record)[3], frozen=body.frozen)

    def key_changed(self, number: int, scopes: int) -> None:
        """Take a KEY event: revoked at once, granted as soon as identity has it."""
        if scopes == 0:
            self._keys.revoke(number)
        else:
            self.spawn(self._granted(number))

    async def _granted(self, number: int) -> None:
        for _ in range(KEY_POLLS):
            await self._keys.granted(number)
            if self._keys.holds(number):
                return
            await asyncio.sleep(POLL_S)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside; its failure makes the edge unready."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.failure = task.exception()

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def why_not_ready(self) -> str:
        """Return what is missing, "" when ready."""
        edge = self._edge
        if self.failure is not None:
            return f"a part of the gateway has failed: {self.failure!r}"
        if self._stage:
            return self._stage
        if not edge.writer.connected:
            return "there is no connection to the writer"
        if self._loading:
            return "the mirrors of the markets are being loaded"
        if edge.seq < self._begun_seq:
            return f"events are read up to {edge.seq} of {self._begun_seq}"
        if edge.overlay.cursor < self._begun_seq:
            return f"the projections are at {edge.overlay.cursor} of {self._begun_seq}"
        return ""


def _past(number: int, now_us: int) -> tuple[list[TradeRow], list[Bar]]:
    """Read the newest trades of an instrument and the bars of its last day."""
    with together():
        trades = selectors.trades(number, limit=RECENT_MAX)
        first = (now_us // MINUTE_US - DAY_MINUTES - 1) * MINUTE_US
        return trades, candles.stored(
            number, INTERVALS["1m"], start_us=first, end_us=now_us + DAY_MINUTES * MINUTE_US
        )
