"""Decoding, held against the plain unpacking of records."""

from __future__ import annotations

import pytest

from fondaco.core import records
from fondaco.projections import decoding, tables
from fondaco.projections.decoding import InstrumentTerms
from fondaco.projections.models import POSTING_BITS
from tests.projections import packed

TERMS = {packed.BTCUSDT: InstrumentTerms(packed.BTC, packed.USDT, 1000)}


@pytest.mark.parametrize("kind", [records.Event.ORDER, records.Event.FILL, records.Event.CANCEL])
def test_every_word_of_an_order_lands_in_the_column_of_its_name(kind: records.Event) -> None:
    """A word given a value of its own comes out in the column of the same name."""
    words = {name: 1000 + place for place, name in enumerate(records.LAYOUTS[kind])}
    event = records.pack(kind, seq=900, time_us=901, account=902, **words)
    (row,) = decoding.decode(event, 0, {}).orders
    by_name = dict(zip(tables.ORDERS.columns, row, strict=True))
    fold = 0
    for place in range(4):
        fold ^= words[f"client_order_id_{place}"]
    known = {**words, "updated_seq": 900, "updated_us": 901, "account": 902, "client_fold": fold}
    known["id"] = words["order_id"]
    assert by_name == {name: known[name] for name in tables.ORDERS.columns}


def test_every_word_of_a_trade_lands_in_the_column_of_its_name() -> None:
    """A word given a value of its own comes out in the column of the same name."""
    names = records.LAYOUTS[records.Event.TRADE]
    words = {name: 1000 + place for place, name in enumerate(names)}
    event = records.pack(records.Event.TRADE, seq=900, time_us=901, **words)
    terms = {words["instrument"]: InstrumentTerms(1, 2, 5)}
    (row,) = decoding.decode(event, 0, terms).trades
    by_name = dict(zip(tables.TRADES.columns, row, strict=True))
    key = decoding.trade_key(words["instrument"], words["trade_id"])
    assert by_name == {**words, "id": key, "seq": 900, "time_us": 901}


@pytest.mark.parametrize("kind", [records.Event.VENUE_ORDER, records.Event.VENUE_PART])
def test_every_word_of_a_venue_order_lands_in_the_column_of_its_name(kind: records.Event) -> None:
    """Of an outside order and of its parts, a word comes out in the column of the same name."""
    words = {name: 1000 + place for place, name in enumerate(records.LAYOUTS[kind])}
    event = records.pack(kind, seq=900, time_us=901, account=902, **words)
    found = decoding.decode(event, 0, {})
    is_part = kind == records.Event.VENUE_PART
    table = tables.VENUE_PARTS if is_part else tables.VENUE_ORDERS
    (row,) = found.venue_parts if is_part else found.venue_orders
    known = {**words, "updated_seq": 900, "updated_us": 901, "account": 902}
    known["id"] = words["order_id"] if is_part else words["venue_order"]
    assert dict(zip(table.columns, row, strict=True)) == {
        name: known[name] for name in table.columns
    }


def test_every_word_of_a_summary_lands_in_the_column_of_its_name() -> None:
    """Its key is made of account, period, number and instrument; the last in a run is the row."""
    names = records.LAYOUTS[records.Event.SUMMARY]
    words = {name: 1000 + place for place, name in enumerate(names)}
    first = records.pack(records.Event.SUMMARY, seq=899, account=902, **{**words, "profit": 7})
    last = records.pack(records.Event.SUMMARY, seq=900, time_us=901, account=902, **words)
    (row,) = decoding.decode(first + last, 0, {}).summaries
    known = {**words, "updated_seq": 900, "updated_us": 901, "account": 902}
    key = f"902-{words['period']}-{words['number']}-{words['instrument']}"
    by_name = dict(zip(tables.SUMMARIES.columns, row, strict=True))
    assert by_name == {"id": key, **{n: known[n] for n in tables.SUMMARIES.columns[1:]}}


def test_only_the_last_state_of_an_order_in_a_run_becomes_a_row() -> None:
    """An order that was made and cancelled in one run gives one row, cancelled."""
    cancelled = packed.order(6, order_id=5, status=records.OrderStatus.CANCELED)
    found = decoding.decode(packed.order(5) + packed.order(7) + cancelled, 0, {})
    states = {row[4]: row[5] for row in found.orders}
    assert states == {5: records.OrderStatus.CANCELED, 7: records.OrderStatus.NEW}


def test_events_up_to_the_cursor_are_passed_over() -> None:
    """Decoding after seq 5 gives what came after seq 5."""
    found = decoding.decode(packed.order(5) + packed.order(6) + packed.order(7), 5, {})
    assert [row[0] for row in found.orders] == [6, 7]


def test_a_trade_posts_base_quote_and_fees_in_event_order() -> None:
    """Base goes to the buyer, quote to the seller, fees to the house; each has its index."""
    deposit = records.pack(
        records.Event.POSTING,
        seq=9,
        time_us=1,
        debit_account=1,
        credit_account=16,
        asset=2,
        amount=5,
        cause=records.Cause.DEPOSIT,
        entry=3,
    )
    sold = packed.trade(9, 1, buyer_fee=4, seller_fee=6)
    found = decoding.decode(deposit + sold, 0, dict(TERMS))
    moved = [(row[0] - (9 << POSTING_BITS), *row[2:6]) for row in found.postings]
    assert moved == [
        (0, 1, 16, packed.USDT, 5),
        (1, 16, 17, packed.BTC, 3000),
        (2, 17, 16, packed.USDT, 3000),
        (3, 17, records.ACCOUNT_FEES, packed.BTC, 4),
        (4, 16, records.ACCOUNT_FEES, packed.USDT, 6),
    ]


def test_unknown_kinds_are_passed_over_by_their_length() -> None:
    """An event kind of a later release doesn't hide what follows it."""
    later = bytearray(packed.order(5) + bytes(16))
    later[:8] = (999 | records.VERSION << 16 | len(later) << 32).to_bytes(8, "little")
    found = decoding.decode(bytes(later) + packed.order(6), 0, {})
    assert [row[4] for row in found.orders] == [6]


def test_volumes_stop_at_the_largest_integer() -> None:
    """A bar whose turnover passes 2**63 - 1 keeps that number and doesn't wrap."""
    most = (1 << 62) + 5
    rows = [
        decoding.decode(packed.trade(seq, seq, quote_amount=most), 0, dict(TERMS)).trades[0]
        for seq in (1, 2)
    ]
    (minute,) = decoding.fold_minutes(rows)
    assert minute[6] == decoding.VOLUME_MAX
    (hour,) = decoding.fold_rows([minute, minute], 60)
    assert hour[6] == decoding.VOLUME_MAX
