"""One venue's worker: finds its orders, carries them, a thread for each request outside.

Promises: one worker process carries a venue's orders at a time (a lease; a hint only: what is sent
once is the core's to say). Orders are found by VENUE_ORDERS at each start and by their events
after; what a lost connection or a crash left half done is found again and goes on. At most
PLACING_MAX orders are under way outside at once, and the rest stay PENDING. A venue that fails, or
can't be made, is told on stderr and tried again; it stops nobody else, and no start of the house.
"""

from __future__ import annotations

import heapq
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from django.db import DatabaseError, close_old_connections, connections

from fondaco.core.records import Command, Event, Query, Reason, VenueStatus, pack, split, unpack
from fondaco.house.declared import House, VenueEntry
from fondaco.link.address import writer_socket
from fondaco.link.answers import LinkError
from fondaco.link.blocking import BlockingClient, Subscription
from fondaco.robots import services
from fondaco.robots.holding import Held, while_held
from fondaco.robots.venues import carrying
from fondaco.robots.venues.carrying import Effect, Tell, Wait, carry, is_disputed, perform
from fondaco.robots.venues.catalogue import Catalogue
from fondaco.robots.venues.ccxt_venue import CcxtVenue, settings_of
from fondaco.robots.venues.mark import house_mark
from fondaco.robots.venues.port import Refused, Unanswered, Venue
from fondaco.robots.venues.simulated import SimulatedVenue

__all__ = ["VenueBroken", "VenueWorker", "make_venue", "start_all"]

PLACING_MAX: Final = 8  # orders that are with the venue and unanswered
ASKING_MAX: Final = 4  # questions likewise
POLL_S: Final = 0.05
RETRY_S: Final = 1.0
LOOK_AGAIN_S: Final = 30.0  # for what nobody carries
KINDS: Final = {int(Event.ASSET), int(Event.INSTRUMENT), int(Event.VENUE_ORDER)}
Request = carrying.Place | carrying.Query


class VenueBroken(Exception):
    """A venue that can't be made as declared: one sentence that says what to do."""


def make_venue(entry: VenueEntry, data_dir: Path) -> Venue:
    """Return the venue that a house file declares. Raises VenueBroken."""
    if entry.kind == "simulated":
        file = data_dir / "venues" / f"{entry.name}.sqlite3"
        return SimulatedVenue(file, latency_s=entry.latency_s, script=entry.script)
    if find_spec("ccxt") is None:
        raise VenueBroken("ccxt is not installed; install fondaco[venues]")
    return CcxtVenue(entry.exchange, settings_of(entry.name))


def start_all(house: House, data_dir: Path, stop: threading.Event) -> list[threading.Thread]:
    """Start a thread for each venue of the house; each ends soon after `stop`."""
    threads = []
    for entry in house.venues:
        client = BlockingClient(writer_socket(data_dir), role="worker")
        worker = VenueWorker(entry.name, client, partial(make_venue, entry, data_dir))
        name = f"venue {entry.name}"
        threads.append(threading.Thread(target=worker.run, args=(stop,), name=name, daemon=True))
        threads[-1].start()
    return threads


