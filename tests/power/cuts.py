"""Power cuts under load: a writer acknowledges commands over a pipe, the power goes, it recovers.

Each cycle is one process: it recovers the house (the recovery of the cut before), tells what it
found, then commits and acknowledges until the power goes. Checked at every recovery:

- no command acknowledged before is missing, and what stands at its seq is that command: the
  chained hash of all commands up to it is the one that was acknowledged;
- the state is that of the journal, read again from its first record;
- the event log reaches as far as the journal;
- nothing halts: a power cut damages nothing.

`sync=False` is the planted bug: a disk whose syncs do nothing. It must be caught.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Final

from fondaco.core.records import split
from fondaco.journal.clock import SystemClock
from fondaco.journal.disk import OsDisk
from fondaco.journal.faults import Halted, JournalDamaged
from fondaco.journal.recovery import open_sequencer
from fondaco.journal.sequencer import Sequencer
from tests.journal.tiny import TinyExchange, deposit, hash_of
from tests.power.mount import Mount

Acknowledged = tuple[int, bytes]  # the last seq, and the chained hash of all commands up to it

__all__ = ["Outcome", "run_cuts"]

CYCLES_PER_HOUSE: Final = 25  # then a new house: reading a journal whole must stay quick
KILLS: Final = 0.4  # so often only the process is killed, perhaps more than once, before a cut
SEGMENT_BYTES: Final = 24 << 10  # small, so that cuts fall into the making of segments too
PREALLOCATE_BYTES: Final = 4 << 10
SNAPSHOT_EVERY: Final = 150
WAIT_S: Final = 30.0
NOTHING: Final[Acknowledged] = (0, bytes(16))
_NOTE: Final = struct.Struct("<cq16s")  # what, seq, chained hash of all commands up to it
_FOUND: Final = b"F"  # recovered: the last seq
_CHECKED: Final = b"C"  # the hash at the seq that was acknowledged last
_ACKNOWLEDGED: Final = b"A"
_DAMAGED: Final = b"D"
_BROKEN: Final = b"B"
_HALTED: Final = b"H"


class SyncingNothing(OsDisk):
    """The planted bug: syncs that return and do nothing."""

    def fdatasync(self, handle: int) -> None:
        """Do nothing."""

    def fsync_directory(self, path: str) -> None:
        """Do nothing."""


@dataclass
class Outcome:
    """What was really done and found."""

    cuts: int = 0
    kills: int = 0  # of the process only: what it left in the cache meets a later cut
    acknowledged: int = 0
    lost: int = 0
    halts: int = 0  # recoveries that refused: false ones, for a cut damages nothing
    wrong: int = 0  # recovered, but not what was acknowledged
    recovered_more: int = 0  # recoveries that found unacknowledged commands too
    counts: dict[str, int] = field(default_factory=dict)
    messages: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def violations(self) -> int:
        """Return how often a promise was broken."""
        return self.lost + self.halts + self.wrong


def run_cuts(cuts: int, *, seed: int, sync: bool = True, point: Path | None = None) -> Outcome:
    """Cut the power so many times and return what was found."""
    outcome = Outcome()
    random = Random(seed)
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="fondaco-power-") as scratch,
        Mount(point or Path(scratch) / "mount") as mount,
    ):
        acknowledged: Acknowledged | None = NOTHING
        for number in range(cuts):
            if number % CYCLES_PER_HOUSE == 0 or acknowledged is None:
                if acknowledged:
                    _cycle(mount, acknowledged, outcome, random, sync=sync, cut=False)
                mount.clear()
                acknowledged = NOTHING
            while acknowledged is not None and random.random() < KILLS:
                acknowledged = _cycle(
                    mount, acknowledged, outcome, random, sync=sync, cut=False, kill=True
                )
            acknowledged = _cycle(
                mount, acknowledged or NOTHING, outcome, random, sync=sync, cut=True
            )
        _cycle(mount, acknowledged or NOTHING, outcome, random, sync=sync, cut=False)
        mount.assert_live()
        outcome.counts = mount.counts()
    outcome.seconds = time.monotonic() - begun
    return outcome


def _cycle(
    mount: Mount,
    acknowledged: Acknowledged,
    outcome: Outcome,
    random: Random,
    *,
    sync: bool,
    cut: bool,
    kill: bool = False,
) -> Acknowledged | None:
    """Recover, check, commit until the power goes; return what was acknowledged last.

    None: the house is beyond recovery, which is counted.
    """
    reader, writer = os.pipe()
    commands_seed = random.getrandbits(32)
    child = os.fork()
    if child == 0:
        os.close(reader)
        _write_house(
            mount.point / "data", writer, acknowledged[0], commands_seed, sync=sync, go_on=cut
        )
    os.close(writer)
    # Some cuts fall into recovery itself, most into the load after it.
    wanted = random.choice((0, 1, random.randint(1, 60)))
    grace_s = random.choice((0.0, 0.0, random.random() * 0.01))
    notes = _Notes(reader)
    if cut or kill:
        notes.wait(wanted if random.random() > 0.1 else -1, grace_s)
    else:
        notes.wait_end()
    if cut:
        mount.cut(random.getrandbits(32))
        outcome.cuts += 1
    outcome.kills += kill
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    notes.drain()
    os.close(reader)
    if cut:
        mount.on()
    return _judge(notes, acknowledged, outcome, finished=not cut and not kill)


class _Notes:
    """What the writer said through the pipe."""

    def __init__(self, reader: int) -> None:
        self.all: list[tuple[bytes, int, bytes]] = []
        self.ended = False
        self._reader = reader
        self._rest = b""

    def acknowledged(self) -> int:
        return sum(note[0] == _ACKNOWLEDGED for note in self.all)

    def wait(self, wanted: int, grace_s: float) -> None:
        """Return after so many acknowledgements and a little time; -1: only the little time."""
        deadline = time.monotonic() + WAIT_S
        while not self.ended and wanted >= 0:
            found = any(note[0] == _FOUND for note in self.all)
            if found and self.acknowledged() >= wanted:
                break
            if time.monotonic() > deadline:
                raise RuntimeError("the writer says nothing")
            self._read(0.5)
        until = time.monotonic() + grace_s
        while not self.ended and (left := until - time.monotonic()) > 0:
            self._read(left)

    def wait_end(self) -> None:
        deadline = time.monotonic() + WAIT_S
        while not self.ended:
            if time.monotonic() > deadline:
                raise RuntimeError("the writer doesn't end")
            self._read(0.5)

    def drain(self) -> None:
        while not self.ended:
            self._read(0.0)

    def _read(self, timeout_s: float) -> None:
        ready, _, _ = select.select([self._reader], [], [], timeout_s)
        if not ready:
            return
        chunk = os.read(self._reader, 65536)
        self.ended = not chunk
        self._rest += chunk
        whole = len(self._rest) - len(self._rest) % _NOTE.size
        self.all.extend(_NOTE.iter_unpack(self._rest[:whole]))
        self._rest = self._rest[whole:]


def _judge(
    notes: _Notes, acknowledged: Acknowledged, outcome: Outcome, *, finished: bool
) -> Acknowledged | None:
    seq, chained = acknowledged
    for what, found_seq, found in notes.all:
        if what == _FOUND:
            outcome.lost += max(0, seq - found_seq)
            outcome.recovered_more += found_seq > seq
        elif what == _CHECKED:
            outcome.wrong += found != chained
        elif what == _ACKNOWLEDGED:
            outcome.acknowledged += found_seq - seq if found_seq > seq else 0
            seq, chained = found_seq, found
        elif what == _DAMAGED:
            outcome.halts += 1
            outcome.messages["halt"] += 1
        elif what == _BROKEN:
            outcome.wrong += 1
    if finished and not any(note[0] == _FOUND for note in notes.all):
        outcome.wrong += 1
    if any(note[0] in {_DAMAGED, _BROKEN} for note in notes.all):
        return None
    return seq, chained


# ---- the writer


def _write_house(
    data: Path, pipe: int, seq: int, commands_seed: int, *, sync: bool, go_on: bool
) -> None:
    """Be the writer process; never returns."""
    try:
        _recover_and_write(data, pipe, seq, commands_seed, sync=sync, go_on=go_on)
    except JournalDamaged:
        if sync:
            _explain()
        _note(pipe, _DAMAGED, 0, bytes(16))
    except AssertionError:
        if sync:
            _explain()
        _note(pipe, _BROKEN, 0, bytes(16))
    except Halted:
        _note(pipe, _HALTED, 0, bytes(16))  # the power is off
    except OSError:
        _note(pipe, _HALTED, 0, bytes(16))
    os._exit(0)


def _explain() -> None:
    traceback.print_exc(file=sys.stderr)


def _note(pipe: int, what: bytes, seq: int, chained: bytes) -> None:
    os.write(pipe, _NOTE.pack(what, seq, chained))


def _recover_and_write(
    data: Path, pipe: int, seq: int, commands_seed: int, *, sync: bool, go_on: bool
) -> None:
    house = open_sequencer(
        data,
        SystemClock(),
        exchange_factory=TinyExchange,
        hash_of=hash_of,
        disk=OsDisk() if sync else SyncingNothing(),
        segment_bytes=SEGMENT_BYTES,
        preallocate_bytes=PREALLOCATE_BYTES,
        snapshot_every=SNAPSHOT_EVERY,
    )
    chained = _check(house, pipe, seq)
    exchange = house.exchange
    assert isinstance(exchange, TinyExchange)
    assert exchange.chain == chained, "the state is not that of the journal"
    assert house.events.last().seq == house.seq, "the event log ends elsewhere"
    _note(pipe, _FOUND, house.seq, chained)
    random = Random(commands_seed)
    while go_on:
        count = random.choice((1, 1, 2, 8, 40))
        house.commit([deposit(random.randint(1, 9)) for _ in range(count)])
        _note(pipe, _ACKNOWLEDGED, house.seq, exchange.chain)
        house.tick()


def _check(house: Sequencer, pipe: int, acknowledged_seq: int) -> bytes:
    """Chain all commands of the journal anew; tell the hash at the acknowledged seq."""
    chained = bytes(16)
    for batch in house.log.read_from(1):
        for seq, command in enumerate(split(batch.payload), batch.first_seq):
            chained = blake2b(chained + command, digest_size=16).digest()
            if seq == acknowledged_seq:
                _note(pipe, _CHECKED, seq, chained)
    return chained
