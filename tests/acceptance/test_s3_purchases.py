"""S3: purchases from an outside exchange, by the numbers of the contract."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from tests.acceptance.agency_house import (
    all_done,
    buy,
    customer,
    delete,
    open_agency,
    outside,
    post,
    sums_are_zero,
    until,
    wealth,
)
from tests.house_fixture import RunningHouse

DONE = {"message": "Purchase order registered successfully."}


@pytest.fixture(scope="module")
def slow() -> Iterator[RunningHouse]:
    """A house of two edges and two workers whose venue takes 5 seconds for an answer."""
    with open_agency(latency_s=5, settings="edges = 2") as house, house.another_worker():
        yield house


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    """A house of two edges and two workers whose venue answers at once."""
    with open_agency(settings="edges = 2") as running, running.another_worker():
        yield running


def test_s3_1_bodies_statuses_and_texts(house: RunningHouse) -> None:
    """S3-1: customers and orders as the older system's callers send and expect them."""
    made = post(house, "/api/customer/", {"name": "farbod", "balance": "100.00"})
    number = made.json["id"]
    assert (made.status, made.json) == (
        201, {"id": number, "name": "farbod", "balance": "100.00"},
    )  # fmt: skip
    again = post(house, "/api/customer", {"name": "farbod"})
    assert (again.status, again.json["balance"]) == (201, "100.00")
    assert again.json["id"] == number + 1
    listed = {row["id"]: row for row in house.get("/api/customer/").json}
    assert listed[number] == made.json
    assert listed == {row["id"]: row for row in house.get("/api/customer").json}
    for amount in (1.5, "1.5"):
        answer = buy(house, number, "ABAN", amount)
        assert (answer.status, answer.json) == (200, DONE)
        assert answer.headers["location"].startswith("/api/v1/orders/")
    assert house.get(f"/api/customer/{number}").json["balance"] == "70.00"
    poor = buy(house, number, "ABAN", 8)
    assert (poor.status, poor.json) == (400, {"error": "Insufficient account balance."})
    for path in ("/api/order/", "/api/order"):
        assert house.get(path).status == 405
        assert post(house, path, {}).json == {
            name: ["This field is required."] for name in ("crypto", "amount", "customer_id")
        }
    until(lambda: wealth(house, number) == (Decimal(70), {"ABAN": Decimal(3)}))
    assert house.get(f"/api/customer/{number}/").json == {
        "id": number, "name": "farbod", "balance": "70.00", "coins": {"ABAN": "3"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "body, fields",
    [
        ({}, {"name"}),
        ({"name": ""}, {"name"}),
        ({"name": "x" * 21}, {"name"}),
        ({"name": "a", "balance": "-1"}, {"balance"}),
        ({"name": "a", "balance": "1.001"}, {"balance"}),
        ({"name": "a", "balance": "NaN"}, {"balance"}),
        ({"name": "a", "balance": "100000000000"}, {"balance"}),
        ({"name": "", "balance": "x"}, {"name", "balance"}),
    ],
)
def test_s3_1_a_customer_that_cannot_be_is_400(
    house: RunningHouse, body: dict[str, Any], fields: set[str]
) -> None:
    """S3-1: bad fields are named, and nobody is made."""
    before = house.get("/api/customer/").json
    reply = post(house, "/api/customer/", body)
    assert (reply.status, set(reply.json)) == (400, fields)
    assert house.get("/api/customer/").json == before


def test_s3_2_small_orders_of_one_coin_become_one_outside_order() -> None:
    """S3-2: 4 + 3 + 4 dollars are one order of 11; another coin waits for itself."""
    with open_agency() as house:
        people = [customer(house, name) for name in ("a", "b", "c")]
        assert buy(house, people[0], "ABAN", 0.4).status == 200
        assert buy(house, people[0], "DOGE", "4.5").status == 200  # 9 dollars
        assert buy(house, people[1], "ABAN", 0.3).status == 200
        waiting = [row["wait"] for row in house.get("/api/v1/orders/").json]
        assert waiting == ["POOL"] * 3
        assert outside(house) == []
        assert buy(house, people[2], "ABAN", 0.4).status == 200
        until(lambda: all_done(house, 1))
        (order,) = outside(house)
        assert order["symbol"] == "ABANUSD"
        assert [Decimal(order[name]) for name in ("notional", "quantity", "filled_quantity")] == [
            11, Decimal("1.1"), Decimal("1.1"),
        ]  # fmt: skip
        assert order["attempts"] == 1
        parts = {part["customer_id"]: Decimal(part["quantity"]) for part in order["parts"]}
        assert parts == {
            people[0]: Decimal("0.4"), people[1]: Decimal("0.3"), people[2]: Decimal("0.4"),
        }  # fmt: skip
        assert wealth(house, people[0]) == (Decimal(87), {"ABAN": Decimal("0.4")})
        assert buy(house, people[1], "ABAN", 1).status == 200  # exactly 10 goes at once
        until(lambda: all_done(house, 2))
        assert sums_are_zero(house)


def test_s3_3_parallel_orders_never_overdraw(house: RunningHouse) -> None:
    """S3-3: of 50 orders of 3 dollars at once, 33 are taken from 100, and one dollar is left."""
    number = customer(house, "many")
    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(lambda _: buy(house, number, "ABAN", 0.3), range(50)))
    statuses = sorted(reply.status for reply in replies)
    assert statuses == [200] * 33 + [400] * 17
    assert wealth(house, number)[0] == 1
    assert sums_are_zero(house)


