"""S4, stocks priced by a stream: the numbered items, against a running house and a real broker."""

from __future__ import annotations

import signal
import threading
import urllib.parse
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.acceptance.dealer_house import (
    ask,
    at,
    balance,
    buy,
    open_dealer,
    order,
    sell,
    shares,
    stock,
    sums_are_zero,
    until,
    user,
    users_words,
)
from tests.house_fixture import RunningHouse
from tests.mosquitto_fixture import CIB, Mosquitto, broker, price

__all__ = ["broker"]

pytestmark = pytest.mark.needs("mosquitto")


@pytest.fixture
def house(broker: Mosquitto) -> Iterator[RunningHouse]:
    """A house of two edges whose feed is connected to `broker`."""
    with open_dealer(broker, settings="edges = 2") as running:
        yield running


def test_s4_1_every_route_answers_as_its_callers_know_it(
    broker: Mosquitto, house: RunningHouse
) -> None:
    """Each URL in both slash forms, each body, status and text of the contract."""
    assert stock(house) == {
        "stock_id": CIB,
        "name": "CIB",
        "highest_price": None,
        "lowest_price": None,
        "average_price": None,
        "recent_data": [],
        "transactions": [],
    }
    for number, slash in ((1, ""), (2, "/")):
        name = f"eslam{number}"
        body = {"username": name, "email": f"{name}@gmail.com", "password": "pass", "balance": 1000}
        made = ask(house, "POST", f"/api/users{slash}", body)
        words = {"id": number, "username": name, "email": f"{name}@gmail.com", "balance": 1000.0}
        assert (made.status, made.json) == (201, words)
        again = ask(house, "POST", f"/api/users{slash}", body)
        assert again.status == 400
        assert again.json["username"] == ["A user with that username already exists."]
        assert ask(house, "GET", f"/api/users{slash}").json[number - 1] == words
        one = f"/api/users/{number}"
        whole = {name: words[name] for name in ("username", "email", "balance")}
        nothing = whole | {"stocks": [], "recent_transactions": []}
        assert ask(house, "GET", f"{one}{slash}").json == nothing
        moved = ask(house, "POST", f"{one}/deposit{slash}", {"amount": 100})
        assert (moved.status, moved.json) == (200, words | {"balance": 1100.0})
        moved = ask(house, "POST", f"{one}/withdraw{slash}", {"amount": "99.5"})
        assert (moved.status, moved.json) == (200, words | {"balance": 1000.5})
        for verb in ("deposit", "withdraw"):
            wrong = ask(house, "POST", f"{one}/{verb}{slash}", {})
            assert (wrong.status, wrong.json) == (400, {"amount": ["This field is required."]})
        wrong = ask(house, "POST", f"{one}/withdraw{slash}", {"amount": 5000})
        assert wrong.status == 400
        assert wrong.json == {"error": "you dont have the fund to withdraw"}
        _trade(broker, house, number, slash)
        changed = ask(house, "PATCH", f"{one}{slash}", {"email": f"new{number}@gmail.com"})
        assert (changed.status, changed.json["email"]) == (200, f"new{number}@gmail.com")
        put = {"username": f"e{number}", "email": f"e{number}@gmail.com", "password": "other"}
        changed = ask(house, "PUT", f"{one}{slash}", put)
        assert (changed.status, changed.json["username"]) == (200, f"e{number}")
        assert ask(house, "DELETE", f"{one}{slash}").status == 409
        listed = ask(house, "GET", f"/api/stocks{slash}").json
        assert [set(each) for each in listed] == [
            {"stock_id", "name", "highest_price", "lowest_price", "average_price"}
        ]
        assert ask(house, "GET", f"/api/stocks/{CIB}{slash}").status == 200
        missing = ask(house, "GET", f"/api/users/99{slash}")
        assert (missing.status, missing.json) == (
            404,
            {"detail": "No User matches the given query."},
        )
    missing = ask(house, "GET", "/api/stocks/none/")
    assert (missing.status, missing.json) == (404, {"detail": "No Stock matches the given query."})
    gone = user(house, "gone")
    assert ask(house, "DELETE", f"/api/users/{gone}/").status == 204
    assert ask(house, "GET", f"/api/users/{gone}/").status == 404
    assert user(house, "gone") > gone, "the name is free again, the number is not"
    sums_are_zero(house)


