"""Public reads: markets of every kind, order books, trades, candles, the ledger's totals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from fondaco_client.calls import Call, Group, Proof, get, reading, route
from fondaco_client.shapes import (
    BookTicker,
    Candle,
    Day,
    Depth,
    Instrument,
    Instruments,
    Market,
    ServerTime,
    Totals,
    Trade,
)

__all__ = ["Markets"]

K = TypeVar("K")
T = TypeVar("T")
V3: Final = "/api/v3/"


def public(path: str, read: Callable[[bytes], T], **query: object) -> Call[T]:
    return get(path, read, proof=Proof.NOTHING, query=query)


class Markets(Group[K]):
    """`client.markets`. All of it is public and may be asked again freely.

    Raises NotFound or Unfit for a symbol that isn't there.
    """

    @route
    def server_time_ms(self) -> Call[int]:
        """Return the house's clock in milliseconds of Unix time."""
        read = reading(ServerTime)
        return public(f"{V3}time", lambda body: read(body).server_time)

    @route
    def all(self) -> Call[tuple[Market, ...]]:
        """Return the markets of every kind: book, dealer, agency."""
        return public("/api/v1/markets/", reading(tuple[Market, ...]))

    @route
    def one(self, symbol: str) -> Call[Market]:
        """Return one market of any kind."""
        return public(f"/api/v1/markets/{symbol}/", reading(Market))

    @route
    def instruments(self) -> Call[tuple[Instrument, ...]]:
        """Return what the order books trade: tick_size in quote, lot_size in base."""
        read = reading(Instruments)
        return public(f"{V3}exchangeInfo", lambda body: read(body).symbols)

    @route
    def depth(self, symbol: str, *, limit: int = 100) -> Call[Depth]:
        """Return the best levels of a book, 5000 a side at most."""
        return public(f"{V3}depth", reading(Depth), symbol=symbol, limit=limit)

    @route
    def book_ticker(self, symbol: str) -> Call[BookTicker]:
        """Return the best bid and ask."""
        return public(f"{V3}ticker/bookTicker", reading(BookTicker), symbol=symbol)

    @route
    def day(self, symbol: str) -> Call[Day]:
        """Return the last 24 hours."""
        return public(f"{V3}ticker/24hr", reading(Day), symbol=symbol)

    @route
    def trades(
        self, symbol: str, *, from_id: int | None = None, limit: int = 500
    ) -> Call[tuple[Trade, ...]]:
        """Return public trades, oldest first: the newest, or those from an id on; 1000 at most."""
        name = "trades" if from_id is None else "historicalTrades"
        return public(
            V3 + name, reading(tuple[Trade, ...]), symbol=symbol, fromId=from_id, limit=limit
        )

    @route
    def candles(
        self,
        symbol: str,
        interval: str = "1m",
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> Call[tuple[Candle, ...]]:
        """Return candles, oldest first: 1m, 5m, 1h, 1d, 1w, 1M, …; 1000 at most, the last is open.

        From the first trade on, an interval without trades is flat with zero volume.
        """
        return public(
            f"{V3}klines",
            reading(tuple[Candle, ...]),
            symbol=symbol,
            interval=interval,
            startTime=start_ms,
            endTime=end_ms,
            limit=limit,
        )

    @route
    def ledger_totals(self) -> Call[dict[str, Totals]]:
        """Return what each asset sums to; `sum` is 0, always."""
        return public("/api/v1/ledger/totals/", reading(dict[str, Totals]))