def test_s3_4_the_reply_does_not_wait_for_the_venue(slow: RunningHouse) -> None:
    """S3-4: orders are answered while nothing was bought yet; the coins come when it has been."""
    number = customer(slow, "patient", "1000.00")
    before = len(outside(slow))
    assert buy(slow, number, "ABAN", 1).status == 200
    assert wealth(slow, number) == (Decimal(990), {})
    for _ in range(9):
        assert buy(slow, number, "ABAN", 1).status == 200
    until(lambda: len(outside(slow)) == before + 10)
    until(lambda: wealth(slow, number) == (Decimal(900), {"ABAN": Decimal(10)}))
    assert all(order["attempts"] == 1 for order in outside(slow))


def is_sent(house: RunningHouse, count: int) -> bool:
    """Whether so many outside orders are there, and the last has been sent."""
    found = outside(house)
    return len(found) == count and found[-1]["status"] != "PENDING"


FATES = ["fill", "reject", "timeout", "lost", "partial 0.4", "duplicate"]


def test_s3_5_every_fate_is_found_out_and_none_is_sent_again() -> None:
    """S3-5: refused and lost are given back exactly; a timeout is found by its id, bought once."""
    with open_agency(script=FATES) as house:
        people = []
        for count, name in enumerate(FATES, 1):  # one after the other: the script counts
            people.append(customer(house, name[:20]))
            assert buy(house, people[-1], "ABAN", 2).status == 200
            until(partial(is_sent, house, count))
        until(lambda: all_done(house, len(FATES)))
        found = [wealth(house, number) for number in people]
        bought = (Decimal(80), {"ABAN": Decimal(2)})
        nothing: tuple[Decimal, dict[str, Decimal]] = (Decimal(100), {})
        part = (Decimal(92), {"ABAN": Decimal("0.8")})
        assert found == [bought, nothing, bought, nothing, part, bought]
        assert [order["attempts"] for order in outside(house)] == [1] * len(FATES)
        assert sums_are_zero(house)


# The script counts what reached the venue; the third order's answer never comes.
KILLED_AT = ("PENDING", "SENT", "UNKNOWN", "SENT")
KILLED_FATES = ["fill", "fill", "timeout", "partial 0.4"]


