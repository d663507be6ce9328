"""Notices of a real house: trades and money reach a real receiver, each happening once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from fondaco.office.notices.sending import LEASE_S
from fondaco.strategies.models import VALUES
from tests.house_fixture import RunningHouse, open_house
from tests.notices.receiver import Came, Receiver
from tests.treasury.people import FILE, Person

SETTINGS = 'clock = "test"\nrate_limits = false\nstaff_mfa = false\nwithdrawal_delay_s = 0\n'
KINDS = [
    *("order.traded", "order.filled", "deposit.credited", "withdrawal.asked"),
    *("withdrawal.approved", "withdrawal.paid", "withdrawal.cancelled", "test"),
    *("strategy.late", "strategy.back"),
]


@pytest.fixture(scope="module")
def house() -> Iterator[RunningHouse]:
    with open_house(settings=SETTINGS, file_text=FILE) as running:
        yield running


def hooked(house: RunningHouse, receiver: Receiver) -> tuple[Person, str]:
    """Return bob, with a webhook that hears of everything and has passed its test."""
    bob = Person(house, "bob")
    made = bob.ask("POST", "/notices/webhooks/", url=receiver.url)
    assert made.status == 201, made
    wanted = [{"kind": kind, "mail": False, "webhook": True} for kind in KINDS if kind != "test"]
    assert bob.ask("PUT", "/notices/choices/", choices=wanted).status == 200
    assert bob.ask("POST", f"/notices/webhooks/{made.words['id']}/test/").status == 202
    assert receiver.next().json["kind"] == "test"
    return bob, str(made.words["secret"])


def until(receiver: Receiver, count: int) -> list[Came]:
    """Return so many webhooks, told apart by their ids."""
    found: dict[str, Came] = {}
    while len(found) < count:
        came = receiver.next()
        found[came.delivery] = came
    return list(found.values())


def buy_of_bob(house: RunningHouse, quantity: str) -> Any:
    order: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "price": "50000",
    }
    path = "/api/v3/order"
    sold = house.signed(house.ann, "POST", path, side="SELL", quantity=quantity, **order)
    assert sold.status == 200, sold
    bought = house.signed(house.bob, "POST", path, side="BUY", quantity=quantity, **order)
    assert bought.status == 200, bought
    return bought.json


def test_trades_and_money_are_told_with_their_figures(
    house: RunningHouse, receiver: Receiver
) -> None:
    """A fill, a deposit, a withdrawal paid and one cancelled: signed, and each told once."""
    bob, secret = hooked(house, receiver)
    mia, top = Person(house, "mia"), Person(house, "max")
    order = buy_of_bob(house, "0.01")
    credited = top.ask("POST", "/deposits/", username="bob", asset="USDT", amount="12.5")
    assert credited.status == 201, credited
    number = bob.withdraw("3").words["id"]
    assert mia.ask("POST", f"/withdrawals/{number}/approve/").status == 200
    number = bob.withdraw("4").words["id"]
    assert bob.ask("POST", f"/withdrawals/{number}/cancel/").status == 200
    found = until(receiver, 8)
    assert all(came.is_signed_by(secret) for came in found)
    told = sorted((came.json["kind"], came.json["data"].get("amount")) for came in found)
    assert told == [
        ("deposit.credited", "12.50000000"),
        ("order.filled", None),
        ("order.traded", None),
        ("withdrawal.approved", "3.00000000"),
        ("withdrawal.asked", "3.00000000"),
        ("withdrawal.asked", "4.00000000"),
        ("withdrawal.cancelled", "4.00000000"),
        ("withdrawal.paid", "3.00000000"),
    ]
    filled = next(came.json["data"] for came in found if came.json["kind"] == "order.filled")
    assert filled["order_id"] == order["orderId"]
    assert (filled["side"], filled["symbol"]) == ("buy", "BTCUSDT")
    assert (filled["quantity"], filled["quote_quantity"]) == ("0.01000000", "500.00000000")
    traded = next(came.json["data"] for came in found if came.json["kind"] == "order.traded")
    assert (traded["price"], traded["quantity"]) == ("50000.00", "0.01000000")


def test_a_killed_house_tells_each_trade_once(house: RunningHouse, receiver: Receiver) -> None:
    """Killed after trades, perhaps between finding and sending: none is lost, none told as two.

    What the killed one had taken to send comes when its lease is over.
    """
    hooked(house, receiver)
    orders = [buy_of_bob(house, "0.001")["orderId"] for _ in range(20)]
    house.kill()
    house.start()
    more = buy_of_bob(house, "0.001")["orderId"]
    told: dict[str, int] = {}
    deadline = time.monotonic() + LEASE_S + 60
    while not {*orders, more} <= set(told.values()):
        came = receiver.next(deadline - time.monotonic())
        if came.json["kind"] == "order.filled":
            told[came.delivery] = came.json["data"]["order_id"]
    assert sorted(told.values()) == sorted([*orders, more])


def test_a_silent_strategy_is_told_late_once_and_back_once(
    house: RunningHouse, receiver: Receiver
) -> None:
    """By the house's clock: late after twice its interval, back by its next report, late again."""
    bob, _ = hooked(house, receiver)
    account = bob.ask("POST", "/brokerage-accounts/", name="main").words["id"]
    words = {"name": "momentum", "account": account, "report_every_s": 30}
    made = bob.ask("POST", "/strategies/", **words)
    assert made.status == 201, made

    def report() -> None:
        data = dict.fromkeys(VALUES, "1") | {"symbol": "XBTUSD"}
        data["strategy_access_token"] = made.words["token"]
        stored = bob.ask("POST", "/strategy/", data=data)
        assert stored.status == 201, stored

    def pass_by(seconds: int) -> None:
        assert bob.ask("POST", "/test/clock/", advance_s=seconds).status == 200
        rests: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER"}
        path = "/api/v3/order"  # the next command has the new time
        done = house.signed(house.bob, "POST", path, quantity="0.01", price="1000", **rests)
        assert done.status == 200, done

    report()
    pass_by(36_000)  # the house was up for long enough, however slow the machine
    found = [receiver.next().json]
    pass_by(600)  # the same silence goes on
    report()
    found += [receiver.next().json]
    pass_by(61)
    found += [receiver.next().json]
    assert [each["kind"] for each in found] == ["strategy.late", "strategy.back", "strategy.late"]
    assert {each["data"]["strategy_id"] for each in found} == {made.words["id"]}
    assert found[0]["data"]["last"] != found[2]["data"]["last"] == found[1]["data"]["last"]