def _trade(broker: Mosquitto, house: RunningHouse, number: int, slash: str) -> None:
    """Buy and sell by each URL, and by what it refuses."""
    one = f"/api/users/{number}"
    asked = {"stock_id": CIB, "total": 10, "lower_bound": 5, "upper_bound": 10}
    placed = ask(house, "POST", f"{one}/buy{slash}", asked)
    assert (placed.status, placed.json) == (200, {"message": "your order is being placed"})
    broker.publish([price(number + 5, 50, at(number))])
    until(lambda: shares(house, number) == 10, "the shares")
    placed = ask(house, "POST", f"{one}/sell{slash}", asked)
    assert (placed.status, placed.json) == (200, {"message": "your order is being placed"})
    for verb in ("buy", "sell"):
        for field in asked:
            less = {name: value for name, value in asked.items() if name != field}
            wrong = ask(house, "POST", f"{one}/{verb}{slash}", less)
            assert wrong.status == 400
            assert wrong.json == {field: ["This field is required."]}
        missing = ask(house, "POST", f"{one}/{verb}{slash}", asked | {"stock_id": "none"})
        assert missing.status == 404
        assert missing.json == {"detail": "No Stock matches the given query."}
        much = ask(house, "POST", f"{one}/{verb}{slash}", asked | {"total": 10**9})
        assert (much.status, list(much.json)) == (400, ["error"])


def test_s4_1_the_seeds_replies_have_their_shapes(broker: Mosquitto, house: RunningHouse) -> None:
    """A user and a stock after trades show exactly the fields and words of the seed's samples."""
    number = user(house, "eslam", 10_000)
    edita = "cf12d54e-58ee-4a98-b56f-929ab222db3e"
    broker.publish([price(5, 400, at(1), stock_id=edita, name="Edita")])
    until(lambda: len(ask(house, "GET", "/api/stocks/").json) == 2, "the new stock is listed")
    order(house, number, "buy", 360, (0, 10), stock_id=edita)
    buy(house, number, 20, 10, 30)
    broker.publish([price("28.0", 46, "2022-12-03 18:01:28.745401")])
    broker.publish([price(5.0, 360, at(2), stock_id=edita, name="Edita")])
    until(lambda: shares(house, number, edita) == 360, "the shares")
    assert users_words(house, number) == {
        "username": "eslam",
        "email": "eslam@gmail.com",
        "balance": 7640.0,
        "stocks": [
            {"stock_id": CIB, "name": "CIB", "total_count": 20},
            {"stock_id": edita, "name": "Edita", "total_count": 360},
        ],
        "recent_transactions": [
            {
                "stock": "Edita",
                "type": "Buy",
                "stock_price": 5.0,
                "total_price": 1800.0,
                "total_count": 360,
            },
            {
                "stock": "CIB",
                "type": "Buy",
                "stock_price": 28.0,
                "total_price": 560.0,
                "total_count": 20,
            },
        ],
    }
    assert stock(house) == {
        "stock_id": CIB,
        "name": "CIB",
        "highest_price": 28.0,
        "lowest_price": 28.0,
        "average_price": 28.0,
        "recent_data": [
            {"price": 28.0, "availability": 46, "timestamp": "2022-12-03T18:01:28.745401Z"}
        ],
        "transactions": [
            {
                "user": "eslam",
                "type": "Buy",
                "stock_price": 28.0,
                "total_price": 560.0,
                "total_count": 20,
            }
        ],
    }


def test_s4_2_holds_and_gives_back(broker: Mosquitto, house: RunningHouse) -> None:
    """A buy holds total x upper bound and gives the surplus back; a sell holds its shares."""
    number = user(house, "ann", 1000)
    buy(house, number, 50, 10, 20)
    assert balance(house, number) == 0.0
    assert order(house, number, "buy", 1, (1, 1)).status == 400, "nothing is left to hold"
    broker.publish([price("15.5", 30, at(1))])
    until(lambda: shares(house, number) == 30, "30 are bought")
    assert balance(house, number) == 1000 - 20 * 20 - 30 * 15.5
    sell(house, number, 30, 16, 20)
    assert shares(house, number) == 0
    assert order(house, number, "sell", 1, (1, 1)).status == 400, "every share is held"
    broker.publish([price(16, 10, at(2))])
    until(lambda: shares(house, number) == 10, "10 sold, 10 bought")
    assert balance(house, number) == 1000 - 30 * 15.5 - 10 * 16 + 10 * 16 - 10 * 20
    sums_are_zero(house)


def test_s4_3_partial_fills_wait_for_the_next_message(
    broker: Mosquitto, house: RunningHouse
) -> None:
    """A tick of 20 x 50 against 100 at <= 20 fills 50; 50 wait; the next tick completes."""
    number = user(house, "ann", 2000)
    broker.publish([price(20, 500, at(1))])
    until(lambda: stock(house)["highest_price"] == 20, "a message before the order")
    buy(house, number, 100, 0, 20)
    assert shares(house, number) == 0, "an order meets only messages after it"
    broker.publish([price(20, 50, at(2))])
    until(lambda: shares(house, number) == 50, "50 are filled")
    assert len(users_words(house, number)["recent_transactions"]) == 1
    broker.publish([price("20.01", 50, at(3)), price(19, 50, at(4))])
    until(lambda: shares(house, number) == 100, "the rest is filled")
    assert balance(house, number) == 2000 - 50 * 20 - 50 * 19


