"""apply, stamp and query: framing, seq, time, and records that make no sense."""

from __future__ import annotations

import struct
from random import Random

import pytest

from fondaco.core import client_ids
from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    LAYOUTS,
    AccountBody,
    AssetBody,
    Command,
    Event,
    Query,
    Reason,
    numbers_of,
    pack,
    pack_body,
    split,
    unpack,
)
from tests.core.field import PEOPLE, Field, instrument, kind_of, still

ADVANCE = pack(Command.ADVANCE)


def test_stamp_writes_seq_and_time_in_place() -> None:
    """Each record of the batch gets the next seq and the same time; stamp returns how many."""
    batch = bytearray(ADVANCE + pack(Command.REVOKE_KEY, key_number=1) + ADVANCE)
    assert Exchange().stamp(batch, 7, 99) == 3
    stamps = [struct.unpack_from("<qq", record, 8) for record in split(bytes(batch))]
    assert stamps == [(7, 99), (8, 99), (9, 99)]


@pytest.mark.parametrize(
    "batch, text",
    [
        (b"\0" * 40, "no command has the kind 0 at byte 0"),
        (ADVANCE + b"\0" * 8, "fewer than 5 words at byte 40"),
        (ADVANCE[:-1], "not a whole number of words"),
        (ADVANCE + pack(Query.TOTALS), "no command has the kind 517 at byte 40"),
        (struct.pack("<5q", 16 | 2 << 16 | 40 << 32, 0, 0, 0, 0), "version 2 at byte 0"),
        (struct.pack("<5q", 16 | 1 << 16 | 48 << 32, 0, 0, 0, 0), "48 bytes at byte 0"),
        (struct.pack("<5q", 16 | 1 << 16 | 41 << 32, 0, 0, 0, 0), "41 bytes at byte 0"),
        (struct.pack("<5q", 16 | 1 << 16 | 8 << 32, 0, 0, 0, 0), "8 bytes at byte 0"),
        (struct.pack("<q", 16 | 1 << 16 | 65544 << 32) + bytes(65536), "65536 is the most"),
    ],
)
def test_stamp_refuses_what_is_not_framed(batch: bytes, text: str) -> None:
    """ValueError names what was found and the byte."""
    with pytest.raises(ValueError, match=text):
        Exchange().stamp(bytearray(batch), 1, 1)


def stamped(record: bytes, seq: int, time_us: int = 1) -> bytes:
    """Return a record with its seq and time."""
    return record[:8] + struct.pack("<qq", seq, time_us) + record[24:]


@pytest.mark.parametrize(
    "batch",
    [
        stamped(ADVANCE, 2) + stamped(ADVANCE, 2),
        stamped(ADVANCE, 2) + stamped(ADVANCE, 1),
        stamped(ADVANCE, 0),
        stamped(ADVANCE, 2, 5) + stamped(ADVANCE, 3, 4),
        stamped(ADVANCE, 1) + b"\0" * 8,
    ],
)
def test_apply_takes_a_whole_sound_batch_or_nothing(batch: bytes) -> None:
    """A seq or time that goes back, or a torn record, raises and leaves the state alone."""
    exchange = Exchange()
    before = exchange.dump()
    with pytest.raises(ValueError, match=r"."):
        exchange.apply(batch)
    assert exchange.dump() == before
    assert exchange.apply(stamped(ADVANCE, 1)) == b""


def test_a_seq_may_be_passed_over() -> None:
    """A tombstone's command is left out of a replay: the next seq is simply higher."""
    exchange = Exchange()
    exchange.apply(stamped(ADVANCE, 5))
    tombstone = stamped(pack(Command.TOMBSTONE, skipped_seq=4, reason=1), 6)
    (event,) = split(exchange.apply(tombstone))
    assert kind_of(event) == Event.SKIPPED
    assert unpack(event)["skipped_seq"] == 4


