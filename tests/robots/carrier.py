"""One house with an agency market and a simulated venue, moved by hand through every step.

    case = Case(tmp_path, script=["timeout"])
    case.live(crash=Crash(step=3, when="after"))

Promises: the core is the real one, the venue the real simulated one, and the steps are those that
the worker's are (carrying.carry); only time is the test's. A crash forgets all but the core and
the venue. judge() says what a history broke: bought twice, a debit lost, a part not shared.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    AccountBody,
    AssetBody,
    Command,
    Event,
    InstrumentBody,
    OrderType,
    Query,
    Side,
    VenueStatus,
    pack,
    pack_body,
    split,
    unpack,
)
from fondaco.robots.venues import carrying
from fondaco.robots.venues.carrying import Carried, Effect, Tell, Wait, perform
from fondaco.robots.venues.catalogue import Catalogue
from fondaco.robots.venues.port import Order, Refused, Unanswered
from fondaco.robots.venues.simulated import SimulatedVenue

__all__ = ["ANN", "BOB", "CRASHES", "Case", "Crash", "fates"]

Carry = Callable[..., Generator[Effect, Any, None]]
ANN: Final = 16
BOB: Final = 17
USD: Final = 1
ABAN: Final = 2
CENT: Final = 1  # a unit of USD
MONEY: Final = 10_000 * CENT
LATENCY_S: Final = 5.0
STEPS_MAX: Final = 200
CRASHES: Final = ("before", "after", "under way")
fates: Final = ("fill", "reject", "timeout", "lost", "partial 0.4", "duplicate")


class Crash(NamedTuple):
    """The worker dies before it does its step of that number, after it, or with it on its way."""

    step: int
    when: str


class Case:
    """Ann buys 1.5 ABAN and Bob 2.5, at 10 dollars, of one venue order; or they sell them."""

    def __init__(
        self, folder: Path, *, script: list[str], side: Side = Side.BUY, slippage_ppm: int = 0
    ) -> None:
        self.exchange = Exchange()
        self.now_s = 1_000.0
        self.file = folder / "venue.sqlite3"
        self.late: list[tuple[float, Order]] = []
        self.notes: list[str] = []
        self.side = side
        self.venue = SimulatedVenue(
            self.file,
            latency_s=LATENCY_S,
            script=script,
            now_s=lambda: self.now_s,
            sleep=self.wait,
        )
        for body in (
            AssetBody(number=USD, code="USD", decimals=2),
            AssetBody(number=ABAN, code="ABAN", decimals=4),
        ):
            self.tell(pack_body(Command.DEFINE_ASSET, body))
        market = InstrumentBody(
            number=1, symbol="ABANUSD", base=ABAN, quote=USD, market=3, tick_size="0.1",
            lot_size="0.1", base_per_lot=1000, quote_per_lot_tick=1, venue="outside",
            reference_ticks=100, pool_min_notional=4000, slippage_ppm=slippage_ppm,
        )  # fmt: skip
        self.tell(pack_body(Command.DEFINE_INSTRUMENT, market))
        for account, lots in ((ANN, 15), (BOB, 25)):
            opening = [(USD, MONEY), (ABAN, 50_000)]
            owner = AccountBody(member=account, opening=opening)
            self.tell(pack_body(Command.OPEN_ACCOUNT, owner, account=account))
            self.tell(
                pack(
                    Command.NEW_ORDER, account=account, instrument=1, side=side,
                    order_type=OrderType.POOLED, quantity_lots=lots,
                )
            )  # fmt: skip

    # ---- the house

    def tell(self, record: bytes) -> bytes:
        """Apply one command, as a writer does; return its first event."""
        run = bytearray(record)
        self.exchange.stamp(run, self.exchange.seq + 1, int(self.now_s * 1_000_000))
        return split(self.exchange.apply(bytes(run)))[0]

    def orders(self) -> list[Carried]:
        """Return the venue orders that are not done, as a worker finds them at its start."""
        catalogue = Catalogue("outside", "mark")
        for record in split(self.exchange.query(pack(Query.DEFINITIONS))):
            catalogue.define(int.from_bytes(record[:2], "little"), record)
        found = [unpack(each) for each in split(self.exchange.query(pack(Query.VENUE_ORDERS)))]
        told = [each for each in found if each["kind"] == Event.VENUE_ORDER]
        return [carried for words in told if (carried := catalogue.carried(words)) is not None]

    def balance(self, account: int, asset: int) -> tuple[int, int]:
        """Return free and held."""
        for record in split(self.exchange.query(pack(Query.BALANCES, account=account))):
            words = unpack(record)
            if words["asset"] == asset:
                return words["free"], words["held"]
        return 0, 0

    # ---- time

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        for due_s, order in [each for each in self.late if each[0] <= self.now_s]:
            self.late.remove((due_s, order))
            self.arrive(order)

    def arrive(self, order: Order) -> None:
        """Let what was under way reach the venue; nobody waits for its answer."""
        now_s, sleep = self.now_s, self.venue._sleep
        self.venue._sleep = lambda _seconds: None
        try:
            self.venue.place(order)
        except (Refused, Unanswered):
            pass
        finally:
            self.venue._sleep, self.now_s = sleep, now_s

    # ---- the worker

    def live(self, *, crash: Crash | None = None, carry: Carry = carrying.carry) -> int:
        """Carry the order to its end, through one crash of the worker; return the steps."""
        steps = self._process(carry, crash)
        if crash is not None and self.orders():
            self.wait(1.0)  # another process starts
            steps += self._process(carry, None)
        while self.late:
            self.wait(1.0)
        return steps

    def _process(self, carry: Carry, crash: Crash | None) -> int:
        """Be one worker process; return how many steps it did."""
        steps = 0
        for carried in self.orders():
            running = carry(
                carried,
                request_timeout_s=self.venue.request_timeout_s,
                now_s=lambda: self.now_s,
                note=self.notes.append,
            )
            answer: object = None
            while True:
                try:
                    if isinstance(answer, Refused | Unanswered):
                        effect = running.throw(answer)
                    else:
                        effect = running.send(answer)
                except StopIteration:
                    break
                steps += 1
                if steps > STEPS_MAX:
                    return steps  # judge() will say that it never ended
                here = crash is not None and steps == crash.step
                if here and crash is not None and crash.when != "after":
                    if crash.when == "under way" and isinstance(effect, carrying.Place):
                        due_s = self.now_s + self.venue.request_timeout_s + carrying.GRACE_S
                        self.late.append((due_s, effect.order))
                    return steps
                answer = self._do(effect)
                if here:
                    return steps
        return steps

    def _do(self, effect: Effect) -> object:
        if isinstance(effect, Tell):
            return self.tell(effect.record)
        if isinstance(effect, Wait):
            self.wait(effect.seconds)
            return None
        try:
            return perform(self.venue, effect, lambda: self.now_s)
        except (Refused, Unanswered) as error:
            return error

    # ---- the end

    def arrivals(self) -> list[tuple[str, Fraction, Fraction]]:
        """Return fate, base and quote of everything that reached the venue."""
        with sqlite3.connect(self.file) as database:
            rows = database.execute("SELECT fate, base, quote FROM arrival").fetchall()
        database.close()
        return [(row[0], Fraction(row[1]), Fraction(row[2])) for row in rows if row[0] != "lost"]

    def judge(self) -> list[str]:
        """Return what was broken."""
        found = []
        arrivals = self.arrivals()
        if len(arrivals) > 1:
            found.append(f"bought {len(arrivals)} times")
        if self.orders():
            found.append("an order never ended")
        base = sum((each[1] for each in arrivals), Fraction(0)) * 10_000
        quote = sum((each[2] for each in arrivals), Fraction(0)) * 100
        if self.side == Side.SELL:
            base, quote = -base, -quote
        for asset, moved, opening in ((ABAN, base, 50_000), (USD, -quote, MONEY)):
            held = sum(self.balance(account, asset)[1] for account in (ANN, BOB))
            free = sum(self.balance(account, asset)[0] for account in (3, ANN, BOB))
            if held:
                found.append(f"{held} of {asset} is still held")
            if free != 2 * opening + moved:
                found.append(f"members have {free} of {asset}, not {2 * opening + moved}")
        for record in split(self.exchange.query(pack(Query.TOTALS))):
            words = unpack(record)
            names = ("members", "fees", "rounding", "inventory", "world")
            if sum(words[name] for name in names):
                found.append(f"the sum of asset {words['asset']} is not 0")
        return found


assert VenueStatus.CONFIRMED
