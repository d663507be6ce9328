"""Starting is recovering: snapshot, tail, digests, events, poison."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from fondaco.core.records import HEAD_BYTES, Event, split, unpack
from fondaco.journal.disk import OsDisk
from fondaco.journal.faults import (
    ForeignJournal,
    Halted,
    JournalDamaged,
    Poisoned,
    RepairRefused,
    ReplayDiffers,
)
from fondaco.journal.repair import repair
from tests.journal.houses import copy_of, flip, grow, kill, open_house, segments, tail_of
from tests.journal.tiny import POISON, TinyExchange, deposit


def test_a_killed_house_comes_back_as_it_was(tmp_path: Path) -> None:
    """State, seq, time and events after a start equal those before the kill."""
    house = open_house(tmp_path / "data")
    grow(house, 30)
    state, seq, time_us = house.exchange.state_hash(), house.seq, house.time_us
    events = [batch.payload for batch in house.events.read_from(1)]
    kill(house)
    house = open_house(tmp_path / "data")
    assert (house.exchange.state_hash(), house.seq, house.time_us) == (state, seq, time_us)
    assert [batch.payload for batch in house.events.read_from(1)] == events
    house.commit([deposit(1)])
    assert house.seq == seq + 1
    house.close()


def test_snapshot_and_tail_give_the_state_of_a_whole_replay(tmp_path: Path) -> None:
    """Live hash = replayed hash = snapshot + tail hash."""
    data = tmp_path / "data"
    house = open_house(data, snapshot_every=10**9)
    grow(house, 10)
    house.snapshot(wait=True)
    grow(house, 10)
    state = house.exchange.state_hash()
    kill(house)
    without = copy_of(data, "without")
    shutil.rmtree(without / "snapshots")
    for directory in (data, without):
        again = open_house(directory)
        assert again.exchange.state_hash() == state
        assert again.snapshot_seq == (30 if directory == data else 0)
        again.close()


def test_snapshots_are_taken_every_so_many_commands_and_three_are_kept(tmp_path: Path) -> None:
    """Old ones are pruned; a clean stop writes one more."""
    house = open_house(tmp_path / "data", snapshot_every=30, background=False)
    grow(house, 61)
    names = sorted(path.name for path in (tmp_path / "data" / "snapshots").iterdir())
    assert [int(name[:20]) for name in names] == [120, 150, 180]
    house.close()
    names = sorted(path.name for path in (tmp_path / "data" / "snapshots").iterdir())
    assert [int(name[:20]) for name in names] == [150, 180, 183]


def test_a_damaged_snapshot_is_passed_over(tmp_path: Path) -> None:
    """An older snapshot and more of the journal give the same state."""
    data = tmp_path / "data"
    house = open_house(data, snapshot_every=10**9)
    for _ in range(2):
        grow(house, 5)
        house.snapshot(wait=True)
    state = house.exchange.state_hash()
    house.close()
    newest = max((data / "snapshots").iterdir())
    flip(newest, tail_of(newest) - 2)
    house = open_house(data)
    assert house.exchange.state_hash() == state
    assert house.snapshot_seq == 15
    house.close()


def test_removed_events_are_made_again(tmp_path: Path) -> None:
    """The event log is derived: delete it, and the replay gives the same bytes."""
    data = tmp_path / "data"
    house = open_house(data, snapshot_every=20, background=False)
    grow(house, 40)
    events = [tuple(batch) for batch in house.events.read_from(1)]
    house.close()
    shutil.rmtree(data / "events")
    house = open_house(data)
    assert [tuple(batch) for batch in house.events.read_from(1)] == events
    house.close()


@pytest.mark.parametrize("cut", [1, 50, 400, 2000])
def test_a_torn_event_log_is_completed_from_the_journal(tmp_path: Path, cut: int) -> None:
    """It is synced lazily: what a power cut took comes back by replay."""
    data = tmp_path / "data"
    house = open_house(data, snapshot_every=10**9)
    grow(house, 10)
    house.snapshot(wait=True)
    grow(house, 30)
    events = [batch.payload for batch in house.events.read_from(1)]
    kill(house)
    path = max((data / "events").iterdir())
    path.write_bytes(path.read_bytes()[:-cut])
    house = open_house(data)
    assert [batch.payload for batch in house.events.read_from(1)] == events
    house.close()


def test_events_that_a_failed_sync_left_in_the_cache_are_written_again(tmp_path: Path) -> None:
    """All events after the newest snapshot: the next sync then finds them."""
    data = tmp_path / "data"
    house = open_house(data, snapshot_every=10**9)
    grow(house, 200)
    house.snapshot(wait=True)
    grow(house, 200)
    kill(house)
    written: dict[int, int] = {}

    class Watching(OsDisk):
        def pwrite(self, handle: int, payload: bytes | bytearray | memoryview, offset: int) -> int:
            if "/events/" in str(Path(f"/proc/self/fd/{handle}").readlink()):
                written[offset] = len(payload)
            return super().pwrite(handle, payload, offset)

    house = open_house(data, disk=Watching())
    ((offset, length),) = written.items()
    path = max((data / "events").iterdir())
    assert offset + length == path.stat().st_size
    first_after = next(iter(house.events.read_from(601)))
    assert first_after.payload in path.read_bytes()[offset:]
    assert house.events.dirty
    house.close()


def test_every_start_makes_the_names_durable(tmp_path: Path) -> None:
    """A killed process may have made a file whose name nobody synced; the next one does."""
    data = tmp_path / "data"
    house = open_house(data)
    grow(house, 2)
    kill(house)
    synced: list[str] = []

    class Watching(OsDisk):
        def fsync_directory(self, path: str) -> None:
            synced.append(path)
            super().fsync_directory(path)

    house = open_house(data, disk=Watching())
    names = ("", "data", "data/journal", "data/events", "data/snapshots")
    assert {str(tmp_path / name) for name in names} <= set(synced)
    house.close()


def test_events_are_found_by_seq(tmp_path: Path) -> None:
    """Reading from any seq begins at the batch that holds it, across segments."""
    house = open_house(tmp_path / "data", segment_bytes=20_000)
    grow(house, 300, size=2)
    assert len(list((tmp_path / "data" / "events").iterdir())) > 3
    for seq in (1, 2, 3, 150, 299, 300, 301, 599, 600):
        batches = list(house.events.read_from(seq))
        assert batches[0].first_seq <= seq <= batches[0].last_seq
        assert batches[-1].last_seq == 600
        assert len(batches) == 300 - (seq - 1) // 2
    assert list(house.events.read_from(601)) == []
    house.close()


def test_events_ahead_of_the_journal_halt(tmp_path: Path) -> None:
    """The event log is never ahead; if it is, the journal has lost something."""
    data = tmp_path / "data"
    house = open_house(data)
    grow(house, 5)
    kill(house)
    before = copy_of(data, "before")
    house = open_house(data)
    grow(house, 1)
    kill(house)
    shutil.rmtree(data / "journal")
    shutil.copytree(before / "journal", data / "journal")
    with pytest.raises(JournalDamaged, match="the journal ends before seq 18"):
        open_house(data)


def test_a_journal_that_is_gone_is_not_begun_anew(tmp_path: Path) -> None:
    """Events or snapshots without a journal are no new house."""
    data = tmp_path / "data"
    house = open_house(data)
    grow(house, 5)
    house.close()
    shutil.rmtree(data / "journal")
    with pytest.raises(JournalDamaged, match="the journal is gone"):
        open_house(data)


def test_another_houses_journal_is_refused(tmp_path: Path) -> None:
    """Events, snapshots and journal must be of one house."""
    for name in ("one", "two"):
        house = open_house(tmp_path / name)
        grow(house, 5)
        house.close()
    shutil.rmtree(tmp_path / "one" / "journal")
    shutil.copytree(tmp_path / "two" / "journal", tmp_path / "one" / "journal")
    with pytest.raises(ForeignJournal, match="another house wrote this"):
        open_house(tmp_path / "one")


def test_damage_before_the_snapshot_halts_too(tmp_path: Path) -> None:
    """A start checks older records than it needs, while a copy may still exist."""
    data = tmp_path / "data"
    house = open_house(data)
    grow(house, 20)
    house.close()
    flip(segments(data)[0], 4096 + 300)
    with pytest.raises(JournalDamaged, match="an acknowledged record is damaged"):
        open_house(data)


def test_a_replay_that_makes_other_events_stops_at_that_seq(tmp_path: Path) -> None:
    """A core that changes outcomes can't replay what another one journaled."""
    data = tmp_path / "data"
    house = open_house(data)
    grow(house, 5)
    kill(house)
    shutil.rmtree(data / "events")

    def changed() -> TinyExchange:
        exchange = TinyExchange()
        exchange.fee = 1
        return exchange

    with pytest.raises(ReplayDiffers, match="seq 3: the replay makes events"):
        open_house(data, exchange_factory=changed)


