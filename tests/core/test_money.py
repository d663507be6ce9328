"""Deposits, withdrawals, transfers, and amounts at the edge of 64 bits."""

from __future__ import annotations

import pytest

from fondaco.core import COMPILED
from fondaco.core.instrument import Instrument
from fondaco.core.money import format_units, parse_units
from fondaco.core.records import (
    ASSET_TOTAL_MAX,
    AssetBody,
    Cause,
    Command,
    Event,
    Query,
    Side,
    pack,
    pack_body,
    unpack,
)
from fondaco.core.slab import Slab
from tests.core.field import BTC, PEOPLE, USD, Field, instrument, kind_of, still

ANN, BOB = PEOPLE["ann"], PEOPLE["bob"]


def money(kind: Command, **words: int) -> bytes:
    """Return a money command of ann's: 5 USD under the id 1, unless words say otherwise."""
    return pack(kind, **{"account": ANN, "asset": USD, "amount": 5, "entry": 1, **words})


def test_a_deposit_comes_from_the_world() -> None:
    """One POSTING, and a BALANCE of each side; the sums stay zero."""
    field = Field()
    posting, *balances = field.send(money(Command.DEPOSIT))
    words = unpack(posting)
    assert (words["debit_account"], words["credit_account"]) == (1, ANN)
    assert (words["amount"], words["cause"]) == (5, Cause.DEPOSIT)
    assert [unpack(balance)["change"] for balance in balances] == [-5, 5]
    field.play("ann has -> 1000 BTC, 1000005 USD")


def test_a_transfer_moves_between_accounts() -> None:
    """What leaves one enters the other; held funds cannot leave."""
    field = Field()
    field.send(money(Command.TRANSFER, to_account=BOB))
    field.play("""
        ann has                        -> 1000 BTC, 999995 USD
        bob has                        -> 1000 BTC, 1000005 USD
        ann buys 9999 at 100           -> new
    """)
    refused = field.refusals(money(Command.TRANSFER, to_account=BOB, entry=2, amount=96))
    assert refused == [("INSUFFICIENT_BALANCE", USD, 96, 95)]
    assert field.refusals(money(Command.WITHDRAW, entry=2, amount=96)) == refused


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"account": 99}, "UNKNOWN_ACCOUNT"),
        ({"account": 1}, "UNKNOWN_ACCOUNT"),
        ({"account": 0}, "UNKNOWN_ACCOUNT"),
        ({"account": (1 << 63) - 1}, "UNKNOWN_ACCOUNT"),
        ({"asset": 3}, "UNKNOWN_ASSET"),
        ({"asset": -1}, "UNKNOWN_ASSET"),
        ({"amount": 0}, "INVALID_AMOUNT"),
        ({"amount": -5}, "INVALID_AMOUNT"),
        ({"amount": ASSET_TOTAL_MAX + 1}, "INVALID_AMOUNT"),
        ({"entry": 0}, "INVALID_ENTRY"),
        ({"amount": ASSET_TOTAL_MAX}, "TOTAL_TOO_LARGE"),
        ({"key": 9}, "UNKNOWN_KEY"),
    ],
)
def test_a_bad_deposit_has_a_named_reason(changes: dict[str, int], reason: str) -> None:
    """Each is refused by its own name, and nothing moves."""
    field = Field()
    before = still(field)
    assert field.refusals(money(Command.DEPOSIT, **changes))[0][0] == reason
    assert still(field) == before


def test_a_key_may_withdraw_only_with_that_scope_and_from_its_own_account() -> None:
    """WITHDRAW needs the scope; a deposit is never a key's to make."""
    field = Field()
    for number, scopes in ((1, 3), (2, 7)):
        field.send(pack(Command.GRANT_KEY, account=ANN, key_number=number, scopes=scopes))
    assert field.refusals(money(Command.WITHDRAW, key=1))[0][0] == "KEY_SCOPE"
    assert field.refusals(money(Command.DEPOSIT, key=2))[0][0] == "KEY_SCOPE"
    assert field.refusals(money(Command.WITHDRAW, key=2, account=BOB))[0][0] == "KEY_SCOPE"
    assert field.refusals(money(Command.WITHDRAW, key=2)) == []


