"""A house with a dealer and an agency market, and the hand of its feed.

    with open_house(more=OUTSIDE) as house, Feed(house) as feed:
        feed.quote("CIBUSDT", "27.95", 46)

Promises: quotes go through the writer's socket as the feed's worker sends them: journaled and
synced when quote() returns. The venue is the simulated one; its script says what it does.
"""

from __future__ import annotations

import time
from decimal import Decimal
from types import TracebackType
from typing import Final, Self

import msgspec

from fondaco.core.bodies import InstrumentBody
from fondaco.core.records import Command, Event, Query, pack, split, unpack_body
from fondaco.link.address import writer_socket
from fondaco.link.blocking import BlockingClient
from tests.house_fixture import RunningHouse

__all__ = ["OUTSIDE", "Feed"]

OUTSIDE: Final = """
[[instruments]]
symbol = "CIBUSDT"
base = "CIB"
quote = "USDT"
market = "dealer"
name = "Commercial International Bank"
stock_id = "6ffb8e62-92c1-40c7-9d38-5b976a346b62"
tick_size = "0.01"
lot_size = "1"

[[instruments]]
symbol = "ABANUSDT"
base = "ABAN"
quote = "USDT"
market = "agency"
venue = "outside"
reference_price = "10"
tick_size = "0.01"
lot_size = "0.0001"

[[venues]]
name = "outside"
kind = "simulated"
min_notional = "10"
latency_s = 4
slippage = "0.01"
script = ["fill", "reject"]
"""


class Feed:
    """Sends quotes to a running house."""

    def __init__(self, house: RunningHouse) -> None:
        self._link = BlockingClient(writer_socket(house.data), role="cli")
        self._instruments: dict[str, InstrumentBody] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._link.close()

    def quote(self, symbol: str, price: str, availability: int, *, ago_s: float = 0) -> None:
        """Send one message, stamped some seconds ago."""
        body = self._body(symbol)
        self._link.submit(
            pack(
                Command.QUOTE,
                instrument=body.number,
                price_ticks=int(Decimal(price) / Decimal(body.tick_size)),
                availability_lots=availability,
                message_us=int((time.time() - ago_s) * 1_000_000),
            )
        )

    def _body(self, symbol: str) -> InstrumentBody:
        if not self._instruments:
            for record in split(self._link.query(pack(Query.DEFINITIONS)).records):
                if int.from_bytes(record[:2], "little") == Event.INSTRUMENT:
                    body = msgspec.msgpack.decode(unpack_body(record), type=InstrumentBody)
                    self._instruments[body.symbol] = body
        return self._instruments[symbol]
