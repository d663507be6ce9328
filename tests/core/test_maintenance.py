"""Maintenance of the house: no new orders, everything else as before."""

from __future__ import annotations

import pytest

from fondaco.core.exchange import Exchange
from fondaco.core.records import Command, Event, Query, Reason, Side, pack, split, unpack
from tests.core.field import PEOPLE, Field
from tests.core.outside_field import OutsideField

ANN = PEOPLE["ann"]


def maintain(maintenance: int, **head: int) -> bytes:
    return pack(Command.CONFIGURE_HOUSE, maintenance=maintenance, **head)


def test_in_maintenance_orders_are_cancelled_and_nothing_else() -> None:
    """MAINTENANCE for every new order; cancels, reductions and withdrawals go on."""
    field = Field()
    field.play("ann sells 5 at 100 as a -> new")
    assert [unpack(event)["maintenance"] for event in field.send(maintain(1))] == [1]
    field.play("""
        bob buys 1 at 100              -> MAINTENANCE
        bob buys for 100               -> MAINTENANCE
        ann reduces a to 3             -> reduced
        ann cancels a                  -> canceled
        book                           -> bids none; asks none
    """)
    out = pack(Command.WITHDRAW, account=ANN, asset=1, amount=1, entry=9)
    assert field.refusals(out) == []
    field.send(maintain(0))
    field.play("bob buys 1 at 100 -> new")


def test_in_maintenance_no_message_fills_an_order() -> None:
    """The dealer market waits, its prices go on; the first message afterwards fills."""
    field = OutsideField()
    field.play("ann buys 10 CIB between 0 and 20 as one -> new")
    field.send(maintain(1))
    field.play("""
        quote 20 x 50 of 1         -> current
        ann waits                  -> CLOSED
    """)
    field.send(maintain(0))
    field.play("quote 20 x 50 of 2 -> ann 10 at 20, current")


def test_maintenance_is_state() -> None:
    """It is in the hash, the dump and the definitions, and a loaded house is still in it."""
    field = Field()
    field.send(maintain(0))
    open_hash, asked = field.exchange.state_hash(), pack(Query.DEFINITIONS)
    kinds = [int.from_bytes(record[:2], "little") for record in split(field.exchange.query(asked))]
    assert Event.HOUSE not in kinds
    other = Field()
    other.send(maintain(1))
    assert other.exchange.state_hash() != open_hash
    loaded = Exchange()
    loaded.load(other.exchange.dump())
    assert loaded.state_hash() == other.exchange.state_hash()
    assert unpack(split(loaded.query(asked))[-1])["maintenance"] == 1
    field.exchange = loaded
    assert field.refusals(field.order("ann", Side.BUY, 1, 10))[0][0] == Reason.MAINTENANCE.name


@pytest.mark.parametrize(
    "record,reason",
    [
        (maintain(2), Reason.INVALID_DEFINITION),
        (maintain(-1), Reason.INVALID_DEFINITION),
        (maintain(1, account=ANN, key=1), Reason.KEY_SCOPE),
    ],
)
def test_who_may_not_or_asks_nonsense_is_refused(record: bytes, reason: Reason) -> None:
    """No API key puts the house in maintenance, whatever its scopes; nothing has changed."""
    field = Field()
    field.send(pack(Command.GRANT_KEY, account=ANN, key_number=1, scopes=7))
    assert [name for name, *_ in field.refusals(record)] == [reason.name]
    field.play("ann buys 1 at 10 -> new")
