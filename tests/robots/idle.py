"""A market that a desk sees, and hands that do nothing there: for what only looks at rules."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from fondaco.core.records import AssetBody, Event, InstrumentBody, pack_body
from fondaco.robots.rules.desk import Heard, Holdings
from fondaco.robots.rules.plan import Plan
from fondaco.robots.rules.sight import Sight, Standing, Traded
from fondaco.robots.rules.state import OrderWish

__all__ = ["Idle", "sight_of_aaa"]


class Idle:
    """Hands that have nothing and do nothing."""

    instrument = 0
    is_listening = is_wishing = False

    def holdings(self, _sight: Sight, _plan: Plan) -> Holdings:
        return Holdings(Decimal(0), Decimal(0), {}, {})

    def place(self, _sight: Sight, _wish: OrderWish, _time_us: int) -> list[Heard]:
        return []

    def cancel(self, _sight: Sight, _client_order_id: str, _time_us: int) -> list[Heard]:
        return []

    def own(self, _sight: Sight, _kind: int, _record: bytes) -> list[Heard]:
        return []

    def trade(self, _sight: Sight, _trades: Iterable[Traded], _time_us: int) -> list[Heard]:
        return []

    def switch(self, *, killed: bool, seq: int, time_us: int) -> list[Heard]:
        return []


def sight_of_aaa(last_ticks: int = 0) -> Sight:
    """Return the sight of AAAUSD, 0.01 a tick, whose last trade was at last_ticks; 0: none yet."""
    sight = Sight("USD")
    for number, code in ((1, "AAA"), (2, "USD")):
        asset = AssetBody(number=number, code=code, decimals=8)
        sight.define(Event.ASSET, pack_body(Event.ASSET, asset))
    body = InstrumentBody(
        number=1, symbol="AAAUSD", base=1, quote=2, tick_size="0.01", lot_size="1",
        base_per_lot=10**8, quote_per_lot_tick=10**6,
    )  # fmt: skip
    sight.define(Event.INSTRUMENT, pack_body(Event.INSTRUMENT, body))
    sight.follow("AAA", Standing(seq=0, last_ticks=last_ticks))
    return sight