def test_s3_5_a_worker_killed_at_any_state_buys_once_and_loses_nothing() -> None:
    """S3-5: kill -9 before, while and after sending: one arrival each, every debit kept."""
    with open_agency(latency_s=0.5, script=KILLED_FATES) as house:
        people = []
        for count, state in enumerate(KILLED_AT, 1):
            people.append(customer(house, f"killed {count}"))
            assert buy(house, people[-1], "ABAN", 2).status == 200
            until(partial(has_been, house, count, state))
            os.kill(house.child("worker"), signal.SIGKILL)
            until(partial(all_done, house, count))
        (file,) = (house.data / "venues").glob("*.sqlite3")
        with contextlib.closing(sqlite3.connect(file)) as database:
            arrivals = dict(
                database.execute("SELECT client_id, count(*) FROM arrival GROUP BY client_id")
            )
        bought = {order["client_order_id"]: order for order in outside(house)}
        assert set(arrivals.values()) == {1}
        spent = got = Decimal(0)
        for order in bought.values():
            filled = Decimal(order["filled_quantity"])
            assert filled in {Decimal(0), Decimal(2), Decimal("0.8")}
            assert filled == 0 or order["client_order_id"] in arrivals
            got += filled
            spent += Decimal(order["filled_quote"])
        found = [wealth(house, number) for number in people]
        assert sum(coins.get("ABAN", Decimal(0)) for _, coins in found) == got > 0
        assert sum(balance for balance, _ in found) == 400 - spent
        assert sums_are_zero(house)


def has_been(house: RunningHouse, count: int, state: str) -> bool:
    """Whether the newest of so many outside orders has come as far as a state."""
    order = ("PENDING", "SENT", "UNKNOWN", "CONFIRMED")
    found = outside(house)
    return len(found) == count and order.index(found[-1]["status"]) >= order.index(state)


def test_s3_6_coins_are_shared_pro_rata_to_the_last_unit() -> None:
    """S3-6: 0.4 of an order of three; the parts sum up to the fill, by largest remainder."""
    with open_agency(script=["partial 0.3333"]) as house:
        people = [customer(house, name) for name in ("a", "b", "c")]
        for number, amount in zip(people, ("0.4", "0.3", "0.4"), strict=True):
            assert buy(house, number, "ABAN", amount).status == 200
        until(lambda: all_done(house, 1))
        (order,) = outside(house)
        assert Decimal(order["filled_quantity"]) == Decimal("0.36663")
        shares = [Decimal(part["filled_quantity"]) for part in order["parts"]]
        assert sum(shares) == Decimal("0.3666")  # whole lots; the rest is the rounding account's
        assert shares == [Decimal("0.1333"), Decimal("0.1"), Decimal("0.1333")]
        rest = house.get("/api/v1/ledger/totals/").json["ABAN"]
        assert rest["rounding"] == "0.00003"
        assert rest["sum"] == "0"
        money = [wealth(house, number)[0] for number in people]
        dust = Decimal(house.get("/api/v1/ledger/totals/").json["USD"]["rounding"])
        assert 300 - sum(money) - dust == Decimal(order["filled_quote"])


