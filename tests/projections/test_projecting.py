"""Events to tables: once, whole, and the same however they come."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from django.db import connections

from fondaco.core import records
from fondaco.projections import decoding, selectors, services
from fondaco.projections.decoding import Decoded, InstrumentTerms
from fondaco.projections.models import Cursor, Order, Posting
from fondaco.projections.router import ALIAS
from fondaco.projections.services import EventsMissing, SecondProjector, Writer
from tests.projections import packed
from tests.projections.conftest import Dump, dump

Renew = Callable[[], None]
COMMANDS = 1500


def apply_in_batches(commits: Sequence[tuple[int, bytes]], *, seed: int) -> None:
    """Apply commits in runs of seeded lengths."""
    chance = random.Random(seed)
    writer = Writer()
    place = 0
    while place < len(commits):
        part = commits[place : place + chance.randint(1, 200)]
        writer.apply_events(b"".join(events for _, events in part), part[-1][0])
        place += len(part)


def apply_naively(commits: Sequence[tuple[int, bytes]]) -> dict[int, dict[str, int]]:
    """Orders by id, from records.unpack alone."""
    orders = {}
    for _, events in commits:
        for record in records.split(events):
            kind = int.from_bytes(record[:2], "little")
            if records.Event.ORDER <= kind <= records.Event.CANCEL:
                words = records.unpack(record)
                orders[words["order_id"]] = words
    return orders


def test_tables_are_the_same_however_the_events_were_cut(tables: Renew) -> None:
    """Three rebuilds with other batches give equal tables, row by row."""
    commits = list(packed.history(COMMANDS, seed=1))
    dumps: list[Dump] = []
    for seed in (1, 2, 3):
        tables()
        apply_in_batches(commits, seed=seed)
        dumps.append(dump())
    assert dumps[0] == dumps[1] == dumps[2]
    assert min(len(dumps[0][name]) for name in ("order", "trade", "posting", "candle1m")) > 0


def test_orders_hold_the_last_state_of_a_plain_reading(tables: Renew) -> None:
    """Every order's row has the words of its last event."""
    commits = list(packed.history(COMMANDS, seed=2))
    apply_in_batches(commits, seed=1)
    naive = apply_naively(commits)
    assert Order.objects.count() == len(naive) > 0
    for row in Order.objects.all():
        words = naive[row.id]
        assert (row.status, row.filled_lots, row.updated_seq, row.account) == (
            words["status"],
            words["filled_lots"],
            words["seq"],
            words["account"],
        )


def test_events_that_come_again_count_once(tables: Renew) -> None:
    """Repeating any run, or one that overlaps, changes nothing."""
    commits = list(packed.history(400, seed=3))
    apply_in_batches(commits, seed=1)
    before = dump()
    writer = Writer()
    writer.apply_events(b"".join(events for _, events in commits), commits[-1][0])
    writer.apply_events(commits[100][1], commits[100][0])
    assert dump() == before
    more = packed.order(10_000)
    Writer().apply_events(commits[-1][1] + more, 10_000)
    assert len(dump()["order"]) == len(before["order"]) + 1


def test_a_failed_transaction_leaves_tables_and_cursor_as_they_were(
    tables: Renew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error after the rows were written takes rows and cursor back, and can be tried again."""
    commits = list(packed.history(300, seed=4))
    writer = Writer()
    for last_seq, events in commits[:150]:
        writer.apply_events(events, last_seq)
    before = dump()
    rest = b"".join(events for _, events in commits[150:])

    def fail(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(services, "_write_trades", fail)
        with pytest.raises(OSError, match="disk full"):
            writer.apply_events(rest, commits[-1][0])
    assert dump() == before
    writer.apply_events(rest, commits[-1][0])
    after = dump()
    tables()
    apply_in_batches(commits, seed=9)
    assert dump() == after


def test_the_cursor_moves_over_commands_without_events(tables: Renew) -> None:
    """A commit whose commands gave no event still moves the cursor."""
    writer = Writer()
    writer.apply_events(packed.definitions(), 1)
    writer.apply_events(b"", 5)
    assert selectors.cursor().seq == 5
    assert Writer().seq == 5


def test_a_missing_trade_stops_the_projector(tables: Renew) -> None:
    """A commit that was lost on the way is noticed by the gap in the trade ids."""
    writer = Writer()
    writer.apply_events(packed.definitions() + packed.trade(2, 1), 2)
    before = dump()
    with pytest.raises(EventsMissing, match="trade 1000000002 of instrument 7 is missing"):
        writer.apply_events(packed.trade(4, 3), 4)
    assert dump() == before
    assert writer.seq == 2


def test_a_second_projector_is_refused(tables: Renew) -> None:
    """Of two writers that began at one cursor the slower one is told to stop."""
    first, second = Writer(), Writer()
    first.apply_events(packed.definitions(), 1)
    with pytest.raises(SecondProjector):
        second.apply_events(packed.definitions(), 1)


def test_postings_of_all_accounts_sum_to_zero_for_every_asset(tables: Renew) -> None:
    """What all accounts were credited less what they were debited is nothing."""
    apply_in_batches(list(packed.history(COMMANDS, seed=5)), seed=1)
    sums: dict[int, int] = {}
    accounts = {
        number
        for pair in Posting.objects.values_list("debit_account", "credit_account")
        for number in pair
    }
    for account in accounts:
        for asset, amount in selectors.balances(account).items():
            sums[asset] = sums.get(asset, 0) + amount
    assert sums == {packed.BTC: 0, packed.USDT: 0}
    assert any(selectors.balances(records.ACCOUNT_FEES).values())


# ---- the harness must catch what it is for


def _drop_a_trade(found: Decoded) -> None:
    found.trades[:] = found.trades[:-1]


def _drop_a_posting(found: Decoded) -> None:
    found.postings[:] = found.postings[:-1]


def _stale_order(found: Decoded) -> None:
    found.orders[-1:] = [(*found.orders[-1][:5], 0, *found.orders[-1][6:])]


@pytest.mark.parametrize("plant", [_drop_a_trade, _drop_a_posting, _stale_order])
def test_a_planted_bug_is_seen_in_the_dumps(
    tables: Renew, monkeypatch: pytest.MonkeyPatch, plant: Callable[[Decoded], None]
) -> None:
    """A projector that loses a trade or a posting, or keeps an old state, gives other tables."""
    commits = list(packed.history(300, seed=6))
    apply_in_batches(commits, seed=1)
    whole = dump()
    tables()
    decode = decoding.decode

    def planted(events: bytes, after_seq: int, terms: dict[int, InstrumentTerms]) -> Decoded:
        found = decode(events, after_seq, terms)
        if found.trades and found.postings and found.orders:
            plant(found)
        return found

    monkeypatch.setattr(decoding, "decode", planted)
    try:
        apply_in_batches(commits, seed=1)
    except EventsMissing:
        return
    assert dump() != whole


def test_the_journal_mode_of_the_tables_is_what_the_settings_say(tables: Renew) -> None:
    """The projections' file is in WAL mode and synced at checkpoints only."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("wal",)
        cursor.execute("PRAGMA synchronous")
        assert cursor.fetchone() == (1,)
    assert Cursor.objects.count() == 1
