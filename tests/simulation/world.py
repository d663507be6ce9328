"""One history: a house on a simulated disk, its clients, and what befalls them, from one seed.

Each step the world commits a batch from its clients, or lets the house rest, snapshot, tick, or
crash. Unanswered commands are sent again after the restart, the same bytes. After every step:

I1-I7  the observer's reading of the events against the core's answers (observer.py)
I8     what was acknowledged is there after a power cut: same seqs, same events, byte for byte
I9     recovered hash = live hash; at the end, hash of a replay from the first command = live hash
I10    a bit flipped in a durable file: the house halts by name, or has lost nothing
I11    after an I/O error nothing is acknowledged any more by that process
I12    one client order id, one order; one row id, one posting
I13, I19 every fourth seed, or each when asked, has robots, and 32 workers that race for them; a
       third of these send many lists (robots.py)
I20    of a list one leg acts, never both; none is left alive (lists.py)
I14-18 every other seed has a feed, a venue, and a worker that crashes with it (outside.py)

Nothing here depends on the machine's clock, hash seed or scheduler.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from fondaco.core.records import Command, Event, Execution, Reason, numbers_of, pack, split, unpack
from fondaco.core.snapshot import hash_of
from fondaco.journal.faults import Halted, JournalDamaged, Poisoned
from fondaco.journal.recovery import open_sequencer
from fondaco.journal.sequencer import Committed, Core, Sequencer
from fondaco.robots.venues import carrying
from fondaco.robots.venues.carrying import Effect
from tests.property.flows import START_US, Flow, ListFlow, OpenOrder, stamp
from tests.property.outside_flows import OutsideFlow
from tests.property.robot_flows import RobotFlow
from tests.simulation.disk import FAULTS, Plan, PowerCut, SimulatedDisk
from tests.simulation.effects import Effects
from tests.simulation.observer import Breach, Observer, require
from tests.simulation.outside import Venue, Worker, venue_orders_of
from tests.simulation.poison import POISON_ENTRY, PoisonedCore, skip_poison
from tests.twin.exchange import Twin

__all__ = ["History", "Settings", "World"]

DATA: Final = "/house"
STEPS_MIN: Final = 200
CRASHES_MIN: Final = 3
STEPS_MAX: Final = 2_000  # far past what three crashes ever took
RECOVERIES_MAX: Final = 50
SEGMENT_BYTES: Final = 24 << 10
PREALLOCATE_BYTES: Final = 8 << 10
PLANNED: Final = [fault for fault in FAULTS if not fault.endswith(("_bytes", "_tail", "_name"))]


def new_core() -> Core:
    """Return the core that this process imports."""
    from fondaco.core.exchange import Exchange

    core: Core = Exchange()
    return core


@dataclass(frozen=True)
class Settings:
    """What a harness may exchange to plant a bug."""

    core: Callable[[], Core] = new_core
    hash_of: Callable[[bytes], bytes] | None = hash_of
    disk: Callable[[Random], SimulatedDisk] = SimulatedDisk
    with_twin: bool = False
    outside: bool | None = None  # with dealer and agency markets; None: every other seed
    robots: bool | None = None  # with robots and workers that race; None: half of the others
    lists: bool | None = None  # with many lists; None: half of those with neither, 1/3 of robots
    segment_bytes: int = SEGMENT_BYTES
    carry: Callable[..., Generator[Effect, Any, None]] = carrying.carry


@dataclass
class History:
    """What a history did; the proof adds them up."""

    seed: int = 0
    steps: int = 0
    commands: int = 0
    crashes: int = 0
    retries: int = 0
    flips: int = 0
    flips_halted: int = 0
    snapshots: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    kinds: Counter[int] = field(default_factory=Counter)
    looks: Counter[str] = field(default_factory=Counter)  # at robots' limits


class _Clock:
    """Stands still until the world moves it; both of the journal's clocks."""

    def __init__(self) -> None:
        self.time_us = START_US

    def now_us(self) -> int:
        """Return the day's time."""
        return self.time_us

    def steady_us(self) -> int:
        """Return the same."""
        return self.time_us


