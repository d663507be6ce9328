"""Verify: read everything that a house has on disk, replay it, and say what came out.

Promises: it writes nothing, and it reads all: every record of the journal against the chain and
the watermark, every digest of events against a replay from the beginning, every snapshot against
the state at its seq, every record of the event log. What it returns is whole; otherwise it
raises JournalDamaged with the file, the byte and the seq.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from fondaco.core.records import AssetBody, Event, Query, pack, split, unpack, unpack_body
from fondaco.journal.disk import Disk, ReadingDisk
from fondaco.journal.events import REBUILD
from fondaco.journal.faults import VERIFY, DataInUse, ForeignJournal, JournalDamaged
from fondaco.journal.framing import Batch
from fondaco.journal.lock import is_locked
from fondaco.journal.recovery import Rooms, new_exchange
from fondaco.journal.replay import Replay
from fondaco.journal.scan import Scan, open_watermark
from fondaco.journal.segments import EVENTS, JOURNAL, list_segments
from fondaco.journal.sequencer import Core
from fondaco.journal.snapshots import Snapshot, Snapshots, check_hash
from fondaco.journal.watermark import WATERMARK

__all__ = ["AssetTotals", "Report", "verify"]

_LIVE_ATTEMPTS: Final = 3  # beside a running house a read may fall between two of its writes


class AssetTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Decimal texts; members + house + world = sum = 0."""

    sum: str
    members: str
    house: str
    world: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole data directory holds."""

    last_seq: int
    state_hash: str
    assets: dict[str, AssetTotals]
    records: int
    torn_bytes: int  # after the last record: being written when the power went, unacknowledged
    snapshots: list[int]
    events_last_seq: int


def verify(
    data_dir: str | os.PathLike[str],
    live: bool = False,  # noqa: FBT001, FBT002 - the door as it was agreed
    *,
    exchange_factory: Callable[[], Core] | None = None,
    disk: Disk | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Report:
    """Check everything under data_dir and return what it holds.

    DataInUse if a house is running there, unless live is set. JournalDamaged if not all is whole.
    """
    if not live and disk is None and is_locked(data_dir):
        raise DataInUse(
            f"the data directory {os.fspath(data_dir)} is in use by a running house; "
            "stop it, or verify beside it with --live"
        )
    attempt = 0
    while True:
        attempt += 1
        pass_ = _Pass(
            Rooms(data_dir, disk or ReadingDisk()),
            exchange_factory or new_exchange,
            on_progress,
            live=live,
        )
        try:
            return pass_.run()
        except (JournalDamaged, FileNotFoundError):
            if not live or attempt >= _LIVE_ATTEMPTS:
                raise


class _Pass:
    """One reading of everything."""

    def __init__(
        self,
        rooms: Rooms,
        exchange_factory: Callable[[], Core],
        on_progress: Callable[[int], None] | None,
        *,
        live: bool,
    ) -> None:
        self.rooms = rooms
        self.live = live
        self._events: Iterator[Batch] = iter(())
        self._events_seq = 0
        self._next_events: Batch | None = None
        self.exchange = exchange_factory()
        self.snapshots = Snapshots(rooms.snapshots, rooms.disk)
        self.checked: list[int] = []
        self._on_progress = on_progress

    def run(self) -> Report:
        disk, directory = self.rooms.disk, self.rooms.journal
        try:
            segments = list_segments(disk, directory, besides=(WATERMARK,))
            watermark = open_watermark(disk, directory, segments)
        except FileNotFoundError:
            raise JournalDamaged(directory, 0, 1, "there is no journal here") from None
        if watermark is None:
            raise JournalDamaged(directory, 0, 1, "there is no journal here")
        watermark.close()
        scan = Scan(disk, directory, kind=JOURNAL, mark=watermark.mark, house=watermark.house)
        whole = {found.seq: found for found in self.snapshots.whole(watermark.house)}
        if self.snapshots.passed_over:
            raise JournalDamaged(
                self.snapshots.passed_over[0], 0, 0, "the snapshot is damaged: remove it"
            )
        self._events = self._event_batches(watermark.house)
        self._replay(scan, whole)
        for batch in self._events:
            self._events_seq = batch.last_seq
        if not self.live:
            self._judge_ends(scan, max(whole, default=0))
        return Report(
            last_seq=scan.last_seq,
            state_hash=self.exchange.state_hash().hex(),
            assets=totals(self.exchange),
            records=scan.records,
            torn_bytes=scan.tail_bytes - scan.tail_offset if scan.torn else 0,
            snapshots=sorted(self.checked),
            events_last_seq=min(self._events_seq, scan.last_seq),
        )

    def _replay(self, scan: Scan, whole: dict[int, Snapshot]) -> None:
        digest = 0
        from_seq = 1
        first = scan.segments[0] if scan.segments else 1
        if first > 1:
            base = min((found for found in whole.values() if found.seq + 1 >= first), default=None)
            if base is None:
                raise JournalDamaged(
                    self.rooms.journal, 0, 1, f"it begins at {first} without a snapshot; {VERIFY}"
                )
            self.exchange.load(base.dump)
            check_hash(base, self.snapshots.path(base.seq), self.exchange.state_hash)
            digest, from_seq = base.events_digest, base.seq + 1
            self.checked.append(base.seq)
        replay = Replay(
            self.exchange,
            events_digest=digest,
            path=self.rooms.journal,
            keep=self._compare_events,
        )
        for batch in scan.batches(min(from_seq, first)):
            if batch.first_seq < from_seq:
                continue
            replay.feed(batch)
            if batch.last_seq in whole:
                replay.flush()
                self._compare(whole[batch.last_seq], batch)
            if self._on_progress is not None:
                self._on_progress(batch.last_seq)
        replay.flush()

    def _compare(self, snapshot: Snapshot, batch: Batch) -> None:
        path = self.snapshots.path(snapshot.seq)
        if snapshot.digest != batch.digest:
            raise ForeignJournal(path, 0, snapshot.seq, "not of this journal: remove it")
        if any(snapshot.state_hash):
            check_hash(snapshot, path, self.exchange.state_hash)
        self.checked.append(snapshot.seq)

    def _judge_ends(self, scan: Scan, snapshot_seq: int) -> None:
        ahead = max(self._events_seq, snapshot_seq)
        if ahead > scan.last_seq:
            raise JournalDamaged(
                scan.tail_path or self.rooms.journal,
                scan.tail_offset,
                scan.last_seq + 1,
                f"the journal ends before seq {ahead} of its events or snapshots; {VERIFY}",
            )

    def _event_batches(self, house: bytes) -> Iterator[Batch]:
        """Yield the event log from its beginning; what is damaged there can be made again."""
        try:
            scan = Scan(self.rooms.disk, self.rooms.events, kind=EVENTS, mark=None, house=house)
        except FileNotFoundError:
            return
        if not scan.segments:
            return
        try:
            yield from scan.batches(scan.segments[0])
        except ForeignJournal:
            raise
        except JournalDamaged as damage:
            raise JournalDamaged(damage.file, damage.offset, damage.seq, REBUILD) from damage

    def _compare_events(self, events: bytes, first_seq: int, last_seq: int) -> None:
        """Compare what the replay makes with what the event log holds, to the byte."""
        batch = self._next_events
        while batch is None or batch.first_seq < first_seq:
            batch = next(self._events, None)
            if batch is None:
                return
        self._next_events = batch
        if batch.first_seq > first_seq:
            return
        self._events_seq = batch.last_seq
        if batch.last_seq != last_seq or batch.payload != events:
            raise JournalDamaged(self.rooms.events, 0, first_seq, REBUILD)


def totals(exchange: Core) -> dict[str, AssetTotals]:
    """Return the sums of each asset by members, house and world."""
    from fondaco.core.money import format_units

    assets = {}
    for record in split(exchange.query(pack(Query.DEFINITIONS))):
        if int.from_bytes(record[:2], "little") == Event.ASSET:
            body = msgspec.msgpack.decode(unpack_body(record), type=AssetBody)
            assets[body.number] = body
    found = {}
    for record in split(exchange.query(pack(Query.TOTALS))):
        words = unpack(record)
        asset = assets[words["asset"]]
        house = words["fees"] + words["rounding"] + words["inventory"]
        texts = {
            "members": words["members"],
            "house": house,
            "world": words["world"],
            "sum": words["members"] + house + words["world"],
        }
        decimals = asset.decimals
        found[asset.code] = AssetTotals(
            **{name: _plain(format_units(units, decimals)) for name, units in texts.items()}
        )
    return found


def _plain(text: str) -> str:
    """Return a decimal text without trailing zeros: a sum of nothing is "0"."""
    return text.rstrip("0").rstrip(".") if "." in text else text
