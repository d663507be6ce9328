"""Stops, naively: every armed order is asked after each trade; the oldest reached one runs next.

Written from the design: reached stops queue by arming seq and run after the aggressor, in the
same command, at most TRIGGERS_MAX, the rest by the next ADVANCE; a market that is closed keeps
them waiting; a triggered order that is refused expires and releases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fondaco.core.records import (
    ASSET_TOTAL_MAX,
    Execution,
    InstrumentStatus,
    OrderStatus,
    Side,
)
from tests.twin.market import Order, fee, hold_ppm

if TYPE_CHECKING:
    from tests.twin.exchange import Twin

__all__ = ["TRIGGERS_MAX", "Stops"]

TRIGGERS_MAX: Final = 16  # in one command


class Stops:
    """What becomes of stops after their door."""

    def __init__(self, twin: Twin) -> None:
        """Stand beside the twin's market."""
        self.twin = twin
        self.market = twin.market

    def __getstate__(self) -> dict[str, object]:
        """Leave the twin out of what is kept of it."""
        return {"market": self.market}

    def arm(self, order: Order) -> None:
        """Hold what it may need and let it wait."""
        self.market.hold_owed(order, order.remaining)
        self.market.orders[order.order_id] = order

    def reached(self, number: int) -> list[Order]:
        """Return those of an instrument that wait for their turn, oldest first."""
        found = [o for o in self.market.orders.values() if o.instrument == number and o.reached]
        return sorted(found, key=lambda order: order.order_id)

    def is_open(self, number: int) -> bool:
        """Whether orders may run on an instrument."""
        status = self.market.instruments[number].status
        return status == InstrumentStatus.TRADING and not self.twin.maintenance

    def run(self, number: int, most: int = TRIGGERS_MAX) -> int:
        """Run what waits on an instrument, at most so many; return how many did."""
        fired = 0
        while fired < most and self.reached(number):
            self.before(number)
            if not self.reached(number):
                break
            self.fire(self.reached(number)[0])
            fired += 1
        return fired

    def before(self, number: int) -> None:
        """Let no stop meet the bids of a robot that has lost too much."""
        self.twin.limits.enforce(number)

    def advance(self) -> None:
        """Run what an earlier command left."""
        left = TRIGGERS_MAX
        for number in sorted(self.market.instruments):
            if self.is_open(number):
                left -= self.run(number, left)
                self.market.report_levels()

    def deadline(self) -> int:
        """Return 0 if nothing waits that may run."""
        due = any(self.reached(n) for n in self.market.instruments if self.is_open(n))
        return self.twin.time_us if due else 0

    def fire(self, order: Order) -> None:
        """Let one stop be an order of its kind."""
        market = self.market
        order.armed = order.reached = False
        order.working_us = self.twin.time_us
        market.report(order, Execution.TRIGGERED)
        market.part(order)
        self.release(order)
        del market.orders[order.order_id]
        if self.refused(order) or self.twin.limits.is_over(order):
            order.status = OrderStatus.EXPIRED
            market.report(order, Execution.EXPIRED)
        else:
            self.twin.work(order, market.walk(order, order.remaining))
        if order.order_id not in market.orders:
            market.leave(order)

    def release(self, order: Order) -> None:
        """Give back what it held as a stop."""
        self.market.hold_owed(order, 0)

    def refused(self, order: Order) -> bool:
        """Whether it may not come in as a new order."""
        if self.twin.accounts[order.account].frozen:
            return True
        if order.price:
            return False
        if not self.market.makers(order):
            return True
        if order.side == Side.SELL:
            return False
        body = self.market.instruments[order.instrument]
        worth = self.market.walk(order, order.remaining).worth(body)
        free = self.market.ledger.of(order.account, body.quote).free
        return worth > ASSET_TOTAL_MAX or worth + fee(worth, hold_ppm(body)) > free