@pytest.mark.parametrize(
    "change, status, field",
    [
        ({"amount": -1}, 400, "amount"),
        ({"amount": 0}, 400, "amount"),
        ({"amount": "0.00"}, 400, "amount"),
        ({"amount": "NaN"}, 400, "amount"),
        ({"amount": "Infinity"}, 400, "amount"),
        ({"amount": "-0"}, 400, "amount"),
        ({"amount": "1e400"}, 400, "amount"),
        ({"amount": 1e300}, 400, "amount"),
        ({"amount": "0.00001"}, 400, "amount"),
        ({"amount": 0.30000000000000004}, 400, "amount"),
        ({"amount": "one"}, 400, "amount"),
        ({"amount": None}, 400, "amount"),
        ({"amount": [1]}, 400, "amount"),
        ({"amount": True}, 400, "amount"),
        ({"amount": "٣"}, 400, "amount"),
        ({"customer_id": "x"}, 400, "customer_id"),
        ({"customer_id": 10**30}, 404, "detail"),
        ({"customer_id": -1}, 404, "detail"),
        ({"customer_id": 0}, 404, "detail"),
        ({"crypto": "NONE"}, 404, "detail"),
        ({"crypto": ""}, 400, "crypto"),
        ({"crypto": "aban"}, 404, "detail"),
        ({"crypto": "ABAN\x00"}, 400, "crypto"),
    ],
)
def test_s3_7_what_cannot_be_bought_is_refused(
    house: RunningHouse, change: dict[str, Any], status: int, field: str
) -> None:
    """S3-7: negative, zero, no number, unknown: 4xx by field, and nothing has moved."""
    number = customer(house, "careless")
    body = {"crypto": "ABAN", "amount": 1, "customer_id": number, **change}
    reply = post(house, "/api/order/", body)
    assert (reply.status, set(reply.json)) == (status, {field}), reply.body
    assert wealth(house, number) == (Decimal(100), {})


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"x"', b"NaN", b'{"amount": NaN}', b"\xff"])
def test_s3_7_bodies_that_are_no_object_are_refused(house: RunningHouse, raw: bytes) -> None:
    """S3-7: whatever is sent, the answer is a 400 and never a fault of ours."""
    for path in ("/api/order/", "/api/customer/"):
        assert post(house, path, raw).status == 400


@pytest.mark.parametrize("rule, ends", [("refund", (Decimal(100), {})), ("flush", None)])
def test_s3_8_a_pool_that_waits_too_long(rule: str, ends: Any) -> None:
    """S3-8: after an hour it is given back, or sent as it is, as the venue's rule says."""
    venue = f'pool_timeout_s = 3600\npool_timeout = "{rule}"'
    with open_agency(settings='clock = "test"', venue=venue) as house:
        number = customer(house, "slow")
        assert buy(house, number, "ABAN", 0.4).status == 200
        assert wealth(house, number) == (Decimal(96), {})
        post(house, "/api/v1/test/clock", {"advance_s": 3599})
        assert wealth(house, number) == (Decimal(96), {})
        post(house, "/api/v1/test/clock", {"advance_s": 2})
        wanted = ends or (Decimal(96), {"ABAN": Decimal("0.4")})
        until(lambda: wealth(house, number) == wanted)
        until(lambda: len(outside(house)) == (rule == "flush"))
        assert sums_are_zero(house)


def test_s3_8_an_order_is_cancelled_while_it_waits_and_not_after(slow: RunningHouse) -> None:
    """S3-8: DELETE gives the money back while the pool waits; 409 once the venue has the order."""
    number = customer(slow, "hesitant")
    place = buy(slow, number, "DOGE", 1).headers["location"]
    shown = slow.get(place).json
    assert (shown["status"], shown["wait"], shown["quantity"]) == ("NEW", "POOL", "1")
    assert delete(slow, place).json["status"] == "CANCELED"
    assert wealth(slow, number) == (Decimal(100), {})
    assert delete(slow, place).status == 409
    sent = buy(slow, number, "ABAN", 1).headers["location"]
    until(lambda: slow.get(sent).json["wait"] == "VENUE")
    assert slow.get(sent).json["venue_order"] == outside(slow)[-1]["client_order_id"]
    refused = delete(slow, sent)
    assert refused.status == 409
    assert "venue" in refused.json["error"]
    until(lambda: slow.get(sent).json["status"] == "FILLED")
    assert slow.get("/api/v1/orders/999999/").status == 404


def test_a_filter_that_names_no_market_is_said(slow: RunningHouse) -> None:
    """An unknown market is a 400 of the field, not an empty list; a known one lists its orders."""
    for symbol in ("NOSUCH", "%00", "ABANUSD%00", "A" * 2_000):
        answer = slow.get(f"/api/v1/orders/?symbol={symbol}")
        text = "There is no dealer or agency market of that name."
        assert (answer.status, answer.json) == (400, {"symbol": [text]})
    assert slow.get("/api/v1/orders/?symbol=ABANUSD").status == 200
