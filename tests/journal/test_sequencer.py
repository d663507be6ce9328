"""The sequencer: order, time, durability, and the end of them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from fondaco.core.records import Command, pack, split, unpack
from fondaco.journal.clock import TestClock
from fondaco.journal.faults import Halted
from fondaco.journal.file_log import FileLog
from fondaco.journal.sequencer import COMMANDS_PER_BATCH_MAX
from tests.journal.faulty import FaultyDisk
from tests.journal.houses import START_US, grow, kill, open_house
from tests.journal.tiny import TinyExchange, deposit


def test_a_commit_gives_each_command_its_events(tmp_path: Path) -> None:
    """Boundaries cut the events by command; seqs go on without gaps."""
    house = open_house(tmp_path)
    first = house.commit([deposit(5), deposit(6), pack(Command.CANCEL_ALL)])
    second = house.commit([deposit(1)])
    assert (first.first_seq, second.first_seq) == (1, 4)
    assert len(first.boundaries) == 3
    assert first.boundaries[-1] == len(first.events)
    assert [unpack(event)["seq"] for event in split(first.events)] == [1, 2, 3]
    assert house.counters.commits == 2
    assert house.counters.commands == 4
    house.close()


def test_stamps_never_go_back(tmp_path: Path) -> None:
    """A clock that jumps back holds the stamps still until it has caught up."""
    clock = TestClock(START_US)
    house = open_house(tmp_path, clock=clock)
    house.commit([deposit(1)])
    clock.advance(50)
    house.commit([deposit(1)])
    clock._now_us -= 1000
    house.commit([deposit(1)])
    assert house.time_us == START_US + 50
    kill(house)
    house = open_house(tmp_path, clock=TestClock(START_US - 10**9))
    house.commit([deposit(1)])
    assert house.time_us == START_US + 50
    times = [batch.time_us - START_US for batch in house.log.read_from(1)]
    assert times == [0, 50, 50, 50]
    house.close()


def test_a_test_clock_goes_on_where_the_house_stood(tmp_path: Path) -> None:
    """After a restart an advance moves the stamps at once."""
    clock = TestClock(START_US)
    house = open_house(tmp_path, clock=clock)
    clock.advance(10**9)
    house.commit([deposit(1)])
    house.close()
    clock = TestClock(START_US)
    house = open_house(tmp_path, clock=clock)
    clock.advance(7)
    house.commit([deposit(1)])
    assert house.time_us == START_US + 10**9 + 7
    house.close()


def test_bad_framing_is_refused_and_nothing_happened(tmp_path: Path) -> None:
    """A client's fault isn't the house's: the next commit goes on."""
    house = open_house(tmp_path)
    house.commit([deposit(1)])
    for bad in (b"", b"x" * 40, deposit(1)[:-8], deposit(1) + b"\x00" * 8):
        with pytest.raises(ValueError):
            house.commit([deposit(1), bad])
    with pytest.raises(ValueError, match="1 to 4096 commands; got 0"):
        house.commit([])
    with pytest.raises(ValueError, match="got 4097"):
        house.commit([deposit(1)] * (COMMANDS_PER_BATCH_MAX + 1))
    assert house.seq == 1
    assert house.commit([deposit(1)]).first_seq == 2
    house.close()


def test_advance_comes_when_the_deadline_has_passed(tmp_path: Path) -> None:
    """tick() journals ADVANCE when the clock has passed what the core named, and not before."""
    clock = TestClock(START_US)
    house = open_house(tmp_path, clock=clock)
    exchange = house.exchange
    assert isinstance(exchange, TinyExchange)
    assert house.tick() is None
    exchange.next_deadline_us = START_US + 100
    assert house.tick() is None
    clock.advance(100)
    committed = house.tick()
    assert committed is not None
    assert committed.first_seq == 1
    assert house.tick() is None
    (batch,) = house.log.read_from(1)
    assert unpack(batch.payload)["kind"] == Command.ADVANCE
    house.close()


def test_the_watermark_is_synced_after_rest(tmp_path: Path) -> None:
    """5 ms without an append, and it is durable by itself."""

    class Steady(TestClock):
        steady = 0

        def steady_us(self) -> int:
            return self.steady

    clock = Steady(START_US)
    house = open_house(tmp_path, clock=clock)
    log = house.log
    assert isinstance(log, FileLog)
    house.commit([deposit(1)])
    rested = []
    for step_us in (4_999, 1):
        clock.steady += step_us
        house.tick()
        rested.append(log.rested)
    assert rested == [False, True]
    house.close()


@pytest.mark.parametrize("kind", ["pwrite", "fdatasync"])
@pytest.mark.parametrize("after", [1, 2, 3, 4, 5])
def test_no_command_is_acknowledged_after_an_io_error(
    tmp_path: Path, kind: str, after: int
) -> None:
    """Whichever call fails: Halted for ever, and what was acknowledged is there at the start."""
    disk = FaultyDisk(number=errno.EIO)
    house = open_house(tmp_path, disk=disk, snapshot_every=10**9)
    grow(house, 3)
    disk.kind, disk.at = kind, disk.calls[kind] + after
    acknowledged = house.seq
    halted = False
    while not halted:
        try:
            acknowledged = house.commit([deposit(2)]).first_seq
        except Halted:
            halted = True
    assert disk.fired == 1
    disk.kind = ""
    for call in (lambda: house.commit([deposit(2)]), house.tick, lambda: house.query(b"")):
        with pytest.raises(Halted):
            call()
    house.close()
    house = open_house(tmp_path)
    assert house.seq >= acknowledged
    house.close()


def test_a_snapshot_that_cannot_be_written_halts(tmp_path: Path) -> None:
    """A disk that fails one file fails the house."""
    disk = FaultyDisk(number=errno.ENOSPC)
    house = open_house(tmp_path, disk=disk, background=False)
    grow(house, 3)
    disk.kind, disk.at = "pwrite", disk.calls["pwrite"] + 1
    with pytest.raises(Halted, match="writing a snapshot: the disk is full"):
        house.snapshot(wait=True)
    disk.kind = ""
    with pytest.raises(Halted):
        house.commit([deposit(1)])
    house.close()
    assert open_house(tmp_path).seq == 9


def test_a_snapshot_in_the_background_delays_no_commit(tmp_path: Path) -> None:
    """Commits go on while it is written; tick() notices its end."""
    house = open_house(tmp_path, snapshot_every=30)
    grow(house, 30)
    house.snapshot(wait=True)
    assert house.snapshot_seq == 90
    assert house.counters.snapshots >= 1
    house.close()
