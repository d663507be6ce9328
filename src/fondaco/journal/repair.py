"""Repair: the two things that only an operator may decide, each said in full before it is done.

skip() passes over a command that halts the house: it journals a TOMBSTONE, which every later
replay honours. cut() gives up what stands at and after a damaged place of the journal; it first
says which acknowledged commands are lost with it, and does it only if that is accepted.

Promises: nothing is destroyed. What cut() takes out of the journal is kept in DATA/cut/. Both
refuse (RepairRefused) where there is nothing to repair. The house must not be running.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from fondaco.core.exchange import events_digest
from fondaco.core.records import Command, pack
from fondaco.journal.disk import OsDisk, write_all
from fondaco.journal.faults import ForeignJournal, JournalDamaged, Poisoned, RepairRefused
from fondaco.journal.file_log import FileLog
from fondaco.journal.framing import FLAG_TOMBSTONE, Batch, find_head
from fondaco.journal.lock import lock_data
from fondaco.journal.recovery import Rooms, new_exchange
from fondaco.journal.replay import Replay, without
from fondaco.journal.scan import Scan
from fondaco.journal.segments import JOURNAL, SEGMENT_HEAD_BYTES, list_segments, segment_name
from fondaco.journal.sequencer import Core
from fondaco.journal.snapshots import Snapshot, Snapshots
from fondaco.journal.watermark import WATERMARK, Mark, Watermark

__all__ = ["Loss", "cut", "repair", "skip"]

CUT: Final = "cut"

Factory = Callable[[], Core]


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What a cut takes away."""

    file: str
    offset: int
    first_seq: int  # lost from here ...
    last_seq: int  # ... to here, as far as it can be known; first_seq - 1: nothing known
    bytes: int
    kept_in: str  # the directory that holds what was taken out

    def sentence(self) -> str:
        """Return what is lost, in words."""
        what = f"everything from seq {self.first_seq} (byte {self.offset} of {self.file})"
        if self.last_seq >= self.first_seq:
            count = self.last_seq - self.first_seq + 1
            what += f": {count} acknowledged commands, up to seq {self.last_seq}"
        return f"{what}, {self.bytes} bytes, kept in {self.kept_in}"


def repair(
    data_dir: str | os.PathLike[str],
    *,
    skip_seqs: Sequence[int] = (),
    reason: int = 0,
    cut_damage: bool = False,
    accept_loss: bool = False,
    exchange_factory: Factory | None = None,
) -> str:
    """Do one of the two repairs and return the sentence that says what was done."""
    if bool(skip_seqs) == cut_damage:
        raise RepairRefused("say what to repair: --skip SEQ --reason N, or --cut")
    if skip_seqs:
        skip(data_dir, skip_seqs, reason=reason, exchange_factory=exchange_factory)
        listed = ", ".join(map(str, skip_seqs))
        return f"seq {listed} is passed over from now on; start the house"
    loss = cut(data_dir, accept_loss=accept_loss)
    return f"lost: {loss.sentence()}; the tables of the past are to be made again"


def skip(
    data_dir: str | os.PathLike[str],
    seqs: Sequence[int],
    *,
    reason: int = 0,
    exchange_factory: Factory | None = None,
) -> None:
    """Journal tombstones for commands of the last batch that halt the house."""
    factory = exchange_factory or new_exchange
    rooms = Rooms(data_dir)
    with lock_data(data_dir):
        log = FileLog(rooms.journal)
        snapshot, batches = _tail_of(rooms, log)
        try:
            tail = _Tail(rooms, factory, snapshot, batches)
            digest = tail.digest_without(set(seqs))
            last = batches[-1]
            records = bytearray()
            for seq in seqs:
                records += pack(Command.TOMBSTONE, skipped_seq=seq, reason=reason)
            count = factory().stamp(records, last.last_seq + 1, last.time_us)
            log.append(
                bytes(records),
                first_seq=last.last_seq + 1,
                last_seq=last.last_seq + count,
                time_us=last.time_us,
                events_digest=digest,
                flags=FLAG_TOMBSTONE,
            )
        finally:
            log.close()


def _tail_of(rooms: Rooms, log: FileLog) -> tuple[Snapshot | None, list[Batch]]:
    """Return the newest snapshot and the batches after it, and open the log for append()."""
    log.prepare()
    snapshot = next(Snapshots(rooms.snapshots).whole(log.house), None)
    from_seq = snapshot.seq + 1 if snapshot is not None else 1
    return snapshot, [batch for batch in log.recover(from_seq) if batch.first_seq >= from_seq]


class _Tail:
    """What a start would replay."""

    def __init__(
        self, rooms: Rooms, factory: Factory, snapshot: Snapshot | None, batches: list[Batch]
    ) -> None:
        self.rooms = rooms
        self.factory = factory
        self.snapshot = snapshot
        self.batches = batches

    def digest_without(self, skipped: set[int]) -> int:
        """Return the digest of the last batch's events without the skipped commands.

        Refused unless the house halts with them and doesn't without.
        """
        last = self.batches[-1] if self.batches else None
        if last is None or not all(last.first_seq <= seq <= last.last_seq for seq in skipped):
            span = f"seq {last.first_seq} to {last.last_seq}" if last else "nothing"
            raise RepairRefused(
                f"only a command of the last batch can halt the house; that is {span}"
            )
        if last.flags & FLAG_TOMBSTONE:
            raise RepairRefused("the last batch is a tombstone already: start the house")
        try:
            self._replay(self.batches)
        except Poisoned:
            pass
        else:
            raise RepairRefused("the journal replays to its end: there is nothing to skip")
        left, _ = without(last.payload, skipped)
        exchange = self._replay(self.batches[:-1])
        try:
            events = exchange.apply(left) if left else b""
        except Exception as error:
            raise RepairRefused(
                f"seq {exchange.halted_seq} halts the house too ({error}); "
                "skip it in the same repair"
            ) from error
        return events_digest(events)

    def _replay(self, batches: list[Batch]) -> Core:
        exchange = self.factory()
        digest = 0
        if self.snapshot is not None:
            exchange.load(self.snapshot.dump)
            digest = self.snapshot.events_digest
        replay = Replay(exchange, events_digest=digest, path=self.rooms.journal)
        replay.run(batches)
        return exchange


