"""The file log: what it keeps, what it cuts, and where it halts."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import pytest

from fondaco.journal.faults import ForeignJournal, Halted, JournalDamaged, WrongVersion
from fondaco.journal.file_log import FileLog
from fondaco.journal.framing import HEAD_BYTES, find_head, read_head
from fondaco.journal.segments import SEGMENT_HEAD_BYTES, segment_name
from tests.journal.faulty import FaultyDisk
from tests.journal.houses import flip, listing, tail_of


def a_log(directory: Path, disk: FaultyDisk | None = None, **sizes: int) -> FileLog:
    sizes.setdefault("preallocate_bytes", 1024)
    log = FileLog(str(directory), disk, **sizes)
    log.open()
    return log


def put(log: FileLog, payload: bytes, *, commands: int = 1) -> None:
    first = log.last().seq + 1
    log.append(
        payload, first_seq=first, last_seq=first + commands - 1, time_us=first, events_digest=7
    )


def payloads(log: FileLog, seq: int = 1) -> list[bytes]:
    return [batch.payload for batch in log.read_from(seq)]


def letters(count: int) -> list[bytes]:
    return [bytes([65 + number % 26]) * (8 * (number % 9 + 1)) for number in range(count)]


def filled(directory: Path, count: int, *, segment_bytes: int = 1 << 20) -> list[bytes]:
    """Write some records and close, as a clean stop does."""
    log = a_log(directory, segment_bytes=segment_bytes)
    for payload in letters(count):
        put(log, payload)
    log.close()
    return letters(count)


def last_segment(directory: Path) -> Path:
    return max(directory.glob("*.segment"))


def test_batches_come_back_in_order_with_their_stamps(tmp_path: Path) -> None:
    """What was appended is read again after a new start: payload, seqs, time, digests."""
    written = filled(tmp_path / "journal", 20)
    log = a_log(tmp_path / "journal")
    batches = list(log.read_from(1))
    assert [batch.payload for batch in batches] == written
    assert [(batch.first_seq, batch.time_us) for batch in batches] == [
        (number, number) for number in range(1, 21)
    ]
    assert {batch.events_digest for batch in batches} == {7}
    assert log.last().seq == 20
    assert log.last().digest == batches[-1].digest
    put(log, b"more")
    assert payloads(log, 21) == [b"more"]
    log.close()


def test_reading_begins_at_the_batch_that_holds_the_seq(tmp_path: Path) -> None:
    """A seq inside a batch of many gives that batch first."""
    log = a_log(tmp_path / "journal")
    put(log, b"one", commands=5)
    put(log, b"two", commands=5)
    assert payloads(log, 5) == [b"one", b"two"]
    assert payloads(log, 6) == [b"two"]
    assert payloads(log, 11) == []
    log.close()


def test_a_full_segment_is_followed_by_another(tmp_path: Path) -> None:
    """Segments are named after their first seq, chained, and read as one log."""
    directory = tmp_path / "journal"
    written = filled(directory, 60, segment_bytes=SEGMENT_HEAD_BYTES + 1000)
    names = [path.name for path in sorted(directory.glob("*.segment"))]
    assert len(names) > 5
    assert names[0] == segment_name(1)
    log = a_log(directory)
    assert payloads(log) == written
    log.close()


def test_a_batch_larger_than_a_segment_gets_one_of_its_own(tmp_path: Path) -> None:
    """Segment size bounds no batch."""
    log = a_log(tmp_path / "journal", segment_bytes=SEGMENT_HEAD_BYTES + 1000)
    put(log, b"small")
    put(log, b"x" * 5000)
    put(log, b"small")
    log.close()
    log = a_log(tmp_path / "journal")
    assert [len(payload) for payload in payloads(log)] == [5, 5000, 5]
    log.close()


def test_the_directory_holds_segments_and_watermark_and_nothing_else(tmp_path: Path) -> None:
    """Nothing else is ever there, and what somebody else put there is named and refused."""
    directory = tmp_path / "journal"
    filled(directory, 3)
    assert sorted(path.name for path in directory.iterdir()) == [segment_name(1), "watermark"]
    (directory / "notes.txt").write_text("mine")
    with pytest.raises(ForeignJournal, match=r"notes\.txt at byte 0, seq 0: Fondaco wrote no such"):
        a_log(directory)


@pytest.mark.parametrize("kept", [0, 1, 15, 16, 40, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 3])
def test_a_torn_tail_that_was_never_acknowledged_is_cut(tmp_path: Path, kept: int) -> None:
    """A record that was being written when the power went is cut, wherever it tore."""
    directory = tmp_path / "journal"
    written = filled(directory, 5)
    path = last_segment(directory)
    whole = path.read_bytes()
    mark = (directory / "watermark").read_bytes()
    log = a_log(directory)
    put(log, b"unanswered......")
    end = len(path.read_bytes().rstrip(b"\x00"))
    log.close()
    start = end - HEAD_BYTES - 16
    torn = path.read_bytes()[: start + kept]
    path.write_bytes(torn + bytes(len(whole) - len(torn)))
    (directory / "watermark").write_bytes(mark)
    log = a_log(directory)
    assert payloads(log) == written
    put(log, b"next")
    log.close()
    log = a_log(directory)
    assert payloads(log) == [*written, b"next"]
    log.close()


def test_every_flipped_byte_of_a_rested_journal_halts_or_loses_nothing(tmp_path: Path) -> None:
    """No byte of the records can change unnoticed; those that no record covers lose nothing."""
    directory = tmp_path / "journal"
    written = filled(directory, 6)
    path = last_segment(directory)
    halts = 0
    for offset in (*range(0, 72, 3), *range(SEGMENT_HEAD_BYTES, tail_of(path))):
        flip(path, offset, offset % 8)
        before = listing(directory)
        log = FileLog(str(directory), preallocate_bytes=1024)
        damage = None
        try:
            log.open()
        except JournalDamaged as found:
            damage = found
        if damage is None:
            assert payloads(log) == written, offset
        else:
            halts += 1
            assert damage.file == str(path)
            assert listing(directory) == before
        log.close()
        flip(path, offset, offset % 8)
    records = tail_of(path) - SEGMENT_HEAD_BYTES
    assert halts >= records - 8 * len(written)  # but padding


def test_the_watermark_tells_a_damaged_last_record_from_a_torn_one(tmp_path: Path) -> None:
    """After rest, a flip in the last record halts and names file, byte and seq."""
    directory = tmp_path / "journal"
    filled(directory, 3)
    path = last_segment(directory)
    offset = tail_of(path) - 1
    flip(path, offset)
    with pytest.raises(JournalDamaged) as caught:
        a_log(directory)
    damage = caught.value
    assert damage.file == str(path)
    assert damage.seq == 3
    assert SEGMENT_HEAD_BYTES < damage.offset < offset
    assert str(damage).startswith(f"journal damaged: {path} at byte {damage.offset}, seq 3: ")


def test_the_watermark_covers_a_record_as_soon_as_it_is_acknowledged(tmp_path: Path) -> None:
    """A killed process leaves a mark of its last batch: a flip in it halts."""
    directory = tmp_path / "journal"
    log = a_log(directory)
    put(log, b"only one")
    log._disk.close(log._handle)
    flip(last_segment(directory), SEGMENT_HEAD_BYTES + HEAD_BYTES)
    with pytest.raises(JournalDamaged, match="seq 1: an acknowledged record is damaged"):
        a_log(directory)


def test_a_whole_record_after_a_bad_one_halts_without_a_watermark_to_help(tmp_path: Path) -> None:
    """Even if the durable watermark is old, what follows proves that the bad one was durable."""
    directory = tmp_path / "journal"
    log = a_log(directory)
    log.close()
    old = (directory / "watermark").read_bytes()
    filled(directory, 3)
    (directory / "watermark").write_bytes(old)
    flip(last_segment(directory), SEGMENT_HEAD_BYTES + HEAD_BYTES)
    with pytest.raises(JournalDamaged, match="seq 1: an acknowledged record is damaged"):
        a_log(directory)


def test_a_whole_head_is_proof_even_if_its_own_payload_is_torn(tmp_path: Path) -> None:
    """A record begins only after the one before is durable."""
    directory = tmp_path / "journal"
    log = a_log(directory)
    log.close()
    old = (directory / "watermark").read_bytes()
    filled(directory, 2)
    (directory / "watermark").write_bytes(old)
    path = last_segment(directory)
    flip(path, tail_of(path) - 1)  # the second is torn
    flip(path, SEGMENT_HEAD_BYTES + HEAD_BYTES)  # and the first is damaged
    with pytest.raises(JournalDamaged, match="seq 1: an acknowledged record is damaged"):
        a_log(directory)


def test_a_missing_segment_halts(tmp_path: Path) -> None:
    """First, middle or last: a segment that is gone is missed."""
    directory = tmp_path / "journal"
    filled(directory, 40, segment_bytes=SEGMENT_HEAD_BYTES + 1000)
    paths = sorted(directory.glob("*.segment"))
    for path in (paths[0], paths[2], paths[-1]):
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(JournalDamaged):
            a_log(directory)
        path.write_bytes(content)
    log = a_log(directory)
    assert len(payloads(log)) == 40
    log.close()


def test_all_segments_gone_is_not_a_new_house(tmp_path: Path) -> None:
    """The watermark remembers that there was something."""
    directory = tmp_path / "journal"
    filled(directory, 3)
    last_segment(directory).unlink()
    with pytest.raises(JournalDamaged, match="the segments up to seq 3 are gone"):
        a_log(directory)


def test_a_missing_or_ruined_watermark_halts(tmp_path: Path) -> None:
    """Without it a damaged end could not be told from a torn one."""
    directory = tmp_path / "journal"
    filled(directory, 3)
    watermark = directory / "watermark"
    watermark.write_bytes(b"\x00" * 8192)
    with pytest.raises(JournalDamaged, match="the watermark is damaged"):
        a_log(directory)
    watermark.unlink()
    with pytest.raises(JournalDamaged, match="the watermark is missing"):
        a_log(directory)


def test_one_bad_slot_of_the_watermark_loses_nothing(tmp_path: Path) -> None:
    """Either of its two slots may be torn."""
    directory = tmp_path / "journal"
    written = filled(directory, 4)
    for offset in (50, 4096 + 50):
        flip(directory / "watermark", offset)
        log = a_log(directory)
        assert payloads(log) == written
        log.close()


@pytest.mark.parametrize("slot", [0, 4096])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 6])
def test_a_start_that_fails_never_tears_the_only_whole_slot(
    tmp_path: Path, slot: int, at: int
) -> None:
    """One slot torn by a power cut, then a write of the recovery tears: the next start goes."""
    directory = tmp_path / "journal"
    written = filled(directory, 4)
    ruined = bytearray((directory / "watermark").read_bytes())
    ruined[slot : slot + 96] = b"\xff" * 96
    (directory / "watermark").write_bytes(ruined)
    log = FileLog(str(directory), FaultyDisk("pwrite", at=at))
    with contextlib.suppress(Halted):
        log.open()
    log.close()
    log = a_log(directory)
    assert payloads(log) == written
    log.close()


def test_a_segment_whose_creation_was_cut_short_is_made_again(tmp_path: Path) -> None:
    """An unfinished head with nothing after it was never used."""
    directory = tmp_path / "journal"
    written = filled(directory, 4)
    for content in (b"", b"\x00" * 4096, b"FONDACO\x00" + bytes(100)):
        (directory / segment_name(5)).write_bytes(content)
        log = a_log(directory)
        assert payloads(log) == written
        assert not (directory / segment_name(5)).exists()
        log.close()


def test_a_creation_that_was_cut_short_at_the_very_beginning_starts_anew(tmp_path: Path) -> None:
    """Before the first segment there is nothing to lose."""
    directory = tmp_path / "journal"
    directory.mkdir()
    (directory / "watermark").write_bytes(b"FONDA")
    log = a_log(directory)
    put(log, b"first")
    log.close()


def test_a_cut_that_came_back_below_a_later_segment_is_no_damage(tmp_path: Path) -> None:
    """Bytes that the next segment's chain passes over were never acknowledged: none is lost."""
    directory = tmp_path / "journal"
    written = filled(directory, 20, segment_bytes=1024)
    first = min(directory.glob("*.segment"))
    content = bytearray(first.read_bytes())
    end = tail_of(first)
    content[end:] = b"\xff" * max(64, len(content) - end)
    first.write_bytes(content)
    log = a_log(directory, segment_bytes=1024)
    assert payloads(log) == written
    log.close()
    flip(first, end - 1)
    with pytest.raises(JournalDamaged, match="an acknowledged record is damaged"):
        a_log(directory, segment_bytes=1024)