def test_keys_are_granted_and_revoked_in_their_place_in_the_order() -> None:
    """The command after the revocation is refused, the one before it is not."""
    field = Field()
    order = field.order("ann", Side.BUY, 1, 10, key=5)
    assert field.refusals(order)[0][0] == "UNKNOWN_KEY"
    field.send(pack(Command.GRANT_KEY, account=ANN, key_number=5, scopes=2))
    revoke = pack(Command.REVOKE_KEY, account=ANN, key_number=5)
    assert [name for name, *_ in field.refusals(order, revoke, order)] == ["UNKNOWN_KEY"]
    field.send(pack(Command.GRANT_KEY, account=ANN, key_number=5, scopes=1))
    assert field.refusals(order)[0][0] == "KEY_SCOPE"


def test_the_largest_total_of_an_asset_trades_without_leaving_64_bits() -> None:
    """An account with 2**62 units buys and sells all of it, with fees."""
    most = ASSET_TOTAL_MAX
    field = Field(usd=0, btc=0, taker_fee_ppm=999_999, maker_fee_ppm=999_999)
    field.send(money(Command.DEPOSIT, amount=most, entry=1))
    field.send(money(Command.DEPOSIT, amount=most, entry=2, account=BOB, asset=BTC))
    lots = most // 10
    price = most // lots
    field.send(field.order("ann", Side.BUY, lots, price))
    events = field.send(field.order("bob", Side.SELL, lots, price))
    trade = next(unpack(event) for event in events if kind_of(event) == Event.TRADE)
    assert trade["quote_amount"] == lots * price
    assert trade["seller_fee"] == lots * price * 999_999 // 1_000_000
    field.check_sums()


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize("price", [1, 1 << 31, 1 << 62, (1 << 63) - 1])
@pytest.mark.parametrize("lots", [1, 1 << 31, (1 << 62) // 10, (1 << 63) - 1])
def test_no_price_and_quantity_overflow(side: Side, price: int, lots: int) -> None:
    """Every pair up to 2**63 - 1 is an order or a refusal by name, on both builds."""
    field = Field(fee_in_quote=True, taker_fee_ppm=999_999)
    names = [name for name, *_ in field.refusals(field.order("ann", side, lots, price))]
    limits = {"PRICE_OUT_OF_RANGE", "QUANTITY_OUT_OF_RANGE", "NOTIONAL_TOO_LARGE"}
    assert names == [] or names[0] in {*limits, "INSUFFICIENT_BALANCE"}
    field.check_sums()


def test_a_sum_past_64_bits_raises_instead_of_wrapping() -> None:
    """The money functions are checked: in C 2**63 raises, in Python it is never reached."""
    made = Instrument(1, Slab(1, 128), Slab(2, 32))
    made.define(instrument())
    big = (1 << 63) - 1
    if COMPILED:
        with pytest.raises(OverflowError):
            made.obligation(Side.BUY, big, big)
    else:
        assert made.obligation(Side.BUY, big, big) == big * big


def test_opening_balances_come_from_the_world() -> None:
    """An opening balance comes from the world: the two add up to zero."""
    field = Field()
    body = AssetBody(number=3, code="EUR", decimals=2)
    field.send(pack_body(Command.DEFINE_ASSET, body))
    totals = {unpack(record)["asset"]: unpack(record) for record in field.query(Query.TOTALS)}
    assert totals[USD]["members"] == 4_000_000 == -totals[USD]["world"]
    assert totals[3]["members"] == 0


TEXTS = [
    ("0", 8, 0),
    ("1", 0, 1),
    ("1.5", 1, 15),
    ("0.00000001", 8, 1),
    ("123.4500", 2, 12345),
    ("46116860184.27387904", 8, 1 << 62),
]


@pytest.mark.parametrize("text, decimals, units", TEXTS)
def test_decimal_text_is_exact_both_ways(text: str, decimals: int, units: int) -> None:
    """parse_units() and format_units() are inverses."""
    assert parse_units(text, decimals) == units
    assert parse_units(format_units(units, decimals), decimals) == units


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", "1e5", " 1", "1 ", ".5", "1.", "0.001", "\u0661", "1_0", "nan", "1" * 30],
)
def test_other_text_is_refused(text: str) -> None:
    """No sign, exponent, space, underscore, foreign digit; nothing finer than the unit."""
    with pytest.raises(ValueError, match=r"."):
        parse_units(text, 2)


def test_negative_amounts_are_written_with_their_sign() -> None:
    """The world's balance is below zero."""
    assert format_units(-5, 2) == "-0.05"
    assert format_units(-500, 0) == "-500"