def test_a_poisoned_command_halts_is_skipped_and_replays(tmp_path: Path) -> None:
    """It is journaled, halts now and at every start, and a tombstone passes over it."""
    data = tmp_path / "data"
    house = open_house(data)
    grow(house, 4)
    with pytest.raises(
        Poisoned, match=r"seq 14 halts the house .* `fondaco repair --skip 14"
    ) as it:
        house.commit([deposit(1), deposit(POISON), deposit(3)])
    assert it.value.seq == 14
    with pytest.raises(Poisoned):
        house.commit([deposit(1)])
    with pytest.raises(Poisoned):
        house.tick()
    kill(house)
    for _ in range(2):
        with pytest.raises(Poisoned, match="seq 14 halts the house"):
            open_house(data)
    with pytest.raises(RepairRefused, match="only a command of the last batch"):
        repair(data, skip_seqs=[3], exchange_factory=TinyExchange)
    with pytest.raises(RepairRefused, match="seq 14 halts the house too"):
        repair(data, skip_seqs=[13], exchange_factory=TinyExchange)
    said = repair(data, skip_seqs=[14], reason=7, exchange_factory=TinyExchange)
    assert said == "seq 14 is passed over from now on; start the house"
    house = open_house(data)
    assert house.seq == 16
    *_, batch, tombstone = house.events.read_from(1)
    assert [unpack(event)["seq"] for event in split(batch.payload)] == [13, 15]
    (skipped,) = split(tombstone.payload)
    assert unpack(skipped)["kind"] == Event.SKIPPED
    assert struct.unpack_from("<q", skipped, HEAD_BYTES) == (14,)
    grow(house, 3)
    state = house.exchange.state_hash()
    kill(house)
    shutil.rmtree(data / "events")
    house = open_house(data)
    assert house.exchange.state_hash() == state
    house.close()
    with pytest.raises(RepairRefused):
        repair(data, skip_seqs=[house.seq], exchange_factory=TinyExchange)