def test_another_houses_segment_is_refused(tmp_path: Path) -> None:
    """Each file carries the number of its house."""
    filled(tmp_path / "one", 3)
    filled(tmp_path / "two", 3)
    name = segment_name(1)
    (tmp_path / "one" / name).write_bytes((tmp_path / "two" / name).read_bytes())
    with pytest.raises(ForeignJournal, match="another house wrote this"):
        a_log(tmp_path / "one")


def test_an_older_copy_of_the_segment_is_refused(tmp_path: Path) -> None:
    """The watermark knows the digest of what was durable; a shorter journal halts."""
    directory = tmp_path / "journal"
    filled(directory, 3)
    path = last_segment(directory)
    old = path.read_bytes()
    log = a_log(directory)
    put(log, b"more")
    log.close()
    path.write_bytes(old)
    with pytest.raises(JournalDamaged, match="up to seq 4 are gone"):
        a_log(directory)


def test_a_format_of_another_version_names_both(tmp_path: Path) -> None:
    """What this program can't read it doesn't guess."""
    import struct
    from hashlib import blake2b

    directory = tmp_path / "journal"
    filled(directory, 1)
    path = last_segment(directory)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 8, 9)
    content[56:72] = blake2b(content[:56], digest_size=16).digest()
    path.write_bytes(content)
    with pytest.raises(WrongVersion, match="format version 9, this program reads 1"):
        a_log(directory)