def cut(data_dir: str | os.PathLike[str], *, accept_loss: bool = False) -> Loss:
    """Take the damaged place and all after it out of the journal; RepairRefused unless accepted."""
    rooms = Rooms(data_dir)
    with lock_data(data_dir):
        damage, scan, house = _damage_of(rooms)
        loss = _loss_of(rooms, damage, scan, house)
        if not accept_loss:
            raise RepairRefused(
                f"a cut would lose {loss.sentence()}; if there is no copy to restore, accept it "
                "with --accept-loss"
            )
        _take_out(rooms, loss, scan, house)
        return loss


def _damage_of(rooms: Rooms) -> tuple[JournalDamaged, Scan, bytes]:
    """Return what is wrong and the scan that found it."""
    disk, directory = rooms.disk, rooms.journal
    mark: Mark | None = None
    house: bytes | None = None
    found: JournalDamaged | None = None
    try:
        watermark = Watermark.open(disk, directory)
    except FileNotFoundError:
        found = JournalDamaged(os.path.join(directory, WATERMARK), 0, 0, "missing")
    except JournalDamaged as damage:
        found = damage
    else:
        watermark.close()
        mark, house = watermark.mark, watermark.house
    scan = Scan(disk, directory, kind=JOURNAL, mark=mark, house=house)
    if not scan.segments or scan.house is None:
        raise RepairRefused("no segment is left to repair: restore the journal from a copy")
    try:
        for _ in scan.batches(scan.segments[0]):
            pass
    except JournalDamaged as damage:
        found = damage
    if found is None:
        raise RepairRefused("the journal is whole: there is nothing to cut")
    if isinstance(found, ForeignJournal) and not found.file.endswith(".segment"):
        raise RepairRefused(str(found)) from found
    return found, scan, scan.house


def _loss_of(rooms: Rooms, damage: JournalDamaged, scan: Scan, house: bytes) -> Loss:
    """Say what stands at and after the damage, as far as whole heads tell."""
    is_segment = damage.file.endswith(".segment")
    path = damage.file if is_segment else scan.tail_path
    offset = damage.offset if is_segment else scan.tail_offset
    first_seq = damage.seq if is_segment else scan.last_seq + 1
    last_seq = max(first_seq - 1, scan.mark.seq)
    size = 0
    start = offset
    for segment in scan.segments[scan.segments.index(_seq_of(path)) :]:
        buffer = scan.read(segment)
        size += len(buffer[start:].rstrip(b"\x00"))
        at = start
        while (found := find_head(buffer, at, house)) is not None:
            last_seq = max(last_seq, found[1].last_seq)
            at = found[0] + SEGMENT_HEAD_BYTES // 64
        start = 0
    if offset < SEGMENT_HEAD_BYTES and _seq_of(path) == scan.segments[0]:
        raise RepairRefused("a cut would leave nothing: restore the journal from a copy")
    return Loss(
        file=path,
        offset=offset,
        first_seq=first_seq,
        last_seq=last_seq,
        bytes=size,
        kept_in=os.path.join(rooms.data_dir, CUT),
    )


def _take_out(rooms: Rooms, loss: Loss, scan: Scan, house: bytes) -> None:
    """Copy what is cut aside, cut it, and make watermark, snapshots and events agree."""
    disk, directory = rooms.disk, rooms.journal
    disk.make_directory(loss.kept_in)
    at = scan.segments.index(_seq_of(loss.file))
    for segment in scan.segments[at:]:
        _keep_aside(loss.kept_in, segment_name(segment), scan.read(segment))
    disk.fsync_directory(loss.kept_in)
    disk.fsync_directory(rooms.data_dir)
    for segment in reversed(scan.segments[at + 1 :]):
        disk.remove(os.path.join(directory, segment_name(segment)))
    if loss.offset < SEGMENT_HEAD_BYTES:
        disk.remove(loss.file)
    else:
        handle = disk.open(loss.file)
        disk.truncate(handle, loss.offset)
        disk.fdatasync(handle)
        disk.close(handle)
    disk.fsync_directory(directory)
    if WATERMARK in disk.list(directory):
        disk.remove(os.path.join(directory, WATERMARK))
    Watermark.create(disk, directory, house, Mark(0, 0, 0, bytes(16))).close()
    Snapshots(rooms.snapshots).remove_after(loss.first_seq - 1)
    if disk.make_directory(rooms.events):
        return
    for segment in list_segments(disk, rooms.events):
        disk.remove(os.path.join(rooms.events, segment_name(segment)))
    disk.fsync_directory(rooms.events)


def _keep_aside(directory: str, name: str, content: bytes) -> None:
    disk = OsDisk()
    taken = set(disk.list(directory))
    number = 0
    while (free := f"{name}.{number}") in taken:
        number += 1
    handle = disk.open(os.path.join(directory, free), create=True)
    write_all(disk, handle, content, 0)
    disk.fdatasync(handle)
    disk.close(handle)


def _seq_of(path: str) -> int:
    return int(os.path.basename(path).partition(".")[0])
