"""What every handler of this edge works with: the writer, the definitions, the mirrors, the clock.

Promises: one object without logic of its own beyond asking the writer and turning its failures
into the answers that clients know. The house's time is the clock's, or with a test clock the
newest journaled stamp.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeVar

from fondaco.core.records import Event, Query, Side, pack, split, unpack
from fondaco.gateway.depth import Depth
from fondaco.gateway.faults import Fault, not_executed, outcome_unknown
from fondaco.gateway.instruments import AGENCY, Catalogue, Instrument
from fondaco.gateway.outside import Outside
from fondaco.gateway.overlay import Overlay
from fondaco.gateway.tape import Tape
from fondaco.link.answers import Answer, Halted, Invalid, LinkError, Overloaded, Unanswered
from fondaco.link.client import Sink

__all__ = ["Edge", "Market", "Writer", "fault_of"]

OVERLAY_BYTES_MAX: Final = 256 << 20  # half a million orders: then the door slows
READERS_MAX: Final = 8  # threads that read the projections at once
LEVELS_ALL: Final = 1 << 30
T = TypeVar("T")


class Writer(Protocol):
    """The part of link.client.WriterClient that is used here."""

    writer_seq: int

    @property
    def connected(self) -> bool: ...

    def submit(self, record: bytes) -> asyncio.Future[bytes]: ...

    def send(self, record: bytes, sink: Sink) -> None: ...

    def query(self, record: bytes) -> asyncio.Future[Answer]: ...

    def subscribe(
        self,
        from_seq: int,
        on_events: Callable[[int, bytes], None],
        on_cursor: Callable[[int], None] | None = None,
    ) -> None: ...

    async def advance_clock(self, by_us: int) -> int: ...


class Market:
    """One instrument's mirrors, and what its streams have still to tell."""

    __slots__ = (
        "best_told",
        "depth",
        "instrument",
        "levels_changed",
        "outside",
        "tape",
        "trades_untold",
    )

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.depth = Depth()  # of a book
        self.outside = Outside()  # of a dealer or agency market
        self.tape = Tape()
        self.levels_changed = False
        self.trades_untold: list[tuple[bytes, int]] = []
        self.best_told: tuple[int, int, int, int] = (-1, -1, -1, -1)


class Edge:
    def __init__(self, writer: Writer, *, test_clock: bool, edges: int) -> None:
        self.writer = writer
        self.test_clock = test_clock
        self.catalogue = Catalogue()
        self.overlay = Overlay()
        self.markets: dict[int, Market] = {}
        self.seq = 0  # of the newest commit seen in the event stream
        self.time_us = 0  # its stamp
        self._alone = edges == 1
        self._threads = asyncio.Semaphore(READERS_MAX)

    # ---- time

    def now_us(self) -> int:
        """Return the house's time."""
        return self.time_us if self.test_clock else time.time_ns() // 1000

    def clocks_us(self) -> tuple[int, ...]:
        """Return the clocks by which a request's timestamp may be fresh."""
        now = time.time_ns() // 1000
        return (now, self.time_us) if self.test_clock else (now,)

    # ---- asking the writer

    async def submit(self, record: bytes) -> bytes:
        """Return the events of one command, after its sync. Raises Fault."""
        self.check_room()
        try:
            return await self.writer.submit(record)
        except LinkError as error:
            raise fault_of(error) from error

    def check_room(self) -> None:
        """Raise Fault while the projections are so far behind that memory would run out."""
        if self.overlay.bytes_held > OVERLAY_BYTES_MAX:
            raise not_executed()

    async def query(self, record: bytes) -> Answer:
        """Return the answer to one question about now. Raises Fault."""
        try:
            return await self.writer.query(record)
        except (Overloaded, Unanswered, Halted):
            raise not_executed() from None
        except Invalid as error:
            raise Fault(-1000, f"The house could not read the question: {error}") from error

    async def catch_up(self) -> None:
        """Have every event that the writer has committed, also by way of other edges."""
        if not self._alone:
            await self.query(pack(Query.DEPTH, instrument=0, limit=1))

    async def read(self, call: Callable[..., T], *args: Any, **options: Any) -> T:  # noqa: ANN401
        """Call one of the projections' selectors in a thread."""
        async with self._threads:
            return await asyncio.to_thread(call, *args, **options)

    # ---- definitions

    def market_of(self, symbol: str | None) -> Market:
        """Return the book market of a symbol. Raises Fault, -1121."""
        instrument = self.catalogue.by_symbol.get(symbol or "")
        if instrument is None:
            raise Fault(-1121, "Invalid symbol.")
        if not instrument.is_book:
            text = f"Invalid symbol. {symbol} is of the {instrument.market} kind, without a book: "
            where = f"read it at /api/v1/markets/{symbol}/ and order at /api/v1/orders/."
            raise Fault(-1121, text + where)
        return self.markets[instrument.number]

    def define(self, kind: int, record: bytes) -> Market | None:
        """Take an ASSET or INSTRUMENT record; return the market if it is a new one."""
        instrument = self.catalogue.take(kind, record)
        if instrument is None:
            return None
        known = self.markets.get(instrument.number)
        if known is not None:
            known.instrument = instrument
            return None
        market = self.markets[instrument.number] = Market(instrument)
        return market

    async def load_outside(self, market: Market, ask: Callable[[bytes], Awaitable[Answer]]) -> None:
        """Bring the mirror of a dealer or agency market up from the writer."""
        number = market.instrument.number
        kinds = [Query.QUOTES]
        if market.instrument.market == AGENCY:
            kinds = [Query.POOLS, Query.VENUE_ORDERS]
        answers = [await ask(pack(kind, instrument=number)) for kind in kinds]
        market.outside.load(answers[0].seq, b"".join(answer.records for answer in answers))

    async def load_depth(self, market: Market) -> None:
        """Bring a market's mirror of the book up from the writer."""
        question = pack(Query.DEPTH, instrument=market.instrument.number, limit=LEVELS_ALL)
        answer = await self.query(question)
        market.depth.load(answer.records)
        market.levels_changed = True


def fault_of(error: LinkError) -> Fault:
    """Return what a client is told of a command that the writer did not answer."""
    if isinstance(error, Unanswered):
        return outcome_unknown()
    if isinstance(error, Invalid):
        return Fault(-1000, f"The house could not read the order: {error}")
    return not_executed()


def balances_of(records: bytes) -> list[dict[str, int]]:
    """Return the BALANCE records among answer records, by word."""
    found = [unpack(record) for record in split(records)]
    return [words for words in found if words["kind"] == Event.BALANCE]


def sign_of(side: int) -> str:
    """Return BUY or SELL."""
    return "BUY" if side == Side.BUY else "SELL"