def test_a_short_write_is_continued(tmp_path: Path) -> None:
    """The disk may take less than it was given."""
    disk = FaultyDisk("short")
    log = a_log(tmp_path / "journal", disk)
    for payload in letters(5):
        put(log, payload)
    log.close()
    assert disk.fired > 5
    log = a_log(tmp_path / "journal")
    assert payloads(log) == letters(5)
    log.close()


@pytest.mark.parametrize(
    "kind, number, said",
    [
        ("pwrite", errno.ENOSPC, "the disk is full; free some space and start again"),
        ("pwrite", errno.EIO, "the disk reports an input/output error"),
        ("fdatasync", errno.EIO, "the disk reports an input/output error"),
        ("fdatasync", errno.EDQUOT, "the disk quota is used up"),
        ("pwrite", errno.EROFS, "the file system is read-only"),
    ],
)
def test_a_failing_disk_halts_for_ever_and_is_never_asked_again(
    tmp_path: Path, kind: str, number: int, said: str
) -> None:
    """No retry: after a failed sync the kernel may call lost pages clean."""
    directory = tmp_path / "journal"
    written = filled(directory, 3)
    disk = FaultyDisk(number=number)
    log = a_log(directory, disk)
    disk.kind, disk.at = kind, disk.calls.get(kind, 0) + 1
    with pytest.raises(Halted, match=said):
        put(log, b"not acknowledged")
    calls = dict(disk.calls)
    disk.kind = ""
    for _ in range(3):
        with pytest.raises(Halted, match=said):
            put(log, b"not acknowledged")
    assert disk.calls == calls
    assert disk.fired == 1
    log.close()
    log = a_log(directory)
    assert payloads(log)[:3] == written
    log.close()