@pytest.mark.parametrize("kind", [*Command, 5, 127])
@pytest.mark.parametrize("words", [0, 1, 40])
def test_a_record_of_a_wrong_length_or_kind_is_an_unknown_command(kind: int, words: int) -> None:
    """Sound framing around nonsense gives one REFUSED, and the next command goes on."""
    field = Field()
    length = 40 + 8 * words
    record = struct.pack("<5q", kind | 1 << 16 | length << 32, 0, 0, 16, 0) + bytes(8 * words)
    if kind in LAYOUTS and length == len(pack(kind)):
        return  # that one is a sound record
    before = still(field)
    seq = field.exchange.seq + numbers_of(record)
    (event,) = split(field.exchange.apply(stamped(record, seq, field.time_us)))
    assert kind_of(event) == Event.REFUSED
    assert unpack(event)["reason"] in {Reason.UNKNOWN_COMMAND, Reason.INVALID_BODY}
    assert still(field) == before


def test_apply_is_total_over_random_words() -> None:
    """Any words in a well-framed record give events or one REFUSED; sums stay zero."""
    field = Field()
    chance = Random(4)
    edges = [0, 1, -1, 2, 3, 16, 17, 1 << 31, 1 << 32, 1 << 62, (1 << 63) - 1, -(1 << 63)]
    refused = 0
    for _ in range(3_000):
        kind = chance.choice([kind for kind in Command if kind in LAYOUTS])
        words = {name: chance.choice(edges) for name in LAYOUTS[kind]}
        if "instrument" in words and chance.random() < 0.8:
            words["instrument"] = 1
        account = chance.choice([*edges, 16, 17, 18])
        events = field.send(pack(kind, account=account, **words))
        refusals = [event for event in events if kind_of(event) == Event.REFUSED]
        assert not refusals or len(events) == 1
        refused += len(refusals)
    field.check_sums()
    assert 1_000 < refused < 3_000


@pytest.mark.parametrize("kind", [Command.DEFINE_ASSET, Command.OPEN_ACCOUNT])
def test_a_body_that_does_not_decode_is_an_invalid_body(kind: Command) -> None:
    """Torn msgpack, wrong types, an unknown field, a wrong length: INVALID_BODY."""
    field = Field()
    sound = pack_body(kind, AssetBody(number=9, code="X", decimals=2))
    for record in (
        pack_body(kind, instrument(number=9)),
        sound[:40] + struct.pack("<q", 3) + sound[48:],
        sound[:40] + struct.pack("<q", -1) + sound[48:],
        sound[:40] + struct.pack("<q", 1 << 40) + sound[48:],
        sound[:48] + b"\xff" * (len(sound) - 48),
    ):
        assert field.refusals(record) == [("INVALID_BODY", 0, 0, 0)]


DEFINITIONS = [
    ({"number": 2}, "DEFINITION_CONFLICT"),  # the symbol is taken
    ({"symbol": "ETHUSD"}, "DEFINITION_CONFLICT"),
    ({"number": 2, "symbol": "A", "base": 3}, "UNKNOWN_ASSET"),
    ({"number": 2, "symbol": "A", "quote": 1}, "INVALID_DEFINITION"),
    ({"number": 0, "symbol": "A"}, "INVALID_DEFINITION"),
    ({"number": 4097, "symbol": "A"}, "INVALID_DEFINITION"),
    ({"number": 2, "symbol": "a"}, "INVALID_DEFINITION"),
    ({"number": 2, "symbol": "A", "tick_size": "0.2"}, "INVALID_DEFINITION"),
    ({"number": 2, "symbol": "A", "lot_size": "1e1"}, "INVALID_DEFINITION"),
    ({"number": 2, "symbol": "A", "base_per_lot": 0}, "INVALID_DEFINITION"),
    ({"number": 2, "symbol": "A", "quote_per_lot_tick": 1 << 63}, "INVALID_DEFINITION"),
    ({"number": 2, "symbol": "A", "taker_fee_ppm": 1_000_000}, "INVALID_DEFINITION"),
    ({"number": 2, "symbol": "A", "maker_fee_ppm": -1}, "INVALID_DEFINITION"),
    ({"number": 2, "symbol": "A", "price_ticks_min": 0}, "INVALID_DEFINITION"),
    ({"number": 2, "symbol": "A", "price_ticks_max": 1 << 63}, "INVALID_DEFINITION"),
    ({"number": 2, "symbol": "A", "status": 5}, "INVALID_DEFINITION"),
]


