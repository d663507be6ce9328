"""A pretended outside exchange, for demos and tests, that goes wrong as real ones do.

Promises: it takes `latency_s` for an answer and fills at the house's reference price, if the limit
allows it; `script` says what befalls the first, second ... order that is sent, then all fill:

    fill         answered, filled
    reject       refused, nothing done
    timeout      done, and never answered
    lost         it never arrives, and is never answered
    partial 0.4  that part is filled, the rest is gone
    duplicate    filled, and answered twice

It is an outside party: what reached it lies in a SQLite file of its own, which every worker can
ask, and each arrival of an id counts, so that an order sent twice is bought twice.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

from fondaco.robots.venues.port import Order, Outcome, Refused, Unanswered

__all__ = ["SimulatedVenue"]

MARGIN_S: Final = 1.0  # that a request may take longer than the venue
BUSY_S: Final = 10.0
TABLE: Final = """
CREATE TABLE IF NOT EXISTS arrival (
    number INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL,
    fate TEXT NOT NULL,
    base TEXT NOT NULL,  -- in the end, as exact fractions
    quote TEXT NOT NULL,
    done_s REAL NOT NULL  -- when it ends
)
"""


class SimulatedVenue:
    """One pretended exchange."""

    def __init__(
        self,
        file: Path,
        *,
        latency_s: float = 0,
        script: Sequence[str] = (),
        now_s: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open what has reached it so far, or begin with nothing."""
        self.request_timeout_s = latency_s + MARGIN_S
        self._file = file
        self._latency_s = latency_s
        self._script = tuple(script)
        self._now_s = now_s
        self._sleep = sleep
        self._lock = threading.Lock()
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._opened() as database:
            database.execute(TABLE)

    def place(self, order: Order) -> Sequence[Outcome]:
        """Take an order and let its fate befall it."""
        with self._lock, self._opened() as database:
            database.execute("BEGIN IMMEDIATE")
            (before,) = database.execute("SELECT count(*) FROM arrival").fetchone()
            fate = self._script[before] if before < len(self._script) else "fill"
            base, quote = _filled(order, fate)
            ends = (str(base), str(quote), self._now_s() + self._latency_s)
            database.execute(
                "INSERT INTO arrival (client_id, fate, base, quote, done_s) VALUES (?, ?, ?, ?, ?)",
                (order.client_id, fate, *ends),
            )
            database.execute("COMMIT")
        self._sleep(self._latency_s)
        if fate in {"timeout", "lost"}:
            raise Unanswered(f"no answer within {self.request_timeout_s:g} s")
        if fate == "reject":
            raise Refused("the venue refuses the order")
        outcome = Outcome(base=base, quote=quote, is_final=True)
        return (outcome, outcome) if fate == "duplicate" else (outcome,)

    def query(self, order: Order) -> Outcome | None:
        """Return what all arrivals of the order's id have done."""
        with self._opened() as database:
            rows = database.execute(
                "SELECT base, quote, done_s FROM arrival WHERE client_id = ? AND fate <> 'lost'",
                (order.client_id,),
            ).fetchall()
        if not rows:
            return None
        done = [row for row in rows if row[2] <= self._now_s()]
        return Outcome(
            base=sum((Fraction(row[0]) for row in done), Fraction(0)),
            quote=sum((Fraction(row[1]) for row in done), Fraction(0)),
            is_final=len(done) == len(rows),
        )

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self._file, timeout=BUSY_S, isolation_level=None)
        try:
            yield database
        except sqlite3.Error as error:
            raise Unanswered(f"the venue's file {self._file}: {error}") from error
        finally:
            database.close()


def _filled(order: Order, fate: str) -> tuple[Fraction, Fraction]:
    """Return base and quote that an order of that fate moves in the end."""
    price = order.reference
    is_allowed = price <= order.limit if order.is_buy else price >= order.limit
    if fate in {"reject", "lost"} or not is_allowed:
        return Fraction(0), Fraction(0)
    kind, _, part = fate.partition(" ")
    base = order.quantity * Fraction(part) if kind == "partial" else order.quantity
    return base, base * price