def test_what_a_failed_sync_left_in_the_cache_is_written_again_at_the_start(tmp_path: Path) -> None:
    """A record may be readable and yet not on the disk: recovery writes and syncs it anew."""
    directory = tmp_path / "journal"
    filled(directory, 2)
    failing = FaultyDisk()
    log = a_log(directory, failing)
    failing.kind, failing.at = "fdatasync", failing.calls.get("fdatasync", 0) + 1
    with pytest.raises(Halted):
        put(log, b"in the cache only")
    log.close()

    writes: list[bytes] = []

    class Watching(FaultyDisk):
        def pwrite(self, handle: int, payload: bytes | bytearray | memoryview, offset: int) -> int:
            writes.append(bytes(payload))
            return super().pwrite(handle, payload, offset)

    log = a_log(directory, Watching())
    assert any(b"in the cache only" in written for written in writes)
    assert payloads(log)[-1] == b"in the cache only"
    log.close()


def test_one_batch_costs_one_sync(tmp_path: Path) -> None:
    """The watermark is synced by rest() only, once."""
    disk = FaultyDisk()
    log = a_log(tmp_path / "journal", disk)
    before = disk.calls["fdatasync"]
    for payload in letters(10):
        put(log, payload)
    assert disk.calls["fdatasync"] == before + 10
    log.rest()
    log.rest()
    assert disk.calls["fdatasync"] == before + 11
    log.close()


def test_old_segments_can_be_forgotten_up_to_a_seq(tmp_path: Path) -> None:
    """truncate_before keeps every batch from the seq on."""
    directory = tmp_path / "journal"
    written = filled(directory, 60, segment_bytes=SEGMENT_HEAD_BYTES + 1000)
    log = a_log(directory)
    log.truncate_before(30)
    first = log.first_seq()
    assert 1 < first <= 30
    assert payloads(log, first) == written[first - 1 :]
    log.close()


def test_a_head_cannot_be_planted_in_a_payload(tmp_path: Path) -> None:
    """Heads are keyed with the house's number: bytes from another house prove nothing here."""
    other = a_log(tmp_path / "other")
    put(other, b"x" * 16)
    planted = last_segment(tmp_path / "other").read_bytes()[SEGMENT_HEAD_BYTES:][:104]
    assert read_head(planted, 0, other.house) is not None
    log = a_log(tmp_path / "journal")
    assert find_head(planted, 0, log.house) is None
    log.close()
    other.close()