@pytest.mark.parametrize("changes, reason", DEFINITIONS)
def test_an_unsound_definition_has_a_named_reason(changes: dict[str, object], reason: str) -> None:
    """Tick x lot must be whole quote units; what is fixed stays; numbers are bounded."""
    field = Field()
    before = still(field)
    record = pack_body(Command.DEFINE_INSTRUMENT, instrument(**changes))
    assert [name for name, *_ in field.refusals(record)] == [reason]
    assert still(field) == before


def test_an_account_is_opened_once() -> None:
    """Again: ACCOUNT_EXISTS; a number of the house's own: UNKNOWN_ACCOUNT."""
    field = Field()
    for account, reason in ((16, "ACCOUNT_EXISTS"), (2, "UNKNOWN_ACCOUNT"), (0, "UNKNOWN_ACCOUNT")):
        record = pack_body(Command.OPEN_ACCOUNT, AccountBody(member=5), account=account)
        assert [name for name, *_ in field.refusals(record)] == [reason]


def test_queries_answer_from_the_state() -> None:
    """Depth, balances, open orders, one order, definitions."""
    field = Field()
    field.play("""
        ann buys 5 at 10 id mine as a  -> new
        bob sells 5 at 20              -> new
    """)
    (order,) = field.query(Query.OPEN_ORDERS, account=16)
    assert unpack(order)["order_id"] == field.orders["a"]
    (same,) = field.query(Query.ORDER, account=16, instrument=1, order_id=field.orders["a"])
    assert same == order
    words = {f"client_order_id_{at}": w for at, w in enumerate(client_ids.encode("mine"))}
    assert field.query(Query.ORDER, account=16, instrument=1, **words) == [order]
    (refused,) = field.query(Query.ORDER, account=17, instrument=1, order_id=field.orders["a"])
    assert unpack(refused)["reason"] == Reason.UNKNOWN_ORDER
    kinds = [Event(kind_of(record)).name for record in field.query(Query.DEFINITIONS)]
    assert kinds == ["ASSET"] * 2 + ["INSTRUMENT"] + ["ACCOUNT"] * len(PEOPLE)
    answer, *levels = field.query(Query.DEPTH, instrument=1, limit=1)
    assert unpack(answer)["book_seq"] == 2
    assert [unpack(level)["price_ticks"] for level in levels] == [10, 20]


@pytest.mark.parametrize("record", [b"", b"\0" * 40, ADVANCE, pack(Query.DEPTH, instrument=7)])
def test_a_query_that_is_none_is_refused(record: bytes) -> None:
    """Nonsense gives one REFUSED."""
    (answer,) = split(Field().exchange.query(record))
    assert kind_of(answer) == Event.REFUSED


@pytest.mark.parametrize("text", ["a", "-_", "A" * 36, "x-TKT5PX2F", "0", "AAAA", "A" * 35])
def test_client_order_ids_are_four_words_and_back(text: str) -> None:
    """encode() and decode() are inverses."""
    words = client_ids.encode(text)
    assert any(words)
    assert client_ids.decode(words) == text


def test_client_order_ids_differ_when_their_texts_do() -> None:
    """Also by length alone."""
    texts = [letter * count for letter in "A-z9" for count in range(1, 37)]
    assert len({client_ids.encode(text) for text in texts}) == len(texts)


@pytest.mark.parametrize("text", ["", "a" * 37, "ä", "a b", "a\n", "a.b", "a/b"])
def test_other_client_order_ids_are_refused(text: str) -> None:
    """ValueError says what may be written."""
    with pytest.raises(ValueError, match="1 to 36 characters"):
        client_ids.encode(text)


@pytest.mark.parametrize("words", [(1, 0, 0, 0), (0, 0, 0, 37 << 56), (-1, -1, -1, -1)])
def test_words_that_are_no_client_order_id_are_refused(words: tuple[int, int, int, int]) -> None:
    """decode() takes only what encode() gives, or four zeros."""
    with pytest.raises(ValueError, match="not the words"):
        client_ids.decode(words)
    assert client_ids.decode((0, 0, 0, 0)) == ""