def test_s4_4_a_message_fills_no_more_than_its_availability(
    broker: Mosquitto, house: RunningHouse
) -> None:
    """Of buys, and of sells, each message fills at most its availability, oldest first."""
    numbers = [user(house, f"buyer{place}", 1000) for place in range(5)]
    for number in numbers:
        buy(house, number, 20, 0, 20)
    broker.publish([price(20, 50, at(1))])
    until(lambda: stock(house)["transactions"], "the fills")
    assert [shares(house, number) for number in numbers] == [20, 20, 10, 0, 0]
    for number in numbers[:2]:
        sell(house, number, 20, 20, 30)
    broker.publish([price(20, 25, at(2))])
    until(lambda: shares(house, numbers[3]) == 15, "the buys")
    held = [users_words(house, number)["stocks"] for number in numbers]
    assert [each[0]["total_count"] if each else 0 for each in held] == [0, 0, 20, 15, 0]
    sold = [
        sum(
            each["total_count"]
            for each in users_words(house, number)["recent_transactions"]
            if each["type"] == "Sell"
        )
        for number in numbers
    ]
    assert sold == [20, 5, 0, 0, 0]
    sums_are_zero(house)


def test_s4_5_a_duplicate_fills_nothing_and_an_older_one_never_rewinds(
    broker: Mosquitto, house: RunningHouse
) -> None:
    """The same message again is not counted; an older one counts at its time and fills nothing."""
    number = user(house, "ann", 10_000)
    buy(house, number, 100, 0, 20)
    broker.publish([price(20, 10, at(10))] * 3)
    broker.publish([price(5, 10, at(5)), price(5, 10, at(5)), price(21, 1, at(11))])
    until(lambda: stock(house)["highest_price"] == 21, "all are taken")
    assert shares(house, number) == 10
    found = stock(house)
    assert [each["price"] for each in found["recent_data"]] == [21.0, 20.0, 5.0]
    assert (found["lowest_price"], found["average_price"]) == (5.0, 46 / 3)
    sums_are_zero(house)


def test_s4_6_statistics_of_ranges(broker: Mosquitto, house: RunningHouse) -> None:
    """Ranges count both their ends; an empty one gives nulls; all is of the range."""
    number = user(house, "ann", 10_000)
    buy(house, number, 10, 0, 30)
    broker.publish([price(10 + place, 5, at(3600 * place)) for place in range(24)])
    until(lambda: stock(house)["highest_price"] == 33, "all are taken")

    def of(first: str, last: str) -> dict[str, Any]:
        asked = urllib.parse.urlencode({"from_date": first, "to_date": last})
        return stock(house, f"?{asked}")

    day = of("2022-12-05 00:00:00", "2022-12-06 00:00:00")
    assert (day["highest_price"], day["lowest_price"], day["average_price"]) == (33, 10, 21.5)
    hours = of("2022-12-05 04:00:00", "2022-12-05 05:00:00")
    assert (hours["highest_price"], hours["lowest_price"]) == (15, 14)
    assert [each["price"] for each in hours["recent_data"]] == [15, 14]
    assert hours["transactions"] == []
    filled = of("2022-12-05 00:00:00", "2022-12-05 00:00:00")
    assert (filled["average_price"], len(filled["transactions"])) == (10, 1)
    empty = of("2022-12-05 04:00:01", "2022-12-05 04:59:59.999999")
    assert (empty["highest_price"], empty["average_price"], empty["recent_data"]) == (
        None,
        None,
        [],
    )
    assert ask(house, "GET", f"/api/stocks/{CIB}/?from_date=x&to_date=2022-12-05").json == {
        "from_date": ["'x' is no date; write it like 2022-12-05 00:00:00."]
    }
    one = ask(house, "GET", f"/api/stocks/{CIB}/?from_date=2022-12-05")
    assert (one.status, one.json) == (400, {"to_date": ["This field is required."]})