def test_a_poisoned_batch_right_after_a_snapshot_is_skipped(tmp_path: Path) -> None:
    """The tombstone's digest is made from the snapshot's state, though nothing lies between."""
    data = tmp_path / "data"
    house = open_house(data)
    grow(house, 4)
    house.snapshot(wait=True)
    with pytest.raises(Poisoned):
        house.commit([deposit(1), deposit(POISON), deposit(2)])
    kill(house)
    repair(data, skip_seqs=[14], exchange_factory=TinyExchange)
    house = open_house(data)
    assert house.seq == 16
    state = house.exchange.state_hash()
    kill(house)
    shutil.rmtree(data / "snapshots")
    shutil.rmtree(data / "events")
    house = open_house(data)
    assert house.exchange.state_hash() == state
    house.close()


def test_two_poisoned_commands_are_skipped_together(tmp_path: Path) -> None:
    """Also when nothing of the batch is left, and after a snapshot."""
    data = tmp_path / "data"
    house = open_house(data)
    grow(house, 4)
    house.snapshot(wait=True)
    with pytest.raises(Poisoned):
        house.commit([deposit(POISON), deposit(POISON)])
    kill(house)
    with pytest.raises(RepairRefused, match="seq 14 halts the house too"):
        repair(data, skip_seqs=[13], exchange_factory=TinyExchange)
    repair(data, skip_seqs=[13, 14], exchange_factory=TinyExchange)
    house = open_house(data)
    assert house.seq == 16
    house.close()


def test_a_halted_house_lets_go_without_writing(tmp_path: Path) -> None:
    """close() after a halt takes no snapshot and raises nothing."""
    house = open_house(tmp_path / "data")
    with pytest.raises(Halted):
        house.commit([deposit(POISON)])
    house.close()
    assert list((tmp_path / "data" / "snapshots").iterdir()) == []
