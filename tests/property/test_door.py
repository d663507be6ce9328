"""Structure-aware fuzz of the door: sound framing, garbage words; apply() is total.

Every record passes stamp(), so every one counts as having reached the core. Each gives its events
or exactly one REFUSED; refused ones change nothing: the state's hash moves only with seq and time.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from itertools import chain
from random import Random
from typing import Any

import msgspec
import pytest

from fondaco.core.exchange import Exchange
from fondaco.core.records import (
    HEAD_WORDS,
    LAYOUTS,
    VERSION,
    Command,
    Event,
    Query,
    numbers_of,
    pack,
    split,
    unpack,
    unpack_body,
)
from tests.property.flows import START_US, WORD_EDGES, Flow, OpenOrder
from tests.simulation.observer import Observer

RECORDS = int(os.environ.get("FONDACO_FUZZ_RECORDS", "30000"))
FIXED = [kind for kind in Command if kind in LAYOUTS and kind != Command.TOMBSTONE]
WITH_BODY = [kind for kind in Command if kind not in LAYOUTS]


def garbage(random: Random, flow: Flow) -> bytes:
    """Return one record of sound framing and unsound words."""
    fate = random.random()
    if fate < 0.55:
        kind = random.choice(FIXED)
        count = HEAD_WORDS + len(LAYOUTS[kind]) + (random.random() < 0.02)
        words = [random.choice(WORD_EDGES) for _ in range(count)]
        if random.random() < 0.8:  # mostly of an account that is there, without a key
            words[3], words[4] = random.randrange(14, 24), 0
        words[0] = kind | VERSION << 16 | 8 * count << 32
        return struct.pack(f"<{count}q", *words)
    if fate < 0.7:
        return body(random, flow)
    record = bytearray(flow.next())
    if len(record) > 48 and random.random() < 0.7:
        place = random.randrange(3, len(record) // 8)
        struct.pack_into("<q", record, 8 * place, random.choice(WORD_EDGES))
    return bytes(record)


def body(random: Random, flow: Flow) -> bytes:
    """Return a record whose body has a field of another type or value, or broken msgpack."""
    if random.random() < 0.3:
        content = random.randbytes(random.randrange(1, 80))
    else:
        sound = msgspec.msgpack.decode(unpack_body(random.choice(flow.opening()[:12])))
        strange: tuple[Any, ...] = (None, "", "x" * 40, -1, 1.5, 1 << 63, [], {}, True, 0)
        sound[random.choice(list(sound))] = random.choice((*strange, [[1, -1]], [[1, 1], [1, 1]]))
        content = msgspec.msgpack.encode(sound)
    size = len(content) if random.random() < 0.9 else random.choice(WORD_EDGES)
    padded = content + bytes(-len(content) % 8)
    kind = random.choice(WITH_BODY)
    account = random.randrange(14, 40)
    head = (kind | VERSION << 16 | (48 + len(padded)) << 32, 0, 0, account, 0, size)
    return struct.pack("<6q", *head) + padded


def live_orders(observer: Observer) -> list[OpenOrder]:
    """Return what the observer knows to be open."""
    return [
        OpenOrder(o.order_id, o.account, o.instrument, o.remaining, o.client_id, o.list_id)
        for o in observer.orders.values()
    ]


def test_apply_is_total() -> None:
    """Garbage words in sound framing give events or one named refusal, and break no invariant."""
    random = Random(20)
    exchange = Exchange()
    observer = Observer()
    flow = Flow(random, lambda: live_orders(observer))
    outcomes: Counter[str] = Counter()
    reached = 0
    records = chain(flow.opening(), (garbage(random, flow) for _ in range(RECORDS)))
    seq = 0
    for record in records:
        batch = bytearray(record)
        taken = exchange.stamp(batch, seq + 1, START_US + seq * 1000)
        assert taken == numbers_of(record)
        seq += taken
        reached += 1
        events = split(exchange.apply(bytes(batch)))
        kinds = [event[0] | event[1] << 8 for event in events]
        if Event.REFUSED in kinds:
            assert kinds == [Event.REFUSED], "a refusal stands alone"
            outcomes["refused"] += 1
        else:
            kind = record[0] | record[1] << 8
            assert events or kind in {Command.ADVANCE, Command.ROLL}, Command(kind).name
            outcomes["done"] += 1
        observer.take(b"".join(events))
        if reached % 16 == 0:
            observer.check(exchange)
    observer.check(exchange, everything=True)
    print(f"{reached} records reached the core: {dict(outcomes)}; trades {observer.trades}")
    assert outcomes["refused"] > RECORDS // 4
    assert outcomes["done"] > RECORDS // 20


def test_a_refused_command_changes_nothing() -> None:
    """After a refusal the dump differs from before only in seq and time."""
    random = Random(21)
    exchange = Exchange()
    flow = Flow(random, list)
    opening = bytearray(b"".join(flow.opening()))
    seq = exchange.stamp(opening, 1, START_US)
    exchange.apply(bytes(opening))
    refused = 0
    for _ in range(3000):
        before = exchange.dump()
        batch = bytearray(garbage(random, flow))
        seq += exchange.stamp(batch, seq + 1, START_US)
        events = exchange.apply(bytes(batch))
        if events and events[0] | events[1] << 8 == Event.REFUSED:
            refused += 1
            after = exchange.dump()
            assert len(after) == len(before)
            changed = [
                at for at in range(0, len(after), 8) if after[at : at + 8] != before[at : at + 8]
            ]
            assert len(changed) <= 1, f"{unpack(events)} changed words at {changed}"
    assert refused > 500


def test_the_fuzz_sees_a_door_that_is_not_total() -> None:
    """A planted core that asserts at a quantity of 2**62 is found within the records."""
    random = Random(20)
    flow = Flow(random, list)
    found = any(
        struct.unpack_from("<q", record, 8 * 11)[0] == 1 << 62
        for record in (garbage(random, flow) for _ in range(5000))
        if record[0] == Command.NEW_ORDER and len(record) > 96
    )
    assert found


@pytest.mark.parametrize("kind", [kind for kind in Query if kind in LAYOUTS])
def test_queries_are_total(kind: Query) -> None:
    """Any words in a question's frame give an answer or one refusal, and change nothing."""
    random = Random(22)
    exchange = Exchange()
    opening = bytearray(b"".join(Flow(random, list).opening()))
    exchange.stamp(opening, 1, START_US)
    exchange.apply(bytes(opening))
    before = exchange.state_hash()
    names = LAYOUTS[kind]
    for _ in range(500):
        words = {name: random.choice(WORD_EDGES) for name in (*names, "account", "key")}
        answer = split(exchange.query(pack(kind, **words)))
        refused = [event for event in answer if event[0] | event[1] << 8 == Event.REFUSED]
        assert not refused or len(answer) == 1
    assert exchange.state_hash() == before
