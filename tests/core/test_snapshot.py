"""Dump, load and hash: the whole state, in logical order, on both builds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from fondaco.core.exchange import Exchange, events_digest
from fondaco.core.records import Command, Side, pack
from fondaco.core.snapshot import hash_of
from tests.core.field import Field, id_words

ROOT = Path(__file__).resolve().parent.parent.parent


def trade_on(field: Field, seed: int, count: int) -> bytes:
    """Send a seeded run of orders and cancels; return all events."""
    chance = Random(seed)
    told = []
    for number in range(count):
        name = chance.choice(["ann", "bob", "cat", "ann2"])
        if chance.random() < 0.3:
            order_id = chance.randrange(field.exchange.seq)
            record = pack(
                Command.CANCEL_ORDER, account=16 + chance.randrange(4), instrument=1,
                order_id=order_id,
            )  # fmt: skip
        else:
            record = field.order(
                name, chance.choice([Side.BUY, Side.SELL]), chance.randint(1, 9),
                100 + chance.randint(-9, 9), self_trade=chance.randrange(6),
                **(id_words(f"c{seed}-{number}") if chance.random() < 0.5 else {}),
            )  # fmt: skip
        told.extend(field.send(record))
        field.time_us += chance.randrange(10**9)
    return b"".join(told)


def seeded_run() -> str:
    """Return the state hash and the digest of all events of one seeded run."""
    field = Field(maker_fee_ppm=100, taker_fee_ppm=2_000)
    events = trade_on(field, 1, 1_500)
    return f"{field.exchange.state_hash().hex()} {events_digest(events)}"


def test_a_loaded_dump_goes_on_like_the_original() -> None:
    """After a load the same commands give the same events and the same state."""
    first = Field(taker_fee_ppm=2_000)
    trade_on(first, 2, 700)
    dump = first.exchange.dump()
    second = Field()
    second.exchange.load(dump)
    second.time_us = first.time_us
    assert second.exchange.dump() == dump
    assert trade_on(first, 3, 700) == trade_on(second, 3, 700)
    assert first.exchange.state_hash() == second.exchange.state_hash()


def test_the_hash_is_of_the_dump_alone() -> None:
    """A thread can hash a dump; the hash is 16 bytes."""
    field = Field()
    assert hash_of(field.exchange.dump()) == field.exchange.state_hash()
    assert len(field.exchange.state_hash()) == 16


def test_the_state_does_not_depend_on_slots() -> None:
    """Other rows in other slots, the same orders at the end: the same books in the dump."""
    plain, winding = Field(), Field()
    plain.play("""
        ann buys 1 at 9 -> new
        bob buys 2 at 9 -> new
    """)
    winding.send(*[winding.order("cat", Side.BUY, 1, 3 + n) for n in range(50)])
    winding.send(pack(Command.CANCEL_ALL, account=18, instrument=1))
    winding.play("""
        ann buys 1 at 9 -> new
        bob buys 2 at 9 -> new
    """)
    orders = [
        field.query(514, account=16) + field.query(514, account=17)  # type: ignore[arg-type]
        for field in (plain, winding)
    ]
    assert len(orders[0]) == len(orders[1]) == 2
    assert plain.book() == winding.book()


@pytest.mark.parametrize("damage", [b"", b"\0" * 8, b"\0" * 200, b"FONDACO1" * 10])
def test_what_is_no_dump_is_refused(damage: bytes) -> None:
    """load() raises ValueError on other bytes."""
    with pytest.raises(ValueError, match=r"."):
        Exchange().load(damage)


def test_a_dump_that_is_too_long_is_refused() -> None:
    """Words left over are an error, not ignored."""
    with pytest.raises(ValueError, match="left over"):
        Exchange().load(Exchange().dump() + bytes(8))


def test_both_builds_and_any_hash_seed_give_the_same_state() -> None:
    """State hash and event digest are equal: compiled, pure, PYTHONHASHSEED 1 and 2."""
    wanted = seeded_run()
    code = "from tests.core.test_snapshot import seeded_run; print(seeded_run())"
    for pure, seed in (("0", "1"), ("1", "2")):
        environment = {
            **os.environ, "FONDACO_PURE": pure, "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        }  # fmt: skip
        found = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True,
            check=True, timeout=120, cwd=ROOT,
        )  # fmt: skip
        assert found.stdout.strip() == wanted


def test_the_digest_sees_every_word_and_their_order() -> None:
    """A changed bit, a swap, a word more: another digest."""
    words = bytes(range(1, 65))
    digests = {events_digest(words), events_digest(words + bytes(8)), events_digest(b"")}
    digests |= {events_digest(words[8:16] + words[:8] + words[16:])}
    digests |= {events_digest(words[16:24] + words[8:16] + words[:8] + words[24:])}
    for bit in range(len(words) * 8):
        flipped = bytearray(words)
        flipped[bit // 8] ^= 1 << bit % 8
        digests.add(events_digest(bytes(flipped)))
    assert len(digests) == 5 + len(words) * 8
    assert all(0 <= digest < 1 << 63 for digest in digests)