@pytest.mark.parametrize(
    "path, body, fields",
    [
        ("/api/users/", b"{", {"error"}),
        ("/api/users/", {}, {"username", "email", "password"}),
        ("/api/users/", {"username": "a b", "email": "a@b.co", "password": "x"}, {"username"}),
        ("/api/users/", {"username": "a", "email": "no", "password": "x"}, {"email"}),
        (
            "/api/users/",
            {"username": "a", "email": "a@b.co", "password": "x", "balance": -1},
            {"balance"},
        ),
        ("/api/users/1/deposit", {"amount": -100}, {"amount"}),
        ("/api/users/1/deposit", {"amount": 0}, {"amount"}),
        ("/api/users/1/deposit", {"amount": "NaN"}, {"amount"}),
        ("/api/users/1/deposit", b'{"amount": NaN}', {"error"}),
        ("/api/users/1/deposit", {"amount": "Infinity"}, {"amount"}),
        ("/api/users/1/deposit", {"amount": 1e300}, {"amount"}),
        ("/api/users/1/deposit", {"amount": "0.000000001"}, {"amount"}),
        ("/api/users/1/deposit", {"amount": [1]}, {"amount"}),
        ("/api/users/1/withdraw", {"amount": -5}, {"amount"}),
        ("/api/users/1/buy", {"total": 0}, {"total"}),
        ("/api/users/1/buy", {"total": -5}, {"total"}),
        ("/api/users/1/buy", {"total": 1.5}, {"total"}),
        ("/api/users/1/buy", {"total": "many"}, {"total"}),
        ("/api/users/1/buy", {"lower_bound": 21}, {"lower_bound"}),
        ("/api/users/1/buy", {"lower_bound": -1}, {"lower_bound"}),
        ("/api/users/1/buy", {"upper_bound": 20.555}, {"upper_bound"}),
        ("/api/users/1/buy", {"upper_bound": 0}, {"upper_bound"}),
        ("/api/users/1/buy", {"upper_bound": None}, {"upper_bound"}),
        ("/api/users/1/sell", {"upper_bound": "x"}, {"upper_bound"}),
    ],
)
def test_s4_7_bad_input_is_400_and_moves_nothing(
    shared: RunningHouse, path: str, body: Any, fields: set[str]
) -> None:
    """Each is a JSON body that names the field; balances stay as they are."""
    if path.endswith(("buy", "sell")):
        body = {"stock_id": CIB, "total": 1, "lower_bound": 1, "upper_bound": 20} | body
    before = balance(shared, 1)
    reply = ask(shared, "POST", path, body)
    assert reply.status == 400, reply.body
    assert fields <= set(reply.json)
    assert balance(shared, 1) == before
    sums_are_zero(shared)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    """One house, with user 1, for what changes nothing."""
    made = Mosquitto(tmp_path_factory.mktemp("mqtt"))
    made.start()
    try:
        with open_dealer(made) as running:
            user(running, "ann", 1000)
            yield running
    finally:
        made.stop(signal.SIGKILL)


def test_s4_7_parallel_orders_never_overdraw(shared: RunningHouse) -> None:
    """Forty orders at once on money for ten: ten are placed, no balance is below zero."""
    number = user(shared, "crowd", 1000)
    statuses: list[int] = []

    def place() -> None:
        statuses.append(order(shared, number, "buy", 10, (1, 10)).status)

    threads = [threading.Thread(target=place) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 10 + [400] * 30
    assert balance(shared, number) == 0


def test_s4_8_many_processes_have_one_consumer(broker: Mosquitto) -> None:
    """Three edges and two workers: one session, each message counted once, every edge agrees."""
    with open_dealer(broker, settings="edges = 3") as house, house.another_worker():
        number = user(house, "ann", 100_000)
        buy(house, number, 1000, 0, 20)
        broker.publish([price(20, 7, at(place)) for place in range(100)])
        until(lambda: shares(house, number) == 700, "100 x 7")
        assert house.peers().count("feed") == 1
        assert broker.sessions() == 1
        answers = [stock(house) for _ in range(12)]
        assert all(each == answers[0] for each in answers)
        assert len(answers[0]["recent_data"]) == 5
        sums_are_zero(house)


def test_s4_9_a_broker_that_was_away_loses_nothing(broker: Mosquitto) -> None:
    """The broker ends and comes back, the house ends and comes back: every message is filled."""
    with open_dealer(broker) as house:
        number = user(house, "ann", 100_000)
        buy(house, number, 600, 0, 20)
        broker.publish([price(20, 1, at(place)) for place in range(100)])
        until(lambda: shares(house, number) == 100, "the first hundred")
        broker.stop()
        until(lambda: not _is_connected(house), "the house has noticed")
        broker.start()
        until(lambda: broker.sessions() == 2, "it came back by itself")
        broker.publish([price(20, 1, at(100 + place)) for place in range(100)])
        until(lambda: shares(house, number) == 200, "the second hundred")
        assert house.stop() == 0
        broker.publish([price(20, 1, at(200 + place)) for place in range(100)])
        broker.stop()
        broker.start()
        house.start()
        until(lambda: shares(house, number) == 300, "what came while the house was away")
        found = stock(house)
        assert found["average_price"] == 20
        assert balance(house, number) == float(Decimal(100_000) - 600 * 20)
        sums_are_zero(house)


def _is_connected(house: RunningHouse) -> bool:
    import contextlib
    import sqlite3

    file = house.data / "office.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT is_connected FROM robots_feedstate").fetchall()
    return bool(rows and rows[0][0])