class VenueWorker:
    """Carries the orders of one venue until told to stop."""

    def __init__(
        self,
        name: str,
        client: BlockingClient,
        make: Callable[[], Venue],
        *,
        before: Callable[[int, Effect], None] = lambda _number, _effect: None,
    ) -> None:
        """`before` hears of each order's number and what is about to be done for it."""
        self._name = name
        self._client = client
        self._make = make
        self._before = before
        self._venue: Venue | None = None
        self._catalogue: Catalogue | None = None
        self._live: dict[int, Generator[Effect, Any, None]] = {}
        self._pending: deque[carrying.Carried] = deque()
        self._placing: set[int] = set()
        self._asking = 0
        self._questions: deque[tuple[int, Request]] = deque()
        self._waits: list[tuple[float, int]] = []
        self._answers: queue.SimpleQueue[tuple[int, Request, object]] = queue.SimpleQueue()
        self._look_at_s = 0.0

    # ---- its life

    def run(self, stop: threading.Event) -> None:
        """Carry orders whenever no other worker does."""
        try:
            while_held(f"venue {self._name}", stop, self._hold)
        finally:
            self._client.close()
            connections.close_all()

    def _hold(self, held: Held) -> None:
        """Carry while the lease is ours; what goes wrong is told and tried again."""
        while not held.is_set():
            try:
                self._serve(held)
            except (LinkError, OSError, DatabaseError, VenueBroken, Unanswered) as error:
                self._note(str(error))
                held.wait(RETRY_S)

    def _serve(self, held: Held) -> None:
        """Carry until the connection or the lease is lost."""
        close_old_connections()
        self._venue = self._venue or self._make()
        with self._client.subscribe(-1) as subscription:
            self._look()
            while not held.is_set():
                self._follow(subscription)
                self._turn()

    def _note(self, text: str) -> None:
        print(f"fondaco: venue {self._name}: {text}", file=sys.stderr, flush=True)  # noqa: T201

    # ---- finding orders

    def _look(self) -> None:
        """Read the definitions and the orders that are not done; carry what nobody carries."""
        self._look_at_s = time.monotonic() + LOOK_AGAIN_S
        self._catalogue = Catalogue(self._name, house_mark())
        for record in split(bytes(self._client.query(pack(Query.DEFINITIONS)).records)):
            self._catalogue.define(_kind(record), record)
        for record in split(bytes(self._client.query(pack(Query.VENUE_ORDERS)).records)):
            if _kind(record) == Event.VENUE_ORDER:
                self._find(unpack(record))

    def _follow(self, subscription: Subscription) -> None:
        """Take in what has happened."""
        assert self._catalogue is not None
        commit = subscription.next(POLL_S)
        while commit is not None:
            words = memoryview(commit.events).cast("q")
            place = 0
            while place < len(words):
                head = words[place]
                if head & 0xFFFF in KINDS:
                    record = commit.events[place << 3 : (place << 3) + (head >> 32)]
                    if head & 0xFFFF == Event.VENUE_ORDER:
                        self._find(unpack(record))
                    else:
                        self._catalogue.define(head & 0xFFFF, record)
                place += head >> 35
            commit = subscription.next(0)

    def _find(self, words: dict[str, int]) -> None:
        """Carry an order, unless it is done or somebody here carries it."""
        assert self._catalogue is not None
        carried = self._catalogue.carried(words)
        number = words["venue_order"]
        if carried is None or carried.status == VenueStatus.CONFIRMED or number in self._live:
            return
        if carried.status == VenueStatus.PENDING:
            if all(number != each.number for each in self._pending):
                self._pending.append(carried)
        elif number not in self._placing:
            self._begin(carried)

    def _begin(self, carried: carrying.Carried) -> None:
        assert self._venue is not None
        self._live[carried.number] = carry(
            carried,
            request_timeout_s=self._venue.request_timeout_s,
            now_s=time.monotonic,
            note=self._note,
        )
        self._step(carried.number, None)

    # ---- carrying

    def _turn(self) -> None:
        """Do everything that is due."""
        while not self._answers.empty():
            number, request, answer = self._answers.get()
            if isinstance(request, carrying.Query):
                self._asking -= 1
            else:
                self._placing.discard(number)
            self._step(number, answer)
        while self._waits and self._waits[0][0] <= time.monotonic():
            _, number = heapq.heappop(self._waits)
            self._step(number, None)
        while self._pending and len(self._placing) < PLACING_MAX:
            carried = self._pending.popleft()
            self._placing.add(carried.number)
            self._begin(carried)
        while self._questions and self._asking < ASKING_MAX:
            self._asking += 1
            self._request(*self._questions.popleft())
        if time.monotonic() >= self._look_at_s:
            self._look()

    def _step(self, number: int, answer: object) -> None:
        """Go on with an order, up to where it waits. A lost answer of the core lets it be."""
        steps = self._live.get(number)
        if steps is None:
            return
        try:
            while True:
                if isinstance(answer, Refused | Unanswered):
                    effect = steps.throw(answer)
                else:
                    effect = steps.send(answer)
                self._before(number, effect)
                if not isinstance(effect, Tell):
                    break
                answer = split(self._client.submit(effect.record))[0]
                self._heed(number, effect.record, answer)
        except StopIteration:
            self._forget(number)
            return
        except LinkError:
            self._forget(number)
            self._look_at_s = time.monotonic() + RETRY_S
            raise
        if isinstance(effect, Wait):
            heapq.heappush(self._waits, (time.monotonic() + effect.seconds, number))
        elif isinstance(effect, carrying.Place):
            self._request(number, effect)
        else:
            self._questions.append((number, effect))

    def _heed(self, number: int, command: bytes, event: bytes) -> None:
        """Keep a report that the core doesn't believe, for staff to see and to settle."""
        if _kind(command) != Command.VENUE_REPORT or _kind(event) != Event.REFUSED:
            return
        report, refusal = unpack(command), Reason(unpack(event)["reason"])
        if not is_disputed(refusal, is_final=report["is_final"] == 1):
            return
        try:
            services.dispute(
                self._name,
                number,
                reason=refusal.name,
                filled_base=report["filled_base"],
                filled_quote=report["filled_quote"],
                is_final=report["is_final"] == 1,
                now_us=time.time_ns() // 1000,
            )
        except DatabaseError as error:  # it is told again with the next answer
            self._note(str(error))
            connections.close_all()

    def _forget(self, number: int) -> None:
        self._live.pop(number).close()
        self._placing.discard(number)

    def _request(self, number: int, request: Request) -> None:
        """Ask the venue in a thread of its own, which dies with the process."""
        name = f"venue {self._name} {number}"
        threading.Thread(target=self._ask, args=(number, request), name=name, daemon=True).start()

    def _ask(self, number: int, request: Request) -> None:
        assert self._venue is not None
        # If the adapter fails in another way, the thread says so; what it did is unknown.
        answer: object = Unanswered("the venue's adapter failed")
        try:
            answer = perform(self._venue, request, time.monotonic)
        except (Refused, Unanswered) as error:
            answer = error
        finally:
            self._answers.put((number, request, answer))


def _kind(record: bytes) -> int:
    return int.from_bytes(record[:2], "little")