class World:
    """Everything that one seed makes happen."""

    def __init__(self, seed: int, settings: Settings | None = None) -> None:
        """Prepare the house; run() lets time begin."""
        self.settings = settings or Settings()
        self.random = Random(seed)
        self.history = History(seed=seed)
        self.clock = _Clock()
        self.disk = self.settings.disk(Random(seed + 1))
        self.disk.make_root("/")
        self.observer = Observer()
        self.effects = Effects()
        self.worker: Worker | None = None
        self.flow = self._flow(seed, self.settings.outside)
        self.twin = Twin() if self.settings.with_twin else None
        self.unanswered: list[bytes] = []
        self.acknowledged: list[tuple[int, bytes]] = []  # (last seq, events) of each commit
        self.acknowledged_seq = 0
        self.known_seq = 0  # up to which the observer has read
        self.hashes: dict[int, bytes] = {}
        self.records: dict[int, bytes] = {}  # seq -> command, as sent
        self.poisoned = seed % 7 == 0  # this history meets a command that halts the core
        self.sequencer: Sequencer | None = None

    def _flow(self, seed: int, outside: bool | None) -> Flow:
        """Return the clients' wishes; with the outside, its feed's, too, and have a worker."""
        robots = self.settings.robots
        if outside is None and (seed % 4 == 2 if robots is None else robots):
            lists = seed % 3 == 0 if self.settings.lists is None else self.settings.lists
            return RobotFlow(Random(seed + 2), self._open_orders, lists=lists)
        if not (seed % 2 if outside is None else outside):
            lists = seed % 8 == 4 if self.settings.lists is None else self.settings.lists
            return (ListFlow if lists else Flow)(Random(seed + 2), self._open_orders)
        venue = self.observer.outside.venue = Venue(Random(seed + 4))
        self.worker = Worker(
            Random(seed + 3),
            venue,
            self.observer.outside,
            lambda: self.clock.time_us / 1_000_000,
            self.settings.carry,
        )
        flow = OutsideFlow(Random(seed + 2), self._open_orders, self.observer.outside.open_orders)
        return flow.without_venue()

    # ---- a history

    def run(self) -> History:
        """Live through one history; Breach says what did not hold."""
        self.start()
        self.commit(self.flow.opening())
        history = self.history
        while history.steps < STEPS_MIN or history.crashes < CRASHES_MIN:
            self.step()
            history.steps += 1
            require(history.steps < STEPS_MAX, "a history ends", history)
        self.end()
        history.faults = self.disk.fired
        history.kinds = self.observer.kinds
        history.looks = self.observer.robots.looks
        return history

    def step(self) -> None:
        """Let one thing happen."""
        fate = self.random.random()
        self.clock.time_us += self.flow.elapsed_us()
        if fate < 0.08 and self.disk.plan is None:
            self.disk.plan = Plan(self.random.randrange(1, 8), self.random.choice(PLANNED))
        if fate < 0.02:
            self.crash(power=self.random.random() < 0.7)
        elif fate < 0.06:
            self.guard(lambda sequencer: sequencer.snapshot())
        elif fate < 0.12:
            self.clock.time_us += 10_000
            self.guard(lambda sequencer: sequencer.tick())
        elif fate < 0.13:
            self.stop_cleanly()
        elif self.worker is not None and fate < 0.5:
            self.carry(self.worker)
        else:
            self.commit(self.batch())

    def carry(self, worker: Worker) -> None:
        """Let the venue's worker do one thing; what it may send is sent once that is durable."""
        wish = worker.wish(venue_orders_of(self._live().exchange))
        if wish is None:
            self.commit(self.batch())
            return
        crashes = self.history.crashes
        self.commit([wish])
        if self.history.crashes != crashes:
            return
        if not worker.told(split(self.acknowledged[-1][1])[0]):
            return
        fate = self.random.random()
        if fate < 0.1:
            self.crash(power=self.random.random() < 0.7)  # durable as SENT, and never sent
        elif fate < 0.9:
            worker.send()  # or else it stands still, perhaps for too long

    def batch(self) -> list[bytes]:
        """Return what the clients send now: first what was never answered, then new wishes."""
        batch = []
        while self.unanswered and self.random.random() < 0.8:
            batch.append(self.unanswered.pop(0))
            self.history.retries += 1
        batch += [self.flow.next() for _ in range(self.random.choice((1, 1, 2, 3, 5)))]
        batch += self.flow.burst()
        if self.poisoned and self.history.steps > 100:
            self.poisoned = False
            batch.append(pack(Command.DEPOSIT, account=16, asset=1, amount=1, entry=POISON_ENTRY))
        return batch

    def end(self) -> None:
        """Stop, start again, and compare everything once more with a replay from the start."""
        self.disk.plan = None
        self.stop_cleanly()
        sequencer = self._live()
        self.observer.check(sequencer, everything=True)
        if next(iter(sequencer.log.read_from(1))).first_seq != 1:
            return
        core = PoisonedCore(self.settings.core())
        skipped = {unpack(r)["skipped_seq"] for r in self.records.values() if _is_tombstone(r)}
        for batch in sequencer.log.read_from(1):
            kept = [r for r in split(batch.payload) if unpack_seq(r) not in skipped]
            core.apply(b"".join(kept))
            if batch.last_seq in self.hashes:
                live = self.hashes[batch.last_seq]
                require(core.state_hash() == live, "I9 replay hash = live hash", batch.last_seq)

    # ---- committing

    def commit(self, commands: list[bytes]) -> None:
        """Send a batch; believe only what was acknowledged."""
        sequencer = self._live()
        try:
            committed = sequencer.commit(commands)
        except PowerCut:
            self.unanswered = commands + self.unanswered
            self._restart(power=True)
        except Poisoned:
            self.unanswered = [c for c in commands if not _is_poison(c)] + self.unanswered
            self._restart(power=False)
        except Halted:
            self.unanswered = commands + self.unanswered
            self._stay_halted(sequencer)
            self._restart(power=self.random.random() < 0.7)
        else:
            self._believe(committed, commands)

    def _believe(self, committed: Committed, commands: list[bytes]) -> None:
        """Take note of an acknowledged batch and check everything."""
        sequencer = self._live()
        first_seq = committed.first_seq
        require(first_seq == self.known_seq + 1, "seqs have no gaps", first_seq, self.known_seq)
        last_seq = first_seq + len(committed.boundaries) - 1
        self.acknowledged.append((last_seq, committed.events))
        self.acknowledged_seq = last_seq
        self._read(commands, committed.events, committed.boundaries, first_seq)
        self.hashes[last_seq] = sequencer.exchange.state_hash()
        self.observer.check(sequencer)

    def _read(
        self, commands: list[bytes], events: bytes, boundaries: list[int], first_seq: int
    ) -> None:
        """Let the observer, the book of effects and the twin read a run of events."""
        seqs = list(seqs_of(commands, first_seq))
        self.observer.robots.before_batch(commands, seqs)
        self.observer.take(events)
        self.known_seq = seqs[-1]
        require(len(boundaries) == seqs[-1] - first_seq + 1, "an end for each number", first_seq)
        self.history.commands += len(commands)
        start = 0
        for command, seq in zip(commands, seqs, strict=True):
            end = boundaries[seq - first_seq]
            self.records[seq] = command
            self.effects.note(command, events[start:end])
            came = split(events[start:end])
            self.observer.robots.note(command, seq, came)
            self.flow.note(command, came)
            if self.twin is not None and not _is_poison(command):
                stamped = stamp(command, seq, self._live().time_us)
                self._ask_twin(stamped, events[start:end])
            start = end

    def _ask_twin(self, stamped: bytes, events: bytes) -> None:
        assert self.twin is not None
        wanted = b"".join(self.twin.apply_one(stamped))
        require(wanted == events, "the twin says otherwise", wanted.hex(), events.hex())

    def _stay_halted(self, sequencer: Sequencer) -> None:
        """I11: a halted house commits nothing, asks nothing, writes nothing."""
        writes = self.disk.calls["pwrite"], self.disk.calls["fdatasync"]
        for attempt in (lambda: sequencer.commit([pack(Command.ADVANCE)]), sequencer.tick):
            try:
                attempt()
            except Halted:
                continue
            raise Breach("I11: a halted sequencer went on")
        after = self.disk.calls["pwrite"], self.disk.calls["fdatasync"]
        require(writes == after, "I11 a halted house writes nothing", writes, after)

    def guard(self, act: Callable[[Sequencer], Any]) -> None:
        """Do something that isn't a commit, whatever becomes of the disk."""
        sequencer = self._live()
        try:
            done = act(sequencer)
        except PowerCut:
            self._restart(power=True)
        except Halted:
            self._stay_halted(sequencer)
            self._restart(power=self.random.random() < 0.7)
        else:
            if isinstance(done, Committed):
                self._believe(done, [pack(Command.ADVANCE)])

    # ---- stopping and starting

    def start(self) -> None:
        """Open the house the first time."""
        self.sequencer = self._open()

    def stop_cleanly(self) -> None:
        """Close, as SIGTERM does, and start again."""
        try:
            self._live().close()
        except PowerCut:
            self._restart(power=True)
            return
        except Halted:
            pass
        self._restart(power=self.random.random() < 0.5, crash=False)

    def crash(self, *, power: bool) -> None:
        """End the process between two calls of the disk."""
        self._restart(power=power)

    def _restart(self, *, power: bool, crash: bool = True) -> None:
        """Recover, perhaps through further misfortunes, and hold the result against the past."""
        self.history.crashes += crash
        if self.worker is not None:
            self.worker.forget()
        self._lose(power=power)
        for _ in range(RECOVERIES_MAX):
            if self.random.random() < 0.25:
                self.disk.plan = Plan(self.random.randrange(1, 40), self.random.choice(PLANNED))
                self.disk.reads_fail = True
            try:
                self.sequencer = self._open()
            except PowerCut:
                self.history.crashes += 1
                self._lose(power=True)
            except Poisoned as poisoned:
                self.disk.plan = None
                skip_poison(self.disk, DATA, poisoned.seq, self.settings.core)
            except Halted:
                self._lose(power=self.random.random() < 0.5)
            else:
                self.disk.reads_fail = False
                break
        else:
            raise Breach("the house doesn't come up again")
        self.disk.plan = None
        self._compare_with_past()
        if self.random.random() < 0.2:
            self._flip_a_bit()

    def _lose(self, *, power: bool) -> None:
        self.disk.plan = None
        if power:
            self.disk.power_cut()
        else:
            self.disk.kill()

    def _open(self) -> Sequencer:
        return self._open_on(self.disk)

    def _open_on(self, disk: SimulatedDisk) -> Sequencer:
        return open_sequencer(
            DATA,
            self.clock,
            exchange_factory=lambda: PoisonedCore(self.settings.core()),
            hash_of=self.settings.hash_of,
            disk=disk,
            segment_bytes=self.settings.segment_bytes,
            preallocate_bytes=PREALLOCATE_BYTES,
            snapshot_every=150,
            background=False,
        )

    # ---- the past

    def _compare_with_past(self) -> None:
        """I8 and I9: all that was acknowledged is there, and only whole commands more."""
        sequencer = self._live()
        seq = sequencer.seq
        require(
            seq >= self.acknowledged_seq, "I8 acknowledged is there", seq, self.acknowledged_seq
        )
        self._compare_events(sequencer)
        fresh_from = self.known_seq + 1
        for batch in list(sequencer.log.read_from(fresh_from)) if seq >= fresh_from else []:
            self._learn(sequencer, split(batch.payload), batch.first_seq)
        require(self.known_seq == seq, "every durable command was read", self.known_seq, seq)
        found = sequencer.exchange.state_hash()
        live = self.hashes.setdefault(seq, found)
        require(found == live, "I9 recovered hash = live hash", seq)
        self.observer.check(sequencer, everything=True)

    def _learn(self, sequencer: Sequencer, commands: list[bytes], first_seq: int) -> None:
        """Read a batch that is durable but was never answered."""
        (found,) = (b for b in sequencer.events.read_from(first_seq) if b.first_seq == first_seq)
        events = split(found.payload)
        boundaries, at = [], 0
        *_, last_seq = seqs_of(commands, first_seq)
        for seq in range(first_seq, last_seq + 1):
            while events and unpack_seq(events[0]) == seq:
                at += len(events.pop(0))
            boundaries.append(at)
        require(not events, "events belong to their commands", first_seq)
        sent = [record[:8] + bytes(16) + record[24:] for record in commands]
        self._read(sent, found.payload, boundaries, first_seq)

    def _compare_events(self, sequencer: Sequencer) -> None:
        """The event log has what was acknowledged, byte for byte."""
        first = sequencer.events.first_seq()
        wanted = {last: events for last, events in self.acknowledged if last >= first}
        for batch in sequencer.events.read_from(first) if first else ():
            events = wanted.pop(batch.last_seq, batch.payload)
            require(events == batch.payload, "I8 events as acknowledged", batch.last_seq)
        beyond = {last for last in wanted if last > sequencer.events.last().seq}
        require(not beyond, "I8 events are there", beyond)
        require(not wanted, "I8 batches as acknowledged", sorted(wanted))
        if first:
            self.acknowledged = self.acknowledged[-40:]

    def _flip_a_bit(self) -> None:
        """I10: a copy of the durable house with one bit flipped halts by name, or is the same."""
        disk = copy.deepcopy(self.disk)
        if self.random.random() < 0.5:  # the journal alone must notice, without what is derived
            disk.forget(f"{DATA}/events")
            disk.forget(f"{DATA}/snapshots")
        path = self.random.choice([p for p in disk.paths() if disk.durable_bytes(p)])
        size = len(disk.durable_bytes(path))
        disk.kill()
        disk.flip_durable(path, self.random.randrange(size), self.random.randrange(8))
        self.history.flips += 1
        sequencer = self._live()
        try:
            other = self._open_on(disk)
        except JournalDamaged:
            self.history.flips_halted += 1
            return
        same = (other.seq, other.exchange.state_hash()) == (
            sequencer.seq,
            sequencer.exchange.state_hash(),
        )
        require(same, "I10 a flipped bit never shortens the past", path, other.seq, sequencer.seq)

    # ---- small

    def _live(self) -> Sequencer:
        assert self.sequencer is not None
        return self.sequencer

    def _open_orders(self) -> list[OpenOrder]:
        return [
            OpenOrder(o.order_id, o.account, o.instrument, o.remaining, o.client_id, o.list_id)
            for o in self.observer.orders.values()
        ]


def seqs_of(commands: list[bytes], first_seq: int) -> Iterator[int]:
    """Yield the seq of each of a batch's commands: a list takes one more before its own."""
    seq = first_seq - 1
    for command in commands:
        seq += numbers_of(command)
        yield seq


def unpack_seq(record: bytes) -> int:
    """Return the seq in a record's head."""
    return int.from_bytes(record[8:16], "little")


def _is_poison(record: bytes) -> bool:
    if record[0] | record[1] << 8 != Command.DEPOSIT or len(record) < 64:
        return False
    return unpack(record)["entry"] == POISON_ENTRY


def _is_tombstone(record: bytes) -> bool:
    return record[0] | record[1] << 8 == Command.TOMBSTONE


@contextmanager
def told(seed: int, *options: str) -> Iterator[None]:
    """Say how to live through a history again, if it breaks."""
    again = " ".join(("python -m tests.simulation --seed", str(seed), *filter(None, options)))
    try:
        yield
    except Exception as error:
        raise Breach(f"seed {seed} ({again}): {error}") from error


__all__ += ["Event", "Execution", "Reason", "told"]
