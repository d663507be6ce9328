"""Client order ids, and the ids of money commands: one effect each."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest

from fondaco.core.constants import (
    MASK_31,
    MASK_62,
    MASK_64,
    MIX_0,
    MIX_1,
    PRIME_0,
    PRIME_1,
    PRIME_2,
    PRIME_3,
)
from fondaco.core.records import Command, Side, pack
from tests.core.field import PEOPLE, SECOND_US, USD, Field, id_words, still

DAY_S = 86_400
PRIMES: Final = (PRIME_0, PRIME_1, PRIME_2, PRIME_3)


def test_an_open_order_keeps_its_client_order_id() -> None:
    """While it is open: equal parameters are a duplicate, others are told apart."""
    field = Field()
    field.play("ann buys 1 at 10 id x as a -> new")
    first = field.orders["a"]
    again = field.order("ann", Side.BUY, 1, 10, **id_words("x"))
    other = field.order("ann", Side.BUY, 2, 10, **id_words("x"))
    assert field.refusals(again) == [("DUPLICATE_ORDER", first, 0, 0)]
    assert field.refusals(other) == [("CLIENT_ORDER_ID_OPEN", first, 0, 0)]
    field.play("bob buys 1 at 10 id x -> new")


def test_a_closed_order_keeps_its_client_order_id_for_a_day() -> None:
    """Equal parameters are refused until 24 hours after acceptance; other ones are not."""
    field = Field()
    field.play(f"""
        ann buys 1 at 10 id x as a     -> new
        ann cancels a                  -> canceled
        ann buys 1 at 10 id x          -> DUPLICATE_ORDER
        ann buys 2 at 10 id x as b     -> new
        ann cancels b                  -> canceled
        ann buys 1 at 10 id x          -> DUPLICATE_ORDER
        ann buys 2 at 10 id x          -> DUPLICATE_ORDER
        wait {DAY_S - 1}               ->
        ann buys 1 at 10 id x          -> DUPLICATE_ORDER
        wait 1                         ->
        ann buys 1 at 10 id x          -> new
    """)


def test_an_order_open_for_days_keeps_its_client_order_id() -> None:
    """The sweep moves the entries of open orders back instead of dropping them."""
    field = Field()
    field.play("ann buys 1 at 10 id old as old -> new")
    for day in range(4):
        field.play(f"wait {DAY_S} ->")
        for number in range(5):
            field.play(f"bob buys 1 at 10 id d{day}n{number} -> new")
    field.play("""
        ann buys 1 at 10 id old        -> DUPLICATE_ORDER
        ann cancels id old             -> canceled
        ann buys 1 at 10 id old        -> new
    """)


def test_the_ring_drops_what_has_run_out() -> None:
    """It holds a day's orders, not all that ever were."""
    field = Field()
    for number in range(600):
        field.time_us += 1800 * SECOND_US  # 48 a day
        field.play(f"ann buys 1 at 10 id n{number} IOC -> new, expired")
    assert field.exchange.orders.retries.live < 60


def test_a_refused_order_uses_nothing_up() -> None:
    """Its client order id is free again at once."""
    Field().play("""
        ann buys 1000000 at 100 id x   -> INSUFFICIENT_BALANCE
        ann buys 1 at 100 id x         -> new
    """)


def test_many_client_order_ids_are_all_remembered() -> None:
    """The table grows without losing one, and a loaded one refuses the same."""
    field = Field()
    chance = Random(7)
    names = [f"{chance.getrandbits(60):x}" for _ in range(2_000)]
    for name in names:
        field.send(field.order("ann", Side.BUY, 1, 10, time_in_force=2, **id_words(name)))
    again = [
        field.order("ann", Side.BUY, 1, 10, time_in_force=2, **id_words(name)) for name in names
    ]
    assert {reason for reason, *_ in field.refusals(*again)} == {"DUPLICATE_ORDER"}
    field.exchange.load(field.exchange.dump())
    assert len(field.refusals(*again)) == len(names)


# Two whose fingerprints are alike in the part by which they are found; the whole is not.
LOOKALIKES: Final = ("n10440", "n17572")


def alike(name: str) -> int:
    """Return the part of a client order id's fingerprint by which it is found."""
    state = sum(
        (word & MASK_64) * prime
        for word, prime in zip(id_words(name).values(), PRIMES, strict=True)
    )
    state &= MASK_64
    state = (state ^ (state >> 30)) * MIX_0 & MASK_64
    state = (state ^ (state >> 27)) * MIX_1 & MASK_64
    return ((state ^ (state >> 31)) & MASK_62) + 1 & MASK_31 | 1


@pytest.mark.parametrize("names", [LOOKALIKES, LOOKALIKES[::-1]])
def test_client_order_ids_that_look_alike_are_told_apart(names: tuple[str, str]) -> None:
    """Each is found while the other is there, is dropped alone, and can be used anew."""
    assert alike(names[0]) == alike(names[1])
    old, new = names
    Field().play(f"""
        ann buys 1 at 10 id {old}         -> new
        wait 100                          ->
        ann buys 1 at 11 id {new}         -> new
        ann buys 1 at 10 id {old}         -> DUPLICATE_ORDER
        ann buys 1 at 11 id {new}         -> DUPLICATE_ORDER
        ann cancels id {old}              -> canceled
        ann cancels id {new}              -> canceled
        wait {DAY_S - 100}                ->
        ann buys 1 at 10 id {old}         -> new
        ann buys 1 at 11 id {new}         -> DUPLICATE_ORDER
        wait 100                          ->
        ann buys 1 at 11 id {new}         -> new
        ann cancels id {old}              -> canceled
        ann cancels id {new}              -> canceled
    """)


def test_memory_at_hand_changes_nothing() -> None:
    """A core that reserved it, before or between orders, has the state of one that did not."""
    plain, early, late = Field(), Field(), Field()
    early.exchange.reserve(5_000)
    for number in range(300):
        if number == 150:
            late.exchange.reserve(3_000)
        for field in (plain, early, late):
            field.play(f"ann buys 1 at {10 + number % 7} id n{number} -> new")
    hashes = {field.exchange.state_hash() for field in (plain, early, late)}
    assert len(hashes) == 1
    for field in (plain, early, late):
        field.play("ann buys 1 at 10 id n0 -> DUPLICATE_ORDER")
        field.play("ann cancels id n299 -> canceled")


def test_the_id_of_a_money_command_is_used_once_and_for_ever() -> None:
    """Again and equal: DUPLICATE_ENTRY. With anything else: ENTRY_CONFLICT."""
    field = Field()
    words = {"account": PEOPLE["ann"], "asset": USD, "amount": 5, "entry": 77}
    field.send(pack(Command.DEPOSIT, **words))
    first = field.exchange.seq
    field.time_us += 400 * DAY_S * SECOND_US
    before = still(field)
    for changes, reason in (
        ({}, "DUPLICATE_ENTRY"),
        ({"amount": 6}, "ENTRY_CONFLICT"),
        ({"asset": 1}, "ENTRY_CONFLICT"),
        ({"account": PEOPLE["bob"]}, "ENTRY_CONFLICT"),
    ):
        found = field.refusals(pack(Command.DEPOSIT, **{**words, **changes}))
        assert found == [(reason, first, 0, 0)]
    assert field.refusals(pack(Command.WITHDRAW, **words)) == [("ENTRY_CONFLICT", first, 0, 0)]
    assert still(field) == before
