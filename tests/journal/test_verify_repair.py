"""Verify reads everything and writes nothing; repair does what the operator accepted."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fondaco.journal.faults import DataInUse, JournalDamaged, RepairRefused
from fondaco.journal.lock import lock_data
from fondaco.journal.repair import repair
from fondaco.journal.verify import Report, verify
from tests.journal.houses import flip, grow, kill, listing, open_house, segments, tail_of
from tests.journal.tiny import TinyExchange, deposit


def verified(data: Path, *, live: bool = False) -> Report:
    return verify(data, live, exchange_factory=TinyExchange)


def a_house(data: Path) -> bytes:
    house = open_house(data, snapshot_every=10**9, segment_bytes=8000)
    grow(house, 20)
    house.snapshot(wait=True)
    grow(house, 20)
    state = house.exchange.state_hash()
    house.close()
    return state


def test_verify_says_what_a_whole_house_holds_and_writes_nothing(tmp_path: Path) -> None:
    """Last seq and state hash are those of the live house; every byte stays."""
    data = tmp_path / "data"
    state = a_house(data)
    before = listing(data)
    report = verified(data)
    assert report.last_seq == 120
    assert report.state_hash == state.hex()
    assert report.snapshots == [60, 120]
    assert report.events_last_seq == 120
    assert report.records == 40
    assert listing(data) == before


def test_verify_reads_a_read_only_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy or a failing disk, mounted read-only, can be checked: nothing is opened to write."""
    data = tmp_path / "data"
    a_house(data)
    real = os.open

    def read_only(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    assert verified(data).last_seq == 120


def test_verify_finds_a_flipped_bit_wherever_it_is(tmp_path: Path) -> None:
    """Journal, snapshots and events: each is named."""
    data = tmp_path / "data"
    a_house(data)
    for folder in ("journal", "snapshots", "events"):
        for path in sorted((data / folder).iterdir()):
            if path.name == "watermark":
                continue
            offset = 4096 + 200 if folder != "snapshots" else tail_of(path) - 3
            flip(path, offset)
            with pytest.raises(JournalDamaged) as caught:
                verified(data)
            assert caught.value.file == str(path)
            flip(path, offset)
    verified(data)


def test_verify_beside_a_running_house_only_if_asked(tmp_path: Path) -> None:
    """Without --live it is status 4."""
    data = tmp_path / "data"
    with lock_data(data):
        house = open_house(data)
        grow(house, 5)
        with pytest.raises(DataInUse):
            verified(data)
        assert verified(data, live=True).last_seq == 15
        house.close()
    assert verified(data).last_seq == 15


def test_verify_of_an_empty_directory_is_not_whole(tmp_path: Path) -> None:
    """There is no journal to be whole."""
    with pytest.raises(JournalDamaged, match="there is no journal here"):
        verified(tmp_path)


def test_a_torn_tail_is_reported_and_left(tmp_path: Path) -> None:
    """It is no damage; the next start cuts it."""
    data = tmp_path / "data"
    a_house(data)
    path = segments(data)[-1]
    path.write_bytes(path.read_bytes()[: tail_of(path) + 64] + b"torn" + bytes(100))
    before = listing(data)
    assert verified(data).torn_bytes >= 4
    assert listing(data) == before


def test_a_cut_says_what_it_loses_and_is_done_only_if_accepted(tmp_path: Path) -> None:
    """The operator reads which acknowledged commands go; what is cut out is kept aside."""
    data = tmp_path / "data"
    a_house(data)
    damaged = segments(data)[-2]
    seq = int(damaged.name[:20])
    flip(damaged, 4096 + 100)
    with pytest.raises(JournalDamaged):
        open_house(data)
    before = listing(data)
    with pytest.raises(
        RepairRefused, match=rf"from seq {seq} .*acknowledged commands, up to seq 120"
    ):
        repair(data, cut_damage=True)
    after = {name: content for name, content in listing(data).items() if name != "lock"}
    assert after == {name: content for name, content in before.items() if name != "lock"}
    content = damaged.read_bytes()
    said = repair(data, cut_damage=True, accept_loss=True)
    assert f"from seq {seq} " in said
    assert content in [path.read_bytes() for path in (data / "cut").iterdir()]
    house = open_house(data)
    assert house.seq == seq - 1
    house.commit([deposit(1)])
    house.close()
    assert verified(data).last_seq == seq


def test_a_lost_watermark_is_made_again_by_a_cut(tmp_path: Path) -> None:
    """Nothing readable goes; what can't be known is said by the halt before."""
    data = tmp_path / "data"
    a_house(data)
    (data / "journal" / "watermark").unlink()
    with pytest.raises(JournalDamaged, match="the watermark is missing"):
        open_house(data)
    repair(data, cut_damage=True, accept_loss=True)
    assert open_house(data).seq == 120


def test_a_whole_journal_is_not_repaired(tmp_path: Path) -> None:
    """There is nothing to cut, and nothing to skip."""
    data = tmp_path / "data"
    a_house(data)
    with pytest.raises(RepairRefused, match="the journal is whole"):
        repair(data, cut_damage=True, accept_loss=True)
    with pytest.raises(RepairRefused, match="say what to repair"):
        repair(data)
    house = open_house(data)
    grow(house, 1)
    kill(house)
    with pytest.raises(RepairRefused, match="replays to its end"):
        repair(data, skip_seqs=[123], exchange_factory=TinyExchange)


def test_a_repair_waits_for_no_running_house(tmp_path: Path) -> None:
    """The lock is held, so it is refused."""
    data = tmp_path / "data"
    a_house(data)
    with lock_data(data), pytest.raises(DataInUse):
        repair(data, cut_damage=True)
