"""Proofs of a running house: published, downloaded, verified offline."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from fondaco.core.money import parse_units
from fondaco.journal.liabilities import verify
from tests.house_fixture import RunningHouse, open_house
from tests.treasury.people import FILE, Person

SETTINGS = "rate_limits = false\nstaff_mfa = false\nwithdrawal_delay_s = 0\n"


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house without a delay."""
    with open_house(settings=SETTINGS, file_text=FILE) as running:
        yield running


def test_a_member_verifies_their_balance(house: RunningHouse) -> None:
    """All that is owed, what orders and withdrawals hold included, is under the published root."""
    bob, ann = Person(house, "bob"), Person(house, "ann")
    order = house.signed(
        house.bob,
        "POST",
        "/api/v3/order",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.5",
        price="20000",
    )
    assert order.status == 200
    assert bob.withdraw("7").status == 201
    _, page = ann.post_form("/proofs/publish", {}, page="/proofs/")
    assert "Published at position" in page
    stranger = Person(house)
    _, public = stranger.get("/proofs/")
    root = re.search(r"Root <code>(\w{64})</code>", public)
    seq = re.search(r"Position (\d+)", public)
    assert root is not None
    assert seq is not None
    status, text = bob.get(f"/proofs/{seq[1]}.json")
    assert status == 200
    found = verify(text.encode(), root=root[1])
    totals = house.get("/api/v1/ledger/totals/").json
    for code, decimals, amount, total in found.amounts:
        assert total == parse_units(totals[code]["members"], decimals)
        assert 0 < amount < total
    owed = {code: amount for code, _, amount, _ in found.amounts}
    assert owed["USDT"] == 1_000_000 * 10**8
    theirs = ann.get(f"/proofs/{seq[1]}.json")[1]
    assert verify(theirs.encode(), root=root[1]).seq == found.seq
    assert theirs != text
    assert "ann" not in text
    assert json.loads(text)["root"] == root[1]


def test_who_may_publish_and_download(house: RunningHouse) -> None:
    """Members don't publish, strangers get no branch, an unknown position is 404."""
    bob = Person(house, "bob")
    assert bob.post_form("/proofs/publish", {}, page="/money/")[0] == 403
    assert 'name="password"' in Person(house).get("/proofs/1.json")[1]
    assert bob.get("/proofs/999999.json")[0] == 404
